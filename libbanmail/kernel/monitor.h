/* monitor: what others do to our part of the kernel's ruleset, from the kernel's own notifications.
 *
 * One thread. Makes system calls, never waits.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_MONITOR_H
#define BANMAIL_MONITOR_H

#include <stdint.h>

#include "base/source.h"

#define MONITOR_PROCESS_SIZE 32

struct monitor;

enum monitor_event {
    MONITOR_NOTHING, /* no more for now */
    MONITOR_LOST,    /* our table or a set was deleted; it may be there again, with old elements */
    MONITOR_DAMAGED, /* our chain, a rule or several elements were deleted */
    MONITOR_DELETED, /* one single element was deleted from one of our sets */
    MONITOR_MISSED, /* notifications did not fit in the socket's room: anything may have happened */
};

/* Listens to the network namespace's notifications, but for those of the netlink socket `port`,
 * which is our own. Returns 0 or a negative errno (-EPERM without CAP_NET_ADMIN). Free with
 * monitor_close. */
int monitor_open(struct monitor **monitor, uint32_t port);

/* Also reports what happens to this set, "inet blocklist bad_ips"; of at most two. */
void monitor_watch(struct monitor *monitor, const char *set);

/* Readable when there may be an event: for poll(2). */
int monitor_descriptor(const struct monitor *monitor);

/* The next event. Names the process that did it, except for MONITOR_MISSED; *deleted is set with
 * MONITOR_DELETED. */
enum monitor_event monitor_read(struct monitor *monitor, struct source *deleted,
                                char process[MONITOR_PROCESS_SIZE]);

/* NULL is fine. */
void monitor_close(struct monitor *monitor);

#endif
