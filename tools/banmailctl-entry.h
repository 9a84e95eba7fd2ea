/* entry: a line of a log in its parts, as rsyslog's parsers take it apart.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_ENTRY_H
#define BANMAILCTL_ENTRY_H

#include "banmailctl-unwrap.h"

/* `@` and 24 hexadecimal digits: a stamp's seconds and nanoseconds
 * (https://cr.yp.to/libtai/tai64.html). */
#define TAI64N_LENGTH 25

struct entry {
    struct piece stamp, host, tag, message;
    unsigned repeated; /* `message repeated N times: [ … ]` */
};

/* A line without its end, of any of the forms that `banmailctl test --help` names. The parts point
 * into it. What is no line of a log has neither tag nor message. Pure. */
struct entry entry_split(struct piece line);

#endif
