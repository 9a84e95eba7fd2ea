/* test_notifications: what the kernel's notifications tell, watch and monitor read out of them.
 *
 * Proves, with messages as the kernel would send them: an element, a prefix, an interval and a rule
 * are told with their set, their addresses and the process; what touches the address asked for is
 * told and what does not is left out, up to the address next to it; our own table is the monitor's
 * and not the watch's; a deleted element is told from a flushed set and a deleted table; a message
 * that is cut, of another subsystem or without its attributes costs nothing but itself; a socket
 * that has lost some says so, and half a transaction is forgotten then.
 * Fails when a bound is one address off, an attribute that is not there is read, or a transaction
 * reaches into the next.
 *
 * The netlink socket is one end of a pair here: stand-ins of socket's, bind's, setsockopt's and
 * recv's names see to that. No root, no kernel's ruleset.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include "fixture.h"
#include "kernel/firewall.h"
#include "kernel/monitor.h"
#include "kernel/notifications.h"
#include "kernel/watch.h"

#define OUR_PORT 4711

#pragma GCC diagnostic ignored "-Wmissing-field-initializers" /* what is not said is not there */

/* ---- the stand-ins ---- */

static int kernel_end = -1;
static int socket_error, filter_error, bind_error, recv_error; /* errno of the next call */

static int
fails(int *error)
{
    errno = *error;
    *error = 0;
    return errno != 0 ? -1 : 0;
}

int
socket(int domain, int type, int protocol)
{
    int ends[2];

    (void)protocol;
    if (fails(&socket_error) != 0)
        return -1;
    assert_int_equal(domain, AF_NETLINK);
    assert_true(type & SOCK_NONBLOCK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    kernel_end = ends[1];
    return ends[0];
}

int
bind(int descriptor, const struct sockaddr *address, socklen_t length)
{
    (void)descriptor;
    (void)address;
    (void)length;
    return fails(&bind_error);
}

int
setsockopt(int descriptor, int level, int option, const void *value, socklen_t length)
{
    (void)descriptor;
    (void)level;
    (void)value;
    (void)length;
    assert_int_equal(option, SO_ATTACH_FILTER);
    return fails(&filter_error);
}

ssize_t
recv(int descriptor, void *buffer, size_t size, int flags)
{
    static ssize_t (*real)(int, void *, size_t, int);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "recv");
    return fails(&recv_error) != 0 ? -1 : real(descriptor, buffer, size, flags);
}

/* ---- what the kernel sends ---- */

/* A message about something in a table. What is NULL is left out. */
struct told {
    int kind; /* NFT_MSG_… */
    uint8_t family;
    const char *table, *name;
    const char *key, *key_end; /* addresses; "cut": three bytes */
    bool is_end;               /* of an interval */
    bool is_concatenated;      /* the address is followed by a port */
};

static char datagram[8192];
static size_t datagram_length;

static struct nlmsghdr *
begin_message(int kind, uint8_t family, uint32_t port)
{
    struct nlmsghdr *const message = mnl_nlmsg_put_header(datagram + datagram_length);
    struct nfgenmsg *const header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

    message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | kind);
    message->nlmsg_pid = port;
    header->nfgen_family = family;
    return message;
}

static void
end_message(const struct nlmsghdr *message)
{
    datagram_length += MNL_ALIGN(message->nlmsg_len);
}

static size_t
bytes_of(const char *address, uint8_t bytes[16])
{
    if (strcmp(address, "cut") == 0)
        return 3;
    if (inet_pton(AF_INET, address, bytes) == 1)
        return 4;
    assert_int_equal(inet_pton(AF_INET6, address, bytes), 1);
    return 16;
}

static void
put_key(struct nlmsghdr *message, uint16_t type, const struct told *told, const char *address)
{
    struct nlattr *const key = mnl_attr_nest_start(message, type);
    uint8_t bytes[24] = {0};
    const size_t length = bytes_of(address, bytes);

    mnl_attr_put(message, NFTA_DATA_VALUE, length + (told->is_concatenated ? 4 : 0), bytes);
    mnl_attr_nest_end(message, key);
}

static void
put_element(struct nlmsghdr *message, const struct told *told)
{
    struct nlattr *const list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
    struct nlattr *const element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);

    if (told->is_end)
        mnl_attr_put_u32(message, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
    put_key(message, NFTA_SET_ELEM_KEY, told, told->key);
    if (told->key_end != NULL)
        put_key(message, NFTA_SET_ELEM_KEY_END, told, told->key_end);
    mnl_attr_nest_end(message, element);
    mnl_attr_nest_end(message, list);
}

/* A rule has the address as it is in a packet, somewhere. */
static void
put_rule(struct nlmsghdr *message, const struct told *told)
{
    uint8_t bytes[16];

    mnl_attr_put(message, NFTA_RULE_EXPRESSIONS, bytes_of(told->key, bytes), bytes);
}

static void
tell(const struct told *told, uint32_t port)
{
    struct nlmsghdr *const message = begin_message(told->kind, told->family, port);

    if (told->table != NULL) /* the first attribute of each kind, and the name the second */
        mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, told->table);
    if (told->name != NULL)
        mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, told->name);
    if (told->key != NULL && (told->kind == NFT_MSG_NEWRULE || told->kind == NFT_MSG_DELRULE))
        put_rule(message, told);
    else if (told->key != NULL)
        put_element(message, told);
    end_message(message);
}

static void
tell_end(const char *process)
{
    struct nlmsghdr *const message = begin_message(NFT_MSG_NEWGEN, 0, 0);

    if (process != NULL) {
        mnl_attr_put_u32(message, NFTA_GEN_PROC_PID, htonl(77));
        mnl_attr_put_strz(message, NFTA_GEN_PROC_NAME, process);
    }
    end_message(message);
}

static void
send_datagram(void)
{
    assert_int_equal(send(kernel_end, datagram, datagram_length, 0), datagram_length);
    datagram_length = 0;
}

/* A transaction of some changes. */
static void
send_transaction(const struct told *told, size_t count, const char *process)
{
    for (size_t i = 0; i < count; i++)
        tell(&told[i], 0);
    tell_end(process);
    send_datagram();
}

/* ---- what the watch makes of it ---- */

static char heard[1024];

static void
hear(void *context, const struct watch_change *change)
{
    char first[SOURCE_TEXT_SIZE], last[SOURCE_TEXT_SIZE];
    const size_t length = strlen(heard);

    (void)context;
    source_print(&change->first, first);
    source_print(&change->last, last);
    snprintf(heard + length, sizeof(heard) - length, "%s%c%s %s %s-%s by %s %u",
             length > 0 ? "; " : "", change->is_added ? '+' : '-', change->is_rule ? "rule" : "",
             change->place, first, last, change->name, change->process);
}

static const char *
read_watch(struct watch *watch)
{
    heard[0] = '\0';
    assert_int_equal(watch_read(watch, hear, NULL), 0);
    return heard;
}

static struct watch *
watch_of(const char *asked)
{
    const struct source source = asked == NULL ? (struct source){0} : source_of(asked);
    struct watch *watch;

    assert_int_equal(watch_open(&watch, asked == NULL ? NULL : &source), 0);
    assert_true(watch_descriptor(watch) >= 0);
    return watch;
}

static void
end_watch(struct watch *watch)
{
    watch_close(watch);
    close(kernel_end);
}

#define ADD NFT_MSG_NEWSETELEM
#define DEL NFT_MSG_DELSETELEM
#define IP4 NFPROTO_IPV4
#define IP6 NFPROTO_IPV6

static void
what_is_put_in_and_taken_out_is_told_with_place_and_process(void **state)
{
    static const struct {
        const char *asked; /* NULL: all */
        struct told told[4];
        const char *process, *expected;
    } cases[] = {
        {NULL,
         {{ADD, NFPROTO_INET, "f", "bad", "192.0.2.9"}},
         "nft",
         "+ inet f bad 192.0.2.9-192.0.2.9 by nft 77"},
        {NULL,
         {{DEL, IP4, "f", "bad", "192.0.2.9"}},
         "nft",
         "- ip f bad 192.0.2.9-192.0.2.9 by nft 77"},
        {NULL,
         {{ADD, IP6, "f", "bad", "2001:db8::1"}},
         NULL,
         "+ ip6 f bad 2001:db8::1-2001:db8::1 by ? 0"},
        {NULL,
         {{ADD, NFPROTO_BRIDGE, "f", "bad", "192.0.2.9"}},
         "x",
         "+ bridge f bad 192.0.2.9-192.0.2.9 by x 77"},
        {NULL,
         {{ADD, NFPROTO_NETDEV, "f", NULL, "192.0.2.9"}},
         "x",
         "+ netdev f ? 192.0.2.9-192.0.2.9 by x 77"},
        {NULL, {{ADD, 99, NULL, "s", "192.0.2.9"}}, "x", "+ ? ? s 192.0.2.9-192.0.2.9 by x 77"},
        /* an address with a port behind it; a key that is none */
        {NULL,
         {{ADD, IP4, "f", "s", "192.0.2.9", .is_concatenated = true}},
         "x",
         "+ ip f s 192.0.2.9-192.0.2.9 by x 77"},
        {NULL,
         {{ADD, IP6, "f", "s", "2001:db8::1", .is_concatenated = true}},
         "x",
         "+ ip6 f s 2001:db8::1-2001:db8::1 by x 77"},
        {NULL, {{ADD, IP4, "f", "s", "cut"}}, "x", ""},
        {NULL, {{ADD, IP4, "f", "s", NULL}}, "x", ""},
        /* our own table is left out; one of that name in another family is not ours */
        {NULL, {{ADD, NFPROTO_INET, FIREWALL_TABLE, "v4", "192.0.2.9"}}, "x", ""},
        {NULL,
         {{ADD, IP4, FIREWALL_TABLE, "v4", "192.0.2.9"}},
         "x",
         "+ ip " FIREWALL_TABLE " v4 192.0.2.9-192.0.2.9 by x 77"},
        /* rules are told of one address, and only of it */
        {NULL, {{NFT_MSG_NEWRULE, IP4, "f", "input", "192.0.2.9"}}, "x", ""},
        {"192.0.2.9",
         {{NFT_MSG_NEWRULE, IP4, "f", "input", "192.0.2.9"}},
         "x",
         "+rule ip f input 192.0.2.9-192.0.2.9 by x 77"},
        {"192.0.2.9",
         {{NFT_MSG_DELRULE, IP4, "f", "input", "192.0.2.9"}},
         "x",
         "-rule ip f input 192.0.2.9-192.0.2.9 by x 77"},
        {"192.0.2.9", {{NFT_MSG_NEWRULE, IP4, "f", "input", "192.0.2.8"}}, "x", ""},
        {"2001:db8::1",
         {{NFT_MSG_NEWRULE, IP6, "f", "input", "2001:db8::1"}},
         "x",
         "+rule ip6 f input 2001:db8::1-2001:db8::1 by x 77"},
        {"2001:db8::/64", {{NFT_MSG_NEWRULE, IP6, "f", "input", "2001:db8::"}}, "x", ""},
        {"192.0.2.9", {{NFT_MSG_NEWCHAIN, IP4, "f", "input", "192.0.2.9"}}, "x", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct watch *const watch = watch_of(cases[i].asked);

        send_transaction(cases[i].told, 1, cases[i].process);
        assert_string_equal(read_watch(watch), cases[i].expected);
        end_watch(watch);
    }
}

/* An interval is [first, end): two elements, in whatever order, or one with both keys. */
static void
an_interval_touches_each_of_its_addresses_and_no_other(void **state)
{
    static const struct {
        const char *asked;
        bool is_told;
    } cases[] = {{"192.0.2.15", false},   {"192.0.2.16", true},    {"192.0.2.31", true},
                 {"192.0.2.32", false},   {"192.0.2.0/24", true},  {"192.0.2.24/29", true},
                 {"192.0.3.0/24", false}, {"2001:db8::/64", false}};
    static const struct told two_elements[] = {
        {ADD, IP4, "f", "s", "192.0.2.64", .is_end = true}, /* a farther one */
        {ADD, IP4, "f", "s", "192.0.2.32", .is_end = true},
        {ADD, IP4, "f", "s", "192.0.2.48", .is_end = true},
        {ADD, IP4, "f", "s", "192.0.2.16", .is_end = true},
        {DEL, IP4, "f", "s", "192.0.2.20", .is_end = true},
        {ADD, IP4, "f", "t", "192.0.2.20", .is_end = true},
        {ADD, IP4, "f", "s", "192.0.2.16"}};
    static const struct told both_keys[] = {
        {ADD, IP4, "f", "s", "192.0.2.16", .key_end = "192.0.2.31"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct watch *const watch = watch_of(cases[i].asked);
        const char *const told = cases[i].is_told ? "+ ip f s 192.0.2.16-192.0.2.31 by nft 77" : "";

        send_transaction(two_elements, sizeof(two_elements) / sizeof(two_elements[0]), "nft");
        assert_string_equal(read_watch(watch), told);
        send_transaction(both_keys, 1, "nft");
        assert_string_equal(read_watch(watch), told);
        end_watch(watch);
    }
}

static void
an_interval_that_ends_on_a_round_number_borrows_from_each_byte(void **state)
{
    static const struct told told[] = {{ADD, IP4, "f", "s", "10.0.0.0"},
                                       {ADD, IP4, "f", "s", "11.0.0.0", .is_end = true}};
    struct watch *const watch = watch_of(NULL);

    (void)state;
    send_transaction(told, 2, "nft");
    assert_string_equal(read_watch(watch), "+ ip f s 10.0.0.0-10.255.255.255 by nft 77");
    end_watch(watch);
}

static void
a_transaction_that_was_lost_in_part_is_not_told(void **state)
{
    static const struct told told = {ADD, IP4, "f", "s", "192.0.2.9"};
    struct watch *const watch = watch_of(NULL);

    (void)state;
    tell(&told, 0);
    send_datagram();
    assert_string_equal(read_watch(watch), "");
    recv_error = ENOBUFS;
    assert_int_equal(watch_read(watch, hear, NULL), -ENOBUFS);
    send_transaction(NULL, 0, "nft");
    assert_string_equal(read_watch(watch), "");
    recv_error = EINTR;
    assert_int_equal(watch_read(watch, hear, NULL), 0);
    recv_error = EIO;
    assert_int_equal(watch_read(watch, hear, NULL), -EIO);
    end_watch(watch);
}

static void
a_transaction_longer_than_is_kept_is_told_as_far_as_it_is(void **state)
{
    static const struct told element = {ADD, IP4, "f", "s", "192.0.2.9"},
                             rule = {NFT_MSG_NEWRULE, IP4, "f", "input", "192.0.2.9"};
    struct watch *const watch = watch_of("192.0.2.9");

    (void)state;
    for (unsigned i = 0; i < 4096; i++) {
        tell(&element, 0);
        send_datagram();
        read_watch(watch);
    }
    tell(&element, 0);
    tell(&rule, 0);
    send_transaction(NULL, 0, "nft");
    read_watch(watch);
    assert_null(strstr(heard, "rule"));
    send_transaction(&rule, 1, "nft"); /* and the next one is whole again */
    assert_string_equal(read_watch(watch), "+rule ip f input 192.0.2.9-192.0.2.9 by nft 77");
    end_watch(watch);
}

/* ---- what the monitor makes of it ---- */

static struct monitor *
begin_monitor(void)
{
    struct monitor *monitor;

    assert_int_equal(monitor_open(&monitor, OUR_PORT), 0);
    assert_true(monitor_descriptor(monitor) >= 0);
    monitor_watch(monitor, "no set");
    monitor_watch(monitor, "ip filter bad4");
    monitor_watch(monitor, "ip6 filter bad6");
    monitor_watch(monitor, "inet filter third"); /* of at most two */
    return monitor;
}

#define OURS NFPROTO_INET, FIREWALL_TABLE

static void
what_others_do_to_our_part_of_the_ruleset_has_a_name(void **state)
{
    static const struct {
        struct told told[2];
        enum monitor_event event;
        const char *deleted;
    } cases[] = {
        {{{DEL, OURS, "v4", "192.0.2.9"}}, MONITOR_DELETED, "192.0.2.9"},
        {{{DEL, OURS, "v4_24", "192.0.2.0"}}, MONITOR_DELETED, "192.0.2.0/24"},
        {{{DEL, OURS, "v6_64", "2001:db8::"}}, MONITOR_DELETED, "2001:db8::/64"},
        {{{DEL, OURS, "v6_999", "2001:db8::"}}, MONITOR_DAMAGED, NULL},
        {{{DEL, OURS, "v4", "cut"}}, MONITOR_DAMAGED, NULL},
        {{{DEL, OURS, "v4", NULL}}, MONITOR_DAMAGED, NULL},
        {{{DEL, OURS, NULL, "192.0.2.9"}}, MONITOR_DAMAGED, NULL},
        {{{DEL, OURS, "v4", "192.0.2.9"}, {DEL, OURS, "v4", "192.0.2.8"}}, MONITOR_DAMAGED, NULL},
        {{{NFT_MSG_DELCHAIN, OURS, "mail"}}, MONITOR_DAMAGED, NULL},
        {{{NFT_MSG_DELRULE, OURS, "mail"}}, MONITOR_DAMAGED, NULL},
        {{{NFT_MSG_DELRULE, IP4, "filter", "input"}}, MONITOR_NOTHING, NULL},
        {{{NFT_MSG_DELTABLE, OURS}}, MONITOR_LOST, NULL},
        {{{NFT_MSG_DELSET, OURS, "v4"}}, MONITOR_LOST, NULL},
        {{{NFT_MSG_DELTABLE, IP4, FIREWALL_TABLE}}, MONITOR_NOTHING, NULL},
        {{{NFT_MSG_DELTABLE, NFPROTO_INET, NULL}}, MONITOR_NOTHING, NULL},
        {{{ADD, OURS, "v4", "192.0.2.9"}}, MONITOR_NOTHING, NULL},
        /* the administrator's two sets */
        {{{DEL, IP4, "filter", "bad4", "192.0.2.9"}}, MONITOR_DELETED, "192.0.2.9"},
        {{{DEL, IP6, "filter", "bad6", "2001:db8::1"}}, MONITOR_DELETED, "2001:db8::1"},
        {{{DEL, IP6, "filter", "bad4", "2001:db8::1"}}, MONITOR_NOTHING, NULL},
        {{{DEL, IP4, "other", "bad4", "192.0.2.9"}}, MONITOR_NOTHING, NULL},
        {{{DEL, NFPROTO_INET, "filter", "third", "192.0.2.9"}}, MONITOR_NOTHING, NULL},
        {{{NFT_MSG_DELSET, IP4, "filter", "bad4"}}, MONITOR_LOST, NULL},
        {{{NFT_MSG_DELSET, IP4, "filter", "good"}}, MONITOR_NOTHING, NULL},
        {{{NFT_MSG_DELSET, IP4, "filter", NULL}}, MONITOR_NOTHING, NULL},
        {{{NFT_MSG_DELTABLE, IP4, "filter"}}, MONITOR_LOST, NULL},
    };
    struct monitor *const monitor = begin_monitor();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char process[MONITOR_PROCESS_SIZE], text[SOURCE_TEXT_SIZE];
        struct source deleted;

        send_transaction(cases[i].told, cases[i].told[1].kind != 0 ? 2 : 1, i % 2 ? NULL : "nft");
        if (monitor_read(monitor, &deleted, process) != cases[i].event)
            fail_msg("case %zu: another event", i);
        if (cases[i].event != MONITOR_NOTHING)
            assert_string_equal(process, i % 2 ? "?" : "nft");
        if (cases[i].deleted != NULL) {
            source_print(&deleted, text);
            assert_string_equal(text, cases[i].deleted);
        }
        assert_int_equal(monitor_read(monitor, &deleted, process), MONITOR_NOTHING);
    }
    monitor_close(monitor);
    close(kernel_end);
}

static void
our_own_changes_and_what_is_no_notification_are_passed_over(void **state)
{
    static const struct told told = {DEL, OURS, "v4", "192.0.2.9"};
    struct monitor *const monitor = begin_monitor();
    struct watch *watch;
    char process[MONITOR_PROCESS_SIZE];
    struct source deleted;
    struct nlmsghdr *message;

    (void)state;
    tell(&told, OUR_PORT);
    message = begin_message(DEL, NFPROTO_INET, 0);
    message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | DEL;
    end_message(message);
    message = mnl_nlmsg_put_header(datagram + datagram_length);
    message->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | DEL; /* and it ends there */
    end_message(message);
    tell_end("nft");
    send_datagram();
    assert_int_equal(monitor_read(monitor, &deleted, process), MONITOR_NOTHING);
    monitor_close(monitor);
    close(kernel_end);

    watch = watch_of(NULL);
    message = mnl_nlmsg_put_header(datagram);
    message->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | DEL;
    end_message(message);
    send_transaction(NULL, 0, "nft");
    assert_string_equal(read_watch(watch), "");
    end_watch(watch);
}

static void
missed_notifications_are_told_and_end_the_transaction(void **state)
{
    static const struct told told = {DEL, OURS, "v4", "192.0.2.9"};
    struct monitor *const monitor = begin_monitor();
    char process[MONITOR_PROCESS_SIZE];
    struct source deleted;

    (void)state;
    tell(&told, 0);
    send_datagram();
    assert_int_equal(monitor_read(monitor, &deleted, process), MONITOR_NOTHING);
    recv_error = ENOBUFS;
    assert_int_equal(monitor_read(monitor, &deleted, process), MONITOR_MISSED);
    send_transaction(NULL, 0, "nft");
    assert_int_equal(monitor_read(monitor, &deleted, process), MONITOR_NOTHING);
    recv_error = EIO;
    assert_int_equal(monitor_read(monitor, &deleted, process), MONITOR_NOTHING);
    monitor_close(monitor);
    close(kernel_end);
}

static void
a_socket_that_is_refused_is_an_error_and_leaves_nothing_open(void **state)
{
    int *const errors[] = {&socket_error, &filter_error, &bind_error};
    const int free_descriptor = dup(0);
    struct monitor *monitor;
    struct watch *watch;

    (void)state;
    close(free_descriptor);
    for (size_t i = 0; i < 3; i++) {
        *errors[i] = EPERM;
        assert_int_equal(monitor_open(&monitor, OUR_PORT), -EPERM);
        assert_null(monitor);
        if (i > 0)
            close(kernel_end);
    }
    bind_error = EPERM;
    assert_int_equal(watch_open(&watch, NULL), -EPERM);
    assert_null(watch);
    close(kernel_end);
    assert_int_equal(dup(0), free_descriptor);
    close(free_descriptor);
    watch_close(NULL);
    monitor_close(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_in_and_taken_out_is_told_with_place_and_process),
        cmocka_unit_test(an_interval_touches_each_of_its_addresses_and_no_other),
        cmocka_unit_test(an_interval_that_ends_on_a_round_number_borrows_from_each_byte),
        cmocka_unit_test(a_transaction_that_was_lost_in_part_is_not_told),
        cmocka_unit_test(a_transaction_longer_than_is_kept_is_told_as_far_as_it_is),
        cmocka_unit_test(what_others_do_to_our_part_of_the_ruleset_has_a_name),
        cmocka_unit_test(our_own_changes_and_what_is_no_notification_are_passed_over),
        cmocka_unit_test(missed_notifications_are_told_and_end_the_transaction),
        cmocka_unit_test(a_socket_that_is_refused_is_an_error_and_leaves_nothing_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
