/* fuzz_lines: the lines of a ban, as a ledger that anybody wrote may have them.
 *
 * Input: what the ledger has, a zero, what is new, a zero, and the name of a user.
 *
 * Fails when what is merged loses what was there, has more lines than may be kept or than were
 * given, or when a second look at it adds, or removes, more.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ledger/lines.h"

#define LINE "1\t1\t203.0.113.9\tprobe\t1\tmx1\timap\tanna\tuser=<anna>"

const unsigned fuzz_rounds = 30000;
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(LINE "\0" LINE "\n2\t2\t2001:db8::1\tprobe\t1\t\t\tben\t\0anna"),
    FUZZ_SEED("\n\n\n\n\n\n\n\n\n\n\n\n\n\n\0" LINE "\n\n" LINE "\0"),
    FUZZ_SEED("\t\t\t\t\t\t\t\n\n\0\t\n\t\t\n1\t\0\t"),
    {NULL, 0},
};

/* As many bytes of the input as are in front of a zero, as text. The caller frees it. */
static char *
take_text(const uint8_t **data, size_t *size)
{
    const size_t length = strnlen((const char *)*data, *size);
    char *const text = malloc(length + 1);
    FUZZ_WANT(text != NULL);
    memcpy(text, *data, length);
    text[length] = '\0';
    *data += length < *size ? length + 1 : length;
    *size -= length < *size ? length + 1 : length;
    return text;
}

static void
merge(const char *kept, const char *newer)
{
    const size_t room = strlen(kept) + strlen(newer) + 2, had = lines_count(kept);
    char *const merged = malloc(room), *const again = malloc(room + strlen(newer) + 2);
    FUZZ_WANT(merged != NULL && again != NULL);
    const size_t added = lines_merge(kept, newer, merged);
    FUZZ_WANT(strlen(merged) < room && strncmp(merged, kept, strlen(kept)) == 0);
    FUZZ_WANT(added <= lines_count(newer) && (added == 0 || had + added <= LINES_MOST));
    FUZZ_WANT(added > 0 || strcmp(merged, kept) == 0);
    lines_merge(merged, newer, again);
    FUZZ_WANT(strncmp(again, merged, strlen(merged)) == 0);
    free(merged);
    free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct source network = {{0x20, 0x01, 0x0d, 0xb8}, 32};
    char *const kept = take_text(&data, &size), *const newer = take_text(&data, &size),
                *const user = take_text(&data, &size);
    merge(kept, newer);
    const size_t length = strlen(newer);
    lines_remove(newer, &network, user);
    FUZZ_WANT(strlen(newer) <= length);
    FUZZ_WANT(newer[0] == '\0' || lines_remove(newer, &network, user) == 0);
    free(kept);
    free(newer);
    free(user);
    return 0;
}
