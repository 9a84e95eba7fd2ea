/* banmailctl: what the postmaster types. The words are read here and handed to the command's own
 * file; each command reads the shared table by itself, and asks nobody for what it can see.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libfastjson/json.h>

#include "base/clock.h"
#include "control/setup.h"
#include "line/offence.h"
#include "rules/jail.h"
#include "rules/preset.h"
#include "banmailctl-bans.h"
#include "banmailctl-jails.h"
#include "banmailctl-location.h"
#include "banmailctl-test.h"
#include "banmailctl-words.h"
#include "banmailctl-format.h"

static int version_main(const struct invocation *invocation);
static int help_main(const struct invocation *invocation);

static const char status_help[] =
    "Usage: banmailctl status [JAIL] [--for TIME] [--json] [--table FILE]\n"
    "\n"
    "Says first whether anything is wrong, and what to do about it; then the jails, the clients\n"
    "tracked and banned, and the totals. JAIL: that one alone of the jails. --for: how long no "
    "line of a mail server may come before\n"
    "that is wrong (1h).\n"
    "\n"
    "Exit status: 0 all is well, 1 something is wrong, 3 there is no table, 4 permission denied.\n"
    "\n"
    "Examples:\n"
    "  banmailctl status\n"
    "  banmailctl status >/dev/null || mail -s 'ombanmail is in trouble' postmaster\n"
    "  banmailctl status --json | jq .now.banned\n";

static const char list_help[] =
    "Usage: banmailctl list [ADDRESS|PREFIX] [--jail JAIL] [--class CLASS] [--left TIME]\n"
    "                       [--sort KEY] [--held-back | --observed] [--json] [--table FILE]\n"
    "\n"
    "Lists who is banned, oldest first: by which jail, for what class of line, since when and\n"
    "until when. ADDRESS|PREFIX: bans of it, of what holds it, and within it. --jail, --class:\n"
    "those of one jail or class. --left: those that end within TIME. --sort: by since, left,\n"
    "failures, address, jail or class; the greatest comes last. --held-back: who has failed often\n"
    "enough, but is not banned, because maxBanRate was reached or there was no room. --observed:\n"
    "whom jails would have banned that only observe, also where that would be over by now.\n"
    "\n"
    "Examples:\n"
    "  banmailctl list\n"
    "  banmailctl list 203.0.113.0/24 --sort left\n"
    "  banmailctl list --class relay_denied --left 1h\n"
    "  banmailctl list --observed              preset=\"observe\": whom would it have banned?\n"
    "  banmailctl list --json | jq -r '.bans[] | select(.jail == \"mail\") | .source'\n";

static const char ban_help[] =
    "Usage: banmailctl ban ADDRESS... [--jail JAIL] [--for TIME] [--json] [--table FILE]\n"
    "\n"
    "Bans addresses or prefixes at once, until they are lifted or for TIME: 90 (seconds), 10m,\n"
    "24h, 7d, 1w, \"1d 12h\"; any negative number is until lifted. --jail: as that jail\n"
    "bans, with its ports, and without --for with its time.\n"
    "\n"
    "Examples:\n"
    "  banmailctl ban 203.0.113.9\n"
    "  banmailctl ban --for 24h 203.0.113.9 198.51.100.0/24\n"
    "  banmailctl ban 2001:db8:1:2::/64        an IPv6 client mostly owns a whole /64\n";

static const char unban_help[] =
    "Usage: banmailctl unban ADDRESS... [--jail JAIL] [--json] [--table FILE]\n"
    "       banmailctl unban --all [--jail JAIL]\n"
    "       banmailctl unban -                one address a line from standard input\n"
    "\n"
    "Lifts every ban of an address or a prefix, in all jails: its own, that of a prefix that\n"
    "contains it, and those within it; and forgets what was counted against it.\n"
    "\n"
    "Exit status: 0 lifted, 1 it was not banned.\n"
    "\n"
    "Examples:\n"
    "  banmailctl unban 203.0.113.9\n"
    "  banmailctl unban 2001:db8:1:2::7        lifts the ban of 2001:db8:1:2::/64\n"
    "  banmailctl unban 198.51.100.0/24        lifts all bans within it\n";

static const char why_help[] =
    "Usage: banmailctl why ADDRESS|PREFIX|MAILBOX|NAME [--json] [--table FILE]\n"
    "\n"
    "Tells whether a client is banned, since when, until when and by which jail; the lines that\n"
    "led to it; its earlier bans; whether it is allow-listed; whether the kernel agrees; who else\n"
    "on this host blocks it; and what lifts the ban. For a mailbox or a user: which clients\n"
    "failed with it, and which of them are banned.\n"
    "\n"
    "Exit status: 0 banned, 1 not banned.\n"
    "\n"
    "Examples:\n"
    "  banmailctl why 203.0.113.9\n"
    "  banmailctl why anna@example.org         the caller never knows his address\n"
    "  banmailctl why mail.example.net         each address of a host\n";

static const char history_help[] =
    "Usage: banmailctl history [ADDRESS|PREFIX|USER] [--jail JAIL] [--for TIME] [--json]\n"
    "\n"
    "Lists the bans that the ledger knows, running and over, the newest last: of all, of an\n"
    "address or within a prefix, or those that a user's failures led to; --for: of the last TIME.\n"
    "\n"
    "Examples:\n"
    "  banmailctl history 203.0.113.9\n"
    "  banmailctl history --for 24h\n"
    "  banmailctl history anna@example.org\n";

static const char log_help[] =
    "Usage: banmailctl log [--for TIME] [--json] [--table FILE]\n"
    "\n"
    "Shows each ban as it begins and ends, for TIME or until it is interrupted; with --json one\n"
    "object a line. What was before: history.\n";

static const char pause_help[] =
    "Usage: banmailctl pause [--for TIME] [--json] [--table FILE]\n"
    "       banmailctl resume [--json] [--table FILE]\n"
    "\n"
    "Lifts all enforcement at once, for TIME or until resume. Counting and banning go on; what is\n"
    "banned when the pause ends is enforced again, with the time that is left.\n"
    "\n"
    "Examples:\n"
    "  banmailctl pause --for 10m              is it ombanmail that keeps them out?\n"
    "  banmailctl resume\n";

static const char forget_help[] =
    "Usage: banmailctl forget ADDRESS|PREFIX|USER [--json] [--table FILE]\n"
    "\n"
    "Erases the log lines that were kept of a client, and its bans that are over; or the lines\n"
    "that name a user. Bans that run stay: see unban.\n"
    "\n"
    "Exit status: 0 erased, 1 there was nothing.\n"
    "\n"
    "Examples:\n"
    "  banmailctl forget 203.0.113.9\n"
    "  banmailctl forget anna@example.org\n";

static const char check_help[] =
    "Usage: banmailctl check [--repair] [--json] [--table FILE]\n"
    "\n"
    "Compares the table of bans with the kernel's sets and with the ledger. With --repair the\n"
    "kernel's sets are made anew where they differ, and the answer is how things stand then.\n"
    "\n"
    "Exit status: 0 all agree, 1 they do not.\n"
    "\n"
    "Examples:\n"
    "  banmailctl check\n"
    "  banmailctl check --repair\n";

static const char flush_help[] =
    "Usage: banmailctl flush [--json] [--table FILE]\n"
    "\n"
    "Takes all that ombanmail has put into the kernel out again: its table, and its elements in "
    "the\n"
    "sets that set4 and set6 name. For when ombanmail is removed: refused while rsyslogd has it\n"
    "loaded. To lift all bans for a while see pause.\n";

static const char users_help[] =
    "Usage: banmailctl users [FILE] [--json]\n"
    "\n"
    "Reads names from standard input, one a line, and puts them in the place of FILE\n"
    "(/etc/ombanmail/users), whole or not at all. For knownUsers= of the module. The input may "
    "have\n"
    "mailboxes, names without a domain, and domains of which any name is known (@example.org).\n"
    "\n"
    "Exit status: 2 there was no name, or a line that is not a name.\n"
    "\n"
    "Examples:\n"
    "  doveadm user '*' | banmailctl users\n"
    "  mysql -BN mail -e 'SELECT username FROM mailbox' | banmailctl users\n";

static const char jails_help[] =
    "Usage: banmailctl jails check [--preset NAME] FILE [--json]\n"
    "       banmailctl jails filters [--json]\n"
    "\n"
    "check: tells which jails a file in fail2ban's words declares, and what of it is passed over;\n"
    "with --preset as it changes that preset's jails, for preset= beside jails= in the module.\n"
    "filters: which names of filters there are, and what they count.\n"
    "\n"
    "Exit status: 0 nothing to note, 1 there is a NOTE or no jail is enabled, 5 the file\n"
    "is refused.\n"
    "\n"
    "Examples:\n"
    "  banmailctl jails check /etc/ombanmail/jails.conf\n"
    "  banmailctl jails check --preset balanced /etc/ombanmail/jails.conf\n"
    "  banmailctl jails filters\n";

static const char version_help[] = "Usage: banmailctl version [--json]\n";
static const char help_help[] = "Usage: banmailctl help [COMMAND]\n";

const struct command commands[] = {
    {"status", status_main, 1, "f", "whether anything is wrong; jails, tracked, banned",
     status_help},
    {"list", list_main, 1, "HJclOs", "who is banned, by which jail, until when", list_help},
    {"top", top_main, 0, "fw", "which networks, users and classes stand behind the bans", top_help},
    {"report", report_main, 0, "fo", "the last week as one HTML page", report_help},
    {"why", why_main, 1, "", "why an address, or a user, is banned or not", why_help},
    {"history", history_main, 1, "fJ", "what was banned earlier, and how it ended", history_help},
    {"log", log_main, 0, "f", "bans and unbans as they come", log_help},
    {"watch-set", watch_main, 1, "f", "which process adds an address to a set of nftables",
     watch_help},
    {"unban", order_unban, INT_MAX, "aJ", "lift the bans of addresses or prefixes", unban_help},
    {"ban", order_ban, INT_MAX, "fJ", "ban addresses or prefixes", ban_help},
    {"allow", allow_main, INT_MAX, "", "who is never banned: allow add, allow del, allow list",
     allow_help},
    {"pause", pause_main, 0, "f", "enforce nothing for a while", pause_help},
    {"resume", resume_main, 0, "", "end a pause", pause_help},
    {"forget", forget_main, 1, "", "erase the lines kept of a client or a user", forget_help},
    {"check", check_main, 0, "r", "whether table, kernel and ledger agree", check_help},
    {"users", users_main, 1, "", "write the file of known users, from standard input", users_help},
    {"learn", learn_main, INT_MAX, "I", "who logs in here, from the logs of the last days",
     learn_help},
    {"mynetworks", mynetworks_main, 1, "", "write the file of Postfix's networks, likewise",
     mynetworks_help},
    {"jails", jails_main, 2, "P", "what a file of jails declares (jails check FILE)", jails_help},
    {"fleet", fleet_main, 2, "", "what the hosts of a centre hold; fleet resync sends it again",
     fleet_help},
    {"export", export_main, 0, "FJ", "the bans for another host, nft or ipset", export_help},
    {"import", import_main, 1, "b", "fail2ban's configuration as a file of jails, or its bans",
     import_help},
    {"metrics", metrics_main, 0, "o", "the numbers of status, for Prometheus", metrics_help},
    {"flush", flush_main, 0, "", "take everything out of the kernel, when ombanmail is removed",
     flush_help},
    {"test", NULL, INT_MAX, "", "what the rulebases make of log files (test --help)", NULL},
    {"completion", completion_main, 1, "", "what bash, zsh or fish complete", completion_help},
    {"version", version_main, 0, "", "the version of this program", version_help},
    {"help", help_main, 1, "", "this, or the help of one command", help_help},
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

const size_t command_count = COMMANDS;

/* ---- for all commands ---- */

static void
say(void *context, int severity, const char *text)
{
    char clean[LOCATION_REASON_SIZE];

    (void)context;
    if (severity <= LOG_WARNING)
        fprintf(stderr, "banmailctl: %s\n", format_clean(text, clean, sizeof(clean)));
}

const struct report banmailctl_report = {.say = say};

int
banmailctl_fail(const struct invocation *invocation, int status, const char *format, ...)
{
    struct fjson_object *object;
    char text[LOCATION_REASON_SIZE], clean[LOCATION_REASON_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (!invocation->json) {
        fprintf(stderr, "banmailctl: %s\n", format_clean(text, clean, sizeof(clean)));
        return status;
    }
    object = fjson_object_new_object();
    format_add_string(object, "error", text);
    format_add_number(object, "exit", (uint64_t)status);
    format_print_json(object);
    return status;
}

int
banmailctl_read(const struct invocation *invocation, struct location *place,
                const struct table **table)
{
    char reason[LOCATION_REASON_SIZE], setup[SETUP_SIZE];
    int status = location_find(invocation->table, place, reason);

    if (status == 0)
        status = location_read(place, table, reason);
    if (status == 0)
        return EXIT_FINE;
    setup_read(invocation->table ? invocation->table : LOCATION_DEFAULT_TABLE, setup);
    return banmailctl_fail(
        invocation, status == -EACCES ? EXIT_PERMISSION : EXIT_UNREACHABLE, "%s%s%.*s", reason,
        setup[0] ? "; rsyslogd's configuration is wrong: " : "", (int)strcspn(setup, "\n"), setup);
}

int64_t
banmailctl_now_ms(void)
{
    return clock_wall_ms();
}

/* ---- version and help ---- */

static int
version_main(const struct invocation *invocation)
{
    struct fjson_object *object;

    if (!invocation->json) {
        puts("banmailctl " PACKAGE_VERSION);
        return EXIT_FINE;
    }
    object = fjson_object_new_object();
    format_add_string(object, "version", PACKAGE_VERSION);
    format_print_json(object);
    return EXIT_FINE;
}

static void
print_usage(FILE *file)
{
    fputs("Usage: banmailctl COMMAND [ARGUMENTS] [--json] [--table FILE]\n"
          "\n"
          "Shows and changes what ombanmail, rsyslog's ban module for mail servers, has banned.\n"
          "\n"
          "Commands:\n",
          file);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(file, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs(
        "\n"
        "Options:\n"
        "  -j, --json        one JSON object instead of text\n"
        "  -t, --table FILE  the table, where it is not found by itself\n"
        "  -h, --help        this, or behind a command its own help with examples\n"
        "  -V, --version     the version of this program\n"
        "\n"
        "Examples:\n"
        "  banmailctl status                    is all well?\n"
        "  banmailctl list                      who is banned?\n"
        "  banmailctl why anna@example.org      why can she not fetch her mail?\n"
        "  banmailctl unban 203.0.113.9         let somebody in again\n"
        "  banmailctl ban 203.0.113.9 --for 24h\n"
        "\n"
        "Exit status: 0 fine; 1 not banned, or status found something wrong; 2 usage; 3 no table\n"
        "or no answer; 4 permission denied; 5 refused, or not in force yet. See banmailctl(8).\n",
        file);
}

static const struct command *
find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int
unknown_command(const struct invocation *invocation, const char *name)
{
    char clean[64];
    const char *nearest = NULL;
    unsigned least = 3; /* two slips of the finger at most */

    for (size_t i = 0; i < COMMANDS; i++) {
        unsigned distance = format_distance(name, commands[i].name);

        if (distance < least && distance < strlen(commands[i].name)) {
            least = distance;
            nearest = commands[i].name;
        }
    }
    format_clean(name, clean, sizeof(clean));
    if (nearest)
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "there is no command '%s'; did you mean 'banmailctl %s'?", clean,
                               nearest);
    return banmailctl_fail(invocation, EXIT_USAGE,
                           "there is no command '%s'; 'banmailctl help' lists them", clean);
}

static int
run_test(int argc, char **argv)
{
    optind = 0; /* glibc: begin anew */
    opterr = 1;
    return test_main(argc, argv);
}

/* The help of one command, or of all. */
static int
print_help(const struct command *command)
{
    if (!command)
        print_usage(stdout);
    else if (command->help)
        fputs(command->help, stdout);
    else
        return run_test(2, (char *[]){"test", "--help", NULL});
    return EXIT_FINE;
}

static int
help_main(const struct invocation *invocation)
{
    const struct command *command = NULL;

    if (invocation->count > 0) {
        command = find_command(invocation->words[0]);
        if (!command)
            return unknown_command(invocation, invocation->words[0]);
    }
    return print_help(command);
}

/* ---- the words ---- */

/* Those of some commands only. */
static bool
belongs(char letter, const struct command *command)
{
    return command != NULL && strchr(command->options, letter) != NULL;
}

static int
take_for(struct invocation *invocation, const char *text)
{
    char clean[64];

    if (jail_parse_time(text, true, &invocation->for_s) < 0)
        return banmailctl_fail(
            invocation, EXIT_USAGE,
            "--for: '%s' is not a time; allowed are 90 (seconds), 90s, 10m, 24h, "
            "7d, 1w, \"1d 12h\", or any negative number: until lifted",
            format_clean(text, clean, sizeof(clean)));
    invocation->forever = invocation->for_s == JAIL_FOREVER;
    return EXIT_FINE;
}

static int
take_jail(struct invocation *invocation, const char *name)
{
    char wrong[256];
    struct jail jail;

    jail_defaults(&jail);
    snprintf(jail.name, sizeof(jail.name), "%s", name);
    if (strlen(name) >= sizeof(jail.name) ||
        (strcmp(name, JAIL_MANUAL) != 0 && jail_check(&jail, wrong)))
        return banmailctl_fail(invocation, EXIT_USAGE, "--jail: that is no name of a jail");
    invocation->jail = name;
    return EXIT_FINE;
}

static int
take_class(struct invocation *invocation, const char *name)
{
    char clean[64];

    invocation->class = offence_class_parse(name, strlen(name));
    if (invocation->class >= 0)
        return EXIT_FINE;
    return banmailctl_fail(invocation, EXIT_USAGE,
                           "--class: there is no class '%s'; ombanmail-rulebase(5) has them",
                           format_clean(name, clean, sizeof(clean)));
}

static int
take_left(struct invocation *invocation, const char *text)
{
    char clean[64];

    if (jail_parse_time(text, false, &invocation->left_s) == 0)
        return EXIT_FINE;
    return banmailctl_fail(invocation, EXIT_USAGE,
                           "--left: '%s' is not a time; allowed are 90 (seconds), 90s, 10m, 24h, "
                           "7d, 1w or \"1d 12h\"",
                           format_clean(text, clean, sizeof(clean)));
}

static int
take_sort(struct invocation *invocation, const char *key)
{
    char clean[64];

    if (bans_order(key, &invocation->order) == 0)
        return EXIT_FINE;
    return banmailctl_fail(invocation, EXIT_USAGE, "--sort: '%s' is none of " BANS_ORDERS,
                           format_clean(key, clean, sizeof(clean)));
}

static int
take_output(struct invocation *invocation, const char *path)
{
    invocation->output = path;
    return EXIT_FINE;
}

static int
take_format(struct invocation *invocation, const char *name)
{
    invocation->format = name;
    return EXIT_FINE;
}

static int
take_all(struct invocation *invocation, const char *value)
{
    (void)value;
    invocation->all = true;
    return EXIT_FINE;
}

static int
take_repair(struct invocation *invocation, const char *value)
{
    (void)value;
    invocation->repair = true;
    return EXIT_FINE;
}

static int
take_held_back(struct invocation *invocation, const char *value)
{
    (void)value;
    invocation->held_back = true;
    return EXIT_FINE;
}

static int
take_journal(struct invocation *invocation, const char *value)
{
    (void)value;
    invocation->journal = true;
    return EXIT_FINE;
}

static int
take_preset(struct invocation *invocation, const char *name)
{
    char clean[64];

    if (preset_text(name) == NULL)
        return banmailctl_fail(invocation, EXIT_USAGE, "--preset: '%s' is none of " PRESET_NAMES,
                               format_clean(name, clean, sizeof(clean)));
    invocation->preset = name;
    return EXIT_FINE;
}

static int
take_observed(struct invocation *invocation, const char *value)
{
    (void)value;
    invocation->observed = true;
    return EXIT_FINE;
}

static int
take_bans(struct invocation *invocation, const char *value)
{
    (void)value;
    invocation->bans = true;
    return EXIT_FINE;
}

static int
take_watch(struct invocation *invocation, const char *value)
{
    (void)value;
    invocation->watch = true;
    return EXIT_FINE;
}

/* What every command has comes first, with nothing to take. */
const struct option_row option_rows[] = {
    {"json", 'j', NULL, NULL},
    {"table", 't', "FILE", NULL},
    {"help", 'h', NULL, NULL},
    {"version", 'V', NULL, NULL},
    {"all", 'a', NULL, take_all},
    {"bans", 'b', NULL, take_bans},
    {"class", 'c', "CLASS", take_class},
    {"for", 'f', "TIME", take_for},
    {"format", 'F', "FORMAT", take_format},
    {"held-back", 'H', NULL, take_held_back},
    {"jail", 'J', "JAIL", take_jail},
    {"journal", 'I', NULL, take_journal},
    {"left", 'l', "TIME", take_left},
    {"observed", 'O', NULL, take_observed},
    {"output", 'o', "FILE", take_output},
    {"preset", 'P', "NAME", take_preset},
    {"repair", 'r', NULL, take_repair},
    {"sort", 's', "KEY", take_sort},
    {"watch", 'w', NULL, take_watch},
};

#define OPTIONS (sizeof(option_rows) / sizeof(*option_rows))

const size_t option_count = OPTIONS;

static const struct option_row *
option_of(int letter)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (option_rows[i].letter == letter)
            return &option_rows[i];
    return NULL;
}

/* "--for is no option of list; it belongs to status, history, log, ban and pause". */
static int
refuse_option(const struct invocation *invocation, const struct option_row *option,
              const struct command *command)
{
    const char letter = option->letter;
    char owners[128] = "";
    size_t count = 0, said = 0;

    for (size_t i = 0; i < COMMANDS; i++)
        count += belongs(letter, &commands[i]);
    for (size_t i = 0; i < COMMANDS; i++) {
        const size_t used = strlen(owners);

        if (!belongs(letter, &commands[i]))
            continue;
        said++;
        snprintf(owners + used, sizeof(owners) - used, "%s%s",
                 said == 1       ? ""
                 : said == count ? " and "
                                 : ", ",
                 commands[i].name);
    }
    if (command == NULL)
        return banmailctl_fail(invocation, EXIT_USAGE, "--%s stands behind a command: %s",
                               option->name, owners);
    return banmailctl_fail(invocation, EXIT_USAGE,
                           "--%s is no option of %s; it belongs to %s: see banmailctl %s --help",
                           option->name, command->name, owners, command->name);
}

static int
refuse_word(const struct invocation *invocation, const struct command *command, int letter,
            const char *word)
{
    char clean[64];

    return banmailctl_fail(invocation, EXIT_USAGE, "%s: %s; see banmailctl %s%s--help",
                           format_clean(word, clean, sizeof(clean)),
                           letter == ':' ? "needs a value" : "there is no such option",
                           command ? command->name : "", command ? " " : "");
}

/* As getopt_long(3) wants them; the last is zeros. */
static const struct option *
long_options(void)
{
    static struct option options[OPTIONS + 1];

    for (size_t i = 0; i < OPTIONS; i++)
        options[i] = (struct option){
            .name = option_rows[i].name,
            .has_arg = option_rows[i].value != NULL ? required_argument : no_argument,
            .val = option_rows[i].letter,
        };
    return options;
}

/* Reads the options up to the first word that is none (before the command: `shorts` begins with
 * '+') or all of them. Returns -1 when they are fine, else the exit status. */
static int
parse_options(int argc, char **argv, const char *shorts, const struct command *command,
              struct invocation *invocation)
{
    bool help = false, version = false;
    int letter, status = EXIT_FINE;

    opterr = 0;
    while (status == EXIT_FINE &&
           (letter = getopt_long(argc, argv, shorts, long_options(), NULL)) != -1) {
        if (letter == 'j')
            invocation->json = true;
        else if (letter == 't')
            invocation->table = optarg;
        else if (letter == 'h')
            help = true;
        else if (letter == 'V')
            version = true;
        else if (option_of(letter) == NULL)
            status = refuse_word(invocation, command, letter, argv[optind - 1]);
        else if (!belongs((char)letter, command))
            status = refuse_option(invocation, option_of(letter), command);
        else
            status = option_of(letter)->take(invocation, optarg);
    }
    if (status != EXIT_FINE)
        return status;
    if (help)
        return print_help(command);
    return version ? version_main(invocation) : -1;
}

/* Of a command that is not known the options are not either, but for this one. */
static bool
wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-j") == 0)
            return true;
    return false;
}

static int
run_command(int argc, char **argv, struct invocation *invocation)
{
    const struct command *command = find_command(argv[0]);
    int status;

    if (!command) {
        invocation->json |= wants_json(argc, argv);
        return unknown_command(invocation, argv[0]);
    }
    if (!command->main && (invocation->json || invocation->table))
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "options of test stand behind it: banmailctl test --json FILE");
    if (!command->main)
        return run_test(argc, argv);
    optind = 0;
    status = parse_options(argc, argv, ":jt:f:hV", command, invocation);
    if (status >= 0)
        return status;
    invocation->words = argv + optind;
    invocation->count = argc - optind;
    if (invocation->count > command->words_max)
        return banmailctl_fail(invocation, EXIT_USAGE, "%s takes no '%s'; see banmailctl %s --help",
                               command->name, invocation->words[command->words_max], command->name);
    return command->main(invocation);
}

int
main(int argc, char **argv)
{
    struct invocation invocation = {.forever = true, .class = -1};
    int status;

    status = parse_options(argc, argv, "+:jt:f:hV", NULL, &invocation);
    if (status < 0 && optind == argc) {
        print_usage(stderr);
        status = EXIT_USAGE;
    }
    if (status < 0)
        status = run_command(argc - optind, argv + optind, &invocation);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "banmailctl: standard output: %s\n", strerror(errno));
        if (status == EXIT_FINE)
            status = EXIT_UNREACHABLE;
    }
    return status;
}
