/* The lines of a ban are found through their chains just as by looking at the whole ring: whatever
 * networks they are of, however often the ring went round, with lines forgotten in between, in a
 * table that was closed and opened, that changed its shape or got a jail of wider networks, and
 * while two threads add lines. It fails when a line is entered into another chain than it is looked
 * for in, when a chain is not made anew at an attach, is not sorted, or is left too early.
 *
 * A place of which one byte was damaged, or that is partly another line's or half written, is not
 * read, nor is a class that nobody knows, and no text is longer than its field: that fails when the
 * checksum leaves a word out, or when a file is believed. Evidence of a ban is what came from its
 * first failure to its end.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "table/table-evidence.h"
#include "table/table-layout.h"
#include "table_fixture.h"

#define MOST    16
#define ROOM    256
#define CLIENTS 24

static uint64_t random_state;

static uint32_t
below(uint32_t limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % limit;
}

/* Neighbours in a /24 or a /64, and others; of each family. */
static struct source
some_client(void)
{
    uint32_t number = below(CLIENTS);
    char text[SOURCE_TEXT_SIZE];

    switch (number % 6) {
    case 0:
    case 1:
        snprintf(text, sizeof text, "203.0.113.%u", number + 1);
        break;
    case 2:
        snprintf(text, sizeof text, "203.0.%u.9", 112 + number % 4);
        break;
    case 3:
        snprintf(text, sizeof text, "2001:db8:1:%x::%x", number % 2, number);
        break;
    case 4:
        snprintf(text, sizeof text, "2001:db8:%x::7", number);
        break;
    default:
        snprintf(text, sizeof text, "::%x:2:3:4", number);
    }
    return source_of(text);
}

static void
add_line(struct table *table, struct source client, unsigned jail, int64_t stamp_ms)
{
    struct evidence evidence = {
        .client = client,
        .class = OFFENCE_AUTH_FAILED,
        .jails = UINT64_C(1) << jail,
        .attempts = 1,
        .stamp_ms = stamp_ms,
    };

    snprintf(evidence.user, sizeof evidence.user, "user%u@example.org", below(8));
    snprintf(evidence.line, sizeof evidence.line, "line at %lld", (long long)stamp_ms);
    table_add_evidence(table, &evidence);
}

static struct ban
some_ban(void)
{
    static const uint8_t v4_bits[] = {32, 32, 24, 23, 16}, v6_bits[] = {128, 64, 64, 48, 47};
    struct source client = some_client();
    struct ban ban = {
        .source = source_mask(&client, v4_bits[below(5)], v6_bits[below(5)]),
        .jail = (uint8_t)(1 + below(2)),
        .origin = BAN_BY_JAIL,
        .first_ms = NOON_MS + below(3) * 400,
        .end = below(2) == 0 ? BAN_RUNNING : BAN_EXPIRED,
        .ended_ms = NOON_MS + below(3000),
    };

    return ban;
}

/* What table_find_evidence gives, by looking at every line. */
static size_t
search(const struct table *table, const struct ban *ban, struct evidence lines[MOST])
{
    uint64_t last = table_last_evidence(table), room = table_evidence_room(table);
    size_t found = 0;

    for (uint64_t number = last; number > 0 && last - number < room && found < MOST; number--)
        found += table_read_evidence(table, number, &lines[found]) &&
                 table_is_evidence_of(&lines[found], ban);
    return found;
}

static size_t
assert_found_as_searched(const struct table *table, const struct ban *ban)
{
    struct evidence found[MOST], searched[MOST];
    size_t count = table_find_evidence(table, ban, found, MOST);

    assert_int_equal(count, search(table, ban, searched));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(found[i].number, searched[i].number);
        assert_string_equal(found[i].line, searched[i].line);
    }
    return count;
}

/* ---- one thread ---- */

static void
forget_some(struct table *table)
{
    struct source client = some_client(), network = source_mask(&client, 24, 64);
    char user[EVIDENCE_USER_SIZE];

    snprintf(user, sizeof user, "user%u@example.org", below(8));
    table_forget_evidence(table, below(2) ? &network : NULL, below(2) ? user : NULL);
}

/* Which bans networks so wide: their lines are chained together from now on. */
static void
add_jail(struct table *table, unsigned v4_bits, unsigned v6_bits)
{
    struct jail jail;

    jail_defaults(&jail);
    snprintf(jail.name, sizeof jail.name, "networks");
    jail.v4_bits = v4_bits;
    jail.v6_bits = v6_bits;
    assert_true(table_jail(table, &jail) > 0);
}

static size_t
do_something(struct fixture *f)
{
    size_t found = 0;

    switch (below(30)) {
    case 0:
        forget_some(f->table);
        break;
    case 1:
        fixture_reopen(f);
        break;
    case 2:
        f->options.capacity = below(2) ? 1024 : 2048;
        fixture_reopen(f);
        break;
    case 3:
        add_jail(f->table, below(2) ? 32 : 24, below(2) ? 48 : 56);
        break;
    default:
        for (uint32_t lines = below(20); lines > 0; lines--)
            add_line(f->table, some_client(), 1 + below(2), NOON_MS + below(2000));
    }
    for (unsigned i = 0; i < 10; i++) {
        struct ban ban = some_ban();

        found += assert_found_as_searched(f->table, &ban);
    }
    return found;
}

static void
found_as_by_a_search(void **state)
{
    size_t found = 0;
    struct fixture f;

    (void)state;
    for (uint64_t seed = 0; seed < shortened(20, 400); seed++) {
        random_state = seed;
        fixture_begin(&f, 1024, 64);
        for (unsigned i = 0; i < 60; i++)
            found += do_something(&f);
        fixture_end(&f);
    }
    assert_true(found > 10000);
}

static void
the_newest_are_chosen(void **state)
{
    struct source client = source_of("203.0.113.9");
    struct ban ban = {.source = client, .jail = 1, .origin = BAN_BY_JAIL};
    struct evidence lines[MOST];
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_int_equal(table_find_evidence(f.table, &ban, lines, MOST), 0);
    for (unsigned i = 0; i < MOST + 5; i++)
        add_line(f.table, client, 1, NOON_MS);
    assert_int_equal(table_find_evidence(f.table, &ban, lines, MOST), MOST);
    assert_int_equal(lines[0].number, MOST + 5);
    assert_int_equal(lines[MOST - 1].number, 6);
    assert_int_equal(table_find_evidence(f.table, &ban, lines, 3), 3);
    assert_int_equal(lines[2].number, MOST + 3);
    ban.origin = BAN_BY_HAND;
    assert_int_equal(table_find_evidence(f.table, &ban, lines, MOST), 0);
    fixture_end(&f);
}

static void
another_process_finds_them_too(void **state)
{
    struct ban ban = {.source = source_of("203.0.113.9"), .jail = 1, .origin = BAN_BY_JAIL};
    const struct table *reader;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    add_line(f.table, ban.source, 1, NOON_MS);
    add_line(f.table, source_of("203.0.113.10"), 1, NOON_MS);
    assert_int_equal(table_open_reader(f.path, &reader), 0);
    assert_int_equal(assert_found_as_searched(reader, &ban), 1);
    table_close_reader(reader);
    fixture_end(&f);
}

/* ---- damage ---- */

#define PLACE_SIZE  512
#define SEQUENCE    8   /* bytes at its beginning */
#define NUMBER_END  24  /* after sequence, check and number */
#define LINE_OFFSET 240 /* of the text, in its place */

/* The file, mapped, and the place in it of the line with this text. */
static char *
map_place(const struct fixture *f, const char *text, char **map, size_t *size)
{
    int file = open(f->path, O_RDWR | O_CLOEXEC);
    char *at;

    assert_true(file >= 0);
    *size = (size_t)lseek(file, 0, SEEK_END);
    *map = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    assert_true(*map != MAP_FAILED);
    at = memmem(*map, *size, text, strlen(text) + 1);
    assert_non_null(at);
    return at - LINE_OFFSET;
}

static void
damage_is_found(void **state)
{
    struct evidence evidence;
    struct fixture f;
    char *map, *one;
    size_t size;

    (void)state;
    fixture_begin(&f, 1024, 64);
    add_line(f.table, source_of("203.0.113.9"), 1, NOON_MS);
    add_line(f.table, source_of("198.51.100.7"), 2, NOON_MS + 1);
    one = map_place(&f, "line at 1795262400000", &map, &size);
    for (size_t i = SEQUENCE; i < PLACE_SIZE; i++) {
        if (i / 8 * 8 == offsetof(struct witness, jails))
            continue; /* jails are added without a new checksum */
        one[i] ^= 1;
        assert_false(table_read_evidence(f.table, 1, &evidence));
        one[i] ^= 1;
    }
    assert_true(table_read_evidence(f.table, 1, &evidence));
    for (size_t i = NUMBER_END + 8; i <= PLACE_SIZE; i += 8) { /* the other line's up to there */
        char whole[PLACE_SIZE];

        memcpy(whole, one, sizeof whole);
        memcpy(one + NUMBER_END, one + PLACE_SIZE + NUMBER_END, i - NUMBER_END);
        assert_false(table_read_evidence(f.table, 1, &evidence));
        memcpy(one, whole, sizeof whole);
    }
    munmap(map, size);
    fixture_end(&f);
}

/* ---- two that add, and one that looks ---- */

struct adder {
    struct table *table;
    struct source client;
    unsigned lines;
    atomic_uint *ready, *done;
};

static void *
add_lines(void *argument)
{
    struct adder *adder = argument;
    struct evidence evidence = {
        .client = adder->client, .class = OFFENCE_AUTH_FAILED, .jails = 2, .stamp_ms = NOON_MS};

    atomic_fetch_add(adder->ready, 1);
    while (atomic_load(adder->ready) < 2)
        ;
    for (unsigned i = 0; i < adder->lines; i++)
        table_add_evidence(adder->table, &evidence);
    atomic_fetch_add(adder->done, 1);
    return NULL;
}

static void
assert_sound(const struct table *table, const struct ban *ban)
{
    struct evidence lines[MOST];
    size_t count = table_find_evidence(table, ban, lines, MOST);

    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || lines[i].number < lines[i - 1].number);
        assert_true(table_is_evidence_of(&lines[i], ban));
    }
}

/* Two neighbours fail at once, so often, while somebody looks for the lines of the first. */
static void
add_at_once(struct table *table, unsigned lines)
{
    struct source clients[] = {source_of("203.0.113.9"), source_of("203.0.113.10")};
    struct ban ban = {.source = clients[0], .jail = 1, .origin = BAN_BY_JAIL};
    struct adder adders[2];
    pthread_t threads[2];
    atomic_uint ready = 0, done = 0;

    for (unsigned i = 0; i < 2; i++) {
        adders[i] = (struct adder){table, clients[i], lines, &ready, &done};
        assert_int_equal(pthread_create(&threads[i], NULL, add_lines, &adders[i]), 0);
    }
    while (atomic_load(&done) < 2)
        assert_sound(table, &ban);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void
a_jail_of_single_addresses_finds_them(void **state)
{
    struct ban ban = {.source = source_of("2001:db8::9"), .origin = BAN_BY_JAIL};
    struct evidence line = {.client = ban.source}, found;
    struct fixture f;

    (void)state;
    fixture_prepare(&f, 1024, 64);
    f.jail.v6_bits = 128;
    fixture_open(&f);
    ban.jail = (uint8_t)f.jail_index;
    line.jails = UINT64_C(1) << f.jail_index;
    table_add_evidence(f.table, &line);
    assert_int_equal(table_find_evidence(f.table, &ban, &found, 1), 1);
    fixture_end(&f);
}

/* Another process does not wait for a writer that was killed. */
static void
a_line_that_is_half_written_is_not_read(void **state)
{
    struct evidence line = {.client = source_of("203.0.113.9"), .line = "a line"}, read;
    const struct table *reader;
    struct table_fixed fixed;
    struct fixture f;
    uint64_t number, sequence;
    off_t offset;
    int file;

    (void)state;
    fixture_begin(&f, 1024, 64);
    number = table_add_evidence(f.table, &line);
    fixture_close(&f);
    file = open(f.path, O_RDWR);
    assert_int_equal(pread(file, &fixed, sizeof fixed, 0), sizeof fixed);
    offset = (off_t)(fixed.sections[SECTION_EVIDENCE].offset + number * WITNESS_SIZE);
    for (unsigned is_odd = 0; is_odd <= 1; is_odd++) {
        assert_int_equal(table_open_reader(f.path, &reader), 0);
        assert_int_equal(table_read_evidence(reader, number, &read), !is_odd);
        table_close_reader(reader);
        assert_int_equal(pread(file, &sequence, sizeof sequence, offset), sizeof sequence);
        sequence++;
        assert_int_equal(pwrite(file, &sequence, sizeof sequence, offset), sizeof sequence);
    }
    close(file);
    fixture_open(&f);
    fixture_end(&f);
}

/* Whatever a file has in it: each text ends within its field. */
static void
texts_end_within_their_fields(void **state)
{
    struct evidence line = {.client = source_of("203.0.113.9")}, read;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    memset(line.host, 'h', sizeof line.host);
    memset(line.service, 's', sizeof line.service);
    memset(line.user, 'u', sizeof line.user);
    memset(line.line, 'l', sizeof line.line);
    assert_true(table_read_evidence(f.table, table_add_evidence(f.table, &line), &read));
    assert_int_equal(strlen(read.host), sizeof line.host - 1);
    assert_int_equal(strlen(read.service), sizeof line.service - 1);
    assert_int_equal(strlen(read.user), sizeof line.user - 1);
    assert_int_equal(strlen(read.line), sizeof line.line - 1);
    fixture_end(&f);
}

/* From the second of its first failure on, until the ban has ended, in whatever millisecond. */
static void
a_line_is_evidence_from_the_first_failure_to_the_end(void **state)
{
    static const struct {
        int64_t stamp_ms;
        bool while_it_runs, afterwards;
    } cases[] = {
        {NOON_MS - 1, false, false},
        {NOON_MS, true, true},
        {NOON_MS + HOUR_MS, true, true},
        {NOON_MS + HOUR_MS + 1, true, false},
    };
    struct ban ban = {.source = source_of("203.0.113.9"),
                      .jail = 1,
                      .origin = BAN_BY_JAIL,
                      .first_ms = NOON_MS + 999,
                      .ended_ms = NOON_MS + HOUR_MS};
    struct evidence line = {.client = ban.source, .jails = 2};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        line.stamp_ms = cases[i].stamp_ms;
        ban.end = BAN_RUNNING;
        assert_int_equal(table_is_evidence_of(&line, &ban), cases[i].while_it_runs);
        ban.end = BAN_EXPIRED;
        assert_int_equal(table_is_evidence_of(&line, &ban), cases[i].afterwards);
    }
}

/* As a later version may have written it. */
static void
a_line_of_an_unknown_class_is_not_read(void **state)
{
    struct evidence line = {.client = source_of("203.0.113.9")}, read;
    struct fixture f;
    uint64_t number;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (unsigned unknown = 0; unknown <= 1; unknown++) {
        line.class = (enum offence_class)(OFFENCE_CLASSES - 1 + unknown);
        number = table_add_evidence(f.table, &line);
        assert_int_equal(table_read_evidence(f.table, number, &read), !unknown);
    }
    fixture_end(&f);
}

/* Nothing goes round here: so every line has to be found afterwards. */
static void
none_is_lost_between_two_threads(void **state)
{
    struct ban ban = {.source = source_of("203.0.113.0/24"), .jail = 1, .origin = BAN_BY_JAIL};
    struct evidence *lines = calloc(ROOM, sizeof *lines);
    struct fixture f;

    (void)state;
    assert_non_null(lines);
    for (unsigned round = 0; round < shortened(100, 2000); round++) {
        fixture_begin(&f, 16 * ROOM, 64);
        add_at_once(f.table, ROOM / 2);
        assert_int_equal(table_find_evidence(f.table, &ban, lines, ROOM), ROOM);
        fixture_end(&f);
    }
    free(lines);
}

static void
a_ring_that_goes_round_meanwhile_is_sound(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    add_at_once(f.table, shortened(20000, 400000));
    fixture_end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_as_by_a_search),
        cmocka_unit_test(the_newest_are_chosen),
        cmocka_unit_test(another_process_finds_them_too),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(a_line_is_evidence_from_the_first_failure_to_the_end),
        cmocka_unit_test(texts_end_within_their_fields),
        cmocka_unit_test(a_jail_of_single_addresses_finds_them),
        cmocka_unit_test(a_line_that_is_half_written_is_not_read),
        cmocka_unit_test(a_line_of_an_unknown_class_is_not_read),
        cmocka_unit_test(none_is_lost_between_two_threads),
        cmocka_unit_test(a_ring_that_goes_round_meanwhile_is_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
