/* trouble: a sentence for each condition that status finds, with its remedy.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_TROUBLE_H
#define BANMAILCTL_TROUBLE_H

#include "banmailctl-summary.h"

/* Calls `each` for each sentence, the gravest first; the text ends with the call. */
void trouble_each(const struct summary *summary, void (*each)(void *context, const char *text),
                  void *context);

#endif
