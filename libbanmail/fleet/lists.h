/* lists: the different lists of ports that bans close, each with a number: there are few of them.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_LISTS_H
#define BANMAIL_LISTS_H

#include <errno.h>
#include <stdint.h>

#include "base/ports.h"
#include "fleet/slice.h"

#define LISTS_MAX 16 /* each takes one of the table's jails */

/* Number 0 is the empty one, of pardons. */
struct lists {
    unsigned count;
    struct {
        struct ports ports;
        uint64_t hash; /* slice_ports */
    } at[LISTS_MAX + 1];
};

static inline void
lists_begin(struct lists *lists)
{
    *lists = (struct lists){.count = 1};
    lists->at[0].hash = slice_ports(&lists->at[0].ports);
}

/* The number of a list, which it keeps; -ENOSPC where there are LISTS_MAX others. */
static inline int
lists_number(struct lists *lists, const struct ports *ports)
{
    unsigned at = 0;

    while (at < lists->count && !ports_are_same(&lists->at[at].ports, ports))
        at++;
    if (at > LISTS_MAX)
        return -ENOSPC;
    if (at == lists->count) {
        lists->at[at].ports = *ports;
        lists->at[at].hash = slice_ports(ports);
        lists->count++;
    }
    return (int)at;
}

#endif
