/* effect: what status and why say of bans that have no effect, and of gateways that were not
 * banned.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_EFFECT_H
#define BANMAILCTL_EFFECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "banmailctl-bans.h"
#include "banmailctl-location.h"
#include "table/table-gateway.h"

struct fjson_object;

/* The bans that have no effect, at most 100: an array. */
struct fjson_object *ineffective_json(const struct table *table, const struct bans *bans,
                                      int64_t now_ms);

/* What is known of one ban behind `indent`; nothing where it bites. */
void ineffective_print(const struct location *place, const struct table *table,
                       const struct ban *ban, int64_t now_ms, const char *indent);

/* Failures that came after it, as JSON; null where it bites. */
struct fjson_object *ineffective_ban_json(const struct ban *ban, int64_t now_ms);

/* A line for each gateway that was not banned within a day. */
void gateways_print(const struct table *table, int64_t now_ms);
struct fjson_object *gateways_json(const struct table *table, int64_t now_ms);

/* The gateway that holds the source or lies within it. Returns false when there is none. */
bool gateways_find(const struct table *table, const struct source *source, int64_t now_ms,
                   struct table_gateway *gateway);

struct fjson_object *gateway_json(const struct table *table, const struct table_gateway *gateway);

#endif
