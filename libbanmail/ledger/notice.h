/* notice: an event as it is told: a sentence, its fields, and the lines that a ban was decided by.
 * One that nobody takes waits in the ledger.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_NOTICE_H
#define BANMAIL_NOTICE_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/event.h"
#include "line/evidence.h"

#define NOTICE_LINES_MOST 10
#define NOTICE_LINES_SIZE (NOTICE_LINES_MOST * EVIDENCE_LINE_SIZE)

struct notice {
    int64_t number; /* in the ledger, ascending; 0: it is not there */
    int64_t time_ms;
    int severity;                   /* of syslog(3) */
    char text[EVENT_SENTENCE_SIZE]; /* event_say */
    char fields[EVENT_TEXT_SIZE];   /* event_print */
    char lines[NOTICE_LINES_SIZE];  /* with a newline between them; "": there are none */
};

/* Puts one together, of lines[count], the newest of which is the first. Returns 0 or what
 * event_print does. Any thread; allocates nothing. */
int notice_make(const struct event *event, const struct evidence *lines, size_t count,
                struct notice *notice);

#endif
