/* notice: see notice.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "ledger/notice.h"

#include <string.h>
#include <syslog.h>

/* What an attacker wrote is not always text: it becomes printable ASCII. */
static void
add_line(char lines[NOTICE_LINES_SIZE], size_t *used, const char *line)
{
    if (*used > 0)
        lines[(*used)++] = '\n';
    for (; *line != '\0' && *used < NOTICE_LINES_SIZE - 1; line++)
        lines[(*used)++] = *line >= ' ' && *line <= '~' ? *line : '?';
    lines[*used] = '\0';
}

int
notice_make(const struct event *event, const struct evidence *lines, size_t count,
            struct notice *notice)
{
    size_t used = 0;

    notice->number = 0;
    notice->time_ms = event->time_ms;
    notice->severity = event->kind == EVENT_TROUBLE ? LOG_WARNING : LOG_NOTICE;
    notice->lines[0] = '\0';
    while (count > 0)
        if (lines[--count].line[0] != '\0' && used + 2 < NOTICE_LINES_SIZE)
            add_line(notice->lines, &used, lines[count].line);
    event_say(event, notice->text);
    const int length = event_print(event, notice->fields, sizeof(notice->fields));
    return length < 0 ? length : 0;
}
