/* report: formats into a buffer of the stack and hands it over; nothing to free, no state.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "base/report.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_SIZE 1024

void
report_say(const struct report *report, int severity, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;
    int length;

    if (report == NULL || report->say == NULL)
        return;
    va_start(arguments, format);
    length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    report->say(report->context, severity, text);
}
