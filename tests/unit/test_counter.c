/* test_counter: a line is judged once and counts once in each jail that wants it, whichever actions
 * it passes, and in which order.
 *
 * Fails when a line counts twice in a jail or not at all in one of several, when it is told twice
 * in the statistics or in the evidence, when one jail's allow list or classes decide for another,
 * when what a repeated line says is heard again, when more is kept of a line than may be, or when
 * threads lose a count.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table_fixture.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <json.h>
#include <netinet/in.h>
#include <pthread.h>

#include "count/counter.h"
#include "count/gateway.h"
#include "base/object.h"
#include "table/table-effect.h"
#include "table/table-evidence.h"
#include "table/table-health.h"

#define JAILS 8

static struct fixture f;
static struct counter *counter;
static struct readers readers;
static struct reader worker;
static struct allow_list *lists[JAILS], *everywhere;
static struct users *users;
static unsigned jails[JAILS];
static struct counter_outcome outcome;

static int
setup(void **state)
{
    (void)state;
    fixture_begin(&f, 4096, 1024);
    readers = (struct readers)READERS_INITIALIZER;
    readers_join(&readers, &worker);
    counter = NULL;
    everywhere = NULL;
    users = NULL;
    memset(lists, 0, sizeof lists);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    counter_free(counter);
    readers_leave(&readers, &worker);
    for (unsigned i = 0; i < JAILS; i++)
        allow_list_free(lists[i]);
    allow_list_free(everywhere);
    users_free(users);
    f.said = 0;
    fixture_reopen(&f);
    assert_int_equal(f.said, 0); /* nothing was left damaged */
    fixture_end(&f);
    return 0;
}

static struct allow_list *
list_of(const char *entry)
{
    struct allow_list *list = allow_list_new();
    char reason[ALLOW_LIST_REASON_SIZE];
    bool changed;

    assert_non_null(list);
    assert_int_equal(allow_list_add(list, entry, strlen(entry)), 0);
    assert_int_equal(allow_list_read(list, NULL, &changed, reason), 0);
    return list;
}

static void
begin(unsigned gateway_users)
{
    const struct counter_options options = {
        .table = f.table,
        .stamps = {.age_ms = HOUR_MS, .ahead_ms = 60000},
        .evidence = EVIDENCE_FULL,
        .gateway_users = gateway_users,
        .host = "mx1",
        .allow = everywhere,
        .users = users,
    };

    counter = counter_new(&options);
    assert_non_null(counter);
}

/* An action whose jail is number `jail` of this test. */
static unsigned
add(unsigned jail, uint64_t classes, const struct allow_list *allow, bool is_own)
{
    struct counter_action action = {.jail = f.jail, .allow = allow, .is_own = is_own};
    int index;

    snprintf(action.jail.name, sizeof action.jail.name, "jail-%u", jail);
    action.jail.classes = classes;
    index = table_jail(f.table, &action.jail);
    assert_true(index > 0);
    jails[jail] = action.jail_index = (unsigned)index;
    index = counter_add_action(counter, &action);
    assert_true(index >= 0);
    return (unsigned)index;
}

static unsigned
add_default(unsigned jail)
{
    return add(jail, OFFENCE_DEFAULT, NULL, false);
}

static uint64_t
bit_of(unsigned jail)
{
    return UINT64_C(1) << jails[jail];
}

/* ---- lines ---- */

#define FAILED(ip) "{\"class\":\"auth_failed\",\"ip\":\"" ip "\",\"user\":\"bob\"}"

static struct line_bytes
bytes(const char *text)
{
    return (struct line_bytes){text, strlen(text)};
}

static struct line
line_of(const char *text, int64_t now_ms)
{
    return (struct line){
        .host = bytes("mx1"),
        .tag = bytes("postfix/smtpd[1]:"),
        .program = bytes("postfix/smtpd"),
        .input = bytes("imuxsock"),
        .text = bytes(text),
        .stamp_us = now_ms / 1000 * 1000000,
        .received_ms = now_ms,
        .now_ms = now_ms,
    };
}

/* NULL: without fields. */
static void
take(unsigned action, struct line line, const char *fields)
{
    line.fields = fields == NULL ? NULL : object_parse(fields, strlen(fields));
    assert_true(fields == NULL || line.fields != NULL);
    counter_take(counter, &line, action, &worker, &outcome);
    if (line.fields != NULL)
        fjson_object_put(line.fields);
}

/* A line of its own each time. */
static struct line
next_line(int64_t now_ms)
{
    static char texts[64][32];
    static unsigned number;
    char *text = texts[number % 64];

    snprintf(text, sizeof texts[0], " line %u", number++);
    return line_of(text, now_ms);
}

static unsigned
failures_on(unsigned jail, const char *source, uint16_t scope)
{
    const struct source client = source_of(source);
    struct table_counter found;

    return table_read_counter(f.table, jails[jail], &client, scope, &found) ? found.failures : 0;
}

static unsigned
failures_in(unsigned jail, const char *source)
{
    return failures_on(jail, source, TABLE_SCOPE_FLEET);
}

static struct counter_statistics
statistics(void)
{
    struct counter_statistics read;

    counter_read_statistics(counter, &read);
    return read;
}

/* The ban of this source in this jail. */
static bool
is_banned(unsigned jail, const char *source, struct ban *ban)
{
    const struct source wanted = source_of(source);

    for (uint32_t i = 0; i < 256; i++)
        if (table_read_ban(f.table, i, ban) && ban->jail == jails[jail] &&
            ban->end == BAN_RUNNING && source_compare(&ban->source, &wanted) == 0)
            return true;
    return false;
}

static unsigned
evidence_of(const struct ban *ban)
{
    struct evidence evidence;
    unsigned found = 0;

    for (uint64_t number = table_last_evidence(f.table); number > 0; number--)
        found +=
            table_read_evidence(f.table, number, &evidence) && table_is_evidence_of(&evidence, ban);
    return found;
}

/* ---- one action ---- */

static void
a_failure_counts_and_the_fifth_bans(void **state)
{
    struct ban ban;
    unsigned action;

    (void)state;
    begin(0);
    action = add_default(0);
    for (unsigned i = 1; i <= 5; i++) {
        take(action, next_line(NOON_MS), FAILED("203.0.113.9"));
        assert_true(outcome.has_class && outcome.counts && !outcome.is_repeated);
        assert_int_equal(outcome.attempts, 1);
        assert_true(outcome.jails == bit_of(0));
        assert_true(outcome.banning == (i == 5 ? bit_of(0) : 0));
        assert_int_equal(outcome.wake, i == 5);
    }
    assert_true(is_banned(0, "203.0.113.9", &ban));
    assert_int_equal(evidence_of(&ban), 5);
    assert_int_equal(statistics().failures, 5);
    assert_int_equal(statistics().bans, 1);
    assert_int_equal(statistics().mails_accepted, 0);
    take(action, next_line(NOON_MS), "{\"class\":\"mail_accepted\",\"ip\":\"192.0.2.1\"}");
    assert_int_equal(statistics().mails_accepted, 1);
    assert_int_equal(statistics().logins, 0);
    take(action, next_line(NOON_MS), "{\"class\":\"benign\",\"ip\":\"203.0.113.9\"}");
    assert_true(outcome.has_class && !outcome.counts);
    assert_int_equal(statistics().ignored, 2);
    take(action, next_line(NOON_MS), "{\"class\":\"nonsense\"}");
    assert_false(outcome.has_class);
}

static void
history_before_the_start_does_not_count(void **state)
{
    struct line line;
    unsigned action;

    (void)state;
    begin(0);
    action = add_default(0);
    counter_set_start(counter, NOON_MS - 10000);
    for (int64_t ago_ms = 20000; ago_ms >= 5000; ago_ms -= 5000) {
        line = next_line(NOON_MS);
        line.is_history = true;
        line.stamp_us -= ago_ms * 1000;
        take(action, line, FAILED("203.0.113.9"));
        assert_true(outcome.counts);
        assert_int_equal(outcome.attempts, ago_ms <= 10000);
    }
    line = next_line(NOON_MS); /* of a socket: late, but no history */
    line.stamp_us -= 20000000;
    take(action, line, FAILED("203.0.113.9"));
    assert_int_equal(outcome.attempts, 1);
    assert_int_equal(statistics().old, 2);
    assert_int_equal(failures_in(0, "203.0.113.9"), 3);
}

static void
what_looks_like_a_login_is_unmatched_once(void **state)
{
    struct line line = line_of(" LOGIN authentication failed: bob", NOON_MS);
    struct table_health health;
    unsigned one, other;

    (void)state;
    begin(0);
    one = add_default(0);
    other = add_default(1);
    take(one, line, NULL);
    line.is_again = true;
    take(other, line, NULL);
    assert_false(outcome.has_class);
    line = line_of(" all is well", NOON_MS);
    take(one, line, NULL);
    assert_int_equal(statistics().unmatched, 1);
    for (unsigned i = 0; i < 4; i++) { /* without a process's number; the last are no clients' */
        static const char *const tags[] = {"postfix/smtpd", "postfix/postscreen", "postfix/smtp",
                                           "postfix/scache"};

        line = line_of(" LOGIN authentication failed: bob", NOON_MS);
        line.tag = bytes(tags[i]);
        take(one, line, NULL);
    }
    assert_int_equal(statistics().unmatched, 3);
    table_read_health(f.table, NOON_MS, &health);
    assert_int_equal(health.last_message_ms, NOON_MS);
    assert_int_equal(health.messages, 6);
    assert_int_equal(health.unmatched, 3);
    assert_int_equal(health.matched, 0);
}

/* The packets of this host's lines went through this kernel, unless they are older than a minute.
 */
static void
only_what_passed_here_and_now_tells_of_a_ban_without_effect(void **state)
{
    static const struct {
        const char *host;
        int64_t age_s;
        unsigned passed;
    } lines[] = {{"mx1", 60, 1}, {"mx1", 61, 0}, {"MX1", 0, 1}, {"mx2", 0, 0}, {"mx", 0, 0}};
    int64_t now_ms = NOON_MS + 200000;
    uint64_t passed = 0;

    (void)state;
    begin(0);
    add_default(0);
    for (unsigned i = 0; i < 5; i++)
        take(0, next_line(NOON_MS), FAILED("203.0.113.9"));
    assert_int_equal(keep(f.table, NOON_MS), 1);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++, now_ms += 70000) {
        struct line line = next_line(now_ms);

        line.host = bytes(lines[i].host);
        line.stamp_us -= lines[i].age_s * 1000000;
        take(0, line, FAILED("203.0.113.9"));
        passed += lines[i].passed;
        assert_int_equal(table_after_bans(f.table), passed);
    }
}

/* ---- several actions over one line ---- */

/* Five lines, and each passes all actions before the next one comes. */
static void
eight_jails_count_each_line_once(void **state)
{
    struct table_health health;
    unsigned actions[JAILS];
    struct ban ban;

    (void)state;
    begin(0);
    for (unsigned i = 0; i < JAILS; i++)
        actions[i] = add_default(i);
    for (unsigned lines = 1; lines <= 5; lines++) {
        struct line line = next_line(NOON_MS);

        for (unsigned i = 0; i < JAILS; i++) {
            line.is_again = i > 0;
            take(actions[i], line, FAILED("203.0.113.9"));
            assert_true(outcome.jails == bit_of(i));
            assert_true(outcome.banning == (lines == 5 ? bit_of(i) : 0));
            assert_int_equal(failures_in(i, "203.0.113.9"), lines % 5);
        }
    }
    for (unsigned i = 0; i < JAILS; i++) {
        assert_true(is_banned(i, "203.0.113.9", &ban));
        assert_int_equal(evidence_of(&ban), 5);
        assert_int_equal(table_jail_lines(f.table, jails[i]), 5);
    }
    assert_int_equal(table_last_evidence(f.table), 5);
    assert_int_equal(statistics().failures, 5);
    assert_int_equal(statistics().bans, 8);
    assert_int_equal(statistics().ignored + statistics().duplicates + statistics().repeated, 0);
    table_read_health(f.table, NOON_MS, &health);
    assert_int_equal(health.messages, 5);
    assert_int_equal(health.matched, 5);
}

/* `order`: j judges, o and p are own actions without fields, O is one with fields. Two equal lines
 * of one second, each through all of them. */
static void
check_order(const char *order, bool one_after_the_other)
{
    const struct line line = line_of(" the very same", NOON_MS);
    unsigned judging, own, second;

    begin(0);
    judging = add_default(0);
    own = add(1, OFFENCE_DEFAULT, NULL, true);
    second = add(2, OFFENCE_DEFAULT, NULL, true);
    for (unsigned step = 0; step < 2 * strlen(order); step++) {
        const char who = one_after_the_other ? order[step % strlen(order)] : order[step / 2];

        take(who == 'j'   ? judging
             : who == 'p' ? second
                          : own,
             line, who == 'j' || who == 'O' ? FAILED("203.0.113.9") : NULL);
    }
    assert_int_equal(failures_in(0, "203.0.113.9"), strchr(order, 'j') != NULL ? 2 : 0);
    assert_int_equal(failures_in(1, "203.0.113.9"), 2);
    assert_int_equal(failures_in(2, "203.0.113.9"), strchr(order, 'p') != NULL ? 2 : 0);
    assert_int_equal(statistics().failures, 2);
    assert_int_equal(statistics().repeated, 0);
    assert_int_equal(table_last_evidence(f.table), 2);
    counter_free(counter);
    counter = NULL;
}

static void
own_actions_count_in_any_order(void **state)
{
    static const char *const orders[] = {"jo",  "oj",  "jO",  "Oj",  "O",   "jop", "ojp",
                                         "opj", "poj", "jpo", "Ojp", "pOj", "pjO"};

    for (unsigned i = 0; i < 2 * sizeof orders / sizeof orders[0]; i++) {
        check_order(orders[i / 2], i % 2);
        teardown(state);
        setup(state);
    }
}

static void
no_failure_of_others_is_ones_own(void **state)
{
    const struct line line = line_of(" a", NOON_MS);
    unsigned judging, own;

    (void)state;
    begin(0);
    judging = add_default(0);
    own = add(1, OFFENCE_DEFAULT, NULL, true);
    take(own, line, NULL);
    take(judging, line, "{\"class\":\"login_ok\",\"ip\":\"203.0.113.9\",\"user\":\"bob\"}");
    take(own, line_of(" b", NOON_MS), NULL); /* nobody judges it */
    take(judging, line_of(" c", NOON_MS), FAILED("203.0.113.9"));
    assert_int_equal(failures_in(1, "203.0.113.9"), 0);
    assert_int_equal(failures_in(0, "203.0.113.9"), 1);
}

/* Also where the second action has other classes, or is one of its own. */
static void
two_actions_of_one_jail_count_a_line_once(void **state)
{
    unsigned actions[3];

    (void)state;
    begin(0);
    actions[0] = add_default(0);
    actions[1] = add(0, OFFENCE_BIT(OFFENCE_AUTH_FAILED), NULL, false);
    actions[2] = add(0, OFFENCE_DEFAULT, NULL, true);
    for (unsigned first = 0; first < 3; first++) {
        const struct line line = next_line(NOON_MS);

        for (unsigned i = 0; i < 3; i++) {
            const unsigned at = (first + i) % 3;

            take(actions[at], line, at == 2 ? NULL : FAILED("203.0.113.9"));
        }
    }
    assert_int_equal(failures_in(0, "203.0.113.9"), 3);
    assert_int_equal(statistics().failures, 3);
}

/* Also where nothing tells that another came first: they may be of different threads. */
static void
what_is_told_once_is_numbered_once(void **state)
{
    struct line line = next_line(NOON_MS);
    struct line mail = next_line(NOON_MS);

    (void)state;
    begin(0);
    for (unsigned i = 0; i < 4; i++)
        add(i, OFFENCE_DEFAULT, NULL, i == 3);
    for (unsigned i = 0; i < 4; i++) {
        const bool is_own = i == 3;

        take(i, line,
             is_own ? NULL : "{\"class\":\"login_ok\",\"ip\":\"203.0.113.9\",\"user\":\"bob\"}");
        mail.is_again = i > 0;
        take(i, mail, is_own ? NULL : "{\"class\":\"mail_accepted\",\"ip\":\"203.0.113.9\"}");
    }
    assert_int_equal(statistics().logins, 1);
    assert_int_equal(statistics().mails_accepted, 1);
    assert_int_equal(statistics().ignored, 2);
}

/* ---- classes ---- */

/* What the first action does not count may well count in the second's jail, and the other way. */
static void
each_jail_has_its_classes(void **state)
{
    unsigned first, second, own;

    (void)state;
    begin(0);
    first = add(0, OFFENCE_BIT(OFFENCE_RELAY_DENIED), NULL, false);
    second = add(1, OFFENCE_BIT(OFFENCE_AUTH_FAILED), NULL, false);
    own = add(2, OFFENCE_BIT(OFFENCE_AUTH_FAILED), NULL, true);
    for (unsigned turn = 0; turn < 2; turn++) {
        struct line line = next_line(NOON_MS);

        take(turn == 0 ? first : second, line, FAILED("203.0.113.9"));
        line.is_again = true;
        take(turn == 0 ? second : first, line, FAILED("203.0.113.9"));
        take(own, line, NULL);
    }
    take(first, next_line(NOON_MS), "{\"class\":\"relay_denied\",\"ip\":\"203.0.113.9\"}");
    assert_int_equal(failures_in(0, "203.0.113.9"), 1);
    assert_int_equal(failures_in(1, "203.0.113.9"), 2);
    assert_int_equal(failures_in(2, "203.0.113.9"), 2);
    assert_int_equal(statistics().failures, 3);
    assert_int_equal(statistics().ignored, 0);
    assert_int_equal(table_last_evidence(f.table), 3);
}

#define SESSION "kMjOh7hGxKrLAHEJ" /* of 203.0.113.9 */
#define LOGIN                                                                                      \
    "{\"class\":\"auth_failed\",\"ip\":\"203.0.113.9\",\"user\":\"bob\",\"session\":\"" SESSION    \
    "\"}"

static void
an_unknown_user_is_told_apart_where_a_jail_does(void **state)
{
    unsigned failed, unknown, session;
    struct line line;

    (void)state;
    begin(0);
    failed = add(0, OFFENCE_BIT(OFFENCE_AUTH_FAILED), NULL, false);
    unknown = add(1, OFFENCE_BIT(OFFENCE_AUTH_UNKNOWN_USER), NULL, false);
    session = failed;
    line = next_line(NOON_MS);
    take(failed, line, FAILED("203.0.113.9"));
    assert_true(outcome.jails == bit_of(0));
    take(unknown, line, FAILED("203.0.113.9"));
    assert_true(outcome.jails == 0);
    take(session, next_line(NOON_MS),
         "{\"class\":\"auth_detail\",\"auth_tail\":\"passwd-file(bob,203.0.113.9,<" SESSION
         ">): unknown user\"}");
    line = next_line(NOON_MS);
    take(failed, line, LOGIN);
    assert_true(outcome.jails == bit_of(0));
    assert_int_equal(outcome.offence.class, OFFENCE_AUTH_UNKNOWN_USER);
    take(unknown, line, LOGIN);
    assert_true(outcome.jails == bit_of(1));
    assert_int_equal(failures_in(0, "203.0.113.9"), 2);
    assert_int_equal(failures_in(1, "203.0.113.9"), 1);
}

static void
a_ban_tells_of_the_class_that_its_jail_counts(void **state)
{
    struct ban ban;

    (void)state;
    f.jail.maxretry = 1;
    begin(0);
    add(0, OFFENCE_BIT(OFFENCE_AUTH_FAILED), NULL, false);
    add(1, OFFENCE_BIT(OFFENCE_AUTH_FAILED) | OFFENCE_BIT(OFFENCE_AUTH_UNKNOWN_USER), NULL, false);
    for (unsigned i = 0; i < 2; i++)
        take(i, line_of(" nobody", NOON_MS),
             "{\"class\":\"auth_unknown_user\",\"ip\":\"203.0.113.9\",\"user\":\"nobody\"}");
    assert_true(is_banned(0, "203.0.113.9", &ban));
    assert_int_equal(ban.class, OFFENCE_AUTH_FAILED);
    assert_true(is_banned(1, "203.0.113.9", &ban));
    assert_int_equal(ban.class, OFFENCE_AUTH_UNKNOWN_USER);
}

static void
only_unknown_users_count_where_a_jail_says_so(void **state)
{
    unsigned action;

    (void)state;
    begin(0);
    action = add(0, OFFENCE_BIT(OFFENCE_AUTH_UNKNOWN_USER), NULL, false);
    take(action, next_line(NOON_MS), LOGIN);
    assert_false(outcome.counts);
    take(action, next_line(NOON_MS),
         "{\"class\":\"auth_detail\",\"auth_tail\":\"passwd-file(bob,203.0.113.9,<" SESSION
         ">): unknown user\"}");
    take(action, next_line(NOON_MS), LOGIN);
    assert_true(outcome.counts);
    assert_int_equal(failures_in(0, "203.0.113.9"), 1);
}

/* ---- allow lists ---- */

static void
an_allow_list_spares_in_its_own_jail(void **state)
{
    unsigned actions[3];

    (void)state;
    everywhere = list_of("198.51.100.7");
    begin(0);
    lists[0] = list_of("203.0.113.9");
    actions[0] = add(0, OFFENCE_DEFAULT, lists[0], false);
    actions[1] = add_default(1);
    actions[2] = add(2, OFFENCE_DEFAULT, NULL, true);
    for (unsigned turn = 0; turn < 2; turn++) {
        const struct line line = next_line(NOON_MS);

        take(actions[turn], line, FAILED("203.0.113.9"));
        take(actions[1 - turn], line, FAILED("203.0.113.9"));
        take(actions[2], line, NULL);
    }
    assert_int_equal(failures_in(0, "203.0.113.9"), 0);
    assert_int_equal(failures_in(1, "203.0.113.9"), 2);
    assert_int_equal(failures_in(2, "203.0.113.9"), 2);
    assert_int_equal(statistics().allow_listed, 0);
    assert_int_equal(statistics().failures, 2);
    for (unsigned i = 0; i < 3; i++)
        take(actions[i], line_of(" z", NOON_MS), i == 2 ? NULL : FAILED("198.51.100.7"));
    assert_int_equal(statistics().allow_listed, 1);
    assert_int_equal(table_last_evidence(f.table), 2);
}

/* ---- faults of the server ---- */

#define FAULT(ip)                                                                                  \
    "{\"class\":\"server_fault\",\"fault\":\"auth\",\"auth_tail\":\"sql(bob," ip                   \
    "): Password query failed\"}"

static void
fault_of_two(unsigned action, int64_t now_ms)
{
    take(action, next_line(now_ms), FAULT("198.51.100.1"));
    assert_false(outcome.wake);
    take(action, next_line(now_ms), FAULT("198.51.100.2"));
}

static void
a_neighbour_on_the_list_makes_it_count_by_address(void **state)
{
    unsigned one, other;

    (void)state;
    begin(0);
    lists[0] = list_of("2001:db8::7");
    one = add(0, OFFENCE_DEFAULT, lists[0], false);
    other = add_default(1);
    for (unsigned i = 0; i < 4; i++) {
        const struct line line = next_line(NOON_MS);

        take(one, line, FAILED("2001:db8::9"));
        take(other, line, FAILED("2001:db8::9"));
    }
    assert_int_equal(failures_in(0, "2001:db8::9"), 4);
    assert_int_equal(failures_in(0, "2001:db8::/64"), 4);
    assert_int_equal(failures_in(1, "2001:db8::/64"), 4);
    fault_of_two(one, NOON_MS + 1000);
    assert_true(outcome.wake);
    assert_int_equal(failures_in(0, "2001:db8::9"), 0);
    assert_int_equal(failures_in(0, "2001:db8::/64"), 0);
    assert_int_equal(failures_in(1, "2001:db8::/64"), 0);
}

static void
what_the_server_caused_is_taken_back_in_every_jail(void **state)
{
    struct backend_statistics backend;
    struct ban ban;

    (void)state;
    begin(0);
    for (unsigned i = 0; i < 3; i++)
        add(i, OFFENCE_DEFAULT, NULL, i == 2);
    for (unsigned lines = 1; lines <= 6; lines++) {
        const struct line line = next_line(NOON_MS);

        for (unsigned i = 0; i < 3; i++)
            take(i, line, i == 2 ? NULL : FAILED("203.0.113.9"));
    }
    for (unsigned i = 0; i < 3; i++)
        assert_true(is_banned(i, "203.0.113.9", &ban));
    fault_of_two(0, NOON_MS + 1000);
    assert_true(outcome.wake);
    for (unsigned i = 0; i < 3; i++) {
        assert_false(is_banned(i, "203.0.113.9", &ban));
        assert_int_equal(failures_in(i, "203.0.113.9"), 0);
    }
    backend_read_statistics(counter_backend(counter), NOON_MS + 1000, &backend);
    assert_int_equal(backend.lifted, 3);
    assert_int_equal(backend.withdrawn, 6); /* failures, in however many jails */
    take(0, next_line(NOON_MS + 2000), FAILED("203.0.113.9"));
    assert_int_equal(outcome.attempts, 0); /* it is held */
}

#define FILE_OF(user, ip)                                                                          \
    "{\"class\":\"server_fault\",\"fault\":\"auth\",\"auth_tail\":\"passwd-file(" user "," ip      \
    "): stat(/srv/" user "/passwd) failed: No such file or directory\"}"

/* Names that an attacker makes up suspend nothing; a file of a user's that has gone is a fault. */
static void
made_up_names_do_not_suspend(void **state)
{
    (void)state;
    begin(0);
    add_default(0);
    take(0, next_line(NOON_MS), FILE_OF("bob", "198.51.100.1"));
    take(0, next_line(NOON_MS), FILE_OF("eve", "198.51.100.2"));
    assert_int_equal(outcome.offence.class, OFFENCE_AUTH_DETAIL);
    take(0, next_line(NOON_MS), FAILED("203.0.113.9"));
    assert_int_equal(outcome.attempts, 1);
    take(0, next_line(NOON_MS),
         "{\"class\":\"login_ok\",\"ip\":\"198.51.100.1\",\"user\":\"bob\"}");
    take(0, next_line(NOON_MS),
         "{\"class\":\"login_ok\",\"ip\":\"198.51.100.2\",\"user\":\"eve\"}");
    take(0, next_line(NOON_MS + 1000), FILE_OF("bob", "198.51.100.1"));
    take(0, next_line(NOON_MS + 1000), FILE_OF("eve", "198.51.100.2"));
    assert_int_equal(outcome.offence.class, OFFENCE_SERVER_FAULT);
    assert_true(outcome.wake);
    take(0, next_line(NOON_MS + 2000), FAILED("203.0.113.9"));
    assert_int_equal(outcome.attempts, 0);
}

/* ---- gateways ---- */

/* Five spellings of one name make no gateway of an address; five names do. */
static void
one_user_has_many_spellings(void **state)
{
    static const char *const names[] = {"bob", "Bob", "BOB", "boB", "bOb",
                                        "ann", "eve", "joe", "tom"};
    unsigned action, users;
    char fields[96];

    (void)state;
    begin(5);
    action = add_default(0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct source client = source_of("203.0.113.9");

        snprintf(fields, sizeof fields,
                 "{\"class\":\"login_ok\",\"ip\":\"203.0.113.9\",\"user\":\"%s\"}", names[i]);
        take(action, next_line(NOON_MS), fields);
        assert_int_equal(gateway_find(counter_gateways(counter), &client, NOON_MS, &users) !=
                             GATEWAY_NONE,
                         i == 8);
    }
}

/* ---- repetitions ---- */

static void
a_repeated_line_tells_nothing_again(void **state)
{
    const char login[] = "{\"class\":\"login_ok\",\"ip\":\"203.0.113.9\",\"user\":\"bob\"}";
    struct backend_statistics backend;
    struct line line = next_line(NOON_MS), failed = next_line(NOON_MS);
    unsigned action;

    (void)state;
    begin(0);
    action = add_default(0);
    take(action, failed, FAILED("203.0.113.9"));
    line.has_microseconds = failed.has_microseconds = true;
    for (unsigned i = 0; i < 3; i++) {
        take(action, line, FAULT("198.51.100.1"));
        assert_int_equal(outcome.is_repeated, i > 0);
        take(action, failed, FAILED("203.0.113.9"));
        assert_true(outcome.is_repeated && outcome.jails == 0);
    }
    backend_read_statistics(counter_backend(counter), NOON_MS, &backend);
    assert_int_equal(backend.faults, 1);
    line = next_line(NOON_MS);
    take(action, line, login);
    line.received_ms += 1000;
    take(action, line, login);
    assert_true(outcome.is_repeated);
    assert_int_equal(statistics().repeated, 6);
    assert_int_equal(statistics().logins, 1);
    assert_int_equal(statistics().ignored, 2); /* the fault, and the login */
    assert_int_equal(failures_in(0, "203.0.113.9"), 1);
}

/* ---- threads ---- */

#define THREADS 4
#define LINES   2000 /* of each thread */

/* So many lines at most are on their way at once: fewer than are remembered. */
#define STRIDE 50

static pthread_barrier_t barrier;

static void *
take_many(void *argument)
{
    const unsigned number = *(unsigned *)argument;
    char text[32], fields[96];

    struct reader mine;
    readers_join(&readers, &mine);
    for (unsigned i = 0; i < LINES; i++) {
        struct counter_outcome made;
        struct line line;

        if (i % STRIDE == 0)
            pthread_barrier_wait(&barrier);
        snprintf(text, sizeof text, " line %u of %u", i, number);
        snprintf(fields, sizeof fields, "{\"class\":\"auth_failed\",\"ip\":\"203.0.113.%u\"}",
                 i % 50 + 1);
        line = line_of(text, NOON_MS);
        for (unsigned action = 0; action < 3; action++) {
            line.is_again = action > 0;
            line.fields = action == 1 ? NULL : object_parse(fields, strlen(fields));
            counter_take(counter, &line, action, &mine, &made);
            if (line.fields != NULL)
                fjson_object_put(line.fields);
        }
    }
    readers_leave(&readers, &mine);
    return NULL;
}

static void
threads_lose_nothing(void **state)
{
    unsigned numbers[THREADS];
    struct table_status status;
    pthread_t threads[THREADS];

    (void)state;
    f.jail.maxretry = JAIL_STAMPS_MAX;
    begin(0);
    for (unsigned i = 0; i < 3; i++)
        add(i, OFFENCE_DEFAULT, NULL, i == 1);
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    table_read_status(f.table, &status);
    assert_int_equal(statistics().failures, THREADS * LINES);
    assert_int_equal(statistics().duplicates + statistics().repeated, 0);
    assert_int_equal(status.counted, THREADS * LINES);
    assert_int_equal(table_last_evidence(f.table), THREADS * LINES);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(table_jail_lines(f.table, jails[i]), THREADS * LINES);
    /* 16 make a ban, and each 16 more prolong none: it was made in the same second */
    assert_int_equal(statistics().bans, 3 * 50);
}

/* Twelve of them would say that the rulebases do not fit. */
static void
what_the_server_does_as_a_client_is_no_unknown_login(void **state)
{
    static const struct {
        const char *tag, *text;
        bool is_unmatched;
    } cases[] = {
        {"postfix/smtp[1]:", " 4bX: SASL authentication failed; server mx.example[192.0.2.9] said",
         false},
        {"postfix/relay/smtp[1]:", " 4bX: status=deferred (SASL authentication failed; server",
         false},
        {"postfix/error[1]:", " 4bX: status=deferred (SASL authentication failed; server", false},
        {"mx1", " postfix-out/smtp[1]: 4bX: SASL authentication failed; server mx.example", false},
        {"dovecot:", " imap(bob)<1><x>: Error: imapc(192.0.2.9): authentication failed", false},
        {"postfix/smtpd[1]:", " SASL authentication failed in words that nobody knows", true},
        {"postfix/postscreen[1]:", " SASL authentication failed in words that nobody knows", true},
        {"postfix/post[1]:", " SASL authentication failed in words that nobody knows", false},
        {"mx1", " postfix/submission/smtpd[1]: SASL authentication failed in words", true},
        {"dovecot:", " imap-login: in words that nobody knows: rip=203.0.113.9", true},
        {"dovecot:", " imap-login: Debug: in words that nobody knows: rip=203.0.113.9", false},
        {"vsftpd[1]:", " authentication failed", true},
    };

    (void)state;
    begin(0);
    add_default(0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint64_t before = statistics().unmatched;
        struct line line = line_of(cases[i].text, NOON_MS + (int64_t)i);

        line.tag = bytes(cases[i].tag);
        take(0, line, "{}");
        assert_int_equal(statistics().unmatched - before, cases[i].is_unmatched);
    }
}

/* In a file the program stands before the text, behind a space or not; and a line may be cut
 * anywhere, in front of a byte that is no part of it. */
static void
the_program_is_found_wherever_a_line_begins_and_ends(void **state)
{
    static const struct {
        const char *tag, *text;
        size_t cut;
        bool is_unmatched;
    } cases[] = {
        {"mx1", "postfix/smtp[1]: SASL authentication failed", 0, false},
        {"mx1", "postfix/smtpd[1]: SASL authentication failed", 0, true},
        {"dovecot:", "rip=-login: Debug: ", 0, false},
        {"dovecot:", "rip=-login: Debug: ", 1, true},
        {"dovecot:", "rip=-login: Debug: ", 8, true},
        {"dovecot:", " rip=-login Debug: ", 8, true},
    };

    (void)state;
    begin(0);
    add_default(0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint64_t before = statistics().unmatched;
        struct line line = line_of(cases[i].text, NOON_MS + (int64_t)i);

        line.tag = bytes(cases[i].tag);
        line.text.length -= cases[i].cut;
        take(0, line, "{}");
        assert_int_equal(statistics().unmatched - before, cases[i].is_unmatched);
    }
}

/* ---- one connection ---- */

#define SASL(class) "{\"class\":\"" class "\",\"ip\":\"203.0.113.9\",\"method\":\"LOGIN\"}"
#define SUMMARY(attempts)                                                                          \
    "{\"class\":\"auth_refused\",\"ip\":\"203.0.113.9\",\"attempts\":\"" attempts "\"}"

static void
take_of(const char *tag, int64_t now_ms, const char *fields)
{
    struct line line = next_line(now_ms);

    line.tag = bytes(tag);
    take(0, line, fields);
}

static void
a_summary_counts_what_nothing_else_told(void **state)
{
    (void)state;
    begin(0);
    add_default(0);
    take_of("postfix/smtpd[1]:", NOON_MS, SUMMARY("2"));
    assert_true(outcome.counts);
    assert_int_equal(failures_in(0, "203.0.113.9"), 2);
    take_of("postfix/smtpd[1]:", NOON_MS + 60000, SASL("auth_failed"));
    assert_int_equal(failures_in(0, "203.0.113.9"), 3);
    take_of("postfix/smtpd[1]:", NOON_MS + 90000, SUMMARY("1")); /* as another client of it might */
    assert_false(outcome.counts);
    assert_int_equal(outcome.offence.class, OFFENCE_AUTH_LINE);
    assert_int_equal(failures_in(0, "203.0.113.9"), 3);
    take_of("postfix/smtpd[1]:", NOON_MS + 91000, SUMMARY("1")); /* of the next connection */
    assert_int_equal(failures_in(0, "203.0.113.9"), 4);
}

static void
a_summary_is_of_its_own_process(void **state)
{
    (void)state;
    begin(0);
    add_default(0);
    take_of("postfix/smtpd[1]:", NOON_MS, SASL("auth_failed"));
    take_of("postfix/smtpd[2]:", NOON_MS + 30000, SUMMARY("1"));
    assert_int_equal(failures_in(0, "203.0.113.9"), 2);
    take_of("postfix/smtpd[1]:", NOON_MS + 40000, SUMMARY("1"));
    assert_int_equal(failures_in(0, "203.0.113.9"), 2);
    /* the file's program names it as well */
    take_of("mx1", NOON_MS + 50000,
            "{\"class\":\"auth_failed\",\"ip\":\"203.0.113.9\",\"method\":\"LOGIN\","
            "\"program\":\"postfix/smtpd[3]\"}");
    take_of("mx1", NOON_MS + 90000,
            "{\"class\":\"auth_refused\",\"ip\":\"203.0.113.9\",\"attempts\":\"1\","
            "\"program\":\"postfix/smtpd[3]\"}");
    assert_int_equal(failures_in(0, "203.0.113.9"), 3);
}

/* What counts nowhere does not count because it is summed up. */
static void
a_summary_makes_no_failure_of_what_is_none(void **state)
{
    static const char *const lines[] = {
        SASL("auth_aborted"),
        "{\"class\":\"server_fault\",\"fault\":\"auth\",\"ip\":\"203.0.113.9\"}",
        "{\"class\":\"rate_limited\",\"fault\":\"auth\",\"ip\":\"203.0.113.9\"}",
    };

    (void)state;
    begin(0);
    add_default(0);
    for (unsigned i = 0; i < 3; i++) {
        take_of("postfix/smtpd[1]:", NOON_MS + i * 60000, lines[i]);
        assert_false(outcome.counts);
        take_of("postfix/smtpd[1]:", NOON_MS + i * 60000 + 30000, SUMMARY("1"));
        assert_false(outcome.counts);
    }
    assert_int_equal(failures_in(0, "203.0.113.9"), 0);
}

/* Of a login over SMTP the mail that follows is expected; a login to read mail sends none. */
static void
a_login_is_of_mail_where_postfix_tells_it(void **state)
{
    static const struct {
        const char *login;
        unsigned worth;
    } cases[] = {
        {"{\"class\":\"login_ok\",\"ip\":\"192.0.2.1\",\"user\":\"bob\","
         "\"service\":\"imap-login\"}",
         2},
        {"{\"class\":\"login_ok\",\"ip\":\"192.0.2.2\",\"user\":\"bob\","
         "\"service\":\"postfix/smtps/smtpd\"}",
         3},
    };
    char failure[128];

    (void)state;
    f.jail.maxretry = 1;
    f.jail.kindness.login_allowance = 2;
    f.jail.kindness.mail_allowance = 3;
    begin(0);
    add(0, OFFENCE_BIT(OFFENCE_RCPT_UNKNOWN), NULL, false);
    for (unsigned i = 0; i < 2; i++) {
        struct line line = next_line(NOON_MS);
        unsigned failures = 0;

        line.tag = bytes(i == 0 ? "dovecot:" : "postfix/smtps/smtpd[1]:");
        take(0, line, cases[i].login);
        snprintf(failure, sizeof failure,
                 "{\"class\":\"rcpt_unknown\",\"ip\":\"192.0.2.%u\",\"code\":\"550\","
                 "\"dsn\":\"5.1.1\"}",
                 i + 1);
        do
            take(0, next_line(NOON_MS + ++failures * 60000), failure);
        while (outcome.banning == 0 && failures < 5);
        assert_int_equal(failures, cases[i].worth);
    }
}

static void
mail_is_worth_as_many_failures_as_the_jail_says(void **state)
{
    static const char *const merits[] = {
        "{\"class\":\"mail_accepted\",\"ip\":\"192.0.2.1\"}",
        "{\"class\":\"login_ok\",\"ip\":\"192.0.2.2\",\"user\":\"bob\"}"};
    static const char *const failures[] = {
        "{\"class\":\"rcpt_unknown\",\"ip\":\"192.0.2.1\",\"code\":\"550\",\"dsn\":\"5.1.1\"}",
        "{\"class\":\"rcpt_unknown\",\"ip\":\"192.0.2.2\",\"code\":\"550\",\"dsn\":\"5.1.1\"}"};

    (void)state;
    f.jail.maxretry = 1;
    f.jail.kindness.mail_allowance = 2;
    begin(0);
    add(0, OFFENCE_BIT(OFFENCE_RCPT_UNKNOWN), NULL, false);
    for (unsigned client = 0; client < 2; client++) {
        take(0, next_line(NOON_MS), merits[client]);
        for (unsigned i = 1; i <= 2; i++) {
            take(0, next_line(NOON_MS + i * 60000), failures[client]);
            assert_int_equal(outcome.banning != 0, i == 2);
        }
    }
}

#define PIPELINING "{\"class\":\"protocol_abuse\",\"fault\":\"pipelining\",\"ip\":\"203.0.113.9\"}"

static void
who_has_logged_in_may_be_impatient(void **state)
{
    (void)state;
    begin(0);
    add_default(0);
    take_of("postfix/smtpd[1]:", NOON_MS, PIPELINING);
    assert_int_equal(failures_in(0, "203.0.113.9"), 1);
    take_of("postfix/smtpd[2]:", NOON_MS + 20000,
            "{\"class\":\"login_ok\",\"ip\":\"203.0.113.9\",\"user\":\"bob\"}");
    take_of("postfix/smtpd[2]:", NOON_MS + 21000, PIPELINING);
    assert_false(outcome.counts);
    assert_int_equal(outcome.offence.class, OFFENCE_PIPELINING_LOGIN);
    take_of("postfix/smtpd[1]:", NOON_MS + 40000, PIPELINING);
    assert_int_equal(failures_in(0, "203.0.113.9"), 2);
    take_of("postfix/smtpd[2]:", NOON_MS + 41000,
            "{\"class\":\"protocol_abuse\",\"ip\":\"203.0.113.9\"}");
    assert_int_equal(failures_in(0, "203.0.113.9"), 3);
}

/* The jail of failed logins counts it, too, if it does not tell them apart. */
static void
a_name_that_is_nobodys_is_of_an_unknown_user(void **state)
{
    char path[] = "/tmp/ombanmail-users-XXXXXX", reason[USERS_REASON_SIZE];
    FILE *const file = fdopen(mkstemp(path), "w");
    unsigned action;
    bool changed;

    (void)state;
    assert_true(fputs("alice\nbob\n", file) >= 0);
    fclose(file);
    users = users_new(path, "", INT64_MAX / 2);
    begin(0);
    action = add(0, OFFENCE_BIT(OFFENCE_AUTH_UNKNOWN_USER), NULL, false);
    take(action, next_line(NOON_MS),
         "{\"class\":\"auth_failed\",\"ip\":\"192.0.2.1\",\"user\":\"x\"}");
    assert_false(outcome.counts); /* it has not been read */
    assert_int_equal(users_read(users, true, NOON_MS / 1000, &readers, &changed, reason), 0);
    take(action, next_line(NOON_MS),
         "{\"class\":\"auth_failed\",\"ip\":\"192.0.2.1\",\"user\":\"x\"}");
    assert_true(outcome.counts);
    assert_int_equal(outcome.offence.class, OFFENCE_AUTH_UNKNOWN_USER);
    take(action, next_line(NOON_MS), FAILED("192.0.2.1")); /* bob */
    assert_false(outcome.counts);
    take(action, next_line(NOON_MS), "{\"class\":\"auth_failed\",\"ip\":\"192.0.2.1\"}"); /* who? */
    assert_false(outcome.counts);
    take(action, next_line(NOON_MS),
         "{\"class\":\"auth_failed\",\"ip\":\"192.0.2.1\",\"user\":\"y\",\"service\":\"smtpd\"}");
    assert_true(outcome.counts);
    take(action, next_line(NOON_MS), /* he may have an account there, and no mailbox */
         "{\"class\":\"auth_failed\",\"ip\":\"192.0.2.1\",\"user\":\"z\",\"service\":\"proftpd\"}");
    assert_false(outcome.counts);
    assert_int_equal(failures_in(0, "192.0.2.1"), 2);
    take(action, next_line(NOON_MS),
         "{\"class\":\"auth_failed\",\"ip\":\"192.0.2.3\",\"user\":\"x\",\"service\":\"dovecot\"}");
    assert_true(outcome.counts);
    take(action, next_line(NOON_MS),
         "{\"class\":\"auth_failed\",\"ip\":\"192.0.2.3\",\"user\":\"y\",\"service\":\"postfix\"}");
    assert_true(outcome.counts);
    unlink(path);
}

/* Each client once, however often it is banned, and not where somebody is allow-listed. */
static void
enough_neighbours_ban_their_network(void **state)
{
    unsigned action;
    struct ban ban;
    char line[128];

    (void)state;
    everywhere = list_of("192.0.3.200");
    f.jail.maxretry = 1;
    f.jail.neighbours = 4;
    begin(0);
    action = add_default(0);
    for (unsigned network = 2; network <= 4; network++)
        for (unsigned i = 0; i < 8; i++) {
            snprintf(line, sizeof line,
                     "{\"class\":\"auth_failed\",\"ip\":\"192.0.%u.%u\",\"user\":\"bob\"}", network,
                     network == 4 ? i % 3 : i);
            take(action, next_line(NOON_MS + i), line);
            assert_int_equal(is_banned(0, "192.0.2.0/24", &ban), network > 2 || i >= 3);
        }
    assert_false(is_banned(0, "192.0.3.0/24", &ban));
    assert_false(is_banned(0, "192.0.4.0/24", &ban));
    assert_true(is_banned(0, "192.0.2.0/24", &ban));
    assert_int_equal(ban.failures, 4);
    for (unsigned i = 0; i < 4096; i++)
        assert_false(table_read_spared(f.table, i, NOON_MS, &ban));
}

/* Of four banned clients one turns out to have failed because of the server. */
static void
a_network_is_free_when_too_few_neighbours_are_left(void **state)
{
    static const char line[] = "{\"class\":\"auth_failed\",\"ip\":\"192.0.2.%u\",\"user\":\"bob\"}";
    char text[128];
    struct ban ban;

    (void)state;
    f.jail.maxretry = 1;
    f.jail.neighbours = 4;
    begin(0);
    add_default(0);
    for (unsigned i = 1; i <= 4; i++) {
        snprintf(text, sizeof text, line, i);
        take(0, next_line(i == 4 ? NOON_MS : NOON_MS - 60000 + i), text);
    }
    assert_true(is_banned(0, "192.0.2.0/24", &ban));
    assert_true(is_banned(0, "192.0.2.4", &ban));
    fault_of_two(0, NOON_MS + 1000);
    assert_false(is_banned(0, "192.0.2.4", &ban));
    assert_true(is_banned(0, "192.0.2.3", &ban));
    assert_false(is_banned(0, "192.0.2.0/24", &ban));
}

/* One that was taken back is no neighbour of those to come. */
static void
a_neighbour_that_was_taken_back_is_none(void **state)
{
    static const char line[] = "{\"class\":\"auth_failed\",\"ip\":\"192.0.2.%u\",\"user\":\"bob\"}";
    char text[128];
    struct ban ban;

    (void)state;
    f.jail.maxretry = 1;
    f.jail.neighbours = 4;
    begin(0);
    add_default(0);
    for (unsigned i = 1; i <= 5; i++) {
        snprintf(text, sizeof text, line, i);
        take(0, next_line(NOON_MS + (i - 3) * INT64_C(60000)), text);
        assert_int_equal(is_banned(0, "192.0.2.0/24", &ban), i == 5);
        if (i == 3)
            fault_of_two(0, NOON_MS + 1000);
        assert_int_equal(is_banned(0, "192.0.2.3", &ban), false);
    }
}

#define REJECTED                                                                                   \
    "{\"class\":\"rcpt_unknown\",\"ip\":\"192.0.2.1\",\"code\":\"550\",\"dsn\":\"5.1.1\"}"

static void
mail_without_a_sender_counts_where_the_jail_says_so(void **state)
{
    unsigned first, second;

    (void)state;
    begin(0);
    first = add_default(0);
    f.jail.kindness.skips_bounces = true;
    second = add_default(1);
    for (unsigned i = 0; i < 2; i++) {
        char text[] = " User unknown; from=<x> to=<a@b> 1";
        char bounce[] = " User unknown; from=<> to=<a@b> 1";

        text[sizeof text - 2] = bounce[sizeof bounce - 2] = (char)('1' + i);
        take(i == 0 ? first : second, line_of(text, NOON_MS), REJECTED);
        take(i == 0 ? second : first, line_of(text, NOON_MS), REJECTED);
        take(i == 0 ? first : second, line_of(bounce, NOON_MS), REJECTED);
        take(i == 0 ? second : first, line_of(bounce, NOON_MS), REJECTED);
    }
    assert_int_equal(failures_in(0, "192.0.2.1"), 4);
    assert_int_equal(failures_in(1, "192.0.2.1"), 2);
}

/* A jail that is added to action 0, which has none of its own. */
static void
declare(unsigned jail, unsigned maxretry, uint8_t services, bool is_observing)
{
    struct counter_action action = {.jail = f.jail};
    int index;

    snprintf(action.jail.name, sizeof action.jail.name, "jail-%u", jail);
    action.jail.classes = OFFENCE_DEFAULT;
    action.jail.maxretry = maxretry;
    action.jail.services = services;
    action.jail.is_observing = is_observing;
    index = table_jail(f.table, &action.jail);
    assert_true(index > 0);
    jails[jail] = action.jail_index = (unsigned)index;
    assert_true(counter_add_jail(counter, 0, &action) >= 0);
}

static void
begin_without_jail(void)
{
    struct counter_action action = {.jail = f.jail};

    begin(0);
    action.jail.classes = 0;
    assert_int_equal(counter_add_action(counter, &action), 0);
}

static void
jails_are_declared_anew_and_keep_their_counts(void **state)
{
    struct ban ban;

    (void)state;
    begin_without_jail();
    declare(1, 3, 0, false);
    take(0, next_line(NOON_MS), FAILED("203.0.113.9"));
    take(0, next_line(NOON_MS + 60000), FAILED("203.0.113.9"));
    assert_int_equal(counter_renew_jails(counter), 0);
    declare(2, 2, 0, false);
    declare(1, 5, 0, false);
    take(0, next_line(NOON_MS + 120000), FAILED("203.0.113.8")); /* the draft is not in force */
    assert_int_equal(failures_in(2, "203.0.113.8"), 0);
    counter_use_jails(counter, NULL);
    take(0, next_line(NOON_MS + 180000), FAILED("203.0.113.9"));
    take(0, next_line(NOON_MS + 240000), FAILED("203.0.113.9"));
    assert_int_equal(failures_in(1, "203.0.113.9"), 4);
    assert_false(is_banned(1, "203.0.113.9", &ban));
    assert_true(is_banned(2, "203.0.113.9", &ban));
    assert_int_equal(counter_renew_jails(counter), 0);
    counter_use_jails(counter, NULL);
    take(0, next_line(NOON_MS + 300000), FAILED("203.0.113.9"));
    assert_false(outcome.counts);
}

/* By the jails as they are, two clients of one /24 are one with a fault, or two. */
static void
clients_of_a_fault_are_told_apart_as_the_jails_do_now(void **state)
{
    (void)state;
    begin_without_jail();
    f.jail.v4_bits = 24;
    declare(1, 3, 0, false);
    take(0, next_line(NOON_MS), FAULT("198.51.100.1"));
    take(0, next_line(NOON_MS), FAULT("198.51.100.2"));
    assert_false(outcome.wake);
    assert_int_equal(counter_renew_jails(counter), 0);
    f.jail.v4_bits = 32;
    declare(1, 3, 0, false);
    counter_use_jails(counter, NULL);
    take(0, next_line(NOON_MS + 600000), FAULT("198.51.100.3"));
    take(0, next_line(NOON_MS + 600000), FAULT("198.51.100.4"));
    assert_true(outcome.wake);
}

/* Whom jails would have banned that only observe; how many. */
static unsigned
observed(struct ban *ban)
{
    struct table_status status;
    struct ban one;
    unsigned found = 0;

    table_read_status(f.table, &status);
    for (uint32_t i = 0; i < status.capacity; i++)
        if (table_read_observed(f.table, i, &one)) {
            *ban = one;
            found++;
        }
    return found;
}

static void
a_jail_that_observes_bans_nobody_and_tells(void **state)
{
    char source[SOURCE_TEXT_SIZE];
    struct ban ban;

    (void)state;
    begin_without_jail();
    declare(1, 2, 0, true);
    take(0, next_line(NOON_MS), FAILED("203.0.113.9"));
    assert_int_equal(outcome.observed, 0);
    assert_int_equal(observed(&ban), 0);
    take(0, next_line(NOON_MS + 60000), FAILED("203.0.113.9"));
    assert_int_equal(outcome.observed, bit_of(1));
    assert_false(is_banned(1, "203.0.113.9", &ban));
    assert_int_equal(statistics().observed, 1);
    assert_int_equal(statistics().gateways_spared, 0);
    assert_int_equal(failures_in(1, "203.0.113.9"), 0);
    assert_int_equal(observed(&ban), 1);
    assert_string_equal(source_print(&ban.source, source), "203.0.113.9");
    assert_int_equal(ban.failures, 2);
    assert_int_equal(ban.class, OFFENCE_AUTH_FAILED);
    assert_int_equal(ban.first_ms, NOON_MS);
    assert_int_equal(ban.since_ms, NOON_MS + 60000);
    assert_int_equal(ban.until_ms, NOON_MS + 60000 + f.jail.bantime_s * 1000);
}

/* As a ban would be: with the next failures it ends later, and one after its end is another. */
static void
what_a_jail_observes_goes_on_as_a_ban_would(void **state)
{
    const int64_t bantime_ms = f.jail.bantime_s * 1000;
    struct ban ban;

    (void)state;
    begin_without_jail();
    declare(1, 2, 0, true);
    for (unsigned i = 0; i < 4; i++)
        take(0, next_line(NOON_MS + i * 60000), FAILED("203.0.113.9"));
    assert_int_equal(observed(&ban), 1);
    assert_int_equal(ban.since_ms, NOON_MS + 60000);
    assert_int_equal(ban.until_ms, NOON_MS + 3 * 60000 + bantime_ms);
    for (unsigned i = 0; i < 2; i++)
        take(0, next_line(NOON_MS + 3 * 60000 + bantime_ms + i * 1000), FAILED("203.0.113.9"));
    assert_int_equal(observed(&ban), 1);
    assert_int_equal(ban.since_ms, NOON_MS + 3 * 60000 + bantime_ms + 1000);
}

/* The service of a line is in its tag, where no field has it. */
static void
a_jail_counts_the_services_that_it_names(void **state)
{
    (void)state;
    begin_without_jail();
    declare(1, 5, JAIL_SERVICES_SMTP, false);
    declare(2, 5, JAIL_SERVICES_MAILBOX, false);
    declare(3, 5, 0, false);
    take_of("postfix/submission/smtpd[1]:", NOON_MS, FAILED("203.0.113.9"));
    assert_int_equal(failures_in(1, "203.0.113.9"), 1);
    assert_int_equal(failures_in(2, "203.0.113.9"), 0);
    assert_int_equal(failures_in(3, "203.0.113.9"), 1);
    take(0, next_line(NOON_MS + 60000),
         "{\"class\":\"auth_failed\",\"ip\":\"203.0.113.9\",\"service\":\"imap-login\"}");
    assert_int_equal(failures_in(1, "203.0.113.9"), 1);
    assert_int_equal(failures_in(2, "203.0.113.9"), 1);
    assert_int_equal(failures_in(3, "203.0.113.9"), 2);
    take_of("else[1]:", NOON_MS + 120000, FAILED("203.0.113.9"));
    assert_int_equal(failures_in(1, "203.0.113.9"), 2);
    assert_int_equal(failures_in(2, "203.0.113.9"), 2);
    take(0, next_line(NOON_MS + 180000),
         "{\"class\":\"auth_failed\",\"ip\":\"203.0.113.9\",\"service\":\"submission-login\"}");
    assert_int_equal(failures_in(1, "203.0.113.9"), 2);
    assert_int_equal(failures_in(2, "203.0.113.9"), 3);
    assert_int_equal(failures_in(3, "203.0.113.9"), 4);
}

static uint16_t scope_of_next;

static uint16_t
scope_of_line(const struct line *line)
{
    (void)line;
    return scope_of_next;
}

static void
take_on(uint16_t scope, int64_t now_ms, const char *fields)
{
    struct line line = next_line(now_ms);

    scope_of_next = scope;
    line.scope = scope_of_line;
    take(0, line, fields);
}

/* What one host's users do well is no other host's, either. */
static void
a_jail_counts_each_host_by_itself(void **state)
{
    struct ban found;
    struct jail jail = f.jail;

    (void)state;
    begin_without_jail();
    declare(1, 5, 0, false);
    jail.is_per_host = jail.kindness.login_forgives = true;
    f.jail = jail;
    declare(2, 3, 0, false);
    take_on(2, NOON_MS, FAILED("203.0.113.9"));
    take_on(3, NOON_MS + 60000, FAILED("203.0.113.9"));
    take_on(2, NOON_MS + 120000, FAILED("203.0.113.9"));
    take(0, next_line(NOON_MS + 180000), FAILED("203.0.113.9"));
    assert_int_equal(failures_in(1, "203.0.113.9"), 4);
    assert_int_equal(failures_in(2, "203.0.113.9"), 0);
    assert_int_equal(failures_on(2, "203.0.113.9", TABLE_SCOPE_OWN), 1);
    assert_int_equal(failures_on(2, "203.0.113.9", 2), 2);
    take_on(3, NOON_MS + 200000,
            "{\"class\":\"login_ok\",\"ip\":\"203.0.113.9\",\"user\":\"bob\"}");
    assert_int_equal(failures_on(2, "203.0.113.9", 2), 2);
    assert_int_equal(failures_on(2, "203.0.113.9", 3), 0);
    assert_false(is_banned(2, "203.0.113.9", &found));
    take_on(2, NOON_MS + 240000, FAILED("203.0.113.9"));
    assert_true(is_banned(2, "203.0.113.9", &found));
    assert_int_equal(found.scope, 2);
    assert_int_equal(evidence_of(&found), 3); /* not those of other hosts */
    assert_true(is_banned(1, "203.0.113.9", &found));
    assert_int_equal(found.scope, TABLE_SCOPE_FLEET);
    assert_int_equal(evidence_of(&found), 5);
}

/* Lines of one program on two hosts are of two attempts: who tries each host once within a second
 * has made so many guesses. Another program's line is of one of those, on whichever host it is: it
 * may have asked the first one whether the password is right. */
static void
each_host_tells_of_attempts_of_its_own(void **state)
{
    static const struct {
        uint16_t scope;
        const char *program;
        unsigned failures;
    } lines[] = {{2, "dovecot", 1}, {3, "dovecot", 2}, {3, "postfix/smtpd", 2}, {4, "dovecot", 3}};
    const char *const fields = FAILED("203.0.113.9");

    (void)state;
    begin_without_jail();
    declare(1, 5, 0, false);
    for (unsigned i = 0; i < 4; i++) {
        struct line line = next_line(NOON_MS);

        scope_of_next = lines[i].scope;
        line.scope = scope_of_line;
        line.program = (struct line_bytes){lines[i].program, strlen(lines[i].program)};
        take(0, line, fields);
        assert_int_equal(failures_in(1, "203.0.113.9"), lines[i].failures);
    }
}

static bool
is_of_user_1000(const struct line *line, uint32_t *user)
{
    (void)line;
    *user = 1000;
    return false;
}

/* Whatever it tells: a failure, or what only looks like one. */
static void
a_line_of_a_user_who_may_not_write_it_is_told_and_not_counted(void **state)
{
    struct table_health health;
    struct line line;

    (void)state;
    begin(0);
    add_default(0);
    for (unsigned i = 0; i < 2; i++) {
        line = i == 0 ? next_line(NOON_MS + 3000)
                      : line_of(" warning: SASL LOGIN authentication failed", NOON_MS + 4000);
        line.is_trusted = is_of_user_1000;
        take(0, line, i == 0 ? FAILED("203.0.113.9") : NULL);
        assert_int_equal(statistics().untrusted, i + 1);
    }
    assert_int_equal(failures_in(0, "203.0.113.9"), 0);
    assert_int_equal(statistics().unmatched, 0);
    table_read_health(f.table, NOON_MS, &health);
    assert_int_equal(health.untrusted, 2);
    assert_int_equal(health.untrusted_uid, 1000);
    assert_int_equal(health.untrusted_ms, NOON_MS + 4000);
}

static void
a_line_that_two_actions_hand_over_counts_once_in_the_jail_of_both(void **state)
{
    struct line line;

    (void)state;
    begin(0);
    add_default(0);
    add_default(0);
    line = next_line(NOON_MS);
    take(0, line, FAILED("203.0.113.9"));
    take(1, line, FAILED("203.0.113.9"));
    assert_int_equal(failures_in(0, "203.0.113.9"), 1);
    line = next_line(NOON_MS + 1000);
    take(1, line, FAILED("203.0.113.9"));
    take(0, line, FAILED("203.0.113.9"));
    assert_int_equal(failures_in(0, "203.0.113.9"), 2);
}

static void
the_news_of_a_fault_says_what_was_taken_back_and_is_told_once(void **state)
{
    char text[BACKEND_TEXT_SIZE];

    (void)state;
    begin(0);
    add_default(0);
    assert_false(backend_news(counter_backend(counter), NOON_MS, text));
    for (unsigned lines = 1; lines <= 6; lines++)
        take(0, next_line(NOON_MS), FAILED("203.0.113.9"));
    fault_of_two(0, NOON_MS + 1000);
    assert_true(backend_news(counter_backend(counter), NOON_MS + 1000, text));
    assert_non_null(strstr(text, "backend of mx1 has faults"));
    assert_non_null(strstr(text, "6 failures of the last seconds withdrawn, 1 ban lifted"));
    assert_false(backend_news(counter_backend(counter), NOON_MS + 1000, text));
}

/* A backend that is never well again must not let attackers guess for ever; and what a line calls
 * its host goes into our own messages as text alone. */
static void
faults_that_do_not_end_suspend_for_ten_minutes_and_that_is_said(void **state)
{
    char text[BACKEND_TEXT_SIZE];
    unsigned counted_s = 0;
    struct line line;

    (void)state;
    begin(0);
    add_default(0);
    for (unsigned at_s = 0; at_s < 15 * 60 && counted_s == 0; at_s += 10) {
        for (unsigned client = 1; client <= 3; client++) {
            line = next_line(NOON_MS + at_s * 1000);
            line.host = bytes("mx\x1b[1m\n1");
            take(0, line,
                 client == 3   ? FAILED("192.0.2.1")
                 : client == 2 ? FAULT("198.51.100.2")
                               : FAULT("198.51.100.1"));
        }
        counted_s = outcome.attempts > 0 ? at_s : 0;
        if (at_s == 0) {
            assert_true(backend_news(counter_backend(counter), line.now_ms, text));
            assert_non_null(strstr(text, "backend of mx?[1m?1 has faults"));
            assert_non_null(
                strstr(text, "0 failures of the last seconds withdrawn, 0 bans lifted"));
        }
    }
    assert_in_range(counted_s, 600, 630);
    assert_true(backend_news(counter_backend(counter), line.now_ms, text));
    assert_non_null(strstr(text, "mx?[1m?1 has had faults for 10 minutes of the last hour"));
    assert_non_null(strstr(text, "auth_failed counts there again"));
}

/* From the first letter to the last, and nothing beside them. */
static void
users_are_one_in_capitals_or_small_letters(void **state)
{
    (void)state;
    assert_int_equal(counter_hash_user("ABYZ", 4), counter_hash_user("abyz", 4));
    assert_int_not_equal(counter_hash_user("@", 1), counter_hash_user("`", 1));
    assert_int_not_equal(counter_hash_user("[", 1), counter_hash_user("{", 1));
}

/* ---- what is kept of a line ---- */

/* The newest line that is kept; false where none is. */
static bool
is_kept(struct evidence *evidence)
{
    const uint64_t number = table_last_evidence(f.table);

    return number != 0 && table_read_evidence(f.table, number, evidence);
}

static void
begin_keeping(enum evidence_mode mode)
{
    const struct counter_options options = {.table = f.table, .evidence = mode, .host = "mx1"};

    counter = counter_new(&options);
    assert_non_null(counter);
    add(0, OFFENCE_COUNTABLE, NULL, false);
}

static void
take_text(const char *text, const char *fields)
{
    take(0, line_of(text, NOON_MS), fields);
}

/* A password that was typed as a name is told from a name by this: nobody has logged in with it. */
static void
a_name_is_kept_whole_where_it_can_be_no_password(void **state)
{
    struct evidence evidence;

    (void)state;
    begin_keeping(EVIDENCE_REDACTED);
    take_text(" failed: user=geheim 1",
              "{\"class\":\"auth_failed\",\"ip\":\"192.0.2.1\",\"user\":\"geheim\"}");
    assert_true(is_kept(&evidence));
    assert_string_equal(evidence.user, "g***");
    assert_string_equal(evidence.line, "failed: user=g*** 1");
    take_text(" failed: user=bob@example.org",
              "{\"class\":\"auth_failed\",\"ip\":\"192.0.2.1\",\"user\":\"bob@example.org\"}");
    assert_true(is_kept(&evidence));
    assert_string_equal(evidence.user, "bob@example.org");
    take_text(" logged in: geheim",
              "{\"class\":\"login_ok\",\"ip\":\"192.0.2.1\",\"user\":\"geheim\"}");
    take_text(" failed: user=geheim 2",
              "{\"class\":\"auth_failed\",\"ip\":\"192.0.2.1\",\"user\":\"geheim\"}");
    assert_true(is_kept(&evidence));
    assert_string_equal(evidence.line, "failed: user=geheim 2");
}

static void
what_a_client_said_in_place_of_smtp_is_kept_in_full_only_where_all_is(void **state)
{
    static const char text[] = " warning: non-SMTP command from unknown[192.0.2.1]: GET /geheim";
    static const char fields[] = "{\"class\":\"probe\",\"ip\":\"192.0.2.1\"}";
    struct evidence evidence;

    (void)state;
    begin_keeping(EVIDENCE_REDACTED);
    take_text(text, fields);
    assert_true(is_kept(&evidence));
    assert_string_equal(evidence.line, "warning: non-SMTP command from unknown[192.0.2.1]: GET");
    counter_free(counter);
    begin_keeping(EVIDENCE_FULL);
    take(0, line_of(text, NOON_MS + 1000), fields);
    assert_true(is_kept(&evidence));
    assert_string_equal(evidence.line, text + 1);
}

static void
no_line_is_kept_where_none_is_to_be(void **state)
{
    struct evidence evidence;

    (void)state;
    begin_keeping(EVIDENCE_NONE);
    take_text(" failed", FAILED("192.0.2.1"));
    assert_int_equal(failures_in(0, "192.0.2.1"), 1);
    assert_false(is_kept(&evidence));
}

/* Evidence that an earlier life has left is not shared by lines of which none is kept. */
static void
no_line_of_an_earlier_life_is_taken_for_one_that_is_not_kept(void **state)
{
    struct evidence evidence;
    struct line line;

    (void)state;
    begin_keeping(EVIDENCE_FULL);
    take_text(" failed", FAILED("192.0.2.1"));
    counter_free(counter);
    begin_keeping(EVIDENCE_NONE);
    add_default(1);
    line = next_line(NOON_MS);
    take(0, line, FAILED("192.0.2.1"));
    take(1, line, FAILED("192.0.2.1"));
    assert_int_equal(failures_in(1, "192.0.2.1"), 1);
    assert_true(table_read_evidence(f.table, 1, &evidence));
    assert_true(evidence.jails == bit_of(0));
}

/* ---- events of Dovecot's exporter ---- */

#define FINISHED(user)                                                                             \
    "{\"class\":\"auth_detail\",\"event\":\"\\\"event\\\":\\\"auth_request_finished\\\","          \
    "\\\"fields\\\":{\\\"remote_ip\\\":\\\"192.0.2.1\\\",\\\"service\\\":\\\"imap\\\","            \
    "\\\"session\\\":\\\"S\\\",\\\"user\\\":\\\"" user "\\\"}}\"}"

/* The login process tells at the end of a connection how often it has failed, the event told it
 * each time. */
static void
an_event_and_the_login_line_tell_of_one_attempt(void **state)
{
    struct line event, login;

    (void)state;
    begin(0);
    add_default(0);
    for (unsigned i = 0; i < 2; i++) {
        event = next_line(NOON_MS + i * 1000);
        event.tag = event.program = bytes("dovecot");
        take(0, event, FINISHED("bob"));
        assert_int_equal(outcome.attempts, 1);
    }
    login = next_line(NOON_MS + 3000);
    login.tag = login.program = bytes("dovecot");
    take(0, login,
         "{\"class\":\"auth_failed\",\"ip\":\"192.0.2.1\",\"user\":\"bob\",\"attempts\":\"2\","
         "\"service\":\"imap-login\"}");
    assert_true(outcome.counts);
    assert_int_equal(outcome.attempts, 0);
    assert_int_equal(failures_in(0, "192.0.2.1"), 2);
    assert_int_equal(statistics().duplicates, 1);
}

#define LOGGED_IN                                                                                  \
    "{\"class\":\"login_ok\",\"tail\":\"user=<bob>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2\"}"

/* Where Dovecot logs what a client says of itself, the client can have it write the end of a line
 * that looks like a login; of that, only the process that serves it is a proof. */
static void
an_unproven_login_is_none_where_clients_words_are_logged(void **state)
{
    (void)state;
    begin(0);
    add_default(0);
    take(0, next_line(NOON_MS), LOGGED_IN);
    assert_int_equal(statistics().logins, 1);
    take(0, next_line(NOON_MS + 1000), "{\"class\":\"benign\",\"fault\":\"id_log\"}");
    take(0, next_line(NOON_MS + 2000), LOGGED_IN);
    assert_int_equal(outcome.offence.class, OFFENCE_LOGIN_OTHER);
    assert_int_equal(statistics().logins, 1);
    take(0, next_line(NOON_MS + 3000),
         "{\"class\":\"login_ok\",\"tail\":\"user=<bob>, rip=192.0.2.1, lip=192.0.2.2, "
         "mpid=7\"}");
    assert_int_equal(statistics().logins, 2);
}

/* ---- networks ---- */

/* A whole network is not banned where one of it is allow-listed. But who has many addresses in it
 * must not get some guesses from each: once the network is at its threshold, each is banned. */
static void
who_guesses_from_many_addresses_beside_a_friend_is_banned_by_each(void **state)
{
    char line[128];
    struct ban ban;

    (void)state;
    everywhere = list_of("2001:db8::7");
    begin(0);
    add_default(0);
    for (unsigned i = 1; i <= 8; i++) {
        snprintf(line, sizeof line,
                 "{\"class\":\"auth_failed\",\"ip\":\"2001:db8::%u00\",\"user\":\"bob\"}", i);
        take(0, next_line(NOON_MS + i), line);
        assert_int_equal(outcome.banning != 0, i >= 5); /* maxretry of the network */
    }
    assert_true(is_banned(0, "2001:db8::500", &ban));
    assert_false(is_banned(0, "2001:db8::100", &ban)); /* has not failed again */
    assert_false(is_banned(0, "2001:db8::/64", &ban));
}

/* The one interface that this machine has, where a test says so: a container network's bridge. */
static bool has_bridge;

int
getifaddrs(struct ifaddrs **interfaces)
{
    static struct sockaddr_in address = {.sin_family = AF_INET}, mask = {.sin_family = AF_INET};
    static char name[] = "bridge";
    static struct ifaddrs bridge = {.ifa_name = name,
                                    .ifa_addr = (struct sockaddr *)&address,
                                    .ifa_netmask = (struct sockaddr *)&mask};

    address.sin_addr.s_addr = htonl(0xac110001); /* 172.17.0.1 */
    mask.sin_addr.s_addr = htonl(0xffff0000);
    *interfaces = has_bridge ? &bridge : NULL;
    return 0;
}

void
freeifaddrs(struct ifaddrs *interfaces)
{
    (void)interfaces;
}

/* Its address is on the allow list, as all of this machine's are, but clients come from it: so it
 * counts, and once, as it is no network. */
static void
a_bridge_that_is_allow_listed_counts_once(void **state)
{
    (void)state;
    has_bridge = true;
    everywhere = list_of("172.17.0.1");
    begin(2);
    has_bridge = false;
    add_default(0);
    take(0, next_line(NOON_MS), FAILED("172.17.0.1"));
    assert_int_equal(failures_in(0, "172.17.0.1"), 1);
}

/* Neighbours' failures do not lock out an office that shares their network. */
static void
a_network_that_many_log_in_from_is_not_banned_for_its_neighbours(void **state)
{
    char line[128];
    struct ban ban;

    (void)state;
    f.jail.maxretry = 1;
    f.jail.neighbours = 4;
    begin(2);
    add_default(0);
    f.jail.v4_bits = 24; /* whose users tell of networks */
    add(1, OFFENCE_BIT(OFFENCE_PROBE), NULL, false);
    for (unsigned i = 1; i <= 2; i++) {
        snprintf(line, sizeof line,
                 "{\"class\":\"login_ok\",\"ip\":\"192.0.2.%u\",\"user\":\"user%u\"}", 100 + i, i);
        take(0, next_line(NOON_MS), line);
    }
    for (unsigned i = 1; i <= 6; i++) {
        snprintf(line, sizeof line,
                 "{\"class\":\"auth_failed\",\"ip\":\"192.0.2.%u\",\"user\":\"bob\"}", i);
        take(0, next_line(NOON_MS + i), line);
        assert_true(outcome.banning == bit_of(0));
    }
    assert_false(is_banned(0, "192.0.2.0/24", &ban));
}

/* Each jail bans networks of its own length, and counts them. */
static void
jails_of_several_lengths_count_a_line_each_by_its_own(void **state)
{
    (void)state;
    begin(0);
    for (unsigned i = 0; i < 3; i++) {
        f.jail.v4_bits = (uint8_t)(32 - 8 * i);
        add_default(i);
    }
    for (unsigned lines = 1; lines <= 3; lines++) {
        struct line line = next_line(NOON_MS);

        for (unsigned i = 0; i < 3; i++) {
            line.is_again = i > 0;
            take(i, line, lines == 2 ? FAILED("192.0.2.2") : FAILED("192.0.2.1"));
        }
    }
    assert_int_equal(failures_in(0, "192.0.2.1"), 2);
    assert_int_equal(failures_in(1, "192.0.2.0/24"), 3);
    assert_int_equal(failures_in(2, "192.0.0.0/16"), 3);
}

/* Where one jail bans address by address, as somebody beside it is allow-listed, and another the
 * network, each knows whom an office's users would be locked out with. */
static void
who_logs_in_is_noted_by_address_and_by_network(void **state)
{
    static const char login[] =
        "{\"class\":\"login_ok\",\"ip\":\"2001:db8::9\",\"user\":\"user%u\"}";
    char line[128];
    struct ban ban;

    (void)state;
    begin(2);
    lists[0] = list_of("2001:db8::7");
    add(0, OFFENCE_DEFAULT, lists[0], false);
    add_default(1);
    for (unsigned user = 1; user <= 2; user++) {
        snprintf(line, sizeof line, login, user);
        take(0, next_line(NOON_MS), line);
    }
    for (unsigned i = 0; i < 5; i++) {
        const struct line failed = next_line(NOON_MS);

        take(0, failed, FAILED("2001:db8::9"));
        take(1, failed, FAILED("2001:db8::9"));
    }
    assert_false(is_banned(0, "2001:db8::9", &ban));
    assert_false(is_banned(1, "2001:db8::/64", &ban));
    assert_int_equal(statistics().gateways_spared, 2);
}

/* ---- bans that are not made ---- */

static void
bans_that_find_no_room_or_are_held_back_are_counted(void **state)
{
    char line[128];

    (void)state;
    fixture_end(&f);
    fixture_begin(&f, 4096, 64);
    f.jail.maxretry = 1;
    begin(0);
    add_default(0);
    table_set_ban_rate(f.table, 8);
    for (unsigned i = 1; i <= 90; i++) {
        const int64_t now_ms = NOON_MS + i / 10 * INT64_C(60000);

        if (i == 70)
            table_set_ban_rate(f.table, 0);
        snprintf(line, sizeof line, "{\"class\":\"auth_failed\",\"ip\":\"%u.0.2.1\"}", i);
        take(0, next_line(now_ms), line);
    }
    assert_int_equal(statistics().bans_held_back, 1 + 6 * 2);
    assert_int_equal(statistics().bans, 64);
    assert_int_equal(statistics().bans_full, 90 - 64 - 13);
}

/* ---- actions ---- */

static void
there_are_so_many_actions_and_no_more(void **state)
{
    struct counter_action action = {.jail = f.jail};

    (void)state;
    begin(0);
    add_default(0);
    action.jail_index = jails[0];
    for (unsigned i = 1; i < COUNTER_ACTIONS_MAX; i++)
        assert_int_equal(counter_add_action(counter, &action), i);
    assert_int_equal(counter_add_action(counter, &action), -ENOSPC);
    assert_int_equal(counter_add_jail(counter, 0, &action), -ENOSPC);
    take(COUNTER_ACTIONS_MAX - 1, next_line(NOON_MS), FAILED("192.0.2.1"));
    assert_int_equal(failures_in(0, "192.0.2.1"), 1);
}

/* The last of them, too, asks whether it is to count by single addresses. */
static void
as_many_lengths_of_prefixes_as_actions_are_told_apart(void **state)
{
    struct counter_action action = {.jail = f.jail};

    (void)state;
    everywhere = list_of("2001:db8::7");
    begin(0);
    action.jail_index = f.jail_index;
    for (unsigned i = 0; i < COUNTER_ACTIONS_MAX; i++) {
        action.jail.v6_bits = (uint8_t)(127 - i);
        assert_int_equal(counter_add_action(counter, &action), i);
    }
    jails[0] = f.jail_index;
    take(COUNTER_ACTIONS_MAX - 1, next_line(NOON_MS), FAILED("2001:db8::9"));
    assert_int_equal(failures_in(0, "2001:db8::9"), 1);
}

/* The file of jails declares one of the action's own name. */
static void
a_jail_that_is_replaced_counts_nothing(void **state)
{
    (void)state;
    begin(0);
    add_default(0);
    declare(1, 5, 0, false);
    counter_rest_action(counter, 0);
    take(0, next_line(NOON_MS), FAILED("192.0.2.1"));
    assert_int_equal(failures_in(0, "192.0.2.1"), 0);
    assert_int_equal(failures_in(1, "192.0.2.1"), 1);
    assert_int_equal(counter_renew_jails(counter), 0);
    declare(2, 5, 0, false);
    counter_use_jails(counter, &readers); /* no worker is within a line: it does not wait */
    take(0, next_line(NOON_MS), FAILED("192.0.2.1"));
    assert_int_equal(failures_in(1, "192.0.2.1"), 1);
    assert_int_equal(failures_in(2, "192.0.2.1"), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_failure_counts_and_the_fifth_bans),
        TEST(users_are_one_in_capitals_or_small_letters),
        TEST(a_name_that_is_nobodys_is_of_an_unknown_user),
        TEST(enough_neighbours_ban_their_network),
        TEST(clients_of_a_fault_are_told_apart_as_the_jails_do_now),
        TEST(a_network_is_free_when_too_few_neighbours_are_left),
        TEST(a_neighbour_that_was_taken_back_is_none),
        TEST(mail_is_worth_as_many_failures_as_the_jail_says),
        TEST(a_login_is_of_mail_where_postfix_tells_it),
        TEST(a_ban_tells_of_the_class_that_its_jail_counts),
        TEST(mail_without_a_sender_counts_where_the_jail_says_so),
        TEST(history_before_the_start_does_not_count),
        TEST(what_looks_like_a_login_is_unmatched_once),
        TEST(eight_jails_count_each_line_once),
        TEST(own_actions_count_in_any_order),
        TEST(no_failure_of_others_is_ones_own),
        TEST(two_actions_of_one_jail_count_a_line_once),
        TEST(what_is_told_once_is_numbered_once),
        TEST(each_jail_has_its_classes),
        TEST(jails_are_declared_anew_and_keep_their_counts),
        TEST(a_jail_that_observes_bans_nobody_and_tells),
        TEST(what_a_jail_observes_goes_on_as_a_ban_would),
        TEST(a_jail_counts_the_services_that_it_names),
        TEST(a_jail_counts_each_host_by_itself),
        TEST(each_host_tells_of_attempts_of_its_own),
        TEST(an_unknown_user_is_told_apart_where_a_jail_does),
        TEST(only_unknown_users_count_where_a_jail_says_so),
        TEST(an_allow_list_spares_in_its_own_jail),
        TEST(a_neighbour_on_the_list_makes_it_count_by_address),
        TEST(what_the_server_caused_is_taken_back_in_every_jail),
        TEST(made_up_names_do_not_suspend),
        TEST(one_user_has_many_spellings),
        TEST(a_repeated_line_tells_nothing_again),
        TEST(a_summary_counts_what_nothing_else_told),
        TEST(a_summary_is_of_its_own_process),
        TEST(a_summary_makes_no_failure_of_what_is_none),
        TEST(who_has_logged_in_may_be_impatient),
        TEST(what_the_server_does_as_a_client_is_no_unknown_login),
        TEST(the_program_is_found_wherever_a_line_begins_and_ends),
        TEST(only_what_passed_here_and_now_tells_of_a_ban_without_effect),
        TEST(no_line_of_an_earlier_life_is_taken_for_one_that_is_not_kept),
        TEST(as_many_lengths_of_prefixes_as_actions_are_told_apart),
        TEST(threads_lose_nothing),
        TEST(a_line_of_a_user_who_may_not_write_it_is_told_and_not_counted),
        TEST(the_news_of_a_fault_says_what_was_taken_back_and_is_told_once),
        TEST(a_line_that_two_actions_hand_over_counts_once_in_the_jail_of_both),
        TEST(a_name_is_kept_whole_where_it_can_be_no_password),
        TEST(what_a_client_said_in_place_of_smtp_is_kept_in_full_only_where_all_is),
        TEST(no_line_is_kept_where_none_is_to_be),
        TEST(an_event_and_the_login_line_tell_of_one_attempt),
        TEST(an_unproven_login_is_none_where_clients_words_are_logged),
        TEST(who_guesses_from_many_addresses_beside_a_friend_is_banned_by_each),
        TEST(a_bridge_that_is_allow_listed_counts_once),
        TEST(a_network_that_many_log_in_from_is_not_banned_for_its_neighbours),
        TEST(bans_that_find_no_room_or_are_held_back_are_counted),
        TEST(there_are_so_many_actions_and_no_more),
        TEST(faults_that_do_not_end_suspend_for_ten_minutes_and_that_is_said),
        TEST(jails_of_several_lengths_count_a_line_each_by_its_own),
        TEST(who_logs_in_is_noted_by_address_and_by_network),
        TEST(a_jail_that_is_replaced_counts_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
