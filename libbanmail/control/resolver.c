/* resolver: see resolver.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "control/resolver.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <resolv.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAUSE_S     60
#define STOP_WAIT_S 3

struct resolver {
    atomic_uint holders; /* the thread, and who has started it */
    pthread_t thread;
    pthread_mutex_t lock; /* of the following; held while `changed` runs */
    pthread_cond_t wake;
    bool is_woken;
    volatile bool is_stopped;
    void (*changed)(void);
    size_t count;
    struct allow_names *lists[RESOLVER_LISTS_MAX];
};

static void
release(struct resolver *resolver)
{
    if (atomic_fetch_sub(&resolver->holders, 1) > 1)
        return;
    for (size_t i = 0; i < resolver->count; i++)
        allow_names_release(resolver->lists[i]);
    pthread_cond_destroy(&resolver->wake);
    pthread_mutex_destroy(&resolver->lock);
    free(resolver);
}

/* The thread's own: a server that does not answer is not waited for as long as by default. */
static void
be_impatient(void)
{
    if (res_init() != 0)
        return;
    _res.retrans = 2;
    _res.retry = 2;
}

static void
look_up_all(struct resolver *resolver)
{
    bool changed = false;

    for (size_t i = 0; i < resolver->count && !resolver->is_stopped; i++)
        changed |= allow_names_resolve(resolver->lists[i], &resolver->is_stopped);
    pthread_mutex_lock(&resolver->lock);
    if (changed && !resolver->is_stopped)
        resolver->changed();
    pthread_mutex_unlock(&resolver->lock);
}

static void
pause_for_a_minute(struct resolver *resolver)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PAUSE_S;
    pthread_mutex_lock(&resolver->lock);
    while (!resolver->is_woken && !resolver->is_stopped &&
           pthread_cond_timedwait(&resolver->wake, &resolver->lock, &until) != ETIMEDOUT)
        continue;
    resolver->is_woken = false;
    pthread_mutex_unlock(&resolver->lock);
}

static void *
run(void *argument)
{
    struct resolver *const resolver = argument;

    pthread_setname_np(pthread_self(), "banmail-resolve");
    while (!resolver->is_stopped) {
        be_impatient(); /* as resolv.conf is now */
        look_up_all(resolver);
        pause_for_a_minute(resolver);
    }
    release(resolver);
    return NULL;
}

static struct resolver *
make(struct allow_names *const *lists, size_t count, void (*changed)(void))
{
    struct resolver *const resolver = calloc(1, sizeof *resolver);
    pthread_condattr_t attributes;

    if (resolver == NULL)
        return NULL;
    atomic_init(&resolver->holders, 2);
    pthread_mutex_init(&resolver->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&resolver->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    resolver->changed = changed;
    for (size_t i = 0; i < count && resolver->count < RESOLVER_LISTS_MAX; i++)
        resolver->lists[resolver->count++] = allow_names_hold(lists[i]);
    return resolver;
}

/* Signals are the process's main thread's. */
int
resolver_start(struct resolver **resolver, struct allow_names *const *lists, size_t count,
               void (*changed)(void))
{
    struct resolver *const made = make(lists, count, changed);
    sigset_t all, before;
    int error;

    if (made == NULL)
        return -ENOMEM;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&made->thread, NULL, run, made);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        atomic_store(&made->holders, 1);
        release(made);
        return -error;
    }
    *resolver = made;
    return 0;
}

void
resolver_wake(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    pthread_mutex_lock(&resolver->lock);
    resolver->is_woken = true;
    pthread_cond_signal(&resolver->wake);
    pthread_mutex_unlock(&resolver->lock);
}

void
resolver_stop(struct resolver *resolver)
{
    struct timespec until;

    if (resolver == NULL)
        return;
    pthread_mutex_lock(&resolver->lock);
    resolver->is_stopped = true;
    pthread_cond_signal(&resolver->wake);
    pthread_mutex_unlock(&resolver->lock);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_WAIT_S;
    if (pthread_timedjoin_np(resolver->thread, NULL, &until) != 0)
        pthread_detach(resolver->thread);
    release(resolver);
}
