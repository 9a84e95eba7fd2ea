/* period: what the ledger tells of some hours or weeks, counted up; the facts of top and report.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_PERIOD_H
#define BANMAILCTL_PERIOD_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/ledger.h"

struct fjson_object;
struct invocation;

#define PERIOD_MOST    10  /* rows of each list */
#define PERIOD_SPANS   192 /* bars at most: the hours of eight days */
#define PERIOD_V4_BITS 24  /* what is taken for one network */
#define PERIOD_V6_BITS 48

struct period_network {
    struct source source;
    unsigned bans, clients; /* different ones */
    uint64_t failures;
};

/* Whoever was banned: single addresses, or prefixes as the jail bans them. */
struct period_offender {
    struct source source;
    unsigned bans;
    uint64_t failures;
    int64_t banned_ms; /* all bans together, within the period */
    int64_t last_ms;   /* when the latest began */
    bool is_running;
};

struct period_jail {
    char name[JAIL_NAME_SIZE];
    unsigned bans;
};

struct period {
    int64_t from_ms, to_ms;
    unsigned bans, clients, by_hand;
    unsigned ends[BAN_WITHDRAWN + 1]; /* of these bans, by enum ban_end */
    uint64_t failures;                /* that led to them */
    unsigned classes[OFFENCE_CLASSES];
    struct period_jail jails[TABLE_JAILS_MAX];
    unsigned jail_count;
    int64_t span_ms;              /* an hour or a day */
    int64_t first_span_ms;        /* when the first begins, in the local zone a full one */
    unsigned spans[PERIOD_SPANS]; /* bans that began in each */
    unsigned span_count;
    struct period_network networks[PERIOD_MOST];
    unsigned network_count, network_all;
    struct period_offender offenders[PERIOD_MOST]; /* banned longest */
    unsigned offender_count;
    struct ledger_user users[PERIOD_MOST];
    unsigned user_count;
};

/* Reads the bans that began from from_ms to now_ms; 0: all that the ledger knows. Returns 0,
 * -ENOMEM, or an error of the ledger. */
int period_read(struct ledger *ledger, int64_t from_ms, int64_t now_ms, struct period *period);

/* When what was asked for begins: --for, or otherwise_s where that was not given; 0: --for -1. */
int64_t period_begin(const struct invocation *invocation, int64_t otherwise_s, int64_t now_ms);

/* The classes that banned somebody, the most frequent first. Returns how many. */
unsigned period_classes(const struct period *period, enum offence_class order[OFFENCE_CLASSES]);

/* All of it as an object, which is the caller's. */
struct fjson_object *period_json(const struct period *period);

#endif
