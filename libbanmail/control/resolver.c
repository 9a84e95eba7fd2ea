/* resolver: see resolver.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "control/resolver.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <resolv.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/replace.h"
#include "base/text.h"
#include "base/worker.h"

#define PAUSE_MS     60000
#define STOP_WAIT_MS 3000

struct resolver {
    struct worker worker;
    atomic_bool is_asked; /* to look now */
    void (*changed)(void);
    char *path; /* of what is kept */
    size_t count;
    struct allow_names *lists[RESOLVER_LISTS_MAX];
};

static void
free_resolver(struct resolver *resolver)
{
    for (size_t i = 0; i < resolver->count; i++)
        allow_names_release(resolver->lists[i]);
    worker_free(&resolver->worker);
    free(resolver->path);
    free(resolver);
}

/* ---- over a restart ---- */

static bool
restore(struct resolver *resolver)
{
    FILE *const file = fopen(resolver->path, "re");
    char *line = NULL;
    size_t size = 0;
    bool is_restored = false;

    while (file != NULL && getline(&line, &size, file) > 0)
        for (size_t i = 0; i < resolver->count; i++)
            is_restored |= allow_names_restore(resolver->lists[i], line);
    free(line);
    if (file != NULL)
        fclose(file);
    return is_restored;
}

/* A disk that does not take them costs nothing but what they are for. */
static void
keep(const struct resolver *resolver)
{
    char *text = NULL;
    size_t length;
    FILE *const file = open_memstream(&text, &length);

    for (size_t i = 0; file != NULL && i < resolver->count; i++)
        allow_names_print(resolver->lists[i], file);
    if (text_close(file, &text))
        replace_file(resolver->path, text, length, 0600, (uid_t)-1, (gid_t)-1);
    free(text);
}

/* ---- the thread ---- */

/* The thread's own: a server that does not answer is not waited for as long as by default. */
static void
be_impatient(void)
{
    if (res_init() != 0)
        return;
    _res.retrans = 2;
    _res.retry = 2;
}

static bool
look_up_all(struct resolver *resolver)
{
    bool changed = false;

    be_impatient(); /* as resolv.conf is now */
    for (size_t i = 0; i < resolver->count && !worker_is_stopping(&resolver->worker); i++)
        changed |= allow_names_resolve(resolver->lists[i], &resolver->worker);
    if (changed)
        keep(resolver);
    return changed;
}

/* What may hang: who stops the thread meanwhile leaves it behind. */
static void
run_call(struct resolver *resolver, bool (*call)(struct resolver *resolver))
{
    bool changed;

    worker_enter(&resolver->worker);
    changed = call(resolver);
    if (!worker_leave(&resolver->worker)) {
        free_resolver(resolver);
        pthread_exit(NULL);
    }
    if (changed && !worker_is_stopping(&resolver->worker))
        resolver->changed();
}

static void
pause_for_a_minute(struct resolver *resolver)
{
    struct pollfd woken = {.fd = worker_descriptor(&resolver->worker), .events = POLLIN};

    worker_listen(&resolver->worker);
    if (!atomic_exchange(&resolver->is_asked, false) && !worker_is_stopping(&resolver->worker))
        poll(&woken, 1, PAUSE_MS);
    worker_ignore(&resolver->worker);
    worker_drain(&resolver->worker);
    atomic_store(&resolver->is_asked, false); /* it looks now */
}

static void
run(void *context)
{
    struct resolver *const resolver = context;

    run_call(resolver, restore);
    while (!worker_is_stopping(&resolver->worker)) {
        run_call(resolver, look_up_all);
        if (!worker_is_stopping(&resolver->worker))
            pause_for_a_minute(resolver);
    }
}

int
resolver_start(struct resolver **resolver, struct allow_names *const *lists, size_t count,
               const char *path, void (*changed)(void))
{
    struct resolver *const made = calloc(1, sizeof *made);
    int error;

    if (made == NULL)
        return -ENOMEM;
    made->changed = changed;
    made->path = strdup(path);
    for (size_t i = 0; i < count && made->count < RESOLVER_LISTS_MAX; i++)
        made->lists[made->count++] = allow_names_hold(lists[i]);
    error = worker_init(&made->worker);
    if (made->path == NULL)
        error = -ENOMEM;
    if (error == 0)
        error = worker_start(&made->worker, "banmail-resolve", run, made);
    if (error != 0)
        free_resolver(made);
    else
        *resolver = made;
    return error;
}

void
resolver_wake(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    atomic_store(&resolver->is_asked, true);
    worker_wake(&resolver->worker);
}

void
resolver_stop(struct resolver *resolver)
{
    if (resolver != NULL && worker_stop(&resolver->worker, STOP_WAIT_MS))
        free_resolver(resolver);
}
