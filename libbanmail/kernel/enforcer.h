/* enforcer: the thread that makes the kernel agree with the table.
 *
 * It owns the kernel and nothing else. It sleeps on an eventfd; woken, it takes what has gathered
 * in the table (≤ FIREWALL_BATCH elements a command; more where commands are slow), applies it, and
 * settles. It never waits to gather. What the kernel refuses stays wanted and is tried again, after
 * 0.1 s, doubling to 10 s, a refused batch is halved until the refused elements stand alone, so
 * that one holds up no other; a cause is said once, until it has changed or gone.
 *
 * It also listens to what others do to our table in the kernel (monitor.h). One element that
 * somebody deletes is a ban lifted by hand; anything else, a flushed ruleset or set, a deleted
 * rule, is damage: it is said with the process's name, and everything is made anew with the time
 * that is left.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_ENFORCER_H
#define BANMAIL_ENFORCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/firewall.h"
#include "base/report.h"
#include "table/table.h"

struct enforcer;

struct enforcer_statistics {
    uint64_t enforced; /* elements added */
    uint64_t removed;  /* elements removed */
    uint64_t refused;  /* elements in batches that the kernel refused */
    uint64_t pending;  /* sources that wait now */
};

struct enforcer_options {
    struct table *table;
    const struct report *report;
    enum verdict verdict;    /* of jails without one of their own */
    const char *set4, *set6; /* the administrator's sets, as firewall_policy has them; or NULL */
    bool flush_at_stop;      /* else the bans stay in the kernel */
};

/* Starts the thread while the process still has its privileges. The thread keeps its permitted
 * capabilities over a later setuid(2) of the process (PR_SET_KEEPCAPS, which is its own), opens
 * the firewall, and waits for enforcer_release. Returns 0 or a negative errno. table and report
 * must outlive the enforcer. A firewall that cannot be opened is no error here: it is said, and
 * tried again. Main thread only. */
int enforcer_start(struct enforcer **enforcer, const struct enforcer_options *options);

/* The process has dropped its privileges, or never will: the thread reduces itself to exactly
 * CAP_NET_ADMIN and begins its work; at first it wants all live bans again. Main thread only. */
void enforcer_release(struct enforcer *enforcer);

/* Wakes it: one write to an eventfd, and none while it is awake. Any thread; never blocks; no
 * cancellation point. Call it after the table was changed. */
void enforcer_wake(struct enforcer *enforcer);

/* Any thread. */
void enforcer_read_statistics(const struct enforcer *enforcer,
                              struct enforcer_statistics *statistics);

/* Lets a running command end, applies once more what has gathered (or, with flush_at_stop, takes
 * all that is ours out of the kernel; the bans stay wanted in the table, for the next start), ends
 * the thread and frees the enforcer. A command that does not return within 5 s is left behind
 * with its thread, and that is said: the table and the report may be closed all the same. Main
 * thread only. NULL is fine. */
void enforcer_stop(struct enforcer *enforcer);

/* Fills in what of the policy comes from the table's jails; verdict and sets stay. Of several jails
 * with the same ports and verdict the first stands for all, as in a table_change. Any thread or
 * process. */
void enforcer_policy(const struct table *table, struct firewall_policy *policy);

/* Which of the policy's lists is that of the jail's ports and verdict; FIREWALL_LISTS: none. Pure.
 */
unsigned enforcer_list(const struct firewall_policy *policy, const struct jail *jail);

/* What the thread does, done once by the caller instead, for a process without the thread
 * (banmailctl while no rsyslogd runs): applies all that is pending, with the verdict and sets of
 * `fixed`. Returns 0, or a negative errno
 * with the reason. */
int enforcer_pass(struct firewall *firewall, struct table *table,
                  const struct firewall_policy *fixed, int64_t now_ms, char *reason,
                  size_t reason_size);

#endif
