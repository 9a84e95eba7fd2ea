/* latency: how long from a line that is written to the element in the kernel's set.
 *
 * Both ends are seen from outside: the line is written the way a daemon writes it (a datagram to
 * /dev/log, a TCP connection, a file), and the kernel's own nftables notification says when the
 * element is there. One client after the other: each writes maxretry failures, and the clock runs
 * from before the write of the last one until the notification for its address has been received.
 * A pause between clients lets every thread go to sleep, so waking up is measured too.
 *
 *   latency socket:/dev/log|tcp:127.0.0.1:PORT|file:PATH [CLIENTS [MAXRETRY [PAUSE-MICROSECONDS]]]
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX  60000
#define TIMEOUT_MS   5000
#define FIRST_CLIENT UINT32_C(0xc6120001) /* 198.18.0.1: the network for benchmarks (RFC 2544) */

struct target {
    int descriptor;
    bool datagrams;    /* one line each, without newline and host name: syslog(3)'s form */
    bool has_priority; /* a file's lines have none */
};

struct wanted {
    uint32_t address; /* network byte order */
    bool seen;
};

static int64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int
open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_DGRAM, 0);

    if (descriptor < 0 || strlen(path) >= sizeof(address.sun_path))
        return -1;
    memcpy(address.sun_path, path, strlen(path));
    return connect(descriptor, (struct sockaddr *)&address, sizeof(address)) ? -1 : descriptor;
}

static int
open_tcp(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strrchr(text, ':');
    char host[64];
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);

    if (descriptor < 0 || colon == NULL || (size_t)(colon - text) >= sizeof(host))
        return -1;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    address.sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return -1;
    return connect(descriptor, (struct sockaddr *)&address, sizeof(address)) ? -1 : descriptor;
}

static int
open_target(const char *text, struct target *target)
{
    *target = (struct target){.descriptor = -1, .has_priority = true};
    if (strncmp(text, "socket:", 7) == 0) {
        target->datagrams = true;
        target->descriptor = open_socket(text + 7);
    } else if (strncmp(text, "tcp:", 4) == 0) {
        target->descriptor = open_tcp(text + 4);
    } else if (strncmp(text, "file:", 5) == 0) {
        target->has_priority = false;
        target->descriptor = open(text + 5, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    } else {
        errno = EINVAL;
    }
    return target->descriptor < 0 ? -1 : 0;
}

/* What Postfix writes when SASL says no. */
static int
write_line(const struct target *target, const char *client, unsigned attempt)
{
    char stamp[32], line[512];
    struct tm local;
    time_t now = time(NULL);
    int length;

    strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", localtime_r(&now, &local));
    length = snprintf(line, sizeof(line),
                      "%s%s%s postfix/submission/smtpd[2603]: warning: unknown[%s]: SASL LOGIN "
                      "authentication failed: (reason unavailable), "
                      "sasl_username=user%u@example.org%s",
                      target->has_priority ? "<22>" : "", stamp, target->datagrams ? "" : " mx1",
                      client, attempt, target->datagrams ? "" : "\n");
    return write(target->descriptor, line, (size_t)length) == length ? 0 : -1;
}

/* An element: does its key's value equal the client's address? */
static int
look_at_element(const struct nlattr *attribute, void *context)
{
    struct wanted *wanted = context;
    const struct nlattr *value;

    if (mnl_attr_get_type(attribute) != NFTA_SET_ELEM_KEY)
        return MNL_CB_OK;
    mnl_attr_for_each_nested(value, attribute)
    {
        if (mnl_attr_get_type(value) == NFTA_DATA_VALUE &&
            mnl_attr_get_payload_len(value) == sizeof(wanted->address) &&
            memcmp(mnl_attr_get_payload(value), &wanted->address, sizeof(wanted->address)) == 0)
            wanted->seen = true;
    }
    return MNL_CB_OK;
}

static int
look_at_elements(const struct nlattr *attribute, void *context)
{
    const struct nlattr *element;

    if (mnl_attr_get_type(attribute) != NFTA_SET_ELEM_LIST_ELEMENTS)
        return MNL_CB_OK;
    mnl_attr_for_each_nested(element, attribute)
        mnl_attr_parse_nested(element, look_at_element, context);
    return MNL_CB_OK;
}

static int
look_at_message(const struct nlmsghdr *message, void *context)
{
    if (message->nlmsg_type == ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWSETELEM))
        mnl_attr_parse(message, sizeof(struct nfgenmsg), look_at_elements, context);
    return MNL_CB_OK;
}

static struct mnl_socket *
open_monitor(void)
{
    struct mnl_socket *monitor = mnl_socket_open(NETLINK_NETFILTER);
    int group = NFNLGRP_NFTABLES;

    if (monitor == NULL)
        return NULL;
    if (mnl_socket_bind(monitor, 0, MNL_SOCKET_AUTOPID) == 0 &&
        mnl_socket_setsockopt(monitor, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0)
        return monitor;
    mnl_socket_close(monitor);
    return NULL;
}

/* Returns when the element was announced, or -1 when it was not within the time. */
static int64_t
wait_for_element(struct mnl_socket *monitor, struct wanted *wanted)
{
    char buffer[65536];
    struct pollfd poll_monitor = {.fd = mnl_socket_get_fd(monitor), .events = POLLIN};

    while (poll(&poll_monitor, 1, TIMEOUT_MS) == 1) {
        ssize_t length = mnl_socket_recvfrom(monitor, buffer, sizeof(buffer));
        int64_t now = now_ns();

        if (length < 0)
            return -1;
        mnl_cb_run(buffer, (size_t)length, 0, 0, look_at_message, wanted);
        if (wanted->seen)
            return now;
    }
    return -1;
}

/* One client attacks. Returns the nanoseconds until its ban, or -1. */
static int64_t
measure(struct mnl_socket *monitor, const struct target *target, uint32_t client, unsigned maxretry)
{
    struct wanted wanted = {.address = htonl(client)};
    char text[INET_ADDRSTRLEN];
    int64_t start = 0, end;

    inet_ntop(AF_INET, &wanted.address, text, sizeof(text));
    for (unsigned attempt = 1; attempt <= maxretry; attempt++) {
        start = now_ns();
        if (write_line(target, text, attempt) != 0)
            return -1;
    }
    end = wait_for_element(monitor, &wanted);
    return end < 0 ? -1 : end - start;
}

static int
compare(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

static void
print_figures(const char *target, int64_t *times, size_t count)
{
    qsort(times, count, sizeof(*times), compare);
    printf("%-24s n %zu  median %.3f ms  p99 %.3f ms  max %.3f ms\n", target, count,
           (double)times[count / 2] / 1e6, (double)times[(count * 99 - 1) / 100] / 1e6,
           (double)times[count - 1] / 1e6);
}

int
main(int argc, char **argv)
{
    static int64_t times[CLIENTS_MAX];
    struct target target;
    struct mnl_socket *monitor;
    unsigned long clients = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    unsigned maxretry = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 5;
    struct timespec pause = {.tv_nsec = (argc > 4 ? strtol(argv[4], NULL, 10) : 1000) * 1000};

    if (argc < 2 || clients < 1 || clients > CLIENTS_MAX || maxretry < 1) {
        fprintf(stderr, "usage: latency socket:PATH|tcp:ADDRESS:PORT|file:PATH "
                        "[CLIENTS [MAXRETRY [PAUSE-MICROSECONDS]]]\n");
        return 2;
    }
    monitor = open_monitor();
    if (monitor == NULL || open_target(argv[1], &target) != 0) {
        fprintf(stderr, "latency: %s: %s\n", monitor ? argv[1] : "netlink", strerror(errno));
        return 1;
    }
    for (unsigned long i = 0; i < clients; i++) {
        times[i] = measure(monitor, &target, FIRST_CLIENT + (uint32_t)i, maxretry);
        if (times[i] < 0) {
            fprintf(stderr, "latency: %s: client %lu was not banned\n", argv[1], i);
            return 1;
        }
        nanosleep(&pause, NULL);
    }
    print_figures(argv[1], times, clients);
    mnl_socket_close(monitor);
    close(target.descriptor);
    return 0;
}
