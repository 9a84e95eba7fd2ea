/* command: what banmailctl may ask for, and the answer.
 *
 * A request is read as strictly as if anybody had sent it: a member that we do not know refuses
 * the whole request, because a newer banmailctl may mean by it a limit ("only this jail") that
 * must not be passed over in silence. The answer repeats nothing of a request that is not
 * printable ASCII, and quotation marks become ', so that it needs no escaping.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"

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

#include "object.h"

/* The widest prefixes that a jail may count by are the widest that may be banned by hand: more
 * than the largest block that one holder ever got (IPv4 /8) is a slip of the finger. */
#define V4_BITS_LEAST 8
#define V6_BITS_LEAST 16

#define SECONDS_MAX   (INT64_C(100) * 366 * 24 * 3600) /* a hundred years */

/* ---- answers ---- */

static int answer_error(char *answer, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int
answer_error(char *answer, int error, const char *format, ...)
{
    char text[COMMAND_SIZE - 64]; /* 64: what stands around it */
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
    snprintf(answer, COMMAND_SIZE, "{\"done\":false,\"error\":\"%s\"}\n", text);
    return error;
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
    bool forever;
    int64_t seconds;
};

/* Returns the first member that is none of ours, or NULL. */
static const char *
unknown_member(struct fjson_object *object)
{
    static const char *const known[] = {"command", "source", "seconds"};
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
read_request(struct fjson_object *object, struct request *request, char *answer)
{
    char text[SOURCE_TEXT_SIZE];
    const char *unknown = unknown_member(object);
    if (unknown != NULL)
        return answer_error(answer, -EINVAL,
                            "this rsyslogd's ombanmail does not know the member '%.32s'", unknown);
    if (object_text(object, "command", request->command, sizeof(request->command)) < 0)
        return answer_error(answer, -EINVAL, "no command; there are ban and unban");
    if (object_text(object, "source", text, sizeof(text)) < 0)
        return answer_error(answer, -EINVAL, "no source, or not an address nor ADDRESS/BITS");
    if (source_parse_prefix(text, strlen(text), &request->source) < 0)
        return answer_error(answer, -EINVAL, "'%s' is neither an address nor ADDRESS/BITS", text);
    source_print(&request->source, request->source_text);

    int result = object_integer(object, "seconds", 1, SECONDS_MAX, &request->seconds);
    request->forever = result == -ENOENT;
    if (result == -EINVAL)
        return answer_error(answer, -EINVAL,
                            "seconds is not a whole number from 1 to %lld (none: for ever)",
                            (long long)SECONDS_MAX);
    return 0;
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
    if (context->allow != NULL && allow_match(context->allow, source, &entry))
        return answer_error(answer, -EPERM,
                            "%s is allow-listed by %s: take that out of ignoreip first",
                            request->source_text, source_print(&entry, text));
    if (context->allow != NULL && allow_overlaps(context->allow, source))
        return answer_error(answer, -EPERM,
                            "within %s there are addresses that are allow-listed or our own: ban "
                            "smaller prefixes beside them",
                            request->source_text);
    return 0;
}

static int
run_ban(const struct command_context *context, const struct request *request, char *answer)
{
    int result = refuse_ban(context, request, answer);
    if (result < 0)
        return result;

    const struct ban ban = {
        .source = request->source,
        .jail = TABLE_JAIL_MANUAL,
        .origin = BAN_BY_HAND,
        .first_ms = context->now_ms,
        .since_ms = context->now_ms,
        .until_ms = request->forever ? TABLE_FOREVER_MS : context->now_ms + request->seconds * 1000,
    };
    result = table_ban(context->table, &ban, context->now_ms);
    if (result == -ENOSPC)
        return answer_error(answer, result,
                            "the table is full of bans: raise maxBans, or unban some first");
    if (result < 0)
        return answer_error(answer, result, "%s cannot be banned: %s", request->source_text,
                            strerror(-result));
    return answer_done(answer, 1);
}

static int
run_unban(const struct command_context *context, const struct request *request, char *answer)
{
    if (!request->forever)
        return answer_error(answer, -EINVAL, "an unban takes no seconds");
    return answer_done(
        answer, table_unban(context->table, &request->source, context->caller, context->now_ms));
}

int
command_run(const struct command_context *context, const char *request, size_t length, char *answer)
{
    if (length > COMMAND_SIZE)
        return answer_error(answer, -EMSGSIZE, "a request has at most %d bytes", COMMAND_SIZE);
    struct fjson_object *object = object_parse(request, length);
    if (object == NULL)
        return answer_error(answer, -EINVAL, "a request is one object of JSON on one line");

    struct request parsed = {0};
    int result = read_request(object, &parsed, answer);
    fjson_object_put(object);
    if (result < 0)
        return result;
    if (strcmp(parsed.command, "ban") == 0)
        return run_ban(context, &parsed, answer);
    if (strcmp(parsed.command, "unban") == 0)
        return run_unban(context, &parsed, answer);
    return answer_error(answer, -EINVAL, "'%s' is no command; there are ban and unban",
                        parsed.command);
}

/* ---- banmailctl's end ---- */

static int64_t
monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Connecting waits where the queue of a busy scribe is full: that is bounded by SO_SNDTIMEO. */
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
        int64_t left_ms = deadline_ms - monotonic_ms();
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
    int64_t deadline_ms = monotonic_ms() + timeout_ms;
    int fd = connect_to(socket_path, timeout_ms);
    if (fd < 0)
        return fd;
    int result = send_line(fd, request);
    if (result == 0)
        result = receive_line(fd, answer, deadline_ms);
    close(fd);
    return result;
}
