/* complaints: what is wrong with the configuration, put together for banmailctl status: what was
 * refused, what is missing beside the module, and files of who is never banned that cannot be used.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_COMPLAINTS_H
#define OMBANMAIL_COMPLAINTS_H

#include <stdbool.h>
#include <sys/types.h>

/* rsyslog's headers are included by the .c files: they must come first there. */
struct modConfData_s;

/* Looks at the configuration and writes what is wrong beside the table, as a file of `owner` and
 * `group`. Main thread, before any queue runs. */
void complaints_begin(const struct modConfData_s *configuration, const char *table_path,
                      uid_t owner, gid_t group);

/* A line of a mail server came to an action without fields. Any thread, any number of times. */
void complaints_note_unread(void);

/* Forgets what was wrong with the lists of who is never banned. Between complaints_begin and
 * complaints_end; the thread that reads the lists. */
void complaints_forget_lists(void);

/* Adds one. Likewise. */
void complaints_add_list(const char *reason);

/* Adds that a list has all addresses of a family. Likewise. */
void complaints_add_everybody(const char *entry);

/* What is wrong with the list of known users; "" : nothing. Likewise. */
void complaints_set_users(const char *reason);

/* A log file that grows by lines of mail servers, none of which comes; NULL: there is none.
 * Likewise. */
void complaints_set_growing(const char *path);

/* Whether events have waited for long. Likewise. */
void complaints_set_events(bool wait);

/* What is wrong with the fleet; "": nothing. Likewise. */
void complaints_set_fleet(const char *reason);

/* Writes a file of a centre's (roster.h) beside the table as well. Likewise. */
void complaints_write_roster(const char *suffix, const char *text);

/* Such a file's text, the caller's to free; NULL: it cannot be read. From any thread. */
char *complaints_read_roster(const char *suffix);

/* The same of the file of jails. */
void complaints_forget_jails(void);
void complaints_add_jails(const char *reason);

/* Writes where jails come from, beside the table as well. Likewise. */
struct origins;
void complaints_write_origins(const struct origins *origins);

/* Writes the jails, as a file of jails, beside the table as well. Likewise. */
void complaints_write_jails(const char *text);

/* Writes what has changed. Returns all of it, valid until the next call. The same thread. */
const char *complaints_say(void);

/* What is told of a configuration ends with it. Main thread, no other runs. */
void complaints_end(void);

#endif
