/* columns: see banmailctl-columns.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-columns.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "banmailctl-format.h"

#define COLUMNS_MOST 32

void
columns_add(struct columns *columns, const char *cell)
{
    char **grown;

    if (columns->used == columns->room) {
        columns->room = columns->room ? columns->room * 2 : 64;
        grown = reallocarray(columns->cells, columns->room, sizeof(*grown));
        if (grown == NULL) {
            columns->room = columns->used;
            return;
        }
        columns->cells = grown;
    }
    columns->cells[columns->used++] = strdup(cell);
}

void
columns_add_number(struct columns *columns, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, number);
    columns_add(columns, text);
}

static const char *
cell_at(const struct columns *columns, size_t index)
{
    return columns->cells[index] != NULL ? columns->cells[index] : "";
}

static void
print_cell(const struct columns *columns, unsigned column, int width, const char *cell)
{
    const bool is_last = column == columns->count - 1;

    if (columns->right >> column & 1)
        printf("%*s%s", width, cell, is_last ? "\n" : "  ");
    else if (is_last)
        printf("%s\n", cell);
    else
        printf("%-*s  ", width, cell);
}

void
columns_print(struct columns *columns)
{
    int width[COLUMNS_MOST];

    for (unsigned i = 0; i < columns->count; i++)
        width[i] = (int)strlen(columns->headings[i]);
    for (size_t i = 0; i < columns->used; i++)
        if ((int)strlen(cell_at(columns, i)) > width[i % columns->count])
            width[i % columns->count] = (int)strlen(cell_at(columns, i));
    fputs(format_colour(FORMAT_BOLD), stdout);
    for (unsigned i = 0; i < columns->count; i++)
        print_cell(columns, i, width[i], columns->headings[i]);
    fputs(format_colour(FORMAT_PLAIN), stdout);
    for (size_t i = 0; i < columns->used; i++) {
        print_cell(columns, i % columns->count, width[i % columns->count], cell_at(columns, i));
        free(columns->cells[i]);
    }
    free(columns->cells);
    *columns = (struct columns){.headings = columns->headings, .count = columns->count};
}
