/* export: the bans as other programs read them, with the time that each has left.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-bans.h"
#include "banmailctl-format.h"
#include "banmailctl-location.h"

const char export_help[] =
    "Usage: banmailctl export [--format plain|json|nft|ipset] [--jail JAIL] [--table FILE]\n"
    "\n"
    "Prints the bans with the seconds that each has left, as import --bans reads them again, here\n"
    "or on another host. plain: an address a line. json: with the jail, in which they are banned "
    "again\n"
    "where there is one of that name; else by hand. nft: a file for nft -f, with a table\n"
    "ombanmail_export of its own that drops nothing by itself. ipset: for ipset restore, the sets\n"
    "ombanmail4 and ombanmail6.\n"
    "\n"
    "Examples:\n"
    "  banmailctl export >bans\n"
    "  banmailctl export --format nft | nft -f -\n"
    "  banmailctl export | ssh mx2 banmailctl import --bans -\n";

/* ---- the formats ---- */

static int64_t
seconds_left(const struct ban *ban, int64_t now_ms)
{
    return (ban->until_ms - now_ms + 999) / 1000;
}

static void
print_plain(const struct table *table, const struct bans *bans, int64_t now_ms)
{
    char text[SOURCE_TEXT_SIZE];

    (void)table;
    for (size_t i = 0; i < bans->count; i++) {
        fputs(source_print(&bans->ban[i].source, text), stdout);
        if (bans->ban[i].until_ms != TABLE_FOREVER_MS)
            printf(" %" PRId64, seconds_left(&bans->ban[i], now_ms));
        putchar('\n');
    }
}

static void
print_json(const struct table *table, const struct bans *bans, int64_t now_ms)
{
    struct fjson_object *object = fjson_object_new_object(), *array = fjson_object_new_array();
    char text[SOURCE_TEXT_SIZE], jail[JAIL_NAME_SIZE * 4];

    for (size_t i = 0; i < bans->count; i++) {
        struct fjson_object *const ban = fjson_object_new_object();

        format_add_string(ban, "source", source_print(&bans->ban[i].source, text));
        format_add_string(ban, "jail", bans_jail_name(table, &bans->ban[i], jail));
        if (bans->ban[i].until_ms == TABLE_FOREVER_MS)
            fjson_object_object_add(ban, "seconds", NULL);
        else
            format_add_number(ban, "seconds", (uint64_t)seconds_left(&bans->ban[i], now_ms));
        fjson_object_array_add(array, ban);
    }
    fjson_object_object_add(object, "bans", array);
    format_print_json(object);
}

/* The latest end of a ban and of those that lie in it, which stand behind it. */
static int64_t
latest_end(const struct bans *bans, size_t at)
{
    int64_t until_ms = bans->ban[at].until_ms;

    for (size_t i = at + 1;
         i < bans->count && source_contains(&bans->ban[at].source, &bans->ban[i].source); i++)
        if (bans->ban[i].until_ms > until_ms)
            until_ms = bans->ban[i].until_ms;
    return until_ms;
}

/* An interval set takes nothing that lies in one of its prefixes. In the order of addresses what
 * lies in a prefix stands behind it; so that none gets in earlier, the prefix stays as long as the
 * longest of them. */
static void
print_nft_elements(const struct bans *bans, bool v4, int64_t now_ms)
{
    const struct source *wide = NULL;
    char text[SOURCE_TEXT_SIZE];

    for (size_t i = 0; i < bans->count; i++) {
        const struct source *const source = &bans->ban[i].source;
        struct ban latest = bans->ban[i];

        if (source_is_v4(source) != v4 || (wide != NULL && source_contains(wide, source)))
            continue;
        wide = source;
        latest.until_ms = latest_end(bans, i);
        printf("add element inet ombanmail_export %s { %s", v4 ? "banned4" : "banned6",
               source_print(source, text));
        if (latest.until_ms != TABLE_FOREVER_MS)
            printf(" timeout %" PRId64 "s", seconds_left(&latest, now_ms));
        puts(" }");
    }
}

static void
print_nft(const struct table *table, const struct bans *bans, int64_t now_ms)
{
    (void)table;
    puts("add table inet ombanmail_export\n"
         "delete table inet ombanmail_export\n"
         "add table inet ombanmail_export\n"
         "add set inet ombanmail_export banned4 { type ipv4_addr; flags interval, timeout; }\n"
         "add set inet ombanmail_export banned6 { type ipv6_addr; flags interval, timeout; }");
    print_nft_elements(bans, true, now_ms);
    print_nft_elements(bans, false, now_ms);
}

static void
print_ipset(const struct table *table, const struct bans *bans, int64_t now_ms)
{
    char text[SOURCE_TEXT_SIZE];

    (void)table;
    puts("create ombanmail4 hash:net family inet timeout 0 -exist\n"
         "create ombanmail6 hash:net family inet6 timeout 0 -exist");
    for (size_t i = 0; i < bans->count; i++) {
        const struct ban *const ban = &bans->ban[i];
        const int64_t most_s = 2147483; /* of ipset */
        int64_t left_s = ban->until_ms == TABLE_FOREVER_MS ? 0 : seconds_left(ban, now_ms);

        printf("add ombanmail%c %s timeout %" PRId64 " -exist\n",
               source_is_v4(&ban->source) ? '4' : '6', source_print(&ban->source, text),
               left_s > most_s ? most_s : left_s);
    }
}

static const struct {
    const char *name;
    void (*print)(const struct table *table, const struct bans *bans, int64_t now_ms);
} formats[] = {
    {"plain", print_plain},
    {"json", print_json},
    {"nft", print_nft},
    {"ipset", print_ipset},
};

/* ---- the command ---- */

int
export_main(const struct invocation *invocation)
{
    const char *const name = invocation->format ? invocation->format
                             : invocation->json ? "json"
                                                : "plain";
    const struct bans_wanted wanted = {.jail = invocation->jail, .class = -1, .is_here = true};
    const int64_t now_ms = banmailctl_now_ms();
    struct location place;
    const struct table *table;
    struct bans bans;
    size_t format = 0;
    char clean[64];
    int status;

    while (format < sizeof(formats) / sizeof(*formats) && strcmp(formats[format].name, name) != 0)
        format++;
    if (format == sizeof(formats) / sizeof(*formats))
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "--format: '%s' is not one of plain, json, nft and ipset",
                               format_clean(name, clean, sizeof(clean)));
    if (invocation->json && strcmp(name, "json") != 0)
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "--json and --format %s contradict each other; leave one out", name);
    if ((status = banmailctl_read(invocation, &place, &table)) != EXIT_FINE)
        return status;
    if (bans_read(table, now_ms, &bans) < 0) {
        table_close_reader(table);
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    }
    bans_select(table, &wanted, &bans);
    bans_sort(table, BANS_BY_ADDRESS, &bans);
    formats[format].print(table, &bans, now_ms);
    bans_free(&bans);
    table_close_reader(table);
    return EXIT_FINE;
}
