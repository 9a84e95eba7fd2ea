/* object: one object of JSON from somebody who is not trusted, and its members.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_OBJECT_H
#define BANMAIL_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fjson_object; /* libfastjson */

/* Parses exactly one object, white space around it allowed, nothing else behind it, nested at most
 * four deep. Returns NULL when it is not that; free with fjson_object_put. Allocates; any thread.
 */
struct fjson_object *object_parse(const char *text, size_t length);

/* The same, and NULL also where the object has a key twice: two readers of it may take different
 * ones. */
struct fjson_object *object_parse_strict(const char *text, size_t length);

/* Copies the string member `key`: 1 to size - 1 bytes, all of them printable ASCII. Returns 0,
 * -ENOENT when there is none, -EINVAL when it is of another type or not of that form. */
int object_text(struct fjson_object *object, const char *key, char *text, size_t size);

/* Reads the integer member `key`. Returns 0, -ENOENT when there is none, -EINVAL when it is of
 * another type or outside least..most. */
int object_integer(struct fjson_object *object, const char *key, int64_t least, int64_t most,
                   int64_t *value);

/* Whether there is a member `key` and it is null. */
bool object_is_null(struct fjson_object *object, const char *key);

/* The array member `key`, which lives as long as the object, and in *count how long it is. Returns
 * NULL when there is none, when it is of another type or longer than `most`. */
struct fjson_object *object_list(struct fjson_object *object, const char *key, size_t most,
                                 size_t *count);

/* The same for the element `index` of such a list: an array of `least` to `most`. */
struct fjson_object *list_list(struct fjson_object *list, size_t index, size_t least, size_t most,
                               size_t *count);

/* The element `index`, which the list has, as object_text, object_integer and object_is_null read
 * a member. */
int list_text(struct fjson_object *list, size_t index, char *text, size_t size);
int list_integer(struct fjson_object *list, size_t index, int64_t least, int64_t most,
                 int64_t *value);
bool list_is_null(struct fjson_object *list, size_t index);

#endif
