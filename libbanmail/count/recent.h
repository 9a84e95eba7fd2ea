/* recent: the lines of the last moments, for actions that come to one line one after the other.
 *
 * rsyslog hands a message to each action by itself. The first that has the line's fields judges it;
 * for those behind it the judgement is kept here, and those in front of it (where no rulebase has
 * seen the message yet) leave word that they want it. So a line is judged once, and counts in the
 * jail of each action that it passes, whatever their order.
 *
 * Equal lines are told apart by who has passed: an action comes to each of them once. The room is
 * fixed; where it is full, the oldest goes: who comes to a line later than some thousand others
 * judges it anew, and where its stamp has microseconds takes it for one that comes again.
 *
 * Any thread; a short lock, no system call, no allocation but in recent_new.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_RECENT_H
#define BANMAIL_RECENT_H

#include <stdbool.h>
#include <stdint.h>

#include "count/breaker.h"
#include "table/table.h"

struct recent;

/* What was made of a line. */
struct judgement {
    struct table_failure failure; /* class: as it was told */
    unsigned attempts;            /* that it adds; 0: it counts nowhere */
    uint16_t scope;               /* the host's that it comes from; 0: nobody has asked */
    struct breaker_place place;
    uint64_t evidence; /* number of the line that was kept; 0: none was */
};

enum recent_turn {
    RECENT_MINE,   /* nobody has judged it: do, then call recent_judged */
    RECENT_JUDGED, /* it is judged: count it for yourself */
    RECENT_LEFT,   /* whoever judges it counts it for you, too */
};

/* Returns NULL when out of memory. Free with recent_free; NULL is fine. */
struct recent *recent_new(void);
void recent_free(struct recent *recent);

/* Action `action` (0..63) comes to a line, which it can judge or not. *line becomes the
 * line's handle. RECENT_MINE: *left becomes those who have left it to you, as bits. RECENT_JUDGED:
 * *judgement becomes what was made of it. */
enum recent_turn recent_come(struct recent *recent, uint64_t fingerprint, unsigned action,
                             bool can_judge, uint64_t *line, uint64_t *left,
                             struct judgement *judgement);

/* The line is judged. Returns who has left it to you since recent_come told. */
uint64_t recent_judged(struct recent *recent, uint64_t fingerprint, uint64_t line,
                       const struct judgement *judgement);

/* Of these jails (bits) those that have not counted the line yet: now they have. *is_first becomes
 * whether no other has. Where the line is forgotten, that is all of them. */
uint64_t recent_claim(struct recent *recent, uint64_t fingerprint, uint64_t line, uint64_t jails,
                      bool *is_first);

#endif
