/* summary: see banmailctl-summary.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-summary.h"

#include <errno.h>
#include <time.h>

#include "banmailctl.h"

#define PENDING_WAIT_MS 500 /* a ban of this moment is no trouble yet */
#define POLL_MS         5

/* Returns what waits all the same: not what came meanwhile. */
static size_t
wait_for_pending(const struct table *table)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000};
    const int64_t now_ms = banmailctl_now_ms();

    for (int waited = 0; bans_waiting(table, now_ms) > 0 && waited < PENDING_WAIT_MS;
         waited += POLL_MS)
        nanosleep(&pause, NULL);
    return bans_waiting(table, now_ms);
}

int
summary_read(const struct location *place, const struct table *table, int64_t silent_ms,
             struct summary *summary)
{
    const size_t waiting = wait_for_pending(table);

    *summary = (struct summary){.tracked = table_tracked(table)};
    condition_read(table, banmailctl_now_ms(), &summary->facts);
    summary->facts.pending = waiting;
    origins_read(place->table, &summary->origins);
    policy_read(place->table, &summary->policy);
    setup_read(place->table, summary->setup);
    summary->facts.setup = summary->setup;
    summary->facts.set =
        summary->policy.set[source_is_v4(&summary->facts.first.source) ? FIREWALL_V4 : FIREWALL_V6];
    summary->conditions = condition_find(&summary->facts, silent_ms);
    if (bans_read(table, summary->facts.now_ms, &summary->bans) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < summary->bans.count; i++) {
        const struct ban *ban = &summary->bans.ban[i];

        summary->v4 += source_is_v4(&ban->source);
        if (ban->jail < TABLE_JAILS_MAX)
            summary->by_jail[ban->jail]++;
    }
    return 0;
}

void
summary_free(struct summary *summary)
{
    bans_free(&summary->bans);
}
