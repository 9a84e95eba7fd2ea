/* fuzz: what a fuzzing target consists of. It is linked with libFuzzer by `make fuzz`, and with
 * drive.c by `make check` and `make check-sanitizers`.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_FUZZ_H
#define BANMAIL_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the process where a promise of a header is broken. */
#define FUZZ_WANT(condition)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct fuzz_seed {
    const char *data;
    size_t size;
};

#define FUZZ_SEED(text)                                                                            \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

/* What the mutations begin with; ends with {NULL, 0}. */
extern const struct fuzz_seed fuzz_seeds[];

/* How many mutations `make check` tries, about a second's worth; a hundred times as many with LONG
 * in the environment. */
extern const unsigned fuzz_rounds;

/* The name that libFuzzer calls. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
