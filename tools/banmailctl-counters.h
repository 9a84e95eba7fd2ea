/* counters: what each jail has counted of a client, for why.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_COUNTERS_H
#define BANMAILCTL_COUNTERS_H

#include <stdint.h>

#include "banmailctl-scope.h"
#include "table/table.h"

struct fjson_object;

/* A line for each jail, and host where it counts each by itself, that has a counter of `source`, an
 * address; nothing where none has. */
void counters_print(const struct table *table, const struct scopes *scopes,
                    const struct source *source, int64_t now_ms);

/* The same as an array, which is the caller's. */
struct fjson_object *counters_json(const struct table *table, const struct scopes *scopes,
                                   const struct source *source);

#endif
