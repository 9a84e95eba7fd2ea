/* blockers: who else on this host blocks an address; every rule, set and map of nftables and every
 * chain of the older iptables that names it.
 *
 * They are asked through their own programs: nft -j, and iptables-save in both forms and ipset, see
 * banmailctl-iptables.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_BLOCKERS_H
#define BANMAILCTL_BLOCKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "banmailctl-blocker.h"
#include "base/source.h"

/* Asks for a source: a single address, or a prefix (then what holds all of it). `given` names the
 * administrator's set that our bans of its family are in ("inet blocklist bad4"), or is "". Runs
 * programs; at most timeout_ms altogether. */
void blockers_ask(const struct source *source, const char *given, int timeout_ms,
                  struct blockers *others);

#endif
