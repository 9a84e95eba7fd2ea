/* period: all bans are read once, and sorted by network and by client: what is alike stands
 * together, and is counted in one pass.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-period.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-format.h"
#include "banmailctl-geo.h"

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS  (24 * HOUR_MS)

/* What is kept of a ban while all are read. */
struct item {
    struct source source;
    uint32_t failures;
    int64_t since_ms, ended_ms;
    bool is_running;
};

struct gathering {
    struct period *period;
    struct item *items;
    size_t count, room;
    bool is_full; /* out of memory */
};

/* ---- reading ---- */

static void
count_jail(struct period *period, const char *name)
{
    unsigned i = 0;

    while (i < period->jail_count && strcmp(period->jails[i].name, name) != 0)
        i++;
    if (i == TABLE_JAILS_MAX)
        return;
    if (i == period->jail_count) {
        memcpy(period->jails[i].name, name, JAIL_NAME_SIZE);
        period->jail_count++;
    }
    period->jails[i].bans++;
}

static void
count_ban(struct period *period, const struct ledger_row *row)
{
    const struct ban *const ban = &row->ban;

    period->bans++;
    period->ends[ban->end]++;
    period->failures += ban->failures;
    if (ban->origin == BAN_BY_HAND)
        period->by_hand++;
    else
        period->classes[ban->class]++;
    count_jail(period, row->jail);
}

static struct item *
add_item(struct gathering *gathering)
{
    struct item *grown;

    if (gathering->count == gathering->room) {
        gathering->room = gathering->room ? gathering->room * 2 : 256;
        grown = reallocarray(gathering->items, gathering->room, sizeof(*grown));
        if (grown == NULL) {
            gathering->is_full = true;
            return NULL;
        }
        gathering->items = grown;
    }
    return &gathering->items[gathering->count++];
}

static bool
take_ban(void *context, const struct ledger_row *row)
{
    struct gathering *const gathering = context;
    const struct ban *const ban = &row->ban;
    const bool is_running = ban->end == BAN_RUNNING;
    struct item *const item = add_item(gathering);

    if (item == NULL)
        return false;
    count_ban(gathering->period, row);
    *item = (struct item){
        .source = ban->source,
        .failures = ban->failures,
        .since_ms = ban->since_ms,
        .ended_ms = is_running ? gathering->period->to_ms : ban->ended_ms,
        .is_running = is_running,
    };
    return true;
}

static bool
take_user(void *context, const struct ledger_user *user)
{
    struct period *const period = context;

    period->users[period->user_count++] = *user;
    return period->user_count < PERIOD_MOST;
}

/* ---- spans ---- */

/* An hour is one for up to a week; the spans are the local zone's. */
static void
lay_spans(struct period *period, int64_t oldest_ms)
{
    const time_t seconds = (time_t)(period->to_ms / 1000);
    struct tm local = {0};
    int64_t offset_ms, from_ms = period->from_ms > 0 ? period->from_ms : oldest_ms;

    localtime_r(&seconds, &local);
    offset_ms = (int64_t)local.tm_gmtoff * 1000;
    period->span_ms = period->to_ms - from_ms <= 7 * DAY_MS ? HOUR_MS : DAY_MS;
    period->first_span_ms = (from_ms + offset_ms) / period->span_ms * period->span_ms - offset_ms;
    if ((period->to_ms - period->first_span_ms) / period->span_ms >= PERIOD_SPANS)
        period->first_span_ms +=
            ((period->to_ms - period->first_span_ms) / period->span_ms - PERIOD_SPANS + 1) *
            period->span_ms;
    period->span_count = (unsigned)((period->to_ms - period->first_span_ms) / period->span_ms) + 1;
}

static void
count_spans(struct period *period, const struct gathering *gathering)
{
    int64_t oldest_ms = period->to_ms;

    for (size_t i = 0; i < gathering->count; i++)
        if (gathering->items[i].since_ms < oldest_ms)
            oldest_ms = gathering->items[i].since_ms;
    lay_spans(period, oldest_ms);
    for (size_t i = 0; i < gathering->count; i++) {
        const int64_t after_ms = gathering->items[i].since_ms - period->first_span_ms;

        if (after_ms >= 0 && after_ms / period->span_ms < period->span_count)
            period->spans[after_ms / period->span_ms]++;
    }
}

/* ---- clients and networks ---- */

static int
compare_items(const void *a, const void *b)
{
    return source_compare(&((const struct item *)a)->source, &((const struct item *)b)->source);
}

/* Puts one into a list of the greatest, where it belongs there. `at` is where. */
static void
insert(void *list, unsigned *count, size_t size, unsigned at, const void *one)
{
    char *const place = (char *)list + at * size;
    const unsigned behind = *count == PERIOD_MOST ? PERIOD_MOST - 1 - at : *count - at;

    memmove(place + size, place, behind * size);
    memcpy(place, one, size);
    *count += *count < PERIOD_MOST;
}

static void
rank_offender(struct period *period, const struct period_offender *offender)
{
    unsigned at = 0;

    while (at < period->offender_count &&
           (period->offenders[at].banned_ms > offender->banned_ms ||
            (period->offenders[at].banned_ms == offender->banned_ms &&
             period->offenders[at].bans >= offender->bans)))
        at++;
    if (at < PERIOD_MOST)
        insert(period->offenders, &period->offender_count, sizeof(*offender), at, offender);
}

static void
rank_network(struct period *period, const struct period_network *network)
{
    unsigned at = 0;

    while (at < period->network_count && (period->networks[at].bans > network->bans ||
                                          (period->networks[at].bans == network->bans &&
                                           period->networks[at].failures >= network->failures)))
        at++;
    if (at < PERIOD_MOST)
        insert(period->networks, &period->network_count, sizeof(*network), at, network);
    period->network_all++;
}

static void
add_to_offender(struct period_offender *offender, const struct item *item)
{
    offender->bans++;
    offender->failures += item->failures;
    offender->banned_ms += item->ended_ms > item->since_ms ? item->ended_ms - item->since_ms : 0;
    offender->is_running |= item->is_running;
    if (item->since_ms > offender->last_ms)
        offender->last_ms = item->since_ms;
}

/* The clients of one network stand together, as their addresses are sorted. */
static void
rank(struct period *period, const struct gathering *gathering)
{
    struct period_offender offender = {.bans = 0};
    struct period_network network = {.bans = 0};

    for (size_t i = 0; i < gathering->count; i++) {
        const struct item *const item = &gathering->items[i];
        const struct source of = source_mask(&item->source, PERIOD_V4_BITS, PERIOD_V6_BITS);
        const bool is_other =
            offender.bans == 0 || source_compare(&offender.source, &item->source) != 0;

        if (is_other && offender.bans > 0)
            rank_offender(period, &offender);
        if (is_other)
            offender = (struct period_offender){.source = item->source};
        add_to_offender(&offender, item);
        if (network.bans > 0 && source_compare(&network.source, &of) != 0) {
            rank_network(period, &network);
            network.bans = 0;
        }
        if (network.bans == 0)
            network = (struct period_network){.source = of};
        network.bans++;
        network.clients += is_other;
        network.failures += item->failures;
        period->clients += is_other;
    }
    if (gathering->count > 0) {
        rank_offender(period, &offender);
        rank_network(period, &network);
    }
}

static int
compare_jails(const void *a, const void *b)
{
    const struct period_jail *left = a, *right = b;

    if (left->bans != right->bans)
        return left->bans > right->bans ? -1 : 1;
    return strcmp(left->name, right->name);
}

int
period_read(struct ledger *ledger, int64_t from_ms, int64_t now_ms, struct period *period)
{
    const struct ledger_query query = {.from_ms = from_ms, .to_ms = now_ms, .most = UINT32_MAX};
    struct gathering gathering = {.period = period};
    int error;

    *period = (struct period){.from_ms = from_ms, .to_ms = now_ms};
    error = ledger_history(ledger, &query, take_ban, &gathering);
    if (gathering.is_full)
        error = -ENOMEM;
    if (error >= 0) {
        count_spans(period, &gathering);
        if (gathering.count > 1)
            qsort(gathering.items, gathering.count, sizeof(*gathering.items), compare_items);
        rank(period, &gathering);
        qsort(period->jails, period->jail_count, sizeof(*period->jails), compare_jails);
        error = ledger_users(ledger, from_ms, PERIOD_MOST, take_user, period);
    }
    free(gathering.items);
    return error < 0 ? error : 0;
}

int64_t
period_begin(const struct invocation *invocation, int64_t otherwise_s, int64_t now_ms)
{
    const bool is_given = !invocation->forever || invocation->for_s != 0;

    if (is_given && invocation->forever)
        return 0;
    return now_ms - (is_given ? invocation->for_s : otherwise_s) * 1000;
}

unsigned
period_classes(const struct period *period, enum offence_class order[OFFENCE_CLASSES])
{
    unsigned count = 0;

    for (int class = 0; class < OFFENCE_CLASSES; class ++) {
        unsigned at = count;

        if (period->classes[class] == 0)
            continue;
        for (; at > 0 && period->classes[order[at - 1]] < period->classes[class]; at--)
            order[at] = order[at - 1];
        order[at] = (enum offence_class) class;
        count++;
    }
    return count;
}

/* ---- as JSON ---- */

static struct fjson_object *
networks_json(const struct period *period)
{
    struct fjson_object *array = fjson_object_new_array();
    char text[SOURCE_TEXT_SIZE];

    for (unsigned i = 0; i < period->network_count; i++) {
        struct fjson_object *object = fjson_object_new_object();

        format_add_string(object, "network", source_print(&period->networks[i].source, text));
        geo_add(object, &period->networks[i].source);
        format_add_number(object, "bans", period->networks[i].bans);
        format_add_number(object, "clients", period->networks[i].clients);
        format_add_number(object, "failures", period->networks[i].failures);
        fjson_object_array_add(array, object);
    }
    return array;
}

static struct fjson_object *
offenders_json(const struct period *period)
{
    struct fjson_object *array = fjson_object_new_array();
    char text[SOURCE_TEXT_SIZE];

    for (unsigned i = 0; i < period->offender_count; i++) {
        const struct period_offender *const offender = &period->offenders[i];
        struct fjson_object *object = fjson_object_new_object();

        format_add_string(object, "source", source_print(&offender->source, text));
        geo_add(object, &offender->source);
        format_add_number(object, "bans", offender->bans);
        format_add_number(object, "failures", offender->failures);
        format_add_number(object, "seconds", (uint64_t)offender->banned_ms / 1000);
        format_add_time(object, "last", offender->last_ms);
        format_add_bool(object, "running", offender->is_running);
        fjson_object_array_add(array, object);
    }
    return array;
}

static struct fjson_object *
users_json(const struct period *period)
{
    struct fjson_object *array = fjson_object_new_array();
    char name[EVIDENCE_USER_SIZE * 4];

    for (unsigned i = 0; i < period->user_count; i++) {
        struct fjson_object *object = fjson_object_new_object();

        format_add_string(object, "user", format_clean(period->users[i].name, name, sizeof(name)));
        format_add_number(object, "attempts", period->users[i].attempts);
        format_add_number(object, "clients", period->users[i].clients);
        format_add_time(object, "last", period->users[i].last_ms);
        fjson_object_array_add(array, object);
    }
    return array;
}

static struct fjson_object *
classes_json(const struct period *period)
{
    struct fjson_object *array = fjson_object_new_array();
    enum offence_class order[OFFENCE_CLASSES];
    const unsigned count = period_classes(period, order);

    for (unsigned i = 0; i < count; i++) {
        struct fjson_object *object = fjson_object_new_object();

        format_add_string(object, "class", offence_class_name(order[i]));
        format_add_number(object, "bans", period->classes[order[i]]);
        fjson_object_array_add(array, object);
    }
    return array;
}

static struct fjson_object *
jails_json(const struct period *period)
{
    struct fjson_object *array = fjson_object_new_array();

    for (unsigned i = 0; i < period->jail_count; i++) {
        struct fjson_object *object = fjson_object_new_object();

        format_add_string(object, "jail", period->jails[i].name);
        format_add_number(object, "bans", period->jails[i].bans);
        fjson_object_array_add(array, object);
    }
    return array;
}

static struct fjson_object *
spans_json(const struct period *period)
{
    struct fjson_object *object = fjson_object_new_object(), *array = fjson_object_new_array();

    for (unsigned i = 0; i < period->span_count; i++)
        fjson_object_array_add(array, fjson_object_new_int64(period->spans[i]));
    format_add_number(object, "seconds", (uint64_t)period->span_ms / 1000);
    format_add_time(object, "first", period->first_span_ms);
    fjson_object_object_add(object, "bans", array);
    return object;
}

struct fjson_object *
period_json(const struct period *period)
{
    struct fjson_object *object = fjson_object_new_object();

    format_add_time(object, "from", period->from_ms);
    format_add_time(object, "to", period->to_ms);
    format_add_number(object, "bans", period->bans);
    format_add_number(object, "byHand", period->by_hand);
    format_add_number(object, "clients", period->clients);
    format_add_number(object, "failures", period->failures);
    for (int end = BAN_RUNNING; end <= BAN_WITHDRAWN; end++)
        format_add_number(object, table_end_name(end), period->ends[end]);
    format_add_number(object, "networkCount", period->network_all);
    fjson_object_object_add(object, "networks", networks_json(period));
    fjson_object_object_add(object, "users", users_json(period));
    fjson_object_object_add(object, "classes", classes_json(period));
    fjson_object_object_add(object, "jails", jails_json(period));
    fjson_object_object_add(object, "longest", offenders_json(period));
    fjson_object_object_add(object, "spans", spans_json(period));
    return object;
}
