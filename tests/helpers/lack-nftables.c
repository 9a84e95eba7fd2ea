/* lack-nftables: to be preloaded; the kernel has no nf_tables while the file $LACK exists.
 *
 * Where the file says "nfnetlink" the kernel lacks that too and gives no socket; else it gets each
 * message for a subsystem that it does not know, and answers for itself what it then answers.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define UNKNOWN_SUBSYSTEM 100

static bool
lacks(const char *what)
{
    const char *path = getenv("LACK");
    FILE *file = path == NULL ? NULL : fopen(path, "r");
    char text[16] = "";
    bool all = what[0] == '\0' && file != NULL;

    if (file != NULL) {
        if (fscanf(file, "%15s", text) == EOF)
            text[0] = '\0';
        fclose(file);
    }
    return all || (file != NULL && strcmp(text, what) == 0);
}

static void *
real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

int
socket(int domain, int type, int protocol)
{
    int (*real_socket)(int, int, int);

    *(void **)&real_socket = real("socket");
    if (domain == AF_NETLINK && protocol == NETLINK_NETFILTER && lacks("nfnetlink")) {
        errno = EPROTONOSUPPORT;
        return -1;
    }
    return real_socket(domain, type, protocol);
}

static void
rewrite(int descriptor, void *data, size_t length)
{
    int protocol = -1;
    socklen_t size = sizeof(protocol);
    struct sockaddr_nl address;
    socklen_t address_size = sizeof(address);
    struct nlmsghdr *message = data;

    if (getsockname(descriptor, (struct sockaddr *)&address, &address_size) != 0 ||
        address.nl_family != AF_NETLINK ||
        getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0 ||
        protocol != NETLINK_NETFILTER || !lacks(""))
        return;
    for (; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length)) {
        struct nfgenmsg *header = NLMSG_DATA(message);

        if (message->nlmsg_type == NFNL_MSG_BATCH_BEGIN)
            header->res_id = htons(UNKNOWN_SUBSYSTEM);
        else if (message->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES)
            message->nlmsg_type = UNKNOWN_SUBSYSTEM << 8 | (message->nlmsg_type & 0xff);
    }
}

ssize_t
sendto(int descriptor, const void *data, size_t length, int flags, const struct sockaddr *address,
       socklen_t size)
{
    ssize_t (*real_sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);

    *(void **)&real_sendto = real("sendto");
    rewrite(descriptor, (void *)data, length);
    return real_sendto(descriptor, data, length, flags, address, size);
}

ssize_t
sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    ssize_t (*real_sendmsg)(int, const struct msghdr *, int);

    *(void **)&real_sendmsg = real("sendmsg");
    for (size_t i = 0; i < message->msg_iovlen; i++)
        rewrite(descriptor, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
    return real_sendmsg(descriptor, message, flags);
}
