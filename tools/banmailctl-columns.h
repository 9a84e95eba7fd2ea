/* columns: a table for the eyes, each column as wide as its widest cell.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_COLUMNS_H
#define BANMAILCTL_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

/* Begin with these two and zeroes. */
struct columns {
    const char *const *headings; /* `count` of them */
    unsigned count;
    uint32_t right; /* bits: the columns whose cells stand to the right */
    char **cells;   /* row by row */
    size_t used, room;
};

/* The next cell, from left to right and row by row. It is copied; not cleaned. Where memory is out
 * nothing of the table is printed. */
void columns_add(struct columns *columns, const char *cell);

/* The same of a number. */
void columns_add_number(struct columns *columns, uint64_t number);

/* Prints headings and rows on standard output, and frees what it holds. */
void columns_print(struct columns *columns);

#endif
