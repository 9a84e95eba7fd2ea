/* recent: see recent.h. Sets of eight lines by their fingerprint, each with a lock of its own.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "count/recent.h"

#include <pthread.h>
#include <stdlib.h>

#define SETS 1024
#define WAYS 8

struct passing {
    uint64_t fingerprint; /* 0: free */
    uint64_t line;        /* handle: ascending */
    uint64_t passed;      /* actions, as bits */
    uint64_t left;        /* of these, those that wait for the judgement */
    uint64_t jails;       /* that have counted it, likewise */
    bool is_being_judged, is_judged;
    struct judgement judgement;
};

struct set {
    pthread_mutex_t lock;
    uint64_t last; /* handle that was given */
    struct passing passing[WAYS];
};

struct recent {
    struct set sets[SETS];
};

struct recent *
recent_new(void)
{
    struct recent *recent = calloc(1, sizeof *recent);

    for (unsigned i = 0; recent != NULL && i < SETS; i++)
        pthread_mutex_init(&recent->sets[i].lock, NULL);
    return recent;
}

void
recent_free(struct recent *recent)
{
    for (unsigned i = 0; recent != NULL && i < SETS; i++)
        pthread_mutex_destroy(&recent->sets[i].lock);
    free(recent);
}

/* The oldest of these lines that the action has not passed, or a new one in place of the oldest of
 * all. */
static struct passing *
find(struct set *set, uint64_t fingerprint, uint64_t action)
{
    struct passing *found = NULL, *oldest = &set->passing[0];

    for (unsigned way = 0; way < WAYS; way++) {
        struct passing *const at = &set->passing[way];

        if (at->fingerprint == fingerprint && !(at->passed & action) &&
            (found == NULL || at->line < found->line))
            found = at;
        if (at->line < oldest->line)
            oldest = at;
    }
    if (found != NULL)
        return found;
    *oldest = (struct passing){.fingerprint = fingerprint, .line = ++set->last};
    return oldest;
}

enum recent_turn
recent_come(struct recent *recent, uint64_t fingerprint, unsigned action, bool can_judge,
            uint64_t *line, uint64_t *left, struct judgement *judgement)
{
    struct set *const set = &recent->sets[fingerprint % SETS];
    const uint64_t bit = UINT64_C(1) << action;
    enum recent_turn turn = RECENT_LEFT;
    struct passing *at;

    pthread_mutex_lock(&set->lock);
    at = find(set, fingerprint, bit);
    at->passed |= bit;
    *line = at->line;
    if (at->is_judged) {
        *judgement = at->judgement;
        turn = RECENT_JUDGED;
    } else if (can_judge && !at->is_being_judged) {
        at->is_being_judged = true;
        *left = at->left;
        at->left = 0;
        turn = RECENT_MINE;
    } else {
        at->left |= bit;
    }
    pthread_mutex_unlock(&set->lock);
    return turn;
}

/* The set's lock is held. NULL: it is forgotten. */
static struct passing *
find_line(struct set *set, uint64_t fingerprint, uint64_t line)
{
    for (unsigned way = 0; way < WAYS; way++)
        if (set->passing[way].line == line && set->passing[way].fingerprint == fingerprint)
            return &set->passing[way];
    return NULL;
}

uint64_t
recent_judged(struct recent *recent, uint64_t fingerprint, uint64_t line,
              const struct judgement *judgement)
{
    struct set *const set = &recent->sets[fingerprint % SETS];
    struct passing *at;
    uint64_t left = 0;

    pthread_mutex_lock(&set->lock);
    at = find_line(set, fingerprint, line);
    if (at != NULL) {
        left = at->left;
        at->left = 0;
        at->is_judged = true;
        at->judgement = *judgement;
    }
    pthread_mutex_unlock(&set->lock);
    return left;
}

uint64_t
recent_claim(struct recent *recent, uint64_t fingerprint, uint64_t line, uint64_t jails,
             bool *is_first)
{
    struct set *const set = &recent->sets[fingerprint % SETS];
    struct passing *at;

    *is_first = true;
    pthread_mutex_lock(&set->lock);
    at = find_line(set, fingerprint, line);
    if (at != NULL) {
        *is_first = at->jails == 0;
        jails &= ~at->jails;
        at->jails |= jails;
    }
    pthread_mutex_unlock(&set->lock);
    return jails;
}
