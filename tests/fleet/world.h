/* world: a fleet in which everything goes wrong, and everything is decided by a number.
 *
 * Up to two centres and three hosts, with the product's merge, pager and limits, on a clock that is
 * advanced by hand and a network that loses, repeats, delays and reorders. For some time centres
 * ban, lift and pardon; servers restart, forget, and have their clocks set; a centre may go mad.
 * Then it becomes quiet: pages alone, none of them lost. In the end judge.c compares what each
 * server has in force with what it ought to have.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_WORLD_H
#define BANMAIL_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "fleet/merge.h"
#include "fleet/telegram.h"
#include "fleet/pager.h"

#define CENTRES     2
#define HOSTS       3
#define SERVERS     (CENTRES + HOSTS)
#define OWN_MAX     2048 /* bans of a centre */
#define APPLIED_MAX 1024 /* bans of others that a server has in force */
#define STEP_MS     5000
#define HOUR_MS     INT64_C(3600000)
#define WHY_SIZE    512

/* What a world is like: drawn from its seed. */
struct traits {
    unsigned centres;
    unsigned loss, repeat; /* in a hundred */
    int64_t delay_ms;      /* at most */
    unsigned restarts;     /* in ten thousand steps of a server */
    unsigned clock_sets;   /* likewise */
    bool wrong_clocks;     /* from the beginning */
    bool mad;              /* the first centre, for a while */
    bool texts;            /* all messages go through their text */
    uint32_t capacity, most_bans, bans_a_minute;
    int64_t longest_ms;
};

/* What a server has been told by events of one centre since it began: the judge's memory. */
struct told {
    unsigned epoch;    /* the newest table that was heard of, */
    unsigned in_a_row; /* and how many messages of older ones since */
    uint64_t epochs;   /* that were heard of, as bits */
    bool is_confused; /* an older one was heard of only after it: then it was taken for a new one */
    unsigned count;
    struct {
        struct telegram_ban ban;
        unsigned epoch;
        bool is_lift;
    } of[OWN_MAX];
};

struct applied {
    struct order ban; /* its end by the server's clock */
};

struct server {
    char name[TELEGRAM_NAME_SIZE];
    bool is_centre;
    int64_t clock_ms; /* its clock is ahead of the true time by so much */
    struct merge *merge;
    struct limits limits;
    unsigned applied_count;
    struct applied applied[APPLIED_MAX];
    struct budget bans, lifts; /* what it has been told to do, for the judge */
    struct told told[CENTRES];
    /* of a centre */
    uint64_t table, change;
    unsigned epoch; /* of its tables, from 1 on */
    unsigned own_count;
    struct telegram_ban own[OWN_MAX]; /* bans and pardons; until 0: none */
    int64_t read_ms;                  /* when the bans were looked at */
    struct pager pager;
    struct pager_cursor cursor;
};

struct letter;

struct world {
    uint64_t seed, random;
    struct traits traits;
    int64_t now_ms; /* the true time */
    bool is_quiet;
    unsigned server_count;
    struct server servers[SERVERS];
    struct letter *letters; /* on their way, by the time of arrival */
    struct allow *members;
    char why[WHY_SIZE]; /* the first thing that was not as it ought to be; "": all was */
};

/* Runs the world of this seed from its beginning to its end. world.why says how that was. Free with
 * world_free. */
struct world *world_run(uint64_t seed);
void world_free(struct world *world);

/* ---- judge.c ---- */

/* Notes why the world is not as it ought to be, unless there is something already. */
__attribute__((format(printf, 2, 3))) void judge_object(struct world *world, const char *format,
                                                        ...);

/* A server has taken a message of that epoch of its sender's: may that have come of it? */
void judge_message(struct world *world, struct server *server, const struct telegram *telegram,
                   unsigned epoch, enum merge_outcome outcome, const struct orders *orders);

/* An order is about to be carried out, which changes a ban that the server has, or makes it a new
 * one: may it be given at all? */
void judge_order(struct world *world, struct server *server, const struct order *order,
                 bool is_new);

/* The world is quiet: has each server in force exactly what it ought to have? */
void judge_end(struct world *world);

#endif
