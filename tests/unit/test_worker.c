/* The thread of our own: it sees what was changed before it was woken, however the two interleave;
 * waking it costs a write only where it listens; it is stopped while it sleeps; and where it hangs
 * in a call it is left behind within the patience, and finds that out when the call returns.
 *
 * It fails when a wake is lost (the thread then sleeps on, and the test waits in vain), and when
 * worker_stop waits for a call that does not return.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/worker.h"

#define CHANGES     20000
#define PATIENCE_MS 50
#define LONG_MS     60000

static struct worker worker;
static _Atomic unsigned wanted, seen;
static sem_t entered, returns, ended;
static bool was_left_behind;

static bool
has_event(void)
{
    struct pollfd event = {.fd = worker_descriptor(&worker), .events = POLLIN};

    return poll(&event, 1, 0) == 1;
}

/* Sees each change, and sleeps for long when there is none. */
static void
follow(void *context)
{
    struct pollfd event = {.fd = worker_descriptor(&worker), .events = POLLIN};

    (void)context;
    while (!worker_is_stopping(&worker)) {
        worker_listen(&worker);
        if (seen == wanted)
            poll(&event, 1, LONG_MS);
        worker_ignore(&worker);
        worker_drain(&worker);
        seen = wanted;
    }
}

static void
hang(void *context)
{
    (void)context;
    worker_enter(&worker);
    sem_post(&entered);
    sem_wait(&returns);
    was_left_behind = !worker_leave(&worker);
    sem_post(&ended);
    if (was_left_behind)
        pthread_exit(NULL);
}

static void
no_wake_is_lost(void **state)
{
    (void)state;
    assert_int_equal(worker_init(&worker), 0);
    assert_int_equal(worker_start(&worker, "follow", follow, NULL), 0);
    for (unsigned i = 1; i <= CHANGES; i++) {
        wanted = i;
        worker_wake(&worker);
        while (i % 16 == 0 && seen != i) /* it sleeps by now, or is about to */
            sched_yield();
    }
    assert_true(worker_stop(&worker, LONG_MS));
    assert_int_equal(seen, CHANGES);
    worker_free(&worker);
}

static void
waking_writes_only_where_it_listens(void **state)
{
    (void)state;
    assert_int_equal(worker_init(&worker), 0);
    worker_wake(&worker);
    assert_false(has_event());
    worker_listen(&worker);
    worker_wake(&worker);
    assert_true(has_event());
    worker_drain(&worker);
    worker_wake(&worker); /* the first has taken the flag down */
    assert_false(has_event());
    worker_tell(&worker);
    assert_true(has_event());
    worker_free(&worker);
}

static void
a_thread_that_hangs_is_left_behind(void **state)
{
    (void)state;
    assert_int_equal(worker_init(&worker), 0);
    assert_int_equal(worker_start(&worker, "hang", hang, NULL), 0);
    sem_wait(&entered);
    assert_false(worker_stop(&worker, PATIENCE_MS));
    sem_post(&returns);
    sem_wait(&ended);
    assert_true(was_left_behind);
    worker_free(&worker);
}

static void
a_call_that_returns_in_time_is_waited_for(void **state)
{
    (void)state;
    assert_int_equal(worker_init(&worker), 0);
    assert_int_equal(worker_start(&worker, "hang", hang, NULL), 0);
    sem_wait(&entered);
    sem_post(&returns);
    assert_true(worker_stop(&worker, LONG_MS));
    assert_false(was_left_behind);
    worker_free(&worker);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_wake_is_lost),
        cmocka_unit_test(waking_writes_only_where_it_listens),
        cmocka_unit_test(a_thread_that_hangs_is_left_behind),
        cmocka_unit_test(a_call_that_returns_in_time_is_waited_for),
    };

    sem_init(&entered, 0, 0);
    sem_init(&returns, 0, 0);
    sem_init(&ended, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
