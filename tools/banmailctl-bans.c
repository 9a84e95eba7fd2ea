/* bans: one linear reading of the slots, milliseconds for 50,000.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-bans.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "banmailctl-format.h"
#include "table/table-health.h"

#define SETTLE_MS      500
#define SETTLE_POLL_MS 5

static int
compare(const void *a, const void *b)
{
    const struct ban *left = a, *right = b;

    if (left->since_ms != right->since_ms)
        return left->since_ms < right->since_ms ? -1 : 1;
    return source_compare(&left->source, &right->source);
}

static int
add(struct bans *bans, size_t *room, const struct ban *ban)
{
    struct ban *grown;

    if (bans->count == *room) {
        *room = *room ? *room * 2 : 64;
        grown = reallocarray(bans->ban, *room, sizeof(*grown));
        if (!grown) {
            bans_free(bans);
            return -ENOMEM;
        }
        bans->ban = grown;
    }
    bans->ban[bans->count++] = *ban;
    return 0;
}

static void
sort(struct bans *bans)
{
    if (bans->count > 1)
        qsort(bans->ban, bans->count, sizeof(*bans->ban), compare);
}

/* Whether there is one at an index. */
typedef bool (*ban_reader)(const struct table *table, uint32_t index, int64_t now_ms,
                           struct ban *ban);

static int
read_all(const struct table *table, uint32_t count, ban_reader reader, int64_t now_ms,
         struct bans *bans)
{
    size_t room = 0;
    struct ban ban;

    *bans = (struct bans){0};
    for (uint32_t i = 0; i < count; i++)
        if (reader(table, i, now_ms, &ban) && add(bans, &room, &ban) < 0)
            return -ENOMEM;
    sort(bans);
    return 0;
}

static bool
read_live(const struct table *table, uint32_t slot, int64_t now_ms, struct ban *ban)
{
    return table_read_ban(table, slot, ban) && ban->until_ms > now_ms &&
           (ban->state == BAN_WANTED || ban->state == BAN_ENFORCED);
}

int
bans_read(const struct table *table, int64_t now_ms, struct bans *bans)
{
    struct table_status status;

    table_read_status(table, &status);
    return read_all(table, status.max_bans, read_live, now_ms, bans);
}

int
bans_read_spared(const struct table *table, int64_t now_ms, struct bans *bans)
{
    struct table_status status;

    table_read_status(table, &status);
    return read_all(table, status.capacity, table_read_spared, now_ms, bans);
}

/* Also what would be over by now. */
static bool
read_observed(const struct table *table, uint32_t record, int64_t now_ms, struct ban *ban)
{
    (void)now_ms;
    return table_read_observed(table, record, ban);
}

int
bans_read_observed(const struct table *table, int64_t now_ms, struct bans *bans)
{
    struct table_status status;

    table_read_status(table, &status);
    return read_all(table, status.capacity, read_observed, now_ms, bans);
}

size_t
bans_waiting(const struct table *table, int64_t then_ms)
{
    struct table_status status;
    size_t waiting = 0;
    struct ban ban;

    table_read_status(table, &status);
    for (uint32_t i = 0; i < status.max_bans; i++)
        waiting += table_read_ban(table, i, &ban) &&
                   ((ban.state == BAN_WANTED && ban.since_ms <= then_ms) ||
                    (ban.state == BAN_LIFTED && ban.ended_ms <= then_ms));
    return waiting;
}

static bool
is_settled(const struct table *table, const struct source *sources, int count)
{
    struct table_status status;
    struct ban ban;

    table_read_status(table, &status);
    for (uint32_t i = 0; i < status.max_bans; i++) {
        if (!table_read_ban(table, i, &ban) || (ban.state != BAN_WANTED && ban.state != BAN_LIFTED))
            continue;
        for (int k = 0; k < count; k++)
            if (bans_touches(&ban, &sources[k]))
                return false;
    }
    return true;
}

int
bans_settle(const struct table *table, const struct source *sources, int count)
{
    const struct timespec pause = {.tv_nsec = SETTLE_POLL_MS * 1000000};

    for (int waited = 0; !is_settled(table, sources, count); waited += SETTLE_POLL_MS) {
        if (waited >= SETTLE_MS)
            return -ETIMEDOUT;
        nanosleep(&pause, NULL);
    }
    return 0;
}

void
bans_free(struct bans *bans)
{
    free(bans->ban);
    *bans = (struct bans){0};
}

bool
bans_touches(const struct ban *ban, const struct source *source)
{
    return source_contains(&ban->source, source) || source_contains(source, &ban->source);
}

const char *
bans_jail_name(const struct table *table, const struct ban *ban, char name[JAIL_NAME_SIZE * 4])
{
    struct jail jail;

    if (table_read_jail(table, ban->jail, &jail))
        format_clean(jail.name, name, JAIL_NAME_SIZE * 4);
    else
        snprintf(name, JAIL_NAME_SIZE * 4, "?");
    return name;
}

bool
bans_has_jail(const struct table *table, const char *name)
{
    struct jail jail;

    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++)
        if (table_read_jail(table, i, &jail) && strcmp(jail.name, name) == 0)
            return true;
    return false;
}

/* ---- in another order ---- */

int
bans_order(const char *name, unsigned *order)
{
    static const char *const names[] = {
        [BANS_BY_SINCE] = "since",     [BANS_BY_LEFT] = "left", [BANS_BY_FAILURES] = "failures",
        [BANS_BY_ADDRESS] = "address", [BANS_BY_JAIL] = "jail", [BANS_BY_CLASS] = "class",
    };

    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(names[i], name) == 0) {
            *order = i;
            return 0;
        }
    return -EINVAL;
}

struct sorting {
    const struct table *table;
    unsigned order;
};

static int
compare_numbers(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int
compare_jails(const struct table *table, const struct ban *a, const struct ban *b)
{
    char left[JAIL_NAME_SIZE * 4], right[JAIL_NAME_SIZE * 4];

    return strcmp(bans_jail_name(table, a, left), bans_jail_name(table, b, right));
}

/* "" of a ban by hand, as list shows it. */
static const char *
class_of(const struct ban *ban)
{
    return ban->origin == BAN_BY_HAND ? "" : offence_class_name(ban->class);
}

static int
compare_by(const void *a, const void *b, void *context)
{
    const struct sorting *const sorting = context;
    const struct ban *const left = a, *const right = b;
    int result = 0;

    switch (sorting->order) {
    case BANS_BY_LEFT:
        result = compare_numbers(left->until_ms, right->until_ms);
        break;
    case BANS_BY_FAILURES:
        result = compare_numbers(left->failures, right->failures);
        break;
    case BANS_BY_ADDRESS:
        result = source_compare(&left->source, &right->source);
        break;
    case BANS_BY_JAIL:
        result = compare_jails(sorting->table, left, right);
        break;
    case BANS_BY_CLASS:
        result = strcmp(class_of(left), class_of(right));
        break;
    }
    return result != 0 ? result : compare(a, b);
}

void
bans_sort(const struct table *table, unsigned order, struct bans *bans)
{
    struct sorting sorting = {.table = table, .order = order};

    if (bans->count > 1)
        qsort_r(bans->ban, bans->count, sizeof(*bans->ban), compare_by, &sorting);
}

/* ---- some of them ---- */

bool
bans_is_here(const struct ban *ban)
{
    return !table_is_elsewhere(ban->scope);
}

static bool
is_wanted(const struct table *table, const struct bans_wanted *wanted, const struct ban *ban)
{
    char jail[JAIL_NAME_SIZE * 4];

    return (wanted->source == NULL || bans_touches(ban, wanted->source)) &&
           (wanted->jail == NULL || strcmp(bans_jail_name(table, ban, jail), wanted->jail) == 0) &&
           (wanted->class < 0 ||
            (ban->origin != BAN_BY_HAND && (int)ban->class == wanted->class)) &&
           (wanted->until_ms == 0 || ban->until_ms <= wanted->until_ms) &&
           (!wanted->is_here || bans_is_here(ban));
}

void
bans_select(const struct table *table, const struct bans_wanted *wanted, struct bans *bans)
{
    size_t kept = 0;

    for (size_t i = 0; i < bans->count; i++)
        if (is_wanted(table, wanted, &bans->ban[i]))
            bans->ban[kept++] = bans->ban[i];
    bans->count = kept;
}

/* ---- who banned by hand ---- */

const char *
bans_user(uint32_t user, char text[BANS_USER_SIZE])
{
    const struct passwd *const entry = getpwuid(user);

    if (entry == NULL)
        snprintf(text, BANS_USER_SIZE, "user id %u", (unsigned)user);
    else
        format_clean(entry->pw_name, text, BANS_USER_SIZE);
    return text;
}

const char *
bans_by_hand(const struct ban *ban, char text[BANS_USER_SIZE + 16])
{
    char user[BANS_USER_SIZE];

    if (ban->made_by == 0)
        strcpy(text, "by hand");
    else
        snprintf(text, BANS_USER_SIZE + 16, "by hand: %s", bans_user(ban->made_by - 1, user));
    return text;
}

void
bans_add_maker(struct fjson_object *object, const struct ban *ban)
{
    char user[BANS_USER_SIZE];

    if (ban->made_by == 0)
        return;
    format_add_string(object, "bannedBy", bans_user(ban->made_by - 1, user));
    format_add_number(object, "bannedByUid", ban->made_by - 1);
}
