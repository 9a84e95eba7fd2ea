/* jails-filter: what the names of fail2ban's filters, and their modes, mean in classes of lines.
 * The one table of it; docs/jails.md has the same.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_JAILS_FILTER_H
#define BANMAIL_JAILS_FILTER_H

#include <stddef.h>
#include <stdint.h>

struct jails_filter {
    const char *name;
    const char *mode; /* "": the filter has no modes; of several the first is what it is without */
    uint64_t classes; /* OFFENCE_BIT of each that counts; 0: bans by hand alone */
    uint8_t services; /* JAIL_SERVICES_… */
};

/* Row by row; NULL behind the last. Any thread. */
const struct jails_filter *jails_filter_at(size_t index);

/* The row of this filter and mode ("" or, of a filter without modes, any: its first). NULL: there
 * is none of the name, or not with this mode. Any thread. */
const struct jails_filter *jails_filter_find(const char *name, const char *mode);

#endif
