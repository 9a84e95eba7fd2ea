/* enforcer: a loop of dequeue, apply, acknowledge, in a thread of its own: libnftables may loop for
 * long, and the process may want to end meanwhile.
 *
 * How it sleeps, is woken, and is left behind when a command hangs: base/worker.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/enforcer.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/worker.h"
#include "kernel/flush.h"
#include "kernel/monitor.h"
#include "line/offence.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS  10000
#define SLEEP_MOST_MS    60000 /* the clock may be set: look again at times what has run out */
#define STOP_PATIENCE_MS 5000
#define COMMANDS_A_BATCH 32 /* while narrowing down which element is refused */

/* A command costs some 60 us of CPU, whatever its size, and an element 2 us. So single bans go to
 * the kernel at once, and under a storm of them they gather for a millisecond. */
#define COMMAND_PAUSE_NS INT64_C(1000000)
#define COMMANDS_AT_ONCE 16 /* without a pause between them, after so many of silence */
#define SLOW_COMMAND_MS  100
#define MINUTE_MS        60000
#define TOLD_A_MINUTE    30 /* messages of what others do to our sets */
/* Some kernels take less than one tick of their clock for no timeout at all. */
#define TIMEOUT_LEAST_MS 100
#define CLOCK_STEP_MS    2000 /* more than this between two looks: the clock was set */

/* One batch on its way to the kernel. */
struct batch {
    struct firewall *firewall;
    struct table *table;
    struct enforcer *enforcer; /* NULL in a process without the thread */
    int64_t now_ms;
    unsigned commands_left;
    size_t enforced, removed, refused;
    bool was_lost;
    int error;
    char reason[FIREWALL_REASON_SIZE];
    char set_reason[FIREWALL_REASON_SIZE]; /* why an administrator's set is unusable; "": none is */
    bool is_slow;                          /* the last command was */
    struct table_change taken[FIREWALL_BATCH_MOST];
    struct firewall_change changes[FIREWALL_BATCH_MOST];
};

/* What is said of what others do, in this minute. */
struct told {
    int64_t begin_ms;
    unsigned said, left_out;
};

struct enforcer {
    struct worker worker; /* among the first: TSan looks at 1 kB of what is freed */
    struct table *table;
    const struct report *report;
    struct firewall_policy policy; /* what does not come from the jails */
    bool flush_at_stop;
    sem_t ready;
    atomic_bool released;
    atomic_uint_least64_t enforced, removed, refused;
    /* what follows is the thread's own */
    struct firewall *firewall;
    bool knows_jails;
    struct monitor *monitor; /* NULL: what others do to the ruleset is seen in errors only */
    struct batch *batch;
    size_t left;         /* what the kernel refused by itself: no reason not to sleep */
    unsigned backoff_ms; /* 0: nothing is refused */
    bool deaf;           /* the kernel refuses everything: no use in waking before the time */
    int64_t clock_offset_ms;
    struct told lifts, damages;
    int64_t commands_ns; /* how far ahead of the clock commands are, a pause for each */
    char said[FIREWALL_REASON_SIZE];
};

static void
free_enforcer(struct enforcer *enforcer)
{
    monitor_close(enforcer->monitor);
    firewall_close(enforcer->firewall);
    worker_free(&enforcer->worker);
    sem_destroy(&enforcer->ready);
    free(enforcer->batch);
    free(enforcer);
}

/* ---- one batch ---- */

unsigned
enforcer_list(const struct firewall_policy *policy, const struct jail *jail)
{
    unsigned list = 0;

    while (list < FIREWALL_LISTS && (!ports_are_same(&policy->lists[list], &jail->ports) ||
                                     policy->verdicts[list] != jail->verdict))
        list++;
    return list;
}

void
enforcer_policy(const struct table *table, struct firewall_policy *policy)
{
    struct table_status status;
    struct jail jail;

    table_read_status(table, &status);
    policy->most = status.max_bans;
    policy->shortest[FIREWALL_V4] = 32;
    policy->shortest[FIREWALL_V6] = 128;
    for (unsigned i = 0; i < TABLE_JAILS_MAX; i++) {
        bool is_there = table_read_jail(table, i, &jail);

        if (is_there && enforcer_list(policy, &jail) == FIREWALL_LISTS) {
            policy->lists[i] = jail.ports;
            policy->verdicts[i] = jail.verdict;
        }
        if (i == TABLE_JAIL_MANUAL || !is_there || jail.classes == 0)
            continue;
        if (policy->shortest[FIREWALL_V4] > jail.v4_bits)
            policy->shortest[FIREWALL_V4] = jail.v4_bits;
        if (policy->shortest[FIREWALL_V6] > jail.v6_bits)
            policy->shortest[FIREWALL_V6] = jail.v6_bits;
    }
}

/* Tells the firewall. Where elements may lie that nobody looks for, all is made anew, with whatever
 * is in force: asked before the jails are read, as one that changes meanwhile asks for it again. */
static void
set_policy(struct firewall *firewall, struct table *table, const struct firewall_policy *fixed)
{
    const bool is_made_anew = table_take_rebuild(table);
    struct firewall_policy policy = *fixed;

    enforcer_policy(table, &policy);
    table_share_set(table, policy.set[FIREWALL_V4][0] != '\0', policy.set[FIREWALL_V6][0] != '\0');
    firewall_set_policy(firewall, &policy);
    if (!is_made_anew)
        return;
    firewall_rebuild(firewall);
    table_want_all(table);
}

/* Who wants it and why, for whoever lists the set. */
static void
write_comment(const struct table *table, const struct table_change *change,
              char comment[FIREWALL_COMMENT_SIZE])
{
    struct jail jail = {.name = "?"};
    bool by_hand = change->wanted_by == TABLE_JAIL_MANUAL;

    table_read_jail(table, change->wanted_by, &jail);
    snprintf(comment, FIREWALL_COMMENT_SIZE, "ombanmail %s%s%s", jail.name, by_hand ? "" : " ",
             by_hand ? "" : offence_class_name(change->class));
}

static struct firewall_change
as_element(const struct table *table, const struct table_change *change, int64_t now_ms)
{
    struct firewall_change element = {.source = change->source,
                                      .list = change->jail,
                                      .wanted = change->wanted && change->until_ms > now_ms};

    element.timeout_ms =
        change->until_ms == TABLE_FOREVER_MS ? FIREWALL_FOREVER_MS : change->until_ms - now_ms;
    if (change->until_ms != TABLE_FOREVER_MS && element.timeout_ms < TIMEOUT_LEAST_MS)
        element.timeout_ms = TIMEOUT_LEAST_MS;
    if (element.wanted)
        write_comment(table, change, element.comment);
    return element;
}

/* Before and after what may hang. Where the thread was given up meanwhile, the table may be gone,
 * and the enforcer is the thread's own to free. NULL: in a process without the thread. */
static void
enter_command(struct enforcer *enforcer)
{
    if (enforcer != NULL)
        worker_enter(&enforcer->worker);
}

static void
leave_command(struct enforcer *enforcer)
{
    if (enforcer != NULL && !worker_leave(&enforcer->worker)) {
        free_enforcer(enforcer);
        pthread_exit(NULL);
    }
}

static int
command(struct batch *batch, size_t from, size_t count)
{
    int64_t begin_ms = clock_steady_ms();
    int result;

    enter_command(batch->enforcer);
    result = firewall_apply(batch->firewall, batch->changes + from, count, batch->reason);
    leave_command(batch->enforcer);
    batch->is_slow = clock_steady_ms() - begin_ms > SLOW_COMMAND_MS;
    if (result == FIREWALL_WAS_LOST)
        batch->was_lost = true;
    return result;
}

static bool
may_lie_with_one_element(int error)
{
    return error == -ENFILE || error == -ENOBUFS || error == -EIO || error == -EEXIST ||
           error == -EINVAL;
}

/* Halves what is refused until the refused elements stand alone: the others get in at once. */
static void
apply(struct batch *batch, size_t from, size_t count)
{
    int result = command(batch, from, count);

    if (result < 0) {
        batch->error = result;
        if (count > 1 && may_lie_with_one_element(result) && batch->commands_left >= 2) {
            batch->commands_left -= 2;
            apply(batch, from, count / 2);
            apply(batch, from + count / 2, count - count / 2);
            return;
        }
        batch->refused += count;
    }
    for (size_t i = from; result >= 0 && i < from + count; i++) {
        if (batch->changes[i].wanted)
            batch->enforced++;
        else
            batch->removed++;
    }
    /* by the clock of now: the command may have taken long */
    table_acknowledge(batch->table, batch->taken + from, count, result >= 0, clock_wall_ms());
}

/* What no set can hold goes behind the rest and stays wanted. Returns how many the rest are. */
static size_t
set_apart(struct batch *batch, size_t count)
{
    size_t held = 0;

    for (size_t i = 0; i < count; i++) {
        struct firewall_change change = batch->changes[i];
        struct table_change taken = batch->taken[i];

        if (!firewall_holds(batch->firewall, &change))
            continue;
        batch->changes[i] = batch->changes[held];
        batch->taken[i] = batch->taken[held];
        batch->changes[held] = change;
        batch->taken[held++] = taken;
    }
    if (held == count)
        return held;
    batch->refused += count - held;
    batch->error = -EINVAL;
    snprintf(batch->reason, sizeof(batch->reason), "%s",
             batch->set_reason[0] != '\0'
                 ? batch->set_reason
                 : "a prefix cannot be held by the administrator's set of single addresses");
    table_acknowledge(batch->table, batch->taken + held, count - held, false, batch->now_ms);
    return held;
}

/* Returns how many were taken. Beside somebody's big interval set a command takes long, however
 * small it is: then fewer and larger ones. What replaces the table has as many bans as it can. */
static size_t
run_batch(struct batch *batch, int64_t now_ms)
{
    const bool is_large = batch->is_slow || firewall_is_broken(batch->firewall);
    const size_t most = is_large ? FIREWALL_BATCH_MOST : FIREWALL_BATCH;
    size_t count, held;

    batch->now_ms = now_ms;
    batch->commands_left = COMMANDS_A_BATCH;
    batch->enforced = batch->removed = batch->refused = 0;
    batch->was_lost = false;
    batch->error = 0;
    count = table_dequeue(batch->table, batch->taken, most, now_ms);
    for (size_t i = 0; i < count; i++)
        batch->changes[i] = as_element(batch->table, &batch->taken[i], now_ms);
    held = set_apart(batch, count);
    if (held > 0)
        apply(batch, 0, held);
    return count;
}

int
enforcer_pass(struct firewall *firewall, struct table *table, const struct firewall_policy *fixed,
              int64_t now_ms, char *reason, size_t reason_size)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    char warning[FIREWALL_REASON_SIZE];
    int64_t next_ms;
    int result = -ENOMEM;

    if (batch == NULL)
        goto done;
    batch->firewall = firewall;
    batch->table = table;
    set_policy(firewall, table, fixed);
    if (firewall_check_sets(firewall, warning, batch->set_reason) == 0)
        batch->set_reason[0] = '\0';
    table_expire(table, now_ms, &next_ms);
    while (run_batch(batch, now_ms) > 0 && batch->error == 0) {
        if (batch->was_lost)
            table_want_all(table);
    }
    result = batch->error;
done:
    if (reason_size > 0 && result < 0) {
        const char *text = batch == NULL ? strerror(ENOMEM) : batch->reason;
        size_t length = strnlen(text, reason_size - 1);

        memcpy(reason, text, length);
        reason[length] = '\0';
    }
    free(batch);
    return result;
}

/* ---- the thread ---- */

/* The thread is the only one that keeps a capability, and it keeps this one alone. After a drop
 * the effective set is empty and the permitted one is still root's. */
static void
keep_only_net_admin(struct enforcer *enforcer)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    uint32_t mine;

    if (syscall(SYS_capget, &header, data) == 0) {
        mine = data[0].permitted & CAP_TO_MASK(CAP_NET_ADMIN);
        memset(data, 0, sizeof(data));
        data[0].permitted = data[0].effective = mine;
        if (syscall(SYS_capset, &header, data) == 0)
            return;
    }
    report_say(enforcer->report, LOG_ERR, "the enforcer cannot reduce its capabilities: %s",
               strerror(errno));
}

static void
say_refused(struct enforcer *enforcer, const char *reason)
{
    if (strcmp(enforcer->said, reason) == 0)
        return;
    strncpy(enforcer->said, reason, sizeof(enforcer->said) - 1);
    report_say(enforcer->report, LOG_ERR,
               "bans cannot be enforced: %s. %zu wait; counting goes on, and it is"
               " tried again.",
               reason, table_pending(enforcer->table));
    table_set_trouble(enforcer->table, reason);
}

static void
say_accepted(struct enforcer *enforcer)
{
    if (enforcer->said[0] == '\0')
        return;
    enforcer->said[0] = '\0';
    report_say(enforcer->report, LOG_INFO, "bans are enforced again");
    table_set_trouble(enforcer->table, NULL);
}

static void
back_off(struct enforcer *enforcer)
{
    enforcer->backoff_ms = enforcer->backoff_ms == 0 ? BACKOFF_FIRST_MS : enforcer->backoff_ms * 2;
    if (enforcer->backoff_ms > BACKOFF_LAST_MS)
        enforcer->backoff_ms = BACKOFF_LAST_MS;
}

/* Once it is open and the jails are known, whichever comes later. */
static void
use_policy(struct enforcer *enforcer)
{
    if (enforcer->firewall == NULL || !enforcer->knows_jails)
        return;
    set_policy(enforcer->firewall, enforcer->table, &enforcer->policy);
}

static bool
open_firewall(struct enforcer *enforcer)
{
    char reason[FIREWALL_REASON_SIZE];
    int error;

    if (enforcer->firewall != NULL)
        return true;
    if (firewall_open(&enforcer->firewall, reason) < 0) {
        say_refused(enforcer, reason);
        return false;
    }
    enforcer->batch->firewall = enforcer->firewall;
    use_policy(enforcer);
    error = -monitor_open(&enforcer->monitor, firewall_port(enforcer->firewall));
    for (unsigned i = 0; i < FIREWALL_FAMILIES && error == 0; i++)
        monitor_watch(enforcer->monitor, enforcer->policy.set[i]);
    if (error != 0 && error != EPERM) /* without the capability more will be said soon */
        report_say(enforcer->report, LOG_WARNING,
                   "no notifications from the kernel: %s. A flushed ruleset is noticed"
                   " with the next ban only.",
                   strerror(error));
    return true;
}

/* ---- what others do to our sets ---- */

/* Who deletes in a loop shall not fill the disk with it. */
static void
say_left_out(struct enforcer *enforcer, struct told *told)
{
    const int64_t now_ms = clock_steady_ms();

    if (now_ms < told->begin_ms + MINUTE_MS)
        return;
    if (told->left_out > 0)
        report_say(enforcer->report, LOG_WARNING,
                   "%u more messages of what others have deleted from the kernel's sets were left "
                   "out in a minute",
                   told->left_out);
    *told = (struct told){.begin_ms = now_ms};
}

static bool
may_tell(struct enforcer *enforcer, struct told *told)
{
    say_left_out(enforcer, told);
    if (told->said < TOLD_A_MINUTE) {
        told->said++;
        return true;
    }
    told->left_out++;
    return false;
}

static void
lift_by_hand(struct enforcer *enforcer, const struct source *deleted, const char *process)
{
    char text[SOURCE_TEXT_SIZE];
    unsigned count = table_unban(enforcer->table, deleted, 0, clock_wall_ms());

    if (count > 0 && may_tell(enforcer, &enforcer->lifts))
        report_say(enforcer->report, LOG_NOTICE,
                   "%s was deleted from the kernel's set by process %s: its ban is lifted",
                   source_print(deleted, text), process);
}

static void
say_damaged(struct enforcer *enforcer, const char *process, size_t wanted)
{
    bool has_sets = enforcer->policy.set[FIREWALL_V4][0] != '\0' ||
                    enforcer->policy.set[FIREWALL_V6][0] != '\0';

    if (!may_tell(enforcer, &enforcer->damages))
        return;
    if (process == NULL)
        report_say(enforcer->report, LOG_WARNING,
                   "so much was changed in the kernel's ruleset that notifications of it were"
                   " lost; checking %zu ban%s",
                   wanted, report_plural(wanted));
    else
        report_say(enforcer->report, LOG_WARNING,
                   "%s was deleted or damaged by process %s; restoring %zu ban%s",
                   has_sets ? "a set of bans" : "table inet " FIREWALL_TABLE, process, wanted,
                   report_plural(wanted));
}

/* Reads all notifications. One deleted element is an administrator's wish. All else is damage, and
 * is repaired: unless a command has found out before and has done so (`repaired`). */
static void
watch_ruleset(struct enforcer *enforcer, bool repaired)
{
    char process[MONITOR_PROCESS_SIZE] = "?";
    struct source deleted;
    enum monitor_event event;
    bool lost = false, damaged = repaired, missed = false;

    say_left_out(enforcer, &enforcer->lifts);
    say_left_out(enforcer, &enforcer->damages);
    while (enforcer->monitor != NULL &&
           (event = monitor_read(enforcer->monitor, &deleted, process)) != MONITOR_NOTHING) {
        damaged = damaged || event == MONITOR_LOST || event == MONITOR_DAMAGED;
        lost = lost || event == MONITOR_LOST;
        missed = missed || event == MONITOR_MISSED;
        if (event == MONITOR_DELETED && !damaged && !missed)
            lift_by_hand(enforcer, &deleted, process);
    }
    if (!damaged && !missed)
        return;
    if (!repaired && enforcer->firewall != NULL)
        (lost ? firewall_rebuild : firewall_restore)(enforcer->firewall);
    say_damaged(enforcer, damaged ? process : NULL, table_want_all(enforcer->table));
}

static void
count_batch(struct enforcer *enforcer)
{
    atomic_fetch_add(&enforcer->enforced, enforcer->batch->enforced);
    atomic_fetch_add(&enforcer->removed, enforcer->batch->removed);
    atomic_fetch_add(&enforcer->refused, enforcer->batch->refused);
}

/* Looks at the administrator's sets where there are any. Returns whether all can be used. */
static bool
check_sets(struct enforcer *enforcer)
{
    char warning[FIREWALL_REASON_SIZE], *reason = enforcer->batch->set_reason;
    bool usable = firewall_check_sets(enforcer->firewall, warning, reason) == 0;

    if (usable)
        reason[0] = '\0';
    else
        say_refused(enforcer, reason);
    if (warning[0] != '\0')
        report_say(enforcer->report, LOG_WARNING, "%s", warning);
    return usable;
}

/* Waits until another command may be given. (The generic cell rate algorithm of ITU-T I.371.) */
static void
pace(struct enforcer *enforcer)
{
    struct timespec now;
    int64_t now_ns, ahead_ns;

    clock_gettime(CLOCK_MONOTONIC, &now);
    now_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
    if (enforcer->commands_ns < now_ns)
        enforcer->commands_ns = now_ns;
    ahead_ns = enforcer->commands_ns - now_ns - (COMMANDS_AT_ONCE - 1) * COMMAND_PAUSE_NS;
    enforcer->commands_ns += COMMAND_PAUSE_NS;
    if (ahead_ns > 0)
        nanosleep(&(struct timespec){.tv_nsec = ahead_ns}, NULL);
}

/* Has table and rules stand before there is a ban: where nothing else on this host asks for
 * connections, the kernel begins to track them only now, and one that it has not seen from its
 * begin may pass. Returns false when it is refused. */
static bool
lay(struct enforcer *enforcer)
{
    char *reason = enforcer->batch->reason;
    int result;

    if (firewall_is_broken(enforcer->firewall) && table_pending(enforcer->table) > 0)
        return true; /* what is made anew is so together with the bans: they do not stand open */
    enter_command(enforcer);
    result = firewall_lay(enforcer->firewall, reason);
    leave_command(enforcer);
    if (result == FIREWALL_WAS_LOST)
        watch_ruleset(enforcer, true);
    if (result >= 0)
        return true;
    say_refused(enforcer, reason);
    enforcer->left = table_pending(enforcer->table);
    enforcer->deaf = true;
    atomic_fetch_add(&enforcer->refused, enforcer->left);
    return false;
}

/* A ban on ports that nobody closed before needs a set of its own first. */
static bool
follow_ports(struct enforcer *enforcer)
{
    if (!table_take_ports(enforcer->table))
        return true;
    use_policy(enforcer);
    return lay(enforcer);
}

/* Applies all that waits. Returns false when something was refused. */
static bool
work(struct enforcer *enforcer)
{
    struct batch *batch = enforcer->batch;
    bool progress = false, usable;

    enforcer->left = 0;
    enforcer->deaf = !open_firewall(enforcer);
    if (enforcer->deaf)
        return false;
    if (table_take_ports(enforcer->table))
        use_policy(enforcer);
    usable = check_sets(enforcer);
    if (!lay(enforcer))
        return false;
    while (table_pending(enforcer->table) > 0) {
        pace(enforcer);
        if (!follow_ports(enforcer))
            return false;
        if (run_batch(batch, clock_wall_ms()) == 0)
            break;
        count_batch(enforcer);
        progress = progress || batch->refused == 0;
        watch_ruleset(enforcer, batch->was_lost);
        if (batch->refused > 0) {
            say_refused(enforcer, batch->reason);
            enforcer->left = table_pending(enforcer->table);
            enforcer->deaf = !may_lie_with_one_element(batch->error);
            if (progress)
                enforcer->backoff_ms = 0;
            return false;
        }
    }
    if (!usable)
        return false;
    say_accepted(enforcer);
    enforcer->backoff_ms = 0;
    return true;
}

/* Elements time out by a clock that nobody sets, bans by the wall's. When that one is set, or the
 * machine has slept, every remaining time has changed. */
static void
watch_clock(struct enforcer *enforcer)
{
    int64_t offset_ms = clock_wall_ms() - clock_steady_ms();
    int64_t step_ms = offset_ms - enforcer->clock_offset_ms, next_ms;

    if (step_ms > -CLOCK_STEP_MS && step_ms < CLOCK_STEP_MS)
        return; /* a slow slew adds up in the offset that is kept, and is caught in the end */
    enforcer->clock_offset_ms = offset_ms;
    if (step_ms < 0) /* the bans' ends first: what is applied is what they have left */
        table_expire(enforcer->table, clock_wall_ms(), &next_ms);
    table_want_all(enforcer->table);
}

/* Until there is something to do: a wake, a ban that ends, or the time to try again. */
static void
sleep_until(struct enforcer *enforcer, int64_t next_ms)
{
    /* a negative descriptor is none */
    struct pollfd events[] = {
        {.fd = worker_descriptor(&enforcer->worker), .events = POLLIN},
        {.fd = enforcer->monitor ? monitor_descriptor(enforcer->monitor) : -1, .events = POLLIN}};
    int64_t wait_ms = next_ms - clock_wall_ms();

    if (wait_ms > SLEEP_MOST_MS)
        wait_ms = SLEEP_MOST_MS;
    if (enforcer->backoff_ms > 0 && wait_ms > enforcer->backoff_ms)
        wait_ms = enforcer->backoff_ms;
    if (wait_ms < 0)
        wait_ms = 0;
    if (!enforcer->deaf) {
        worker_listen(&enforcer->worker);
        if (table_pending(enforcer->table) > enforcer->left)
            wait_ms = 0;
    }
    poll(events, 2, (int)wait_ms);
    worker_ignore(&enforcer->worker);
    worker_drain(&enforcer->worker);
}

static void
wait_for_release(struct enforcer *enforcer)
{
    struct pollfd event = {.fd = worker_descriptor(&enforcer->worker), .events = POLLIN};

    while (!atomic_load(&enforcer->released) && !worker_is_stopping(&enforcer->worker)) {
        poll(&event, 1, -1);
        worker_drain(&enforcer->worker);
    }
}

/* What is in the table stays wanted. */
static void
flush(struct enforcer *enforcer)
{
    char reason[FIREWALL_REASON_SIZE];
    size_t removed, bans = 0;
    int error;

    if (!open_firewall(enforcer))
        return;
    enter_command(enforcer);
    error = flush_kernel(enforcer->firewall, &enforcer->policy, &removed, reason);
    leave_command(enforcer);
    if (error >= 0)
        bans = table_want_all(enforcer->table);
    if (error < 0)
        report_say(enforcer->report, LOG_ERR, "bans are left in the kernel: %s", reason);
    else
        report_say(enforcer->report, LOG_NOTICE, "%zu ban%s out of the kernel until the next start",
                   bans, bans == 1 ? " is" : "s are");
}

static void
keep(struct enforcer *enforcer)
{
    int64_t next_ms, tried_ms = 0;

    keep_only_net_admin(enforcer);
    enforcer->knows_jails = true;
    use_policy(enforcer);
    enforcer->clock_offset_ms = clock_wall_ms() - clock_steady_ms();
    table_want_all(enforcer->table);
    while (!worker_is_stopping(&enforcer->worker)) {
        watch_clock(enforcer);
        watch_ruleset(enforcer, false);
        if (enforcer->backoff_ms == 0 || !enforcer->deaf ||
            clock_steady_ms() - tried_ms >= enforcer->backoff_ms) {
            tried_ms = clock_steady_ms();
            if (!work(enforcer))
                back_off(enforcer);
        }
        table_expire(enforcer->table, clock_wall_ms(), &next_ms);
        sleep_until(enforcer, next_ms);
    }
    if (enforcer->flush_at_stop)
        flush(enforcer);
    else
        work(enforcer);
}

static void
run(void *argument)
{
    struct enforcer *enforcer = argument;

    prctl(PR_SET_KEEPCAPS, 1); /* of this thread alone */
    table_set_trouble(enforcer->table, NULL);
    open_firewall(enforcer);
    sem_post(&enforcer->ready);
    wait_for_release(enforcer);
    if (atomic_load(&enforcer->released))
        keep(enforcer);
}

/* ---- the callers' side ---- */

int
enforcer_start(struct enforcer **enforcer, const struct enforcer_options *options)
{
    struct enforcer *made = calloc(1, sizeof(*made));
    int result = -ENOMEM;

    *enforcer = NULL;
    if (made == NULL)
        return -ENOMEM;
    made->table = options->table;
    made->report = options->report;
    made->policy.verdict = options->verdict;
    made->flush_at_stop = options->flush_at_stop;
    if (options->set4 != NULL)
        snprintf(made->policy.set[FIREWALL_V4], FIREWALL_SET_SIZE, "%s", options->set4);
    if (options->set6 != NULL)
        snprintf(made->policy.set[FIREWALL_V6], FIREWALL_SET_SIZE, "%s", options->set6);
    sem_init(&made->ready, 0, 0);
    result = worker_init(&made->worker);
    made->batch = calloc(1, sizeof(*made->batch));
    if (result < 0 || made->batch == NULL) {
        result = result < 0 ? result : -ENOMEM;
        goto done;
    }
    made->batch->table = options->table;
    made->batch->enforcer = made;
    result = worker_start(&made->worker, "banmail-enforce", run, made);
    if (result < 0)
        goto done;
    while (sem_wait(&made->ready) != 0 && errno == EINTR) {
    }
    *enforcer = made;
done:
    if (result < 0)
        free_enforcer(made);
    return result;
}

void
enforcer_release(struct enforcer *enforcer)
{
    atomic_store(&enforcer->released, true);
    worker_tell(&enforcer->worker);
}

void
enforcer_wake(struct enforcer *enforcer)
{
    worker_wake(&enforcer->worker);
}

void
enforcer_read_statistics(const struct enforcer *enforcer, struct enforcer_statistics *statistics)
{
    statistics->enforced = atomic_load(&enforcer->enforced);
    statistics->removed = atomic_load(&enforcer->removed);
    statistics->refused = atomic_load(&enforcer->refused);
    statistics->pending = table_pending(enforcer->table);
}

void
enforcer_stop(struct enforcer *enforcer)
{
    const struct report *report;

    if (enforcer == NULL)
        return;
    report = enforcer->report;
    if (worker_stop(&enforcer->worker, STOP_PATIENCE_MS))
        free_enforcer(enforcer);
    else
        report_say(report, LOG_ERR,
                   "an nftables command has not returned for %d s; the enforcer is left"
                   " behind, and what was not enforced stays wanted in the table",
                   STOP_PATIENCE_MS / 1000);
}
