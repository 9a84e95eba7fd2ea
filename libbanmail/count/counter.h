/* counter: one line of a log is judged once, and then counts in each jail that wants it.
 *
 *     line ─▶ known already? ─▶ what it says ─▶ when it happened ─▶ what the backend says of it
 *          ─▶ who must not be banned ─▶ is it told again? ─▶ evidence ─▶ each jail counts
 *
 * All of the decision is here: the module, `banmailctl test`, the tests and the fuzzers fill a
 * struct line and call counter_take. The counter knows nothing of rsyslog, reads no clock and opens
 * nothing: time comes with the line.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_COUNTER_H
#define BANMAIL_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/allow-list.h"
#include "count/backend.h"
#include "line/evidence.h"
#include "count/gateway.h"
#include "rules/jail.h"
#include "rules/users.h"
#include "line/line.h"
#include "line/offence.h"
#include "base/readers.h"
#include "line/stamp.h"
#include "table/table.h"

#define COUNTER_ACTIONS_MAX 64
#define COUNTER_HOST_SIZE   256

struct counter;

struct counter_options {
    struct table *table;        /* must outlive the counter */
    struct stamp_bounds stamps; /* of what is no history */
    enum evidence_mode evidence;
    unsigned gateway_users;         /* so many logging in through an address make a gateway; 0:
                                       nobody is spared for being one */
    const char *host;               /* this machine, as its own messages name it; "": not known */
    const struct allow_list *allow; /* for all jails; NULL: nobody */
    const struct users *users;      /* who there is; NULL: that is not known */
};

/* What brings lines to a jail: an action of rsyslog's configuration. */
struct counter_action {
    unsigned jail_index; /* from table_jail; two actions may have the same jail */
    struct jail jail;
    const struct allow_list *allow; /* beside that of all jails; NULL: nobody */
    /* Lines without fields are those that another action judges: this one may stand in front of the
     * rulebases, or behind. Else they are lines that no rule knows. */
    bool is_own;
};

/* What became of a line. */
struct counter_outcome {
    bool has_class;
    bool wake;         /* something is to be enforced, written down or said: wake who does it */
    bool is_repeated;  /* it had come before */
    bool counts;       /* it is a failure that a jail counts, were it not for what follows: */
    unsigned attempts; /* that it added */
    uint64_t jails;    /* that counted it, as bits of their indexes */
    uint64_t banning;  /* of these, where it made a ban */
    uint64_t observed; /* and where it would have made one, did the jail not only observe */
    struct offence offence; /* where it has a class; points into the line's fields */
};

struct counter_statistics {
    uint64_t failures;     /* lines that a jail counts, whatever became of them */
    uint64_t duplicates;   /* of these: told by another line, too */
    uint64_t repeated;     /* lines that had come before */
    uint64_t ignored;      /* with a class that counts nowhere */
    uint64_t allow_listed; /* failures of whom all its jails allow-list */
    uint64_t old;          /* failures of files from before the first start */
    uint64_t session_mismatches;
    uint64_t untrusted; /* lines that matter, of users who may not write them: not counted */
    uint64_t unmatched; /* lines without a class that look like a failed login */
    uint64_t logins, mails_accepted;
    uint64_t bans, bans_full, bans_held_back, gateways_spared; /* in all jails together */
    uint64_t observed; /* bans not made, because their jails only observe */
};

/* Returns NULL when out of memory or randomness. Free with counter_free while no other thread uses
 * it; NULL is fine. */
struct counter *counter_new(const struct counter_options *options);
void counter_free(struct counter *counter);

/* An action more; before any line. One whose jail has no class counts nothing itself. Returns its
 * number, or -ENOSPC when there are COUNTER_ACTIONS_MAX. The lists must live as long as lines come
 * to it. */
int counter_add_action(struct counter *counter, const struct counter_action *action);

/* A jail more for an action that is there: it counts every line that comes to that. Likewise. */
int counter_add_jail(struct counter *counter, unsigned action, const struct counter_action *given);

/* The jail that this action brought itself counts nothing: another that was added stands in its
 * place. Likewise. */
void counter_rest_action(struct counter *counter, unsigned action);

/* Jails are to be declared anew while lines come: after counter_renew_jails those that
 * counter_add_jail has added are gone, and what it adds from then on is in force with
 * counter_use_jails, which returns when no worker of `readers` (NULL: there are none) counts in the
 * former ones: then their lists may go. The actions stay as they are. One thread. Returns 0 or
 * -ENOMEM; then all stays as it is. */
int counter_renew_jails(struct counter *counter);
void counter_use_jails(struct counter *counter, struct readers *readers);

/* Lines of history that are older count nowhere (milliseconds). Before any line. */
void counter_set_start(struct counter *counter, int64_t count_from_ms);

/* Action `action` comes to a line; `worker` is the thread's, joined to the readers of the allow
 * lists. Any thread; blocks on nothing but short locks, makes no system call; allocates for a
 * moment where the fields are an exported event, else not. */
void counter_take(struct counter *counter, const struct line *line, unsigned action,
                  struct reader *worker, struct counter_outcome *outcome);

/* What it works with, for who says, shows and orders. The counter's own. */
struct backend *counter_backend(struct counter *counter);
struct gateways *counter_gateways(struct counter *counter); /* NULL: nobody is spared */
struct stamp_watch *counter_stamps(struct counter *counter);

/* Any thread. */
void counter_read_statistics(const struct counter *counter, struct counter_statistics *statistics);

/* By what users who log in are told apart, whatever letters of theirs are capitals; 0 where there
 * is no name. Pure. */
uint64_t counter_hash_user(const char *user, size_t length);

#endif
