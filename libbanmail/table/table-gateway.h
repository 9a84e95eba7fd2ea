/* table-gateway: the clients that were not banned because others come through them, kept for
 * whoever asks. The latest eight: more than that many gateways that attack at once are not listed.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TABLE_GATEWAY_H
#define BANMAIL_TABLE_GATEWAY_H

#include "table/table.h"

#define TABLE_GATEWAYS         8
#define TABLE_GATEWAY_SHOWN_MS (24 * INT64_C(3600000)) /* older ones are history */

struct table_gateway {
    struct source source; /* as the jail would have banned it */
    uint8_t jail;
    uint8_t users;   /* that logged in through it; 0: it is of a network of this machine */
    uint32_t spared; /* bans, since first_ms */
    int64_t first_ms;
    int64_t last_ms;
};

/* One more ban that was not made: source, jail and users. Where there is no room, the one that was
 * spared longest ago goes. Any thread; a short lock. */
void table_note_gateway(struct table *table, const struct table_gateway *gateway, int64_t now_ms);

/* The next one that nobody has been told of, which by this is told. Returns false when there is
 * none. One thread. */
bool table_dequeue_gateway(struct table *table, struct table_gateway *gateway);

/* Reads the one at `index` (0..TABLE_GATEWAYS - 1). Returns false when there is none, or none that
 * was spared within TABLE_GATEWAY_SHOWN_MS. Any thread, any process. */
bool table_read_gateway(const struct table *table, unsigned index, int64_t now_ms,
                        struct table_gateway *gateway);

#endif
