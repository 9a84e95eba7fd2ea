/* fellows: addresses of the other servers of the fleet, as its centres tell them; a host bans none.
 *
 * Each is remembered for a day after it was last told, as long as the process lives. A private one
 * is left out: it means another machine in each network. The room is fixed, and one origin may fill
 * half of it; what has none is not remembered.
 *
 * One thread; no function reads a clock, allocates but fellows_new, or makes a system call.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_FELLOWS_H
#define BANMAIL_FELLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/source.h"

#define FELLOWS_MAX     4096
#define FELLOWS_TOLD_MS (INT64_C(24) * 3600000)

struct fellows;

/* Returns NULL when out of memory. Free with fellows_free; NULL is fine. */
struct fellows *fellows_new(void);
void fellows_free(struct fellows *fellows);

/* That origin, a number for its name, has told these. Returns whether one is new. */
bool fellows_take(struct fellows *fellows, uint32_t origin, const struct source *addresses,
                  unsigned count, int64_t now_ms);

/* Those that are remembered. Returns how many, at most `most`. */
unsigned fellows_addresses(struct fellows *fellows, int64_t now_ms, struct source *addresses,
                           unsigned most);

#endif
