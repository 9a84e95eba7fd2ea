/* stamp: how far a message's own stamp can be trusted.
 *
 * A stamp may lie behind the reception for two reasons. The message was late: a queue has waited
 * for its server, or an old log is read again; then the stamp is right, and the distance shrinks
 * while messages come in faster than they were written. Or the host's clock or zone is wrong
 * (a traditional stamp names no zone, so it is read in the zone of whoever receives it); then the
 * message is live, and the distance stays what it is. So the distance is watched for each host:
 * one that stays the same for 10 s of reception and three messages is the host's own, and is taken
 * off its stamps, as whole quarter-hours where it is near them, as zones are.
 *
 *      skew = stamp - reception                  settled: 3 messages, 10 s, all within 3 s
 *
 *      |skew| ≤ 30 s                             right
 *      within 30 s of N quarter-hours            another zone: N quarter-hours are taken off
 *      any other                                 a wrong clock: the skew is taken off
 *
 * The watch holds 1,024 hosts, and forgets the one that was silent longest of those that share a
 * place with a new one. No function reads a clock, makes a system call, or waits for anything but a
 * short process-private lock.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_STAMP_H
#define BANMAIL_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAMP_HOSTS      1024 /* watched at once */
#define STAMP_TEXT_SIZE  256
#define STAMP_ANY_AGE_MS INT64_MAX
#define STAMP_LIVE_MS                                                                              \
    60000 /* a line is live while its stamp and the clock differ by at most this */

struct stamp_watch;

struct stamp_bounds {
    int64_t age_ms;   /* a stamp may be so old, STAMP_ANY_AGE_MS: of any age */
    int64_t ahead_ms; /* and so far ahead, against the time of reception */
};

/* `key` is random, so that nobody can choose host names that share a place. Returns NULL when
 * memory is out (it takes 140 kB). Free with stamp_free. */
struct stamp_watch *stamp_new(const uint64_t key[2]);

/* When it happened what a message of this host tells, in Unix milliseconds: its stamp, less what
 * the host's stamps are off by; or, where that is out of bounds, its reception. stamp_ms is what
 * the message says, received_ms when it came in; the host's name is `length` bytes that anybody may
 * have chosen. Any thread. */
int64_t stamp_judge(struct stamp_watch *watch, const char *host, size_t length, int64_t stamp_ms,
                    int64_t received_ms, const struct stamp_bounds *bounds);

/* What has been found out and not been said yet: one sentence about one host, into
 * text[STAMP_TEXT_SIZE]. Returns false when there is nothing. Costs nothing then. Any thread. */
bool stamp_notice(struct stamp_watch *watch, char text[STAMP_TEXT_SIZE]);

/* No other thread may use the watch any more. NULL is fine. */
void stamp_free(struct stamp_watch *watch);

#endif
