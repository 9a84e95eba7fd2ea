/* forbid-netlink COMMAND…: runs a command that can open no AF_NETLINK socket.
 *
 * The same as systemd's RestrictAddressFamilies= without AF_NETLINK: socket(2) answers
 * EAFNOSUPPORT, everything else works. So a sandboxed rsyslog.service can be played without
 * systemd. Only the machine's own kind of system call is filtered: this is no sandbox.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The low half of the first argument, where the kernel keeps it. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FAMILY_OFFSET offsetof(struct seccomp_data, args[0])
#else
#define FAMILY_OFFSET (offsetof(struct seccomp_data, args[0]) + 4)
#endif

static int
forbid_netlink(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FAMILY_OFFSET),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(rules) / sizeof(rules[0]), .filter = rules};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
        return -errno;
    return 0;
}

int
main(int argc, char **argv)
{
    int error;

    if (argc < 2) {
        fprintf(stderr, "usage: forbid-netlink COMMAND [ARGUMENT…]\n");
        return 2;
    }
    error = forbid_netlink();
    if (error != 0) {
        fprintf(stderr, "forbid-netlink: %s\n", strerror(-error));
        return 126;
    }
    execvp(argv[1], argv + 1);
    fprintf(stderr, "forbid-netlink: %s: %s\n", argv[1], strerror(errno));
    return 127;
}
