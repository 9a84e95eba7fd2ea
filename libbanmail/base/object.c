/* object: libfastjson, held to what we accept.
 *
 * The library is lenient in ways that matter here: it clamps integers that are too large, lets NUL
 * bytes into strings, and stops at a NUL byte as if the text ended there. So integers are bounded
 * well inside 64 bits by the callers, strings must be printable ASCII over their whole length, and
 * the parse must have consumed every byte.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "base/object.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <json.h>

#define OBJECT_DEPTH 4

struct fjson_object *
object_parse(const char *text, size_t length)
{
    if (length > INT_MAX)
        return NULL;

    struct fjson_tokener *tokener = fjson_tokener_new_ex(OBJECT_DEPTH);
    if (tokener == NULL)
        return NULL;
    fjson_tokener_set_flags(tokener, FJSON_TOKENER_STRICT);
    struct fjson_object *object = fjson_tokener_parse_ex(tokener, text, (int)length);
    bool whole = object != NULL && (size_t)tokener->char_offset == length;
    fjson_tokener_free(tokener);
    if (whole && fjson_object_is_type(object, fjson_type_object))
        return object;
    fjson_object_put(object);
    return NULL;
}

/* The end of the string that begins at `at`. */
static size_t
end_of_string(const char *text, size_t length, size_t at)
{
    for (at++; at < length && text[at] != '"'; at++)
        at += text[at] == '\\';
    return at;
}

/* How many keys the outermost object of valid JSON is given: the library keeps one of each name,
 * the last. */
static int
count_keys(const char *text, size_t length)
{
    int depth = 0, keys = 0;

    for (size_t at = 0; at < length; at++) {
        if (text[at] == '"')
            at = end_of_string(text, length, at);
        else if (text[at] == '{' || text[at] == '[')
            depth++;
        else if (text[at] == '}' || text[at] == ']')
            depth--;
        else
            keys += depth == 1 && text[at] == ':';
    }
    return keys;
}

struct fjson_object *
object_parse_strict(const char *text, size_t length)
{
    struct fjson_object *object = object_parse(text, length);

    if (object == NULL || count_keys(text, length) == fjson_object_object_length(object))
        return object;
    fjson_object_put(object);
    return NULL;
}

static int
read_text(struct fjson_object *value, char *text, size_t size)
{
    if (!fjson_object_is_type(value, fjson_type_string))
        return -EINVAL;

    int length = fjson_object_get_string_len(value);
    const char *bytes = fjson_object_get_string(value);
    if (length < 1 || (size_t)length >= size)
        return -EINVAL;
    for (int i = 0; i < length; i++)
        if (bytes[i] < ' ' || bytes[i] > '~')
            return -EINVAL;
    memcpy(text, bytes, (size_t)length);
    text[length] = '\0';
    return 0;
}

static int
read_integer(struct fjson_object *value, int64_t least, int64_t most, int64_t *integer)
{
    if (!fjson_object_is_type(value, fjson_type_int))
        return -EINVAL;

    int64_t number = fjson_object_get_int64(value);
    if (number < least || number > most)
        return -EINVAL;
    *integer = number;
    return 0;
}

static struct fjson_object *
read_list(struct fjson_object *value, size_t least, size_t most, size_t *count)
{
    if (!fjson_object_is_type(value, fjson_type_array))
        return NULL;
    *count = (size_t)fjson_object_array_length(value);
    return *count >= least && *count <= most ? value : NULL;
}

/* ---- members ---- */

int
object_text(struct fjson_object *object, const char *key, char *text, size_t size)
{
    struct fjson_object *member;
    if (!fjson_object_object_get_ex(object, key, &member))
        return -ENOENT;
    return read_text(member, text, size);
}

int
object_integer(struct fjson_object *object, const char *key, int64_t least, int64_t most,
               int64_t *value)
{
    struct fjson_object *member;
    if (!fjson_object_object_get_ex(object, key, &member))
        return -ENOENT;
    return read_integer(member, least, most, value);
}

bool
object_is_null(struct fjson_object *object, const char *key)
{
    struct fjson_object *member;
    return fjson_object_object_get_ex(object, key, &member) && member == NULL;
}

struct fjson_object *
object_list(struct fjson_object *object, const char *key, size_t most, size_t *count)
{
    struct fjson_object *member;
    if (!fjson_object_object_get_ex(object, key, &member))
        return NULL;
    return read_list(member, 0, most, count);
}

/* ---- elements ---- */

struct fjson_object *
list_list(struct fjson_object *list, size_t index, size_t least, size_t most, size_t *count)
{
    return read_list(fjson_object_array_get_idx(list, (int)index), least, most, count);
}

int
list_text(struct fjson_object *list, size_t index, char *text, size_t size)
{
    return read_text(fjson_object_array_get_idx(list, (int)index), text, size);
}

int
list_integer(struct fjson_object *list, size_t index, int64_t least, int64_t most, int64_t *value)
{
    return read_integer(fjson_object_array_get_idx(list, (int)index), least, most, value);
}

bool
list_is_null(struct fjson_object *list, size_t index)
{
    return fjson_object_array_get_idx(list, (int)index) == NULL;
}
