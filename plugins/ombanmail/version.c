/* version: the start message of rsyslogd carries swVersion="8.2302.0" as a literal; the first
 * object that the dynamic linker lists is the main program, and its read-only segments hold it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "version.h"

#include <errno.h>
#include <link.h>
#include <string.h>

static const char marker[] = "swVersion=\"";

/* Copies the digits and dots behind the marker. Returns 1 when something was found. */
static int
read_version(const char *segment, size_t size, char version[VERSION_SIZE])
{
    const char *const end = segment + size;
    const char *found = memmem(segment, size, marker, sizeof(marker) - 1);
    size_t length = 0;

    if (found == NULL)
        return 0;
    found += sizeof(marker) - 1;
    while (found + length < end && length < VERSION_SIZE - 1 && found[length] != '"')
        length++;
    memcpy(version, found, length);
    version[length] = '\0';
    return 1;
}

static int
search_main_program(struct dl_phdr_info *object, size_t size, void *version)
{
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *const header = &object->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || (header->p_flags & PF_W) || !(header->p_flags & PF_R))
            continue;
        if (read_version((const char *)(object->dlpi_addr + header->p_vaddr), header->p_filesz,
                         version))
            return 1;
    }
    return -1; /* only the first object is the main program */
}

int
version_running(char version[VERSION_SIZE])
{
    return dl_iterate_phdr(search_main_program, version) == 1 ? 0 : -ENOENT;
}
