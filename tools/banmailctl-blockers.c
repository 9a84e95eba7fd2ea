/* blockers: nft's JSON is walked twice: for sets, maps and rules that hold the address, and for the
 * rules that use the sets which were found, because only those say what becomes of the packet.
 *
 * nft prints what stands in a match as an address, a prefix, a range, or a list, set or
 * concatenation of those: one recursive function answers for all of them.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-blockers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libfastjson/json.h>

#include "kernel/firewall.h"
#include "banmailctl-iptables.h"
#include "banmailctl-program.h"
#include "banmailctl-format.h"
#include "base/clock.h"

#define DEPTH_MOST  16
#define OWN_COMMENT "ombanmail " /* begins that of every element of ours */

/* ---- does this hold the address? ---- */

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
    return blocker_text_holds(text, source);
}

static bool
range_holds(struct fjson_object *range, const struct source *source)
{
    return fjson_object_array_length(range) == 2 &&
           blocker_range_holds(fjson_object_get_string(fjson_object_array_get_idx(range, 0)),
                               fjson_object_get_string(fjson_object_array_get_idx(range, 1)),
                               source);
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
        return blocker_text_holds(fjson_object_get_string(value), source);
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
    const char *given; /* the administrator's set that ours are in, or "" */
    struct blockers *others;
    struct fjson_object *all; /* nft's list */
};

static const char *
member_text(struct fjson_object *object, const char *key)
{
    struct fjson_object *member;

    return fjson_object_object_get_ex(object, key, &member) ? fjson_object_get_string(member) : "";
}

static bool
is_ours(struct fjson_object *object)
{
    return strcmp(member_text(object, "family"), "inet") == 0 &&
           strcmp(member_text(object, object ? "table" : ""), FIREWALL_TABLE) == 0;
}

/* The verdict at the end of a rule: accept, drop, reject …; iptables' own targets hide in xt. */
static const char *
verdict_of(struct fjson_object *expressions)
{
    static const char *const verdicts[] = {"drop", "reject", "accept", "jump",
                                           "goto", "xt",     "return", "vmap"};
    struct fjson_object *ignored;

    for (int i = fjson_object_array_length(expressions) - 1; i >= 0; i--)
        for (size_t j = 0; j < sizeof(verdicts) / sizeof(*verdicts); j++)
            if (fjson_object_object_get_ex(fjson_object_array_get_idx(expressions, i), verdicts[j],
                                           &ignored))
                return strcmp(verdicts[j], "xt") == 0     ? "a target of iptables"
                       : strcmp(verdicts[j], "vmap") == 0 ? "a verdict map"
                                                          : verdicts[j];
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
    if (fjson_object_object_get_ex(left, "ct", &member))
        return strstr(member_text(member, "key"), "saddr") != NULL;
    if (fjson_object_object_get_ex(left, "&", &member) ||
        fjson_object_object_get_ex(left, "concat", &member))
        return is_source_address(member, depth + 1);
    return false;
}

/* What an expression compares the source address with, and how; NULL when it does not: a match, or
 * a verdict map without a name. */
static struct fjson_object *
compared_with(struct fjson_object *expression, bool *is_negated)
{
    struct fjson_object *what, *key, *value;

    *is_negated = false;
    if (fjson_object_object_get_ex(expression, "match", &what) &&
        fjson_object_object_get_ex(what, "left", &key) && is_source_address(key, 0) &&
        fjson_object_object_get_ex(what, "right", &value)) {
        *is_negated = strcmp(member_text(what, "op"), "!=") == 0;
        return value;
    }
    if (fjson_object_object_get_ex(expression, "vmap", &what) &&
        fjson_object_object_get_ex(what, "key", &key) && is_source_address(key, 0) &&
        fjson_object_object_get_ex(what, "data", &value))
        return value;
    return NULL;
}

/* One rule: does it name the source address, or all but others? */
static void
look_at_rule(struct look *look, struct fjson_object *rule)
{
    struct fjson_object *expressions, *right;

    if (is_ours(rule) || !fjson_object_object_get_ex(rule, "expr", &expressions))
        return;
    for (int i = 0; i < fjson_object_array_length(expressions); i++) {
        bool is_negated, is_set;
        struct blocker *other;

        right = compared_with(fjson_object_array_get_idx(expressions, i), &is_negated);
        if (!right)
            continue;
        is_set = fjson_object_is_type(right, fjson_type_string) &&
                 fjson_object_get_string(right)[0] == '@';
        if (is_set || holds(right, look->source, 0) == is_negated)
            continue;
        other = blocker_add(look->others);
        if (!other)
            return;
        blocker_print(other->place, "chain %s %s %s", member_text(rule, "family"),
                      member_text(rule, "table"), member_text(rule, "chain"));
        blocker_print(other->detail, "a rule: %s%s", verdict_of(expressions),
                      is_negated ? " all but others" : "");
        if (is_negated || strcmp(verdict_of(expressions), "accept") != 0)
            blocker_print(other->remedy, "nft delete rule %s %s %s handle %s",
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
tell_use(struct look *look, struct fjson_object *set, char detail[BLOCKERS_TEXT_SIZE])
{
    size_t used = 0;
    struct fjson_object *rule, *expressions;

    for (int i = 0; i < fjson_object_array_length(look->all) && used < BLOCKERS_TEXT_SIZE - 80;
         i++) {
        if (!fjson_object_object_get_ex(fjson_object_array_get_idx(look->all, i), "rule", &rule) ||
            strcmp(member_text(rule, "table"), member_text(set, "table")) != 0 ||
            strcmp(member_text(rule, "family"), member_text(set, "family")) != 0 ||
            !fjson_object_object_get_ex(rule, "expr", &expressions) ||
            !rule_uses(expressions, member_text(set, "name")))
            continue;
        blocker_print(detail + used, "%sused by chain %.40s: %s", used ? "; " : "",
                      member_text(rule, "chain"), verdict_of(expressions));
        used = strlen(detail);
    }
    if (used == 0)
        blocker_print(detail, "no rule uses it");
}

/* As nft prints an element and takes it: an address, a number, a prefix, a range, or these joined
 * by dots. */
static void
print_element(FILE *out, struct fjson_object *value, int depth)
{
    struct fjson_object *member;

    if (depth > DEPTH_MOST)
        return;
    if (fjson_object_object_get_ex(value, "elem", &member) ||
        fjson_object_object_get_ex(value, "val", &member)) {
        print_element(out, member, depth + 1);
    } else if (fjson_object_object_get_ex(value, "prefix", &member)) {
        fprintf(out, "%s/%s", member_text(member, "addr"), member_text(member, "len"));
    } else if (fjson_object_object_get_ex(value, "range", &member)) {
        print_element(out, fjson_object_array_get_idx(member, 0), depth + 1);
        fputc('-', out);
        print_element(out, fjson_object_array_get_idx(member, 1), depth + 1);
    } else if (fjson_object_object_get_ex(value, "concat", &member)) {
        for (int i = 0; i < fjson_object_array_length(member); i++) {
            fputs(i == 0 ? "" : " . ", out);
            print_element(out, fjson_object_array_get_idx(member, i), depth + 1);
        }
    } else {
        fputs(fjson_object_get_string(value), out);
    }
}

/* Our own in the administrator's set have our comment. */
static bool
is_ours_in(const struct look *look, struct fjson_object *set, struct fjson_object *element)
{
    char name[FIREWALL_SET_SIZE];
    struct fjson_object *inner;

    snprintf(name, sizeof(name), "%s %s %s", member_text(set, "family"), member_text(set, "table"),
             member_text(set, "name"));
    return strcmp(name, look->given) == 0 && fjson_object_object_get_ex(element, "elem", &inner) &&
           strncmp(member_text(inner, "comment"), OWN_COMMENT, strlen(OWN_COMMENT)) == 0;
}

/* Prints those elements that hold the source and are not ours. Returns how many they are. */
static unsigned
print_holders(struct look *look, struct fjson_object *set, struct fjson_object *elements, FILE *out)
{
    unsigned count = 0;

    for (int i = 0; i < fjson_object_array_length(elements); i++) {
        struct fjson_object *element = fjson_object_array_get_idx(elements, i);

        if (fjson_object_is_type(element, fjson_type_array)) /* of a map: with its value */
            element = fjson_object_array_get_idx(element, 0);
        if (!holds(element, look->source, 0))
            continue;
        if (is_ours_in(look, set, element)) {
            look->others->is_enforced = true;
            continue;
        }
        fputs(count++ == 0 ? "" : ", ", out);
        print_element(out, element, 0);
    }
    return count;
}

/* Whether all that becomes of it is that it is let in. */
static bool
is_let_in(const char *detail)
{
    return strstr(detail, ": accept") != NULL && strstr(detail, "drop") == NULL &&
           strstr(detail, "reject") == NULL;
}

static void
tell_set(struct look *look, struct fjson_object *set, const char *kind, const char *elements)
{
    struct blocker *other = blocker_add(look->others);

    if (!other)
        return;
    blocker_print(other->place, "%s %s %s %s", kind, member_text(set, "family"),
                  member_text(set, "table"), member_text(set, "name"));
    tell_use(look, set, other->detail);
    /* a command that is cut would lift something else */
    if (!is_let_in(other->detail) && strlen(elements) < BLOCKERS_TEXT_SIZE / 2)
        blocker_print(other->remedy, "nft delete element %s %s %s '{ %s }'",
                      member_text(set, "family"), member_text(set, "table"),
                      member_text(set, "name"), elements);
}

static void
look_at_set(struct look *look, struct fjson_object *set, const char *kind)
{
    struct fjson_object *elements;
    char *text = NULL;
    size_t size;
    FILE *out;
    unsigned count;

    if (is_ours(set) || !fjson_object_object_get_ex(set, "elem", &elements) ||
        (out = open_memstream(&text, &size)) == NULL)
        return;
    count = print_holders(look, set, elements, out);
    if (fclose(out) == 0 && count > 0)
        tell_set(look, set, kind, text);
    free(text);
}

/* Our own sets hold addresses, and prefixes by their base: v6_64 and v6_64_all mean /64, but v6_all
 * and v4_ports_25 single addresses. */
static void
look_at_own_set(struct look *look, struct fjson_object *set)
{
    struct fjson_object *elements;
    const char *bits = strchr(member_text(set, "name"), '_');
    const bool is_of_prefixes = bits && bits[1] >= '0' && bits[1] <= '9';
    struct source base = *look->source;
    unsigned length = is_of_prefixes ? (unsigned)strtoul(bits + 1, NULL, 10) : 128;

    if (!is_ours(set) || !fjson_object_object_get_ex(set, "elem", &elements))
        return;
    if (is_of_prefixes && source_bits(look->source) < length)
        return;
    base = source_mask(&base, is_of_prefixes ? length : 32, length);
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
ask_nft(const struct source *source, const char *given, int64_t deadline_ms,
        struct blockers *others)
{
    char nft[] = "nft", json[] = "-j", list[] = "list", ruleset[] = "ruleset", *text = NULL;
    char *const argv[] = {nft, json, list, ruleset, NULL};
    struct look look = {.source = source, .given = given, .others = others};
    struct fjson_object *object;
    size_t length = 0;
    int error = program_run(argv, deadline_ms, &text, &length);

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

void
blockers_ask(const struct source *source, const char *given, int timeout_ms,
             struct blockers *others)
{
    int64_t deadline_ms = clock_steady_ms() + timeout_ms;

    *others = (struct blockers){0};
    ask_nft(source, given, deadline_ms, others);
    iptables_ask(source, deadline_ms, others);
}
