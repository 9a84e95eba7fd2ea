/* table-size: what a table of CAPACITY clients and BANS bans costs: makes one at FILE and prints
 * the bytes of the file and those of the heap beside it.
 *
 *   table-size FILE CAPACITY BANS
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "table/table.h"

static size_t
heap(void)
{
    const struct mallinfo2 all = mallinfo2();

    return all.uordblks + all.hblkhd;
}

int
main(int argc, char **argv)
{
    struct table_options options = {.ledger_path = "", .owner = (uid_t)-1, .group = (gid_t)-1};
    const size_t before = heap();
    struct table *table;
    struct stat status;
    bool is_new;
    int error;

    if (argc != 4)
        return 2;
    options.path = argv[1];
    options.capacity = (uint32_t)strtoul(argv[2], NULL, 10);
    options.max_bans = (uint32_t)strtoul(argv[3], NULL, 10);
    options.now_ms = INT64_C(1795262400000); /* 2026-11-21 12:00 UTC */
    error = table_open(&options, &table, &is_new);
    if (error != 0 || stat(options.path, &status) != 0) {
        fprintf(stderr, "table-size: %s\n", strerror(-error));
        return 1;
    }
    printf("%zu %zu\n", (size_t)status.st_size, heap() - before);
    table_close(table);
    return 0;
}
