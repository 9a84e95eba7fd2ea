/* banmailctl jails, import: files of jails, before rsyslogd has them.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_JAILS_H
#define BANMAILCTL_JAILS_H

#include "banmailctl.h"

/* Commands, as those of banmailctl.h. */
int jails_main(const struct invocation *invocation);
int import_main(const struct invocation *invocation);

#endif
