/* fixture: what tests of more than one part need.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/source.h"

static inline struct source
source_of(const char *text)
{
    struct source source;

    if (source_parse_prefix(text, strlen(text), &source))
        fail_msg("%s is no source", text);
    return source;
}

/* A ledger, and what SQLite lays beside it. */
static inline void
remove_ledger(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[512];

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

#endif
