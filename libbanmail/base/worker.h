/* worker: a thread of our own within rsyslogd, that sleeps until it is woken, and that may hang in
 * a call that is not ours (libnftables, the disk, a name server's answer) without holding anybody
 * up. Three are made of it: the enforcer, the recorder, and the resolver, which sleeps by the clock
 * and is woken to look up names before its time.
 *
 * Sleeping: the thread begins to listen, looks once more whether there is something to do, and only
 * then polls worker_descriptor. Who wakes it changes something first, and writes to the descriptor
 * only if the thread listens. Both sides exchange one flag, which puts the two exchanges in one
 * order: if the waker's is first, the thread's look sees the change; if the thread's is first, the
 * waker finds that it listens.
 *
 * Hanging: the thread marks when it is in a call that may hang. Who stops it and has waited long
 * enough takes the mark away, and leaves it behind. The thread finds out when the call returns, and
 * ends without touching anything but what it alone has, which is its own to free by then.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_WORKER_H
#define BANMAIL_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct worker {
    pthread_t thread;
    int event, ended; /* eventfds */
    atomic_bool listening, stopping;
    atomic_int mark;
    const char *name;
    void (*run)(void *context);
    void *context;
};

/* Before the thread is there, or when it has ended. worker_init returns 0 or a negative errno;
 * worker_free may be called even so. */
int worker_init(struct worker *worker);
void worker_free(struct worker *worker);

/* Starts it: `name` is what ps shows, 15 bytes, and is not copied. All signals are blocked on it:
 * they are rsyslogd's affair. Returns 0 or a negative errno. */
int worker_start(struct worker *worker, const char *name, void (*run)(void *context),
                 void *context);

/* Any thread: something was changed that it has to see; one system call where it listens, else
 * none. worker_tell writes always: for what the thread waits for without listening. */
void worker_wake(struct worker *worker);
void worker_tell(struct worker *worker);

/* Stops it and waits. Returns false when it hangs in a call for longer than patience_ms: then it is
 * left behind, and `worker` is the thread's own and must not be touched. */
bool worker_stop(struct worker *worker, int patience_ms);

/* ---- the thread's own ---- */

bool worker_is_stopping(struct worker *worker);

/* What it polls for POLLIN. */
int worker_descriptor(const struct worker *worker);

/* From here on it is woken; look for something to do behind this, before polling. */
void worker_listen(struct worker *worker);

/* It is up, and need not be woken. worker_drain makes the descriptor silent again. */
void worker_ignore(struct worker *worker);
void worker_drain(struct worker *worker);

/* Before and after a call that may hang. worker_leave returns false when the thread was left behind
 * meanwhile: then free what is yours, worker_free included, and pthread_exit. */
void worker_enter(struct worker *worker);
bool worker_leave(struct worker *worker);

#endif
