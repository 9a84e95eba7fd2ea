/* test_allow: who is on the list is found, nobody else is, however many entries there are.
 *
 * Fails when a search through the sealed list differs from asking each entry in turn, or when the
 * machine's own addresses or loopback are missing.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rules/allow.h"

static bool
holds(const struct allow *allow, const char *text)
{
    struct source source;

    assert_int_equal(source_parse_prefix(text, strlen(text), &source), 0);
    return allow_match(allow, &source, NULL);
}

static struct allow *
list_of(const char *const *entries)
{
    struct allow *allow = allow_new();

    assert_non_null(allow);
    for (; *entries; entries++)
        assert_int_equal(allow_add(allow, *entries, strlen(*entries)), 0);
    allow_seal(allow);
    return allow;
}

static void
a_new_list_holds_loopback_only(void **state)
{
    struct allow *allow = list_of((const char *const[]){NULL});

    (void)state;
    assert_true(holds(allow, "127.0.0.1"));
    assert_true(holds(allow, "127.200.0.1"));
    assert_true(holds(allow, "::1"));
    assert_true(holds(allow, "::ffff:127.0.0.1"));
    assert_false(holds(allow, "128.0.0.1"));
    assert_false(holds(allow, "126.255.255.255"));
    assert_false(holds(allow, "::2"));
    assert_false(holds(allow, "2001:db8::1"));
    allow_free(allow);
}

static void
the_widest_entry_is_named(void **state)
{
    struct allow *allow =
        list_of((const char *const[]){"10.1.2.3", "10.1.0.0/16", "10.1.2.0/24", "10.0.0.0/8",
                                      "2001:db8::/32", "2001:db8::1", "10.0.0.0", NULL});
    struct source client, entry;
    char text[SOURCE_TEXT_SIZE];

    (void)state;
    assert_int_equal(source_parse("10.1.2.3", 8, &client), 0);
    assert_true(allow_match(allow, &client, &entry));
    assert_string_equal(source_print(&entry, text), "10.0.0.0/8");
    assert_int_equal(source_parse("2001:db8::1", 11, &client), 0);
    assert_true(allow_match(allow, &client, &entry));
    assert_string_equal(source_print(&entry, text), "2001:db8::/32");
    assert_false(holds(allow, "11.0.0.0"));
    assert_true(holds(allow, "10.0.0.0/8"));
    assert_false(holds(allow, "10.0.0.0/7"));
    allow_free(allow);
}

static void
refuses_what_is_no_address(void **state)
{
    struct allow *allow = allow_new();

    (void)state;
    assert_int_equal(allow_add(allow, "mail.example.com", 16), -EINVAL);
    assert_int_equal(allow_add(allow, "10.0.0.0/33", 11), -EINVAL);
    assert_int_equal(allow_add(allow, "", 0), -EINVAL);
    assert_int_equal(allow_add(allow, "10.0.0.1junk", 8), 0);
    allow_seal(allow);
    assert_true(holds(allow, "10.0.0.1"));
    allow_free(allow);
    allow_free(NULL);
}

static void
own_addresses_are_there(void **state)
{
    struct allow *allow = allow_new();

    (void)state;
    assert_int_equal(allow_add_own(allow), 0);
    allow_seal(allow);
    assert_true(holds(allow, "127.0.0.1"));
    allow_free(allow);
}

static void
overlaps_both_ways(void **state)
{
    struct allow *allow = list_of((const char *const[]){"2001:db8::5", "192.0.2.0/24", NULL});
    struct source source;

    (void)state;
    assert_int_equal(source_parse_prefix("2001:db8::/64", 13, &source), 0);
    assert_true(allow_overlaps(allow, &source)); /* holds the entry */
    assert_int_equal(source_parse_prefix("192.0.2.7", 9, &source), 0);
    assert_true(allow_overlaps(allow, &source)); /* lies within one */
    assert_int_equal(source_parse_prefix("2001:db8::/128", 14, &source), 0);
    assert_false(allow_overlaps(allow, &source));
    assert_int_equal(source_parse_prefix("192.0.3.0/24", 12, &source), 0);
    assert_false(allow_overlaps(allow, &source));
    assert_int_equal(source_parse_prefix("::/0", 4, &source), 0);
    assert_true(allow_overlaps(allow, &source));
    allow_free(allow);
}

/* Sources that crowd together, so that they nest. */
static struct source
crowded(void)
{
    struct source source = {.prefix = SOURCE_HOST_PREFIX};
    bool is_v4 = random() % 2;

    if (is_v4)
        memset(source.address + 10, 0xff, 2);
    for (unsigned i = is_v4 ? 12 : 0; i < 16; i++)
        source.address[i] = random() % 2 ? 0 : (uint8_t)(random() % 4 * 85);
    return source_mask(&source, (unsigned)(random() % 33), (unsigned)(8 + random() % 121));
}

static void
finds_like_asking_each_entry(void **state)
{
    static struct source entries[300];
    unsigned found = 0;

    (void)state;
    srandom(4);
    for (unsigned round = 0; round < 100; round++) {
        unsigned count = (unsigned)(random() % 300);
        struct allow *allow = allow_new();

        for (unsigned i = 0; i < count; i++) {
            char text[SOURCE_TEXT_SIZE];

            do
                entries[i] = crowded();
            while (source_bits(&entries[i]) < 12);
            source_print(&entries[i], text);
            assert_int_equal(allow_add(allow, text, strlen(text)), 0);
        }
        allow_seal(allow);
        for (unsigned i = 0; i < 300; i++) {
            struct source asked = crowded(), entry;
            bool is_in = false, overlaps = false;

            if (!source_is_client(&asked) || source_bits(&asked) < 12)
                continue; /* loopback is an entry of its own */
            for (unsigned k = 0; k < count; k++) {
                is_in |= source_contains(&entries[k], &asked);
                overlaps |=
                    source_contains(&entries[k], &asked) || source_contains(&asked, &entries[k]);
            }
            assert_int_equal(allow_match(allow, &asked, &entry), is_in);
            assert_int_equal(allow_overlaps(allow, &asked), overlaps);
            if (is_in)
                assert_true(source_contains(&entry, &asked));
            found += is_in;
        }
        allow_free(allow);
    }
    assert_in_range(found, 500, 30000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_list_holds_loopback_only),
        cmocka_unit_test(the_widest_entry_is_named),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(own_addresses_are_there),
        cmocka_unit_test(overlaps_both_ways),
        cmocka_unit_test(finds_like_asking_each_entry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
