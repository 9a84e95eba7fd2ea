/* verdict: what becomes of the packets of who is banned.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_VERDICT_H
#define BANMAIL_VERDICT_H

#include <stdbool.h>
#include <string.h>

enum verdict {
    VERDICT_OF_MODULE, /* of a jail: nothing of its own; of the module: to drop */
    VERDICT_DROP,
    VERDICT_REJECT, /* a TCP reset; ICMP for other protocols */
};

#define VERDICTS "drop or reject" /* that there are words for */

static inline const char *
verdict_name(enum verdict verdict)
{
    return verdict == VERDICT_REJECT ? "reject" : "drop";
}

/* False where it is neither word. */
static inline bool
verdict_parse(const char *word, enum verdict *verdict)
{
    *verdict = strcmp(word, "reject") == 0 ? VERDICT_REJECT : VERDICT_DROP;
    return strcmp(word, verdict_name(*verdict)) == 0;
}

#endif
