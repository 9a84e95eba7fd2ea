/* A time that rsyslogd printed is the time that it had: days of all months and leap years, zones on
 * both sides, fractions of no, three, six and nine digits.
 *
 * It fails when a second, a zone or a fraction is read as another one, and when a text that is no
 * time is read beyond its end or as a time.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/rfc3339.h"

#define DAY_S 86400

static void
reads_each_day_and_zone(void **state)
{
    static const int zones_min[] = {0, 60, -210, 345, 840, -720};

    (void)state;
    for (int64_t s = 14 * 3600; s < INT64_C(4102444800); s += DAY_S * 7 + 4711) { /* to 2100 */
        const int zone = zones_min[(s / 7) % 6];
        const time_t local = s + zone * 60;
        char text[64];
        unsigned digits;
        struct tm tm;

        gmtime_r(&local, &tm);
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(text + 19, sizeof(text) - 19, "%c%02d:%02d", zone < 0 ? '-' : '+', abs(zone) / 60,
                 abs(zone) % 60);
        assert_int_equal(rfc3339_us(text, &digits), s * 1000000);
        assert_int_equal(digits, 0);
    }
}

static void
reads_fractions(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
        unsigned digits;
    } times[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"1970-01-01T00:00:01.5Z", 1500000, 1},
        {"1970-01-01T01:00:00.123+01:00", 123000, 3},
        {"1969-12-31T23:00:00.000001-01:00", 1, 6},
        {"2026-11-28T05:23:06.123456Z", INT64_C(1795843386123456), 6},
        {"2024-02-29T23:59:59.999999999Z", INT64_C(1709251199999999), 9},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        unsigned digits;

        assert_int_equal(rfc3339_us(times[i].text, &digits), times[i].us);
        assert_int_equal(digits, times[i].digits);
    }
}

/* rsyslogd prints bytes that are no digits for a fraction of seven digits. */
static void
bears_what_is_no_time(void **state)
{
    static const char *const texts[] = {"", "x", "2026-11-28T05:23:06", "1969-12-31T23:59:59Z",
                                        "0000-00-00T00:00:00+00:00"};
    unsigned digits;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(rfc3339_us(texts[i], &digits), 0);
    assert_int_equal(rfc3339_us("1970-01-01T01:00:00.\x81+01:00", &digits), 0);
    rfc3339_us("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
               &digits);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_day_and_zone),
        cmocka_unit_test(reads_fractions),
        cmocka_unit_test(bears_what_is_no_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
