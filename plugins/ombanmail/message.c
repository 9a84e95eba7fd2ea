/* message: one message becomes a failure, the failure becomes a count.
 *
 * A message without a class is left alone as early as possible: most are. What has one is read into
 * an offence, joined with what only rsyslog knows (host, stamp, program, input), and counted in the
 * table. Nothing here waits, and nothing fails.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <json.h>

#include "msg.h"
#include "syslogd-types.h"
#include "template.h"

#include "backend.h"
#include "bite.h"
#include "engine.h"
#include "message.h"
#include "offence.h"
#include "stamp.h"
#include "statistics.h"
#include "table-evidence.h"
#include "table-health.h"

#define LIVE_MS 60000 /* a line's stamp may be as far from the clock: not held up on its way */

/* ---- a message becomes a failure ---- */

/* FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/): it only tells programs, services
 * and inputs apart, none of which an attacker chooses. */
static uint64_t
hash_bytes(uint64_t hash, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* Which program wrote the line, and which input brought it here. Dovecot's login processes and its
 * event exporter are one program, and tell of the same attempts. */
static uint16_t
kind_of(smsg_t *message, const struct offence *offence)
{
    const char *const program = (const char *)getProgramName(message, LOCK_MUTEX);
    uchar *input;
    int length;
    uint64_t hash = hash_bytes(HASH_START, program, strlen(program));

    getInputName(message, &input, &length);
    hash = hash_bytes(hash, (const char *)input, (size_t)length);
    if (offence->flags & OFFENCE_FROM_EVENT)
        hash = hash_bytes(hash, "event", 5);
    return (uint16_t)(hash ^ hash >> 16 ^ hash >> 32 ^ hash >> 48);
}

static bool
is_from_a_file(smsg_t *message)
{
    uchar *input;
    int length;

    getInputName(message, &input, &length);
    return length == 6 && memcmp(input, "imfile", 6) == 0;
}

static int64_t
received_of(smsg_t *message)
{
    struct templateEntry format = {.data.field.eDateFormat = tplFmtUnixDate};
    unsigned short must_free = 0;
    rs_size_t length;
    uchar *const text =
        MsgGetProp(message, &format, &engine.received_field, &length, &must_free, NULL);
    const int64_t received_ms = strtoll((const char *)text, NULL, 10) * 1000;

    if (must_free)
        free(text);
    return received_ms;
}

/* When it happened. The lines of a file are history, however old. */
static int64_t
stamp_of(smsg_t *message)
{
    const int64_t stamp_ms = strtoll(getTimeReported(message, tplFmtUnixDate), NULL, 10) * 1000;
    struct stamp_bounds bounds = engine.stamp_bounds;

    if (is_from_a_file(message))
        bounds.age_ms = STAMP_ANY_AGE_MS;
    return stamp_judge(engine.stamps, getHOSTNAME(message), (size_t)getHOSTNAMELen(message),
                       stamp_ms, received_of(message), &bounds);
}

/* Whether the message has a class at all: most have none, and are left alone as early as here. */
static bool
has_class(smsg_t *message, instanceData *instance)
{
    return msgCheckVarExists(message, &instance->class_field) == RS_RET_OK;
}

static struct backend_line
line_of(smsg_t *message)
{
    const char *const host = getHOSTNAME(message);

    return (struct backend_line){.host = host,
                                 .host_length = strlen(host),
                                 .stamp_ms = stamp_of(message),
                                 .now_ms = engine_now_ms()};
}

/* What it says, also where it is no failure. */
static bool
read_offence(smsg_t *message, struct fjson_object *fields, struct offence *offence)
{
    uchar *tag;
    int tag_length;

    if (offence_read(fields, offence) != 0)
        return false;
    getTAG(message, &tag, &tag_length, LOCK_MUTEX);
    offence_service_from_tag(offence, (const char *)tag, (size_t)tag_length);
    if (offence->flags & OFFENCE_SESSION_MISMATCH)
        statistics_count(STATISTIC_SESSION_MISMATCHES);
    if (offence->class == OFFENCE_LOGIN_OK)
        statistics_count(STATISTIC_LOGINS);
    if (offence->class == OFFENCE_MAIL_ACCEPTED)
        statistics_count(STATISTIC_MAILS_ACCEPTED);
    return true;
}

/* In a network in which somebody is allow-listed clients are counted, and banned, one by one. */
static const struct jail *
jail_of(const instanceData *instance, const struct source *client)
{
    const struct jail *const jail = &instance->parameters.jail;
    const struct source network = source_mask(client, jail->v4_bits, jail->v6_bits);

    if (allow_overlaps(allow_list_now(engine.allow), &network) ||
        allow_overlaps(allow_list_now(instance->parameters.allow), &network))
        return &instance->single;
    return jail;
}

/* Every user who logs in tells whom his address is shared with. */
static void
note_login(const instanceData *instance, const struct offence *offence,
           const struct backend_line *line, struct reader *worker)
{
    const struct jail *jail;
    struct source source;

    if (engine.gateways == NULL || offence->class != OFFENCE_LOGIN_OK || !offence->has_client)
        return;
    readers_begin(worker);
    jail = jail_of(instance, &offence->client);
    readers_end(worker);
    source = source_mask(&offence->client, jail->v4_bits, jail->v6_bits);
    gateway_login(engine.gateways, &source, offence->user_hash, line->stamp_ms);
}

/* When packets for this line came through this machine's kernel; 0 where that is not known. Of
 * another host's clients it sees none, and what a queue or a file has held tells of earlier bans.
 */
static int64_t
passed_of(const struct offence *offence, const struct backend_line *line)
{
    if (line->stamp_ms < line->now_ms - LIVE_MS || line->stamp_ms > line->now_ms + LIVE_MS ||
        strcasecmp(line->host, engine.host) != 0)
        return 0;
    return bite_passed_ms(offence, line->stamp_ms);
}

/* A failure of a user who does not exist is one in a jail that does not tell them apart. */
static enum offence_class
class_in(const struct jail *jail, enum offence_class class)
{
    if (class == OFFENCE_AUTH_UNKNOWN_USER && !(jail->classes & OFFENCE_BIT(class)))
        return OFFENCE_AUTH_FAILED;
    return class;
}

/* A failure that counts, allow-listed or not; false when this is none. */
static bool
failure_of(smsg_t *message, const instanceData *instance, const struct offence *offence,
           const struct backend_line *line, struct table_failure *failure)
{
    const enum offence_class class = class_in(&instance->parameters.jail, offence->class);

    if (!offence_counts(offence) || !(instance->parameters.jail.classes & OFFENCE_BIT(class)))
        return false;
    *failure = (struct table_failure){
        .client = offence->client,
        .class = class,
        .kind = kind_of(message, offence),
        .service_hash = (uint32_t)hash_bytes(HASH_START, offence->service, offence->service_length),
        .user_hash = offence->user_hash,
        .secret_hash = offence->secret_hash,
        .session_hash = offence->session_length == 0
                            ? 0
                            : hash_bytes(HASH_START, offence->session, offence->session_length),
        .attempts = offence->attempts,
        .stamp_ms = line->stamp_ms,
        .passed_ms = passed_of(offence, line),
        .services = bite_service(offence->service, offence->service_length),
    };
    return true;
}

/* ---- a failure becomes a count ---- */

/* This machine's own address in the network of a bridge is on the allow list as all its own are.
 * But it is what clients of a container's published port may come from: to be told, it counts. */
static bool
is_allow_listed(const instanceData *instance, const struct table_failure *failure,
                enum gateway_kind gateway)
{
    struct source entry;

    if (allow_match(allow_list_now(instance->parameters.allow), &failure->client, NULL))
        return true;
    return allow_match(allow_list_now(engine.allow), &failure->client, &entry) &&
           !(gateway == GATEWAY_OWN && entry.prefix == SOURCE_HOST_PREFIX);
}

static enum gateway_kind
gateway_of(const struct jail *jail, const struct table_failure *failure,
           const struct backend_line *line, unsigned *users)
{
    const struct source source = source_mask(&failure->client, jail->v4_bits, jail->v6_bits);

    *users = 0;
    if (engine.gateways == NULL)
        return GATEWAY_NONE;
    return gateway_find(engine.gateways, &source, line->now_ms, users);
}

static void
note_gateway(const instanceData *instance, const struct jail *jail,
             const struct table_failure *failure, const struct backend_line *line, unsigned users)
{
    const struct table_gateway gateway = {
        .source = source_mask(&failure->client, jail->v4_bits, jail->v6_bits),
        .jail = (uint8_t)instance->jail_index,
        .users = (uint8_t)users,
    };

    statistics_count(STATISTIC_GATEWAYS_SPARED);
    table_note_gateway(engine.table, &gateway, line->now_ms);
}

/* Before the failure counts: the scribe, woken by a ban, finds its last line as well. */
static void
keep_evidence(smsg_t *message, const instanceData *instance, const struct offence *offence,
              const struct table_failure *failure, unsigned attempts)
{
    const enum evidence_mode mode = engine.evidence;
    const char *const host = getHOSTNAME(message);
    struct evidence evidence;
    bool is_known;

    if (mode == EVIDENCE_NONE)
        return;
    is_known = engine.backend != NULL && backend_knows(engine.backend, offence);
    evidence.client = failure->client;
    evidence.class = failure->class;
    evidence.jail = (uint8_t)instance->jail_index;
    evidence.attempts = (uint8_t)attempts;
    evidence.stamp_ms = failure->stamp_ms;
    evidence_copy(evidence.host, sizeof(evidence.host), host, strlen(host));
    evidence_copy(evidence.service, sizeof(evidence.service), offence->service,
                  offence->service_length);
    evidence_user(mode, is_known, offence->user, offence->user_length, evidence.user);
    evidence_line(mode, (const char *)getMSG(message), (size_t)getMSGLen(message), is_known,
                  offence->user, offence->user_length, evidence.line);
    table_add_evidence(engine.table, &evidence);
}

/* Whether the server's own troubles are why it failed. */
static bool
is_held(const struct backend_line *line, const struct offence *offence)
{
    bool wake = false, holds;

    if (engine.backend == NULL)
        return false;
    holds = backend_holds(engine.backend, line, offence, &wake);
    if (wake)
        engine_wake();
    return holds;
}

/* It may have to be taken back. */
static void
remember(const instanceData *instance, const struct jail *jail, const struct offence *offence,
         const struct backend_line *line, const struct table_failure *failure, unsigned attempts,
         bool made_ban)
{
    const struct table_counted counted = {
        .source = source_mask(&failure->client, jail->v4_bits, jail->v6_bits),
        .scope = failure->scope,
        .jail = (uint8_t)instance->jail_index,
        .made_ban = made_ban,
        .attempts = attempts,
    };

    if (engine.backend != NULL)
        backend_counted(engine.backend, line, offence, &counted);
}

static void
count_failure(smsg_t *message, instanceData *instance, const struct offence *offence,
              const struct backend_line *line, struct table_failure *failure)
{
    const struct jail *const jail = jail_of(instance, &failure->client);
    const bool has_allowed_neighbours = jail == &instance->single;
    unsigned attempts, users;
    const enum gateway_kind gateway = gateway_of(jail, failure, line, &users);
    enum table_verdict verdict;

    statistics_count(STATISTIC_FAILURES);
    if (has_allowed_neighbours && /* else none of the lists has an entry in its network */
        is_allow_listed(instance, failure, gateway)) {
        statistics_count(STATISTIC_ALLOW_LISTED);
        return;
    }
    if (failure->stamp_ms < engine.count_from_ms && is_from_a_file(message)) {
        statistics_count(STATISTIC_OLD);
        return;
    }
    if (is_held(line, offence))
        return;
    attempts = table_attempts(engine.table, failure);
    if (attempts == 0) {
        statistics_count(STATISTIC_DUPLICATES);
        return;
    }
    keep_evidence(message, instance, offence, failure, attempts);
    failure->is_gateway = gateway != GATEWAY_NONE;
    verdict =
        table_count(engine.table, instance->jail_index, jail, failure, attempts, line->now_ms);
    remember(instance, jail, offence, line, failure, attempts, verdict == TABLE_BANNED);
    if (verdict == TABLE_FULL)
        statistics_count(STATISTIC_BANS_FULL);
    if (verdict == TABLE_HELD_BACK)
        statistics_count(STATISTIC_BANS_HELD_BACK);
    if (verdict == TABLE_BANNED)
        statistics_count(STATISTIC_BANS);
    if (verdict == TABLE_SPARED)
        note_gateway(instance, jail, failure, line, users);
    if (verdict == TABLE_BANNED || verdict == TABLE_PROLONGED)
        engine_wake();
}

/* A line with a class. Returns whether it was a failure that may count. A ban that is made by a
 * former allow list is there before the wait for its readers is over, and so is found and lifted.
 */
static bool
take_line(smsg_t *message, instanceData *instance, struct fjson_object *fields,
          struct reader *worker)
{
    struct backend_line line;
    struct table_failure failure;
    struct offence offence;

    if (!read_offence(message, fields, &offence))
        return false;
    line = line_of(message); /* also of what does not count: the host's clock is known by then */
    if (engine.backend != NULL && backend_hear(engine.backend, &line, &offence))
        engine_wake();
    note_login(instance, &offence, &line, worker);
    if (!failure_of(message, instance, &offence, &line, &failure))
        return false;
    readers_begin(worker);
    count_failure(message, instance, &offence, &line, &failure);
    readers_end(worker);
    return true;
}

/* What tells a module that sees nothing from a quiet night. */
static void
note_message(smsg_t *message, const struct reader *worker, bool matched)
{
    enum table_sight sight = matched ? TABLE_MATCHED : TABLE_SEEN;
    struct timespec now;

    if (!matched &&
        evidence_looks_like_login((const char *)getMSG(message), (size_t)getMSGLen(message))) {
        statistics_count(STATISTIC_UNMATCHED);
        sight = TABLE_UNMATCHED;
    }
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    table_note_message(engine.table, (unsigned)((uintptr_t)worker >> 5), sight, now.tv_sec);
}

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
        lost -= lost > 0;
    }
    table_note_lost(engine.table, TABLE_LOST_INPUT, lost, engine_now_ms() / 1000);
}
void
message_take(smsg_t *message, instanceData *instance, struct reader *worker)
{
    struct fjson_object *fields = NULL;
    bool matched;

    statistics_count(STATISTIC_MESSAGES);
    if (engine.table == NULL || instance->jail_index == 0)
        return;
    matched = has_class(message, instance);
    if (!matched && strcmp((const char *)getProgramName(message, LOCK_MUTEX), "rsyslogd") == 0) {
        note_rate_limit((const char *)getMSG(message), (size_t)getMSGLen(message));
        return;
    }
    note_message(message, worker, matched);
    if (!matched)
        return;
    /* a copy: another worker may change the message's own object meanwhile */
    if (msgGetJSONPropJSON(message, &instance->fields, &fields) == RS_RET_OK &&
        !take_line(message, instance, fields, worker))
        statistics_count(STATISTIC_IGNORED);
    if (fields != NULL)
        fjson_object_put(fields);
}
