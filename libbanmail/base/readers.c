/* readers: a number for each worker, which it raises when it begins to read and when it has ended.
 *
 * Raising the number and reading the pointer, replacing the pointer and reading the number: all
 * four are sequentially consistent. So either the worker's number is odd for him who waits, or the
 * worker comes later and finds the new pointer. A number that has changed is a reading that ended.
 * (Known as RCU.) A lock for readers and writers would be shorter, but one that lets no writer
 * starve stops all workers while the slowest of them reads.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "base/readers.h"

#include <time.h>

#define LOOK_AGAIN_NS 100000

void
readers_join(struct readers *readers, struct reader *reader)
{
    atomic_init(&reader->turn, 0);
    pthread_mutex_lock(&readers->lock);
    reader->next = readers->first;
    readers->first = reader;
    pthread_mutex_unlock(&readers->lock);
}

void
readers_leave(struct readers *readers, struct reader *reader)
{
    struct reader **link;

    atomic_store(&reader->turn, 0); /* should its thread have ended while it read */
    pthread_mutex_lock(&readers->lock);
    for (link = &readers->first; *link != NULL && *link != reader; link = &(*link)->next) {
    }
    if (*link != NULL)
        *link = reader->next;
    pthread_mutex_unlock(&readers->lock);
}

void
readers_begin(struct reader *reader)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &reader->cancel_state);
    atomic_fetch_add(&reader->turn, 1);
}

void
readers_end(struct reader *reader)
{
    atomic_fetch_add_explicit(&reader->turn, 1, memory_order_release);
    pthread_setcancelstate(reader->cancel_state, NULL);
}

static void
wait_for(const struct reader *reader)
{
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_NS};
    const unsigned long turn = atomic_load(&reader->turn);

    while (turn % 2 == 1 && atomic_load(&reader->turn) == turn)
        nanosleep(&pause, NULL);
}

/* Under the lock: who is looked at does not go away. Who reads takes no part in it, and so ends. */
void
readers_wait(struct readers *readers)
{
    pthread_mutex_lock(&readers->lock);
    for (const struct reader *reader = readers->first; reader != NULL; reader = reader->next)
        wait_for(reader);
    pthread_mutex_unlock(&readers->lock);
}
