/* command: what banmailctl may ask for, and the answer.
 *
 * A request is read as strictly as if anybody had sent it: a member that we do not know refuses
 * the whole request, because a newer banmailctl may mean by it a limit ("only this jail") that
 * must not be passed over in silence. The answer repeats nothing of a request that is not
 * printable ASCII, and quotation marks become ', so that it needs no escaping.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "control/command.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <json.h>

#include "line/evidence.h"
#include "base/clock.h"
#include "count/counter.h"
#include "base/object.h"
#include "fleet/telegram.h"
#include "ledger/event.h"
#include "rules/allow-added.h"
#include "rules/allow-names.h"
#include "table/table-evidence.h"
#include "table/table-health.h"

/* The widest prefixes that a jail may count by are the widest that may be banned by hand: more
 * than the largest block that one holder ever got (IPv4 /8) is a slip of the finger. */
#define V4_BITS_LEAST JAIL_V4_BITS_MIN
#define V6_BITS_LEAST JAIL_V6_BITS_MIN

#define SECONDS_MAX   (INT64_C(100) * 366 * 24 * 3600) /* a hundred years */

#define COMMANDS                                                                                   \
    "ban, unban, pause, resume, allowed, allow, disallow, repair, resync, forget, "                \
    "learn and learned"

/* ---- answers ---- */

/* What kind of refusal it is, for programs; the sentence is for people. */
static const char *
code_of(int error)
{
    switch (error) {
    case -EACCES:
        return COMMAND_DENIED;
    case -EINVAL:
    case -EMSGSIZE:
        return COMMAND_INVALID;
    case -EPERM:
        return COMMAND_PROTECTED;
    case -ENOSPC:
        return COMMAND_FULL;
    default:
        return COMMAND_FAILED;
    }
}

static int answer_error(char *answer, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int
answer_error(char *answer, int error, const char *format, ...)
{
    char text[COMMAND_SIZE - 96]; /* 96: what stands around it */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (char *byte = text; *byte != '\0'; byte++) {
        if (*byte == '"' || *byte == '\\')
            *byte = '\'';
        else if (*byte < ' ' || *byte > '~')
            *byte = '?';
    }
    snprintf(answer, COMMAND_SIZE, "{\"done\":false,\"code\":\"%s\",\"error\":\"%s\"}\n",
             code_of(error), text);
    return error;
}

void
command_deny(uid_t caller, uid_t ours, char answer[COMMAND_SIZE])
{
    answer_error(answer, -EACCES,
                 "user id %lu may not command: root may, user id %lu, which rsyslogd runs as, and "
                 "the members of commandGroup",
                 (unsigned long)caller, (unsigned long)ours);
}

static int
answer_done(char *answer, unsigned bans)
{
    snprintf(answer, COMMAND_SIZE, "{\"done\":true,\"bans\":%u}\n", bans);
    return (int)bans;
}

/* ---- requests ---- */

struct request {
    char command[16];
    struct source source;
    char source_text[SOURCE_TEXT_SIZE]; /* as we print it */
    char jail[JAIL_NAME_SIZE];          /* "": all */
    char user[EVIDENCE_USER_SIZE];
    char host[TELEGRAM_NAME_SIZE]; /* "": all */
    bool has_source;
    bool forever;
    int64_t seconds;
    int64_t caller; /* on whose behalf */
};

/* What a command may and must be given. */
enum {
    TAKES_SOURCE = 1,
    TAKES_SECONDS = 2,
    TAKES_JAIL = 4,
    TAKES_USER = 8,
    NEEDS_SOURCE = 16,
    TAKES_HOST = 32
};

/* Returns the first member that is none of ours, or NULL. */
static const char *
unknown_member(struct fjson_object *object)
{
    static const char *const known[] = {"command", "source", "seconds", "jail",
                                        "user",    "caller", "host"};
    struct fjson_object_iterator at = fjson_object_iter_begin(object);
    struct fjson_object_iterator end = fjson_object_iter_end(object);

    for (; !fjson_object_iter_equal(&at, &end); fjson_object_iter_next(&at)) {
        const char *name = fjson_object_iter_peek_name(&at);
        bool found = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            found = found || strcmp(name, known[i]) == 0;
        if (!found)
            return name;
    }
    return NULL;
}

static int
read_source(struct fjson_object *object, struct request *request, char *answer)
{
    char text[SOURCE_TEXT_SIZE];
    int result = object_text(object, "source", text, sizeof(text));
    request->has_source = result != -ENOENT;
    if (!request->has_source)
        return 0;
    if (result < 0)
        return answer_error(answer, -EINVAL,
                            "source is missing, or is neither an address nor ADDRESS/BITS");
    if (source_parse_prefix(text, strlen(text), &request->source) < 0)
        return answer_error(answer, -EINVAL, "'%s' is neither an address nor ADDRESS/BITS", text);
    source_print(&request->source, request->source_text);
    return 0;
}

/* Only root is believed that another asks. */
static int
read_caller(const struct command_context *context, struct fjson_object *object,
            struct request *request, char *answer)
{
    const int result = object_integer(object, "caller", 0, UINT32_MAX - 1, &request->caller);

    if (result == -EINVAL || (result == 0 && context->caller != 0))
        return answer_error(answer, -EINVAL,
                            "caller is not a user id, or somebody other than root names it");
    if (result == -ENOENT)
        request->caller = context->caller;
    return 0;
}

static int
read_request(struct fjson_object *object, struct request *request, char *answer)
{
    const char *unknown = unknown_member(object);
    if (unknown != NULL)
        return answer_error(answer, -EINVAL,
                            "this rsyslogd's ombanmail does not know the member '%.32s'", unknown);
    if (object_text(object, "command", request->command, sizeof(request->command)) < 0)
        return answer_error(answer, -EINVAL, "no command; there are " COMMANDS);
    if (object_text(object, "jail", request->jail, sizeof(request->jail)) == -EINVAL)
        return answer_error(answer, -EINVAL, "jail is no name of a jail");
    if (object_text(object, "user", request->user, sizeof(request->user)) == -EINVAL)
        return answer_error(answer, -EINVAL, "user is no name as it is kept");
    if (object_text(object, "host", request->host, sizeof(request->host)) == -EINVAL)
        return answer_error(answer, -EINVAL, "host is no name of a host");
    int result = read_source(object, request, answer);
    if (result < 0)
        return result;

    result = object_integer(object, "seconds", 1, SECONDS_MAX, &request->seconds);
    request->forever = result == -ENOENT;
    if (result == -EINVAL)
        return answer_error(answer, -EINVAL,
                            "seconds is not a whole number from 1 to %lld (without it: for ever)",
                            (long long)SECONDS_MAX);
    return 0;
}

/* A member that the command cannot heed is refused: it may have been meant as a limit. */
static int
check_members(const struct request *request, unsigned takes, char *answer)
{
    const struct {
        unsigned flag;
        bool is_given;
        const char *name;
    } members[] = {
        {TAKES_SOURCE, request->has_source, "source"},
        {TAKES_SECONDS, !request->forever, "seconds"},
        {TAKES_JAIL, request->jail[0] != '\0', "jail"},
        {TAKES_USER, request->user[0] != '\0', "user"},
        {TAKES_HOST, request->host[0] != '\0', "host"},
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (members[i].is_given && !(takes & members[i].flag))
            return answer_error(answer, -EINVAL, "%s takes no %s", request->command,
                                members[i].name);
    if ((takes & NEEDS_SOURCE) && !request->has_source)
        return answer_error(answer, -EINVAL,
                            "source is missing, or is neither an address nor ADDRESS/BITS");
    return 0;
}

/* Whether it is an address of this machine, which is allow-listed whatever ignoreip has. */
static bool
is_our_own(const struct source *source)
{
    struct allow *own = allow_new();
    bool is_own = false;

    if (own != NULL && allow_add_own(own) == 0) {
        allow_seal(own);
        is_own = allow_match(own, source, NULL);
    }
    allow_free(own);
    return is_own;
}

/* Why this source may not be banned goes into the answer. */
static int
refuse_ban(const struct command_context *context, const struct request *request, char *answer)
{
    const struct source *source = &request->source;
    unsigned least = source_is_v4(source) ? V4_BITS_LEAST : V6_BITS_LEAST;
    if (source_bits(source) < least)
        return answer_error(answer, -EINVAL, "%s is too wide: /%u is the widest that can be banned",
                            request->source_text, least);
    if (!source_is_client(source))
        return answer_error(answer, -EINVAL, "%s is no client's address", request->source_text);

    struct source entry;
    char text[SOURCE_TEXT_SIZE];
    if (context->allow != NULL && allow_match(context->allow, source, NULL) && is_our_own(source))
        return answer_error(answer, -EPERM, "%s is an address of this machine: it is never banned",
                            request->source_text);
    if (context->allow != NULL && allow_match(context->allow, source, &entry))
        return answer_error(
            answer, -EPERM,
            "%s is allow-listed by %s: take that out of ignoreip first, or off with "
            "banmailctl allow del",
            request->source_text, source_print(&entry, text));
    if (context->allow != NULL && allow_overlaps(context->allow, source))
        return answer_error(answer, -EPERM,
                            "within %s there are addresses that are allow-listed or our own: ban "
                            "smaller prefixes beside them",
                            request->source_text);
    return 0;
}

/* TABLE_JAILS_MAX: there is none of this name. */
static unsigned
find_jail(const struct command_context *context, const char *name, struct jail *jail)
{
    unsigned index = 0;

    while (index < TABLE_JAILS_MAX &&
           !(table_read_jail(context->table, index, jail) && strcmp(jail->name, name) == 0))
        index++;
    return index;
}

static int64_t
until_of(const struct request *request, const struct jail *jail, int64_t now_ms)
{
    const int64_t seconds = request->forever ? jail->bantime_s : request->seconds;

    return seconds == JAIL_FOREVER ? TABLE_FOREVER_MS : now_ms + seconds * 1000;
}

static int
run_ban(const struct command_context *context, const struct request *request, char *answer)
{
    int result = refuse_ban(context, request, answer);
    struct jail jail = {.bantime_s = JAIL_FOREVER};
    unsigned index = TABLE_JAIL_MANUAL, users;
    if (result < 0)
        return result;
    if (request->jail[0] != '\0')
        index = find_jail(context, request->jail, &jail);
    if (index == TABLE_JAILS_MAX)
        return answer_error(answer, -EINVAL, "there is no jail '%s'", request->jail);
    if (index == TABLE_JAIL_MANUAL)
        jail.bantime_s = JAIL_FOREVER;

    const struct ban ban = {
        .source = request->source,
        .jail = (uint8_t)index,
        .origin = BAN_BY_HAND,
        .made_by = (uint32_t)request->caller + 1,
        .first_ms = context->now_ms,
        .since_ms = context->now_ms,
        .until_ms = until_of(request, &jail, context->now_ms),
    };
    result = table_ban(context->table, &ban, context->now_ms);
    if (result == -ENOSPC)
        return answer_error(answer, result,
                            "the table is full of bans: raise maxBans, or unban some first");
    if (result < 0)
        return answer_error(answer, result, "%s cannot be banned: %s", request->source_text,
                            strerror(-result));
    if (context->gateways != NULL &&
        gateway_find(context->gateways, &request->source, context->now_ms, &users) != GATEWAY_NONE)
        snprintf(answer, COMMAND_SIZE, "{\"done\":true,\"bans\":1,\"users\":%u}\n", users);
    else
        answer_done(answer, 1);
    return 1;
}

/* When the last ban that an unban of the source lifts would have ended, whoever made it; 0: there
 * is none. */
static int64_t
last_end(const struct table *table, const struct source *source)
{
    struct table_status status;
    int64_t last_ms = 0;
    struct ban ban;

    table_read_status(table, &status);
    for (uint32_t i = 0; i < status.max_bans; i++)
        if (table_read_ban(table, i, &ban) && ban.end == BAN_RUNNING && ban.until_ms > last_ms &&
            (source_contains(source, &ban.source) || source_contains(&ban.source, source)))
            last_ms = ban.until_ms;
    return last_ms;
}

/* A fleet is told where nobody is banned here as well: it may be so elsewhere. */
static int
unban_everywhere(const struct command_context *context, const struct request *request, char *answer)
{
    const int64_t until_ms =
        context->pardon == NULL ? 0 : last_end(context->table, &request->source);
    const unsigned lifted =
        table_unban(context->table, &request->source, (uint32_t)request->caller, context->now_ms);

    if (context->pardon != NULL)
        context->pardon(&request->source, until_ms);
    return answer_done(answer, lifted);
}

static int
run_unban(const struct command_context *context, const struct request *request, char *answer)
{
    struct jail jail;
    unsigned index;
    if (request->jail[0] == '\0')
        return unban_everywhere(context, request, answer);
    index = find_jail(context, request->jail, &jail);
    if (index == TABLE_JAILS_MAX)
        return answer_error(answer, -EINVAL, "there is no jail '%s'", request->jail);
    return answer_done(answer, table_unban_jail(context->table, &request->source, index,
                                                (uint32_t)request->caller, context->now_ms));
}

/* One change that the enforcer has to hear of. */
static int
run_pause(const struct command_context *context, const struct request *request, char *answer)
{
    table_pause(context->table,
                request->forever ? TABLE_FOREVER_MS : context->now_ms + request->seconds * 1000);
    return answer_done(answer, 1);
}

static int
run_resume(const struct command_context *context, const struct request *request, char *answer)
{
    struct table_health health;
    (void)request;
    table_read_health(context->table, context->now_ms, &health);
    if (health.paused_until_ms == 0)
        return answer_done(answer, 0);
    table_pause(context->table, 0);
    return answer_done(answer, 1);
}

/* Whether one jail alone allows it. */
static bool
is_allowed_in(const struct command_context *context, unsigned index, const struct source *source,
              struct source *entry, struct jail *jail)
{
    return context->is_allowed_in_jail != NULL && table_read_jail(context->table, index, jail) &&
           context->is_allowed_in_jail(index, source, entry);
}

/* The member `name`, with its comma, where the source is allow-listed by a name; else "". */
static const char *
name_member(const struct command_context *context, const struct source *source,
            char member[ALLOW_NAME_SIZE + 16])
{
    char name[ALLOW_NAME_SIZE];

    member[0] = '\0';
    if (context->find_allowed_name != NULL && context->find_allowed_name(source, name))
        snprintf(member, ALLOW_NAME_SIZE + 16, ",\"name\":\"%s\"", name);
    return member;
}

/* The entry of the allow list that holds the source, or null. */
static int
run_allowed(const struct command_context *context, const struct request *request, char *answer)
{
    char text[SOURCE_TEXT_SIZE], member[ALLOW_NAME_SIZE + 16];
    struct source entry;
    struct jail jail;
    unsigned index = 0;
    name_member(context, &request->source, member);
    if (context->allow != NULL && allow_match(context->allow, &request->source, &entry))
        snprintf(answer, COMMAND_SIZE, "{\"done\":true,\"bans\":0,\"entry\":\"%s\"%s}\n",
                 source_print(&entry, text), member);
    else {
        while (index < TABLE_JAILS_MAX &&
               !is_allowed_in(context, index, &request->source, &entry, &jail))
            index++;
        if (index < TABLE_JAILS_MAX)
            snprintf(answer, COMMAND_SIZE,
                     "{\"done\":true,\"bans\":0,\"entry\":\"%s\",\"jail\":\"%s\"%s}\n",
                     source_print(&entry, text), jail.name, member);
        else
            snprintf(answer, COMMAND_SIZE, "{\"done\":true,\"bans\":0,\"entry\":null}\n");
    }
    return 0;
}

static int
answer_changed(const struct command_context *context, const struct request *request, int changed,
               char *answer)
{
    unsigned lifted = 0;
    if (changed < 0)
        return answer_error(answer, changed, "the allow list cannot be written: %s",
                            strerror(-changed));
    if (strcmp(request->command, "allow") == 0)
        lifted = table_unban(context->table, &request->source, (uint32_t)request->caller,
                             context->now_ms);
    snprintf(answer, COMMAND_SIZE, "{\"done\":true,\"bans\":%u,\"changed\":%s}\n", lifted,
             changed ? "true" : "false");
    return (int)lifted;
}

/* Who is allowed by mistake is seldom missed: what is too wide to be banned is too wide here. */
static int
run_allow(const struct command_context *context, const struct request *request, char *answer)
{
    const struct source *source = &request->source;
    unsigned least = source_is_v4(source) ? V4_BITS_LEAST : V6_BITS_LEAST;
    char stamp[EVENT_STAMP_SIZE], note[ALLOW_ADDED_NOTE_SIZE];
    if (source_bits(source) < least)
        return answer_error(answer, -EINVAL,
                            "%s is too wide: /%u is the widest that can be allow-listed here; "
                            "ignoreip takes wider ones",
                            request->source_text, least);
    if (context->change_allow == NULL)
        return answer_error(answer, -ENOSYS, "nothing can be allow-listed here");
    snprintf(note, sizeof(note), "%s by user id %lu", event_stamp(context->now_ms, stamp),
             (unsigned long)request->caller);
    return answer_changed(context, request, context->change_allow(context->closure, source, note),
                          answer);
}

static int
run_disallow(const struct command_context *context, const struct request *request, char *answer)
{
    if (context->change_allow == NULL)
        return answer_error(answer, -ENOSYS, "nothing can be allow-listed here");
    return answer_changed(context, request,
                          context->change_allow(context->closure, &request->source, NULL), answer);
}

/* Answers how much was erased; changes no ban. */
static int
run_forget(const struct command_context *context, const struct request *request, char *answer)
{
    const struct source *source = request->has_source ? &request->source : NULL;
    const char *user = request->user[0] != '\0' ? request->user : NULL;
    if (source == NULL && user == NULL)
        return answer_error(answer, -EINVAL, "forget needs a source or a user");
    unsigned lines = table_forget_evidence(context->table, source, user);
    int rows = context->forget != NULL ? context->forget(context->closure, source, user) : 0;
    if (rows < 0)
        return answer_error(answer, rows,
                            "%u lines are erased from memory, but the ledger could not be "
                            "changed; see banmailctl status, and try again",
                            lines);
    snprintf(answer, COMMAND_SIZE, "{\"done\":true,\"bans\":0,\"erased\":%u}\n",
             lines + (unsigned)rows);
    return 0;
}

/* At least one changed, so that the enforcer is woken. */
static int
run_repair(const struct command_context *context, const struct request *request, char *answer)
{
    (void)request;
    table_want_rebuild(context->table);
    return answer_done(answer, (unsigned)table_want_all(context->table) + 1);
}

/* For each jail, as the lines would have been noted: docs/kindness.md. Networks of the same length
 * once, so that the users of one are not noted twice. */
static void
learn(const struct command_context *context, const struct source *client,
      const struct table_merit *merit)
{
    struct source noted = {.prefix = 255};
    struct jail jail;

    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++) {
        struct source source;

        if (!table_read_jail(context->table, i, &jail) || jail.classes == 0)
            continue;
        source = source_mask(client, jail.v4_bits, jail.v6_bits);
        table_note_merit(context->table, i, &jail, &source, merit, context->now_ms);
        if (merit->user_hash != 0 && source.prefix != noted.prefix)
            table_note_user(context->table, &source, merit->user_hash, merit->stamp_ms,
                            context->now_ms);
        noted = source;
    }
}

/* That a client has logged in as `user`, or without that, that mail was taken from it, so many
 * seconds ago. */
static int
run_learn(const struct command_context *context, const struct request *request, char *answer)
{
    const struct table_merit merit = {
        .is_login = request->user[0] != '\0',
        .user_hash =
            request->user[0] != '\0' ? counter_hash_user(request->user, strlen(request->user)) : 0,
        .stamp_ms = context->now_ms - request->seconds * 1000,
    };

    if (request->forever || request->seconds > JAIL_LATELY_S ||
        request->source.prefix != SOURCE_HOST_PREFIX || !source_is_client(&request->source))
        return answer_error(answer, -EINVAL,
                            "learn needs a client's address, and seconds of at most %d",
                            JAIL_LATELY_S);
    learn(context, &request->source, &merit);
    return answer_done(answer, 0);
}

/* What was learned makes up for the learning time. */
static int
run_learned(const struct command_context *context, const struct request *request, char *answer)
{
    (void)request;
    table_learn_until(context->table, 0);
    return answer_done(answer, 0);
}

/* Changes no ban here. */
static int
run_resync(const struct command_context *context, const struct request *request, char *answer)
{
    const int hosts = context->resync == NULL
                          ? -ENOTSUP
                          : context->resync(request->host[0] == '\0' ? NULL : request->host);

    if (hosts < 0)
        return answer_error(answer, -EINVAL, "this is no centre: fleetRuleset names no ruleset");
    if (hosts == 0 && request->host[0] != '\0')
        return answer_error(answer, -EINVAL, "no host of the name %s has reported", request->host);
    snprintf(answer, COMMAND_SIZE, "{\"done\":true,\"bans\":0,\"hosts\":%d}\n", hosts);
    return 0;
}

static const struct {
    const char *name;
    unsigned takes;
    int (*run)(const struct command_context *context, const struct request *request, char *answer);
} commands[] = {
    {"ban", TAKES_SOURCE | TAKES_SECONDS | TAKES_JAIL | NEEDS_SOURCE, run_ban},
    {"unban", TAKES_SOURCE | TAKES_JAIL | NEEDS_SOURCE, run_unban},
    {"pause", TAKES_SECONDS, run_pause},
    {"resume", 0, run_resume},
    {"allowed", TAKES_SOURCE | NEEDS_SOURCE, run_allowed},
    {"allow", TAKES_SOURCE | NEEDS_SOURCE, run_allow},
    {"disallow", TAKES_SOURCE | NEEDS_SOURCE, run_disallow},
    {"repair", 0, run_repair},
    {"resync", TAKES_HOST, run_resync},
    {"forget", TAKES_SOURCE | TAKES_USER, run_forget},
    {"learn", TAKES_SOURCE | TAKES_SECONDS | TAKES_USER | NEEDS_SOURCE, run_learn},
    {"learned", 0, run_learned},
};

int
command_run(const struct command_context *context, const char *request, size_t length, char *answer)
{
    if (length > COMMAND_SIZE)
        return answer_error(answer, -EMSGSIZE, "a request has at most %d bytes", COMMAND_SIZE);
    struct fjson_object *object = object_parse_strict(request, length);
    if (object == NULL)
        return answer_error(answer, -EINVAL,
                            "a request is one object of JSON on one line, each key once");

    struct request parsed = {0};
    int result = read_request(object, &parsed, answer);
    if (result == 0)
        result = read_caller(context, object, &parsed, answer);
    fjson_object_put(object);
    if (result < 0)
        return result;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(parsed.command, commands[i].name) != 0)
            continue;
        result = check_members(&parsed, commands[i].takes, answer);
        return result < 0 ? result : commands[i].run(context, &parsed, answer);
    }
    return answer_error(answer, -EINVAL, "'%s' is no command; there are " COMMANDS, parsed.command);
}

/* ---- banmailctl's end ---- */

/* Connecting waits where the queue of a busy recorder is full: that is bounded by SO_SNDTIMEO. */
static int
connect_to(const char *socket_path, int timeout_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    if (strlen(socket_path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, socket_path);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = errno;
        close(fd);
        return error == EAGAIN ? -ETIMEDOUT : -error;
    }
    return fd;
}

/* Sends all of it, with a newline. That the other end hung up is no reason to stop: it may have
 * answered a refusal first. */
static int
send_line(int fd, const char *request)
{
    char line[COMMAND_SIZE];
    size_t length = strcspn(request, "\n");
    if (length + 1 > sizeof(line))
        return -EMSGSIZE;
    memcpy(line, request, length);
    line[length++] = '\n';

    for (size_t sent = 0; sent < length;) {
        ssize_t n = send(fd, line + sent, length - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return 0;
        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        sent += (size_t)n;
    }
    return 0;
}

static int
receive_line(int fd, char answer[COMMAND_SIZE], int64_t deadline_ms)
{
    size_t used = 0;
    while (used < COMMAND_SIZE - 1) {
        int64_t left_ms = deadline_ms - clock_steady_ms();
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (left_ms < 0)
            return -ETIMEDOUT;
        if (poll(&ready, 1, (int)left_ms) <= 0)
            continue; /* the deadline decides, also after a signal */
        ssize_t n = recv(fd, answer + used, COMMAND_SIZE - 1 - used, MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EPROTO;
        used += (size_t)n;
        answer[used] = '\0';
        if (memchr(answer, '\n', used) != NULL)
            return 0;
    }
    return -EPROTO;
}

int
command_send(const char *socket_path, const char *request, char answer[COMMAND_SIZE],
             int timeout_ms)
{
    int64_t deadline_ms = clock_steady_ms() + timeout_ms;
    int fd = connect_to(socket_path, timeout_ms);
    if (fd < 0)
        return fd;
    int result = send_line(fd, request);
    if (result == 0)
        result = receive_line(fd, answer, deadline_ms);
    close(fd);
    return result;
}
