/* users: which names are anybody's here, as a file has it: so a login of a name that is nobody's is
 * one of an unknown user, also where the mail server does not say it.
 *
 *     # /etc/ombanmail/users
 *     anna@example.org
 *     bob                   of the default realm, if there is one
 *     @example.net          each name of this domain
 *
 * Capitals are as small letters, and `anna+shop@example.org` is anna@example.org. A list that is
 * missing, empty, old, or less than half as long as the one before is not to be trusted: somebody
 * whose name it lacks would be banned as if he guessed. Then there is none, and the reason is said.
 *
 * Of names only keyed hashes are kept. A look-up takes two probes on average, however many there
 * are.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_USERS_H
#define BANMAIL_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/readers.h"

#define USERS_REASON_SIZE   512
#define USERS_NAME_MAX      79 /* a longer one may have been cut: it is not judged */
#define USERS_REALM_SIZE    256
#define USERS_AGE_DEFAULT_S (7 * 24 * 3600)

struct users;

/* One that reads the file at `path` when it is told to, and does not trust it when it is older than
 * max_age_s. `realm`: the domain of names without one; "": they stay without. Returns NULL when out
 * of memory or randomness. Free with users_free. */
struct users *users_new(const char *path, const char *realm, int64_t max_age_s);

/* Reads the file, if it is another one than was read last, or `again` says so, and returns when no
 * worker of `readers` (NULL: there are none) looks into the former list. Returns 0 when there is a
 * list in force; else a negative errno, and there is none (-ENODATA: empty or shrunken, -ESTALE:
 * too old), with the reason. *changed: whether anything is other than before the call. Makes system
 * calls; one thread at a time. */
int users_read(struct users *users, bool again, int64_t now_s, struct readers *readers,
               bool *changed, char reason[USERS_REASON_SIZE]);

/* Whether there is a list and the name, as somebody logs in with it, is nobody's. A name that is
 * too long to be whole, empty, or of a master user (with a `*`) is not judged: false. Of a worker:
 * between readers_begin and readers_end. No lock, no system call, no allocation. */
bool users_is_unknown(const struct users *users, const char *name, size_t length);

/* How many entries the list in force has; 0: there is none. The thread that reads it. */
size_t users_count(const struct users *users);

/* No worker looks into it any more. NULL is fine. */
void users_free(struct users *users);

#endif
