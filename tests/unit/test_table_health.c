/* test_table_health: what comes, what is lost and what is wrong is counted once, by when it was,
 * and outlives a change of capacity; and who was spared or would have been banned is found.
 *
 * Proves: each sight of a message in its own sum; what is recent is what came since the oldest
 * sample of a quarter of an hour, to the second; a loss of nothing is none; Dovecot's habit of
 * logging IDs is remembered for a day, to the second; each figure is there after the table was made
 * larger; whom a ban was held back from was spared until its failures are old, and one that is
 * banned was not.
 * Fails when a sum counts another's messages, a limit is a second off, or a figure is forgotten.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table/table-health.h"
#include "table_fixture.h"

#define NOON_S (NOON_MS / 1000)

static struct table_health
health_at(const struct fixture *f, int64_t now_s)
{
    struct table_health health;

    table_read_health(f->table, now_s * 1000, &health);
    return health;
}

static void
each_sight_of_a_message_has_its_sum_whatever_the_worker(void **state)
{
    struct table_health health;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_int_equal(health_at(&f, NOON_S).last_message_ms, 0);
    for (unsigned worker = 0; worker < 40; worker++) {
        table_note_message(f.table, worker, TABLE_MATCHED, NOON_S);
        table_note_message(f.table, worker, TABLE_MATCHED, NOON_S);
        table_note_message(f.table, worker, TABLE_UNMATCHED, NOON_S + worker);
    }
    health = health_at(&f, NOON_S + 60);
    assert_int_equal(health.messages, 120);
    assert_int_equal(health.matched, 80);
    assert_int_equal(health.unmatched, 40);
    assert_int_equal(health.last_message_ms, NOON_MS + 39000);
    assert_int_equal(health.recent_s, 0); /* not yet known */
    fixture_end(&f);
}

static void
recent_is_what_came_since_the_oldest_sample_of_a_quarter_of_an_hour(void **state)
{
    struct table_health health;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (unsigned minute = 0; minute <= 40; minute++) {
        const int64_t now_s = NOON_S + minute * 60;

        table_sample(f.table, now_s);
        table_sample(f.table, now_s + 59); /* of the same minute: the first holds */
        table_note_message(f.table, 1, TABLE_MATCHED, now_s + 59);
        health = health_at(&f, now_s + 59);
        assert_int_equal(health.recent_s, minute < 16 ? minute * 60 + 59 : 15 * 60 + 59);
        assert_int_equal(health.recent_messages, minute < 16 ? minute + 1 : 16);
        assert_int_equal(health.recent_matched, health.recent_messages);
        assert_int_equal(health.recent_unmatched, 0);
    }
    /* nothing is sampled any more: the oldest that is recent moves on, to the last */
    assert_int_equal(health_at(&f, NOON_S + 40 * 60 + 16 * 60 - 1).recent_s, 16 * 60 - 1);
    assert_int_equal(health_at(&f, NOON_S + 40 * 60 + 16 * 60).recent_s, 0);
    fixture_end(&f);
}

static void
ids_are_taken_to_be_logged_for_a_day(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_false(table_logs_ids(f.table, NOON_MS));
    table_note_id_log(f.table, NOON_S);
    table_note_id_log(f.table, NOON_S);
    assert_true(table_logs_ids(f.table, NOON_MS));
    assert_true(table_logs_ids(f.table, NOON_MS + TABLE_ID_LOG_MS - 1));
    assert_false(table_logs_ids(f.table, NOON_MS + TABLE_ID_LOG_MS));
    table_note_id_log(f.table, NOON_S + 1);
    assert_true(table_logs_ids(f.table, NOON_MS + TABLE_ID_LOG_MS));
    fixture_end(&f);
}

static void
note_all(struct fixture *f)
{
    table_note_message(f->table, 3, TABLE_MATCHED, NOON_S + 1);
    table_note_message(f->table, 4, TABLE_UNMATCHED, NOON_S + 2);
    for (unsigned loss = 0; loss < TABLE_LOSSES; loss++)
        table_note_lost(f->table, (enum table_loss)loss, 10 + loss, NOON_S + 3);
    table_note_lost(f->table, (enum table_loss)0, 0, NOON_S + 9); /* that is none */
    table_note_untrusted(f->table, 1000, NOON_S + 4);
    table_note_untrusted(f->table, 1001, NOON_S + 5);
    table_note_id_log(f->table, NOON_S);
    table_pause(f->table, NOON_MS + HOUR_MS);
}

static void
check_all(const struct fixture *f)
{
    const struct table_health health = health_at(f, NOON_S + 10);

    assert_int_equal(health.messages, 2);
    assert_int_equal(health.matched, 1);
    assert_int_equal(health.unmatched, 1);
    assert_int_equal(health.last_message_ms, NOON_MS + 2000);
    for (unsigned loss = 0; loss < TABLE_LOSSES; loss++)
        assert_int_equal(health.lost[loss], 10 + loss);
    assert_int_equal(health.lost_ms, NOON_MS + 3000);
    assert_int_equal(health.untrusted, 2);
    assert_int_equal(health.untrusted_ms, NOON_MS + 5000);
    assert_int_equal(health.untrusted_uid, 1001);
    assert_int_equal(health.paused_until_ms, NOON_MS + HOUR_MS);
    assert_true(table_logs_ids(f->table, NOON_MS));
}

static void
each_figure_outlives_a_restart_and_a_change_of_capacity(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    note_all(&f);
    check_all(&f);
    fixture_reopen(&f);
    check_all(&f);
    f.options.capacity = 4096;
    fixture_reopen(&f);
    check_all(&f);
    fixture_end(&f);
}

static void
a_fault_of_the_backend_is_told_until_it_is_none_or_the_next_start(void **state)
{
    struct table_outage outage = {2, NOON_MS, NOON_MS + HOUR_MS, "mx1"};
    struct table_health health;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_int_equal(health_at(&f, NOON_S).outage.places, 0);
    table_set_outage(f.table, &outage);
    health = health_at(&f, NOON_S);
    assert_int_equal(health.outage.places, 2);
    assert_int_equal(health.outage.since_ms, NOON_MS);
    assert_int_equal(health.outage.until_ms, NOON_MS + HOUR_MS);
    assert_string_equal(health.outage.host, "mx1");
    outage.places = 0;
    table_set_outage(f.table, &outage);
    assert_int_equal(health_at(&f, NOON_S).outage.places, 0);
    outage.places = 1;
    memset(outage.host, 'h', sizeof outage.host); /* too long: cut by its last letter alone */
    table_set_outage(f.table, &outage);
    health = health_at(&f, NOON_S);
    assert_int_equal(health.outage.places, 1);
    assert_int_equal(strlen(health.outage.host), sizeof outage.host - 1);
    table_set_ledger_error(f.table, -28);
    assert_int_equal(health_at(&f, NOON_S).ledger_error, -28);
    fixture_reopen(&f);
    assert_int_equal(health_at(&f, NOON_S).outage.places, 0);
    fixture_end(&f);
}

/* ---- who was spared ---- */

static unsigned
spared(const struct fixture *f, int64_t now_ms, struct ban *last)
{
    unsigned count = 0;
    struct ban ban;

    for (uint32_t i = 0; i < 1024; i++)
        if (table_read_spared(f->table, i, now_ms, &ban)) {
            *last = ban;
            count++;
        }
    return count;
}

static void
whom_a_ban_was_held_back_from_was_spared_until_that_is_old(void **state)
{
    struct fixture f;
    struct ban ban;
    int64_t last_ms;

    (void)state;
    fixture_begin(&f, 1024, 64);
    table_set_ban_rate(f.table, 1);
    for (unsigned i = 0; i < f.jail.maxretry; i++)
        count_line(&f, "192.0.2.2", NOON_MS); /* who is banned, and was not spared */
    for (unsigned i = 0; i < f.jail.maxretry; i++) {
        assert_int_equal(spared(&f, NOON_MS, &ban), 0);
        count_line(&f, "192.0.2.1", NOON_MS + i * 1000);
    }
    last_ms = NOON_MS + (f.jail.maxretry - 1) * 1000;
    assert_int_equal(health_at(&f, NOON_S + 10).held_back, 1);
    assert_int_equal(spared(&f, last_ms, &ban), 1);
    assert_int_equal(ban.failures, f.jail.maxretry);
    assert_int_equal(ban.first_ms, NOON_MS);
    assert_int_equal(ban.since_ms, last_ms);
    assert_int_equal(spared(&f, last_ms + f.jail.bantime_s * 1000 - 1, &ban), 1);
    assert_int_equal(spared(&f, last_ms + f.jail.bantime_s * 1000, &ban), 0);
    fixture_end(&f);
}

/* Networks of the jail's own length are clients; the wider ones that it bans for its neighbours are
 * none. */
static void
a_network_may_be_the_client_that_was_spared(void **state)
{
    static const char *const clients[] = {"192.0.2.1", "2001:db8::1"};
    struct fixture f;
    struct ban ban;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        fixture_prepare(&f, 1024, 64);
        f.jail.v4_bits = 24;
        f.jail.v6_bits = 56;
        fixture_open(&f);
        table_set_ban_rate(f.table, 1);
        for (unsigned n = 0; n < 2 * f.jail.maxretry; n++) {
            const struct source client =
                source_of(n < f.jail.maxretry ? "198.51.100.1" : clients[i]);

            count_at(&f, source_mask(&client, 24, 56), NOON_MS, NOON_MS);
        }
        assert_int_equal(spared(&f, NOON_MS, &ban), 1);
        assert_int_equal(source_bits(&ban.source), i == 0 ? 24 : 56);
        fixture_end(&f);
    }
}

/* As many bans as there is room for: who has the last is banned as the others are. */
static void
nobody_who_is_banned_was_spared(void **state)
{
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.maxretry = 1;
    for (unsigned jail = 0; jail < 2; jail++) {
        assert_int_equal(table_jail(f.table, &f.jail), f.jail_index);
        for (uint32_t i = 0; i < 64; i++)
            count_at(&f, numbered_source(i << 8 | 7), NOON_MS, NOON_MS);
        f.jail.maxretry = 2;
    }
    assert_int_equal(used_slots(f.table), 64);
    f.jail.maxretry = 1;
    assert_int_equal(table_jail(f.table, &f.jail), f.jail_index);
    assert_int_equal(spared(&f, NOON_MS, &ban), 0);
    fixture_end(&f);
}

static void
whom_a_jail_bans_for_ever_was_spared_for_ever(void **state)
{
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_prepare(&f, 1024, 64);
    f.jail.bantime_s = JAIL_FOREVER;
    fixture_open(&f);
    table_set_ban_rate(f.table, 1);
    for (unsigned i = 0; i < 2 * f.jail.maxretry; i++)
        count_line(&f, i < f.jail.maxretry ? "2001:db8::1" : "2001:db8:0:1::1", NOON_MS);
    assert_int_equal(spared(&f, NOON_MS + 100000 * HOUR_MS, &ban), 1);
    assert_int_equal(ban.until_ms, TABLE_FOREVER_MS);
    f.jail.classes = 0; /* the jail is no more */
    fixture_reopen(&f);
    assert_int_equal(spared(&f, NOON_MS, &ban), 0);
    fixture_end(&f);
}

/* The first failure is enough there; who was banned by hand since is spared no more. */
static void
where_one_failure_bans_one_is_enough_to_be_spared(void **state)
{
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_prepare(&f, 1024, 64);
    f.jail.maxretry = 1;
    fixture_open(&f);
    table_set_ban_rate(f.table, 1);
    count_line(&f, "192.0.2.1", NOON_MS);
    count_line(&f, "192.0.2.2", NOON_MS);
    assert_int_equal(spared(&f, NOON_MS, &ban), 1);
    assert_int_equal(ban.source.address[15], 2);
    ban = ban_by_hand("192.0.2.2", NOON_MS, NOON_MS + HOUR_MS);
    ban.jail = (uint8_t)f.jail_index;
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0); /* as an operator has it made */
    count_line(&f, "192.0.2.2", NOON_MS + 1000);
    assert_int_equal(spared(&f, NOON_MS + 1000, &ban), 0);
    fixture_end(&f);
}

/* Who has failed since his ban as often as is now enough. */
static void
who_is_banned_was_not_spared_when_the_jail_becomes_stricter(void **state)
{
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (unsigned i = 0; i < f.jail.maxretry + 3; i++)
        count_now(&f, "192.0.2.1", NOON_MS + i);
    f.jail.maxretry = 3;
    assert_int_equal(table_jail(f.table, &f.jail), f.jail_index);
    assert_int_equal(spared(&f, NOON_MS, &ban), 0);
    assert_true(find_ban(f.table, "192.0.2.1", &ban));
    table_lift_one(f.table, &ban, NOON_MS);
    assert_int_equal(spared(&f, NOON_MS, &ban), 1);
    fixture_end(&f);
}

static unsigned
observed(const struct fixture *f, struct ban *last)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < 1024; i++)
        count += table_read_observed(f->table, i, last);
    return count;
}

/* What a jail has observed is of no interest any more once it bans. */
static void
whom_a_jail_would_have_banned_is_told_as_long_as_it_observes(void **state)
{
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS);
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_prepare(&f, 1024, 64);
    f.jail.maxretry = 1;
    f.jail.bantime_s = JAIL_FOREVER;
    f.jail.is_observing = true;
    fixture_open(&f);
    failure.is_observed = true;
    assert_int_equal(table_count(f.table, f.jail_index, &f.jail, &failure, 1, NOON_MS),
                     TABLE_OBSERVED);
    assert_int_equal(observed(&f, &ban), 1);
    assert_int_equal(ban.since_ms, NOON_MS);
    assert_true(ban.until_ms == TABLE_FOREVER_MS);
    f.jail.is_observing = false;
    assert_int_equal(table_jail(f.table, &f.jail), f.jail_index);
    assert_int_equal(observed(&f, &ban), 0);
    fixture_end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sight_of_a_message_has_its_sum_whatever_the_worker),
        cmocka_unit_test(recent_is_what_came_since_the_oldest_sample_of_a_quarter_of_an_hour),
        cmocka_unit_test(ids_are_taken_to_be_logged_for_a_day),
        cmocka_unit_test(each_figure_outlives_a_restart_and_a_change_of_capacity),
        cmocka_unit_test(a_fault_of_the_backend_is_told_until_it_is_none_or_the_next_start),
        cmocka_unit_test(whom_a_ban_was_held_back_from_was_spared_until_that_is_old),
        cmocka_unit_test(a_network_may_be_the_client_that_was_spared),
        cmocka_unit_test(nobody_who_is_banned_was_spared),
        cmocka_unit_test(whom_a_jail_bans_for_ever_was_spared_for_ever),
        cmocka_unit_test(who_is_banned_was_not_spared_when_the_jail_becomes_stricter),
        cmocka_unit_test(where_one_failure_bans_one_is_enough_to_be_spared),
        cmocka_unit_test(whom_a_jail_would_have_banned_is_told_as_long_as_it_observes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
