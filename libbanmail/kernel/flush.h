/* flush: takes all that is ours out of the kernel, for good or until the next start.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_FLUSH_H
#define BANMAIL_FLUSH_H

#include "kernel/firewall.h"

/* Deletes our table, and our elements in the administrator's sets that the policy names; what is
 * not ours stays there, which the elements' comments tell. *removed: how many elements were taken
 * out of such sets. Changes the firewall's policy; is called as firewall_apply is, and returns as
 * it does: 0, or a negative errno with the reason. */
int flush_kernel(struct firewall *firewall, const struct firewall_policy *policy, size_t *removed,
                 char reason[FIREWALL_REASON_SIZE]);

#endif
