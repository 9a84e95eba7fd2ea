/* gateway: who is not banned because others come through him.
 *
 * Two kinds. An address in a private network that this machine is attached to (a container's
 * bridge, a LAN; what is public and merely beside us at the hoster's is a stranger): the packets of
 * many may come from there. And an address through which several users have logged in well within a
 * day: an office, a webmail, a proxy that does not hand over its clients' addresses.
 *
 * Users are kept in the table, so that a restart does not forget them; who has the fewest goes
 * first where there is no room. An attacker is spared as well where he has as many valid accounts:
 * that is the price.
 *
 * Any thread, unless said otherwise; a short lock, no system call.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_GATEWAY_H
#define BANMAIL_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/source.h"
#include "table/table.h"
#include "table/table-gateway.h"

#define GATEWAY_USERS_MIN     2
#define GATEWAY_USERS_MAX     14
#define GATEWAY_USERS_DEFAULT 5 /* more than live in most households */
#define GATEWAY_DAY_MS        (24 * INT64_C(3600000))
#define GATEWAY_TEXT_SIZE     700

struct gateways;

enum gateway_kind {
    GATEWAY_NONE,
    GATEWAY_OWN,     /* this machine's own address in a private network, as a bridge has one */
    GATEWAY_NETWORK, /* in a private network of this machine */
    GATEWAY_USERS,   /* several users log in through it */
};

/* So many users make one. `table` must outlive it. Makes system calls. Returns NULL when out of
 * memory; free with gateway_free, NULL is fine. */
struct gateways *gateway_new(struct table *table, unsigned users);
void gateway_free(struct gateways *gateways);

/* Reads which networks there are now: they come and go with containers. Makes system calls; what
 * can't be read stays as it was. One thread, now and then. */
void gateway_look(struct gateways *gateways);

/* A user (a hash; 0 is ignored) has logged in. `source`: his address as a jail would ban it. */
void gateway_login(struct gateways *gateways, const struct source *source, uint64_t user,
                   int64_t stamp_ms, int64_t now_ms);

/* Whether `source`, an address or what a jail would ban, is one; *users: how many have logged in
 * within the day before now_ms, where that is why, else 0. */
enum gateway_kind gateway_find(struct gateways *gateways, const struct source *source,
                               int64_t now_ms, unsigned *users);

/* What was spared, why, and what to do about it. Pure. Returns text. */
const char *gateway_explain(const struct table_gateway *gateway, char text[GATEWAY_TEXT_SIZE]);

#endif
