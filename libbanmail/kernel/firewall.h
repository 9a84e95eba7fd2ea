/* firewall: the kernel's sets, through libnftables. The only file that knows of it.
 *
 *   table inet ombanmail {
 *       set v4    { type ipv4_addr; flags timeout; }      single addresses
 *       set v6    { type ipv6_addr; flags timeout; }
 *       set v6_64 { type ipv6_addr; flags timeout; }      prefixes, by their base address
 *       chain prerouting {
 *           type filter hook prerouting priority -150;  (conntrack is -200, DNAT -100)
 *           ct direction original tcp dport { 25, … } ip saddr @v4 drop
 *           ct direction original tcp dport { 25, … } ip6 saddr & ffff:ffff:ffff:ffff:: @v6_64 drop
 *       }
 *   }
 *
 * and in each set one element of all ones, which is no ban (firewall_is_marker).
 *
 * These are the sets of the mail ports. Each other list of ports has sets and rules of its own,
 * named for it: v4_all, v4_ports_25_465, v6_64_all; and so has one whose verdict is not the
 * policy's: v4_reject, v6_64_all_drop. All that drop stand in front of all that reject: who is in
 * sets of both gets no answer.
 *
 * A prefix is a masked key in a plain set of its own, made when first needed; never an interval
 * set (adding to one of 100,000 costs 0.6 s).
 *
 * All functions make system calls, may take long beside somebody's big interval sets, and may be
 * called from one thread only, the one that called firewall_open: libnftables is not thread-safe.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_FIREWALL_H
#define BANMAIL_FIREWALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ports.h"
#include "base/source.h"
#include "base/verdict.h"

#define FIREWALL_TABLE        "ombanmail" /* family inet */
#define FIREWALL_BATCH        1000        /* elements in one command, usually */
#define FIREWALL_BATCH_MOST   4000        /* and at most */
#define FIREWALL_LISTS        64          /* lists of ports at once */
#define FIREWALL_SET_SIZE     160
#define FIREWALL_COMMENT_SIZE 128 /* the kernel takes more, the library no more */
#define FIREWALL_FOREVER_MS   INT64_MAX
#define FIREWALL_REASON_SIZE  256
#define FIREWALL_WAS_LOST     1 /* see firewall_apply */

struct firewall;

enum firewall_family { FIREWALL_V4, FIREWALL_V6, FIREWALL_FAMILIES };

/* What is closed, and how. A list of ports with count 0 is none. */
struct firewall_policy {
    enum verdict verdict;
    /* The administrator's sets, "inet blocklist bad_ips", that take the elements of a family in
     * place of ours; "": none. What is done with them is his affair. */
    char set[FIREWALL_FAMILIES][FIREWALL_SET_SIZE];
    unsigned shortest[FIREWALL_FAMILIES]; /* prefix, in bits of the family, that jails ban */
    uint32_t most;                        /* elements there may be */
    struct ports lists[FIREWALL_LISTS];
    /* … and its verdict, where it has one of its own: lists of the same ports may differ by it */
    enum verdict verdicts[FIREWALL_LISTS];
};

struct firewall_change {
    struct source source;
    uint8_t list;       /* which of the policy's lists of ports */
    bool wanted;        /* true: in the set; false: not in the set */
    int64_t timeout_ms; /* ≥ 1; how long from now; FIREWALL_FOREVER_MS: until removed */
    /* what `nft list set` shows beside it; letters, digits, spaces, - and _; "": nothing */
    char comment[FIREWALL_COMMENT_SIZE];
};

/* Opens. Returns 0, or a negative errno with cause and remedy as one sentence in reason:
 * -EAFNOSUPPORT where a sandbox forbids AF_NETLINK (libnftables would end the process: probed
 * first), -EPROTONOSUPPORT where the kernel has no nf_tables, -EMFILE where the descriptor would
 * be ≥ 1024 (libnftables would abort), -ENOMEM. Touches no ruleset. Free with firewall_close. */
int firewall_open(struct firewall **firewall, char reason[FIREWALL_REASON_SIZE]);

/* Sets the policy: the next firewall_apply lays the rules anew. Until it is called, list 0 is the
 * mail ports, and the verdict is to drop. */
void firewall_set_policy(struct firewall *firewall, const struct firewall_policy *policy);

/* Makes the elements so, in one transaction: all or none; creates table, sets, chain and rules
 * where they are missing. `count` ≤ FIREWALL_BATCH_MOST, each source and list at most once. An
 * element that is there already gets the new timeout, on every kernel (but keeps its comment from
 * Linux 6.12 on); one that is not there is no error to remove. Returns 0; FIREWALL_WAS_LOST when it
 * is done as well, but somebody had deleted our table meanwhile, and with it everything applied
 * before; or a negative errno with cause and remedy in reason: -EPERM without CAP_NET_ADMIN,
 * -ENFILE when a set is full, -EIO else. */
int firewall_apply(struct firewall *firewall, const struct firewall_change *changes, size_t count,
                   char reason[FIREWALL_REASON_SIZE]);

/* Makes table, sets, chain and rules where they are missing, as firewall_apply does, without any
 * element; nothing where they are known to be there. A table that stands before the first ban has
 * the kernel track connections from then on, so that the ban ends those that are open. Returns as
 * firewall_apply. */
int firewall_lay(struct firewall *firewall, char reason[FIREWALL_REASON_SIZE]);

/* Whether the text names a set: family (ip, ip6, inet), table, set. Any thread. */
bool firewall_is_set_name(const char *text);

/* Looks at the administrator's sets: type, flags, size; but only when that is due: at first, and
 * after an error. Returns 0, or as firewall_apply with cause and remedy: -ENOENT, or -EINVAL when a
 * set cannot take what is to be banned. What works, but is worth a warning, goes to `warning` ("":
 * nothing). */
int firewall_check_sets(struct firewall *firewall, char warning[FIREWALL_REASON_SIZE],
                        char reason[FIREWALL_REASON_SIZE]);

/* Whether there is a set for it: an administrator's set of single addresses takes no prefix. What
 * it does not hold must not be given to firewall_apply. */
bool firewall_holds(const struct firewall *firewall, const struct firewall_change *change);

/* Calls `each` for every element of our sets: source, list and in timeout_ms the time that is left;
 * of the administrator's sets for those whose comment says that they are ours. 0.7 s for 100,000.
 * Returns as firewall_apply. */
int firewall_list(struct firewall *firewall,
                  void (*each)(void *context, const struct firewall_change *element), void *context,
                  char reason[FIREWALL_REASON_SIZE]);

/* Somebody may have damaged our table: the next firewall_apply adds what of it is missing and lays
 * the rules anew; an element that is there stays. Those that are not have to be applied again. */
void firewall_restore(struct firewall *firewall);

/* Our table holds what it should not: the next firewall_apply deletes it and makes it anew, in one
 * transaction with its elements. All else has to be applied again after it. */
void firewall_rebuild(struct firewall *firewall);

/* Whether the next firewall_apply does so. */
bool firewall_is_broken(const struct firewall *firewall);

/* Whether it is the element, no ban, that each set of ours holds so that the monitor can tell a
 * flushed set from a deleted element. */
bool firewall_is_marker(const struct source *source);

/* The netlink port of our own changes, as the kernel's notifications have it. */
uint32_t firewall_port(const struct firewall *firewall);

/* Deletes the whole table inet ombanmail; no error when there is none. Returns as
 * firewall_apply. */
int firewall_remove(struct firewall *firewall, char reason[FIREWALL_REASON_SIZE]);

/* NULL is fine. */
void firewall_close(struct firewall *firewall);

#endif
