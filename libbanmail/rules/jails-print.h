/* jails-print: jails as a file that declares the same ones.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_JAILS_PRINT_H
#define BANMAIL_JAILS_PRINT_H

#include <stdio.h>

#include "rules/jails-file.h"

/* Prints them; what cannot be written, ferror tells. Any thread. */
void jails_print(const struct jails *jails, FILE *file);

#endif
