/* fuzz_stamp: messages of any host with any stamp, in any order, through the watch that judges how
 * far a stamp can be trusted.
 *
 * Input: 16 bytes for each message: which host, how its name ends, how far its stamp is off and how
 * much later it comes than the one before.
 *
 * Fails when a time comes out that is out of the bounds, or when a notice does not end.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "fuzz.h"
#include "line/stamp.h"

#define NOON_MS  INT64_C(1795262400000)
#define YEARS_MS (INT64_C(10000) * 366 * 86400000) /* what a stamp of four digits can be off by */

const unsigned fuzz_rounds = 30000;
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\1abc\0\0\0\0\0\0\0\0\xe8\3\0\0\1abc\0\0\0\0\0\0\0\0\xe8\3\0\0"),
    FUZZ_SEED("\1abc\x80\xee\x36\0\0\0\0\0\xe8\3\0\0\1abc\x80\xee\x36\0\0\0\0\0\x88\x13\0\0"
              "\1abc\x80\xee\x36\0\0\0\0\0\x88\x13\0\0\1abc\x80\xee\x36\0\0\0\0\0\x88\x13\0\0"),
    FUZZ_SEED(
        "\2x\xff\0\0\0\0\0\0\0\0\x80\0\0\0\0\2x\xff\0\xff\xff\xff\xff\xff\xff\xff\x7f\1\0\0\0"),
    {NULL, 0},
};

struct message {
    uint8_t host;
    char name[3];
    int64_t skew_ms;
    uint32_t later_ms;
} __attribute__((packed));

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t key[2] = {1, 2};
    const struct stamp_bounds bounds = {.age_ms = INT64_C(7) * 86400000, .ahead_ms = 60000};
    struct stamp_watch *const watch = stamp_new(key);
    int64_t received_ms = NOON_MS, stamp_ms, judged_ms;
    char text[STAMP_TEXT_SIZE];
    struct message message;

    FUZZ_WANT(watch != NULL);
    for (; size >= sizeof message; data += sizeof message, size -= sizeof message) {
        memcpy(&message, data, sizeof message);
        received_ms += message.later_ms % 10000;
        stamp_ms = received_ms + message.skew_ms % YEARS_MS;
        judged_ms =
            stamp_judge(watch, message.name, message.host % 4, stamp_ms, received_ms, &bounds);
        FUZZ_WANT(judged_ms >= received_ms - bounds.age_ms);
        FUZZ_WANT(judged_ms <= received_ms + bounds.ahead_ms);
        memset(text, 'x', sizeof text);
        if (stamp_notice(watch, text))
            FUZZ_WANT(strnlen(text, sizeof text) < sizeof text);
    }
    stamp_free(watch);
    return 0;
}
