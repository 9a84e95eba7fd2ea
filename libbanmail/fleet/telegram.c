/* telegram: see telegram.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/telegram.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <json.h>

#include "base/object.h"

#define LAST_MS     INT64_C(253402300799999) /* the end of the year 9999 */
#define LAST_CHANGE (INT64_C(1) << 62)
#define HEX_SIZE    sizeof("0123456789abcdef")

static const char *const kind_names[] = {
    [TELEGRAM_BAN] = "ban",   [TELEGRAM_UNBAN] = "unban",   [TELEGRAM_PARDON] = "pardon",
    [TELEGRAM_PAGE] = "page", [TELEGRAM_REPORT] = "report", [TELEGRAM_MEMBERS] = "members",
};

/* ---- what is true of a telegram in either direction ---- */

/* Letters, digits and .-_:+~ alone: nothing of it has to be escaped. */
static bool
is_word(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  ".-_:+~";

    return text[0] != '\0' && text[strspn(text, allowed)] == '\0';
}

static bool
is_time(int64_t ms)
{
    return ms >= 0 && ms <= LAST_MS;
}

static bool
is_change(uint64_t change)
{
    return change <= (uint64_t)LAST_CHANGE;
}

static bool
is_sound_ban(const struct telegram_ban *ban, bool is_pardon, int64_t sent_ms)
{
    return source_is_client(&ban->source) && is_word(ban->scope) && is_change(ban->change) &&
           (is_pardon ? ban->ports.count == 0 : ports_are_valid(&ban->ports)) &&
           is_time(ban->since_ms) && ban->since_ms <= sent_ms && ban->since_ms < ban->until_ms &&
           (ban->until_ms == TELEGRAM_FOREVER_MS || is_time(ban->until_ms));
}

static bool
is_sound_story(const struct telegram_story *story)
{
    for (unsigned i = 0; i < story->host_count; i++)
        if (!is_word(story->hosts[i]))
            return false;
    return story->host_count <= TELEGRAM_HOSTS_MAX && story->count <= INT32_MAX &&
           is_word(story->jail) && is_word(story->reason);
}

static bool
is_sound_page(const struct telegram_page *page, int64_t sent_ms)
{
    if (page->pages == 0 || page->pages > TELEGRAM_PAGES_MAX ||
        (page->pages & (page->pages - 1)) != 0 || page->page >= page->pages ||
        page->ban_count > TELEGRAM_BANS_MAX || !is_change(page->change))
        return false;
    for (unsigned i = 0; i < page->ban_count; i++)
        if (!is_sound_ban(&page->bans[i], page->bans[i].ports.count == 0, sent_ms))
            return false;
    return true;
}

static bool
is_sound_report(const struct telegram_report *report)
{
    if (!is_word(report->version) || report->address_count > TELEGRAM_ADDRESSES_MAX ||
        report->hold_count > TELEGRAM_HOLDS_MAX || !is_change(report->refused))
        return false;
    for (unsigned i = 0; i < report->hold_count; i++) {
        const struct telegram_holding *const hold = &report->holds[i];

        if (!is_word(hold->origin) || !is_change(hold->change) || hold->count > INT32_MAX ||
            hold->behind_ms < -LAST_MS || hold->behind_ms > LAST_MS)
            return false;
    }
    return true;
}

static bool
are_sound_members(const struct telegram_members *members)
{
    if (members->address_count > TELEGRAM_MEMBERS_MAX)
        return false;
    for (unsigned i = 0; i < members->address_count; i++)
        if (members->addresses[i].prefix != SOURCE_HOST_PREFIX ||
            !source_is_client(&members->addresses[i]))
            return false;
    return true;
}

static bool
is_sound(const struct telegram *telegram)
{
    if (!is_word(telegram->origin) || !is_time(telegram->sent_ms) || telegram->table == 0)
        return false;
    if (telegram->kind == TELEGRAM_PAGE)
        return is_sound_page(&telegram->page, telegram->sent_ms);
    if (telegram->kind == TELEGRAM_REPORT)
        return is_sound_report(&telegram->report);
    if (telegram->kind == TELEGRAM_MEMBERS)
        return are_sound_members(&telegram->members);
    return is_sound_ban(&telegram->ban, telegram->kind == TELEGRAM_PARDON, telegram->sent_ms) &&
           is_sound_story(&telegram->story);
}

/* ---- printing ---- */

struct writer {
    char *text;
    size_t size, used; /* used reaches size where there was no room */
};

__attribute__((format(printf, 2, 3))) static void
put(struct writer *writer, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(writer->text + writer->used, writer->size - writer->used, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= writer->size - writer->used)
        writer->used = writer->size;
    else
        writer->used += (size_t)length;
}

static void
put_until(struct writer *writer, int64_t until_ms)
{
    if (until_ms == TELEGRAM_FOREVER_MS)
        put(writer, "null");
    else
        put(writer, "%" PRId64, until_ms);
}

static void
put_ban(struct writer *writer, const struct telegram_ban *ban, const struct telegram_story *story)
{
    char source[SOURCE_TEXT_SIZE], ports[PORTS_TEXT_SIZE];

    put(writer, ",\"source\":\"%s\",\"ports\":", source_print(&ban->source, source));
    if (ban->ports.count == 0)
        put(writer, "null");
    else
        put(writer, "\"%s\"", ports_print(&ban->ports, ",", ports));
    put(writer, ",\"scope\":\"%s\",\"since\":%" PRId64 ",\"until\":", ban->scope, ban->since_ms);
    put_until(writer, ban->until_ms);
    put(writer,
        ",\"change\":%" PRIu64 ",\"jail\":\"%s\",\"reason\":\"%s\",\"count\":%u,\"hosts\":[",
        ban->change, story->jail, story->reason, story->count);
    for (unsigned i = 0; i < story->host_count; i++)
        put(writer, "%s\"%s\"", i == 0 ? "" : ",", story->hosts[i]);
    put(writer, "]");
}

/* The ports of a page's bans, each list once. Returns how many, or -ENOSPC. */
static int
collect_lists(const struct telegram_page *page, const struct ports *lists[TELEGRAM_LISTS_MAX],
              uint8_t list_of[TELEGRAM_BANS_MAX])
{
    unsigned count = 0, at;

    for (unsigned i = 0; i < page->ban_count; i++) {
        if (page->bans[i].ports.count == 0)
            continue;
        for (at = 0; at < count && !ports_are_same(lists[at], &page->bans[i].ports); at++)
            ;
        if (at == TELEGRAM_LISTS_MAX)
            return -ENOSPC;
        if (at == count)
            lists[count++] = &page->bans[i].ports;
        list_of[i] = (uint8_t)at;
    }
    return (int)count;
}

static void
put_page_ban(struct writer *writer, const struct telegram_ban *ban, unsigned list)
{
    char source[SOURCE_TEXT_SIZE];

    put(writer, "[\"%s\",", source_print(&ban->source, source));
    if (ban->ports.count == 0)
        put(writer, "null");
    else
        put(writer, "%u", list);
    put(writer, ",%" PRId64 ",", ban->since_ms);
    put_until(writer, ban->until_ms);
    put(writer, ",%" PRIu64, ban->change);
    if (strcmp(ban->scope, TELEGRAM_SCOPE_FLEET) != 0)
        put(writer, ",\"%s\"", ban->scope);
    put(writer, "]");
}

static void
put_page(struct writer *writer, const struct telegram_page *page)
{
    const struct ports *lists[TELEGRAM_LISTS_MAX];
    uint8_t list_of[TELEGRAM_BANS_MAX] = {0};
    const int count = collect_lists(page, lists, list_of);
    char ports[PORTS_TEXT_SIZE];

    if (count < 0)
        writer->used = writer->size;
    put(writer, ",\"change\":%" PRIu64 ",\"page\":%u,\"pages\":%u,\"lists\":[", page->change,
        page->page, page->pages);
    for (int i = 0; i < count; i++)
        put(writer, "%s\"%s\"", i == 0 ? "" : ",", ports_print(lists[i], ",", ports));
    put(writer, "],\"bans\":[");
    for (unsigned i = 0; i < page->ban_count; i++) {
        put(writer, "%s", i == 0 ? "" : ",");
        put_page_ban(writer, &page->bans[i], list_of[i]);
    }
    put(writer, "]");
}

static void
put_addresses(struct writer *writer, const struct source *addresses, unsigned count)
{
    char source[SOURCE_TEXT_SIZE];

    put(writer, ",\"addresses\":[");
    for (unsigned i = 0; i < count; i++)
        put(writer, "%s\"%s\"", i == 0 ? "" : ",", source_print(&addresses[i], source));
    put(writer, "]");
}

static void
put_report(struct writer *writer, const struct telegram_report *report)
{
    put(writer, ",\"version\":\"%s\"", report->version);
    put_addresses(writer, report->addresses, report->address_count);
    put(writer, ",\"refused\":%" PRIu64 ",\"holds\":[", report->refused);
    for (unsigned i = 0; i < report->hold_count; i++) {
        const struct telegram_holding *const hold = &report->holds[i];

        put(writer, "%s[\"%s\",\"%016" PRIx64 "\",%" PRIu64 ",%u,\"%016" PRIx64 "\",%" PRId64 "]",
            i == 0 ? "" : ",", hold->origin, hold->table, hold->change, hold->count, hold->digest,
            hold->behind_ms);
    }
    put(writer, "]");
}

int
telegram_print(const struct telegram *telegram, char *text, size_t size)
{
    struct writer writer = {text, size, 0};

    if (!is_sound(telegram))
        return -EINVAL;
    put(&writer,
        "{\"event\":\"%s\",\"fleet\":%d,\"origin\":\"%s\",\"table\":\"%016" PRIx64
        "\",\"sent\":%" PRId64,
        kind_names[telegram->kind], TELEGRAM_VERSION, telegram->origin, telegram->table,
        telegram->sent_ms);
    if (telegram->kind == TELEGRAM_PAGE)
        put_page(&writer, &telegram->page);
    else if (telegram->kind == TELEGRAM_REPORT)
        put_report(&writer, &telegram->report);
    else if (telegram->kind == TELEGRAM_MEMBERS)
        put_addresses(&writer, telegram->members.addresses, telegram->members.address_count);
    else
        put_ban(&writer, &telegram->ban, &telegram->story);
    put(&writer, "}");
    return writer.used < writer.size && writer.used < TELEGRAM_TEXT_SIZE ? (int)writer.used
                                                                         : -ENOSPC;
}

/* ---- reading ---- */

static int
parse_hex(const char *text, uint64_t *number)
{
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return -EINVAL;
    return sscanf(text, "%16" SCNx64, number) == 1 ? 0 : -EINVAL;
}

/* Numbers in ascending order with commas between them, as ports_print writes them; nothing is
 * looked up. */
static int
parse_ports(const char *text, struct ports *ports)
{
    char again[PORTS_TEXT_SIZE];

    *ports = (struct ports){0};
    for (const char *at = text; ports->count < PORTS_MAX; at++) {
        unsigned long number = 0;
        const size_t digits = strspn(at, "0123456789");

        for (size_t i = 0; i < digits && i < 6; i++)
            number = number * 10 + (unsigned long)(at[i] - '0');
        if (digits == 0 || number > UINT16_MAX)
            return -EINVAL;
        ports->number[ports->count++] = (uint16_t)number;
        at += digits;
        if (*at != ',')
            break;
    }
    return ports_are_valid(ports) && strcmp(ports_print(ports, ",", again), text) == 0 ? 0
                                                                                       : -EINVAL;
}

static int
parse_source(const char *text, struct source *source)
{
    return source_parse_prefix(text, strlen(text), source);
}

static int
read_until(struct fjson_object *object, int64_t *until_ms)
{
    *until_ms = TELEGRAM_FOREVER_MS;
    return object_is_null(object, "until") ? 0
                                           : object_integer(object, "until", 0, LAST_MS, until_ms);
}

static int
read_ports(struct fjson_object *object, struct ports *ports)
{
    char text[PORTS_TEXT_SIZE];

    *ports = (struct ports){0};
    if (object_is_null(object, "ports"))
        return 0;
    return object_text(object, "ports", text, sizeof text) == 0 ? parse_ports(text, ports)
                                                                : -EINVAL;
}

static int
read_ban(struct fjson_object *object, struct telegram_ban *ban)
{
    char source[SOURCE_TEXT_SIZE];
    int64_t change;

    if (object_text(object, "source", source, sizeof source) != 0 ||
        parse_source(source, &ban->source) != 0 || read_ports(object, &ban->ports) != 0 ||
        object_text(object, "scope", ban->scope, sizeof ban->scope) != 0 ||
        object_integer(object, "since", 0, LAST_MS, &ban->since_ms) != 0 ||
        read_until(object, &ban->until_ms) != 0 ||
        object_integer(object, "change", 0, LAST_CHANGE, &change) != 0)
        return -EINVAL;
    ban->change = (uint64_t)change;
    return 0;
}

static int
read_story(struct fjson_object *object, struct telegram_story *story)
{
    struct fjson_object *list;
    int64_t number;
    size_t count;

    list = object_list(object, "hosts", TELEGRAM_HOSTS_MAX, &count);
    if (list == NULL || object_text(object, "jail", story->jail, sizeof story->jail) != 0 ||
        object_text(object, "reason", story->reason, sizeof story->reason) != 0 ||
        object_integer(object, "count", 0, INT32_MAX, &number) != 0)
        return -EINVAL;
    story->count = (uint32_t)number;
    story->host_count = (unsigned)count;
    for (size_t i = 0; i < count; i++)
        if (list_text(list, i, story->hosts[i], sizeof story->hosts[i]) != 0)
            return -EINVAL;
    return 0;
}

static int
read_lists(struct fjson_object *object, struct ports lists[TELEGRAM_LISTS_MAX], size_t *count)
{
    struct fjson_object *const list = object_list(object, "lists", TELEGRAM_LISTS_MAX, count);
    char text[PORTS_TEXT_SIZE];

    if (list == NULL)
        return -EINVAL;
    for (size_t i = 0; i < *count; i++)
        if (list_text(list, i, text, sizeof text) != 0 || parse_ports(text, &lists[i]) != 0)
            return -EINVAL;
    return 0;
}

/* One ban of a page: source, list, since, until, change, and perhaps its scope. */
static int
read_page_ban(struct fjson_object *list, size_t count, const struct ports *lists, size_t list_count,
              struct telegram_ban *ban)
{
    char source[SOURCE_TEXT_SIZE];
    int64_t number = 0, change;

    ban->ports = (struct ports){0};
    ban->until_ms = TELEGRAM_FOREVER_MS;
    strcpy(ban->scope, TELEGRAM_SCOPE_FLEET);
    if (list_text(list, 0, source, sizeof source) != 0 || parse_source(source, &ban->source) != 0 ||
        list_integer(list, 2, 0, LAST_MS, &ban->since_ms) != 0 ||
        (!list_is_null(list, 3) && list_integer(list, 3, 0, LAST_MS, &ban->until_ms) != 0) ||
        list_integer(list, 4, 0, LAST_CHANGE, &change) != 0 ||
        (count > 5 && list_text(list, 5, ban->scope, sizeof ban->scope) != 0))
        return -EINVAL;
    ban->change = (uint64_t)change;
    if (list_is_null(list, 1))
        return 0;
    if (list_integer(list, 1, 0, (int64_t)list_count - 1, &number) != 0)
        return -EINVAL;
    ban->ports = lists[number];
    return 0;
}

static int
read_page(struct fjson_object *object, struct telegram_page *page)
{
    struct ports lists[TELEGRAM_LISTS_MAX];
    struct fjson_object *bans, *ban;
    int64_t change, number, pages;
    size_t count, list_count, width;

    bans = object_list(object, "bans", TELEGRAM_BANS_MAX, &count);
    if (bans == NULL || read_lists(object, lists, &list_count) != 0 ||
        object_integer(object, "change", 0, LAST_CHANGE, &change) != 0 ||
        object_integer(object, "pages", 1, TELEGRAM_PAGES_MAX, &pages) != 0 ||
        object_integer(object, "page", 0, pages - 1, &number) != 0)
        return -EINVAL;
    page->change = (uint64_t)change;
    page->page = (uint32_t)number;
    page->pages = (uint32_t)pages;
    page->ban_count = (unsigned)count;
    for (size_t i = 0; i < count; i++) {
        ban = list_list(bans, i, 5, 6, &width);
        if (ban == NULL || read_page_ban(ban, width, lists, list_count, &page->bans[i]) != 0)
            return -EINVAL;
    }
    return 0;
}

static int
read_holding(struct fjson_object *list, struct telegram_holding *hold)
{
    char table[HEX_SIZE], digest[HEX_SIZE];
    int64_t change, count;

    if (list_text(list, 0, hold->origin, sizeof hold->origin) != 0 ||
        list_text(list, 1, table, sizeof table) != 0 || parse_hex(table, &hold->table) != 0 ||
        list_integer(list, 2, 0, LAST_CHANGE, &change) != 0 ||
        list_integer(list, 3, 0, INT32_MAX, &count) != 0 ||
        list_text(list, 4, digest, sizeof digest) != 0 || parse_hex(digest, &hold->digest) != 0 ||
        list_integer(list, 5, -LAST_MS, LAST_MS, &hold->behind_ms) != 0)
        return -EINVAL;
    hold->change = (uint64_t)change;
    hold->count = (uint32_t)count;
    return 0;
}

static int
read_addresses(struct fjson_object *object, size_t most, struct source *addresses,
               unsigned *address_count)
{
    char text[SOURCE_TEXT_SIZE];
    struct fjson_object *list;
    size_t count;

    list = object_list(object, "addresses", most, &count);
    if (list == NULL)
        return -EINVAL;
    *address_count = (unsigned)count;
    for (size_t i = 0; i < count; i++)
        if (list_text(list, i, text, sizeof text) != 0 || parse_source(text, &addresses[i]) != 0)
            return -EINVAL;
    return 0;
}

static int
read_report(struct fjson_object *object, struct telegram_report *report)
{
    struct fjson_object *list, *hold;
    size_t count, width;
    int64_t refused;

    list = object_list(object, "holds", TELEGRAM_HOLDS_MAX, &count);
    if (list == NULL ||
        read_addresses(object, TELEGRAM_ADDRESSES_MAX, report->addresses, &report->address_count) !=
            0 ||
        object_text(object, "version", report->version, sizeof report->version) != 0 ||
        object_integer(object, "refused", 0, LAST_CHANGE, &refused) != 0)
        return -EINVAL;
    report->refused = (uint64_t)refused;
    report->hold_count = (unsigned)count;
    for (size_t i = 0; i < count; i++) {
        hold = list_list(list, i, 6, 6, &width);
        if (hold == NULL || read_holding(hold, &report->holds[i]) != 0)
            return -EINVAL;
    }
    return 0;
}

static int
read_kind(struct fjson_object *object, enum telegram_kind *kind)
{
    char text[TELEGRAM_WORD_SIZE];

    if (object_text(object, "event", text, sizeof text) != 0)
        return -EINVAL;
    for (unsigned i = 0; i < sizeof kind_names / sizeof kind_names[0]; i++) {
        if (strcmp(kind_names[i], text) == 0) {
            *kind = (enum telegram_kind)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int
read_body(struct fjson_object *object, struct telegram *telegram)
{
    if (telegram->kind == TELEGRAM_PAGE)
        return read_page(object, &telegram->page);
    if (telegram->kind == TELEGRAM_REPORT)
        return read_report(object, &telegram->report);
    if (telegram->kind == TELEGRAM_MEMBERS)
        return read_addresses(object, TELEGRAM_MEMBERS_MAX, telegram->members.addresses,
                              &telegram->members.address_count);
    return read_ban(object, &telegram->ban) == 0 ? read_story(object, &telegram->story) : -EINVAL;
}

static int
read_telegram(struct fjson_object *object, struct telegram *telegram)
{
    char table[HEX_SIZE];
    int64_t version;

    if (object_integer(object, "fleet", 1, INT32_MAX, &version) != 0)
        return -EINVAL;
    if (version != TELEGRAM_VERSION)
        return -EPROTO;
    if (read_kind(object, &telegram->kind) != 0 ||
        object_text(object, "origin", telegram->origin, sizeof telegram->origin) != 0 ||
        object_text(object, "table", table, sizeof table) != 0 ||
        parse_hex(table, &telegram->table) != 0 ||
        object_integer(object, "sent", 0, LAST_MS, &telegram->sent_ms) != 0 ||
        read_body(object, telegram) != 0)
        return -EINVAL;
    return is_sound(telegram) ? 0 : -EINVAL;
}

int
telegram_read(const char *text, size_t length, struct telegram *telegram)
{
    struct fjson_object *object;
    int result;

    if (length >= TELEGRAM_TEXT_SIZE || (object = object_parse_strict(text, length)) == NULL)
        return -EINVAL;
    result = read_telegram(object, telegram);
    fjson_object_put(object);
    return result;
}
