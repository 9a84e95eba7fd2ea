/* page: the facts of report as one HTML page that needs nothing but itself: no script, no network.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_PAGE_H
#define BANMAILCTL_PAGE_H

#include <stdio.h>

#include "banmailctl-period.h"
#include "banmailctl-summary.h"
#include "table/table-gateway.h"

struct report_facts {
    char host[256]; /* this machine's name */
    int64_t now_ms;
    struct period period;
    struct summary summary;
    struct table_gateway gateways[TABLE_GATEWAYS];
    unsigned gateway_count;
    size_t held_back; /* clients that would be banned now */
    int allowed;      /* entries that banmailctl allow has made; less than 0: not known */
};

/* Writes the page; whatever came out of the log is cleaned and escaped. */
void page_print(FILE *out, const struct report_facts *facts);

#endif
