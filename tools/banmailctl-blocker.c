/* blocker: what the askers of nft, iptables and ipset have in common.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-blocker.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "banmailctl-format.h"

bool
blocker_text_holds(const char *text, const struct source *source)
{
    struct source prefix;

    return text && source_parse_prefix(text, strlen(text), &prefix) == 0 &&
           source_contains(&prefix, source);
}

bool
blocker_range_holds(const char *low, const char *high, const struct source *source)
{
    struct source first, last;

    return low && high && source_parse(low, strlen(low), &first) == 0 &&
           source_parse(high, strlen(high), &last) == 0 &&
           memcmp(first.address, source->address, sizeof(first.address)) <= 0 &&
           memcmp(source->address, last.address, sizeof(last.address)) <= 0;
}

struct blocker *
blocker_add(struct blockers *others)
{
    return others->count < BLOCKERS_MOST ? &others->list[others->count++] : NULL;
}

void
blocker_print(char text[BLOCKERS_TEXT_SIZE], const char *format, ...)
{
    char raw[BLOCKERS_TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(raw, sizeof(raw), format, arguments);
    va_end(arguments);
    format_clean(raw, text, BLOCKERS_TEXT_SIZE);
}
