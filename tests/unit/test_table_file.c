/* test_table_file: what is stored survives; what is damaged is found; nobody writes beside another.
 *
 * Fails when a restart, a kill -9 in mid-write or a change of capacity costs more than the one cell
 * that was being written, when a damaged file crashes us or passes for whole, when two writers get
 * in, or when a reader in another process sees half of a cell.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "table/table-layout.h"

/* ---- the file as bytes ---- */

struct bytes {
    uint8_t *data;
    size_t size;
};

static struct bytes
slurp(const char *path)
{
    struct bytes bytes = {0};
    struct stat status;
    int file = open(path, O_RDONLY);

    assert_true(file >= 0);
    assert_int_equal(fstat(file, &status), 0);
    bytes.size = (size_t)status.st_size;
    bytes.data = malloc(bytes.size);
    assert_int_equal(pread(file, bytes.data, bytes.size, 0), (ssize_t)bytes.size);
    close(file);
    return bytes;
}

static void
spew(const char *path, const uint8_t *data, size_t size)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(file >= 0);
    if (size > 0)
        assert_int_equal(write(file, data, size), (ssize_t)size);
    close(file);
}

static bool
exists(const struct fixture *f, const char *suffix)
{
    char path[128];

    snprintf(path, sizeof path, "%s%s", f->path, suffix);
    return access(path, F_OK) == 0;
}

/* ---- restart ---- */

static void
a_restart_keeps_counters_and_bans(void **state)
{
    struct table_status before, after;
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 2000, 100);
    assert_true(f.is_new);
    for (int i = 0; i < 4; i++)
        count_line(&f, "192.0.2.1", NOON_MS);
    for (int i = 0; i < 5; i++)
        count_line(&f, "192.0.2.2", NOON_MS);
    keep(f.table, NOON_MS);
    table_read_status(f.table, &before);
    f.options.now_ms = NOON_MS + 60000;
    fixture_reopen(&f);
    assert_false(f.is_new);
    table_read_status(f.table, &after);
    assert_true(after.table_id == before.table_id);
    assert_int_equal(after.created_ms, NOON_MS);
    assert_int_equal(after.opened_ms, NOON_MS + 60000);
    assert_int_equal(after.counted, 9);
    assert_int_equal(after.writer, getpid());
    assert_string_equal(after.ledger_path, "/nowhere/ledger.db");
    assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS + 60000), TABLE_BANNED);
    assert_int_equal(count_now(&f, "192.0.2.2", NOON_MS + 60000), TABLE_KNOWN);
    assert_true(find_ban(f.table, "192.0.2.2", &ban));
    assert_int_equal(ban.state, BAN_ENFORCED);
    assert_int_equal(f.said, 0);
    fixture_end(&f);
}

static void
the_file_is_whole_and_of_the_size_it_says(void **state)
{
    struct stat status;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 100000, 50000);
    assert_int_equal(stat(f.path, &status), 0);
    print_message("# default size: %lld bytes, of which records %u\n", (long long)status.st_size,
                  100000 * RECORD_SIZE);
    assert_true(status.st_blocks * 512 >= status.st_size); /* not sparse */
    assert_int_equal(status.st_mode & 07777, 0640);
    fixture_end(&f);
}

static void
jails_keep_their_index(void **state)
{
    struct ban ban = {.source = source_of("192.0.2.9"),
                      .origin = BAN_BY_JAIL,
                      .class = OFFENCE_AUTH_FAILED,
                      .failures = 5,
                      .since_ms = NOON_MS,
                      .until_ms = NOON_MS + HOUR_MS};
    struct table_change change;
    struct jail jail, read;
    struct fixture f;
    int second, third;

    (void)state;
    fixture_begin(&f, 1024, 64);
    jail = f.jail;
    jail.ports = (struct ports){.count = 1, .number = {25}};
    jail.verdict = VERDICT_DROP;
    strcpy(jail.name, "second");
    second = table_jail(f.table, &jail);
    jail.verdict = VERDICT_REJECT;
    strcpy(jail.name, "third");
    third = table_jail(f.table, &jail);
    assert_true(second > 0 && third > 0 && second != third);
    f.jail_index = (unsigned)third;
    count_now(&f, "192.0.2.1", NOON_MS);
    ban.jail = (uint8_t)third;
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    fixture_close(&f);
    assert_int_equal(table_open(&f.options, &f.table, &f.is_new), 0);
    assert_false(table_read_jail(f.table, (unsigned)second, &read)); /* nothing refers to it */
    assert_int_equal(table_dequeue(f.table, &change, 1, NOON_MS), 1);
    assert_int_equal(change.jail, third); /* nor stands it for others of the same ports */
    assert_true(table_read_jail(f.table, (unsigned)third, &read));
    assert_int_equal(read.verdict, VERDICT_REJECT);
    assert_string_equal(read.name, "third");
    jail.maxretry = 3;
    assert_int_equal(table_jail(f.table, &jail), third);
    assert_true(table_read_jail(f.table, (unsigned)third, &read));
    assert_int_equal(read.maxretry, 3);
    assert_true(table_read_jail(f.table, TABLE_JAIL_MANUAL, &read));
    assert_string_equal(read.name, JAIL_MANUAL);
    assert_false(table_read_jail(f.table, TABLE_JAILS_MAX, &read));
    strcpy(jail.name, JAIL_MANUAL);
    assert_int_equal(table_jail(f.table, &jail), -EINVAL);
    for (unsigned i = 2; i < TABLE_JAILS_MAX; i++) {
        snprintf(jail.name, sizeof jail.name, "jail-%u", i);
        assert_true(table_jail(f.table, &jail) > 0);
    }
    assert_int_equal(table_jail(f.table, &jail), TABLE_JAILS_MAX - 1); /* the same name */
    strcpy(jail.name, "one-too-many");
    assert_int_equal(table_jail(f.table, &jail), -ENOSPC);
    fixture_end(&f);
}

static void
a_change_of_shape_keeps_counters_and_bans(void **state)
{
    static const struct table_shape {
        uint32_t capacity, max_bans;
    } shapes[] = {{20000, 500}, {8192, 500}, {8192, 64}, {100000, 5000}, {8192, 128}};
    struct table_status before, after;
    struct table_failure failure;
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 10000, 1000);
    for (uint32_t client = 1; client <= 1000; client++)
        for (unsigned i = 0; i < (client % 10 == 0 ? 5 : 4); i++)
            count_at(&f, numbered_source(client), NOON_MS, NOON_MS);
    failure = failure_of(numbered_source(10), NOON_MS);
    assert_int_equal(table_attempts(f.table, &failure), 1);
    table_read_status(f.table, &before);
    assert_int_equal(before.counted, 1);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        f.options.capacity = shapes[i].capacity;
        f.options.max_bans = shapes[i].max_bans;
        fixture_reopen(&f);
        assert_false(f.is_new);
        assert_false(exists(&f, ".new"));
        table_read_status(f.table, &after);
        assert_in_range(after.capacity, shapes[i].capacity, shapes[i].capacity + 128);
        assert_true(after.max_bans >= shapes[i].max_bans); /* more when more are in use */
        assert_int_equal(used_slots(f.table), 100);
        assert_int_equal(table_tracked(f.table), 900);
        assert_true(after.table_id == before.table_id);
        assert_int_equal(after.counted, before.counted);
        assert_int_equal(table_pending(f.table), 100);
    }
    assert_int_equal(f.said, 0);
    assert_true(find_ban(f.table, "6.216.3.232", &ban)); /* client 1000 */
    assert_int_equal(ban.id, 100);
    for (uint32_t client = 1; client <= 1000; client++)
        assert_int_equal(count_at(&f, numbered_source(client), NOON_MS, NOON_MS),
                         client % 10 == 0 ? TABLE_KNOWN
                         : client < 32    ? TABLE_BANNED /* 28 of 128 slots are free */
                                          : TABLE_FULL);
    fixture_end(&f);
}

/* ---- who may write, who may read ---- */

static void
a_second_writer_is_refused(void **state)
{
    struct table_status status;
    const struct table *reader;
    struct table *second = NULL;
    struct fixture f;
    bool is_new;
    int child, result;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_int_equal(table_open(&f.options, &second, &is_new), -EBUSY);
    assert_int_equal(table_open_reader(f.path, &reader), 0);
    table_read_status(reader, &status);
    assert_int_equal(status.writer, getpid());
    fflush(NULL);
    child = fork();
    if (child == 0) {
        close(0);
        _exit(table_open(&f.options, &second, &is_new) == -EBUSY ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    fixture_close(&f);
    table_read_status(reader, &status);
    assert_int_equal(status.writer, 0);
    table_close_reader(reader);
    fixture_open(&f);
    fixture_end(&f);
}

/* In two bytes: exactly, or longer by less than its unit. */
static void
a_jails_time_for_neighbours_is_kept(void **state)
{
    static const struct {
        int64_t seconds, kept;
    } spans[] = {{1, 1},
                 {7200, 7200},
                 {16384, 274 * 60},
                 {24 * 3600, 24 * 3600},
                 {14 * 24 * 3600, 14 * 24 * 3600},
                 {800 * 24 * 3600, 115 * INT64_C(604800)},
                 {JAIL_TIME_MAX_S, JAIL_TIME_MAX_S}};
    const struct table *reader;
    struct fixture f;
    struct jail jail;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_int_equal(table_open_reader(f.path, &reader), 0);
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        f.jail.neighbours = 4;
        f.jail.neighbours_s = spans[i].seconds;
        assert_int_equal(table_jail(f.table, &f.jail), f.jail_index);
        assert_true(table_read_jail(reader, f.jail_index, &jail));
        assert_int_equal(jail.neighbours_s, spans[i].kept);
    }
    table_close_reader(reader);
    fixture_end(&f);
}

static void
a_reader_reads_and_nothing_else(void **state)
{
    struct table_status status;
    const struct table *reader;
    struct fixture f;
    struct jail jail;
    struct ban ban;

    (void)state;
    fixture_prepare(&f, 1024, 64);
    assert_int_equal(table_open_reader(f.path, &reader), -ENOENT);
    fixture_open(&f);
    assert_int_equal(table_open_reader(f.path, &reader), 0);
    for (int i = 0; i < 5; i++)
        count_line(&f, "192.0.2.1", NOON_MS);
    count_line(&f, "192.0.2.2", NOON_MS);
    table_set_trouble(f.table, "the kernel is cross");
    table_read_status(reader, &status);
    assert_string_equal(status.trouble, "the kernel is cross");
    assert_int_equal(status.counted, 6);
    assert_int_equal(status.bans, 1);
    assert_int_equal(table_pending(reader), 1);
    assert_int_equal(table_tracked(reader), 1);
    assert_true(table_read_jail(reader, f.jail_index, &jail));
    assert_string_equal(jail.name, "mail");
    assert_true(find_ban(reader, "192.0.2.1", &ban));
    assert_false(table_read_ban(reader, 63, &ban));
    assert_false(table_read_ban(reader, 64, &ban));
    assert_false(table_read_ban(reader, UINT32_MAX, &ban));
    table_set_trouble(f.table, NULL);
    table_read_status(reader, &status);
    assert_string_equal(status.trouble, "");
    table_close_reader(reader);
    fixture_close(&f);
    spew(f.path, (const uint8_t *)"not a table", 11);
    assert_int_equal(table_open_reader(f.path, &reader), -EPROTO);
    fixture_open(&f);
    fixture_end(&f);
}

/* ---- damage ---- */

static void
fill(struct fixture *f)
{
    struct ban ban;

    for (uint32_t client = 1; client <= 300; client++)
        for (unsigned i = 0; i < 1 + client % 4; i++)
            count_at(f, numbered_source(client), NOON_MS - i * 1000, NOON_MS);
    for (int i = 0; i < 30; i++) {
        char text[32];

        snprintf(text, sizeof text, "198.51.100.%d", i);
        ban = ban_by_hand(text, NOON_MS, NOON_MS + HOUR_MS + i);
        table_ban(f->table, &ban, NOON_MS);
    }
}

static void
unusable_files_are_set_aside(void **state)
{
    struct bytes whole, random_bytes;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    fill(&f);
    fixture_close(&f);
    whole = slurp(f.path);
    random_bytes = (struct bytes){malloc(whole.size), whole.size};
    srandom(5);
    for (size_t i = 0; i < whole.size; i++)
        random_bytes.data[i] = (uint8_t)random();

    const size_t cuts[] = {0, 1, 7, 8, 100, 4095, 4096, 5000, whole.size / 2, whole.size - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts + 3; i++) {
        const size_t cut_count = sizeof cuts / sizeof *cuts;

        if (i < cut_count) {
            spew(f.path, whole.data, cuts[i]);
        } else if (i == cut_count) {
            spew(f.path, random_bytes.data, random_bytes.size);
        } else if (i == cut_count + 1) { /* another layout */
            whole.data[8] ^= 1;
            spew(f.path, whole.data, whole.size);
            whole.data[8] ^= 1;
        } else { /* too long */
            spew(f.path, whole.data, whole.size);
            assert_int_equal(truncate(f.path, (off_t)whole.size + 4096), 0);
        }
        f.said = 0;
        fixture_open(&f);
        assert_true(f.is_new);
        assert_int_equal(f.said, 1);
        assert_non_null(strstr(f.last_said, f.path));
        assert_true(exists(&f, ".damaged"));
        assert_int_equal(used_slots(f.table), 0);
        fixture_close(&f);
    }
    free(whole.data);
    free(random_bytes.data);
    fixture_end(&f);
}

static void
a_sparse_file_is_filled_before_it_is_mapped(void **state)
{
    struct stat status;
    struct bytes whole;
    struct fixture f;
    int file;

    (void)state;
    fixture_begin(&f, 1024, 64);
    fixture_close(&f);
    whole = slurp(f.path);
    file = open(f.path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(file, whole.data, 4096), 4096);
    assert_int_equal(ftruncate(file, (off_t)whole.size), 0);
    close(file);
    free(whole.data);
    fixture_open(&f);
    assert_false(f.is_new);
    assert_int_equal(stat(f.path, &status), 0);
    assert_true(status.st_blocks * 512 >= status.st_size);
    fixture_end(&f);
}

/* Each flipped bit costs at most its cell, one in the fixed header the file, and none is missed
 * where it would change a record or a ban. */
static void
a_flipped_bit_costs_one_cell(void **state)
{
    const struct table_header *header;
    unsigned anew = 0, dropped = 0;
    size_t tracked, fixed_size = sizeof(struct table_fixed);
    struct bytes whole;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    fill(&f);
    tracked = table_tracked(f.table);
    fixture_close(&f);
    whole = slurp(f.path);
    header = (const struct table_header *)whole.data;
    const struct section *records = &header->fixed.sections[SECTION_RECORDS];
    const struct section *bans = &header->fixed.sections[SECTION_BANS];
    const uint64_t begins[] = {0, records->offset, bans->offset, 0};
    const uint64_t lengths[] = {fixed_size, records->length, 30 * CELL_SIZE, whole.size};
    srandom(6);
    for (unsigned round = 0; round < 1200; round++) {
        size_t at = begins[round % 4] + (size_t)random() % lengths[round % 4];
        uint8_t bit = (uint8_t)(1U << random() % 8);
        size_t left;

        whole.data[at] ^= bit;
        spew(f.path, whole.data, whole.size);
        f.said = 0;
        assert_int_equal(table_open(&f.options, &f.table, &f.is_new), 0);
        assert_int_equal(f.is_new, at < fixed_size);
        anew += f.is_new;
        if (!f.is_new) {
            left = table_tracked(f.table) + used_slots(f.table);
            dropped += left == tracked + 29;
            assert_in_range(f.said, left < tracked + 30, 1); /* a loss is said, once */
            assert_true(left + 1 >= tracked + 30);
        }
        fixture_close(&f);
        whole.data[at] ^= bit;
    }
    print_message("# bits flipped 1200: begun anew %u, dropped one cell %u\n", anew, dropped);
    assert_true(anew >= 300);
    assert_true(dropped >= 300);
    free(whole.data);
    fixture_open(&f);
    fixture_end(&f);
}

static void
spoil_jail(uint8_t *data, unsigned index)
{
    const struct table_header *header = (const struct table_header *)data;
    struct jail_cell *cell =
        (struct jail_cell *)(data + header->fixed.sections[SECTION_JAILS].offset) + index;
    uint64_t word[CELL_WORDS];

    assert_string_equal(cell->name, "mail");
    cell->maxretry = 0;
    memcpy(word, cell, sizeof word);
    cell->head.check = words_check(word, CELL_WORDS);
}

/* It fits its checksum, but no jail has such a maxretry: with one of its two cells the other
 * counts, with both the jail is gone, and its records. */
static void
a_jail_that_was_made_up_is_none(void **state)
{
    const struct table *reader;
    struct bytes whole;
    struct fixture f;
    struct jail jail;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (int i = 0; i < 3; i++)
        count_now(&f, "192.0.2.1", NOON_MS);
    fixture_close(&f);
    whole = slurp(f.path);
    for (unsigned copies = 1; copies <= 2; copies++) {
        spoil_jail(whole.data, f.jail_index + (copies == 2 ? TABLE_JAILS_MAX : 0));
        spew(f.path, whole.data, whole.size);
        assert_int_equal(table_open_reader(f.path, &reader), 0);
        assert_false(table_read_jail(reader, f.jail_index, &jail));
        table_close_reader(reader);
        fixture_open(&f);
        assert_false(f.is_new);
        assert_int_equal(f.said, copies - 1); /* the record was dropped */
        assert_int_equal(table_tracked(f.table), 2 - copies);
        assert_true(table_read_jail(f.table, f.jail_index, &jail));
        assert_int_equal(jail.maxretry, 5);
        fixture_close(&f);
    }
    free(whole.data);
    fixture_open(&f);
    fixture_end(&f);
}

/* Whatever the bytes say, no crash; under a sanitizer, no foul. */
static void
make_checks_fit(uint8_t *data, enum section_kind kind, unsigned words)
{
    const struct table_header *header = (const struct table_header *)data;
    const struct section section = header->fixed.sections[kind];

    for (size_t at = section.offset; at < section.offset + section.length; at += words * 8) {
        uint64_t word[CELL_WORDS_MAX];
        struct cell_head head;

        memcpy(word, data + at, words * 8);
        memcpy(&head, word, sizeof head);
        head.check = words_check(word, words);
        head.sequence &= ~1U;
        memcpy(data + at, &head, sizeof head);
    }
}

static void
shuffled_bytes_do_no_harm(void **state)
{
    struct bytes whole, damaged;
    struct fixture f;
    int64_t next_ms;

    (void)state;
    fixture_begin(&f, 1024, 64);
    fill(&f);
    fixture_close(&f);
    whole = slurp(f.path);
    damaged = (struct bytes){malloc(whole.size), whole.size};
    srandom(7);
    for (unsigned round = 0; round < 200; round++) {
        memcpy(damaged.data, whole.data, whole.size);
        for (unsigned i = 0; i < 500; i++) {
            size_t at = sizeof(struct table_fixed) +
                        (size_t)random() % (whole.size - sizeof(struct table_fixed));

            damaged.data[at] = random() % 2 ? 0xff : (uint8_t)random();
        }
        make_checks_fit(damaged.data, SECTION_JAILS, CELL_WORDS);
        make_checks_fit(damaged.data, SECTION_RECORDS, RECORD_WORDS);
        make_checks_fit(damaged.data, SECTION_ATTEMPTS, CELL_WORDS);
        make_checks_fit(damaged.data, SECTION_BANS, CELL_WORDS);
        spew(f.path, damaged.data, damaged.size);
        fixture_open(&f);
        for (uint32_t client = 1; client <= 300; client++)
            count_at(&f, numbered_source(client), NOON_MS, NOON_MS);
        keep(f.table, NOON_MS);
        table_expire(f.table, NOON_MS + 3 * HOUR_MS, &next_ms);
        write_down(f.table);
        fixture_close(&f);
    }
    free(whole.data);
    free(damaged.data);
    fixture_open(&f);
    fixture_end(&f);
}

/* ---- kill -9 ---- */

struct progress {
    _Atomic uint32_t steps;
    _Atomic uint32_t read[2]; /* bans, by each reader */
};

static struct progress *
shared_progress(void)
{
    struct progress *progress =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(progress != MAP_FAILED);
    return progress;
}

#define CRASH_CLIENTS 61

/* A history that anybody can play again: each client fails 16 times in turn, never enough. */
static void
crash_step(struct fixture *f, uint32_t step)
{
    count_at(f, numbered_source(1 + step % CRASH_CLIENTS), NOON_MS + step / CRASH_CLIENTS * 1000,
             NOON_MS);
}

/* Compares the stored stamps of each client with those of a table that was never killed. */
static unsigned
count_differences(const struct fixture *killed, const struct fixture *whole)
{
    struct bytes a = slurp(killed->path), b = slurp(whole->path);
    const struct table_header *header = (const struct table_header *)a.data;
    const struct section *section = &header->fixed.sections[SECTION_RECORDS];
    unsigned differences = CRASH_CLIENTS;

    for (size_t i = 0; i < section->length; i += RECORD_SIZE) {
        const struct record *x = (const struct record *)(a.data + section->offset + i);

        for (size_t k = 0; k < section->length && x->head.used; k += RECORD_SIZE) {
            const struct record *y = (const struct record *)(b.data + section->offset + k);

            if (y->head.used && memcmp(&x->key, &y->key, sizeof x->key) == 0 &&
                memcmp(x->stamps, y->stamps, sizeof x->stamps) == 0)
                differences--;
        }
    }
    free(a.data);
    free(b.data);
    return differences;
}

static void
kill_after_some_steps(pid_t child, const struct progress *progress, uint32_t steps)
{
    int result;

    while (atomic_load(&progress->steps) < steps)
        sched_yield();
    for (long i = random() % 2000; i > 0; i--)
        atomic_load(&progress->steps);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result));
}

static void
a_kill_costs_at_most_the_record_in_the_writing(void **state)
{
    struct progress *progress = shared_progress();
    struct fixture killed, whole;
    unsigned kills = shortened(150, 1000), costs = 0;

    (void)state;
    srandom(8);
    for (unsigned round = 0; round < kills; round++) {
        fixture_prepare(&killed, 1024, 64);
        killed.jail.findtime_s = 1; /* enough stamps, and no ban */
        atomic_store(&progress->steps, 0);
        fflush(NULL);
        pid_t child = fork();

        if (child == 0) {
            fixture_open(&killed);
            for (uint32_t step = 0;; step++) {
                crash_step(&killed, step);
                atomic_store(&progress->steps, step + 1);
            }
        }
        kill_after_some_steps(child, progress, 10 + (uint32_t)random() % 3000);
        fixture_open(&killed);
        assert_false(killed.is_new);

        /* The step after the last that was told may have been done, or half done. */
        fixture_begin(&whole, 1024, 64);
        whole.jail = killed.jail;
        uint32_t steps = atomic_load(&progress->steps);
        for (uint32_t step = 0; step < steps; step++)
            crash_step(&whole, step);
        unsigned differences = count_differences(&killed, &whole);
        if (steps < CRASH_CLIENTS)
            differences -= CRASH_CLIENTS - steps;
        if (differences > 1 && differences != UINT32_MAX)
            fail_msg("round %u: %u clients differ", round, differences);
        costs += differences == 1;
        assert_true(killed.said <= 1);

        /* Counting goes on. */
        for (unsigned i = 0; i < 4; i++)
            count_now(&killed, "192.0.2.1", NOON_MS);
        assert_int_equal(count_now(&killed, "192.0.2.1", NOON_MS), TABLE_BANNED);
        fixture_end(&killed);
        fixture_end(&whole);
    }
    print_message("# kills %u, records ahead or dropped %u\n", kills, costs);
    munmap(progress, 4096);
}

/* ---- many writers, and readers from another process ---- */

#define WRITERS   8
#define READ_MOST 2000 /* bans that each reader has to see while there is writing */

struct writing {
    struct fixture *fixture;
    unsigned number;
    uint32_t steps;
    struct progress *progress;
    bool has_readers;
};

/* On a busy machine the readers may not have begun when the steps are done. */
static bool
goes_on(const struct writing *writing, uint32_t step)
{
    const struct progress *progress = writing->progress;

    if (step < writing->steps || !writing->has_readers)
        return step < writing->steps;
    return step / 1000 < writing->steps && (atomic_load(&progress->read[0]) < READ_MOST ||
                                            atomic_load(&progress->read[1]) < READ_MOST);
}

/* Counts, bans, prolongs, lifts, keeps and writes down, all on the same few clients. In each ban
 * first_ms and since_ms are made from the source, so that a reader can tell half a cell. */
static void *
write_all(void *argument)
{
    const struct writing *writing = argument;
    struct fixture *f = writing->fixture;
    uint64_t dice = writing->number + 1;

    for (uint32_t step = 0; goes_on(writing, step); step++) {
        dice = dice * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint32_t number = (uint32_t)(dice >> 33) % 40;
        int64_t now_ms = NOON_MS + step / 16, next_ms;
        struct source source = numbered_source(1000 + number);
        struct ban ban = {.source = source,
                          .origin = BAN_BY_HAND,
                          .failures = (uint16_t)(number + 1),
                          .first_ms = 1000 + number,
                          .since_ms = 2000 + number,
                          .until_ms = now_ms + 1 + (int64_t)(dice >> 40) % 300};
        struct table_failure failure = failure_of(source, now_ms);

        failure.user_hash = dice % 3;
        count_at(f, source, now_ms, now_ms);
        table_attempts(f->table, &failure);
        table_ban(f->table, &ban, now_ms);
        if (step % 64 == 0)
            table_unban(f->table, &source, 0, now_ms);
        if (writing->number == 0)
            keep(f->table, now_ms);
        if (writing->number == 1)
            write_down(f->table);
        if (writing->number == 2)
            table_expire(f->table, now_ms, &next_ms);
        if (writing->number == 3 && step % 16 == 0)
            table_set_trouble(f->table, step % 32 ? "aaaaaaaaaaaaaaaaaaaa" : "b");
        if (writing->progress)
            atomic_fetch_add(&writing->progress->steps, 1);
    }
    return NULL;
}

/* Runs in another process until it is killed, or has seen what is not whole; it ends itself when it
 * has lost its parent. */
static void
read_all(const char *path, _Atomic uint32_t *read)
{
    struct table_status status;
    const struct table *reader;
    struct ban ban;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (table_open_reader(path, &reader))
        _exit(2);
    for (;;) {
        for (uint32_t i = 0; i < 200; i++) {
            if (!table_read_ban(reader, i, &ban) || ban.origin != BAN_BY_HAND)
                continue;
            unsigned number = ban.source.address[15] - (1000U & 0xff);

            number &= 0xff;
            if (ban.failures != number + 1 || ban.first_ms != 1000 + number ||
                ban.since_ms != 2000 + number)
                _exit(1);
            atomic_fetch_add(read, 1);
        }
        table_read_status(reader, &status);
        if (status.trouble[0] && strcmp(status.trouble, "b") != 0 &&
            strcmp(status.trouble, "aaaaaaaaaaaaaaaaaaaa") != 0)
            _exit(3);
        table_tracked(reader);
        table_pending(reader);
    }
}

static void
start_writers(struct fixture *f, pthread_t threads[WRITERS], struct writing writings[WRITERS],
              uint32_t steps, struct progress *progress, bool has_readers)
{
    for (unsigned i = 0; i < WRITERS; i++) {
        writings[i] = (struct writing){f, i, steps, progress, has_readers};
        assert_int_equal(pthread_create(&threads[i], NULL, write_all, &writings[i]), 0);
    }
}

static void
readers_see_whole_cells_while_eight_threads_write(void **state)
{
    struct progress *progress = shared_progress();
    uint32_t steps = shortened(4000, 100000);
    struct writing writings[WRITERS];
    pthread_t threads[WRITERS];
    pid_t readers[2];
    struct fixture f;
    int result;

    (void)state;
    fixture_begin(&f, 1024, 200);
    fflush(NULL);
    for (unsigned i = 0; i < 2; i++) {
        readers[i] = fork();
        if (readers[i] == 0)
            read_all(f.path, &progress->read[i]);
    }
    start_writers(&f, threads, writings, steps, progress, true);
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < 2; i++) {
        kill(readers[i], SIGKILL);
        assert_int_equal(waitpid(readers[i], &result, 0), readers[i]);
        if (!WIFSIGNALED(result))
            fail_msg("reader ended with %x", result);
    }
    print_message("# steps %u by %d threads, bans read meanwhile %u and %u, torn 0\n",
                  atomic_load(&progress->steps), WRITERS, atomic_load(&progress->read[0]),
                  atomic_load(&progress->read[1]));
    fixture_reopen(&f); /* all that was stored is whole */
    assert_int_equal(f.said, 0);
    fixture_end(&f);
    munmap(progress, 4096);
}

/* What a killed writer leaves half written is no ban, for a reader who comes before the next
 * writer has cleaned up. */
/* The cell of the only ban of that file. */
static void
set_only_ban(const struct fixture *f, enum ban_state state)
{
    struct bytes whole = slurp(f->path);
    const struct table_header *header = (struct table_header *)whole.data;
    struct cell *cell = (struct cell *)(whole.data + header->fixed.sections[SECTION_BANS].offset);
    struct ban_cell ban;

    cell_load(cell, &ban);
    ban.head.used = (uint8_t)state;
    cell_replace(cell, &ban);
    spew(f->path, whole.data, whole.size);
    free(whole.data);
}

/* The change of such a ban is stored before it is settled, which no kernel does here. */
static void
a_kill_leaves_no_ban_of_another_host_unsettled(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS);
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    ban.scope = TABLE_SCOPE_OWN + 1;
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    fixture_close(&f);
    set_only_ban(&f, BAN_WANTED);
    fixture_open(&f);
    assert_true(table_read_ban(f.table, 0, &ban));
    assert_int_equal(ban.state, BAN_ENFORCED);
    assert_int_equal(table_pending(f.table), 0);
    assert_int_equal(table_unban(f.table, &ban.source, 0, NOON_MS + 1), 1);
    fixture_close(&f);
    set_only_ban(&f, BAN_LIFTED);
    fixture_open(&f);
    assert_true(table_read_ban(f.table, 0, &ban));
    assert_int_equal(ban.state, BAN_OVER);
    assert_int_equal(table_pending(f.table), 0);
    fixture_end(&f);
}

static void
a_half_written_cell_is_not_read(void **state)
{
    const struct table_header *header;
    struct ban_cell copy;
    const struct table *reader;
    struct bytes whole;
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS);
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    fixture_close(&f);
    whole = slurp(f.path);
    header = (const struct table_header *)whole.data;
    struct ban_cell *cell =
        (struct ban_cell *)(whole.data + header->fixed.sections[SECTION_BANS].offset);
    assert_int_equal(cell->head.used, BAN_WANTED);
    cell->head.sequence++;
    assert_false(cell_read((const struct cell *)cell, &copy));
    spew(f.path, whole.data, whole.size);
    assert_int_equal(table_open_reader(f.path, &reader), 0);
    assert_false(table_read_ban(reader, 0, &ban));
    table_close_reader(reader);
    fixture_open(&f);
    assert_int_equal(f.said, 1);
    assert_int_equal(used_slots(f.table), 0);
    free(whole.data);
    fixture_end(&f);
}

static void
eight_writers_killed_leave_a_table_that_goes_on(void **state)
{
    struct progress *progress = shared_progress();
    unsigned rounds = shortened(30, 1000), dropped = 0;
    struct fixture f;

    (void)state;
    srandom(9);
    for (unsigned round = 0; round < rounds; round++) {
        struct writing writings[WRITERS];
        pthread_t threads[WRITERS];

        fixture_prepare(&f, 1024, 200);
        atomic_store(&progress->steps, 0);
        fflush(NULL);
        pid_t child = fork();

        if (child == 0) {
            fixture_open(&f);
            start_writers(&f, threads, writings, UINT32_MAX, progress, false);
            pause();
        }
        kill_after_some_steps(child, progress, 100 + (uint32_t)random() % 3000);
        fixture_open(&f);
        assert_false(f.is_new);
        if (f.said > 0) { /* one cell for each thread at most */
            unsigned records, bans;
            const char *numbers = strstr(f.last_said, ": ");

            assert_int_equal(sscanf(numbers, ": %u record%*[s ]and %u", &records, &bans), 2);
            assert_true(records + bans <= WRITERS);
            dropped += records + bans;
        }
        keep(f.table, NOON_MS);
        write_down(f.table);
        fixture_end(&f);
    }
    print_message("# kills %u of %d threads, cells dropped %u\n", rounds, WRITERS, dropped);
    munmap(progress, 4096);
}

/* ---- room ---- */

/* Runs in a mount namespace of its own, on a tmpfs of `kibibytes`; returns the child's answer. */
static int
on_small_tmpfs(const char *directory, unsigned kibibytes, int (*run)(struct fixture *),
               struct fixture *f)
{
    char options[32];
    int result;
    pid_t child;

    snprintf(options, sizeof options, "size=%uk", kibibytes);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
            mount("none", directory, "tmpfs", 0, options))
            _exit(77);
        _exit(run(f));
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    return WIFEXITED(result) ? WEXITSTATUS(result) : -1;
}

static int
opens_smaller(struct fixture *f)
{
    struct table_status status;

    if (table_open(&f->options, &f->table, &f->is_new))
        return 1;
    table_read_status(f->table, &status);
    if (status.capacity < 1024 || status.capacity >= 100000 || f->said != 1)
        return 2;
    f->jail_index = (unsigned)table_jail(f->table, &f->jail);
    for (uint32_t i = 0; i < 200000; i++)
        count_at(f, numbered_source(i), NOON_MS, NOON_MS);
    count_now(f, "192.0.2.1", NOON_MS);
    table_close(f->table);
    if (table_open(&f->options, &f->table, &f->is_new) || f->is_new || f->said != 2)
        return 3; /* still no room for more: it stays as it is */
    return count_now(f, "192.0.2.1", NOON_MS) == TABLE_COUNTED && table_tracked(f->table) > 1000
               ? 0
               : 4;
}

static int
is_refused(struct fixture *f)
{
    return table_open(&f->options, &f->table, &f->is_new) == -ENOSPC && access(f->path, F_OK) != 0
               ? 0
               : 1;
}

/* Where even the least capacity does not fit, room for bans is given up, by halves. */
static int
has_room_for_fewer_bans(struct fixture *f)
{
    struct table_status status;

    f->options.capacity = 1024;
    f->options.max_bans = 100000;
    if (table_open(&f->options, &f->table, &f->is_new))
        return 1;
    table_read_status(f->table, &status);
    return status.capacity == 1024 && status.max_bans == 12500 ? 0 : 2;
}

/* A sparse file, and less room than it would need: touching it would be a SIGBUS. */
static int
survives_a_sparse_file(struct fixture *f)
{
    struct bytes head;
    int file;

    f->options.capacity = 1024;
    if (table_open(&f->options, &f->table, &f->is_new))
        return 1;
    table_close(f->table);
    head = slurp(f->path);
    file = open(f->path, O_WRONLY | O_TRUNC);
    if (write(file, head.data, 4096) != 4096 || ftruncate(file, (off_t)head.size))
        return 2;
    close(file);
    free(head.data);
    snprintf(f->last_said, sizeof f->last_said, "%s/filler", f->directory);
    file = open(f->last_said, O_WRONLY | O_CREAT, 0600); /* now somebody takes the room */
    posix_fallocate(file, 0, 400 * 1024 - 64 * 1024);
    close(file);
    return table_open(&f->options, &f->table, &f->is_new) == -ENOSPC ? 0 : 3;
}

static void
too_little_room_lowers_the_capacity(void **state)
{
    struct fixture f;
    int result;

    (void)state;
    fixture_prepare(&f, 100000, 1000);
    result = on_small_tmpfs(f.directory, 6000, opens_smaller, &f);
    if (result != 77) {
        assert_int_equal(result, 0);
        assert_int_equal(on_small_tmpfs(f.directory, 2000, has_room_for_fewer_bans, &f), 0);
        assert_int_equal(on_small_tmpfs(f.directory, 64, is_refused, &f), 0);
        assert_int_equal(on_small_tmpfs(f.directory, 400, survives_a_sparse_file, &f), 0);
    }
    fixture_end(&f);
    if (result == 77)
        skip();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restart_keeps_counters_and_bans),
        cmocka_unit_test(the_file_is_whole_and_of_the_size_it_says),
        cmocka_unit_test(jails_keep_their_index),
        cmocka_unit_test(a_change_of_shape_keeps_counters_and_bans),
        cmocka_unit_test(a_second_writer_is_refused),
        cmocka_unit_test(a_reader_reads_and_nothing_else),
        cmocka_unit_test(a_jails_time_for_neighbours_is_kept),
        cmocka_unit_test(unusable_files_are_set_aside),
        cmocka_unit_test(a_sparse_file_is_filled_before_it_is_mapped),
        cmocka_unit_test(a_flipped_bit_costs_one_cell),
        cmocka_unit_test(a_jail_that_was_made_up_is_none),
        cmocka_unit_test(shuffled_bytes_do_no_harm),
        cmocka_unit_test(a_kill_costs_at_most_the_record_in_the_writing),
        cmocka_unit_test(readers_see_whole_cells_while_eight_threads_write),
        cmocka_unit_test(a_kill_leaves_no_ban_of_another_host_unsettled),
        cmocka_unit_test(a_half_written_cell_is_not_read),
        cmocka_unit_test(eight_writers_killed_leave_a_table_that_goes_on),
        cmocka_unit_test(too_little_room_lowers_the_capacity),
    };

    cmocka_set_test_filter(getenv("TABLE_FILE_TESTS")); /* a pattern; sanitizers.test needs one */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
