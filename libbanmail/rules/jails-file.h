/* jails-file: jails declared in the words and the file of fail2ban.
 *
 *     [DEFAULT]
 *     bantime  = 1w
 *     maxretry = 6
 *     [postfix-sasl]
 *     enabled = true
 *
 * A value that is wrong refuses all of it. What is not known, or has no equivalent here, is passed
 * over and remarked. docs/jails.md tells what each option does.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_JAILS_FILE_H
#define BANMAIL_JAILS_FILE_H

#include "rules/jail.h"
#include "rules/settings.h"

#define JAILS_MAX         60
#define JAILS_ORIGIN_SIZE 160
#define JAILS_WORD_SIZE   48

/* One jail that is enabled. */
struct jails_entry {
    struct jail jail;               /* passes jail_check, or counts no class: for bans by hand */
    char *ignoreip;                 /* entries with a space between them; "": none; one at most is a
                                       file (jails_ignored_file) */
    char filter[JAILS_WORD_SIZE];   /* whose classes it has; "": `classes` names them */
    char mode[JAILS_WORD_SIZE];     /* of the filter; "": none */
    char origin[JAILS_ORIGIN_SIZE]; /* "/etc/ombanmail/jails.conf, line 12", "preset balanced" */
};

struct jails {
    struct jails_entry *at;
    unsigned count;
    char *remarks; /* lines; "" where there are none */
    char *passed;  /* likewise: the options of fail2ban's that do nothing here, and need not */
};

/* Reads a file, or of a directory such as /etc/fail2ban what fail2ban reads: jail.conf,
 * jail.d/?*.conf, jail.local, jail.d/?*.local. Free with jails_free. Returns 0, or a negative errno
 * with the reason, which names file, line, value and what is allowed. Any thread, one file each;
 * makes system calls. */
int jails_read(const char *path, struct jails **jails, char reason[SETTINGS_REASON_SIZE]);

/* The same of what jails_print has written, for a start at which the file itself is wrong. The
 * files that ignoreip names are not looked at: one of them may be what was wrong. */
int jails_read_copy(const char *path, struct jails **jails, char reason[SETTINGS_REASON_SIZE]);

/* As jails_read, beside a text that stands in front of it, as jail.conf does in front of
 * jail.local: of two values of one option the file's holds. `origin` begins with JAILS_PRESET. */
#define JAILS_PRESET "preset "
int jails_read_over(const char *text, const char *origin, const char *path, struct jails **jails,
                    char reason[SETTINGS_REASON_SIZE]);

/* The same of a text; `origin` is what its jails say of where they come from. */
int jails_read_text(const char *text, const char *origin, struct jails **jails,
                    char reason[SETTINGS_REASON_SIZE]);

/* NULL is fine. */
void jails_free(struct jails *jails);

#endif
