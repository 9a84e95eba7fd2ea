/* test_firewall: what is applied is what the kernel then holds.
 *
 * Proves, against the real kernel in a network namespace of its own: elements of both families and
 * prefixes land with their timeouts, are prolonged and shortened, removed, and for ever where
 * asked; a vanished table is made anew and told; the refusals (capability, sandbox, descriptors, a
 * foreign owner) come back as their errno with a remedy, and the process lives. Both ways to
 * refresh a timeout are taken, whatever this kernel can: before Linux 6.12 adding what is there
 * keeps the old timeout, which a stand-in plays to whoever probes. Fails when a command's text is
 * wrong for the installed libnftables, when a timeout is not what was asked for, or when one of the
 * library's ways to end the process is open.
 *
 * Needs root; skipped aloud otherwise. With an argument it measures instead: test_firewall measure.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <nftables/libnftables.h>

#include "kernel/firewall.h"
#include "kernel/flush.h"

#define HOUR_MS (3600 * INT64_C(1000))
#define DAY_MS  (24 * HOUR_MS)

static char reason[FIREWALL_REASON_SIZE];
static char *last_command; /* as libnftables got it */
static bool is_old;        /* the kernel seems to be one from before 6.12 */

/* Stands in for the library's function of this name, and passes on to it. */
int
nft_run_cmd_from_buffer(struct nft_ctx *nft, const char *buffer)
{
    static int (*real)(struct nft_ctx *, const char *);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "nft_run_cmd_from_buffer");
    free(last_command);
    last_command = strdup(buffer);
    if (is_old && strstr(buffer, "_probe") != NULL && strstr(buffer, "timeout 2h") != NULL)
        return 0; /* it keeps the old one */
    return real(nft, buffer);
}

static struct firewall_change
want(const char *text, int64_t timeout_ms)
{
    struct firewall_change change = {.wanted = true, .timeout_ms = timeout_ms};

    assert_int_equal(source_parse_prefix(text, strlen(text), &change.source), 0);
    return change;
}

static struct firewall_change
unwant(const char *text)
{
    struct firewall_change change = want(text, 1);

    change.wanted = false;
    return change;
}

/* ---- what the kernel says ---- */

/* The standard output of a command, to be freed. */
static char *
output_of(const char *command)
{
    char *text = calloc(1, 16 << 20);
    size_t used = 0, got;
    FILE *pipe = popen(command, "r");

    assert_non_null(text);
    assert_non_null(pipe);
    while ((got = fread(text + used, 1, (16 << 20) - 1 - used, pipe)) > 0)
        used += got;
    pclose(pipe);
    return text;
}

static int64_t
parse_time(const char *text)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"d", DAY_MS}, {"h", HOUR_MS}, {"m", 60000}, {"s", 1000}};
    int64_t sum = 0;

    while (*text >= '0' && *text <= '9') {
        int64_t number = strtoll(text, (char **)&text, 10);
        for (size_t i = 0; i < 5; i++) {
            if (strncmp(text, units[i].unit, strlen(units[i].unit)) == 0) {
                sum += number * units[i].ms;
                text += strlen(units[i].unit);
                break;
            }
        }
    }
    return sum;
}

/* Whether the set has the element; its timeout (0: for ever) goes to *timeout_ms. */
static bool
in_kernel(const char *set, const char *address, int64_t *timeout_ms)
{
    char command[128], word[64];
    char *text, *at;
    bool found = false;

    snprintf(command, sizeof(command), "nft list set inet ombanmail %s 2>/dev/null", set);
    snprintf(word, sizeof(word), " %s", address);
    text = output_of(command);
    at = strstr(text, word);
    while (at != NULL && !found) {
        char after = at[strlen(word)];
        found = after == ' ' || after == ',' || after == '\n';
        at += strlen(word);
        if (found && timeout_ms != NULL)
            *timeout_ms = strncmp(at, " timeout ", 9) == 0 ? parse_time(at + 9) : 0;
        at = strstr(at, word);
    }
    free(text);
    return found;
}

static size_t
count_in_kernel(const char *set)
{
    char command[128];
    char *text, *at;
    size_t count = 0;

    snprintf(command, sizeof(command), "nft list set inet ombanmail %s", set);
    text = output_of(command);
    for (at = strstr(text, "timeout "); at != NULL; at = strstr(at + 1, "timeout "))
        count++;
    free(text);
    return count;
}

static bool
ruleset_has(const char *line)
{
    char *text = output_of("nft -y list ruleset");
    bool found = strstr(text, line) != NULL;

    free(text);
    return found;
}

/* Kernels keep time in ticks of up to 10 ms. */
static void
assert_timeout(const char *set, const char *address, int64_t expected_ms)
{
    int64_t timeout_ms = -1;

    assert_true(in_kernel(set, address, &timeout_ms));
    assert_true(timeout_ms <= expected_ms && timeout_ms >= expected_ms - 10);
}

static void
apply(struct firewall *firewall, struct firewall_change change)
{
    reason[0] = '\0';
    if (firewall_apply(firewall, &change, 1, reason) != 0)
        fail_msg("refused: %s", reason);
}

/* ---- each test begins with an empty ruleset and an open firewall ---- */

static int
setup(void **state)
{
    free(output_of("nft flush ruleset"));
    return firewall_open((struct firewall **)state, reason);
}

static int
setup_old(void **state)
{
    is_old = true;
    return setup(state);
}

static int
teardown(void **state)
{
    is_old = false;
    firewall_close(*state);
    return 0;
}

static void
test_families_and_prefixes(void **state)
{
    struct firewall_change changes[] = {
        want("203.0.113.9", HOUR_MS), want("2001:db8::9", 2 * HOUR_MS + 3004),
        want("2001:db8:1:2::/64", 10 * 60000), want("198.51.100.0/24", 7 * DAY_MS),
        want("2001:db8:77::/48", 400 * DAY_MS)};

    assert_int_equal(firewall_apply(*state, changes, 5, reason), 0);
    assert_timeout("v4", "203.0.113.9", HOUR_MS);
    assert_timeout("v6", "2001:db8::9", 2 * HOUR_MS + 3004);
    assert_timeout("v6_64", "2001:db8:1:2::", 600000);
    assert_timeout("v4_24", "198.51.100.0", 7 * DAY_MS);
    assert_timeout("v6_48", "2001:db8:77::", 400 * DAY_MS);
    assert_true(ruleset_has("hook prerouting priority -150; policy accept;"));
    assert_true(ruleset_has("ct direction original tcp dport { 25, 110, 143, 465, 587, 993, 995,"
                            " 4190 } ip saddr @v4 drop"));
    assert_true(ruleset_has("ip saddr & 255.255.255.0 == @v4_24 drop"));
    assert_true(ruleset_has("ip6 saddr & ffff:ffff:ffff:ffff:: == @v6_64 drop"));
    assert_true(ruleset_has("ip6 saddr & ffff:ffff:ffff:: == @v6_48 drop"));
}

static void
test_timeout_is_replaced(void **state)
{
    apply(*state, want("203.0.113.9", HOUR_MS));
    apply(*state, want("203.0.113.9", 5 * HOUR_MS));
    assert_timeout("v4", "203.0.113.9", 5 * HOUR_MS);
    apply(*state, want("203.0.113.9", 60000));
    assert_timeout("v4", "203.0.113.9", 60000);
    apply(*state, want("203.0.113.9", FIREWALL_FOREVER_MS));
    assert_timeout("v4", "203.0.113.9", 0);
    apply(*state, want("203.0.113.9", HOUR_MS));
    assert_timeout("v4", "203.0.113.9", HOUR_MS);
}

static int64_t
expires_ms(void)
{
    char *text = output_of("nft list set inet ombanmail v4"), *at;

    at = strstr(text, " 203.0.113.9 timeout ");
    assert_non_null(at);
    at = strstr(at, " expires ");
    int64_t ms = at != NULL ? parse_time(at + 9) : HOUR_MS; /* none: it has just been added */
    free(text);
    return ms;
}

/* The time that is left begins anew, also when the timeout is the same to the tick. */
static void
test_same_timeout_begins_anew(void **state)
{
    int64_t before_ms;

    apply(*state, want("203.0.113.9", HOUR_MS));
    do
        before_ms = expires_ms();
    while (before_ms > HOUR_MS - 2000);
    apply(*state, want("203.0.113.9", HOUR_MS));
    assert_timeout("v4", "203.0.113.9", HOUR_MS);
    assert_true(expires_ms() > before_ms);
}

#define ADD_9(expires)                                                                             \
    "add set inet ombanmail v4 { type ipv4_addr; flags timeout; elements = {"                      \
    " 203.0.113.9 timeout 0d1h0m0s0ms" expires " }; }\n"

/* On a kernel that updates nothing but the text shows the steps. */
static void
expect_commands(struct firewall *firewall, const char *expected)
{
    struct firewall_change changes[] = {want("203.0.113.9", HOUR_MS), unwant("203.0.113.10")};

    apply(firewall, want("203.0.113.1", HOUR_MS)); /* and the layout */
    assert_int_equal(firewall_apply(firewall, changes, 2, reason), 0);
    assert_string_equal(last_command, expected);
    assert_false(ruleset_has("_probe"));
}

static void
test_old_kernel_has_three_steps(void **state)
{
    expect_commands(*state,
                    "add element inet ombanmail v4 { 203.0.113.9, 203.0.113.10 }\n"
                    "delete element inet ombanmail v4 { 203.0.113.9, 203.0.113.10 }\n" ADD_9(""));
}

/* Whether this kernel, probed by other means, updates. */
static bool
kernel_updates(void)
{
    char *text = output_of("nft 'add table ip probe; add set ip probe s { type ipv4_addr;"
                           " flags timeout; }; add element ip probe s { 192.0.2.1 timeout 1h }';"
                           "nft 'add element ip probe s { 192.0.2.1 timeout 2h }';"
                           "nft list table ip probe; nft delete table ip probe");
    bool updates = strstr(text, "timeout 2h") != NULL;

    free(text);
    return updates;
}

static void
test_new_kernel_has_one(void **state)
{
    if (!kernel_updates())
        skip();
    expect_commands(*state, "add element inet ombanmail v4 { 203.0.113.10 }\n"
                            "delete element inet ombanmail v4 { 203.0.113.10 }\n" ADD_9(
                                " expires 0d1h0m0s0ms"));
}

/* Others see no trace of the probe, and it is not made again. */
static void
test_probed_once(void **state)
{
    free(output_of("nft flush ruleset"));
    apply(*state, want("203.0.113.9", HOUR_MS));
    assert_false(ruleset_has("_probe"));
    is_old = true;
    apply(*state, unwant("203.0.113.9"));
    assert_null(strstr(last_command, "_probe"));
}

/* A flush takes it, so that it does not look like one deleted element; nobody lists it. */
static void
refuse_element(void *context, const struct firewall_change *element)
{
    (void)element;
    ++*(unsigned *)context;
}

static void
test_marker(void **state)
{
    struct firewall_change changes[] = {want("203.0.113.9", HOUR_MS), want("10.0.0.0/7", HOUR_MS),
                                        want("2001:db8::/64", HOUR_MS)};
    unsigned listed = 0;

    assert_int_equal(firewall_apply(*state, changes, 3, reason), 0);
    assert_true(in_kernel("v4", "255.255.255.255", NULL));
    assert_true(in_kernel("v6_64", "ffff:ffff:ffff:ffff::", NULL));
    assert_false(in_kernel("v4_7", "254.0.0.0", NULL)); /* that would be somebody */
    assert_int_equal(firewall_list(*state, refuse_element, &listed, reason), 0);
    assert_int_equal(listed, 3);
}

static void
test_extreme_timeouts(void **state)
{
    int64_t timeout_ms;

    apply(*state, want("203.0.113.1", FIREWALL_FOREVER_MS - 1));
    assert_timeout("v4", "203.0.113.1", 36500 * DAY_MS);
    apply(*state, want("203.0.113.2", 50 * DAY_MS)); /* more than 32 bits of milliseconds */
    assert_timeout("v4", "203.0.113.2", 50 * DAY_MS);
    apply(*state, want("203.0.113.3", 1)); /* over before one can look; must not be for ever */
    if (in_kernel("v4", "203.0.113.3", &timeout_ms))
        assert_int_not_equal(timeout_ms, 0);
}

static void
test_removal(void **state)
{
    struct firewall_change mixed[] = {unwant("203.0.113.9"), want("203.0.113.10", HOUR_MS),
                                      unwant("203.0.113.11"), unwant("2001:db8:5::/48")};

    apply(*state, unwant("203.0.113.9")); /* not even a table is there */
    assert_false(in_kernel("v4", "203.0.113.9", NULL));
    apply(*state, want("203.0.113.9", HOUR_MS));
    assert_int_equal(firewall_apply(*state, mixed, 4, reason), 0);
    assert_false(in_kernel("v4", "203.0.113.9", NULL));
    assert_true(in_kernel("v4", "203.0.113.10", NULL));
    assert_false(in_kernel("v4", "203.0.113.11", NULL));
}

static void
test_whole_batch(void **state)
{
    static struct firewall_change changes[FIREWALL_BATCH_MOST];
    const size_t count = FIREWALL_BATCH_MOST, networks = (count + 2) / 3;
    char text[32];

    for (unsigned i = 0; i < count; i++) {
        if (i % 3 == 0)
            snprintf(text, sizeof(text), "2001:db8:%x::/64", i);
        else
            snprintf(text, sizeof(text), "10.0.%d.%d", i / 250, i % 250);
        changes[i] = want(text, HOUR_MS + i);
    }
    assert_int_equal(firewall_apply(*state, changes, count, reason), 0);
    assert_int_equal(count_in_kernel("v6_64"), networks);
    assert_int_equal(count_in_kernel("v4"), count - networks);
    for (unsigned i = 0; i < count; i++)
        changes[i].wanted = false;
    assert_int_equal(firewall_apply(*state, changes, count, reason), 0);
    assert_int_equal(count_in_kernel("v4") + count_in_kernel("v6_64"), 0);
}

/* ---- somebody else's hands ---- */

static void
test_flushed_ruleset(void **state)
{
    struct firewall_change change = want("203.0.113.10", HOUR_MS);

    apply(*state, want("203.0.113.9", HOUR_MS));
    free(output_of("nft flush ruleset"));
    assert_int_equal(firewall_apply(*state, &change, 1, reason), FIREWALL_WAS_LOST);
    assert_true(in_kernel("v4", "203.0.113.10", NULL));
    assert_true(ruleset_has("ip saddr @v4 drop"));
    apply(*state, want("203.0.113.9", HOUR_MS));
}

/* A set of the administrator's for one family; the other family's are ours, and were deleted. */
static void
test_deleted_table_beside_own_set(void **state)
{
    struct firewall_policy policy = {.most = 100,
                                     .shortest = {[FIREWALL_V4] = 32, [FIREWALL_V6] = 128},
                                     .set = {[FIREWALL_V4] = "inet blocklist bad4"}};
    struct firewall_change change = want("2001:db8::9", HOUR_MS);
    char warning[FIREWALL_REASON_SIZE];

    policy.lists[0] = ports_mail();
    free(output_of("nft 'add table inet blocklist;"
                   " add set inet blocklist bad4 { type ipv4_addr; flags timeout; }'"));
    firewall_set_policy(*state, &policy);
    assert_int_equal(firewall_check_sets(*state, warning, reason), 0);
    apply(*state, change);
    free(output_of("nft delete table inet ombanmail"));
    assert_int_equal(firewall_apply(*state, &change, 1, reason), FIREWALL_WAS_LOST);
    assert_true(in_kernel("v6", "2001:db8::9", NULL));
}

static void
test_deleted_set(void **state)
{
    struct firewall_change change = want("2001:db8:1::/48", HOUR_MS);

    apply(*state, change);
    free(output_of("nft 'flush chain inet ombanmail prerouting;"
                   " delete set inet ombanmail v6_48'"));
    firewall_restore(*state); /* as the monitor says */
    assert_int_equal(firewall_apply(*state, &change, 1, reason), 0);
    assert_timeout("v6_48", "2001:db8:1::", HOUR_MS);
    assert_true(ruleset_has("ip saddr @v4 drop"));
    assert_true(ruleset_has("ip6 saddr & ffff:ffff:ffff:: == @v6_48 drop"));
}

/* A table that stands there from before any jail had a verdict keeps its elements, and gets the
 * sets and rules that it lacks; what rejects stands behind what drops, whatever their order as
 * lists. */
static void
test_verdicts(void **state)
{
    struct firewall_policy policy = {.most = 100,
                                     .shortest = {[FIREWALL_V4] = 32, [FIREWALL_V6] = 128},
                                     .verdicts = {[1] = VERDICT_REJECT}};
    struct firewall_change change = want("203.0.113.10", HOUR_MS);
    char *rules, *drop, *reject;

    apply(*state, want("203.0.113.9", HOUR_MS));
    policy.lists[1] = policy.lists[2] = ports_mail();
    firewall_set_policy(*state, &policy);
    change.list = 1;
    apply(*state, change);
    assert_true(in_kernel("v4", "203.0.113.9", NULL));
    assert_true(in_kernel("v4_reject", "203.0.113.10", NULL));
    assert_false(in_kernel("v4", "203.0.113.10", NULL));
    rules = output_of("nft list chain inet ombanmail prerouting");
    drop = strstr(rules, "ip saddr @v4 drop");
    reject = strstr(rules, "ip saddr @v4_reject reject with tcp reset");
    assert_true(drop != NULL && reject != NULL && drop < reject);
    free(rules);
}

static void
test_other_layout(void **state)
{
    struct firewall_change change = want("203.0.113.9", HOUR_MS);

    free(output_of("nft 'add table inet ombanmail;"
                   " add set inet ombanmail v4 { type ipv4_addr; flags interval; }'"));
    assert_int_equal(firewall_apply(*state, &change, 1, reason), FIREWALL_WAS_LOST);
    assert_timeout("v4", "203.0.113.9", HOUR_MS);
}

/* A new life finds the table of the last one: bans stand, and every set keeps its rule. */
static void
test_second_life(void **state)
{
    struct firewall *second;

    apply(*state, want("203.0.113.9", HOUR_MS));
    apply(*state, want("198.51.100.0/24", HOUR_MS));
    assert_int_equal(firewall_open(&second, reason), 0);
    apply(second, want("203.0.113.10", HOUR_MS));
    firewall_close(second);
    assert_true(in_kernel("v4", "203.0.113.9", NULL));
    assert_true(ruleset_has("ip saddr & 255.255.255.0 == @v4_24 drop"));
}

static void
test_foreign_rules_stay(void **state)
{
    free(output_of("nft 'add table ip other; add chain ip other c; add rule ip other c drop'"));
    apply(*state, want("203.0.113.9", HOUR_MS));
    assert_int_equal(firewall_remove(*state, reason), 0);
    assert_int_equal(firewall_remove(*state, reason), 0);
    assert_false(ruleset_has("ombanmail"));
    assert_true(ruleset_has("table ip other"));
    apply(*state, want("203.0.113.9", HOUR_MS));
    assert_true(in_kernel("v4", "203.0.113.9", NULL));
}

/* A table with the flag owner can only be changed through the socket that made it. */
/* Somebody else's table may have our name. */
static void
test_foreign_table_stays(void **state)
{
    static const char *const types[] = {"type inet_service", "typeof tcp dport",
                                        "type ipv4_addr . inet_service"};
    const struct firewall_change change = want("203.0.113.9", HOUR_MS);
    char reason[FIREWALL_REASON_SIZE], command[256];

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        firewall_restore(*state);
        snprintf(
            command, sizeof(command),
            "nft 'delete table inet ombanmail' 2>/dev/null; nft 'add table inet ombanmail; add "
            "set inet ombanmail v4 { %s; comment \"mine\"; }'",
            types[i]);
        assert_int_equal(system(command), 0);
        assert_true(firewall_apply(*state, &change, 1, reason) < 0);
        assert_non_null(strstr(reason, "is not ours: its set v4"));
        firewall_rebuild(*state);
        assert_true(firewall_apply(*state, &change, 1, reason) < 0);
        assert_true(firewall_remove(*state, reason) < 0);
        assert_true(ruleset_has("comment \"mine\""));
    }
    assert_int_equal(system("nft delete table inet ombanmail"), 0);
    apply(*state, want("203.0.113.9", HOUR_MS));
}

static void
test_foreign_owner(void **state)
{
    struct firewall_change change = want("203.0.113.9", HOUR_MS);
    FILE *owner = popen("nft -i >/dev/null", "w");

    assert_non_null(owner);
    fprintf(owner, "add table inet ombanmail { flags owner; }\n");
    fflush(owner);
    for (int i = 0; i < 500 && !ruleset_has("flags owner"); i++)
        usleep(10000);
    assert_int_equal(firewall_apply(*state, &change, 1, reason), -EPERM);
    pclose(owner); /* the table goes with it */
    apply(*state, change);
}

/* ---- what becomes of packets ---- */

/* Whether a TCP connection of these addresses and ports can be made, within 0.3 s. */
static bool
connects(const char *from, uint16_t from_port, const char *to, uint16_t to_port)
{
    struct sockaddr_in client = {.sin_family = AF_INET, .sin_port = htons(from_port)};
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(to_port)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int caller = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int one = 1;
    struct pollfd connected = {.fd = caller, .events = POLLOUT};
    int error = 1;
    socklen_t size = sizeof(error);

    inet_pton(AF_INET, from, &client.sin_addr);
    inet_pton(AF_INET, to, &server.sin_addr);
    setsockopt(caller, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    assert_int_equal(bind(caller, (struct sockaddr *)&client, sizeof(client)), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&server, sizeof(server)), 0);
    assert_int_equal(listen(listener, 1), 0);
    connect(caller, (struct sockaddr *)&server, sizeof(server));
    if (poll(&connected, 1, 300) == 1)
        getsockopt(caller, SOL_SOCKET, SO_ERROR, &error, &size);
    close(caller);
    close(listener);
    return error == 0;
}

/* A banned client reaches no mail port, but others; and what it answers to us still comes in, also
 * where our own port is one of mail. */
static void
test_packets(void **state)
{
    free(output_of("ip link set lo up; ip address add 10.9.9.8/32 dev lo;"
                   " ip address add 10.9.9.9/32 dev lo"));
    apply(*state, want("10.9.9.7", HOUR_MS));
    assert_true(connects("10.9.9.9", 0, "10.9.9.8", 25));
    apply(*state, want("10.9.9.9", HOUR_MS));
    assert_false(connects("10.9.9.9", 0, "10.9.9.8", 25));
    assert_false(connects("10.9.9.9", 0, "10.9.9.8", 993));
    assert_true(connects("10.9.9.9", 0, "10.9.9.8", 22));
    assert_true(connects("10.9.9.8", 0, "10.9.9.9", 25));
    assert_true(connects("10.9.9.8", 587, "10.9.9.9", 2525));
    apply(*state, unwant("10.9.9.9"));
    assert_true(connects("10.9.9.9", 0, "10.9.9.8", 25));
    apply(*state, want("10.9.9.0/24", HOUR_MS));
    assert_false(connects("10.9.9.9", 0, "10.9.9.8", 25));
}

/* ---- refusals, each in a process of its own ---- */

static void
expect_child(int (*act)(void))
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(act());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
}

static int
act_without_capability(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    struct firewall_change change = want("203.0.113.9", HOUR_MS);
    struct firewall *firewall;

    if (syscall(SYS_capset, &header, none) != 0 || firewall_open(&firewall, reason) != 0)
        return 1;
    if (firewall_apply(firewall, &change, 1, reason) != -EPERM)
        return 2;
    firewall_close(firewall);
    return strstr(reason, "CAP_NET_ADMIN") != NULL ? 42 : 3;
}

/* ---- the administrator's sets ---- */

static struct firewall_policy
policy_with(const char *v4, const char *v6)
{
    struct firewall_policy policy = {.most = 100,
                                     .shortest = {[FIREWALL_V4] = 32, [FIREWALL_V6] = 128}};

    policy.lists[0] = ports_mail();
    strcpy(policy.set[FIREWALL_V4], v4);
    strcpy(policy.set[FIREWALL_V6], v6);
    return policy;
}

static void
make_set(const char *declaration)
{
    char command[512];

    snprintf(command, sizeof(command),
             "nft 'flush ruleset; add table inet b; add set inet b s { %s }'", declaration);
    free(output_of(command));
}

static void
test_which_set_is_of_use(void **state)
{
    static const struct {
        const char *declaration;
        enum firewall_family family;
        unsigned shortest;
        int error;
        const char *words; /* of the reason, or of the warning */
    } cases[] = {
        {"type ipv4_addr; flags timeout;", FIREWALL_V4, 32, 0, NULL},
        {"type ipv6_addr; flags timeout;", FIREWALL_V6, 128, 0, NULL},
        {"typeof ip saddr; flags timeout;", FIREWALL_V4, 32, 0, NULL},
        {"type ipv6_addr; flags timeout;", FIREWALL_V4, 32, -EINVAL, "not of type ipv4_addr"},
        {"type ipv4_addr; flags timeout;", FIREWALL_V6, 128, -EINVAL, "not of type ipv6_addr"},
        {"type inet_service; flags timeout;", FIREWALL_V4, 32, -EINVAL, "not of type"},
        {"type ipv4_addr;", FIREWALL_V4, 32, -EINVAL, "no flag timeout"},
        {"type ipv4_addr; flags interval;", FIREWALL_V4, 32, -EINVAL, "no flag timeout"},
        {"type ipv4_addr; flags interval, timeout;", FIREWALL_V4, 24, 0, "is an interval set"},
        {"type ipv4_addr; flags interval, timeout; auto-merge;", FIREWALL_V4, 24, -EINVAL,
         "auto-merge"},
        {"type ipv4_addr; flags timeout;", FIREWALL_V4, 31, -EINVAL, "takes single addresses"},
        {"type ipv6_addr; flags timeout;", FIREWALL_V6, 127, -EINVAL, "takes single addresses"},
        {"type ipv4_addr; flags timeout; size 99;", FIREWALL_V4, 32, 0, "has room for 99"},
        {"type ipv4_addr; flags timeout; size 100;", FIREWALL_V4, 32, 0, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const bool is_v4 = cases[i].family == FIREWALL_V4;
        struct firewall_policy policy =
            policy_with(is_v4 ? "inet b s" : "", is_v4 ? "" : "inet b s");
        char warning[FIREWALL_REASON_SIZE] = "";
        int error;

        make_set(cases[i].declaration);
        policy.shortest[cases[i].family] = cases[i].shortest;
        firewall_set_policy(*state, &policy);
        reason[0] = '\0';
        error = firewall_check_sets(*state, warning, reason);
        if (error != cases[i].error ||
            (cases[i].words == NULL
                 ? warning[0] != '\0'
                 : strstr(error == 0 ? warning : reason, cases[i].words) == NULL))
            fail_msg("%s: %d, %s%s", cases[i].declaration, error, reason, warning);
        assert_int_equal(firewall_check_sets(*state, warning, reason), error); /* as before */
    }
    free(output_of("nft flush ruleset"));
    assert_int_equal(firewall_check_sets(*state, (char[FIREWALL_REASON_SIZE]){0}, reason), 0);
}

static void
test_what_is_a_sets_name(void **state)
{
    static const char *const good[] = {"inet b s", "ip b s", "ip6 b-1.x s_2"};
    static const char *const bad[] = {"",           "inet b",   "bridge b s",
                                      "inet b s x", "inet 1 s", "inet b 1",
                                      "inet b s;",  "inet b {", "inet b\ts\n"};
    char longest[FIREWALL_SET_SIZE + 8] = "inet b s";

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(firewall_is_set_name(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (firewall_is_set_name(bad[i]))
            fail_msg("\"%s\" is no set's name", bad[i]);
    memset(longest + 7, 's', FIREWALL_SET_SIZE);
    longest[FIREWALL_SET_SIZE] = '\0';
    assert_false(firewall_is_set_name(longest));
}

static bool
set_has(const char *element)
{
    char *const text = output_of("nft list set inet b s 2>/dev/null");
    const bool has = strstr(text, element) != NULL;

    free(text);
    return has;
}

static void
test_flush_takes_ours_and_leaves_the_rest(void **state)
{
    const struct firewall_policy policy = policy_with("inet b s", "inet b none");
    struct firewall_change changes[] = {want("203.0.113.9", HOUR_MS), want("203.0.113.8", HOUR_MS)};
    struct firewall_policy own = policy_with("inet b s", "");
    char warning[FIREWALL_REASON_SIZE];
    size_t removed = 7;

    for (int i = 0; i < 2; i++)
        strcpy(changes[i].comment, "ombanmail mail, 5 failures"); /* whose they are */
    make_set("type ipv4_addr; flags timeout;");
    free(output_of("nft 'add element inet b s { 192.0.2.1 timeout 1h, 192.0.2.2 timeout 1h comment"
                   " \"mine\" }'"));
    firewall_set_policy(*state, &own);
    assert_int_equal(firewall_check_sets(*state, warning, reason), 0);
    assert_int_equal(firewall_apply(*state, changes, 2, reason), 0);
    assert_true(set_has("203.0.113.9"));
    assert_int_equal(flush_kernel(*state, &policy, &removed, reason), 0);
    assert_int_equal(removed, 2);
    assert_false(set_has("203.0.113."));
    assert_true(set_has("192.0.2.1") && set_has("192.0.2.2"));
    assert_false(ruleset_has("table inet ombanmail"));
    assert_int_equal(flush_kernel(*state, &policy, &removed, reason), 0); /* nothing is there */
    assert_int_equal(removed, 0);
}

static void
test_interval_set_takes_prefixes(void **state)
{
    struct firewall_policy policy = policy_with("inet b s", "");
    char warning[FIREWALL_REASON_SIZE];

    policy.verdict = VERDICT_REJECT;
    policy.shortest[FIREWALL_V4] = 24;
    policy.lists[1].count = 1; /* of all ports */
    make_set("type ipv4_addr; flags interval, timeout;");
    firewall_set_policy(*state, &policy);
    assert_int_equal(firewall_check_sets(*state, warning, reason), 0);
    apply(*state, want("198.51.100.0/24", HOUR_MS));
    apply(*state, want("203.0.113.9", FIREWALL_FOREVER_MS));
    assert_true(set_has("198.51.100.0/24") && set_has("203.0.113.9"));
    apply(*state, want("2001:db8::9", HOUR_MS)); /* the other family is ours */
    assert_true(in_kernel("v6", "2001:db8::9", NULL));
    assert_true(ruleset_has("reject"));
    apply(*state, unwant("198.51.100.0/24"));
    assert_false(set_has("198.51.100.0/24"));
}

static void
test_without_capability(void **state)
{
    (void)state;
    expect_child(act_without_capability);
}

/* As RestrictAddressFamilies= without AF_NETLINK does it. */
static bool
forbid_netlink(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int
act_in_sandbox(void)
{
    struct firewall *firewall;

    if (!forbid_netlink() || firewall_open(&firewall, reason) != -EAFNOSUPPORT || firewall != NULL)
        return 1;
    return strstr(reason, "RestrictAddressFamilies=") != NULL ? 42 : 2;
}

static void
test_in_sandbox(void **state)
{
    (void)state;
    expect_child(act_in_sandbox);
}

static int
act_with_many_files(void)
{
    struct rlimit limit = {4096, 4096};
    struct firewall *firewall;

    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < 1100; i++) {
        if (open("/dev/null", O_RDONLY) < 0)
            return 1;
    }
    return firewall_open(&firewall, reason) == -EMFILE && firewall == NULL ? 42 : 2;
}

static void
test_with_many_files(void **state)
{
    (void)state;
    expect_child(act_with_many_files);
}

static void
test_descriptor_is_not_inherited(void **state)
{
    (void)state;
    for (int descriptor = 3; descriptor < 64; descriptor++) {
        int domain;
        socklen_t size = sizeof(domain);
        if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
            domain == AF_NETLINK)
            assert_int_equal(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    }
}

/* ---- figures ---- */

static double
now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static const char *comment = "";

static void
measure_adds(struct firewall *firewall, unsigned first, unsigned count, unsigned batch)
{
    static struct firewall_change changes[FIREWALL_BATCH];
    double begin = now_s(), each;
    char text[32];

    for (unsigned done = 0; done < count; done += batch) {
        for (unsigned i = 0; i < batch; i++) {
            unsigned host = first + done + i;
            snprintf(text, sizeof(text), "10.%u.%u.%u", host >> 16, host >> 8 & 255, host & 255);
            changes[i] = want(text, HOUR_MS);
            strcpy(changes[i].comment, comment);
        }
        if (firewall_apply(firewall, changes, batch, reason) < 0)
            errx(1, "refused: %s", reason);
    }
    each = (now_s() - begin) / count * 1e6;
    printf("%7u elements in commands of %4u: %9.2f ms, %7.2f us each\n", count, batch,
           each * count / 1000, each);
}

/* Somebody else's. */
static void
make_interval_set(unsigned size)
{
    FILE *nft = popen("nft -f -", "w");

    fprintf(nft, "add table ip other\ndelete table ip other\nadd table ip other\n"
                 "add set ip other networks { type ipv4_addr; flags interval; }\n"
                 "add element ip other networks {");
    for (unsigned i = 0; i < size; i++)
        fprintf(nft, "%s 172.%u.%u.%u/31", i ? "," : "", i >> 14, i >> 6 & 255, (i & 63) * 4);
    fprintf(nft, " }\n");
    if (pclose(nft) != 0)
        errx(1, "no interval set");
}

static int
measure(void)
{
    struct firewall *firewall;

    if (firewall_open(&firewall, reason) < 0)
        errx(1, "%s", reason);
    measure_adds(firewall, 0, 1, 1);
    measure_adds(firewall, 1000, 1, 1);
    measure_adds(firewall, 2000, 1000, 1);
    measure_adds(firewall, 3000, 1000, 1000);
    measure_adds(firewall, 100000, 100000, 1000);
    measure_adds(firewall, 100000, 100000, 1000);
    comment = "ombanmail mail auth_failed";
    printf("replacing, as before Linux 6.12:\n");
    is_old = true;
    firewall_close(firewall);
    if (firewall_open(&firewall, reason) < 0)
        errx(1, "%s", reason);
    measure_adds(firewall, 100000, 100000, 1000);
    is_old = false;
    firewall_close(firewall);
    if (firewall_open(&firewall, reason) < 0)
        errx(1, "%s", reason);
    printf("with a comment:\n");
    measure_adds(firewall, 200000, 100000, 1000);
    measure_adds(firewall, 300000, 1, 1);
    for (unsigned size = 10000; size <= 100000; size *= 10) {
        make_interval_set(size);
        printf("beside an interval set of %u prefixes:\n", size);
        measure_adds(firewall, 400000, 1, 1);
        measure_adds(firewall, 500000, 2000, 1000);
    }
    firewall_close(firewall);
    return 0;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_families_and_prefixes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timeout_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timeout_is_replaced, setup_old, teardown),
        cmocka_unit_test_setup_teardown(test_same_timeout_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_timeout_begins_anew, setup_old, teardown),
        cmocka_unit_test_setup_teardown(test_old_kernel_has_three_steps, setup_old, teardown),
        cmocka_unit_test_setup_teardown(test_new_kernel_has_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_probed_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_marker, setup, teardown),
        cmocka_unit_test_setup_teardown(test_extreme_timeouts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removal, setup_old, teardown),
        cmocka_unit_test_setup_teardown(test_whole_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_whole_batch, setup_old, teardown),
        cmocka_unit_test_setup_teardown(test_flushed_ruleset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deleted_table_beside_own_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deleted_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_verdicts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_layout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_rules_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_table_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_packets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_which_set_is_of_use, setup, teardown),
        cmocka_unit_test(test_what_is_a_sets_name),
        cmocka_unit_test_setup_teardown(test_flush_takes_ours_and_leaves_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interval_set_takes_prefixes, setup, teardown),
        cmocka_unit_test(test_without_capability),
        cmocka_unit_test(test_in_sandbox),
        cmocka_unit_test(test_with_many_files),
        cmocka_unit_test_setup_teardown(test_descriptor_is_not_inherited, setup, teardown),
    };

    if (unshare(CLONE_NEWNET) != 0) {
        printf("1..0 # SKIP no network namespace of its own: %s\n", strerror(errno));
        return 0;
    }
    (void)argv;
    return argc > 1 ? measure() : cmocka_run_group_tests(tests, NULL, NULL);
}
