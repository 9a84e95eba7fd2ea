/* parameters: one table a place, each row the name and the function that reads its value.
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
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <libestr.h>

#include "conf.h"
#include "errmsg.h"
#include "parserif.h"
#include "rainerscript.h"

#include "count/gateway.h"
#include "line/offence.h"
#include "parameters.h"
#include "rules/preset.h"
#include "rules/users.h"
#include "table/table.h"
#include "table/table-health.h"

#define DEFAULT_RUNTIME_DIRECTORY "/run/ombanmail"
#define DEFAULT_STATE_DIRECTORY   "/var/lib/ombanmail"
#define CAPACITY_MIN              1024
#define CAPACITY_MAX              100000000 /* some 13 GB */
#define MAX_BAN_RATE_MAX          1000000
#define DEFAULT_RETENTION_S       (90 * 24 * 3600)
#define DEFAULT_LEDGER_SIZE       (UINT64_C(256) << 20)
#define LEDGER_SIZE_MIN_MIB       1
#define LEDGER_SIZE_MAX_MIB       1000000
#define MAX_BANS_MIN              64
#define MAX_BANS_MAX              10000000
#define DEFAULT_STAMP_AGE_S       604800 /* a week: a queue may have waited so long */
#define STAMP_AHEAD_MAX_S         60     /* as far as the table believes one */

#define COPY_PATH_SIZE            128 /* a directory of at most 80 characters, and a file's name */

/* Reads one word into the parameters; true when it could be used, else it has said why not. */
typedef bool (*word_reader)(const char *name, const char *word, struct parameters *parameters);

struct parameter {
    const char *name;     /* as documented */
    const char *key;      /* in lower case, as rsyslog's parser hands it over */
    ecslCmdHdrlType type; /* one string, or an array of strings */
    word_reader read;
};

#define PARAMETERS_MAX 64 /* rows in a table */

static char refusal[PARAMETERS_REFUSAL_SIZE]; /* the first since it was forgotten */

static void
note_refusal(const char *format, ...)
{
    va_list arguments;

    if (refusal[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(refusal, sizeof(refusal), format, arguments);
    va_end(arguments);
}

void
parameters_forget_refusal(void)
{
    refusal[0] = '\0';
}

void
parameters_read_refusal(char text[PARAMETERS_REFUSAL_SIZE])
{
    memcpy(text, refusal, sizeof(refusal));
}

bool
parameters_refuse(const char *name, const char *value, const char *allowed)
{
    note_refusal("%s=\"%s\": %s", name, value, allowed);
    parser_errmsg("ombanmail: %s=\"%s\" is refused: %s", name, value, allowed);
    return false;
}

static bool
replace(char **member, const char *word)
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
    return replace(member, word);
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

    if (jail_parse_time(word, false, &seconds) != 0 || seconds > STAMP_AHEAD_MAX_S)
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
    if (strcmp(word, "drop") != 0 && strcmp(word, "reject") != 0)
        return parameters_refuse(name, word, "drop or reject is allowed");
    parameters->verdict = word[0] == 'd' ? FIREWALL_DROP : FIREWALL_REJECT;
    return true;
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
    return replace(member, word);
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
static void
trust_mail_servers(struct parameters *parameters)
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
    return replace(&parameters->users_path, word);
}

/* Whether there is such a ruleset is known when all of the configuration is read. */
static bool
read_event_ruleset(const char *name, const char *word, struct parameters *parameters)
{
    if (word[0] == '\0')
        return parameters_refuse(name, word, "the name of a ruleset is allowed");
    parameters->event_line = yylineno;
    return replace(&parameters->event_ruleset, word) &&
           replace(&parameters->event_file, cnfcurrfn == NULL ? "?" : cnfcurrfn);
}

static bool
read_fleet_ruleset(const char *name, const char *word, struct parameters *parameters)
{
    if (word[0] == '\0')
        return parameters_refuse(name, word, "the name of a ruleset is allowed");
    return replace(&parameters->fleet_ruleset, word);
}

static bool
read_report_ruleset(const char *name, const char *word, struct parameters *parameters)
{
    if (word[0] == '\0')
        return parameters_refuse(name, word, "the name of a ruleset is allowed");
    return replace(&parameters->report_ruleset, word);
}

static bool
read_users_realm(const char *name, const char *word, struct parameters *parameters)
{
    if (strlen(word) >= USERS_REALM_SIZE || strchr(word, '@') != NULL)
        return parameters_refuse(name, word, "a domain such as example.org is allowed");
    return replace(&parameters->users_realm, word);
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
static void
copy_path_of(const char *what, const char *path, const struct parameters *parameters,
             char copy[COPY_PATH_SIZE])
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (const char *at = path; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    snprintf(copy, COPY_PATH_SIZE, "%s/%s-%016" PRIx64, parameters->state_directory, what, hash);
}

/* A wrong line is an error all the same, by which -N1 fails. */
static bool
read_ignoreip_file(const char *name, const char *word, struct parameters *parameters)
{
    char reason[ALLOW_LIST_REASON_SIZE], copy[COPY_PATH_SIZE];

    if (word[0] != '/')
        return parameters_refuse(name, word, "the absolute path of a file is allowed");
    copy_path_of("ignoreip", word, parameters, copy);
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
    return replace(&parameters->jails_path, word);
}

static bool
read_preset(const char *name, const char *word, struct parameters *parameters)
{
    if (preset_text(word) == NULL)
        return parameters_refuse(name, word, PRESET_NAMES " is allowed");
    return replace(&parameters->preset, word);
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
    return replace(&parameters->path, word + 1);
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
    JAIL_PARAMETERS,
};

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

_Static_assert(ROWS(module_table) <= PARAMETERS_MAX, "read_values has room for all");
_Static_assert(ROWS(action_table) <= PARAMETERS_MAX, "read_values has room for all");

/* ---- both ---- */

static bool
read_string(const struct parameter *parameter, es_str_t *string, struct parameters *parameters)
{
    char *const word = es_str2cstr(string, NULL);
    const bool used = word != NULL && parameter->read(parameter->name, word, parameters);

    free(word);
    return used;
}

static bool
read_value(const struct parameter *parameter, const struct svar *value,
           struct parameters *parameters)
{
    bool used = true;

    if (value->datatype != 'A')
        return read_string(parameter, value->d.estr, parameters);
    for (int i = 0; i < value->d.ar->nmemb; i++)
        used = read_string(parameter, value->d.ar->arr[i], parameters) && used;
    return used;
}

/* What any action or module may have, which rsyslog itself reads, some of it later. */
static bool
is_rsyslogs(const char *name)
{
    static const char *const names[] = {"type", "name", "load", "config.enabled"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "action.", 7) == 0 || strncmp(name, "queue.", 6) == 0;
}

/* A misspelt one would run with the default, and nobody look for it. */
static bool
refuse_unknown(const char *name, const struct parameter *table, size_t rows)
{
    char allowed[1024];
    size_t used = 0;

    for (size_t i = 0; i < rows && used < sizeof(allowed); i++)
        used += (size_t)snprintf(allowed + used, sizeof(allowed) - used, "%s%s", i == 0 ? "" : ", ",
                                 table[i].name);
    note_refusal("%s=: there is no such parameter", name);
    parser_errmsg("ombanmail: %s= is refused: there is no such parameter; allowed are %s", name,
                  allowed);
    return false;
}

static bool
are_all_known(struct nvlst *list, const struct parameter *table, size_t rows)
{
    bool known = true;

    for (const struct nvlst *at = list; at != NULL; at = at->next) {
        char *const name = at->bUsed ? NULL : es_str2cstr(at->name, NULL);

        if (name != NULL && !is_rsyslogs(name))
            known = refuse_unknown(name, table, rows);
        free(name);
    }
    return known;
}

/* Whether a parameter says what a jail is like. Whom none bans, the module says of all jails. */
static bool
makes_jail(const struct parameter *table, const char *name)
{
    const bool is_list = strncmp(name, "ignoreip", 8) == 0;

    if (strcmp(name, "path") == 0 || strcmp(name, "fleet") == 0 ||
        (is_list && table == module_table))
        return false;
    for (size_t i = 0; i < ROWS(action_table); i++)
        if (strcmp(action_table[i].name, name) == 0)
            return true;
    return false;
}

/* Reads every value that is set, so that one run shows all that is wrong. */
static rsRetVal
read_values(struct nvlst *list, const struct parameter *table, size_t rows,
            struct parameters *parameters)
{
    struct cnfparamdescr descriptions[PARAMETERS_MAX];
    struct cnfparamblk block = {CNFPARAMBLK_VERSION, (unsigned short)rows, descriptions};
    struct cnfparamvals *values;
    rsRetVal iRet = RS_RET_OK;

    for (size_t i = 0; i < rows; i++)
        descriptions[i] = (struct cnfparamdescr){table[i].key, table[i].type, 0};
    values = nvlstGetParams(list, &block, NULL);
    if (values == NULL)
        return RS_RET_MISSING_CNFPARAMS;
    for (size_t i = 0; i < rows; i++) {
        if (!values[i].bUsed)
            continue;
        if (!read_value(&table[i], &values[i].val, parameters))
            iRet = RS_RET_PARAM_ERROR;
        if (makes_jail(table, table[i].name))
            parameters->has_jail = true;
    }
    cnfparamvalsDestruct(values, &block);
    if (!are_all_known(list, table, rows))
        iRet = RS_RET_PARAM_ERROR;
    return iRet;
}

/* No class, port or multiplier named: those that were there before. */
static rsRetVal
read_jail_values(struct nvlst *list, const struct parameter *table, size_t rows,
                 const struct parameters *module, struct parameters *parameters)
{
    const uint64_t classes = parameters->jail.classes;
    const struct ports ports = parameters->jail.ports;
    const struct jail_growth growth = parameters->jail.growth;
    char wrong[256];
    rsRetVal iRet;

    parameters->jail.classes = 0;
    parameters->jail.ports = (struct ports){0};
    parameters->jail.growth.multiplier_count = 0;
    iRet = read_values(list, table, rows, parameters);
    if (parameters->jail.classes == 0)
        parameters->jail.classes = classes;
    if (parameters->jail.growth.multiplier_count == 0) {
        parameters->jail.growth.multiplier_count = growth.multiplier_count;
        memcpy(parameters->jail.growth.multipliers, growth.multipliers, sizeof(growth.multipliers));
    }
    if (parameters->jail.ports.count == 0)
        parameters->jail.ports = ports;
    else if (module->set4 != NULL && module->set6 != NULL)
        parser_warnmsg("ombanmail: ports= closes nothing: set4= and set6= take all bans, and which"
                       " ports they close is up to the rules that use these sets");
    if (iRet == RS_RET_OK && jail_check(&parameters->jail, wrong) != NULL) {
        note_refusal("%s", wrong);
        parser_errmsg("ombanmail: %s", wrong);
        iRet = RS_RET_PARAM_ERROR;
    }
    return iRet;
}

/* A wrong file is an error all the same, by which -N1 fails. */
static bool
read_jails_file(struct parameters *module)
{
    char reason[SETTINGS_REASON_SIZE], copy_reason[SETTINGS_REASON_SIZE], copy[COPY_PATH_SIZE];
    const char *const path = module->jails_path;

    copy_path_of("jails", path, module, copy);
    if (!replace(&module->jails_copy, copy))
        return false;
    if (module->preset != NULL && preset_text(module->preset) == NULL)
        return parameters_refuse("preset", module->preset, PRESET_NAMES " is allowed");
    if (preset_read_file(module->preset, path, &module->jails, reason) == 0)
        return true;
    module->has_jails_copy = jails_read(copy, &module->jails, copy_reason) == 0;
    if (!module->has_jails_copy)
        return parameters_refuse("jails", path, reason);
    parser_errmsg(
        "ombanmail: jails=\"%s\": %s. The jails as they were last read whole are in force", path,
        reason);
    return true;
}

static void
warn_of_remarks(const struct jails *jails)
{
    for (const char *at = jails->remarks; *at != '\0'; at += strcspn(at, "\n") + 1)
        parser_warnmsg("ombanmail: %.*s", (int)strcspn(at, "\n"), at);
}

/* The jails that the module declares beside those of actions. */
static bool
read_declared(struct parameters *module)
{
    char reason[SETTINGS_REASON_SIZE];

    module->is_preset_default =
        module->jails_path == NULL && module->preset == NULL && !module->has_jail;
    if (module->is_preset_default && !replace(&module->preset, PRESET_DEFAULT))
        return false;
    module->declares = module->jails_path != NULL || module->preset != NULL;
    if (!module->declares)
        return true;
    if (module->has_jail)
        return parameters_refuse(module->preset != NULL ? "preset" : "jails",
                                 module->preset != NULL ? module->preset : module->jails_path,
                                 "the module has maxretry, or another parameter of a jail, as "
                                 "well; give that to an action with a jail= of its own");
    if (module->jails_path != NULL && !read_jails_file(module))
        return false;
    if (module->jails_path == NULL && module->preset != NULL &&
        preset_read(module->preset, &module->jails, reason) != 0)
        return parameters_refuse("preset", module->preset, reason);
    warn_of_remarks(module->jails);
    return true;
}

rsRetVal
parameters_read_module(struct nvlst *list, struct parameters *module)
{
    rsRetVal iRet = RS_RET_OK;

    *module = (struct parameters){.runtime_directory = strdup(DEFAULT_RUNTIME_DIRECTORY),
                                  .state_directory = strdup(DEFAULT_STATE_DIRECTORY),
                                  .capacity = TABLE_CAPACITY_DEFAULT,
                                  .max_bans = TABLE_BANS_DEFAULT,
                                  .max_stamp_age_s = DEFAULT_STAMP_AGE_S,
                                  .max_stamp_ahead_s = STAMP_AHEAD_MAX_S,
                                  .evidence = EVIDENCE_REDACTED,
                                  .max_ban_rate = TABLE_BAN_RATE_DEFAULT,
                                  .spares_gateways = true,
                                  .gateway_users = GATEWAY_USERS_DEFAULT,
                                  .group = (gid_t)-1,
                                  .command_group = (gid_t)-1,
                                  .retention_s = DEFAULT_RETENTION_S,
                                  .users_age_s = USERS_AGE_DEFAULT_S,
                                  .ledger_size = DEFAULT_LEDGER_SIZE,
                                  .allow = allow_list_new()};
    if (module->runtime_directory == NULL || module->state_directory == NULL ||
        module->allow == NULL)
        return RS_RET_OUT_OF_MEMORY;
    jail_defaults(&module->jail);
    if (list != NULL)
        iRet = read_jail_values(list, module_table, ROWS(module_table), module, module);
    if (module->trusted_count == 0)
        trust_mail_servers(module);
    if (iRet == RS_RET_OK && !read_declared(module))
        iRet = RS_RET_PARAM_ERROR;
    return iRet;
}

rsRetVal
parameters_read_action(struct nvlst *list, const struct parameters *module,
                       struct parameters *action)
{
    DEFiRet;

    *action = (struct parameters){.jail = module->jail,
                                  .allow = allow_list_new(),
                                  .path = strdup(PARAMETERS_PATH),
                                  .state_directory = strdup(module->state_directory)};
    if (action->allow == NULL || action->path == NULL || action->state_directory == NULL)
        return RS_RET_OUT_OF_MEMORY;
    CHKiRet(read_jail_values(list, action_table, ROWS(action_table), module, action));
    if (action->is_fleet && (action->is_own || action->has_jail)) {
        parameters_refuse("fleet", action->is_of_members ? "members" : "on",
                          "no parameter of a jail is allowed beside it; whom it never bans, the "
                          "module's ignoreip says");
        iRet = RS_RET_PARAM_ERROR;
    }
    action->has_jail = !action->is_fleet && (action->has_jail || !module->declares);
finalize_it:
    RETiRet;
}

void
parameters_free(struct parameters *parameters)
{
    free(parameters->runtime_directory);
    free(parameters->state_directory);
    free(parameters->path);
    free(parameters->users_path);
    free(parameters->users_realm);
    free(parameters->event_ruleset);
    free(parameters->fleet_ruleset);
    free(parameters->report_ruleset);
    free(parameters->event_file);
    free(parameters->set4);
    free(parameters->set6);
    free(parameters->jails_path);
    free(parameters->jails_copy);
    free(parameters->preset);
    jails_free(parameters->jails);
    allow_list_free(parameters->allow);
    *parameters = (struct parameters){0};
}
