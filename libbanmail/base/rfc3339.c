/* rfc3339: see rfc3339.h. It is asked twice for each line with a class.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "base/rfc3339.h"

#include <string.h>

static int
two_digits(const char *at)
{
    return (at[0] - '0') * 10 + at[1] - '0';
}

/* Where the text ends in Z, or in +01:00. */
static int
ahead_s(const char *end)
{
    const int ahead = (two_digits(end - 5) * 60 + two_digits(end - 2)) * 60;

    if (end[-1] == 'Z')
        return 0;
    return end[-6] == '-' ? -ahead : ahead;
}

/* Days since 1970. Years begin in March here, so that the day of a leap year is the last of one:
 * days_from_civil of Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms". timegm(3)
 * takes 830 instructions for it. */
static int64_t
days_of(int year, int month, int day)
{
    const int from_march = (month + 9) % 12, begun = year - (month <= 2);
    const int era = begun / 400, in_era = begun % 400;
    const int in_year = (153 * from_march + 2) / 5 + day - 1;

    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static int64_t
seconds_of(const char *text)
{
    const int64_t days = days_of(two_digits(text) * 100 + two_digits(text + 2),
                                 two_digits(text + 5), two_digits(text + 8));

    return days * 86400 + two_digits(text + 11) * 3600 + two_digits(text + 14) * 60 +
           two_digits(text + 17);
}

int64_t
rfc3339_us(const char *text, unsigned *digits)
{
    const size_t length = strlen(text);
    int64_t seconds, us = 0, unit = 1000000;

    *digits = 0;
    if (length < sizeof "2026-11-28T05:23:06Z" - 1)
        return 0;
    if (text[19] == '.')
        for (const char *at = text + 20; *at >= '0' && *at <= '9'; at++, ++*digits)
            us += (*at - '0') * (unit /= 10);
    seconds = seconds_of(text) - ahead_s(text + length);
    return seconds < 0 ? 0 : seconds * 1000000 + us;
}
