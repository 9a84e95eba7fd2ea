/* table-cells: what a table's file holds, with or without a writer: how many records and bans are
 * whole and in use, how many cells a writer was in when it was killed, and how many failures were
 * counted.
 *
 *   table-cells FILE      prints `records bans torn counted`
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "table/table-layout.h"

static const uint8_t *
map(const char *path)
{
    int file = open(path, O_RDONLY);
    struct stat status;
    void *data;

    if (file < 0 || fstat(file, &status) != 0 || status.st_size < TABLE_HEADER_SIZE)
        return NULL;
    data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, file, 0);
    return data == MAP_FAILED ? NULL : data;
}

int
main(int argc, char **argv)
{
    static const enum section_kind kinds[] = {SECTION_RECORDS, SECTION_BANS};
    static const unsigned words[] = {RECORD_WORDS, CELL_WORDS};
    const uint8_t *data = argc == 2 ? map(argv[1]) : NULL;
    const struct table_header *header = (const struct table_header *)data;
    unsigned long long used[2] = {0, 0}, torn = 0, counted = 0;

    if (!data || header->fixed.layout != table_layout_id()) {
        fprintf(stderr, "table-cells: no table of this layout\n");
        return 1;
    }
    for (unsigned i = 0; i < 2; i++) {
        const struct section *section = &header->fixed.sections[kinds[i]];

        for (size_t at = 0; at < section->length; at += words[i] * 8) {
            struct cell_head head;

            memcpy(&head, data + section->offset + at, sizeof head);
            if (!words_are_whole(data + section->offset + at, words[i]))
                torn++;
            else
                used[i] += head.used != 0;
        }
    }
    for (unsigned i = 0; i < TABLE_TALLIES; i++)
        counted += atomic_load(&header->tallies[i].counted);
    printf("%llu %llu %llu %llu\n", used[0], used[1], torn, counted);
    return 0;
}
