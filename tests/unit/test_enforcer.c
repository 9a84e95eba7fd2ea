/* test_enforcer: what the table wants is what the kernel gets, in time, whatever stands in between.
 *
 * Proves, with the real table and the real kernel in a network namespace of its own: bans and
 * unbans land at once and none is forgotten by the sleeping protocol; thousands go in batches; the
 * thread alone keeps CAP_NET_ADMIN over a privilege drop; refusals (sandbox, foreign owner, one bad
 * element) leave bans wanted, are said once, and end when their cause does; a flushed ruleset is
 * restored; the clock may be set; what is ours goes at the end where that is asked for, also out of
 * an administrator's sets, and nothing else; a command that does not return holds up neither
 * workers nor the end. Fails when a wake is lost (the enforcer then sleeps for a minute), a
 * capability leaks, a refusal is repeated in words, or enforcer_stop waits for ever.
 *
 * libnftables' nft_run_cmd_from_buffer is replaced by a stand-in of the same name, which passes on
 * to the real one, counts, and can hang or refuse. Needs root; skipped aloud otherwise.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <nftables/libnftables.h>

#include "fixture.h"
#include "kernel/firewall.h"
#include "kernel/enforcer.h"

#define HOUR_MS (3600 * INT64_C(1000))

static unsigned max_bans = 20000;

/* ---- the stand-in ---- */

static atomic_uint commands;
static atomic_bool hang;
static sem_t hangs;
static const char *_Atomic refused_word; /* a command with this word in it is refused */
static atomic_bool is_old;               /* the kernel seems to be one from before Linux 6.12 */

int
nft_run_cmd_from_buffer(struct nft_ctx *nft, const char *buffer)
{
    static int (*real)(struct nft_ctx *, const char *);
    const char *word = refused_word;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "nft_run_cmd_from_buffer");
    atomic_fetch_add(&commands, 1);
    if (atomic_load_explicit(&hang, memory_order_relaxed)) {
        sem_post(&hangs);
        /* relaxed: no command returns in step with enforcer_stop, and TSan shall know it */
        while (atomic_load_explicit(&hang, memory_order_relaxed))
            usleep(1000);
    }
    if (is_old && strstr(buffer, "_probe") != NULL && strstr(buffer, "timeout 2h") != NULL)
        return 0;
    if (word != NULL && strstr(buffer, word) != NULL)
        buffer = "no such command";
    return real(nft, buffer);
}

/* ---- the stand-in for the clocks ---- */

static atomic_int wall_ahead_s, both_ahead_s; /* somebody set the wall's; time went by */

int
clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    const int result = real(clock, now);

    if (clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME)
        now->tv_sec += atomic_load(&both_ahead_s);
    if (clock == CLOCK_REALTIME)
        now->tv_sec += atomic_load(&wall_ahead_s);
    return result;
}

/* ---- the world of a test ---- */

struct world {
    struct table *table;
    struct enforcer *enforcer;
    struct report report;
    char directory[32];
    atomic_uint errors_said, times_said;
    pthread_mutex_t lock;
    char last_said[1024]; /* under the lock */
};

static void
record(void *context, int severity, const char *text)
{
    struct world *world = context;

    pthread_mutex_lock(&world->lock);
    snprintf(world->last_said, sizeof(world->last_said), "%s", text);
    pthread_mutex_unlock(&world->lock);
    atomic_fetch_add(&world->times_said, 1);
    if (severity <= LOG_ERR)
        atomic_fetch_add(&world->errors_said, 1);
}

/* Whether the last that was said has these words; or, NULL, whether anything was said. */
static bool
said(struct world *world, const char *words)
{
    bool found;

    pthread_mutex_lock(&world->lock);
    found = words == NULL ? world->last_said[0] != '\0' : strstr(world->last_said, words) != NULL;
    pthread_mutex_unlock(&world->lock);
    return found;
}

/* The same within two seconds: that much an administrator may wait for a repair. */
static bool
soon_said(struct world *world, const char *words)
{
    for (int i = 0; i < 200 && !said(world, words); i++)
        usleep(10000);
    return said(world, words);
}

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
run_shell(const char *command)
{
    if (system(command) != 0)
        fail_msg("%s", command);
}

static int
setup_table(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    char path[64];
    bool is_new;
    struct table_options options = {.path = path,
                                    .ledger_path = "/nonexistent/ledger.db",
                                    .capacity = 1024,
                                    .max_bans = max_bans,
                                    .owner = (uid_t)-1,
                                    .group = (gid_t)-1,
                                    .now_ms = now_ms(),
                                    .report = &world->report};

    run_shell("nft flush ruleset");
    atomic_store(&commands, 0);
    refused_word = NULL;
    world->report = (struct report){record, world};
    pthread_mutex_init(&world->lock, NULL);
    strcpy(world->directory, "/dev/shm/enforcer.XXXXXX");
    if (mkdtemp(world->directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/table", world->directory);
    *state = world;
    return table_open(&options, &world->table, &is_new);
}

static int
start(struct world *world)
{
    struct enforcer_options options = {.table = world->table, .report = &world->report};

    return enforcer_start(&world->enforcer, &options);
}

static int
setup(void **state)
{
    struct world *world;

    if (setup_table(state) != 0)
        return -1;
    world = *state;
    if (start(world) != 0)
        return -1;
    enforcer_release(world->enforcer);
    return 0;
}

static int
teardown(void **state)
{
    struct world *world = *state;
    char command[64];

    is_old = false;
    atomic_store(&wall_ahead_s, 0);
    atomic_store(&both_ahead_s, 0);
    enforcer_stop(world->enforcer);
    table_close(world->table);
    snprintf(command, sizeof(command), "rm -r %s", world->directory);
    run_shell(command);
    free(world);
    return 0;
}

static int
setup_old(void **state)
{
    is_old = true;
    return setup_table(state);
}

/* Room for as many bans as the promises speak of; fewer where that would take long. */
static int
setup_volume(void **state)
{
    max_bans = getenv("LONG") != NULL ? 100000 : 20000;
    return setup_table(state);
}

static int
setup_volume_old(void **state)
{
    is_old = true;
    return setup_volume(state);
}

static void
ban(struct world *world, const char *text, int64_t until_ms)
{
    struct ban ban = {.source = source_of(text),
                      .jail = TABLE_JAIL_MANUAL,
                      .origin = BAN_BY_HAND,
                      .since_ms = now_ms(),
                      .first_ms = now_ms(),
                      .until_ms = until_ms};

    assert_int_equal(table_ban(world->table, &ban, now_ms()), 0);
}

static void
unban(struct world *world, const char *text)
{
    struct source source = source_of(text);

    assert_int_equal(table_unban(world->table, &source, 0, now_ms()), 1);
}

static void
ban_wake(struct world *world, const char *text)
{
    ban(world, text, now_ms() + HOUR_MS);
    enforcer_wake(world->enforcer);
}

/* How many bans the kernel does not have yet as they are wanted. */
static unsigned
count_open(const struct world *world)
{
    unsigned count = 0;
    struct ban ban;

    for (uint32_t slot = 0; slot < max_bans; slot++)
        count += table_read_ban(world->table, slot, &ban) &&
                 (ban.state == BAN_WANTED || ban.state == BAN_LIFTED);
    return count;
}

/* Waits at most five seconds until no more than `most` are open. */
static bool
settled_but(struct world *world, unsigned most)
{
    for (int i = 0; i < 5000; i++) {
        if (count_open(world) <= most)
            return true;
        usleep(1000);
    }
    return false;
}

static bool
settled(struct world *world)
{
    return settled_but(world, 0);
}

static bool
in_kernel(const char *set, const char *address)
{
    char command[160];

    snprintf(command, sizeof(command), "nft get element inet ombanmail %s '{ %s }' >/dev/null 2>&1",
             set, address);
    return system(command) == 0;
}

static bool
soon_in_kernel(const char *set, const char *address)
{
    for (int i = 0; i < 500; i++) {
        if (in_kernel(set, address))
            return true;
        usleep(10000);
    }
    return false;
}

static size_t
count_in_kernel(void)
{
    char word[64];
    size_t count = 0;
    FILE *pipe = popen("nft list ruleset", "r");

    assert_non_null(pipe);
    while (fscanf(pipe, "%63s", word) == 1)
        count += strcmp(word, "expires") == 0;
    pclose(pipe);
    return count;
}

static bool
is_in_trouble(struct world *world, const char *word)
{
    struct table_status status;

    table_read_status(world->table, &status);
    return word == NULL ? status.trouble[0] != '\0' : strstr(status.trouble, word) != NULL;
}

/* ---- the main way ---- */

static void
test_bans_land(void **state)
{
    struct world *world = *state;
    struct enforcer_statistics statistics;

    ban(world, "203.0.113.9", now_ms() + HOUR_MS);
    ban(world, "2001:db8:1:2::/64", TABLE_FOREVER_MS);
    enforcer_wake(world->enforcer);
    assert_true(settled(world));
    assert_true(in_kernel("v4", "203.0.113.9"));
    assert_true(in_kernel("v6_64", "2001:db8:1:2::"));
    unban(world, "203.0.113.9");
    enforcer_wake(world->enforcer);
    assert_true(settled(world));
    assert_false(in_kernel("v4", "203.0.113.9"));
    assert_true(in_kernel("v6_64", "2001:db8:1:2::"));
    do { /* counted a moment after it is settled */
        enforcer_read_statistics(world->enforcer, &statistics);
    } while (statistics.removed == 0);
    assert_int_equal(statistics.enforced, 2);
    assert_int_equal(statistics.removed, 1);
    assert_int_equal(statistics.refused, 0);
    assert_int_equal(statistics.pending, 0);
}

/* A jail may come while all runs, as with the first ban of another server that closes other ports;
 * and what has nothing to do with it is banned as before. */
static void
test_ports_that_come_later(void **state)
{
    struct world *world = *state;
    struct ban late = {.source = source_of("203.0.113.25"),
                       .since_ms = now_ms(),
                       .first_ms = now_ms(),
                       .until_ms = now_ms() + HOUR_MS};
    struct jail jail;

    ban_wake(world, "203.0.113.9");
    assert_true(settled(world));
    jail_defaults(&jail);
    strcpy(jail.name, "late");
    jail.ports = (struct ports){0};
    assert_int_equal(ports_add(&jail.ports, "25"), 0);
    late.jail = (uint8_t)table_jail(world->table, &jail);
    assert_int_equal(table_ban(world->table, &late, now_ms()), 0);
    ban_wake(world, "203.0.113.10");
    assert_true(settled(world));
    assert_true(in_kernel("v4_ports_25", "203.0.113.25"));
    assert_true(in_kernel("v4", "203.0.113.9"));
    assert_true(in_kernel("v4", "203.0.113.10"));
    assert_false(said(world, NULL));
}

/* Also one whose bans are in force: they are where it says now, and the others where they were. */
static void
test_verdict_that_changes(void **state)
{
    struct world *world = *state;
    struct ban late = {.source = source_of("203.0.113.25"),
                       .since_ms = now_ms(),
                       .first_ms = now_ms(),
                       .until_ms = now_ms() + HOUR_MS};
    struct jail jail;

    jail_defaults(&jail);
    strcpy(jail.name, "late");
    late.jail = (uint8_t)table_jail(world->table, &jail);
    assert_int_equal(table_ban(world->table, &late, now_ms()), 0);
    ban_wake(world, "203.0.113.9");
    assert_true(settled(world));
    assert_true(in_kernel("v4", "203.0.113.25"));
    jail.verdict = VERDICT_REJECT;
    assert_int_equal(table_jail(world->table, &jail), late.jail);
    enforcer_wake(world->enforcer);
    ban_wake(world, "203.0.113.10");
    assert_true(settled(world));
    assert_true(in_kernel("v4_reject", "203.0.113.25"));
    assert_false(in_kernel("v4", "203.0.113.25"));
    assert_true(in_kernel("v4", "203.0.113.9"));
    assert_true(in_kernel("v4", "203.0.113.10"));
    assert_false(said(world, NULL));
}

static void
test_nothing_before_release(void **state)
{
    struct world *world = *state;

    assert_int_equal(start(world), 0);
    ban_wake(world, "203.0.113.9");
    usleep(50000); /* the time in which it might err */
    assert_int_equal(atomic_load(&commands), 0);
    enforcer_release(world->enforcer);
    assert_true(settled(world));
    assert_true(in_kernel("v4", "203.0.113.9"));
}

/* One ban at a time, each while the enforcer is just about to sleep. */
static void
test_no_wake_is_lost(void **state)
{
    struct world *world = *state;
    char text[32];

    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof(text), "10.0.%d.%d", i / 250, i % 250);
        ban_wake(world, text);
        for (int turn = 0; i % 2 == 0 && turn < 1000 && table_pending(world->table) > 0; turn++)
            sched_yield();
    }
    assert_true(settled(world));
    assert_int_equal(count_in_kernel(), 2000);
}

static void
test_many_go_in_batches(void **state)
{
    struct world *world = *state;
    char text[32];

    for (int i = 0; i < 10000; i++) {
        snprintf(text, sizeof(text), "10.1.%d.%d", i / 250, i % 250);
        ban(world, text, now_ms() + HOUR_MS);
    }
    enforcer_wake(world->enforcer);
    assert_true(settled(world));
    assert_int_equal(count_in_kernel(), 10000);
    assert_in_range(atomic_load(&commands), 10, 25);
}

static void
test_stop_applies_what_waits(void **state)
{
    struct world *world = *state;

    ban(world, "203.0.113.9", now_ms() + HOUR_MS); /* and no wake */
    enforcer_stop(world->enforcer);
    world->enforcer = NULL;
    assert_true(in_kernel("v4", "203.0.113.9"));
}

static void
test_next_life_wants_all(void **state)
{
    struct world *world = *state;

    ban_wake(world, "203.0.113.9");
    assert_true(settled(world));
    enforcer_stop(world->enforcer);
    run_shell("nft flush ruleset"); /* a reboot */
    assert_int_equal(start(world), 0);
    enforcer_release(world->enforcer);
    assert_true(soon_in_kernel("v4", "203.0.113.9"));
}

static void
test_pass_without_thread(void **state)
{
    struct world *world = *state;
    struct firewall *firewall;
    char reason[FIREWALL_REASON_SIZE];

    ban(world, "203.0.113.9", now_ms() + HOUR_MS);
    ban(world, "203.0.113.10", now_ms() + 10);
    assert_int_equal(firewall_open(&firewall, reason), 0);
    assert_int_equal(enforcer_pass(firewall, world->table, &(struct firewall_policy){0},
                                   now_ms() + 100, reason, sizeof(reason)),
                     0);
    assert_true(in_kernel("v4", "203.0.113.9"));
    assert_false(in_kernel("v4", "203.0.113.10"));
    refused_word = "203.0.113.11";
    ban(world, "203.0.113.11", now_ms() + HOUR_MS);
    assert_int_equal(enforcer_pass(firewall, world->table, &(struct firewall_policy){0}, now_ms(),
                                   reason, sizeof(reason)),
                     -EIO);
    assert_non_null(strstr(reason, "syntax error"));
    firewall_close(firewall);
}

/* ---- many ---- */

static double
seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Bans by a jail, whose elements have the longest of comments. */
static void
ban_many(struct world *world, unsigned from, unsigned count)
{
    struct jail jail;
    struct ban ban = {.origin = BAN_BY_JAIL,
                      .class = OFFENCE_AUTH_FAILED,
                      .since_ms = now_ms(),
                      .first_ms = now_ms(),
                      .until_ms = now_ms() + HOUR_MS};
    char text[32];

    jail_defaults(&jail);
    ban.jail = (uint8_t)table_jail(world->table, &jail);
    for (unsigned i = from; i < from + count; i++) {
        snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 8 & 255, i >> 16, i & 255);
        ban.source = source_of(text);
        assert_int_equal(table_ban(world->table, &ban, now_ms()), 0);
    }
}

/* Within so many seconds. On a machine that has other things to do it may take three times as long,
 * but no more of the processor. */
static void
settles_within(struct world *world, const char *what, unsigned count, double limit)
{
    double begin = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    struct enforcer_statistics statistics;

    do {
        usleep(10000);
        enforcer_read_statistics(world->enforcer, &statistics);
    } while ((statistics.enforced < count || statistics.pending > 0) &&
             seconds(CLOCK_MONOTONIC) < begin + 60);
    begin = seconds(CLOCK_MONOTONIC) - begin;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    print_message("# %s%s: %.2f s, %.2f s of the processor\n", what,
                  is_old ? ", before Linux 6.12" : "", begin, cpu);
    assert_true(settled(world));
    assert_true(begin <= 3 * limit && cpu <= limit);
}

/* All that a table can want, into an empty set, and again after a flush. */
static void
test_volume(void **state)
{
    struct world *world = *state;

    print_message("# %u bans:\n", max_bans);
    ban_many(world, 0, max_bans);
    assert_int_equal(start(world), 0);
    enforcer_release(world->enforcer);
    settles_within(world, "enforced", max_bans, 2);
    run_shell("nft flush ruleset");
    settles_within(world, "restored", 2 * max_bans, 3);
    assert_int_equal(count_in_kernel(), max_bans);
}

/* A burst of bans beside somebody's big interval set, which libnftables reads for each command. */
static void
test_beside_interval_set(void **state)
{
    struct world *world = *state;
    unsigned networks = getenv("LONG") != NULL ? 100000 : 20000;
    FILE *nft = popen("nft -f -", "w");

    fprintf(nft, "add table ip other\n"
                 "add set ip other networks { type ipv4_addr; flags interval; }\n"
                 "add element ip other networks {");
    for (unsigned i = 0; i < networks; i++)
        fprintf(nft, "%s 172.%u.%u.%u/31", i ? "," : "", i >> 14, i >> 6 & 255, (i & 63) * 4);
    fprintf(nft, " }\n");
    assert_int_equal(pclose(nft), 0);
    assert_int_equal(start(world), 0);
    enforcer_release(world->enforcer);
    for (unsigned i = 0; i < 2000; i += 10) { /* as workers would: not all at once */
        ban_many(world, i, 10);
        enforcer_wake(world->enforcer);
    }
    print_message("# beside %u prefixes:\n", networks);
    settles_within(world, "2,000 bans", 2000, 2);
}

/* Whatever somebody deletes of ours is back by itself. */
static void
expect_restored(struct world *world, const char *damage)
{
    struct table_status status;

    ban(world, "203.0.113.9", now_ms() + HOUR_MS);
    ban(world, "203.0.113.10", now_ms() + HOUR_MS);
    ban(world, "2001:db8:1:2::/64", now_ms() + HOUR_MS);
    enforcer_wake(world->enforcer);
    assert_true(settled(world));
    run_shell(damage);
    assert_true(soon_said(world, "by process nft; restoring 3 bans"));
    assert_true(settled(world));
    assert_int_equal(count_in_kernel(), 3);
    run_shell("nft list chain inet ombanmail prerouting | grep -q 'ip saddr @v4 drop'");
    table_read_status(world->table, &status);
    assert_int_equal(status.unbans, 0);
}

static void
test_restored_after_flush_ruleset(void **state)
{
    expect_restored(*state, "nft flush ruleset");
}

static void
test_restored_after_flush_set(void **state)
{
    expect_restored(*state, "nft flush set inet ombanmail v4");
}

static void
test_restored_after_flush_chain(void **state)
{
    expect_restored(*state, "nft flush chain inet ombanmail prerouting");
}

static void
test_restored_after_reload(void **state)
{
    expect_restored(*state, "nft -f - <<END\nflush ruleset\ntable inet filter {\n}\nEND\n");
}

/* Others' tables are not our business. */
static void
test_others_changes(void **state)
{
    struct world *world = *state;

    run_shell("nft 'add table inet other; add set inet other v4 { type ipv4_addr; };"
              " add element inet other v4 { 203.0.113.9, 203.0.113.10 }'");
    ban_wake(world, "203.0.113.9");
    assert_true(settled(world));
    run_shell("nft delete element inet other v4 { 203.0.113.9 }");
    run_shell("nft delete table inet other");
    ban_wake(world, "203.0.113.10");
    assert_true(settled(world));
    assert_int_equal(count_in_kernel(), 2);
    assert_false(said(world, NULL));
}

static void
test_element_deleted_by_hand(void **state)
{
    struct world *world = *state;

    ban(world, "203.0.113.9", now_ms() + HOUR_MS);
    ban(world, "2001:db8:1:2::/64", now_ms() + HOUR_MS);
    enforcer_wake(world->enforcer);
    assert_true(settled(world));
    run_shell("nft delete element inet ombanmail v6_64 '{ 2001:db8:1:2:: }'");
    assert_true(soon_said(world, "2001:db8:1:2::/64 was deleted"));
    assert_true(settled(world));
    enforcer_stop(world->enforcer); /* it must not come back in the next life either */
    assert_int_equal(start(world), 0);
    enforcer_release(world->enforcer);
    ban_wake(world, "203.0.113.10");
    assert_true(soon_in_kernel("v4", "203.0.113.10"));
    assert_false(in_kernel("v6_64", "2001:db8:1:2::"));
    assert_true(in_kernel("v4", "203.0.113.9"));
}

/* An element that times out is neither damage nor anybody's wish. */
static void
test_element_times_out(void **state)
{
    struct world *world = *state;

    ban(world, "203.0.113.9", now_ms() + HOUR_MS);
    ban(world, "203.0.113.10", now_ms() + 300);
    enforcer_wake(world->enforcer);
    assert_true(settled(world));
    for (int i = 0; i < 500 && count_in_kernel() > 1; i++)
        usleep(10000);
    assert_int_equal(count_in_kernel(), 1);
    ban_wake(world, "203.0.113.11");
    assert_true(settled(world));
    assert_false(said(world, NULL));
}

/* Whether the set says so within five seconds, of an enforcer that is woken until it has looked. */
static bool
soon_expires(struct world *world, const char *words)
{
    char command[128];

    snprintf(command, sizeof(command), "nft list set inet ombanmail v4 | grep -q 'expires %s'",
             words);
    for (int i = 0; i < 100; i++) {
        enforcer_wake(world->enforcer);
        if (system(command) == 0)
            return true;
        usleep(50000);
    }
    return false;
}

/* Who deletes in a loop does not fill the disk: what is left out in a minute is counted. */
static void
test_deletions_in_a_loop_are_said_shortly(void **state)
{
    struct world *world = *state;
    char text[32];
    FILE *nft;

    for (int i = 1; i <= 35; i++) {
        snprintf(text, sizeof(text), "203.0.113.%d", i);
        ban(world, text, now_ms() + HOUR_MS);
    }
    enforcer_wake(world->enforcer);
    assert_true(settled(world));
    nft = popen("nft -i >/dev/null", "w"); /* a transaction for each line */
    assert_non_null(nft);
    for (int i = 1; i <= 35; i++)
        fprintf(nft, "delete element inet ombanmail v4 { 203.0.113.%d }\n", i);
    assert_int_equal(pclose(nft), 0);
    ban_wake(world, "198.51.100.1");
    for (int i = 0; i < 500 && count_in_kernel() != 1; i++)
        usleep(10000);
    assert_true(settled(world));
    assert_int_equal(atomic_load(&world->times_said), 30);
    atomic_store(&both_ahead_s, 61);
    ban_wake(world, "198.51.100.2");
    assert_true(soon_said(world, "5 more messages of what others have deleted"));
    assert_int_equal(atomic_load(&world->times_said), 31);
}

static bool
find_ban(const struct world *world, const char *text, struct ban *ban)
{
    const struct source source = source_of(text);

    for (uint32_t slot = 0; slot < max_bans; slot++)
        if (table_read_ban(world->table, slot, ban) && source_compare(&ban->source, &source) == 0)
            return true;
    return false;
}

/* The kernel's elements run out by a clock that nobody sets: what they have left is told anew. */
static void
test_clock_that_is_set(void **state)
{
    struct world *world = *state;
    struct ban banned;

    ban_wake(world, "203.0.113.9");
    ban(world, "203.0.113.10", now_ms() + 2 * HOUR_MS);
    enforcer_wake(world->enforcer);
    assert_true(settled(world));
    assert_true(soon_expires(world, "59m"));
    atomic_store(&wall_ahead_s, 1800);
    assert_true(soon_expires(world, "29m"));
    atomic_store(&wall_ahead_s, 60); /* set back: what they have left stays */
    for (int i = 0; i < 500; i++) {
        enforcer_wake(world->enforcer);
        usleep(10000);
        assert_true(find_ban(world, "203.0.113.9", &banned));
        if (banned.until_ms <= now_ms() + HOUR_MS / 2)
            break;
    }
    assert_true(banned.until_ms <= now_ms() + HOUR_MS / 2);
    assert_true(soon_expires(world, "29m"));
    atomic_store(&wall_ahead_s, 1900); /* beyond the end of one of them */
    for (int i = 0; i < 500 && count_in_kernel() != 1; i++) {
        enforcer_wake(world->enforcer);
        usleep(10000);
    }
    assert_true(in_kernel("v4", "203.0.113.10"));
    assert_false(in_kernel("v4", "203.0.113.9"));
}

/* ---- the administrator's sets, and the end ---- */

static void
start_with_sets(struct world *world)
{
    const struct enforcer_options options = {.table = world->table,
                                             .report = &world->report,
                                             .set4 = "inet filter bad4",
                                             .set6 = "inet filter bad6",
                                             .flush_at_stop = true};

    assert_int_equal(enforcer_start(&world->enforcer, &options), 0);
    enforcer_release(world->enforcer);
}

static bool
is_in_set(const char *set, const char *address)
{
    char command[160];

    snprintf(command, sizeof(command), "nft get element inet filter %s '{ %s }' >/dev/null 2>&1",
             set, address);
    return system(command) == 0;
}

static void
stop(struct world *world)
{
    enforcer_stop(world->enforcer);
    world->enforcer = NULL;
}

/* One that is missing is said once, and bans wait for it; at the end ours go, and nobody else's. */
static void
test_sets_of_the_administrator(void **state)
{
    struct world *world = *state;

    run_shell("nft 'add table inet filter; add set inet filter bad4 { type ipv4_addr;"
              " flags timeout; }; add element inet filter bad4 { 198.51.100.1 }'");
    start_with_sets(world);
    ban_wake(world, "203.0.113.9");
    ban_wake(world, "2001:db8::9");
    assert_true(soon_said(world, "bad6"));
    assert_true(is_in_trouble(world, "bad6"));
    run_shell("nft 'add set inet filter bad6 { type ipv6_addr; flags timeout; }'");
    assert_true(soon_said(world, "bans are enforced again"));
    assert_true(settled(world));
    assert_true(is_in_set("bad4", "203.0.113.9"));
    assert_true(is_in_set("bad6", "2001:db8::9"));
    assert_int_equal(atomic_load(&world->errors_said), 1);
    stop(world);
    assert_true(said(world, "2 bans are out of the kernel until the next start"));
    assert_false(is_in_set("bad4", "203.0.113.9"));
    assert_false(is_in_set("bad6", "2001:db8::9"));
    assert_true(is_in_set("bad4", "198.51.100.1"));
    start_with_sets(world); /* they were wanted all the time */
    for (int i = 0; i < 500 && !is_in_set("bad4", "203.0.113.9"); i++)
        usleep(10000);
    assert_true(is_in_set("bad4", "203.0.113.9"));
    assert_true(settled(world));
    run_shell("nft flush set inet filter bad4"); /* with what is not ours, too */
    assert_true(soon_said(world, "a set of bans was deleted or damaged by process nft"));
    assert_true(settled(world));
    assert_true(is_in_set("bad4", "203.0.113.9"));
}

/* What a set of single addresses cannot hold stays wanted alone, and is said. */
static void
test_prefix_for_a_set_of_addresses(void **state)
{
    struct world *world = *state;

    run_shell("nft 'add table inet filter; add set inet filter bad4 { type ipv4_addr;"
              " flags timeout; }; add set inet filter bad6 { type ipv6_addr; flags timeout; }'");
    ban(world, "203.0.113.0/24", now_ms() + HOUR_MS);
    ban(world, "198.51.100.7", now_ms() + HOUR_MS);
    start_with_sets(world);
    assert_true(soon_said(world, "a prefix cannot be held by the administrator's set"));
    assert_true(settled_but(world, 1));
    assert_true(is_in_set("bad4", "198.51.100.7"));
    assert_true(is_in_trouble(world, "single addresses"));
    stop(world);
    assert_int_equal(count_open(world), 2); /* both are wanted at the next start */
}

static void
test_kernel_that_refuses_the_end(void **state)
{
    struct world *world = *state;
    struct enforcer_options options = {
        .table = world->table, .report = &world->report, .flush_at_stop = true};

    assert_int_equal(enforcer_start(&world->enforcer, &options), 0);
    enforcer_release(world->enforcer);
    ban_wake(world, "203.0.113.9");
    assert_true(settled(world));
    refused_word = "delete table";
    stop(world);
    refused_word = NULL;
    assert_true(said(world, "bans are left in the kernel"));
    assert_true(in_kernel("v4", "203.0.113.9"));
    assert_int_equal(enforcer_start(&world->enforcer, &options), 0);
    enforcer_release(world->enforcer);
    assert_true(settled(world));
    stop(world);
    assert_true(said(world, "1 ban is out of the kernel"));
    assert_false(in_kernel("v4", "203.0.113.9"));
}

/* The widest prefixes that a jail bans decide how far a set has to reach; the manual one's do not,
 * and a jail that nobody configures any more neither. */
static void
test_policy_of_jails(void **state)
{
    struct world *world = *state;
    struct firewall_policy policy = {0};
    struct jail jail;

    enforcer_policy(world->table, &policy);
    assert_int_equal(policy.shortest[FIREWALL_V4], 32);
    assert_int_equal(policy.shortest[FIREWALL_V6], 128);
    jail_defaults(&jail);
    jail.v4_bits = 24;
    jail.v6_bits = 56;
    assert_true(table_jail(world->table, &jail) > 0);
    strcpy(jail.name, "narrow");
    jail.v4_bits = 28;
    jail.v6_bits = 64;
    assert_true(table_jail(world->table, &jail) > 0);
    enforcer_policy(world->table, &policy);
    assert_int_equal(policy.shortest[FIREWALL_V4], 24);
    assert_int_equal(policy.shortest[FIREWALL_V6], 56);
    assert_int_equal(policy.most, max_bans);
}

static void
test_refusal_of_a_pass_is_told_as_far_as_it_fits(void **state)
{
    struct world *world = *state;
    struct firewall *firewall;
    char reason[FIREWALL_REASON_SIZE], whole[FIREWALL_REASON_SIZE], begin[8];

    ban(world, "203.0.113.9", now_ms() + HOUR_MS);
    assert_int_equal(firewall_open(&firewall, reason), 0);
    refused_word = "203.0.113.9";
    assert_true(enforcer_pass(firewall, world->table, &(struct firewall_policy){0}, now_ms(), whole,
                              sizeof(whole)) < 0);
    assert_true(strlen(whole) >= sizeof(begin));
    assert_true(enforcer_pass(firewall, world->table, &(struct firewall_policy){0}, now_ms(), begin,
                              sizeof(begin)) < 0);
    assert_memory_equal(begin, whole, sizeof(begin) - 1);
    assert_int_equal(begin[sizeof(begin) - 1], '\0');
    assert_true(
        enforcer_pass(firewall, world->table, &(struct firewall_policy){0}, now_ms(), NULL, 0) < 0);
    firewall_close(firewall);
    assert_int_equal(count_open(world), 1);
}

/* ---- refused ---- */

static void
test_foreign_owner(void **state)
{
    struct world *world = *state;
    struct enforcer_statistics statistics;
    FILE *owner = popen("nft -i >/dev/null", "w");

    assert_non_null(owner);
    /* in one transaction: the enforcer lays its own as soon as there is none */
    fprintf(owner, "add table inet ombanmail; delete table inet ombanmail;"
                   "add table inet ombanmail { flags owner; }\n");
    fflush(owner);
    while (system("nft list table inet ombanmail 2>/dev/null | grep -q owner") != 0)
        usleep(10000);
    ban_wake(world, "203.0.113.9");
    do {
        enforcer_read_statistics(world->enforcer, &statistics);
        usleep(1000);
    } while (statistics.refused < 3);                      /* tried again and again … */
    assert_int_equal(atomic_load(&world->errors_said), 1); /* … said once */
    assert_true(is_in_trouble(world, "Operation not permitted"));
    assert_int_equal(count_open(world), 1);
    pclose(owner); /* its table goes with it */
    assert_true(settled(world));
    assert_true(in_kernel("v4", "203.0.113.9"));
    for (int i = 0; i < 500 && is_in_trouble(world, NULL); i++)
        usleep(10000);
    assert_false(is_in_trouble(world, NULL));
    assert_true(soon_said(world, "again"));
}

/* The bad one stays wanted alone, and what comes later does not wait for it either. */
static void
test_one_bad_element(void **state)
{
    struct world *world = *state;
    char text[32];

    refused_word = " 10.2.1.77";
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "10.2.%d.%d", i / 250, i % 250);
        ban(world, text, now_ms() + HOUR_MS);
    }
    enforcer_wake(world->enforcer);
    assert_true(settled_but(world, 1));
    assert_int_equal(count_open(world), 1);
    assert_int_equal(count_in_kernel(), 999);
    ban_wake(world, "203.0.113.9");
    assert_true(settled_but(world, 1));
    assert_true(in_kernel("v4", "203.0.113.9"));
    assert_int_equal(atomic_load(&world->errors_said), 1);
    refused_word = NULL;
    assert_true(settled(world));
    assert_true(in_kernel("v4", "10.2.1.77"));
}

/* ---- a command that does not return ---- */

static void
test_hanging_command(void **state)
{
    struct world *world = *state;
    struct timespec begin, end;
    char text[32];

    ban_wake(world, "203.0.113.8");
    assert_true(settled(world)); /* table and rules stand: what hangs is the next ban */
    atomic_store(&hang, true);
    ban_wake(world, "203.0.113.9");
    sem_wait(&hangs);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof(text), "10.3.%d.%d", i / 250, i % 250);
        ban_wake(world, text);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - begin.tv_sec <= 1);
    enforcer_stop(world->enforcer);
    world->enforcer = NULL;
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_in_range(end.tv_sec - begin.tv_sec, 4, 8);
    assert_true(soon_said(world, "not returned"));
    assert_int_equal(count_open(world), 5001);
    table_close(world->table); /* the thread must not touch it any more */
    world->table = NULL;
    atomic_store_explicit(&hang, false, memory_order_relaxed);
    assert_true(soon_in_kernel("v4", "203.0.113.9"));
    usleep(50000); /* the time in which it might err */
}

/* ---- cancelled wakers ---- */

static void *
wake_for_ever(void *enforcer)
{
    for (;;) {
        enforcer_wake(enforcer);
        pthread_testcancel();
    }
    return NULL;
}

static void
test_cancelled_waker(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < 500; i++) {
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, wake_for_ever, world->enforcer), 0);
        usleep(i % 100);
        pthread_cancel(thread);
        pthread_join(thread, NULL);
    }
    ban_wake(world, "203.0.113.9");
    assert_true(settled(world));
    assert_true(in_kernel("v4", "203.0.113.9"));
}

/* ---- privileges, each in a process of its own ---- */

static void
expect_child(struct world *world, int (*act)(struct world *))
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(act(world));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
}

static uint64_t
permitted_of(const char *task)
{
    char path[320], line[256];
    unsigned long long mask = ~0ULL;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%s/status", task);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        sscanf(line, "CapPrm: %llx", &mask);
    if (file != NULL)
        fclose(file);
    return mask;
}

/* How many tasks have exactly CAP_NET_ADMIN; *others ors what the others have. */
static unsigned
count_privileged(uint64_t *others)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    unsigned count = 0;

    *others = 0;
    while (tasks != NULL && (task = readdir(tasks)) != NULL) {
        if (task->d_name[0] == '.')
            continue;
        if (permitted_of(task->d_name) == UINT64_C(1) << CAP_NET_ADMIN)
            count++;
        else
            *others |= permitted_of(task->d_name);
    }
    if (tasks != NULL)
        closedir(tasks);
    return count;
}

static int
act_after_drop(struct world *world)
{
    uint64_t others;

    if (start(world) != 0 || setresgid(65534, 65534, 65534) != 0 ||
        setresuid(65534, 65534, 65534) != 0)
        return 1;
    enforcer_release(world->enforcer);
    ban_wake(world, "203.0.113.9");
    if (!settled(world))
        return 2;
    if (count_privileged(&others) != 1 || others != 0)
        return 3;
    enforcer_stop(world->enforcer);
    return count_privileged(&others) == 0 && others == 0 ? 42 : 4;
}

static void
test_after_privilege_drop(void **state)
{
    expect_child(*state, act_after_drop);
    assert_true(in_kernel("v4", "203.0.113.9"));
}

static int
act_without_capability(struct world *world)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (syscall(SYS_capset, &header, none) != 0 || start(world) != 0)
        return 1;
    enforcer_release(world->enforcer);
    ban_wake(world, "203.0.113.9");
    for (int i = 0; i < 500 && !is_in_trouble(world, "CAP_NET_ADMIN"); i++)
        usleep(10000);
    if (!is_in_trouble(world, "CAP_NET_ADMIN") || count_open(world) != 1)
        return 2;
    enforcer_stop(world->enforcer);
    return atomic_load(&world->errors_said) == 1 ? 42 : 3;
}

static void
test_without_capability(void **state)
{
    expect_child(*state, act_without_capability);
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
act_in_sandbox(struct world *world)
{
    if (!forbid_netlink() || start(world) != 0)
        return 1;
    enforcer_release(world->enforcer);
    ban_wake(world, "203.0.113.9");
    usleep(400000); /* several tries */
    if (!is_in_trouble(world, "RestrictAddressFamilies=") || count_open(world) != 1)
        return 2;
    enforcer_stop(world->enforcer);
    return atomic_load(&world->errors_said) == 1 ? 42 : 3;
}

static void
test_in_sandbox(void **state)
{
    expect_child(*state, act_in_sandbox);
}

/* The children have a enforcer of their own. */
static int
teardown_table(void **state)
{
    ((struct world *)*state)->enforcer = NULL;
    return teardown(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bans_land, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ports_that_come_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_verdict_that_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_before_release, setup_table, teardown),
        cmocka_unit_test_setup_teardown(test_no_wake_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_go_in_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_applies_what_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_next_life_wants_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pass_without_thread, setup_table, teardown),
        cmocka_unit_test_setup_teardown(test_volume, setup_volume, teardown),
        cmocka_unit_test_setup_teardown(test_volume, setup_volume_old, teardown),
        cmocka_unit_test_setup_teardown(test_beside_interval_set, setup_table, teardown),
        cmocka_unit_test_setup_teardown(test_beside_interval_set, setup_old, teardown),
        cmocka_unit_test_setup_teardown(test_restored_after_flush_ruleset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restored_after_flush_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restored_after_flush_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restored_after_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_others_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_element_deleted_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(test_element_times_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deletions_in_a_loop_are_said_shortly, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock_that_is_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sets_of_the_administrator, setup_table, teardown),
        cmocka_unit_test_setup_teardown(test_prefix_for_a_set_of_addresses, setup_table, teardown),
        cmocka_unit_test_setup_teardown(test_kernel_that_refuses_the_end, setup_table, teardown),
        cmocka_unit_test_setup_teardown(test_policy_of_jails, setup_table, teardown),
        cmocka_unit_test_setup_teardown(test_refusal_of_a_pass_is_told_as_far_as_it_fits,
                                        setup_table, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_bad_element, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled_waker, setup, teardown),
        cmocka_unit_test_setup_teardown(test_after_privilege_drop, setup_table, teardown_table),
        cmocka_unit_test_setup_teardown(test_without_capability, setup_table, teardown_table),
        cmocka_unit_test_setup_teardown(test_in_sandbox, setup_table, teardown_table),
        cmocka_unit_test_setup_teardown(test_hanging_command, setup, teardown),
    };

    if (unshare(CLONE_NEWNET) != 0) {
        printf("1..0 # SKIP no network namespace of its own: %s\n", strerror(errno));
        return 0;
    }
    sem_init(&hangs, 0, 0);
    cmocka_set_test_filter(getenv("ENFORCER_TESTS")); /* a pattern */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
