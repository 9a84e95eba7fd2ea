/* jails-options: see jails-options.h.
 *
 * One table has the options: each reads its value into the jail that is being made, after which the
 * jail is checked whole, so that what is wrong is told with the line that brought it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "rules/jails-options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/source.h"
#include "line/offence.h"
#include "rules/allow-list.h"

#define SEPARATORS   " ,\t\r\n"
#define MANY_PORTS   60000 /* a range of so many is all of them */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Reads an expanded value; false when it has refused it. */
typedef bool (*option_reader)(struct jails_reading *reading, char *value);

bool
jails_refuse(struct jails_reading *reading, const char *value, const char *allowed)
{
    char shown[80];

    snprintf(shown, sizeof(shown), "%s", value);
    for (char *c = shown; *c != '\0'; c++)
        if (!isprint((unsigned char)*c))
            *c = '?';
    snprintf(reading->reason, SETTINGS_REASON_SIZE,
             "%.250s, line %u: %.40s = %s in [%.40s] is refused: %s", reading->setting->file,
             reading->setting->line, reading->setting->name, shown, reading->section, allowed);
    return false;
}

static void
remark(struct jails_reading *reading, const char *format, ...)
{
    char text[SETTINGS_REASON_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    settings_remark(reading->settings, "%s, line %u: %s", reading->setting->file,
                    reading->setting->line, text);
}

/* ---- what options have for values ---- */

bool
jails_read_bool(struct jails_reading *reading, const char *value, bool *is_on)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(value, words[i]) == 0) {
            *is_on = i % 2 == 1;
            return true;
        }
    }
    return jails_refuse(reading, value, "true or false is allowed");
}

/* Of fail2ban's words for units, those that jail_parse_time has as letters, or does not have. */
static bool
to_letters(const char *value, char text[96])
{
    static const struct {
        const char *word, *letter;
        unsigned times;
    } units[] = {{"years", "d", 365}, {"year", "d", 365},  {"yy", "d", 365},    {"y", "d", 365},
                 {"months", "d", 30}, {"month", "d", 30},  {"mon", "d", 30},    {"mo", "d", 30},
                 {"weeks", "w", 1},   {"week", "w", 1},    {"days", "d", 1},    {"day", "d", 1},
                 {"hours", "h", 1},   {"hour", "h", 1},    {"minutes", "m", 1}, {"minute", "m", 1},
                 {"min", "m", 1},     {"seconds", "s", 1}, {"second", "s", 1},  {"sec", "s", 1}};
    const char *at = value;
    size_t used = 0, word, i;

    while (*at != '\0' && used < 60) {
        unsigned long number;
        char *end;

        if (!isdigit((unsigned char)*at)) {
            text[used++] = *at++;
            continue;
        }
        number = strtoul(at, &end, 10);
        while (*end == ' ')
            end++;
        for (word = 0; isalpha((unsigned char)end[word]); word++)
            ;
        for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
            if (strlen(units[i].word) == word && strncasecmp(units[i].word, end, word) == 0)
                break;
        if (i == sizeof(units) / sizeof(units[0]) || number > 1000000000)
            used += (size_t)sprintf(text + used, "%.*s", (int)(end - at > 24 ? 24 : end - at), at);
        else
            used +=
                (size_t)sprintf(text + used, "%lu%s ", number * units[i].times, units[i].letter);
        at = i == sizeof(units) / sizeof(units[0]) ? end : end + word;
    }
    while (used > 0 && text[used - 1] == ' ')
        used--;
    text[used] = '\0';
    return *at == '\0';
}

static bool
read_time(struct jails_reading *reading, const char *value, bool forever, int64_t *seconds)
{
    char text[96];

    if (to_letters(value, text) && jail_parse_time(text, forever, seconds) == 0)
        return true;
    return jails_refuse(reading, value,
                        forever ? "a span of time such as 3600, 10m, 24h or 1w, or -1 for ever, is "
                                  "allowed"
                                : "a span of time such as 3600, 10m, 24h or 1w is allowed");
}

static bool
read_number(struct jails_reading *reading, const char *value, unsigned long most, unsigned *number)
{
    char *end, allowed[64];
    const unsigned long read = strtoul(value, &end, 10);

    if (isdigit((unsigned char)value[0]) && *end == '\0' && read <= most) {
        *number = (unsigned)read;
        return true;
    }
    snprintf(allowed, sizeof(allowed), "a whole number up to %lu is allowed", most);
    return jails_refuse(reading, value, allowed);
}

/* ---- options ---- */

static bool
read_maxretry(struct jails_reading *reading, char *value)
{
    return read_number(reading, value, UINT_MAX, &reading->entry->jail.maxretry);
}

static bool
read_findtime(struct jails_reading *reading, char *value)
{
    return read_time(reading, value, false, &reading->entry->jail.findtime_s);
}

static bool
read_bantime(struct jails_reading *reading, char *value)
{
    return read_time(reading, value, true, &reading->entry->jail.bantime_s);
}

static bool
read_increment(struct jails_reading *reading, char *value)
{
    return jails_read_bool(reading, value, &reading->entry->jail.growth.is_on);
}

static bool
read_factor(struct jails_reading *reading, char *value)
{
    char *end;
    const double factor = strtod(value, &end);

    if (end == value || *end != '\0' || !isfinite(factor) || factor <= 0 ||
        factor > JAIL_FACTOR_MAX)
        return jails_refuse(reading, value, "a number above 0, up to 1000, is allowed");
    reading->entry->jail.growth.factor = factor;
    return true;
}

static bool
read_multipliers(struct jails_reading *reading, char *value)
{
    struct jail_growth *const growth = &reading->entry->jail.growth;
    unsigned number;
    char *rest = NULL;

    growth->multiplier_count = 0;
    for (char *word = strtok_r(value, SEPARATORS, &rest); word != NULL;
         word = strtok_r(NULL, SEPARATORS, &rest)) {
        if (growth->multiplier_count == JAIL_LENGTHS_MAX)
            return jails_refuse(reading, word, "that is one more than the 16 that are allowed");
        if (!read_number(reading, word, UINT16_MAX, &number))
            return false;
        if (number == 0)
            return jails_refuse(reading, word, "a whole number from 1 on is allowed");
        growth->multipliers[growth->multiplier_count++] = (uint16_t)number;
    }
    return true;
}

static bool
read_maxtime(struct jails_reading *reading, char *value)
{
    return *value == '\0' || read_time(reading, value, false, &reading->entry->jail.growth.max_s);
}

static bool
read_rndtime(struct jails_reading *reading, char *value)
{
    if (*value == '\0' || strcmp(value, "0") == 0)
        return true;
    return read_time(reading, value, false, &reading->entry->jail.growth.random_s);
}

static bool
read_overalljails(struct jails_reading *reading, char *value)
{
    return jails_read_bool(reading, value, &reading->entry->jail.growth.over_all_jails);
}

/* What is no address may be a name, which who has the list resolves, or refuses. */
static bool
is_ignorable(const char *word)
{
    struct source source;

    if (source_parse_prefix(word, strlen(word), &source) == 0 ||
        strcmp(word, ALLOW_LIST_MYNETWORKS) == 0)
        return true;
    return strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") ==
               strlen(word) &&
           strpbrk(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL;
}

const char *
jails_ignored_file(const char *word)
{
    if (strncmp(word, "file:", 5) == 0)
        word += 5;
    return word[0] == '/' ? word : NULL;
}

static bool
read_ignoreip(struct jails_reading *reading, char *value)
{
    char *const list = calloc(1, strlen(value) + 2), *rest = NULL;
    bool has_file = false;
    size_t used = 0;

    if (list == NULL)
        return jails_refuse(reading, "", "out of memory");
    free(reading->entry->ignoreip);
    reading->entry->ignoreip = list;
    for (char *word = strtok_r(value, SEPARATORS, &rest); word != NULL;
         word = strtok_r(NULL, SEPARATORS, &rest)) {
        if (jails_ignored_file(word) != NULL && has_file)
            return jails_refuse(reading, word, "one file for each jail is allowed");
        if (jails_ignored_file(word) == NULL && !is_ignorable(word))
            return jails_refuse(reading, word,
                                "addresses, prefixes, names, file:/PATH and " ALLOW_LIST_MYNETWORKS
                                " are allowed");
        has_file |= jails_ignored_file(word) != NULL;
        used += (size_t)sprintf(list + used, "%s%s", used > 0 ? " " : "", word);
    }
    return true;
}

/* FIRST:LAST, as fail2ban has it; -ENOENT where it is no range. */
static int
add_range(struct ports *ports, const char *word)
{
    unsigned first, last;
    char number[8], end;

    if (sscanf(word, "%5u%*[:-]%5u%c", &first, &last, &end) != 2)
        return -ENOENT;
    if (last > UINT16_MAX || last < first)
        return -EINVAL;
    if (last - first >= MANY_PORTS)
        return ports_add(ports, "all");
    for (; first <= last; first++) {
        snprintf(number, sizeof(number), "%u", first);
        const int error = ports_add(ports, number);

        if (error != 0)
            return error;
    }
    return 0;
}

static bool
read_port(struct jails_reading *reading, char *value)
{
    struct ports *const ports = &reading->entry->jail.ports;
    char *rest = NULL;

    *ports = (struct ports){0};
    for (char *word = strtok_r(value, SEPARATORS, &rest); word != NULL;
         word = strtok_r(NULL, SEPARATORS, &rest)) {
        int error = add_range(ports, word);

        if (error == -ENOENT)
            error = ports_add(ports, word);
        if (error == -ENOSPC)
            return jails_refuse(reading, word,
                                "that is more than the 16 ports that are allowed: use all");
        if (error != 0)
            return jails_refuse(reading, word,
                                "TCP ports such as 25 or submission, mail, or all are allowed");
    }
    reading->has_ports = ports->count > 0;
    if (!reading->has_ports)
        *ports = ports_mail();
    return true;
}

/* By what the name of an action has in it; false where it has neither word. */
static bool
read_range(const char *action, bool *is_all_ports)
{
    *is_all_ports = strstr(action, "allports") != NULL || strncmp(action, "route", 5) == 0;
    return *is_all_ports || strstr(action, "multiport") != NULL;
}

static bool
has_any(const char *text, const char *const *words)
{
    while (*words != NULL && strcasestr(text, *words) == NULL)
        words++;
    return *words != NULL;
}

/* In the words of nftables, iptables, firewalld, shorewall, ufw and route. With which message is
 * refused does not matter: of TCP, the client sees the same of all. */
static bool
read_blocktype(struct jails_reading *reading, char *value)
{
    static const char *const rejecting[] = {"reject", "unreachable", "prohibit", NULL};
    static const char *const dropping[] = {"drop", "deny", "blackhole", NULL};

    if (has_any(value, rejecting))
        reading->entry->jail.verdict = VERDICT_REJECT;
    else if (has_any(value, dropping))
        reading->entry->jail.verdict = VERDICT_DROP;
    else if (*value != '\0' && strchr(value, '%') == NULL)
        remark(reading, "blocktype %.60s is not known, and passed over: " VERDICTS " is allowed",
               value);
    return true;
}

/* Where an action has it as a parameter: nftables[type=multiport, blocktype="reject …"]. */
static void
read_blocktype_in(struct jails_reading *reading, const char *action)
{
    const char *at = strcasestr(action, "blocktype");
    char value[80];

    if (at == NULL)
        return;
    at += strlen("blocktype");
    at += strspn(at, " \t");
    if (*at != '=')
        return;
    at += strspn(at, "= \t\"'");
    snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, ",]\"'\n"), at);
    read_blocktype(reading, value);
}

/* The name is a command's in fail2ban. Here the kernel's set takes all bans, so it tells which
 * ports are closed, and how, and nothing else. */
static bool
read_banaction(struct jails_reading *reading, char *value)
{
    const char *const name = value;

    if (!read_range(name, &reading->is_all_ports) && strstr(name, "nftables") == NULL &&
        strstr(name, "iptables") == NULL && *name != '\0')
        remark(reading, "banaction %.60s is not run: bans go into the kernel's set", name);
    read_blocktype_in(reading, value);
    return true;
}

/* As in action = iptables-allports[name=smtp]. As it stands: what %(…)s names in it may be in a
 * jail.conf that is not there. */
void
jails_read_action(struct jails_reading *reading)
{
    const struct setting *const action =
        settings_find(reading->settings, reading->section, "action");
    bool is_all_ports;

    if (action != NULL && read_range(action->value, &is_all_ports)) {
        reading->is_all_ports = is_all_ports;
        reading->setting = action;
        read_blocktype_in(reading, action->value);
    }
}

static bool
read_classes(struct jails_reading *reading, char *value)
{
    char *rest = NULL;

    for (char *word = strtok_r(value, SEPARATORS, &rest); word != NULL;
         word = strtok_r(NULL, SEPARATORS, &rest)) {
        const int class = offence_class_parse(word, strlen(word));

        if (class < 0 || !(OFFENCE_BIT(class) & OFFENCE_COUNTABLE))
            return jails_refuse(
                reading, word,
                "the name of a class that may count, such as auth_failed, is allowed "
                "(all of them: ombanmail-rulebase(5))");
        reading->classes |= OFFENCE_BIT(class);
    }
    return reading->classes != 0 ||
           jails_refuse(reading, "",
                        "the names of classes are allowed; without the option it is those "
                        "of the filter");
}

static bool
read_v4_prefix(struct jails_reading *reading, char *value)
{
    return read_number(reading, value, 32, &reading->entry->jail.v4_bits);
}

static bool
read_v6_prefix(struct jails_reading *reading, char *value)
{
    return read_number(reading, value, 128, &reading->entry->jail.v6_bits);
}

static bool
read_repeats(struct jails_reading *reading, char *value)
{
    if (strcmp(value, "none") != 0)
        return read_number(reading, value, JAIL_REPEATS_MAX, &reading->entry->jail.repeats);
    reading->entry->jail.repeats = JAIL_REPEATS_NONE;
    return true;
}

static bool
read_login_allowance(struct jails_reading *reading, char *value)
{
    return read_number(reading, value, JAIL_ALLOWANCE_MAX,
                       &reading->entry->jail.kindness.login_allowance);
}

static bool
read_mail_allowance(struct jails_reading *reading, char *value)
{
    return read_number(reading, value, JAIL_ALLOWANCE_MAX,
                       &reading->entry->jail.kindness.mail_allowance);
}

static bool
read_login_forgives(struct jails_reading *reading, char *value)
{
    return jails_read_bool(reading, value, &reading->entry->jail.kindness.login_forgives);
}

static bool
read_skip_bounces(struct jails_reading *reading, char *value)
{
    return jails_read_bool(reading, value, &reading->entry->jail.kindness.skips_bounces);
}

static bool
read_neighbours(struct jails_reading *reading, char *value)
{
    bool is_on = false;

    if (isdigit((unsigned char)value[0]))
        return read_number(reading, value, JAIL_STAMPS_MAX, &reading->entry->jail.neighbours);
    reading->entry->jail.neighbours = 0;
    return (jails_read_bool(reading, value, &is_on) && !is_on) ||
           jails_refuse(reading, value, "off, or a whole number from 2 to 16, is allowed");
}

static bool
read_neighbours_time(struct jails_reading *reading, char *value)
{
    return read_time(reading, value, false, &reading->entry->jail.neighbours_s);
}

static bool
read_observe(struct jails_reading *reading, char *value)
{
    return jails_read_bool(reading, value, &reading->entry->jail.is_observing);
}

static bool
read_scope(struct jails_reading *reading, char *value)
{
    return jail_parse_scope(value, &reading->entry->jail.is_per_host) == 0 ||
           jails_refuse(reading, value, JAIL_SCOPES " is allowed");
}

/* Read elsewhere. */
static bool
read_later(struct jails_reading *reading, char *value)
{
    (void)reading;
    (void)value;
    return true;
}

static const struct option {
    const char *name;
    option_reader read;
} options[] = {
    {"enabled", read_later},
    {"filter", read_later},
    {"mode", read_later},
    {"port", read_port},
    {"maxretry", read_maxretry},
    {"findtime", read_findtime},
    {"bantime", read_bantime},
    {"bantime.increment", read_increment},
    {"bantime.factor", read_factor},
    {"bantime.multipliers", read_multipliers},
    {"bantime.maxtime", read_maxtime},
    {"bantime.rndtime", read_rndtime},
    {"bantime.overalljails", read_overalljails},
    {"ignoreip", read_ignoreip},
    {"blocktype", read_blocktype},
    {"banaction", read_banaction}, /* which may say something else than blocktype */
    {"classes", read_classes},
    {"ipv4prefix", read_v4_prefix},
    {"ipv6prefix", read_v6_prefix},
    {"repeats", read_repeats},
    {"loginallowance", read_login_allowance},
    {"mailallowance", read_mail_allowance},
    {"loginforgives", read_login_forgives},
    {"skipbounces", read_skip_bounces},
    {"neighbours", read_neighbours},
    {"neighbourstime", read_neighbours_time},
    {"observe", read_observe},
    {"scope", read_scope},
};
bool
jails_value(struct jails_reading *reading, const char *name, char value[SETTINGS_VALUE_SIZE])
{
    value[0] = '\0';
    reading->setting = settings_find(reading->settings, reading->section, name);
    return reading->setting == NULL ||
           settings_expand(reading->settings, reading->section, reading->setting, value,
                           reading->reason) == 0;
}

static bool
check(struct jails_reading *reading, const char *value)
{
    struct jail jail = reading->entry->jail;
    char wrong[256];

    jail.classes = OFFENCE_DEFAULT;
    return jail_check(&jail, wrong) == NULL || jails_refuse(reading, value, wrong);
}

bool
jails_read_options(struct jails_reading *reading)
{
    char *const value = malloc(2 * SETTINGS_VALUE_SIZE), *const kept = value + SETTINGS_VALUE_SIZE;
    bool is_good = value != NULL;

    for (size_t i = 0; i < COUNT(options) && is_good; i++) {
        is_good = jails_value(reading, options[i].name, value);
        if (!is_good || reading->setting == NULL)
            continue;
        memcpy(kept, value, SETTINGS_VALUE_SIZE);
        is_good = options[i].read(reading, value) && check(reading, kept);
    }
    free(value);
    return is_good;
}

bool
jails_option_is_known(const char *name)
{
    for (size_t i = 0; i < COUNT(options); i++)
        if (strcmp(options[i].name, name) == 0)
            return true;
    return false;
}
