/* rfc3339: a time as rsyslogd prints it, `2026-11-28T05:23:06.123456+01:00` (RFC 3339,
 * section 5.6).
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_RFC3339_H
#define BANMAIL_RFC3339_H

#include <stdbool.h>
#include <stdint.h>

/* Microseconds since 1970, 0 of a time before, and how many digits the fraction of the second has,
 * of which those behind the sixth do not tell. False where the text has another form; it is not
 * asked whether there is such a day. Any thread. */
bool rfc3339_read(const char *text, int64_t *us, unsigned *digits);

#endif
