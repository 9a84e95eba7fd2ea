/* message: a message of rsyslog's becomes a line, which the counter takes.
 *
 * A message without a class is left alone as early as possible: most are. Nothing here waits, and
 * nothing fails.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <json.h>

#include "msg.h"
#include "syslogd-types.h"
#include "template.h"

#include "base/rfc3339.h"
#include "complaints.h"
#include "delivery.h"
#include "dispatch.h"
#include "engine.h"
#include "jail-statistics.h"
#include "message.h"
#include "statistics.h"
#include "table/table-health.h"

/* ---- a message becomes a line ---- */

/* Both times of a line are asked for as RFC 3339, which rsyslog prints once for all who ask, and
 * not as seconds and as their fraction. */

static int64_t
received_of(smsg_t *message)
{
    struct templateEntry format = {.data.field.eDateFormat = tplFmtRFC3339Date};
    unsigned short must_free = 0;
    unsigned digits;
    rs_size_t length;
    int64_t received_us;
    uchar *const text =
        MsgGetProp(message, &format, &engine.received_field, &length, &must_free, NULL);

    if (!rfc3339_read((const char *)text, &received_us, &digits)) /* memory was out */
        received_us = engine_now_ms() * 1000;
    if (must_free)
        free(text);
    return received_us / 1000;
}

/* With as many digits as the message had; of more than six rsyslog prints no fraction that can be
 * read. */
static void
read_stamp(smsg_t *message, struct line *line)
{
    unsigned digits;

    if (!rfc3339_read(getTimeReported(message, tplFmtRFC3339Date), &line->stamp_us, &digits)) {
        line->stamp_us = atoll(getTimeReported(message, tplFmtUnixDate)) * 1000000;
        digits = 0;
    }
    line->has_microseconds = digits >= 6;
}

static struct line_bytes
bytes_of(const char *text)
{
    return (struct line_bytes){text, strlen(text)};
}

/* All but the fields. */
static void
read_line(smsg_t *message, struct line *line)
{
    uchar *input, *tag;
    int input_length, tag_length;

    getInputName(message, &input, &input_length);
    getTAG(message, &tag, &tag_length, LOCK_MUTEX);
    line->input = (struct line_bytes){(const char *)input, (size_t)input_length};
    line->tag = (struct line_bytes){(const char *)tag, (size_t)tag_length};
    line->host = bytes_of(getHOSTNAME(message));
    line->program = bytes_of((const char *)getProgramName(message, LOCK_MUTEX));
    line->is_history = input_length == 6 && memcmp(input, "imfile", 6) == 0;
    line->received_ms = received_of(message);
    read_stamp(message, line);
}

/* Of messages without a class, which are not judged. One thread hands a message to one action after
 * the other before it takes the next one: what another action has been handed just now is the same
 * message. That a new one may have the memory
 * of the former, and pass other actions, costs a number in the statistics. */
static bool
is_again(const smsg_t *message, const instanceData *instance)
{
    static __thread const smsg_t *latest;
    static __thread uint64_t passed;
    const uint64_t bit = UINT64_C(1) << (instance->action & 63);
    const bool is_same = message == latest && !(passed & bit);

    passed = is_same ? passed | bit : bit;
    latest = message;
    return is_same;
}

/* ---- what inputs say of what they lose ---- */

/* More than an input can lose between two messages: whoever says so is no rsyslogd. */
#define LOST_MOST 1000000000

/* What an rsyslogd says when an input's rate limit drops: at the first message of some time, and
 * some time later how many they were. imjournal's are known from its counter. */
static void
note_rate_limit(const char *text, size_t length)
{
    static const char begin[] = ": begin to drop messages due to rate-limiting",
                      end[] = " messages lost due to rate-limiting";
    const char *found;
    uint64_t lost = 0;

    if (length > 10 && memcmp(text, " imjournal", 10) == 0)
        return;
    if (memmem(text, length, begin, sizeof(begin) - 1) != NULL)
        lost = 1;
    else if ((found = memmem(text, length, end, sizeof(end) - 1)) != NULL) {
        while (found > text && found[-1] >= '0' && found[-1] <= '9')
            found--;
        lost = strtoull(found, NULL, 10);
        lost = lost > LOST_MOST ? 0 : lost - (lost > 0);
    }
    table_note_lost(engine.table, TABLE_LOST_INPUT, lost, engine_now_ms() / 1000);
}

/* The program's name is how the tag begins, and costs more to be found. */
static bool
is_rsyslogds(smsg_t *message)
{
    static const char name[] = "rsyslogd";
    const size_t name_length = sizeof(name) - 1;
    uchar *tag;
    int length;

    getTAG(message, &tag, &length, LOCK_MUTEX);
    return (size_t)length >= name_length && memcmp(tag, name, name_length) == 0 &&
           strcmp((const char *)getProgramName(message, LOCK_MUTEX), name) == 0;
}

/* What we send ourselves, by whichever way it has come back. */
static bool
is_ours(smsg_t *message)
{
    uchar *input;
    int length;

    getInputName(message, &input, &length);
    return length == sizeof(DELIVERY_INPUT) - 1 &&
           memcmp(input, DELIVERY_INPUT, (size_t)length) == 0;
}

/* ---- the action ---- */

static int64_t
coarse_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return (int64_t)now.tv_sec * 1000;
}

/* No rulebase has seen it yet, or its fields are gone again. */
static bool
has_no_fields(smsg_t *message, instanceData *instance)
{
    return msgCheckVarExists(message, &instance->fields) != RS_RET_OK;
}

/* A line, and what it takes to have its fields. */
struct incoming {
    struct line line; /* first: what load_fields is handed is the incoming */
    smsg_t *message;
    instanceData *instance;
    struct fjson_object *found;  /* the message's; where the action has no queue */
    struct fjson_object *fields; /* ours to put */
};

/* Most have none. An action without a queue is called by the thread that runs the statements, one
 * after the other: nobody else changes the message's own fields meanwhile, and they are found once.
 * (What a copy would cost is a tenth of all that rsyslogd does for a line.) */
static bool
has_class(struct incoming *incoming)
{
    instanceData *const instance = incoming->instance;

    if (instance->has_queue)
        return msgCheckVarExists(incoming->message, &instance->class_field) == RS_RET_OK;
    if (jsonFind(incoming->message, &instance->fields, &incoming->found) != RS_RET_OK)
        incoming->found = NULL;
    return offence_has_class(incoming->found);
}

/* What tells the user of the program that wrote it: the kernel told journald, or imuxsock, which
 * asks where it is configured to (SysSock.Annotate and SysSock.ParseTrusted). */
static msgPropDescr_t *
user_field(smsg_t *message)
{
    uchar *input;
    int length;

    getInputName(message, &input, &length);
    if (length == 9 && memcmp(input, "imjournal", 9) == 0)
        return &engine.journal_user;
    if (length == 8 && memcmp(input, "imuxsock", 8) == 0)
        return &engine.socket_user;
    return NULL;
}

static bool
is_trusted_user(uint32_t user)
{
    const struct parameters *const parameters = &engine.configuration->parameters;

    for (unsigned i = 0; i < parameters->trusted_count; i++)
        if (parameters->trusted[i] == user)
            return true;
    return user == 0;
}

/* Where nobody says who wrote it, it is taken for what it says it is. */
static bool
is_trusted(const struct line *line, uint32_t *user)
{
    smsg_t *const message = ((const struct incoming *)line)->message;
    msgPropDescr_t *const field = user_field(message);
    unsigned short must_free = 0;
    rs_size_t length = 0;
    uchar *text = NULL;
    bool is_number;

    if (field == NULL || engine.configuration->parameters.trusts_all)
        return true;
    getJSONPropVal(message, field, &text, &length, &must_free);
    is_number = text[0] >= '0' && text[0] <= '9';
    *user = (uint32_t)strtoul((const char *)text, NULL, 10);
    if (must_free)
        free(text);
    return !is_number || is_trusted_user(*user);
}

/* Who delivered a message is the kernel's word, and not the message's. */
static bool
read_peer(smsg_t *message, struct source *peer)
{
    unsigned short must_free = 0;
    rs_size_t length;
    uchar *const text = MsgGetProp(message, NULL, &engine.peer_field, &length, &must_free, NULL);
    const bool is_address = source_parse((const char *)text, (size_t)length, peer) == 0;

    if (must_free)
        free(text);
    return is_address;
}

static uint16_t
scope_of(const struct line *line)
{
    smsg_t *const message = ((const struct incoming *)line)->message;
    struct source peer;

    if (engine.hosts == NULL)
        return TABLE_SCOPE_OWN;
    return hosts_scope(engine.hosts, read_peer(message, &peer) ? &peer : NULL, line->host.at,
                       line->host.length);
}

static struct fjson_object *
load_fields(const struct line *line)
{
    struct incoming *const incoming = (struct incoming *)line;

    if (incoming->instance->has_queue)
        msgGetJSONPropJSON(incoming->message, &incoming->instance->fields, &incoming->fields);
    else
        incoming->fields = fjson_object_get(incoming->found);
    return incoming->fields;
}

/* All that has to be known of a line that is a mail server's, or may be. */
static void
take_line(struct incoming *incoming, bool matched, struct reader *worker)
{
    struct counter_outcome outcome;

    read_line(incoming->message, &incoming->line);
    incoming->line.now_ms = engine_now_ms();
    incoming->line.load = matched ? load_fields : NULL;
    counter_take(engine.counter, &incoming->line, (unsigned)incoming->instance->action, worker,
                 &outcome);
    if (outcome.wake)
        engine_wake();
    jail_statistics_count(&outcome);
    if (outcome.has_class)
        statistics_count(STATISTIC_MESSAGES);
    if (incoming->fields != NULL)
        fjson_object_put(incoming->fields);
}

/* What is missing is missing for each line: one a second is looked at. */
static bool
is_first_of_second(int64_t now_ms)
{
    static _Atomic int64_t looked_s;
    const int64_t now_s = now_ms / 1000;

    if (atomic_load_explicit(&looked_s, memory_order_relaxed) == now_s)
        return false;
    atomic_store_explicit(&looked_s, now_s, memory_order_relaxed);
    return true;
}

static void
take_unmatched(struct incoming *incoming, struct reader *worker)
{
    struct counter_outcome outcome;
    uint32_t user;

    incoming->line.is_again = is_again(incoming->message, incoming->instance);
    if (!incoming->line.is_again)
        statistics_count(STATISTIC_MESSAGES);
    if (is_rsyslogds(incoming->message)) {
        if (!incoming->line.is_again && is_trusted(&incoming->line, &user))
            note_rate_limit(incoming->line.text.at, incoming->line.text.length);
        return;
    }
    incoming->line.now_ms = coarse_now_ms();
    if (is_first_of_second(incoming->line.now_ms) &&
        has_no_fields(incoming->message, incoming->instance))
        complaints_note_unread();
    counter_take(engine.counter, &incoming->line, (unsigned)incoming->instance->action, worker,
                 &outcome);
}

/* What comes before the first brace, such as a blank, is the transport's. */
static const char *
telegram_of(smsg_t *message, size_t *length)
{
    const char *text = (const char *)getMSG(message);

    for (*length = (size_t)getMSGLen(message); *length > 0 && *text == ' '; --*length)
        text++;
    return text;
}

static void
take_report(smsg_t *message)
{
    struct source peer;
    size_t length;
    const char *const text = telegram_of(message, &length);

    if (read_peer(message, &peer))
        dispatch_take_report(&peer, text, length);
}

static void
take_telegram(smsg_t *message, struct reader *worker)
{
    size_t length;
    const char *const text = telegram_of(message, &length);
    bool has_changed;

    readers_begin(worker);
    has_changed =
        follower_take(engine.follower, text, length, allow_list_now(engine.allow), engine_now_ms);
    readers_end(worker);
    if (has_changed)
        engine_wake();
}

void
message_take(smsg_t *message, instanceData *instance, struct reader *worker)
{
    struct incoming incoming = {
        .line = {.reading = instance->reading, .is_trusted = is_trusted, .scope = scope_of},
        .message = message,
        .instance = instance};
    bool matched;

    if (instance->parameters.is_of_members) {
        take_report(message);
        return;
    }
    if (instance->parameters.is_fleet) {
        if (engine.follower != NULL)
            take_telegram(message, worker);
        return;
    }
    if (engine.counter == NULL || instance->action < 0 ||
        (engine.outbox != NULL && is_ours(message)))
        return;
    incoming.line.text =
        (struct line_bytes){(const char *)getMSG(message), (size_t)getMSGLen(message)};
    matched = has_class(&incoming);
    if (matched || (instance->parameters.is_own && has_no_fields(message, instance)))
        take_line(&incoming, matched, worker);
    else
        take_unmatched(&incoming, worker);
}
