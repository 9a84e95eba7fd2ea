/* blocker: one who blocks an address beside us, and the list of them.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_BLOCKER_H
#define BANMAILCTL_BLOCKER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/source.h"

#define BLOCKERS_MOST      64
#define BLOCKERS_TEXT_SIZE 320

struct blocker {
    char place[BLOCKERS_TEXT_SIZE];  /* set inet filter blocklist; chain ip filter INPUT */
    char detail[BLOCKERS_TEXT_SIZE]; /* 203.0.113.0/24; drop, by chain inet filter input */
    char remedy[BLOCKERS_TEXT_SIZE]; /* the command that lifts it; "": it lets in, or is too long */
};

struct blockers {
    struct blocker list[BLOCKERS_MOST]; /* without our own sets */
    unsigned count;
    bool was_asked;    /* false: see trouble */
    bool is_enforced;  /* whether our sets, or ours in the administrator's, hold the address */
    char trouble[160]; /* why they could not be asked; "" */
};

/* For who fills the list: the next place in it, or NULL when it is full; a text of one of its
 * members, without what a terminal would take for more than text; whether an address or prefix, or
 * what lies from one address to another, holds the source. */
struct blocker *blocker_add(struct blockers *others);
void blocker_print(char text[BLOCKERS_TEXT_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool blocker_text_holds(const char *text, const struct source *source);
bool blocker_range_holds(const char *low, const char *high, const struct source *source);

#endif
