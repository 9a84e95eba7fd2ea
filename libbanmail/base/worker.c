/* worker: see worker.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "base/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum mark { MARK_FREE, MARK_IN_CALL, MARK_LEFT_BEHIND };

int
worker_init(struct worker *worker)
{
    worker->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_init(&worker->listening, false);
    atomic_init(&worker->stopping, false);
    atomic_init(&worker->mark, MARK_FREE);
    return worker->event < 0 || worker->ended < 0 ? -errno : 0;
}

void
worker_free(struct worker *worker)
{
    if (worker->event >= 0)
        close(worker->event);
    if (worker->ended >= 0)
        close(worker->ended);
}

static void *
run(void *argument)
{
    struct worker *const worker = argument;

    pthread_setname_np(pthread_self(), worker->name);
    worker->run(worker->context);
    eventfd_write(worker->ended, 1);
    return NULL;
}

int
worker_start(struct worker *worker, const char *name, void (*run_context)(void *context),
             void *context)
{
    sigset_t all, before;
    int error;

    worker->name = name;
    worker->run = run_context;
    worker->context = context;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&worker->thread, NULL, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

/* A thread of rsyslogd's that is cancelled between exchange and write would leave a worker that
 * nobody wakes: so cancellation waits. */
void
worker_wake(struct worker *worker)
{
    int before;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    if (atomic_exchange(&worker->listening, false))
        eventfd_write(worker->event, 1);
    pthread_setcancelstate(before, NULL);
}

void
worker_tell(struct worker *worker)
{
    eventfd_write(worker->event, 1);
}

bool
worker_stop(struct worker *worker, int patience_ms)
{
    const pthread_t thread = worker->thread; /* it may free the worker */
    struct pollfd ended = {.fd = worker->ended, .events = POLLIN};
    int expected;

    atomic_store(&worker->stopping, true);
    worker_tell(worker);
    while (poll(&ended, 1, patience_ms) <= 0) {
        expected = MARK_IN_CALL;
        if (atomic_compare_exchange_strong(&worker->mark, &expected, MARK_LEFT_BEHIND)) {
            pthread_detach(thread);
            return false;
        }
    }
    pthread_join(thread, NULL);
    return true;
}

/* ---- the thread's own ---- */

bool
worker_is_stopping(struct worker *worker)
{
    return atomic_load(&worker->stopping);
}

int
worker_descriptor(const struct worker *worker)
{
    return worker->event;
}

void
worker_listen(struct worker *worker)
{
    atomic_exchange(&worker->listening, true);
}

void
worker_ignore(struct worker *worker)
{
    atomic_store(&worker->listening, false);
}

void
worker_drain(struct worker *worker)
{
    eventfd_t count;

    eventfd_read(worker->event, &count); /* EAGAIN: nobody wrote */
}

void
worker_enter(struct worker *worker)
{
    atomic_store(&worker->mark, MARK_IN_CALL);
}

bool
worker_leave(struct worker *worker)
{
    int expected = MARK_IN_CALL;

    return atomic_compare_exchange_strong(&worker->mark, &expected, MARK_FREE);
}
