/* roster: see roster.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "control/roster.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/replace.h"
#include "base/text.h"

/* ---- writing ---- */

static void
print_addresses(FILE *file, const struct telegram_report *report)
{
    char text[SOURCE_TEXT_SIZE];

    for (unsigned i = 0; i < report->address_count; i++)
        fprintf(file, "%s\"%s\"", i == 0 ? "" : ",", source_print(&report->addresses[i], text));
}

/* Every word of it is of the closed alphabet of telegrams: nothing has to be escaped. */
static void
print_member(FILE *file, const struct member *member, const char *own)
{
    const struct telegram_holding *const hold = member_holding(member, own);
    char text[SOURCE_TEXT_SIZE];

    fprintf(file, "{\"name\":\"%s\",\"peer\":\"%s\",\"version\":\"%s\",\"heard\":%" PRId64,
            member->name, source_print(&member->peer, text), member->report.version,
            member->heard_ms);
    fprintf(file, ",\"behind\":%" PRId64 ",\"refused\":%" PRIu64 ",\"differs\":%u",
            member->behind_ms, member->report.refused, member->differs);
    if (hold != NULL)
        fprintf(file, ",\"bans\":%" PRIu32 ",\"change\":%" PRIu64, hold->count, hold->change);
    if (member->lag_ms >= 0)
        fprintf(file, ",\"lag\":%" PRId64, member->lag_ms);
    fputs(",\"addresses\":[", file);
    print_addresses(file, &member->report);
    fputs("]}\n", file);
}

char *
roster_print(const struct members *members, const char *own, uint32_t bans, int64_t now_ms)
{
    char *text = NULL;
    size_t length;
    FILE *const file = open_memstream(&text, &length);

    if (file == NULL)
        return NULL;
    fprintf(file, "{\"origin\":\"%s\",\"written\":%" PRId64 ",\"bans\":%" PRIu32 "}\n", own, now_ms,
            bans);
    for (uint32_t i = 0; i < members_capacity(members); i++) {
        const struct member *const member = members_at(members, i);

        if (member != NULL && now_ms - member->heard_ms < MEMBERS_GONE_MS)
            print_member(file, member, own);
    }
    text_close(file, &text);
    return text;
}

/* ---- the file ---- */

static void
path_of(const char *table_path, const char *suffix, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s%s", table_path, suffix);
}

int
roster_write(const char *table_path, const char *suffix, const char *text, uid_t owner, gid_t group)
{
    char path[PATH_MAX];

    path_of(table_path, suffix, path);
    return replace_file(path, text, strlen(text), 0640, owner, group);
}

char *
roster_read(const char *table_path, const char *suffix)
{
    char path[PATH_MAX], *text = NULL;
    size_t length = 0;
    FILE *file, *into;
    int byte, error;

    path_of(table_path, suffix, path);
    file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    into = open_memstream(&text, &length);
    for (size_t i = 0; into != NULL && i < ROSTER_SIZE_MAX && (byte = getc(file)) != EOF; i++)
        putc(byte, into);
    error = ferror(file) ? errno : 0;
    fclose(file);
    if (!text_close(into, &text))
        error = ENOMEM;
    if (error == 0)
        return text;
    free(text);
    errno = error;
    return NULL;
}
