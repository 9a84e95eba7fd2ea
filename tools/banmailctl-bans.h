/* bans: the bans of a table, read at once and sorted.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_BANS_H
#define BANMAILCTL_BANS_H

#include <stdbool.h>
#include <stddef.h>

#include "table/table.h"

struct bans {
    struct ban *ban;
    size_t count;
};

/* Reads the bans that are in force or wanted at now_ms, oldest first. Returns 0 or -ENOMEM. */
int bans_read(const struct table *table, int64_t now_ms, struct bans *bans);

/* The same for those who would be banned, had maxBanRate or want of room not held it back. */
int bans_read_spared(const struct table *table, int64_t now_ms, struct bans *bans);

/* The same for whom jails that only observe would have banned, also what would be over by now. */
int bans_read_observed(const struct table *table, int64_t now_ms, struct bans *bans);

/* What --sort knows. */
enum bans_order {
    BANS_BY_SINCE,
    BANS_BY_LEFT,
    BANS_BY_FAILURES,
    BANS_BY_ADDRESS,
    BANS_BY_JAIL,
    BANS_BY_CLASS
};

#define BANS_ORDERS "since, left, failures, address, jail and class"

/* The order of that name. Returns 0 or -EINVAL. */
int bans_order(const char *name, unsigned *order);

/* Which bans are wanted; zeroes, and -1 for the class, mean all. */
struct bans_wanted {
    const struct source *source; /* that touch it */
    const char *jail;
    int class;
    int64_t until_ms; /* that end by then */
    bool is_here;     /* not those that are for another host alone */
};

/* Whether it is for this server's kernel, and not for another host's alone. */
bool bans_is_here(const struct ban *ban);

/* Takes the others out. */
void bans_select(const struct table *table, const struct bans_wanted *wanted, struct bans *bans);

/* Sorts anew, what is equal by since; the greatest last. */
void bans_sort(const struct table *table, unsigned order, struct bans *bans);

void bans_free(struct bans *bans);

/* How many changes that were wanted by then wait for the kernel: under attack there are always
 * newer ones. */
size_t bans_waiting(const struct table *table, int64_t then_ms);

/* Waits up to half a second until no change of what touches these sources waits for the kernel.
 * Returns 0 or -ETIMEDOUT. */
int bans_settle(const struct table *table, const struct source *sources, int count);

/* Whether one of the two contains the blocker: then lifting the one lifts the other. */
bool bans_touches(const struct ban *ban, const struct source *source);

/* The jail's name, cleaned; "?" when there is no such jail. */
const char *bans_jail_name(const struct table *table, const struct ban *ban,
                           char name[JAIL_NAME_SIZE * 4]);

/* The name of a user of this host, "user id 1000" where it has none, cleaned. May ask the network
 * for it. */
#define BANS_USER_SIZE 128
const char *bans_user(uint32_t user, char text[BANS_USER_SIZE]);

/* "by hand", and who made the ban where that is known. */
const char *bans_by_hand(const struct ban *ban, char text[BANS_USER_SIZE + 16]);

/* The members bannedBy, a user's name, and bannedByUid; nothing where it is not known. */
struct fjson_object;
void bans_add_maker(struct fjson_object *object, const struct ban *ban);

/* Whether the table has a jail of this name, the manual one left out. */
bool bans_has_jail(const struct table *table, const char *name);

#endif
