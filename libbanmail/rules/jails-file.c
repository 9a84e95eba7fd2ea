/* jails-file: see jails-file.h.
 *
 * One table has the options: each reads its value into the jail that is being made, after which the
 * jail is checked whole, so that what is wrong is told with the line that brought it. What of it
 * depends on several options (filter and mode, ports and banaction) is settled behind them.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "rules/jails-file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/source.h"
#include "line/offence.h"
#include "rules/allow-list.h"
#include "rules/jails-filter.h"
#include "rules/jails-passed.h"

#define SEPARATORS " ,\t\r\n"
#define MANY_PORTS 60000 /* a range of so many is all of them */

/* One jail on its way. */
struct reading {
    struct settings *settings;
    const char *section;
    struct jails_entry *entry;
    const struct setting *setting; /* the one that is being read */
    bool has_ports, is_all_ports;
    uint64_t classes;
    char *reason;
};

/* Reads an expanded value; false when it has refused it. */
typedef bool (*option_reader)(struct reading *reading, char *value);

static bool
refuse(struct reading *reading, const char *value, const char *allowed)
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
remark(struct reading *reading, const char *format, ...)
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

static bool
read_bool(struct reading *reading, const char *value, bool *is_on)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(value, words[i]) == 0) {
            *is_on = i % 2 == 1;
            return true;
        }
    }
    return refuse(reading, value, "true or false is allowed");
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
read_time(struct reading *reading, const char *value, bool forever, int64_t *seconds)
{
    char text[96];

    if (to_letters(value, text) && jail_parse_time(text, forever, seconds) == 0)
        return true;
    return refuse(reading, value,
                  forever ? "a span of time such as 3600, 10m, 24h or 1w, or -1 for ever, is "
                            "allowed"
                          : "a span of time such as 3600, 10m, 24h or 1w is allowed");
}

static bool
read_number(struct reading *reading, const char *value, unsigned long most, unsigned *number)
{
    char *end, allowed[64];
    const unsigned long read = strtoul(value, &end, 10);

    if (isdigit((unsigned char)value[0]) && *end == '\0' && read <= most) {
        *number = (unsigned)read;
        return true;
    }
    snprintf(allowed, sizeof(allowed), "a whole number up to %lu is allowed", most);
    return refuse(reading, value, allowed);
}

/* ---- options ---- */

static bool
read_maxretry(struct reading *reading, char *value)
{
    return read_number(reading, value, UINT_MAX, &reading->entry->jail.maxretry);
}

static bool
read_findtime(struct reading *reading, char *value)
{
    return read_time(reading, value, false, &reading->entry->jail.findtime_s);
}

static bool
read_bantime(struct reading *reading, char *value)
{
    return read_time(reading, value, true, &reading->entry->jail.bantime_s);
}

static bool
read_increment(struct reading *reading, char *value)
{
    return read_bool(reading, value, &reading->entry->jail.growth.is_on);
}

static bool
read_factor(struct reading *reading, char *value)
{
    char *end;
    const double factor = strtod(value, &end);

    if (end == value || *end != '\0' || !isfinite(factor) || factor <= 0 ||
        factor > JAIL_FACTOR_MAX)
        return refuse(reading, value, "a number above 0, up to 1000, is allowed");
    reading->entry->jail.growth.factor = factor;
    return true;
}

static bool
read_multipliers(struct reading *reading, char *value)
{
    struct jail_growth *const growth = &reading->entry->jail.growth;
    unsigned number;
    char *rest = NULL;

    growth->multiplier_count = 0;
    for (char *word = strtok_r(value, SEPARATORS, &rest); word != NULL;
         word = strtok_r(NULL, SEPARATORS, &rest)) {
        if (growth->multiplier_count == JAIL_LENGTHS_MAX)
            return refuse(reading, word, "that is one more than the 16 that are allowed");
        if (!read_number(reading, word, UINT16_MAX, &number))
            return false;
        if (number == 0)
            return refuse(reading, word, "a whole number from 1 on is allowed");
        growth->multipliers[growth->multiplier_count++] = (uint16_t)number;
    }
    return true;
}

static bool
read_maxtime(struct reading *reading, char *value)
{
    return *value == '\0' || read_time(reading, value, false, &reading->entry->jail.growth.max_s);
}

static bool
read_rndtime(struct reading *reading, char *value)
{
    if (*value == '\0' || strcmp(value, "0") == 0)
        return true;
    return read_time(reading, value, false, &reading->entry->jail.growth.random_s);
}

static bool
read_overalljails(struct reading *reading, char *value)
{
    return read_bool(reading, value, &reading->entry->jail.growth.over_all_jails);
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
read_ignoreip(struct reading *reading, char *value)
{
    char *const list = calloc(1, strlen(value) + 2), *rest = NULL;
    bool has_file = false;
    size_t used = 0;

    if (list == NULL)
        return refuse(reading, "", "out of memory");
    free(reading->entry->ignoreip);
    reading->entry->ignoreip = list;
    for (char *word = strtok_r(value, SEPARATORS, &rest); word != NULL;
         word = strtok_r(NULL, SEPARATORS, &rest)) {
        if (jails_ignored_file(word) != NULL && has_file)
            return refuse(reading, word, "one file for each jail is allowed");
        if (jails_ignored_file(word) == NULL && !is_ignorable(word))
            return refuse(reading, word,
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
read_port(struct reading *reading, char *value)
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
            return refuse(reading, word,
                          "that is more than the 16 ports that are allowed: use all");
        if (error != 0)
            return refuse(reading, word,
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
read_blocktype(struct reading *reading, char *value)
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
read_blocktype_in(struct reading *reading, const char *action)
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
read_banaction(struct reading *reading, char *value)
{
    const char *const name = value;

    if (!read_range(name, &reading->is_all_ports) && strstr(name, "nftables") == NULL &&
        strstr(name, "iptables") == NULL && *name != '\0')
        remark(reading, "banaction %.60s is not run: bans go into the kernel's set", name);
    read_blocktype_in(reading, value);
    return true;
}

/* The old way to name a banaction, as in action = iptables-allports[name=smtp]. As it stands: what
 * %(…)s names in it may be in a jail.conf that is not there. */
static void
read_action(struct reading *reading)
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
read_classes(struct reading *reading, char *value)
{
    char *rest = NULL;

    for (char *word = strtok_r(value, SEPARATORS, &rest); word != NULL;
         word = strtok_r(NULL, SEPARATORS, &rest)) {
        const int class = offence_class_parse(word, strlen(word));

        if (class < 0 || !(OFFENCE_BIT(class) & OFFENCE_COUNTABLE))
            return refuse(reading, word,
                          "the name of a class that may count, such as auth_failed, is allowed "
                          "(all of them: ombanmail-rulebase(5))");
        reading->classes |= OFFENCE_BIT(class);
    }
    return reading->classes != 0 ||
           refuse(reading, "",
                  "the names of classes are allowed; without the option it is those "
                  "of the filter");
}

static bool
read_v4_prefix(struct reading *reading, char *value)
{
    return read_number(reading, value, 32, &reading->entry->jail.v4_bits);
}

static bool
read_v6_prefix(struct reading *reading, char *value)
{
    return read_number(reading, value, 128, &reading->entry->jail.v6_bits);
}

static bool
read_repeats(struct reading *reading, char *value)
{
    if (strcmp(value, "none") != 0)
        return read_number(reading, value, JAIL_REPEATS_MAX, &reading->entry->jail.repeats);
    reading->entry->jail.repeats = JAIL_REPEATS_NONE;
    return true;
}

static bool
read_login_allowance(struct reading *reading, char *value)
{
    return read_number(reading, value, JAIL_ALLOWANCE_MAX,
                       &reading->entry->jail.kindness.login_allowance);
}

static bool
read_mail_allowance(struct reading *reading, char *value)
{
    return read_number(reading, value, JAIL_ALLOWANCE_MAX,
                       &reading->entry->jail.kindness.mail_allowance);
}

static bool
read_login_forgives(struct reading *reading, char *value)
{
    return read_bool(reading, value, &reading->entry->jail.kindness.login_forgives);
}

static bool
read_skip_bounces(struct reading *reading, char *value)
{
    return read_bool(reading, value, &reading->entry->jail.kindness.skips_bounces);
}

static bool
read_neighbours(struct reading *reading, char *value)
{
    bool is_on = false;

    if (isdigit((unsigned char)value[0]))
        return read_number(reading, value, JAIL_STAMPS_MAX, &reading->entry->jail.neighbours);
    reading->entry->jail.neighbours = 0;
    return (read_bool(reading, value, &is_on) && !is_on) ||
           refuse(reading, value, "off, or a whole number from 2 to 16, is allowed");
}

static bool
read_neighbours_time(struct reading *reading, char *value)
{
    return read_time(reading, value, false, &reading->entry->jail.neighbours_s);
}

static bool
read_observe(struct reading *reading, char *value)
{
    return read_bool(reading, value, &reading->entry->jail.is_observing);
}

static bool
read_scope(struct reading *reading, char *value)
{
    return jail_parse_scope(value, &reading->entry->jail.is_per_host) == 0 ||
           refuse(reading, value, JAIL_SCOPES " is allowed");
}

/* Read elsewhere. */
static bool
read_later(struct reading *reading, char *value)
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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *
jails_option(size_t index)
{
    return index < COUNT(options) ? options[index].name : NULL;
}

/* ---- one jail ---- */

/* The expanded value of an option that holds for the jail; "" with *value empty where there is
 * none. False when it cannot be expanded. */
static bool
value_of(struct reading *reading, const char *name, char value[SETTINGS_VALUE_SIZE])
{
    value[0] = '\0';
    reading->setting = settings_find(reading->settings, reading->section, name);
    return reading->setting == NULL ||
           settings_expand(reading->settings, reading->section, reading->setting, value,
                           reading->reason) == 0;
}

static bool
check(struct reading *reading, const char *value)
{
    struct jail jail = reading->entry->jail;
    char wrong[256];

    jail.classes = OFFENCE_DEFAULT;
    return jail_check(&jail, wrong) == NULL || refuse(reading, value, wrong);
}

static bool
read_options(struct reading *reading)
{
    char *const value = malloc(2 * SETTINGS_VALUE_SIZE), *const kept = value + SETTINGS_VALUE_SIZE;
    bool is_good = value != NULL;

    for (size_t i = 0; i < COUNT(options) && is_good; i++) {
        is_good = value_of(reading, options[i].name, value);
        if (!is_good || reading->setting == NULL)
            continue;
        memcpy(kept, value, SETTINGS_VALUE_SIZE);
        is_good = options[i].read(reading, value) && check(reading, kept);
    }
    free(value);
    return is_good;
}

/* fail2ban has filter = NAME[mode=MODE, …]; a mode of its own stands in the jail. */
static void
split_filter(char *filter, char mode[JAILS_WORD_SIZE])
{
    char *const bracket = strchr(filter, '[');
    const char *at = bracket == NULL ? NULL : strstr(bracket, "mode=");

    if (at != NULL) {
        at += 5 + strspn(at + 5, "\"' ");
        snprintf(mode, JAILS_WORD_SIZE, "%.*s", (int)strcspn(at, "\"', ]"), at);
    }
    filter[bracket == NULL ? strcspn(filter, " \n") : (size_t)(bracket - filter)] = '\0';
}

/* Which classes count, by filter and mode. *is_ours false: it is another service's. */
static bool
read_filter(struct reading *reading, char value[SETTINGS_VALUE_SIZE], bool *is_ours)
{
    struct jails_entry *const entry = reading->entry;
    const struct setting *by;
    const struct jails_filter *found;

    if (!value_of(reading, "mode", value))
        return false;
    if (strcmp(value, "observe") == 0)
        entry->jail.is_observing = true;
    else
        snprintf(entry->mode, sizeof(entry->mode), "%s", value);
    by = reading->setting;
    if (!value_of(reading, "filter", value))
        return false;
    if (value[0] == '\0')
        snprintf(value, SETTINGS_VALUE_SIZE, "%s", reading->section);
    split_filter(value, entry->mode);
    snprintf(entry->filter, sizeof(entry->filter), "%s", value);
    *is_ours = jails_filter_find(entry->filter, "") != NULL;
    if (!*is_ours)
        return true;
    found = jails_filter_find(entry->filter, entry->mode);
    reading->setting = reading->setting == NULL ? by : reading->setting;
    if (found == NULL)
        return refuse(reading, entry->mode,
                      "the filter has no such mode (banmailctl jails filters lists them)");
    entry->jail.classes = found->classes;
    entry->jail.services = found->services;
    if (found->mode[0] == '\0')
        entry->mode[0] = '\0';
    return true;
}

/* classes= names them in place of a filter. */
static void
settle(struct reading *reading)
{
    struct jails_entry *const entry = reading->entry;

    if (reading->classes != 0) {
        entry->jail.classes = reading->classes;
        entry->jail.services = 0;
        entry->filter[0] = entry->mode[0] = '\0';
    }
    if (reading->is_all_ports) {
        entry->jail.ports = (struct ports){0};
        ports_add(&entry->jail.ports, "all");
    }
}

static const struct setting *
first_of(const struct settings *settings, const char *section)
{
    const struct setting *setting;

    for (size_t i = 0; (setting = settings_at(settings, i)) != NULL; i++)
        if (strcmp(setting->section, section) == 0)
            return setting;
    return NULL;
}

static bool
is_known(const char *name)
{
    for (size_t i = 0; i < COUNT(options); i++)
        if (strcmp(options[i].name, name) == 0)
            return true;
    return jails_passed_has(name);
}

/* What another value takes in by %(name)s is known as well. */
static bool
is_taken_in(const struct settings *settings, const char *name)
{
    const struct setting *setting;
    char word[80];

    snprintf(word, sizeof(word), "%%(%s)s", name);
    for (size_t i = 0; (setting = settings_at(settings, i)) != NULL; i++)
        if (strcasestr(setting->value, word) != NULL)
            return true;
    return false;
}

static void
remark_setting(struct settings *settings, const struct setting *setting)
{
    const char *const instead = jails_passed_instead(setting->name);

    if (instead != NULL)
        settings_remark(settings, "%s, line %u: %s in [%s] does nothing: %s", setting->file,
                        setting->line, setting->name, setting->section, instead);
    else
        settings_remark(settings, "%s, line %u: %s in [%s] is not known, and passed over",
                        setting->file, setting->line, setting->name, setting->section);
}

static void
remark_unknown(struct settings *settings, const char *section)
{
    const struct setting *setting;

    for (size_t i = 0; (setting = settings_at(settings, i)) != NULL; i++)
        if (strcmp(setting->section, section) == 0 && setting->value[0] != '\0' &&
            !is_known(setting->name) && !is_taken_in(settings, setting->name))
            remark_setting(settings, setting);
    jails_passed_note(settings, section);
}

/* Of a preset there is no file to look into, but it may stand under one that changes it. */
static void
name_origin(const struct settings *settings, const struct setting *first,
            char origin[JAILS_ORIGIN_SIZE])
{
    const struct setting *setting, *other = NULL;

    if (strncmp(first->file, JAILS_PRESET, strlen(JAILS_PRESET)) != 0) {
        snprintf(origin, JAILS_ORIGIN_SIZE, "%.130s, line %u", first->file, first->line);
        return;
    }
    for (size_t i = 0; (setting = settings_at(settings, i)) != NULL && other == NULL; i++)
        if (strcmp(setting->section, first->section) == 0 &&
            strcmp(setting->file, first->file) != 0)
            other = setting;
    if (other == NULL)
        snprintf(origin, JAILS_ORIGIN_SIZE, "%s", first->file);
    else
        snprintf(origin, JAILS_ORIGIN_SIZE, "%.30s, changed by %.90s, line %u", first->file,
                 other->file, other->line);
}

static bool
begin_entry(struct reading *reading)
{
    struct jails_entry *const entry = reading->entry;
    const struct setting *const first = first_of(reading->settings, reading->section);

    jail_defaults(&entry->jail);
    entry->jail.growth.factor = 1;
    if (strlen(reading->section) >= JAIL_NAME_SIZE) {
        reading->setting = first;
        return refuse(reading, reading->section, "the name of a jail has 31 letters at most");
    }
    memset(entry->jail.name, 0, sizeof(entry->jail.name));
    strcpy(entry->jail.name, reading->section);
    entry->ignoreip = strdup("");
    name_origin(reading->settings, first, entry->origin);
    return entry->ignoreip != NULL;
}

/* Whether the section is an enabled jail goes to *is_jail; false where something is refused. */
static bool
read_section(struct reading *reading, char value[SETTINGS_VALUE_SIZE], bool *is_jail)
{
    bool is_on = false, is_ours = false;

    *is_jail = false;
    if (!value_of(reading, "enabled", value) ||
        (reading->setting != NULL && !read_bool(reading, value, &is_on)))
        return false;
    if (reading->setting == NULL)
        settings_remark(reading->settings, "jail %s is not enabled: it has no enabled = true",
                        reading->section);
    if (!is_on)
        return true;
    if (!begin_entry(reading) || !read_filter(reading, value, &is_ours))
        return false;
    if (!is_ours && settings_find(reading->settings, reading->section, "classes") == NULL) {
        settings_remark(
            reading->settings,
            "%s: jail %s is passed over: filter %s is for a service that ombanmail does not watch",
            reading->entry->origin, reading->section, reading->entry->filter);
        return true;
    }
    if (!read_options(reading))
        return false;
    read_action(reading);
    settle(reading);
    remark_unknown(reading->settings, reading->section);
    *is_jail = true;
    return true;
}

/* ---- all of them ---- */

/* The jail that fail2ban has for who was banned again and again: here the others' bans grow. */
static void
apply_recidive(struct settings *settings, struct jails *jails, const struct jail *recidive)
{
    for (unsigned i = 0; i < jails->count; i++) {
        struct jail *const jail = &jails->at[i].jail;
        const unsigned first =
            recidive->maxretry < JAIL_LENGTHS_MAX ? recidive->maxretry : JAIL_LENGTHS_MAX;
        int64_t times;

        if (jail->growth.is_on || jail->bantime_s == JAIL_FOREVER)
            continue;
        times = recidive->bantime_s == JAIL_FOREVER ? UINT16_MAX
                                                    : recidive->bantime_s / jail->bantime_s;
        if (times < 2)
            continue;
        jail->growth = (struct jail_growth){
            .is_on = true,
            .factor = 1,
            .multiplier_count = (unsigned char)first,
            .max_s = recidive->bantime_s == JAIL_FOREVER ? 0 : recidive->bantime_s,
            .over_all_jails = true};
        for (unsigned ban = 0; ban + 1 < first; ban++)
            jail->growth.multipliers[ban] = 1;
        jail->growth.multipliers[first - 1] = (uint16_t)(times < UINT16_MAX ? times : UINT16_MAX);
    }
    settings_remark(
        settings,
        "jail recidive makes no bans of its own: from ban %u of a client on, counted over "
        "all jails, the other jails' bans last as long as it says",
        recidive->maxretry);
}

static bool
keep(struct jails *jails, struct jails_entry *entry, char reason[SETTINGS_REASON_SIZE])
{
    struct jails_entry *more;

    if (jails->count == JAILS_MAX) {
        snprintf(reason, SETTINGS_REASON_SIZE, "%s: more than %d jails", entry->origin, JAILS_MAX);
        return false;
    }
    more = reallocarray(jails->at, jails->count + 1, sizeof(*more));
    if (more == NULL)
        return false;
    jails->at = more;
    jails->at[jails->count++] = *entry;
    *entry = (struct jails_entry){0};
    return true;
}

static bool
read_sections(struct settings *settings, struct jails *jails, char value[SETTINGS_VALUE_SIZE],
              char reason[SETTINGS_REASON_SIZE])
{
    struct jail recidive = {.maxretry = 0};
    const char *section;
    bool is_good = true, is_jail;

    for (size_t i = 0; is_good && (section = settings_section(settings, i)) != NULL; i++) {
        struct jails_entry entry = {.ignoreip = NULL};
        struct reading reading = {
            .settings = settings, .section = section, .entry = &entry, .reason = reason};

        if (strcmp(section, SETTINGS_DEFAULT) == 0 || section[0] == '\0')
            continue;
        is_good = read_section(&reading, value, &is_jail);
        if (is_good && is_jail && strcmp(entry.filter, "recidive") == 0)
            recidive = entry.jail;
        else if (is_good && is_jail)
            is_good = keep(jails, &entry, reason);
        free(entry.ignoreip);
    }
    if (is_good && recidive.maxretry > 0)
        apply_recidive(settings, jails, &recidive);
    remark_unknown(settings, SETTINGS_DEFAULT);
    return is_good;
}

/* Takes the settings over. */
static int
make(struct settings *settings, const char *origin, struct jails **made,
     char reason[SETTINGS_REASON_SIZE])
{
    struct jails *const jails = calloc(1, sizeof(*jails));
    char *const value = malloc(SETTINGS_VALUE_SIZE);
    bool is_good = jails != NULL && value != NULL;

    snprintf(reason, SETTINGS_REASON_SIZE, "out of memory");
    is_good = is_good && read_sections(settings, jails, value, reason);
    if (is_good)
        is_good = (jails->remarks = strdup(settings_remarks(settings))) != NULL &&
                  (jails->passed = strdup(settings_passed(settings))) != NULL;
    for (unsigned i = 0; is_good && origin != NULL && i < jails->count; i++)
        snprintf(jails->at[i].origin, JAILS_ORIGIN_SIZE, "%s", origin);
    free(value);
    settings_free(settings);
    if (!is_good) {
        jails_free(jails);
        return -EINVAL;
    }
    *made = jails;
    return 0;
}

void
jails_free(struct jails *jails)
{
    if (jails == NULL)
        return;
    for (unsigned i = 0; i < jails->count; i++)
        free(jails->at[i].ignoreip);
    free(jails->at);
    free(jails->remarks);
    free(jails->passed);
    free(jails);
}

/* ---- where they stand ---- */

static int
is_conf(const struct dirent *entry)
{
    const char *const dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot != NULL && strcmp(dot, ".conf") == 0;
}

static int
is_local(const struct dirent *entry)
{
    const char *const dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot != NULL && strcmp(dot, ".local") == 0;
}

static int
read_if_there(struct settings *settings, const char *path, bool *any,
              char reason[SETTINGS_REASON_SIZE])
{
    struct stat status;

    if (stat(path, &status) != 0 && errno == ENOENT)
        return 0;
    *any = true;
    return settings_read(settings, path, reason);
}

static int
read_folder(struct settings *settings, const char *path, int (*filter)(const struct dirent *),
            bool *any, char reason[SETTINGS_REASON_SIZE])
{
    struct dirent **entries = NULL;
    char folder[PATH_MAX], full[PATH_MAX + 300];
    int error = 0, count;

    snprintf(folder, sizeof(folder), "%s/jail.d", path);
    count = scandir(folder, &entries, filter, alphasort);
    for (int i = 0; i < count; i++) {
        snprintf(full, sizeof(full), "%s/%s", folder, entries[i]->d_name);
        if (error == 0)
            error = read_if_there(settings, full, any, reason);
        free(entries[i]);
    }
    free(entries);
    return error;
}

static int
read_directory(struct settings *settings, const char *path, char reason[SETTINGS_REASON_SIZE])
{
    char full[PATH_MAX];
    bool any = false;
    int error;

    snprintf(full, sizeof(full), "%s/jail.conf", path);
    error = read_if_there(settings, full, &any, reason);
    if (error == 0)
        error = read_folder(settings, path, is_conf, &any, reason);
    snprintf(full, sizeof(full), "%s/jail.local", path);
    if (error == 0)
        error = read_if_there(settings, full, &any, reason);
    if (error == 0)
        error = read_folder(settings, path, is_local, &any, reason);
    if (error == 0 && !any) {
        snprintf(reason, SETTINGS_REASON_SIZE,
                 "%.300s cannot be read: there is no jail.conf, no jail.local and nothing in "
                 "jail.d in it",
                 path);
        error = -ENOENT;
    }
    return error;
}

static int
read_settings(const char *text, const char *origin, const char *path, struct jails **jails,
              char reason[SETTINGS_REASON_SIZE])
{
    struct settings *const settings = settings_new();
    struct stat status;
    int error;

    if (settings == NULL) {
        snprintf(reason, SETTINGS_REASON_SIZE, "out of memory");
        return -ENOMEM;
    }
    error = *text == '\0' ? 0 : settings_read_text(settings, text, origin, reason);
    if (error != 0)
        ;
    else if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        error = read_directory(settings, path, reason);
    else
        error = settings_read(settings, path, reason);
    if (error == 0)
        return make(settings, NULL, jails, reason);
    settings_free(settings);
    return error;
}

static int
check_ignored_file(const struct jails_entry *entry, char wrong[ALLOW_LIST_REASON_SIZE])
{
    char *words = strdup(entry->ignoreip), *rest = NULL;
    struct allow_list *const list = allow_list_new();
    int error = words == NULL || list == NULL ? -ENOMEM : 0;

    for (char *word = error == 0 ? strtok_r(words, " ", &rest) : NULL; error == 0 && word != NULL;
         word = strtok_r(NULL, " ", &rest))
        if (jails_ignored_file(word) != NULL)
            error = allow_list_set_file(list, jails_ignored_file(word), NULL, wrong);
    allow_list_free(list);
    free(words);
    return error;
}

/* A file in ignoreip that is wrong refuses the file of jails, so that the former lists go on. */
static int
check_ignored_files(struct jails **jails, char reason[SETTINGS_REASON_SIZE])
{
    char wrong[ALLOW_LIST_REASON_SIZE] = "out of memory";
    int error = 0;

    for (unsigned i = 0; error == 0 && i < (*jails)->count; i++) {
        const struct jails_entry *const entry = &(*jails)->at[i];

        error = check_ignored_file(entry, wrong);
        if (error != 0)
            snprintf(reason, SETTINGS_REASON_SIZE, "%s: ignoreip of jail %s: %s", entry->origin,
                     entry->jail.name, wrong);
    }
    if (error != 0) {
        jails_free(*jails);
        *jails = NULL;
    }
    return error;
}

int
jails_read(const char *path, struct jails **jails, char reason[SETTINGS_REASON_SIZE])
{
    return jails_read_over("", "", path, jails, reason);
}

int
jails_read_over(const char *text, const char *origin, const char *path, struct jails **jails,
                char reason[SETTINGS_REASON_SIZE])
{
    int error = read_settings(text, origin, path, jails, reason);

    return error == 0 ? check_ignored_files(jails, reason) : error;
}

int
jails_read_copy(const char *path, struct jails **jails, char reason[SETTINGS_REASON_SIZE])
{
    return read_settings("", "", path, jails, reason);
}

int
jails_read_text(const char *text, const char *origin, struct jails **jails,
                char reason[SETTINGS_REASON_SIZE])
{
    struct settings *const settings = settings_new();
    int error = settings == NULL ? -ENOMEM : settings_read_text(settings, text, origin, reason);

    if (error == 0)
        error = make(settings, origin, jails, reason);
    else
        settings_free(settings);
    return error == 0 ? check_ignored_files(jails, reason) : error;
}

/* ---- a file of them ---- */

static void
print_time(FILE *file, const char *name, int64_t seconds)
{
    static const struct {
        int64_t seconds;
        char letter;
    } units[] = {{604800, 'w'}, {86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};

    if (seconds == JAIL_FOREVER) {
        fprintf(file, "%s = -1\n", name);
        return;
    }
    for (size_t i = 0; i < COUNT(units); i++) {
        if (seconds % units[i].seconds == 0) {
            fprintf(file, "%s = %lld%c\n", name, (long long)(seconds / units[i].seconds),
                    units[i].letter);
            return;
        }
    }
}

static void
print_classes(FILE *file, uint64_t classes)
{
    fputs("classes =", file);
    for (int class = 0; class < OFFENCE_CLASSES; class ++)
        if (classes & OFFENCE_BIT(class))
            fprintf(file, " %s", offence_class_name((enum offence_class) class));
    fputc('\n', file);
}

static void
print_growth(FILE *file, const struct jail_growth *growth)
{
    if (!growth->is_on)
        return;
    fprintf(file, "bantime.increment = true\nbantime.factor = %.9g\n", growth->factor);
    if (growth->multiplier_count > 0)
        fputs("bantime.multipliers =", file);
    for (unsigned i = 0; i < growth->multiplier_count; i++)
        fprintf(file, " %u%s", growth->multipliers[i],
                i + 1 == growth->multiplier_count ? "\n" : "");
    if (growth->max_s > 0)
        print_time(file, "bantime.maxtime", growth->max_s);
    if (growth->random_s > 0)
        print_time(file, "bantime.rndtime", growth->random_s);
    if (growth->over_all_jails)
        fputs("bantime.overalljails = true\n", file);
}

static void
print_kindness(FILE *file, const struct jail *jail)
{
    const struct jail_kindness *const kindness = &jail->kindness;

    if (jail->repeats == JAIL_REPEATS_NONE)
        fputs("repeats = none\n", file);
    else if (jail->repeats != 1)
        fprintf(file, "repeats = %u\n", jail->repeats);
    if (kindness->login_allowance != 1)
        fprintf(file, "loginallowance = %u\n", kindness->login_allowance);
    if (kindness->mail_allowance != 1)
        fprintf(file, "mailallowance = %u\n", kindness->mail_allowance);
    if (kindness->login_forgives)
        fputs("loginforgives = true\n", file);
    if (kindness->skips_bounces)
        fputs("skipbounces = true\n", file);
}

static void
print_neighbours(FILE *file, const struct jail *jail)
{
    if (jail->neighbours == 0)
        return;
    fprintf(file, "neighbours = %u\n", jail->neighbours);
    print_time(file, "neighbourstime", jail->neighbours_s);
}

static void
print_entry(FILE *file, const struct jails_entry *entry)
{
    const struct jail *const jail = &entry->jail;
    const struct ports mail = ports_mail();
    char ports[PORTS_TEXT_SIZE];

    fprintf(file, "\n[%s]\nenabled = true\n", jail->name);
    if (entry->filter[0] != '\0' && strcmp(entry->filter, jail->name) != 0)
        fprintf(file, "filter = %s\n", entry->filter);
    if (entry->filter[0] == '\0')
        print_classes(file, jail->classes);
    if (entry->mode[0] != '\0')
        fprintf(file, "mode = %s\n", entry->mode);
    fprintf(file, "maxretry = %u\n", jail->maxretry);
    print_time(file, "findtime", jail->findtime_s);
    print_time(file, "bantime", jail->bantime_s);
    print_growth(file, &jail->growth);
    fprintf(file, "port = %s\n",
            ports_are_all(&jail->ports)           ? "all"
            : ports_are_same(&jail->ports, &mail) ? "mail"
                                                  : ports_print(&jail->ports, ",", ports));
    if (jail->verdict != VERDICT_OF_MODULE)
        fprintf(file, "blocktype = %s\n", verdict_name(jail->verdict));
    if (jail->v4_bits != 32)
        fprintf(file, "ipv4prefix = %u\n", jail->v4_bits);
    if (jail->v6_bits != 64)
        fprintf(file, "ipv6prefix = %u\n", jail->v6_bits);
    print_kindness(file, jail);
    print_neighbours(file, jail);
    if (jail->is_observing)
        fputs("observe = true\n", file);
    if (jail->is_per_host)
        fputs("scope = host\n", file);
    if (entry->ignoreip[0] != '\0')
        fprintf(file, "ignoreip = %s\n", entry->ignoreip);
}

void
jails_print(const struct jails *jails, FILE *file)
{
    for (unsigned i = 0; i < jails->count; i++)
        print_entry(file, &jails->at[i]);
}
