/* notifications: what the kernel tells of changes to its nftables ruleset: the socket, and the
 * attributes of a message.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_NOTIFICATIONS_H
#define BANMAIL_NOTIFICATIONS_H

#include <stdbool.h>
#include <stdint.h>

#define NOTIFICATIONS_MESSAGE_SIZE 32768 /* they are no longer than a page or two */

struct nlattr;
struct nlmsghdr;

/* Opens a socket, which the caller closes, for the notifications of this network namespace, without
 * those that the netlink socket `port` has caused (0: with all). Never blocks. Returns 0 and
 * *descriptor, or a negative errno (-EPERM without CAP_NET_ADMIN). Any thread. */
int notifications_open(uint32_t port, int *descriptor);

/* Whether the message is about nftables, and whole. */
bool notifications_has(const struct nlmsghdr *message);

/* The attribute of this type in such a message, and in another attribute (NULL is fine); NULL where
 * there is none. It lies in the message. Pure. */
const struct nlattr *notifications_find(const struct nlmsghdr *message, uint16_t type);
const struct nlattr *notifications_find_in(const struct nlattr *nest, uint16_t type);

#endif
