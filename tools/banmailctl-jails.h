/* banmailctl jails: files of jails, before rsyslogd has them.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_JAILS_H
#define BANMAILCTL_JAILS_H

#include "banmailctl.h"

struct jails;

/* A command, as those of banmailctl.h. */
int jails_main(const struct invocation *invocation);

/* Prints the jails, the remarks and what is passed over as one object. */
void jails_print_json(const struct jails *jails);

/* Prints each line of `lines` with these words before and behind it. */
void jails_print_lines(const char *lines, const char *before, const char *behind);

#endif
