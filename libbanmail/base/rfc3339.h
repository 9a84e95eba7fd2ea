/* rfc3339: a time as rsyslogd prints it, `2026-11-28T05:23:06.123456+01:00` (RFC 3339,
 * section 5.6).
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_RFC3339_H
#define BANMAIL_RFC3339_H

#include <stdint.h>

/* Microseconds since 1970; 0 of a text that is too short for a time, and of a time before 1970.
 * *digits is how many digits the fraction of the second has: those behind the sixth do not tell.
 * What stands between the digits is not looked at. Any thread. */
int64_t rfc3339_us(const char *text, unsigned *digits);

#endif
