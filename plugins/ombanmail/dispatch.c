/* dispatch: see dispatch.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json.h>

#include "dirty.h"
#include "errmsg.h"
#include "msg.h"
#include "rsconf.h"
#include "ruleset.h"
#include "unicode-helper.h"

#include "complaints.h"
#include "control/follower.h"
#include "control/herald.h"
#include "control/roster.h"
#include "delivery.h"
#include "dispatch.h"
#include "engine.h"
#include "fleet/fellows.h"

#define TAG              "ombanmail-fleet:"
#define SEVERITY         6 /* informational */
#define PAGE_MS          1000
#define AT_ONCE_MS       50    /* of pages that a host needs: 64 in three seconds */
#define IDLE_PAGE_MS     60000 /* where there has been no ban for two cycles */
#define REPORT_MS        60000
#define MEMBERS_MS       60000
#define ROSTER_MS        2000  /* the file is written so often at most, */
#define ROSTER_LAST_MS   30000 /* and as often when no host reports any more */
#define ADDRESSES_MOST   (HERALD_MEMBERS * 4)
#define SPARED_MOST      (ADDRESSES_MOST + FELLOWS_MAX)
#define NAMESAKE_LEAST   3 /* one or two may be late messages of a table that is lost */

#define PARDONS_MOST     64                /* that wait for the teller's thread */
#define PARDONS_A_MINUTE 100               /* of this server, and of all its hosts together */
#define PARDON_LEAST_MS  3600000           /* a pardon is told again for so long at least, */
#define PARDON_MOST_MS   (168 * 3600000LL) /* and at most: no ban of others is longer */

struct pardon {
    struct source source;
    int64_t since_ms, until_ms;
    bool is_of_host; /* who has told this centre, and its other ones, itself */
};

static struct {
    pthread_mutex_t lock;  /* of those who do not run on the teller's thread */
    struct herald *herald; /* NULL: nothing is sent */
    int64_t next_page_ms, next_at_once_ms, next_report_ms, next_members_ms;
    struct pardon pardons[PARDONS_MOST];
    _Atomic unsigned pardon_count;
    struct budget own_pardons, hosts_pardons;
    atomic_bool has_pardoned;         /* since that file was written */
    atomic_bool has_new_hosts;        /* likewise */
    atomic_bool are_hosts_unread;     /* their file could not be: nobody gets a number */
    char refused[TELEGRAM_NAME_SIZE]; /* a host that got no number; "": none */
    bool has_said_refused, has_said_unwritten;
    atomic_bool is_heard; /* a report has come since the file was written */
    int64_t written_ms;
} dispatch = {.lock = PTHREAD_MUTEX_INITIALIZER};

static ruleset_t *
find(const struct modConfData_s *configuration, const char *parameter, const char *name,
     const char *consequence)
{
    const char *reason;
    ruleset_t *found;

    if (configuration->is_refused || name == NULL)
        return NULL;
    found = delivery_find(configuration->pConf, name, &reason);
    if (found == NULL)
        LogError(0, RS_RET_PARAM_ERROR, "ombanmail: %s=\"%s\": %s; %s", parameter, name, reason,
                 consequence);
    return found;
}

static bool
has_action(const struct modConfData_s *configuration, bool is_of_members)
{
    for (const instanceData *at = configuration->instances; at != NULL; at = at->next)
        if (at->parameters.is_fleet && at->parameters.is_of_members == is_of_members)
            return true;
    return false;
}

static bool
any_is_per_host(const struct jails *declared)
{
    bool any = false;

    for (unsigned i = 0; declared != NULL && i < declared->count; i++)
        any |= declared->at[i].jail.is_per_host;
    return any;
}

static bool
counts_each_host(const struct modConfData_s *configuration)
{
    bool any = any_is_per_host(configuration->parameters.jails);

    for (const instanceData *at = configuration->instances; at != NULL; at = at->next)
        any |= at->parameters.has_jail && at->parameters.jail.is_per_host;
    return any;
}

static const char without_members[] =
    "scope=\"host\" counts all hosts as this server: it knows them by their reports, and no action "
    "takes these (fleet=\"members\", as in fleet-members.conf)";

const char *
dispatch_refuses(const struct modConfData_s *configuration, const struct jails *jails)
{
    return configuration->fleet_ruleset != NULL && any_is_per_host(jails) &&
                   !has_action(configuration, true)
               ? without_members
               : NULL;
}

/* What is there and comes to nothing has to be seen. */
static void
look_for_halves(const struct modConfData_s *configuration)
{
    const struct parameters *const parameters = &configuration->parameters;

    if (!configuration->is_refused && parameters->fleet_ruleset == NULL &&
        has_action(configuration, true))
        LogError(0, RS_RET_PARAM_ERROR,
                 "ombanmail: fleet=\"members\" takes no report, as this is no centre: fleetRuleset "
                 "names no ruleset");
    if (!configuration->is_refused && parameters->report_ruleset != NULL &&
        !has_action(configuration, false))
        LogError(0, RS_RET_PARAM_ERROR,
                 "ombanmail: reportRuleset has nothing to report, as no action has fleet=\"on\"");
    if (!configuration->is_refused && parameters->fleet_ruleset != NULL &&
        counts_each_host(configuration) && !has_action(configuration, true))
        LogError(0, RS_RET_PARAM_ERROR, "ombanmail: %s", without_members);
}

void
dispatch_check(struct modConfData_s *configuration)
{
    const struct parameters *const parameters = &configuration->parameters;

    look_for_halves(configuration);
    configuration->fleet_ruleset = find(configuration, "fleetRuleset", parameters->fleet_ruleset,
                                        "no other server is told of bans");
    configuration->report_ruleset = find(configuration, "reportRuleset", parameters->report_ruleset,
                                         "no centre hears what this host holds");
}

/* As a variable for this server's own rules, and as the MSGID, which goes on through a relay. It is
 * one word, as all names in reports are. */
static void
address_to(smsg_t *message, const char *host)
{
    msgAddJSON(message, UCHAR_CONSTANT("!ombanmail_host"), fjson_object_new_string(host), 0, 0);
    MsgSetMSGID(message, host);
}

/* `host`: the only one that it is for; "": it is for all. */
static void
submit(ruleset_t *target, const char *text, int length, const char *host)
{
    smsg_t *message;

    if (length <= 0 || !delivery_has_room(target) || msgConstruct(&message) != RS_RET_OK)
        return;
    delivery_fill(message, target, TAG, SEVERITY, text, (size_t)length);
    if (host[0] != '\0')
        address_to(message, host);
    submitMsg2(message); /* it is rsyslog's from here on */
}

static void
submit_to_hosts(const char *text, int length, const char *host)
{
    submit(engine.configuration->fleet_ruleset, text, length, host);
}

/* ---- on the teller's thread ---- */

static void
set_herald(struct herald *herald)
{
    struct herald *former;

    pthread_mutex_lock(&dispatch.lock);
    former = dispatch.herald;
    dispatch.herald = herald;
    pthread_mutex_unlock(&dispatch.lock);
    herald_free(former);
}

/* With the pardons of before. */
static struct herald *
begin_herald(void)
{
    struct herald *const herald = herald_new(engine.table, delivery_host(), engine.hosts);
    char *const text = herald == NULL ? NULL : complaints_read_roster(ROSTER_PARDONS);

    if (text != NULL)
        herald_restore_pardons(herald, text, engine_now_ms());
    free(text);
    return herald;
}

void
dispatch_begin(void)
{
    dispatch.next_report_ms = dispatch.next_members_ms = 0;
    if (engine.configuration->fleet_ruleset == NULL)
        return;
    set_herald(begin_herald());
    atomic_store(&dispatch.is_heard, true);
    if (dispatch.herald == NULL)
        LogError(ENOMEM, RS_RET_OUT_OF_MEMORY, "ombanmail: no other server is told of bans");
}

void
dispatch_end(void)
{
    set_herald(NULL);
}

bool
dispatch_has_bans(void)
{
    return table_unsent(engine.table) > 0 || atomic_load(&dispatch.pardon_count) > 0;
}

static bool
take_pardon(struct pardon *pardon)
{
    bool is_there;

    pthread_mutex_lock(&dispatch.lock);
    is_there = dispatch.pardon_count > 0;
    if (is_there)
        *pardon = dispatch.pardons[--dispatch.pardon_count];
    pthread_mutex_unlock(&dispatch.lock);
    return is_there;
}

/* To the hosts of this centre, and to the centres of this host; but what a host has told not to
 * those, or two centres that report to each other would tell it for ever. */
static void
send_pardon(const struct pardon *pardon)
{
    static char text[TELEGRAM_TEXT_SIZE];
    const int64_t now_ms = engine_now_ms();
    int length;

    if (dispatch.herald != NULL) {
        length = herald_pardon(dispatch.herald, &pardon->source, pardon->since_ms, pardon->until_ms,
                               now_ms, text);
        submit_to_hosts(text, length, "");
        atomic_store(&dispatch.has_pardoned, true);
    }
    if (engine.follower == NULL)
        return;
    length = follower_pardon(engine.follower, &pardon->source, pardon->since_ms, pardon->until_ms,
                             now_ms, text);
    engine_wake(); /* other servers' bans may have been lifted */
    if (engine.configuration->report_ruleset != NULL && !pardon->is_of_host)
        submit(engine.configuration->report_ruleset, text, length, "");
}

void
dispatch_bans(void)
{
    static char text[TELEGRAM_TEXT_SIZE];
    struct pardon pardon;
    struct ban ban;

    while (atomic_load(&dispatch.pardon_count) > 0 && take_pardon(&pardon))
        send_pardon(&pardon);
    while (table_unsent(engine.table) > 0 && table_dequeue_unsent(engine.table, &ban, 1) > 0) {
        if (dispatch.herald == NULL)
            continue;
        submit_to_hosts(text, herald_tell(dispatch.herald, &ban, engine_now_ms(), text), "");
        if (dispatch.next_page_ms > engine_now_ms() + PAGE_MS)
            dispatch.next_page_ms = 0; /* there was none to tell of for long */
    }
}

/* Whether it is time to; a clock that was set back must not make anybody wait. */
static bool
is_due(int64_t *next_ms, int64_t span_ms, int64_t now_ms)
{
    if (now_ms < *next_ms && now_ms >= *next_ms - span_ms)
        return false;
    *next_ms = now_ms + span_ms;
    return true;
}

static int64_t
send_page(int64_t now_ms)
{
    static char text[TELEGRAM_TEXT_SIZE];
    const int64_t span_ms = herald_is_idle(dispatch.herald) ? IDLE_PAGE_MS : PAGE_MS;

    if (is_due(&dispatch.next_page_ms, span_ms, now_ms))
        submit_to_hosts(text, herald_page(dispatch.herald, now_ms, text), "");
    return dispatch.next_page_ms;
}

static int64_t
send_page_at_once(int64_t now_ms)
{
    static char text[TELEGRAM_TEXT_SIZE];
    char host[TELEGRAM_NAME_SIZE];
    int length;

    if (!herald_is_asked(dispatch.herald))
        return INT64_MAX;
    if (is_due(&dispatch.next_at_once_ms, AT_ONCE_MS, now_ms)) {
        length = herald_page_at_once(dispatch.herald, now_ms, text, host);
        submit_to_hosts(text, length, host);
    }
    return dispatch.next_at_once_ms;
}

/* Single addresses alone, as they are at this time. */
static unsigned
own_addresses(struct source addresses[TELEGRAM_ADDRESSES_MAX])
{
    struct allow *const own = allow_new();
    unsigned count = 0;

    if (own != NULL && allow_add_own(own) == 0) {
        allow_seal(own);
        for (size_t i = 0; i < allow_count(own) && count < TELEGRAM_ADDRESSES_MAX; i++) {
            const struct source *const address = allow_entry(own, i);

            if (address->prefix == SOURCE_HOST_PREFIX && source_is_client(address))
                addresses[count++] = *address;
        }
    }
    allow_free(own);
    return count;
}

/* The hosts that report, and this server. */
static int64_t
send_members(int64_t now_ms)
{
    static struct source addresses[TELEGRAM_ADDRESSES_MAX + ADDRESSES_MOST];
    static char text[TELEGRAM_TEXT_SIZE];
    unsigned count, part;

    if (!is_due(&dispatch.next_members_ms, MEMBERS_MS, now_ms))
        return dispatch.next_members_ms;
    count = own_addresses(addresses);
    count += herald_addresses(dispatch.herald, now_ms, addresses + count, ADDRESSES_MOST);
    for (unsigned at = 0; at < count; at += part) {
        part = count - at < TELEGRAM_MEMBERS_MAX ? count - at : TELEGRAM_MEMBERS_MAX;
        submit_to_hosts(text, herald_members(dispatch.herald, addresses + at, part, now_ms, text),
                        "");
    }
    return dispatch.next_members_ms;
}

static int64_t
send_report(int64_t now_ms)
{
    struct source addresses[TELEGRAM_ADDRESSES_MAX];
    static char text[TELEGRAM_TEXT_SIZE];
    int length;

    if (is_due(&dispatch.next_report_ms, REPORT_MS, now_ms)) {
        length =
            follower_report(engine.follower, addresses, own_addresses(addresses), now_ms, text);
        submit(engine.configuration->report_ruleset, text, length, "");
    }
    return dispatch.next_report_ms;
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int
dispatch_what_is_due(int most)
{
    const int64_t now_ms = engine_now_ms();
    int64_t next_ms = now_ms + most;

    if (dispatch.herald != NULL) {
        next_ms = earlier(next_ms, send_page(now_ms));
        next_ms = earlier(next_ms, send_page_at_once(now_ms));
        next_ms = earlier(next_ms, send_members(now_ms));
    }
    if (engine.configuration->report_ruleset != NULL && engine.follower != NULL)
        next_ms = earlier(next_ms, send_report(now_ms));
    return next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
}

/* ---- others ---- */

static int64_t
kept_until(int64_t until_ms, int64_t now_ms)
{
    if (until_ms < now_ms + PARDON_LEAST_MS)
        return now_ms + PARDON_LEAST_MS;
    return until_ms < now_ms + PARDON_MOST_MS ? until_ms : now_ms + PARDON_MOST_MS;
}

/* Whoever lifts a whole table's bans one by one must not make a fleet look for each of them: what
 * is too much is lifted by pages. */
static bool
may_pardon(struct budget *budget)
{
    bool may;

    pthread_mutex_lock(&dispatch.lock);
    may = budget_take(budget, PARDONS_A_MINUTE, 60000, engine_now_ms());
    pthread_mutex_unlock(&dispatch.lock);
    return may;
}

static void
enqueue(const struct pardon *pardon)
{
    pthread_mutex_lock(&dispatch.lock);
    if ((dispatch.herald != NULL || engine.follower != NULL) &&
        dispatch.pardon_count < PARDONS_MOST)
        dispatch.pardons[dispatch.pardon_count++] = *pardon;
    pthread_mutex_unlock(&dispatch.lock);
    outbox_ring(engine.outbox);
}

void
dispatch_pardon(const struct source *source, int64_t until_ms)
{
    const int64_t now_ms = engine_now_ms();
    const struct pardon pardon = {*source, now_ms, kept_until(until_ms, now_ms), false};

    if (engine.outbox != NULL && may_pardon(&dispatch.own_pardons))
        enqueue(&pardon);
}

/* A host's pardon lifts what this centre has decided, and goes on to the others as its own; no
 * wider than a host may be told to ban, and nothing that began after it, however late it comes. So
 * many a minute: a host must not keep a centre free of bans. */
static void
obey(struct pardon *pardon)
{
    const int64_t now_ms = engine_now_ms();
    struct limits limits;

    limits_set_default(&limits, 0);
    if (pardon->until_ms <= now_ms ||
        source_bits(&pardon->source) <
            (source_is_v4(&pardon->source) ? limits.v4_bits : limits.v6_bits) ||
        !may_pardon(&dispatch.hosts_pardons))
        return;
    pardon->since_ms = earlier(pardon->since_ms, now_ms);
    pardon->until_ms = kept_until(pardon->until_ms, now_ms);
    if (table_pardon(engine.table, &pardon->source, pardon->since_ms, now_ms) > 0)
        engine_wake();
    if (engine.outbox != NULL)
        enqueue(pardon);
}

/* The lock is held. */
static void
note_host(const struct source *peer, const char *name)
{
    const enum hosts_news news = engine.hosts == NULL || atomic_load(&dispatch.are_hosts_unread)
                                     ? HOSTS_SAME
                                     : hosts_note(engine.hosts, name, peer, engine_now_ms());

    if (news == HOSTS_CHANGED)
        atomic_store(&dispatch.has_new_hosts, true);
    else if (news == HOSTS_REFUSED && dispatch.refused[0] == '\0')
        strcpy(dispatch.refused, name);
}

void
dispatch_take_report(const struct source *peer, const char *text, size_t length)
{
    static struct telegram telegram; /* large; the lock's */
    struct pardon pardon = {.until_ms = 0};
    bool asks = false, is_read;

    pthread_mutex_lock(&dispatch.lock);
    is_read = dispatch.herald != NULL && telegram_read(text, length, &telegram) == 0;
    if (is_read && telegram.kind == TELEGRAM_REPORT) {
        asks = herald_take_report(dispatch.herald, peer, &telegram, engine_now_ms());
        note_host(peer, telegram.origin);
        atomic_store(&dispatch.is_heard, true);
    } else if (is_read && telegram.kind == TELEGRAM_PARDON) {
        pardon = (struct pardon){telegram.ban.source, telegram.ban.since_ms, telegram.ban.until_ms,
                                 true};
    }
    pthread_mutex_unlock(&dispatch.lock);
    if (pardon.until_ms > 0)
        obey(&pardon);
    if (asks)
        outbox_ring(engine.outbox);
}

int
dispatch_ask(const char *name)
{
    int count = -ENOTSUP;

    pthread_mutex_lock(&dispatch.lock);
    if (dispatch.herald != NULL)
        count = (int)herald_ask(dispatch.herald, name);
    pthread_mutex_unlock(&dispatch.lock);
    if (count > 0)
        outbox_ring(engine.outbox);
    return count;
}

/* Servers of one name on either side: nobody would be told of the other's bans. */
static void
look_for_namesakes(int64_t now_ms)
{
    struct follower_statistics followed = {0};
    char reason[256] = "", name[TELEGRAM_NAME_SIZE];

    if (engine.follower != NULL)
        follower_read_statistics(engine.follower, &followed);
    if (followed.namesake >= NAMESAKE_LEAST)
        snprintf(reason, sizeof(reason),
                 "another server of the fleet has this one's name, so nothing that it decides is "
                 "banned here: give each a name of its own by global(localHostname=\"…\")");
    else if (dispatch.herald != NULL && herald_clash(dispatch.herald, now_ms, name))
        snprintf(reason, sizeof(reason),
                 "two servers of the fleet have the name %s: give each a name of its own by "
                 "global(localHostname=\"…\")",
                 name);
    complaints_set_fleet(reason);
}

/* Those who report to this server, and those of whom its centres have told. */
static unsigned
members_to_spare(int64_t now_ms, struct source addresses[SPARED_MOST])
{
    unsigned count = 0;

    if (dispatch.herald != NULL)
        count = herald_addresses(dispatch.herald, now_ms, addresses, ADDRESSES_MOST);
    if (engine.follower != NULL)
        count += follower_fellows(engine.follower, now_ms, addresses + count, FELLOWS_MAX);
    return count;
}

static void
write_pardons(int64_t now_ms)
{
    char *text = NULL;

    if (!atomic_exchange(&dispatch.has_pardoned, false))
        return;
    pthread_mutex_lock(&dispatch.lock);
    if (dispatch.herald != NULL)
        text = herald_print_pardons(dispatch.herald, now_ms);
    pthread_mutex_unlock(&dispatch.lock);
    if (text != NULL)
        complaints_write_roster(ROSTER_PARDONS, text);
    free(text);
}

/* Where the ledger is, in which the hosts' numbers stand. */
static int
write_beside_ledger(const char *text)
{
    struct table_status status;

    table_read_status(engine.table, &status);
    return text == NULL
               ? -ENOMEM
               : roster_write(status.ledger_path, HOSTS_SUFFIX, text, (uid_t)-1, (gid_t)-1);
}

/* Every time until it works, and said once. */
static void
write_hosts(void)
{
    char *text;
    int error;

    if (!atomic_exchange(&dispatch.has_new_hosts, false))
        return;
    text = hosts_print(engine.hosts);
    error = write_beside_ledger(text);
    free(text);
    if (error == 0) {
        hosts_use(engine.hosts);
        dispatch.has_said_unwritten = false;
        return;
    }
    atomic_store(&dispatch.has_new_hosts, true);
    if (dispatch.has_said_unwritten)
        return;
    dispatch.has_said_unwritten = true;
    LogError(-error, RS_RET_ERR,
             "ombanmail: cannot write the file of the hosts' numbers: a new host counts as this "
             "server until it can");
}

/* Once, whichever hosts follow. */
static void
say_refused(void)
{
    char name[TELEGRAM_NAME_SIZE];

    pthread_mutex_lock(&dispatch.lock);
    memcpy(name, dispatch.refused, sizeof name);
    pthread_mutex_unlock(&dispatch.lock);
    if (name[0] == '\0' || dispatch.has_said_refused)
        return;
    dispatch.has_said_refused = true;
    LogMsg(0, RS_RET_OK, LOG_WARNING,
           "ombanmail: host %s of the fleet gets no number, and counts as this server: there is "
           "room for %d hosts, of one address for %d ever and for %d within a day, and for none "
           "with the name " TELEGRAM_SCOPE_FLEET,
           name, HOSTS_MAX, HOSTS_EVER_OF_PEER, HOSTS_OF_PEER);
}

/* Returns 0 or an errno; ENOENT: there is no such file. */
static int
read_hosts(void)
{
    struct table_status status;
    char *text;

    table_read_status(engine.table, &status);
    text = roster_read(status.ledger_path, HOSTS_SUFFIX);
    if (text == NULL)
        return errno;
    hosts_read(engine.hosts, text, engine_now_ms());
    free(text);
    return 0;
}

/* New numbers would give one host's bans to another one. */
static void
note_hosts_unread(int error)
{
    atomic_store(&dispatch.are_hosts_unread, error != 0);
    if (error != 0)
        LogError(error, RS_RET_ERR,
                 "ombanmail: cannot read the file of the hosts' numbers: all hosts count as this "
                 "server, and bans on one host alone are told to none, until it can be read: mend "
                 "it, then: systemctl kill -s HUP rsyslog");
}

/* At the first start there is none. */
void
dispatch_read_hosts(void)
{
    const int error = engine.hosts == NULL ? 0 : read_hosts();

    note_hosts_unread(error == ENOENT ? 0 : error);
}

/* Here there was one, so that to find none any more is no better. */
void
dispatch_read_hosts_again(void)
{
    if (!atomic_load(&dispatch.are_hosts_unread))
        return;
    note_hosts_unread(read_hosts());
    if (!atomic_load(&dispatch.are_hosts_unread))
        LogMsg(0, RS_RET_OK, LOG_INFO, "ombanmail: the file of the hosts' numbers is read");
}

static bool
has_news(void)
{
    return atomic_load(&dispatch.is_heard) ||
           (engine.follower != NULL && follower_has_new_fellows(engine.follower));
}

void
dispatch_look(void)
{
    static struct source addresses[SPARED_MOST];
    const int64_t now_ms = engine_now_ms(), age_ms = now_ms - dispatch.written_ms;
    unsigned count;
    char *text;

    write_pardons(now_ms);

    if (age_ms >= 0 && age_ms < (has_news() ? ROSTER_MS : ROSTER_LAST_MS))
        return;
    dispatch.written_ms = now_ms;
    atomic_store(&dispatch.is_heard, false);
    write_hosts();
    say_refused();
    pthread_mutex_lock(&dispatch.lock);
    look_for_namesakes(now_ms);
    count = members_to_spare(now_ms, addresses);
    text = dispatch.herald == NULL ? NULL : herald_roster(dispatch.herald, now_ms);
    pthread_mutex_unlock(&dispatch.lock);
    engine_allow_members(addresses, count);
    if (text != NULL)
        complaints_write_roster(ROSTER_SUFFIX, text);
    free(text);
}
