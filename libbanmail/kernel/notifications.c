/* notifications: see notifications.h.
 *
 * Our own changes, thousands of elements a second under attack, are dropped in the kernel by a
 * socket filter on the sender's port, so that they neither wake us nor fill the queue.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/notifications.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

static int
refuse_port(int descriptor, uint32_t port)
{
    /* A filter loads words as if they were in network order. */
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(port), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

    return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

int
notifications_open(uint32_t port, int *descriptor)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                        .nl_groups = 1U << (NFNLGRP_NFTABLES - 1)};
    const int opened =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

    if (opened < 0 || (port != 0 && refuse_port(opened, port) < 0) ||
        bind(opened, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        const int error = errno;

        if (opened >= 0)
            close(opened);
        return -error;
    }
    *descriptor = opened;
    return 0;
}

bool
notifications_has(const struct nlmsghdr *message)
{
    return message->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES &&
           mnl_nlmsg_get_payload_len(message) >= sizeof(struct nfgenmsg);
}

const struct nlattr *
notifications_find(const struct nlmsghdr *message, uint16_t type)
{
    const struct nlattr *attribute;

    mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
    {
        if (mnl_attr_get_type(attribute) == type)
            return attribute;
    }
    return NULL;
}

const struct nlattr *
notifications_find_in(const struct nlattr *nest, uint16_t type)
{
    const struct nlattr *attribute;

    if (nest == NULL)
        return NULL;
    mnl_attr_for_each_nested(attribute, nest)
    {
        if (mnl_attr_get_type(attribute) == type)
            return attribute;
    }
    return NULL;
}
