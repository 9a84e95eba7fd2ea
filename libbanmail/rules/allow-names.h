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

struct allow_names;

/* Without names. Returns NULL when memory is out. Held once: let go with allow_names_release. */
struct allow_names *allow_names_new(void);

/* Who else uses it holds it; the last who releases it frees it. NULL is fine. Any thread. */
struct allow_names *allow_names_hold(struct allow_names *names);
void allow_names_release(struct allow_names *names);

/* Adds a name such as home.example.org. Returns 0; -EINVAL when it is none: of letters, digits,
 * `-`,
 * `_` and at least one dot, the last part not of digits alone, so that no mistyped address is one;
 * -ENOMEM. Before anybody looks up. */
int allow_names_add(struct allow_names *names, const char *text, size_t length);

size_t allow_names_count(const struct allow_names *names);

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
