/* preset: jails that come with the package, as files of jails that nobody has to write.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_PRESET_H
#define BANMAIL_PRESET_H

#include "rules/jails-file.h"

#define PRESET_DEFAULT "balanced"
#define PRESET_NAMES   "balanced, strict, lenient or observe"

/* The text of a preset, in the words of a file of jails; NULL: there is none of the name. Any
 * thread. */
const char *preset_text(const char *name);

/* Its jails, as jails_read_text. Any thread. */
int preset_read(const char *name, struct jails **jails, char reason[SETTINGS_REASON_SIZE]);

/* The jails of a file, and those of a preset (NULL: none), which the file changes and adds to; as
 * jails_read_over. Any thread. */
int preset_read_file(const char *name, const char *path, struct jails **jails,
                     char reason[SETTINGS_REASON_SIZE]);

#endif
