/* merge: see merge.h.
 *
 * Everything about one ban goes through settle(): what its origin says of it, be it by an event or
 * on a page, is written into its holding, and then it is decided whether that has to be in force
 * here, and whether it is. Only the difference of the two makes an order; so repeats cost nothing,
 * and what was decided otherwise before (a clock, an allow list, a pardon) is put right by the next
 * page that names the ban.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/drift.h"
#include "fleet/holdings.h"
#include "fleet/lists.h"
#include "fleet/slice.h"

#define RETIRED   8  /* tables of an origin that are remembered: the latest */
#define LOOK_AT   64 /* places, for room, and more where they have bans alone */
#define MINUTE_MS 60000
#define SECOND_MS 1000

struct origin {
    char name[TELEGRAM_NAME_SIZE]; /* "": free */
    uint64_t table;                /* 0: not known yet */
    uint64_t retired[RETIRED];
    unsigned next_retired;
    uint64_t insistent; /* the retired table that was heard last, */
    unsigned insisted;  /* and how often since the present one */
    struct drift drift;
    uint32_t holdings; /* bans, pardons and tombstones */
    struct {           /* as of the latest page */
        bool has_come;
        uint64_t change, digest;
        int64_t sent_ms;
        uint32_t count;
    } page;
};

struct merge {
    char own[TELEGRAM_NAME_SIZE];
    uint64_t scopes[2]; /* slice_scope of the fleet, and of this host */
    struct origin origins[MERGE_ORIGINS_MAX];
    struct lists lists;
    struct holdings *holdings;
    struct holding *pardons[MERGE_PARDONS_MAX];
    unsigned pardon_count;
    uint32_t ban_count; /* of all origins: applied and withheld, without pardons */
    struct budget bans, lifts;
    uint32_t serial; /* of the present message */
    uint32_t hand;   /* where the next tombstone is looked for */
    struct merge_counts counts;
};

/* One message on its way. */
struct pass {
    struct merge *merge;
    const struct limits *limits;
    int64_t now_ms;
    struct origin *origin;
    uint64_t table;
    struct orders *orders;
};

struct merge *
merge_new(const char *own, uint32_t capacity, uint64_t seed)
{
    struct merge *merge = calloc(1, sizeof *merge);

    if (merge == NULL)
        return NULL;
    merge->holdings = holdings_new(capacity, seed);
    if (merge->holdings == NULL) {
        free(merge);
        return NULL;
    }
    lists_begin(&merge->lists);
    snprintf(merge->own, sizeof merge->own, "%s", own);
    merge->scopes[false] = slice_scope(TELEGRAM_SCOPE_FLEET);
    merge->scopes[true] = slice_scope(merge->own);
    return merge;
}

void
merge_free(struct merge *merge)
{
    if (merge != NULL)
        holdings_free(merge->holdings);
    free(merge);
}

/* ---- times and orders ---- */

static struct origin *
origin_of(struct merge *merge, const struct holding *holding)
{
    return &merge->origins[holding->origin];
}

/* A time of this holding by our clock. What is from before a restart is so already. */
static int64_t
corrected(struct merge *merge, const struct holding *holding, int64_t ms)
{
    if (ms == TELEGRAM_FOREVER_MS || holding->table == 0)
        return ms;
    return ms + drift_correction(&origin_of(merge, holding)->drift);
}

static int64_t
since_here(struct merge *merge, const struct holding *holding)
{
    return corrected(merge, holding, holding->since_ms);
}

/* No later than the limits let it. */
static int64_t
end_here(const struct pass *pass, const struct holding *holding)
{
    const int64_t until_ms = corrected(pass->merge, holding, holding->until_ms);
    const int64_t latest_ms = since_here(pass->merge, holding) + pass->limits->longest_ms;

    return until_ms < latest_ms ? until_ms : latest_ms;
}

/* By the origin's own end: what the limits have cut short is still its ban. Its clock may be behind
 * ours by what is not corrected. */
static bool
is_over(struct merge *merge, const struct holding *holding, int64_t now_ms)
{
    return corrected(merge, holding, holding->until_ms) <= now_ms - DRIFT_TOLERATED_MS;
}

static void
make_order(struct merge *merge, enum order_kind kind, const struct holding *holding,
           struct order *order)
{
    *order = (struct order){
        .kind = kind,
        .source = holding_source(holding),
        .ports = merge->lists.at[holding->ports].ports,
        .is_host = holding->is_host,
        .since_ms = since_here(merge, holding),
        .end_ms = holding->end_ms,
        .change = holding->change,
    };
    memcpy(order->origin, origin_of(merge, holding)->name, sizeof order->origin);
}

static void
give_order(struct pass *pass, enum order_kind kind, const struct holding *holding)
{
    make_order(pass->merge, kind, holding, &pass->orders->at[pass->orders->count++]);
}

/* ---- origins and their tables ---- */

static bool
is_retired(const struct origin *origin, uint64_t table)
{
    for (unsigned i = 0; i < RETIRED; i++)
        if (origin->retired[i] == table)
            return true;
    return false;
}

/* A table that was thought to be no more is heard: has it been so ten times without the other? */
static bool
insists(struct origin *origin, uint64_t table)
{
    if (origin->insistent != table)
        origin->insisted = 0;
    origin->insistent = table;
    return ++origin->insisted >= MERGE_INSISTS;
}

/* Whether the message is of the origin's present table, which it may become by this message. */
static bool
adopt(struct origin *origin, uint64_t table)
{
    if (origin->table != table) {
        if (is_retired(origin, table) && !insists(origin, table))
            return false;
        origin->retired[origin->next_retired++ % RETIRED] = origin->table;
        origin->table = table;
        origin->page.has_come = false;
    }
    origin->insisted = 0;
    return true;
}

static struct origin *
find_origin(struct merge *merge, const char *name)
{
    struct origin *spare = NULL;

    for (unsigned i = 0; i < MERGE_ORIGINS_MAX; i++) {
        struct origin *const origin = &merge->origins[i];

        if (strcmp(origin->name, name) == 0)
            return origin;
        if (origin->holdings == 0 && (spare == NULL || spare->name[0] != '\0'))
            spare = origin;
    }
    if (spare != NULL) {
        *spare = (struct origin){0};
        memcpy(spare->name, name, strnlen(name, sizeof spare->name - 1));
        drift_begin(&spare->drift);
    }
    return spare;
}

/* ---- room ---- */

static bool
is_ban(const struct holding *holding)
{
    return holding->state == HOLDING_APPLIED || holding->state == HOLDING_WITHHELD;
}

static void
set_state(struct merge *merge, struct holding *holding, enum holding_state state)
{
    merge->ban_count -= is_ban(holding) && holding->ports != 0;
    holding->state = (uint8_t)state;
    merge->ban_count += is_ban(holding) && holding->ports != 0;
}

/* Its ban is lifted, and `state` is why. */
static void
stop(struct pass *pass, struct holding *holding, enum holding_state state)
{
    if (holding->state == HOLDING_APPLIED)
        give_order(pass, ORDER_LIFT, holding);
    set_state(pass->merge, holding, state);
}

/* Because its origin says so. */
static bool
may_lift(struct pass *pass)
{
    if (budget_take(&pass->merge->lifts, TELEGRAM_BANS_MAX, SECOND_MS, pass->now_ms))
        return true;
    pass->merge->counts.limited++;
    return false;
}

static void
drop(struct merge *merge, struct holding *holding)
{
    for (unsigned i = 0; holding->ports == 0 && i < merge->pardon_count; i++)
        if (merge->pardons[i] == holding)
            merge->pardons[i] = merge->pardons[--merge->pardon_count];
    set_state(merge, holding, HOLDING_LIFTED);
    origin_of(merge, holding)->holdings--;
    holdings_remove(merge->holdings, holding);
}

/* What is over needs no order, unless a clock was wrong when it was applied. */
static void
expire(struct pass *pass, struct holding *holding)
{
    if (holding->state == HOLDING_APPLIED && holding->end_ms > pass->now_ms + MERGE_SLACK_MS) {
        if (!may_lift(pass))
            return;
        stop(pass, holding, HOLDING_LIFTED);
    }
    drop(pass->merge, holding);
}

/* Looks at some places more, in turn, for what is over; or else for a tombstone, behind however
 * many bans that is. */
static void
make_room(struct pass *pass)
{
    struct merge *const merge = pass->merge;
    const uint32_t capacity = holdings_capacity(merge->holdings);
    struct holding *holding, *tombstone = NULL;

    for (uint32_t i = 0; i < capacity && (i < LOOK_AT || tombstone == NULL); i++) {
        holding = holdings_at(merge->holdings, merge->hand++ % capacity);
        if (holding != NULL && is_over(merge, holding, pass->now_ms)) {
            expire(pass, holding);
            return;
        }
        if (holding != NULL && holding->state == HOLDING_LIFTED)
            tombstone = holding;
    }
    if (tombstone != NULL) {
        merge->counts.given_up++;
        drop(merge, tombstone);
    }
}

static void
drop_old_pardons(struct pass *pass)
{
    struct merge *const merge = pass->merge;

    for (unsigned i = merge->pardon_count; i-- > 0;)
        if (is_over(merge, merge->pardons[i], pass->now_ms))
            drop(merge, merge->pardons[i]);
}

/* Where the holding is to be; NULL: nowhere. */
static struct holding *
add(struct pass *pass, const struct holding *key)
{
    struct merge *const merge = pass->merge;
    struct holding *holding;

    if (key->ports == 0)
        drop_old_pardons(pass);
    if (key->ports == 0 && merge->pardon_count == MERGE_PARDONS_MAX)
        return NULL;
    holding = holdings_add(merge->holdings, key);
    if (holding == NULL) {
        make_room(pass);
        holding = holdings_add(merge->holdings, key);
    }
    if (holding == NULL)
        return NULL;
    pass->origin->holdings++;
    if (key->ports == 0)
        merge->pardons[merge->pardon_count++] = holding;
    return holding;
}

/* ---- whether a ban is in force here ---- */

static bool
overlap(const struct source *a, const struct source *b)
{
    return source_contains(a, b) || source_contains(b, a);
}

static bool
pardons(const struct pass *pass, const struct holding *pardon, const struct holding *ban)
{
    const struct source pardoned = holding_source(pardon), banned = holding_source(ban);

    return pardon->state == HOLDING_WITHHELD && !is_over(pass->merge, pardon, pass->now_ms) &&
           overlap(&pardoned, &banned) &&
           since_here(pass->merge, ban) <= since_here(pass->merge, pardon);
}

static bool
is_pardoned(const struct pass *pass, const struct holding *ban)
{
    for (unsigned i = 0; i < pass->merge->pardon_count; i++)
        if (pardons(pass, pass->merge->pardons[i], ban))
            return true;
    return false;
}

/* Whether it has to be in force. A pardon is nothing that could be. */
static bool
is_due(const struct pass *pass, const struct holding *ban)
{
    const struct source source = holding_source(ban);

    return ban->ports != 0 && end_here(pass, ban) > pass->now_ms &&
           limits_allow(pass->limits, &source) && !is_pardoned(pass, ban);
}

static void
apply(struct pass *pass, struct holding *holding)
{
    const int64_t end_ms = end_here(pass, holding);

    if (holding->state == HOLDING_APPLIED && llabs(holding->end_ms - end_ms) <= MERGE_SLACK_MS)
        return;
    holding->end_ms = end_ms;
    set_state(pass->merge, holding, HOLDING_APPLIED);
    give_order(pass, ORDER_BAN, holding);
}

/* ---- what an origin says of one ban ---- */

static bool
make_key(struct pass *pass, const struct telegram_ban *ban, struct holding *key)
{
    const bool is_host = strcmp(ban->scope, pass->merge->own) == 0;
    int list;

    if (!is_host && strcmp(ban->scope, TELEGRAM_SCOPE_FLEET) != 0)
        return false;
    list = lists_number(&pass->merge->lists, &ban->ports);
    if (list < 0) {
        pass->merge->counts.limited++;
        return false;
    }
    *key = (struct holding){
        .table = pass->table,
        .change = ban->change,
        .since_ms = ban->since_ms,
        .until_ms = ban->until_ms,
        .seen = pass->merge->serial,
        .prefix = ban->source.prefix,
        .origin = (uint8_t)(pass->origin - pass->merge->origins),
        .ports = (uint8_t)list,
        .is_host = is_host,
        .state = HOLDING_LIFTED,
    };
    memcpy(key->address, ban->source.address, sizeof key->address);
    return true;
}

/* Of the same table; those of a retired one say nothing any more. */
static bool
is_old(const struct holding *holding, const struct holding *latest)
{
    return holding->table == latest->table && latest->change < holding->change;
}

/* The ban that was lifted may have been a shorter one than that which a late message brings. */
static void
keep_tombstone(struct pass *pass, struct holding *holding)
{
    const int64_t least_ms =
        pass->now_ms - drift_correction(&pass->origin->drift) + MERGE_TOMBSTONE_MS;

    if (holding->until_ms < least_ms)
        holding->until_ms = least_ms;
}

static void
lift(struct pass *pass, struct holding *holding, uint64_t change)
{
    if (holding->state == HOLDING_APPLIED && !may_lift(pass))
        return;
    holding->table = pass->table;
    holding->change = change;
    keep_tombstone(pass, holding);
    stop(pass, holding, HOLDING_LIFTED);
}

/* A pardon has come: whatever it pardons is lifted. What the limits leave over, its pages find. */
static void
sweep_pardoned(struct pass *pass, const struct holding *pardon)
{
    struct merge *const merge = pass->merge;

    give_order(pass, ORDER_PARDON, pardon);
    for (uint32_t i = 0; i < holdings_capacity(merge->holdings); i++) {
        struct holding *const holding = holdings_at(merge->holdings, i);

        if (holding != NULL && holding->state == HOLDING_APPLIED &&
            pardons(pass, pardon, holding) && may_lift(pass))
            stop(pass, holding, HOLDING_WITHHELD);
    }
}

/* The origin has this ban, or pardon: `holding` becomes what `latest` is. A pardon is no change of
 * the table: a second one of a source may have the number of the first. */
static void
hold(struct pass *pass, struct holding *holding, const struct holding *latest, bool due)
{
    const bool is_news = holding->table != latest->table || holding->change != latest->change ||
                         holding->state == HOLDING_LIFTED ||
                         (holding->ports == 0 && holding->since_ms < latest->since_ms);

    holding->table = latest->table;
    holding->change = latest->change;
    holding->since_ms = latest->since_ms;
    holding->until_ms = latest->until_ms;
    if (due) {
        apply(pass, holding);
        return;
    }
    pass->merge->counts.withheld += is_news && holding->ports != 0;
    stop(pass, holding, HOLDING_WITHHELD);
    if (holding->ports == 0 && is_news)
        sweep_pardoned(pass, holding);
}

/* Whether the limits let the origin have this ban here. `holding`: NULL where it is not known. The
 * bans of all origins share the room: whoever sends may call himself by many names. */
static bool
may_have(struct pass *pass, const struct holding *holding, const struct holding *latest, bool due)
{
    struct merge *const merge = pass->merge;
    const bool is_more = latest->ports != 0 && (holding == NULL || !is_ban(holding));
    const bool begins = due && (holding == NULL || holding->state != HOLDING_APPLIED);

    return !(is_more && merge->ban_count >= pass->limits->most_bans) &&
           (!begins ||
            budget_take(&merge->bans, pass->limits->bans_a_minute, MINUTE_MS, pass->now_ms));
}

/* What limits how many bans come, and how fast, is asked before anything is changed. */
static void
settle(struct pass *pass, const struct telegram_ban *ban, bool is_lift)
{
    struct merge *const merge = pass->merge;
    struct holding latest, *holding;
    bool due;

    if (!make_key(pass, ban, &latest))
        return;
    holding = holdings_find(merge->holdings, &latest);
    if (holding != NULL)
        holding->seen = latest.seen;
    if (holding != NULL ? is_old(holding, &latest)
                        : !is_lift && is_over(merge, &latest, pass->now_ms))
        return;
    due = !is_lift && is_due(pass, &latest);
    if ((!is_lift && !may_have(pass, holding, &latest, due)) ||
        (holding == NULL && (holding = add(pass, &latest)) == NULL)) {
        merge->counts.limited++;
        return;
    }
    if (is_lift)
        lift(pass, holding, latest.change);
    else
        hold(pass, holding, &latest, due);
}

/* ---- what a page says of the others ---- */

static uint64_t
place_of(const struct merge *merge, uint64_t table, const struct holding *holding)
{
    const struct source source = holding_source(holding);

    return slice_place(table, &source, merge->lists.at[holding->ports].hash,
                       merge->scopes[holding->is_host]);
}

static bool
is_lifted_by(const struct pass *pass, const struct telegram_page *page,
             const struct holding *holding, uint64_t place)
{
    return is_ban(holding) && holding->seen != pass->merge->serial &&
           (holding->table != pass->table || holding->change <= page->change) &&
           slice_holds(page->page, page->pages, place);
}

/* What the origin has just said that there is, by its latest page. */
static bool
is_counted(const struct origin *origin, const struct holding *holding)
{
    return is_ban(holding) && !holding->is_host && holding->table == origin->table &&
           holding->change <= origin->page.change && holding->until_ms > origin->page.sent_ms;
}

/* Its end has come by our clock, and the table has let it go: should the clock be set back, the ban
 * has to be made again. */
static void
forget_ended(struct pass *pass, struct holding *holding)
{
    if (holding->state == HOLDING_APPLIED && holding->end_ms <= pass->now_ms)
        set_state(pass->merge, holding, HOLDING_WITHHELD);
}

/* Of this origin's: what is over goes; what lies in the page's slice, is not on it and no newer
 * than it is lifted; the rest is counted for the report. */
static void
sweep_page(struct pass *pass, const struct telegram *telegram)
{
    struct merge *const merge = pass->merge;
    struct origin *const origin = pass->origin;

    origin->page.has_come = true;
    origin->page.change = telegram->page.change;
    origin->page.sent_ms = telegram->sent_ms;
    origin->page.digest = origin->page.count = 0;
    for (uint32_t i = 0; i < holdings_capacity(merge->holdings); i++) {
        struct holding *const holding = holdings_at(merge->holdings, i);
        uint64_t place;

        if (holding == NULL || origin_of(merge, holding) != origin)
            continue;
        forget_ended(pass, holding);
        place = place_of(merge, pass->table, holding);
        if (is_lifted_by(pass, &telegram->page, holding, place))
            lift(pass, holding, telegram->page.change);
        if (is_counted(origin, holding)) {
            origin->page.digest += slice_digest(place, holding->change);
            origin->page.count++;
        }
        if (is_over(merge, holding, pass->now_ms))
            expire(pass, holding);
    }
}

static void
take_page(struct pass *pass, const struct telegram *telegram)
{
    for (unsigned i = 0; i < telegram->page.ban_count; i++)
        settle(pass, &telegram->page.bans[i], false);
    sweep_page(pass, telegram);
}

/* ---- a message ---- */

static enum merge_outcome
receive(struct pass *pass, const struct telegram *telegram)
{
    struct merge *const merge = pass->merge;

    if (telegram->kind == TELEGRAM_REPORT || telegram->kind == TELEGRAM_MEMBERS)
        return MERGE_REPORT;
    if (strcmp(telegram->origin, merge->own) == 0)
        return MERGE_OWN;
    pass->origin = find_origin(merge, telegram->origin);
    if (pass->origin == NULL)
        return MERGE_CROWDED;
    if (!adopt(pass->origin, telegram->table))
        return MERGE_RETIRED;
    drift_note(&pass->origin->drift, telegram->sent_ms, pass->now_ms);
    merge->serial++;
    if (telegram->kind == TELEGRAM_PAGE)
        take_page(pass, telegram);
    else
        settle(pass, &telegram->ban, telegram->kind == TELEGRAM_UNBAN);
    return MERGE_TAKEN;
}

enum merge_outcome
merge_take(struct merge *merge, const struct telegram *telegram, const struct limits *limits,
           int64_t now_ms, struct orders *orders)
{
    struct pass pass = {merge, limits, now_ms, NULL, telegram->table, orders};
    enum merge_outcome outcome;

    orders->count = 0;
    outcome = receive(&pass, telegram);
    merge->counts.taken += outcome == MERGE_TAKEN;
    merge->counts.own += outcome == MERGE_OWN;
    merge->counts.retired += outcome == MERGE_RETIRED;
    merge->counts.crowded += outcome == MERGE_CROWDED;
    return outcome;
}

void
merge_pardon(struct merge *merge, const struct telegram_ban *pardon, const struct limits *limits,
             int64_t now_ms, struct orders *orders)
{
    struct pass pass = {merge, limits, now_ms, find_origin(merge, merge->own), 0, orders};

    orders->count = 0;
    if (pass.origin != NULL)
        settle(&pass, pardon, false);
}

/* ---- from before, and what came of an order ---- */

static bool
key_of_order(struct merge *merge, const struct order *ban, struct holding *key)
{
    struct origin *const origin = find_origin(merge, ban->origin);
    const int list = lists_number(&merge->lists, &ban->ports);

    if (origin == NULL || list <= 0)
        return false;
    *key = (struct holding){
        .change = ban->change,
        .since_ms = ban->since_ms,
        .until_ms = ban->end_ms,
        .end_ms = ban->end_ms,
        .prefix = ban->source.prefix,
        .origin = (uint8_t)(origin - merge->origins),
        .ports = (uint8_t)list,
        .is_host = ban->is_host,
        .state = HOLDING_LIFTED,
    };
    memcpy(key->address, ban->source.address, sizeof key->address);
    return true;
}

bool
merge_restore(struct merge *merge, const struct order *ban)
{
    struct holding key, *holding;

    if (!key_of_order(merge, ban, &key) || holdings_find(merge->holdings, &key) != NULL)
        return false;
    holding = holdings_add(merge->holdings, &key);
    if (holding == NULL)
        return false;
    origin_of(merge, holding)->holdings++;
    set_state(merge, holding, HOLDING_APPLIED);
    return true;
}

void
merge_forget(struct merge *merge, const struct order *ban)
{
    struct holding key, *holding;

    if (!key_of_order(merge, ban, &key))
        return;
    holding = holdings_find(merge->holdings, &key);
    if (holding != NULL)
        drop(merge, holding);
}

static void
verify(struct merge *merge, struct holding *holding,
       bool (*is_in_force)(void *context, const struct order *ban), void *context)
{
    struct origin *const origin = origin_of(merge, holding);
    struct order order;

    make_order(merge, ORDER_BAN, holding, &order);
    if (is_in_force(context, &order))
        return;
    if (is_counted(origin, holding)) {
        origin->page.digest -=
            slice_digest(place_of(merge, origin->table, holding), holding->change);
        origin->page.count--;
    }
    drop(merge, holding);
}

void
merge_verify(struct merge *merge, bool (*is_in_force)(void *context, const struct order *ban),
             void *context, int64_t now_ms)
{
    for (uint32_t i = 0; i < holdings_capacity(merge->holdings); i++) {
        struct holding *const holding = holdings_at(merge->holdings, i);

        if (holding != NULL && holding->state == HOLDING_APPLIED &&
            holding->end_ms > now_ms + MERGE_SLACK_MS)
            verify(merge, holding, is_in_force, context);
    }
}

/* ---- reading ---- */

unsigned
merge_report(const struct merge *merge, struct telegram_holding holds[MERGE_ORIGINS_MAX])
{
    unsigned count = 0;

    for (unsigned i = 0; i < MERGE_ORIGINS_MAX; i++) {
        const struct origin *const origin = &merge->origins[i];

        if (!origin->page.has_come)
            continue;
        holds[count] = (struct telegram_holding){
            .table = origin->table,
            .change = origin->page.change,
            .count = origin->page.count,
            .digest = origin->page.digest,
            .behind_ms = drift_behind(&origin->drift),
        };
        memcpy(holds[count++].origin, origin->name, sizeof holds->origin);
    }
    return count;
}

void
merge_read_counts(const struct merge *merge, struct merge_counts *counts)
{
    *counts = merge->counts;
}
