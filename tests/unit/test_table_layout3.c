/* test_table_layout3: a table of an earlier version is taken over with all that counts in it.
 *
 * Fails when a ban, a counter, a jail or a line of evidence of layout 3 is lost, or comes back as
 * another one; when a damaged cell of it is lost silently; and when a table that cannot be taken
 * over keeps a new one from being begun.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "table/table-evidence.h"
#include "table/table-layout3.h"

/* ---- writing one ---- */

static uint8_t *
slurp(const char *path)
{
    struct stat status;
    int file = open(path, O_RDONLY);
    uint8_t *data;

    assert_true(file >= 0);
    assert_int_equal(fstat(file, &status), 0);
    data = malloc((size_t)status.st_size);
    assert_int_equal(pread(file, data, (size_t)status.st_size, 0), status.st_size);
    close(file);
    return data;
}

static void
write_at(int file, uint64_t offset, const void *data, size_t size)
{
    assert_int_equal(pwrite(file, data, size, (off_t)offset), (ssize_t)size);
}

static void
put_record(int file, uint64_t offset, const struct record *record)
{
    struct layout3_record old = {.head = {.used = record->head.used, .own = record->head.own},
                                 .key = record->key,
                                 .ban = record->ban};
    uint64_t word[CELL_WORDS];

    memcpy(old.stamps, record->stamps, sizeof old.stamps);
    memcpy(old.attempted, record->users, sizeof old.attempted);
    memcpy(word, &old, sizeof word);
    old.head.check = words_check(word, CELL_WORDS);
    write_at(file, offset, &old, sizeof old);
}

static void
put_witness(int file, uint64_t offset, const struct witness *witness)
{
    struct layout3_witness old = {.sequence = witness->sequence,
                                  .number = witness->number,
                                  .stamp_ms = witness->stamp_ms,
                                  .class = witness->class,
                                  .attempts = witness->attempts};
    uint64_t word[WITNESS_WORDS], sum = GUARD_FACTOR;

    old.jail = witness->jails == 0 ? 0 : (uint8_t)__builtin_ctzll(witness->jails);
    memcpy(old.address, witness->address, sizeof old.address);
    memcpy(old.host, witness->host, sizeof old.host);
    memcpy(old.service, witness->service, sizeof old.service);
    memcpy(old.user, witness->user, sizeof old.user);
    memcpy(old.line, witness->line, sizeof witness->line);
    memcpy(word, &old, sizeof word);
    for (unsigned i = 2; i < WITNESS_WORDS; i++)
        sum = (sum ^ word[i]) * GUARD_FACTOR;
    old.check = sum;
    write_at(file, offset, &old, sizeof old);
}

/* Where the sections of layout 3 lie. */
static struct table_fixed
fixed_of(const struct table_fixed *now)
{
    struct table_fixed fixed = *now;
    uint64_t offset = TABLE_HEADER_SIZE;

    memset(fixed.sections, 0, sizeof fixed.sections);
    for (unsigned i = 0; i < LAYOUT3_SECTIONS; i++) {
        fixed.sections[i] = (struct section){offset, now->sections[i].length};
        if (i == SECTION_RECORDS)
            fixed.sections[i].length = (uint64_t)now->capacity * LAYOUT3_RECORD_SIZE;
        offset += fixed.sections[i].length;
    }
    fixed.size = offset;
    fixed.layout = LAYOUT3_ID;
    fixed.check = table_fixed_check(&fixed);
    return fixed;
}

/* What layout 3 does not know of a jail is zero there. */
static void
forget_news(struct cell *jails)
{
    const size_t known = offsetof(struct jail_cell, bantime_max_s);
    struct jail_cell jail;

    for (unsigned i = 0; i < 2 * TABLE_JAILS_MAX; i++) {
        cell_load(&jails[i], &jail);
        memset((char *)&jail + known, 0, sizeof jail - known);
        if (jail.head.used)
            cell_replace(&jails[i], &jail);
    }
}

/* The table, closed, becomes one of layout 3. */
static struct table_fixed
write_layout3(struct fixture *f)
{
    struct table_header *header;
    struct table_fixed now, fixed;
    uint8_t *data;
    int file;

    fixture_close(f);
    data = slurp(f->path);
    header = (struct table_header *)data;
    now = header->fixed;
    fixed = fixed_of(&now);
    forget_news((struct cell *)(data + now.sections[SECTION_JAILS].offset));
    header->fixed = fixed;
    header->lives = header->repeated = 0;
    file = open(f->path, O_WRONLY | O_TRUNC);
    write_at(file, 0, data, TABLE_HEADER_SIZE);
    for (unsigned i = 0; i < LAYOUT3_SECTIONS; i++)
        if (i != SECTION_RECORDS && i != SECTION_EVIDENCE)
            write_at(file, fixed.sections[i].offset, data + now.sections[i].offset,
                     now.sections[i].length);
    for (uint64_t i = 0; i < now.capacity; i++)
        put_record(file, fixed.sections[SECTION_RECORDS].offset + i * LAYOUT3_RECORD_SIZE,
                   (const struct record *)(data + now.sections[SECTION_RECORDS].offset) + i);
    for (uint64_t i = 0; i < now.sections[SECTION_EVIDENCE].length / WITNESS_SIZE; i++)
        put_witness(file, fixed.sections[SECTION_EVIDENCE].offset + i * WITNESS_SIZE,
                    (const struct witness *)(data + now.sections[SECTION_EVIDENCE].offset) + i);
    close(file);
    free(data);
    return fixed;
}

/* ---- what is in it ---- */

static void
fill(struct fixture *f, uint32_t max_bans)
{
    struct evidence evidence = {.client = source_of("203.0.113.9"),
                                .class = OFFENCE_AUTH_FAILED,
                                .attempts = 1,
                                .stamp_ms = NOON_MS,
                                .host = "mx1",
                                .user = "bob",
                                .line = "a line"};

    fixture_begin(f, 1024, max_bans);
    for (unsigned i = 0; i < 5; i++) {
        if (i < 4)
            count_line(f, "203.0.113.8", NOON_MS);
        evidence.jails = UINT64_C(1) << f->jail_index;
        table_add_evidence(f->table, &evidence);
        count_line(f, "203.0.113.9", NOON_MS);
    }
}

static void
check(struct fixture *f, uint64_t table_id)
{
    const struct source client = source_of("203.0.113.8");
    struct evidence evidence;
    struct table_counter counter;
    struct table_status status;
    struct ban ban;

    assert_false(f->is_new);
    table_read_status(f->table, &status);
    assert_true(status.table_id == table_id);
    assert_int_equal(status.counted, 9);
    assert_int_equal(status.bans, 1);
    assert_true(table_read_counter(f->table, f->jail_index, &client, TABLE_SCOPE_FLEET, &counter));
    assert_int_equal(counter.failures, 4);
    assert_int_equal(counter.newest_s, NOON_MS / 1000);
    assert_int_equal(counter.users, 0);
    assert_true(find_ban(f->table, "203.0.113.9", &ban));
    assert_int_equal(ban.id, 1);
    assert_true(ban.table_id == table_id);
    assert_int_equal(ban.table, 0);
    assert_int_equal(ban.failures, 5);
    for (uint64_t number = 1; number <= 5; number++) {
        assert_true(table_read_evidence(f->table, number, &evidence));
        assert_true(table_is_evidence_of(&evidence, &ban));
        assert_string_equal(evidence.line, "a line");
        assert_string_equal(evidence.user, "bob");
    }
    assert_int_equal(table_last_evidence(f->table), 5);
    assert_int_equal(count_now(f, "203.0.113.9", NOON_MS), TABLE_KNOWN);
    assert_int_equal(count_now(f, "203.0.113.8", NOON_MS), TABLE_BANNED);
}

/* Before the jail is declared anew: what layout 3 does not know of it is as it was then. */
static void
check_jail(struct fixture *f)
{
    struct jail jail;

    assert_int_equal(table_open(&f->options, &f->table, &f->is_new), 0);
    assert_true(table_read_jail(f->table, f->jail_index, &jail));
    assert_int_equal(jail.repeats, 1);
    assert_true(jail.growth.factor == 1);
    assert_false(jail.growth.is_on);
    assert_int_equal(jail.kindness.login_allowance, 1);
    assert_int_equal(jail.kindness.mail_allowance, 1);
    fixture_close(f);
}

static void
all_of_it_is_taken_over(void **state)
{
    static const uint32_t capacities[] = {1024, 8192};
    struct table_fixed fixed;
    const struct table *reader;
    struct fixture f;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        fill(&f, 64);
        fixed = write_layout3(&f);
        assert_int_equal(table_open_reader(f.path, &reader), -EPROTO);
        f.options.capacity = capacities[i];
        check_jail(&f);
        fixture_open(&f);
        assert_int_equal(f.said, 0);
        check(&f, fixed.table_id);
        fixture_reopen(&f);
        assert_int_equal(f.said, 0);
        assert_int_equal(table_open_reader(f.path, &reader), 0);
        table_close_reader(reader);
        fixture_end(&f);
    }
}

/* Of each section, the first cell in use: a bit is flipped. */
static void
a_damaged_cell_is_said(void **state)
{
    static const enum section_kind kinds[] = {SECTION_RECORDS, SECTION_BANS};
    struct table_fixed fixed;
    struct fixture f;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t cell[CELL_SIZE];
        struct cell_head head = {0};
        uint64_t offset;
        int file;

        fill(&f, 64);
        fixed = write_layout3(&f);
        file = open(f.path, O_RDWR);
        for (offset = fixed.sections[kinds[i]].offset; head.used == 0; offset += CELL_SIZE) {
            assert_int_equal(pread(file, cell, CELL_SIZE, (off_t)offset), CELL_SIZE);
            memcpy(&head, cell, sizeof head);
        }
        cell[20] ^= 1;
        write_at(file, offset - CELL_SIZE, cell, CELL_SIZE);
        close(file);
        fixture_open(&f);
        assert_false(f.is_new);
        assert_int_equal(f.said, 1);
        assert_non_null(
            strstr(f.last_said, i == 0 ? "1 record and 0 bans" : "0 records and 1 ban"));
        fixture_reopen(&f);
        assert_int_equal(f.said, 1);
        fixture_end(&f);
    }
}

static void
without_room_it_is_set_aside_and_a_new_one_begun(void **state)
{
    const struct rlimit small = {340 * 1024, RLIM_INFINITY};
    struct rlimit before;
    struct fixture f;
    char path[128];

    (void)state;
    fill(&f, 1000);
    for (uint32_t i = 0; i < 900; i++) {
        struct ban ban = ban_by_hand("198.51.100.1", NOON_MS, NOON_MS + HOUR_MS);

        ban.source = numbered_source(0x0a000000 + i);
        assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    }
    write_layout3(&f);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    fixture_open(&f);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(f.is_new);
    assert_true(f.said >= 2); /* it is set aside; the new one is smaller than was asked for */
    snprintf(path, sizeof path, "%s.damaged", f.path);
    assert_int_equal(access(path, F_OK), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(count_now(&f, "203.0.113.8", NOON_MS), TABLE_COUNTED);
    assert_int_equal(count_now(&f, "203.0.113.8", NOON_MS), TABLE_BANNED);
    fixture_end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_is_taken_over),
        cmocka_unit_test(a_damaged_cell_is_said),
        cmocka_unit_test(without_room_it_is_set_aside_and_a_new_one_begun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
