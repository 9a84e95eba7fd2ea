/* table: what counting costs.
 *
 *   bench/table            ns a call, with 1 and 2 threads, 10,000 and 1,000,000 clients
 *   bench/table flood [N]  ten times N (1,000,000) clients in a row through a table for N
 *   bench/table count N [CLIENTS]
 *                          N calls of table_count for so many (1,000,000) clients, which
 *                          instructions.sh counts
 *   bench/table count6 N [CLIENTS]   likewise, of IPv6
 *
 * The file lies in /dev/shm, as the live table lies on tmpfs, and loses its name at once.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "table/table.h"

#define NOON_MS  INT64_C(1795262400000)
#define HOUR_MS  INT64_C(3600000)
#define CALLS    4000000
#define CAPACITY 1000000

static struct jail jail;
static bool is_v6;
static unsigned jail_index;

static double
seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Clients in no order that a cache would like. */
static struct source
client(uint64_t number)
{
    struct source source = {.address = {[10] = 0xff, [11] = 0xff}, .prefix = SOURCE_HOST_PREFIX};
    uint32_t mixed = (uint32_t)(number * UINT64_C(2654435761));

    if (is_v6) /* a network each, and a host in it */
        source = (struct source){{0x20, 0x01, [15] = 1}, SOURCE_HOST_PREFIX};
    memcpy(source.address + (is_v6 ? 4 : 12), &mixed, sizeof mixed);
    return source;
}

static struct table_failure
failure_of(struct source source, int64_t stamp_ms)
{
    return (struct table_failure){
        .client = source,
        .class = OFFENCE_AUTH_FAILED,
        .kind = 1,
        .service_hash = 25,
        .user_hash = 4711,
        .attempts = 1,
        .stamp_ms = stamp_ms,
    };
}

static struct table *
open_table(uint32_t capacity)
{
    char path[64];
    struct table_options options = {
        .path = path,
        .capacity = capacity,
        .max_bans = TABLE_BANS_DEFAULT,
        .owner = (uid_t)-1,
        .group = (gid_t)-1,
        .now_ms = NOON_MS,
    };
    struct table *table;
    bool is_new;
    int index;

    snprintf(path, sizeof path, "/dev/shm/ombanmail-bench-%d", (int)getpid());
    if (table_open(&options, &table, &is_new)) {
        fprintf(stderr, "no table can be opened at %s\n", path);
        exit(1);
    }
    unlink(path);
    jail_defaults(&jail);
    index = table_jail(table, &jail);
    if (index < 0)
        exit(1);
    jail_index = (unsigned)index;
    return table;
}

struct run {
    struct table *table;
    uint32_t clients, first;
    bool with_attempts;
};

/* So much time passes between two failures of one client, also where both threads have it, that
 * none is banned: a ban is another matter. */
static void *
run_calls(void *argument)
{
    const struct run *run = argument;

    for (uint32_t i = 0; i < CALLS; i++) {
        int64_t now_ms = NOON_MS + (int64_t)(i / run->clients) * 700000 + i % 1000;
        uint64_t number = (run->first + (uint64_t)i * 7919) % run->clients;
        struct table_failure failure = failure_of(client(number), now_ms);

        if (run->with_attempts)
            table_attempts(run->table, &failure);
        table_count(run->table, jail_index, &jail, &failure, 1, now_ms);
    }
    return NULL;
}

static void
measure(unsigned threads, uint32_t clients, bool with_attempts)
{
    struct table *table = open_table(2 * clients);
    struct run runs[2] = {{table, clients, 0, with_attempts},
                          {table, clients, clients / 2, with_attempts}};
    pthread_t ids[2];
    double began;

    run_calls(&runs[0]);
    began = seconds_now();
    for (unsigned i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, run_calls, &runs[i]);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    printf("%-28s %7u  %9u  %6.0f ns  %6.2f M/s\n",
           with_attempts ? "table_attempts+table_count" : "table_count", threads, clients,
           (seconds_now() - began) / CALLS * 1e9,
           threads * (CALLS / 1e6) / (seconds_now() - began));
    table_close(table);
}

static size_t
resident_kibibytes(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file && fscanf(file, "%*u %zu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

static double
processor_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Counts `count` clients from number `first` on, over 10 s. Returns the ns that a call takes. */
static double
count_clients(struct table *table, uint64_t first, uint32_t count, int64_t from_ms)
{
    double began = processor_seconds();

    for (uint32_t i = 0; i < count; i++) {
        int64_t now_ms = from_ms + INT64_C(10000) * i / count;
        struct table_failure failure = failure_of(client(first + i), now_ms);

        table_count(table, jail_index, &jail, &failure, 1, now_ms);
    }
    return (processor_seconds() - began) / count * 1e9;
}

/* Ten times the capacity of new clients in a row, over 50 s; clients that fail every 10 s among
 * them, each of which stands for a run. Before that half the capacity, twice: what a call costs
 * while there is room. */
static void
flood(uint32_t capacity)
{
    const uint32_t each = 2 * capacity, spans = 5, stubborn = 100;
    struct table *table = open_table(capacity);
    struct table_status status;
    unsigned banned = 0;
    double with_room, most = 0;
    size_t resident, grown = 0;

    count_clients(table, UINT64_C(3000000000), capacity / 2, NOON_MS - HOUR_MS);
    with_room = count_clients(table, UINT64_C(3000000000), capacity / 2, NOON_MS - HOUR_MS);
    printf("%9u clients  %4.0f ns a call, with room\n", capacity / 2, with_room);
    resident = resident_kibibytes();
    for (uint32_t span = 0; span < spans; span++) {
        int64_t now_ms = NOON_MS + span * 10000;
        struct table_failure failure;
        double ns;

        for (uint32_t k = 0; k < stubborn; k++) {
            failure = failure_of(client(UINT64_C(4000000000) + k), now_ms);
            banned += table_count(table, jail_index, &jail, &failure, 1, now_ms) == TABLE_BANNED;
        }
        ns = count_clients(table, UINT64_C(1) + (uint64_t)span * each, each, now_ms);
        most = ns > most ? ns : most;
        if (span == 0) /* the last pages of the file are in use from now on */
            resident = resident_kibibytes();
        grown = resident_kibibytes() - resident;
        table_read_status(table, &status);
        printf("%9u clients  %4.0f ns a call  %7zu KiB resident  %9llu evicted\n",
               (span + 1) * each, ns, resident_kibibytes(), (unsigned long long)status.evicted);
    }
    printf("clients %u, KiB grown %zu, cost %.2f times, stubborn banned on the fifth failure %u of"
           " %u\n",
           spans * each, grown, most / with_room, banned, stubborn);
    table_close(table);
}

/* All clients have a record already. */
__attribute__((noinline)) static void
counted_calls(struct table *table, uint32_t calls, uint32_t clients)
{
    for (uint32_t i = 0; i < calls; i++) {
        int64_t now_ms = NOON_MS + 20000 + i / 100;
        struct table_failure failure = failure_of(client((uint64_t)i * 7919 % clients), now_ms);

        table_count(table, jail_index, &jail, &failure, 1, now_ms);
    }
}

static void
count(uint32_t calls, uint32_t clients)
{
    struct table *table = open_table(2 * clients);

    for (uint32_t i = 0; i < clients; i++) {
        struct table_failure failure = failure_of(client(i), NOON_MS + i / 100);

        table_count(table, jail_index, &jail, &failure, 1, NOON_MS + i / 100);
    }
    counted_calls(table, calls, clients);
    table_close(table);
}

/* The optional last argument, or 1,000,000. */
static uint32_t
clients_of(int argc, char **argv, int last)
{
    uint32_t clients = argc > last ? (uint32_t)strtoul(argv[last], NULL, 10) : 0;

    return clients ? clients : CAPACITY;
}

int
main(int argc, char **argv)
{
    if ((argc == 2 || argc == 3) && strcmp(argv[1], "flood") == 0) {
        flood(clients_of(argc, argv, 2));
    } else if ((argc == 3 || argc == 4) &&
               (strcmp(argv[1], "count") == 0 || strcmp(argv[1], "count6") == 0)) {
        is_v6 = argv[1][5] == '6';
        count((uint32_t)strtoul(argv[2], NULL, 10), clients_of(argc, argv, 3));
    } else if (argc == 1) {
        printf("%-28s %7s  %9s  %9s  %10s\n", "", "threads", "clients", "a call", "together");
        for (unsigned with_attempts = 0; with_attempts < 2; with_attempts++)
            for (unsigned threads = 1; threads <= 2; threads++)
                for (uint32_t clients = 10000; clients <= 1000000; clients *= 100)
                    measure(threads, clients, with_attempts);
    } else {
        fprintf(stderr, "usage: %s [flood [N] | count N [CLIENTS] | count6 N [CLIENTS]]\n",
                argv[0]);
        return 2;
    }
    return 0;
}
