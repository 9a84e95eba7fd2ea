/* ombanmail: an output module that bans attackers of mail servers.
 *
 * This file is rsyslog's side: a message with the fields that mmnormalize made of it becomes an
 * offence, the offence becomes a count in the table, and what the engine has to say becomes
 * rsyslog's own messages and statistics. The engine is libbanmail and knows nothing of rsyslog.
 *
 * When what happens (rsyslog's order):
 *
 *   modInit, newActInst, …     also under -N1, before the fork: read parameters, touch nothing
 *   activateCnfPrePrivDrop     still root: directories, table, keeper thread, command socket
 *   activateCnf                as the drop user, before any queue runs: bans of an earlier table
 *                              come back from the ledger, the keeper is released, the scribe starts
 *   doAction                   on the workers: count; never waits, never fails
 *   freeCnf                    the queues are gone: keeper and scribe end, the table is closed
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <json.h>

#include "conf.h"
#include "errmsg.h"
#include "module-template.h"
#include "msg.h"
#include "parserif.h"
#include "rsconf.h"
#include "syslogd-types.h"
#include "template.h"
#include "unicode-helper.h"

#include "backend.h"
#include "command.h"
#include "keeper.h"
#include "offence.h"
#include "parameters.h"
#include "policy.h"
#include "scribe.h"
#include "stamp.h"
#include "statistics.h"
#include "table.h"
#include "table-evidence.h"
#include "table-health.h"
#include "version.h"

MODULE_TYPE_OUTPUT
MODULE_TYPE_NOKEEP
MODULE_CNFNAME("ombanmail")

DEF_OMOD_STATIC_DATA

/* a directory of at most 80 characters, and the name of a file of ours */
#define FILE_PATH_SIZE 128
#define TABLE_NAME     "table"
#define LEDGER_NAME    "ledger.db"

typedef struct _instanceData {
    struct parameters parameters;
    msgPropDescr_t fields;       /* the object that mmnormalize made */
    msgPropDescr_t class_field;  /* its member `class` */
    struct jail single;          /* the same jail, but by single address: see jail_of */
    unsigned jail_index;         /* in the table, from activateCnfPrePrivDrop on; 0: has none */
    struct _instanceData *next;  /* of the configuration's instances … */
    struct _instanceData **link; /* … and what points to this one */
} instanceData;

typedef struct wrkrInstanceData {
    instanceData *pData;
} wrkrInstanceData_t;

struct modConfData_s {
    rsconf_t *pConf;
    struct parameters parameters;
    instanceData *instances;
    bool active;
};

/* The engine, of which a process has one. All NULL until activateCnfPrePrivDrop, and again from
 * freeCnf on; written while no worker runs. */
static struct {
    struct table *table;
    struct keeper *keeper;
    struct scribe *scribe;
    struct backend *backend;    /* may be NULL: then every failure is its client's */
    const struct allow *allow;  /* the module's: for every action, and for banmailctl */
    struct stamp_watch *stamps; /* of every host that sends */
    struct stamp_bounds stamp_bounds;
    msgPropDescr_t received_field; /* when rsyslogd took the message in */
    enum evidence_mode evidence;
    bool table_is_new;
    int listen_socket;
    int64_t count_from_ms; /* lines of files that are older are history, not an attack */
} engine = {.listen_socket = -1};

static modConfData_t *load_configuration = NULL;

static void
say(void *context, int severity, const char *text)
{
    (void)context;
    LogMsg(0, severity <= LOG_ERR ? RS_RET_ERR : RS_RET_OK, severity, "ombanmail: %s", text);
}

static const struct report report = {.say = say};

static int64_t
clock_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

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
                                 .now_ms = clock_now_ms()};
}

static void
wake_threads(void)
{
    if (engine.keeper != NULL)
        keeper_wake(engine.keeper);
    if (engine.scribe != NULL)
        scribe_wake(engine.scribe);
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
    };
    return true;
}

/* ---- a failure becomes a count ---- */

/* In a network in which somebody is allow-listed clients are counted, and banned, one by one. */
static const struct jail *
jail_of(const instanceData *instance, const struct source *client)
{
    const struct jail *const jail = &instance->parameters.jail;
    const struct source network = source_mask(client, jail->v4_bits, jail->v6_bits);

    if (allow_overlaps(engine.allow, &network) ||
        allow_overlaps(instance->parameters.allow, &network))
        return &instance->single;
    return jail;
}

/* Before the failure counts: the scribe, woken by a ban, finds its last line as well. */
static void
keep_evidence(smsg_t *message, const instanceData *instance, const struct offence *offence,
              const struct table_failure *failure, unsigned attempts)
{
    const enum evidence_mode mode = engine.evidence;
    const char *const host = getHOSTNAME(message);
    struct evidence evidence;

    if (mode == EVIDENCE_NONE)
        return;
    evidence.client = failure->client;
    evidence.class = failure->class;
    evidence.jail = (uint8_t)instance->jail_index;
    evidence.attempts = (uint8_t)attempts;
    evidence.stamp_ms = failure->stamp_ms;
    evidence_copy(evidence.host, sizeof(evidence.host), host, strlen(host));
    evidence_copy(evidence.service, sizeof(evidence.service), offence->service,
                  offence->service_length);
    evidence_user(mode, offence->user, offence->user_length, evidence.user);
    evidence_line(mode, (const char *)getMSG(message), (size_t)getMSGLen(message), offence->user,
                  offence->user_length, evidence.line);
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
        wake_threads();
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
              const struct backend_line *line, const struct table_failure *failure)
{
    const struct jail *const jail = jail_of(instance, &failure->client);
    const bool has_allowed_neighbours = jail == &instance->single;
    enum table_verdict verdict;
    unsigned attempts;

    statistics_count(STATISTIC_FAILURES);
    if (has_allowed_neighbours && /* else none of the lists has an entry in its network */
        (allow_match(engine.allow, &failure->client, NULL) ||
         allow_match(instance->parameters.allow, &failure->client, NULL))) {
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
    verdict =
        table_count(engine.table, instance->jail_index, jail, failure, attempts, line->now_ms);
    remember(instance, jail, offence, line, failure, attempts, verdict == TABLE_BANNED);
    if (verdict == TABLE_FULL)
        statistics_count(STATISTIC_BANS_FULL);
    if (verdict == TABLE_HELD_BACK)
        statistics_count(STATISTIC_BANS_HELD_BACK);
    if (verdict == TABLE_BANNED)
        statistics_count(STATISTIC_BANS);
    if (verdict == TABLE_BANNED || verdict == TABLE_PROLONGED)
        wake_threads();
}

/* A line with a class. Returns whether it was a failure that may count. */
static bool
take_line(smsg_t *message, instanceData *instance, struct fjson_object *fields)
{
    struct backend_line line;
    struct table_failure failure;
    struct offence offence;

    if (!read_offence(message, fields, &offence))
        return false;
    line = line_of(message); /* also of what does not count: the host's clock is known by then */
    if (engine.backend != NULL && backend_hear(engine.backend, &line, &offence))
        wake_threads();
    if (!failure_of(message, instance, &offence, &line, &failure))
        return false;
    count_failure(message, instance, &offence, &line, &failure);
    return true;
}

/* What tells a module that sees nothing from a quiet night. */
static void
note_message(smsg_t *message, const void *worker, bool matched)
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

BEGINdoAction_NoStrings
    smsg_t *const message = ((smsg_t **)pMsgData)[0];
    instanceData *const instance = pWrkrData->pData;
    struct json_object *fields = NULL;
    bool matched;
    CODESTARTdoAction
    statistics_count(STATISTIC_MESSAGES);
    if (engine.table == NULL || instance->jail_index == 0)
        FINALIZE;
    matched = has_class(message, instance);
    note_message(message, pWrkrData, matched);
    if (!matched)
        FINALIZE;
    /* a copy: another worker may change the message's own object meanwhile */
    if (msgGetJSONPropJSON(message, &instance->fields, &fields) != RS_RET_OK)
        FINALIZE;
    if (!take_line(message, instance, fields))
        statistics_count(STATISTIC_IGNORED);
finalize_it:
    if (fields != NULL)
        json_object_put(fields);
ENDdoAction

/* ---- the life of the engine ---- */

static void
engine_path(char path[FILE_PATH_SIZE], const char *directory, const char *name)
{
    snprintf(path, FILE_PATH_SIZE, "%s/%s", directory, name);
}

static rsRetVal
make_directory(const char *path, mode_t mode, uid_t owner, gid_t group)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST) {
        LogError(errno, RS_RET_ERR, "ombanmail: cannot create directory %s", path);
        return RS_RET_ERR;
    }
    if ((owner != (uid_t)-1 || group != (gid_t)-1) && chown(path, owner, group) != 0) {
        LogError(errno, RS_RET_ERR, "ombanmail: cannot give directory %s to user %d, group %d",
                 path, (int)owner, (int)group);
        return RS_RET_ERR;
    }
    return RS_RET_OK;
}

/* What an earlier run as another user has left there is this run's to write as well. */
static void
give_ledger(const struct parameters *parameters, uid_t owner, gid_t group)
{
    static const char *const names[] = {LEDGER_NAME, LEDGER_NAME "-wal", LEDGER_NAME "-shm"};
    char path[FILE_PATH_SIZE];

    if (owner == (uid_t)-1 && group == (gid_t)-1)
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        engine_path(path, parameters->state_directory, names[i]);
        if (lchown(path, owner, group) != 0 && errno != ENOENT)
            LogError(errno, RS_RET_ERR, "ombanmail: cannot give %s to user %d, group %d", path,
                     (int)owner, (int)group);
    }
}

static rsRetVal
open_table(const struct parameters *parameters, uid_t owner, gid_t group)
{
    char path[FILE_PATH_SIZE], ledger_path[FILE_PATH_SIZE];
    struct table_options options = {.path = path,
                                    .ledger_path = ledger_path,
                                    .capacity = parameters->capacity,
                                    .max_bans = parameters->max_bans,
                                    .owner = owner,
                                    .group = group,
                                    .now_ms = clock_now_ms(),
                                    .report = &report};
    int error;

    engine_path(path, parameters->runtime_directory, TABLE_NAME);
    engine_path(ledger_path, parameters->state_directory, LEDGER_NAME);
    error = table_open(&options, &engine.table, &engine.table_is_new);
    if (error == -EBUSY)
        LogError(0, RS_RET_ERR,
                 "ombanmail: the table %s is in use by another process (a second rsyslogd?): "
                 "nothing is counted here; give each its own runtimeDirectory",
                 path);
    else if (error != 0)
        LogError(-error, RS_RET_ERR, "ombanmail: cannot open the table %s: nothing is counted",
                 path);
    return error == 0 ? RS_RET_OK : RS_RET_ERR;
}

static void
register_jails(instanceData *instances)
{
    for (instanceData *instance = instances; instance != NULL; instance = instance->next) {
        const int index = table_jail(engine.table, &instance->parameters.jail);
        if (index >= 0)
            instance->jail_index = (unsigned)index;
        else
            LogError(-index, RS_RET_ERR,
                     "ombanmail: no room for jail %s: its failures are not counted",
                     instance->parameters.jail.name);
    }
}

/* Own addresses are known only now. */
static void
seal_allow_lists(modConfData_t *configuration)
{
    for (instanceData *instance = configuration->instances; instance != NULL;
         instance = instance->next)
        allow_seal(instance->parameters.allow);
    allow_add_own(configuration->parameters.allow);
    allow_seal(configuration->parameters.allow);
    engine.allow = configuration->parameters.allow;
}

static const struct allow *
allow_in_force(void)
{
    return engine.allow;
}

/* For banmailctl, which acts itself while no rsyslogd runs. */
static void
write_policy(const struct parameters *parameters, uid_t owner, gid_t group)
{
    struct firewall_policy policy = {.verdict = parameters->verdict};
    char path[FILE_PATH_SIZE];
    int error;

    if (parameters->set4 != NULL)
        snprintf(policy.set[FIREWALL_V4], FIREWALL_SET_SIZE, "%s", parameters->set4);
    if (parameters->set6 != NULL)
        snprintf(policy.set[FIREWALL_V6], FIREWALL_SET_SIZE, "%s", parameters->set6);
    engine_path(path, parameters->runtime_directory, TABLE_NAME);
    error = policy_write(path, &policy, owner, group);
    if (error != 0)
        LogError(-error, RS_RET_ERR, "ombanmail: cannot write %s.policy", path);
}

static void
start_keeper(const struct parameters *parameters, uid_t owner, gid_t group)
{
    const struct keeper_options options = {.table = engine.table,
                                           .report = &report,
                                           .verdict = parameters->verdict,
                                           .set4 = parameters->set4,
                                           .set6 = parameters->set6};
    int error;

    write_policy(parameters, owner, group);
    error = keeper_start(&engine.keeper, &options);
    if (error != 0)
        LogError(-error, RS_RET_ERR, "ombanmail: nobody will be banned: thread not started");
}

static void
listen_for_commands(const struct parameters *parameters, uid_t owner, gid_t group)
{
    char path[FILE_PATH_SIZE];

    engine_path(path, parameters->runtime_directory, COMMAND_SOCKET_NAME);
    engine.listen_socket = scribe_listen(path, owner, group);
    if (engine.listen_socket < 0)
        LogError(-engine.listen_socket, RS_RET_ERR,
                 "ombanmail: cannot listen on %s: banmailctl cannot ban or unban", path);
}

/* Bans of an earlier table come back before anything is counted. */
static void
restore_bans(const struct parameters *parameters)
{
    char path[FILE_PATH_SIZE];
    bool first_run = false;

    if (!engine.table_is_new)
        return;
    engine_path(path, parameters->state_directory, LEDGER_NAME);
    scribe_restore(engine.table, path, clock_now_ms(), &report, &first_run);
    if (first_run)
        engine.count_from_ms = clock_now_ms() / 1000 * 1000; /* stamps have whole seconds */
}

/* On the scribe's thread, so that no worker has to. */
static void
say_what_stamps_are_like(void)
{
    char text[STAMP_TEXT_SIZE];

    if (stamp_notice(engine.stamps, text))
        say(NULL, LOG_WARNING, text);
}

static rsRetVal
watch_stamps(const struct parameters *parameters)
{
    uint64_t key[2];

    if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
        return RS_RET_ERR;
    engine.stamps = stamp_new(key);
    engine.stamp_bounds = (struct stamp_bounds){.age_ms = parameters->max_stamp_age_s * 1000,
                                                .ahead_ms = parameters->max_stamp_ahead_s * 1000};
    if (engine.stamps == NULL)
        return RS_RET_OUT_OF_MEMORY;
    return msgPropDescrFill(&engine.received_field, UCHAR_CONSTANT("timegenerated"), 13);
}

static bool
is_allowed(const modConfData_t *configuration, const struct ban *ban)
{
    if (allow_overlaps(configuration->parameters.allow, &ban->source))
        return true;
    for (const instanceData *instance = configuration->instances; instance != NULL;
         instance = instance->next)
        if (instance->jail_index == ban->jail &&
            allow_overlaps(instance->parameters.allow, &ban->source))
            return true;
    return false;
}

/* Who has been put on the list since the last start is free now. */
static void
lift_allowed_bans(const modConfData_t *configuration)
{
    char text[SOURCE_TEXT_SIZE];
    struct table_status status;
    struct ban ban;

    table_read_status(engine.table, &status);
    for (uint32_t i = 0; i < status.max_bans; i++) {
        if (!table_read_ban(engine.table, i, &ban) ||
            (ban.state != BAN_WANTED && ban.state != BAN_ENFORCED) ||
            !is_allowed(configuration, &ban))
            continue;
        table_unban(engine.table, &ban.source, 0, clock_now_ms());
        LogMsg(0, RS_RET_OK, LOG_NOTICE, "ombanmail: the ban of %s is lifted: it is allow-listed",
               source_print(&ban.source, text));
    }
}

/* On the scribe's thread: workers say nothing. */
static void
say_news(void)
{
    char text[BACKEND_TEXT_SIZE];

    say_what_stamps_are_like();
    while (engine.backend != NULL && backend_news(engine.backend, clock_now_ms(), text))
        report_say(&report, LOG_WARNING, "%s", text);
}

static void
start_scribe(const struct parameters *parameters)
{
    char ledger_path[FILE_PATH_SIZE], socket_path[FILE_PATH_SIZE];
    const struct scribe_options options = {.table = engine.table,
                                           .keeper = engine.keeper,
                                           .ledger_path = ledger_path,
                                           .socket_path = socket_path,
                                           .allow = allow_in_force,
                                           .look = say_news,
                                           .retention_s = parameters->retention_s,
                                           .command_group = parameters->command_group,
                                           .ledger_size = parameters->ledger_size,
                                           .report = &report};

    engine_path(ledger_path, parameters->state_directory, LEDGER_NAME);
    engine_path(socket_path, parameters->runtime_directory, COMMAND_SOCKET_NAME);
    const int error = scribe_start(&engine.scribe, &options, engine.listen_socket);
    if (error != 0)
        LogError(-error, RS_RET_ERR, "ombanmail: no ledger and no commands: thread not started");
}

static void
stop_engine(void)
{
    scribe_stop(engine.scribe); /* first: it wakes the keeper */
    keeper_stop(engine.keeper);
    backend_free(engine.backend);
    table_close(engine.table);
    stamp_free(engine.stamps);
    msgPropDescrDestruct(&engine.received_field);
    engine.backend = NULL;
    engine.keeper = NULL;
    engine.scribe = NULL;
    engine.table = NULL;
    engine.allow = NULL;
    engine.stamps = NULL;
}

/* ---- rsyslog's entry points: configuration ---- */

BEGINbeginCnfLoad
    CODESTARTbeginCnfLoad
    pModConf->pConf = pConf;
    if (parameters_read_module(NULL, &pModConf->parameters) != RS_RET_OK) {
        parameters_free(&pModConf->parameters);
        free(pModConf);
        return RS_RET_OUT_OF_MEMORY;
    }
    load_configuration = pModConf;
ENDbeginCnfLoad

BEGINsetModCnf
    CODESTARTsetModCnf
    parameters_free(&load_configuration->parameters);
    CHKiRet(parameters_read_module(lst, &load_configuration->parameters));
finalize_it:
ENDsetModCnf

BEGINcreateInstance
    CODESTARTcreateInstance
ENDcreateInstance

static void
link_instance(modConfData_t *configuration, instanceData *instance)
{
    instance->next = configuration->instances;
    instance->link = &configuration->instances;
    if (instance->next != NULL)
        instance->next->link = &instance->next;
    configuration->instances = instance;
}

static void
unlink_instance(instanceData *instance)
{
    if (instance->link == NULL)
        return;
    *instance->link = instance->next;
    if (instance->next != NULL)
        instance->next->link = instance->link;
    instance->link = NULL;
}

BEGINfreeInstance
    CODESTARTfreeInstance
    unlink_instance(pData); /* rsyslog drops single actions of a configuration that it keeps */
    parameters_free(&pData->parameters);
    msgPropDescrDestruct(&pData->fields);
    msgPropDescrDestruct(&pData->class_field);
ENDfreeInstance

BEGINcreateWrkrInstance
    CODESTARTcreateWrkrInstance
ENDcreateWrkrInstance

BEGINfreeWrkrInstance
    CODESTARTfreeWrkrInstance
ENDfreeWrkrInstance

/* Two actions may feed one jail, but then they must mean the same by it. */
static bool
jail_agrees(const struct jail *jail)
{
    for (instanceData *other = load_configuration->instances; other != NULL; other = other->next) {
        const struct jail *const known = &other->parameters.jail;
        if (strcmp(known->name, jail->name) == 0 && memcmp(known, jail, sizeof(*jail)) != 0) {
            parser_errmsg(
                "ombanmail: jail=\"%s\" is refused: another action has a jail of this name "
                "with other values; give it another name, or the same values",
                jail->name);
            return false;
        }
    }
    return true;
}

static rsRetVal
describe_fields(instanceData *instance)
{
    const char *const path = instance->parameters.path;
    char class_path[256];
    DEFiRet;

    snprintf(class_path, sizeof(class_path), "%s!class", path);
    CHKiRet(msgPropDescrFill(&instance->fields, (uchar *)path, (int)strlen(path)));
    CHKiRet(msgPropDescrFill(&instance->class_field, (uchar *)class_path, (int)strlen(class_path)));
finalize_it:
    RETiRet;
}

BEGINnewActInst
    CODESTARTnewActInst
    CHKiRet(createInstance(&pData));
    CHKiRet(parameters_read_action(lst, &load_configuration->parameters, &pData->parameters));
    if (!jail_agrees(&pData->parameters.jail))
        ABORT_FINALIZE(RS_RET_PARAM_ERROR);
    pData->single = pData->parameters.jail;
    pData->single.v4_bits = 32;
    pData->single.v6_bits = 128;
    CHKiRet(describe_fields(pData));
    CODE_STD_STRING_REQUESTnewActInst(1);
    CHKiRet(OMSRsetEntry(*ppOMSR, 0, NULL, OMSR_TPL_AS_MSG));
    link_instance(load_configuration, pData);
    CODE_STD_FINALIZERnewActInst
ENDnewActInst

BEGINendCnfLoad
    CODESTARTendCnfLoad
    load_configuration = NULL;
ENDendCnfLoad

BEGINcheckCnf
    CODESTARTcheckCnf
ENDcheckCnf

BEGINactivateCnfPrePrivDrop
    const globals_t *const globals = &pModConf->pConf->globals;
    const uid_t owner = globals->uidDropPriv == 0 ? (uid_t)-1 : (uid_t)globals->uidDropPriv;
    const gid_t group = globals->gidDropPriv == 0 ? (gid_t)-1 : (gid_t)globals->gidDropPriv;
    const gid_t readers =
        pModConf->parameters.group == (gid_t)-1 ? group : pModConf->parameters.group;
    const gid_t commanders = pModConf->parameters.command_group == (gid_t)-1
                                 ? group
                                 : pModConf->parameters.command_group;
    CODESTARTactivateCnfPrePrivDrop
    if (pModConf->instances == NULL)
        FINALIZE; /* loaded, but no action: nothing to do */
    CHKiRet(make_directory(pModConf->parameters.runtime_directory, 0755, owner, group));
    CHKiRet(make_directory(pModConf->parameters.state_directory, 0750, owner, readers));
    /* set-group-ID: what a dropped rsyslogd makes there belongs to the readers too */
    if (pModConf->parameters.group != (gid_t)-1 &&
        chmod(pModConf->parameters.state_directory, 02750) != 0)
        LogError(errno, RS_RET_ERR, "ombanmail: the group cannot read %s",
                 pModConf->parameters.state_directory);
    give_ledger(&pModConf->parameters, owner, readers);
    CHKiRet(open_table(&pModConf->parameters, owner, readers));
    pModConf->active = true;
    CHKiRet(watch_stamps(&pModConf->parameters));
    engine.backend = backend_new(engine.table);
    engine.evidence = pModConf->parameters.evidence;
    table_set_ban_rate(engine.table, pModConf->parameters.max_ban_rate);
    register_jails(pModConf->instances);
    table_set_manual_ports(engine.table, &pModConf->parameters.jail.ports);
    listen_for_commands(&pModConf->parameters, owner, commanders);
    start_keeper(&pModConf->parameters, owner, group);
finalize_it:
ENDactivateCnfPrePrivDrop

BEGINactivateCnf
    CODESTARTactivateCnf
    if (!pModConf->active)
        FINALIZE;
    seal_allow_lists(pModConf);
    restore_bans(&pModConf->parameters);
    lift_allowed_bans(pModConf);
    if (engine.keeper != NULL)
        keeper_release(engine.keeper);
    start_scribe(&pModConf->parameters);
finalize_it:
ENDactivateCnf

BEGINfreeCnf
    CODESTARTfreeCnf
    if (pModConf != NULL) {
        if (pModConf->active)
            stop_engine();
        while (pModConf->instances != NULL)
            unlink_instance(pModConf->instances);
        parameters_free(&pModConf->parameters);
    }
ENDfreeCnf

/* ---- rsyslog's entry points: the rest ---- */

BEGINdbgPrintInstInfo
    CODESTARTdbgPrintInstInfo
    dbgprintf("ombanmail: jail %s\n", pData->parameters.jail.name);
ENDdbgPrintInstInfo

BEGINtryResume
    CODESTARTtryResume
ENDtryResume

/* Merged lines are counted as often as they came: see mail.conf. */
BEGINisCompatibleWithFeature
    CODESTARTisCompatibleWithFeature
    if (eFeat == sFEATURERepeatedMsgReduction)
        iRet = RS_RET_OK;
ENDisCompatibleWithFeature

/* What the threads have counted. */
static void
read_thread_statistics(void)
{
    struct keeper_statistics keeper = {0};
    struct scribe_statistics scribe = {0};
    struct backend_statistics backend = {0};

    if (engine.keeper != NULL)
        keeper_read_statistics(engine.keeper, &keeper);
    if (engine.scribe != NULL)
        scribe_read_statistics(engine.scribe, &scribe);
    if (engine.backend != NULL)
        backend_read_statistics(engine.backend, clock_now_ms(), &backend);
    statistics_set(STATISTIC_ENFORCED, keeper.enforced);
    statistics_set(STATISTIC_REMOVED, keeper.removed);
    statistics_set(STATISTIC_REFUSED, keeper.refused);
    statistics_set(STATISTIC_PENDING, keeper.pending);
    statistics_set(STATISTIC_LEDGER_WRITTEN, scribe.written);
    statistics_set(STATISTIC_LEDGER_ERRORS, scribe.errors);
    statistics_set(STATISTIC_USERS_UNKNOWN, backend.unknown);
    statistics_set(STATISTIC_BACKEND_FAULTS, backend.faults);
    statistics_set(STATISTIC_BACKEND_SUSPENDED, backend.suspended);
    statistics_set(STATISTIC_BACKEND_HELD, backend.held);
    statistics_set(STATISTIC_BACKEND_WITHDRAWN, backend.withdrawn);
    statistics_set(STATISTIC_BACKEND_BANS_WITHDRAWN, backend.lifted);
}

static rsRetVal
check_version(void)
{
    char running[VERSION_SIZE];

    if (version_running(running) == 0 && strcmp(running, RSYSLOG_BUILD_VERSION) == 0)
        return RS_RET_OK;
    LogError(0, RS_RET_MODULE_LOAD_ERR_INIT_FAILED,
             "ombanmail: built for rsyslogd %s, but this is rsyslogd %s: not loaded; build it "
             "again with the headers of the running version (./quickstart install)",
             RSYSLOG_BUILD_VERSION, version_running(running) == 0 ? running : "of unknown version");
    return RS_RET_MODULE_LOAD_ERR_INIT_FAILED;
}

BEGINmodExit
    CODESTARTmodExit
    statistics_close();
ENDmodExit

NO_LEGACY_CONF_parseSelectorAct

BEGINqueryEtryPt
    CODESTARTqueryEtryPt
    CODEqueryEtryPt_STD_OMOD_QUERIES
    CODEqueryEtryPt_STD_OMOD8_QUERIES
    CODEqueryEtryPt_STD_CONF2_OMOD_QUERIES
    CODEqueryEtryPt_STD_CONF2_setModCnf_QUERIES
    CODEqueryEtryPt_STD_CONF2_QUERIES
    CODEqueryEtryPt_STD_CONF2_PREPRIVDROP_QUERIES
ENDqueryEtryPt

BEGINmodInit()
    CODESTARTmodInit
    *ipIFVersProvided = CURR_MOD_IF_VERSION;
    CHKiRet(check_version());
    CHKiRet(statistics_open(read_thread_statistics));
ENDmodInit
