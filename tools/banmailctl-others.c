/* others: nft's JSON is walked twice: for sets, maps and rules that hold the address, and for the
 * rules that use the sets which were found, because only those say what becomes of the packet.
 *
 * nft prints what stands in a match as an address, a prefix, a range, or a list, set or
 * concatenation of those: one recursive function answers for all of them.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-others.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libfastjson/json.h>

#include "firewall.h"
#include "banmailctl-words.h"

#define OUTPUT_MOST ((size_t)256 << 20) /* of a program; a million elements are 100 MB */
#define DEPTH_MOST  16

/* ---- programs ---- */

static int64_t
monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads all that comes from a descriptor until its end. Returns NULL on failure or too late. */
static char *
read_all(int fd, int64_t deadline_ms, size_t *length)
{
    size_t room = 1 << 16, used = 0;
    char *text = malloc(room), *grown;

    while (text) {
        int64_t left_ms = deadline_ms - monotonic_ms();
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (used + 1 == room) {
            grown = room < OUTPUT_MOST ? realloc(text, room *= 2) : NULL;
            if (!grown)
                break;
            text = grown;
        }
        if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) <= 0)
            break;
        n = read(fd, text + used, room - used - 1);
        if (n < 0)
            break;
        used += (size_t)n;
        text[used] = '\0';
        *length = used;
        if (n == 0)
            return text;
    }
    free(text);
    return NULL;
}

/* What a program writes to its standard output, without a shell and with a path of our own. Returns
 * 0 and the text (free it); -ENOENT when there is no such program, -ETIMEDOUT, -EIO when it failed.
 */
static int
run(char *const argv[], int64_t deadline_ms, char **text, size_t *length)
{
    static char path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin",
                locale[] = "LC_ALL=C";
    char *const environment[] = {path, locale, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], error, status = 0;
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    error = posix_spawnp(&child, argv[0], &actions, NULL, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        return -error;
    }
    *text = read_all(ends[0], deadline_ms, length);
    close(ends[0]);
    if (!*text)
        kill(child, SIGKILL);
    waitpid(child, &status, 0);
    if (*text && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    error = *text ? (WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOENT : -EIO) : -ETIMEDOUT;
    free(*text);
    return error;
}

/* ---- does this hold the address? ---- */

static bool
text_holds(const char *text, const struct source *source)
{
    struct source prefix;

    return text && source_parse_prefix(text, strlen(text), &prefix) == 0 &&
           source_contains(&prefix, source);
}

static bool
prefix_holds(struct fjson_object *prefix, const struct source *source)
{
    struct fjson_object *address, *length;
    char text[SOURCE_TEXT_SIZE];

    if (!fjson_object_object_get_ex(prefix, "addr", &address) ||
        !fjson_object_object_get_ex(prefix, "len", &length))
        return false;
    snprintf(text, sizeof(text), "%s/%d", fjson_object_get_string(address),
             fjson_object_get_int(length));
    return text_holds(text, source);
}

static bool
range_holds(struct fjson_object *range, const struct source *source)
{
    const char *low, *high;
    struct source first, last;

    if (fjson_object_array_length(range) != 2)
        return false;
    low = fjson_object_get_string(fjson_object_array_get_idx(range, 0));
    high = fjson_object_get_string(fjson_object_array_get_idx(range, 1));
    return low && high && source_parse(low, strlen(low), &first) == 0 &&
           source_parse(high, strlen(high), &last) == 0 &&
           memcmp(first.address, source->address, sizeof(first.address)) <= 0 &&
           memcmp(source->address, last.address, sizeof(last.address)) <= 0;
}

static bool
holds(struct fjson_object *value, const struct source *source, int depth)
{
    static const char *const wrappers[] = {"elem", "val", "concat", "set"};
    struct fjson_object *member;

    if (!value || depth > DEPTH_MOST)
        return false;
    switch (fjson_object_get_type(value)) {
    case fjson_type_string:
        return text_holds(fjson_object_get_string(value), source);
    case fjson_type_array:
        for (int i = 0; i < fjson_object_array_length(value); i++)
            if (holds(fjson_object_array_get_idx(value, i), source, depth + 1))
                return true;
        return false;
    case fjson_type_object:
        if (fjson_object_object_get_ex(value, "prefix", &member))
            return prefix_holds(member, source);
        if (fjson_object_object_get_ex(value, "range", &member))
            return range_holds(member, source);
        for (size_t i = 0; i < sizeof(wrappers) / sizeof(*wrappers); i++)
            if (fjson_object_object_get_ex(value, wrappers[i], &member))
                return holds(member, source, depth + 1);
        return false;
    default:
        return false;
    }
}

/* ---- what nft says ---- */

struct look {
    const struct source *source;
    struct others *others;
    struct fjson_object *all; /* nft's list */
};

static const char *
member_text(struct fjson_object *object, const char *key)
{
    struct fjson_object *member;

    return fjson_object_object_get_ex(object, key, &member) ? fjson_object_get_string(member) : "";
}

static struct other *
add_other(struct others *others)
{
    return others->count < OTHERS_MOST ? &others->list[others->count++] : NULL;
}

static bool
is_ours(struct fjson_object *object)
{
    return strcmp(member_text(object, "family"), "inet") == 0 &&
           strcmp(member_text(object, object ? "table" : ""), FIREWALL_TABLE) == 0;
}

__attribute__((format(printf, 2, 3))) static void
print_clean(char text[OTHERS_TEXT_SIZE], const char *format, ...)
{
    char raw[OTHERS_TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(raw, sizeof(raw), format, arguments);
    va_end(arguments);
    words_clean(raw, text, OTHERS_TEXT_SIZE);
}

/* The verdict at the end of a rule: accept, drop, reject …; iptables' own targets hide in xt. */
static const char *
verdict_of(struct fjson_object *expressions)
{
    static const char *const verdicts[] = {"drop", "reject", "accept", "jump",
                                           "goto", "xt",     "return"};
    struct fjson_object *ignored;

    for (int i = fjson_object_array_length(expressions) - 1; i >= 0; i--)
        for (size_t j = 0; j < sizeof(verdicts) / sizeof(*verdicts); j++)
            if (fjson_object_object_get_ex(fjson_object_array_get_idx(expressions, i), verdicts[j],
                                           &ignored))
                return strcmp(verdicts[j], "xt") == 0 ? "a target of iptables" : verdicts[j];
    return "no verdict";
}

/* Whether the left side of a match is where a packet comes from. */
static bool
is_source_address(struct fjson_object *left, int depth)
{
    struct fjson_object *member;

    if (!left || depth > DEPTH_MOST)
        return false;
    if (fjson_object_is_type(left, fjson_type_array)) {
        for (int i = 0; i < fjson_object_array_length(left); i++)
            if (is_source_address(fjson_object_array_get_idx(left, i), depth + 1))
                return true;
        return false;
    }
    if (!fjson_object_is_type(left, fjson_type_object))
        return false;
    if (fjson_object_object_get_ex(left, "payload", &member))
        return strcmp(member_text(member, "field"), "saddr") == 0;
    if (fjson_object_object_get_ex(left, "&", &member) ||
        fjson_object_object_get_ex(left, "concat", &member))
        return is_source_address(member, depth + 1);
    return false;
}

static struct fjson_object *
match_of(struct fjson_object *expression)
{
    struct fjson_object *match, *left;

    if (fjson_object_object_get_ex(expression, "match", &match) &&
        fjson_object_object_get_ex(match, "left", &left) && is_source_address(left, 0))
        return match;
    return NULL;
}

/* One rule: does it name the source address, or all but others? */
static void
look_at_rule(struct look *look, struct fjson_object *rule)
{
    struct fjson_object *expressions, *match, *right;

    if (is_ours(rule) || !fjson_object_object_get_ex(rule, "expr", &expressions))
        return;
    for (int i = 0; i < fjson_object_array_length(expressions); i++) {
        bool is_negated, is_set;
        struct other *other;

        match = match_of(fjson_object_array_get_idx(expressions, i));
        if (!match || !fjson_object_object_get_ex(match, "right", &right))
            continue;
        is_negated = strcmp(member_text(match, "op"), "!=") == 0;
        is_set = fjson_object_is_type(right, fjson_type_string) &&
                 fjson_object_get_string(right)[0] == '@';
        if (is_set || holds(right, look->source, 0) == is_negated)
            continue;
        other = add_other(look->others);
        if (!other)
            return;
        print_clean(other->place, "chain %s %s %s", member_text(rule, "family"),
                    member_text(rule, "table"), member_text(rule, "chain"));
        print_clean(other->detail, "a rule: %s%s", verdict_of(expressions),
                    is_negated ? " all but others" : "");
        print_clean(other->remedy, "nft delete rule %s %s %s handle %s",
                    member_text(rule, "family"), member_text(rule, "table"),
                    member_text(rule, "chain"), member_text(rule, "handle"));
    }
}

static bool
rule_uses(struct fjson_object *expressions, const char *name)
{
    for (int i = 0; i < fjson_object_array_length(expressions); i++) {
        struct fjson_object *expression = fjson_object_array_get_idx(expressions, i);
        const char *text = fjson_object_to_json_string_ext(expression, FJSON_TO_STRING_PLAIN);
        char needle[160];

        snprintf(needle, sizeof(needle), "\"@%.150s\"", name);
        if (text && strstr(text, needle))
            return true;
    }
    return false;
}

/* What becomes of packets from the set: the rules that use it. */
static void
tell_use(struct look *look, struct fjson_object *set, char detail[OTHERS_TEXT_SIZE])
{
    size_t used = 0;
    struct fjson_object *rule, *expressions;

    for (int i = 0; i < fjson_object_array_length(look->all) && used < OTHERS_TEXT_SIZE - 80; i++) {
        if (!fjson_object_object_get_ex(fjson_object_array_get_idx(look->all, i), "rule", &rule) ||
            strcmp(member_text(rule, "table"), member_text(set, "table")) != 0 ||
            strcmp(member_text(rule, "family"), member_text(set, "family")) != 0 ||
            !fjson_object_object_get_ex(rule, "expr", &expressions) ||
            !rule_uses(expressions, member_text(set, "name")))
            continue;
        print_clean(detail + used, "%sused by chain %.40s: %s", used ? "; " : "",
                    member_text(rule, "chain"), verdict_of(expressions));
        used = strlen(detail);
    }
    if (used == 0)
        print_clean(detail, "no rule uses it");
}

static void
look_at_set(struct look *look, struct fjson_object *set, const char *kind)
{
    struct fjson_object *elements;
    char address[SOURCE_TEXT_SIZE];
    struct other *other;

    if (is_ours(set) || !fjson_object_object_get_ex(set, "elem", &elements) ||
        !holds(elements, look->source, 0))
        return;
    other = add_other(look->others);
    if (!other)
        return;
    print_clean(other->place, "%s %s %s %s", kind, member_text(set, "family"),
                member_text(set, "table"), member_text(set, "name"));
    tell_use(look, set, other->detail);
    print_clean(other->remedy, "nft get element %s %s %s '{ %s }'", member_text(set, "family"),
                member_text(set, "table"), member_text(set, "name"),
                source_print_address(look->source, address));
}

/* Our own sets hold addresses, and prefixes by their base: v6_64 means /64. */
static void
look_at_own_set(struct look *look, struct fjson_object *set)
{
    struct fjson_object *elements;
    const char *bits = strchr(member_text(set, "name"), '_');
    struct source base = *look->source;
    unsigned length = bits ? (unsigned)strtoul(bits + 1, NULL, 10) : 128;

    if (!is_ours(set) || !fjson_object_object_get_ex(set, "elem", &elements))
        return;
    if (bits && source_bits(look->source) < length)
        return;
    base = source_mask(&base, bits ? length : 32, length);
    base.prefix = SOURCE_HOST_PREFIX;
    look->others->is_enforced |= holds(elements, &base, 0);
}

static void
look_at_all(struct look *look)
{
    struct fjson_object *what;

    for (int i = 0; i < fjson_object_array_length(look->all); i++) {
        struct fjson_object *entry = fjson_object_array_get_idx(look->all, i);

        if (fjson_object_object_get_ex(entry, "set", &what)) {
            look_at_own_set(look, what);
            look_at_set(look, what, "set");
        } else if (fjson_object_object_get_ex(entry, "map", &what)) {
            look_at_set(look, what, "map");
        } else if (fjson_object_object_get_ex(entry, "rule", &what)) {
            look_at_rule(look, what);
        }
    }
}

static void
ask_nft(const struct source *source, int64_t deadline_ms, struct others *others)
{
    char nft[] = "nft", json[] = "-j", list[] = "list", ruleset[] = "ruleset", *text = NULL;
    char *const argv[] = {nft, json, list, ruleset, NULL};
    struct look look = {.source = source, .others = others};
    struct fjson_object *object;
    size_t length = 0;
    int error = run(argv, deadline_ms, &text, &length);

    if (error) {
        snprintf(others->trouble, sizeof(others->trouble), "%s",
                 error == -ENOENT      ? "nft is not installed"
                 : error == -ETIMEDOUT ? "nft list ruleset takes too long here"
                 : geteuid() != 0      ? "nft needs root"
                                       : "nft list ruleset fails");
        return;
    }
    object = fjson_tokener_parse(text);
    free(text);
    others->was_asked = object && fjson_object_object_get_ex(object, "nftables", &look.all);
    if (others->was_asked)
        look_at_all(&look);
    else
        snprintf(others->trouble, sizeof(others->trouble), "nft's answer makes no sense");
    fjson_object_put(object);
}

/* ---- what the older iptables says ---- */

/* -A INPUT -s 203.0.113.0/24 -j DROP, with ! in front of -s when all others are meant. */
static void
look_at_line(char *line, const char *program, const char *table, const struct source *source,
             struct others *others)
{
    char *word, *state = NULL, chain[64] = "", target[64] = "";
    char copy[OTHERS_TEXT_SIZE];
    bool is_negated = false, was_bang = false, is_held = false;

    snprintf(copy, sizeof(copy), "%s", line + strlen("-A "));
    for (word = strtok_r(line, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
        bool is_source = strcmp(word, "-s") == 0, is_target = strcmp(word, "-j") == 0;

        if (strcmp(word, "-A") == 0 || is_source || is_target) {
            char *value = strtok_r(NULL, " ", &state);

            if (!value)
                break;
            if (is_source) {
                is_negated = was_bang;
                is_held = text_holds(value, source) != is_negated;
            } else {
                snprintf(is_target ? target : chain, 64, "%s", value);
            }
        }
        was_bang = strcmp(word, "!") == 0;
    }
    if (is_held) {
        struct other *other = add_other(others);

        if (!other)
            return;
        print_clean(other->place, "chain %s %s %s", program, table, chain);
        print_clean(other->detail, "a rule: %s%s", target[0] ? target : "no verdict",
                    is_negated ? " all but others" : "");
        print_clean(other->remedy, "%s -t %s -D %s", program, table, copy);
    }
}

static void
ask_iptables(const char *program, const struct source *source, int64_t deadline_ms,
             struct others *others)
{
    char save[64], table[64] = "", *text, *state = NULL;
    char *const argv[] = {save, NULL};
    size_t length;

    snprintf(save, sizeof(save), "%s-save", program);
    if (run(argv, deadline_ms, &text, &length) < 0)
        return;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        if (line[0] == '*')
            snprintf(table, sizeof(table), "%s", line + 1);
        else if (strncmp(line, "-A ", 3) == 0)
            look_at_line(line, program, table, source, others);
    }
    free(text);
}

void
others_ask(const struct source *source, int timeout_ms, struct others *others)
{
    int64_t deadline_ms = monotonic_ms() + timeout_ms;

    *others = (struct others){0};
    ask_nft(source, deadline_ms, others);
    ask_iptables(source_is_v4(source) ? "iptables-legacy" : "ip6tables-legacy", source, deadline_ms,
                 others);
}
