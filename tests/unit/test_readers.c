/* test_readers: what is replaced is freed only when no worker reads it, and workers never wait.
 *
 * Fails when readers_wait returns too early: the former object is poisoned and freed then, and a
 * reader finds the poison (or the sanitizer the use after free); when it returns never, because a
 * worker went away; or when a worker in between holds up another worker.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/readers.h"

#define WORKERS 4
#define NUMBERS 64

static struct readers readers = READERS_INITIALIZER;

/* All numbers of one object are the same. */
struct object {
    unsigned long number[NUMBERS];
};

static _Atomic(struct object *) object;
static atomic_bool stopping;
static atomic_ulong readings, torn;

static struct object *
make(unsigned long number)
{
    struct object *made = malloc(sizeof(*made));

    assert_non_null(made);
    for (size_t i = 0; i < NUMBERS; i++)
        made->number[i] = number;
    return made;
}

static void
look(struct reader *mine)
{
    const struct object *seen;

    readers_begin(mine);
    seen = atomic_load(&object);
    for (size_t i = 1; i < NUMBERS; i++) {
        if (seen->number[i] != seen->number[0] || seen->number[i] == 0)
            atomic_fetch_add(&torn, 1);
    }
    readers_end(mine);
    atomic_fetch_add(&readings, 1);
}

/* Comes and goes meanwhile, as rsyslog's workers do. */
static void *
work(void *argument)
{
    struct reader mine;

    (void)argument;
    while (!atomic_load(&stopping)) {
        readers_join(&readers, &mine);
        for (unsigned i = 0; i < 1000; i++)
            look(&mine);
        readers_leave(&readers, &mine);
    }
    return NULL;
}

static void
nobody_reads_what_is_freed(void **state)
{
    const unsigned swaps = getenv("LONG") != NULL ? 100000 : 2000;
    pthread_t workers[WORKERS];

    (void)state;
    atomic_store(&object, make(1));
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&workers[i], NULL, work, NULL), 0);
    while (atomic_load(&readings) == 0)
        usleep(100);
    for (unsigned i = 0; i < swaps; i++) {
        struct object *former = atomic_exchange(&object, make(i + 2));

        readers_wait(&readers);
        memset(former, 0, sizeof(*former));
        free(former);
    }
    atomic_store(&stopping, true);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    free(atomic_load(&object));
    assert_int_equal(atomic_load(&torn), 0);
    assert_null(readers.first);
    print_message("# %u swaps under %lu readings\n", swaps, atomic_load(&readings));
}

static atomic_bool is_waiting, waited;

/* readers_wait's: it has seen somebody who reads. */
int
nanosleep(const struct timespec *pause, struct timespec *left)
{
    atomic_store(&is_waiting, true);
    return clock_nanosleep(CLOCK_MONOTONIC, 0, pause, left);
}

static void *
wait_for_all(void *argument)
{
    (void)argument;
    readers_wait(&readers);
    atomic_store(&waited, true);
    return NULL;
}

static void
waits_for_who_has_begun_only(void **state)
{
    struct reader slow, quick;
    pthread_t thread;

    (void)state;
    readers_join(&readers, &slow);
    readers_join(&readers, &quick);
    readers_wait(&readers); /* nobody reads */
    readers_begin(&slow);
    atomic_store(&is_waiting, false);
    atomic_store(&waited, false);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_all, NULL), 0);
    while (!atomic_load(&is_waiting) && !atomic_load(&waited))
        usleep(100);
    for (unsigned i = 0; i < 20; i++) { /* another worker is not held up by the wait */
        readers_begin(&quick);
        readers_end(&quick);
        usleep(1000);
    }
    assert_false(atomic_load(&waited));
    readers_end(&slow);
    readers_begin(&slow); /* a new reading is none of the wait's */
    pthread_join(thread, NULL);
    assert_true(atomic_load(&waited));
    readers_end(&slow);
    readers_leave(&readers, &slow);
    readers_leave(&readers, &quick);
    readers_wait(&readers);
}

static struct reader doomed;
static atomic_bool has_begun, may_end;

static void *
be_cancelled(void *argument)
{
    (void)argument;
    readers_begin(&doomed);
    atomic_store(&has_begun, true);
    while (!atomic_load(&may_end))
        usleep(1000); /* where it would be cancelled */
    readers_end(&doomed);
    pthread_testcancel();
    return &doomed;
}

static void
cancellation_waits_for_the_end(void **state)
{
    pthread_t thread;
    void *result;

    (void)state;
    readers_join(&readers, &doomed);
    assert_int_equal(pthread_create(&thread, NULL, be_cancelled, NULL), 0);
    while (!atomic_load(&has_begun))
        usleep(1000);
    pthread_cancel(thread);
    usleep(10000);
    atomic_store(&may_end, true);
    pthread_join(thread, &result);
    assert_ptr_equal(result, PTHREAD_CANCELED);
    readers_wait(&readers); /* not in vain: it was at its end */
    readers_leave(&readers, &doomed);
}

static void *
leave_for_it(void *argument)
{
    usleep(20000);
    readers_leave(&readers, argument);
    return NULL;
}

static void
who_left_is_waited_for_no_longer(void **state)
{
    struct reader gone;
    pthread_t thread;

    (void)state;
    readers_join(&readers, &gone);
    readers_begin(&gone);
    assert_int_equal(pthread_create(&thread, NULL, leave_for_it, &gone), 0);
    readers_wait(&readers);
    pthread_join(thread, NULL);
    assert_null(readers.first);
    pthread_setcancelstate(gone.cancel_state, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_reads_what_is_freed),
        cmocka_unit_test(waits_for_who_has_begun_only),
        cmocka_unit_test(cancellation_waits_for_the_end),
        cmocka_unit_test(who_left_is_waited_for_no_longer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
