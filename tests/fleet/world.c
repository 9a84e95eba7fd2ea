/* world: see world.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_STEPS 450
#define ADDRESSES  240 /* that clients come from */
#define BEGIN_MS   INT64_C(1767225600000)

/* ---- chance ---- */

static uint64_t
draw(struct world *world)
{
    uint64_t bits = world->random += UINT64_C(0x9e3779b97f4a7c15);

    bits = (bits ^ bits >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ bits >> 27) * UINT64_C(0x94d049bb133111eb);
    return bits ^ bits >> 31;
}

static uint64_t
below(struct world *world, uint64_t bound)
{
    return bound == 0 ? 0 : draw(world) % bound;
}

static bool
happens(struct world *world, uint64_t times, uint64_t of)
{
    return below(world, of) < times;
}

/* ---- the network ---- */

struct letter {
    struct letter *next;
    int64_t arrives_ms;
    struct server *to;
    struct text *text;
};

/* Of all copies of a message. */
struct text {
    unsigned letters, epoch;
    struct telegram telegram;
};

static int64_t
way(struct world *world)
{
    const int64_t usual_ms = 5 + (int64_t)below(world, 200);

    if (world->is_quiet || !happens(world, 30, 100))
        return usual_ms;
    return usual_ms + (int64_t)below(world, (uint64_t)world->traits.delay_ms);
}

static void
post_one(struct world *world, struct server *to, struct text *text)
{
    struct letter **at = &world->letters, *const letter = malloc(sizeof *letter);

    *letter = (struct letter){.arrives_ms = world->now_ms + way(world), .to = to, .text = text};
    text->letters++;
    while (*at != NULL && (*at)->arrives_ms <= letter->arrives_ms)
        at = &(*at)->next;
    letter->next = *at;
    *at = letter;
}

static void
destroy(struct letter *letter)
{
    if (--letter->text->letters == 0)
        free(letter->text);
    free(letter);
}

/* To every server, the sender too: messages may come back. */
static void
post(struct world *world, const struct server *from, const struct telegram *telegram)
{
    struct text *const text = malloc(sizeof *text);

    text->letters = 0;
    text->epoch = from->epoch;
    memcpy(&text->telegram, telegram, sizeof *telegram);
    for (unsigned i = 0; i < world->server_count; i++) {
        if (!world->is_quiet && happens(world, world->traits.loss, 100))
            continue;
        post_one(world, &world->servers[i], text);
        if (!world->is_quiet && happens(world, world->traits.repeat, 100))
            post_one(world, &world->servers[i], text);
    }
    if (text->letters == 0)
        free(text);
}

/* ---- what a server has in force of others ---- */

static int64_t
local(const struct world *world, const struct server *server)
{
    return world->now_ms + server->clock_ms;
}

static struct applied *
find_applied(struct server *server, const struct order *order)
{
    for (unsigned i = 0; i < server->applied_count; i++) {
        const struct order *const ban = &server->applied[i].ban;

        if (source_compare(&ban->source, &order->source) == 0 &&
            strcmp(ban->origin, order->origin) == 0 && ports_are_same(&ban->ports, &order->ports) &&
            ban->is_host == order->is_host)
            return &server->applied[i];
    }
    return NULL;
}

static void
remove_applied(struct server *server, struct applied *applied)
{
    *applied = server->applied[--server->applied_count];
}

static void obey_pardon(struct world *world, struct server *server, const struct order *order);

static void
carry_out(struct world *world, struct server *server, const struct order *order)
{
    struct applied *const applied = find_applied(server, order);

    judge_order(world, server, order, applied == NULL);
    if (order->kind == ORDER_PARDON)
        obey_pardon(world, server, order);
    else if (order->kind == ORDER_LIFT && applied != NULL)
        remove_applied(server, applied);
    else if (order->kind == ORDER_BAN && applied != NULL)
        applied->ban = *order;
    else if (order->kind == ORDER_BAN && server->applied_count < APPLIED_MAX)
        server->applied[server->applied_count++].ban = *order;
}

/* The kernel lets what has run out go by itself. */
static void
run_out(struct world *world, struct server *server)
{
    for (unsigned i = server->applied_count; i-- > 0;)
        if (server->applied[i].ban.end_ms <= local(world, server))
            remove_applied(server, &server->applied[i]);
}

static void
carry_out_all(struct world *world, struct server *server, const struct orders *orders)
{
    for (unsigned i = 0; i < orders->count; i++)
        carry_out(world, server, &orders->at[i]);
}

static void
receive(struct world *world, struct server *server, struct text *message)
{
    struct telegram *const telegram = &message->telegram;
    static char text[TELEGRAM_TEXT_SIZE];
    static struct orders orders;
    enum merge_outcome outcome;
    int length;

    if (world->traits.texts) {
        length = telegram_print(telegram, text, sizeof text);
        if (length < 0 || telegram_read(text, (size_t)length, telegram) != 0) {
            judge_object(world, "a message does not come through its text: %d %.200s", length,
                         length < 0 ? "" : text);
            return;
        }
    }
    outcome = merge_take(server->merge, telegram, &server->limits, local(world, server), &orders);
    judge_message(world, server, telegram, message->epoch, outcome, &orders);
    carry_out_all(world, server, &orders);
}

static void
deliver(struct world *world)
{
    struct letter *letter;

    while ((letter = world->letters) != NULL && letter->arrives_ms <= world->now_ms) {
        world->letters = letter->next;
        receive(world, letter->to, letter->text);
        destroy(letter);
    }
}

/* ---- a centre's own bans ---- */

static void
tell(struct world *world, struct server *centre, enum telegram_kind kind,
     const struct telegram_ban *ban)
{
    static struct telegram telegram; /* its hosts stay none */

    telegram.kind = kind;
    strcpy(telegram.origin, centre->name);
    telegram.table = centre->table;
    telegram.sent_ms = local(world, centre);
    telegram.ban = *ban;
    strcpy(telegram.story.jail, "auth");
    strcpy(telegram.story.reason, "auth_failed");
    post(world, centre, &telegram);
}

static struct telegram_ban *
find_own(struct server *centre, const struct telegram_ban *ban)
{
    for (unsigned i = 0; i < centre->own_count; i++) {
        struct telegram_ban *const own = &centre->own[i];

        if (own->until_ms != 0 && source_compare(&own->source, &ban->source) == 0 &&
            ports_are_same(&own->ports, &ban->ports) && strcmp(own->scope, ban->scope) == 0)
            return own;
    }
    return NULL;
}

static void
enter_own(struct server *centre, const struct telegram_ban *ban)
{
    for (unsigned i = 0; i < centre->own_count; i++) {
        if (centre->own[i].until_ms == 0) {
            centre->own[i] = *ban;
            return;
        }
    }
    if (centre->own_count < OWN_MAX)
        centre->own[centre->own_count++] = *ban;
}

static void
parse(const char *text, struct source *source)
{
    source_parse_prefix(text, strlen(text), source);
}

/* Most are clients; some nobody may ban; those of a mad centre are anything. */
static struct source
some_source(struct world *world, bool is_mad)
{
    static const char *const forbidden[] = {"10.1.2.3", "172.17.0.1",  "192.0.2.1",  "192.0.2.2",
                                            "fd00::1",  "100.64.1.1",  "64.0.0.0/2", "12.0.0.0/8",
                                            "2000::/3", "192.0.2.0/24"};
    const unsigned number = (unsigned)below(world, is_mad ? 60000 : ADDRESSES);
    struct source source;
    char text[64];

    if (happens(world, is_mad ? 30 : 2, 100))
        snprintf(text, sizeof text, "%s",
                 forbidden[below(world, sizeof forbidden / sizeof forbidden[0])]);
    else if (number % 4 == 0)
        snprintf(text, sizeof text, "2001:db8:%x::/64", number);
    else if (number % 17 == 0)
        snprintf(text, sizeof text, "203.%u.%u.0/24", number / 256, number % 256);
    else
        snprintf(text, sizeof text, "203.%u.%u.%u", number / 256 % 256, number % 256,
                 number % 3 + 1);
    parse(text, &source);
    return source;
}

static void
some_ban(struct world *world, struct server *centre, bool is_mad)
{
    const int64_t now_ms = local(world, centre);
    struct telegram_ban ban = {.source = some_source(world, is_mad), .since_ms = now_ms}, *own;

    ban.ports = ports_mail();
    if (happens(world, 20, 100))
        ports_add((ban.ports = (struct ports){0}, &ban.ports), "25");
    strcpy(ban.scope, happens(world, 15, 100) ? world->servers[CENTRES + below(world, HOSTS)].name
                                              : TELEGRAM_SCOPE_FLEET);
    ban.until_ms =
        now_ms + (happens(world, 1, 3) ? 600000 : HOUR_MS * (1 + (int64_t)below(world, 8)));
    if (is_mad && happens(world, 1, 3))
        ban.until_ms = TELEGRAM_FOREVER_MS;
    ban.change = ++centre->change;
    own = find_own(centre, &ban);
    if (own != NULL && own->until_ms > ban.until_ms)
        return;
    if (own != NULL) {
        ban.since_ms = own->since_ms;
        *own = ban;
    } else {
        enter_own(centre, &ban);
    }
    tell(world, centre, TELEGRAM_BAN, &ban);
}

static void
lift_own(struct world *world, struct server *centre, struct telegram_ban *own)
{
    own->change = ++centre->change;
    tell(world, centre, TELEGRAM_UNBAN, own);
    own->until_ms = 0;
}

static struct telegram_ban *
some_own(struct world *world, struct server *centre)
{
    struct telegram_ban *const own =
        centre->own_count == 0 ? NULL : &centre->own[below(world, centre->own_count)];

    return own == NULL || own->until_ms == 0 || own->ports.count == 0 ? NULL : own;
}

static bool
overlap(const struct source *a, const struct source *b)
{
    return source_contains(a, b) || source_contains(b, a);
}

/* Whatever this server has decided itself, and begun before. */
static void
obey_pardon(struct world *world, struct server *server, const struct order *order)
{
    for (unsigned i = 0; i < server->own_count; i++) {
        struct telegram_ban *const own = &server->own[i];

        if (own->until_ms != 0 && own->ports.count != 0 && overlap(&own->source, &order->source) &&
            own->since_ms <= order->since_ms)
            lift_own(world, server, own);
    }
}

static void
tell_merge(struct world *world, struct server *centre, const struct telegram_ban *pardon)
{
    static struct orders orders;

    merge_pardon(centre->merge, pardon, &centre->limits, local(world, centre), &orders);
    carry_out_all(world, centre, &orders);
}

static void
some_pardon(struct world *world, struct server *centre)
{
    const struct telegram_ban *const own = some_own(world, centre);
    struct telegram_ban pardon = {.scope = TELEGRAM_SCOPE_FLEET}, *known;

    if (own == NULL)
        return;
    pardon.source = own->source;
    pardon.since_ms = local(world, centre);
    pardon.until_ms = pardon.since_ms + 9 * HOUR_MS;
    pardon.change = ++centre->change;
    known = find_own(centre, &pardon);
    if (known != NULL)
        *known = pardon;
    else
        enter_own(centre, &pardon);
    tell_merge(world, centre, &pardon);
    tell(world, centre, TELEGRAM_PARDON, &pardon);
}

static bool
read_own(const void *context, size_t index, struct telegram_ban *ban)
{
    const struct server *const centre = context;

    *ban = centre->own[index];
    return ban->until_ms > centre->read_ms;
}

static void
send_page(struct world *world, struct server *centre)
{
    static struct telegram telegram;
    static char text[TELEGRAM_TEXT_SIZE];
    const struct pager_bans bans = {centre->own_count, read_own, centre};

    centre->read_ms = local(world, centre);
    strcpy(telegram.origin, centre->name);
    if (pager_next(&centre->pager, &centre->cursor, &bans, centre->change, local(world, centre),
                   &telegram, text) > 0)
        post(world, centre, &telegram);
}

/* ---- what befalls servers ---- */

static void
begin_merge(struct world *world, struct server *server)
{
    merge_free(server->merge);
    server->merge = merge_new(server->name, world->traits.capacity, draw(world));
    server->bans = server->lifts = (struct budget){0};
    for (unsigned i = 0; i < CENTRES; i++)
        memset(&server->told[i], 0, offsetof(struct told, of));
}

static void
tell_pardons(struct world *world, struct server *server)
{
    for (unsigned i = 0; i < server->own_count; i++)
        if (server->own[i].until_ms != 0 && server->own[i].ports.count == 0)
            tell_merge(world, server, &server->own[i]);
}

/* The process is new, and the table is as it was, or gone. */
static void
restart(struct world *world, struct server *server, bool keeps_table)
{
    begin_merge(world, server);
    if (!keeps_table) {
        server->applied_count = server->own_count = 0;
        server->table = draw(world) | 1;
        server->change = 0;
        server->epoch++;
    }
    for (unsigned i = server->applied_count; i-- > 0;)
        if (!merge_restore(server->merge, &server->applied[i].ban))
            remove_applied(server, &server->applied[i]);
    tell_pardons(world, server);
    if (server->is_centre) {
        pager_begin(&server->pager, server->table);
        server->cursor = (struct pager_cursor){0};
    }
}

static void
shift(int64_t *time_ms, int64_t by_ms)
{
    if (*time_ms != 0 && *time_ms != TELEGRAM_FOREVER_MS)
        *time_ms += by_ms;
}

/* Set back, a table lets its own bans keep the time they had left, and leaves those of others to
 * the merge; set ahead, it does nothing. */
static void
set_clock(struct world *world, struct server *server, int64_t clock_ms)
{
    const int64_t by_ms = clock_ms - server->clock_ms;

    server->clock_ms = clock_ms;
    server->bans = server->lifts = (struct budget){0};
    for (unsigned i = 0; by_ms < 0 && i < server->own_count; i++) {
        shift(&server->own[i].since_ms, by_ms);
        shift(&server->own[i].until_ms, by_ms);
    }
    tell_pardons(world, server);
}

/* Right to some seconds, or wrong by up to an hour. */
static int64_t
some_clock(struct world *world)
{
    if (happens(world, 1, 2))
        return (int64_t)below(world, 20000) - 10000;
    return (int64_t)below(world, 2 * HOUR_MS) - HOUR_MS;
}

static void
befall(struct world *world, struct server *server)
{
    if (happens(world, world->traits.restarts, 10000))
        restart(world, server, happens(world, 2, 3));
    if (happens(world, world->traits.clock_sets, 10000))
        set_clock(world, server, some_clock(world));
}

static bool
is_mad(const struct world *world, const struct server *server, unsigned step)
{
    return world->traits.mad && server == &world->servers[0] && step > BUSY_STEPS / 4 &&
           step < BUSY_STEPS / 2;
}

static void
decide(struct world *world, struct server *centre, unsigned step)
{
    struct telegram_ban *own;

    for (unsigned i = 0; i < 30 && is_mad(world, centre, step); i++)
        some_ban(world, centre, true);
    for (unsigned i = 0; i < centre->own_count && is_mad(world, centre, step + 1) &&
                         !is_mad(world, centre, step + 2);
         i++)
        if (centre->own[i].until_ms != 0 && centre->own[i].ports.count != 0)
            lift_own(world, centre, &centre->own[i]);
    if (world->traits.mad && centre == &world->servers[0] && step == BUSY_STEPS / 2)
        restart(world, centre, false);
    if (happens(world, 50, 100))
        some_ban(world, centre, false);
    if (happens(world, 12, 100) && (own = some_own(world, centre)) != NULL)
        lift_own(world, centre, own);
    if (happens(world, 2, 100))
        some_pardon(world, centre);
}

/* ---- its course ---- */

static void
draw_traits(struct world *world)
{
    struct traits *const traits = &world->traits;

    *traits = (struct traits){
        .centres = 1 + (unsigned)below(world, 2),
        .loss = (unsigned)below(world, 3) * 10,
        .repeat = (unsigned)below(world, 3) * 10,
        .delay_ms = (int64_t)below(world, 4) * 100000,
        .restarts = (unsigned)below(world, 3) * 15,
        .clock_sets = (unsigned)below(world, 2) * 20,
        .wrong_clocks = happens(world, 1, 3),
        .mad = happens(world, 1, 8),
        .texts = happens(world, 1, 16),
        .capacity = happens(world, 1, 4) ? 700 : 1024,
        .most_bans = happens(world, 1, 8) ? 40 : 300,
        .bans_a_minute = happens(world, 1, 6) ? 8 : 20000,
        .longest_ms = happens(world, 1, 4) ? HOUR_MS : 24 * HOUR_MS,
    };
}

static void
begin_server(struct world *world, struct server *server, unsigned number)
{
    server->is_centre = number < CENTRES;
    snprintf(server->name, sizeof server->name, "%s%u", server->is_centre ? "centre" : "mx",
             server->is_centre ? number + 1 : number - CENTRES + 1);
    limits_set_default(&server->limits, world->traits.capacity);
    server->limits.most_bans = world->traits.most_bans;
    server->limits.bans_a_minute = world->traits.bans_a_minute;
    server->limits.longest_ms = world->traits.longest_ms;
    server->limits.members = world->members;
    if (world->traits.wrong_clocks)
        server->clock_ms = some_clock(world);
    restart(world, server, false);
}

static struct world *
begin(uint64_t seed)
{
    struct world *const world = calloc(1, sizeof *world);

    world->seed = world->random = seed;
    world->now_ms = BEGIN_MS;
    world->server_count = SERVERS;
    draw_traits(world);
    world->members = allow_new();
    allow_add(world->members, "192.0.2.1", 9);
    allow_add(world->members, "192.0.2.2", 9);
    allow_seal(world->members);
    for (unsigned i = 0; i < world->server_count; i++)
        begin_server(world, &world->servers[i], i);
    return world;
}

static void
step(struct world *world, unsigned number)
{
    world->now_ms += STEP_MS;
    for (unsigned i = 0; i < world->server_count; i++) {
        struct server *const server = &world->servers[i];

        run_out(world, server);
        if (!world->is_quiet)
            befall(world, server);
        if (i >= world->traits.centres)
            continue;
        if (!world->is_quiet)
            decide(world, server, number);
        send_page(world, server);
    }
    deliver(world);
}

/* As long as messages may be late, clocks are watched, and three cycles of pages take. */
static unsigned
quiet_steps(const struct world *world)
{
    int64_t ms = world->traits.delay_ms + 11 * 60000;

    if (world->traits.bans_a_minute < 1000)
        ms += 30 * 60000;
    return (unsigned)(ms / STEP_MS) + (3U << PAGER_BITS_LEAST);
}

struct world *
world_run(uint64_t seed)
{
    struct world *const world = begin(seed);
    unsigned steps;

    for (unsigned i = 0; i < BUSY_STEPS && world->why[0] == '\0'; i++)
        step(world, i);
    world->is_quiet = true;
    steps = quiet_steps(world);
    for (unsigned i = 0; i < steps && world->why[0] == '\0'; i++)
        step(world, BUSY_STEPS + i);
    world->now_ms += 300;
    deliver(world);
    for (unsigned i = 0; i < world->server_count; i++)
        run_out(world, &world->servers[i]);
    judge_end(world);
    return world;
}

void
world_free(struct world *world)
{
    struct letter *letter;

    while ((letter = world->letters) != NULL) {
        world->letters = letter->next;
        destroy(letter);
    }
    for (unsigned i = 0; i < world->server_count; i++)
        merge_free(world->servers[i].merge);
    allow_free(world->members);
    free(world);
}
