/* drive: runs a fuzzing target without libFuzzer, on its seeds and on mutations of them that are
 * the same each time. With a directory as its argument it writes the seeds there instead, for
 * libFuzzer to begin with; with files, it runs these: what libFuzzer has found.
 *
 * Fails by a crash, a sanitizer or a FUZZ_WANT; the number of the round names the input.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#define INPUT_MAX 4096

static volatile unsigned round_now;

static uint64_t
next_random(void)
{
    static uint64_t state = 88172645463325252;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state >> 11;
}

/* One change of the kinds that break parsers: a byte, a cut, a doubled piece. */
static size_t
mutate(uint8_t *input, size_t size)
{
    static const char telling[] = "\0\xff:./,[]{}\"\\-0129 e";
    size_t at = size > 0 ? next_random() % size : 0, length;

    switch (size > 0 ? next_random() % 5 : 2) {
    case 0:
        input[at] ^= (uint8_t)(1U << next_random() % 8);
        return size;
    case 1:
        input[at] = (uint8_t)telling[next_random() % (sizeof(telling) - 1)];
        return size;
    case 2:
        if (size < INPUT_MAX)
            input[size++] = (uint8_t)next_random();
        return size;
    case 3:
        return at;
    default:
        length = size - at < INPUT_MAX - size ? size - at : INPUT_MAX - size;
        memmove(input + at + length, input + at, size - at);
        return size + length;
    }
}

static size_t
next_input(uint8_t input[INPUT_MAX], unsigned seeds)
{
    const struct fuzz_seed *const seed = &fuzz_seeds[next_random() % seeds];
    size_t size = seed->size;

    memcpy(input, seed->data, size);
    for (unsigned changes = 1 + next_random() % 6; changes > 0; changes--)
        size = mutate(input, size);
    return size;
}

static void
tell_round(int signal_number)
{
    char text[64];
    int length = snprintf(text, sizeof(text), "Bail out! in round %u\n", round_now);

    if (write(STDOUT_FILENO, text, (size_t)length) < 0)
        _exit(99);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static int
write_seeds(const char *directory)
{
    char path[512];

    for (unsigned i = 0; fuzz_seeds[i].data != NULL; i++) {
        FILE *file;

        snprintf(path, sizeof(path), "%s/seed-%u", directory, i);
        file = fopen(path, "w");
        if (file == NULL || fwrite(fuzz_seeds[i].data, 1, fuzz_seeds[i].size, file) == 0 ||
            fclose(file) != 0)
            return 1;
    }
    return 0;
}

static int
run_file(const char *path)
{
    static uint8_t input[1 << 20];
    FILE *file = fopen(path, "r");
    size_t size;

    if (file == NULL)
        return 1;
    size = fread(input, 1, sizeof(input), file);
    fclose(file);
    return LLVMFuzzerTestOneInput(input, size);
}

static int
run_rounds(void)
{
    static uint8_t input[INPUT_MAX];
    unsigned seeds = 0;
    const unsigned rounds = getenv("LONG") == NULL ? fuzz_rounds : fuzz_rounds * 100;

    signal(SIGABRT, tell_round);
    signal(SIGSEGV, tell_round);
    for (; fuzz_seeds[seeds].data != NULL; seeds++)
        LLVMFuzzerTestOneInput((const uint8_t *)fuzz_seeds[seeds].data, fuzz_seeds[seeds].size);
    for (round_now = 1; round_now <= rounds; round_now++)
        LLVMFuzzerTestOneInput(input, next_input(input, seeds));
    printf("ok 1 - %u seeds and %u mutations of them\n1..1\n", seeds, rounds);
    return 0;
}

int
main(int argc, char **argv)
{
    struct stat status;
    int bad = 0;

    if (argc == 2 && stat(argv[1], &status) == 0 && S_ISDIR(status.st_mode))
        return write_seeds(argv[1]);
    for (int i = 1; i < argc; i++)
        bad |= run_file(argv[i]);
    return argc > 1 ? bad : run_rounds();
}
