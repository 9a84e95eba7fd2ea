/* iptables: what iptables-save and ipset save print, read word by word.
 *
 * A rule of iptables-nft that names an address is seen through nft as well, and left to it; one
 * that uses a set of ipset, or a range, is a closed box there.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-iptables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "banmailctl-program.h"

#define NAME_SIZE  64
#define FOUND_SIZE (2 * NAME_SIZE)
#define DEPTH_MOST 4 /* of sets within sets */

struct asking {
    const struct source *source;
    int64_t deadline_ms;
    struct blockers *others;
    const char *program; /* iptables-legacy … */
    bool is_nft;
};

/* ---- sets ---- */

/* An element of a set: ADDRESS, ADDRESS/BITS or LOW-HIGH, with ports and more behind a comma. */
static bool
element_holds(const char *element, const struct source *source)
{
    char low[NAME_SIZE], *high;

    snprintf(low, sizeof(low), "%.*s", (int)strcspn(element, ","), element);
    high = strchr(low, '-');
    if (!high)
        return blocker_text_holds(low, source);
    *high = '\0';
    return blocker_range_holds(low, high + 1, source);
}

/* Whether the set holds the source; set and element that do go to found. A set may be one of sets.
 */
static bool
set_holds(const struct asking *asking, const char *name, int depth, char found[FOUND_SIZE])
{
    char ipset[] = "ipset", save[] = "save", copy[NAME_SIZE], *text, *state = NULL;
    char *const argv[] = {ipset, save, copy, NULL};
    bool holds = false, is_list = false;
    size_t length;

    snprintf(copy, sizeof(copy), "%s", name);
    if (depth > DEPTH_MOST || program_run(argv, asking->deadline_ms, &text, &length) < 0)
        return false;
    for (char *line = strtok_r(text, "\n", &state); line && !holds;
         line = strtok_r(NULL, "\n", &state)) {
        char *words = NULL, *verb = strtok_r(line, " ", &words);
        char *set = strtok_r(NULL, " ", &words), *element = strtok_r(NULL, " ", &words);

        if (!verb || !set || !element)
            continue;
        if (strcmp(verb, "create") == 0)
            is_list = strcmp(element, "list:set") == 0;
        else if (strcmp(verb, "add") == 0 && is_list)
            holds = set_holds(asking, element, depth + 1, found);
        else if (strcmp(verb, "add") == 0 && element_holds(element, asking->source)) {
            holds = true;
            snprintf(found, FOUND_SIZE, "%s %.63s", copy, element);
        }
    }
    free(text);
    return holds;
}

/* ---- rules ---- */

struct rule {
    char chain[NAME_SIZE], target[NAME_SIZE];
    char set[NAME_SIZE];    /* of ipset, that it matches; "": none */
    char found[FOUND_SIZE]; /* the set and its element that hold the source */
    bool names_source;      /* it asks where a packet comes from, */
    bool holds;             /* and each such question is answered with yes */
    bool is_native;         /* nft shows it as well */
    bool is_negated;
};

/* One option, its value and what follows that, as far as they ask for the source. */
static void
look_at_option(const struct asking *asking, struct rule *rule, const char *option, char *value,
               const char *next, bool is_negated)
{
    const bool is_set = strcmp(option, "--match-set") == 0;
    const bool is_range = strcmp(option, "--src-range") == 0;
    bool holds;

    if (is_set && strncmp(next, "src", 3) != 0)
        return;
    if (is_set) {
        snprintf(rule->set, sizeof(rule->set), "%s", value);
        holds = set_holds(asking, value, 0, rule->found);
    } else if (is_range) {
        holds = element_holds(value, asking->source);
    } else if (strcmp(option, "-s") == 0) {
        holds = blocker_text_holds(value, asking->source);
    } else {
        return;
    }
    rule->is_native = !is_set && !is_range && (rule->is_native || !rule->names_source);
    rule->holds = (!rule->names_source || rule->holds) && holds != is_negated;
    rule->names_source = true;
    rule->is_negated |= is_negated;
}

/* The next word of a line, which it cuts; one that has spaces stands in quotes. NULL at the end. */
static char *
next_word(char **line)
{
    char *word = *line + strspn(*line, " "), *end;

    if (*word == '\0')
        return NULL;
    if (*word != '"') {
        end = word + strcspn(word, " ");
    } else {
        end = ++word;
        while (*end && *end != '"')
            end += *end == '\\' && end[1] ? 2 : 1;
    }
    *line = *end ? end + 1 : end;
    *end = '\0';
    return word;
}

/* -A INPUT -s 203.0.113.0/24 -j DROP, with ! in front of -s when all others are meant. A value
 * never begins as an option does, but for a comment, which stands in quotes then. */
static void
read_rule(const struct asking *asking, char *line, struct rule *rule)
{
    bool is_negated = false, is_quoted;
    char *word;

    while (is_quoted = line[strspn(line, " ")] == '"', (word = next_word(&line)) != NULL) {
        const bool is_option = word[0] == '-' && !is_quoted;
        char *value = is_option && line[strspn(line, " ")] != '-' ? next_word(&line) : NULL;

        if (value && strcmp(value, "!") == 0) {
            is_negated = true;
            continue;
        }
        if (value && strcmp(word, "-A") == 0)
            snprintf(rule->chain, sizeof(rule->chain), "%s", value);
        else if (value && (strcmp(word, "-j") == 0 || strcmp(word, "-g") == 0))
            snprintf(rule->target, sizeof(rule->target), "%s", value);
        else if (value)
            look_at_option(asking, rule, word, value, line, is_negated);
        is_negated = strcmp(word, "!") == 0;
    }
}

static void
look_at_line(const struct asking *asking, char *line, const char *table)
{
    char copy[BLOCKERS_TEXT_SIZE];
    struct rule rule = {0};
    struct blocker *other;

    snprintf(copy, sizeof(copy), "%s", line + strlen("-A "));
    read_rule(asking, line, &rule);
    if (!rule.holds || (asking->is_nft && rule.is_native) ||
        (other = blocker_add(asking->others)) == NULL)
        return;
    blocker_print(other->place, "chain %s %s %s", asking->program, table, rule.chain);
    blocker_print(other->detail, "a rule: %s%s%s%s", rule.target[0] ? rule.target : "no verdict",
                  rule.is_negated ? " all but others" : "", rule.set[0] ? ", by ipset " : "",
                  rule.set);
    if (rule.found[0] && !rule.is_negated)
        blocker_print(other->remedy, "ipset del %s", rule.found);
    else
        blocker_print(other->remedy, "%s -t %s -D %s", asking->program, table, copy);
}

static void
ask(struct asking *asking, const char *program, bool is_nft)
{
    char save[NAME_SIZE], table[NAME_SIZE] = "", *text, *state = NULL;
    char *const argv[] = {save, NULL};
    size_t length;

    asking->program = program;
    asking->is_nft = is_nft;
    snprintf(save, sizeof(save), "%s-save", program);
    if (program_run(argv, asking->deadline_ms, &text, &length) < 0)
        return;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        if (line[0] == '*')
            snprintf(table, sizeof(table), "%s", line + 1);
        else if (strncmp(line, "-A ", 3) == 0)
            look_at_line(asking, line, table);
    }
    free(text);
}

void
iptables_ask(const struct source *source, int64_t deadline_ms, struct blockers *others)
{
    const bool is_v4 = source_is_v4(source);
    struct asking asking = {.source = source, .deadline_ms = deadline_ms, .others = others};

    ask(&asking, is_v4 ? "iptables-legacy" : "ip6tables-legacy", false);
    ask(&asking, is_v4 ? "iptables-nft" : "ip6tables-nft", true);
}
