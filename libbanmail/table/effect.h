/* effect: whether a ban keeps its client out, by what the client's failures tell.
 *
 * A failure that this machine's own daemons log was made of packets that came in through this
 * machine's kernel. Where they came after the ban was in force, the ban goes past them: the kernel
 * sees another address than the log (a proxy in front), another port, or never gets to our rule.
 *
 *       ban in force     + 5 s        failures in three different seconds
 *   ─────────┼─────────────┼───────────╳─────╳─────────╳──▶   has no effect; until none has come
 *            │ in flight   │                                  for ten minutes
 *
 * A line comes later than the packets that it tells of: by as long as the daemon takes to answer,
 * or, where it is written when the connection ends, by as long as that lasts. effect_passed_ms
 * takes that off, so that the connections that a ban cuts off are no failures of the ban.
 *
 * All of it is pure; any thread.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_EFFECT_H
#define BANMAIL_EFFECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/jail.h"
#include "line/offence.h"
#include "table/table.h"

#define EFFECT_GRACE_MS  5000   /* so long a ban may take to show */
#define EFFECT_SECONDS   3      /* failures in so many different seconds: it has no effect */
#define EFFECT_QUIET_MS  600000 /* without one for so long: it does again, as far as can be seen */
#define EFFECT_TEXT_SIZE 900

/* What a failure came to. */
enum effect_service {
    EFFECT_SMTP = 1,        /* 25 */
    EFFECT_SUBMISSION = 2,  /* 587 */
    EFFECT_SUBMISSIONS = 4, /* 465 */
    EFFECT_POP3 = 8,        /* 110, 995 */
    EFFECT_IMAP = 16,       /* 143, 993 */
    EFFECT_SIEVE = 32,      /* 4190 */
};

/* The EFFECT_… of a service as offence_read gives it, 0 when it is not known. */
uint8_t effect_service(const char *service, size_t length);

/* A packet of the client came in then or later, for the line of this stamp to be written. */
int64_t effect_passed_ms(const struct offence *offence, int64_t stamp_ms);

/* Whether the ban is known to have no effect at now_ms. */
bool effect_is_missing(const struct ban *ban, int64_t now_ms);

/* Why, likeliest first, each with what to do. `jail` is the ban's (NULL: not known); `set` the
 * administrator's set for this address, as "inet blocklist bad4" (NULL or "": ours). Returns text.
 */
const char *effect_explain(const struct ban *ban, const struct jail *jail, const char *set,
                           char text[EFFECT_TEXT_SIZE]);

#endif
