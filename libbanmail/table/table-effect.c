/* table-effect: see table-effect.h. Counted in the cell of the ban itself, so that whoever reads
 * the bans sees it, and it ends with the ban.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table/table-effect.h"

#include "table/effect.h"
#include "table/table-private.h"

/* Enforced: the kernel has had it long enough for this packet to be stopped. */
static bool
should_have_stopped(const struct ban_cell *cell, int64_t passed_ms)
{
    return (cell->head.used == BAN_WANTED || cell->head.used == BAN_ENFORCED) &&
           cell->enforced_ms != 0 && passed_ms - EFFECT_GRACE_MS > cell->enforced_ms;
}

static void
add(struct ban_cell *cell, const struct table_failure *failure, unsigned attempts, int64_t stamp_ms)
{
    if (cell->after_last_ms == 0 || stamp_ms - cell->after_last_ms > EFFECT_QUIET_MS) {
        cell->after = cell->after_seconds = cell->after_services = 0;
        cell->after_first_ms = stamp_ms;
    }
    if (stamp_ms / 1000 > cell->after_last_ms / 1000 && cell->after_seconds < UINT16_MAX)
        cell->after_seconds++;
    if (stamp_ms > cell->after_last_ms)
        cell->after_last_ms = stamp_ms;
    if (cell->after <= UINT32_MAX - attempts)
        cell->after += attempts;
    cell->after_services |= failure->services;
}

void
table_note_passed(struct table *table, uint32_t slot, const struct record_key *key,
                  const struct table_failure *failure, unsigned attempts, int64_t stamp_ms)
{
    struct bans *bans = &table->bans;
    struct ban_cell cell;
    bool was_found;

    if (slot >= table->max_bans || !cell_read(&table->ban_cells[slot], &cell) ||
        !should_have_stopped(&cell, failure->passed_ms))
        return;
    pthread_mutex_lock(&bans->lock);
    cell_load(&table->ban_cells[slot], &cell);
    if (table_is_ban_of(&cell, key) && should_have_stopped(&cell, failure->passed_ms)) {
        was_found = cell.after_seconds >= EFFECT_SECONDS &&
                    stamp_ms - cell.after_last_ms <= EFFECT_QUIET_MS;
        add(&cell, failure, attempts, stamp_ms);
        cell_replace(&table->ban_cells[slot], &cell);
        table_add(&bans->after, attempts);
        if (!was_found && cell.after_seconds == EFFECT_SECONDS && bans->found_count < INEFFECTIVE)
            bans->found[bans->found_count++] = slot;
    }
    pthread_mutex_unlock(&bans->lock);
}

bool
table_dequeue_ineffective(struct table *table, struct ban *ban)
{
    struct bans *bans = &table->bans;
    bool found = false;

    while (!found) {
        uint32_t slot;

        pthread_mutex_lock(&bans->lock);
        slot = bans->found_count > 0 ? bans->found[--bans->found_count] : table->max_bans;
        pthread_mutex_unlock(&bans->lock);
        if (slot == table->max_bans)
            return false;
        found = table_read_ban(table, slot, ban) && ban->after_seconds >= EFFECT_SECONDS;
    }
    return true;
}

uint64_t
table_after_bans(const struct table *table)
{
    return atomic_load_explicit(&table->bans.after, memory_order_relaxed);
}
