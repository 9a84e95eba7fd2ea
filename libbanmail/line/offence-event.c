/* offence-event: Dovecot's exported events, distrusted.
 *
 * Dovecot escapes what a client wrote, so within a string of JSON no quotation mark stands alone:
 * the text `"remote_ip":` is a key and nothing else. libfastjson lets the last of two equal keys
 * win in silence; a key that matters may therefore be in the text only once.
 *
 * A line of more than 4 kB is cut by Dovecot into several, each with the process's name in front.
 * Neither part is an object, so a long name hides an event but never makes one.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "line/offence-event.h"

#include <errno.h>
#include <json.h>
#include <string.h>

#include "base/object.h"

#define LOGIN_NAME_MAX 80 /* a login process writes no more of a name */

/* Which login process asked, by what Dovecot calls the protocol. Postfix's smtpd asks as `smtp`. */
static const struct {
    const char *protocol, *process;
} login_processes[] = {
    {"imap", "imap-login"},
    {"pop3", "pop3-login"},
    {"submission", "submission-login"},
    {"sieve", "managesieve-login"},
    {"imap-urlauth", "imap-urlauth-login"},
};

static bool
is_given_twice(const char *text, const char *key)
{
    const char *const first = strstr(text, key);

    return first != NULL && strstr(first + 1, key) != NULL;
}

static bool
has_text(struct fjson_object *fields, const char *key, const char *expected)
{
    char text[64];

    return object_text(fields, key, text, sizeof text) == 0 && strcmp(text, expected) == 0;
}

/* Dovecot 2.4 renamed `service` to `protocol`. */
static const char *
login_process(struct fjson_object *fields)
{
    const size_t count = sizeof login_processes / sizeof login_processes[0];

    for (size_t i = 0; i < count; i++)
        if (has_text(fields, "service", login_processes[i].protocol) ||
            has_text(fields, "protocol", login_processes[i].protocol))
            return login_processes[i].process;
    return "";
}

/* Whether the login process writes the name as it is: it replaces control characters and what is
 * not UTF-8, and cuts. Who compares a name with one that was changed takes them for two. */
static bool
is_plain(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (name[i] < ' ' || name[i] > '~')
            return false;
    return length <= LOGIN_NAME_MAX;
}

static bool
read_name(struct fjson_object *fields, const char *key, struct offence_event *event)
{
    struct fjson_object *member;
    size_t length;

    if (!fjson_object_object_get_ex(fields, key, &member) ||
        !fjson_object_is_type(member, fjson_type_string))
        return false;
    length = (size_t)fjson_object_get_string_len(member);
    event->is_comparable = is_plain(fjson_object_get_string(member), length);
    event->user_length = length < sizeof event->user ? length : sizeof event->user;
    memcpy(event->user, fjson_object_get_string(member), event->user_length);
    return length > 0;
}

/* `user` is the name as Dovecot took it, and what the login process writes; where it refused the
 * name, `user` is empty. */
static void
read_user(struct fjson_object *fields, struct offence_event *event)
{
    static const char *const originals[] = {"original_user", "orig_user", "original_username"};

    if (read_name(fields, "user", event))
        return;
    for (size_t i = 0; i < sizeof originals / sizeof originals[0]; i++)
        if (read_name(fields, originals[i], event))
            break;
    event->is_comparable = false;
}

/* Neither Dovecot 2.3 nor 2.4 says `error` of a wrong password: what has not succeeded has failed.
 * That the database did not answer is only said by the event of the database itself. */
static enum offence_event_outcome
outcome_of(struct fjson_object *fields, const struct offence_event *event, bool is_of_passdb)
{
    if (event->service[0] == '\0')
        return OFFENCE_EVENT_FOREIGN;
    if (is_of_passdb)
        return has_text(fields, "result", "internal_failure") ? OFFENCE_EVENT_FAULT
                                                              : OFFENCE_EVENT_FOREIGN;
    if (has_text(fields, "error", "internal failure"))
        return OFFENCE_EVENT_FAULT;
    if (has_text(fields, "success", "yes"))
        return OFFENCE_EVENT_SUCCESS;
    return event->user_length == 0 ? OFFENCE_EVENT_MALFORMED : OFFENCE_EVENT_FAILED;
}

static int
read_fields(struct fjson_object *object, struct offence_event *event)
{
    const bool is_of_passdb = has_text(object, "event", "auth_passdb_request_finished");
    struct fjson_object *fields;

    if (!is_of_passdb && !has_text(object, "event", "auth_request_finished"))
        return -EINVAL;
    if (!fjson_object_object_get_ex(object, "fields", &fields) ||
        !fjson_object_is_type(fields, fjson_type_object) ||
        object_text(fields, "remote_ip", event->ip, sizeof event->ip) == -EINVAL)
        return -EINVAL;
    if (object_text(fields, "session", event->session, sizeof event->session) != 0)
        event->session[0] = '\0';
    if (object_text(fields, "mechanism", event->method, sizeof event->method) != 0)
        event->method[0] = '\0';
    event->service = login_process(fields);
    read_user(fields, event);
    event->outcome = outcome_of(fields, event, is_of_passdb);
    return 0;
}

int
offence_event_read(const char *text, size_t length, struct offence_event *event)
{
    static const char *const once[] = {
        "\"event\":",   "\"fields\":",  "\"remote_ip\":", "\"service\":", "\"protocol\":",
        "\"session\":", "\"success\":", "\"result\":",    "\"error\":"};
    char whole[1 + OFFENCE_EVENT_MAX + 1];
    struct fjson_object *object;
    int error;

    *event = (struct offence_event){.service = ""};
    if (length > OFFENCE_EVENT_MAX || memchr(text, '\0', length) != NULL)
        return -EINVAL;
    whole[0] = '{';
    memcpy(whole + 1, text, length);
    whole[1 + length] = '\0';
    for (size_t i = 0; i < sizeof once / sizeof once[0]; i++)
        if (is_given_twice(whole, once[i]))
            return -EINVAL;
    object = object_parse(whole, 1 + length);
    if (object == NULL)
        return -EINVAL;
    error = read_fields(object, event);
    fjson_object_put(object);
    return error;
}
