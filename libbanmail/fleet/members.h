/* members: what a centre knows of each host of its fleet, from the reports that it sends.
 *
 * A report is believed of the host that delivered it, whatever name it gives itself. One that shows
 * that the host holds something else than it ought to asks for pages at once; a second one in a row
 * says that they did not help, and the host is called diverged. A single one may be a message that
 * is still on its way.
 *
 * The room is fixed: where it is full, the host that was silent longest makes room.
 *
 * One thread; no function reads a clock, allocates but members_new, or makes a system call.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_MEMBERS_H
#define BANMAIL_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "fleet/telegram.h"
#include "fleet/pager.h"

#define MEMBERS_DIVERGED 2 /* reports in a row that differ */

struct member {
    char name[TELEGRAM_NAME_SIZE]; /* as who delivers it is known; "": free */
    int64_t heard_ms;
    int64_t behind_ms; /* its clock, by the latest report, the way included */
    unsigned differs;  /* reports in a row that show another table than ours */
    struct telegram_report report;
};

struct members;

/* Room for so many hosts. Returns NULL when out of memory. Free with members_free; NULL is fine. */
struct members *members_new(uint32_t capacity);
void members_free(struct members *members);

/* Takes a report that the host `name` has delivered to the centre `own`. Returns whether that host
 * needs pages: it does not hold what the pager's table had when it was paged. */
bool members_take(struct members *members, const char *name, const struct telegram *telegram,
                  const char *own, const struct pager *pager, int64_t now_ms);

/* The hosts, from 0 to capacity - 1: NULL where there is none. */
const struct member *members_at(const struct members *members, uint32_t index);
const struct member *members_find(const struct members *members, const char *name);

/* What it holds of that origin; NULL: nothing. */
const struct telegram_holding *member_holding(const struct member *member, const char *origin);

#endif
