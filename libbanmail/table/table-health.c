/* table-health: counters in the header of what comes, what is lost, and what is wrong.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table/table-health.h"

#include "table/table-private.h"

#define RELAXED memory_order_relaxed

/* ---- counting messages ---- */

void
table_note_message(struct table *table, unsigned worker, enum table_sight sight, int64_t now_s)
{
    struct table_tally *tally = table_tally(table, worker);

    table_add(&tally->messages, 1);
    if (sight == TABLE_MATCHED)
        table_add(&tally->matched, 1);
    else if (sight == TABLE_UNMATCHED)
        table_add(&tally->unmatched, 1);
    if (atomic_load_explicit(&table->header->last_message_s, RELAXED) != now_s)
        atomic_store_explicit(&table->header->last_message_s, now_s, RELAXED);
}

static void
sum_tallies(const struct table *table, struct table_health *health)
{
    for (unsigned i = 0; i < TABLE_TALLIES; i++) {
        const struct table_tally *tally = &table->header->tallies[i];

        health->messages += atomic_load_explicit(&tally->messages, RELAXED);
        health->matched += atomic_load_explicit(&tally->matched, RELAXED);
        health->unmatched += atomic_load_explicit(&tally->unmatched, RELAXED);
    }
}

void
table_sample(struct table *table, int64_t now_s)
{
    struct table_sample *sample = &table->header->samples[now_s / 60 % TABLE_SAMPLES];
    struct table_health now = {0};

    if (atomic_load_explicit(&sample->at_s, RELAXED) / 60 == now_s / 60)
        return;
    sum_tallies(table, &now);
    atomic_store_explicit(&sample->messages, now.messages, RELAXED);
    atomic_store_explicit(&sample->matched, now.matched, RELAXED);
    atomic_store_explicit(&sample->unmatched, now.unmatched, RELAXED);
    atomic_store(&sample->at_s, now_s);
}

static uint64_t
growth(uint64_t now, const _Atomic uint64_t *then)
{
    uint64_t before = atomic_load_explicit(then, RELAXED);

    return now > before ? now - before : 0;
}

/* Since the oldest sample that is not older than the ring is long. */
static void
read_recent(const struct table *table, int64_t now_s, struct table_health *health)
{
    const struct table_sample *oldest = NULL;
    int64_t oldest_s = now_s;

    for (unsigned i = 0; i < TABLE_SAMPLES; i++) {
        const struct table_sample *sample = &table->header->samples[i];
        int64_t at_s = atomic_load(&sample->at_s);

        if (at_s > now_s - TABLE_SAMPLES * 60 && at_s < oldest_s) {
            oldest_s = at_s;
            oldest = sample;
        }
    }
    if (!oldest)
        return;
    health->recent_s = now_s - oldest_s;
    health->recent_messages = growth(health->messages, &oldest->messages);
    health->recent_matched = growth(health->matched, &oldest->matched);
    health->recent_unmatched = growth(health->unmatched, &oldest->unmatched);
}

/* ---- the rest ---- */

void
table_note_lost(struct table *table, enum table_loss loss, uint64_t count, int64_t now_s)
{
    if (count == 0)
        return;
    table_add(&table->header->lost[loss], count);
    atomic_store_explicit(&table->header->lost_s, now_s, RELAXED);
}

void
table_note_id_log(struct table *table, int64_t now_s)
{
    if (atomic_load_explicit(&table->header->id_logged_s, RELAXED) != now_s)
        atomic_store_explicit(&table->header->id_logged_s, now_s, RELAXED);
}

bool
table_logs_ids(const struct table *table, int64_t now_ms)
{
    const int64_t then_s = atomic_load_explicit(&table->header->id_logged_s, RELAXED);

    return then_s != 0 && now_ms - then_s * 1000 < TABLE_ID_LOG_MS;
}

void
table_note_untrusted(struct table *table, uint32_t uid, int64_t now_s)
{
    table_add(&table->header->untrusted, 1);
    atomic_store_explicit(&table->header->untrusted_uid, uid, RELAXED);
    atomic_store_explicit(&table->header->untrusted_s, now_s, RELAXED);
}

void
table_set_outage(struct table *table, const struct table_outage *outage)
{
    struct outage_cell cell = {
        .head.used = outage->places > 0,
        .since_ms = outage->since_ms,
        .until_ms = outage->until_ms,
        .places = outage->places,
    };

    memcpy(cell.host, outage->host, sizeof cell.host);
    cell_replace(&table->header->outage, &cell);
}

static void
read_outage(const struct table *table, struct table_outage *outage)
{
    struct outage_cell cell;

    if (!cell_read(&table->header->outage, &cell) || !cell_is_whole(&cell) || !cell.head.used)
        return;
    *outage = (struct table_outage){cell.places, cell.since_ms, cell.until_ms, ""};
    memcpy(outage->host, cell.host, sizeof outage->host - 1);
}

void
table_set_ledger_error(struct table *table, int error)
{
    atomic_store_explicit(&table->header->ledger_error, error, RELAXED);
}

void
table_read_health(const struct table *table, int64_t now_ms, struct table_health *health)
{
    const struct table_header *header = table->header;

    *health = (struct table_health){
        .last_message_ms = atomic_load(&header->last_message_s) * 1000,
        .paused_until_ms = table_paused_until(table),
        .held_back = atomic_load(&header->held_back),
        .held_back_ms = atomic_load(&header->held_back_s) * 1000,
        .ledger_error = (int)atomic_load(&header->ledger_error),
        .lost_ms = atomic_load(&header->lost_s) * 1000,
        .untrusted = atomic_load(&header->untrusted),
        .untrusted_ms = atomic_load(&header->untrusted_s) * 1000,
        .untrusted_uid = (uint32_t)atomic_load(&header->untrusted_uid),
    };
    for (unsigned i = 0; i < TABLE_LOSSES; i++)
        health->lost[i] = atomic_load(&header->lost[i]);
    read_outage(table, &health->outage);
    sum_tallies(table, health);
    read_recent(table, now_ms / 1000, health);
}

void
table_adopt_health(struct table *table, const struct table *old)
{
    struct table_health health = {0};
    uint64_t until_ms;

    sum_tallies(old, &health);
    table_add(&table->header->tallies[0].messages, health.messages);
    table_add(&table->header->tallies[0].matched, health.matched);
    table_add(&table->header->tallies[0].unmatched, health.unmatched);
    table_add(&table->header->held_back, atomic_load(&old->header->held_back));
    atomic_store(&table->header->held_back_s, atomic_load(&old->header->held_back_s));
    for (unsigned i = 0; i < TABLE_LOSSES; i++)
        table_add(&table->header->lost[i], atomic_load(&old->header->lost[i]));
    atomic_store(&table->header->lost_s, atomic_load(&old->header->lost_s));
    atomic_store(&table->header->last_message_s, atomic_load(&old->header->last_message_s));
    atomic_store(&table->header->id_logged_s, atomic_load(&old->header->id_logged_s));
    table_add(&table->header->untrusted, atomic_load(&old->header->untrusted));
    atomic_store(&table->header->untrusted_s, atomic_load(&old->header->untrusted_s));
    atomic_store(&table->header->untrusted_uid, atomic_load(&old->header->untrusted_uid));
    if (table_guarded_get(&old->header->paused_until_ms, &until_ms))
        table_guarded_set(&table->header->paused_until_ms, until_ms);
}
