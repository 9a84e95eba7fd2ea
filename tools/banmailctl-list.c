/* list: the bans, one line each, oldest first, so that the newest stands above the prompt; or those
 * that were held back, or that jails would have made which only observe.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-bans.h"
#include "banmailctl-location.h"
#include "banmailctl-format.h"
#include "banmailctl-geo.h"
#include "banmailctl-scope.h"

enum { ADDRESS, ORIGIN, JAIL, CLASS, FAILURES, SINCE, LEFT, UNTIL, COLUMNS };

#define CELL_SIZE (JAIL_NAME_SIZE * 4)

typedef char row[COLUMNS][CELL_SIZE];

static const char *const headings[COLUMNS] = {"ADDRESS",  "FROM",  "JAIL", "CLASS",
                                              "FAILURES", "SINCE", "LEFT", "UNTIL"};

/* What is listed. */
struct kind {
    int (*read)(const struct table *table, int64_t now_ms, struct bans *bans);
    const char *member; /* of the JSON object */
    const char *nobody;
};

static const struct kind banned = {bans_read, "bans", "nobody is banned"};
static const struct kind held_back = {bans_read_spared, "heldBack", "nobody is held back"};
static const struct kind observed = {
    bans_read_observed, "observed",
    "no observing jail would have banned anybody; banmailctl status shows which jails observe"};

/* What all of the list has in common. */
struct listing {
    const struct table *table;
    const struct kind *kind;
    struct scopes *scopes;
    int64_t now_ms;
};

static void
fill_times(const struct listing *listing, const struct ban *ban, row cells)
{
    const int64_t now_ms = listing->now_ms;
    char text[FORMAT_STAMP_SIZE > FORMAT_SPAN_SIZE ? FORMAT_STAMP_SIZE : FORMAT_SPAN_SIZE];

    snprintf(cells[SINCE], CELL_SIZE, "%s", format_span(now_ms - ban->since_ms, text));
    strcpy(cells[LEFT], "-");
    if (listing->kind == &held_back) {
        strcpy(cells[UNTIL], "held back: banned with the next failure");
        return;
    }
    if (ban->until_ms == TABLE_FOREVER_MS) {
        strcpy(cells[UNTIL], "until it is lifted");
        return;
    }
    if (ban->until_ms > now_ms)
        snprintf(cells[LEFT], CELL_SIZE, "%s left", format_span(ban->until_ms - now_ms, text));
    else
        strcpy(cells[LEFT], "over");
    snprintf(cells[UNTIL], CELL_SIZE, "%s", format_stamp(ban->until_ms, text));
}

/* Where it is not for the whole fleet. */
static void
add_scope(const struct scopes *scopes, const struct ban *ban, char *cell)
{
    const size_t used = strlen(cell);
    char text[SCOPE_TEXT_SIZE];

    if (ban->scope != TABLE_SCOPE_FLEET)
        snprintf(cell + used, CELL_SIZE - used, "  on %s alone",
                 scope_text(scopes, ban->scope, text));
}

static void
fill_row(const struct listing *listing, const struct ban *ban, row cells)
{
    char maker[BANS_USER_SIZE + 16], origin[GEO_TEXT_SIZE];

    source_print(&ban->source, cells[ADDRESS]);
    geo_text(&ban->source, origin);
    snprintf(cells[ORIGIN], CELL_SIZE, "%.40s", origin);
    bans_jail_name(listing->table, ban, cells[JAIL]);
    snprintf(cells[FAILURES], CELL_SIZE, "%u", (unsigned)ban->failures);
    if (listing->kind == &held_back) {
        strcpy(cells[CLASS], "-");
    } else if (ban->origin == BAN_BY_HAND) {
        snprintf(cells[CLASS], CELL_SIZE, "%s", bans_by_hand(ban, maker));
        strcpy(cells[FAILURES], "-");
    } else {
        snprintf(cells[CLASS], CELL_SIZE, "%s", offence_class_name(ban->class));
    }
    fill_times(listing, ban, cells);
    add_scope(listing->scopes, ban, cells[UNTIL]);
    if (ban->state == BAN_WANTED)
        strncat(cells[UNTIL], "  not in the kernel yet", CELL_SIZE - strlen(cells[UNTIL]) - 1);
}

static void
widen(int width[COLUMNS], const row cells)
{
    for (int i = 0; i < COLUMNS; i++)
        if ((int)strlen(cells[i]) > width[i])
            width[i] = (int)strlen(cells[i]);
}

static void
print_row(const int width[COLUMNS], const row cells)
{
    for (int i = 0; i < COLUMNS - 1; i++)
        if (i != ORIGIN || geo_is_given())
            printf(i == FAILURES ? "%*s  " : "%-*s  ", width[i], cells[i]);
    puts(cells[COLUMNS - 1]);
}

/* The rows are made twice, once to measure: they are cheap, and 50,000 of them are no small
 * memory. */
static void
print_text(const struct listing *listing, const struct bans *bans)
{
    int width[COLUMNS] = {0};
    row cells;

    if (bans->count == 0) {
        puts(listing->kind->nobody);
        return;
    }
    for (int i = 0; i < COLUMNS; i++)
        strcpy(cells[i], headings[i]);
    widen(width, cells);
    for (size_t i = 0; i < bans->count; i++) {
        fill_row(listing, &bans->ban[i], cells);
        widen(width, cells);
    }
    for (int i = 0; i < COLUMNS; i++)
        strcpy(cells[i], headings[i]);
    fputs(format_colour(FORMAT_BOLD), stdout);
    print_row(width, cells);
    fputs(format_colour(FORMAT_PLAIN), stdout);
    for (size_t i = 0; i < bans->count; i++) {
        fill_row(listing, &bans->ban[i], cells);
        print_row(width, cells);
    }
}

static struct fjson_object *
ban_json(const struct listing *listing, const struct ban *ban)
{
    struct fjson_object *object = fjson_object_new_object();
    char source[SOURCE_TEXT_SIZE], jail[JAIL_NAME_SIZE * 4], scope[SCOPE_TEXT_SIZE];
    const int64_t now_ms = listing->now_ms;
    bool by_hand = ban->origin == BAN_BY_HAND;

    format_add_string(object, "source", source_print(&ban->source, source));
    geo_add(object, &ban->source);
    format_add_string(object, "by", by_hand ? "hand" : "jail");
    bans_add_maker(object, ban);
    format_add_string(object, "jail", bans_jail_name(listing->table, ban, jail));
    format_add_string(object, "scope", scope_text(listing->scopes, ban->scope, scope));
    if (by_hand || listing->kind == &held_back)
        fjson_object_object_add(object, "class", NULL);
    else
        format_add_string(object, "class", offence_class_name(ban->class));
    format_add_number(object, "failures", ban->failures);
    format_add_time(object, "first", ban->first_ms);
    format_add_time(object, "since", ban->since_ms);
    format_add_time(object, "until", ban->until_ms);
    if (ban->until_ms == TABLE_FOREVER_MS)
        fjson_object_object_add(object, "left", NULL);
    else
        format_add_number(object, "left",
                          ban->until_ms > now_ms ? (uint64_t)(ban->until_ms - now_ms) / 1000 : 0);
    format_add_bool(object, "enforced", ban->state == BAN_ENFORCED && bans_is_here(ban));
    return object;
}

static void
print_json(const struct listing *listing, const struct bans *bans)
{
    struct fjson_object *object = fjson_object_new_object(), *array = fjson_object_new_array();

    for (size_t i = 0; i < bans->count; i++)
        fjson_object_array_add(array, ban_json(listing, &bans->ban[i]));
    fjson_object_object_add(object, listing->kind->member, array);
    format_print_json(object);
}

/* What was asked for, of those that are read. Returns whether that leaves nobody of some. */
static bool
take_wanted(const struct invocation *invocation, const struct table *table,
            const struct source *source, int64_t now_ms, struct bans *bans)
{
    const struct bans_wanted wanted = {
        .source = source,
        .jail = invocation->jail,
        .class = invocation->class,
        .until_ms = invocation->left_s > 0 ? now_ms + invocation->left_s * 1000 : 0,
    };

    const size_t all = bans->count;

    bans_select(table, &wanted, bans);
    bans_sort(table, invocation->order, bans);
    return bans->count == 0 && all > 0;
}

static const struct kind *
kind_of(const struct invocation *invocation)
{
    if (invocation->observed)
        return &observed;
    return invocation->held_back ? &held_back : &banned;
}

int
list_main(const struct invocation *invocation)
{
    struct listing listing = {.kind = kind_of(invocation), .now_ms = banmailctl_now_ms()};
    struct source source, *of = NULL;
    struct location place;
    const struct table *table;
    struct bans bans;
    char reason[512];
    int status;

    if (invocation->count > 0) {
        of = &source;
        if (format_parse_source(invocation->words[0], of, reason, sizeof(reason)) < 0)
            return banmailctl_fail(invocation, EXIT_USAGE, "%s", reason);
    }
    if (invocation->observed && invocation->held_back)
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "--observed and --held-back are two lists; ask for one of them");
    if ((status = banmailctl_read(invocation, &place, &table)) != EXIT_FINE)
        return status;
    if (listing.kind->read(table, listing.now_ms, &bans) < 0) {
        table_close_reader(table);
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    }
    listing.table = table;
    listing.scopes = scopes_read(table);
    if (take_wanted(invocation, table, of, listing.now_ms, &bans) && !invocation->json)
        puts("no ban matches that");
    else
        (invocation->json ? print_json : print_text)(&listing, &bans);
    scopes_free(listing.scopes);
    bans_free(&bans);
    table_close_reader(table);
    return EXIT_FINE;
}
