/* A time that rsyslogd printed is the time that it had: days of all months and leap years, zones on
 * both sides, fractions of no, three, six and nine digits.
 *
 * It fails when a second, a zone or a fraction is read as another one, and when a text that is no
 * time is read as one.
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
        int64_t us;
        struct tm tm;

        gmtime_r(&local, &tm);
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(text + 19, sizeof(text) - 19, "%c%02d:%02d", zone < 0 ? '-' : '+', abs(zone) / 60,
                 abs(zone) % 60);
        assert_true(rfc3339_read(text, &us, &digits));
        assert_int_equal(us, s * 1000000);
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
        int64_t us;

        assert_true(rfc3339_read(times[i].text, &us, &digits));
        assert_int_equal(us, times[i].us);
        assert_int_equal(digits, times[i].digits);
    }
}

/* Of a fraction of seven digits or more rsyslogd prints bytes that are none, a NUL among them. */
static void
refuses_what_is_no_time(void **state)
{
    static const char *const texts[] = {"",
                                        "x",
                                        "2026-11-28T05:23:06",
                                        "2026-11-28T05:23:06.",
                                        "2026-11-28T05:23:06.5",
                                        "2026-11-28T05:23:06.\x81+01:00",
                                        "2026-11-28T05:23:06+01:0",
                                        "2026-11-28T05:23:06+01:000",
                                        "2026-11-28T05:23:06Zx",
                                        "2026-11-28 05:23:06Z",
                                        "2026-1\xb2-28T05:23:06Z"};
    unsigned digits;
    int64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(rfc3339_read(texts[i], &us, &digits));
}

static void
takes_what_was_before_1970_for_then(void **state)
{
    unsigned digits;
    int64_t us;

    (void)state;
    assert_true(rfc3339_read("1969-12-31T23:59:59Z", &us, &digits));
    assert_int_equal(us, 0);
    assert_true(rfc3339_read("0000-00-00T00:00:00+00:00", &us, &digits));
    assert_int_equal(us, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_day_and_zone),
        cmocka_unit_test(reads_fractions),
        cmocka_unit_test(refuses_what_is_no_time),
        cmocka_unit_test(takes_what_was_before_1970_for_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
