/* herald: see herald.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "control/herald.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "control/roster.h"
#include "fleet/members.h"
#include "fleet/pager.h"

#define HAND_REASON "manual"
#define IDLE_PAGES  (2U << PAGER_BITS_LEAST)

struct herald {
    pthread_mutex_t lock;
    const struct table *table;
    struct hosts *hosts; /* NULL: none is known */
    uint64_t table_id;
    uint32_t max_bans;
    int64_t now_ms; /* of the page that is being made */
    struct pager pager;
    struct pager_cursor cursor;
    unsigned empty_pages; /* in a row, while there is no ban */
    struct members *members;
    bool hurries;                   /* a cycle of pages that was asked for goes on: */
    struct pager_cursor hurried;    /* where that is, */
    char asked[TELEGRAM_NAME_SIZE]; /* and for whom; "": for all */
    unsigned next_pardon;
    struct telegram_ban pardons[HERALD_PARDONS]; /* until 0: none */
    struct telegram telegram;
};

struct herald *
herald_new(const struct table *table, const char *origin, struct hosts *hosts)
{
    struct herald *const herald = calloc(1, sizeof *herald);
    struct table_status status;

    if (herald == NULL)
        return NULL;
    herald->members = members_new(HERALD_MEMBERS);
    if (herald->members == NULL) {
        free(herald);
        return NULL;
    }
    pthread_mutex_init(&herald->lock, NULL);
    table_read_status(table, &status);
    herald->table = table;
    herald->hosts = hosts;
    herald->table_id = status.table_id;
    herald->max_bans = status.max_bans;
    memcpy(herald->telegram.origin, origin, strnlen(origin, TELEGRAM_NAME_SIZE - 1));
    pager_begin(&herald->pager, status.table_id);
    return herald;
}

void
herald_free(struct herald *herald)
{
    if (herald == NULL)
        return;
    pthread_mutex_destroy(&herald->lock);
    members_free(herald->members);
    free(herald);
}

/* ---- a ban of the table as others see it ---- */

/* Ours, and for all hosts or another one: *scope becomes which. */
static bool
is_for_others(const struct herald *herald, const struct ban *ban, char scope[TELEGRAM_NAME_SIZE])
{
    if (ban->table != 0 || ban->scope == TABLE_SCOPE_OWN)
        return false;
    strcpy(scope, TELEGRAM_SCOPE_FLEET);
    return ban->scope == TABLE_SCOPE_FLEET ||
           (herald->hosts != NULL && hosts_name(herald->hosts, ban->scope, scope));
}

static bool
is_live(const struct ban *ban)
{
    return ban->state == BAN_WANTED || ban->state == BAN_ENFORCED;
}

/* No ban begins after it is told, whatever somebody has done to the clock meanwhile. */
static struct telegram_ban
telegram_ban_of(const struct ban *ban, const struct jail *jail, const char *scope, int64_t now_ms)
{
    struct telegram_ban told = {
        .source = ban->source,
        .ports = jail->ports,
        .since_ms = ban->since_ms < now_ms ? ban->since_ms : now_ms,
        .until_ms = ban->until_ms,
        .change = ban->change,
    };

    strcpy(told.scope, scope);
    return told;
}

static void
tell_story(struct telegram_story *story, const struct ban *ban, const char *jail)
{
    *story = (struct telegram_story){.count = ban->failures};
    snprintf(story->jail, sizeof story->jail, "%s", jail);
    snprintf(story->reason, sizeof story->reason, "%s",
             ban->origin == BAN_BY_HAND ? HAND_REASON : offence_class_name(ban->class));
}

static int
print(struct herald *herald, int64_t now_ms, char text[TELEGRAM_TEXT_SIZE])
{
    int length;

    herald->telegram.table = herald->table_id;
    herald->telegram.sent_ms = now_ms;
    length = telegram_print(&herald->telegram, text, TELEGRAM_TEXT_SIZE);
    return length > 0 ? length : 0;
}

int
herald_tell(struct herald *herald, const struct ban *ban, int64_t now_ms,
            char text[TELEGRAM_TEXT_SIZE])
{
    char scope[TELEGRAM_NAME_SIZE];
    struct jail jail;
    int length;

    if (!is_for_others(herald, ban, scope) || ban->end == BAN_EXPIRED ||
        !table_read_jail(herald->table, ban->jail, &jail))
        return 0;
    pthread_mutex_lock(&herald->lock);
    herald->empty_pages = 0;
    herald->telegram.kind = is_live(ban) ? TELEGRAM_BAN : TELEGRAM_UNBAN;
    herald->telegram.ban = telegram_ban_of(ban, &jail, scope, now_ms);
    tell_story(&herald->telegram.story, ban, jail.name);
    length = print(herald, now_ms, text);
    pthread_mutex_unlock(&herald->lock);
    return length;
}

/* ---- pardons and pages ---- */

/* The table numbers its changes, and this is one. */
static uint64_t
change_of_table(const struct herald *herald)
{
    struct table_status status;

    table_read_status(herald->table, &status);
    return status.generation;
}

static struct telegram_ban *
find_pardon(struct herald *herald, const struct source *source)
{
    for (unsigned i = 0; i < HERALD_PARDONS; i++)
        if (herald->pardons[i].until_ms != 0 &&
            source_compare(&herald->pardons[i].source, source) == 0)
            return &herald->pardons[i];
    return NULL;
}

/* One for each source: that of an earlier one, or of the oldest. */
static struct telegram_ban *
place_for_pardon(struct herald *herald, const struct source *source)
{
    struct telegram_ban *const known = find_pardon(herald, source);

    return known != NULL ? known : &herald->pardons[herald->next_pardon++ % HERALD_PARDONS];
}

/* A late one takes nothing back of that which is known. */
static void
add_known(struct telegram_ban *pardon, const struct telegram_ban *known, int64_t now_ms)
{
    if (known->since_ms > pardon->since_ms && known->since_ms <= now_ms)
        pardon->since_ms = known->since_ms;
    if (known->until_ms > pardon->until_ms)
        pardon->until_ms = known->until_ms;
}

/* What no message can say must not stand on pages, which would not be sent either. */
static int
pardon(struct herald *herald, const struct source *source, int64_t since_ms, int64_t until_ms,
       int64_t now_ms, char text[TELEGRAM_TEXT_SIZE])
{
    const struct telegram_ban *const known = find_pardon(herald, source);
    int length;

    herald->telegram.kind = TELEGRAM_PARDON;
    herald->telegram.ban = (struct telegram_ban){
        .source = *source,
        .since_ms = since_ms,
        .until_ms = until_ms,
        .change = change_of_table(herald),
        .scope = TELEGRAM_SCOPE_FLEET,
    };
    if (known != NULL)
        add_known(&herald->telegram.ban, known, now_ms);
    herald->telegram.story = (struct telegram_story){.jail = "-", .reason = HAND_REASON};
    length = print(herald, now_ms, text);
    if (length > 0)
        *place_for_pardon(herald, source) = herald->telegram.ban;
    return length;
}

int
herald_pardon(struct herald *herald, const struct source *source, int64_t since_ms,
              int64_t until_ms, int64_t now_ms, char text[TELEGRAM_TEXT_SIZE])
{
    int length;

    pthread_mutex_lock(&herald->lock);
    herald->empty_pages = 0;
    length = pardon(herald, source, since_ms, until_ms, now_ms, text);
    pthread_mutex_unlock(&herald->lock);
    return length;
}

char *
herald_print_pardons(struct herald *herald, int64_t now_ms)
{
    char *text = NULL, source[SOURCE_TEXT_SIZE];
    size_t length;
    FILE *const file = open_memstream(&text, &length);

    if (file == NULL)
        return NULL;
    pthread_mutex_lock(&herald->lock);
    for (unsigned i = 0; i < HERALD_PARDONS; i++) {
        const struct telegram_ban *const pardon = &herald->pardons[i];

        if (pardon->until_ms > now_ms)
            fprintf(file, "%s %" PRId64 " %" PRId64 "\n", source_print(&pardon->source, source),
                    pardon->since_ms, pardon->until_ms);
    }
    pthread_mutex_unlock(&herald->lock);
    text_close(file, &text);
    return text;
}

static void
restore_pardon(struct herald *herald, const char *line, int64_t now_ms)
{
    struct telegram_ban pardon = {.change = change_of_table(herald), .scope = TELEGRAM_SCOPE_FLEET};
    const size_t length = strcspn(line, " ");

    if (source_parse_prefix(line, length, &pardon.source) == 0 &&
        source_is_client(&pardon.source) &&
        sscanf(line + length, " %" SCNd64 " %" SCNd64, &pardon.since_ms, &pardon.until_ms) == 2 &&
        pardon.since_ms >= 0 && pardon.since_ms <= now_ms && pardon.until_ms > now_ms)
        *place_for_pardon(herald, &pardon.source) = pardon;
}

void
herald_restore_pardons(struct herald *herald, const char *text, int64_t now_ms)
{
    pthread_mutex_lock(&herald->lock);
    for (const char *line = text; *line != '\0'; line += strspn(line, "\n")) {
        restore_pardon(herald, line, now_ms);
        line += strcspn(line, "\n");
    }
    pthread_mutex_unlock(&herald->lock);
}

static bool
read_ban(const void *context, size_t index, struct telegram_ban *told)
{
    const struct herald *const herald = context;
    char scope[TELEGRAM_NAME_SIZE];
    struct jail jail;
    struct ban ban;

    if (index >= herald->max_bans) {
        *told = herald->pardons[index - herald->max_bans];
        if (told->since_ms > herald->now_ms) /* the clock was set back */
            told->since_ms = herald->now_ms;
        return told->until_ms > herald->now_ms;
    }
    if (!table_read_ban(herald->table, (uint32_t)index, &ban) || !is_live(&ban) ||
        !is_for_others(herald, &ban, scope) || ban.until_ms <= herald->now_ms ||
        !table_read_jail(herald->table, ban.jail, &jail))
        return false;
    *told = telegram_ban_of(&ban, &jail, scope, herald->now_ms);
    return true;
}

/* The lock is held. */
static int
make_page(struct herald *herald, struct pager_cursor *cursor, int64_t now_ms,
          char text[TELEGRAM_TEXT_SIZE])
{
    const struct pager_bans bans = {(size_t)herald->max_bans + HERALD_PARDONS, read_ban, herald};
    const uint64_t change = change_of_table(herald);

    herald->now_ms = now_ms;
    return pager_next(&herald->pager, cursor, &bans, change, now_ms, &herald->telegram, text);
}

int
herald_page(struct herald *herald, int64_t now_ms, char text[TELEGRAM_TEXT_SIZE])
{
    int length;

    pthread_mutex_lock(&herald->lock);
    length = make_page(herald, &herald->cursor, now_ms, text);
    herald->empty_pages = herald->pager.live == 0 ? herald->empty_pages + 1 : 0;
    pthread_mutex_unlock(&herald->lock);
    return length;
}

bool
herald_is_idle(struct herald *herald)
{
    bool is_idle;

    pthread_mutex_lock(&herald->lock);
    is_idle = herald->empty_pages >= IDLE_PAGES;
    pthread_mutex_unlock(&herald->lock);
    return is_idle;
}

/* ---- hosts, and what they ask for ---- */

/* One cycle at a time: who asks meanwhile gets the next one. */
static int
hurry(struct herald *herald, int64_t now_ms, char text[TELEGRAM_TEXT_SIZE])
{
    int length;

    if (!herald->hurries) {
        herald->hurries = members_answer(herald->members, herald->asked) > 0;
        herald->hurried = (struct pager_cursor){0};
    }
    if (!herald->hurries)
        return 0;
    length = make_page(herald, &herald->hurried, now_ms, text);
    herald->hurries = !pager_is_done(&herald->hurried);
    return length;
}

int
herald_page_at_once(struct herald *herald, int64_t now_ms, char text[TELEGRAM_TEXT_SIZE],
                    char name[TELEGRAM_NAME_SIZE])
{
    int length;

    pthread_mutex_lock(&herald->lock);
    length = hurry(herald, now_ms, text);
    memcpy(name, herald->asked, sizeof herald->asked);
    pthread_mutex_unlock(&herald->lock);
    return length;
}

bool
herald_is_asked(struct herald *herald)
{
    bool is_asked;

    pthread_mutex_lock(&herald->lock);
    is_asked = herald->hurries || members_want(herald->members);
    pthread_mutex_unlock(&herald->lock);
    return is_asked;
}

int
herald_members(struct herald *herald, const struct source *addresses, unsigned count,
               int64_t now_ms, char text[TELEGRAM_TEXT_SIZE])
{
    struct telegram_members *const members = &herald->telegram.members;
    int length;

    if (count > TELEGRAM_MEMBERS_MAX)
        return 0;
    pthread_mutex_lock(&herald->lock);
    herald->telegram.kind = TELEGRAM_MEMBERS;
    members->address_count = count;
    memcpy(members->addresses, addresses, count * sizeof *addresses);
    length = print(herald, now_ms, text);
    pthread_mutex_unlock(&herald->lock);
    return length;
}

bool
herald_take_report(struct herald *herald, const struct source *peer, const struct telegram *report,
                   int64_t now_ms)
{
    bool asks;

    pthread_mutex_lock(&herald->lock);
    asks = members_take(herald->members, peer, report, herald->telegram.origin, &herald->pager,
                        now_ms);
    pthread_mutex_unlock(&herald->lock);
    return asks;
}

unsigned
herald_ask(struct herald *herald, const char *name)
{
    unsigned count;

    pthread_mutex_lock(&herald->lock);
    count = members_ask(herald->members, name);
    pthread_mutex_unlock(&herald->lock);
    return count;
}

char *
herald_roster(struct herald *herald, int64_t now_ms)
{
    char *text;

    pthread_mutex_lock(&herald->lock);
    text = roster_print(herald->members, herald->telegram.origin, herald->pager.live, now_ms);
    pthread_mutex_unlock(&herald->lock);
    return text;
}

unsigned
herald_addresses(struct herald *herald, int64_t now_ms, struct source *addresses, unsigned most)
{
    unsigned count;

    pthread_mutex_lock(&herald->lock);
    count = members_addresses(herald->members, now_ms, addresses, most);
    pthread_mutex_unlock(&herald->lock);
    return count;
}

bool
herald_clash(struct herald *herald, int64_t now_ms, char name[TELEGRAM_NAME_SIZE])
{
    bool clashes;

    pthread_mutex_lock(&herald->lock);
    clashes = members_clash(herald->members, herald->telegram.origin, now_ms, name);
    pthread_mutex_unlock(&herald->lock);
    return clashes;
}
