/* fuzz_source: addresses, prefixes, spans of time and stamps, as configurations, log lines and
 * banmailctl's arguments have them.
 *
 * Fails when something is read that prints as something else, or that is out of its bounds.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "ledger/event.h"
#include "fuzz.h"
#include "rules/jail.h"
#include "base/source.h"

const unsigned fuzz_rounds = 300000;
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("203.0.113.9"),
    FUZZ_SEED("203.0.113.0/24"),
    FUZZ_SEED("2001:db8::1"),
    FUZZ_SEED("2001:db8:a:b::/64"),
    FUZZ_SEED("::ffff:203.0.113.9"),
    FUZZ_SEED("IPv6:2001:db8::1"),
    FUZZ_SEED("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128"),
    FUZZ_SEED("90"),
    FUZZ_SEED("1d 12h"),
    FUZZ_SEED("3153600000"),
    FUZZ_SEED("-1"),
    FUZZ_SEED("2026-11-21T08:09:05.000Z"),
    {NULL, 0},
};

static void
print_and_read(const struct source *source)
{
    char text[SOURCE_TEXT_SIZE];
    struct source again, masked;

    source_print(source, text);
    FUZZ_WANT(strlen(text) < sizeof text);
    FUZZ_WANT(source_parse_prefix(text, strlen(text), &again) == 0);
    FUZZ_WANT(source_compare(source, &again) == 0);
    masked = source_mask(source, 24, 64);
    FUZZ_WANT(source_contains(&masked, source));
    FUZZ_WANT(masked.prefix <= source->prefix && source_contains(source, source));
}

static void
read_times(const char *text)
{
    char printed[EVENT_STAMP_SIZE];
    int64_t seconds, ms, again;

    if (jail_parse_time(text, false, &seconds) == 0)
        FUZZ_WANT(seconds >= 1 && seconds <= JAIL_TIME_MAX_S);
    if (jail_parse_time(text, true, &seconds) == 0)
        FUZZ_WANT(seconds >= 1 && (seconds <= JAIL_TIME_MAX_S || seconds == JAIL_FOREVER));
    if (event_parse_stamp(text, &ms) == 0) {
        FUZZ_WANT(event_parse_stamp(event_stamp(ms, printed), &again) == 0 && again == ms);
        FUZZ_WANT(strcmp(printed, text) == 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *const text = malloc(size + 1); /* of just this size, so that one more byte is seen */
    struct source source;

    FUZZ_WANT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    if (source_parse(text, size, &source) == 0) {
        FUZZ_WANT(source.prefix == SOURCE_HOST_PREFIX);
        print_and_read(&source);
    }
    if (source_parse_prefix(text, size, &source) == 0)
        print_and_read(&source);
    read_times(text);
    free(text);
    return 0;
}
