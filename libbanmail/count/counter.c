/* counter: see counter.h.
 *
 * What is the same for all jails is found out once: the offence, its time, whether it is told
 * again, its evidence. What depends on the length of a jail's prefixes (whom the client shares a
 * network with) is found out once for each such length, in a `view`. What remains for each jail is
 * to ask whom it allow-lists, and to count.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "count/counter.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "table/effect.h"
#include "line/connection.h"
#include "count/known.h"
#include "count/recent.h"
#include "base/hash.h"
#include "table/table-evidence.h"
#include "table/table-gateway.h"
#include "table/table-health.h"
#include "table/table-lines.h"

#define VIEWS_MAX (COUNTER_ACTIONS_MAX + 1)

/* Classes that matter beyond the failures of jails. */
#define HEARD                                                                                      \
    (OFFENCE_BIT(OFFENCE_AUTH_FAILED) | OFFENCE_BIT(OFFENCE_AUTH_DETAIL) |                         \
     OFFENCE_BIT(OFFENCE_AUTH_MECH_UNSUPPORTED) | OFFENCE_BIT(OFFENCE_AUTH_MALFORMED) |            \
     OFFENCE_BIT(OFFENCE_AUTH_ABORTED) | OFFENCE_BIT(OFFENCE_AUTH_REFUSED) |                       \
     OFFENCE_BIT(OFFENCE_RATE_LIMITED) | OFFENCE_BIT(OFFENCE_LOGIN_OK) |                           \
     OFFENCE_BIT(OFFENCE_SERVER_FAULT))

#define MERITS (OFFENCE_BIT(OFFENCE_LOGIN_OK) | OFFENCE_BIT(OFFENCE_MAIL_ACCEPTED))

/* What tells a failed login from mail that was not taken. */
#define LOGINS                                                                                     \
    (OFFENCE_BIT(OFFENCE_AUTH_FAILED) | OFFENCE_BIT(OFFENCE_AUTH_UNKNOWN_USER) |                   \
     OFFENCE_BIT(OFFENCE_AUTH_MECH_UNSUPPORTED) | OFFENCE_BIT(OFFENCE_AUTH_MALFORMED) |            \
     OFFENCE_BIT(OFFENCE_AUTH_PLAINTEXT_DISALLOWED) | OFFENCE_BIT(OFFENCE_AUTH_REFUSED) |          \
     OFFENCE_BIT(OFFENCE_AUTH_DISABLED) | OFFENCE_BIT(OFFENCE_AUTH_ABORTED) |                      \
     OFFENCE_BIT(OFFENCE_NO_AUTH))

/* Rejections of a mail, which has a sender or none. */
#define REJECTIONS                                                                                 \
    (OFFENCE_BIT(OFFENCE_RELAY_DENIED) | OFFENCE_BIT(OFFENCE_RCPT_UNKNOWN) |                       \
     OFFENCE_BIT(OFFENCE_RCPT_REJECTED) | OFFENCE_BIT(OFFENCE_SENDER_REJECTED) |                   \
     OFFENCE_BIT(OFFENCE_HELO_REJECTED) | OFFENCE_BIT(OFFENCE_CLIENT_REJECTED) |                   \
     OFFENCE_BIT(OFFENCE_RBL_LISTED) | OFFENCE_BIT(OFFENCE_CONTENT_REJECT) |                       \
     OFFENCE_BIT(OFFENCE_SMTP_REJECT))

/* Classes of lines in which Postfix quotes what a client said. */
#define SAID_BY_CLIENT                                                                             \
    (OFFENCE_BIT(OFFENCE_PROTOCOL_ABUSE) | OFFENCE_BIT(OFFENCE_PROBE) |                            \
     OFFENCE_BIT(OFFENCE_TLS_UNEXPECTED) | OFFENCE_BIT(OFFENCE_CLIENT_SETUP) |                     \
     OFFENCE_BIT(OFFENCE_PIPELINING_LOGIN))

/* By how many bits clients are counted. */
struct lengths {
    unsigned v4_bits, v6_bits;
};

struct action {
    struct counter_action given;
    struct jail single;   /* the same jail, by single address */
    struct jail networks; /* and what bans the networks of its clients */
    unsigned view;        /* of its prefixes' lengths */
    uint64_t jail_bit;
    uint64_t bringing; /* actions, as bits, that count a line when it comes to this one */
    uint64_t classes;  /* its jail's, and auth_unknown_user where it counts as auth_failed */
};

/* Which actions and jails there are. Never changed while a worker looks: it is replaced whole. */
struct roster {
    struct action actions[COUNTER_ACTIONS_MAX];
    unsigned action_count;
    uint64_t classes;                  /* of all actions */
    bool hears_mail;                   /* a jail makes something of mail that was taken */
    struct lengths lengths[VIEWS_MAX]; /* [0]: single addresses */
    unsigned view_count;
};

struct counter {
    struct counter_options options;
    char host[COUNTER_HOST_SIZE];
    size_t host_length;
    int64_t count_from_ms;
    struct stamp_watch *stamps;
    struct backend *backend;
    struct connection_store *connections;
    struct gateways *gateways;
    struct recent *recent;
    _Atomic(struct roster *) roster; /* whom workers ask */
    struct roster *draft;            /* that is to take its place; NULL: none is made */
    bool is_own[COUNTER_ACTIONS_MAX];
    unsigned coming; /* the first actions: to which rsyslog hands messages */
    struct {
        _Atomic uint64_t failures, duplicates, repeated, ignored, allow_listed, old,
            session_mismatches, untrusted, unmatched, logins, mails_accepted, bans, bans_full,
            bans_held_back, gateways_spared, observed;
    } statistics;
};

/* The client as one length of prefixes shows it. */
struct view {
    struct source source;
    bool has_allowed; /* somebody in it is allow-listed for all jails */
    bool has_asked;   /* whether it is a gateway; then: */
    enum gateway_kind gateway;
    unsigned users;
    const struct taking *taking;
};

/* One line on its way. */
struct taking {
    struct counter *counter;
    const struct roster *roster;
    const struct line *line;
    struct reader *worker;
    struct counter_outcome *outcome;
    struct offence *offence; /* the outcome's */
    struct backend_line told;
    struct judgement judgement;
    uint64_t fingerprint;
    uint64_t handle;   /* among the recent lines; 0: one action alone */
    uint64_t is_known; /* views that are there, as bits; one less than their index */
    uint64_t singles;  /* actions that count by single address, as bits */
    const struct known_origin *origin;   /* of its words, once it is heard */
    const struct known_service *service; /* likewise */
    struct view views[VIEWS_MAX];
};

static void
count(_Atomic uint64_t *statistic)
{
    atomic_fetch_add_explicit(statistic, 1, memory_order_relaxed);
}

/* ---- its life ---- */

static struct roster *
roster_new(void)
{
    struct roster *const roster = calloc(1, sizeof(*roster));

    if (roster == NULL)
        return NULL;
    roster->lengths[0] = (struct lengths){32, 128};
    roster->view_count = 1;
    return roster;
}

struct counter *
counter_new(const struct counter_options *options)
{
    struct counter *counter = calloc(1, sizeof *counter);
    uint64_t key[2];

    if (counter == NULL)
        return NULL;
    counter->options = *options;
    snprintf(counter->host, sizeof counter->host, "%s", options->host);
    counter->options.host = counter->host;
    counter->host_length = strlen(counter->host);
    atomic_init(&counter->roster, roster_new());
    if (getrandom(key, sizeof key, 0) == (ssize_t)sizeof key)
        counter->stamps = stamp_new(key);
    counter->backend = backend_new(options->table);
    counter->connections = connection_new();
    counter->recent = recent_new();
    if (options->gateway_users > 0)
        counter->gateways = gateway_new(options->table, options->gateway_users);
    if (counter->roster == NULL || counter->stamps == NULL || counter->backend == NULL ||
        counter->connections == NULL || counter->recent == NULL ||
        (options->gateway_users > 0 && counter->gateways == NULL)) {
        counter_free(counter);
        return NULL;
    }
    return counter;
}

void
counter_free(struct counter *counter)
{
    if (counter == NULL)
        return;
    stamp_free(counter->stamps);
    backend_free(counter->backend);
    connection_free(counter->connections);
    gateway_free(counter->gateways);
    recent_free(counter->recent);
    free(atomic_load(&counter->roster));
    free(counter->draft);
    free(counter);
}

static unsigned
view_of_lengths(struct roster *roster, unsigned v4_bits, unsigned v6_bits)
{
    unsigned view = 0;

    while (view < roster->view_count &&
           (roster->lengths[view].v4_bits != v4_bits || roster->lengths[view].v6_bits != v6_bits))
        view++;
    if (view == roster->view_count)
        roster->lengths[roster->view_count++] = (struct lengths){v4_bits, v6_bits};
    return view;
}

static int
add(struct roster *roster, const struct counter_action *given)
{
    const unsigned number = roster->action_count;
    struct action *const action = &roster->actions[number];

    if (number == COUNTER_ACTIONS_MAX)
        return -ENOSPC;
    action->given = *given;
    if (given->jail.classes & LOGINS)
        action->given.jail.kindness.mail_allowance = 1;
    roster->hears_mail |= action->given.jail.kindness.mail_allowance > 1;
    action->single = action->given.jail;
    action->single.v4_bits = roster->lengths[0].v4_bits;
    action->single.v6_bits = roster->lengths[0].v6_bits;
    action->networks = jail_of_networks(&action->given.jail);
    action->view = view_of_lengths(roster, given->jail.v4_bits, given->jail.v6_bits);
    action->classes = given->jail.classes;
    if (action->classes & OFFENCE_BIT(OFFENCE_AUTH_FAILED))
        action->classes |= OFFENCE_BIT(OFFENCE_AUTH_UNKNOWN_USER);
    roster->classes |= action->classes;
    action->jail_bit = UINT64_C(1) << given->jail_index % TABLE_JAILS_MAX;
    action->bringing = UINT64_C(1) << number;
    roster->action_count++;
    return (int)number;
}

int
counter_add_action(struct counter *counter, const struct counter_action *given)
{
    const int number = add(atomic_load(&counter->roster), given);

    if (number >= 0)
        counter->is_own[number] = given->is_own;
    backend_widen(counter->backend, given->jail.v4_bits, given->jail.v6_bits);
    counter->coming += number >= 0;
    return number;
}

/* What is changed now: of jails that are declared anew, those to come. */
static struct roster *
roster_in_work(struct counter *counter)
{
    return counter->draft != NULL ? counter->draft : atomic_load(&counter->roster);
}

void
counter_rest_action(struct counter *counter, unsigned action)
{
    roster_in_work(counter)->actions[action].classes = 0;
}

int
counter_add_jail(struct counter *counter, unsigned action, const struct counter_action *given)
{
    struct roster *const roster = roster_in_work(counter);
    const int number = add(roster, given);

    if (number >= 0)
        roster->actions[action].bringing |= UINT64_C(1) << number;
    backend_widen(counter->backend, given->jail.v4_bits, given->jail.v6_bits);
    return number;
}

int
counter_renew_jails(struct counter *counter)
{
    const struct roster *const now = atomic_load(&counter->roster);

    free(counter->draft);
    counter->draft = roster_new();
    if (counter->draft == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < counter->coming; i++)
        add(counter->draft, &now->actions[i].given);
    return 0;
}

/* To the widest networks that a jail counts by. */
static void
narrow_backend(struct counter *counter, const struct roster *roster)
{
    unsigned v4_bits = 32, v6_bits = 128;

    for (unsigned i = 0; i < roster->action_count; i++) {
        const struct jail *const jail = &roster->actions[i].given.jail;

        v4_bits = jail->v4_bits < v4_bits ? jail->v4_bits : v4_bits;
        v6_bits = jail->v6_bits < v6_bits ? jail->v6_bits : v6_bits;
    }
    backend_narrow(counter->backend, v4_bits, v6_bits);
}

void
counter_use_jails(struct counter *counter, struct readers *readers)
{
    struct roster *const former = atomic_exchange(&counter->roster, counter->draft);

    counter->draft = NULL;
    if (readers != NULL)
        readers_wait(readers);
    free(former);
    narrow_backend(counter, atomic_load(&counter->roster));
}

void
counter_set_start(struct counter *counter, int64_t count_from_ms)
{
    counter->count_from_ms = count_from_ms;
}

struct backend *
counter_backend(struct counter *counter)
{
    return counter->backend;
}

struct gateways *
counter_gateways(struct counter *counter)
{
    return counter->gateways;
}

struct stamp_watch *
counter_stamps(struct counter *counter)
{
    return counter->stamps;
}

void
counter_read_statistics(const struct counter *counter, struct counter_statistics *statistics)
{
    *statistics = (struct counter_statistics){
        .failures = counter->statistics.failures,
        .duplicates = counter->statistics.duplicates,
        .repeated = counter->statistics.repeated,
        .ignored = counter->statistics.ignored,
        .allow_listed = counter->statistics.allow_listed,
        .old = counter->statistics.old,
        .session_mismatches = counter->statistics.session_mismatches,
        .untrusted = counter->statistics.untrusted,
        .unmatched = counter->statistics.unmatched,
        .logins = counter->statistics.logins,
        .mails_accepted = counter->statistics.mails_accepted,
        .bans = counter->statistics.bans,
        .bans_full = counter->statistics.bans_full,
        .bans_held_back = counter->statistics.bans_held_back,
        .gateways_spared = counter->statistics.gateways_spared,
        .observed = counter->statistics.observed,
    };
}

/* ---- what the line says ---- */

static void
note_sight(const struct counter *counter, const struct line *line, const struct reader *worker,
           enum table_sight sight)
{
    table_note_message(counter->options.table, (unsigned)((uintptr_t)worker >> 5), sight,
                       line->now_ms / 1000);
}

/* memmem(3) prepares itself for long texts, which costs more than these short ones. */
static bool
holds(struct line_bytes text, const char *word)
{
    const char *const end = text.at + text.length;
    const size_t length = strlen(word);

    for (const char *at = text.at; (at = memchr(at, word[0], (size_t)(end - at))) != NULL; at++)
        if ((size_t)(end - at) >= length && memcmp(at, word, length) == 0)
            return true;
    return false;
}

static struct line_bytes
first_word(struct line_bytes text)
{
    const bool has_space = text.length > 0 && text.at[0] == ' ';
    const struct line_bytes rest = {text.at + has_space, text.length - has_space};
    const char *const space = memchr(rest.at, ' ', rest.length);

    return (struct line_bytes){rest.at, space == NULL ? rest.length : (size_t)(space - rest.at)};
}

/* Whether Dovecot writes it for its programmers: `Debug: ` behind the program's name. */
static bool
is_debug(struct line_bytes text, struct line_bytes word)
{
    static const char debug[] = " Debug: ";
    const char *const at = word.at + word.length;

    return (size_t)(text.at + text.length - at) >= sizeof debug - 1 &&
           memcmp(at, debug, sizeof debug - 1) == 0;
}

/* Postfix's smtp and lmtp log in elsewhere themselves, and others quote them; what is no client's
 * of ours says nothing of the rulebases. In a file the program is the first word. */
static bool
may_be_a_clients(const struct line *line)
{
    const struct line_bytes word = first_word(line->text);
    const struct line_bytes program = holds(line->tag, "/") ? line->tag : word;
    const char *const slash = memrchr(program.at, '/', program.length);
    const size_t left = slash == NULL ? 0 : (size_t)(program.at + program.length - slash - 1);

    if (slash != NULL && holds(program, "postfix"))
        return (left >= 5 && memcmp(slash + 1, "smtpd", 5) == 0) ||
               (left >= 10 && memcmp(slash + 1, "postscreen", 10) == 0);
    if (holds(line->tag, "dovecot") && !holds(word, "dovecot"))
        return holds(word, "-login") && !is_debug(line->text, word);
    return true;
}

/* Any user of this machine may write what looks like a mail server's line. */
static bool
is_trusted(struct counter *counter, const struct line *line)
{
    uint32_t user;

    if (line->is_trusted == NULL || line->is_trusted(line, &user))
        return true;
    count(&counter->statistics.untrusted);
    table_note_untrusted(counter->options.table, user, line->now_ms / 1000);
    return false;
}

/* What tells a module that sees nothing from a quiet night. */
static void
take_without_class(struct counter *counter, const struct line *line, const struct reader *worker)
{
    enum table_sight sight = TABLE_SEEN;

    if (line->is_again)
        return;
    if (evidence_looks_like_login(line->text.at, line->text.length) && may_be_a_clients(line)) {
        if (!is_trusted(counter, line))
            return;
        count(&counter->statistics.unmatched);
        sight = TABLE_UNMATCHED;
    }
    note_sight(counter, line, worker, sight);
}

/* Where Dovecot logs what IMAP clients say, the rest of a line that it cut looks like what the
 * client wants it to: a login must be one for certain. */
static void
distrust_login(const struct counter *counter, const struct line *line, struct offence *offence)
{
    if (offence->flags & OFFENCE_ID_LOGGED)
        table_note_id_log(counter->options.table, line->now_ms / 1000);
    if ((offence->flags & OFFENCE_LOGIN_UNPROVEN) &&
        table_logs_ids(counter->options.table, line->now_ms))
        offence->class = OFFENCE_LOGIN_OTHER;
}

/* False where the fields have no class that is ours. */
static bool
read_offence(struct taking *taking)
{
    const struct line *const line = taking->line;
    struct offence *const offence = taking->offence;
    struct fjson_object *const fields = line->fields == NULL ? line->load(line) : line->fields;

    if (fields == NULL || offence_read(fields, offence) != 0)
        return false;
    taking->outcome->has_class = true;
    offence_service_from_tag(offence, line->tag.at, line->tag.length);
    return true;
}

/* Of a line that is new. */
static void
number(struct counter *counter, const struct counter_outcome *outcome)
{
    if (outcome->offence.flags & OFFENCE_SESSION_MISMATCH)
        count(&counter->statistics.session_mismatches);
    if (outcome->offence.class == OFFENCE_LOGIN_OK)
        count(&counter->statistics.logins);
    if (outcome->offence.class == OFFENCE_MAIL_ACCEPTED)
        count(&counter->statistics.mails_accepted);
    if (!outcome->counts)
        count(&counter->statistics.ignored);
}

/* When it happened, in whole seconds. The lines of a file are history, however old. */
static int64_t
stamp_of(const struct counter *counter, const struct line *line)
{
    struct stamp_bounds bounds = counter->options.stamps;

    if (line->is_history)
        bounds.age_ms = STAMP_ANY_AGE_MS;
    return stamp_judge(counter->stamps, line->host.at, line->host.length,
                       line->stamp_us / 1000000 * 1000, line->received_ms / 1000 * 1000, &bounds);
}

/* Which program wrote the line, and which input brought it here. Dovecot's login processes and its
 * event exporter are one program, and tell of the same attempts. */
static uint16_t
kind_of(const struct taking *taking)
{
    uint64_t hash = taking->origin->writer;

    if (taking->offence->flags & OFFENCE_FROM_EVENT)
        hash ^= 1; /* not all bits: the four quarters would cancel that out */
    return (uint16_t)(hash ^ hash >> 16 ^ hash >> 32 ^ hash >> 48);
}

/* When packets for this line came through this machine's kernel; 0 where that is not known. Of
 * another host's clients it sees none, and what a queue or a file has held tells of earlier bans.
 */
static int64_t
passed_of(const struct taking *taking)
{
    const struct backend_line *const told = &taking->told;
    const struct counter *const counter = taking->counter;

    if (told->stamp_ms < told->now_ms - STAMP_LIVE_MS ||
        told->stamp_ms > told->now_ms + STAMP_LIVE_MS ||
        counter->host_length != told->host_length ||
        strncasecmp(told->host, counter->host, told->host_length) != 0)
        return 0;
    return effect_passed_ms(taking->offence, told->stamp_ms);
}

static void
describe_failure(struct taking *taking)
{
    const struct offence *const offence = taking->offence;

    taking->judgement.failure = (struct table_failure){
        .client = offence->client,
        .class = offence->class,
        .kind = kind_of(taking),
        .service_hash = (uint32_t)taking->service->hash,
        .user_hash = offence->user_hash,
        .secret_hash = offence->secret_hash,
        .session_hash = hash_text(offence->session, offence->session_length),
        .attempts = offence->attempts,
        .stamp_ms = taking->told.stamp_ms,
        .passed_ms = passed_of(taking),
        .services = taking->service->services,
    };
    taking->judgement.place = taking->told.place;
}

/* ---- whom it is about ---- */

static const struct allow *
allow_of(const struct allow_list *list)
{
    return list != NULL ? allow_list_now(list) : NULL;
}

static bool
overlaps(const struct allow_list *list, const struct source *source)
{
    const struct allow *const allow = allow_of(list);

    return allow != NULL && !allow_is_bare(allow) && allow_overlaps(allow, source);
}

static struct view *
look(struct taking *taking, unsigned index)
{
    struct counter *const counter = taking->counter;
    struct view *const view = &taking->views[index];
    const struct lengths lengths = taking->roster->lengths[index];

    taking->is_known |= index < 64 ? UINT64_C(1) << index : 0;
    *view = (struct view){
        .source = source_mask(&taking->judgement.failure.client, lengths.v4_bits, lengths.v6_bits),
        .taking = taking,
    };
    view->has_allowed = overlaps(counter->options.allow, &view->source);
    return view;
}

static inline struct view *
view(struct taking *taking, unsigned index)
{
    if (index < 64 && (taking->is_known >> index & 1))
        return &taking->views[index];
    return look(taking, index);
}

/* Few failures need to know. */
static enum gateway_kind
gateway_of(struct view *view)
{
    struct gateways *const gateways = view->taking->counter->gateways;

    if (!view->has_asked && gateways != NULL)
        view->gateway =
            gateway_find(gateways, &view->source, view->taking->line->now_ms, &view->users);
    view->has_asked = true;
    return view->gateway;
}

static bool
is_gateway(void *asked)
{
    return gateway_of(asked) != GATEWAY_NONE;
}

/* In a network in which somebody is allow-listed clients are banned one by one. */
static struct view *
view_for(struct taking *taking, unsigned action)
{
    const struct action *const at = &taking->roster->actions[action];
    struct view *const wide = view(taking, at->view);

    if (!wide->has_allowed && !overlaps(at->given.allow, &wide->source))
        return wide;
    taking->singles |= UINT64_C(1) << action;
    return view(taking, 0);
}

/* This machine's own address in the network of a bridge is on the allow list as all its own are.
 * But it is what clients of a container's published port may come from: to be told, it counts. */
static bool
is_allow_listed(struct taking *taking, unsigned action)
{
    struct view *const seen = view_for(taking, action);
    const struct source *const client = &taking->judgement.failure.client;
    const struct allow *own, *all;
    struct source entry;

    if (!(taking->singles >> action & 1)) /* then no list has an entry in its network */
        return false;
    own = allow_of(taking->roster->actions[action].given.allow);
    all = allow_of(taking->counter->options.allow);
    if (own != NULL && allow_match(own, client, NULL))
        return true;
    return all != NULL && allow_match(all, client, &entry) &&
           !(entry.prefix == SOURCE_HOST_PREFIX && gateway_of(seen) == GATEWAY_OWN);
}

static uint64_t
without_allow_listed(struct taking *taking, uint64_t actions)
{
    uint64_t left = actions;

    for (; actions != 0; actions &= actions - 1) {
        const unsigned action = (unsigned)__builtin_ctzll(actions);

        if (is_allow_listed(taking, action))
            left &= ~(UINT64_C(1) << action);
    }
    return left;
}

/* ---- for which hosts ---- */

/* Of which host the line is. */
static uint16_t
scope_of(struct taking *taking)
{
    const struct line *const line = taking->line;

    if (taking->judgement.scope == 0)
        taking->judgement.scope = line->scope == NULL ? TABLE_SCOPE_OWN : line->scope(line);
    return taking->judgement.scope;
}

static uint16_t
scope_in(struct taking *taking, const struct jail *jail)
{
    return jail->is_per_host ? scope_of(taking) : TABLE_SCOPE_FLEET;
}

/* ---- logins ---- */

/* Users are told apart by their letters, not by which of them are capitals: where the server does
 * not make them small itself, one user has many spellings. */
uint64_t
counter_hash_user(const char *user, size_t length)
{
    char folded[OFFENCE_USER_MAX];

    if (length > sizeof folded)
        length = sizeof folded;
    for (size_t i = 0; i < length; i++) {
        const char letter = user[i];

        folded[i] = letter >= 'A' && letter <= 'Z' ? (char)(letter | ('a' - 'A')) : letter;
    }
    return hash_text(folded, length);
}

static uint64_t
hash_of_user(const struct offence *offence)
{
    return counter_hash_user(offence->user, offence->user_length);
}

/* Postfix tells of the login in the line about the mail that it takes from this client. */
static bool
is_login_with_mail(const struct offence *offence)
{
    static const char postfix[] = "postfix";

    return offence->class == OFFENCE_LOGIN_OK && offence->service_length >= sizeof postfix - 1 &&
           memcmp(offence->service, postfix, sizeof postfix - 1) == 0;
}

static void
note_in_jail(struct taking *taking, const struct action *at, const struct source *source)
{
    const struct offence *const offence = taking->offence;
    struct table_merit merit = {.is_login = offence->class == OFFENCE_LOGIN_OK,
                                .scope = scope_in(taking, &at->given.jail),
                                .user_hash = offence->user_hash,
                                .stamp_ms = taking->told.stamp_ms};

    table_note_merit(taking->counter->options.table, at->given.jail_index, &at->given.jail, source,
                     &merit, taking->line->now_ms);
    if (!is_login_with_mail(offence) || at->given.jail.kindness.mail_allowance <= 1)
        return;
    merit.is_login = false;
    table_note_merit(taking->counter->options.table, at->given.jail_index, &at->given.jail, source,
                     &merit, taking->line->now_ms);
}

/* What a client has done well, in all jails; and every user who logs in tells whom his address is
 * shared with. */
static void
note_merit(struct taking *taking)
{
    struct counter *const counter = taking->counter;
    const struct offence *const offence = taking->offence;
    const uint64_t user = offence->class == OFFENCE_LOGIN_OK ? hash_of_user(offence) : 0;
    uint64_t noted = 0;

    taking->judgement.failure.client = offence->client;
    for (unsigned i = 0; i < taking->roster->action_count; i++) {
        const struct action *const at = &taking->roster->actions[i];
        const struct source *const source = &view_for(taking, i)->source;
        const unsigned index = taking->singles >> i & 1 ? 0 : at->view;

        if (at->classes != 0)
            note_in_jail(taking, at, source);
        if (counter->gateways == NULL || user == 0 || index >= 64 || (noted >> index & 1))
            continue;
        noted |= UINT64_C(1) << index;
        gateway_login(counter->gateways, source, user, taking->told.stamp_ms, taking->line->now_ms);
    }
}

/* ---- which jails want it ---- */

/* Of these actions those whose jail counts such a line. Dovecot's submission is of Dovecot's jails,
 * as with fail2ban, where it closes the same ports as Postfix's. */
static uint64_t
of_class(const struct roster *roster, uint64_t actions, enum offence_class class, uint8_t services)
{
    uint64_t left = actions;

    if (services & JAIL_SERVICES_RELAYED)
        services = JAIL_SERVICES_RELAYED;
    for (; actions != 0; actions &= actions - 1) {
        const unsigned action = (unsigned)__builtin_ctzll(actions);

        const uint8_t wanted = roster->actions[action].given.jail.services;

        if (!(roster->actions[action].classes & OFFENCE_BIT(class)) ||
            (wanted != 0 && services != 0 && !(wanted & services)))
            left &= ~(UINT64_C(1) << action);
    }
    return left;
}

static uint64_t
jails_of(const struct roster *roster, uint64_t actions)
{
    uint64_t jails = 0;

    for (; actions != 0; actions &= actions - 1)
        jails |= roster->actions[__builtin_ctzll(actions)].jail_bit;
    return jails;
}

/* ---- it counts ---- */

static uint64_t
keep_evidence(struct taking *taking, uint64_t jails)
{
    const struct counter *const counter = taking->counter;
    const enum evidence_mode mode = counter->options.evidence;
    const struct offence *const offence = taking->offence;
    const struct line *const line = taking->line;
    size_t length = line->text.length;
    struct evidence evidence;
    bool is_known;

    if (mode == EVIDENCE_NONE)
        return 0;
    is_known = mode == EVIDENCE_FULL || evidence_is_mailbox(offence->user, offence->user_length) ||
               backend_knows(counter->backend, offence);
    memset(&evidence, 0, sizeof evidence);
    evidence.client = offence->client;
    evidence.class = offence->class;
    evidence.jails = jails;
    evidence.attempts = (uint8_t)taking->judgement.attempts;
    evidence.scope = scope_of(taking);
    evidence.stamp_ms = taking->told.stamp_ms;
    evidence_copy(evidence.host, sizeof evidence.host, line->host.at, line->host.length);
    evidence_copy(evidence.service, sizeof evidence.service, offence->service,
                  offence->service_length);
    evidence_user(mode, is_known, offence->user, offence->user_length, evidence.user);
    if (mode == EVIDENCE_REDACTED && (SAID_BY_CLIENT & OFFENCE_BIT(offence->class)))
        length = evidence_without_said(line->text.at, length);
    evidence_line(mode, line->text.at, length, is_known, offence->user, offence->user_length,
                  evidence.line);
    return table_add_evidence(counter->options.table, &evidence);
}

static void
note_gateway(struct taking *taking, unsigned jail_index, const struct view *seen)
{
    const struct table_gateway gateway = {
        .source = seen->source, .jail = (uint8_t)jail_index, .users = (uint8_t)seen->users};

    count(&taking->counter->statistics.gateways_spared);
    table_note_gateway(taking->counter->options.table, &gateway, taking->line->now_ms);
}

static void
note_verdict(struct taking *taking, const struct action *action, const struct view *seen,
             enum table_verdict verdict)
{
    struct counter *const counter = taking->counter;
    const unsigned jail_index = action->given.jail_index;

    if (verdict == TABLE_FULL)
        count(&counter->statistics.bans_full);
    if (verdict == TABLE_HELD_BACK)
        count(&counter->statistics.bans_held_back);
    if (verdict == TABLE_BANNED) {
        count(&counter->statistics.bans);
        taking->outcome->banning |= UINT64_C(1) << jail_index;
    }
    if (verdict == TABLE_OBSERVED) {
        count(&counter->statistics.observed);
        taking->outcome->observed |= UINT64_C(1) << jail_index;
    }
    if (verdict == TABLE_SPARED)
        note_gateway(taking, jail_index, seen);
    if (verdict == TABLE_BANNED || verdict == TABLE_PROLONGED)
        taking->outcome->wake = true;
}

/* A failure of a user who does not exist is one in a jail that does not tell them apart. */
static enum offence_class
class_in(const struct jail *jail, enum offence_class class)
{
    if (class == OFFENCE_AUTH_UNKNOWN_USER && !(jail->classes & OFFENCE_BIT(class)))
        return OFFENCE_AUTH_FAILED;
    return class;
}

/* Who has many addresses in a network that is not to be banned must not guess a few times from
 * each: it counts as a whole. Whether its threshold is reached. */
static bool
count_network(struct taking *taking, const struct action *at)
{
    struct table_failure failure = taking->judgement.failure;

    if (source_compare(&view(taking, at->view)->source, &view(taking, 0)->source) == 0)
        return false;
    failure.is_gateway = NULL;
    failure.is_network = true;
    return table_count(taking->counter->options.table, at->given.jail_index, &at->given.jail,
                       &failure, taking->judgement.attempts, taking->line->now_ms) == TABLE_SPARED;
}

/* Once the network's threshold is reached, each of its addresses that fails is banned. */
static enum table_verdict
count_single(struct taking *taking, const struct action *at)
{
    struct jail jail = at->single;

    if (count_network(taking, at))
        jail.maxretry = 1;
    return table_count(taking->counter->options.table, at->given.jail_index, &jail,
                       &taking->judgement.failure, taking->judgement.attempts,
                       taking->line->now_ms);
}

/* The jail has banned a client: another one of its network, perhaps. Networks in which somebody is
 * allow-listed, or that many log in through, are left alone. */
static void
count_neighbour(struct taking *taking, const struct action *at, const struct view *seen)
{
    struct counter *const counter = taking->counter;
    struct table_failure failure = taking->judgement.failure;
    const struct source network =
        source_mask(&failure.client, JAIL_NETWORK_V4_BITS, JAIL_NETWORK_V6_BITS);
    unsigned users;

    if (seen->source.prefix <= network.prefix || overlaps(counter->options.allow, &network) ||
        overlaps(at->given.allow, &network) ||
        (counter->gateways != NULL &&
         gateway_find(counter->gateways, &network, taking->line->now_ms, &users) != GATEWAY_NONE))
        return;
    failure.user_hash = jail_neighbour(&seen->source);
    failure.secret_hash = 0;
    failure.passed_ms = 0;
    failure.is_gateway = NULL;
    note_verdict(taking, at, seen,
                 table_count(counter->options.table, at->given.jail_index, &at->networks, &failure,
                             1, taking->line->now_ms));
}

static void
count_for(struct taking *taking, unsigned action)
{
    struct counter *const counter = taking->counter;
    const struct action *const at = &taking->roster->actions[action];
    const bool is_single = taking->singles >> action & 1;
    struct view *const seen = view(taking, is_single ? 0 : at->view);
    struct table_failure *const failure = &taking->judgement.failure;
    const enum offence_class class = failure->class;
    enum table_verdict verdict;

    failure->class = class_in(&at->given.jail, class);
    failure->is_gateway = is_gateway;
    failure->asked = seen;
    failure->is_observed = at->given.jail.is_observing;
    failure->scope = scope_in(taking, &at->given.jail);
    verdict = is_single ? count_single(taking, at)
                        : table_count(counter->options.table, at->given.jail_index, &at->given.jail,
                                      failure, taking->judgement.attempts, taking->line->now_ms);
    note_verdict(taking, at, seen, verdict);
    if (verdict == TABLE_BANNED && at->given.jail.neighbours > 0)
        count_neighbour(taking, at, seen);
    failure->is_gateway = NULL;
    failure->class = class;
    failure->scope = TABLE_SCOPE_FLEET;
}

/* The failure may have to be taken back. */
static void
remember(struct taking *taking, uint64_t jails, uint64_t singles, bool is_first)
{
    const struct judgement *const judgement = &taking->judgement;
    const struct table_counted counted = {
        .client = judgement->failure.client,
        .scope = judgement->scope,
        .attempts = judgement->attempts,
        .stamp_ms = taking->told.stamp_ms,
        .jails = jails,
        .singles = singles,
        .banning = taking->outcome->banning & jails,
        .observed = taking->outcome->observed & jails,
        .is_known = !is_first,
    };

    if (judgement->failure.class == OFFENCE_AUTH_FAILED)
        backend_counted(taking->counter->backend, &judgement->place, &counted);
}

/* Each jail once, whichever of its actions the line has passed. */
static void
count_in_jails(struct taking *taking, uint64_t actions)
{
    uint64_t jails = jails_of(taking->roster, actions), left, singles = 0;
    bool is_first = true;

    if (taking->handle != 0)
        jails = recent_claim(taking->counter->recent, taking->fingerprint, taking->handle, jails,
                             &is_first);
    if (jails == 0)
        return;
    for (left = jails; actions != 0; actions &= actions - 1) {
        const unsigned action = (unsigned)__builtin_ctzll(actions);
        const uint64_t jail = jails_of(taking->roster, UINT64_C(1) << action);

        if (!(left & jail))
            continue;
        left &= ~jail;
        singles |= taking->singles >> action & 1 ? jail : 0;
        count_for(taking, action);
    }
    taking->outcome->jails |= jails;
    taking->outcome->attempts = taking->judgement.attempts;
    remember(taking, jails, singles, is_first);
}

/* ---- the line is judged ---- */

/* Whether the server's own troubles are why it failed. */
static bool
is_held(struct taking *taking)
{
    bool wake = false, holds;

    holds = backend_holds(taking->counter->backend, &taking->told, taking->offence, &wake);
    taking->outcome->wake |= wake;
    return holds;
}

/* A mechanism that the server does not have gets no name and no secret: nobody is guessed at. */
static void
name_nobody(struct taking *taking)
{
    struct table_failure *const failure = &taking->judgement.failure;

    if (failure->class == OFFENCE_AUTH_MECH_UNSUPPORTED && failure->user_hash == 0)
        failure->user_hash = TABLE_NOBODY;
}

/* Whether a failure adds anything that is not allow-listed by all but these actions; what, is left
 * in the judgement. */
static bool
adds_anything(struct taking *taking, uint64_t allowed)
{
    struct counter *const counter = taking->counter;

    count(&counter->statistics.failures);
    if (allowed == 0) {
        count(&counter->statistics.allow_listed);
        return false;
    }
    if (taking->told.stamp_ms < counter->count_from_ms && taking->line->is_history) {
        count(&counter->statistics.old);
        return false;
    }
    if (is_held(taking))
        return false;
    taking->judgement.attempts = table_attempts(counter->options.table, &taking->judgement.failure);
    if (taking->judgement.attempts == 0)
        count(&counter->statistics.duplicates);
    name_nobody(taking);
    return taking->judgement.attempts != 0;
}

/* Whoever has an account at sshd need have no mailbox. */
static bool
is_of_mail(const struct offence *offence)
{
    static const char dovecot[] = "dovecot", postfix[] = "postfix";
    const size_t length = sizeof dovecot - 1;

    return effect_service(offence->service, offence->service_length) != 0 ||
           (offence->service_length >= length && (memcmp(offence->service, dovecot, length) == 0 ||
                                                  memcmp(offence->service, postfix, length) == 0));
}

/* A login failed for a name that is nobody's: the mail server may never tell. */
static void
find_unknown_user(const struct counter *counter, struct offence *offence)
{
    if (offence->class == OFFENCE_AUTH_FAILED && counter->options.users != NULL &&
        is_of_mail(offence) &&
        users_is_unknown(counter->options.users, offence->user, offence->user_length))
        offence->class = OFFENCE_AUTH_UNKNOWN_USER;
}

/* A line of a class that matters, for these actions; without the lists in hand. */
static void
hear(struct taking *taking)
{
    struct counter *const counter = taking->counter;
    const struct line *const line = taking->line;

    taking->origin = known_origin(line);
    taking->service = known_service(taking->offence->service, taking->offence->service_length);
    taking->told = (struct backend_line){
        .host = line->host.at,
        .host_length = line->host.length,
        .place = backend_place(taking->origin->host, taking->service, taking->offence->class),
        .stamp_ms = stamp_of(counter, line),
        .now_ms = line->now_ms,
    };
    connection_hear(counter->connections, taking->told.place.host, taking->offence,
                    taking->told.stamp_ms);
    taking->outcome->wake |= backend_hear(counter->backend, &taking->told, taking->offence);
    find_unknown_user(counter, taking->offence);
}

/* A mail server tells a sender, whoever he claims to be, that his mail did not arrive. A client may
 * write this in any of the names that the line has; but he may as well send such mail. */
static bool
is_bounce(const struct line *line, enum offence_class class)
{
    return (REJECTIONS & OFFENCE_BIT(class)) && holds(line->text, "; from=<> ");
}

static uint64_t
without_skipping(const struct roster *roster, uint64_t actions)
{
    uint64_t left = actions;

    for (; actions != 0; actions &= actions - 1) {
        const unsigned action = (unsigned)__builtin_ctzll(actions);

        if (roster->actions[action].given.jail.kindness.skips_bounces)
            left &= ~(UINT64_C(1) << action);
    }
    return left;
}

/* Which of these actions' jails the line may count in. */
static uint64_t
wanting(const struct taking *taking, uint64_t actions)
{
    if (!offence_counts(taking->offence))
        return 0;
    actions = of_class(taking->roster, actions, taking->offence->class, taking->service->services);
    if (actions != 0 && is_bounce(taking->line, taking->offence->class))
        actions = without_skipping(taking->roster, actions);
    return actions;
}

static uint64_t
all_actions(const struct roster *roster)
{
    return roster->action_count == COUNTER_ACTIONS_MAX ? UINT64_MAX
                                                       : (UINT64_C(1) << roster->action_count) - 1;
}

/* For all actions, as the line may come to each of them yet; then it counts for these. */
static void
judge(struct taking *taking, uint64_t actions)
{
    struct table *const table = taking->counter->options.table;
    uint64_t all;

    hear(taking);
    if ((MERITS & OFFENCE_BIT(taking->offence->class)) && taking->offence->has_client)
        note_merit(taking);
    /* Another class than at first: the backend may have told that there is no such user. */
    all = wanting(taking, all_actions(taking->roster));
    if (all == 0)
        return;
    describe_failure(taking);
    actions &= all;
    table_note_jail_lines(table, jails_of(taking->roster, actions));
    taking->outcome->counts = true;
    all = without_allow_listed(taking, all);
    if (!adds_anything(taking, all))
        return;
    actions &= all;
    /* Before it counts: whoever is woken by a ban finds its last line as well. */
    taking->judgement.evidence = keep_evidence(taking, jails_of(taking->roster, actions));
    count_in_jails(taking, actions);
}

/* ---- a line that passes several actions ---- */

/* It is judged: counts in the jails of these actions as well. */
static void
count_judged(struct taking *taking, uint64_t actions)
{
    struct counter *const counter = taking->counter;

    if (taking->judgement.failure.attempts == 0) /* no failure */
        return;
    taking->outcome->counts = true;
    actions = of_class(taking->roster, actions, taking->judgement.failure.class,
                       taking->judgement.failure.services);
    if (is_bounce(taking->line, taking->judgement.failure.class))
        actions = without_skipping(taking->roster, actions);
    table_note_jail_lines(counter->options.table, jails_of(taking->roster, actions));
    if (taking->judgement.attempts == 0)
        return;
    actions = without_allow_listed(taking, actions);
    if (actions == 0)
        return;
    taking->told.stamp_ms = taking->judgement.failure.stamp_ms;
    table_share_evidence(counter->options.table, taking->judgement.evidence,
                         jails_of(taking->roster, actions));
    count_in_jails(taking, actions);
}

static bool
is_heard(const struct roster *roster, enum offence_class class)
{
    return ((roster->classes | HEARD) & OFFENCE_BIT(class)) ||
           (roster->hears_mail && class == OFFENCE_MAIL_ACCEPTED);
}

/* Lines of other classes change nothing. */
static bool
matters(const struct roster *roster, const struct offence *offence)
{
    return is_heard(roster, offence->class) || (offence->flags & OFFENCE_ID_LOGGED);
}

/* Makes of the line what there is to be made, for these actions. One that matters is asked whether
 * it is known before it is told to anybody. */
static void
take_line(struct taking *taking, uint64_t actions)
{
    struct counter *const counter = taking->counter;
    const struct line *const line = taking->line;

    if (!read_offence(taking)) {
        take_without_class(counter, line, taking->worker);
        return;
    }
    if (matters(taking->roster, taking->offence) && !is_trusted(counter, line))
        return;
    note_sight(counter, line, taking->worker, TABLE_MATCHED);
    distrust_login(counter, line, taking->offence);
    if (!is_heard(taking->roster, taking->offence->class)) {
        stamp_of(counter, line); /* the host's clock is known by the time that it matters */
    } else if (table_note_line(counter->options.table, line, taking->fingerprint)) {
        judge(taking, actions);
    } else {
        count(&counter->statistics.repeated);
        taking->outcome->is_repeated = true;
    }
    if (!taking->outcome->is_repeated)
        number(counter, taking->outcome);
}

/* These actions, and the jails that were added to them. */
static uint64_t
brought_by(const struct roster *roster, uint64_t actions)
{
    uint64_t all = 0;

    for (; actions != 0; actions &= actions - 1)
        all |= roster->actions[__builtin_ctzll(actions)].bringing;
    return all;
}

/* One of several actions comes to it. */
static void
take_shared(struct taking *taking, unsigned action, bool has_fields)
{
    struct counter *const counter = taking->counter;
    const uint64_t own = UINT64_C(1) << action;
    uint64_t left = 0;

    switch (recent_come(counter->recent, taking->fingerprint, action, has_fields, &taking->handle,
                        &left, &taking->judgement)) {
    case RECENT_JUDGED:
        count_judged(taking, brought_by(taking->roster, own));
        break;
    case RECENT_MINE:
        take_line(taking, brought_by(taking->roster, left | own));
        left =
            recent_judged(counter->recent, taking->fingerprint, taking->handle, &taking->judgement);
        if (left != 0)
            count_judged(taking, brought_by(taking->roster, left));
        break;
    case RECENT_LEFT:
        break;
    }
}

void
counter_take(struct counter *counter, const struct line *line, unsigned action,
             struct reader *worker, struct counter_outcome *outcome)
{
    const bool has_fields = line->fields != NULL || line->load != NULL;
    struct taking taking;

    memset(outcome, 0, offsetof(struct counter_outcome, offence)); /* offence_read does the rest */
    if (!has_fields && !counter->is_own[action]) {
        take_without_class(counter, line, worker);
        return;
    }
    taking.counter = counter;
    taking.line = line;
    taking.worker = worker;
    taking.outcome = outcome;
    taking.offence = &outcome->offence;
    taking.is_known = taking.singles = taking.handle = 0;
    taking.judgement = (struct judgement){0};
    taking.fingerprint = table_fingerprint(counter->options.table, line);
    readers_begin(worker);
    taking.roster = atomic_load(&counter->roster);
    if (counter->coming > 1)
        take_shared(&taking, action, has_fields);
    else if (has_fields)
        take_line(&taking, taking.roster->actions[action].bringing);
    readers_end(worker);
}
