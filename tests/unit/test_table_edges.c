/* test_table_edges: what holds at the very edge of a limit, and just beyond it.
 *
 * Proves: a failure exactly findtime after the first completes a window, and is of the ban, and one
 * a second later is not; an attempt that another line has told is known after a restart, unless it
 * was damaged; a ninth kind of line counts by itself; a ban's failures are of one series until the
 * quiet is a millisecond too long; bans end in the order of their ends, and each, that in the first
 * place as well, keeps its time when the clock is set back, which makes none of free places; of two
 * bans of a client the ledger has, and somebody was told of, the one that is meant; damage to a
 * record and to a ban is told as both, and what a later version may have written is not believed;
 * how long a table's path may be, how large it becomes, whose it may be, and that it has one name;
 * what a jail was declared with is read of it; a ban by hand stays its maker's, and lengthens none
 * of the jail's; after a flush no ban is in the kernel.
 * Fails when a limit is off by one, or a loop leaves out its first or last.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <sys/stat.h>

#include "table/effect.h"
#include "table/table-layout.h"
#include "table_fixture.h"

/* Also where a jail counts more failures than a record has stamps. */
static void
findtime_is_kept_to_the_second(void **state)
{
    static const unsigned maxretries[] = {5, 32};
    struct fixture f;

    (void)state;
    for (int late = 0; late <= 1; late++)
        for (size_t i = 0; i < 2; i++) {
            const int64_t last_ms = NOON_MS + (600 + late) * 1000;

            fixture_prepare(&f, 1024, 64);
            f.jail.maxretry = maxretries[i];
            fixture_open(&f);
            assert_int_equal(f.jail.findtime_s, 600);
            for (unsigned n = 0; n < f.jail.maxretry - 1; n++)
                count_now(&f, "192.0.2.1", NOON_MS);
            assert_int_equal(count_now(&f, "192.0.2.1", last_ms),
                             late ? TABLE_COUNTED : TABLE_BANNED);
            fixture_end(&f);
        }
}

/* One line tells of two: the last is of the ban as well, exactly findtime after the first. */
static void
all_failures_within_findtime_are_of_the_ban(void **state)
{
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS + 600000);
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (unsigned n = 0; n < 4; n++)
        count_now(&f, "192.0.2.1", NOON_MS + n * 1000);
    assert_int_equal(table_count(f.table, f.jail_index, &f.jail, &failure, 2, failure.stamp_ms),
                     TABLE_BANNED);
    assert_true(find_ban(f.table, "192.0.2.1", &ban));
    assert_int_equal(ban.failures, 6);
    assert_int_equal(ban.first_ms, NOON_MS);
    assert_int_equal(ban.lifted_by, 0);
    fixture_end(&f);
}

static void
an_attempt_is_known_after_a_restart(void **state)
{
    static const enum offence_class classes[] = {OFFENCE_AUTH_FAILED, OFFENCE_RCPT_UNKNOWN};
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS);
    struct fixture f;

    (void)state;
    failure.user_hash = 77;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        fixture_begin(&f, 1024, 64);
        failure.class = classes[i];
        failure.kind = 1;
        assert_int_equal(table_attempts(f.table, &failure), 1);
        fixture_reopen(&f);
        failure.kind = 2;
        assert_int_equal(table_attempts(f.table, &failure), 0);
        assert_int_equal(f.said, 0);
        fixture_end(&f);
    }
}

static unsigned
failures_of_the_series(int64_t pause_ms)
{
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS + 20000);
    struct fixture f;
    struct ban ban;

    fixture_begin(&f, 1024, 64);
    for (int i = 0; i < 5; i++)
        count_now(&f, "192.0.2.1", NOON_MS);
    keep(f.table, NOON_MS);
    for (int i = 0; i < 2; i++) {
        failure.stamp_ms += i * pause_ms;
        failure.passed_ms = failure.stamp_ms;
        table_count(f.table, f.jail_index, &f.jail, &failure, 1, failure.stamp_ms);
    }
    assert_true(find_ban(f.table, "192.0.2.1", &ban));
    fixture_end(&f);
    return ban.after;
}

static void
a_series_of_failures_ends_when_the_quiet_is_longer(void **state)
{
    (void)state;
    assert_int_equal(failures_of_the_series(EFFECT_QUIET_MS), 2);
    assert_int_equal(failures_of_the_series(EFFECT_QUIET_MS + 1), 1);
}

static void
each_ban_keeps_its_time_when_the_clock_is_set_back(void **state)
{
    const int64_t wrong_ms = NOON_MS + 1000 * HOUR_MS;
    struct table_status status;
    struct fixture f;
    struct ban ban;
    int64_t next_ms;
    unsigned count = 0;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.maxretry = 1;
    for (uint32_t i = 1; i <= 64; i++)
        count_at(&f, numbered_source(i << 8 | 7), wrong_ms, wrong_ms);
    table_expire(f.table, wrong_ms + HOUR_MS / 2, &next_ms);
    table_expire(f.table, NOON_MS, &next_ms);
    table_read_status(f.table, &status);
    for (uint32_t i = 0; i < status.max_bans; i++)
        if (table_read_ban(f.table, i, &ban)) {
            assert_int_equal(ban.until_ms, NOON_MS + HOUR_MS / 2);
            count++;
        }
    assert_int_equal(count, 64);
    assert_false(table_read_ban(f.table, status.max_bans, &ban)); /* one beyond the last */
    fixture_end(&f);
}

/* Also the latest, made before the clock was wrong. */
static void
a_ban_of_before_keeps_its_time_when_the_clock_is_set_back(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + 200 * HOUR_MS);
    struct fixture f;
    int64_t next_ms;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    table_expire(f.table, NOON_MS, &next_ms);
    table_expire(f.table, NOON_MS + 50 * HOUR_MS, &next_ms);
    table_expire(f.table, NOON_MS, &next_ms);
    assert_int_equal(next_ms, NOON_MS + 150 * HOUR_MS);
    fixture_end(&f);
}

/* No slot that was free is in use after it: 64 bans find room, each once. */
static void
a_clock_that_is_set_back_makes_no_bans(void **state)
{
    const int64_t wrong_ms = NOON_MS + 1000 * HOUR_MS;
    struct table_change changes[64];
    struct fixture f;
    struct ban ban;
    int64_t next_ms;

    (void)state;
    fixture_begin(&f, 1024, 64);
    ban = ban_by_hand("192.0.2.1", wrong_ms, wrong_ms + HOUR_MS);
    assert_int_equal(table_ban(f.table, &ban, wrong_ms), 0);
    table_expire(f.table, wrong_ms, &next_ms);
    assert_int_equal(table_expire(f.table, NOON_MS, &next_ms), 0);
    assert_int_equal(next_ms, NOON_MS + HOUR_MS);
    assert_int_equal(used_slots(f.table), 1);
    for (uint32_t i = 1; i < 64; i++) {
        ban.source = numbered_source(i << 8 | 7);
        ban.until_ms = NOON_MS + HOUR_MS;
        assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    }
    assert_int_equal(table_dequeue(f.table, changes, 64, NOON_MS), 64);
    assert_int_equal(used_slots(f.table), 64);
    fixture_end(&f);
}

/* Twelve bans, of which one is lifted before: each of the others ends when it is the next. */
static void
bans_end_in_the_order_of_their_ends(void **state)
{
    struct fixture f;
    struct ban ban;
    int64_t next_ms;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (uint32_t round = 0; round < 12 * 13; round++) {
        const int64_t now_ms = NOON_MS + round * HOUR_MS;
        const uint32_t none = round % 13, step = 1 + round % 12, lifted = (none + step) % 13;

        for (uint32_t i = 0; i < 12; i++) { /* ends in another order each time: powers modulo 13 */
            uint32_t end = 1;

            for (uint32_t n = 0; n < i; n++)
                end = end * 2 % 13;
            end = (end * step + none) % 13;
            ban = ban_by_hand("192.0.2.1", now_ms, now_ms + (end + 1) * 1000);
            ban.source.address[15] = (uint8_t)(end + 1);
            assert_int_equal(table_ban(f.table, &ban, now_ms), 0);
        }
        for (uint32_t second = 1; second <= 13; second++) {
            table_expire(f.table, now_ms, &next_ms);
            if (next_ms != now_ms + second * 1000)
                continue; /* the one of thirteen that there is none of */
            if (second == 1 + lifted) {
                ban.source.address[15] = (uint8_t)second;
                assert_int_equal(table_unban(f.table, &ban.source, 0, now_ms), 1);
                keep(f.table, now_ms);
            }
            assert_int_equal(table_expire(f.table, now_ms + second * 1000, &next_ms),
                             second != 1 + lifted);
        }
        assert_int_equal(next_ms, TABLE_FOREVER_MS);
        keep(f.table, now_ms + 14000);
        write_down(f.table);
    }
    fixture_end(&f);
}

/* Two bans of one client, by this table or with the same number of another: that the ledger has
 * the one says nothing of the other. */
static void
the_ledger_has_of_two_bans_the_one_that_it_has(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS), taken[2], left[2];
    struct fixture f;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        fixture_begin(&f, 1024, 64);
        ban.jail = TABLE_JAIL_MANUAL;
        ban.table_id = ban.id = 0;
        assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
        ban.jail = (uint8_t)f.jail_index;
        ban.table_id = ban.id = i / 2;
        assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
        assert_int_equal(table_dequeue_unrecorded(f.table, taken, 2), 2);
        table_recorded(f.table, &taken[i % 2], 1, true);
        fixture_reopen(&f);
        assert_int_equal(table_dequeue_unrecorded(f.table, left, 2), 1);
        assert_int_equal(left[0].id, taken[1 - i % 2].id);
        assert_int_equal(left[0].table_id, taken[1 - i % 2].table_id);
        fixture_end(&f);
    }
}

/* Likewise of whom is told of bans. */
static void
of_two_bans_the_one_is_told_that_nobody_was_told_of(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS), taken[2], left[2];
    struct fixture f;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        fixture_prepare(&f, 1024, 64);
        f.options.are_bans_told = true;
        fixture_open(&f);
        ban.jail = TABLE_JAIL_MANUAL;
        assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
        ban.jail = (uint8_t)f.jail_index;
        assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
        assert_int_equal(table_dequeue_untold(f.table, taken, 2), 2);
        table_told(f.table, &taken[i], 1, true);
        fixture_reopen(&f);
        assert_int_equal(table_dequeue_untold(f.table, left, 2), 1);
        assert_int_equal(left[0].id, taken[1 - i].id);
        fixture_end(&f);
    }
}

/* A record has room for eight kinds of lines: of a ninth each line counts. */
static void
a_ninth_kind_of_line_counts_by_itself(void **state)
{
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS);
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (failure.kind = 1; failure.kind <= 8; failure.kind++)
        assert_int_equal(table_attempts(f.table, &failure), failure.kind == 1);
    assert_int_equal(table_attempts(f.table, &failure), 1);
    assert_int_equal(table_attempts(f.table, &failure), 1);
    failure.kind = 8;
    assert_int_equal(table_attempts(f.table, &failure),
                     0); /* the second of a known kind, of three */
    fixture_end(&f);
}

/* In whole buckets of attempts: no fewer records than are asked for, and none for nothing. */
static void
the_capacity_is_rounded_up_to_whole_buckets(void **state)
{
    static const uint32_t capacities[][2] = {
        {1024, 1024}, {1025, 1152}, {1151, 1152}, {1152, 1152}, {1153, 1280}};
    struct table_status status;
    struct fixture f;

    (void)state;
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        fixture_begin(&f, capacities[i][0], 64);
        table_read_status(f.table, &status);
        assert_int_equal(status.capacity, capacities[i][1]);
        fixture_end(&f);
    }
}

/* In the kernel since so long before now as it was before. */
static void
a_ban_is_in_force_as_long_as_it_was_when_the_clock_is_set_back(void **state)
{
    const int64_t wrong_ms = NOON_MS + 1000 * HOUR_MS;
    struct fixture f;
    struct ban ban;
    int64_t next_ms;

    (void)state;
    fixture_begin(&f, 1024, 64);
    ban = ban_by_hand("192.0.2.1", wrong_ms, wrong_ms + HOUR_MS);
    assert_int_equal(table_ban(f.table, &ban, wrong_ms), 0);
    assert_int_equal(keep(f.table, wrong_ms + 1000), 1);
    table_expire(f.table, wrong_ms + HOUR_MS / 2, &next_ms);
    table_expire(f.table, NOON_MS, &next_ms);
    assert_true(find_ban(f.table, "192.0.2.1", &ban));
    assert_int_equal(ban.until_ms, NOON_MS + HOUR_MS / 2);
    assert_int_equal(ban.enforced_ms, NOON_MS - HOUR_MS / 2 + 1000);
    fixture_end(&f);
}

static void
a_ban_of_another_server_that_ends_now_is_none(void **state)
{
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    ban = ban_by_hand("192.0.2.1", NOON_MS - 1000, NOON_MS);
    assert_int_equal(table_ban_until(f.table, &ban, NOON_MS), -EINVAL);
    assert_false(find_ban(f.table, "192.0.2.1", &ban));
    ban = ban_by_hand("192.0.2.1", NOON_MS - 1000, NOON_MS + 1);
    assert_int_equal(table_ban_until(f.table, &ban, NOON_MS), 0);
    assert_true(find_ban(f.table, "192.0.2.1", &ban));
    fixture_end(&f);
}

/* One that several actions share is taken back by each, and numbered by the first. */
static void
what_is_taken_back_is_numbered_once(void **state)
{
    struct table_counted counted = {
        .client = source_of("192.0.2.1"), .attempts = 3, .stamp_ms = NOON_MS};
    struct table_status status;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    count_now(&f, "192.0.2.1", NOON_MS);
    counted.jails = UINT64_C(1) << f.jail_index;
    table_withdraw(f.table, &counted, NOON_MS);
    table_read_status(f.table, &status);
    assert_int_equal(status.withdrawn, 3);
    counted.is_known = true;
    table_withdraw(f.table, &counted, NOON_MS);
    table_read_status(f.table, &status);
    assert_int_equal(status.withdrawn, 3);
    assert_string_equal(table_end_name((enum ban_end)99), "running");
    fixture_end(&f);
}

/* Flips a bit in each cell of a section that is not empty. */
static void
damage(const struct fixture *f, enum section_kind kind, size_t cell_size)
{
    struct table_fixed fixed;
    const int file = open(f->path, O_RDWR);
    uint8_t cell[RECORD_SIZE];

    assert_true(file >= 0 && cell_size <= sizeof cell);
    assert_int_equal(pread(file, &fixed, sizeof fixed, 0), sizeof fixed);
    for (uint64_t at = 0; at < fixed.sections[kind].length; at += cell_size) {
        const off_t offset = (off_t)(fixed.sections[kind].offset + at);
        bool is_used = false;

        assert_int_equal(pread(file, cell, cell_size, offset), cell_size);
        for (size_t i = 0; i < cell_size; i++)
            is_used = is_used || cell[i] != 0;
        cell[cell_size / 2] ^= 1;
        if (is_used)
            assert_int_equal(pwrite(file, cell, cell_size, offset), cell_size);
    }
    close(file);
}

static void
damage_to_records_and_bans_is_told_as_both(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (int i = 0; i < 5; i++)
        count_now(&f, "192.0.2.1", NOON_MS);
    fixture_close(&f);
    damage(&f, SECTION_RECORDS, RECORD_SIZE);
    damage(&f, SECTION_BANS, CELL_SIZE);
    fixture_open(&f);
    assert_int_equal(f.said, 1);
    assert_non_null(strstr(f.last_said, "1 record and 1 ban were damaged"));
    fixture_end(&f);
}

/* The last number of a ban was damaged: the next is far above all that the table has given, which
 * are not those of another table's bans that came back from the ledger. */
static void
a_lost_number_is_begun_far_above_those_of_this_table(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS), found;
    const uint64_t far = UINT64_C(1) << 32, bytes = 7;
    struct fixture f;
    int file;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    ban.source = source_of("192.0.2.2");
    ban.table_id = 99;
    ban.id = 5 * far;
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    fixture_close(&f);
    file = open(f.path, O_RDWR);
    assert_int_equal(
        pwrite(file, &bytes, sizeof bytes, (off_t)offsetof(struct table_header, last_id)),
        sizeof bytes);
    close(file);
    fixture_open(&f);
    ban = ban_by_hand("192.0.2.3", NOON_MS, NOON_MS + HOUR_MS);
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    assert_true(find_ban(f.table, "192.0.2.3", &found));
    assert_true(found.id == far + 2);
    fixture_end(&f);
}

/* As a later version may have written it. */
static void
a_ban_of_an_unknown_class_is_not_read(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS), found;
    struct fixture f;

    (void)state;
    for (unsigned unknown = 0; unknown <= 1; unknown++) {
        fixture_begin(&f, 1024, 64);
        ban.class = (enum offence_class)(OFFENCE_CLASSES - 1 + unknown);
        assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
        assert_int_equal(find_ban(f.table, "192.0.2.1", &found), !unknown);
        fixture_reopen(&f);
        assert_int_equal(f.said, unknown);
        fixture_end(&f);
    }
}

/* What is damaged is not believed: the attempt counts once more. */
static void
a_damaged_attempt_is_forgotten(void **state)
{
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS);
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_int_equal(table_attempts(f.table, &failure), 1);
    fixture_close(&f);
    damage(&f, SECTION_ATTEMPTS, CELL_SIZE);
    fixture_open(&f);
    failure.kind = 2;
    assert_int_equal(table_attempts(f.table, &failure), 1);
    fixture_end(&f);
}

static void
a_path_may_be_so_long(void **state)
{
    char path[TABLE_PATH_SIZE + 1] = "/nowhere/";
    struct table_options options = {.path = path, .capacity = 1024, .max_bans = 64};
    struct table *table;
    bool is_new;

    (void)state;
    memset(path + strlen(path), 'x', TABLE_PATH_SIZE - strlen(path));
    for (size_t length = TABLE_PATH_SIZE; length >= TABLE_PATH_SIZE - 1; length--) {
        path[length] = '\0';
        assert_int_equal(table_open(&options, &table, &is_new),
                         length == TABLE_PATH_SIZE ? -ENAMETOOLONG : -ENOENT);
    }
}

/* The user, the group, or both. */
static void
a_table_is_given_to_whom_it_shall_belong(void **state)
{
    static const struct {
        uid_t owner;
        gid_t group;
    } cases[] = {{65533, (gid_t)-1}, {(uid_t)-1, 65533}, {65533, 65533}};
    struct stat status;
    struct fixture f;

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can give files away */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_prepare(&f, 1024, 64);
        f.options.owner = cases[i].owner;
        f.options.group = cases[i].group;
        fixture_open(&f);
        assert_int_equal(stat(f.path, &status), 0);
        assert_int_equal(status.st_uid, cases[i].owner == 65533 ? 65533 : geteuid());
        assert_int_equal(status.st_gid, cases[i].group == 65533 ? 65533 : getegid());
        fixture_end(&f);
    }
}

/* Nothing is left to be done for it, but it runs. */
static void
a_ban_of_another_host_outlasts_a_restart(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS);
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    ban.scope = TABLE_SCOPE_OWN + 1;
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    assert_int_equal(write_down(f.table), 1);
    fixture_reopen(&f);
    assert_true(find_ban(f.table, "192.0.2.1", &ban));
    fixture_end(&f);
}

/* The first record in use gets another stamp, and a sum that fits. */
static void
falsify(const struct fixture *f, unsigned at, uint32_t stamp_s)
{
    struct record_cell cell;
    struct table_fixed fixed;
    struct record record;
    int file = open(f->path, O_RDWR);
    off_t offset;

    assert_int_equal(pread(file, &fixed, sizeof fixed, 0), sizeof fixed);
    offset = (off_t)fixed.sections[SECTION_RECORDS].offset;
    for (;; offset += RECORD_SIZE) {
        assert_int_equal(pread(file, &cell, sizeof cell, offset), sizeof cell);
        words_load(cell.word, RECORD_WORDS, &record);
        if (record.head.used)
            break;
    }
    record.stamps[at] = stamp_s;
    words_replace(cell.word, RECORD_WORDS, &record);
    assert_int_equal(pwrite(file, &cell, sizeof cell, offset), sizeof cell);
    close(file);
}

static void
a_record_whose_stamps_do_not_ascend_is_dropped(void **state)
{
    static const struct {
        unsigned at;
        int64_t stamp_s;
        bool is_dropped;
    } cases[] = {{0, NOON_MS / 1000, false}, /* equal to the second */
                 {0, NOON_MS / 1000 + 1, true},
                 {2, NOON_MS / 1000 + 1, true}, /* it has two */
                 {JAIL_STAMPS_MAX - 1, 1, true}};
    struct fixture f;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_begin(&f, 1024, 64);
        count_now(&f, "192.0.2.1", NOON_MS - 5000);
        count_now(&f, "192.0.2.1", NOON_MS);
        fixture_close(&f);
        falsify(&f, cases[i].at, (uint32_t)cases[i].stamp_s);
        fixture_open(&f);
        assert_int_equal(f.said, cases[i].is_dropped);
        assert_int_equal(table_tracked(f.table), !cases[i].is_dropped);
        fixture_end(&f);
    }
}

static void
a_table_of_a_stranger_is_moved_aside_unless_nobody_shall_own_it(void **state)
{
    struct fixture f;

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can give files away */
    fixture_begin(&f, 1024, 64);
    fixture_close(&f);
    assert_int_equal(chown(f.path, 65533, (gid_t)-1), 0);
    fixture_open(&f); /* its owner is not to be changed: it is taken as it is */
    assert_false(f.is_new);
    fixture_close(&f);
    f.options.owner = 65533;
    fixture_open(&f); /* it is his */
    assert_false(f.is_new);
    fixture_close(&f);
    f.options.owner = 65534;
    fixture_open(&f);
    assert_true(f.is_new);
    assert_non_null(strstr(f.last_said, "belongs to a user"));
    fixture_close(&f);
    assert_int_equal(chown(f.path, 0, (gid_t)-1), 0);
    fixture_open(&f); /* root's is */
    assert_false(f.is_new);
    fixture_end(&f);
}

static void
what_was_left_of_a_table_that_was_not_finished_is_no_hindrance(void **state)
{
    char path[128];
    struct fixture f;

    (void)state;
    fixture_prepare(&f, 1024, 64);
    snprintf(path, sizeof path, "%s.new", f.path);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    fixture_open(&f);
    assert_true(f.is_new);
    fixture_close(&f);
    unlink(f.path);
    assert_int_equal(symlink("elsewhere", path), 0);
    fixture_open(&f);
    fixture_end(&f);
}

/* What a reader, another process, sees of a jail is what was declared, each word of it. */
static void
a_jail_is_read_as_it_was_declared(void **state)
{
    struct jail jail;
    struct fixture f;

    (void)state;
    fixture_prepare(&f, 1024, 64);
    f.jail.repeats = 3;
    f.jail.kindness.login_allowance = 4;
    f.jail.kindness.mail_allowance = 5;
    f.jail.neighbours = 6;
    f.jail.neighbours_s = 7200;
    f.jail.services = JAIL_SERVICES_SMTP;
    fixture_open(&f);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(table_read_jail(f.table, f.jail_index, &jail));
        assert_int_equal(jail.repeats, 3);
        assert_int_equal(jail.kindness.login_allowance, 4);
        assert_int_equal(jail.kindness.mail_allowance, 5);
        assert_int_equal(jail.neighbours, 6);
        assert_int_equal(jail.neighbours_s, 7200);
        assert_int_equal(jail.services, JAIL_SERVICES_SMTP);
        fixture_reopen(&f);
    }
    fixture_end(&f);
}

/* Each yes or no by itself: none of them is read where it was not declared. */
static void
each_word_of_a_jail_is_its_own(void **state)
{
    struct jail read;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (unsigned i = 0; i <= 6; i++) {
        jail_defaults(&f.jail);
        f.jail.growth.is_on = i == 1;
        f.jail.growth.over_all_jails = i == 2;
        f.jail.kindness.login_forgives = i == 3;
        f.jail.kindness.skips_bounces = i == 4;
        f.jail.is_observing = i == 5;
        f.jail.is_per_host = i == 6;
        assert_int_equal(table_jail(f.table, &f.jail), f.jail_index);
        assert_true(table_read_jail(f.table, f.jail_index, &read));
        assert_int_equal(read.growth.is_on, i == 1);
        assert_int_equal(read.growth.over_all_jails, i == 2);
        assert_int_equal(read.kindness.login_forgives, i == 3);
        assert_int_equal(read.kindness.skips_bounces, i == 4);
        assert_int_equal(read.is_observing, i == 5);
        assert_int_equal(read.is_per_host, i == 6);
        assert_int_equal(read.verdict, f.jail.verdict);
    }
    fixture_end(&f);
}

/* Root's user id is 0, which is not the same as nobody. */
static void
a_jail_that_prolongs_a_ban_does_not_forget_who_made_it(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS), found;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    ban.made_by = 1; /* root */
    ban.until_ms += HOUR_MS;
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    assert_true(find_ban(f.table, "192.0.2.1", &found));
    assert_int_equal(found.made_by, 1);
    ban.made_by = 0;
    ban.until_ms += HOUR_MS;
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    assert_true(find_ban(f.table, "192.0.2.1", &found));
    assert_int_equal(found.until_ms, ban.until_ms);
    assert_int_equal(found.made_by, 1);
    table_unban(f.table, &ban.source, 1000, NOON_MS); /* now the table knows who has lifted it */
    assert_true(find_ban(f.table, "192.0.2.1", &found));
    assert_int_equal(found.lifted_by, 1000);
    assert_int_equal(found.made_by, 0);
    fixture_end(&f);
}

/* A ban by hand in a jail is none that the jail has made: it makes the jail's own no longer. */
static void
a_ban_by_hand_is_no_earlier_one(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + 60000);
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.maxretry = 1;
    f.jail.bantime_s = 600;
    f.jail.growth = (struct jail_growth){.is_on = true, .factor = 1};
    ban.jail = (uint8_t)f.jail_index;
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS + i * 1000), TABLE_PROLONGED);
        assert_true(find_ban(f.table, "192.0.2.1", &ban));
        assert_int_equal(ban.until_ms, NOON_MS + i * 1000 + 600000);
    }
    fixture_end(&f);
}

/* Once the ruleset was flushed no ban is in the kernel, and none is to be blamed for what passes;
 * also one whose longer time the kernel did not have yet. */
static void
what_the_kernel_has_lost_is_in_it_no_more(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS), found;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    assert_int_equal(keep(f.table, NOON_MS), 1);
    assert_true(find_ban(f.table, "192.0.2.1", &found) && found.enforced_ms == NOON_MS);
    ban.until_ms += HOUR_MS;
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    assert_true(find_ban(f.table, "192.0.2.1", &found) && found.enforced_ms == NOON_MS);
    assert_int_equal(table_want_all(f.table), 1);
    assert_true(find_ban(f.table, "192.0.2.1", &found));
    assert_int_equal(found.state, BAN_WANTED);
    assert_int_equal(found.enforced_ms, 0);
    assert_int_equal(keep(f.table, NOON_MS + 5000), 1);
    assert_true(find_ban(f.table, "192.0.2.1", &found) && found.enforced_ms == NOON_MS + 5000);
    fixture_end(&f);
}

/* Whoever can write below /run could let us write into another file of root's. */
static void
a_table_with_a_second_name_is_moved_aside(void **state)
{
    struct fixture f;
    char second[128];

    (void)state;
    fixture_begin(&f, 1024, 64);
    count_now(&f, "192.0.2.1", NOON_MS);
    fixture_close(&f);
    snprintf(second, sizeof second, "%s.second", f.path);
    assert_int_equal(link(f.path, second), 0);
    fixture_open(&f);
    assert_true(f.is_new);
    assert_non_null(strstr(f.last_said, "a second name (a hard link)"));
    assert_int_equal(unlink(second), 0);
    fixture_end(&f);
}

static void
it_is_told_how_many_bans_a_pardon_ends(void **state)
{
    const struct source network = source_of("192.0.2.0/24");
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.maxretry = 1;
    count_now(&f, "192.0.2.1", NOON_MS);
    count_now(&f, "192.0.2.2", NOON_MS);
    count_now(&f, "192.0.2.3", NOON_MS + 1000);
    count_now(&f, "192.0.3.1", NOON_MS);
    assert_int_equal(table_pardon(f.table, &network, NOON_MS, NOON_MS + 2000), 2);
    assert_int_equal(table_pardon(f.table, &network, NOON_MS, NOON_MS + 2000), 0);
    fixture_end(&f);
}

/* The kernel is told of a source once for all its bans: when one of them is over before that, it is
 * told of those that are left. */
static void
a_ban_that_is_over_before_it_was_taken_hides_no_other(void **state)
{
    struct fixture f;
    int64_t next_ms;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (unsigned order = 0; order < 2; order++) {
        const int64_t now_ms = NOON_MS + order * 4 * HOUR_MS;
        struct table_change change;

        for (unsigned i = 0; i < 3; i++) { /* two that are over in an hour, and one in two */
            struct ban ban = ban_by_hand("192.0.2.1", now_ms, now_ms + HOUR_MS);
            const unsigned longer = order == 0 ? 0 : 2;

            ban.jail = (uint8_t)(i == 0 ? TABLE_JAIL_MANUAL : f.jail_index);
            ban.table = i == 2 ? 7 : 0; /* another server's */
            ban.until_ms += i == longer ? HOUR_MS : 0;
            assert_int_equal(table_ban(f.table, &ban, now_ms), 0);
        }
        table_expire(f.table, now_ms + HOUR_MS, &next_ms);
        assert_int_equal(table_dequeue(f.table, &change, 1, now_ms + HOUR_MS), 1);
        assert_true(change.wanted);
        assert_int_equal(change.until_ms, now_ms + 2 * HOUR_MS);
        table_acknowledge(f.table, &change, 1, true, now_ms + HOUR_MS);
        table_expire(f.table, now_ms + 3 * HOUR_MS, &next_ms);
        keep(f.table, now_ms + 3 * HOUR_MS);
    }
    fixture_end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(findtime_is_kept_to_the_second),
        cmocka_unit_test(all_failures_within_findtime_are_of_the_ban),
        cmocka_unit_test(a_ban_that_is_over_before_it_was_taken_hides_no_other),
        cmocka_unit_test(a_jail_is_read_as_it_was_declared),
        cmocka_unit_test(each_word_of_a_jail_is_its_own),
        cmocka_unit_test(a_jail_that_prolongs_a_ban_does_not_forget_who_made_it),
        cmocka_unit_test(a_ban_by_hand_is_no_earlier_one),
        cmocka_unit_test(what_the_kernel_has_lost_is_in_it_no_more),
        cmocka_unit_test(a_table_with_a_second_name_is_moved_aside),
        cmocka_unit_test(it_is_told_how_many_bans_a_pardon_ends),
        cmocka_unit_test(an_attempt_is_known_after_a_restart),
        cmocka_unit_test(a_series_of_failures_ends_when_the_quiet_is_longer),
        cmocka_unit_test(each_ban_keeps_its_time_when_the_clock_is_set_back),
        cmocka_unit_test(a_ban_of_before_keeps_its_time_when_the_clock_is_set_back),
        cmocka_unit_test(a_clock_that_is_set_back_makes_no_bans),
        cmocka_unit_test(bans_end_in_the_order_of_their_ends),
        cmocka_unit_test(the_ledger_has_of_two_bans_the_one_that_it_has),
        cmocka_unit_test(of_two_bans_the_one_is_told_that_nobody_was_told_of),
        cmocka_unit_test(a_ninth_kind_of_line_counts_by_itself),
        cmocka_unit_test(the_capacity_is_rounded_up_to_whole_buckets),
        cmocka_unit_test(a_ban_is_in_force_as_long_as_it_was_when_the_clock_is_set_back),
        cmocka_unit_test(a_ban_of_another_server_that_ends_now_is_none),
        cmocka_unit_test(what_is_taken_back_is_numbered_once),
        cmocka_unit_test(damage_to_records_and_bans_is_told_as_both),
        cmocka_unit_test(a_lost_number_is_begun_far_above_those_of_this_table),
        cmocka_unit_test(a_ban_of_an_unknown_class_is_not_read),
        cmocka_unit_test(a_damaged_attempt_is_forgotten),
        cmocka_unit_test(a_path_may_be_so_long),
        cmocka_unit_test(a_table_is_given_to_whom_it_shall_belong),
        cmocka_unit_test(a_ban_of_another_host_outlasts_a_restart),
        cmocka_unit_test(a_record_whose_stamps_do_not_ascend_is_dropped),
        cmocka_unit_test(a_table_of_a_stranger_is_moved_aside_unless_nobody_shall_own_it),
        cmocka_unit_test(what_was_left_of_a_table_that_was_not_finished_is_no_hindrance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
