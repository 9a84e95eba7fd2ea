/* herald: what this server's table has decided, as messages for the other servers of a fleet.
 *
 * It makes the messages (fleet/telegram.h) and sends nothing: whoever has a way to send calls it,
 * with each ban that has changed, and once a second for the next page. Bans of other servers are
 * not passed on, nor those of this server's jails that count each host by itself and are its own.
 *
 * It hears the hosts' reports as well: one that holds something else gets a cycle of pages at once.
 *
 * Any thread; a lock of its own, which is held while a page is made; no function reads a clock or
 * makes a system call.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_HERALD_H
#define BANMAIL_HERALD_H

#include <stdbool.h>
#include <stdint.h>

#include "fleet/hosts.h"
#include "fleet/telegram.h"
#include "table/table.h"

#define HERALD_PARDONS 256  /* that are remembered at once: the latest */
#define HERALD_MEMBERS 1024 /* hosts whose reports are remembered */

struct herald;

/* For the server of this name; `hosts`, which may be NULL and has to outlive it, names those whom a
 * ban of one host alone is for. Returns NULL when out of memory. Free with herald_free; NULL is
 * fine. */
struct herald *herald_new(const struct table *table, const char *origin, struct hosts *hosts);
void herald_free(struct herald *herald);

/* A ban has begun, goes on longer, or has been lifted: the message for it. Returns its length, or 0
 * where nobody else has to hear of it. */
int herald_tell(struct herald *herald, const struct ban *ban, int64_t now_ms,
                char text[TELEGRAM_TEXT_SIZE]);

/* An administrator has lifted the bans of `source`: whoever has one that began by since_ms is to
 * lift it as well; pages tell it again until until_ms. Returns the length of the message, or 0
 * where there can be none, as for `::/0`: then pages do not tell it either. */
int herald_pardon(struct herald *herald, const struct source *source, int64_t since_ms,
                  int64_t until_ms, int64_t now_ms, char text[TELEGRAM_TEXT_SIZE]);

/* The pardons that are remembered, a line for each, to be freed (NULL: out of memory); and back, at
 * a start: those that are none, or over, are left out. */
char *herald_print_pardons(struct herald *herald, int64_t now_ms);
void herald_restore_pardons(struct herald *herald, const char *text, int64_t now_ms);

/* The next page. Returns its length; 0: none this time. Reads all bans: milliseconds for 50,000. */
int herald_page(struct herald *herald, int64_t now_ms, char text[TELEGRAM_TEXT_SIZE]);

/* The next page of a cycle that a host needs at once, *name that host's, "" for all; likewise. */
int herald_page_at_once(struct herald *herald, int64_t now_ms, char text[TELEGRAM_TEXT_SIZE],
                        char name[TELEGRAM_NAME_SIZE]);

/* Whether such a cycle goes on, or somebody waits for one. */
bool herald_is_asked(struct herald *herald);

/* Whether there has been no ban for two cycles: then pages have nothing to tell that is new. */
bool herald_is_idle(struct herald *herald);

/* Who is to be banned by nobody: up to TELEGRAM_MEMBERS_MAX single addresses. Returns the length of
 * the message, or 0. */
int herald_members(struct herald *herald, const struct source *addresses, unsigned count,
                   int64_t now_ms, char text[TELEGRAM_TEXT_SIZE]);

/* Takes a report that `peer` has delivered. Returns whether it asks for pages. */
bool herald_take_report(struct herald *herald, const struct source *peer,
                        const struct telegram *report, int64_t now_ms);

/* Asks for pages for the hosts of that name, NULL: for all. Returns how many hosts these are. */
unsigned herald_ask(struct herald *herald, const char *name);

/* The hosts as roster_print has them; to be freed; NULL: out of memory. */
char *herald_roster(struct herald *herald, int64_t now_ms);

/* As members_addresses, and members_clash with this server's name. */
unsigned herald_addresses(struct herald *herald, int64_t now_ms, struct source *addresses,
                          unsigned most);
bool herald_clash(struct herald *herald, int64_t now_ms, char name[TELEGRAM_NAME_SIZE]);

#endif
