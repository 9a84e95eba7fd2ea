/* session: what the password databases said about a session of Dovecot's login processes.
 *
 * A login line says that authentication failed, not why. Dovecot's auth process (auth_verbose)
 * writes a line for each password database before it, with the same session id. Here they are kept
 * until the login line comes: a user is unknown when at least one of them said so, and none said
 * anything else.
 *
 * What an auth line says is only ever looked up by the session id of a login line, and gives no
 * address. The room is fixed; ids are hashed with a random key, so nobody can choose which one is
 * displaced, or take the place of another.
 *
 * Any thread; no system call and no allocation but in session_new.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_SESSION_H
#define BANMAIL_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line/offence.h"

#define SESSION_LIFE_MS                                                                            \
    600000 /* a login process ends a session that has not logged in in 3 min                       \
            */

struct session_store;

/* Returns NULL when out of memory or randomness. Free with session_free; NULL is fine. */
struct session_store *session_new(void);
void session_free(struct session_store *store);

/* An auth line of a session: `host` is a hash of the host that wrote it; `reason` is not
 * OFFENCE_REASON_NONE; `secret` the hash of the secret in it, 0: none. */
void session_tell(struct session_store *store, uint64_t host, const char *session, size_t length,
                  enum offence_reason reason, uint64_t secret, int64_t stamp_ms);

/* Whether all that was told of the session is that there is no such user. *secret becomes the hash
 * of the secret that was told last, 0 when none was, whatever is returned. */
bool session_is_unknown(struct session_store *store, uint64_t host, const char *session,
                        size_t length, int64_t stamp_ms, uint64_t *secret);

#endif
