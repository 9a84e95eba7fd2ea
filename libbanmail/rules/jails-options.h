/* jails-options: the options of one jail in a file of jails, as jails-file reads them. One that is
 * wrong is refused with file, line, value and what is allowed.
 *
 * All functions: any thread, one jail each.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_JAILS_OPTIONS_H
#define BANMAIL_JAILS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/jails-file.h"
#include "rules/settings.h"

/* One jail on its way. */
struct jails_reading {
    struct settings *settings;
    const char *section;
    struct jails_entry *entry;
    const struct setting *setting; /* the one that is being read */
    bool has_ports, is_all_ports;
    uint64_t classes; /* that `classes` names; 0: there is none */
    char *reason;     /* SETTINGS_REASON_SIZE bytes: why something was refused */
};

/* Says that the value of the setting that is being read is refused, and what is allowed. Returns
 * false. */
bool jails_refuse(struct jails_reading *reading, const char *value, const char *allowed);

/* The expanded value of an option that holds for the jail; *value is empty, and the setting NULL,
 * where there is none. False when it cannot be expanded. */
bool jails_value(struct jails_reading *reading, const char *name, char value[SETTINGS_VALUE_SIZE]);

/* true, yes, on, 1 or their contrary, in any case; false with the reason for anything else. */
bool jails_read_bool(struct jails_reading *reading, const char *value, bool *is_on);

/* All options of the section but `enabled`, `filter` and `mode`, into the entry's jail and into the
 * reading; false when one of them is refused. */
bool jails_read_options(struct jails_reading *reading);

/* What `action` says of ports and verdict: fail2ban's old way to name a banaction. */
void jails_read_action(struct jails_reading *reading);

/* Whether an option of this name, in lower case, does something. */
bool jails_option_is_known(const char *name);

/* The path in `word` where an entry of ignoreip is a file, as in fail2ban's file:/PATH; else NULL.
 * It points into `word`. */
const char *jails_ignored_file(const char *word);

#endif
