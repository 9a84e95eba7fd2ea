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
#include <string.h>

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

/* A file that is damaged again and again: how it was when it was whole, and as much room in which
 * to damage it. */
struct fuzz_image {
    uint8_t *whole, *work;
    size_t size;
};

/* Reads the file into both; they stay until the process ends. */
static inline struct fuzz_image
fuzz_read_image(const char *path)
{
    struct fuzz_image image;
    FILE *const file = fopen(path, "r");

    FUZZ_WANT(file != NULL && fseek(file, 0, SEEK_END) == 0);
    image.size = (size_t)ftell(file);
    image.whole = malloc(image.size);
    image.work = malloc(image.size);
    rewind(file);
    FUZZ_WANT(image.whole != NULL && image.work != NULL &&
              fread(image.whole, 1, image.size, file) == image.size);
    fclose(file);
    memcpy(image.work, image.whole, image.size);
    return image;
}

/* Lays as many of the bytes into `work` as it has from `at` on. Returns how many. */
static inline size_t
fuzz_damage(const struct fuzz_image *image, size_t at, const uint8_t *bytes, size_t count)
{
    if (count > image->size - at)
        count = image->size - at;
    memcpy(image->work + at, bytes, count);
    return count;
}

/* A file of these bytes and no others. */
static inline void
fuzz_write_file(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *const file = fopen(path, "w");

    FUZZ_WANT(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

/* The name that libFuzzer calls. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
