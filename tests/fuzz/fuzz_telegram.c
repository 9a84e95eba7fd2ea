/* fuzz_telegram: what another server of the fleet may send, read, and merged.
 *
 * Fails when a message is read that does not print, or prints as another one, and when the merge
 * bans what its limits forbid, or gives more orders than there is room for.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "fleet/merge.h"
#include "fleet/telegram.h"
#include "fuzz.h"

#define HEAD                                                                                       \
    "\"fleet\":1,\"origin\":\"centre\",\"table\":\"9f0c000000000001\",\"sent\":1767225600250"
#define TAIL                                                                                       \
    "\"since\":1767225600000,\"until\":1767229200000,\"change\":17,\"jail\":\"auth\","             \
    "\"reason\":\"auth_failed\",\"count\":5,\"hosts\":[\"mx1\",\"mx2\"]}"

const unsigned fuzz_rounds = 40000;
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("{\"event\":\"ban\"," HEAD ",\"source\":\"203.0.113.9\",\"ports\":\"25,587\","
              "\"scope\":\"fleet\"," TAIL),
    FUZZ_SEED("{\"event\":\"unban\"," HEAD ",\"source\":\"203.0.113.9\",\"ports\":\"25,587\","
              "\"scope\":\"fleet\"," TAIL),
    FUZZ_SEED("{\"event\":\"pardon\"," HEAD ",\"source\":\"203.0.113.0/24\",\"ports\":null,"
              "\"scope\":\"fleet\"," TAIL),
    FUZZ_SEED("{\"event\":\"page\"," HEAD ",\"change\":17,\"page\":3,\"pages\":64,"
              "\"lists\":[\"25,587\",\"0\"],\"bans\":[[\"203.0.113.9\",0,1767225600000,"
              "1767229200000,17],[\"2001:db8::/64\",1,1767225600000,null,18,\"mx1\"],"
              "[\"203.0.113.0/24\",null,1767225600000,1767229200000,19]]}"),
    FUZZ_SEED("{\"event\":\"members\"," HEAD ",\"addresses\":[\"192.0.2.1\",\"2001:db8::1\"]}"),
    FUZZ_SEED("{\"event\":\"report\"," HEAD ",\"version\":\"0.1.0\",\"addresses\":[\"192.0.2.1\"],"
              "\"refused\":3,\"holds\":[[\"centre\",\"9f0c000000000001\",17,204,"
              "\"77aa000000000001\",-12]]}"),
    {NULL, 0},
};

static void
merge(const struct telegram *telegram)
{
    static struct merge *known;
    static struct orders orders;
    static struct limits limits;

    if (known == NULL) {
        known = merge_new("mx1", 64, 1);
        limits_set_default(&limits, 64);
    }
    merge_take(known, telegram, &limits, INT64_C(1767225601000), &orders);
    FUZZ_WANT(orders.count <= MERGE_ORDERS_MAX);
    for (unsigned i = 0; i < orders.count; i++)
        FUZZ_WANT(orders.at[i].kind != ORDER_BAN || limits_allow(&limits, &orders.at[i].source));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[TELEGRAM_TEXT_SIZE], again[TELEGRAM_TEXT_SIZE];
    static struct telegram telegram, same;
    int length;

    if (telegram_read((const char *)data, size, &telegram) != 0)
        return 0;
    length = telegram_print(&telegram, text, sizeof text);
    if (length >= 0) { /* some of what is read is longer when it is printed as we do */
        FUZZ_WANT((size_t)length == strlen(text));
        FUZZ_WANT(telegram_read(text, (size_t)length, &same) == 0);
        FUZZ_WANT(telegram_print(&same, again, sizeof again) == length && strcmp(text, again) == 0);
    }
    merge(&telegram);
    return 0;
}
