/* report: how the engine speaks to whoever runs it, without knowing who that is.
 *
 * The module hands in rsyslog's LogError/LogMsg, banmailctl hands in standard error, a test hands
 * in a recorder.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_REPORT_H
#define BANMAIL_REPORT_H

#include <syslog.h> /* LOG_ERR, LOG_WARNING, LOG_INFO: the severities of syslog(3) */

#include <stdint.h>

struct report {
    /* Called with one complete sentence without newline. May be called from any thread, never
     * while a lock of the table is held. `text` belongs to the caller and ends with the call. */
    void (*say)(void *context, int severity, const char *text);
    void *context;
};

/* Formats like printf and says it; a NULL report or a NULL say is silent. The text is cut at
 * 1,023 bytes. Any thread. */
void report_say(const struct report *report, int severity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What stands behind a noun of which there are so many: "s", or "" for one. Pure. */
static inline const char *
report_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

#endif
