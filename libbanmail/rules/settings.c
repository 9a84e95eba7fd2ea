/* settings: see settings.h.
 *
 * libinih has room for some 200 bytes of a line, takes the rest of a longer one for a line of its
 * own, and tells nobody which line it is at. So lines come to it through a reader of ours: it
 * counts them, takes comments off, and hands a long one over in pieces, as continuation lines whose
 * ends are marked; the pieces are put together again here. The mark is a byte that no text has.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "rules/settings.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE_MAX (1 << 20)
#define SETTINGS_MAX  20000
#define DEPTH_MAX     10 /* of included files, and of values within values */
#define NAME_LENGTH   49 /* libinih remembers so much of a name */
#define INCLUDES      "INCLUDES"
#define SECTION       "\002" /* a setting of each section, as libinih says nothing of empty ones */
#define MARK          '\001'

struct settings {
    struct setting *at;
    size_t count, room;
    char *remarks, *passed; /* lines */
    unsigned depth;         /* of included files */
};

struct settings *
settings_new(void)
{
    return calloc(1, sizeof(struct settings));
}

static void
clear_setting(struct setting *setting)
{
    free(setting->section);
    free(setting->name);
    free(setting->value);
    free(setting->file);
}

void
settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    for (size_t i = 0; i < settings->count; i++)
        clear_setting(&settings->at[i]);
    free(settings->at);
    free(settings->remarks);
    free(settings->passed);
    free(settings);
}

/* A line that is there already is not added. */
static void
add_line(char **lines, const char *line)
{
    const size_t used = *lines == NULL ? 0 : strlen(*lines), length = strlen(line);
    char *longer;

    for (const char *at = *lines; at != NULL && *at != '\0'; at += strcspn(at, "\n") + 1)
        if (strncmp(at, line, length) == 0 && at[length] == '\n')
            return;
    longer = realloc(*lines, used + length + 2);
    if (longer == NULL)
        return;
    *lines = longer;
    sprintf(longer + used, "%s\n", line);
}

void
settings_remark(struct settings *settings, const char *format, ...)
{
    char line[SETTINGS_REASON_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    add_line(&settings->remarks, line);
}

const char *
settings_remarks(const struct settings *settings)
{
    return settings->remarks == NULL ? "" : settings->remarks;
}

void
settings_pass_over(struct settings *settings, const struct setting *setting)
{
    char line[SETTINGS_REASON_SIZE];

    snprintf(line, sizeof(line), "%s, line %u: %s in [%s]", setting->file, setting->line,
             setting->name, setting->section);
    add_line(&settings->passed, line);
}

const char *
settings_passed(const struct settings *settings)
{
    return settings->passed == NULL ? "" : settings->passed;
}

/* ---- lines for libinih ---- */

struct reading {
    struct settings *settings;
    const char *file;
    const char *text, *end; /* what is left of it */
    unsigned line;
    bool is_announced; /* a section has begun, and is to be announced, … */
    bool is_fresh;     /* … and nothing stands in it yet */
    char *left;        /* of a line that did not fit; NULL: nothing */
    char *whole;
    size_t room;
    int error;
    char *reason;
};

static void
refuse(struct reading *reading, const char *what)
{
    if (reading->error != 0)
        return;
    reading->error = -EINVAL;
    snprintf(reading->reason, SETTINGS_REASON_SIZE, "%.300s, line %u: %s", reading->file,
             reading->line, what);
}

/* From a ; with white space before it on; and a line that begins with one, or with a #. */
static void
cut_comment(char *line)
{
    const size_t begin = strspn(line, " \t");
    char *at;

    if (line[begin] == '#' || line[begin] == ';')
        line[0] = '\0';
    for (at = strchr(line, ';'); at != NULL; at = strchr(at + 1, ';')) {
        if (at > line && isspace((unsigned char)at[-1])) {
            *at = '\0';
            return;
        }
    }
}

static bool
is_text(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (iscntrl((unsigned char)bytes[i]) && bytes[i] != '\t' && bytes[i] != '\r')
            return false;
    return true;
}

/* What libinih would refuse is refused here, where it is known which line it is. */
static void
check_form(struct reading *reading)
{
    const char *const line = reading->whole;
    const char *const closing = strchr(line, ']');

    if (line[0] == '[' && (closing == NULL || closing - line > NAME_LENGTH || closing == line + 1))
        refuse(reading, "a section is [name], the name of 49 letters at most");
    else if (line[0] != '[' && line[0] != '\0' && !isspace((unsigned char)line[0]) &&
             strpbrk(line, "=:") == NULL)
        refuse(reading, "neither a [section] nor a setting such as name = value");
}

/* Copies the next line, without its end, to reading->whole. False: there is none. */
static bool
next_line(struct reading *reading)
{
    const char *const newline = memchr(reading->text, '\n', (size_t)(reading->end - reading->text));
    const char *const end = newline == NULL ? reading->end : newline;
    const size_t length = (size_t)(end - reading->text);
    const bool is_clean = is_text(reading->text, length);

    if (reading->text == reading->end)
        return false;
    reading->line++;
    if (length + 1 > reading->room) {
        char *const more = realloc(reading->whole, length + 1);

        if (more == NULL) {
            reading->error = -ENOMEM;
            return false;
        }
        reading->whole = more;
        reading->room = length + 1;
    }
    memcpy(reading->whole, reading->text, length);
    reading->whole[is_clean ? length : 0] = '\0';
    reading->text = newline == NULL ? end : newline + 1;
    if (!is_clean)
        refuse(reading, "a byte that no text has: is the file damaged?");
    cut_comment(reading->whole);
    check_form(reading);
    if (reading->is_fresh && reading->whole[0] != '\0') {
        const size_t begin = strspn(reading->whole, " \t"); /* it continues nothing */

        memmove(reading->whole, reading->whole + begin, strlen(reading->whole + begin) + 1);
        reading->is_fresh = reading->whole[0] == '\0';
    }
    if (reading->whole[0] == '[')
        reading->is_announced = reading->is_fresh = true;
    return true;
}

/* libinih's reader: as fgets. */
static char *
hand_over(char *to, int room, void *context)
{
    struct reading *const reading = context;
    const size_t most = (size_t)room - 8; /* marks, newline and NUL */
    const bool is_rest = reading->left != NULL;
    size_t length;

    if (!is_rest && reading->is_announced) {
        reading->is_announced = false;
        return strcpy(to, SECTION " =\n");
    }
    if (!is_rest && !next_line(reading))
        return NULL;
    if (!is_rest)
        reading->left = reading->whole;
    length = strlen(reading->left);
    if (length <= most) {
        sprintf(to, is_rest ? " \001%s\n" : "%s\n", reading->left);
        reading->left = NULL;
        return to;
    }
    sprintf(to, is_rest ? " \001%.*s\001\n" : "%.*s\001\n", (int)most, reading->left);
    reading->left += most;
    return to;
}

/* ---- what libinih makes of them ---- */

static char *
lower(const char *name)
{
    char *const copy = strdup(name);

    for (char *c = copy; c != NULL && *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return copy;
}

static struct setting *
add(struct settings *settings)
{
    if (settings->count == settings->room) {
        const size_t room = settings->room > 0 ? settings->room * 2 : 64;
        struct setting *const more = reallocarray(settings->at, room, sizeof(*more));

        if (more == NULL)
            return NULL;
        settings->at = more;
        settings->room = room;
    }
    settings->at[settings->count] = (struct setting){0};
    return &settings->at[settings->count++];
}

/* A mark at its end says that more of the line follows, one at its beginning that it is the rest.
 */
static bool
append(struct setting *setting, const char *value)
{
    const bool is_rest = value[0] == MARK;
    const size_t used = strlen(setting->value), more = strlen(value);
    char *const longer = realloc(setting->value, used + more + 2);

    if (longer == NULL)
        return false;
    setting->value = longer;
    if (is_rest && used > 0 && longer[used - 1] == MARK)
        strcpy(longer + used - 1, value + 1);
    else
        sprintf(longer + used, "\n%s", value);
    return true;
}

/* libinih tells of a continuation line as of the same name once more, as it does where a name is
 * set twice in one section. */
static bool
continues(const struct reading *reading, const struct setting *last, const char *section,
          const char *name)
{
    return last != NULL && strcmp(last->section, section) == 0 &&
           strncasecmp(last->name, name, NAME_LENGTH) == 0 &&
           (last->line == reading->line || isspace((unsigned char)reading->whole[0]));
}

static int
take(void *context, const char *section, const char *name, const char *value)
{
    struct reading *const reading = context;
    struct settings *const settings = reading->settings;
    struct setting *last = settings->count == 0 ? NULL : &settings->at[settings->count - 1];

    if (reading->error != 0)
        return 1;
    if (continues(reading, last, section, name)) {
        if (!append(last, value))
            reading->error = -ENOMEM;
        return 1;
    }
    last = settings->count < SETTINGS_MAX ? add(settings) : NULL;
    if (last == NULL) {
        reading->error = -ENOMEM;
        return 1;
    }
    *last = (struct setting){strdup(section), lower(name), strdup(value), strdup(reading->file),
                             reading->line};
    if (last->section == NULL || last->name == NULL || last->value == NULL || last->file == NULL)
        reading->error = -ENOMEM;
    return 1;
}

static void
unmark(struct settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        char *to = settings->at[i].value;

        for (const char *from = to; *from != '\0'; from++)
            if (*from != MARK)
                *to++ = *from;
        *to = '\0';
    }
}

static int
read_text(struct settings *settings, const char *text, size_t length, const char *file,
          char reason[SETTINGS_REASON_SIZE])
{
    struct reading reading = {
        .settings = settings, .file = file, .text = text, .end = text + length, .reason = reason};
    int wrong;

    reason[0] = '\0';
    wrong = ini_parse_stream(hand_over, &reading, take, &reading);
    if (reading.error == 0 && wrong != 0) {
        reading.error = -EINVAL; /* its count of the lines has the pieces of long ones in it */
        snprintf(reason, SETTINGS_REASON_SIZE,
                 "%.300s: a line is neither a [section] nor a setting such as name = value", file);
    }
    if (reading.error == -ENOMEM)
        snprintf(reason, SETTINGS_REASON_SIZE, "%.300s: out of memory, or of %d settings", file,
                 SETTINGS_MAX);
    free(reading.whole);
    if (reading.error == 0) /* else a value may be missing */
        unmark(settings);
    return reading.error;
}

int
settings_read_text(struct settings *settings, const char *text, const char *name,
                   char reason[SETTINGS_REASON_SIZE])
{
    return read_text(settings, text, strlen(text), name, reason);
}

/* ---- files ---- */

/* The caller frees it; NULL with *error where it cannot be read. */
static char *
load(const char *path, size_t *length, int *error)
{
    const int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat status;
    char *text = NULL;
    ssize_t got;

    *error = 0;
    *length = 0;
    if (descriptor < 0 || fstat(descriptor, &status) < 0)
        *error = -errno;
    else if (!S_ISREG(status.st_mode))
        *error = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
    else if (status.st_size > FILE_SIZE_MAX)
        *error = -EFBIG;
    else if ((text = malloc(FILE_SIZE_MAX + 1)) == NULL)
        *error = -ENOMEM;
    while (*error == 0 && *length < FILE_SIZE_MAX &&
           (got = read(descriptor, text + *length, FILE_SIZE_MAX - *length)) != 0) {
        if (got < 0)
            *error = -errno;
        else
            *length += (size_t)got;
    }
    if (descriptor >= 0)
        close(descriptor);
    if (*error != 0) {
        free(text);
        text = NULL;
    }
    return text;
}

/* Which files it includes is the file's own affair, and stays. */
static int
move(struct settings *to, struct settings *from)
{
    size_t kept = 0, i = 0;

    for (; i < from->count; i++) {
        const bool stays = strcmp(from->at[i].section, INCLUDES) == 0;
        struct setting *const place = stays ? &from->at[kept] : add(to);

        if (place == NULL)
            break;
        kept += stays;
        *place = from->at[i];
        if (place != &from->at[i])
            from->at[i] = (struct setting){0};
    }
    if (i < from->count)
        return -ENOMEM; /* settings_free finds nothing twice */
    from->count = kept;
    return 0;
}

static int
read_included(struct settings *settings, const char *path, const struct setting *by, char *name,
              char reason[SETTINGS_REASON_SIZE])
{
    const char *const slash = name[0] == '/' ? NULL : strrchr(path, '/');
    const size_t length = strlen(name);
    char full[PATH_MAX];

    if (settings->depth >= DEPTH_MAX) {
        snprintf(reason, SETTINGS_REASON_SIZE, "%.300s, line %u: files include each other too deep",
                 by->file, by->line);
        return -ELOOP;
    }
    snprintf(full, sizeof(full), "%.*s%s", slash == NULL ? 0 : (int)(slash - path + 1), path, name);
    if (access(full, F_OK) != 0) {
        /* what the administrator may add is mostly not there */
        if (length < 6 || strcmp(name + length - 6, ".local") != 0)
            settings_remark(settings, "%s, line %u: there is no %s to include", by->file, by->line,
                            full);
        return 0;
    }
    return settings_read(settings, full, reason);
}

static int
read_includes(struct settings *settings, const struct settings *own, const char *path,
              const char *where, char reason[SETTINGS_REASON_SIZE])
{
    const struct setting *const by = settings_own(own, INCLUDES, where);
    char *names = by == NULL ? NULL : strdup(by->value), *rest = NULL;
    int error = 0;

    settings->depth++;
    for (char *name = names == NULL ? NULL : strtok_r(names, " \t\r\n", &rest);
         name != NULL && error == 0; name = strtok_r(NULL, " \t\r\n", &rest))
        error = read_included(settings, path, by, name, reason);
    settings->depth--;
    free(names);
    return error;
}

int
settings_read(struct settings *settings, const char *path, char reason[SETTINGS_REASON_SIZE])
{
    struct settings *const own = settings_new();
    size_t length = 0;
    int error = own == NULL ? -ENOMEM : 0;
    char *text = error != 0 ? NULL : load(path, &length, &error);

    if (text == NULL)
        snprintf(reason, SETTINGS_REASON_SIZE, "%.300s cannot be read: %s", path,
                 error == -EINVAL ? "it is no regular file" : strerror(-error));
    else
        error = read_text(own, text, length, path, reason);
    free(text);
    if (error == 0)
        error = read_includes(settings, own, path, "before", reason);
    if (error == 0 && (error = move(settings, own)) != 0)
        snprintf(reason, SETTINGS_REASON_SIZE, "out of memory");
    if (error == 0)
        error = read_includes(settings, own, path, "after", reason);
    settings_free(own);
    return error;
}

/* ---- looking up ---- */

static bool
is_first_of_its_section(const struct settings *settings, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(settings->at[i].section, settings->at[index].section) == 0)
            return false;
    return true;
}

const char *
settings_section(const struct settings *settings, size_t index)
{
    for (size_t i = 0; i < settings->count; i++)
        if (is_first_of_its_section(settings, i) && index-- == 0)
            return settings->at[i].section;
    return NULL;
}

const struct setting *
settings_at(const struct settings *settings, size_t index)
{
    return index < settings->count ? &settings->at[index] : NULL;
}

/* The last one before `before`. */
static const struct setting *
last_of(const struct settings *settings, size_t before, const char *section, const char *name)
{
    while (before-- > 0)
        if (strcmp(settings->at[before].section, section) == 0 &&
            strcmp(settings->at[before].name, name) == 0)
            return &settings->at[before];
    return NULL;
}

const struct setting *
settings_own(const struct settings *settings, const char *section, const char *name)
{
    return last_of(settings, settings->count, section, name);
}

const struct setting *
settings_find(const struct settings *settings, const char *section, const char *name)
{
    const struct setting *const own = settings_own(settings, section, name);

    return own != NULL ? own : settings_own(settings, SETTINGS_DEFAULT, name);
}

/* ---- %(name)s ---- */

struct expansion {
    const struct settings *settings;
    const char *section;
    char *value;
    size_t used;
    char *reason;
};

static bool
put(struct expansion *expansion, const char *bytes, size_t length)
{
    if (expansion->used + length >= SETTINGS_VALUE_SIZE)
        return false;
    memcpy(expansion->value + expansion->used, bytes, length);
    expansion->used += length;
    expansion->value[expansion->used] = '\0';
    return true;
}

/* What a name within a value of `setting` stands for. */
static const struct setting *
look_up(const struct expansion *expansion, const struct setting *setting, char *name)
{
    const struct settings *const settings = expansion->settings;
    char *const slash = strchr(name, '/');
    const struct setting *found;

    for (char *c = slash == NULL ? name : slash; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    if (slash == NULL)
        return settings_find(settings, expansion->section, name);
    *slash = '\0';
    if (strcasecmp(name, "known") != 0)
        return settings_find(settings, strcasecmp(name, "default") == 0 ? SETTINGS_DEFAULT : name,
                             slash + 1);
    found = last_of(settings, (size_t)(setting - settings->at), expansion->section, slash + 1);
    return found != NULL
               ? found
               : last_of(settings, (size_t)(setting - settings->at), SETTINGS_DEFAULT, slash + 1);
}

static int expand(struct expansion *expansion, const struct setting *setting, unsigned depth);

static int
cannot(struct expansion *expansion, const struct setting *setting, const char *name,
       const char *what)
{
    snprintf(expansion->reason, SETTINGS_REASON_SIZE, "%.300s, line %u: %%(%.60s)s %s",
             setting->file, setting->line, name, what);
    return -EINVAL;
}

/* *at stands behind %( and moves behind the closing )s. */
static int
expand_name(struct expansion *expansion, const struct setting *setting, const char **at,
            unsigned depth)
{
    const char *const end = strstr(*at, ")s");
    const size_t length = end == NULL ? 0 : (size_t)(end - *at);
    const struct setting *found;
    char name[128], shown[128];

    if (length == 0 || length >= sizeof(name))
        return cannot(expansion, setting, "", "has no name, or no )s behind it");
    snprintf(name, sizeof(name), "%.*s", (int)length, *at);
    memcpy(shown, name, sizeof(shown));
    *at = end + 2;
    if (strcmp(name, "__name__") == 0)
        return put(expansion, expansion->section, strlen(expansion->section))
                   ? 0
                   : cannot(expansion, setting, shown, "makes the value too long");
    found = look_up(expansion, setting, name);
    if (found == NULL)
        return cannot(expansion, setting, shown, "is set nowhere");
    if (depth == DEPTH_MAX)
        return cannot(expansion, setting, shown, "goes too deep: does it mean itself?");
    return expand(expansion, found, depth + 1);
}

static int
expand(struct expansion *expansion, const struct setting *setting, unsigned depth)
{
    const char *at = setting->value;
    int error = 0;

    while (*at != '\0' && error == 0) {
        const size_t plain = strcspn(at, "%");

        if (!put(expansion, at, plain))
            return cannot(expansion, setting, setting->name, "is too long");
        at += plain;
        if (at[0] == '%' && at[1] == '(') {
            at += 2;
            error = expand_name(expansion, setting, &at, depth);
        } else if (at[0] == '%') {
            if (!put(expansion, "%", 1))
                return cannot(expansion, setting, setting->name, "is too long");
            at += at[1] == '%' ? 2 : 1;
        }
    }
    return error;
}

int
settings_expand(const struct settings *settings, const char *section, const struct setting *setting,
                char value[SETTINGS_VALUE_SIZE], char reason[SETTINGS_REASON_SIZE])
{
    struct expansion expansion = {settings, section, value, 0, reason};

    value[0] = '\0';
    return expand(&expansion, setting, 0);
}
