/* completion: what bash, zsh and fish complete, printed from the rows of commands and options.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "banmailctl.h"
#include "banmailctl-test.h"
#include "banmailctl-words.h"
#include "line/offence.h"

const char completion_help[] =
    "Usage: banmailctl completion bash|zsh|fish\n"
    "\n"
    "Prints what the shell completes behind banmailctl; installed packages have it in place.\n"
    "\n"
    "Examples:\n"
    "  source <(banmailctl completion bash)\n"
    "  banmailctl completion fish >~/.config/fish/completions/banmailctl.fish\n";

/* ---- what may stand where ---- */

/* The first word of some commands. */
static const struct {
    const char *command, *words;
} first_words[] = {
    {"allow", "add del list"},
    {"completion", "bash zsh fish"},
    {"fleet", "resync"},
    {"jails", "check filters"},
};

static const char *
first_words_of(const char *command)
{
    for (size_t i = 0; i < sizeof(first_words) / sizeof(*first_words); i++)
        if (strcmp(first_words[i].command, command) == 0)
            return first_words[i].words;
    return "";
}

static void
print_commands(void)
{
    for (size_t i = 0; i < command_count; i++)
        printf("%s%s", i > 0 ? " " : "", commands[i].name);
}

/* The values of an option, where they can be told; else nothing. */
static void
print_values(const struct option_row *option)
{
    if (strcmp(option->name, "class") == 0)
        for (int class = 0; class < OFFENCE_CLASSES; class ++)
            printf("%s%s", class > 0 ? " " : "", offence_class_name(class));
    else if (strcmp(option->name, "sort") == 0)
        fputs("since left failures address jail class", stdout);
    else if (strcmp(option->name, "format") == 0)
        fputs("plain json nft ipset", stdout);
    else if (strcmp(option->name, "preset") == 0)
        fputs("balanced strict lenient observe", stdout);
}

/* Whether every command has it, or this one. */
static bool
has_option(const struct command *command, const struct option_row *option)
{
    return option->take == NULL ? strchr("jth", option->letter) != NULL
                                : strchr(command->options, option->letter) != NULL;
}

/* test has a list of its own. */
static void
each_option(const struct command *command,
            void (*each)(const struct command *command, const struct option_row *option))
{
    for (const struct option *at = test_options; command->main == NULL && at->name != NULL; at++) {
        const struct option_row option = {
            .name = at->name,
            .value = at->has_arg == no_argument        ? NULL
                     : strcmp(at->name, "for") == 0    ? "TIME"
                     : strcmp(at->name, "preset") == 0 ? "PRESET"
                                                       : "FILE",
        };
        each(command, &option);
    }
    for (size_t i = 0; command->main != NULL && i < option_count; i++)
        if (has_option(command, &option_rows[i]))
            each(command, &option_rows[i]);
}

/* ---- bash ---- */

static void
put_bash_option(const struct command *command, const struct option_row *option)
{
    (void)command;
    printf(" --%s", option->name);
}

/* What stands behind an option. Names of files are completed by default. */
static void
put_bash_values(const struct option_row *option)
{
    printf("        --%s) words='", option->name);
    print_values(option);
    puts("' command=- ;;");
}

static bool
is_option_row(const char *name)
{
    for (size_t i = 0; i < option_count; i++)
        if (strcmp(option_rows[i].name, name) == 0)
            return true;
    return false;
}

static void
print_bash_values(void)
{
    for (size_t i = 0; i < option_count; i++)
        if (option_rows[i].value != NULL)
            put_bash_values(&option_rows[i]);
    for (const struct option *at = test_options; at->name != NULL; at++)
        if (at->has_arg != no_argument && !is_option_row(at->name))
            put_bash_values(&(struct option_row){.name = at->name, .value = "FILE"});
}

static void
print_bash(void)
{
    puts("# bash completion for banmailctl\n"
         "_banmailctl() {\n"
         "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
         "    local command='' words='' i\n"
         "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "        case ${COMP_WORDS[i]} in\n"
         "            --table | -t) ((i++)) ;;\n"
         "            -*) ;;\n"
         "            *) command=${COMP_WORDS[i]}; break ;;\n"
         "        esac\n"
         "    done\n"
         "    COMPREPLY=()\n"
         "    case $before in");
    print_bash_values();
    fputs("    esac\n    case $command in\n        -) ;;\n        '' | help) words='", stdout);
    print_commands();
    puts(" --json --table --help --version' ;;");
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i].name, "help") == 0)
            continue;
        printf("        %s) words='%s", commands[i].name, first_words_of(commands[i].name));
        each_option(&commands[i], put_bash_option);
        puts("' ;;");
    }
    puts("    esac\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
         "}\n"
         "complete -o default -F _banmailctl banmailctl");
}

/* ---- zsh ---- */

/* An apostrophe ends the quotation and begins another. */
static void
put_quoted(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '\'')
            fputs("'\\''", stdout);
        else if (*text == ':')
            fputs("\\:", stdout);
        else
            putchar(*text);
}

static void
put_zsh_option(const struct command *command, const struct option_row *option)
{
    (void)command;
    printf(" \\\n            '--%s[%s]", option->name,
           option->value ? option->value : option->name);
    if (option->value != NULL && strcmp(option->value, "FILE") == 0) {
        printf(":%s:_files", option->value);
    } else if (option->value != NULL) {
        printf(":%s:(", option->value);
        print_values(option);
        putchar(')');
    }
    putchar('\'');
}

static void
print_zsh(void)
{
    puts("#compdef banmailctl\n"
         "_banmailctl() {\n"
         "    local -a commands\n"
         "    commands=(");
    for (size_t i = 0; i < command_count; i++) {
        printf("        '%s:", commands[i].name);
        put_quoted(commands[i].summary);
        puts("'");
    }
    puts("    )\n"
         "    while (( CURRENT > 3 )) && [[ $words[2] = (--table|-t) ]]; do\n"
         "        words=($words[1] ${words[4,-1]})\n"
         "        (( CURRENT -= 2 ))\n"
         "    done\n"
         "    if (( CURRENT == 3 )) && [[ $words[2] = (--table|-t) ]]; then\n"
         "        _files\n"
         "        return\n"
         "    fi\n"
         "    if (( CURRENT == 2 )); then\n"
         "        _describe command commands\n"
         "        return\n"
         "    fi\n"
         "    shift words\n"
         "    (( CURRENT-- ))\n"
         "    case $words[1] in");
    for (size_t i = 0; i < command_count; i++) {
        printf("    %s)\n        _arguments", commands[i].name);
        each_option(&commands[i], put_zsh_option);
        if (first_words_of(commands[i].name)[0] != '\0')
            printf(" \\\n            '1:what:(%s)'", first_words_of(commands[i].name));
        puts(" \\\n            '*:word:_files' ;;");
    }
    puts("    esac\n}\n_banmailctl \"$@\"");
}

/* ---- fish ---- */

static void
put_fish_option(const struct command *command, const struct option_row *option)
{
    printf("complete -c banmailctl -n '__fish_seen_subcommand_from %s' -l %s", command->name,
           option->name);
    if (option->value != NULL && strcmp(option->value, "FILE") == 0) {
        fputs(" -r -F", stdout);
    } else if (option->value != NULL) {
        fputs(" -x -a '", stdout);
        print_values(option);
        putchar('\'');
    }
    putchar('\n');
}

static void
print_fish(void)
{
    puts("# fish completion for banmailctl\n"
         "function __banmailctl_needs_command\n"
         "    set -l words (commandline -opc)\n"
         "    set -e words[1]\n"
         "    while set -q words[1]\n"
         "        switch $words[1]\n"
         "            case --table -t\n"
         "                set -q words[2]; and set -e words[2]\n"
         "            case '-*'\n"
         "            case '*'\n"
         "                return 1\n"
         "        end\n"
         "        set -e words[1]\n"
         "    end\n"
         "end\n"
         "complete -c banmailctl -f");
    for (size_t i = 0; i < command_count; i++) {
        printf("complete -c banmailctl -n __banmailctl_needs_command -a %s -d '", commands[i].name);
        for (const char *at = commands[i].summary; *at != '\0'; at++)
            printf(*at == '\'' ? "\\%c" : "%c", *at);
        puts("'");
        if (first_words_of(commands[i].name)[0] != '\0')
            printf("complete -c banmailctl -n '__fish_seen_subcommand_from %s' -a '%s'\n",
                   commands[i].name, first_words_of(commands[i].name));
        each_option(&commands[i], put_fish_option);
    }
    fputs("complete -c banmailctl -n '__fish_seen_subcommand_from help' -a '", stdout);
    print_commands();
    puts("'\ncomplete -c banmailctl -n '__fish_seen_subcommand_from test import learn' -F");
}

int
completion_main(const struct invocation *invocation)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

    for (size_t i = 0; invocation->count == 1 && i < sizeof(shells) / sizeof(*shells); i++)
        if (strcmp(invocation->words[0], shells[i].name) == 0) {
            shells[i].print();
            return EXIT_FINE;
        }
    return banmailctl_fail(invocation, EXIT_USAGE, "completion is for bash, zsh or fish");
}
