/* lines: see lines.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "ledger/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FIELD_CLIENT = 2, FIELD_USER = 7 };

static char *
put_clean(char *to, const char *text, size_t size)
{
    for (size_t i = 0; i < size && text[i] != '\0'; i++)
        *to++ = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    return to;
}

char *
lines_print(char *to, const struct evidence *evidence)
{
    char client[SOURCE_TEXT_SIZE];
    to += sprintf(to, "%" PRId64 "\t%" PRId64 "\t%s\t%s\t%u\t", evidence->stamp_ms,
                  (int64_t)evidence->number, source_print(&evidence->client, client),
                  offence_class_name(evidence->class), evidence->attempts);
    to = put_clean(to, evidence->host, sizeof(evidence->host));
    *to++ = '\t';
    to = put_clean(to, evidence->service, sizeof(evidence->service));
    *to++ = '\t';
    to = put_clean(to, evidence->user, sizeof(evidence->user));
    *to++ = '\t';
    return put_clean(to, evidence->line, sizeof(evidence->line));
}

const char *
lines_field(const char *line, int field, size_t *length)
{
    for (; field > 0; field--) {
        line += strcspn(line, "\t\n");
        if (*line == '\t')
            line++;
    }
    *length = strcspn(line, "\t\n");
    return line;
}

/* The line behind this one; NULL: there is none. */
static const char *
next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end != NULL ? end + 1 : NULL;
}

size_t
lines_count(const char *text)
{
    size_t count = 0;
    for (const char *line = text[0] != '\0' ? text : NULL; line != NULL; line = next_line(line))
        count++;
    return count;
}

/* Whether the text has a line of the same stamp and number. */
static bool
has_line(const char *text, const char *sought)
{
    size_t length;
    const char *client = lines_field(sought, FIELD_CLIENT, &length);
    for (const char *line = text; line != NULL; line = next_line(line))
        if (strncmp(line, sought, (size_t)(client - sought)) == 0)
            return true;
    return false;
}

size_t
lines_merge(const char *kept, const char *newer, char *merged)
{
    size_t count = lines_count(kept), added = 0;
    char *end = stpcpy(merged, kept);
    for (const char *line = newer; line != NULL && line[0] != '\0' && count + added < LINES_MOST;
         line = next_line(line)) {
        if (has_line(kept, line))
            continue;
        if (end > merged)
            *end++ = '\n';
        end = mempcpy(end, line, strcspn(line, "\n"));
        *end = '\0';
        added++;
    }
    return added;
}

static bool
is_meant(const char *line, const struct source *source, const char *user)
{
    struct source client;
    size_t length;
    const char *text = lines_field(line, FIELD_USER, &length);
    if (user != NULL && length == strlen(user) && memcmp(text, user, length) == 0)
        return true;
    text = lines_field(line, FIELD_CLIENT, &length);
    return source != NULL && source_parse_prefix(text, length, &client) == 0 &&
           source_contains(source, &client);
}

size_t
lines_remove(char *text, const struct source *source, const char *user)
{
    size_t removed = 0;
    char *end = text;
    const char *next;
    for (const char *line = text[0] != '\0' ? text : NULL; line != NULL; line = next) {
        const size_t length = strcspn(line, "\n");
        next = next_line(line);
        if (is_meant(line, source, user)) {
            removed++;
            continue;
        }
        if (end > text)
            *end++ = '\n';
        memmove(end, line, length);
        end += length;
    }
    *end = '\0';
    return removed;
}
