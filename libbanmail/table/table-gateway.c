/* table-gateway: see table-gateway.h. Eight cells, read without a lock as every cell is.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table/table-gateway.h"

#include "table/table-private.h"

static struct cell *
cell_at(const struct table *table, unsigned index)
{
    return (struct cell *)((char *)table->header + TABLE_GATEWAYS_OFFSET) + index;
}

static struct table_gateway
gateway_from(const struct gateway_cell *cell)
{
    struct table_gateway gateway = {
        .source.prefix = cell->prefix,
        .jail = cell->jail,
        .users = cell->users,
        .spared = cell->spared,
        .first_ms = cell->first_ms,
        .last_ms = cell->last_ms,
    };

    memcpy(gateway.source.address, cell->address, sizeof gateway.source.address);
    return gateway;
}

static bool
is_of(const struct gateway_cell *cell, const struct source *source)
{
    return cell->head.used && cell->prefix == source->prefix &&
           memcmp(cell->address, source->address, sizeof cell->address) == 0;
}

static bool
is_old(const struct gateway_cell *cell, int64_t now_ms)
{
    return cell->last_ms < now_ms - TABLE_GATEWAY_SHOWN_MS;
}

/* The cell of this source, or the one to give up for it, loaded. bans.lock is held. */
static unsigned
find(const struct table *table, const struct source *source, struct gateway_cell *cell)
{
    unsigned oldest = 0;
    int64_t oldest_ms = INT64_MAX;

    for (unsigned i = 0; i < TABLE_GATEWAYS; i++) {
        cell_load(cell_at(table, i), cell);
        if (is_of(cell, source))
            return i;
        if (!cell->head.used || cell->last_ms < oldest_ms) {
            oldest_ms = cell->head.used ? cell->last_ms : INT64_MIN;
            oldest = i;
        }
    }
    cell_load(cell_at(table, oldest), cell);
    return oldest;
}

void
table_note_gateway(struct table *table, const struct table_gateway *gateway, int64_t now_ms)
{
    struct gateway_cell cell;
    unsigned at;

    pthread_mutex_lock(&table->bans.lock);
    at = find(table, &gateway->source, &cell);
    if (!is_of(&cell, &gateway->source) || is_old(&cell, now_ms)) {
        cell = (struct gateway_cell){
            .head.used = 1, .prefix = gateway->source.prefix, .first_ms = now_ms};
        memcpy(cell.address, gateway->source.address, sizeof cell.address);
    }
    cell.jail = gateway->jail;
    cell.users = gateway->users;
    cell.spared++;
    cell.last_ms = now_ms;
    cell_replace(cell_at(table, at), &cell);
    pthread_mutex_unlock(&table->bans.lock);
}

bool
table_dequeue_gateway(struct table *table, struct table_gateway *gateway)
{
    struct gateway_cell cell;
    bool found = false;

    pthread_mutex_lock(&table->bans.lock);
    for (unsigned i = 0; i < TABLE_GATEWAYS && !found; i++) {
        cell_load(cell_at(table, i), &cell);
        found = cell.head.used && !cell.head.own;
        if (!found)
            continue;
        cell.head.own = 1;
        cell_replace(cell_at(table, i), &cell);
        *gateway = gateway_from(&cell);
    }
    pthread_mutex_unlock(&table->bans.lock);
    return found;
}

static bool
is_valid(const struct gateway_cell *cell)
{
    return cell_is_whole(cell) && cell->head.used == 1 && cell->last_ms > 0 && cell->first_ms > 0 &&
           table_is_masked(cell->address, cell->prefix);
}

bool
table_read_gateway(const struct table *table, unsigned index, int64_t now_ms,
                   struct table_gateway *gateway)
{
    struct gateway_cell cell;

    if (index >= TABLE_GATEWAYS || !cell_read(cell_at(table, index), &cell) || !is_valid(&cell) ||
        is_old(&cell, now_ms))
        return false;
    *gateway = gateway_from(&cell);
    return true;
}

void
table_attach_gateways(struct table *table)
{
    struct gateway_cell cell;

    for (unsigned i = 0; i < TABLE_GATEWAYS; i++) {
        cell_load(cell_at(table, i), &cell);
        if (!is_valid(&cell))
            cell_clear(cell_at(table, i));
    }
}

void
table_adopt_gateways(struct table *table, const struct table *old)
{
    struct gateway_cell cell;

    for (unsigned i = 0; i < TABLE_GATEWAYS; i++) {
        cell_load(cell_at(old, i), &cell);
        cell_replace(cell_at(table, i), &cell);
    }
}
