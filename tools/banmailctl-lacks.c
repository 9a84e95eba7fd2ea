/* lacks: see banmailctl-lacks.h.
 *
 * By the log alone it can be told only where there are failures in it. What the configuration says
 * is certain; of what stands in neither the daemons' defaults hold, as doveconf -n and postconf -n
 * leave these out.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-lacks.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfastjson/json.h>

#include "banmailctl-format.h"

static const char *const names[LACKS_SETTINGS] = {
    [LACKS_AUTH_VERBOSE] = "auth_verbose",
    [LACKS_AUTH_VERBOSE_PASSWORDS] = "auth_verbose_passwords",
    [LACKS_LOGIN_LOG_FORMAT] = "login_log_format_elements",
    [LACKS_LOG_PATH] = "log_path",
    [LACKS_INFO_LOG_PATH] = "info_log_path",
    [LACKS_MAILLOG_FILE] = "maillog_file",
    [LACKS_SOFT_BOUNCE] = "soft_bounce",
    [LACKS_LOCAL_RECIPIENT_CODE] = "unknown_local_recipient_reject_code",
    [LACKS_MYNETWORKS] = "mynetworks",
};

/* ---- the log ---- */

static bool
is_login_process(const struct offence *offence)
{
    static const char suffix[] = "-login";
    const size_t length = sizeof suffix - 1;

    return offence->service_length > length &&
           memcmp(offence->service + offence->service_length - length, suffix, length) == 0;
}

static bool
is_rip_first(struct piece message)
{
    const char *const rip = memmem(message.bytes, message.length, "rip=", 4);
    const char *const user = memmem(message.bytes, message.length, "user=<", 6);

    return rip != NULL && user != NULL && rip < user;
}

static void
note_offence(struct lacks *lacks, const struct offence *offence)
{
    if (offence->class == OFFENCE_AUTH_DETAIL || offence->class == OFFENCE_AUTH_LINE ||
        offence->class == OFFENCE_AUTH_UNKNOWN_USER || (offence->flags & OFFENCE_FROM_EVENT))
        lacks->details++;
    if (offence->secret_hash != 0)
        lacks->secrets++;
    if (offence->class != OFFENCE_AUTH_FAILED || !is_login_process(offence))
        return;
    lacks->failures++;
    lacks->sessions += offence->session_length > 0;
}

void
lacks_note(struct lacks *lacks, const struct reader_line *line)
{
    const struct piece tag = line->entry.tag, message = line->entry.message;

    if (!line->is_mail || tag.length == 0 || memmem(tag.bytes, tag.length, "dovecot", 7) == NULL)
        return;
    if (line->fields != NULL)
        note_offence(lacks, &line->offence);
    if (line->fields == NULL || !line->offence.has_client)
        lacks->rip_first += is_rip_first(message);
}

/* ---- the configuration ---- */

/* What stands in a block, which is indented, is of a protocol or a service alone. */
static void
take_setting(struct lacks *lacks, char *line)
{
    char *const equals = strchr(line, '=');
    char *value, *end;

    if (equals == NULL || isspace((unsigned char)line[0]) || line[0] == '#')
        return;
    value = equals + 1 + strspn(equals + 1, " \t");
    end = equals;
    while (end > line && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    end = value + strcspn(value, "\r\n");
    while (end > value && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    for (size_t i = 0; i < LACKS_SETTINGS; i++)
        if (strcmp(line, names[i]) == 0)
            snprintf(lacks->settings[i], LACKS_VALUE_SIZE, "%s", value);
}

static int
read_file(struct lacks *lacks, const char *path, char reason[LACKS_REASON_SIZE])
{
    FILE *const file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *line = NULL;
    size_t size = 0, lines = 0;
    int error = 0;

    if (file == NULL)
        error = -errno;
    while (file != NULL && getline(&line, &size, file) >= 0) {
        lines += strchr(line, '=') != NULL;
        take_setting(lacks, line);
    }
    if (file != NULL && ferror(file))
        error = -EIO;
    if (error != 0)
        snprintf(reason, LACKS_REASON_SIZE, "%.300s: %s", path, strerror(-error));
    else if (lines == 0)
        snprintf(reason, LACKS_REASON_SIZE, "%.300s has no setting in it", path);
    free(line);
    if (file != NULL && file != stdin)
        fclose(file);
    return error == 0 && lines == 0 ? -EINVAL : error;
}

int
lacks_read_doveconf(struct lacks *lacks, const char *path, char reason[LACKS_REASON_SIZE])
{
    lacks->has_doveconf = true;
    return read_file(lacks, path, reason);
}

int
lacks_read_postconf(struct lacks *lacks, const char *path, char reason[LACKS_REASON_SIZE])
{
    lacks->has_postconf = true;
    return read_file(lacks, path, reason);
}

/* ---- what is lacking ---- */

static bool
is_set(const struct lacks *lacks, enum lacks_setting setting)
{
    const char *const value = lacks->settings[setting];

    return value[0] != '\0' && strcmp(value, "no") != 0;
}

static bool
lacks_reasons(const struct lacks *lacks)
{
    return lacks->has_doveconf ? !is_set(lacks, LACKS_AUTH_VERBOSE)
                               : lacks->failures > 0 && lacks->details == 0;
}

static bool
lacks_secrets(const struct lacks *lacks)
{
    return lacks->has_doveconf ? !is_set(lacks, LACKS_AUTH_VERBOSE_PASSWORDS)
                               : lacks->failures > 0 && lacks->secrets == 0;
}

/* The default has it. */
static bool
lacks_sessions(const struct lacks *lacks)
{
    const char *const format = lacks->settings[LACKS_LOGIN_LOG_FORMAT];

    return format[0] != '\0' ? strstr(format, "session") == NULL
                             : lacks->failures > 2 * lacks->sessions; /* some may be cut */
}

static bool
has_rip_first(const struct lacks *lacks)
{
    const char *const format = lacks->settings[LACKS_LOGIN_LOG_FORMAT];
    const char *const rip = strstr(format, "rip="), *const user = strstr(format, "user=");

    return (lacks->rip_first > 0 && lacks->rip_first >= lacks->failures) ||
           (rip != NULL && (user == NULL || rip < user));
}

static bool
is_path(const char *value)
{
    return value[0] == '/';
}

static bool
has_dovecot_file(const struct lacks *lacks)
{
    return is_path(lacks->settings[LACKS_LOG_PATH]) ||
           is_path(lacks->settings[LACKS_INFO_LOG_PATH]);
}

static bool
has_postfix_file(const struct lacks *lacks)
{
    return is_path(lacks->settings[LACKS_MAILLOG_FILE]);
}

static bool
is_soft(const struct lacks *lacks)
{
    return is_set(lacks, LACKS_SOFT_BOUNCE);
}

static bool
has_soft_recipients(const struct lacks *lacks)
{
    return lacks->settings[LACKS_LOCAL_RECIPIENT_CODE][0] == '4';
}

static bool
trusts_networks(const struct lacks *lacks)
{
    static const char blanks[] = ", \t";
    const char *at = lacks->settings[LACKS_MYNETWORKS];

    for (; *(at += strspn(at, blanks)) != '\0'; at += strcspn(at, blanks))
        if (strncmp(at, "127.", 4) != 0 && strncmp(at, "[::1]", 5) != 0 &&
            strncmp(at, "[::ffff:127.", 12) != 0)
            return true;
    return false;
}

static const struct {
    bool (*is_so)(const struct lacks *lacks);
    const char *what, *setting;
} kinds[] = {
    {lacks_reasons,
     "Dovecot does not log why a login fails: a user who does not exist counts as a wrong password",
     "Dovecot: auth_verbose = yes"},
    {lacks_secrets,
     "Dovecot does not log a hash of the password: a phone that repeats an old one cannot be told "
     "from somebody who guesses at one mailbox",
     "Dovecot: auth_verbose_passwords = sha1:6"},
    {lacks_sessions,
     "Dovecot's lines have no session id: the lines of one attempt are recognized less surely",
     "Dovecot: session=<%{session}> in login_log_format_elements"},
    {has_rip_first, "in Dovecot's lines the address stands in front of the user's name",
     "rsyslog: include mail-ripfirst.conf in place of mail.conf; or Dovecot: rip behind user in "
     "login_log_format_elements"},
    {has_dovecot_file, "Dovecot writes a file of its own, which rsyslogd has to read",
     "rsyslog: include input-file.conf; or Dovecot: log_path = syslog"},
    {has_postfix_file, "Postfix writes a file of its own, which rsyslogd has to read",
     "rsyslog: include input-file.conf; or Postfix: maillog_file ="},
    {is_soft, "Postfix answers with 4xx in place of 5xx: hardly any rejection counts",
     "Postfix: soft_bounce = no"},
    {has_soft_recipients, "Postfix answers with 4xx to unknown recipients, which do not count then",
     "Postfix: unknown_local_recipient_reject_code = 550"},
    {trusts_networks, "Postfix trusts networks of its own, which ombanmail does not know",
     "ombanmail: ignoreip=\"postfix:mynetworks\""},
};

#define KINDS (sizeof kinds / sizeof *kinds)

void
lacks_print(const struct lacks *lacks)
{
    bool is_first = true;

    for (size_t i = 0; i < KINDS; i++) {
        if (!kinds[i].is_so(lacks))
            continue;
        if (is_first)
            puts("\nwhat would let ombanmail see more:");
        is_first = false;
        printf("  %s\n    %s\n", kinds[i].what, kinds[i].setting);
    }
}

struct fjson_object *
lacks_json(const struct lacks *lacks)
{
    struct fjson_object *const array = fjson_object_new_array();

    for (size_t i = 0; i < KINDS; i++) {
        struct fjson_object *object;

        if (!kinds[i].is_so(lacks))
            continue;
        object = fjson_object_new_object();
        format_add_string(object, "what", kinds[i].what);
        format_add_string(object, "setting", kinds[i].setting);
        fjson_object_array_add(array, object);
    }
    return array;
}
