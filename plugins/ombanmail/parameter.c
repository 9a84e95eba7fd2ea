/* parameter: what the value of each parameter may be; at the end the tables of them.
 *
 * All values are taken as words and parsed here: rsyslog's own conversions say neither the value
 * nor what is allowed.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "errmsg.h"
#include "parserif.h"

#include "count/gateway.h"
#include "line/offence.h"
#include "parameter.h"
#include "parameters.h"
#include "rules/preset.h"
#include "rules/users.h"
#include "table/table.h"
#include "table/table-health.h"

#define CAPACITY_MIN        1024
#define CAPACITY_MAX        100000000 /* some 13 GB */
#define MAX_BAN_RATE_MAX    1000000
#define LEDGER_SIZE_MIN_MIB 1
#define LEDGER_SIZE_MAX_MIB 1000000
#define MAX_BANS_MIN        64
#define MAX_BANS_MAX        10000000

bool
parameter_replace(char **member, const char *word)
{
    char *const copy = strdup(word);

    if (copy == NULL)
        return false;
    free(*member);
    *member = copy;
    return true;
}

static bool
read_number(const char *name, const char *word, unsigned long low, unsigned long high,
            unsigned long *number)
{
    char allowed[96];
    char *end;

    errno = 0;
    *number = strtoul(word, &end, 10);
    if (errno == 0 && word[0] >= '0' && word[0] <= '9' && *end == '\0' && *number >= low &&
        *number <= high)
        return true;
    snprintf(allowed, sizeof(allowed), "a whole number from %lu to %lu is allowed", low, high);
    return parameters_refuse(name, word, allowed);
}

/* ---- module(load="ombanmail" …) ---- */

static bool
read_directory(const char *name, const char *word, char **member)
{
    /* room for the file names behind it, in sockaddr_un and in the table's header */
    if (word[0] != '/' || strlen(word) > 80)
        return parameters_refuse(
            name, word, "an absolute path of a directory, at most 80 characters, is allowed");
    return parameter_replace(member, word);
}

static bool
read_runtime_directory(const char *name, const char *word, struct parameters *parameters)
{
    return read_directory(name, word, &parameters->runtime_directory);
}

static bool
read_state_directory(const char *name, const char *word, struct parameters *parameters)
{
    return read_directory(name, word, &parameters->state_directory);
}

static bool
read_capacity(const char *name, const char *word, struct parameters *parameters)
{
    unsigned long number;

    if (!read_number(name, word, CAPACITY_MIN, CAPACITY_MAX, &number))
        return false;
    parameters->capacity = (uint32_t)number;
    return true;
}

static bool
read_max_bans(const char *name, const char *word, struct parameters *parameters)
{
    unsigned long number;

    if (!read_number(name, word, MAX_BANS_MIN, MAX_BANS_MAX, &number))
        return false;
    parameters->max_bans = (uint32_t)number;
    return true;
}

static bool
read_max_stamp_age(const char *name, const char *word, struct parameters *parameters)
{
    if (jail_parse_time(word, false, &parameters->max_stamp_age_s) == 0)
        return true;
    return parameters_refuse(name, word, "a span of time such as 3600, 12h or 7d is allowed");
}

static bool
read_max_stamp_ahead(const char *name, const char *word, struct parameters *parameters)
{
    int64_t seconds;

    if (jail_parse_time(word, false, &seconds) != 0 || seconds > PARAMETER_STAMP_AHEAD_MAX_S)
        return parameters_refuse(name, word, "a span of time from 1s to 1m is allowed");
    parameters->max_stamp_ahead_s = seconds;
    return true;
}

static bool
read_evidence(const char *name, const char *word, struct parameters *parameters)
{
    if (evidence_parse_mode(word, &parameters->evidence) == 0)
        return true;
    return parameters_refuse(name, word, "full, redacted or none is allowed");
}

static bool
read_max_ban_rate(const char *name, const char *word, struct parameters *parameters)
{
    unsigned long number;

    if (!read_number(name, word, 0, MAX_BAN_RATE_MAX, &number))
        return false;
    parameters->max_ban_rate = (unsigned)number;
    return true;
}

static bool
read_gateways(const char *name, const char *word, struct parameters *parameters)
{
    if (strcmp(word, "report") != 0 && strcmp(word, "ban") != 0)
        return parameters_refuse(name, word, "report or ban is allowed");
    parameters->spares_gateways = word[0] == 'r';
    return true;
}

static bool
read_gateway_users(const char *name, const char *word, struct parameters *parameters)
{
    unsigned long number;

    if (!read_number(name, word, GATEWAY_USERS_MIN, GATEWAY_USERS_MAX, &number))
        return false;
    parameters->gateway_users = (unsigned)number;
    return true;
}

static bool
read_verdict(const char *name, const char *word, struct parameters *parameters)
{
    return verdict_parse(word, &parameters->verdict) ||
           parameters_refuse(name, word, VERDICTS " is allowed");
}

static bool
read_jail_verdict(const char *name, const char *word, struct parameters *parameters)
{
    return verdict_parse(word, &parameters->jail.verdict) ||
           parameters_refuse(name, word, VERDICTS " is allowed");
}

static bool
read_flush_on_shutdown(const char *name, const char *word, struct parameters *parameters)
{
    if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
        return parameters_refuse(name, word, "on or off is allowed");
    parameters->flush_on_shutdown = word[1] == 'n';
    return true;
}

static bool
read_set(const char *name, const char *word, char **member)
{
    if (!firewall_is_set_name(word))
        return parameters_refuse(
            name, word, "family, table and set, as \"inet blocklist bad_ips\", are allowed");
    return parameter_replace(member, word);
}

static bool
read_set4(const char *name, const char *word, struct parameters *parameters)
{
    return read_set(name, word, &parameters->set4);
}

static bool
read_set6(const char *name, const char *word, struct parameters *parameters)
{
    return read_set(name, word, &parameters->set6);
}

static bool
read_retention(const char *name, const char *word, struct parameters *parameters)
{
    if (jail_parse_time(word, false, &parameters->retention_s) == 0)
        return true;
    return parameters_refuse(name, word, "a span of time such as 90d, 4w or 24h is allowed");
}

static bool
find_group(const char *name, const char *word, gid_t *group)
{
    const struct group *const entry = getgrnam(word);

    if (entry == NULL)
        return parameters_refuse(name, word, "the name of a group of this host is allowed");
    *group = entry->gr_gid;
    return true;
}

static bool
read_group(const char *name, const char *word, struct parameters *parameters)
{
    return find_group(name, word, &parameters->group);
}

static bool
read_command_group(const char *name, const char *word, struct parameters *parameters)
{
    return find_group(name, word, &parameters->command_group);
}

static bool
read_ledger_size(const char *name, const char *word, struct parameters *parameters)
{
    unsigned long mebibytes;

    if (!read_number(name, word, LEDGER_SIZE_MIN_MIB, LEDGER_SIZE_MAX_MIB, &mebibytes))
        return false;
    parameters->ledger_size = (uint64_t)mebibytes << 20;
    return true;
}

static bool
trust(const char *name, const char *word, uid_t user, struct parameters *parameters)
{
    if (parameters->trusted_count == PARAMETERS_TRUSTED_MAX)
        return parameters_refuse(name, word, "that is one more than the 32 users that are allowed");
    parameters->trusted[parameters->trusted_count++] = user;
    return true;
}

/* A number is a user as well: one of a container has no name here. */
static bool
read_trusted_user(const char *name, const char *word, struct parameters *parameters)
{
    const struct passwd *const entry = getpwnam(word);
    unsigned long number;

    if (strcmp(word, "*") == 0)
        return parameters->trusts_all = true;
    if (entry != NULL)
        return trust(name, word, entry->pw_uid, parameters);
    if (word[0] < '0' || word[0] > '9')
        return parameters_refuse(
            name, word,
            "the names of users of this host, their numbers, or \"*\" for everybody, "
            "are allowed");
    return read_number(name, word, 0, UINT32_MAX - 1, &number) &&
           trust(name, word, (uid_t)number, parameters);
}

/* Root may do all that they may. */
void
parameter_trust_mail_servers(struct parameters *parameters)
{
    static const char *const names[] = {"postfix", "dovecot", "dovenull", "dovenull2",
                                        "vmail",   "mail",    "_postfix", "_dovecot"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct passwd *const entry = getpwnam(names[i]);

        if (entry != NULL)
            trust("trustedUsers", names[i], entry->pw_uid, parameters);
    }
}

/* ---- action(type="ombanmail" …) ---- */

static bool
read_jail(const char *name, const char *word, struct parameters *parameters)
{
    struct jail *const jail = &parameters->jail;

    if (strlen(word) >= sizeof(jail->name))
        return parameters_refuse(name, word,
                                 "a name of at most 31 letters, digits, - and _ is allowed");
    strcpy(jail->name, word);
    parameters->is_own = true;
    return true;
}

static bool
read_fleet(const char *name, const char *word, struct parameters *parameters)
{
    if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0 && strcmp(word, "members") != 0)
        return parameters_refuse(name, word, "on, members or off is allowed");
    parameters->is_of_members = word[0] == 'm';
    parameters->is_fleet = strcmp(word, "off") != 0;
    return true;
}

static bool
read_maxretry(const char *name, const char *word, struct parameters *parameters)
{
    unsigned long number;

    if (!read_number(name, word, 1, JAIL_MAXRETRY_MAX, &number))
        return false;
    parameters->jail.maxretry = (unsigned)number;
    return true;
}

static bool
read_findtime(const char *name, const char *word, struct parameters *parameters)
{
    struct jail *const jail = &parameters->jail;

    if (jail_parse_time(word, false, &jail->findtime_s) == 0)
        return true;
    return parameters_refuse(name, word, "a span of time such as 600, 10m, 24h or 7d is allowed");
}

static bool
read_bantime(const char *name, const char *word, struct parameters *parameters)
{
    struct jail *const jail = &parameters->jail;

    if (jail_parse_time(word, true, &jail->bantime_s) == 0)
        return true;
    return parameters_refuse(name, word,
                             "a span of time such as 3600, 1h, 7d, or -1 (for ever) is allowed");
}

/* ---- bans that grow, and kindness ---- */

static bool
read_on(const char *name, const char *word, bool *is_on)
{
    if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
        return parameters_refuse(name, word, "on or off is allowed");
    *is_on = word[1] == 'n';
    return true;
}

static bool
read_increment(const char *name, const char *word, struct parameters *parameters)
{
    return read_on(name, word, &parameters->jail.growth.is_on);
}

static bool
read_over_all_jails(const char *name, const char *word, struct parameters *parameters)
{
    return read_on(name, word, &parameters->jail.growth.over_all_jails);
}

static bool
read_factor(const char *name, const char *word, struct parameters *parameters)
{
    char *end;
    const double factor = strtod(word, &end);

    if (word[0] < '0' || word[0] > '9' || *end != '\0' || !(factor > 0) || factor > JAIL_FACTOR_MAX)
        return parameters_refuse(name, word,
                                 "a number above 0 and up to 1000, such as 1 or 1.5, is allowed");
    parameters->jail.growth.factor = factor;
    return true;
}

static bool
read_multiplier(const char *name, const char *word, struct parameters *parameters)
{
    struct jail_growth *const growth = &parameters->jail.growth;
    unsigned long number;

    if (growth->multiplier_count == JAIL_LENGTHS_MAX)
        return parameters_refuse(name, word, "that is one more than the 16 that are allowed");
    if (!read_number(name, word, 1, UINT16_MAX, &number))
        return false;
    growth->multipliers[growth->multiplier_count++] = (uint16_t)number;
    return true;
}

static bool
read_max_bantime(const char *name, const char *word, struct parameters *parameters)
{
    if (jail_parse_time(word, false, &parameters->jail.growth.max_s) == 0)
        return true;
    return parameters_refuse(name, word, "a span of time such as 5w or 28d is allowed");
}

static bool
read_random_time(const char *name, const char *word, struct parameters *parameters)
{
    if (jail_parse_time(word, false, &parameters->jail.growth.random_s) == 0)
        return true;
    return parameters_refuse(name, word, "a span of time such as 10m or 2048 is allowed");
}

static bool
read_repeats(const char *name, const char *word, struct parameters *parameters)
{
    unsigned long number;

    if (strcmp(word, "none") == 0)
        number = JAIL_REPEATS_NONE;
    else if (!read_number(name, word, 1, JAIL_REPEATS_MAX, &number))
        return false;
    parameters->jail.repeats = (unsigned)number;
    return true;
}

static bool
read_allowance(const char *name, const char *word, unsigned *allowance)
{
    unsigned long number;

    if (!read_number(name, word, 1, JAIL_ALLOWANCE_MAX, &number))
        return false;
    *allowance = (unsigned)number;
    return true;
}

static bool
read_login_allowance(const char *name, const char *word, struct parameters *parameters)
{
    return read_allowance(name, word, &parameters->jail.kindness.login_allowance);
}

static bool
read_mail_allowance(const char *name, const char *word, struct parameters *parameters)
{
    return read_allowance(name, word, &parameters->jail.kindness.mail_allowance);
}

static bool
read_login_forgives(const char *name, const char *word, struct parameters *parameters)
{
    return read_on(name, word, &parameters->jail.kindness.login_forgives);
}

static bool
read_skip_bounces(const char *name, const char *word, struct parameters *parameters)
{
    return read_on(name, word, &parameters->jail.kindness.skips_bounces);
}

static bool
read_neighbours(const char *name, const char *word, struct parameters *parameters)
{
    unsigned long number;

    if (strcmp(word, "off") == 0) {
        parameters->jail.neighbours = 0;
        return true;
    }
    if (!read_number(name, word, 2, JAIL_STAMPS_MAX, &number))
        return false;
    parameters->jail.neighbours = (unsigned)number;
    return true;
}

static bool
read_neighbours_time(const char *name, const char *word, struct parameters *parameters)
{
    if (jail_parse_time(word, false, &parameters->jail.neighbours_s) == 0)
        return true;
    return parameters_refuse(name, word, "a span of time such as 24h or 7d is allowed");
}

static bool
read_learning_time(const char *name, const char *word, struct parameters *parameters)
{
    if (strcmp(word, "off") == 0) {
        parameters->learning_s = 0;
        return true;
    }
    if (jail_parse_time(word, false, &parameters->learning_s) == 0)
        return true;
    return parameters_refuse(name, word, "off, or a span of time such as 1d or 12h, is allowed");
}

static bool
read_known_users(const char *name, const char *word, struct parameters *parameters)
{
    if (word[0] != '/' || strlen(word) > 200)
        return parameters_refuse(name, word, "the absolute path of a file is allowed");
    return parameter_replace(&parameters->users_path, word);
}

/* Whether there is such a ruleset is known when all of the configuration is read. */
static bool
read_event_ruleset(const char *name, const char *word, struct parameters *parameters)
{
    if (word[0] == '\0')
        return parameters_refuse(name, word, "the name of a ruleset is allowed");
    parameters->event_line = yylineno;
    return parameter_replace(&parameters->event_ruleset, word) &&
           parameter_replace(&parameters->event_file, cnfcurrfn == NULL ? "?" : cnfcurrfn);
}

static bool
read_fleet_ruleset(const char *name, const char *word, struct parameters *parameters)
{
    if (word[0] == '\0')
        return parameters_refuse(name, word, "the name of a ruleset is allowed");
    return parameter_replace(&parameters->fleet_ruleset, word);
}

static bool
read_report_ruleset(const char *name, const char *word, struct parameters *parameters)
{
    if (word[0] == '\0')
        return parameters_refuse(name, word, "the name of a ruleset is allowed");
    return parameter_replace(&parameters->report_ruleset, word);
}

static bool
read_users_realm(const char *name, const char *word, struct parameters *parameters)
{
    if (strlen(word) >= USERS_REALM_SIZE || strchr(word, '@') != NULL)
        return parameters_refuse(name, word, "a domain such as example.org is allowed");
    return parameter_replace(&parameters->users_realm, word);
}

static bool
read_users_age(const char *name, const char *word, struct parameters *parameters)
{
    if (jail_parse_time(word, false, &parameters->users_age_s) == 0)
        return true;
    return parameters_refuse(name, word, "a span of time such as 7d or 24h is allowed");
}

/* ---- who is never banned, and the rest ---- */

static bool
read_ignoreip(const char *name, const char *word, struct parameters *parameters)
{
    if (allow_list_add(parameters->allow, word, strlen(word)) == 0)
        return true;
    return parameters_refuse(name, word,
                             "addresses, prefixes and names such as 192.0.2.1, 2001:db8::/32 or "
                             "home.example.org, and " ALLOW_LIST_MYNETWORKS " are allowed");
}

/* In the state directory, by the file's own name: actions may share one. FNV-1a. */
void
parameter_copy_path(const char *what, const char *path, const struct parameters *parameters,
                    char copy[PARAMETER_COPY_PATH_SIZE])
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (const char *at = path; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    snprintf(copy, PARAMETER_COPY_PATH_SIZE, "%s/%s-%016" PRIx64, parameters->state_directory, what,
             hash);
}

/* A wrong line is an error all the same, by which -N1 fails. */
static bool
read_ignoreip_file(const char *name, const char *word, struct parameters *parameters)
{
    char reason[ALLOW_LIST_REASON_SIZE], copy[PARAMETER_COPY_PATH_SIZE];

    if (word[0] != '/')
        return parameters_refuse(name, word, "the absolute path of a file is allowed");
    parameter_copy_path("ignoreip", word, parameters, copy);
    if (allow_list_set_file(parameters->allow, word, copy, reason) == 0)
        return true;
    if (!allow_list_has_copy(parameters->allow))
        return parameters_refuse(name, word, reason);
    parser_errmsg("ombanmail: %s=\"%s\": %s. The list as it was last read whole is in force", name,
                  word, reason);
    return true;
}

/* Read when all is known: where the copy is, depends on stateDirectory. */
static bool
read_jails(const char *name, const char *word, struct parameters *parameters)
{
    if (word[0] != '/')
        return parameters_refuse(name, word,
                                 "the absolute path of a file, or of a directory such as "
                                 "/etc/fail2ban, is allowed");
    return parameter_replace(&parameters->jails_path, word);
}

static bool
read_preset(const char *name, const char *word, struct parameters *parameters)
{
    if (preset_text(word) == NULL)
        return parameters_refuse(name, word, PRESET_NAMES " is allowed");
    return parameter_replace(&parameters->preset, word);
}

static bool
read_mode(const char *name, const char *word, struct parameters *parameters)
{
    if (strcmp(word, "ban") != 0 && strcmp(word, "observe") != 0)
        return parameters_refuse(name, word, "ban or observe is allowed");
    parameters->jail.is_observing = word[0] == 'o';
    return true;
}

static bool
read_scope(const char *name, const char *word, struct parameters *parameters)
{
    if (jail_parse_scope(word, &parameters->jail.is_per_host) == 0)
        return true;
    return parameters_refuse(name, word, JAIL_SCOPES " is allowed");
}

static bool
read_class(const char *name, const char *word, struct parameters *parameters)
{
    struct jail *const jail = &parameters->jail;
    const int class = offence_class_parse(word, strlen(word));

    if (class < 0 || !(OFFENCE_BIT(class) & OFFENCE_COUNTABLE))
        return parameters_refuse(
            name, word,
            "the name of a class that may count, such as auth_failed, is allowed "
            "(all of them: ombanmail-rulebase(5))");
    jail->classes |= OFFENCE_BIT(class);
    return true;
}

static bool
read_prefix(const char *name, const char *word, unsigned low, unsigned high, unsigned *bits)
{
    unsigned long number;

    if (!read_number(name, word, low, high, &number))
        return false;
    *bits = (unsigned)number;
    return true;
}

static bool
read_v4_prefix(const char *name, const char *word, struct parameters *parameters)
{
    return read_prefix(name, word, 8, 32, &parameters->jail.v4_bits);
}

static bool
read_v6_prefix(const char *name, const char *word, struct parameters *parameters)
{
    return read_prefix(name, word, 16, 128, &parameters->jail.v6_bits);
}

static bool
read_port(const char *name, const char *word, struct parameters *parameters)
{
    const int error = ports_add(&parameters->jail.ports, word);

    if (error == -ENOSPC)
        return parameters_refuse(name, word,
                                 "that is one more than the 16 that are allowed: use \"all\"");
    if (error != 0)
        return parameters_refuse(
            name, word, "TCP ports such as 25 or \"submission\", \"mail\", or \"all\" are allowed");
    return true;
}

static bool
read_path(const char *name, const char *word, struct parameters *parameters)
{
    if ((strncmp(word, "$.", 2) != 0 && strncmp(word, "$!", 2) != 0) || word[2] == '\0')
        return parameters_refuse(name, word,
                                 "a path below $. or $!, such as $.ombanmail, is allowed");
    return parameter_replace(&parameters->path, word + 1);
}

#define JAIL_PARAMETERS                                                                            \
    {"maxretry", "maxretry", eCmdHdlrString, read_maxretry},                                       \
        {"findtime", "findtime", eCmdHdlrString, read_findtime},                                   \
        {"bantime", "bantime", eCmdHdlrString, read_bantime},                                      \
        {"ignoreip", "ignoreip", eCmdHdlrArray, read_ignoreip},                                    \
        {"ignoreipFile", "ignoreipfile", eCmdHdlrString, read_ignoreip_file},                      \
        {"classes", "classes", eCmdHdlrArray, read_class},                                         \
        {"ports", "ports", eCmdHdlrArray, read_port},                                              \
        {"ipv4Prefix", "ipv4prefix", eCmdHdlrString, read_v4_prefix},                              \
        {"bantimeIncrement", "bantimeincrement", eCmdHdlrString, read_increment},                  \
        {"bantimeFactor", "bantimefactor", eCmdHdlrString, read_factor},                           \
        {"bantimeMultipliers", "bantimemultipliers", eCmdHdlrArray, read_multiplier},              \
        {"bantimeMaxtime", "bantimemaxtime", eCmdHdlrString, read_max_bantime},                    \
        {"bantimeRndtime", "bantimerndtime", eCmdHdlrString, read_random_time},                    \
        {"bantimeOveralljails", "bantimeoveralljails", eCmdHdlrString, read_over_all_jails},       \
        {"neighbours", "neighbours", eCmdHdlrString, read_neighbours},                             \
        {"neighboursTime", "neighbourstime", eCmdHdlrString, read_neighbours_time},                \
        {"repeats", "repeats", eCmdHdlrString, read_repeats},                                      \
        {"loginAllowance", "loginallowance", eCmdHdlrString, read_login_allowance},                \
        {"loginForgives", "loginforgives", eCmdHdlrString, read_login_forgives},                   \
        {"mailAllowance", "mailallowance", eCmdHdlrString, read_mail_allowance},                   \
        {"skipBounces", "skipbounces", eCmdHdlrString, read_skip_bounces},                         \
        {"mode", "mode", eCmdHdlrString, read_mode},                                               \
        {"scope", "scope", eCmdHdlrString, read_scope},                                            \
    {                                                                                              \
        "ipv6Prefix", "ipv6prefix", eCmdHdlrString, read_v6_prefix                                 \
    }

static const struct parameter module_table[] = {
    {"runtimeDirectory", "runtimedirectory", eCmdHdlrString, read_runtime_directory},
    {"stateDirectory", "statedirectory", eCmdHdlrString, read_state_directory},
    {"capacity", "capacity", eCmdHdlrString, read_capacity},
    {"maxBans", "maxbans", eCmdHdlrString, read_max_bans},
    {"maxStampAge", "maxstampage", eCmdHdlrString, read_max_stamp_age},
    {"maxStampAhead", "maxstampahead", eCmdHdlrString, read_max_stamp_ahead},
    {"verdict", "verdict", eCmdHdlrString, read_verdict},
    {"set4", "set4", eCmdHdlrString, read_set4},
    {"set6", "set6", eCmdHdlrString, read_set6},
    {"flushOnShutdown", "flushonshutdown", eCmdHdlrString, read_flush_on_shutdown},
    {"evidence", "evidence", eCmdHdlrString, read_evidence},
    {"maxBanRate", "maxbanrate", eCmdHdlrString, read_max_ban_rate},
    {"gateways", "gateways", eCmdHdlrString, read_gateways},
    {"gatewayUsers", "gatewayusers", eCmdHdlrString, read_gateway_users},
    {"retention", "retention", eCmdHdlrString, read_retention},
    {"group", "group", eCmdHdlrString, read_group},
    {"commandGroup", "commandgroup", eCmdHdlrString, read_command_group},
    {"maxLedgerSize", "maxledgersize", eCmdHdlrString, read_ledger_size},
    {"trustedUsers", "trustedusers", eCmdHdlrArray, read_trusted_user},
    {"knownUsers", "knownusers", eCmdHdlrString, read_known_users},
    {"knownUsersRealm", "knownusersrealm", eCmdHdlrString, read_users_realm},
    {"knownUsersMaxAge", "knownusersmaxage", eCmdHdlrString, read_users_age},
    {"preset", "preset", eCmdHdlrString, read_preset},
    {"jails", "jails", eCmdHdlrString, read_jails},
    {"eventRuleset", "eventruleset", eCmdHdlrString, read_event_ruleset},
    {"fleetRuleset", "fleetruleset", eCmdHdlrString, read_fleet_ruleset},
    {"reportRuleset", "reportruleset", eCmdHdlrString, read_report_ruleset},
    {"learningTime", "learningtime", eCmdHdlrString, read_learning_time},
    JAIL_PARAMETERS,
};

static const struct parameter action_table[] = {
    {"jail", "jail", eCmdHdlrString, read_jail},
    {"path", "path", eCmdHdlrString, read_path},
    {"fleet", "fleet", eCmdHdlrString, read_fleet},
    {"verdict", "verdict", eCmdHdlrString, read_jail_verdict},
    JAIL_PARAMETERS,
};

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

_Static_assert(ROWS(module_table) <= PARAMETER_ROWS_MAX, "read_values has room for all");
_Static_assert(ROWS(action_table) <= PARAMETER_ROWS_MAX, "read_values has room for all");

const struct parameter_rows parameter_of_module = {module_table, ROWS(module_table)};
const struct parameter_rows parameter_of_action = {action_table, ROWS(action_table)};
