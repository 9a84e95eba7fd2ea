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

/* 9 stands for a digit; ends with the form. */
static bool
has_form(const char *text, const char *form)
{
    while (*form != '\0' && (*form == '9' ? *text >= '0' && *text <= '9' : *text == *form))
        text++, form++;
    return *form == '\0';
}

/* `Z` or `+01:00`, and nothing behind it. */
static bool
read_zone(const char *at, int *ahead_s)
{
    *ahead_s = 0;
    if (strcmp(at, "Z") == 0)
        return true;
    if ((*at != '+' && *at != '-') || !has_form(at + 1, "99:99") || at[6] != '\0')
        return false;
    *ahead_s = (two_digits(at + 1) * 60 + two_digits(at + 4)) * (*at == '-' ? -60 : 60);
    return true;
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

bool
rfc3339_read(const char *text, int64_t *us, unsigned *digits)
{
    const char *at = text + sizeof "2026-11-28T05:23:06" - 1;
    int64_t fraction_us = 0, unit = 1000000, seconds;
    int ahead_s;

    *digits = 0;
    if (!has_form(text, "9999-99-99T99:99:99"))
        return false;
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++, ++*digits)
            fraction_us += (*at - '0') * (unit /= 10);
    if (!read_zone(at, &ahead_s))
        return false;
    seconds = seconds_of(text) - ahead_s;
    *us = seconds < 0 ? 0 : seconds * 1000000 + fraction_us;
    return true;
}
