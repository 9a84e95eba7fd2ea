/* reader: see banmailctl-reader.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-reader.h"

#include <errno.h>
#include <inttypes.h>
#include <json.h>
#include <liblognorm.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "banmailctl-format.h"
#include "banmailctl-input.h"
#include "banmailctl-unwrap.h"

#ifndef PKGDATADIR
#define PKGDATADIR "/usr/share/ombanmail"
#endif

enum { RULEBASES_MAX = 16 };

struct rulebases {
    bool given; /* for lines of any program */
    ln_ctx contexts[RULEBASES_MAX];
    int count;
    char *message; /* the line's, with a space in front; grows */
    size_t message_size;
};

enum { POSTFIX, DOVECOT }; /* places in contexts[], unless given */

static bool
names(struct piece tag, const char *program)
{
    return tag.length > 0 && memmem(tag.bytes, tag.length, program, strlen(program)) != NULL;
}

/* ---- rulebases ---- */

void
reader_say(const char *format, ...)
{
    char text[1024], clean[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(stderr, "banmailctl: %s\n", format_clean(text, clean, sizeof(clean)));
}

static void
say_rule_error(void *cookie, const char *text, size_t length)
{
    (void)cookie;
    reader_say("%.*s", (int)length, text);
}

static int
make_rulebases(struct log_reader *reader)
{
    if (reader->rulebases == NULL)
        reader->rulebases = calloc(1, sizeof *reader->rulebases);
    return reader->rulebases == NULL ? -ENOMEM : 0;
}

int
reader_add_rulebase(struct log_reader *reader, const char *path, bool given)
{
    struct rulebases *rulebases;
    ln_ctx context = NULL;

    if (make_rulebases(reader) != 0)
        return -ENOMEM;
    rulebases = reader->rulebases;
    rulebases->given |= given;
    if (rulebases->count == RULEBASES_MAX) {
        reader_say("more than %d rulebases", RULEBASES_MAX);
        return -E2BIG;
    }
    if (access(path, R_OK) != 0) {
        reader_say("cannot read rulebase %s: %s", path, strerror(errno));
        return -errno;
    }
    context = ln_initCtx();
    if (context == NULL)
        return -ENOMEM;
    ln_setErrMsgCB(context, say_rule_error, NULL);
    rulebases->contexts[rulebases->count++] = context;
    if (ln_loadSamples(context, path) != 0) {
        reader_say("rulebase %s is not one of liblognorm version 2, or has errors", path);
        return -EINVAL;
    }
    return 0;
}

/* Beside an executable that is not installed there is ../rulebases (../../rulebases from libtool's
 * .libs); else the rulebases are where `make install` put them. */
static void
default_path(char path[PATH_MAX], const char *name)
{
    static const char *const places[] = {"/../rulebases", "/../../rulebases"};
    char program[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash;

    for (size_t i = 0; length > 0 && i < sizeof places / sizeof places[0]; i++) {
        program[length] = '\0';
        slash = strrchr(program, '/');
        if (slash == NULL)
            break;
        *slash = '\0';
        if (snprintf(path, PATH_MAX, "%s%s/%s", program, places[i], name) < PATH_MAX &&
            access(path, R_OK) == 0)
            return;
        *slash = '/';
    }
    snprintf(path, PATH_MAX, "%s/%s", PKGDATADIR, name);
}

int
reader_add_shipped(struct log_reader *reader)
{
    static const char *const files[] = {[POSTFIX] = "postfix.rb", [DOVECOT] = "dovecot.rb"};
    char path[PATH_MAX];
    int error = 0;

    if (reader->rulebases != NULL && reader->rulebases->given)
        return 0;
    for (int i = 0; i < 2 && error == 0; i++) {
        default_path(path, files[i]);
        error = reader_add_rulebase(reader, path, false);
    }
    return error;
}

/* ---- normalizing ---- */

/* The message with exactly what rsyslog's $msg has in front, a space, and NUL behind it, one byte
 * of which liblognorm may look at. */
static int
set_message(struct rulebases *rulebases, struct piece message, size_t *length)
{
    const bool has_space = message.length > 0 && message.bytes[0] == ' ';

    if (message.length + 2 > rulebases->message_size) {
        char *larger = realloc(rulebases->message, message.length + 2);
        if (larger == NULL)
            return -ENOMEM;
        rulebases->message = larger;
        rulebases->message_size = message.length + 2;
    }
    rulebases->message[0] = ' ';
    memcpy(rulebases->message + !has_space, message.bytes, message.length);
    *length = message.length + !has_space;
    rulebases->message[*length] = '\0';
    return 0;
}

static struct fjson_object *
normalize_with(struct rulebases *rulebases, ln_ctx rulebase, size_t length, struct offence *offence)
{
    struct fjson_object *fields = NULL;

    if (ln_normalize(rulebase, rulebases->message, length, &fields) == 0 &&
        offence_read(fields, offence) == 0)
        return fields;
    fjson_object_put(fields);
    return NULL;
}

/* Returns the fields of the first rulebase that knows the line, or NULL. Put them. */
static struct fjson_object *
normalize(struct rulebases *rulebases, const struct entry *entry, struct offence *offence)
{
    struct fjson_object *fields = NULL;
    size_t length;

    if (set_message(rulebases, entry->message, &length) != 0)
        return NULL;
    if (!rulebases->given) {
        const bool is_dovecot = names(entry->tag, "dovecot");
        return is_dovecot || names(entry->tag, "postfix")
                   ? normalize_with(rulebases, rulebases->contexts[is_dovecot ? DOVECOT : POSTFIX],
                                    length, offence)
                   : NULL;
    }
    for (int i = 0; i < rulebases->count && fields == NULL; i++)
        fields = normalize_with(rulebases, rulebases->contexts[i], length, offence);
    return fields;
}

/* ---- the run ---- */

static void
run_line(struct log_reader *reader, struct piece text)
{
    struct reader_line line = {.text = text, .entry = entry_split(text)};
    const struct piece tag = line.entry.tag;

    reader->lines++;
    line.is_mail = names(tag, "postfix") || names(tag, "dovecot");
    if (tag.length > 0)
        line.fields = normalize(reader->rulebases, &line.entry, &line.offence);
    if (line.fields != NULL) {
        line.offence.attempts *= line.entry.repeated;
        if (line.offence.attempts > OFFENCE_ATTEMPTS_MAX)
            line.offence.attempts = OFFENCE_ATTEMPTS_MAX;
        offence_service_from_tag(&line.offence, tag.bytes, tag.length);
    }
    reader->take(reader->context, &line);
    fjson_object_put(line.fields);
}

/* A line of Docker's json-file is an object that holds the line. */
static void
run_wrapped(struct log_reader *reader, struct piece line)
{
    char *const text = unwrap_json(line);

    run_line(reader, text == NULL ? line : (struct piece){.bytes = text, .length = strlen(text)});
    free(text);
}

static bool
shows_progress(const struct log_reader *reader)
{
    return (reader->is_quiet == NULL || !reader->is_quiet(reader->context)) &&
           isatty(STDERR_FILENO);
}

/* On a terminal only, and not among lines that go there as well. */
static void
show_progress(const struct log_reader *reader, const struct input *input)
{
    if (reader->lines % 8192 == 0 && shows_progress(reader))
        fprintf(stderr, "\r%3d %%  %" PRIu64 " lines ", input_percent(input), reader->lines);
}

static void
end_progress(const struct log_reader *reader)
{
    if (reader->lines >= 8192 && shows_progress(reader))
        fputs("\r\033[K", stderr);
}

/* Reads it to its end, and closes it. NULL: it could not be opened. Returns 0 or a negative errno.
 */
static int
run_input(struct log_reader *reader, struct input *input, char reason[INPUT_REASON_SIZE])
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    int error = input == NULL ? -EIO : 0;

    while (input != NULL && (length = input_line(input, &line, &size)) >= 0) {
        run_wrapped(reader, (struct piece){.bytes = line, .length = (size_t)length});
        show_progress(reader, input);
    }
    free(line);
    end_progress(reader);
    if (input != NULL)
        error = input_close(input, reason);
    if (error != 0)
        reader_say("%s", reason);
    return error;
}

int
reader_run(struct log_reader *reader, int64_t journal_s, char *const files[], int count)
{
    char reason[INPUT_REASON_SIZE];
    int error = 0, last;

    if (journal_s >= 0)
        error = run_input(reader, input_open_journal(journal_s, reason), reason);
    if (journal_s < 0 && count == 0)
        return run_input(reader, input_open("-", reason), reason);
    for (int i = 0; i < count; i++)
        if ((last = run_input(reader, input_open(files[i], reason), reason)) != 0)
            error = last;
    return error;
}

void
reader_free(struct log_reader *reader)
{
    if (reader->rulebases == NULL)
        return;
    for (int i = 0; i < reader->rulebases->count; i++)
        ln_exitCtx(reader->rulebases->contexts[i]);
    free(reader->rulebases->message);
    free(reader->rulebases);
    reader->rulebases = NULL;
}
