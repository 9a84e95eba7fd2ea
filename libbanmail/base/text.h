/* text: what was printed into memory, whole or not at all.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TEXT_H
#define BANMAIL_TEXT_H

#include <stdbool.h>
#include <stdio.h>

/* Closes a stream of open_memstream(3)'s, NULL where there is none, whose text goes to *text.
 * Returns whether all that was printed is there; else *text is NULL and nothing is to be freed.
 * fclose(3) alone does not tell: where memory is out at its end, or was for a part, it succeeds.
 * Any thread. */
bool text_close(FILE *file, char **text);

#endif
