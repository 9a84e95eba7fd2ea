/* test_object: JSON from outside is held to one object of bounded depth, and members to their
 * types and bounds.
 *
 * Fails when something behind the object, a NUL byte, too deep a nesting, a clamped number or a
 * string with bytes that do not print gets through.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <json.h>

#include "base/object.h"

static struct fjson_object *
parse(const char *text)
{
    return object_parse(text, strlen(text));
}

static void
one_object_and_nothing_else(void **state)
{
    static const char *const good[] = {"{}", " {\"a\":1}\n", "{\"a\":{\"b\":{}}}"};
    static const char *const bad[] = {
        "",           "{",           "[1]",
        "1",          "\"a\"",       "null",
        "{\"a\":1}x", "{\"a\":1}{}", "{\"a\":[[[[1]]]]}",
        "{\"a\":1,}", "{\"a\":01}",  "{a:1}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct fjson_object *object = parse(good[i]);
        assert_non_null(object);
        fjson_object_put(object);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (parse(bad[i]) != NULL)
            fail_msg("accepted: %s", bad[i]);
    assert_null(object_parse("{}\0", 3));
    assert_null(object_parse("{\"a\":\"b\0c\"}", 11));
}

static void
a_key_stands_once_where_that_matters(void **state)
{
    static const char *const good[] = {
        "{}",
        "{\"a\":1,\"b\":\"a\"}",
        "{\"a\":{\"a\":1},\"b\":[1,{\"a\":2}]}",
        "{ \"a\" : \":\" , \"b\\\":\" : \"\\\\\" }",
    };
    static const char *const bad[] = {
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"a\":{},\"b\":1,\"a\":[]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct fjson_object *object = object_parse_strict(good[i], strlen(good[i]));
        assert_non_null(object);
        fjson_object_put(object);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(object_parse_strict(bad[i], strlen(bad[i])));
        fjson_object_put(parse(bad[i]));
    }
    assert_null(object_parse_strict("", 0));
}

static void
texts_are_printable_and_fit(void **state)
{
    struct fjson_object *object =
        parse("{\"good\":\"a b\",\"empty\":\"\",\"number\":1,\"null\":null,\"nul\":\"a\\u0000b\","
              "\"utf8\":\"\xc3\xa9\",\"tab\":\"a\\tb\",\"long\":\"12345678\"}");
    static const char *const bad[] = {"empty", "number", "null", "nul", "utf8", "tab", "long"};
    char text[8];
    (void)state;
    assert_non_null(object);
    assert_int_equal(object_text(object, "good", text, sizeof(text)), 0);
    assert_string_equal(text, "a b");
    assert_int_equal(object_text(object, "none", text, sizeof(text)), -ENOENT);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(object_text(object, bad[i], text, sizeof(text)), -EINVAL);
    assert_true(object_is_null(object, "null"));
    assert_false(object_is_null(object, "none"));
    assert_false(object_is_null(object, "number"));
    fjson_object_put(object);
}

static void
numbers_are_whole_and_bounded(void **state)
{
    struct fjson_object *object = parse("{\"good\":7,\"low\":0,\"high\":11,\"real\":7.0,\"e\":1e1,"
                                        "\"text\":\"7\",\"huge\":99999999999999999999}");
    static const char *const bad[] = {"low", "high", "real", "e", "text", "huge"};
    int64_t number = 0;
    (void)state;
    assert_non_null(object);
    assert_int_equal(object_integer(object, "good", 1, 10, &number), 0);
    assert_int_equal(number, 7);
    assert_int_equal(object_integer(object, "none", 1, 10, &number), -ENOENT);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(object_integer(object, bad[i], 1, 10, &number), -EINVAL);
    assert_int_equal(number, 7);
    fjson_object_put(object);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_object_and_nothing_else),
        cmocka_unit_test(a_key_stands_once_where_that_matters),
        cmocka_unit_test(texts_are_printable_and_fit),
        cmocka_unit_test(numbers_are_whole_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
