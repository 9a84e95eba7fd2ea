/* policy: what of the firewall does not come from the jails, in a small file beside the table, so
 * that banmailctl knows the administrator's sets while no rsyslogd runs.
 *
 *   verdict drop
 *   set4 inet blocklist bad4
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_POLICY_H
#define BANMAIL_POLICY_H

#include <sys/types.h>

#include "kernel/firewall.h"

/* Writes verdict and sets to the table's path with ".policy" behind it, for `owner` and `group`
 * (-1: as it is). Makes system calls. Returns 0 or a negative errno. */
int policy_write(const char *table_path, const struct firewall_policy *policy, uid_t owner,
                 gid_t group);

/* Reads them back; without a file, or where a line makes no sense, the defaults: to drop, in sets
 * of ours. The rest of *policy is zero. Makes system calls. */
void policy_read(const char *table_path, struct firewall_policy *policy);

#endif
