/* members: what a centre knows of each host of its fleet, from the reports that it sends.
 *
 * A host is known by the address that delivers its reports and by the name that it gives itself:
 * two of one name are two hosts, and no host can speak for another one. One whose report shows that
 * it holds something else than it ought to needs pages at once; a second such report in a row says
 * that they did not help, and the host has diverged. A single one may be a message that is still on
 * its way.
 *
 * The room is fixed: where it is full, the host that was silent longest makes room; of the quarter
 * that one address may fill, the one of that address.
 *
 * One thread; no function reads a clock, allocates but members_new, or makes a system call.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_MEMBERS_H
#define BANMAIL_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "fleet/pager.h"
#include "fleet/telegram.h"

#define MEMBERS_DIVERGED  2                       /* reports in a row that differ */
#define MEMBERS_SILENT_MS (INT64_C(3) * 60000)    /* a report comes each minute */
#define MEMBERS_GONE_MS   (INT64_C(24) * 3600000) /* after that it is a member no more */
#define MEMBERS_ADDRESSES 8                       /* that one peer may name */

struct member {
    char name[TELEGRAM_NAME_SIZE]; /* as it calls itself; "": free */
    struct source peer;            /* who delivers its reports */
    int64_t heard_ms;
    int64_t behind_ms; /* its clock, by the latest report, the way included */
    int64_t lag_ms;    /* since when there is a page that it has not had; -1: it is not known */
    unsigned differs;  /* reports in a row that show another table than ours */
    bool wants_pages;
    struct telegram_report report;
};

struct members;

/* Room for so many hosts. Returns NULL when out of memory. Free with members_free; NULL is fine. */
struct members *members_new(uint32_t capacity);
void members_free(struct members *members);

/* Takes a report that `peer` has delivered to the centre `own`. Returns whether that host needs
 * pages: it does not hold what the pager's table had when it was paged. */
bool members_take(struct members *members, const struct source *peer,
                  const struct telegram *telegram, const char *own, const struct pager *pager,
                  int64_t now_ms);

/* The hosts, from 0 to capacity - 1: NULL where there is none. */
const struct member *members_at(const struct members *members, uint32_t index);
uint32_t members_capacity(const struct members *members);

/* The first of that name; NULL: there is none. */
const struct member *members_find(const struct members *members, const char *name);

/* Asks for pages for the hosts of that name, NULL: for all. Returns how many these are. */
unsigned members_ask(struct members *members, const char *name);

/* Whether somebody may want pages. */
bool members_want(const struct members *members);

/* Who wants pages: how many. *name becomes the host's, "" where there are several. They want none
 * any more. */
unsigned members_answer(struct members *members, char name[TELEGRAM_NAME_SIZE]);

/* The addresses of the hosts that have been heard lately, which are never banned: who delivers, and
 * what the reports say, single addresses alone and MEMBERS_ADDRESSES of all that one peer delivers.
 * Returns how many, at most `most`. */
unsigned members_addresses(struct members *members, int64_t now_ms, struct source *addresses,
                           unsigned most);

/* Whether another server has the name `own`, or two hosts have one: *name becomes it. Those that
 * are silent do not count. */
bool members_clash(struct members *members, const char *own, int64_t now_ms,
                   char name[TELEGRAM_NAME_SIZE]);

/* What it holds of that origin; NULL: nothing. */
const struct telegram_holding *member_holding(const struct member *member, const char *origin);

#endif
