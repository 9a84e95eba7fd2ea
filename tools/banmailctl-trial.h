/* trial: lines of a log through the counter, in a table of its own that is gone afterwards. What it
 * says of a line is what the module would do.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_TRIAL_H
#define BANMAILCTL_TRIAL_H

#include <stdint.h>

#include "count/counter.h"

struct trial;

/* With these jails, and nobody allow-listed. Returns NULL when out of memory. Free with trial_free;
 * NULL is fine. One thread. */
struct trial *trial_new(const struct jail *jails, unsigned count);
void trial_free(struct trial *trial);

/* The jail of an index, as it stands in an outcome's bits. Returns false when there is none. */
bool trial_jail(const struct trial *trial, unsigned jail_index, struct jail *jail);

/* The next ban that lines have made, in their order, with its length; of a network as well, where
 * its neighbours have. Returns false when there is none yet. */
bool trial_next_ban(struct trial *trial, struct ban *ban);

/* When a line of this stamp was written: traditional (`Nov 21 08:03:32`, the latest such time that
 * is not ahead of now_s, in this machine's zone), RFC 3339, with or without zone and fraction, or
 * TAI64N (`@40000000690a5f3c12345678`). Returns microseconds since 1970, or -1 when it is none;
 * *has_microseconds tells whether it has them. Pure but for the zone. */
int64_t trial_stamp(const char *text, size_t length, int64_t now_s, bool *has_microseconds);

/* Counts the line, of which host, tag, program, text, fields and stamp are set; time is its stamp.
 */
void trial_take(struct trial *trial, struct line *line, struct counter_outcome *outcome);

#endif
