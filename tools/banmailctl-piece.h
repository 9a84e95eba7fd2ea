/* piece: a part of a line that stands in somebody else's memory, without a NUL at its end.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_PIECE_H
#define BANMAILCTL_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct piece {
    const char *bytes;
    size_t length;
};

/* What is behind the first `length` bytes, of which there must be as many. */
static inline struct piece
piece_skip(struct piece piece, size_t length)
{
    return (struct piece){.bytes = piece.bytes + length, .length = piece.length - length};
}

static inline bool
piece_begins(struct piece piece, const char *front)
{
    return piece.length >= strlen(front) && memcmp(piece.bytes, front, strlen(front)) == 0;
}

#endif
