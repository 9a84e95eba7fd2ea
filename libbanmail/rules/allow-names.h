/* allow-names: DNS names on an allow list, and the addresses that they had last.
 *
 * They are looked up by a thread that may wait for it; a name that cannot be looked up keeps its
 * addresses.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_ALLOW_NAMES_H
#define BANMAIL_ALLOW_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/worker.h"
#include "rules/allow.h"

#define ALLOW_NAME_SIZE      254 /* with its NUL */
#define ALLOW_NAME_ADDRESSES 64  /* of one name; more are left out */
#define ALLOW_NAMES_MAX      256 /* each may have to be waited for */

struct allow_names;

/* Without names. Returns NULL when memory is out. Held once: let go with allow_names_release. */
struct allow_names *allow_names_new(void);

/* Who else uses it holds it; the last who releases it frees it. NULL is fine. Any thread. */
struct allow_names *allow_names_hold(struct allow_names *names);
void allow_names_release(struct allow_names *names);

/* Adds a name such as home.example.org. Returns 0; -EINVAL when it is none: of letters, digits,
 * `-`,
 * `_` and at least one dot, the last part not of digits alone, so that no mistyped address is one;
 * -ENOSPC when there are ALLOW_NAMES_MAX; -ENOMEM. One that is there already is not added again.
 * Before anybody looks up. */
int allow_names_add(struct allow_names *names, const char *text, size_t length);

/* Adds those of others (NULL: none) that it does not have. Returns as allow_names_add. Before
 * anybody looks up. */
int allow_names_add_all(struct allow_names *names, const struct allow_names *others);

/* Whether both (NULL: none) have the same names in the same order. */
bool allow_names_are_same(const struct allow_names *a, const struct allow_names *b);

/* Takes over the addresses that `former` (NULL: nobody) has of names of the list that have none
 * yet. Any thread. */
void allow_names_inherit(struct allow_names *names, struct allow_names *former);

size_t allow_names_count(const struct allow_names *names);

/* Its name of that index, from 0 to allow_names_count - 1; lives as long as the list. */
const char *allow_names_text(const struct allow_names *names, size_t index);

/* Looks all of them up; stops between two when the worker (NULL: none) is stopping. Returns whether
 * an address has come or gone. May wait for seconds a name; one thread at a time. */
bool allow_names_resolve(struct allow_names *names, struct worker *worker);

/* Prints a line for each name that has addresses: the name, and these. Takes such a line back, for
 * a name of the list that has none yet; returns whether there is one. Any thread. */
void allow_names_print(struct allow_names *names, FILE *file);
bool allow_names_restore(struct allow_names *names, const char *line);

/* Adds the addresses that they have. Returns 0 or -ENOMEM. Any thread. */
int allow_names_merge(struct allow_names *names, struct allow *allow);

/* Whether one of them has this address; which, goes to `name`. Any thread. */
bool allow_names_find(struct allow_names *names, const struct source *address,
                      char name[ALLOW_NAME_SIZE]);

#endif
