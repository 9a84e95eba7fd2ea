/* warnings: what the log is told of bans that do not bite and of gateways that were not banned.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_WARNINGS_H
#define OMBANMAIL_WARNINGS_H

#include "parameters.h"

/* Before the scribe starts; what is in `parameters` is copied. Main thread. */
void warnings_begin(const struct parameters *parameters);

/* Says what has been found since the last call, a few of each kind in an hour; and has the networks
 * of this machine looked at again. On the scribe's thread, about once a second. */
void warnings_say(void);

#endif
