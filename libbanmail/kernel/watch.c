/* watch: see watch.h.
 *
 * The elements of a transaction are gathered until the notification that ends it, which names the
 * process. An interval comes as two elements, of which the latter is its end.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/firewall.h"
#include "kernel/notifications.h"

#define CHANGES_MAX 4096 /* of one transaction; more are left out */

struct element {
    struct watch_change change;
    bool is_end; /* of an interval: the first address behind it */
};

struct watch {
    int descriptor;
    bool is_of_all;
    struct source source;
    struct element elements[CHANGES_MAX]; /* of the transaction that is being read */
    unsigned count;
};

int
watch_open(struct watch **watch, const struct source *source)
{
    struct watch *const made = calloc(1, sizeof(*made));
    int error;

    *watch = NULL;
    if (made == NULL)
        return -ENOMEM;
    made->is_of_all = source == NULL;
    if (source != NULL)
        made->source = *source;
    error = notifications_open(0, &made->descriptor);
    if (error != 0) {
        free(made);
        return error;
    }
    *watch = made;
    return 0;
}

int
watch_descriptor(const struct watch *watch)
{
    return watch->descriptor;
}

void
watch_close(struct watch *watch)
{
    if (watch == NULL)
        return;
    close(watch->descriptor);
    free(watch);
}

/* ---- reading a message ---- */

static const char *
family_name(uint8_t family)
{
    switch (family) {
    case NFPROTO_INET:
        return "inet";
    case NFPROTO_IPV4:
        return "ip";
    case NFPROTO_IPV6:
        return "ip6";
    case NFPROTO_BRIDGE:
        return "bridge";
    case NFPROTO_NETDEV:
        return "netdev";
    default:
        return "?";
    }
}

static const char *
text_of(const struct nlattr *attribute)
{
    return attribute == NULL ? "?" : mnl_attr_get_str(attribute);
}

/* Of a key that is put together of several things the address is what begins it, if it has one. */
static bool
read_key(const struct nlattr *data, struct source *source)
{
    const size_t length = data == NULL ? 0 : mnl_attr_get_payload_len(data);
    const bool is_v4 = length == 4 || length == 8 || length == 12;
    char text[SOURCE_TEXT_SIZE];

    if (!is_v4 && length != 16 && length != 20 && length != 24)
        return false;
    return inet_ntop(is_v4 ? AF_INET : AF_INET6, mnl_attr_get_payload(data), text, sizeof(text)) !=
               NULL &&
           source_parse(text, strlen(text), source) == 0;
}

static struct element *
next_element(struct watch *watch, const struct nlmsghdr *message, const char *table,
             const char *name)
{
    const struct nfgenmsg *const header = mnl_nlmsg_get_payload(message);
    struct element *const element = &watch->elements[watch->count];
    const uint8_t kind = message->nlmsg_type & 0xff;

    if (watch->count == CHANGES_MAX)
        return NULL;
    *element = (struct element){
        .change.is_added = kind == NFT_MSG_NEWSETELEM || kind == NFT_MSG_NEWRULE,
        .change.is_rule = kind == NFT_MSG_NEWRULE || kind == NFT_MSG_DELRULE,
    };
    snprintf(element->change.place, WATCH_PLACE_SIZE, "%s %s %s", family_name(header->nfgen_family),
             table, name);
    return element;
}

static void
note_element(struct watch *watch, const struct nlmsghdr *message, const struct nlattr *given,
             const char *table, const char *set)
{
    const struct nlattr *const flags = notifications_find_in(given, NFTA_SET_ELEM_FLAGS);
    const struct nlattr *const key = notifications_find_in(given, NFTA_SET_ELEM_KEY);
    const struct nlattr *const key_end = notifications_find_in(given, NFTA_SET_ELEM_KEY_END);
    struct element *const element = next_element(watch, message, table, set);

    if (element == NULL ||
        !read_key(notifications_find_in(key, NFTA_DATA_VALUE), &element->change.first))
        return;
    element->change.last = element->change.first;
    if (key_end != NULL)
        read_key(notifications_find_in(key_end, NFTA_DATA_VALUE), &element->change.last);
    element->is_end = flags != NULL && (ntohl(mnl_attr_get_u32(flags)) & NFT_SET_ELEM_INTERVAL_END);
    watch->count++;
}

/* A rule has addresses as they are in a packet, anywhere in its expressions. */
static bool
has_address(const struct nlmsghdr *message, const struct source *source)
{
    const size_t length = source_is_v4(source) ? 4 : 16;

    return source->prefix == SOURCE_HOST_PREFIX &&
           memmem(mnl_nlmsg_get_payload(message), mnl_nlmsg_get_payload_len(message),
                  source->address + 16 - length, length) != NULL;
}

static void
note_rule(struct watch *watch, const struct nlmsghdr *message, const char *table, const char *chain)
{
    struct element *element;

    if (watch->is_of_all || !has_address(message, &watch->source))
        return;
    element = next_element(watch, message, table, chain);
    if (element == NULL)
        return;
    element->change.first = element->change.last = watch->source;
    watch->count++;
}

static void
note(struct watch *watch, const struct nlmsghdr *message)
{
    const struct nfgenmsg *const header = mnl_nlmsg_get_payload(message);
    const uint8_t kind = message->nlmsg_type & 0xff;
    const bool is_rule = kind == NFT_MSG_NEWRULE || kind == NFT_MSG_DELRULE;
    const struct nlattr *const table = notifications_find(
        message, is_rule ? (uint16_t)NFTA_RULE_TABLE : (uint16_t)NFTA_SET_ELEM_LIST_TABLE);
    const struct nlattr *const name = notifications_find(
        message, is_rule ? (uint16_t)NFTA_RULE_CHAIN : (uint16_t)NFTA_SET_ELEM_LIST_SET);
    const struct nlattr *elements, *attribute;

    if (!is_rule && kind != NFT_MSG_NEWSETELEM && kind != NFT_MSG_DELSETELEM)
        return;
    if (header->nfgen_family == NFPROTO_INET && strcmp(text_of(table), FIREWALL_TABLE) == 0)
        return;
    if (is_rule) {
        note_rule(watch, message, text_of(table), text_of(name));
        return;
    }
    elements = notifications_find(message, NFTA_SET_ELEM_LIST_ELEMENTS);
    if (elements != NULL)
        mnl_attr_for_each_nested(attribute, elements)
            note_element(watch, message, attribute, text_of(table), text_of(name));
}

/* ---- a transaction ---- */

static bool
is_before(const struct source *a, const struct source *b)
{
    return memcmp(a->address, b->address, sizeof(a->address)) < 0;
}

/* The address in front of it. */
static struct source
before(struct source source)
{
    for (size_t i = sizeof(source.address); i-- > 0 && source.address[i]-- == 0;)
        continue;
    return source;
}

/* Of the ends in the same set the first behind it. */
static void
find_end(const struct watch *watch, struct watch_change *change)
{
    const struct element *found = NULL;

    for (unsigned i = 0; i < watch->count; i++) {
        const struct element *const other = &watch->elements[i];

        if (other->is_end && other->change.is_added == change->is_added &&
            strcmp(other->change.place, change->place) == 0 &&
            is_before(&change->first, &other->change.first) &&
            (found == NULL || is_before(&other->change.first, &found->change.first)))
            found = other;
    }
    if (found != NULL)
        change->last = before(found->change.first);
}

/* Whether the range and the source have an address in common. */
static bool
touches(const struct watch *watch, const struct watch_change *change)
{
    struct source first = watch->source;

    if (watch->is_of_all)
        return true;
    first.prefix = SOURCE_HOST_PREFIX;
    return source_contains(&watch->source, &change->first) ||
           (!is_before(&first, &change->first) && !is_before(&change->last, &first));
}

static void
conclude(struct watch *watch, const struct nlmsghdr *message,
         void (*each)(void *context, const struct watch_change *change), void *context)
{
    const struct nlattr *const id = notifications_find(message, NFTA_GEN_PROC_PID);
    const uint32_t process = id == NULL ? 0 : ntohl(mnl_attr_get_u32(id));
    char name[WATCH_PROCESS_SIZE];

    snprintf(name, sizeof(name), "%s", text_of(notifications_find(message, NFTA_GEN_PROC_NAME)));
    for (unsigned i = 0; i < watch->count; i++) {
        struct watch_change *const change = &watch->elements[i].change;

        if (watch->elements[i].is_end)
            continue;
        if (!change->is_rule)
            find_end(watch, change);
        change->process = process;
        memcpy(change->name, name, sizeof(name));
        if (touches(watch, change))
            each(context, change);
    }
    watch->count = 0;
}

static void
read_messages(struct watch *watch, const void *buffer, int length,
              void (*each)(void *context, const struct watch_change *change), void *context)
{
    const struct nlmsghdr *message = buffer;

    for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
        if (!notifications_has(message))
            continue;
        if ((message->nlmsg_type & 0xff) == NFT_MSG_NEWGEN)
            conclude(watch, message, each, context);
        else
            note(watch, message);
    }
}

int
watch_read(struct watch *watch, void (*each)(void *context, const struct watch_change *change),
           void *context)
{
    _Alignas(struct nlmsghdr) char buffer[NOTIFICATIONS_MESSAGE_SIZE];
    ssize_t length;

    while ((length = recv(watch->descriptor, buffer, sizeof(buffer), 0)) > 0)
        read_messages(watch, buffer, (int)length, each, context);
    if (length < 0 && errno == ENOBUFS)
        watch->count = 0;
    return length < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
}
