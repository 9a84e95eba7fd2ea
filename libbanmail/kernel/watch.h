/* watch: who puts addresses into the kernel's sets and rules, or takes them out, beside us; from
 * the kernel's own notifications, which name the process.
 *
 * One thread. Makes system calls, never waits.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_WATCH_H
#define BANMAIL_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/source.h"

#define WATCH_PLACE_SIZE   160
#define WATCH_PROCESS_SIZE 32

struct watch_change {
    bool is_added; /* else taken out */
    bool is_rule;  /* a rule that has the address in it; its range is the address asked for */
    char place[WATCH_PLACE_SIZE]; /* "inet filter blocklist": a set's or a chain's */
    struct source first, last;    /* single addresses, the same one but for an interval */
    uint32_t process;             /* who did it; a number of the machine's, not of a container's */
    char name[WATCH_PROCESS_SIZE];
};

struct watch;

/* Listens to the network namespace's notifications of what touches `source`, or of all elements
 * (NULL; then of no rules); what happens in our own table is left out. Returns 0 or a negative
 * errno
 * (-EPERM without CAP_NET_ADMIN). Free with watch_close. */
int watch_open(struct watch **watch, const struct source *source);

/* Readable when there may be a change: for poll(2). */
int watch_descriptor(const struct watch *watch);

/* Calls `each` for every change of the transactions that have come. Returns 0, -ENOBUFS when some
 * did not fit in the socket's room and are not told, or another negative errno. */
int watch_read(struct watch *watch, void (*each)(void *context, const struct watch_change *change),
               void *context);

/* NULL is fine. */
void watch_close(struct watch *watch);

#endif
