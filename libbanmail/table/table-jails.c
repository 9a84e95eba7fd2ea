/* table-jails: the directory of jails; each stands there twice, so that a killed writer leaves one
 * of the two whole.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "table/table-private.h"

static bool
read_jail_cell(const struct table *table, unsigned index, struct jail_cell *cell)
{
    return index < TABLE_JAILS_MAX && cell_read(&table->jails[index], cell) &&
           cell_is_whole(cell) && cell->head.used == 1 &&
           memchr(cell->name, '\0', sizeof cell->name) != NULL;
}

static struct ports
ports_of(const struct jail_cell *cell)
{
    return ports_are_valid(&cell->ports) ? cell->ports : ports_mail();
}

bool
table_has_jail(const struct table *table, unsigned index)
{
    struct jail_cell cell;

    return index == TABLE_JAIL_MANUAL || read_jail_cell(table, index, &cell);
}

static enum verdict
verdict_of(const struct jail_cell *cell)
{
    return cell->flags & JAIL_CELL_DROPS     ? VERDICT_DROP
           : cell->flags & JAIL_CELL_REJECTS ? VERDICT_REJECT
                                             : VERDICT_OF_MODULE;
}

/* Of a list of multipliers the file knows nothing: it is of no use but to who counts. */
static struct jail_growth
growth_of(const struct jail_cell *cell)
{
    return (struct jail_growth){
        .is_on = cell->flags & JAIL_CELL_GROWS,
        .factor = cell->factor != 0 ? (double)cell->factor : 1,
        .max_s = cell->bantime_max_s,
        .random_s = cell->random_s,
        .over_all_jails = cell->flags & JAIL_CELL_OVER_ALL,
    };
}

static struct jail_kindness
kindness_of(const struct jail_cell *cell)
{
    return (struct jail_kindness){
        .login_allowance = cell->login_allowance != 0 ? cell->login_allowance : 1,
        .mail_allowance = cell->mail_allowance != 0 ? cell->mail_allowance : 1,
        .login_forgives = cell->flags & JAIL_CELL_FORGIVES,
        .skips_bounces = cell->flags & JAIL_CELL_SKIPS,
    };
}

/* Two bytes are all the room that there is: a number of seconds, minutes, hours or weeks, the
 * smallest of these that holds it. What is more than 4 hours is rounded up to minutes, more than 11
 * days to hours, more than 22 months to weeks. */
#define SPAN_BITS 14
#define SPAN_MAX  ((1 << SPAN_BITS) - 1)

static const int64_t span_units[] = {1, 60, 3600, 7 * 24 * 3600};

static void
put_span(uint8_t bytes[2], int64_t seconds)
{
    unsigned unit = 0;
    uint16_t word;

    while (unit < 3 && (seconds + span_units[unit] - 1) / span_units[unit] > SPAN_MAX)
        unit++;
    word = (uint16_t)(unit << SPAN_BITS | (seconds + span_units[unit] - 1) / span_units[unit]);
    memcpy(bytes, &word, sizeof word);
}

/* One of an earlier version has none. */
static int64_t
get_span(const uint8_t bytes[2])
{
    uint16_t word;
    int64_t seconds;

    memcpy(&word, bytes, sizeof word);
    seconds = word == 0 ? 24 * 3600 : (word & SPAN_MAX) * span_units[word >> SPAN_BITS];
    return seconds < JAIL_TIME_MAX_S ? seconds : JAIL_TIME_MAX_S;
}

static struct jail
jail_of(const struct jail_cell *cell)
{
    struct jail jail = {
        .classes = cell->classes,
        .maxretry = cell->maxretry,
        .findtime_s = cell->findtime_s,
        .bantime_s = cell->bantime_s,
        .v4_bits = cell->v4_bits,
        .v6_bits = cell->v6_bits,
        .ports = ports_of(cell),
        .verdict = verdict_of(cell),
        .growth = growth_of(cell),
        .kindness = kindness_of(cell),
        .repeats = cell->repeats != 0 ? cell->repeats : 1,
        .services = cell->services,
        .neighbours = cell->neighbours,
        .neighbours_s = cell->neighbours == 0 ? 0 : get_span(cell->neighbours_time),
        .is_observing = cell->flags & JAIL_CELL_OBSERVES,
        .is_per_host = cell->flags & JAIL_CELL_PER_HOST,
    };

    memcpy(jail.name, cell->name, sizeof jail.name);
    return jail;
}

/* What is whole may still be no jail, in a file that was made up: such a maxretry would lead out of
 * the stamps. */
static bool
is_sound(unsigned index, const struct jail_cell *cell)
{
    struct jail jail = jail_of(cell);
    char wrong[256];

    if (cell->head.used != 1)
        return false;
    if (index == TABLE_JAIL_MANUAL) {
        if (strncmp(jail.name, JAIL_MANUAL, sizeof jail.name) != 0)
            return false;
        strcpy(jail.name, "any"); /* jail_check keeps that name for us */
    }
    if (jail.classes == 0)
        jail.classes = OFFENCE_DEFAULT;
    return jail_check(&jail, wrong) == NULL;
}

/* The writer has seen to it that its jails are sound, and may ask a million times. */
bool
table_read_jail(const struct table *table, unsigned index, struct jail *jail)
{
    struct jail_cell cell;

    if (!read_jail_cell(table, index, &cell) || (!table->is_writer && !is_sound(index, &cell)))
        return false;
    *jail = jail_of(&cell);
    return true;
}

/* First the one, then the other: a killed writer leaves one of them whole. */
static void
store_jail(struct table *table, unsigned index, const struct jail_cell *cell)
{
    cell_replace(&table->jails[index], cell);
    cell_replace(&table->jails[TABLE_JAILS_MAX + index], cell);
    atomic_store_explicit(&table->findtime_s[index], cell->findtime_s, memory_order_relaxed);
}

static uint8_t
flags_of(const struct jail *jail)
{
    return (uint8_t)((jail->growth.is_on ? JAIL_CELL_GROWS : 0) |
                     (jail->growth.over_all_jails ? JAIL_CELL_OVER_ALL : 0) |
                     (jail->kindness.login_forgives ? JAIL_CELL_FORGIVES : 0) |
                     (jail->kindness.skips_bounces ? JAIL_CELL_SKIPS : 0) |
                     (jail->is_observing ? JAIL_CELL_OBSERVES : 0) |
                     (jail->is_per_host ? JAIL_CELL_PER_HOST : 0) |
                     (jail->verdict == VERDICT_DROP ? JAIL_CELL_DROPS : 0) |
                     (jail->verdict == VERDICT_REJECT ? JAIL_CELL_REJECTS : 0));
}

static void
write_jail(struct table *table, unsigned index, const struct jail *jail)
{
    struct jail_cell cell = {
        .head.used = 1,
        .classes = jail->classes,
        .maxretry = jail->maxretry,
        .findtime_s = jail->findtime_s,
        .bantime_s = jail->bantime_s,
        .v4_bits = (uint8_t)jail->v4_bits,
        .v6_bits = (uint8_t)jail->v6_bits,
        .ports = jail->ports,
        .bantime_max_s = jail->growth.max_s,
        .repeats = (uint8_t)jail->repeats,
        .services = jail->services,
        .neighbours = (uint8_t)jail->neighbours,
        .flags = flags_of(jail),
        .login_allowance = (uint8_t)jail->kindness.login_allowance,
        .mail_allowance = (uint8_t)jail->kindness.mail_allowance,
        .factor = (float)jail->growth.factor,
        .random_s = (uint32_t)jail->growth.random_s,
    };

    if (jail->neighbours > 0)
        put_span(cell.neighbours_time, jail->neighbours_s);
    memcpy(cell.name, jail->name, strnlen(jail->name, sizeof cell.name - 1));
    store_jail(table, index, &cell);
}

/* Of each jail, which is the first that closes the same; of one that is not there, the manual.
 * Returns whether that is another one than before. */
static bool
find_same_ports(struct table *table)
{
    struct jail jails[TABLE_JAILS_MAX] = {{.maxretry = 0}};
    struct jail_cell cell;
    bool are_others = false;

    for (unsigned i = 0; i < TABLE_JAILS_MAX; i++) {
        unsigned same = 0;

        if (read_jail_cell(table, i, &cell)) {
            jails[i] = jail_of(&cell);
            while (!jail_closes_as(&jails[same], &jails[i]))
                same++;
        }
        are_others |= atomic_exchange(&table->same_ports[i], (uint8_t)same) != same;
    }
    if (are_others)
        atomic_fetch_add(&table->jails_known, 1);
    return are_others;
}

/* jails_lock is held. The enforcer is told when all is written: it reads what is closed only then.
 */
static void
enter_jail(struct table *table, unsigned index, const struct jail *jail)
{
    struct jail_cell known;
    bool closes_others = false, are_others;

    if (read_jail_cell(table, index, &known)) {
        const struct jail before = jail_of(&known);

        closes_others = !jail_closes_as(&before, jail);
    }
    write_jail(table, index, jail);
    are_others = find_same_ports(table);
    if (closes_others)
        table_want_rebuild(table);
    else if (are_others)
        atomic_store(&table->has_other_ports, true);
}

int
table_jail(struct table *table, const struct jail *jail)
{
    struct jail checked = *jail;
    struct jail_cell cell;
    char wrong[256];
    int index = -ENOSPC;

    checked.classes = jail->classes ? jail->classes : OFFENCE_DEFAULT;
    if (jail_check(&checked, wrong))
        return -EINVAL;
    pthread_mutex_lock(&table->jails_lock);
    for (int i = TABLE_JAILS_MAX - 1; i > TABLE_JAIL_MANUAL; i--) {
        if (!read_jail_cell(table, (unsigned)i, &cell)) {
            index = i; /* the lowest free one, unless the name is there */
        } else if (strcmp(cell.name, jail->name) == 0) {
            index = i;
            break;
        }
    }
    if (index > 0) {
        enter_jail(table, (unsigned)index, jail);
        table_chain_networks(table, jail->v4_bits, jail->v6_bits);
        if (jail->neighbours > 0)
            table_chain_networks(table, JAIL_NETWORK_V4_BITS, JAIL_NETWORK_V6_BITS);
    }
    pthread_mutex_unlock(&table->jails_lock);
    return index;
}

/* The jail of bans made by hand counts nothing; it is there for its name and its ports. */
static void
write_manual_jail(struct table *table)
{
    struct jail jail;

    if (table_read_jail(table, TABLE_JAIL_MANUAL, &jail))
        return;
    jail_defaults(&jail);
    strcpy(jail.name, JAIL_MANUAL);
    jail.classes = 0;
    write_jail(table, TABLE_JAIL_MANUAL, &jail);
}

void
table_set_manual_ports(struct table *table, const struct ports *ports)
{
    struct jail jail;

    pthread_mutex_lock(&table->jails_lock);
    if (table_read_jail(table, TABLE_JAIL_MANUAL, &jail)) {
        jail.ports = *ports;
        enter_jail(table, TABLE_JAIL_MANUAL, &jail);
    }
    pthread_mutex_unlock(&table->jails_lock);
}

void
table_want_rebuild(struct table *table)
{
    atomic_store(&table->rebuild, true);
    atomic_store(&table->has_other_ports, true);
}

bool
table_take_rebuild(struct table *table)
{
    return atomic_exchange(&table->rebuild, false);
}

bool
table_take_ports(struct table *table)
{
    return atomic_exchange(&table->has_other_ports, false);
}

void
table_note_jail_lines(struct table *table, uint64_t jails)
{
    for (; jails != 0; jails &= jails - 1)
        table_add(&table->jail_lines[__builtin_ctzll(jails)], 1);
}

uint64_t
table_jail_lines(const struct table *table, unsigned jail_index)
{
    return jail_index < TABLE_JAILS_MAX ? atomic_load(&table->jail_lines[jail_index]) : 0;
}

/* ---- attaching ---- */

/* Loads a jail's cell; one that is not whole, or no jail, is made free. Returns whether it was one,
 * or free. */
static bool
settle_jail(unsigned index, struct cell *at, struct jail_cell *cell)
{
    cell_load(at, cell);
    if (cell_is_whole(cell) && (cell->head.used == 0 || is_sound(index, cell)))
        return true;
    cell_clear(at);
    return false;
}

/* Of each jail's two cells takes the one that is whole. */
static void
settle_jails(struct table *table)
{
    struct jail_cell one, other;

    for (unsigned i = 0; i < TABLE_JAILS_MAX; i++) {
        bool has_other = settle_jail(i, &table->jails[TABLE_JAILS_MAX + i], &other);

        if (settle_jail(i, &table->jails[i], &one))
            store_jail(table, i, &one);
        else if (has_other)
            store_jail(table, i, &other);
    }
}

void
table_attach_jails(struct table *table)
{
    settle_jails(table);
    if (table->layout == 4)
        for (unsigned i = 0; i < TABLE_JAILS_MAX; i++)
            atomic_store(&table->jail_lines[i], 0);
    write_manual_jail(table);
    find_same_ports(table);
}

void
table_keep_jails(struct table *table, uint64_t used)
{
    static const struct jail_cell nothing;

    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++) {
        if (!(used & UINT64_C(1) << i))
            store_jail(table, i, &nothing);
    }
    find_same_ports(table);
}

void
table_adopt_jails(struct table *table, const struct table *old)
{
    struct jail_cell cell;

    for (unsigned i = 0; i < TABLE_JAILS_MAX; i++) {
        cell_load(&old->jails[i], &cell);
        store_jail(table, i, &cell);
    }
    find_same_ports(table);
}
