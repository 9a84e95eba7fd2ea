/* test_command: what a request may do to the table, what it is refused, and what is answered.
 *
 * Fails when somebody who must never be banned can be, when a request with a member that we do not
 * know is carried out, when an answer is not one line of JSON, or is half of one and no error, when
 * an unban lifts too little, or when a fleet does not hear of it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <json.h>

#include "control/command.h"
#include "table/table-health.h"
#include "base/object.h"
#include "fixture.h"

#define NOW_MS INT64_C(1795248545000)

static char directory[64];
static struct table *table;
static struct allow *allow;
static char answer[COMMAND_SIZE];
static uid_t caller = 1000;

static int
make_table(void **state)
{
    char path[128];
    bool is_new;
    (void)state;
    strcpy(directory, "/tmp/test_command.XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/table", directory);
    const struct table_options options = {
        .path = path,
        .ledger_path = "",
        .capacity = 1024,
        .max_bans = 64,
        .owner = (uid_t)-1,
        .group = (gid_t)-1,
        .now_ms = NOW_MS,
    };
    allow = allow_new();
    allow_add(allow, "192.0.2.0/24", 12);
    allow_add(allow, "2001:db8:a::1", 13);
    allow_seal(allow);
    return table_open(&options, &table, &is_new);
}

static int
remove_table(void **state)
{
    char path[128];
    (void)state;
    table_close(table);
    allow_free(allow);
    snprintf(path, sizeof(path), "%s/table", directory);
    unlink(path);
    return rmdir(directory);
}

static struct source pardoned;
static int64_t pardoned_until_ms;
static unsigned pardons;

static void
pardon(const struct source *source, int64_t until_ms)
{
    pardoned = *source;
    pardoned_until_ms = until_ms;
    pardons++;
}

/* A fleet of three hosts, of which one is mx1. */
static int
resync(const char *host)
{
    return host == NULL ? 3 : strcmp(host, "mx1") == 0;
}

static int
run(const char *request)
{
    const struct command_context context = {.table = table,
                                            .allow = allow,
                                            .caller = caller,
                                            .pardon = pardon,
                                            .resync = resync,
                                            .now_ms = NOW_MS};
    memset(answer, 'x', sizeof(answer));
    return command_run(&context, request, strlen(request), answer);
}

/* Every answer is one line, one object, and says done or error. */
static void
assert_answer(bool done)
{
    struct fjson_object *object, *member;
    size_t length = strnlen(answer, sizeof(answer));
    assert_true(length < sizeof(answer));
    assert_ptr_equal(strchr(answer, '\n'), answer + length - 1);
    object = object_parse(answer, length);
    assert_non_null(object);
    assert_true(fjson_object_object_get_ex(object, "done", &member));
    assert_int_equal(fjson_object_get_boolean(member), done);
    assert_int_equal(fjson_object_object_get_ex(object, "error", &member), !done);
    assert_int_equal(fjson_object_object_get_ex(object, "code", &member), !done);
    fjson_object_put(object);
}

static void
assert_refused(const char *request, int error, const char *words)
{
    int result = run(request);
    if (result != error || strstr(answer, words) == NULL)
        fail_msg("%s: %d, %s", request, result, answer);
    assert_answer(false);
}

static unsigned
live_bans(struct ban *last)
{
    unsigned count = 0;
    struct ban ban;
    for (uint32_t slot = 0; slot < 64; slot++)
        if (table_read_ban(table, slot, &ban) && ban.end == BAN_RUNNING) {
            count++;
            *last = ban;
        }
    return count;
}

static void
a_ban_in_a_jail_has_its_time(void **state)
{
    struct jail jail;
    struct ban ban;
    int index;

    (void)state;
    jail_defaults(&jail);
    strcpy(jail.name, "custom");
    jail.classes = 0;
    jail.bantime_s = 7200;
    index = table_jail(table, &jail);
    assert_true(index > 0);
    assert_int_equal(run("{\"command\":\"ban\",\"source\":\"203.0.113.9\",\"jail\":\"custom\"}\n"),
                     1);
    assert_int_equal(live_bans(&ban), 1);
    assert_int_equal(ban.jail, index);
    assert_int_equal(ban.origin, BAN_BY_HAND);
    assert_int_equal(ban.until_ms, NOW_MS + 7200000);
    assert_int_equal(run("{\"command\":\"ban\",\"source\":\"203.0.113.8\",\"jail\":\"custom\","
                         "\"seconds\":60}\n"),
                     1);
    assert_int_equal(live_bans(&ban), 2);
    assert_int_equal(ban.until_ms, NOW_MS + 60000);
}

static void
a_ban_is_wanted(void **state)
{
    struct ban ban;
    char text[SOURCE_TEXT_SIZE];
    (void)state;
    assert_int_equal(run("{\"command\":\"ban\",\"source\":\"203.0.113.9\",\"seconds\":60}\n"), 1);
    assert_answer(true);
    assert_int_equal(live_bans(&ban), 1);
    assert_string_equal(source_print(&ban.source, text), "203.0.113.9");
    assert_int_equal(ban.jail, TABLE_JAIL_MANUAL);
    assert_int_equal(ban.origin, BAN_BY_HAND);
    assert_int_equal(ban.since_ms, NOW_MS);
    assert_int_equal(ban.until_ms, NOW_MS + 60000);

    assert_int_equal(run("{\"command\":\"unban\",\"source\":\"203.0.113.9\"}"), 1);
    assert_answer(true);
    assert_int_equal(live_bans(&ban), 0);
    assert_int_equal(run("{\"command\":\"unban\",\"source\":\"203.0.113.9\"}"), 0);
    assert_string_equal(answer, "{\"done\":true,\"bans\":0}\n");
}

static void
prefixes_for_ever_and_what_lies_within(void **state)
{
    struct ban ban;
    (void)state;
    assert_int_equal(run("{\"command\":\"ban\",\"source\":\"2001:db8:1::/48\"}"), 1);
    assert_int_equal(live_bans(&ban), 1);
    assert_int_equal(ban.until_ms, TABLE_FOREVER_MS);
    assert_int_equal(ban.source.prefix, 48);
    assert_int_equal(run("{\"command\":\"ban\",\"source\":\"203.0.113.0/24\"}"), 1);
    assert_int_equal(run("{\"command\":\"ban\",\"source\":\"203.0.113.7\"}"), 1);
    assert_int_equal(run("{\"command\":\"ban\",\"source\":\"100.0.0.0/8\"}"), 1);
    assert_int_equal(run("{\"command\":\"unban\",\"source\":\"203.0.113.0/24\"}"), 2);
    assert_int_equal(run("{\"command\":\"unban\",\"source\":\"2001:db8:1:2::3\"}"), 1);
    assert_int_equal(run("{\"command\":\"unban\",\"source\":\"0.0.0.0/0\"}"), 1);
    assert_int_equal(live_bans(&ban), 0);
}

/* Also of what nobody here is banned for; of one jail alone it does not. */
static void
a_fleet_hears_of_an_unban(void **state)
{
    char text[SOURCE_TEXT_SIZE];
    (void)state;
    pardons = 0;
    run("{\"command\":\"ban\",\"source\":\"203.0.113.9\",\"seconds\":60}");
    run("{\"command\":\"ban\",\"source\":\"203.0.113.0/24\",\"seconds\":90}");
    assert_int_equal(run("{\"command\":\"unban\",\"source\":\"203.0.113.9\",\"jail\":\"manual\"}"),
                     2);
    assert_int_equal(pardons, 0);
    run("{\"command\":\"ban\",\"source\":\"203.0.113.9\",\"seconds\":60}");
    run("{\"command\":\"ban\",\"source\":\"203.0.113.0/24\",\"seconds\":90}");
    assert_int_equal(run("{\"command\":\"unban\",\"source\":\"203.0.113.9\"}"), 2);
    assert_int_equal(pardons, 1);
    assert_string_equal(source_print(&pardoned, text), "203.0.113.9");
    assert_true(pardoned_until_ms == NOW_MS + 90000);
    assert_int_equal(run("{\"command\":\"unban\",\"source\":\"203.0.113.77\"}"), 0);
    assert_int_equal(pardons, 2);
    assert_true(pardoned_until_ms == 0);
}

static void
all_is_sent_again_to_hosts(void **state)
{
    (void)state;
    assert_int_equal(run("{\"command\":\"resync\"}"), 0);
    assert_string_equal(answer, "{\"done\":true,\"bans\":0,\"hosts\":3}\n");
    assert_int_equal(run("{\"command\":\"resync\",\"host\":\"mx1\"}"), 0);
    assert_string_equal(answer, "{\"done\":true,\"bans\":0,\"hosts\":1}\n");
    assert_refused("{\"command\":\"resync\",\"host\":\"mx2\"}", -EINVAL, "mx2");
    assert_refused("{\"command\":\"resync\",\"source\":\"203.0.113.9\"}", -EINVAL, "no source");
    assert_refused("{\"command\":\"unban\",\"source\":\"203.0.113.9\",\"host\":\"mx1\"}", -EINVAL,
                   "no host");
}

#define BAN(source) "{\"command\":\"ban\",\"source\":\"" source "\"}"

static int
resync_nobody(const char *host)
{
    (void)host;
    return -ENOTSUP;
}

static void
who_is_no_centre_cannot_send_again(void **state)
{
    const char request[] = "{\"command\":\"resync\"}";
    struct command_context context = {.table = table, .caller = 0, .now_ms = NOW_MS};

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(command_run(&context, request, strlen(request), answer) < 0);
        assert_answer(false);
        assert_non_null(strstr(answer, "this is no centre"));
        context.resync = resync_nobody;
    }
}

/* A ban by hand is carried out, and says that it meets everybody behind that address. */
static void
who_bans_a_gateway_is_told_how_many_use_it(void **state)
{
    const char request[] = BAN("203.0.113.9"), other[] = BAN("203.0.113.8");
    const struct source office = source_of("203.0.113.9");
    struct command_context context = {.table = table, .caller = 0, .now_ms = NOW_MS};
    struct ban ban;

    (void)state;
    context.gateways = gateway_new(table, 3);
    for (unsigned user = 1; user <= 3; user++)
        gateway_login(context.gateways, &office, user, NOW_MS, NOW_MS);
    assert_int_equal(command_run(&context, request, strlen(request), answer), 1);
    assert_string_equal(answer, "{\"done\":true,\"bans\":1,\"users\":3}\n");
    assert_int_equal(command_run(&context, other, strlen(other), answer), 1);
    assert_string_equal(answer, "{\"done\":true,\"bans\":1}\n");
    assert_int_equal(live_bans(&ban), 2);
    gateway_free(context.gateways);
}

static void
who_is_never_banned(void **state)
{
    struct ban ban;
    (void)state;
    assert_refused(BAN("192.0.2.7"), -EPERM, "allow-listed by 192.0.2.0/24");
    assert_refused(BAN("::ffff:192.0.2.7"), -EPERM, "192.0.2.7 is allow-listed by 192.0.2.0/24");
    assert_refused(BAN("192.0.0.0/16"), -EPERM, "within 192.0.0.0/16");
    assert_refused(BAN("2001:db8:a::/64"), -EPERM, "within 2001:db8:a::/64");
    assert_refused(BAN("127.0.0.1"), -EINVAL, "no client's address");
    assert_refused(BAN("127.0.0.0/8"), -EINVAL, "no client's address");
    assert_refused(BAN("::1"), -EINVAL, "no client's address");
    assert_refused(BAN("::"), -EINVAL, "no client's address");
    assert_refused(BAN("0.0.0.0"), -EINVAL, "no client's address");
    assert_refused(BAN("224.0.0.1"), -EINVAL, "no client's address");
    assert_refused(BAN("ff02::1"), -EINVAL, "no client's address");
    /* those that stand in every set to tell whether it was flushed */
    assert_refused(BAN("255.0.0.0/8"), -EINVAL, "no client's address");
    assert_refused(BAN("255.255.255.0/24"), -EINVAL, "no client's address");
    assert_refused(BAN("ffff::/16"), -EINVAL, "no client's address");
    assert_refused(BAN("0.0.0.0/0"), -EINVAL, "/8 is the widest");
    assert_refused(BAN("100.0.0.0/7"), -EINVAL, "/8 is the widest");
    assert_refused(BAN("2000::/3"), -EINVAL, "/16 is the widest");
    assert_refused(BAN("::/0"), -EINVAL, "/16 is the widest");
    assert_int_equal(live_bans(&ban), 0);
}

static void
what_is_no_request(void **state)
{
    char longest[COMMAND_SIZE + 2];
    struct ban ban;
    (void)state;
    assert_refused("", -EINVAL, "one object of JSON");
    assert_refused("ban 203.0.113.9", -EINVAL, "one object of JSON");
    assert_refused("{}", -EINVAL, "no command");
    assert_refused("{\"command\":\"ban\"}", -EINVAL, "source is missing");
    assert_refused("{\"command\":\"flush\",\"source\":\"203.0.113.9\"}", -EINVAL, "'flush'");
    assert_refused("{\"command\":\"ban\",\"source\":\"203.0.113.9\",\"source\":\"203.0.113.8\"}",
                   -EINVAL, "one object of JSON");
    assert_refused(
        "{\"command\":\"unban\",\"source\":\"0.0.0.0/0\",\"jail\":\"x\",\"ja\\u0069l\":\"y\"}",
        -EINVAL, "one object of JSON");
    assert_refused("{\"command\":7,\"source\":\"203.0.113.9\"}", -EINVAL, "no command");
    assert_refused("{\"command\":\"unban\",\"source\":\"203.0.113.9\",\"scope\":\"mx1\"}", -EINVAL,
                   "'scope'");
    assert_refused("{\"command\":\"unban\",\"source\":\"203.0.113.9\",\"jail\":\"mail\"}", -EINVAL,
                   "no jail 'mail'");
    assert_refused("{\"command\":\"ban\",\"source\":\"203.0.113.9\",\"jail\":\"mail\"}", -EINVAL,
                   "no jail 'mail'");
    assert_refused("{\"command\":\"pause\",\"jail\":\"mail\"}", -EINVAL, "pause takes no jail");
    assert_refused("{\"command\":\"pause\",\"source\":\"203.0.113.9\"}", -EINVAL, "no source");
    assert_refused("{\"command\":\"forget\"}", -EINVAL, "a source or a user");
    assert_refused("{\"command\":\"unban\",\"source\":\"203.0.113.9\",\"seconds\":5}", -EINVAL,
                   "no seconds");
    assert_refused(BAN("203.0.113.999"), -EINVAL, "'203.0.113.999' is neither");
    assert_refused(BAN("203.0.113.0/33"), -EINVAL, "neither");
    assert_refused(BAN("a\\\"b\\\\c"), -EINVAL, "'a'b'c' is neither");
    assert_refused(BAN("\\u0000"), -EINVAL, "source is missing");
    assert_refused("{\"command\":\"ban\",\"source\":\"203.0.113.9\",\"\\n\\\"\xff\":1}", -EINVAL,
                   "'?'?'");

    static const char *const seconds[] = {
        "0", "-1", "1.5", "\"60\"", "null", "1e3", "9223372036854775807", "3162240001"};
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        char request[128];
        snprintf(request, sizeof(request),
                 "{\"command\":\"ban\",\"source\":\"203.0.113.9\",\"seconds\":%s}", seconds[i]);
        assert_refused(request, -EINVAL, "whole number");
    }
    memset(longest, ' ', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_refused(longest, -EMSGSIZE, "at most");
    assert_int_equal(live_bans(&ban), 0);
}

static void
a_pause_is_begun_and_ended(void **state)
{
    struct table_change changes[8];
    struct table_health health;
    (void)state;
    assert_int_equal(run(BAN("203.0.113.9")), 1);
    assert_int_equal(run("{\"command\":\"pause\",\"seconds\":60}"), 1);
    table_read_health(table, NOW_MS, &health);
    assert_int_equal(health.paused_until_ms, NOW_MS + 60000);
    assert_int_equal(table_dequeue(table, changes, 8, NOW_MS), 1);
    assert_false(changes[0].wanted);
    table_acknowledge(table, changes, 1, true, NOW_MS);
    assert_int_equal(table_end_pause(table, NOW_MS + 59999), NOW_MS + 60000);
    assert_int_equal(table_dequeue(table, changes, 8, NOW_MS), 0);
    assert_int_equal(table_end_pause(table, NOW_MS + 60000), TABLE_FOREVER_MS);
    assert_int_equal(table_dequeue(table, changes, 8, NOW_MS), 1);
    assert_true(changes[0].wanted);
    assert_int_equal(run("{\"command\":\"resume\"}"), 0);
    assert_int_equal(run("{\"command\":\"pause\"}"), 1);
    assert_int_equal(run("{\"command\":\"resume\"}"), 1);
}

static void
a_full_table_says_so(void **state)
{
    struct ban ban;
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        char request[128];
        snprintf(request, sizeof(request), BAN("203.0.113.%u"), i);
        assert_int_equal(run(request), 1);
    }
    assert_refused(BAN("203.0.113.200"), -ENOSPC, "maxBans");
    assert_int_equal(live_bans(&ban), 64);
    assert_int_equal(run("{\"command\":\"unban\",\"source\":\"203.0.113.0/24\"}"), 64);
}

static void
random_requests_are_survived(void **state)
{
    static const char good[] = "{\"command\":\"ban\",\"source\":\"203.0.113.9\",\"seconds\":60}";
    (void)state;
    srand(1);
    for (int round = 0; round < 50000; round++) {
        char request[sizeof(good)];
        memcpy(request, good, sizeof(good));
        for (int i = rand() % 4; i >= 0; i--)
            request[(size_t)rand() % (sizeof(good) - 1)] = (char)rand();
        assert_answer(run(request) >= 0);
    }
}

/* ---- banmailctl's end ---- */

static char socket_path[128];

/* Listens; what accepts and answers is up to the test. */
static int
listen_here(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(socket_path, sizeof(socket_path), "%s/socket", directory);
    strcpy(address.sun_path, socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Answers one client in two pieces, after having closed its own ears. */
static void *
answer_in_pieces(void *argument)
{
    int fd = accept(*(int *)argument, NULL, NULL);
    char request[COMMAND_SIZE];
    ssize_t n = recv(fd, request, sizeof(request), 0);
    if (n > 0 && request[n - 1] == '\n' && send(fd, "{\"done\":true,", 13, 0) == 13 &&
        send(fd, "\"bans\":1}\n", 10, 0) == 10)
        close(fd);
    return NULL;
}

static void
sending_and_its_ends(void **state)
{
    char text[COMMAND_SIZE], path[200];
    pthread_t thread;
    (void)state;
    snprintf(path, sizeof(path), "%s/none", directory);
    assert_int_equal(command_send(path, "{}", text, 100), -ENOENT);
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(command_send(path, "{}", text, 100), -ENAMETOOLONG);

    int fd = listen_here();
    assert_int_equal(command_send(socket_path, "{}", text, 100), -ECONNREFUSED);
    listen(fd, 0);
    assert_int_equal(command_send(socket_path, "{}", text, 100), -ETIMEDOUT);
    assert_int_equal(command_send(socket_path, "{}", text, 100),
                     -ETIMEDOUT); /* its queue is full */
    close(fd);
    unlink(socket_path);

    fd = listen_here();
    listen(fd, 1);
    pthread_create(&thread, NULL, answer_in_pieces, &fd);
    assert_int_equal(command_send(socket_path, "{}", text, 2000), 0);
    assert_string_equal(text, "{\"done\":true,\"bans\":1}\n");
    pthread_join(thread, NULL);
    close(fd);
    unlink(socket_path);
}

/* Answers one client, if it has an answer, and hangs up. */
struct peer {
    int listening;
    bool hears; /* else it does not read the request */
    size_t length;
    const char *answer;
};

static void *
answer_once(void *argument)
{
    const struct peer *const peer = argument;
    const int fd = accept(peer->listening, NULL, NULL);
    char request[COMMAND_SIZE];

    if (peer->hears && recv(fd, request, sizeof(request), 0) < 0)
        return NULL;
    for (size_t sent = 0; sent < peer->length;) {
        const ssize_t n = send(fd, peer->answer + sent, peer->length - sent, MSG_NOSIGNAL);

        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    close(fd);
    return NULL;
}

static int
ask(struct peer peer, const char *request, char text[COMMAND_SIZE])
{
    pthread_t thread;
    int result;

    peer.listening = listen_here();
    listen(peer.listening, 1);
    pthread_create(&thread, NULL, answer_once, &peer);
    result = command_send(socket_path, request, text, 5000);
    pthread_join(thread, NULL);
    close(peer.listening);
    unlink(socket_path);
    return result;
}

/* A refusal is read although the recorder hung up on the rest of the request; a long answer is
 * whole, or an error; and no answer is one at once, not only after the time. */
static void
an_answer_is_whole_or_an_error(void **state)
{
    static char longest[COMMAND_SIZE + 1], request[COMMAND_SIZE + 1];
    static const char refusal[] = "{\"done\":false}\n";
    char text[COMMAND_SIZE];

    (void)state;
    assert_int_equal(
        ask((struct peer){.length = sizeof(refusal) - 1, .answer = refusal}, "{}", text), 0);
    assert_string_equal(text, refusal);
    assert_int_equal(ask((struct peer){.hears = true}, "{}", text), -EPROTO);
    memset(longest, 'x', sizeof(longest) - 1);
    longest[COMMAND_SIZE - 2] = '\n'; /* the longest that has room with its NUL */
    assert_int_equal(ask((struct peer){.length = COMMAND_SIZE - 1, .answer = longest}, "{}", text),
                     0);
    assert_int_equal(strlen(text), COMMAND_SIZE - 1);
    longest[COMMAND_SIZE - 2] = 'x';
    assert_int_equal(ask((struct peer){.length = COMMAND_SIZE, .answer = longest}, "{}", text),
                     -EPROTO);
    memset(request, 'x', sizeof(request) - 1);
    assert_int_equal(ask((struct peer){.hears = false}, request, text), -EMSGSIZE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_table, remove_table)

/* Root may ask on behalf of somebody, as with sudo; others are who they are. */
static void
who_bans_is_known(void **state)
{
    static const char on_behalf[] = "{\"command\":\"ban\",\"source\":\"203.0.113.9\",\"caller\":7}";
    struct ban ban;

    (void)state;
    assert_int_equal(run(BAN("203.0.113.8")), 1);
    assert_int_equal(live_bans(&ban), 1);
    assert_int_equal(ban.made_by, 1001);
    assert_refused(on_behalf, -EINVAL, "other than root");
    caller = 0;
    assert_int_equal(run("{\"command\":\"unban\",\"source\":\"203.0.113.8\"}"), 1);
    assert_int_equal(run(on_behalf), 1);
    caller = 1000;
    assert_int_equal(live_bans(&ban), 1);
    assert_int_equal(ban.made_by, 8);
}

/* ---- what others do for a command ---- */

static int change_result, forget_result;
static char noted[256]; /* "": taken off */
static bool is_forgotten_user, is_forgotten_source;

static int
change_allow(void *closure, const struct source *source, const char *note)
{
    (void)closure;
    (void)source;
    snprintf(noted, sizeof(noted), "%s", note == NULL ? "" : note);
    return change_result;
}

static int
forget(void *closure, const struct source *source, const char *user)
{
    (void)closure;
    is_forgotten_source = source != NULL;
    is_forgotten_user = user != NULL;
    return forget_result;
}

static bool
find_allowed_name(const struct source *source, char *name)
{
    strcpy(name, "home.example.org");
    return source->address[15] == 9;
}

static bool
is_allowed_in_jail(unsigned jail, const struct source *source, struct source *entry)
{
    *entry = *source;
    return jail == 1 && source->address[15] == 5;
}

static int
run_with_others(const char *request)
{
    const struct command_context context = {.table = table,
                                            .allow = allow,
                                            .caller = caller,
                                            .change_allow = change_allow,
                                            .forget = forget,
                                            .find_allowed_name = find_allowed_name,
                                            .is_allowed_in_jail = is_allowed_in_jail,
                                            .now_ms = NOW_MS};
    return command_run(&context, request, strlen(request), answer);
}

static void
who_is_allowed_and_by_what_is_told(void **state)
{
    struct jail jail;
    (void)state;
    jail_defaults(&jail);
    assert_true(table_jail(table, &jail) > 0);
    run_with_others("{\"command\":\"allowed\",\"source\":\"192.0.2.9\"}");
    assert_string_equal(answer, "{\"done\":true,\"bans\":0,\"entry\":\"192.0.2.0/24\","
                                "\"name\":\"home.example.org\"}\n");
    run_with_others("{\"command\":\"allowed\",\"source\":\"203.0.113.5\"}");
    assert_string_equal(answer, "{\"done\":true,\"bans\":0,\"entry\":\"203.0.113.5\","
                                "\"jail\":\"mail\"}\n");
    run_with_others("{\"command\":\"allowed\",\"source\":\"203.0.113.6\"}");
    assert_string_equal(answer, "{\"done\":true,\"bans\":0,\"entry\":null}\n");
    run("{\"command\":\"allowed\",\"source\":\"203.0.113.5\"}"); /* no jail is asked */
    assert_string_equal(answer, "{\"done\":true,\"bans\":0,\"entry\":null}\n");
}

#define ALLOW(source)    "{\"command\":\"allow\",\"source\":\"" source "\"}"
#define DISALLOW(source) "{\"command\":\"disallow\",\"source\":\"" source "\"}"

static void
allowing_lifts_bans_and_is_noted(void **state)
{
    (void)state;
    assert_refused(ALLOW("203.0.113.9"), -ENOSYS, "nothing can be allow-listed here");
    assert_refused(DISALLOW("203.0.113.9"), -ENOSYS, "nothing can be allow-listed here");
    change_result = 1;
    assert_int_equal(run(BAN("203.0.113.9")), 1);
    assert_int_equal(run_with_others(ALLOW("203.0.113.9")), 1);
    assert_string_equal(answer, "{\"done\":true,\"bans\":1,\"changed\":true}\n");
    assert_non_null(strstr(noted, "by user id 1000"));
    change_result = 0;
    assert_int_equal(run_with_others(DISALLOW("203.0.113.9")), 0);
    assert_string_equal(answer, "{\"done\":true,\"bans\":0,\"changed\":false}\n");
    assert_string_equal(noted, "");
    change_result = -EROFS;
    assert_int_equal(run(BAN("203.0.113.9")), 1);
    assert_int_equal(run_with_others(ALLOW("203.0.113.9")), -EROFS);
    assert_answer(false);
    assert_int_equal(run("{\"command\":\"unban\",\"source\":\"203.0.113.9\"}"), 1);
    assert_int_equal(run_with_others(ALLOW("16.0.0.0/7")), -EINVAL);
    assert_int_equal(run_with_others(ALLOW("16.0.0.0/8")), -EROFS); /* wide enough */
    assert_int_equal(run_with_others(ALLOW("2000::/15")), -EINVAL);
    assert_int_equal(run_with_others(ALLOW("2000::/16")), -EROFS);
}

static void
what_is_forgotten_is_a_client_or_a_user(void **state)
{
    (void)state;
    forget_result = 3;
    assert_int_equal(run_with_others("{\"command\":\"forget\",\"user\":\"anna\"}"), 0);
    assert_string_equal(answer, "{\"done\":true,\"bans\":0,\"erased\":3}\n");
    assert_true(is_forgotten_user && !is_forgotten_source);
    assert_int_equal(run_with_others("{\"command\":\"forget\",\"source\":\"203.0.113.9\"}"), 0);
    assert_true(!is_forgotten_user && is_forgotten_source);
    forget_result = -EBUSY;
    assert_int_equal(run_with_others("{\"command\":\"forget\",\"user\":\"anna\"}"), -EBUSY);
    assert_answer(false);
    assert_int_equal(run("{\"command\":\"forget\",\"user\":\"anna\"}"), 0); /* no ledger */
    assert_string_equal(answer, "{\"done\":true,\"bans\":0,\"erased\":0}\n");
}

#define LEARN(source, more) "{\"command\":\"learn\",\"source\":\"" source "\"" more "}"

static void
a_login_is_learned_of_a_client_lately(void **state)
{
    const struct source client = source_of("203.0.113.9");
    struct jail jail, networks;
    (void)state;
    jail_defaults(&jail);
    jail_defaults(&networks);
    strcpy(networks.name, "networks");
    networks.v4_bits = 24;
    assert_true(table_jail(table, &jail) > 0 && table_jail(table, &networks) > 0);
    assert_refused(LEARN("203.0.113.9", ",\"user\":\"anna\""), -EINVAL, "seconds of at most");
    assert_refused(LEARN("203.0.113.9", ",\"seconds\":99999999"), -EINVAL, "seconds of at most");
    assert_refused(LEARN("203.0.113.0/24", ",\"seconds\":60"), -EINVAL, "a client's address");
    assert_refused(LEARN("127.0.0.1", ",\"seconds\":60"), -EINVAL, "a client's address");
    assert_int_equal(run(LEARN("203.0.113.9", ",\"seconds\":60,\"user\":\"anna\"")), 0);
    assert_int_equal(run(LEARN("203.0.113.9", ",\"seconds\":60")), 0); /* mail */
    assert_int_equal(table_count_users(table, &client, NOW_MS), 1);
    table_learn_until(table, NOW_MS);
    assert_int_equal(run("{\"command\":\"learned\"}"), 0);
    assert_int_equal(table_learns_until(table), 0);
    assert_true(run("{\"command\":\"repair\"}") >= 1);
    assert_true(table_take_rebuild(table));
}

static void
who_asks_is_who_the_kernel_says_but_for_root(void **state)
{
    static const char *const bad[] = {"\"jail\":\"a b\\u0000\"", "\"user\":7", "\"host\":[]",
                                      "\"caller\":7", "\"caller\":\"x\""};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char request[128];
        snprintf(request, sizeof(request), "{\"command\":\"resume\",%s}", bad[i]);
        assert_int_equal(run(request), -EINVAL);
        assert_answer(false);
    }
    change_result = 1;
    caller = 0;
    run_with_others("{\"command\":\"allow\",\"source\":\"203.0.113.9\",\"caller\":1234}");
    caller = 1000;
    assert_non_null(strstr(noted, "by user id 1234"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_ban_is_wanted),
        TEST(a_ban_in_a_jail_has_its_time),
        TEST(prefixes_for_ever_and_what_lies_within),
        TEST(a_fleet_hears_of_an_unban),
        TEST(all_is_sent_again_to_hosts),
        TEST(who_is_never_banned),
        TEST(who_bans_is_known),
        TEST(what_is_no_request),
        TEST(a_full_table_says_so),
        TEST(a_pause_is_begun_and_ended),
        TEST(random_requests_are_survived),
        TEST(sending_and_its_ends),
        TEST(an_answer_is_whole_or_an_error),
        TEST(who_is_no_centre_cannot_send_again),
        TEST(who_bans_a_gateway_is_told_how_many_use_it),
        TEST(who_is_allowed_and_by_what_is_told),
        TEST(allowing_lifts_bans_and_is_noted),
        TEST(what_is_forgotten_is_a_client_or_a_user),
        TEST(a_login_is_learned_of_a_client_lately),
        TEST(who_asks_is_who_the_kernel_says_but_for_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
