/* history: the ring first, because it has the last second too; the ledger where the ring has gone
 * round.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-history.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-bans.h"
#include "banmailctl-format.h"
#include "banmailctl-location.h"
#include "banmailctl-scope.h"

#define USER_LINES_MOST 100000 /* of one user, in the ledger */

struct ledger *
history_ledger(const struct table *table, const char **reason)
{
    struct table_status status;
    struct ledger *ledger = NULL;
    int error;

    table_read_status(table, &status);
    error = ledger_open(status.ledger_path, true, NULL, &ledger, NULL);
    *reason = error < 0 ? ledger_error(error) : NULL;
    return error < 0 ? NULL : ledger;
}

int
history_open(const struct invocation *invocation, struct ledger **ledger,
             char path[TABLE_PATH_SIZE])
{
    struct table_status table_status;
    struct location place;
    const struct table *table;
    const char *reason;
    int status = banmailctl_read(invocation, &place, &table);

    if (status != EXIT_FINE)
        return status;
    table_read_status(table, &table_status);
    memcpy(path, table_status.ledger_path, TABLE_PATH_SIZE);
    *ledger = history_ledger(table, &reason);
    table_close_reader(table);
    if (*ledger)
        return EXIT_FINE;
    return banmailctl_fail(invocation, EXIT_UNREACHABLE, "the ledger %.200s cannot be read: %s",
                           path, reason);
}

/* ---- lines ---- */

static int
compare(const void *a, const void *b)
{
    const struct evidence *left = a, *right = b;

    if (left->stamp_ms != right->stamp_ms)
        return left->stamp_ms < right->stamp_ms ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

static void
add_line(struct lines *lines, const struct evidence *evidence)
{
    lines->attempts += evidence->attempts;
    lines->line[lines->count++] = *evidence;
}

/* Only one of the two is set. */
struct wanted {
    const struct ban *ban;
    const struct source *source;
};

static bool
is_wanted(const struct wanted *wanted, const struct evidence *evidence)
{
    if (wanted->ban)
        return table_is_evidence_of(evidence, wanted->ban);
    return source_contains(wanted->source, &evidence->client);
}

static void
read_ring(const struct table *table, const struct wanted *wanted, struct lines *lines)
{
    uint64_t last = table_last_evidence(table), room = table_evidence_room(table);
    struct evidence evidence;

    *lines = (struct lines){.count = 0};
    for (uint64_t number = last; number > 0 && last - number < room; number--)
        if (lines->count < HISTORY_LINES && table_read_evidence(table, number, &evidence) &&
            is_wanted(wanted, &evidence))
            add_line(lines, &evidence);
    qsort(lines->line, lines->count, sizeof(*lines->line), compare);
}

static bool
take_line(void *context, const struct evidence *evidence)
{
    struct lines *lines = context;

    if (lines->count < HISTORY_LINES)
        add_line(lines, evidence);
    return true;
}

static void
take_longer(struct ledger *ledger, const struct ban *ban, struct lines *lines)
{
    struct lines written = {.count = 0};

    if (!ledger || ledger_lines(ledger, ban, NULL, HISTORY_LINES, take_line, &written) < 0 ||
        written.attempts <= lines->attempts)
        return;
    qsort(written.line, written.count, sizeof(*written.line), compare);
    *lines = written;
}

void
history_of_ban(const struct table *table, struct ledger *ledger, const struct ban *ban,
               struct lines *lines)
{
    read_ring(table, &(struct wanted){.ban = ban}, lines);
    take_longer(ledger, ban, lines);
}

void
history_of_source(const struct table *table, const struct source *source, struct lines *lines)
{
    read_ring(table, &(struct wanted){.source = source}, lines);
}

/* ---- clients of a user ---- */

static int
compare_clients(const void *a, const void *b)
{
    const struct history_client *left = a, *right = b;

    if (left->last_ms != right->last_ms)
        return left->last_ms > right->last_ms ? -1 : 1;
    return source_compare(&left->source, &right->source);
}

void
history_sort_clients(struct history_clients *clients)
{
    if (clients->count > 1)
        qsort(clients->list, clients->count, sizeof(*clients->list), compare_clients);
}

static struct history_client *
find_client(struct history_clients *clients, const struct source *source)
{
    struct history_client *grown;

    for (unsigned i = 0; i < clients->count; i++)
        if (source_compare(&clients->list[i].source, source) == 0)
            return &clients->list[i];
    if (clients->count == clients->room) {
        clients->room = clients->room ? clients->room * 2 : 64;
        grown = reallocarray(clients->list, clients->room, sizeof(*grown));
        if (!grown) {
            clients->room = clients->count;
            return NULL;
        }
        clients->list = grown;
    }
    clients->list[clients->count] = (struct history_client){.source = *source};
    return &clients->list[clients->count++];
}

static struct history_client *
meet_client(struct history_clients *clients, const struct evidence *evidence)
{
    struct history_client *client = find_client(clients, &evidence->client);

    if (client && client->last_ms < evidence->stamp_ms)
        client->last_ms = evidence->stamp_ms;
    return client;
}

static bool
meet_written(void *context, const struct evidence *evidence)
{
    struct history_client *client = meet_client(context, evidence);

    if (client)
        client->in_ledger += evidence->attempts;
    return client != NULL;
}

int
history_add_clients(const struct table *table, struct ledger *ledger, const char *user,
                    struct history_clients *clients)
{
    uint64_t last = table_last_evidence(table), room = table_evidence_room(table);
    struct history_client *client;
    struct evidence evidence;
    const unsigned before = clients->count;

    for (uint64_t number = last; number > 0 && last - number < room; number--) {
        if (!table_read_evidence(table, number, &evidence) || strcmp(user, evidence.user) != 0)
            continue;
        client = meet_client(clients, &evidence);
        if (!client)
            return -ENOMEM;
        client->in_ring += evidence.attempts;
    }
    if (ledger)
        ledger_lines(ledger, NULL, user, USER_LINES_MOST, meet_written, clients);
    return clients->count > before;
}

static bool
add_mailbox(void *context, const char *user)
{
    struct history_mailboxes *mailboxes = context;

    for (unsigned i = 0; i < mailboxes->count; i++)
        if (strcmp(mailboxes->list[i], user) == 0)
            return true;
    if (mailboxes->count < HISTORY_MAILBOXES)
        snprintf(mailboxes->list[mailboxes->count++], EVIDENCE_USER_SIZE, "%s", user);
    return mailboxes->count < HISTORY_MAILBOXES;
}

void
history_find_mailboxes(const struct table *table, struct ledger *ledger, const char *name,
                       struct history_mailboxes *mailboxes)
{
    uint64_t last = table_last_evidence(table), room = table_evidence_room(table);
    const size_t length = strlen(name);
    struct evidence evidence;

    mailboxes->count = 0;
    if (ledger)
        ledger_mailboxes(ledger, name, add_mailbox, mailboxes);
    for (uint64_t number = last; number > 0 && last - number < room; number--)
        if (table_read_evidence(table, number, &evidence) &&
            strncasecmp(evidence.user, name, length) == 0 && evidence.user[length] == '@' &&
            !add_mailbox(mailboxes, evidence.user))
            break;
}

void
history_print_line(const struct evidence *evidence, const char *indent)
{
    char stamp[FORMAT_STAMP_SIZE], host[EVIDENCE_HOST_SIZE * 4], service[EVIDENCE_SERVICE_SIZE * 4];
    char user[EVIDENCE_USER_SIZE * 4], line[EVIDENCE_LINE_SIZE * 4];
    char client[SOURCE_TEXT_SIZE];

    printf("%s%s  %s  %s  %s  %s  %s", indent, format_stamp(evidence->stamp_ms, stamp),
           source_print(&evidence->client, client),
           format_clean(evidence->host, host, sizeof(host)),
           format_clean(evidence->service, service, sizeof(service)),
           evidence->user[0] ? format_clean(evidence->user, user, sizeof(user)) : "-",
           offence_class_name(evidence->class));
    printf(evidence->attempts > 1 ? ", %u attempts\n" : "\n", (unsigned)evidence->attempts);
    if (evidence->line[0])
        printf("%s    %s\n", indent, format_clean(evidence->line, line, sizeof(line)));
}

struct fjson_object *
history_lines_json(const struct lines *lines)
{
    struct fjson_object *array = fjson_object_new_array();
    char clean[EVIDENCE_LINE_SIZE * 4], client[SOURCE_TEXT_SIZE];

    for (unsigned i = 0; i < lines->count; i++) {
        const struct evidence *evidence = &lines->line[i];
        struct fjson_object *object = fjson_object_new_object();

        format_add_time(object, "time", evidence->stamp_ms);
        format_add_string(object, "client", source_print(&evidence->client, client));
        format_add_string(object, "host", format_clean(evidence->host, clean, sizeof(clean)));
        format_add_string(object, "service", format_clean(evidence->service, clean, sizeof(clean)));
        format_add_string(object, "user", format_clean(evidence->user, clean, sizeof(clean)));
        format_add_string(object, "class", offence_class_name(evidence->class));
        format_add_number(object, "attempts", evidence->attempts);
        format_add_string(object, "line", format_clean(evidence->line, clean, sizeof(clean)));
        fjson_object_array_add(array, object);
    }
    return array;
}

/* ---- bans that are over ---- */

static bool
take_ended(void *context, const struct ledger_row *row)
{
    struct earlier *earlier = context;

    if (row->ban.end == BAN_RUNNING)
        return true;
    earlier->all++;
    earlier->total_ms += row->ban.ended_ms - row->ban.since_ms;
    if (earlier->count < HISTORY_EARLIER)
        earlier->row[earlier->count++] = *row;
    return true;
}

void
history_earlier(struct ledger *ledger, const struct source *source, struct earlier *earlier)
{
    const struct ledger_query query = {.source = source, .to_ms = INT64_MAX, .most = UINT32_MAX};

    *earlier = (struct earlier){0};
    if (ledger)
        ledger_history(ledger, &query, take_ended, earlier);
}

const char *
history_end(const struct ban *ban, char text[64])
{
    if (ban->end != BAN_LIFTED_BY_HAND || ban->lifted_by == UINT32_MAX)
        snprintf(text, 64, "%s", table_end_name(ban->end));
    else
        snprintf(text, 64, "lifted by user id %u", (unsigned)ban->lifted_by);
    return text;
}

struct fjson_object *
history_row_json(const struct ledger_row *row, const struct scopes *scopes)
{
    struct fjson_object *object = fjson_object_new_object();
    const struct ban *ban = &row->ban;
    char source[SOURCE_TEXT_SIZE], jail[JAIL_NAME_SIZE * 4], scope[SCOPE_TEXT_SIZE];
    bool by_hand = ban->origin == BAN_BY_HAND;

    format_add_string(object, "source", source_print(&ban->source, source));
    format_add_string(object, "by", by_hand ? "hand" : "jail");
    bans_add_maker(object, ban);
    format_add_string(object, "jail", format_clean(row->jail, jail, sizeof(jail)));
    if (by_hand)
        fjson_object_object_add(object, "class", NULL);
    else
        format_add_string(object, "class", offence_class_name(ban->class));
    format_add_string(object, "scope", scope_text(scopes, ban->scope, scope));
    format_add_number(object, "failures", ban->failures);
    format_add_number(object, "threshold", row->threshold);
    format_add_number(object, "findtime", (uint64_t)row->findtime_s);
    format_add_time(object, "first", ban->first_ms);
    format_add_time(object, "since", ban->since_ms);
    format_add_time(object, "until", ban->until_ms);
    format_add_string(object, "end", table_end_name(ban->end));
    if (ban->end == BAN_RUNNING)
        fjson_object_object_add(object, "ended", NULL);
    else
        format_add_time(object, "ended", ban->ended_ms);
    if (ban->end == BAN_LIFTED_BY_HAND && ban->lifted_by == UINT32_MAX) /* not known */
        fjson_object_object_add(object, "liftedBy", NULL);
    else if (ban->end == BAN_LIFTED_BY_HAND)
        format_add_number(object, "liftedBy", ban->lifted_by);
    return object;
}
