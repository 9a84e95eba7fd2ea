/* banmailctl: what its parts share; the words that were typed, and the exit statuses.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_H
#define BANMAILCTL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/report.h"

/* Documented in banmailctl(8). 0, 1 and 3 are also what a Nagios-like monitor understands as fine,
 * warning and unknown. */
enum {
    EXIT_FINE = 0,
    EXIT_NO = 1,          /* not banned, nothing to do; status: something is wrong */
    EXIT_USAGE = 2,       /* what was typed makes no sense; nothing was done */
    EXIT_UNREACHABLE = 3, /* no table, or it cannot be read or commanded */
    EXIT_PERMISSION = 4,
    EXIT_REFUSED = 5, /* refused, or taken but not in force in the kernel */
};

struct location;
struct table;

struct invocation {
    const char *table; /* --table, or NULL */
    bool json;
    bool repair;  /* --repair */
    bool forever; /* --for with a negative time, or no --for */
    int64_t for_s;
    const char *jail;   /* --jail, or NULL */
    const char *preset; /* --preset, or NULL */
    bool all;           /* --all */
    bool bans;          /* --bans */
    bool held_back;     /* --held-back */
    bool observed;      /* --observed */
    bool journal;       /* --journal */
    bool watch;         /* --watch */
    const char *output; /* --output, or NULL */
    const char *format; /* --format, or NULL */
    int class;          /* --class, or -1 */
    int64_t left_s;     /* --left, or 0 */
    unsigned order;     /* --sort, an enum bans_order */
    char **words;       /* what follows the command and its options */
    int count;
};

extern const struct report banmailctl_report; /* sentences of libbanmail to standard error */

/* Says on standard error why nothing came of it (with --json as {"error":…,"exit":…} on standard
 * output), and returns the exit status that it was given. */
int banmailctl_fail(const struct invocation *invocation, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Finds the table and maps it for reading. Returns EXIT_FINE, or the exit status after having said
 * why not. */
int banmailctl_read(const struct invocation *invocation, struct location *place,
                    const struct table **table);

int64_t banmailctl_now_ms(void);

/* The commands; each returns the exit status. */
int status_main(const struct invocation *invocation);
int list_main(const struct invocation *invocation);
int history_main(const struct invocation *invocation);
int log_main(const struct invocation *invocation);
int pause_main(const struct invocation *invocation);
int resume_main(const struct invocation *invocation);
int forget_main(const struct invocation *invocation);
int why_main(const struct invocation *invocation);
int flush_main(const struct invocation *invocation);
int mynetworks_main(const struct invocation *invocation);
int learn_main(const struct invocation *invocation);
int watch_main(const struct invocation *invocation);
int users_main(const struct invocation *invocation);
int check_main(const struct invocation *invocation);
int import_main(const struct invocation *invocation);
int metrics_main(const struct invocation *invocation);
int top_main(const struct invocation *invocation);
int allow_main(const struct invocation *invocation);
int fleet_main(const struct invocation *invocation);
int export_main(const struct invocation *invocation);
int report_main(const struct invocation *invocation);
int completion_main(const struct invocation *invocation);
int order_ban(const struct invocation *invocation);
int order_unban(const struct invocation *invocation);

/* What help prints of those that have it in their own file. */
extern const char allow_help[], completion_help[], export_help[], fleet_help[], import_help[],
    learn_help[], metrics_help[], mynetworks_help[], report_help[], top_help[], watch_help[];

#endif
