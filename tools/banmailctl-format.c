/* format: see the header. Nothing here keeps state but the answer of isatty(3).
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libfastjson/json.h>

#include "ledger/event.h"
#include "table/table.h"

#define DISTANCE_MAX 32 /* letters */

const char *
format_clean(const char *text, char *clean, size_t size)
{
    size_t used = 0;

    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        bool printable = byte >= 0x20 && byte < 0x7f;
        size_t length = printable ? 1 : sizeof("\\xNN") - 1;

        if (used + length >= size)
            break;
        if (printable)
            clean[used] = *text;
        else
            snprintf(clean + used, size - used, "\\x%02x", byte);
        used += length;
    }
    clean[used] = '\0';
    return clean;
}

static const char *
two_units(char text[FORMAT_SPAN_SIZE], int64_t count, int64_t of_greater, const char *greater,
          const char *less)
{
    if (count % of_greater)
        snprintf(text, FORMAT_SPAN_SIZE, "%" PRId64 " %s %" PRId64 " %s", count / of_greater,
                 greater, count % of_greater, less);
    else
        snprintf(text, FORMAT_SPAN_SIZE, "%" PRId64 " %s", count / of_greater, greater);
    return text;
}

const char *
format_span(int64_t ms, char text[FORMAT_SPAN_SIZE])
{
    int64_t seconds = ms > 0 ? ms / 1000 + (ms % 1000 >= 500) : 0;
    int64_t minutes = seconds / 60 + (seconds % 60 >= 30);

    if (seconds < 60)
        snprintf(text, FORMAT_SPAN_SIZE, "%" PRId64 " s", seconds);
    else if (minutes < 60)
        snprintf(text, FORMAT_SPAN_SIZE, "%" PRId64 " min", minutes);
    else if (minutes < 24 * 60)
        two_units(text, minutes, 60, "h", "min");
    else
        two_units(text, minutes / 60 + (minutes % 60 >= 30), 24, "d", "h");
    return text;
}

const char *
format_setting(int64_t seconds, char text[FORMAT_SETTING_SIZE])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (seconds >= units[i].seconds)
            used += (size_t)snprintf(text + used, FORMAT_SETTING_SIZE - used, "%s%" PRId64 " %s",
                                     used ? " " : "", seconds / units[i].seconds, units[i].name);
        seconds %= units[i].seconds;
    }
    return text;
}

const char *
format_stamp(int64_t ms, char text[FORMAT_STAMP_SIZE])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm local;
    size_t length;

    if (!localtime_r(&seconds, &local) ||
        (length = strftime(text, FORMAT_STAMP_SIZE - 1, "%Y-%m-%dT%H:%M:%S%z", &local)) < 5) {
        snprintf(text, FORMAT_STAMP_SIZE, "?");
        return text;
    }
    /* strftime writes +0100, ISO 8601's extended form is +01:00. */
    memmove(text + length - 1, text + length - 2, 3);
    text[length - 2] = ':';
    return text;
}

int
format_parse_source(const char *text, struct source *source, char *reason, size_t reason_size)
{
    char clean[128];

    if (source_parse_prefix(text, strlen(text), source) == 0)
        return 0;
    format_clean(text, clean, sizeof(clean));
    if (!strpbrk(text, ":%[") && strpbrk(text, "ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ_-"))
        snprintf(reason, reason_size,
                 "'%s' is not an address; names are not looked up, give the address itself", clean);
    else
        snprintf(reason, reason_size,
                 "'%s' is not an address; allowed are addresses (203.0.113.9, 2001:db8::9) and "
                 "prefixes (203.0.113.0/24, 2001:db8::/64), without brackets, port or zone",
                 clean);
    return -EINVAL;
}

static unsigned
least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned
format_distance(const char *a, const char *b)
{
    unsigned cost[DISTANCE_MAX + 1][DISTANCE_MAX + 1];
    unsigned m = (unsigned)strnlen(a, DISTANCE_MAX), n = (unsigned)strnlen(b, DISTANCE_MAX);

    for (unsigned i = 0; i <= m; i++) {
        for (unsigned j = 0; j <= n; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            cost[i][j] = least(least(cost[i - 1][j], cost[i][j - 1]) + 1,
                               cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[m][n];
}

const char *
format_colour(enum format_colour colour)
{
    static const char *const sequences[] = {"\033[0m", "\033[1m", "\033[1;32m", "\033[1;31m"};
    static int wanted = -1;

    if (wanted < 0) {
        const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");

        wanted = isatty(STDOUT_FILENO) && (!no_color || !*no_color) && terminal &&
                 strcmp(terminal, "dumb") != 0;
    }
    return wanted ? sequences[colour] : "";
}

void
format_add_string(struct fjson_object *object, const char *key, const char *text)
{
    char clean[1024];

    fjson_object_object_add(object, key,
                            fjson_object_new_string(format_clean(text, clean, sizeof(clean))));
}

void
format_add_time(struct fjson_object *object, const char *key, int64_t ms)
{
    char stamp[EVENT_STAMP_SIZE];

    if (ms <= 0 || ms == TABLE_FOREVER_MS)
        fjson_object_object_add(object, key, NULL);
    else
        fjson_object_object_add(object, key, fjson_object_new_string(event_stamp(ms, stamp)));
}

void
format_add_number(struct fjson_object *object, const char *key, uint64_t number)
{
    fjson_object_object_add(object, key, fjson_object_new_int64((int64_t)number));
}

void
format_add_bool(struct fjson_object *object, const char *key, bool value)
{
    fjson_object_object_add(object, key, fjson_object_new_boolean(value));
}

void
format_print_json(struct fjson_object *object)
{
    puts(fjson_object_to_json_string_ext(object, FJSON_TO_STRING_PLAIN));
    fjson_object_put(object);
}
