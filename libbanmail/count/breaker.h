/* breaker: while the authentication backend is broken, its users' failures are not their fault.
 *
 * When a password database is down, Postfix writes the very line of a wrong password. So lines that
 * tell of a fault of the backend (offence.flags & OFFENCE_AUTH_FAULT) suspend the counting of
 * auth_failed at the place where they were written, and failures counted there shortly before are
 * given back to be withdrawn.
 *
 * An attacker would like to pull it. Therefore:
 *   - one client alone never does: two or more must be hit within a minute. A fault that names
 *     somebody hits that client, and that user if he has logged in before; one that names nobody
 *     hits the clients that fail while it is recent.
 *   - on no host is the counting suspended for more than 10 minutes in any hour, whichever services
 *     have the faults: it stops in slices of half a minute, which all places of a host take out of
 *     one budget, and of which the twentieth but one must lie an hour back.
 *   - hosts, places, clients and failures are kept in fixed room; when it is full, the oldest goes.
 *
 *        first fault   second client hit            latest fault    + 30 s
 *   ─────────┼─────────────────┼───────────────────────────┼───────────┼─────▶ stamps
 *     2 s │◀─┘   withdrawn      │         suspended, slice by slice      │ counts again
 *
 * Pure but for its lock: time is that of the stamps given, in Unix milliseconds, which the caller
 * has bounded to the present. Any thread; no system call, no allocation but in breaker_new.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_BREAKER_H
#define BANMAIL_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table/table.h"

#define BREAKER_CLIENTS   2       /* so many clients or users must be hit */
#define BREAKER_WINDOW_MS 60000   /* within this time */
#define BREAKER_LEAD_MS   2000    /* failures so long before the first fault are withdrawn too */
#define BREAKER_HOLD_MS   30000   /* so long a fault is recent; also the length of a slice */
#define BREAKER_SLICES    20      /* so many slices ... */
#define BREAKER_HOUR_MS   3600000 /* ... in any such time */
#define BREAKER_FAILURES  2048    /* counted failures that are remembered */

struct breaker;

/* Where a line was written. */
struct breaker_place {
    uint64_t host;     /* hash of the host's name */
    uint64_t instance; /* hash of the service's instance; 0, of a fault: all of that host */
};

enum breaker_news {
    BREAKER_AS_BEFORE,
    BREAKER_ON,    /* suspended from this line on: say so, and withdraw what breaker_take gives */
    BREAKER_SPENT, /* would be suspended, but the ten minutes are spent: say so; told once */
};

/* A failure that was counted. */
struct breaker_failure {
    struct breaker_place place;
    struct table_counted counted;
};

/* Returns NULL when out of memory. Free with breaker_free; NULL is fine. */
struct breaker *breaker_new(void);
void breaker_free(struct breaker *breaker);

/* A user has logged in: from now on a fault that names him counts. user 0 is ignored. */
void breaker_login(struct breaker *breaker, uint64_t user);

/* Whether he has, as far as the memory for some thousand users goes. */
bool breaker_has_logged_in(struct breaker *breaker, uint64_t user);

/* A line tells of a fault at `place`. `client` and `user` are hashes of whom it names, 0: nobody.
 */
enum breaker_news breaker_fault(struct breaker *breaker, const struct breaker_place *place,
                                uint64_t client, uint64_t user, int64_t stamp_ms);

/* Whether breaker_holds may do anything: there has been a fault. Takes no lock. */
bool breaker_may_hold(const struct breaker *breaker);

/* Whether a failure of `client` (a hash, the same that a fault has) at `place` shall not count.
 * Because it may be the second client that is hit, *news tells what breaker_fault would return, for
 * the place *where. */
bool breaker_holds(struct breaker *breaker, const struct breaker_place *place, uint64_t client,
                   int64_t stamp_ms, enum breaker_news *news, struct breaker_place *where);

/* A failure was counted; it may have to be withdrawn. */
void breaker_counted(struct breaker *breaker, const struct breaker_failure *failure);

/* Takes up to `most` failures out of what breaker_counted has remembered, that lie in the time for
 * which `place` is suspended. Returns how many; call it until it returns 0. */
size_t breaker_take(struct breaker *breaker, const struct breaker_place *place,
                    struct breaker_failure *failures, size_t most);

struct breaker_outage {
    unsigned places;    /* that have faults now; 0: nothing of the rest is set */
    unsigned suspended; /* how many of them: the others have spent their ten minutes */
    uint64_t host;      /* of the one that has lasted longest */
    int64_t since_ms;
    int64_t until_ms; /* it is suspended until then, as far as is known; 0: it counts again */
};

/* What is out of order at now_ms. */
void breaker_read_outage(struct breaker *breaker, int64_t now_ms, struct breaker_outage *outage);

#endif
