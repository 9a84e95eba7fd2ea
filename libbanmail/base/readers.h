/* readers: workers read what somebody else replaces whole, and nobody ever makes them wait.
 *
 *   worker                          who replaces
 *   readers_begin(&mine);           old = atomic_exchange(&list, new);
 *   p = atomic_load(&list);         readers_wait(&readers);
 *   … reads p …                     free(old);
 *   readers_end(&mine);
 *
 * What was taken out before readers_wait was called is read by nobody any more when it returns.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_READERS_H
#define BANMAIL_READERS_H

#include <pthread.h>
#include <stdatomic.h>

/* One worker. The members are this file's. */
struct reader {
    atomic_ulong turn; /* odd while it reads */
    int cancel_state;
    struct reader *next;
};

struct readers {
    pthread_mutex_t lock; /* of the chain; workers take it when they come and go */
    struct reader *first;
};

/* clang-format off */
#define READERS_INITIALIZER {.lock = PTHREAD_MUTEX_INITIALIZER}
/* clang-format on */

/* A worker comes: *reader is filled in, and must stay where it is until readers_leave, which may be
 * another thread's call, when the worker is no more. Any thread. */
void readers_join(struct readers *readers, struct reader *reader);
void readers_leave(struct readers *readers, struct reader *reader);

/* Around what the worker reads, which must be short. Cancellation waits until the end: a thread
 * that ended in between would be waited for in vain. Never blocks, makes no system call; the
 * reader's own thread only; not nested. */
void readers_begin(struct reader *reader);
void readers_end(struct reader *reader);

/* Waits until every worker that is between begin and end now has been at its end: some
 * microseconds, or as long as the scheduler keeps one from running. Not between begin and end of
 * one's own. Any thread. */
void readers_wait(struct readers *readers);

#endif
