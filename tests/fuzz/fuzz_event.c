/* fuzz_event: a ban's event as another host may send it.
 *
 * Fails when an event is read that does not print, or prints as another one.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "ledger/event.h"
#include "fuzz.h"

const unsigned fuzz_rounds = 60000;
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("{\"event\":\"ban\",\"version\":1,\"time\":\"2026-11-21T08:09:05.000Z\","
              "\"scope\":0,\"ports\":\"25,587\",\"change\":9,\"source\":\"203.0.113.9\",\"jail\":"
              "\"mail\","
              "\"origin\":\"mx1\",\"table\":\"9f0c000000000001\",\"id\":17,"
              "\"class\":\"auth_failed\",\"failures\":5,\"first\":\"2026-11-21T08:09:05.000Z\","
              "\"since\":\"2026-11-21T08:09:14.250Z\",\"until\":\"2026-11-21T09:09:14.250Z\"}"),
    FUZZ_SEED("{\"event\":\"unban\",\"version\":1,\"time\":\"2026-11-21T08:09:05.000Z\","
              "\"scope\":0,\"ports\":\"25,587\",\"change\":9,\"source\":\"2001:db8::/"
              "64\",\"jail\":\"mail\","
              "\"origin\":\"mx1.example.org\",\"table\":\"9f0c000000000001\",\"id\":17,"
              "\"class\":\"auth_failed\",\"failures\":5,\"first\":\"2026-11-21T08:09:05.000Z\","
              "\"since\":\"2026-11-21T08:09:14.250Z\",\"until\":\"2026-11-21T09:09:14.250Z\","
              "\"ended\":\"2026-11-21T08:30:00.000Z\",\"end\":\"lifted\"}"),
    FUZZ_SEED("{\"event\":\"ban\",\"version\":1,\"time\":\"2026-11-21T08:09:05.000Z\","
              "\"scope\":0,\"ports\":\"25,587\",\"change\":9,\"source\":\"203.0.113.9\",\"jail\":"
              "\"manual\","
              "\"origin\":\"mx1\",\"table\":\"9f0c000000000001\",\"id\":1,\"class\":null,"
              "\"failures\":0,\"first\":\"2026-11-21T08:09:05.000Z\","
              "\"since\":\"2026-11-21T08:09:14.250Z\",\"until\":null}"),
    {NULL, 0},
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[EVENT_TEXT_SIZE], again[EVENT_TEXT_SIZE];
    struct event event, same;
    int length;

    if (event_parse((const char *)data, size, &event) != 0)
        return 0;
    length = event_print(&event, text, sizeof text);
    FUZZ_WANT(length > 0 && (size_t)length == strlen(text));
    FUZZ_WANT(event_parse(text, (size_t)length, &same) == 0);
    FUZZ_WANT(event_print(&same, again, sizeof again) == length && strcmp(text, again) == 0);
    return 0;
}
