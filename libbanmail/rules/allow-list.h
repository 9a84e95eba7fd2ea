/* allow-list: who is never banned, as it stands now: what the configuration names, what a file
 * names, who was added by command, and this machine's own addresses where that is asked for. It is
 * read again when somebody asks for it, and replaced whole while workers look up.
 *
 * The file has one address, prefix or DNS name a line; what follows a # is a comment.
 *
 *     192.0.2.0/24      # the office
 *     2001:db8:7::/48
 *     home.example.org
 *     postfix:mynetworks
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_ALLOW_LIST_H
#define BANMAIL_ALLOW_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/allow.h"
#include "rules/allow-names.h"
#include "base/readers.h"

#define ALLOW_LIST_REASON_SIZE 512

/* An entry for the networks that Postfix trusts, as they stand in that file, which has addresses
 * and prefixes; from it they are read anew with the list. */
#define ALLOW_LIST_MYNETWORKS      "postfix:mynetworks"
#define ALLOW_LIST_MYNETWORKS_FILE "/etc/ombanmail/mynetworks"

struct allow_list;

/* One that holds loopback. Returns NULL when memory is out. Free with allow_list_free. */
struct allow_list *allow_list_new(void);

/* Adds an entry that stays, as allow_add, a name (allow-names.h), or postfix:mynetworks. In force
 * from the next allow_list_read on, as is all that follows. Before any worker looks up; one thread.
 */
int allow_list_add(struct allow_list *list, const char *text, size_t length);

/* Its names, the list's own; NULL: it has none. Somebody else is to look them up, and to hold them
 * meanwhile: they are others when allow_list_read has read others from the file. Of the thread that
 * reads the list. */
struct allow_names *allow_list_names(const struct allow_list *list);

/* Names the file, and reads it for the first time; and names the copy, NULL for none, into which
 * allow_list_read writes what was read whole. Where the file cannot be read, or has a wrong line,
 * the copy is read in its place. Returns 0, or a negative errno with the reason, which names file
 * and line, also where the copy could be read (allow_list_has_copy). Makes system calls; likewise.
 */
int allow_list_set_file(struct allow_list *list, const char *path, const char *copy_path,
                        char reason[ALLOW_LIST_REASON_SIZE]);

/* Whether what is in the place of the file comes from its copy. */
bool allow_list_has_copy(const struct allow_list *list);

/* Names the file of those who are added by command (allow-added.h), which need not be there.
 * Returns 0 or -ENOMEM. */
int allow_list_set_added(struct allow_list *list, const char *path);

/* The addresses of this network namespace's interfaces are on it, as they are at each reading. */
void allow_list_set_own(struct allow_list *list);

/* Takes these addresses of other servers of a fleet in the place of those that it was given before.
 * Returns 1 when they are others, 0 when they are the same, or -ENOMEM, and then nothing is
 * changed. The thread that reads the list anew. */
int allow_list_set_members(struct allow_list *list, const struct source *members, size_t count);

/* Reads file and own addresses again and puts the result in force; returns when no worker of
 * `readers` (NULL: there are none) looks into the former one, which is freed. What cannot be read,
 * or has a wrong line, stays as it was read last; what is new is written into the copy, whose
 * failure is told likewise. *changed tells whether who is on it has changed.
 * Returns 0, or a negative errno with the reason. Makes system calls and may take long; one thread
 * at a time. */
int allow_list_read(struct allow_list *list, struct readers *readers, bool *changed,
                    char reason[ALLOW_LIST_REASON_SIZE]);

/* The list in force. Of a worker: between readers_begin and
 * readers_end, and not to be used after that. Of the thread that reads it anew: until it does. No
 * lock, no system call. */
const struct allow *allow_list_now(const struct allow_list *list);

/* No worker looks into it any more. NULL is fine. */
void allow_list_free(struct allow_list *list);

#endif
