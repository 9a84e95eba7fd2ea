/* banmailctl jails: files of jails, before rsyslogd has them.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_JAILS_H
#define BANMAILCTL_JAILS_H

#include "banmailctl.h"

struct jails;

/* A command, as those of banmailctl.h. */
int jails_main(const struct invocation *invocation);

/* Prints the jails and the remarks as one object. */
void jails_print_json(const struct jails *jails);

#endif
