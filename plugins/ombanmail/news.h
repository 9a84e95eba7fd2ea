/* news: what the log and the statistics are told, beside what is told where it happens: what is
 * wrong, losses, clocks that are off, outages, bans that have no effect, gateways that were spared.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_NEWS_H
#define OMBANMAIL_NEWS_H

#include "parameters.h"

/* rsyslog's headers are included by the .c files: they must come first there. */

/* Before the recorder starts; what is in `parameters` is copied. Main thread. */
void news_begin(const struct parameters *parameters);

/* Says what has come up since the last call, and does what a HUP asked for. On the recorder's
 * thread, about once a second: workers say nothing. */
void news_say(void);

#endif
