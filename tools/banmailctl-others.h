/* others: who else on this host blocks an address; every rule, set and map of nftables and every
 * chain of the older iptables that names it.
 *
 * They are asked through their own programs: nft -j, and iptables-save in both forms and ipset, see
 * banmailctl-iptables.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_OTHERS_H
#define BANMAILCTL_OTHERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source.h"

#define OTHERS_MOST      64
#define OTHERS_TEXT_SIZE 320

struct other {
    char place[OTHERS_TEXT_SIZE];  /* set inet filter blocklist; chain ip filter INPUT */
    char detail[OTHERS_TEXT_SIZE]; /* 203.0.113.0/24; drop, by chain inet filter input */
    char remedy[OTHERS_TEXT_SIZE]; /* the command that takes it out; "" when we do not know one */
};

struct others {
    struct other list[OTHERS_MOST]; /* without our own sets */
    unsigned count;
    bool was_asked;    /* false: see trouble */
    bool is_enforced;  /* whether our own table's sets hold the address */
    char trouble[160]; /* why they could not be asked; "" */
};

/* Asks for a source: a single address, or a prefix (then what holds all of it). Runs programs; at
 * most timeout_ms altogether. */
void others_ask(const struct source *source, int timeout_ms, struct others *others);

/* For who fills the list: the next place in it, or NULL when it is full; a text of one of its
 * members, without what a terminal would take for more than text; whether an address or prefix, or
 * what lies from one address to another, holds the source. */
struct other *others_add(struct others *others);
void others_print(char text[OTHERS_TEXT_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool others_text_holds(const char *text, const struct source *source);
bool others_range_holds(const char *low, const char *high, const struct source *source);

#endif
