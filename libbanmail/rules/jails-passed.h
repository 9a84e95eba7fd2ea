/* jails-passed: the options of fail2ban that do nothing here, as they are about reading logs,
 * running commands or sending mail; and those of which somebody expects something that has another
 * name here.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_JAILS_PASSED_H
#define BANMAIL_JAILS_PASSED_H

#include <stdbool.h>

#include "rules/settings.h"

/* Whether the option, in lower case, is one of fail2ban's that does nothing here, or only stands in
 * other options' values. Any thread. */
bool jails_passed_has(const char *name);

/* What to use in place of an option of fail2ban's, as a sentence; NULL: it is none of these. Any
 * thread. */
const char *jails_passed_instead(const char *name);

/* Adds a line to settings_passed for each option that the section sets and that does nothing here.
 */
void jails_passed_note(struct settings *settings, const char *section);

#endif
