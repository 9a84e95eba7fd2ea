/* make-table: a table as a rsyslogd might have left it, or, with `hold`, as one has it open.
 *
 *   make-table FILE LEDGER [jail NAME] [ban ADDRESS SECONDS] [enforce] [trouble TEXT] [hold]
 *
 * The words act in their order: `ban` is by the last jail, since three minutes and for as many
 * seconds from now (forever: until lifted); `enforce` plays a kernel that takes all; `hold` prints
 * "ready" and keeps the table open until standard input ends. Prints what failed and exits 1.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "table/table.h"

static int64_t now_ms;
static int jail_index;

static void
must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "make-table: %s failed\n", what);
    exit(1);
}

static void
add_jail(struct table *table, const char *name)
{
    struct jail jail;

    jail_defaults(&jail);
    snprintf(jail.name, sizeof(jail.name), "%s", name);
    jail_index = table_jail(table, &jail);
    must(jail_index >= 1, "jail");
}

static void
add_ban(struct table *table, const char *address, const char *seconds)
{
    struct ban ban = {
        .jail = (uint8_t)jail_index,
        .failures = 5,
        .origin = jail_index == TABLE_JAIL_MANUAL ? BAN_BY_HAND : BAN_BY_JAIL,
        .class = OFFENCE_AUTH_FAILED,
        .first_ms = now_ms - 200 * 1000,
        .since_ms = now_ms - 180 * 1000,
        .until_ms = strcmp(seconds, "forever") == 0 ? TABLE_FOREVER_MS
                                                    : now_ms + strtoll(seconds, NULL, 10) * 1000,
    };

    must(source_parse_prefix(address, strlen(address), &ban.source) == 0, address);
    must(table_ban(table, &ban, now_ms) == 0, "ban");
}

static void
enforce(struct table *table)
{
    static struct table_change changes[64];
    size_t count;

    while ((count = table_dequeue(table, changes, 64, now_ms)) > 0)
        table_acknowledge(table, changes, count, true, now_ms);
}

static void
hold(void)
{
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF)
        ;
}

int
main(int argc, char **argv)
{
    struct table_options options = {
        .path = argv[1],
        .ledger_path = argv[2],
        .capacity = 1024,
        .max_bans = 64,
        .owner = (uid_t)-1,
        .group = (gid_t)-1,
    };
    struct table *table;
    struct timespec now;
    bool is_new;

    must(argc >= 3, "usage");
    clock_gettime(CLOCK_REALTIME, &now);
    now_ms = options.now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    must(table_open(&options, &table, &is_new) == 0, "open");
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "jail") == 0 && i + 1 < argc)
            add_jail(table, argv[++i]);
        else if (strcmp(argv[i], "ban") == 0 && i + 2 < argc)
            add_ban(table, argv[i + 1], argv[i + 2]), i += 2;
        else if (strcmp(argv[i], "trouble") == 0 && i + 1 < argc)
            table_set_trouble(table, argv[++i]);
        else if (strcmp(argv[i], "enforce") == 0)
            enforce(table);
        else if (strcmp(argv[i], "hold") == 0)
            hold();
        else
            must(false, argv[i]);
    }
    table_close(table);
    return 0;
}
