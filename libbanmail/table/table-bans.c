/* table-bans: the bans as they are wanted, and the queues of those who carry them out.
 *
 * The cells say in which state each ban is; everything else is private and made anew at attach:
 * chains by source, a heap by end, and five lists. LIST_PENDING holds one ban of each source
 * whose element in the kernel has to change, LIST_UNRECORDED what the ledger does not have yet,
 * LIST_UNTOLD what nobody has been told of, LIST_UNSENT what other servers have not been told of,
 * LIST_OVER what waits for these three only: where no ledger works, the oldest of those is given up
 * before a new ban would be refused.
 *
 * A taken source leaves LIST_PENDING until it is settled. Whatever changes meanwhile gets a newer
 * version and queues the source again, so that settling an old version changes nothing.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>

#include "table/table-health.h"
#include "table/table-private.h"

#define NONE        UINT32_MAX
#define EXPIRE_MOST 64 /* ends in one go under the lock */
#define LOST_IDS    (UINT64_C(1) << 32)
#define BANS_UNTOLD (BAN_BEGINNING_UNTOLD | BAN_CHANGE_UNTOLD)

/* ---- lists: circular, closed by the slot behind the last ---- */

static bool
list_has(const struct table *table, enum ban_list list, uint32_t slot)
{
    return table->bans.slots[slot].links[list].after != NONE;
}

static uint32_t
list_first(const struct table *table, enum ban_list list)
{
    uint32_t first = table->bans.slots[table->max_bans].links[list].after;

    return first != table->max_bans ? first : NONE;
}

static void
list_append(struct table *table, enum ban_list list, uint32_t slot)
{
    struct ban_slot *slots = table->bans.slots;
    uint32_t end = table->max_bans;

    if (list_has(table, list, slot))
        return;
    slots[slot].links[list] = (struct ban_link){slots[end].links[list].before, end};
    slots[slots[slot].links[list].before].links[list].after = slot;
    slots[end].links[list].before = slot;
    if (list == LIST_PENDING)
        atomic_fetch_add_explicit(&table->bans.pending, 1, memory_order_relaxed);
    if (list == LIST_UNTOLD)
        atomic_fetch_add_explicit(&table->bans.untold, 1, memory_order_relaxed);
    if (list == LIST_UNSENT)
        atomic_fetch_add_explicit(&table->bans.unsent, 1, memory_order_relaxed);
}

static void
list_remove(struct table *table, enum ban_list list, uint32_t slot)
{
    struct ban_slot *slots = table->bans.slots;
    struct ban_link link = slots[slot].links[list];

    if (!list_has(table, list, slot))
        return;
    slots[link.before].links[list].after = link.after;
    slots[link.after].links[list].before = link.before;
    slots[slot].links[list].after = NONE;
    if (list == LIST_PENDING)
        atomic_fetch_sub_explicit(&table->bans.pending, 1, memory_order_relaxed);
    if (list == LIST_UNTOLD)
        atomic_fetch_sub_explicit(&table->bans.untold, 1, memory_order_relaxed);
    if (list == LIST_UNSENT)
        atomic_fetch_sub_explicit(&table->bans.unsent, 1, memory_order_relaxed);
}

/* ---- heap: which ban ends next ---- */

static void
heap_set(struct table *table, uint32_t at, uint32_t slot)
{
    table->bans.heap[at] = slot;
    table->bans.slots[slot].heap_at = at;
}

static int64_t
heap_until(const struct table *table, uint32_t at)
{
    return table->bans.slots[table->bans.heap[at]].until_ms;
}

/* Moves the slot to where it belongs, from a place at or near it. */
static void
heap_place(struct table *table, uint32_t at, uint32_t slot)
{
    struct bans *bans = &table->bans;
    int64_t until_ms = bans->slots[slot].until_ms;
    uint32_t child;

    while (at > 0 && heap_until(table, (at - 1) / 2) > until_ms) {
        heap_set(table, at, bans->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    while ((child = 2 * at + 1) < bans->heap_count) {
        if (child + 1 < bans->heap_count && heap_until(table, child + 1) < heap_until(table, child))
            child++;
        if (heap_until(table, child) >= until_ms)
            break;
        heap_set(table, at, bans->heap[child]);
        at = child;
    }
    heap_set(table, at, slot);
}

static void
heap_remove(struct table *table, uint32_t slot)
{
    struct bans *bans = &table->bans;
    uint32_t at = bans->slots[slot].heap_at, last;

    if (at == NONE)
        return;
    bans->slots[slot].heap_at = NONE;
    last = bans->heap[--bans->heap_count];
    if (last != slot)
        heap_place(table, at, last);
}

/* Enters or moves; a ban for ever has no place in it. */
static void
heap_enter(struct table *table, uint32_t slot, int64_t until_ms)
{
    struct ban_slot *entry = &table->bans.slots[slot];

    entry->until_ms = until_ms;
    if (until_ms == TABLE_FOREVER_MS)
        heap_remove(table, slot);
    else if (entry->heap_at == NONE)
        heap_place(table, table->bans.heap_count++, slot);
    else
        heap_place(table, entry->heap_at, slot);
}

/* ---- cells and chains ---- */

static bool
is_live_state(unsigned state)
{
    return state == BAN_WANTED || state == BAN_ENFORCED;
}

static bool
is_live(const struct ban_cell *cell, int64_t now_ms)
{
    return is_live_state(cell->head.used) && cell->until_ms > now_ms;
}

static enum ban_end
end_of(const struct ban_cell *cell)
{
    return cell->origin_and_end % 16;
}

static void
set_end(struct ban_cell *cell, enum ban_end end)
{
    cell->origin_and_end = (uint8_t)(cell->origin_and_end / 16 * 16 + end);
}

static void
load(const struct table *table, uint32_t slot, struct ban_cell *cell)
{
    cell_load(&table->ban_cells[slot], cell);
}

static void
store(struct table *table, uint32_t slot, const struct ban_cell *cell)
{
    cell_replace(&table->ban_cells[slot], cell);
    table_add(&table->header->generation, 1);
}

static uint32_t *
chain_of(const struct table *table, const uint8_t address[16], uint8_t prefix)
{
    uint64_t hash = siphash_address(table->hash, address, (uint64_t)17 << 56 | prefix);

    return &table->bans.chains[hash & table->bans.chain_mask];
}

/* The slot from `slot` on along its chain that holds a ban of this source, loaded; or NONE. */
static uint32_t
find_source(const struct table *table, uint32_t slot, const uint8_t address[16], uint8_t prefix,
            struct ban_cell *cell)
{
    for (; slot != NONE; slot = table->bans.slots[slot].chained) {
        load(table, slot, cell);
        if (cell->prefix == prefix && memcmp(cell->address, address, 16) == 0)
            return slot;
    }
    return NONE;
}

#define FOR_EACH_OF_SOURCE(table, slot, address, prefix, cell)                                     \
    for (uint32_t slot =                                                                           \
             find_source(table, *chain_of(table, address, prefix), address, prefix, cell);         \
         slot != NONE;                                                                             \
         slot = find_source(table, (table)->bans.slots[slot].chained, address, prefix, cell))

static void
unchain(struct table *table, uint32_t slot, const struct ban_cell *cell)
{
    uint32_t *at = chain_of(table, cell->address, cell->prefix);

    while (*at != slot)
        at = &table->bans.slots[*at].chained;
    *at = table->bans.slots[slot].chained;
}

/* ---- the share of a large network ---- */

/* Whoever holds one of these has addresses enough to fill any table: an IPv6 /48, an IPv4 /16. */
#define SHARED_V6_BITS 48
#define SHARED_V4_BITS 16
#define SHARE_OF       4 /* it may have one in so many places */

/* Of the network of this ban, or NULL where it is as large itself. Two networks may have one number
 * in common, by a chance that nobody can bring about without the table's seed. */
static int32_t *
share_of(const struct table *table, const uint8_t address[16], uint8_t prefix)
{
    struct source source = {.prefix = prefix};
    uint64_t hash;

    memcpy(source.address, address, sizeof source.address);
    source = source_mask(&source, SHARED_V4_BITS, SHARED_V6_BITS);
    if (source.prefix == prefix)
        return NULL;
    hash = siphash_address(table->hash, source.address, (uint64_t)18 << 56 | source.prefix);
    return &table->bans.shares[hash & table->bans.chain_mask];
}

static void
add_to_share(struct table *table, const struct ban_cell *cell, int change)
{
    int32_t *const left = share_of(table, cell->address, cell->prefix);

    if (left != NULL)
        *left -= change;
}

static bool
has_spent_share(const struct table *table, const struct ban *ban)
{
    const int32_t *const left = share_of(table, ban->source.address, ban->source.prefix);

    return left != NULL && *left <= 0;
}

/* ---- the life of a slot ---- */

/* A slot that is in no list and no chain becomes the first of the free ones. */
static void
set_free(struct table *table, uint32_t slot)
{
    table->bans.slots[slot].chained = table->bans.free;
    table->bans.free = slot;
}

static void
release(struct table *table, uint32_t slot)
{
    static const struct ban_cell nothing;
    struct ban_cell cell;

    load(table, slot, &cell);
    for (unsigned list = 0; list < BAN_LISTS; list++)
        list_remove(table, list, slot);
    heap_remove(table, slot);
    unchain(table, slot, &cell);
    store(table, slot, &nothing);
    set_free(table, slot);
}

static bool
is_untold(const struct table *table, const struct ban_cell *cell)
{
    return table->bans.are_told && (cell->untold & BANS_UNTOLD) != 0;
}

static bool
is_unsent(const struct table *table, const struct ban_cell *cell)
{
    return table->bans.are_sent && (cell->untold & BAN_CHANGE_UNSENT) != 0;
}

/* The ledger has it, and whoever is told of bans was told. */
static bool
is_settled(const struct table *table, const struct ban_cell *cell)
{
    return cell->head.own && !is_untold(table, cell) && !is_unsent(table, cell);
}

/* Before the cell is stored. What came from another table was told of there. */
static void
note_untold(struct table *table, uint32_t slot, struct ban_cell *cell, unsigned what)
{
    if (cell->origin != 0)
        return;
    if (table->bans.are_told) {
        cell->untold |= (uint8_t)what;
        list_append(table, LIST_UNTOLD, slot);
    }
    if (table->bans.are_sent) {
        cell->untold |= BAN_CHANGE_UNSENT;
        list_append(table, LIST_UNSENT, slot);
    }
}

/* The cell is in the table: enters it into everything private. */
static void
enter(struct table *table, uint32_t slot, const struct ban_cell *cell)
{
    uint32_t *chain = chain_of(table, cell->address, cell->prefix);

    table->bans.slots[slot].chained = *chain;
    *chain = slot;
    if (!cell->head.own)
        list_append(table, LIST_UNRECORDED, slot);
    if (is_untold(table, cell))
        list_append(table, LIST_UNTOLD, slot);
    if (is_unsent(table, cell))
        list_append(table, LIST_UNSENT, slot);
    if (cell->head.used == BAN_OVER) {
        list_append(table, LIST_OVER, slot);
        return;
    }
    add_to_share(table, cell, 1);
    heap_enter(table, slot, cell->until_ms);
}

/* For another host alone, which hears of it from who reads LIST_UNSENT: this kernel has no part in
 * it. */
static bool
is_elsewhere(const struct ban_cell *cell)
{
    return table_is_elsewhere(cell->scope);
}

/* Queues the source of this ban for the enforcer, unless it is queued already. */
static void
queue_source(struct table *table, uint32_t slot, const struct ban_cell *cell)
{
    struct ban_cell other;

    if (is_elsewhere(cell))
        return;
    FOR_EACH_OF_SOURCE(table, sibling, cell->address, cell->prefix, &other)
    {
        if (list_has(table, LIST_PENDING, sibling))
            return;
    }
    list_append(table, LIST_PENDING, slot);
}

/* Whose history is another server's: the ledger does not hear of it. */
static bool
is_foreign(const struct ban_cell *cell)
{
    return cell->origin != 0;
}

/* Stores a ban that the kernel and the ledger have to hear of. The number of the change is that of
 * the table's generation, which all changes share. */
static void
change(struct table *table, uint32_t slot, struct ban_cell *cell)
{
    cell->head.own = is_foreign(cell);
    if (!is_foreign(cell))
        cell->change = atomic_load(&table->header->generation) + 1;
    if (is_elsewhere(cell) && cell->head.used == BAN_WANTED)
        cell->head.used = BAN_ENFORCED;
    store(table, slot, cell);
    if (!is_foreign(cell))
        list_append(table, LIST_UNRECORDED, slot);
    table->bans.slots[slot].version = ++table->bans.version;
    queue_source(table, slot, cell);
}

/* The kernel has nothing more to do for this ban; when the ledger has it too, and somebody was
 * told, the slot is free. */
static void
become_over(struct table *table, uint32_t slot, struct ban_cell *cell)
{
    struct ban_cell other;
    bool was_pending = list_has(table, LIST_PENDING, slot);

    cell->head.used = BAN_OVER;
    store(table, slot, cell);
    add_to_share(table, cell, -1);
    heap_remove(table, slot);
    list_remove(table, LIST_PENDING, slot);
    if (was_pending) { /* for all bans of its source */
        FOR_EACH_OF_SOURCE(table, sibling, cell->address, cell->prefix, &other)
        {
            if (!is_elsewhere(&other) &&
                (other.head.used == BAN_WANTED || other.head.used == BAN_LIFTED)) {
                queue_source(table, sibling, &other);
                break;
            }
        }
    }
    if (is_settled(table, cell))
        release(table, slot);
    else
        list_append(table, LIST_OVER, slot);
}

static void
expire(struct table *table, uint32_t slot, struct ban_cell *cell)
{
    if (end_of(cell) == BAN_RUNNING) {
        set_end(cell, BAN_EXPIRED);
        cell->ended_ms = cell->until_ms;
        cell->head.own = is_foreign(cell);
        if (!is_foreign(cell)) {
            cell->change = atomic_load(&table->header->generation) + 1;
            note_untold(table, slot, cell, BAN_CHANGE_UNTOLD);
            list_append(table, LIST_UNRECORDED, slot);
        }
    }
    become_over(table, slot, cell);
}

static uint32_t
free_slot(struct table *table)
{
    uint32_t slot = table->bans.free;

    if (slot == NONE && (slot = list_first(table, LIST_OVER)) != NONE) {
        if (list_has(table, LIST_UNTOLD, slot))
            atomic_fetch_add_explicit(&table->bans.never_told, 1, memory_order_relaxed);
        release(table, slot);
        slot = table->bans.free;
    }
    if (slot != NONE)
        table->bans.free = table->bans.slots[slot].chained;
    return slot;
}

/* ---- the limit on bans a minute ---- */

void
table_set_ban_rate(struct table *table, unsigned most_a_minute)
{
    table->bans.most_a_minute = most_a_minute;
}

/* bans.lock is held. False: it is held back, and counted. */
static bool
may_ban(struct table *table, int64_t now_ms)
{
    struct bans *bans = &table->bans;

    if (bans->minute != now_ms / 60000) {
        bans->minute = now_ms / 60000;
        bans->in_minute = 0;
    }
    if (bans->most_a_minute == 0 || bans->in_minute < bans->most_a_minute) {
        bans->in_minute++;
        return true;
    }
    table_add(&table->header->held_back, 1);
    atomic_store_explicit(&table->header->held_back_s, now_ms / 1000, memory_order_relaxed);
    return false;
}

/* ---- wanting and lifting ---- */

static struct ban_cell
cell_from(const struct ban *ban)
{
    struct ban_cell cell = {
        .head.used = BAN_WANTED,
        .head.own = ban->table != 0,
        .prefix = ban->source.prefix,
        .jail = ban->jail,
        .scope = ban->scope,
        .failures = ban->failures,
        .class = (uint8_t)ban->class,
        .origin_and_end = (uint8_t)(ban->origin * 16 + BAN_RUNNING),
        .table_id = ban->table_id,
        .id = ban->id,
        .first_ms = ban->first_ms,
        .since_ms = ban->since_ms,
        .until_ms = ban->until_ms,
        .lifted_by = ban->made_by,
        .origin = ban->table,
        .change = ban->change,
    };

    memcpy(cell.address, ban->source.address, sizeof cell.address);
    return cell;
}

static struct ban
ban_from(const struct ban_cell *cell)
{
    struct ban ban = {
        .table_id = cell->table_id,
        .id = cell->id,
        .source.prefix = cell->prefix,
        .jail = cell->jail,
        .scope = cell->scope,
        .failures = cell->failures,
        .state = cell->head.used,
        .origin = cell->origin_and_end / 16,
        .end = end_of(cell),
        .class = cell->class,
        .first_ms = cell->first_ms,
        .since_ms = cell->since_ms,
        .until_ms = cell->until_ms,
        .ended_ms = cell->ended_ms,
        .lifted_by = end_of(cell) == BAN_LIFTED_BY_HAND ? cell->lifted_by : 0,
        .made_by = end_of(cell) == BAN_LIFTED_BY_HAND ? 0 : cell->lifted_by,
        .enforced_ms = cell->enforced_ms,
        .after = cell->after,
        .after_seconds = cell->after_seconds,
        .after_services = cell->after_services,
        .after_first_ms = cell->after_first_ms,
        .after_last_ms = cell->after_last_ms,
        .table = cell->origin,
        .change = cell->change,
        .untold = cell->untold,
    };

    memcpy(ban.source.address, cell->address, sizeof cell->address);
    return ban;
}

/* The live ban of the same source, jail, scope and table, or NONE. */
static uint32_t
find_live(struct table *table, const struct ban *ban, int64_t now_ms, struct ban_cell *cell)
{
    FOR_EACH_OF_SOURCE(table, slot, ban->source.address, ban->source.prefix, cell)
    {
        if (is_live(cell, now_ms) && cell->jail == ban->jail && cell->scope == ban->scope &&
            cell->origin == ban->table)
            return slot;
    }
    return NONE;
}

/* Not by hand, and not of the ledger. */
static bool
is_new_of_jail(const struct ban *ban)
{
    return ban->origin == BAN_BY_JAIL && ban->id == 0;
}

static enum ban_outcome
want(struct table *table, const struct ban *ban, int64_t now_ms, uint32_t *slot)
{
    struct ban_cell cell;

    *slot = find_live(table, ban, now_ms, &cell);
    if (*slot != NONE && cell.until_ms >= ban->until_ms)
        return BAN_AS_IT_WAS;
    if (*slot != NONE) {
        cell.head.used = BAN_WANTED;
        cell.until_ms = ban->until_ms;
        if (ban->made_by != 0)
            cell.lifted_by = ban->made_by;
        cell.change = ban->change; /* another table's keeps its number */
        note_untold(table, *slot, &cell, BAN_CHANGE_UNTOLD);
        heap_enter(table, *slot, cell.until_ms);
        change(table, *slot, &cell);
        return BAN_PROLONGED;
    }
    if (is_new_of_jail(ban) && has_spent_share(table, ban))
        return BAN_NO_ROOM;
    if (is_new_of_jail(ban) && !may_ban(table, now_ms))
        return BAN_HELD_BACK;
    if ((*slot = free_slot(table)) == NONE)
        return BAN_NO_ROOM;
    cell = cell_from(ban);
    if (cell.id == 0) {
        cell.table_id = table->header->fixed.table_id;
        cell.id = ++table->bans.last_id;
        table_guarded_set(&table->header->last_id, cell.id);
        note_untold(table, *slot, &cell, BAN_BEGINNING_UNTOLD | BAN_CHANGE_UNTOLD);
    }
    cell_replace(&table->ban_cells[*slot], &cell);
    enter(table, *slot, &cell);
    change(table, *slot, &cell);
    table_add(&table->header->bans, 1);
    return BAN_MADE;
}

enum ban_outcome
table_want_ban(struct table *table, const struct ban *ban, int64_t now_ms, uint32_t *slot)
{
    enum ban_outcome outcome;

    pthread_mutex_lock(&table->bans.lock);
    outcome = want(table, ban, now_ms, slot);
    pthread_mutex_unlock(&table->bans.lock);
    return outcome;
}

int
table_ban(struct table *table, const struct ban *ban, int64_t now_ms)
{
    uint32_t slot;

    if (ban->until_ms <= now_ms)
        return -EINVAL;
    return table_want_ban(table, ban, now_ms, &slot) >= BAN_NO_ROOM ? -ENOSPC : 0;
}

uint32_t
table_find_ban(struct table *table, const struct record_key *key, int64_t now_ms)
{
    struct ban ban = {.source.prefix = key->prefix, .jail = key->jail, .scope = key->scope};
    struct ban_cell cell;
    uint32_t slot;

    memcpy(ban.source.address, key->address, sizeof ban.source.address);
    pthread_mutex_lock(&table->bans.lock);
    slot = find_live(table, &ban, now_ms, &cell);
    pthread_mutex_unlock(&table->bans.lock);
    return slot == NONE ? 0 : slot + 1;
}

bool
table_ban_is_live(const struct table *table, uint32_t slot, const struct record_key *key,
                  int64_t now_ms)
{
    struct ban_cell cell;

    return slot < table->max_bans && cell_read(&table->ban_cells[slot], &cell) &&
           is_live(&cell, now_ms) && table_is_ban_of(&cell, key);
}

/* Lifts the ban in this slot if it is live. */
static bool
lift(struct table *table, uint32_t slot, struct ban_cell *cell, enum ban_end end, int64_t now_ms)
{
    if (!is_live(cell, now_ms))
        return false;
    cell->head.used = BAN_LIFTED;
    cell->ended_ms = now_ms;
    set_end(cell, end);
    note_untold(table, slot, cell, BAN_CHANGE_UNTOLD);
    change(table, slot, cell);
    if (is_elsewhere(cell))
        become_over(table, slot, cell);
    table_add(&table->header->unbans, 1);
    return true;
}

bool
table_lift_ban(struct table *table, uint32_t slot, const struct record_key *key, enum ban_end end,
               int64_t now_ms)
{
    struct ban_cell cell;
    bool lifted;

    if (slot >= table->max_bans)
        return false;
    pthread_mutex_lock(&table->bans.lock);
    load(table, slot, &cell);
    lifted = table_is_ban_of(&cell, key) && lift(table, slot, &cell, end, now_ms);
    pthread_mutex_unlock(&table->bans.lock);
    return lifted;
}

bool
table_lessen_ban(struct table *table, const struct record_key *network, int64_t since_ms,
                 unsigned least, int64_t now_ms)
{
    struct ban ban = {
        .source.prefix = network->prefix, .jail = network->jail, .scope = network->scope};
    struct ban_cell cell;
    bool lifted = false;
    uint32_t slot;

    memcpy(ban.source.address, network->address, sizeof ban.source.address);
    pthread_mutex_lock(&table->bans.lock);
    slot = find_live(table, &ban, now_ms, &cell);
    if (slot != NONE && cell.origin_and_end / 16 == BAN_BY_JAIL && cell.failures > 0 &&
        since_ms <= cell.since_ms) {
        cell.failures--;
        if (cell.failures < least)
            lifted = lift(table, slot, &cell, BAN_WITHDRAWN, now_ms);
        else
            change(table, slot, &cell);
    }
    pthread_mutex_unlock(&table->bans.lock);
    return lifted;
}

static bool
is_meant(const struct ban_cell *cell, const struct source *source, unsigned jail)
{
    return is_live_state(cell->head.used) && table_overlaps(source, cell->address, cell->prefix) &&
           (jail == TABLE_JAILS_MAX || cell->jail == jail);
}

bool
table_lift_overlapping(struct table *table, uint32_t slot, const struct source *source,
                       unsigned jail, uint32_t lifted_by, int64_t now_ms)
{
    struct ban_cell cell;
    bool lifted = false;

    /* A look without the lock: what is banned at this very moment counts as later. */
    load(table, slot, &cell);
    if (!is_meant(&cell, source, jail))
        return false;
    pthread_mutex_lock(&table->bans.lock);
    load(table, slot, &cell);
    if (is_meant(&cell, source, jail)) {
        cell.lifted_by = lifted_by;
        lifted = lift(table, slot, &cell, BAN_LIFTED_BY_HAND, now_ms);
    }
    pthread_mutex_unlock(&table->bans.lock);
    return lifted;
}

/* ---- what other servers want ---- */

int
table_ban_until(struct table *table, const struct ban *ban, int64_t now_ms)
{
    enum ban_outcome outcome = BAN_AS_IT_WAS;
    struct ban_cell cell;
    uint32_t slot;

    if (ban->until_ms <= now_ms)
        return -EINVAL;
    pthread_mutex_lock(&table->bans.lock);
    slot = find_live(table, ban, now_ms, &cell);
    if (slot == NONE || cell.until_ms < ban->until_ms) {
        outcome = want(table, ban, now_ms, &slot);
    } else if (cell.until_ms > ban->until_ms) {
        cell.head.used = BAN_WANTED;
        cell.until_ms = ban->until_ms;
        cell.change = ban->change;
        heap_enter(table, slot, cell.until_ms);
        change(table, slot, &cell);
    }
    pthread_mutex_unlock(&table->bans.lock);
    return outcome >= BAN_NO_ROOM ? -ENOSPC : 0;
}

bool
table_has_one(struct table *table, const struct ban *ban, int64_t now_ms)
{
    struct ban_cell cell;
    bool is_there;

    pthread_mutex_lock(&table->bans.lock);
    is_there = find_live(table, ban, now_ms, &cell) != NONE;
    pthread_mutex_unlock(&table->bans.lock);
    return is_there;
}

bool
table_lift_one(struct table *table, const struct ban *ban, int64_t now_ms)
{
    struct ban_cell cell;
    uint32_t slot;
    bool lifted;

    pthread_mutex_lock(&table->bans.lock);
    slot = find_live(table, ban, now_ms, &cell);
    lifted = slot != NONE && lift(table, slot, &cell, BAN_LIFTED_BY_HAND, now_ms);
    pthread_mutex_unlock(&table->bans.lock);
    return lifted;
}

static bool
is_pardoned(const struct ban_cell *cell, const struct source *source, int64_t since_ms)
{
    return is_live_state(cell->head.used) && !is_foreign(cell) && cell->since_ms <= since_ms &&
           table_overlaps(source, cell->address, cell->prefix);
}

unsigned
table_pardon(struct table *table, const struct source *source, int64_t since_ms, int64_t now_ms)
{
    struct ban_cell cell;
    unsigned lifted = 0;

    for (uint32_t slot = 0; slot < table->max_bans; slot++) {
        load(table, slot, &cell); /* a look without the lock */
        if (!is_pardoned(&cell, source, since_ms))
            continue;
        pthread_mutex_lock(&table->bans.lock);
        load(table, slot, &cell);
        if (is_pardoned(&cell, source, since_ms)) {
            cell.lifted_by = UINT32_MAX; /* somebody elsewhere */
            lifted += lift(table, slot, &cell, BAN_LIFTED_BY_HAND, now_ms);
        }
        pthread_mutex_unlock(&table->bans.lock);
    }
    return lifted;
}

/* ---- the clock ---- */

/* By the clock of now, as it was set in between. */
static bool
is_made_since(const struct table *table, const struct ban_cell *cell, int64_t now_ms)
{
    return cell->id > table->bans.seen_id && cell->since_ms <= now_ms;
}

/* The wall clock was set back by this much: each ban keeps the time that it had left. Those of
 * other servers have ends by our clock that whoever merges them puts right. */
static void
shift_back(struct table *table, int64_t by_ms, int64_t now_ms)
{
    struct ban_cell cell;

    for (uint32_t slot = 0; slot < table->max_bans; slot++) {
        load(table, slot, &cell);
        if (cell.head.used == BAN_FREE || cell.head.used == BAN_OVER || is_foreign(&cell) ||
            is_made_since(table, &cell, now_ms))
            continue;
        cell.since_ms -= by_ms;
        if (cell.until_ms != TABLE_FOREVER_MS)
            cell.until_ms -= by_ms;
        cell.enforced_ms = cell.enforced_ms > by_ms ? cell.enforced_ms - by_ms : 0;
        cell.after_first_ms = cell.after_last_ms = 0;
        cell.head.own = 0;
        store(table, slot, &cell);
        heap_enter(table, slot, cell.until_ms);
        list_append(table, LIST_UNRECORDED, slot);
    }
}

unsigned
table_expire_bans(struct table *table, int64_t now_ms, int64_t *next_ms)
{
    struct bans *bans = &table->bans;
    unsigned expired = 0, now_expired;
    struct ban_cell cell;

    do {
        now_expired = 0;
        pthread_mutex_lock(&bans->lock);
        if (bans->latest_ms - now_ms > STAMP_LIVE_MS)
            shift_back(table, bans->latest_ms - now_ms, now_ms);
        bans->latest_ms = now_ms;
        bans->seen_id = bans->last_id;
        table_guarded_set(&table->header->latest_ms, (uint64_t)now_ms);
        while (bans->heap_count > 0 && heap_until(table, 0) <= now_ms &&
               now_expired < EXPIRE_MOST) {
            uint32_t slot = bans->heap[0];

            load(table, slot, &cell);
            expire(table, slot, &cell);
            now_expired++;
        }
        *next_ms = bans->heap_count > 0 ? heap_until(table, 0) : TABLE_FOREVER_MS;
        pthread_mutex_unlock(&bans->lock);
        expired += now_expired;
    } while (now_expired == EXPIRE_MOST);
    return expired;
}

/* ---- the enforcer's side ---- */

void
table_share_set(struct table *table, bool v4, bool v6)
{
    table->shares_v4_set = v4;
    table->shares_v6_set = v6;
}

/* The lists of ports are told apart by the first jail that has each; TABLE_JAILS_MAX: what it holds
 * is nothing for this kernel. */
static uint8_t
same_ports(const struct table *table, const struct ban_cell *cell)
{
    struct source source = {.prefix = cell->prefix};

    if (is_elsewhere(cell))
        return TABLE_JAILS_MAX;
    memcpy(source.address, cell->address, sizeof cell->address);
    if (source_is_v4(&source) ? table->shares_v4_set : table->shares_v6_set)
        return TABLE_JAIL_MANUAL;
    return atomic_load_explicit(&table->same_ports[cell->jail % TABLE_JAILS_MAX],
                                memory_order_relaxed);
}

/* What the kernel shall have for this source in the sets of these ports. Returns false when it has
 * nothing to learn. */
static bool
wanted_change(struct table *table, const struct ban_cell *of, uint8_t jail, int64_t now_ms,
              uint32_t jails, struct table_change *change_)
{
    struct ban_cell cell;
    bool is_needed = false;

    *change_ = (struct table_change){
        .source.prefix = of->prefix, .jail = jail, .version = table->bans.version, .jails = jails};
    memcpy(change_->source.address, of->address, sizeof of->address);
    FOR_EACH_OF_SOURCE(table, slot, of->address, of->prefix, &cell)
    {
        if (same_ports(table, &cell) != jail)
            continue;
        /* also one that has ended since the clock was set ahead: the kernel would have it longer */
        is_needed |= cell.head.used == BAN_LIFTED || cell.head.used == BAN_WANTED;
        if (is_live(&cell, now_ms) && table_paused_until(table) == 0) {
            change_->wanted = true;
            if (change_->until_ms < cell.until_ms) {
                change_->until_ms = cell.until_ms;
                change_->wanted_by = cell.jail;
                change_->class = cell.class;
            }
        }
    }
    return is_needed;
}

/* One change for each list of ports. */
static size_t
wanted_changes(struct table *table, const struct ban_cell *of, int64_t now_ms,
               struct table_change changes[TABLE_JAILS_MAX])
{
    const uint32_t jails = atomic_load(&table->jails_known);
    struct ban_cell cell;
    uint64_t seen = 0;
    size_t count = 0;

    FOR_EACH_OF_SOURCE(table, slot, of->address, of->prefix, &cell)
    {
        uint8_t jail = same_ports(table, &cell);

        if (jail == TABLE_JAILS_MAX || (seen & UINT64_C(1) << jail))
            continue;
        seen |= UINT64_C(1) << jail;
        count += wanted_change(table, of, jail, now_ms, jails, &changes[count]);
    }
    return count;
}

size_t
table_dequeue(struct table *table, struct table_change *changes, size_t most, int64_t now_ms)
{
    struct table_change of_source[TABLE_JAILS_MAX];
    struct ban_cell cell;
    size_t taken = 0, count;
    uint32_t slot;

    pthread_mutex_lock(&table->bans.lock);
    while (taken < most && (slot = list_first(table, LIST_PENDING)) != NONE) {
        load(table, slot, &cell);
        count = wanted_changes(table, &cell, now_ms, of_source);
        if (count > most - taken)
            break;
        list_remove(table, LIST_PENDING, slot);
        memcpy(&changes[taken], of_source, count * sizeof of_source[0]);
        taken += count;
    }
    pthread_mutex_unlock(&table->bans.lock);
    return taken;
}

static bool
is_as_taken(struct table *table, const struct table_change *taken)
{
    struct ban_cell cell;

    FOR_EACH_OF_SOURCE(table, slot, taken->source.address, taken->source.prefix, &cell)
    {
        if (same_ports(table, &cell) == taken->jail &&
            table->bans.slots[slot].version > taken->version)
            return false;
    }
    return true;
}

/* One that was prolonged was in force all the time; one of a pause is not. */
static void
become_enforced(struct table *table, uint32_t slot, struct ban_cell *cell, bool is_held,
                int64_t now_ms)
{
    cell->head.used = BAN_ENFORCED;
    if (!is_held)
        cell->enforced_ms = 0;
    else if (cell->enforced_ms == 0)
        cell->enforced_ms = now_ms;
    store(table, slot, cell);
}

static void
settle(struct table *table, const struct table_change *taken, bool done, int64_t now_ms)
{
    uint32_t slot, next;
    struct ban_cell cell;

    /* become_over may free the slot: look ahead. */
    slot = find_source(table, *chain_of(table, taken->source.address, taken->source.prefix),
                       taken->source.address, taken->source.prefix, &cell);
    for (; slot != NONE; slot = next) {
        struct ban_cell ahead;

        next = find_source(table, table->bans.slots[slot].chained, taken->source.address,
                           taken->source.prefix, &ahead);
        if (same_ports(table, &cell) != taken->jail) {
            cell = ahead;
            continue;
        }
        if (!done && (cell.head.used == BAN_WANTED || cell.head.used == BAN_LIFTED)) {
            queue_source(table, slot, &cell);
        } else if (done && cell.head.used == BAN_WANTED) {
            become_enforced(table, slot, &cell, taken->wanted, now_ms);
        } else if (done && cell.head.used == BAN_LIFTED) {
            become_over(table, slot, &cell);
        }
        cell = ahead;
    }
}

/* What went to the sets of one jail may be another's by now. */
static void
take_again(struct table *table, const struct source *source)
{
    struct ban_cell cell;

    FOR_EACH_OF_SOURCE(table, slot, source->address, source->prefix, &cell)
    {
        if (cell.head.used == BAN_WANTED || cell.head.used == BAN_LIFTED)
            queue_source(table, slot, &cell);
    }
}

void
table_acknowledge(struct table *table, const struct table_change *changes, size_t count, bool done,
                  int64_t now_ms)
{
    pthread_mutex_lock(&table->bans.lock);
    for (size_t i = 0; i < count; i++) {
        if (changes[i].jails != atomic_load(&table->jails_known))
            take_again(table, &changes[i].source);
        else if (is_as_taken(table, &changes[i]))
            settle(table, &changes[i], done, now_ms);
    }
    pthread_mutex_unlock(&table->bans.lock);
}

size_t
table_want_all(struct table *table)
{
    struct ban_cell cell;

    pthread_mutex_lock(&table->bans.lock);
    for (uint32_t slot = 0; slot < table->max_bans; slot++) {
        load(table, slot, &cell);
        if (!is_live_state(cell.head.used) || is_elsewhere(&cell))
            continue;
        if (cell.head.used == BAN_ENFORCED || cell.enforced_ms != 0) {
            cell.head.used = BAN_WANTED;
            cell.enforced_ms = 0;
            store(table, slot, &cell);
        }
        table->bans.slots[slot].version = ++table->bans.version;
        queue_source(table, slot, &cell);
    }
    pthread_mutex_unlock(&table->bans.lock);
    return table_pending(table);
}

size_t
table_pending(const struct table *table)
{
    size_t pending = 0;
    struct ban ban;

    if (table->is_writer)
        return atomic_load_explicit(&table->bans.pending, memory_order_relaxed);
    for (uint32_t slot = 0; slot < table->max_bans; slot++)
        pending += table_read_ban(table, slot, &ban) &&
                   (ban.state == BAN_WANTED || ban.state == BAN_LIFTED);
    return pending;
}

/* ---- the recorder's side ---- */

static size_t
dequeue(struct table *table, enum ban_list list, struct ban *bans, size_t most)
{
    struct ban_cell cell;
    size_t taken = 0;
    uint32_t slot;

    pthread_mutex_lock(&table->bans.lock);
    while (taken < most && (slot = list_first(table, list)) != NONE) {
        list_remove(table, list, slot);
        load(table, slot, &cell);
        bans[taken++] = ban_from(&cell);
    }
    pthread_mutex_unlock(&table->bans.lock);
    return taken;
}

size_t
table_dequeue_unrecorded(struct table *table, struct ban *bans, size_t most)
{
    return dequeue(table, LIST_UNRECORDED, bans, most);
}

static void
record(struct table *table, const struct ban *ban, bool done)
{
    struct ban_cell cell;

    FOR_EACH_OF_SOURCE(table, slot, ban->source.address, ban->source.prefix, &cell)
    {
        if (cell.id != ban->id || cell.table_id != ban->table_id || cell.head.own)
            continue;
        if (!done || end_of(&cell) != ban->end || cell.until_ms != ban->until_ms) {
            list_append(table, LIST_UNRECORDED, slot);
            return;
        }
        if (list_has(table, LIST_UNRECORDED, slot)) /* changed and changed back: once more */
            return;
        cell.head.own = 1;
        store(table, slot, &cell);
        if (cell.head.used == BAN_OVER && is_settled(table, &cell))
            release(table, slot);
        return;
    }
}

void
table_recorded(struct table *table, const struct ban *bans, size_t count, bool done)
{
    pthread_mutex_lock(&table->bans.lock);
    for (size_t i = 0; i < count; i++)
        record(table, &bans[i], done);
    pthread_mutex_unlock(&table->bans.lock);
}

/* ---- the teller's side ---- */

size_t
table_dequeue_untold(struct table *table, struct ban *bans, size_t most)
{
    return dequeue(table, LIST_UNTOLD, bans, most);
}

/* What has changed since it was taken is to be told of once more, but for its beginning. */
static void
settle_told(struct table *table, const struct ban *ban, bool done)
{
    struct ban_cell cell;

    FOR_EACH_OF_SOURCE(table, slot, ban->source.address, ban->source.prefix, &cell)
    {
        if (cell.id != ban->id || cell.table_id != ban->table_id ||
            (cell.untold & BANS_UNTOLD) == 0)
            continue;
        if (!done) {
            list_append(table, LIST_UNTOLD, slot);
            return;
        }
        cell.untold &= (uint8_t)~BAN_BEGINNING_UNTOLD;
        if (!list_has(table, LIST_UNTOLD, slot))
            cell.untold &= (uint8_t)~BANS_UNTOLD;
        store(table, slot, &cell);
        if (cell.head.used == BAN_OVER && is_settled(table, &cell))
            release(table, slot);
        return;
    }
}

void
table_told(struct table *table, const struct ban *bans, size_t count, bool done)
{
    pthread_mutex_lock(&table->bans.lock);
    for (size_t i = 0; i < count; i++)
        settle_told(table, &bans[i], done);
    pthread_mutex_unlock(&table->bans.lock);
}

size_t
table_untold(const struct table *table)
{
    return atomic_load_explicit(&table->bans.untold, memory_order_relaxed);
}

uint64_t
table_never_told(const struct table *table)
{
    return atomic_load_explicit(&table->bans.never_told, memory_order_relaxed);
}

size_t
table_dequeue_unsent(struct table *table, struct ban *bans, size_t most)
{
    struct ban_cell cell;
    size_t taken = 0;
    uint32_t slot;

    pthread_mutex_lock(&table->bans.lock);
    while (taken < most && (slot = list_first(table, LIST_UNSENT)) != NONE) {
        list_remove(table, LIST_UNSENT, slot);
        load(table, slot, &cell);
        bans[taken++] = ban_from(&cell);
        cell.untold &= (uint8_t)~BAN_CHANGE_UNSENT;
        store(table, slot, &cell);
        if (cell.head.used == BAN_OVER && is_settled(table, &cell))
            release(table, slot);
    }
    pthread_mutex_unlock(&table->bans.lock);
    return taken;
}

size_t
table_unsent(const struct table *table)
{
    return atomic_load_explicit(&table->bans.unsent, memory_order_relaxed);
}

/* ---- reading and attaching ---- */

static bool
is_valid(const struct table *table, const struct ban_cell *cell)
{
    unsigned state = cell->head.used;
    unsigned origin = cell->origin_and_end / 16, end = cell->origin_and_end % 16;

    return cell_is_whole(cell) && state >= BAN_WANTED && state <= BAN_OVER && cell->head.own <= 1 &&
           table_is_masked(cell->address, cell->prefix) && table_has_jail(table, cell->jail) &&
           cell->class < OFFENCE_CLASSES && origin <= BAN_BY_HAND && end <= BAN_WITHDRAWN &&
           cell->untold <= (BANS_UNTOLD | BAN_CHANGE_UNSENT) &&
           is_live_state(state) == (end == BAN_RUNNING) && cell->id != 0 && cell->until_ms > 0 &&
           cell->enforced_ms >= 0 && cell->after_first_ms >= 0 && cell->after_last_ms >= 0;
}

bool
table_read_ban(const struct table *table, uint32_t index, struct ban *ban)
{
    struct ban_cell cell;

    if (index >= table->max_bans || !cell_read(&table->ban_cells[index], &cell) ||
        cell.head.used == BAN_FREE || !is_valid(table, &cell))
        return false;
    *ban = ban_from(&cell);
    return true;
}

static int
make_private(struct table *table)
{
    struct bans *bans = &table->bans;
    uint32_t chains = 64;

    while (chains < table->max_bans)
        chains *= 2;
    bans->chain_mask = chains - 1;
    bans->slots = calloc(table->max_bans + (size_t)1, sizeof *bans->slots);
    bans->chains = malloc(chains * sizeof *bans->chains);
    bans->shares = malloc(chains * sizeof *bans->shares);
    bans->heap = calloc(table->max_bans, sizeof *bans->heap);
    if (!bans->slots || !bans->chains || !bans->shares || !bans->heap)
        return -ENOMEM;
    bans->free = NONE;
    memset(bans->chains, 0xff, chains * sizeof *bans->chains);
    for (uint32_t i = 0; i < chains; i++)
        bans->shares[i] = (int32_t)(table->max_bans / SHARE_OF);
    for (uint32_t slot = 0; slot < table->max_bans; slot++) {
        bans->slots[slot].heap_at = NONE;
        for (unsigned list = 0; list < BAN_LISTS; list++)
            bans->slots[slot].links[list].after = NONE;
    }
    for (unsigned list = 0; list < BAN_LISTS; list++)
        bans->slots[table->max_bans].links[list] =
            (struct ban_link){table->max_bans, table->max_bans};
    return 0;
}

/* Where the last id is not known any more, far more than any that the ledger may have. */
static void
load_guarded(struct table *table)
{
    struct table_header *header = table->header;
    struct ban_cell cell;
    uint64_t value;

    if (table_guarded_get(&header->latest_ms, &value))
        table->bans.latest_ms = (int64_t)value;
    if (table_guarded_get(&header->last_id, &table->bans.last_id))
        return;
    table->bans.last_id = LOST_IDS;
    for (uint32_t slot = 0; slot < table->max_bans; slot++) {
        load(table, slot, &cell);
        if (is_valid(table, &cell) && cell.table_id == header->fixed.table_id &&
            cell.id + LOST_IDS > table->bans.last_id)
            table->bans.last_id = cell.id + LOST_IDS;
    }
}

/* A ban for another host alone waits for no kernel, wherever a kill has left it. */
static void
attach_elsewhere(struct table *table, uint32_t slot, struct ban_cell cell)
{
    if (cell.head.used == BAN_WANTED) {
        cell.head.used = BAN_ENFORCED;
        store(table, slot, &cell);
    }
    enter(table, slot, &cell);
    if (cell.head.used == BAN_LIFTED)
        become_over(table, slot, &cell);
    else if (cell.head.used == BAN_OVER && is_settled(table, &cell))
        release(table, slot);
}

/* Takes a cell as it was stored into the private memory. */
static void
attach_ban(struct table *table, uint32_t slot, const struct ban_cell *cell)
{
    if (is_elsewhere(cell)) {
        attach_elsewhere(table, slot, *cell);
        return;
    }
    enter(table, slot, cell);
    if (cell->head.used == BAN_WANTED || cell->head.used == BAN_LIFTED)
        queue_source(table, slot, cell);
    if (cell->head.used == BAN_OVER && is_settled(table, cell))
        release(table, slot);
}

int
table_attach_bans(struct table *table, uint64_t *jails_used, size_t *dropped)
{
    struct ban_cell cell;
    int error = make_private(table);

    if (error)
        return error;
    load_guarded(table);
    table->bans.seen_id = table->bans.last_id;
    for (uint32_t slot = table->max_bans; slot-- > 0;) { /* so that low slots are taken first */
        load(table, slot, &cell);
        if (cell.head.used == BAN_FREE && cell_is_whole(&cell)) {
            set_free(table, slot);
        } else if (!is_valid(table, &cell)) {
            cell_clear(&table->ban_cells[slot]);
            set_free(table, slot);
            ++*dropped;
        } else {
            *jails_used |= UINT64_C(1) << cell.jail;
            attach_ban(table, slot, &cell);
        }
    }
    return 0;
}

uint32_t
table_adopt_ban(struct table *table, const struct ban_cell *ban)
{
    uint32_t slot = free_slot(table);

    if (slot == NONE)
        return 0;
    cell_replace(&table->ban_cells[slot], ban);
    attach_ban(table, slot, ban);
    return slot + 1;
}
