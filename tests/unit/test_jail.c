/* test_jail: fail2ban's notation of time, the limits, and the decision against a slow oracle.
 *
 * Fails when a slip such as "10x" or an overflow passes for a time, when a limit is off by one,
 * when a further ban is as long as fail2ban's is not, or when jail_decide differs from looking at
 * every choice of maxretry failures.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rules/jail.h"
#include "line/offence.h"

static void
reads_times(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {
        {"90", 90},
        {"90s", 90},
        {"10m", 600},
        {"24h", 86400},
        {"7d", 604800},
        {"1w", 604800},
        {"1d 12h", 129600},
        {"1d12h", 129600},
        {"1h  30", 3630},
        {"1", 1},
        {"001", 1},
        {"0h 1", 1},
        {"36500d", 3153600000},
        {"3153600000", 3153600000},
    };
    static const char *const bad[] = {
        "",
        " ",
        "x",
        "10x",
        "10 m",
        "m10",
        "1.5h",
        "1h-1",
        "0",
        "0s",
        "--1",
        "-",
        "- 1",
        " 1",
        "1,5",
        "1h 30m x",
        "-0",
        "+1",
        "1mm",
        "36501d",
        "99999999999999999999",
        "9223372036854775807w",
        "1 30m",
    };
    int64_t seconds;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (jail_parse_time(good[i].text, false, &seconds))
            fail_msg("\"%s\" is refused", good[i].text);
        assert_int_equal(seconds, good[i].seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (jail_parse_time(bad[i], true, &seconds) != -EINVAL)
            fail_msg("\"%s\" is accepted", bad[i]);
    }
}

static void
negative_is_for_ever_where_that_is_allowed(void **state)
{
    int64_t seconds = 0;

    (void)state;
    assert_int_equal(jail_parse_time("-1", true, &seconds), 0);
    assert_true(seconds == JAIL_FOREVER);
    assert_int_equal(jail_parse_time("-7d", true, &seconds), 0);
    assert_true(seconds == JAIL_FOREVER);
    assert_int_equal(jail_parse_time("-1", false, &seconds), -EINVAL);
}

static void
the_defaults_are_within_the_limits(void **state)
{
    struct jail jail;
    char text[256];

    (void)state;
    jail_defaults(&jail);
    assert_null(jail_check(&jail, text));
    assert_string_equal(jail.name, "mail");
    assert_int_equal(jail.maxretry, 5);
    jail.bantime_s = JAIL_FOREVER;
    assert_null(jail_check(&jail, text));
}

/* One field is wrong; the sentence must name what has to be named. */
static void
assert_refused(const struct jail *jail, const char *parameter, const char *value,
               const char *allowed)
{
    char text[256];
    const char *wrong = jail_check(jail, text);

    assert_non_null(wrong);
    if (!strstr(wrong, parameter) || !strstr(wrong, value) || !strstr(wrong, allowed))
        fail_msg("%s", wrong);
}

static void
names_parameter_value_and_limits(void **state)
{
    struct jail good, jail;

    (void)state;
    jail_defaults(&good);
    jail = good, jail.maxretry = 0;
    assert_refused(&jail, "maxretry", "0", "1 to 64");
    jail.maxretry = 65;
    assert_refused(&jail, "maxretry", "65", "1 to 64");
    jail.maxretry = 17;
    jail.repeats = 10;
    assert_refused(&jail, "maxretry", "17", "1 to 16");
    jail.repeats = 1;
    assert_null(jail_check(&jail, (char[256]){""}));
    jail = good, jail.growth.factor = 0;
    assert_refused(&jail, "bantime.factor", "0", "more than 0");
    jail = good, jail.growth.max_s = -1;
    assert_refused(&jail, "bantime.maxtime", "-1", "0 to");
    jail = good, jail.growth.random_s = JAIL_FOREVER;
    assert_refused(&jail, "bantime.rndtime", "9223372036854775807", "0 to");
    jail = good, jail.growth.multiplier_count = 17;
    assert_refused(&jail, "bantime.multipliers", "17", "0 to 16");
    jail.growth.multiplier_count = 1;
    assert_refused(&jail, "bantime.multipliers", "0", "1 to");
    jail = good, jail.findtime_s = 0;
    assert_refused(&jail, "findtime", "0", "1 to");
    jail.findtime_s = JAIL_FOREVER;
    assert_refused(&jail, "findtime", "9223372036854775807", "1 to");
    jail = good, jail.bantime_s = 0;
    assert_refused(&jail, "bantime", "0", "1 to");
    jail = good, jail.v4_bits = 33;
    assert_refused(&jail, "v4", "33", "8 to 32");
    jail = good, jail.v6_bits = 15;
    assert_refused(&jail, "v6", "15", "16 to 128");
    jail = good, jail.classes = 0;
    assert_refused(&jail, "classes", "0", "count");
    jail.classes = OFFENCE_BIT(OFFENCE_TEMPFAIL);
    assert_refused(&jail, "classes", "0x", "count");
    jail = good, strcpy(jail.name, "a b");
    assert_refused(&jail, "jail", "a b", "letters");
    jail.name[0] = '\0';
    assert_refused(&jail, "jail", "\"\"", "letters");
    memset(jail.name, 'a', sizeof jail.name); /* no NUL */
    assert_refused(&jail, "jail", "aaaa", "letters");
    strcpy(jail.name, JAIL_MANUAL);
    assert_refused(&jail, "jail", JAIL_MANUAL, "by hand");
}

/* As fail2ban's bantime.increment has it. */
static void
bans_grow(void **state)
{
    struct jail jail;

    (void)state;
    jail_defaults(&jail);
    jail.bantime_s = 600;
    assert_int_equal(jail_bantime(&jail, 7, 5), 600);
    jail.growth.is_on = true;
    for (unsigned before = 0; before < 10; before++)
        assert_int_equal(jail_bantime(&jail, before, 5), 600 << before);
    assert_int_equal(jail_bantime(&jail, 1000, 5), INT64_C(600) << 20);
    jail.growth.factor = 1.5;
    assert_int_equal(jail_bantime(&jail, 0, 5), 600);
    assert_int_equal(jail_bantime(&jail, 2, 5), 3600);
    jail.growth.factor = 0.01; /* never shorter */
    assert_int_equal(jail_bantime(&jail, 1, 5), 600);
    jail.growth = (struct jail_growth){.is_on = true, .factor = 1, .max_s = 5000};
    assert_int_equal(jail_bantime(&jail, 3, 5), 4800);
    assert_int_equal(jail_bantime(&jail, 4, 5), 5000);
    jail.growth.multiplier_count = 3;
    memcpy(jail.growth.multipliers, ((uint16_t[]){1, 5, 8}), 3 * sizeof(uint16_t));
    assert_int_equal(jail_bantime(&jail, 1, 5), 3000);
    assert_int_equal(jail_bantime(&jail, 2, 5), 4800);
    assert_int_equal(jail_bantime(&jail, 9, 5), 4800);
    jail.growth.random_s = 99;
    assert_int_equal(jail_bantime(&jail, 0, 250), 600);
    assert_int_equal(jail_bantime(&jail, 1, 250), 3050);
    jail.growth.max_s = 100;
    assert_int_equal(jail_bantime(&jail, 9, 5), 600);
    jail.bantime_s = JAIL_FOREVER;
    jail.growth.max_s = 0;
    assert_true(jail_bantime(&jail, 9, 5) == JAIL_FOREVER);
}

static bool
slow_decide(const struct jail *jail, const uint32_t *stamps, unsigned count)
{
    for (unsigned first = 0; first < count; first++) {
        unsigned inside = 0;

        for (unsigned i = 0; i < count; i++)
            inside += stamps[i] >= stamps[first] &&
                      stamps[i] - (int64_t)stamps[first] <= jail->findtime_s;
        if (inside >= jail->maxretry)
            return true;
    }
    return false;
}

static int
ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void
decides_like_the_oracle(void **state)
{
    uint32_t stamps[JAIL_STAMPS_MAX];
    unsigned reached = 0, within;
    struct jail jail;

    (void)state;
    jail_defaults(&jail);
    srandom(3);
    for (unsigned round = 0; round < 100000; round++) {
        unsigned count = (unsigned)(random() % (JAIL_STAMPS_MAX + 1));
        bool decided;

        jail.maxretry = (unsigned)(1 + random() % JAIL_STAMPS_MAX);
        jail.findtime_s = 1 + random() % 50;
        for (unsigned i = 0; i < count; i++)
            stamps[i] = UINT32_MAX - (uint32_t)(random() % 100);
        qsort(stamps, count, sizeof *stamps, ascending);
        decided = jail_decide(&jail, stamps, count, &within);
        if (decided != slow_decide(&jail, stamps, count))
            fail_msg("round %u", round);
        reached += decided;
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(i >= count - within,
                             stamps[count - 1] - (int64_t)stamps[i] <= jail.findtime_s);
    }
    assert_in_range(reached, 1000, 99000);
}

static void
the_edge_of_the_window_belongs_to_it(void **state)
{
    uint32_t stamps[5] = {1000, 1100, 1200, 1300, 1600};
    struct jail jail;
    unsigned within;

    (void)state;
    jail_defaults(&jail);
    assert_true(jail_decide(&jail, stamps, 5, &within));
    stamps[4]++;
    assert_false(jail_decide(&jail, stamps, 5, &within));
    assert_int_equal(within, 4);
    assert_false(jail_decide(&jail, stamps, 0, &within));
    assert_int_equal(within, 0);
}

static void
a_kind_jail_still_bans(void **state)
{
    struct jail jail;
    char text[256];

    (void)state;
    jail_defaults(&jail);
    jail_be_kind(&jail);
    assert_null(jail_check(&jail, text));
    assert_int_equal(jail.repeats, 10);
    assert_true(jail.kindness.skips_bounces);
    jail_defaults(&jail);
    jail.maxretry = JAIL_STAMPS_MAX + 1; /* which repeats="10" would not allow */
    jail.repeats = JAIL_REPEATS_NONE;
    jail_be_kind(&jail);
    assert_int_equal(jail.repeats, JAIL_REPEATS_NONE);
}

static void
scopes_have_their_words(void **state)
{
    struct jail jail;

    (void)state;
    jail_defaults(&jail);
    assert_int_equal(jail_parse_scope("host", &jail.is_per_host), 0);
    assert_string_equal(jail_scope(&jail), "host");
    assert_int_equal(jail_parse_scope("fleet", &jail.is_per_host), 0);
    assert_string_equal(jail_scope(&jail), "fleet");
    assert_int_equal(jail_parse_scope("hosts", &jail.is_per_host), -EINVAL);
}

/* A jail's own verdict comes before the module's; one that says the same lies in the same set. */
static void
a_verdict_of_its_own_comes_first(void **state)
{
    static const struct {
        enum verdict own, of_module, both, beside;
    } cases[] = {
        {VERDICT_OF_MODULE, VERDICT_DROP, VERDICT_DROP, VERDICT_OF_MODULE},
        {VERDICT_OF_MODULE, VERDICT_REJECT, VERDICT_REJECT, VERDICT_OF_MODULE},
        {VERDICT_OF_MODULE, VERDICT_OF_MODULE, VERDICT_DROP, VERDICT_OF_MODULE},
        {VERDICT_DROP, VERDICT_REJECT, VERDICT_DROP, VERDICT_DROP},
        {VERDICT_REJECT, VERDICT_DROP, VERDICT_REJECT, VERDICT_REJECT},
        {VERDICT_REJECT, VERDICT_REJECT, VERDICT_REJECT, VERDICT_OF_MODULE},
    };
    struct jail jail;

    (void)state;
    jail_defaults(&jail);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        jail.verdict = cases[i].own;
        assert_int_equal(jail_verdict(&jail, cases[i].of_module), cases[i].both);
        assert_int_equal(jail_beside(&jail, cases[i].of_module).verdict, cases[i].beside);
    }
}

static void
ports_that_are_none_are_refused(void **state)
{
    struct jail jail;
    char text[256];

    (void)state;
    jail_defaults(&jail);
    jail.ports = (struct ports){0};
    assert_non_null(strstr(jail_check(&jail, text), "ports must be"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_times),
        cmocka_unit_test(negative_is_for_ever_where_that_is_allowed),
        cmocka_unit_test(the_defaults_are_within_the_limits),
        cmocka_unit_test(names_parameter_value_and_limits),
        cmocka_unit_test(bans_grow),
        cmocka_unit_test(decides_like_the_oracle),
        cmocka_unit_test(the_edge_of_the_window_belongs_to_it),
        cmocka_unit_test(a_kind_jail_still_bans),
        cmocka_unit_test(scopes_have_their_words),
        cmocka_unit_test(a_verdict_of_its_own_comes_first),
        cmocka_unit_test(ports_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
