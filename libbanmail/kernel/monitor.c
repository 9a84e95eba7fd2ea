/* monitor: deletions are gathered until the notification that ends their transaction, which names
 * the process; only then it can be told whether one element was deleted or a whole set flushed,
 * for the kernel announces both element by element, a flushed set of ours with its marker.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/monitor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/firewall.h"
#include "kernel/notifications.h"

/* Every message about a part of a table has the table's name as its first attribute. */
#define ATTRIBUTE_TABLE 1
/* Likewise of a set and its elements: the set's name. */
_Static_assert((int)NFTA_SET_NAME == (int)NFTA_SET_ELEM_LIST_SET, "one attribute names the set");
_Static_assert(NFTA_TABLE_NAME == ATTRIBUTE_TABLE && NFTA_CHAIN_TABLE == ATTRIBUTE_TABLE &&
                   NFTA_RULE_TABLE == ATTRIBUTE_TABLE && NFTA_SET_TABLE == ATTRIBUTE_TABLE &&
                   NFTA_SET_ELEM_LIST_TABLE == ATTRIBUTE_TABLE,
               "one attribute names the table everywhere");

/* An administrator's. */
struct foreign_set {
    uint8_t family;
    char table[65], name[65];
};

struct monitor {
    int descriptor;
    uint32_t port;
    struct foreign_set sets[2];
    unsigned set_count;
    /* the transaction that is being read */
    bool lost;             /* the table or a set was deleted */
    bool broken;           /* something other than a ban's element was deleted */
    unsigned elements;     /* deleted ones */
    struct source element; /* the last of them */
};

int
monitor_open(struct monitor **monitor, uint32_t port)
{
    struct monitor *const made = calloc(1, sizeof(*made));
    int error;

    *monitor = NULL;
    if (made == NULL)
        return -ENOMEM;
    made->port = port;
    error = notifications_open(port, &made->descriptor);
    if (error != 0) {
        free(made);
        return error;
    }
    *monitor = made;
    return 0;
}

void
monitor_watch(struct monitor *monitor, const char *set)
{
    struct foreign_set *watched = &monitor->sets[monitor->set_count];
    char family[8];

    if (monitor->set_count == 2 ||
        sscanf(set, "%7s %64s %64s", family, watched->table, watched->name) != 3)
        return;
    watched->family = strcmp(family, "ip") == 0    ? NFPROTO_IPV4
                      : strcmp(family, "ip6") == 0 ? NFPROTO_IPV6
                                                   : NFPROTO_INET;
    monitor->set_count++;
}

int
monitor_descriptor(const struct monitor *monitor)
{
    return monitor->descriptor;
}

void
monitor_close(struct monitor *monitor)
{
    if (monitor == NULL)
        return;
    close(monitor->descriptor);
    free(monitor);
}

/* ---- reading a message ---- */

static bool
is_ours(const struct nlmsghdr *message)
{
    const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *table = notifications_find(message, ATTRIBUTE_TABLE);

    return header->nfgen_family == NFPROTO_INET && table != NULL &&
           strcmp(mnl_attr_get_str(table), FIREWALL_TABLE) == 0;
}

/* Whether the message is about one of the administrator's sets or its table. */
static bool
is_watched(const struct monitor *monitor, const struct nlmsghdr *message)
{
    const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *table = notifications_find(message, ATTRIBUTE_TABLE);
    const struct nlattr *set = notifications_find(message, NFTA_SET_ELEM_LIST_SET);

    for (unsigned i = 0; i < monitor->set_count && table != NULL; i++) {
        const struct foreign_set *watched = &monitor->sets[i];

        if (header->nfgen_family == watched->family &&
            strcmp(mnl_attr_get_str(table), watched->table) == 0 &&
            ((message->nlmsg_type & 0xff) == NFT_MSG_DELTABLE ||
             (set != NULL && strcmp(mnl_attr_get_str(set), watched->name) == 0)))
            return true;
    }
    return false;
}

/* A set's name tells the prefix length: v4, v6, v4_24, v6_64. */
static bool
read_element(const struct nlmsghdr *message, bool is_ours, struct source *source)
{
    const struct nlattr *set = notifications_find(message, NFTA_SET_ELEM_LIST_SET);
    const struct nlattr *element = notifications_find_in(
        notifications_find(message, NFTA_SET_ELEM_LIST_ELEMENTS), NFTA_LIST_ELEM);
    const struct nlattr *key =
        notifications_find_in(notifications_find_in(element, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
    char text[SOURCE_TEXT_SIZE];
    unsigned bits = SOURCE_HOST_PREFIX;
    size_t length;

    if (set == NULL || key == NULL)
        return false;
    length = mnl_attr_get_payload_len(key);
    if (length != 4 && length != 16)
        return false;
    if (inet_ntop(length == 4 ? AF_INET : AF_INET6, mnl_attr_get_payload(key), text,
                  sizeof(text)) == NULL ||
        source_parse(text, strlen(text), source) < 0)
        return false;
    if (is_ours)
        sscanf(mnl_attr_get_str(set), "v%*1[46]_%u", &bits);
    if (bits > SOURCE_HOST_PREFIX)
        return false;
    *source = source_mask(source, bits, bits);
    return true;
}

static void
note(struct monitor *monitor, const struct nlmsghdr *message)
{
    bool ours = is_ours(message), watched = ours || is_watched(monitor, message);

    switch (message->nlmsg_type & 0xff) {
    case NFT_MSG_DELCHAIN:
    case NFT_MSG_DELRULE:
        monitor->broken = monitor->broken || ours;
        break;
    case NFT_MSG_DELTABLE:
    case NFT_MSG_DELSET:
        monitor->lost = monitor->lost || watched;
        break;
    case NFT_MSG_DELSETELEM:
        if (!watched)
            break;
        if (read_element(message, ours, &monitor->element) &&
            !(ours && firewall_is_marker(&monitor->element)))
            monitor->elements++;
        else
            monitor->broken = true;
        break;
    }
}

static void
forget(struct monitor *monitor)
{
    monitor->lost = monitor->broken = false;
    monitor->elements = 0;
}

/* The transaction is complete: what did it do to us? */
static enum monitor_event
conclude(struct monitor *monitor, const struct nlmsghdr *message, struct source *deleted,
         char *process)
{
    const struct nlattr *name = notifications_find(message, NFTA_GEN_PROC_NAME);
    enum monitor_event event = MONITOR_NOTHING;

    if (monitor->lost)
        event = MONITOR_LOST;
    else if (monitor->broken || monitor->elements > 1)
        event = MONITOR_DAMAGED;
    else if (monitor->elements == 1)
        event = MONITOR_DELETED;
    *deleted = monitor->element;
    snprintf(process, MONITOR_PROCESS_SIZE, "%s", name == NULL ? "?" : mnl_attr_get_str(name));
    forget(monitor);
    return event;
}

/* One datagram. It holds one end of a transaction at most. */
static enum monitor_event
read_messages(struct monitor *monitor, const void *buffer, int length, struct source *deleted,
              char *process)
{
    const struct nlmsghdr *message = buffer;
    enum monitor_event event = MONITOR_NOTHING;

    for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
        if (!notifications_has(message) || message->nlmsg_pid == monitor->port)
            continue;
        if ((message->nlmsg_type & 0xff) == NFT_MSG_NEWGEN)
            event = conclude(monitor, message, deleted, process);
        else
            note(monitor, message);
    }
    return event;
}

enum monitor_event
monitor_read(struct monitor *monitor, struct source *deleted, char process[MONITOR_PROCESS_SIZE])
{
    _Alignas(struct nlmsghdr) char buffer[NOTIFICATIONS_MESSAGE_SIZE];

    for (;;) {
        enum monitor_event event;
        ssize_t length = recv(monitor->descriptor, buffer, sizeof(buffer), 0);
        if (length < 0 && errno == ENOBUFS) {
            forget(monitor);
            return MONITOR_MISSED;
        }
        if (length <= 0)
            return MONITOR_NOTHING;
        event = read_messages(monitor, buffer, (int)length, deleted, process);
        if (event != MONITOR_NOTHING)
            return event;
    }
}
