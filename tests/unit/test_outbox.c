/* test_outbox: what happens is taken once by whoever tells of it, and what nobody takes goes into
 * the ledger and comes back from it, over restarts and failures of the disk.
 *
 * Proves, with the real table and ledger: a ban, its prolongation and its end are events, both in
 * their order where it began and ended before anybody looked; bans of the ledger or of another
 * table are none; what is not told stays, also when the table is opened anew; a slot is not freed
 * before that; more than fits in the ledger is dropped, the oldest first, and said; the fleet has
 * each as well, whoever takes his first; the teller is woken for what there is and for nothing
 * else. Fails when one is lost, comes twice or in the wrong order.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table_fixture.h"

#include <dlfcn.h>
#include <poll.h>
#include <time.h>

#include "control/outbox.h"

static struct fixture the_fixture, *const fixture = &the_fixture;
static struct outbox *outbox;
static struct ledger *ledger;
static struct outbox_parcel parcel;
static struct notice notice;
static char ledger_path[128];

/* The stand-in of the clock that nobody sets. */
static int64_t put_forward_ms;

int
clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    const int result = real(clock, now);

    if (clock == CLOCK_MONOTONIC) {
        now->tv_sec += put_forward_ms / 1000;
        now->tv_nsec += put_forward_ms % 1000 * 1000000;
        now->tv_sec += now->tv_nsec / 1000000000;
        now->tv_nsec %= 1000000000;
    }
    return result;
}

static void
open_outbox(void)
{
    const struct outbox_options options = {
        .table = fixture->table, .origin = "mx1", .most = 100, .report = &fixture->report};

    assert_int_equal(outbox_new(&outbox, &options), 0);
}

static int
begin(void **state)
{
    (void)state;
    put_forward_ms = 0;
    fixture_prepare(fixture, 1024, 1024);
    fixture->options.are_bans_told = fixture->options.are_bans_sent = true;
    fixture_open(fixture);
    snprintf(ledger_path, sizeof(ledger_path), "%s/ledger.db", fixture->directory);
    assert_int_equal(ledger_open(ledger_path, false, &fixture->report, &ledger, NULL), 0);
    open_outbox();
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    outbox_free(outbox);
    ledger_close(ledger);
    remove_ledger(ledger_path);
    fixture_end(fixture);
    return 0;
}

static void
ban(const char *address, int64_t until_ms)
{
    struct ban ban = {.source = source_of(address),
                      .jail = (uint8_t)fixture->jail_index,
                      .failures = 5,
                      .origin = BAN_BY_JAIL,
                      .class = OFFENCE_AUTH_FAILED,
                      .first_ms = NOON_MS - 1000,
                      .since_ms = NOON_MS,
                      .until_ms = until_ms};

    assert_int_equal(table_ban(fixture->table, &ban, NOON_MS), 0);
}

static void
unban(const char *address)
{
    const struct source source = source_of(address);

    assert_int_equal(table_unban(fixture->table, &source, 0, NOON_MS + 1000), 1);
}

/* The next notice is of this kind and source, and is told. */
static void
assert_told(const char *kind, const char *source)
{
    char words[2][64];

    assert_true(outbox_take(outbox, &notice));
    snprintf(words[0], sizeof(words[0]), "\"event\":\"%s\"", kind);
    snprintf(words[1], sizeof(words[1]), "\"source\":\"%s\"", source);
    assert_non_null(strstr(notice.fields, words[0]));
    assert_non_null(strstr(notice.fields, words[1]));
    outbox_told(outbox);
}

static void
assert_nothing_left(void)
{
    assert_false(outbox_take(outbox, &notice));
    assert_int_equal(table_untold(fixture->table), 0);
}

/* All that the fleet has not had yet. */
static size_t
send(void)
{
    struct ban bans[64];

    return table_dequeue_unsent(fixture->table, bans, 64);
}

static unsigned
slots_in_use(void)
{
    struct ban ban;
    unsigned count = 0;

    for (uint32_t i = 0; i < fixture->options.max_bans; i++)
        count += table_read_ban(fixture->table, i, &ban);
    return count;
}

/* What enforcer and ledger have to do with all bans is done. */
static void
settle_the_rest(void)
{
    struct table_change changes[64];
    struct ban bans[64];
    size_t count;

    while ((count = table_dequeue(fixture->table, changes, 64, NOON_MS + 2000)) > 0)
        table_acknowledge(fixture->table, changes, count, true, NOON_MS + 2000);
    while ((count = table_dequeue_unrecorded(fixture->table, bans, 64)) > 0)
        table_recorded(fixture->table, bans, count, true);
}

/* As the recorder does. */
static bool
post(bool all)
{
    if (!outbox_pack(outbox, &parcel, all))
        return false;
    assert_int_equal(outbox_post(&parcel, ledger), 0);
    return outbox_settle(outbox, &parcel, true);
}

static void
each_change_is_told_once(void **state)
{
    (void)state;
    outbox_begin(outbox);
    ban("203.0.113.9", NOON_MS + HOUR_MS);
    assert_told("ban", "203.0.113.9");
    assert_nothing_left();
    ban("203.0.113.9", NOON_MS + 2 * HOUR_MS);
    assert_told("ban", "203.0.113.9");
    assert_non_null(strstr(notice.fields, "\"prolonged\":true"));
    unban("203.0.113.9");
    assert_told("unban", "203.0.113.9");
    assert_nothing_left();
}

static void
a_short_ban_begins_before_it_ends(void **state)
{
    int64_t next_ms;
    (void)state;
    ban("203.0.113.9", NOON_MS + HOUR_MS);
    unban("203.0.113.9");
    ban("203.0.113.10", NOON_MS + 1000);
    table_expire(fixture->table, NOON_MS + 1500, &next_ms);
    outbox_begin(outbox);
    assert_told("ban", "203.0.113.9");
    assert_told("unban", "203.0.113.9");
    assert_told("ban", "203.0.113.10");
    assert_told("unban", "203.0.113.10");
    assert_non_null(strstr(notice.fields, "\"end\":\"expired\""));
    assert_nothing_left();
}

static void
what_changes_while_it_is_told_is_told_too(void **state)
{
    (void)state;
    outbox_begin(outbox);
    ban("203.0.113.9", NOON_MS + HOUR_MS);
    assert_true(outbox_take(outbox, &notice));
    unban("203.0.113.9");
    outbox_told(outbox);
    assert_told("unban", "203.0.113.9");
    assert_nothing_left();
}

static void
what_was_told_elsewhere_is_not_told(void **state)
{
    struct ban of_ledger = {.table_id = 7,
                            .id = 9,
                            .jail = (uint8_t)fixture->jail_index,
                            .since_ms = NOON_MS,
                            .first_ms = NOON_MS,
                            .until_ms = NOON_MS + HOUR_MS};
    struct ban of_other = of_ledger;
    (void)state;
    of_other.id = 10;
    of_other.table = 77;
    of_other.change = 5;
    of_ledger.source = source_of("203.0.113.9");
    of_other.source = source_of("203.0.113.10");
    assert_int_equal(table_ban(fixture->table, &of_ledger, NOON_MS), 0);
    assert_int_equal(table_ban(fixture->table, &of_other, NOON_MS), 0);
    outbox_begin(outbox);
    assert_nothing_left();
    unban("203.0.113.9"); /* that is new */
    assert_told("unban", "203.0.113.9");
    assert_nothing_left();
}

static void
a_slot_is_kept_until_somebody_was_told(void **state)
{
    (void)state;
    ban("203.0.113.9", NOON_MS + HOUR_MS);
    unban("203.0.113.9");
    settle_the_rest();
    assert_int_equal(slots_in_use(), 1);
    outbox_free(outbox);
    fixture_reopen(fixture); /* as after a kill */
    open_outbox();
    assert_int_equal(slots_in_use(), 1);
    outbox_begin(outbox);
    assert_told("ban", "203.0.113.9");
    assert_told("unban", "203.0.113.9");
    assert_nothing_left();
    assert_int_equal(slots_in_use(), 1);
    assert_int_equal(send(), 1);
    assert_int_equal(slots_in_use(), 0);
}

static void
the_fleet_and_the_events_do_not_wait_for_each_other(void **state)
{
    (void)state;
    outbox_begin(outbox);
    ban("203.0.113.9", NOON_MS + HOUR_MS);
    assert_int_equal(send(), 1);
    assert_int_equal(send(), 0);
    unban("203.0.113.9");
    assert_int_equal(table_unsent(fixture->table), 1);
    assert_int_equal(send(), 1);
    settle_the_rest();
    assert_told("ban", "203.0.113.9");
    assert_told("unban", "203.0.113.9");
    assert_nothing_left();
    assert_int_equal(slots_in_use(), 0);
    ban("203.0.113.10", NOON_MS + HOUR_MS);
    assert_told("ban", "203.0.113.10");
    assert_nothing_left();
    assert_int_equal(send(), 1);
    unban("203.0.113.10");
    settle_the_rest();
    assert_told("unban", "203.0.113.10");
    assert_nothing_left();
    assert_int_equal(slots_in_use(), 1);
    assert_int_equal(send(), 1);
    assert_int_equal(slots_in_use(), 0);
}

static void
what_nobody_takes_waits_in_the_ledger(void **state)
{
    (void)state;
    ban("203.0.113.9", NOON_MS + HOUR_MS);
    outbox_note(outbox, EVENT_TROUBLE, "kernel", "the kernel refuses bans", NOON_MS);
    assert_false(outbox_pack(outbox, &parcel, false)); /* so far it may still be taken */
    post(true);
    assert_int_equal(table_untold(fixture->table), 0);
    outbox_free(outbox); /* a restart */
    open_outbox();
    outbox_begin(outbox);
    assert_false(outbox_take(outbox, &notice));
    post(false);
    assert_true(outbox_take(outbox, &notice));
    assert_string_equal(notice.text, "trouble: the kernel refuses bans");
    outbox_told(outbox);
    assert_told("ban", "203.0.113.9");
    assert_false(outbox_take(outbox, &notice));
    post(false);
    outbox_free(outbox); /* another one: they are gone */
    open_outbox();
    outbox_begin(outbox);
    post(false);
    assert_nothing_left();
}

static void
a_disk_that_fails_loses_none(void **state)
{
    (void)state;
    ban("203.0.113.9", NOON_MS + HOUR_MS);
    outbox_note(outbox, EVENT_STOP, "", "stopped", NOON_MS);
    assert_true(outbox_pack(outbox, &parcel, true));
    outbox_settle(outbox, &parcel, false);
    outbox_begin(outbox);
    assert_true(outbox_take(outbox, &notice));
    assert_string_equal(notice.text, "stopped");
    outbox_told(outbox);
    assert_told("ban", "203.0.113.9");
    assert_nothing_left();
}

static void
a_teller_that_ends_gives_back_what_it_has(void **state)
{
    (void)state;
    outbox_begin(outbox);
    ban("203.0.113.9", NOON_MS + HOUR_MS);
    assert_true(outbox_take(outbox, &notice));
    outbox_end(outbox);
    outbox_note(outbox, EVENT_STOP, "", "stopped", NOON_MS);
    outbox_begin(outbox);
    assert_true(outbox_take(outbox, &notice));
    outbox_end(outbox);
    outbox_begin(outbox);
    assert_true(outbox_take(outbox, &notice));
    assert_string_equal(notice.text, "stopped");
    outbox_told(outbox);
    assert_told("ban", "203.0.113.9");
    assert_nothing_left();
}

static void
the_oldest_of_too_many_are_dropped(void **state)
{
    struct outbox_statistics statistics;
    char address[32];
    (void)state;
    for (int i = 1; i <= 120; i++) {
        snprintf(address, sizeof(address), "203.0.113.%d", i);
        ban(address, NOON_MS + HOUR_MS);
        post(true);
    }
    assert_int_equal(fixture->said, 1);
    assert_non_null(strstr(fixture->last_said, "more than 100 events wait"));
    outbox_read_statistics(outbox, &statistics);
    assert_int_equal(statistics.dropped, 20);
    outbox_begin(outbox);
    for (int i = 21; i <= 120; i++) {
        snprintf(address, sizeof(address), "203.0.113.%d", i);
        if (!outbox_take(outbox, &notice))
            post(false);
        assert_told("ban", address);
    }
    assert_nothing_left();
}

/* Whether the teller would find its descriptor ready. */
static bool
rings(void)
{
    struct pollfd bell = {.fd = outbox_descriptor(outbox), .events = POLLIN};

    return poll(&bell, 1, 0) == 1;
}

static void
the_teller_is_woken_for_what_there_is(void **state)
{
    (void)state;
    outbox_wake(NULL);
    outbox_ring(NULL);
    outbox_begin(outbox);
    assert_false(outbox_listen(outbox));
    outbox_wake(outbox); /* there is nothing to tell */
    assert_false(rings());
    outbox_ring(outbox);
    assert_true(rings());
    assert_false(outbox_listen(outbox));
    assert_false(rings());
    outbox_note(outbox, EVENT_START, "", "started", NOON_MS);
    assert_true(rings());
    assert_true(outbox_listen(outbox));
    assert_true(outbox_take(outbox, &notice));
    assert_true(outbox_listen(outbox)); /* it was taken, and not told */
    outbox_told(outbox);
    assert_false(outbox_listen(outbox));
    ban("203.0.113.9", NOON_MS + HOUR_MS);
    outbox_wake(outbox);
    assert_true(rings());
    assert_true(outbox_take(outbox, &notice));
    assert_true(outbox_listen(outbox));
    outbox_told(outbox);
    assert_int_equal(table_untold(fixture->table), 0);
    outbox_wake(outbox); /* the fleet has not had it yet */
    assert_true(rings());
    assert_int_equal(send(), 1);
    assert_false(outbox_listen(outbox));
    outbox_wake(outbox);
    assert_false(rings());
}

/* Who is told cannot take them for a second: from then on the ledger keeps them. */
static void
what_is_held_for_a_second_goes_into_the_ledger(void **state)
{
    (void)state;
    outbox_begin(outbox);
    assert_int_equal(outbox_held_ms(outbox), 0);
    outbox_note(outbox, EVENT_START, "", "started", NOON_MS);
    ban("203.0.113.9", NOON_MS + HOUR_MS);
    unban("203.0.113.9");
    assert_true(outbox_take(outbox, &notice));
    outbox_hold(outbox);
    put_forward_ms = 900;
    outbox_hold(outbox); /* it counts from the first */
    assert_true(outbox_held_ms(outbox) >= 900);
    assert_true(outbox_pack(outbox, &parcel, false)); /* it reads what may be there */
    assert_int_equal(parcel.kept_count, 0);
    outbox_settle(outbox, &parcel, false);
    put_forward_ms = 1100;
    post(false);
    assert_int_equal(table_untold(fixture->table), 0);
    assert_true(outbox_take(outbox, &notice)); /* the one that it had in its hands */
    assert_string_equal(notice.text, "started");
    assert_int_equal(outbox_held_ms(outbox), 0);
    outbox_told(outbox);
    assert_false(outbox_take(outbox, &notice));
    post(false);
    assert_true(outbox_listen(outbox));
    assert_told("ban", "203.0.113.9");
    assert_told("unban", "203.0.113.9");
    assert_nothing_left();
}

/* It cannot grow without end where neither the teller nor the disk takes any. */
static void
more_notes_than_there_is_room_for_are_counted_as_dropped(void **state)
{
    struct outbox_statistics statistics;
    char words[32];

    (void)state;
    outbox_begin(outbox);
    for (int i = 0; i < 64; i++) {
        snprintf(words, sizeof(words), "number %d", i);
        outbox_note(outbox, EVENT_TROUBLE, "kernel", words, NOON_MS);
    }
    outbox_read_statistics(outbox, &statistics);
    assert_int_equal(statistics.waiting, 64);
    assert_int_equal(statistics.dropped, 0);
    outbox_note(outbox, EVENT_TROUBLE, "kernel", "one more", NOON_MS);
    outbox_read_statistics(outbox, &statistics);
    assert_int_equal(statistics.dropped, 1);

    assert_true(outbox_take(outbox, &notice)); /* the teller's own has no place among them … */
    outbox_note(outbox, EVENT_TROUBLE, "kernel", "in its place", NOON_MS);
    outbox_end(outbox); /* … when it ends */
    outbox_read_statistics(outbox, &statistics);
    assert_int_equal(statistics.dropped, 2);

    assert_true(outbox_pack(outbox, &parcel, true)); /* nor has what the disk refused */
    assert_int_equal(parcel.noted_count, OUTBOX_PARCEL / 2);
    outbox_note(outbox, EVENT_TROUBLE, "kernel", "meanwhile", NOON_MS);
    outbox_settle(outbox, &parcel, false);
    outbox_read_statistics(outbox, &statistics);
    assert_int_equal(statistics.waiting, 64);
    assert_int_equal(statistics.dropped, 3);
}

/* Its numbers begin anew: what was read of the old one is told, and deletes nothing in the new. */
static void
a_ledger_begun_anew_loses_none_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        outbox_note(outbox, EVENT_TROUBLE, "kernel", "of the old ledger", NOON_MS);
    post(true);
    outbox_begin(outbox);
    post(false); /* all three are read */
    assert_true(outbox_take(outbox, &notice));
    outbox_told(outbox);
    ledger_close(ledger);
    remove_ledger(ledger_path);
    assert_int_equal(ledger_open(ledger_path, false, &fixture->report, &ledger, NULL), 0);
    outbox_forget_ledger(outbox);
    outbox_note(outbox, EVENT_TROUBLE, "kernel", "of the new ledger", NOON_MS);
    post(true);
    for (int i = 0; i < 2; i++) {
        assert_true(outbox_take(outbox, &notice));
        assert_string_equal(notice.text, "trouble: of the old ledger");
        outbox_told(outbox);
    }
    post(false);
    assert_true(outbox_take(outbox, &notice));
    assert_string_equal(notice.text, "trouble: of the new ledger");
    outbox_told(outbox);
    post(false);
    assert_false(outbox_take(outbox, &notice));
}

#define BEGUN(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BEGUN(each_change_is_told_once),
        BEGUN(a_short_ban_begins_before_it_ends),
        BEGUN(what_changes_while_it_is_told_is_told_too),
        BEGUN(what_was_told_elsewhere_is_not_told),
        BEGUN(a_slot_is_kept_until_somebody_was_told),
        BEGUN(the_fleet_and_the_events_do_not_wait_for_each_other),
        BEGUN(what_nobody_takes_waits_in_the_ledger),
        BEGUN(a_disk_that_fails_loses_none),
        BEGUN(a_teller_that_ends_gives_back_what_it_has),
        BEGUN(the_oldest_of_too_many_are_dropped),
        BEGUN(the_teller_is_woken_for_what_there_is),
        BEGUN(what_is_held_for_a_second_goes_into_the_ledger),
        BEGUN(more_notes_than_there_is_room_for_are_counted_as_dropped),
        BEGUN(a_ledger_begun_anew_loses_none_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
