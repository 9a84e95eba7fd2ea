/* resolver: the thread that looks up the names on allow lists, every minute and when it is asked
 * to.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_RESOLVER_H
#define BANMAIL_RESOLVER_H

#include <stddef.h>

#include "rules/allow-names.h"

#define RESOLVER_LISTS_MAX 65 /* an allow list for each action, and the module's */

struct resolver;

/* Begins to look up the names of these lists, which it holds; calls `changed`, on its thread, when
 * the addresses of one are others. Until the first answer they have the addresses that the file
 * `path` has kept, where it writes them whenever they change. Returns 0 or a negative errno. */
int resolver_start(struct resolver **resolver, struct allow_names *const *lists, size_t count,
                   const char *path, void (*changed)(void));

/* Has it look now. Any thread; does not wait. NULL is fine. */
void resolver_wake(struct resolver *resolver);

/* Ends it; `changed` is not called any more. A look-up that hangs is left behind after some
 * seconds. NULL is fine. */
void resolver_stop(struct resolver *resolver);

#endif
