/* backend: what the log tells of the authentication backend, and what follows for failures.
 *
 * Joins three rooms: session (which users do not exist), breaker (whether the failures of this
 * moment are the server's own), and the table, from which it takes back what counted too early.
 *
 * Any thread, unless said otherwise; no system call, no allocation but in backend_new.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_BACKEND_H
#define BANMAIL_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "count/breaker.h"
#include "count/known.h"
#include "line/offence.h"
#include "table/table.h"

#define BACKEND_TEXT_SIZE 512

struct backend;

/* Who wrote a line, and when. */
struct backend_line {
    const char *host; /* bytes, as long as the call lasts */
    size_t host_length;
    struct breaker_place place; /* from backend_place */
    int64_t stamp_ms;           /* more than a minute ahead of now_ms is taken for now_ms */
    int64_t now_ms;
};

struct backend_statistics {
    uint64_t faults;    /* lines that told of one */
    uint64_t held;      /* failures that did not count for that */
    uint64_t withdrawn; /* failures that had counted, and were taken back */
    uint64_t lifted;    /* bans that those had completed */
    uint64_t unknown;   /* failures that were found to be of unknown users */
    uint64_t suspended; /* places at this moment */
};

/* The table must outlive it. Returns NULL when out of memory. Free with backend_free while no other
 * thread uses it; NULL is fine. */
struct backend *backend_new(struct table *table);
void backend_free(struct backend *backend);

/* Clients of one network of so many bits are one client, where that is wider than an IPv4 address
 * or an IPv6 /64, or than was said before: so a jail counts. One thread; others may take lines
 * meanwhile. */
void backend_widen(struct backend *backend, unsigned v4_bits, unsigned v6_bits);

/* The same, whatever was said before: the jails that counted so are gone. Likewise. */
void backend_narrow(struct backend *backend, unsigned v4_bits, unsigned v6_bits);

/* Where a line of such a host, by its hash, was written. Pure. */
struct breaker_place backend_place(uint64_t host, const struct known_service *service,
                                   enum offence_class class);

/* Every line that has a class, before anything is made of it. Where it is a failed login of a
 * session whose user does not exist, *offence becomes auth_unknown_user; where it has no hash of
 * the secret, that of the session. Returns whether enforcer and recorder are to be woken: there is
 * something to say, or a ban was lifted. */
bool backend_hear(struct backend *backend, const struct backend_line *line,
                  struct offence *offence);

/* Whether this failure, of a class that counts, shall not: counted as held. *wake as above. */
bool backend_holds(struct backend *backend, const struct backend_line *line,
                   const struct offence *offence, bool *wake);

/* Whether the user that a line names has logged in before: then the name is no password that was
 * typed there. As far as memory goes, which begins with the process. */
bool backend_knows(struct backend *backend, const struct offence *offence);

/* A failure of class auth_failed has counted there. */
void backend_counted(struct backend *backend, const struct breaker_place *place,
                     const struct table_counted *counted);

/* The next sentence that is to be said; false when there is none. Brings the table's status up to
 * date. One thread, about once a second. */
bool backend_news(struct backend *backend, int64_t now_ms, char text[BACKEND_TEXT_SIZE]);

void backend_read_statistics(struct backend *backend, int64_t now_ms,
                             struct backend_statistics *statistics);

#endif
