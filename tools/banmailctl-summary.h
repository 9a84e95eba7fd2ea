/* summary: the facts of status and metrics, gathered before anything is printed.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_SUMMARY_H
#define BANMAILCTL_SUMMARY_H

#include <stddef.h>
#include <stdint.h>

#include "banmailctl-bans.h"
#include "banmailctl-location.h"
#include "control/condition.h"
#include "control/origins.h"
#include "control/setup.h"
#include "kernel/policy.h"

struct summary {
    struct condition_facts facts;
    struct firewall_policy policy;
    char setup[SETUP_SIZE];
    uint32_t conditions;
    struct bans bans;
    size_t tracked, v4;
    size_t by_jail[TABLE_JAILS_MAX]; /* the manual one: bans by hand */
    struct origins origins;          /* of the jails */
    const char *only;                /* the jail that is asked for; NULL: all */
};

/* Reads all of it; a moment is waited for bans that have just been made to reach the kernel.
 * `silent_ms`: how long no mail line is too long. Free with summary_free, also after an error.
 * Returns 0 or -ENOMEM. */
int summary_read(const struct location *place, const struct table *table, int64_t silent_ms,
                 struct summary *summary);
void summary_free(struct summary *summary);

#endif
