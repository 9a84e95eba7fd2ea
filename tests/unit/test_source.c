/* test_source: one form for both families, and nothing but addresses gets in.
 *
 * Fails when a text that inet_pton(3) refuses is accepted, a mask leaves or clears a bit too many,
 * or a v4-mapped client is taken for anything but IPv4.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/source.h"

static struct source
prefix(const char *text)
{
    struct source source;

    if (source_parse_prefix(text, strlen(text), &source))
        fail_msg("%s is refused", text);
    return source;
}

static void
assert_prints(const char *text, const char *expected)
{
    struct source source = prefix(text);
    char printed[SOURCE_TEXT_SIZE];

    assert_string_equal(source_print(&source, printed), expected);
}

static void
parses_what_postfix_and_dovecot_write(void **state)
{
    (void)state;
    assert_prints("203.0.113.9", "203.0.113.9");
    assert_prints("2001:DB8::1", "2001:db8::1");
    assert_prints("IPv6:2001:db8::1", "2001:db8::1");
    assert_prints("::ffff:203.0.113.9", "203.0.113.9");
    assert_prints("IPv6:::ffff:203.0.113.9", "203.0.113.9");
    assert_prints("::", "::");
    assert_prints("fe80::1", "fe80::1");
    assert_prints("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
                  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void
refuses_all_else_and_leaves_the_result_alone(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "1.2.3",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.256",
        "1.2.3.4.5",
        "300.1.1.1",
        "01.2.3.4",
        "0x1.2.3.4",
        "cafe",
        "fe80::1%lo",
        "[::1]",
        "1.2.3.4:25",
        "::1::",
        "IPv6:",
        "IPv6:1.2.3.4",
        "IPv6:IPv6:::1",
        "1.2.3.4/24",
        "12345::",
        "unknown",
        "-",
        "::ffff:1.2.3",
        "::ffff:1.2.3.4.5",
        "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555",
    };
    struct source before, source;

    (void)state;
    memset(&before, 0x5a, sizeof before);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        source = before;
        if (source_parse(bad[i], strlen(bad[i]), &source) != -EINVAL)
            fail_msg("\"%s\" is accepted", bad[i]);
        assert_memory_equal(&source, &before, sizeof source);
    }
    assert_int_equal(source_parse("1.2.3.4\0garbage", 15, &source), -EINVAL);
    assert_int_equal(source_parse("1.2.3.4garbage", 7, &source), 0); /* length, not NUL */
}

/* Made of what an IPv4 address is made of: every tenth or so is one. */
static void
make_dotted(uint64_t *seed, char text[24])
{
    static const char *const parts[] = {"0",   "00",  "01",  "1",   "9",   "10",  "99",   "127",
                                        "199", "249", "255", "256", "260", "300", "0255", ""};
    char *end = text;

    for (unsigned i = 0; i < 4; i++) {
        *seed = *seed * UINT64_C(6364136223846793005) + 1;
        end = stpcpy(end, parts[*seed >> 60]);
        if (i < 3 || (*seed >> 40) % 16 == 0)
            *end++ = (*seed >> 48) % 64 == 0 ? 'x' : '.';
    }
    *end = '\0';
}

static void
takes_for_ipv4_what_inet_pton_does(void **state)
{
    uint64_t seed = 1;
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        struct source source;
        uint8_t octets[4];
        char text[24];

        make_dotted(&seed, text);
        if (inet_pton(AF_INET, text, octets) != 1) {
            if (source_parse(text, strlen(text), &source) == 0)
                fail_msg("\"%s\" is accepted", text);
            continue;
        }
        taken++;
        if (source_parse(text, strlen(text), &source) != 0)
            fail_msg("\"%s\" is refused", text);
        assert_memory_equal(source.address + 12, octets, 4);
    }
    assert_in_range(taken, 1000, 19000);
}

static void
parses_prefixes_in_the_terms_of_the_family(void **state)
{
    static const char *const bad[] = {
        "1.2.3.4/33", "1.2.3.4/",      "1.2.3.4/-1",  "1.2.3.4/ 1", "::/129",      "::/1000",
        "/24",        "1.2.3.4/24/24", "1.2.3.4/+24", "::1/0x10",   "1.2.3.4/24 ",
    };
    struct source source;

    (void)state;
    assert_prints("1.2.3.4/24", "1.2.3.0/24");
    assert_prints("1.2.3.4/32", "1.2.3.4");
    assert_prints("1.2.3.4/0", "0.0.0.0/0");
    assert_prints("2001:db8:1:2:3::/64", "2001:db8:1:2::/64");
    assert_prints("2001:db8::1/128", "2001:db8::1");
    assert_prints("2001:db8:ffff::/33", "2001:db8:8000::/33");
    assert_prints("::/0", "::/0");
    assert_prints("::ffff:1.2.3.4/120", "1.2.3.0/24");
    assert_int_equal(prefix("1.2.3.4/24").prefix, 120);
    assert_int_equal(prefix("2001:db8::/48").prefix, 48);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (source_parse_prefix(bad[i], strlen(bad[i]), &source) != -EINVAL)
            fail_msg("\"%s\" is accepted", bad[i]);
    }
}

static void
masks_by_family(void **state)
{
    struct source v4 = prefix("198.51.100.77"), v6 = prefix("2001:db8:a:b:c:d:e:f");
    struct source wide = prefix("2001:db8::/32"), masked;
    char text[SOURCE_TEXT_SIZE];

    (void)state;
    masked = source_mask(&v4, 24, 64);
    assert_string_equal(source_print(&masked, text), "198.51.100.0/24");
    assert_int_equal(source_bits(&masked), 24);
    masked = source_mask(&v4, 32, 64);
    assert_int_equal(source_compare(&masked, &v4), 0);
    masked = source_mask(&v6, 32, 64);
    assert_string_equal(source_print(&masked, text), "2001:db8:a:b::/64");
    assert_string_equal(source_print_address(&masked, text), "2001:db8:a:b::");
    masked = source_mask(&v6, 32, 0);
    assert_string_equal(source_print(&masked, text), "::/0");
    masked = source_mask(&wide, 32, 64); /* wider already */
    assert_int_equal(source_compare(&masked, &wide), 0);
}

static void
tells_families_apart(void **state)
{
    struct source v4 = prefix("0.0.0.0/0"), all = prefix("::/0"), mapped = prefix("::ffff:0:0/95");

    (void)state;
    assert_true(source_is_v4(&v4));
    assert_false(source_is_v4(&all));
    assert_false(source_is_v4(&mapped)); /* wider than IPv4 is not IPv4 */
    assert_true(source_contains(&all, &v4));
    assert_false(source_contains(&v4, &all));
}

/* Against a bit by bit comparison. */
static bool
slow_contains(const struct source *outer, const struct source *inner)
{
    for (unsigned bit = 0; bit < outer->prefix; bit++) {
        if ((outer->address[bit / 8] ^ inner->address[bit / 8]) & 0x80 >> bit % 8)
            return false;
    }
    return outer->prefix <= inner->prefix;
}

static void
contains_like_a_bit_by_bit_comparison(void **state)
{
    struct source a = {.prefix = 128}, b = {.prefix = 128}, outer, inner;
    unsigned held = 0;

    (void)state;
    srandom(1);
    for (unsigned i = 0; i < 100000; i++) {
        for (unsigned byte = 0; byte < 16; byte++)
            a.address[byte] = b.address[byte] = (uint8_t)random();
        b.address[random() % 16] ^= (uint8_t)(1U << random() % 8);
        outer = source_mask(&a, 32, (unsigned)(random() % 129));
        inner = source_mask(&b, 32, (unsigned)(random() % 129));
        if (source_contains(&outer, &inner) != slow_contains(&outer, &inner))
            fail_msg("round %u", i);
        held += source_contains(&outer, &inner);
    }
    assert_in_range(held, 1000, 99000); /* both answers were tried */
}

static void
printed_and_read_again_is_the_same(void **state)
{
    struct source a = {.prefix = 128}, masked, again;
    char text[SOURCE_TEXT_SIZE];

    (void)state;
    srandom(2);
    for (unsigned i = 0; i < 20000; i++) {
        for (unsigned byte = 0; byte < 16; byte++)
            a.address[byte] = random() % 3 ? (uint8_t)random() : 0;
        if (i % 2) {
            memset(a.address, 0, 10);
            memset(a.address + 10, 0xff, 2);
        }
        masked = source_mask(&a, (unsigned)(random() % 33), (unsigned)(random() % 129));
        again = prefix(source_print(&masked, text));
        if (source_compare(&masked, &again) != 0)
            fail_msg("%s", text);
    }
}

static void
only_others_are_clients(void **state)
{
    static const char *const none[] = {
        "0.0.0.0", "0.1.2.3", "127.0.0.1",       "127.255.0.3", "224.0.0.1", "239.1.1.1",
        "::",      "::1",     "255.255.255.255", "255.0.0.1",   "ff02::1",   "::ffff:127.0.0.1",
    };
    static const char *const some[] = {
        "1.2.3.4",         "10.0.0.1",    "169.254.1.1",     "fe80::1",
        "fd00::1",         "2001:db8::1", "126.255.255.1",   "128.0.0.1",
        "223.255.255.255", "::2",         "::ffff:10.0.0.1",
    };
    struct source source;

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        source = prefix(none[i]);
        if (source_is_client(&source))
            fail_msg("%s is a client", none[i]);
    }
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        source = prefix(some[i]);
        if (!source_is_client(&source))
            fail_msg("%s is no client", some[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_what_postfix_and_dovecot_write),
        cmocka_unit_test(refuses_all_else_and_leaves_the_result_alone),
        cmocka_unit_test(takes_for_ipv4_what_inet_pton_does),
        cmocka_unit_test(parses_prefixes_in_the_terms_of_the_family),
        cmocka_unit_test(masks_by_family),
        cmocka_unit_test(tells_families_apart),
        cmocka_unit_test(contains_like_a_bit_by_bit_comparison),
        cmocka_unit_test(printed_and_read_again_is_the_same),
        cmocka_unit_test(only_others_are_clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
