/* judge: what a server of the world ought to have in force, told from what the centres have decided
 * and from nothing that the merge knows; and what it may never be told to do.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Clocks that differ by no more are not corrected; what was applied is put right beyond some
 * seconds; and no way is shorter than a message's. */
#define TOLERATED_MS INT64_C(40000)

void
judge_object(struct world *world, const char *format, ...)
{
    va_list arguments;

    if (world->why[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(world->why, sizeof world->why, format, arguments);
    va_end(arguments);
}

static const char *
name_of(const struct source *source)
{
    static char text[2][SOURCE_TEXT_SIZE];
    static unsigned turn;

    return source_print(source, text[turn++ % 2]);
}

static bool
is_forbidden(const struct source *source)
{
    static const char *const never[] = {"10.0.0.0/8",    "172.16.0.0/12", "192.168.0.0/16",
                                        "100.64.0.0/10", "fc00::/7",      "192.0.2.1",
                                        "192.0.2.2"};
    struct source one;

    for (unsigned i = 0; i < sizeof never / sizeof never[0]; i++) {
        source_parse_prefix(never[i], strlen(never[i]), &one);
        if (source_contains(&one, source) || source_contains(source, &one))
            return true;
    }
    return source_bits(source) < (source_is_v4(source) ? 24U : 48U);
}

/* ---- what may come of a message ---- */

static int
find_told(const struct told *told, const struct source *source, const struct ports *ports,
          bool is_host)
{
    for (unsigned i = 0; i < told->count; i++) {
        const struct telegram_ban *const ban = &told->of[i].ban;

        if (source_compare(&ban->source, source) == 0 && ports_are_same(&ban->ports, ports) &&
            (strcmp(ban->scope, TELEGRAM_SCOPE_FLEET) != 0) == is_host)
            return (int)i;
    }
    return -1;
}

/* The latest event of each ban, by the centre's own count of its tables. */
static void
remember(struct told *told, const struct server *server, const struct telegram *telegram,
         unsigned epoch)
{
    const bool is_host = strcmp(telegram->ban.scope, TELEGRAM_SCOPE_FLEET) != 0;
    int at;

    if (telegram->kind > TELEGRAM_UNBAN ||
        (is_host && strcmp(telegram->ban.scope, server->name) != 0))
        return;
    at = find_told(told, &telegram->ban.source, &telegram->ban.ports, is_host);
    if (at < 0) {
        if (told->count == OWN_MAX)
            return;
        at = (int)told->count++;
    } else if (told->of[at].epoch > epoch ||
               (told->of[at].epoch == epoch && told->of[at].ban.change >= telegram->ban.change)) {
        return;
    }
    told->of[at].ban = telegram->ban;
    told->of[at].epoch = epoch;
    told->of[at].is_lift = telegram->kind == TELEGRAM_UNBAN;
}

/* Nothing that was told later is undone by what was told before. */
static void
judge_going_back(struct world *world, struct server *server, const struct told *told,
                 const struct telegram *telegram, unsigned epoch, const struct order *order)
{
    const uint64_t change =
        telegram->kind == TELEGRAM_PAGE ? telegram->page.change : telegram->ban.change;
    const int at = find_told(told, &order->source, &order->ports, order->is_host);

    if (at < 0 || told->of[at].epoch != epoch || strcmp(order->origin, telegram->origin) != 0)
        return;
    if (order->kind == ORDER_BAN && told->of[at].is_lift && told->of[at].ban.change > order->change)
        judge_object(world, "%s bans %s again by change %lu, which was lifted by change %lu",
                     server->name, name_of(&order->source), (unsigned long)order->change,
                     (unsigned long)told->of[at].ban.change);
    if (order->kind == ORDER_LIFT && telegram->kind == TELEGRAM_PAGE && !told->of[at].is_lift &&
        told->of[at].ban.change > change)
        judge_object(world, "%s lifts its ban of %s, change %lu, by a page of change %lu",
                     server->name, name_of(&order->source), (unsigned long)told->of[at].ban.change,
                     (unsigned long)change);
}

/* The first message of a table is taken, and then none of an older one. */
static void
judge_epoch(struct world *world, struct server *server, struct told *told, unsigned epoch,
            enum merge_outcome outcome)
{
    const uint64_t bit = UINT64_C(1) << epoch % 64;

    told->is_confused |= epoch < told->epoch && !(told->epochs & bit);
    told->in_a_row = epoch < told->epoch ? told->in_a_row + 1 : 0;
    if (epoch > told->epoch && outcome != MERGE_TAKEN)
        judge_object(world, "%s does not take the first message of a new table", server->name);
    if (outcome == MERGE_TAKEN && !told->is_confused && told->in_a_row > 0 &&
        told->in_a_row < MERGE_INSISTS)
        judge_object(world, "%s takes a message of a table that is no more", server->name);
    told->is_confused |= told->in_a_row >= MERGE_INSISTS;
    told->epochs |= bit;
    told->epoch = epoch < told->epoch ? told->epoch : epoch;
}

/* What a pardon has ended is lifted at once, not only when a page comes. */
static void
judge_pardon(struct world *world, struct server *server, const struct telegram *pardon,
             const struct orders *orders)
{
    for (unsigned i = 0; i < server->applied_count; i++) {
        const struct order *const ban = &server->applied[i].ban;
        bool is_lifted = false;

        if (ban->since_ms + TOLERATED_MS > pardon->ban.since_ms ||
            !(source_contains(&pardon->ban.source, &ban->source) ||
              source_contains(&ban->source, &pardon->ban.source)))
            continue;
        for (unsigned o = 0; o < orders->count; o++)
            is_lifted |= orders->at[o].kind == ORDER_LIFT &&
                         strcmp(orders->at[o].origin, ban->origin) == 0 &&
                         source_compare(&orders->at[o].source, &ban->source) == 0;
        if (!is_lifted)
            judge_object(world, "%s keeps %s's ban of %s, which is pardoned", server->name,
                         ban->origin, name_of(&ban->source));
    }
}

void
judge_message(struct world *world, struct server *server, const struct telegram *telegram,
              unsigned epoch, enum merge_outcome outcome, const struct orders *orders)
{
    struct told *const told = &server->told[strcmp(telegram->origin, world->servers[0].name) != 0];
    struct merge_counts counts;

    if (outcome == MERGE_OWN)
        return;
    judge_epoch(world, server, told, epoch, outcome);
    remember(told, server, telegram, epoch);
    merge_read_counts(server->merge, &counts);
    if (told->is_confused || counts.given_up > 0 || counts.limited > 0 ||
        world->traits.wrong_clocks || world->traits.clock_sets > 0)
        return;
    if (telegram->kind == TELEGRAM_PARDON && outcome == MERGE_TAKEN)
        judge_pardon(world, server, telegram, orders);
    for (unsigned i = 0; i < orders->count; i++)
        judge_going_back(world, server, told, telegram, epoch, &orders->at[i]);
}

/* ---- what may be done ---- */

/* But for those that end in this moment. */
static unsigned
count_applied(const struct server *server, int64_t now_ms)
{
    unsigned count = 0;

    for (unsigned i = 0; i < server->applied_count; i++)
        count += server->applied[i].ban.end_ms > now_ms + MERGE_SLACK_MS;
    return count;
}

void
judge_order(struct world *world, struct server *server, const struct order *order, bool is_new)
{
    const int64_t now_ms = world->now_ms + server->clock_ms;

    if (order->kind == ORDER_LIFT &&
        !budget_take(&server->lifts, 2 * TELEGRAM_BANS_MAX, 1000, now_ms))
        judge_object(world, "%s is to lift more than two pages' bans in a second", server->name);
    if (order->kind != ORDER_BAN)
        return;
    if (strcmp(order->origin, server->name) == 0)
        judge_object(world, "%s is to ban what it has decided itself", server->name);
    if (is_forbidden(&order->source))
        judge_object(world, "%s is to ban %s", server->name, name_of(&order->source));
    if (order->end_ms > now_ms + server->limits.longest_ms + TOLERATED_MS + world->traits.delay_ms)
        judge_object(world, "%s is to ban %s for longer than it may", server->name,
                     name_of(&order->source));
    if (count_applied(server, now_ms) + is_new > server->limits.most_bans)
        judge_object(world, "%s has more bans of others than it may", server->name);
    if (is_new && !budget_take(&server->bans, 2 * world->traits.bans_a_minute, 60000, now_ms))
        judge_object(world, "%s is to make too many bans a minute", server->name);
}

/* ---- what ought to be ---- */

enum ought { OUGHT_NOT, OUGHT, MAY };

static int64_t
true_time(const struct server *server, int64_t ms)
{
    return ms == TELEGRAM_FOREVER_MS ? ms : ms - server->clock_ms;
}

/* By the pardons of every centre. MAY: it began so near one of another clock that either is right.
 */
static enum ought
pardoned(const struct world *world, const struct server *centre, const struct telegram_ban *ban)
{
    enum ought result = OUGHT;

    for (unsigned c = 0; c < world->traits.centres; c++) {
        const struct server *const other = &world->servers[c];

        for (unsigned i = 0; i < other->own_count; i++) {
            const struct telegram_ban *const pardon = &other->own[i];
            const int64_t later_ms =
                true_time(centre, ban->since_ms) - true_time(other, pardon->since_ms);

            if (pardon->ports.count != 0 || pardon->until_ms == 0 ||
                !(source_contains(&pardon->source, &ban->source) ||
                  source_contains(&ban->source, &pardon->source)))
                continue;
            if (other != centre && llabs(later_ms) <= 2 * TOLERATED_MS)
                result = MAY;
            else if (later_ms <= 0)
                return OUGHT_NOT;
        }
    }
    return result;
}

static int64_t
true_end(const struct server *server, const struct server *centre, const struct telegram_ban *ban)
{
    const int64_t latest_ms = true_time(centre, ban->since_ms) + server->limits.longest_ms;
    const int64_t until_ms = true_time(centre, ban->until_ms);

    return until_ms < latest_ms ? until_ms : latest_ms;
}

static enum ought
ought_to_have(const struct world *world, const struct server *server, const struct server *centre,
              const struct telegram_ban *ban)
{
    const int64_t left_ms = true_end(server, centre, ban) - world->now_ms;

    if (centre == server || ban->until_ms == 0 || ban->ports.count == 0 ||
        is_forbidden(&ban->source) || left_ms < -TOLERATED_MS ||
        (strcmp(ban->scope, TELEGRAM_SCOPE_FLEET) != 0 && strcmp(ban->scope, server->name) != 0))
        return OUGHT_NOT;
    return left_ms < TOLERATED_MS ? MAY : pardoned(world, centre, ban);
}

static const struct order *
has(const struct server *server, const struct server *centre, const struct telegram_ban *ban)
{
    const bool is_host = strcmp(ban->scope, TELEGRAM_SCOPE_FLEET) != 0;

    for (unsigned i = 0; i < server->applied_count; i++) {
        const struct order *const order = &server->applied[i].ban;

        if (strcmp(order->origin, centre->name) == 0 && order->is_host == is_host &&
            source_compare(&order->source, &ban->source) == 0 &&
            ports_are_same(&order->ports, &ban->ports))
            return order;
    }
    return NULL;
}

/* Whether others have more bans than the server takes of all of them: then any of them are right.
 */
static bool
is_limited(const struct world *world, const struct server *server)
{
    unsigned count = 0;

    for (unsigned c = 0; c < world->traits.centres; c++) {
        const struct server *const centre = &world->servers[c];

        for (unsigned i = 0; centre != server && i < centre->own_count; i++)
            count += centre->own[i].until_ms != 0;
    }
    return count >= server->limits.most_bans;
}

static void
judge_ban(struct world *world, struct server *server, struct server *centre,
          const struct telegram_ban *ban)
{
    const enum ought ought = ought_to_have(world, server, centre, ban);
    const struct order *const order = has(server, centre, ban);
    int64_t differs_ms;

    if (ought == OUGHT && order == NULL && !is_limited(world, server))
        judge_object(world, "%s does not have %s's ban of %s, change %lu", server->name,
                     centre->name, name_of(&ban->source), (unsigned long)ban->change);
    if (ought != OUGHT || order == NULL)
        return;
    differs_ms = true_time(server, order->end_ms) - true_end(server, centre, ban);
    if (llabs(differs_ms) > TOLERATED_MS)
        judge_object(world, "%s's ban of %s ends %ld s later than it ought to", server->name,
                     name_of(&ban->source), (long)(differs_ms / 1000));
}

/* What it has, somebody ought to have decided. */
static void
judge_applied(struct world *world, struct server *server, const struct order *order)
{
    for (unsigned c = 0; c < world->traits.centres; c++) {
        struct server *const centre = &world->servers[c];

        for (unsigned i = 0; i < centre->own_count; i++)
            if (centre->own[i].until_ms != 0 && has(server, centre, &centre->own[i]) == order &&
                ought_to_have(world, server, centre, &centre->own[i]) != OUGHT_NOT)
                return;
    }
    judge_object(world, "%s has %s's ban of %s, which is none, for %ld s more", server->name,
                 order->origin, name_of(&order->source),
                 (long)((order->end_ms - server->clock_ms - world->now_ms) / 1000));
}

/* Whoever misses nothing says so in his report, and whoever says so misses nothing. */
static void
judge_report(struct world *world, struct server *server, struct server *centre)
{
    struct telegram_holding holds[MERGE_ORIGINS_MAX];
    const unsigned count = merge_report(server->merge, holds);
    bool agrees = false;

    for (unsigned i = 0; i < count; i++)
        if (strcmp(holds[i].origin, centre->name) == 0)
            agrees = pager_agrees(&centre->pager, &holds[i]);
    if (!agrees && !is_limited(world, server))
        judge_object(world, "%s reports other bans of %s than there are", server->name,
                     centre->name);
}

/* A centre lifts its own bans that another one has pardoned. */
static void
judge_obedience(struct world *world, struct server *centre)
{
    if (world->traits.wrong_clocks || world->traits.clock_sets > 0)
        return;
    for (unsigned i = 0; i < centre->own_count; i++) {
        const struct telegram_ban *const ban = &centre->own[i];

        if (ban->until_ms > world->now_ms + TOLERATED_MS && ban->ports.count != 0 &&
            pardoned(world, centre, ban) == OUGHT_NOT)
            judge_object(world, "%s still has its ban of %s, which was pardoned", centre->name,
                         name_of(&ban->source));
    }
}

void
judge_end(struct world *world)
{
    for (unsigned s = 0; s < world->server_count; s++) {
        struct server *const server = &world->servers[s];

        for (unsigned c = 0; c < world->traits.centres; c++) {
            struct server *const centre = &world->servers[c];

            if (centre == server)
                continue;
            for (unsigned i = 0; i < centre->own_count; i++)
                judge_ban(world, server, centre, &centre->own[i]);
            judge_report(world, server, centre);
        }
        for (unsigned i = 0; i < server->applied_count; i++)
            judge_applied(world, server, &server->applied[i].ban);
        if (s < world->traits.centres)
            judge_obedience(world, server);
    }
}
