/* exported: a first pass only looks whether all of it makes sense, the second one gives it.
 *
 *   203.0.113.9 3120                                                   plain
 *   add element inet ombanmail_export banned4 { 203.0.113.9 timeout 3120s }    nft
 *   add ombanmail4 203.0.113.9 timeout 3120 -exist                     ipset, 0: for ever
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-exported.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json.h>

#include "banmailctl-format.h"
#include "base/object.h"
#include "rules/jail.h"

#define FILE_SIZE_MAX (64u << 20)
#define WORDS_MOST    12

bool
exported_is_database(const char *path)
{
    static const char magic[] = "SQLite format 3";
    char head[sizeof(magic)];
    FILE *const file = strcmp(path, "-") == 0 ? NULL : fopen(path, "re");
    bool is_database;

    if (file == NULL)
        return false;
    is_database = fread(head, 1, sizeof(head), file) == sizeof(head) &&
                  memcmp(head, magic, sizeof(head)) == 0;
    fclose(file);
    return is_database;
}

/* ---- lines ---- */

static int
read_seconds(const char *word, int64_t *seconds)
{
    return strspn(word, "0123456789s") == strlen(word) ? jail_parse_time(word, false, seconds)
                                                       : -EINVAL;
}

/* The words of a line; those of nft's braces are left out. */
static unsigned
split(char *line, const char *words[WORDS_MOST])
{
    unsigned count = 0;
    char *rest = NULL;

    line[strcspn(line, "#")] = '\0';
    for (char *word = strtok_r(line, " \t\r\n{},;", &rest); word != NULL && count < WORDS_MOST;
         word = strtok_r(NULL, " \t\r\n{},;", &rest))
        words[count++] = word;
    return count;
}

/* Where the address stands; `count`: nowhere, as it is no line of a ban. */
static unsigned
place_of_address(const char *const words[], unsigned count)
{
    const char *const first = words[0], *const second = count > 1 ? words[1] : "";

    if (strcmp(first, "add") == 0 && strcmp(second, "element") == 0)
        return count > 5 ? 5 : count;
    if (strcmp(first, "create") == 0 || strcmp(first, "delete") == 0 ||
        (strcmp(first, "add") == 0 && (strcmp(second, "table") == 0 || strcmp(second, "set") == 0)))
        return count;
    return strcmp(first, "add") == 0 && count > 2 ? 2 : 0;
}

static int
read_timeout(const char *const words[], unsigned count, unsigned at, struct fail2ban_ban *ban)
{
    ban->left_s = JAIL_FOREVER;
    if (at == 0)
        return count == 1 ? 0 : count == 2 ? read_seconds(words[1], &ban->left_s) : -EINVAL;
    for (unsigned i = at + 1; i + 1 < count; i++)
        if (strcmp(words[i], "timeout") == 0)
            return strcmp(words[i + 1], "0") == 0 ? 0 : read_seconds(words[i + 1], &ban->left_s);
    return 0;
}

/* Returns 1 with a ban, 0: there is none on the line, -EINVAL. */
static int
read_line(char *line, struct fail2ban_ban *ban)
{
    const char *words[WORDS_MOST];
    const unsigned count = split(line, words);
    const unsigned at = count > 0 ? place_of_address(words, count) : 0;

    *ban = (struct fail2ban_ban){.jail = ""};
    if (at == count)
        return 0;
    if (source_parse_prefix(words[at], strlen(words[at]), &ban->source) < 0 ||
        read_timeout(words, count, at, ban) < 0)
        return -EINVAL;
    return 1;
}

/* With `each` NULL they are only looked at. */
static int
read_lines(const char *text, bool (*each)(void *context, const struct fail2ban_ban *ban),
           void *context, char reason[FAIL2BAN_REASON_SIZE])
{
    char line[512];
    struct fail2ban_ban ban;
    int given = 0, found;

    for (unsigned number = 1; *text != '\0'; number++) {
        const size_t length = strcspn(text, "\n");

        snprintf(line, sizeof(line), "%.*s", (int)length, text);
        found = length < sizeof(line) ? read_line(line, &ban) : -EINVAL;
        if (found < 0) {
            snprintf(reason, FAIL2BAN_REASON_SIZE,
                     "line %u is no ban as banmailctl export writes them", number);
            return found;
        }
        given += found;
        if (found > 0 && each != NULL && !each(context, &ban))
            break;
        text += length + (text[length] == '\n');
    }
    return given;
}

/* ---- JSON ---- */

static int
read_member(struct fjson_object *object, struct fail2ban_ban *ban, char jail[JAIL_NAME_SIZE])
{
    char text[SOURCE_TEXT_SIZE];
    int error;

    *ban = (struct fail2ban_ban){.jail = jail, .left_s = JAIL_FOREVER};
    if (object == NULL || object_text(object, "source", text, sizeof(text)) < 0 ||
        source_parse_prefix(text, strlen(text), &ban->source) < 0)
        return -EINVAL;
    if (object_text(object, "jail", jail, JAIL_NAME_SIZE) < 0)
        jail[0] = '\0';
    if (object_is_null(object, "seconds"))
        return 0;
    error = object_integer(object, "seconds", 1, JAIL_TIME_MAX_S, &ban->left_s);
    return error == -ENOENT ? 0 : error;
}

static int
read_array(struct fjson_object *array, bool (*each)(void *context, const struct fail2ban_ban *ban),
           void *context, char reason[FAIL2BAN_REASON_SIZE])
{
    const int count = fjson_object_array_length(array);
    char jail[JAIL_NAME_SIZE];
    struct fail2ban_ban ban;

    for (int i = 0; i < count; i++) {
        if (read_member(fjson_object_array_get_idx(array, i), &ban, jail) < 0) {
            snprintf(reason, FAIL2BAN_REASON_SIZE, "ban %d of the JSON makes no sense", i + 1);
            return -EINVAL;
        }
        if (each != NULL && !each(context, &ban))
            break;
    }
    return count;
}

/* ---- the file ---- */

static char *
read_all(const char *path, char reason[FAIL2BAN_REASON_SIZE])
{
    FILE *const file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *text = NULL, buffer[65536];
    size_t length = 0, more = 0;
    FILE *const memory = file == NULL ? NULL : open_memstream(&text, &length);
    bool is_fine = memory != NULL;

    if (memory != NULL)
        errno = 0;
    while (is_fine && (more = fread(buffer, 1, sizeof(buffer), file)) > 0)
        is_fine = fwrite(buffer, 1, more, memory) == more && ftell(memory) <= (long)FILE_SIZE_MAX;
    if (file != NULL)
        is_fine = is_fine && !ferror(file);
    if (memory != NULL)
        fclose(memory);
    if (is_fine && strlen(text) != length) { /* a NUL would hide what stands behind it */
        errno = EINVAL;
        is_fine = false;
    }
    if (file != NULL && file != stdin)
        fclose(file);
    if (!is_fine) {
        snprintf(reason, FAIL2BAN_REASON_SIZE, "%.150s cannot be read: %s", path,
                 errno != 0 ? strerror(errno) : "it is too large");
        free(text);
        text = NULL;
    }
    return text;
}

static int
read_text(const char *text, bool (*each)(void *context, const struct fail2ban_ban *ban),
          void *context, char reason[FAIL2BAN_REASON_SIZE])
{
    struct fjson_object *object, *array = NULL;
    int result;

    if (text[strspn(text, " \t\r\n")] != '{') {
        result = read_lines(text, NULL, NULL, reason);
        return result < 0 ? result : read_lines(text, each, context, reason);
    }
    object = object_parse(text, strlen(text));
    if (object == NULL || !fjson_object_object_get_ex(object, "bans", &array) ||
        !fjson_object_is_type(array, fjson_type_array)) {
        snprintf(reason, FAIL2BAN_REASON_SIZE, "the JSON has no bans");
        result = -EINVAL;
    } else {
        result = read_array(array, NULL, NULL, reason);
        if (result >= 0)
            result = read_array(array, each, context, reason);
    }
    fjson_object_put(object);
    return result;
}

int
exported_read(const char *path, bool (*each)(void *context, const struct fail2ban_ban *ban),
              void *context, char reason[FAIL2BAN_REASON_SIZE])
{
    char *const text = read_all(path, reason);
    const int result = text == NULL ? -EIO : read_text(text, each, context, reason);

    free(text);
    return result;
}
