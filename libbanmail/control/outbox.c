/* outbox: see outbox.h.
 *
 * The lock guards what is small and in memory; nobody holds it over a system call, or over the
 * table's lock but for reading.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "control/outbox.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/worker.h"
#include "table/table-evidence.h"

#define NOTED_MOST 64
#define HELD_MS    1000 /* so long the teller may be unable before the ledger takes over */

/* What the notice that was taken last is of. */
enum taken { TAKEN_NOTHING, TAKEN_NOTED, TAKEN_BAN, TAKEN_READ };

struct outbox {
    struct table *table;
    const struct report *report;
    char origin[EVENT_HOST_SIZE];
    unsigned most;
    struct worker bell; /* of which only waking is used */
    pthread_mutex_t lock;
    struct event noted[NOTED_MOST]; /* the oldest first */
    size_t noted_count;
    struct notice read[OUTBOX_PARCEL / 2]; /* from the ledger … */
    size_t read_count, read_next;          /* … of which so many are told */
    bool has_more;                         /* the ledger may have, behind what was read */
    int64_t read_to, told_to, deleted_to;  /* numbers in the ledger */
    bool has_teller;
    int64_t held_since_ms; /* by the steady clock; 0: the teller is able */
    uint64_t kept;         /* in the ledger, as far as is known */
    atomic_uint_least64_t told, dropped;
    /* the teller's own: */
    enum taken taken;
    struct event event; /* taken of what was noted, and not told */
    bool has_event;
    struct ban ban; /* taken from the table, and not all told */
    bool has_ban, is_beginning_told;
};

int
outbox_new(struct outbox **outbox, const struct outbox_options *options)
{
    struct outbox *made = calloc(1, sizeof(*made));

    *outbox = NULL;
    if (made == NULL)
        return -ENOMEM;
    made->table = options->table;
    made->report = options->report;
    made->most = options->most;
    made->has_more = true;
    made->held_since_ms = clock_steady_ms();
    snprintf(made->origin, sizeof(made->origin), "%s", options->origin);
    pthread_mutex_init(&made->lock, NULL);
    const int error = worker_init(&made->bell);
    if (error < 0) {
        outbox_free(made);
        return error;
    }
    *outbox = made;
    return 0;
}

void
outbox_free(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    worker_free(&outbox->bell);
    pthread_mutex_destroy(&outbox->lock);
    free(outbox);
}

/* ---- what happens ---- */

void
outbox_wake(struct outbox *outbox)
{
    if (outbox != NULL && (table_untold(outbox->table) > 0 || table_unsent(outbox->table) > 0))
        worker_wake(&outbox->bell);
}

void
outbox_ring(struct outbox *outbox)
{
    if (outbox != NULL)
        worker_wake(&outbox->bell);
}

static void
drop(struct outbox *outbox, uint64_t count)
{
    atomic_fetch_add(&outbox->dropped, count);
}

/* The lock is held. */
static bool
append(struct outbox *outbox, const struct event *event)
{
    if (outbox->noted_count == NOTED_MOST)
        return false;
    outbox->noted[outbox->noted_count++] = *event;
    return true;
}

void
outbox_note(struct outbox *outbox, enum event_kind kind, const char *condition, const char *words,
            int64_t time_ms)
{
    struct event event = {.kind = kind, .time_ms = time_ms};
    bool is_noted;

    snprintf(event.origin, sizeof(event.origin), "%s", outbox->origin);
    snprintf(event.condition, sizeof(event.condition), "%s", condition);
    snprintf(event.words, sizeof(event.words), "%s", words);
    pthread_mutex_lock(&outbox->lock);
    is_noted = append(outbox, &event);
    pthread_mutex_unlock(&outbox->lock);
    if (!is_noted)
        drop(outbox, 1);
    worker_wake(&outbox->bell);
}

void
outbox_read_statistics(struct outbox *outbox, struct outbox_statistics *statistics)
{
    statistics->told = atomic_load(&outbox->told);
    statistics->dropped = atomic_load(&outbox->dropped) + table_never_told(outbox->table);
    pthread_mutex_lock(&outbox->lock);
    statistics->waiting = table_untold(outbox->table) + outbox->noted_count + outbox->kept;
    pthread_mutex_unlock(&outbox->lock);
}

int64_t
outbox_held_ms(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    const int64_t since_ms = outbox->held_since_ms;
    pthread_mutex_unlock(&outbox->lock);
    return since_ms == 0 ? 0 : clock_steady_ms() - since_ms + 1;
}

/* ---- events of bans ---- */

/* Its beginning, or what it has come to since. */
static void
describe_ban(const struct outbox *outbox, const struct ban *ban, bool is_beginning,
             struct event *event)
{
    struct jail jail = {.name = "unknown", .ports = ports_mail()};

    *event = (struct event){.kind = EVENT_BAN, .ban = *ban, .time_ms = ban->since_ms};
    if (is_beginning) {
        event->ban.end = BAN_RUNNING;
    } else if (ban->end != BAN_RUNNING) {
        event->kind = EVENT_UNBAN;
        event->time_ms = ban->ended_ms;
    } else {
        event->is_prolonged = true;
        event->time_ms = clock_wall_ms();
    }
    table_read_jail(outbox->table, ban->jail, &jail);
    snprintf(event->jail, sizeof(event->jail), "%s", jail.name);
    event->ports = jail.ports;
    snprintf(event->origin, sizeof(event->origin), "%s", outbox->origin);
}

/* False: it cannot be told, which is nothing to wait for. */
static bool
make_of_ban(struct outbox *outbox, const struct ban *ban, bool is_beginning, struct notice *notice)
{
    struct evidence lines[NOTICE_LINES_MOST];
    struct event event;
    size_t count = 0;

    describe_ban(outbox, ban, is_beginning, &event);
    if (event.kind == EVENT_BAN && ban->origin == BAN_BY_JAIL)
        count = table_find_evidence(outbox->table, ban, lines, NOTICE_LINES_MOST);
    if (notice_make(&event, lines, count, notice) == 0)
        return true;
    drop(outbox, 1);
    return false;
}

/* It has to be told that it begun, and then that it has ended or goes on. */
static bool
begins(const struct ban *ban)
{
    return ban->untold & BAN_BEGINNING_UNTOLD;
}

/* One that has not been prolonged within its first moments has nothing else to tell. */
static bool
has_changed(const struct ban *ban)
{
    return !begins(ban) || ban->end != BAN_RUNNING;
}

/* ---- the teller ---- */

void
outbox_begin(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->has_teller = true;
    outbox->held_since_ms = 0;
    pthread_mutex_unlock(&outbox->lock);
}

void
outbox_end(struct outbox *outbox)
{
    if (outbox->has_ban)
        table_told(outbox->table, &outbox->ban, 1, false);
    outbox->has_ban = false;
    outbox->taken = TAKEN_NOTHING;
    pthread_mutex_lock(&outbox->lock);
    if (outbox->has_event && !append(outbox, &outbox->event))
        drop(outbox, 1);
    outbox->has_event = false;
    outbox->has_teller = false;
    outbox->held_since_ms = clock_steady_ms();
    pthread_mutex_unlock(&outbox->lock);
}

int
outbox_descriptor(const struct outbox *outbox)
{
    return worker_descriptor(&outbox->bell);
}

bool
outbox_listen(struct outbox *outbox)
{
    worker_drain(&outbox->bell);
    worker_listen(&outbox->bell);
    pthread_mutex_lock(&outbox->lock);
    const bool is_full = outbox->noted_count > 0 || outbox->read_next < outbox->read_count;
    pthread_mutex_unlock(&outbox->lock);
    return is_full || outbox->has_event || outbox->has_ban || table_untold(outbox->table) > 0;
}

/* The lock is held. */
static void
forget_noted(struct outbox *outbox, size_t count)
{
    outbox->noted_count -= count;
    memmove(outbox->noted, outbox->noted + count, outbox->noted_count * sizeof(outbox->noted[0]));
}

static bool
take_noted(struct outbox *outbox, struct notice *notice)
{
    pthread_mutex_lock(&outbox->lock);
    if (!outbox->has_event && outbox->noted_count > 0) {
        outbox->event = outbox->noted[0];
        outbox->has_event = true;
        forget_noted(outbox, 1);
    }
    pthread_mutex_unlock(&outbox->lock);
    return outbox->has_event && notice_make(&outbox->event, NULL, 0, notice) == 0;
}

static bool
take_ban(struct outbox *outbox, struct notice *notice)
{
    for (;;) {
        if (!outbox->has_ban) {
            if (table_dequeue_untold(outbox->table, &outbox->ban, 1) == 0)
                return false;
            outbox->has_ban = true;
            outbox->is_beginning_told = !begins(&outbox->ban);
        }
        if (make_of_ban(outbox, &outbox->ban, !outbox->is_beginning_told, notice))
            return true;
        table_told(outbox->table, &outbox->ban, 1, true);
        outbox->has_ban = false;
    }
}

static bool
take_read(struct outbox *outbox, struct notice *notice)
{
    bool is_there;

    pthread_mutex_lock(&outbox->lock);
    is_there = outbox->read_next < outbox->read_count;
    if (is_there)
        *notice = outbox->read[outbox->read_next];
    pthread_mutex_unlock(&outbox->lock);
    return is_there;
}

/* What is new comes before what has waited. */
bool
outbox_take(struct outbox *outbox, struct notice *notice)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->held_since_ms = 0;
    pthread_mutex_unlock(&outbox->lock);
    outbox->taken = take_noted(outbox, notice)  ? TAKEN_NOTED
                    : take_ban(outbox, notice)  ? TAKEN_BAN
                    : take_read(outbox, notice) ? TAKEN_READ
                                                : TAKEN_NOTHING;
    return outbox->taken != TAKEN_NOTHING;
}

static void
settle_ban(struct outbox *outbox)
{
    if (!outbox->is_beginning_told && has_changed(&outbox->ban)) {
        outbox->is_beginning_told = true; /* the rest of it is next */
        return;
    }
    table_told(outbox->table, &outbox->ban, 1, true);
    outbox->has_ban = false;
}

/* The lock is held. */
static void
settle_read(struct outbox *outbox)
{
    const int64_t number = outbox->read[outbox->read_next++].number;

    if (outbox->told_to < number)
        outbox->told_to = number;
    if (outbox->kept > 0)
        outbox->kept--;
}

void
outbox_told(struct outbox *outbox)
{
    atomic_fetch_add(&outbox->told, 1);
    if (outbox->taken == TAKEN_NOTED)
        outbox->has_event = false;
    if (outbox->taken == TAKEN_BAN)
        settle_ban(outbox);
    pthread_mutex_lock(&outbox->lock);
    if (outbox->taken == TAKEN_READ)
        settle_read(outbox);
    pthread_mutex_unlock(&outbox->lock);
    outbox->taken = TAKEN_NOTHING;
}

void
outbox_hold(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    if (outbox->held_since_ms == 0)
        outbox->held_since_ms = clock_steady_ms();
    pthread_mutex_unlock(&outbox->lock);
}

/* ---- the recorder ---- */

/* What the teller has in its hands is its own to settle. The lock is held. */
static void
pack_noted(struct outbox *outbox, struct outbox_parcel *parcel)
{
    const size_t most = sizeof(parcel->noted) / sizeof(parcel->noted[0]);
    size_t count = outbox->noted_count < most ? outbox->noted_count : most;

    memcpy(parcel->noted, outbox->noted, count * sizeof(parcel->noted[0]));
    parcel->noted_count = count;
    forget_noted(outbox, count);
}

/* Two notices at most of each. */
static void
pack_bans(struct outbox *outbox, struct outbox_parcel *parcel)
{
    const size_t room = (OUTBOX_PARCEL - parcel->noted_count) / 2;
    const size_t most = sizeof(parcel->bans) / sizeof(parcel->bans[0]);

    parcel->ban_count =
        table_dequeue_untold(outbox->table, parcel->bans, room < most ? room : most);
}

static void
make_notices(struct outbox *outbox, struct outbox_parcel *parcel)
{
    struct notice *next = parcel->kept;

    for (size_t i = 0; i < parcel->noted_count; i++)
        next += notice_make(&parcel->noted[i], NULL, 0, next) == 0;
    for (size_t i = 0; i < parcel->ban_count; i++) {
        const struct ban *const ban = &parcel->bans[i];
        if (begins(ban))
            next += make_of_ban(outbox, ban, true, next);
        if (has_changed(ban))
            next += make_of_ban(outbox, ban, false, next);
    }
    parcel->kept_count = (size_t)(next - parcel->kept);
}

void
outbox_forget_ledger(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->read_to = outbox->told_to = outbox->deleted_to = 0;
    for (size_t i = 0; i < outbox->read_count; i++)
        outbox->read[i].number = 0;
    pthread_mutex_unlock(&outbox->lock);
}

bool
outbox_pack(struct outbox *outbox, struct outbox_parcel *parcel, bool all)
{
    parcel->kept_count = parcel->ban_count = parcel->noted_count = parcel->read_count = 0;
    parcel->most = outbox->most;
    parcel->dropped = 0;
    pthread_mutex_lock(&outbox->lock);
    const bool is_held =
        all || (outbox->held_since_ms != 0 && clock_steady_ms() - outbox->held_since_ms >= HELD_MS);
    if (is_held)
        pack_noted(outbox, parcel);
    parcel->delete_to = outbox->told_to > outbox->deleted_to ? outbox->told_to : 0;
    parcel->after = outbox->read_to;
    parcel->reads = !is_held && outbox->has_teller && outbox->has_more &&
                    outbox->read_next == outbox->read_count;
    pthread_mutex_unlock(&outbox->lock);
    if (is_held)
        pack_bans(outbox, parcel);
    make_notices(outbox, parcel);
    return parcel->kept_count > 0 || parcel->delete_to > 0 || parcel->reads;
}

int
outbox_post(struct outbox_parcel *parcel, struct ledger *ledger)
{
    int result = 0;

    if (parcel->delete_to > 0)
        result = ledger_delete_notices(ledger, parcel->delete_to);
    if (result == 0 && parcel->kept_count > 0)
        result = ledger_keep_notices(ledger, parcel->kept, parcel->kept_count, parcel->most,
                                     &parcel->dropped);
    if (result == 0 && parcel->reads) {
        result = ledger_read_notices(ledger, parcel->after, parcel->read,
                                     sizeof(parcel->read) / sizeof(parcel->read[0]));
        parcel->read_count = result > 0 ? (size_t)result : 0;
    }
    return result < 0 ? result : 0;
}

static void
say_dropped(struct outbox *outbox, unsigned count)
{
    if (count == 0)
        return;
    if (atomic_load(&outbox->dropped) == 0)
        report_say(
            outbox->report, LOG_WARNING,
            "more than %u events wait for the ruleset of eventRuleset, which takes none: the "
            "oldest are dropped; the statistic events.dropped says how many",
            outbox->most);
    drop(outbox, count);
}

/* What could not be written is noted and wanted as before. The lock is held. */
static void
put_back(struct outbox *outbox, const struct outbox_parcel *parcel)
{
    for (size_t i = 0; i < parcel->noted_count; i++)
        if (!append(outbox, &parcel->noted[i]))
            drop(outbox, 1);
}

/* The lock is held. */
static void
take_in(struct outbox *outbox, const struct outbox_parcel *parcel)
{
    if (parcel->delete_to > 0)
        outbox->deleted_to = parcel->delete_to;
    outbox->has_more = outbox->has_more || parcel->kept_count > 0;
    outbox->kept += parcel->kept_count;
    if (!parcel->reads)
        return;
    memcpy(outbox->read, parcel->read, parcel->read_count * sizeof(parcel->read[0]));
    outbox->read_count = parcel->read_count;
    outbox->read_next = 0;
    outbox->has_more = parcel->read_count == sizeof(parcel->read) / sizeof(parcel->read[0]);
    if (parcel->read_count > 0)
        outbox->read_to = parcel->read[parcel->read_count - 1].number;
    if (!outbox->has_more)
        outbox->kept = parcel->read_count;
}

bool
outbox_settle(struct outbox *outbox, const struct outbox_parcel *parcel, bool done)
{
    table_told(outbox->table, parcel->bans, parcel->ban_count, done);
    pthread_mutex_lock(&outbox->lock);
    if (done)
        take_in(outbox, parcel);
    else
        put_back(outbox, parcel);
    pthread_mutex_unlock(&outbox->lock);
    if (!done)
        return false;
    say_dropped(outbox, parcel->dropped);
    if (parcel->read_count > 0)
        worker_wake(&outbox->bell);
    return parcel->kept_count >= OUTBOX_PARCEL / 2 || parcel->reads;
}
