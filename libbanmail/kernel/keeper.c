/* keeper: a loop of take, apply, settle, in a thread that may hang and must hold nobody up.
 *
 * Two small protocols carry it. Sleeping: the keeper raises `sleeping`, looks once more whether
 * something waits, and only then polls; a waker changes the table first and writes to the eventfd
 * only if it finds the flag raised (see keeper_wake). Commands: libnftables may loop for long, and
 * the process may want to end meanwhile; so the thread marks when it is in a command, and a caller
 * that has waited long enough takes the mark away. The thread then finds out as soon as the
 * command returns, and ends without touching a table that may be gone.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/keeper.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernel/flush.h"
#include "kernel/monitor.h"
#include "line/offence.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS  10000
#define SLEEP_MOST_MS    60000 /* the clock may be set: look again at times what has run out */
#define STOP_PATIENCE_S  5
#define COMMANDS_A_BATCH 32 /* while narrowing down which element is refused */

/* A command costs some 60 us of CPU, whatever its size, and an element 2 us. So single bans go to
 * the kernel at once, and under a storm of them they gather for a millisecond. */
#define COMMAND_PAUSE_NS INT64_C(1000000)
#define COMMANDS_AT_ONCE 16 /* without a pause between them, after so many of silence */
#define SLOW_COMMAND_MS  100
/* Some kernels take less than one tick of their clock for no timeout at all. */
#define TIMEOUT_LEAST_MS 100
#define CLOCK_STEP_MS    2000 /* more than this between two looks: the clock was set */

enum mark { MARK_FREE, MARK_IN_COMMAND, MARK_ABANDONED };

/* One batch on its way to the kernel. */
struct batch {
    struct firewall *firewall;
    struct table *table;
    struct keeper *keeper; /* NULL in a process without the thread */
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

struct keeper {
    pthread_t thread; /* among the first: TSan looks at 1 kB of what is freed */
    struct table *table;
    const struct report *report;
    struct firewall_policy policy; /* what does not come from the jails */
    bool flush_at_stop;
    sem_t ready;
    int event;
    atomic_bool released, stopping;
    atomic_int mark; /* enum mark */
    atomic_bool sleeping;
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
    int64_t commands_ns; /* how far ahead of the clock commands are, a pause for each */
    char said[FIREWALL_REASON_SIZE];
};

static void
free_keeper(struct keeper *keeper)
{
    monitor_close(keeper->monitor);
    firewall_close(keeper->firewall);
    if (keeper->event >= 0)
        close(keeper->event);
    sem_destroy(&keeper->ready);
    free(keeper->batch);
    free(keeper);
}

static int64_t
clock_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- one batch ---- */

void
keeper_policy(const struct table *table, struct firewall_policy *policy)
{
    struct table_status status;
    struct jail jail;

    table_read_status(table, &status);
    policy->most = status.max_bans;
    policy->shortest[FIREWALL_V4] = 32;
    policy->shortest[FIREWALL_V6] = 128;
    for (unsigned i = 0; i < TABLE_JAILS_MAX; i++) {
        bool is_there = table_read_jail(table, i, &jail), is_new = is_there;

        for (unsigned before = 0; before < i && is_new; before++)
            is_new = !ports_are_same(&policy->lists[before], &jail.ports);
        if (is_new)
            policy->lists[i] = jail.ports;
        if (i == TABLE_JAIL_MANUAL || !is_there || jail.classes == 0)
            continue;
        if (policy->shortest[FIREWALL_V4] > jail.v4_bits)
            policy->shortest[FIREWALL_V4] = jail.v4_bits;
        if (policy->shortest[FIREWALL_V6] > jail.v6_bits)
            policy->shortest[FIREWALL_V6] = jail.v6_bits;
    }
}

/* Tells the firewall; where elements may lie that nobody looks for, all is to be made anew. */
static void
set_policy(struct firewall *firewall, struct table *table, const struct firewall_policy *fixed)
{
    struct firewall_policy policy = *fixed;

    keeper_policy(table, &policy);
    table_share_set(table, policy.set[FIREWALL_V4][0] != '\0', policy.set[FIREWALL_V6][0] != '\0');
    firewall_set_policy(firewall, &policy);
    if (table_take_rebuild(table))
        firewall_rebuild(firewall);
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
 * and the keeper is the thread's own to free. NULL: in a process without the thread. */
static void
enter_command(struct keeper *keeper)
{
    if (keeper != NULL)
        atomic_store(&keeper->mark, MARK_IN_COMMAND);
}

static void
leave_command(struct keeper *keeper)
{
    int expected = MARK_IN_COMMAND;

    if (keeper != NULL && !atomic_compare_exchange_strong(&keeper->mark, &expected, MARK_FREE)) {
        free_keeper(keeper);
        pthread_exit(NULL);
    }
}

static int
command(struct batch *batch, size_t from, size_t count)
{
    int64_t begin_ms = clock_ms(CLOCK_MONOTONIC);
    int result;

    enter_command(batch->keeper);
    result = firewall_apply(batch->firewall, batch->changes + from, count, batch->reason);
    leave_command(batch->keeper);
    batch->is_slow = clock_ms(CLOCK_MONOTONIC) - begin_ms > SLOW_COMMAND_MS;
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
    table_settle(batch->table, batch->taken + from, count, result >= 0, clock_ms(CLOCK_REALTIME));
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
    table_settle(batch->table, batch->taken + held, count - held, false, batch->now_ms);
    return held;
}

/* Returns how many were taken. Beside somebody's big interval set a command takes long, however
 * small it is: then fewer and larger ones. */
static size_t
run_batch(struct batch *batch, int64_t now_ms)
{
    size_t most = batch->is_slow ? FIREWALL_BATCH_MOST : FIREWALL_BATCH;
    size_t count, held;

    batch->now_ms = now_ms;
    batch->commands_left = COMMANDS_A_BATCH;
    batch->enforced = batch->removed = batch->refused = 0;
    batch->was_lost = false;
    batch->error = 0;
    count = table_take(batch->table, batch->taken, most, now_ms);
    for (size_t i = 0; i < count; i++)
        batch->changes[i] = as_element(batch->table, &batch->taken[i], now_ms);
    held = set_apart(batch, count);
    if (held > 0)
        apply(batch, 0, held);
    return count;
}

int
keeper_pass(struct firewall *firewall, struct table *table, const struct firewall_policy *fixed,
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
keep_only_net_admin(struct keeper *keeper)
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
    report_say(keeper->report, LOG_ERR, "the keeper cannot reduce its capabilities: %s",
               strerror(errno));
}

static void
say_refused(struct keeper *keeper, const char *reason)
{
    if (strcmp(keeper->said, reason) == 0)
        return;
    strncpy(keeper->said, reason, sizeof(keeper->said) - 1);
    report_say(keeper->report, LOG_ERR,
               "bans cannot be enforced: %s. %zu wait; counting goes on, and it is"
               " tried again.",
               reason, table_pending(keeper->table));
    table_set_trouble(keeper->table, reason);
}

static void
say_accepted(struct keeper *keeper)
{
    if (keeper->said[0] == '\0')
        return;
    keeper->said[0] = '\0';
    report_say(keeper->report, LOG_INFO, "bans are enforced again");
    table_set_trouble(keeper->table, NULL);
}

static void
back_off(struct keeper *keeper)
{
    keeper->backoff_ms = keeper->backoff_ms == 0 ? BACKOFF_FIRST_MS : keeper->backoff_ms * 2;
    if (keeper->backoff_ms > BACKOFF_LAST_MS)
        keeper->backoff_ms = BACKOFF_LAST_MS;
}

/* Once it is open and the jails are known, whichever comes later. */
static void
use_policy(struct keeper *keeper)
{
    if (keeper->firewall == NULL || !keeper->knows_jails)
        return;
    set_policy(keeper->firewall, keeper->table, &keeper->policy);
}

static bool
open_firewall(struct keeper *keeper)
{
    char reason[FIREWALL_REASON_SIZE];
    int error;

    if (keeper->firewall != NULL)
        return true;
    if (firewall_open(&keeper->firewall, reason) < 0) {
        say_refused(keeper, reason);
        return false;
    }
    keeper->batch->firewall = keeper->firewall;
    use_policy(keeper);
    error = -monitor_open(&keeper->monitor, firewall_port(keeper->firewall));
    for (unsigned i = 0; i < FIREWALL_FAMILIES && error == 0; i++)
        monitor_watch(keeper->monitor, keeper->policy.set[i]);
    if (error != 0 && error != EPERM) /* without the capability more will be said soon */
        report_say(keeper->report, LOG_WARNING,
                   "no notifications from the kernel: %s. A flushed ruleset is noticed"
                   " with the next ban only.",
                   strerror(error));
    return true;
}

/* ---- what others do to our sets ---- */

static void
lift_by_hand(struct keeper *keeper, const struct source *deleted, const char *process)
{
    char text[SOURCE_TEXT_SIZE];
    unsigned count = table_unban(keeper->table, deleted, 0, clock_ms(CLOCK_REALTIME));

    if (count > 0)
        report_say(keeper->report, LOG_NOTICE,
                   "%s was deleted from the kernel's set by process %s: its ban is lifted",
                   source_print(deleted, text), process);
}

static void
say_damaged(struct keeper *keeper, const char *process, size_t wanted)
{
    bool has_sets =
        keeper->policy.set[FIREWALL_V4][0] != '\0' || keeper->policy.set[FIREWALL_V6][0] != '\0';

    if (process == NULL)
        report_say(keeper->report, LOG_WARNING,
                   "so much was changed in the kernel's ruleset that notifications of it were"
                   " lost; making sure of %zu bans",
                   wanted);
    else
        report_say(keeper->report, LOG_WARNING,
                   "%s was deleted or damaged by process %s; restoring %zu bans",
                   has_sets ? "a set of bans" : "table inet " FIREWALL_TABLE, process, wanted);
}

/* Reads all notifications. One deleted element is an administrator's wish. All else is damage, and
 * is repaired: unless a command has found out before and has done so (`repaired`). */
static void
watch_ruleset(struct keeper *keeper, bool repaired)
{
    char process[MONITOR_PROCESS_SIZE] = "?";
    struct source deleted;
    enum monitor_event event;
    bool lost = false, damaged = repaired, missed = false;

    while (keeper->monitor != NULL &&
           (event = monitor_read(keeper->monitor, &deleted, process)) != MONITOR_NOTHING) {
        damaged = damaged || event == MONITOR_LOST || event == MONITOR_DAMAGED;
        lost = lost || event == MONITOR_LOST;
        missed = missed || event == MONITOR_MISSED;
        if (event == MONITOR_DELETED && !damaged && !missed)
            lift_by_hand(keeper, &deleted, process);
    }
    if (!damaged && !missed)
        return;
    if (!repaired && keeper->firewall != NULL)
        (lost ? firewall_rebuild : firewall_restore)(keeper->firewall);
    say_damaged(keeper, damaged ? process : NULL, table_want_all(keeper->table));
}

static void
count_batch(struct keeper *keeper)
{
    atomic_fetch_add(&keeper->enforced, keeper->batch->enforced);
    atomic_fetch_add(&keeper->removed, keeper->batch->removed);
    atomic_fetch_add(&keeper->refused, keeper->batch->refused);
}

/* Looks at the administrator's sets where there are any. Returns whether all can be used. */
static bool
check_sets(struct keeper *keeper)
{
    char warning[FIREWALL_REASON_SIZE], *reason = keeper->batch->set_reason;
    bool usable = firewall_check_sets(keeper->firewall, warning, reason) == 0;

    if (usable)
        reason[0] = '\0';
    else
        say_refused(keeper, reason);
    if (warning[0] != '\0')
        report_say(keeper->report, LOG_WARNING, "%s", warning);
    return usable;
}

/* Waits until another command may be given. (The generic cell rate algorithm of ITU-T I.371.) */
static void
pace(struct keeper *keeper)
{
    struct timespec now;
    int64_t now_ns, ahead_ns;

    clock_gettime(CLOCK_MONOTONIC, &now);
    now_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
    if (keeper->commands_ns < now_ns)
        keeper->commands_ns = now_ns;
    ahead_ns = keeper->commands_ns - now_ns - (COMMANDS_AT_ONCE - 1) * COMMAND_PAUSE_NS;
    keeper->commands_ns += COMMAND_PAUSE_NS;
    if (ahead_ns > 0)
        nanosleep(&(struct timespec){.tv_nsec = ahead_ns}, NULL);
}

/* Has table and rules stand before there is a ban: where nothing else on this host asks for
 * connections, the kernel begins to track them only now, and one that it has not seen from its
 * begin may pass. Returns false when it is refused. */
static bool
lay(struct keeper *keeper)
{
    char *reason = keeper->batch->reason;
    int result;

    enter_command(keeper);
    result = firewall_lay(keeper->firewall, reason);
    leave_command(keeper);
    if (result == FIREWALL_WAS_LOST)
        watch_ruleset(keeper, true);
    if (result >= 0)
        return true;
    say_refused(keeper, reason);
    keeper->left = table_pending(keeper->table);
    keeper->deaf = true;
    atomic_fetch_add(&keeper->refused, keeper->left);
    return false;
}

/* Applies all that waits. Returns false when something was refused. */
static bool
work(struct keeper *keeper)
{
    struct batch *batch = keeper->batch;
    bool progress = false, usable;

    keeper->left = 0;
    keeper->deaf = !open_firewall(keeper);
    if (keeper->deaf)
        return false;
    if (table_take_rebuild(keeper->table))
        firewall_rebuild(keeper->firewall);
    usable = check_sets(keeper);
    if (!lay(keeper))
        return false;
    while (table_pending(keeper->table) > 0) {
        pace(keeper);
        if (run_batch(batch, clock_ms(CLOCK_REALTIME)) == 0)
            break;
        count_batch(keeper);
        progress = progress || batch->refused == 0;
        watch_ruleset(keeper, batch->was_lost);
        if (batch->refused > 0) {
            say_refused(keeper, batch->reason);
            keeper->left = table_pending(keeper->table);
            keeper->deaf = !may_lie_with_one_element(batch->error);
            if (progress)
                keeper->backoff_ms = 0;
            return false;
        }
    }
    if (!usable)
        return false;
    say_accepted(keeper);
    keeper->backoff_ms = 0;
    return true;
}

/* Elements time out by a clock that nobody sets, bans by the wall's. When that one is set, or the
 * machine has slept, every remaining time has changed. */
static void
watch_clock(struct keeper *keeper)
{
    int64_t offset_ms = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_MONOTONIC);
    int64_t step_ms = offset_ms - keeper->clock_offset_ms, next_ms;

    if (step_ms > -CLOCK_STEP_MS && step_ms < CLOCK_STEP_MS)
        return; /* a slow slew adds up in the offset that is kept, and is caught in the end */
    keeper->clock_offset_ms = offset_ms;
    if (step_ms < 0) /* the bans' ends first: what is applied is what they have left */
        table_expire(keeper->table, clock_ms(CLOCK_REALTIME), &next_ms);
    table_want_all(keeper->table);
}

static void
drain_event(struct keeper *keeper)
{
    uint64_t count;

    if (read(keeper->event, &count, sizeof(count)) < 0) {
        /* EAGAIN: it was the time, and no wake */
    }
}

/* Until there is something to do: a wake, a ban that ends, or the time to try again. */
static void
sleep_until(struct keeper *keeper, int64_t next_ms)
{
    /* a negative descriptor is none */
    struct pollfd events[] = {
        {.fd = keeper->event, .events = POLLIN},
        {.fd = keeper->monitor ? monitor_descriptor(keeper->monitor) : -1, .events = POLLIN}};
    int64_t wait_ms = next_ms - clock_ms(CLOCK_REALTIME);

    if (wait_ms > SLEEP_MOST_MS)
        wait_ms = SLEEP_MOST_MS;
    if (keeper->backoff_ms > 0 && wait_ms > keeper->backoff_ms)
        wait_ms = keeper->backoff_ms;
    if (wait_ms < 0)
        wait_ms = 0;
    if (!keeper->deaf) {
        atomic_exchange(&keeper->sleeping, true);
        if (table_pending(keeper->table) > keeper->left)
            wait_ms = 0;
    }
    poll(events, 2, (int)wait_ms);
    atomic_store(&keeper->sleeping, false);
    drain_event(keeper);
}

static void
wait_for_release(struct keeper *keeper)
{
    struct pollfd event = {.fd = keeper->event, .events = POLLIN};

    while (!atomic_load(&keeper->released) && !atomic_load(&keeper->stopping)) {
        poll(&event, 1, -1);
        drain_event(keeper);
    }
}

/* What is in the table stays wanted. */
static void
flush(struct keeper *keeper)
{
    char reason[FIREWALL_REASON_SIZE];
    size_t removed;
    int error;

    if (!open_firewall(keeper))
        return;
    enter_command(keeper);
    error = flush_kernel(keeper->firewall, &keeper->policy, &removed, reason);
    leave_command(keeper);
    if (error < 0)
        report_say(keeper->report, LOG_ERR, "bans are left in the kernel: %s", reason);
    else
        report_say(keeper->report, LOG_NOTICE,
                   "%zu bans are taken out of the kernel until the next start",
                   table_want_all(keeper->table));
}

static void
keep(struct keeper *keeper)
{
    int64_t next_ms, tried_ms = 0;

    keep_only_net_admin(keeper);
    keeper->knows_jails = true;
    use_policy(keeper);
    keeper->clock_offset_ms = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_MONOTONIC);
    table_want_all(keeper->table);
    while (!atomic_load(&keeper->stopping)) {
        watch_clock(keeper);
        watch_ruleset(keeper, false);
        if (keeper->backoff_ms == 0 || !keeper->deaf ||
            clock_ms(CLOCK_MONOTONIC) - tried_ms >= keeper->backoff_ms) {
            tried_ms = clock_ms(CLOCK_MONOTONIC);
            if (!work(keeper))
                back_off(keeper);
        }
        table_expire(keeper->table, clock_ms(CLOCK_REALTIME), &next_ms);
        sleep_until(keeper, next_ms);
    }
    if (keeper->flush_at_stop)
        flush(keeper);
    else
        work(keeper);
}

static void *
run(void *argument)
{
    struct keeper *keeper = argument;

    prctl(PR_SET_NAME, "banmail-keeper");
    prctl(PR_SET_KEEPCAPS, 1); /* of this thread alone */
    table_set_trouble(keeper->table, NULL);
    open_firewall(keeper);
    sem_post(&keeper->ready);
    wait_for_release(keeper);
    if (atomic_load(&keeper->released))
        keep(keeper);
    return NULL;
}

/* ---- the callers' side ---- */

/* No signal of rsyslogd's is to be handled on this thread. */
static int
start_thread(struct keeper *keeper)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&keeper->thread, NULL, run, keeper);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

int
keeper_start(struct keeper **keeper, const struct keeper_options *options)
{
    struct keeper *made = calloc(1, sizeof(*made));
    int result = -ENOMEM;

    *keeper = NULL;
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
    made->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    made->batch = calloc(1, sizeof(*made->batch));
    if (made->event < 0 || made->batch == NULL)
        goto done;
    made->batch->table = options->table;
    made->batch->keeper = made;
    result = start_thread(made);
    if (result < 0)
        goto done;
    while (sem_wait(&made->ready) != 0 && errno == EINTR) {
    }
    *keeper = made;
done:
    if (result < 0)
        free_keeper(made);
    return result;
}

static void
tell(struct keeper *keeper, atomic_bool *what)
{
    atomic_store(what, true);
    eventfd_write(keeper->event, 1);
}

void
keeper_release(struct keeper *keeper)
{
    tell(keeper, &keeper->released);
}

/* The table was changed before this is called, and both sides exchange the flag, which puts the two
 * exchanges in one order. This one first: the keeper's exchange, and so its second look at the
 * table, sees the change. The keeper's first: this one finds the flag raised, unless another
 * waker took it down, which then writes. A worker that is cancelled between exchange and write
 * would leave a keeper that nobody wakes: so cancellation waits. */
void
keeper_wake(struct keeper *keeper)
{
    int before;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    if (atomic_exchange(&keeper->sleeping, false))
        eventfd_write(keeper->event, 1);
    pthread_setcancelstate(before, NULL);
}

void
keeper_read_statistics(const struct keeper *keeper, struct keeper_statistics *statistics)
{
    statistics->enforced = atomic_load(&keeper->enforced);
    statistics->removed = atomic_load(&keeper->removed);
    statistics->refused = atomic_load(&keeper->refused);
    statistics->pending = table_pending(keeper->table);
}

/* Returns false when the thread hangs in a command: it was given up, and the keeper with it, which
 * the thread may free at once. */
static bool
join(struct keeper *keeper)
{
    const pthread_t thread = keeper->thread;
    struct timespec until;
    int expected;

    for (;;) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += STOP_PATIENCE_S;
        if (pthread_timedjoin_np(thread, NULL, &until) == 0)
            return true;
        expected = MARK_IN_COMMAND;
        if (atomic_compare_exchange_strong(&keeper->mark, &expected, MARK_ABANDONED))
            break;
    }
    pthread_detach(thread);
    return false;
}

void
keeper_stop(struct keeper *keeper)
{
    const struct report *report;

    if (keeper == NULL)
        return;
    report = keeper->report;
    tell(keeper, &keeper->stopping);
    if (join(keeper))
        free_keeper(keeper);
    else
        report_say(report, LOG_ERR,
                   "an nftables command has not returned for %d s; the keeper is left"
                   " behind, and what was not enforced stays wanted in the table",
                   STOP_PATIENCE_S);
}
