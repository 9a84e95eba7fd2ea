/* jail: fail2ban's words, checked once, and the decision as a pure function of stamps.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "rules/jail.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "line/offence.h"

void
jail_defaults(struct jail *jail)
{
    *jail = (struct jail){
        .name = "mail",
        .classes = OFFENCE_DEFAULT,
        .maxretry = 5,
        .findtime_s = 10 * 60,
        .bantime_s = 60 * 60,
        .v4_bits = 32,
        .v6_bits = 64,
        .ports = ports_mail(),
        .repeats = 1,
        .growth = {.factor = 1},
        .kindness = {.login_allowance = 1, .mail_allowance = 1},
        .neighbours_s = 24 * 3600,
    };
}

struct jail
jail_of_networks(const struct jail *jail)
{
    struct jail networks = *jail;

    networks.maxretry = jail->neighbours;
    networks.findtime_s = jail->neighbours_s;
    networks.repeats = JAIL_REPEATS_NONE;
    networks.kindness = (struct jail_kindness){.login_allowance = 1, .mail_allowance = 1};
    networks.v4_bits = JAIL_NETWORK_V4_BITS;
    networks.v6_bits = JAIL_NETWORK_V6_BITS;
    return networks;
}

uint64_t
jail_neighbour(const struct source *client)
{
    return hash_bytes(1, client->address, sizeof client->address);
}

void
jail_be_kind(struct jail *jail)
{
    if (jail->maxretry <= JAIL_STAMPS_MAX)
        jail->repeats = 10;
    jail->kindness = (struct jail_kindness){
        .login_allowance = 2, .mail_allowance = 10, .login_forgives = true, .skips_bounces = true};
}

/* Seconds in a unit, or 0. */
static int64_t
unit_seconds(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 60 * 60;
    case 'd':
        return 24 * 60 * 60;
    case 'w':
        return 7 * 24 * 60 * 60;
    default:
        return 0;
    }
}

/* One NUMBER[UNIT] at *text, which moves behind it. A number without a unit is seconds, and the
 * last: "1 30m" is a slip, not 1 s and 30 m. */
static int
parse_part(const char **text, int64_t *seconds)
{
    const char *at = *text;
    int64_t number = 0, unit = 1;

    if (!isdigit((unsigned char)*at))
        return -EINVAL;
    for (; isdigit((unsigned char)*at); at++) {
        number = number * 10 + (*at - '0');
        if (number > JAIL_TIME_MAX_S)
            return -EINVAL;
    }
    if (*at != '\0')
        unit = unit_seconds(*at++);
    if (unit == 0 || number > JAIL_TIME_MAX_S / unit)
        return -EINVAL;
    *seconds = number * unit;
    *text = at;
    return 0;
}

int
jail_parse_time(const char *text, bool forever, int64_t *seconds)
{
    bool negative = *text == '-';
    int64_t total = 0, part;

    if (negative)
        text++;
    do {
        if (parse_part(&text, &part))
            return -EINVAL;
        total += part;
        if (total > JAIL_TIME_MAX_S)
            return -EINVAL;
        text += strspn(text, " ");
    } while (*text != '\0');
    if (total == 0 || (negative && !forever))
        return -EINVAL;
    *seconds = negative ? JAIL_FOREVER : total;
    return 0;
}

static bool
is_name(const char name[JAIL_NAME_SIZE])
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-_";
    size_t length = strnlen(name, JAIL_NAME_SIZE);

    return length > 0 && length < JAIL_NAME_SIZE && strspn(name, allowed) == length;
}

static const char *
check_number(const char *parameter, int64_t value, int64_t least, int64_t most, char text[256])
{
    if (value >= least && value <= most)
        return NULL;
    snprintf(text, 256, "%s is %lld, but must be %lld to %lld", parameter, (long long)value,
             (long long)least, (long long)most);
    return text;
}

static const char *
check_growth(const struct jail_growth *growth, char text[256])
{
    const char *wrong;

    if (!(growth->factor > 0 && growth->factor <= JAIL_FACTOR_MAX)) {
        snprintf(text, 256, "bantime.factor is %g, but must be more than 0 and at most %d",
                 growth->factor, JAIL_FACTOR_MAX);
        return text;
    }
    if ((wrong = check_number("the number of bantime.multipliers", growth->multiplier_count, 0,
                              JAIL_LENGTHS_MAX, text)) ||
        (wrong = check_number("bantime.maxtime", growth->max_s, 0, JAIL_TIME_MAX_S, text)) ||
        (wrong = check_number("bantime.rndtime", growth->random_s, 0, JAIL_TIME_MAX_S, text)))
        return wrong;
    for (unsigned i = 0; i < growth->multiplier_count && wrong == NULL; i++)
        wrong =
            check_number("one of bantime.multipliers", growth->multipliers[i], 1, UINT16_MAX, text);
    return wrong;
}

static const char *
check_neighbours(const struct jail *jail, char text[256])
{
    const char *wrong;

    if (jail->neighbours == 0)
        return NULL;
    wrong = check_number("neighbours", jail->neighbours, 2, JAIL_STAMPS_MAX, text);
    return wrong != NULL
               ? wrong
               : check_number("neighboursTime", jail->neighbours_s, 1, JAIL_TIME_MAX_S, text);
}

/* A repeat needs the user of each failure, and there is room for 16. */
static const char *
check_repeats(const struct jail *jail, char text[256])
{
    if (jail->repeats == 1 || jail->maxretry <= JAIL_STAMPS_MAX)
        return check_number("repeats", jail->repeats, 1, JAIL_REPEATS_NONE, text);
    snprintf(text, 256, "maxretry is %u, but with repeats=\"%u\" it must be 1 to %d",
             jail->maxretry, jail->repeats, JAIL_STAMPS_MAX);
    return text;
}

int
jail_parse_scope(const char *word, bool *is_per_host)
{
    *is_per_host = strcmp(word, "host") == 0;
    return *is_per_host || strcmp(word, "fleet") == 0 ? 0 : -EINVAL;
}

const char *
jail_scope(const struct jail *jail)
{
    return jail->is_per_host ? "host" : "fleet";
}

bool
jail_closes_as(const struct jail *jail, const struct jail *other)
{
    return ports_are_same(&jail->ports, &other->ports) && jail->verdict == other->verdict;
}

enum verdict
jail_verdict(const struct jail *jail, enum verdict of_module)
{
    const enum verdict verdict = jail->verdict == VERDICT_OF_MODULE ? of_module : jail->verdict;

    return verdict == VERDICT_REJECT ? VERDICT_REJECT : VERDICT_DROP;
}

struct jail
jail_beside(const struct jail *jail, enum verdict of_module)
{
    struct jail made = *jail;

    made.verdict = VERDICT_OF_MODULE;
    if (jail_verdict(&made, of_module) != jail_verdict(jail, of_module))
        made.verdict = jail->verdict;
    return made;
}

const char *
jail_check(const struct jail *jail, char text[256])
{
    const char *wrong;

    if (!is_name(jail->name)) {
        snprintf(text, 256, "jail is \"%.*s\", but must be 1 to %d letters, digits, - or _",
                 JAIL_NAME_SIZE, jail->name, JAIL_NAME_SIZE - 1);
        return text;
    }
    if (strcmp(jail->name, JAIL_MANUAL) == 0) {
        snprintf(text, 256,
                 "jail is \"" JAIL_MANUAL "\", but that name is kept for bans made by hand");
        return text;
    }
    if (jail->classes == 0 || (jail->classes & ~OFFENCE_COUNTABLE) != 0) {
        snprintf(text, 256, "classes is 0x%llx, but must name one or more classes that count",
                 (unsigned long long)jail->classes);
        return text;
    }
    if ((wrong = check_number("maxretry", jail->maxretry, 1, JAIL_MAXRETRY_MAX, text)) ||
        (wrong = check_number("findtime", jail->findtime_s, 1, JAIL_TIME_MAX_S, text)) ||
        (wrong = check_number("v4 bits", jail->v4_bits, JAIL_V4_BITS_MIN, 32, text)) ||
        (wrong = check_number("v6 bits", jail->v6_bits, JAIL_V6_BITS_MIN, 128, text)) ||
        (wrong = check_number("loginAllowance", jail->kindness.login_allowance, 1,
                              JAIL_ALLOWANCE_MAX, text)) ||
        (wrong = check_number("mailAllowance", jail->kindness.mail_allowance, 1, JAIL_ALLOWANCE_MAX,
                              text)) ||
        (wrong = check_neighbours(jail, text)) || (wrong = check_repeats(jail, text)) ||
        (wrong = check_growth(&jail->growth, text)))
        return wrong;
    if (!ports_are_valid(&jail->ports)) {
        snprintf(text, 256, "ports must be 1 to %d ports, or all", PORTS_MAX);
        return text;
    }
    if (jail->bantime_s == JAIL_FOREVER)
        return NULL;
    return check_number("bantime", jail->bantime_s, 1, JAIL_TIME_MAX_S, text);
}

/* How many times as long as bantime; `before` is not 0. */
static double
multiplier(const struct jail_growth *growth, unsigned before)
{
    const unsigned count = growth->multiplier_count;

    if (count > 0)
        return growth->factor * growth->multipliers[before < count ? before : count - 1];
    return growth->factor * (double)(1U << (before < 20 ? before : 20));
}

int64_t
jail_bantime(const struct jail *jail, unsigned before, uint64_t chance)
{
    const struct jail_growth *const growth = &jail->growth;
    int64_t longest_s = growth->max_s > 0 ? growth->max_s : JAIL_TIME_MAX_S;
    double bantime_s;

    if (!growth->is_on || before == 0 || jail->bantime_s >= longest_s)
        return jail->bantime_s;
    bantime_s = (double)jail->bantime_s * multiplier(growth, before);
    if (bantime_s < (double)longest_s)
        longest_s = (int64_t)bantime_s;
    if (longest_s < jail->bantime_s)
        longest_s = jail->bantime_s;
    return longest_s + (int64_t)(chance % ((uint64_t)growth->random_s + 1));
}

bool
jail_decide(const struct jail *jail, const uint32_t *stamps, unsigned count, unsigned *within)
{
    const unsigned enough = jail_stamps(jail);
    unsigned recent = 0;
    bool reached = false;

    while (recent < count &&
           (int64_t)stamps[count - 1] - stamps[count - 1 - recent] <= jail->findtime_s)
        recent++;
    *within = recent;
    /* A line that came late may complete a window that lies wholly in the past. */
    for (unsigned i = 0; i + enough <= count && !reached; i++)
        reached = (int64_t)stamps[i + enough - 1] - stamps[i] <= jail->findtime_s;
    return reached;
}
