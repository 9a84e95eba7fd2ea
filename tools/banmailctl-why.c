/* why: everything that answers the user on the phone, in one command.
 *
 * An address or a prefix has its own history. A mailbox or a user name leads to the clients that
 * failed with it, because the caller never knows his address. A host name leads to its addresses.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-allow.h"
#include "banmailctl-bans.h"
#include "banmailctl-effect.h"
#include "banmailctl-counters.h"
#include "banmailctl-blockers.h"
#include "banmailctl-location.h"
#include "banmailctl-history.h"
#include "banmailctl-format.h"
#include "banmailctl-geo.h"
#include "banmailctl-scope.h"
#include "control/command.h"
#include "count/gateway.h"
#include "base/object.h"
#include "rules/allow-names.h"
#include "kernel/policy.h"
#include "table/table-health.h"

#define BLOCKERS_TIMEOUT_MS 20000
#define COMMAND_TIMEOUT_MS  900

struct why {
    const struct invocation *invocation;
    struct location place;
    const struct table *table;
    struct ledger *ledger; /* NULL: cannot be read */
    const char *ledger_reason;
    int64_t now_ms;
    bool is_paused;
    struct bans bans; /* all */
    struct firewall_policy policy;
    struct scopes *scopes;
    struct fjson_object *json; /* the array of what was found, or NULL */
    bool any_banned, any_known;
};

/* ---- asking ---- */

enum allowed { ALLOWED_NO, ALLOWED_YES, ALLOWED_UNKNOWN };

/* The allow list is in rsyslogd's configuration, which only rsyslogd knows. */
static enum allowed
ask_allowed(const struct why *why, const struct source *source, char entry[SOURCE_TEXT_SIZE],
            char jail[JAIL_NAME_SIZE], char name[ALLOW_NAME_SIZE])
{
    char request[COMMAND_SIZE], answer[COMMAND_SIZE], text[SOURCE_TEXT_SIZE];
    enum allowed allowed = ALLOWED_UNKNOWN;
    struct fjson_object *object;

    name[0] = '\0';
    snprintf(request, sizeof(request), "{\"command\":\"allowed\",\"source\":\"%s\"}\n",
             source_print(source, text));
    if (command_send(why->place.socket, request, answer, COMMAND_TIMEOUT_MS) < 0)
        return ALLOWED_UNKNOWN;
    object = object_parse(answer, strlen(answer));
    if (object && object_is_null(object, "entry"))
        allowed = ALLOWED_NO;
    else if (object && object_text(object, "entry", entry, SOURCE_TEXT_SIZE) == 0)
        allowed = ALLOWED_YES;
    if (allowed != ALLOWED_YES || object_text(object, "jail", jail, JAIL_NAME_SIZE) < 0)
        jail[0] = '\0';
    if (allowed != ALLOWED_YES || object_text(object, "name", name, ALLOW_NAME_SIZE) < 0)
        name[0] = '\0';
    fjson_object_put(object);
    return allowed;
}

/* ---- one ban ---- */

static void
print_cause(const struct why *why, const struct ban *ban)
{
    char span[FORMAT_SETTING_SIZE], user[BANS_USER_SIZE];
    struct jail jail;

    if (ban->origin == BAN_BY_HAND)
        printf("  by hand: %s ran banmailctl ban\n",
               ban->made_by == 0 ? "somebody" : bans_user(ban->made_by - 1, user));
    else if (table_read_jail(why->table, ban->jail, &jail) && jail.classes != 0)
        printf("  %u failure%s, %s%s; the threshold is %u in %s\n", (unsigned)ban->failures,
               report_plural(ban->failures), ban->failures == 1 ? "" : "the last of them ",
               offence_class_name(ban->class), jail.maxretry,
               format_setting(jail.findtime_s, span));
    else
        printf("  %u failure%s, %s%s; its jail is no longer configured\n", (unsigned)ban->failures,
               report_plural(ban->failures), ban->failures == 1 ? "" : "the last of them ",
               offence_class_name(ban->class));
}

/* Where it is not for the whole fleet. */
static void
print_scope(const struct why *why, const struct ban *ban)
{
    char text[SCOPE_TEXT_SIZE];

    if (ban->scope != TABLE_SCOPE_FLEET)
        printf("  on %s alone: its jail counts each host by itself\n",
               scope_text(why->scopes, ban->scope, text));
}

/* In a set of the administrator's his rules decide. */
static bool
is_rejected(const struct why *why, const struct ban *ban, const struct jail *jail)
{
    const enum firewall_family family = source_is_v4(&ban->source) ? FIREWALL_V4 : FIREWALL_V6;

    return why->policy.set[family][0] == '\0' &&
           jail_verdict(jail, why->policy.verdict) == VERDICT_REJECT;
}

static void
print_ban(struct why *why, const struct ban *ban)
{
    char source[SOURCE_TEXT_SIZE], jail[JAIL_NAME_SIZE * 4], span[FORMAT_SPAN_SIZE];
    char stamp[FORMAT_STAMP_SIZE], ports[PORTS_TEXT_SIZE];
    struct lines lines;
    struct jail of;

    printf("%s%s: BANNED%s by jail %s", format_colour(FORMAT_BAD),
           source_print(&ban->source, source), format_colour(FORMAT_PLAIN),
           bans_jail_name(why->table, ban, jail));
    if (ban->until_ms == TABLE_FOREVER_MS)
        printf(" until it is lifted\n");
    else
        printf(", %s left, until %s\n", format_span(ban->until_ms - why->now_ms, span),
               format_stamp(ban->until_ms, stamp));
    printf("  since %s (%s)\n", format_span(why->now_ms - ban->since_ms, span),
           format_stamp(ban->since_ms, stamp));
    if (table_read_jail(why->table, ban->jail, &of))
        printf("  closed: %s%s\n",
               ports_are_all(&of.ports) ? "all ports" : ports_print(&of.ports, ", ", ports),
               is_rejected(why, ban, &of) ? "; packets are rejected" : "");
    print_scope(why, ban);
    print_cause(why, ban);
    if (why->is_paused)
        printf("  NOT IN FORCE: ombanmail is paused (banmailctl resume)\n");
    else if (ban->state == BAN_WANTED)
        printf("  NOT IN FORCE YET: it waits for the kernel, see banmailctl status\n");
    ineffective_print(&why->place, why->table, ban, why->now_ms, "  ");
    if (ban->origin == BAN_BY_HAND)
        return;
    history_of_ban(why->table, why->ledger, ban, &lines);
    printf("  the lines that led to it%s:\n", lines.count ? "" : ": none are kept");
    for (unsigned i = 0; i < lines.count; i++)
        history_print_line(&lines.line[i], "    ");
    if (lines.attempts < ban->failures)
        printf("    of %u of the %u failure%s no line is left: overwritten, erased or never kept\n",
               ban->failures - lines.attempts, (unsigned)ban->failures,
               report_plural(ban->failures));
}

static struct fjson_object *
ban_json(struct why *why, const struct ban *ban)
{
    struct ledger_row row = {.ban = *ban};
    struct fjson_object *object;
    struct lines lines;
    struct jail jail;

    if (table_read_jail(why->table, ban->jail, &jail)) {
        memcpy(row.jail, jail.name, sizeof(row.jail));
        row.threshold = ban->origin == BAN_BY_HAND ? 0 : jail.maxretry;
        row.findtime_s = ban->origin == BAN_BY_HAND ? 0 : jail.findtime_s;
    }
    object = history_row_json(&row, why->scopes);
    format_add_bool(object, "enforced",
                    ban->state == BAN_ENFORCED && bans_is_here(ban) && !why->is_paused);
    fjson_object_object_add(object, "ineffective", ineffective_ban_json(ban, why->now_ms));
    history_of_ban(why->table, why->ledger, ban, &lines);
    fjson_object_object_add(object, "lines", history_lines_json(&lines));
    format_add_number(object, "linesMissing",
                      lines.attempts < ban->failures ? ban->failures - lines.attempts : 0);
    return object;
}

/* ---- an address or a prefix ---- */

struct found {
    struct source source;
    const struct ban *bans[TABLE_JAILS_MAX];
    unsigned ban_count;
    struct lines lines; /* in memory, of it */
    struct earlier earlier;
    struct blockers others;
    enum allowed allowed;
    char entry[SOURCE_TEXT_SIZE];
    char allowed_jail[JAIL_NAME_SIZE]; /* the only one that allows it; "": all do */
    struct allow_added added;          /* what banmailctl allow has of it; is_added */
    bool is_added;
    char allowed_name[ALLOW_NAME_SIZE]; /* whose address it is on the list; "": nobody's */
    bool is_gateway;
    struct table_gateway gateway;
};

/* Its file can be read while no rsyslogd answers, too. */
static void
look_up_added(const struct why *why, struct found *found)
{
    char path[ALLOW_PATH_SIZE];

    found->is_added = allow_added_find(allow_path(why->table, path), &found->source, &found->added);
    if (!found->is_added || found->allowed != ALLOWED_UNKNOWN)
        return;
    found->allowed = ALLOWED_YES;
    source_print(&found->added.source, found->entry);
}

static void
look_up(struct why *why, const struct source *source, struct found *found)
{
    *found = (struct found){.source = *source};
    for (size_t i = 0; i < why->bans.count && found->ban_count < TABLE_JAILS_MAX; i++)
        if (bans_touches(&why->bans.ban[i], source))
            found->bans[found->ban_count++] = &why->bans.ban[i];
    history_of_source(why->table, source, &found->lines);
    history_earlier(why->ledger, source, &found->earlier);
    blockers_ask(source, why->policy.set[source_is_v4(source) ? FIREWALL_V4 : FIREWALL_V6],
                 BLOCKERS_TIMEOUT_MS, &found->others);
    found->is_gateway = gateways_find(why->table, source, why->now_ms, &found->gateway);
    found->allowed =
        ask_allowed(why, source, found->entry, found->allowed_jail, found->allowed_name);
    look_up_added(why, found);
    why->any_banned |= found->ban_count > 0;
    why->any_known |= found->ban_count > 0 || found->lines.count > 0 || found->earlier.count > 0;
}

/* Whether a ban of this kernel's holds all of what was asked for. */
static bool
is_closed_here(const struct found *found)
{
    for (unsigned i = 0; i < found->ban_count; i++)
        if (bans_is_here(found->bans[i]))
            return source_contains(&found->bans[i]->source, &found->source);
    return false;
}

static void
print_kernel(const struct why *why, const struct found *found)
{
    const bool should = !why->is_paused && is_closed_here(found);

    if (!found->others.was_asked)
        printf("  kernel: not asked, %s\n", found->others.trouble);
    else if (found->ban_count > 0 && !should && !why->is_paused)
        printf("  kernel: ask for one of these addresses to see whether it agrees\n");
    else if (found->others.is_enforced == should)
        printf("  kernel: agrees, its sets %s\n", should ? "hold it" : "do not hold it");
    else if (should)
        printf("  kernel: DOES NOT AGREE: its sets do not hold it; see banmailctl status\n");
    else
        printf("  kernel: DOES NOT AGREE: its sets still hold it; see banmailctl status\n");
}

static void
print_others(const struct found *found)
{
    char source[SOURCE_TEXT_SIZE];

    for (unsigned i = 0; i < found->others.count; i++) {
        const struct blocker *other = &found->others.list[i];

        printf("  %salso held by%s %s (%s)\n", format_colour(FORMAT_BAD),
               format_colour(FORMAT_PLAIN), other->place, other->detail);
        if (other->remedy[0])
            printf("    lift it with: %s\n", other->remedy);
    }
    if (found->others.count > 0)
        printf("    if it comes back, who puts it there: banmailctl watch-set %s\n",
               source_print(&found->source, source));
    if (found->others.was_asked && found->others.count == 0)
        printf("  nobody else on this host blocks it: no other nftables set or rule, no iptables "
               "chain\n");
}

static void
print_earlier(const struct why *why, const struct earlier *earlier)
{
    char source[SOURCE_TEXT_SIZE], since[FORMAT_STAMP_SIZE], ended[FORMAT_STAMP_SIZE], end[64];
    char jail[JAIL_NAME_SIZE * 4], span[FORMAT_SPAN_SIZE], scope[SCOPE_WORDS_SIZE];

    if (!why->ledger) {
        printf("  earlier bans: the ledger cannot be read: %s\n", why->ledger_reason);
        return;
    }
    if (earlier->all == 0)
        printf("  earlier bans: none\n");
    else
        printf("  earlier bans: %u, of %s together%s\n", earlier->all,
               format_span(earlier->total_ms, span),
               earlier->all > earlier->count ? "; the latest:" : "");
    for (unsigned i = 0; i < earlier->count; i++) {
        const struct ledger_row *row = &earlier->row[i];

        printf("    %s  %s  %s to %s, %s, %u failure%s%s\n", source_print(&row->ban.source, source),
               format_clean(row->jail, jail, sizeof(jail)), format_stamp(row->ban.since_ms, since),
               format_stamp(row->ban.ended_ms, ended), history_end(&row->ban, end),
               (unsigned)row->ban.failures, report_plural(row->ban.failures),
               scope_words(why->scopes, row->ban.scope, scope));
    }
}

static void
print_not_banned(const struct found *found)
{
    char source[SOURCE_TEXT_SIZE];

    source_print(&found->source, source);
    printf("%s%s: is not banned%s\n", format_colour(FORMAT_GOOD), source,
           format_colour(FORMAT_PLAIN));
    if (found->lines.count > 0) {
        printf("  its latest failures:\n");
        for (unsigned i = 0; i < found->lines.count; i++)
            history_print_line(&found->lines.line[i], "    ");
    } else if (found->earlier.count == 0) {
        printf(
            "  ombanmail has never counted a failure of it, as far as memory and ledger go.\n"
            "  Where to look: does it reach this host at all (the mail log, grep '%s'); is it\n"
            "  another address (banmailctl why MAILBOX); do the lines reach ombanmail and match\n"
            "  (banmailctl status, banmailctl test /var/log/mail.log)\n",
            source);
    }
}

static void
print_found(struct why *why, const struct found *found)
{
    char source[SOURCE_TEXT_SIZE], jail[JAIL_NAME_SIZE * 4], text[GATEWAY_TEXT_SIZE];
    char origin[GEO_TEXT_SIZE], note[ALLOW_NOTE_SIZE];

    for (unsigned i = 0; i < found->ban_count; i++)
        print_ban(why, found->bans[i]);
    if (found->ban_count == 0)
        print_not_banned(found);
    if (found->is_gateway)
        printf("  gateway: %s\n", gateway_explain(&found->gateway, text));
    if (geo_is_given())
        printf("  comes from: %s\n", geo_text(&found->source, origin));
    counters_print(why->table, why->scopes, &found->source, why->now_ms);
    print_earlier(why, &found->earlier);
    if (found->allowed == ALLOWED_YES && found->allowed_jail[0])
        printf("  allow list: the entry %s of jail %s holds it, so that jail never bans it\n",
               found->entry, format_clean(found->allowed_jail, jail, sizeof(jail)));
    else if (found->allowed == ALLOWED_YES)
        printf("  allow list: its entry %s holds it, so it is never banned by a jail\n",
               found->entry);
    else
        printf("  allow list: %s\n",
               found->allowed == ALLOWED_NO
                   ? "not on it"
                   : "not known: rsyslogd does not answer, or answers root only");
    if (found->is_added)
        printf("    put there with banmailctl allow add %s%s%s\n",
               source_print(&found->added.source, source), found->added.note[0] ? ", " : "",
               allow_note(found->added.note, note));
    if (found->allowed_name[0])
        printf("    as an address of %s\n", format_clean(found->allowed_name, text, sizeof(text)));
    print_kernel(why, found);
    print_others(found);
    if (found->ban_count > 0)
        printf("  lift it with: banmailctl unban %s\n", source_print(&found->source, source));
}

static struct fjson_object *
blockers_json(const struct blockers *others)
{
    struct fjson_object *array = fjson_object_new_array();

    for (unsigned i = 0; i < others->count; i++) {
        struct fjson_object *object = fjson_object_new_object();

        format_add_string(object, "place", others->list[i].place);
        format_add_string(object, "detail", others->list[i].detail);
        format_add_string(object, "lift", others->list[i].remedy);
        fjson_object_array_add(array, object);
    }
    return array;
}

static struct fjson_object *
found_json(struct why *why, const struct found *found)
{
    struct fjson_object *object = fjson_object_new_object(), *bans = fjson_object_new_array();
    struct fjson_object *earlier = fjson_object_new_array();
    char source[SOURCE_TEXT_SIZE], lift[SOURCE_TEXT_SIZE + 32];

    format_add_string(object, "source", source_print(&found->source, source));
    geo_add(object, &found->source);
    format_add_bool(object, "banned", found->ban_count > 0);
    for (unsigned i = 0; i < found->ban_count; i++)
        fjson_object_array_add(bans, ban_json(why, found->bans[i]));
    for (unsigned i = 0; i < found->earlier.count; i++)
        fjson_object_array_add(earlier, history_row_json(&found->earlier.row[i], why->scopes));
    fjson_object_object_add(object, "bans", bans);
    fjson_object_object_add(object, "failures", history_lines_json(&found->lines));
    fjson_object_object_add(object, "counters",
                            counters_json(why->table, why->scopes, &found->source));
    fjson_object_object_add(object, "earlier", earlier);
    format_add_number(object, "earlierCount", found->earlier.all);
    format_add_number(object, "earlierSeconds", (uint64_t)found->earlier.total_ms / 1000);
    if (found->allowed == ALLOWED_YES)
        format_add_string(object, "allowedBy", found->entry);
    else
        fjson_object_object_add(object, "allowedBy", NULL);
    if (found->allowed_jail[0])
        format_add_string(object, "allowedJail", found->allowed_jail);
    else
        fjson_object_object_add(object, "allowedJail", NULL);
    if (found->allowed_name[0])
        format_add_string(object, "allowedName", found->allowed_name);
    else
        fjson_object_object_add(object, "allowedName", NULL);
    if (found->is_added)
        format_add_string(object, "allowedNote", found->added.note);
    else
        fjson_object_object_add(object, "allowedNote", NULL);
    format_add_bool(object, "allowListKnown", found->allowed != ALLOWED_UNKNOWN);
    fjson_object_object_add(object, "gateway",
                            found->is_gateway ? gateway_json(why->table, &found->gateway) : NULL);
    if (found->others.was_asked)
        format_add_bool(object, "inKernel", found->others.is_enforced);
    else
        fjson_object_object_add(object, "inKernel", NULL);
    fjson_object_object_add(object, "others", blockers_json(&found->others));
    snprintf(lift, sizeof(lift), "banmailctl unban %s", source);
    if (found->ban_count > 0)
        format_add_string(object, "lift", lift);
    else
        fjson_object_object_add(object, "lift", NULL);
    return object;
}

static void
explain_source(struct why *why, const struct source *source)
{
    static struct found found; /* some 100 kB */

    look_up(why, source, &found);
    if (why->json)
        fjson_object_array_add(why->json, found_json(why, &found));
    else
        print_found(why, &found);
}

/* ---- a mailbox or a user name ---- */

static const struct ban *
ban_of(const struct why *why, const struct source *source)
{
    for (size_t i = 0; i < why->bans.count; i++)
        if (source_contains(&why->bans.ban[i].source, source))
            return &why->bans.ban[i];
    return NULL;
}

/* Those of a ban are in the ledger, those of late in the ring, and some in both. */
static uint64_t
failures_of(const struct history_client *client)
{
    return client->in_ring > client->in_ledger ? client->in_ring : client->in_ledger;
}

static void
print_client(const struct why *why, const struct history_client *client)
{
    char source[SOURCE_TEXT_SIZE], stamp[FORMAT_STAMP_SIZE], span[FORMAT_SPAN_SIZE];
    const struct ban *ban = ban_of(why, &client->source);

    const uint64_t failures = failures_of(client);

    printf("  %s  %" PRIu64 " failure%s, the last %s: %s%s%s",
           source_print(&client->source, source), failures, failures == 1 ? "" : "s",
           format_stamp(client->last_ms, stamp), format_colour(ban ? FORMAT_BAD : FORMAT_GOOD),
           ban ? "BANNED" : "not banned", format_colour(FORMAT_PLAIN));
    if (ban && ban->until_ms != TABLE_FOREVER_MS)
        printf(", %s left", format_span(ban->until_ms - why->now_ms, span));
    putchar('\n');
    if (ban)
        printf("    lift it with: banmailctl unban %s; the whole history: banmailctl why %s\n",
               source, source);
}

static struct fjson_object *
client_json(const struct why *why, const char *name, const struct history_client *client)
{
    struct fjson_object *object = fjson_object_new_object();
    char source[SOURCE_TEXT_SIZE], clean[EVIDENCE_USER_SIZE * 4];

    format_add_string(object, "user", format_clean(name, clean, sizeof(clean)));
    format_add_string(object, "source", source_print(&client->source, source));
    format_add_number(object, "failures", failures_of(client));
    format_add_time(object, "last", client->last_ms);
    format_add_bool(object, "banned", ban_of(why, &client->source) != NULL);
    return object;
}

/* Whole, and shortened as names are that were not known to be a user's: under the latter others may
 * hide, which has to be said. */
static int
find_clients(const struct why *why, const char *name, struct history_clients *clients,
             bool *is_short)
{
    char whole[EVIDENCE_USER_SIZE], shortened[EVIDENCE_USER_SIZE];
    int found, more = 0;

    evidence_user(EVIDENCE_FULL, false, name, strlen(name), whole);
    evidence_user(EVIDENCE_REDACTED, false, name, strlen(name), shortened);
    found = history_add_clients(why->table, why->ledger, whole, clients);
    if (found >= 0 && strcmp(whole, shortened) != 0)
        more = history_add_clients(why->table, why->ledger, shortened, clients);
    *is_short = more > 0;
    history_sort_clients(clients);
    return found < 0 ? found : more < 0 ? more : 0;
}

static void
print_user(const char *name, unsigned count, bool is_short)
{
    char clean[EVIDENCE_USER_SIZE * 4];

    printf(count ? "%s: failures as this user came from\n"
                 : "%s: no failure as this user is known\n",
           format_clean(name, clean, sizeof(clean)));
    if (is_short)
        printf("  (names that are no mailbox are kept shortened: other users may hide here)\n");
    if (!count && strchr(name, '@') == NULL)
        printf("  If users log in with their whole address, that is the name: %s@example.org\n",
               clean);
    if (!count)
        printf("  Where to look: the address that the user comes from (banmailctl why ADDRESS);"
               "\n  whether his attempts reach this host (the mail log, grep his name)\n");
}

static void
explain_clients(struct why *why, const char *name, const struct history_clients *clients,
                bool is_short)
{
    why->any_known |= clients->count > 0;
    if (!why->json)
        print_user(name, clients->count, is_short);
    for (unsigned i = 0; i < clients->count; i++) {
        why->any_banned |= ban_of(why, &clients->list[i].source) != NULL;
        if (why->json)
            fjson_object_array_add(why->json, client_json(why, name, &clients->list[i]));
        else
            print_client(why, &clients->list[i]);
    }
}

/* With `only_known` nothing is said of a name under which nobody failed. */
static int
explain_name(struct why *why, const char *name, bool only_known)
{
    struct history_clients clients = {0};
    bool is_short;

    if (find_clients(why, name, &clients, &is_short) < 0) {
        free(clients.list);
        return banmailctl_fail(why->invocation, EXIT_UNREACHABLE, "out of memory");
    }
    if (clients.count > 0 || !only_known)
        explain_clients(why, name, &clients, is_short);
    free(clients.list);
    return EXIT_FINE;
}

/* On the phone `alice` is alice@example.org. */
static int
explain_user(struct why *why, const char *name)
{
    static struct history_mailboxes mailboxes;
    int status;

    if (!strchr(name, '@'))
        history_find_mailboxes(why->table, why->ledger, name, &mailboxes);
    status = explain_name(why, name, mailboxes.count > 0);
    for (unsigned i = 0; i < mailboxes.count && status == EXIT_FINE; i++)
        status = explain_name(why, mailboxes.list[i], true);
    if (mailboxes.count == HISTORY_MAILBOXES && !why->json)
        printf("(no more than %d mailboxes are looked for)\n", HISTORY_MAILBOXES);
    return status;
}

/* ---- a host name ---- */

static bool
source_of_address(const struct sockaddr *address, struct source *source)
{
    char text[NI_MAXHOST];
    socklen_t size =
        address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

    return getnameinfo(address, size, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0 &&
           source_parse(text, strlen(text), source) == 0;
}

static int
explain_host(struct why *why, const char *name)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    struct source source;
    char clean[256];
    int error = getaddrinfo(name, NULL, &hints, &addresses);

    if (error)
        return banmailctl_fail(why->invocation, EXIT_USAGE,
                               "%s: no address, no mailbox, and as a host name: %s",
                               format_clean(name, clean, sizeof(clean)), gai_strerror(error));
    for (const struct addrinfo *at = addresses; at; at = at->ai_next)
        if (source_of_address(at->ai_addr, &source))
            explain_source(why, &source);
    freeaddrinfo(addresses);
    return EXIT_FINE;
}

/* ---- from the word to the exit status ---- */

static int
explain(struct why *why, const char *word)
{
    char reason[512];
    struct source source;

    if (format_parse_source(word, &source, reason, sizeof(reason)) == 0)
        explain_source(why, &source);
    else if (strchr(word, '@') || !strchr(word, '.'))
        return explain_user(why, word);
    else if (strspn(word, "0123456789./:") == strlen(word))
        return banmailctl_fail(why->invocation, EXIT_USAGE, "%s", reason);
    else
        return explain_host(why, word);
    return EXIT_FINE;
}

static void
print_json(struct why *why, const char *word)
{
    struct fjson_object *object = fjson_object_new_object();
    char clean[1024];

    format_add_string(object, "query", format_clean(word, clean, sizeof(clean)));
    format_add_bool(object, "banned", why->any_banned);
    format_add_bool(object, "known", why->any_known);
    format_add_bool(object, "paused", why->is_paused);
    fjson_object_object_add(object, "found", why->json);
    format_print_json(object);
}

int
why_main(const struct invocation *invocation)
{
    struct why why = {.invocation = invocation, .now_ms = banmailctl_now_ms()};
    struct table_health health;
    int status;

    if (invocation->count == 0)
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "why needs an address, a prefix, a mailbox or a name: banmailctl "
                               "why 203.0.113.9");
    if ((status = banmailctl_read(invocation, &why.place, &why.table)) != EXIT_FINE)
        return status;
    table_read_health(why.table, why.now_ms, &health);
    why.is_paused = health.paused_until_ms > why.now_ms;
    why.ledger = history_ledger(why.table, &why.ledger_reason);
    why.scopes = scopes_read(why.table);
    policy_read(why.place.table, &why.policy);
    if (bans_read(why.table, why.now_ms, &why.bans) < 0)
        status = banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    why.json = invocation->json ? fjson_object_new_array() : NULL;
    if (status == EXIT_FINE)
        status = explain(&why, invocation->words[0]);
    if (status == EXIT_FINE && why.json)
        print_json(&why, invocation->words[0]);
    else
        fjson_object_put(why.json);
    if (status == EXIT_FINE && !why.any_banned)
        status = EXIT_NO;
    bans_free(&why.bans);
    scopes_free(why.scopes);
    ledger_close(why.ledger);
    table_close_reader(why.table);
    return status;
}
