/* iptables: the part of others that nft cannot tell: the rules of the older iptables, and the sets
 * of ipset, which rules of either iptables may use.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_IPTABLES_H
#define BANMAILCTL_IPTABLES_H

#include "banmailctl-blocker.h"

/* Adds them to *others. Programs that are not installed have made no rules. */
void iptables_ask(const struct source *source, int64_t deadline_ms, struct blockers *others);

#endif
