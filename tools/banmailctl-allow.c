/* allow: who is never banned, put there and taken off while rsyslogd runs, and while it does not.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-allow.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-bans.h"
#include "banmailctl-channel.h"
#include "banmailctl-columns.h"
#include "banmailctl-format.h"
#include "base/object.h"

const char allow_help[] =
    "Usage: banmailctl allow add ADDRESS... [--json] [--table FILE]\n"
    "       banmailctl allow del ADDRESS...\n"
    "       banmailctl allow list\n"
    "\n"
    "add: puts addresses or prefixes on the list of those who are never banned, at once and for\n"
    "good, and lifts their bans. del: takes them off. list: those who were put there so; ignoreip\n"
    "of the configuration names others. The list is the file allowed in the state directory.\n"
    "\n"
    "Exit status: 0 done, 1 it was so already, or the list is empty.\n"
    "\n"
    "Examples:\n"
    "  banmailctl allow add 192.0.2.7 2001:db8:7::/48\n"
    "  banmailctl allow list\n"
    "  banmailctl allow del 192.0.2.7\n";

/* ---- the file ---- */

const char *
allow_path(const struct table *table, char path[ALLOW_PATH_SIZE])
{
    struct table_status status;

    table_read_status(table, &status);
    snprintf(path, ALLOW_PATH_SIZE, "%s/" ALLOW_ADDED_NAME, dirname(status.ledger_path));
    return path;
}

static bool
add_entry(void *context, const struct allow_added *entry)
{
    char text[SOURCE_TEXT_SIZE];

    source_print(&entry->source, text);
    allow_add(context, text, strlen(text));
    return true;
}

void
allow_add_added(const struct table *table, struct allow *allow)
{
    char path[ALLOW_PATH_SIZE];

    allow_added_each(allow_path(table, path), add_entry, allow);
}

const char *
allow_note(const char *note, char text[ALLOW_NOTE_SIZE])
{
    static const char mark[] = "by user id ";
    const char *const at = strstr(note, mark);
    char user[BANS_USER_SIZE];
    unsigned long id;
    char *end;

    snprintf(text, ALLOW_NOTE_SIZE, "%s", note);
    if (at == NULL)
        return text;
    id = strtoul(at + strlen(mark), &end, 10);
    if (end > at + strlen(mark) && *end == '\0' && id < UINT32_MAX)
        snprintf(text, ALLOW_NOTE_SIZE, "%.*sby %s", (int)(at - note), note,
                 bans_user((uint32_t)id, user));
    return text;
}

/* ---- list ---- */

struct listing {
    struct columns columns;
    struct fjson_object *array; /* NULL: text */
};

static bool
list_entry(void *context, const struct allow_added *entry)
{
    struct listing *const listing = context;
    struct fjson_object *object;
    char text[SOURCE_TEXT_SIZE], note[ALLOW_NOTE_SIZE];

    source_print(&entry->source, text);
    if (listing->array == NULL) {
        columns_add(&listing->columns, text);
        columns_add(&listing->columns,
                    entry->note[0] != '\0' ? allow_note(entry->note, note) : "-");
        return true;
    }
    object = fjson_object_new_object();
    format_add_string(object, "source", text);
    format_add_string(object, "note", entry->note);
    fjson_object_array_add(listing->array, object);
    return true;
}

static void
print_listing(const struct invocation *invocation, struct listing *listing, int count)
{
    struct fjson_object *object;

    if (invocation->json) {
        object = fjson_object_new_object();
        fjson_object_object_add(object, "allowed", listing->array);
        format_print_json(object);
    } else if (count == 0) {
        puts("nobody is allow-listed by command; the configuration's ignoreip is another list");
    } else {
        columns_print(&listing->columns);
    }
}

static int
list(const struct invocation *invocation, const struct table *table)
{
    static const char *const headings[] = {"ADDRESS", "SINCE"};
    struct listing listing = {.columns = {.headings = headings, .count = 2}};
    char path[ALLOW_PATH_SIZE];
    int count;

    if (invocation->json)
        listing.array = fjson_object_new_array();
    count = allow_added_each(allow_path(table, path), list_entry, &listing);
    if (count >= 0) {
        print_listing(invocation, &listing, count);
        return count > 0 ? EXIT_FINE : EXIT_NO;
    }
    fjson_object_put(listing.array);
    return banmailctl_fail(invocation, count == -EACCES ? EXIT_PERMISSION : EXIT_UNREACHABLE,
                           "%s cannot be read: %s", path, strerror(-count));
}

/* ---- add, del ---- */

struct changing {
    const struct invocation *invocation;
    const struct table *table;
    struct channel channel;
    bool add;
    struct fjson_object *array; /* of what came of each; NULL: text */
    int status;
};

static void
note_status(struct changing *changing, int status)
{
    if (status > changing->status)
        changing->status = status;
}

static void
tell_text(const struct changing *changing, const char *source, bool is_changed, int64_t lifted)
{
    if (changing->add)
        printf(is_changed ? "%s: is never banned from now on" : "%s: was on the list already",
               source);
    else
        printf(is_changed ? "%s: is taken off the list"
                          : "%s: is not on the list of banmailctl allow; see banmailctl why %s",
               source, source);
    if (lifted > 0)
        printf("; %" PRId64 " ban%s lifted", lifted, lifted == 1 ? " is" : "s are");
    putchar('\n');
}

static void
tell(struct changing *changing, const char *source, bool is_changed, int64_t lifted,
     const char *error)
{
    struct fjson_object *object;

    if (changing->array != NULL) {
        object = fjson_object_new_object();
        format_add_string(object, "source", source);
        format_add_bool(object, "changed", is_changed);
        format_add_number(object, "lifted", (uint64_t)lifted);
        if (error != NULL)
            format_add_string(object, "error", error);
        else
            fjson_object_object_add(object, "error", NULL);
        fjson_object_array_add(changing->array, object);
    } else if (error != NULL) {
        banmailctl_fail(changing->invocation, 0, "%s: %s", source, error);
    } else {
        tell_text(changing, source, is_changed, lifted);
    }
}

static void
take_answer(struct changing *changing, const char *source, const char *answer)
{
    struct fjson_object *const object = object_parse(answer, strlen(answer));
    struct fjson_object *changed = NULL;
    char text[COMMAND_SIZE];
    int64_t lifted = 0;
    int refusal = object != NULL ? channel_refusal(object, text) : EXIT_FINE;

    if (refusal == EXIT_FINE &&
        (object == NULL || !fjson_object_object_get_ex(object, "changed", &changed))) {
        refusal = EXIT_UNREACHABLE;
        snprintf(text, sizeof(text), "the answer makes no sense");
    }
    if (refusal != EXIT_FINE) {
        note_status(changing, refusal);
        tell(changing, source, false, 0, text);
    } else {
        object_integer(object, "bans", 0, UINT32_MAX, &lifted);
        note_status(changing, fjson_object_get_boolean(changed) ? EXIT_FINE : EXIT_NO);
        tell(changing, source, fjson_object_get_boolean(changed), lifted, NULL);
    }
    fjson_object_put(object);
}

static void
change_one(struct changing *changing, const struct source *source)
{
    char request[COMMAND_SIZE], answer[COMMAND_SIZE], text[SOURCE_TEXT_SIZE];
    char reason[LOCATION_REASON_SIZE], caller[CHANNEL_CALLER_SIZE];
    int error;

    snprintf(request, sizeof(request), "{\"command\":\"%s\",\"source\":\"%s\"%s}\n",
             changing->add ? "allow" : "disallow", source_print(source, text),
             channel_caller(caller));
    error = channel_send(&changing->channel, request, answer, reason);
    if (error == 0) {
        take_answer(changing, text, answer);
        return;
    }
    note_status(changing, error == -EACCES ? EXIT_PERMISSION : EXIT_UNREACHABLE);
    tell(changing, text, false, 0, reason);
}

static void
finish(struct changing *changing, const struct source *sources, int count)
{
    char reason[LOCATION_REASON_SIZE] = "";
    struct fjson_object *object;

    channel_close(&changing->channel, reason);
    if (changing->add && bans_settle(changing->table, sources, count) < 0 && reason[0] == '\0')
        snprintf(reason, sizeof(reason), "the kernel still holds a ban; see banmailctl status");
    if (reason[0] != '\0')
        note_status(changing, EXIT_REFUSED);
    if (changing->array != NULL) {
        object = fjson_object_new_object();
        format_add_string(object, "command", changing->add ? "allow add" : "allow del");
        fjson_object_object_add(object, "results", changing->array);
        format_print_json(object);
    } else if (reason[0] != '\0') {
        banmailctl_fail(changing->invocation, 0, "%s", reason);
    }
}

/* All addresses are looked at before the first is acted upon. */
static int
change(const struct invocation *invocation, const struct location *place, const struct table *table,
       bool add)
{
    struct changing changing = {.invocation = invocation, .table = table, .add = add};
    const int count = invocation->count - 1;
    struct source *const sources = calloc((size_t)count, sizeof(*sources));
    char reason[512];

    if (sources == NULL)
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    for (int i = 0; i < count; i++)
        if (format_parse_source(invocation->words[i + 1], &sources[i], reason, sizeof(reason)) <
            0) {
            free(sources);
            return banmailctl_fail(invocation, EXIT_USAGE, "%s", reason);
        }
    changing.channel.place = place;
    changing.array = invocation->json ? fjson_object_new_array() : NULL;
    for (int i = 0; i < count; i++)
        change_one(&changing, &sources[i]);
    finish(&changing, sources, count);
    free(sources);
    return changing.status;
}

int
allow_main(const struct invocation *invocation)
{
    const char *const what = invocation->count > 0 ? invocation->words[0] : "";
    const bool lists = strcmp(what, "list") == 0, adds = strcmp(what, "add") == 0;
    struct location place;
    const struct table *table;
    int status;

    if (!(lists ? invocation->count == 1
                : (adds || strcmp(what, "del") == 0) && invocation->count > 1))
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "allow takes add ADDRESS..., del ADDRESS... or list");
    if ((status = banmailctl_read(invocation, &place, &table)) != EXIT_FINE)
        return status;
    status = lists ? list(invocation, table) : change(invocation, &place, table, adds);
    table_close_reader(table);
    return status;
}
