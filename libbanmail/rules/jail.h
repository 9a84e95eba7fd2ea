/* jail: which classes count, how many within what time, and how long the ban is.
 *
 * The words are fail2ban's: maxretry, findtime, bantime, ignoreip.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_JAIL_H
#define BANMAIL_JAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ports.h"

#define JAIL_NAME_SIZE    32 /* with its NUL */
#define JAIL_MAXRETRY_MAX 16 /* the table keeps that many stamps for each client */
#define JAIL_FOREVER      INT64_MAX
#define JAIL_TIME_MAX_S   INT64_C(3153600000) /* longest finite findtime and bantime: 100 years */
#define JAIL_REPEATS_MAX  255
#define JAIL_MANUAL       "manual" /* the jail of bans made by hand; no other may be named so */

struct jail {
    char name[JAIL_NAME_SIZE]; /* letters, digits, - and _ */
    uint64_t classes;          /* OFFENCE_BIT of each class that counts */
    unsigned maxretry;         /* 1..JAIL_MAXRETRY_MAX failures make a ban */
    int64_t findtime_s;        /* seconds, ≥ 1 */
    int64_t bantime_s;         /* seconds, ≥ 1, or JAIL_FOREVER */
    unsigned v4_bits;          /* IPv4 is counted and banned by this prefix: 8..32 */
    unsigned v6_bits;          /* likewise IPv6: 16..128 */
    struct ports ports;        /* that its bans close */
    int64_t bantime_max_s;     /* each further ban of a client lasts twice as long, up to this;
                                  0: all last bantime_s */
    unsigned repeats;          /* a guess again at the same user, with the same secret as far as the
                                  line tells: of those one in so many counts; 1: each */
};

/* The defaults: mail, OFFENCE_DEFAULT, 5 in 10 minutes, 1 hour, /32 and /64, the
 * mail ports. */
void jail_defaults(struct jail *jail);

/* Parses a span of time in fail2ban's notation: 90, 90s, 10m, 24h, 7d, 1w, "1d 12h"; any negative
 * number is JAIL_FOREVER where `forever` allows it. Returns 0 and seconds, or -EINVAL (no number,
 * unknown unit, 0, more than JAIL_TIME_MAX_S, negative where not allowed). */
int jail_parse_time(const char *text, bool forever, int64_t *seconds);

/* Checks the limits above. Returns NULL, or what is wrong as a sentence that names the parameter,
 * the value and what is allowed, in text[256]. */
const char *jail_check(const struct jail *jail, char text[256]);

/* How long a ban lasts, in seconds, of a client that was banned `before` times. Pure. */
int64_t jail_bantime(const struct jail *jail, unsigned before);

/* The decision: whether any maxretry of these failures lie within one findtime (newest - oldest
 * ≤ findtime). `stamps` are one client's newest failures, seconds since the epoch, ascending;
 * `count` is at most JAIL_MAXRETRY_MAX. How many lie within findtime of the newest goes to
 * *within. Pure: the answer does not depend on the order in which the lines arrived. */
bool jail_decide(const struct jail *jail, const uint32_t *stamps, unsigned count, unsigned *within);

#endif
