/* trial: see banmailctl-trial.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-trial.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "table/table-health.h"

struct trial {
    struct table *table;
    struct counter *counter;
    struct readers readers;
    struct reader reader;
    uint64_t ban_id;   /* of the ban that was told last */
    uint32_t ban_slot; /* behind it: mostly the place of the next */
    int64_t latest_us; /* stamp: what has none is as late as the line before it */
};

static void
say_nothing(void *context, int severity, const char *text)
{
    (void)context;
    (void)severity;
    (void)text;
}

/* As those that the module declares: for the one action that lines come to, which is mail's. */
static int
add_jails(struct trial *trial, const struct jail *jails, unsigned count)
{
    struct counter_action action = {0};
    int index;

    jail_defaults(&action.jail);
    action.jail.classes = 0;
    if (counter_add_action(trial->counter, &action) < 0)
        return -1;
    for (unsigned i = 0; i < count; i++) {
        if (jails[i].services == JAIL_SERVICES_SSHD)
            continue;
        action.jail = jails[i];
        index = table_jail(trial->table, &action.jail);
        action.jail_index = (unsigned)index;
        if (index <= 0 ||
            (action.jail.classes != 0 && counter_add_jail(trial->counter, 0, &action) < 0))
            return -1;
    }
    return 0;
}

static int
open_counter(struct trial *trial, const struct jail *jails, unsigned count)
{
    static const struct report report = {.say = say_nothing};
    const struct table_options options = {.capacity = TABLE_CAPACITY_DEFAULT,
                                          .max_bans = TABLE_BANS_DEFAULT,
                                          .owner = (uid_t)-1,
                                          .group = (gid_t)-1,
                                          .report = &report};
    struct counter_options counting = {
        .evidence = EVIDENCE_NONE, .gateway_users = GATEWAY_USERS_DEFAULT, .host = ""};
    bool is_new;

    if (table_open(&options, &trial->table, &is_new) != 0)
        return -1;
    counting.table = trial->table;
    table_set_ban_rate(trial->table, 0);
    trial->counter = counter_new(&counting);
    return trial->counter == NULL ? -1 : add_jails(trial, jails, count);
}

struct trial *
trial_new(const struct jail *jails, unsigned count)
{
    struct trial *trial = calloc(1, sizeof *trial);

    if (trial == NULL)
        return NULL;
    pthread_mutex_init(&trial->readers.lock, NULL);
    readers_join(&trial->readers, &trial->reader);
    if (open_counter(trial, jails, count) < 0) {
        trial_free(trial);
        return NULL;
    }
    return trial;
}

void
trial_free(struct trial *trial)
{
    if (trial == NULL)
        return;
    counter_free(trial->counter);
    table_close(trial->table);
    readers_leave(&trial->readers, &trial->reader);
    free(trial);
}

bool
trial_jail(const struct trial *trial, unsigned jail_index, struct jail *jail)
{
    return table_read_jail(trial->table, jail_index, jail);
}

bool
trial_next_ban(struct trial *trial, struct ban *ban)
{
    struct table_status status;

    table_read_status(trial->table, &status);
    for (uint32_t i = 0; trial->ban_id < status.bans && i < TABLE_BANS_DEFAULT; i++) {
        const uint32_t slot = (trial->ban_slot + i) % TABLE_BANS_DEFAULT;

        if (!table_read_ban(trial->table, slot, ban) || ban->id != trial->ban_id + 1)
            continue;
        trial->ban_id = ban->id;
        trial->ban_slot = slot + 1;
        return true;
    }
    return false;
}

/* ---- stamps ---- */

/* `.123456` at *at, which moves behind it; in microseconds. */
static int64_t
read_fraction(const char **at, bool *has_microseconds)
{
    int64_t fraction_us = 0, unit_us = 100000;
    unsigned digits = 0;

    if (**at != '.' && **at != ',')
        return 0;
    for (++*at; isdigit((unsigned char)**at); ++*at, digits++) {
        fraction_us += (**at - '0') * unit_us;
        unit_us /= 10;
    }
    *has_microseconds = digits >= 6;
    return fraction_us;
}

/* `Z`, `+01:00` or `+0100` (journalctl's) at `at`: seconds ahead of UTC. False where there is none.
 */
static bool
read_zone(const char *at, long *ahead_s)
{
    unsigned hours, minutes;
    char sign;

    *ahead_s = 0;
    if (*at == 'Z' || *at == 'z')
        return true;
    if ((sscanf(at, "%c%2u:%2u", &sign, &hours, &minutes) != 3 &&
         sscanf(at, "%c%2u%2u", &sign, &hours, &minutes) != 3) ||
        (sign != '+' && sign != '-'))
        return false;
    *ahead_s = (long)(hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return true;
}

static int64_t
read_rfc3339(const char *text, bool *has_microseconds)
{
    struct tm tm = {.tm_isdst = -1};
    const char *at = strptime(text, "%Y-%m-%d", &tm);
    int64_t fraction_us;
    long ahead_s;

    if (at == NULL || (*at != 'T' && *at != ' ') ||
        (at = strptime(at + 1, "%H:%M:%S", &tm)) == NULL)
        return -1;
    fraction_us = read_fraction(&at, has_microseconds);
    if (read_zone(at, &ahead_s))
        return ((int64_t)timegm(&tm) - ahead_s) * 1000000 + fraction_us;
    return (int64_t)mktime(&tm) * 1000000 + fraction_us;
}

/* Seconds since 1970 TAI, 2^62 added to them, which 16 digits say, and 8 digits of nanoseconds.
 * What writes it reckons TAI 10 seconds ahead of UTC, as it was in 1970, or by the leap seconds
 * since. */
static int64_t
read_tai64n(const char *text, bool *has_microseconds)
{
    const int64_t epoch_s = (INT64_C(1) << 62) + 10;
    uint64_t seconds;
    uint32_t nanoseconds;

    if (sscanf(text, "@%16" SCNx64 "%8" SCNx32, &seconds, &nanoseconds) != 2 ||
        seconds < (uint64_t)epoch_s || seconds - (uint64_t)epoch_s > UINT32_MAX ||
        nanoseconds > 999999999)
        return -1;
    *has_microseconds = true;
    return ((int64_t)seconds - epoch_s) * 1000000 + nanoseconds / 1000;
}

#define TRADITIONAL_LENGTH (sizeof "Nov 21 08:09:05" - 1)

static int64_t
parse_traditional(const char *text, int64_t now_s)
{
    const time_t now = (time_t)now_s;
    struct tm tm = {0}, this_year;

    localtime_r(&now, &this_year);
    if (strptime(text, "%b %d %H:%M:%S", &tm) == NULL)
        return -1;
    tm.tm_year = this_year.tm_year;
    tm.tm_isdst = -1;
    if (mktime(&tm) > now + 86400) {
        tm.tm_year--;
        tm.tm_isdst = -1;
    }
    return (int64_t)mktime(&tm) * 1000000;
}

/* In a large log many lines of one second follow one another; strptime and mktime would be a fourth
 * of what a line costs. One thread. */
static int64_t
read_traditional(const char *text, int64_t now_s)
{
    static char last_text[TRADITIONAL_LENGTH];
    static int64_t last_now_s = -1, last_us;

    if (now_s != last_now_s || memcmp(text, last_text, TRADITIONAL_LENGTH) != 0) {
        last_us = parse_traditional(text, now_s);
        last_now_s = now_s;
        memcpy(last_text, text, TRADITIONAL_LENGTH);
    }
    return last_us;
}

int64_t
trial_stamp(const char *text, size_t length, int64_t now_s, bool *has_microseconds)
{
    char copy[48] = "";

    memcpy(copy, text, length < sizeof copy ? length : sizeof copy - 1);
    *has_microseconds = false;
    if (isdigit((unsigned char)copy[0]))
        return read_rfc3339(copy, has_microseconds);
    if (copy[0] == '@')
        return read_tai64n(copy, has_microseconds);
    return read_traditional(copy, now_s);
}

/* ---- one line ---- */

void
trial_take(struct trial *trial, struct line *line, struct counter_outcome *outcome)
{
    if (line->stamp_us < 0)
        line->stamp_us = trial->latest_us;
    trial->latest_us = line->stamp_us;
    line->is_history = true;
    line->received_ms = line->now_ms = line->stamp_us / 1000;
    counter_take(trial->counter, line, 0, &trial->reader, outcome);
}
