/* tally: see banmailctl-tally.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-tally.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfastjson/json.h>

#include "banmailctl-format.h"

#define SHOWN_BANS  20  /* as text; JSON has all */
#define SAMPLE_SIZE 400 /* bytes of a line, each of which may become four */

void
tally_class(struct tally *tally, enum offence_class class, bool counts)
{
    tally->classes[class]++;
    tally->counting_of[class] += counts;
    tally->counting += counts;
}

void
tally_unknown_login(struct tally *tally, const char *line, size_t length)
{
    if (tally->unknown_logins++ < TALLY_SAMPLES)
        tally->samples[tally->unknown_logins - 1] = strndup(line, length);
}

int
tally_add_ban(struct tally *tally, const struct tally_ban *ban)
{
    if (tally->ban_count == tally->ban_room) {
        const size_t room = tally->ban_room == 0 ? 64 : tally->ban_room * 2;
        struct tally_ban *const grown = reallocarray(tally->bans, room, sizeof *grown);

        if (grown == NULL)
            return -ENOMEM;
        tally->bans = grown;
        tally->ban_room = room;
    }
    tally->bans[tally->ban_count++] = *ban;
    return 0;
}

void
tally_free(struct tally *tally)
{
    for (size_t i = 0; i < TALLY_SAMPLES; i++)
        free(tally->samples[i]);
    free(tally->bans);
}

/* ---- text ---- */

static void
print_samples(const struct tally *tally)
{
    char clean[SAMPLE_SIZE];

    if (tally->unknown_logins == 0)
        return;
    printf("\n%" PRIu64
           " line%s like a failed login, and no rule knows %s; --missed prints what no "
           "rule knows:\n",
           tally->unknown_logins, tally->unknown_logins == 1 ? " looks" : "s look",
           tally->unknown_logins == 1 ? "it" : "them");
    for (size_t i = 0; i < TALLY_SAMPLES && tally->samples[i] != NULL; i++)
        printf("  %s\n", format_clean(tally->samples[i], clean, sizeof clean));
}

static void
print_ban(const struct tally_ban *ban)
{
    char stamp[FORMAT_STAMP_SIZE], source[SOURCE_TEXT_SIZE];

    printf("  %s  %-22s  %-16s  %-18s  line %" PRIu64 "\n", format_stamp(ban->stamp_ms, stamp),
           source_print(&ban->source, source), ban->jail, offence_class_name(ban->class),
           ban->line);
}

static void
print_bans(const struct tally *tally)
{
    if (tally->ban_count == 0) {
        puts("\nnobody would have been banned");
        return;
    }
    printf("\n%zu ban%s would have come of them%s\n", tally->ban_count,
           tally->ban_count == 1 ? "" : "s",
           tally->ban_count > SHOWN_BANS ? "; the first of them (--json has all):" : ":");
    for (size_t i = 0; i < tally->ban_count && i < SHOWN_BANS; i++)
        print_ban(&tally->bans[i]);
}

void
tally_print(const struct tally *tally)
{
    printf("%10s %10s  %s\n", "lines", "counting", "class");
    for (int i = 0; i < OFFENCE_CLASSES; i++)
        if (tally->classes[i] > 0)
            printf("%10" PRIu64 " %10" PRIu64 "  %s\n", tally->classes[i], tally->counting_of[i],
                   offence_class_name((enum offence_class)i));
    printf("%10" PRIu64 " %10s  no class\n", tally->unmatched, "-");
    printf("%10" PRIu64 " %10" PRIu64 "  in all, %" PRIu64 " of them Postfix's or Dovecot's\n",
           tally->lines, tally->counting, tally->mail_lines);
    print_samples(tally);
    print_bans(tally);
    lacks_print(&tally->lacks);
}

/* ---- JSON ---- */

static struct fjson_object *
ban_json(const struct tally_ban *ban)
{
    struct fjson_object *const object = fjson_object_new_object();
    char source[SOURCE_TEXT_SIZE];

    format_add_string(object, "source", source_print(&ban->source, source));
    format_add_string(object, "jail", ban->jail);
    format_add_string(object, "class", offence_class_name(ban->class));
    format_add_time(object, "since", ban->stamp_ms);
    format_add_time(object, "until", ban->until_ms);
    format_add_number(object, "line", ban->line);
    return object;
}

static struct fjson_object *
classes_json(const struct tally *tally)
{
    struct fjson_object *const classes = fjson_object_new_object();

    for (int i = 0; i < OFFENCE_CLASSES; i++)
        if (tally->classes[i] > 0)
            format_add_number(classes, offence_class_name((enum offence_class)i),
                              tally->classes[i]);
    return classes;
}

void
tally_print_json(const struct tally *tally)
{
    struct fjson_object *const object = fjson_object_new_object();
    struct fjson_object *const bans = fjson_object_new_array();

    for (size_t i = 0; i < tally->ban_count; i++)
        fjson_object_array_add(bans, ban_json(&tally->bans[i]));
    format_add_number(object, "lines", tally->lines);
    format_add_number(object, "mail", tally->mail_lines);
    format_add_number(object, "unmatched", tally->unmatched);
    format_add_number(object, "unknownLogins", tally->unknown_logins);
    format_add_number(object, "counting", tally->counting);
    fjson_object_object_add(object, "classes", classes_json(tally));
    fjson_object_object_add(object, "bans", bans);
    fjson_object_object_add(object, "lacks", lacks_json(&tally->lacks));
    format_print_json(object);
}
