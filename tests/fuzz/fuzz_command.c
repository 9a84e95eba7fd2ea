/* fuzz_command: what comes in over the command socket, one request a line, on a table that lives as
 * long as the process.
 *
 * Fails when an answer is not one line with one object that says whether it was done, when it says
 * otherwise than what is returned, and when somebody who is never to be banned is.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <json.h>
#include <string.h>
#include <unistd.h>

#include "base/object.h"
#include "control/command.h"
#include "fuzz.h"

#define NOON_MS INT64_C(1795262400000)
#define BANS    64

const unsigned fuzz_rounds = 20000;
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("{\"command\":\"ban\",\"source\":\"203.0.113.9\",\"seconds\":3600}\n"),
    FUZZ_SEED("{\"command\":\"ban\",\"source\":\"192.0.2.9\"}\n"
              "{\"command\":\"ban\",\"source\":\"192.0.0.0/16\",\"jail\":\"custom\"}\n"),
    FUZZ_SEED("{\"command\":\"unban\",\"source\":\"2001:db8:1:2::/64\",\"jail\":\"mail\"}\n"),
    FUZZ_SEED("{\"command\":\"pause\",\"seconds\":600}\n{\"command\":\"resume\"}\n"),
    FUZZ_SEED("{\"command\":\"allowed\",\"source\":\"192.0.2.9\"}"),
    FUZZ_SEED("{\"command\":\"allow\",\"source\":\"203.0.113.9\"}\n"
              "{\"command\":\"disallow\",\"source\":\"203.0.113.9\"}\n"),
    FUZZ_SEED("{\"command\":\"forget\",\"user\":\"anna@example.org\"}\n{\"command\":\"repair\"}\n"),
    {NULL, 0},
};

static struct table *table;
static struct allow *allow;

static void
begin(void)
{
    char path[64];
    const struct table_options options = {.path = path,
                                          .ledger_path = "",
                                          .capacity = 1024,
                                          .max_bans = BANS,
                                          .owner = (uid_t)-1,
                                          .group = (gid_t)-1,
                                          .now_ms = NOON_MS};
    bool is_new;

    snprintf(path, sizeof path, "/dev/shm/fuzz_command.%d", (int)getpid());
    FUZZ_WANT(table_open(&options, &table, &is_new) == 0);
    unlink(path);
    allow = allow_new();
    FUZZ_WANT(allow != NULL && allow_add(allow, "192.0.2.0/24", 12) == 0);
    allow_seal(allow);
}

static int
forget(void *closure, const struct source *source, const char *user)
{
    (void)closure;
    FUZZ_WANT(source != NULL || user != NULL);
    return 17;
}

static int
change_allow(void *closure, const struct source *source, const char *note)
{
    (void)closure;
    (void)note;
    FUZZ_WANT(source_is_masked(source));
    return 1;
}

static void
check_answer(const char *answer, int result)
{
    const size_t length = strnlen(answer, COMMAND_SIZE);
    struct fjson_object *object, *member;

    FUZZ_WANT(length > 1 && length < COMMAND_SIZE);
    FUZZ_WANT(strchr(answer, '\n') == answer + length - 1);
    object = object_parse(answer, length);
    FUZZ_WANT(object != NULL && fjson_object_object_get_ex(object, "done", &member));
    FUZZ_WANT((bool)fjson_object_get_boolean(member) == (result >= 0));
    fjson_object_put(object);
}

/* Then makes room for the next. */
static void
check_bans(void)
{
    struct ban ban;

    for (uint32_t slot = 0; slot < BANS; slot++) {
        if (!table_read_ban(table, slot, &ban) || ban.end != BAN_RUNNING)
            continue;
        FUZZ_WANT(!allow_overlaps(allow, &ban.source));
        FUZZ_WANT(source_is_masked(&ban.source));
    }
}

static void
run(const char *request, size_t length)
{
    char answer[COMMAND_SIZE];
    const struct command_context context = {.table = table,
                                            .allow = allow,
                                            .now_ms = NOON_MS,
                                            .forget = forget,
                                            .change_allow = change_allow};

    memset(answer, 'x', sizeof answer);
    check_answer(answer, command_run(&context, request, length, answer));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char everybody[] = "{\"command\":\"unban\",\"source\":\"::/0\"}";
    const uint8_t *const end = data + size;

    if (table == NULL)
        begin();
    while (data < end) {
        const uint8_t *const newline = memchr(data, '\n', (size_t)(end - data));
        const size_t length = (size_t)((newline != NULL ? newline + 1 : end) - data);
        char *const request = malloc(length); /* of just this size */

        FUZZ_WANT(request != NULL);
        memcpy(request, data, length);
        run(request, length);
        free(request);
        data += length;
    }
    check_bans();
    run(everybody, sizeof everybody - 1);
    return 0;
}
