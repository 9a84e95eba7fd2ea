/* hosts: which number the table has for each host of the fleet, so that a jail can count each host
 * by itself, and its bans are sent to that host alone.
 *
 * A host is who delivers, as the kernel says it, and only where that is nobody who reports, whom
 * the line names: so no host that reports can have anybody banned on another one. A name belongs to
 * the address that has reported by it first, until that was silent for a day.
 *
 * Numbers stand in the table and in the ledger, and never change: whoever keeps this writes it down
 * (hosts_print) before a new host is found by anybody (hosts_use). There is room for HOSTS_MAX, for
 * HOSTS_EVER_OF_PEER of one address, and for HOSTS_OF_PEER of it that have reported within a day;
 * the others are counted as this server, as is one with the name of the whole fleet's scope.
 *
 * Any thread, unless said otherwise; a lock of its own; no function reads a clock or makes a system
 * call.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_HOSTS_H
#define BANMAIL_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/source.h"
#include "fleet/telegram.h"

#define HOSTS_SUFFIX       ".hosts" /* of the file, behind the ledger's name */
#define HOSTS_MAX          1024
#define HOSTS_EVER_OF_PEER (HOSTS_MAX / 4)
#define HOSTS_OF_PEER      8

enum hosts_news {
    HOSTS_SAME,
    HOSTS_CHANGED, /* and to be written down */
    HOSTS_REFUSED, /* it gets no number */
};

struct hosts;

/* For the server of this name, which is none of them. Returns NULL when out of memory. Free with
 * hosts_free; NULL is fine. */
struct hosts *hosts_new(const char *own);
void hosts_free(struct hosts *hosts);

/* `peer` has reported by this name at now_ms. Returns what that has changed. */
enum hosts_news hosts_note(struct hosts *hosts, const char *name, const struct source *peer,
                           int64_t now_ms);

/* All of them as text, to be freed (NULL: out of memory); and that it has been written down. One
 * thread. */
char *hosts_print(struct hosts *hosts);
void hosts_use(struct hosts *hosts);

/* What hosts_print has made, in place of what there is, as if all had reported at now_ms. What is
 * none of it is left out. */
void hosts_read(struct hosts *hosts, const char *text, int64_t now_ms);

/* Which scope of the table a line has that `peer` delivers and that names this host, `length` bytes
 * that anybody may have chosen; `peer` NULL: it is not known. TABLE_SCOPE_OWN: no other host's, or
 * of several behind one address none that it names. What comes over loopback and names this server
 * is its own, also where hosts report through a tunnel. */
uint16_t hosts_scope(struct hosts *hosts, const struct source *peer, const char *name,
                     size_t length);

/* The name of the host that has this scope. Returns false where there is none. */
bool hosts_name(struct hosts *hosts, uint16_t scope, char name[TELEGRAM_NAME_SIZE]);

/* The last scope that a number stands for, be it nobody's; TABLE_SCOPE_OWN: there is none. */
uint16_t hosts_last(struct hosts *hosts);

#endif
