/* test_table: counting is exact, one attempt counts once, a ban goes its way, memory stays flat.
 *
 * Fails when a verdict differs from an oracle that keeps each client's 16 newest stamps, when two
 * lines of one attempt count twice or two attempts once, when the kernel or the ledger of a random
 * history would end with anything but the bans that are wanted, or when a crowd of clients pushes
 * out one that keeps failing.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table_fixture.h"

#include "base/siphash.h"

/* ---- the window ---- */

static void
the_fifth_failure_bans(void **state)
{
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (int i = 0; i < 4; i++)
        assert_int_equal(count_now(&f, "203.0.113.9", NOON_MS + i * 1000), TABLE_COUNTED);
    assert_int_equal(count_now(&f, "203.0.113.8", NOON_MS), TABLE_COUNTED);
    assert_int_equal(table_tracked(f.table), 2);
    assert_int_equal(count_now(&f, "203.0.113.9", NOON_MS + 4250), TABLE_BANNED);
    assert_true(find_ban(f.table, "203.0.113.9", &ban));
    assert_int_equal(ban.state, BAN_WANTED);
    assert_int_equal(ban.origin, BAN_BY_JAIL);
    assert_int_equal(ban.end, BAN_RUNNING);
    assert_int_equal(ban.class, OFFENCE_AUTH_FAILED);
    assert_int_equal(ban.jail, f.jail_index);
    assert_int_equal(ban.failures, 5);
    assert_int_equal(ban.id, 1);
    assert_int_equal(ban.first_ms, NOON_MS);
    assert_int_equal(ban.since_ms, NOON_MS + 4250);
    assert_int_equal(ban.until_ms, NOON_MS + 4250 + HOUR_MS);
    assert_int_equal(count_now(&f, "203.0.113.9", NOON_MS + 5000), TABLE_KNOWN);
    assert_int_equal(count_now(&f, "203.0.113.8", NOON_MS), TABLE_COUNTED);
    fixture_end(&f);
}

/* As fail2ban: the ban uses up the failures, and enough new ones prolong it. */
static void
failures_go_on_to_count_during_a_ban(void **state)
{
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (int i = 0; i < 4; i++)
        count_now(&f, "203.0.113.9", NOON_MS);
    assert_int_equal(count_now(&f, "203.0.113.9", NOON_MS), TABLE_BANNED);
    keep(f.table, NOON_MS);
    for (int i = 0; i < 4; i++)
        assert_int_equal(count_now(&f, "203.0.113.9", NOON_MS + 60000), TABLE_KNOWN);
    assert_int_equal(count_now(&f, "203.0.113.9", NOON_MS + 60000), TABLE_PROLONGED);
    assert_true(find_ban(f.table, "203.0.113.9", &ban));
    assert_int_equal(ban.state, BAN_WANTED); /* the kernel has to learn the new end */
    assert_int_equal(ban.since_ms, NOON_MS);
    assert_int_equal(ban.until_ms, NOON_MS + 60000 + HOUR_MS);
    assert_int_equal(ban.id, 1);
    fixture_end(&f);
}

struct oracle {
    uint32_t stamps[JAIL_STAMPS_MAX + 1];
    unsigned count;
};

static int
ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static bool
oracle_says(struct oracle *oracle, const struct jail *jail, uint32_t stamp, unsigned attempts)
{
    unsigned within;

    for (unsigned i = 0; i < attempts; i++) {
        oracle->stamps[oracle->count++] = stamp;
        qsort(oracle->stamps, oracle->count, sizeof stamp, ascending);
        if (oracle->count > JAIL_STAMPS_MAX)
            memmove(oracle->stamps, oracle->stamps + 1, --oracle->count * sizeof stamp);
    }
    if (!jail_decide(jail, oracle->stamps, oracle->count, &within))
        return false;
    oracle->count = 0;
    return true;
}

/* Every ban would be over by `now`, so a reached threshold shows as TABLE_LATE and each later
 * verdict depends on the stamps alone. */
static unsigned
differences_of_seed(struct fixture *f, unsigned seed, unsigned *reached)
{
    struct oracle oracles[4] = {0};
    struct jail jail = f->jail;
    unsigned differences = 0;
    const int64_t new_year_s = 1798761600; /* 2027-01-01 */

    srandom(seed);
    jail.maxretry = (unsigned)(1 + random() % JAIL_STAMPS_MAX);
    jail.findtime_s = 1 + random() % 100;
    jail.bantime_s = 1;
    for (unsigned i = 0; i < 120; i++) {
        unsigned client = (unsigned)(random() % 4);
        unsigned attempts = random() % 4 ? 1 : (unsigned)(1 + random() % 4);
        /* around the edge of the window, out of order, across the turn of the year */
        int64_t stamp_s = new_year_s - 100 + i * jail.findtime_s / 40 - random() % 3 +
                          (random() % 8 ? 0 : jail.findtime_s - random() % 3);
        struct table_failure failure =
            failure_of(numbered_source(seed * 4 + client), stamp_s * 1000 + random() % 1000);
        enum table_verdict verdict = table_count(f->table, f->jail_index, &jail, &failure, attempts,
                                                 (new_year_s + 10000000) * 1000);
        bool expected = oracle_says(&oracles[client], &jail, (uint32_t)stamp_s, attempts);

        differences += verdict != (expected ? TABLE_LATE : TABLE_COUNTED);
        *reached += expected;
    }
    return differences;
}

static void
verdicts_equal_an_oracle(void **state)
{
    unsigned differences = 0, reached = 0, seeds = shortened(2000, 20000);
    struct fixture f;

    (void)state;
    fixture_begin(&f, 50000 / 2000 * seeds, 64);
    for (unsigned seed = 1; seed <= seeds; seed++)
        differences += differences_of_seed(&f, seed, &reached);
    print_message("# seeds %u, failures %u, bans %u, differences %u\n", seeds, seeds * 120, reached,
                  differences);
    assert_int_equal(differences, 0);
    assert_true(reached > 10000);
    fixture_end(&f);
}

static void
a_ban_begins_with_the_failure_or_now(void **state)
{
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.maxretry = 1;
    /* live: reception counts */
    count_at(&f, source_of("192.0.2.1"), NOON_MS - 30000, NOON_MS);
    assert_true(find_ban(f.table, "192.0.2.1", &ban));
    assert_int_equal(ban.since_ms, NOON_MS);
    /* a queue drains: the stamp counts */
    count_at(&f, source_of("192.0.2.2"), NOON_MS - 600500, NOON_MS);
    assert_true(find_ban(f.table, "192.0.2.2", &ban));
    assert_int_equal(ban.since_ms, NOON_MS - 600500);
    assert_int_equal(ban.until_ms, NOON_MS - 600500 + HOUR_MS);
    /* over by now */
    assert_int_equal(count_at(&f, source_of("192.0.2.3"), NOON_MS - HOUR_MS, NOON_MS), TABLE_LATE);
    assert_false(find_ban(f.table, "192.0.2.3", &ban));
    /* a sender's clock that is a little, or absurdly, ahead */
    count_at(&f, source_of("192.0.2.4"), NOON_MS + 20000, NOON_MS);
    assert_true(find_ban(f.table, "192.0.2.4", &ban));
    assert_int_equal(ban.since_ms, NOON_MS + 20000);
    count_at(&f, source_of("192.0.2.5"), INT64_MAX, NOON_MS);
    assert_true(find_ban(f.table, "192.0.2.5", &ban));
    assert_int_equal(ban.until_ms, NOON_MS + HOUR_MS);
    /* before the epoch */
    assert_int_equal(count_at(&f, source_of("192.0.2.6"), INT64_MIN, NOON_MS), TABLE_LATE);
    fixture_end(&f);
}

/* Four failures are there; the one that came last is not the one that happened last. */
static void
the_order_of_arrival_does_not_matter(void **state)
{
    static const int orders[][5] = {{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {2, 4, 0, 1, 3}};
    struct fixture f;
    struct ban ban;

    (void)state;
    for (unsigned order = 0; order < 3; order++) {
        fixture_begin(&f, 1024, 64);
        for (unsigned i = 0; i < 5; i++)
            count_at(&f, source_of("192.0.2.1"), NOON_MS - 600000 + orders[order][i] * 10000,
                     NOON_MS);
        assert_true(find_ban(f.table, "192.0.2.1", &ban));
        assert_int_equal(ban.first_ms, NOON_MS - 600000);
        assert_int_equal(ban.since_ms, NOON_MS - 560000);
        fixture_end(&f);
    }
}

static void
for_ever_is_for_ever(void **state)
{
    struct fixture f;
    struct ban ban;
    int64_t next_ms;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.maxretry = 1;
    f.jail.bantime_s = JAIL_FOREVER;
    assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS), TABLE_BANNED);
    assert_true(find_ban(f.table, "192.0.2.1", &ban));
    assert_true(ban.until_ms == TABLE_FOREVER_MS);
    assert_int_equal(table_expire(f.table, NOON_MS + 1000 * 365 * 24 * HOUR_MS, &next_ms), 0);
    assert_true(next_ms == TABLE_FOREVER_MS);
    f.jail.bantime_s = 60;
    assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS), TABLE_KNOWN); /* never shorter */
    fixture_end(&f);
}

static void
a_clock_set_back_does_no_harm(void **state)
{
    const int64_t wrong_ms = NOON_MS + 4 * 365 * 24 * HOUR_MS;
    int64_t next_ms;
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.maxretry = 16;
    for (int i = 0; i < 15; i++)
        count_now(&f, "192.0.2.1", wrong_ms + i);
    for (int i = 0; i < 15; i++)
        assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS + i), TABLE_COUNTED);
    assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS + 15), TABLE_BANNED);
    assert_true(find_ban(f.table, "192.0.2.1", &ban));
    assert_int_equal(ban.until_ms, NOON_MS + 15 + HOUR_MS);

    /* A ban made by the wrong clock keeps the time that it had left. */
    f.jail.maxretry = 1;
    count_now(&f, "192.0.2.2", wrong_ms);
    table_expire(f.table, wrong_ms + HOUR_MS / 2, &next_ms);
    table_expire(f.table, NOON_MS, &next_ms);
    assert_true(find_ban(f.table, "192.0.2.2", &ban));
    assert_int_equal(ban.until_ms, NOON_MS + HOUR_MS / 2);
    assert_int_equal(next_ms, NOON_MS + HOUR_MS / 2);
    fixture_end(&f);
}

static struct table_counter
counter_of(const struct fixture *f, const char *client)
{
    const struct source source = source_of(client);
    struct table_counter counter;

    assert_true(table_read_counter(f->table, f->jail_index, &source, TABLE_SCOPE_FLEET, &counter));
    return counter;
}

/* A stamp may be a minute ahead of the clock. One of before the clock was set back further does not
 * stand in the way of those to come. */
static void
a_failure_of_a_minute_ahead_counts_still(void **state)
{
    struct fixture f;

    (void)state;
    for (unsigned late_s = 0; late_s <= 1; late_s++) {
        const int64_t ahead_ms = NOON_MS + (60 + late_s) * 1000;

        fixture_begin(&f, 1024, 64);
        count_at(&f, source_of("192.0.2.1"), ahead_ms, ahead_ms);
        count_at(&f, source_of("192.0.2.1"), NOON_MS, NOON_MS);
        assert_int_equal(counter_of(&f, "192.0.2.1").failures, 2 - late_s);
        fixture_end(&f);
    }
}

/* Those of one bucket as well. */
static void
each_client_has_a_counter_of_its_own(void **state)
{
    struct table_counter counter;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (uint32_t i = 0; i < 200; i++)
        for (uint32_t n = 0; n <= i % 4; n++)
            count_at(&f, numbered_source(i), NOON_MS, NOON_MS);
    for (uint32_t i = 0; i < 200; i++) {
        const struct source client = numbered_source(i), stranger = numbered_source(i + 200);

        assert_true(table_read_counter(f.table, f.jail_index, &client, 0, &counter));
        assert_int_equal(counter.failures, 1 + i % 4);
        assert_false(table_read_counter(f.table, f.jail_index, &stranger, 0, &counter));
    }
    fixture_end(&f);
}

static void
sources_are_counted_by_prefix(void **state)
{
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.maxretry = 2;
    assert_int_equal(count_now(&f, "2001:db8:0:1::1", NOON_MS), TABLE_COUNTED);
    assert_int_equal(count_now(&f, "2001:db8:0:2::1", NOON_MS), TABLE_COUNTED);
    assert_int_equal(count_now(&f, "2001:db8:0:1:ffff::2", NOON_MS), TABLE_BANNED);
    assert_true(find_ban(f.table, "2001:db8:0:1::/64", &ban));
    assert_int_equal(count_now(&f, "203.0.113.9", NOON_MS), TABLE_COUNTED);
    assert_int_equal(count_now(&f, "::ffff:203.0.113.9", NOON_MS), TABLE_BANNED);
    assert_true(find_ban(f.table, "203.0.113.9", &ban));
    f.jail.v4_bits = 24;
    assert_int_equal(count_now(&f, "198.51.100.1", NOON_MS), TABLE_COUNTED);
    assert_int_equal(count_now(&f, "198.51.100.200", NOON_MS), TABLE_BANNED);
    assert_true(find_ban(f.table, "198.51.100.0/24", &ban));
    fixture_end(&f);
}

static void
one_line_may_tell_of_many_attempts(void **state)
{
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS);
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_int_equal(table_count(f.table, f.jail_index, &f.jail, &failure, 4, NOON_MS),
                     TABLE_COUNTED);
    assert_int_equal(table_count(f.table, f.jail_index, &f.jail, &failure, 1, NOON_MS),
                     TABLE_BANNED);
    failure.client = source_of("192.0.2.2");
    assert_int_equal(table_count(f.table, f.jail_index, &f.jail, &failure, 1000000, NOON_MS),
                     TABLE_BANNED);
    assert_true(find_ban(f.table, "192.0.2.2", &ban));
    assert_int_equal(ban.failures, 16);
    fixture_end(&f);
}

static void
jails_and_scopes_count_apart(void **state)
{
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS);
    struct jail other;
    struct fixture f;
    int index;

    (void)state;
    fixture_begin(&f, 1024, 64);
    other = f.jail;
    strcpy(other.name, "other");
    index = table_jail(f.table, &other);
    assert_true(index >= 1 && index != (int)f.jail_index);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(table_count(f.table, f.jail_index, &f.jail, &failure, 1, NOON_MS),
                         TABLE_COUNTED);
        assert_int_equal(table_count(f.table, (unsigned)index, &other, &failure, 1, NOON_MS),
                         TABLE_COUNTED);
        failure.scope = 7;
        assert_int_equal(table_count(f.table, f.jail_index, &f.jail, &failure, 1, NOON_MS),
                         TABLE_COUNTED);
        failure.scope = 0;
    }
    assert_int_equal(table_tracked(f.table), 3);
    assert_int_equal(table_count(f.table, f.jail_index, &f.jail, &failure, 1, NOON_MS),
                     TABLE_BANNED);
    assert_int_equal(table_count(f.table, (unsigned)index, &other, &failure, 1, NOON_MS),
                     TABLE_BANNED);
    assert_int_equal(table_pending(f.table), 1); /* one source */
    fixture_end(&f);
}

/* ---- repeated guesses, and bans that grow ---- */

static enum table_verdict
guess(struct fixture *f, const char *client, uint64_t user, uint64_t secret, int64_t now_ms)
{
    struct table_failure failure = failure_of(source_of(client), now_ms);

    failure.user_hash = user;
    failure.secret_hash = secret;
    return table_count(f->table, f->jail_index, &f->jail, &failure, 1, now_ms);
}

static void
of_repeated_guesses_one_in_so_many_counts(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.maxretry = JAIL_STAMPS_MAX;
    for (int i = 0; i < 7; i++) /* repeats is 1: each */
        guess(&f, "192.0.2.1", 7, 8, NOON_MS + i);
    assert_int_equal(counter_of(&f, "192.0.2.1").failures, 7);
    f.jail.repeats = 10;
    for (unsigned i = 0; i <= 50; i++) {
        guess(&f, "192.0.2.2", 7, i == 0 ? 8 : 0, NOON_MS + i);
        assert_int_equal(counter_of(&f, "192.0.2.2").failures, 1 + i / 10);
    }
    for (unsigned i = 0; i < 50; i++)
        guess(&f, "192.0.2.2", 7, 8, NOON_MS + 60 + i); /* for certain the same */
    assert_int_equal(counter_of(&f, "192.0.2.2").failures, 6);
    guess(&f, "192.0.2.2", 7, 9, NOON_MS + 100); /* another secret */
    guess(&f, "192.0.2.2", 6, 8, NOON_MS + 100); /* another user */
    assert_int_equal(counter_of(&f, "192.0.2.2").failures, 8);
    assert_int_equal(counter_of(&f, "192.0.2.2").users, 2);
    guess(&f, "192.0.2.2", 7, 0, NOON_MS + 100); /* the line does not tell: it is one again */
    assert_int_equal(counter_of(&f, "192.0.2.2").failures, 8);
    for (int i = 0; i < 5; i++)
        guess(&f, "192.0.2.3", 0, 8, NOON_MS + i); /* nobody's guess is nobody's repetition */
    assert_int_equal(counter_of(&f, "192.0.2.3").failures, 5);
    assert_int_equal(counter_of(&f, "192.0.2.3").users, 0);
    guess(&f, "192.0.2.4", 7, 8, NOON_MS);
    guess(&f, "192.0.2.4", 7, 8, NOON_MS + (f.jail.findtime_s + 1) * 1000); /* forgotten */
    assert_int_equal(counter_of(&f, "192.0.2.4").failures, 2);
    const int64_t later_ms = NOON_MS + (f.jail.findtime_s + 1) * 1000;
    const struct table_failure none = failure_of(source_of("192.0.2.4"), later_ms);
    assert_int_equal(table_count(f.table, f.jail_index, &f.jail, &none, 0, later_ms),
                     TABLE_COUNTED);
    assert_int_equal(counter_of(&f, "192.0.2.4").failures, 2);
    fixture_reopen(&f);
    assert_int_equal(f.said, 0);
    fixture_end(&f);
}

/* Against a count of all failures within findtime, in the order in which they come: never a ban
 * before there are maxretry, and always when there are jail_step - 1 more. */
static void
up_to_64_failures_are_counted_by_steps(void **state)
{
    int64_t times_s[1000];
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    srandom(5);
    for (unsigned round = 0; round < 300; round++) {
        const struct source client = numbered_source(round + 1);
        unsigned first = 0, count = 0;
        int64_t now_ms = NOON_MS;
        enum table_verdict verdict = TABLE_COUNTED;

        f.jail.maxretry = 17 + (unsigned)random() % 48;
        f.jail.findtime_s = 1000;
        for (; count < 1000 && verdict != TABLE_BANNED; now_ms += random() % 30000) {
            times_s[count++] = now_ms / 1000;
            while (times_s[count - 1] - times_s[first] > f.jail.findtime_s)
                first++;
            verdict = count_at(&f, client, now_ms, now_ms);
            if (verdict == TABLE_BANNED && count - first < f.jail.maxretry)
                fail_msg("banned for %u of %u", count - first, f.jail.maxretry);
            assert_true(verdict == TABLE_BANNED ||
                        count - first < f.jail.maxretry + jail_step(&f.jail) - 1);
        }
        assert_int_equal(verdict, TABLE_BANNED);
        table_unban(f.table, &client, 0, now_ms);
        keep(f.table, now_ms);
        write_down(f.table);
    }
    fixture_end(&f);
}

static void
without_a_gap_the_ban_comes_with_maxretry(void **state)
{
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (f.jail.maxretry = 1; f.jail.maxretry <= JAIL_MAXRETRY_MAX; f.jail.maxretry++) {
        for (unsigned i = 1; i < f.jail.maxretry; i++)
            assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS), TABLE_COUNTED);
        assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS), TABLE_BANNED);
        assert_true(find_ban(f.table, "192.0.2.1", &ban));
        assert_int_equal(ban.failures, f.jail.maxretry);
        table_unban(f.table, &ban.source, 0, NOON_MS);
        keep(f.table, NOON_MS);
        write_down(f.table);
    }
    fixture_end(&f);
}

static int64_t
ban_again(struct fixture *f, const char *client, int64_t now_ms)
{
    struct ban ban;

    assert_int_equal(count_now(f, client, now_ms), TABLE_BANNED);
    assert_true(find_ban(f->table, client, &ban));
    return (ban.until_ms - now_ms) / 1000;
}

static void
each_further_ban_lasts_twice_as_long(void **state)
{
    static const int64_t lasts_s[] = {600, 1200, 2400, 3000, 3000};
    int64_t now_ms = NOON_MS, next_ms;
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.maxretry = 1;
    f.jail.bantime_s = 600;
    f.jail.growth = (struct jail_growth){.is_on = true, .factor = 1, .max_s = 3000};
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(ban_again(&f, "192.0.2.1", now_ms), lasts_s[i]);
        assert_int_equal(counter_of(&f, "192.0.2.1").bans, i + 1);
        /* one that is prolonged is no further one */
        assert_int_equal(count_now(&f, "192.0.2.1", now_ms + 60000), TABLE_PROLONGED);
        assert_true(find_ban(f.table, "192.0.2.1", &ban));
        assert_int_equal((ban.until_ms - now_ms) / 1000, lasts_s[i] + 60);
        now_ms += (lasts_s[i] + 60) * 1000;
        table_expire(f.table, now_ms, &next_ms);
        if (i == 2)
            fixture_reopen(&f);
    }
    f.jail.growth.is_on = false;
    assert_int_equal(ban_again(&f, "192.0.2.1", now_ms), 600);
    assert_int_equal(ban_again(&f, "192.0.2.2", now_ms), 600);
    fixture_end(&f);
}

/* In a jail of wider prefixes, too. */
static void
bans_of_other_jails_are_earlier_ones(void **state)
{
    struct fixture f;
    struct jail first;
    unsigned first_index;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.maxretry = 1;
    f.jail.bantime_s = 600;
    f.jail.v4_bits = 24;
    first = f.jail;
    first_index = f.jail_index;
    table_jail(f.table, &first);
    strcpy(f.jail.name, "recidive");
    f.jail.v4_bits = 32;
    f.jail.growth = (struct jail_growth){.is_on = true, .factor = 1};
    f.jail_index = (unsigned)table_jail(f.table, &f.jail);
    const struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS);
    assert_int_equal(table_count(f.table, first_index, &first, &failure, 1, NOON_MS), TABLE_BANNED);
    assert_int_equal(ban_again(&f, "192.0.2.1", NOON_MS), 600);
    f.jail.growth.over_all_jails = true;
    assert_int_equal(ban_again(&f, "192.0.2.2", NOON_MS), 1200);
    assert_int_equal(ban_again(&f, "192.0.3.2", NOON_MS), 600);
    fixture_end(&f);
}

static void
note_login(struct fixture *f, struct source client, uint64_t user, int64_t stamp_ms)
{
    const struct table_merit merit = {.is_login = true, .user_hash = user, .stamp_ms = stamp_ms};

    table_note_merit(f->table, f->jail_index, &f->jail, &client, &merit, stamp_ms);
}

static void
note_mail(struct fixture *f, struct source client, int64_t stamp_ms)
{
    const struct table_merit merit = {.stamp_ms = stamp_ms};

    table_note_merit(f->table, f->jail_index, &f->jail, &client, &merit, stamp_ms);
}

/* The same user's elsewhere, and another's of this client, are none of his. */
static void
a_login_forgives_this_user_at_this_client(void **state)
{
    const struct source client = source_of("192.0.2.1");
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (int i = 0; i < 2; i++) {
        guess(&f, "192.0.2.1", 7, 0, NOON_MS);
        guess(&f, "192.0.2.1", 8, 0, NOON_MS + 1000);
        guess(&f, "192.0.2.1", 0, 0, NOON_MS + 2000);
    }
    guess(&f, "192.0.2.2", 7, 0, NOON_MS);
    f.jail.maxretry = 10;
    note_login(&f, client, 7, NOON_MS + 3000);                 /* the jail does not say so */
    assert_int_equal(counter_of(&f, "192.0.2.1").failures, 1); /* its fifth made a ban */
    f.jail.kindness.login_forgives = true;
    for (int i = 0; i < 2; i++) {
        guess(&f, "192.0.2.1", 7, 0, NOON_MS + 4000);
        guess(&f, "192.0.2.1", 8, 0, NOON_MS + 4000);
    }
    note_login(&f, client, 0, NOON_MS + 5000); /* whoever it was */
    assert_int_equal(counter_of(&f, "192.0.2.1").failures, 5);
    note_login(&f, client, 7, NOON_MS + 5000);
    assert_int_equal(counter_of(&f, "192.0.2.1").failures, 3);
    assert_int_equal(counter_of(&f, "192.0.2.1").users, 1);
    assert_int_equal(counter_of(&f, "192.0.2.2").failures, 1);
    fixture_reopen(&f);
    assert_int_equal(f.said, 0);
    assert_int_equal(counter_of(&f, "192.0.2.1").failures, 3);
    fixture_end(&f);
}

/* As banmailctl learn tells of one. */
static void
a_login_of_old_forgives_nothing_since(void **state)
{
    const struct source client = source_of("192.0.2.1");
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.maxretry = 10;
    f.jail.kindness.login_forgives = true;
    guess(&f, "192.0.2.1", 7, 0, NOON_MS);
    guess(&f, "192.0.2.1", 8, 0, NOON_MS);
    note_login(&f, client, 7, NOON_MS - 3600 * INT64_C(1000));
    assert_int_equal(counter_of(&f, "192.0.2.1").failures, 2);
    note_login(&f, client, 7, NOON_MS - 1000); /* its line may have been overtaken */
    assert_int_equal(counter_of(&f, "192.0.2.1").failures, 1);
    fixture_end(&f);
}

/* So many failures of one client, one a second, until it is banned. */
static unsigned
failures_to_a_ban(struct fixture *f, const char *client, int64_t from_ms)
{
    unsigned count = 1;

    while (count_now(f, client, from_ms + count * INT64_C(1000)) != TABLE_BANNED && count < 1000)
        count++;
    return count;
}

static void
who_has_a_merit_may_fail_more_often(void **state)
{
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.kindness.login_allowance = 2;
    f.jail.kindness.mail_allowance = 10;
    table_jail(f.table, &f.jail);
    note_login(&f, source_of("192.0.2.2"), 7, NOON_MS);
    note_mail(&f, source_of("192.0.2.3"), NOON_MS);
    note_login(&f, source_of("192.0.2.4"), 7, NOON_MS - (JAIL_LATELY_S + 60) * INT64_C(1000));
    fixture_reopen(&f); /* it is in the table */
    assert_int_equal(failures_to_a_ban(&f, "192.0.2.1", NOON_MS), 5);
    assert_int_equal(failures_to_a_ban(&f, "192.0.2.2", NOON_MS), 10);
    assert_int_equal(failures_to_a_ban(&f, "192.0.2.3", NOON_MS), 50);
    assert_int_equal(failures_to_a_ban(&f, "192.0.2.4", NOON_MS), 5); /* long ago */
    assert_true(find_ban(f.table, "192.0.2.3", &ban));
    assert_int_equal(ban.failures, 50);
    assert_int_equal(ban.first_ms, NOON_MS + 1000);
    f.jail.kindness.login_allowance = f.jail.kindness.mail_allowance = 1;
    table_unban(f.table, &ban.source, 0, NOON_MS);
    note_mail(&f, source_of("192.0.2.3"), NOON_MS);
    assert_int_equal(failures_to_a_ban(&f, "192.0.2.3", NOON_MS), 5);
    fixture_end(&f);
}

/* A ban uses up what a client with a merit was spared: within the same findtime it has as much to
 * spend as before, and the ban tells of its first failure. */
static void
who_has_a_merit_may_fail_as_often_after_a_ban(void **state)
{
    const struct source client = source_of("192.0.2.1");
    int64_t now_ms = NOON_MS, next_ms;
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.kindness.login_allowance = 2;
    f.jail.bantime_s = 60;
    table_jail(f.table, &f.jail);
    note_login(&f, client, 7, NOON_MS);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(failures_to_a_ban(&f, "192.0.2.1", now_ms), 10);
        assert_true(find_ban(f.table, "192.0.2.1", &ban));
        assert_int_equal(ban.first_ms, now_ms + 1000);
        assert_int_equal(ban.failures, 10);
        now_ms += 100000;
        table_expire(f.table, now_ms, &next_ms);
        keep(f.table, now_ms);
    }
    fixture_end(&f);
}

static void
a_merit_is_of_lately_up_to_its_last_second(void **state)
{
    struct fixture f;

    (void)state;
    for (unsigned late_s = 0; late_s <= 1; late_s++) {
        const int64_t now_ms = NOON_MS + (JAIL_LATELY_S + late_s) * INT64_C(1000);

        fixture_begin(&f, 1024, 64);
        f.jail.kindness.login_allowance = 2;
        table_jail(f.table, &f.jail);
        note_login(&f, source_of("192.0.2.1"), 7, NOON_MS);
        for (unsigned i = 1; i <= 5; i++)
            assert_int_equal(count_now(&f, "192.0.2.1", now_ms), i < 5         ? TABLE_COUNTED
                                                                 : late_s == 0 ? TABLE_ALLOWED
                                                                               : TABLE_BANNED);
        fixture_end(&f);
    }
}

/* While it is banned, nothing is spared it: its failures prolong the ban as anybody's do. */
static void
who_is_banned_is_spared_nothing(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.kindness.login_allowance = 3;
    table_jail(f.table, &f.jail);
    note_login(&f, source_of("192.0.2.1"), 7, NOON_MS);
    assert_int_equal(failures_to_a_ban(&f, "192.0.2.1", NOON_MS), 15);
    for (unsigned i = 1; i <= 5; i++)
        assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS + 60000 + i),
                         i == 5 ? TABLE_PROLONGED : TABLE_KNOWN);
    fixture_end(&f);
}

/* What was spared is of one series up to exactly findtime after its first failure. */
static void
what_was_spared_is_remembered_for_findtime(void **state)
{
    struct fixture f;

    (void)state;
    for (unsigned late_s = 0; late_s <= 1; late_s++) {
        const int64_t later_ms = NOON_MS + (600 + late_s) * 1000;
        unsigned count = 0;

        fixture_begin(&f, 1024, 64);
        f.jail.kindness.login_allowance = 2;
        table_jail(f.table, &f.jail);
        note_login(&f, source_of("192.0.2.1"), 7, NOON_MS);
        for (unsigned i = 0; i < 5; i++)
            assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS),
                             i == 4 ? TABLE_ALLOWED : TABLE_COUNTED);
        while (count_now(&f, "192.0.2.1", later_ms) != TABLE_BANNED)
            count++;
        assert_int_equal(count + 1, late_s == 0 ? 5 : 10);
        fixture_end(&f);
    }
}

/* Once the table has learnt, who was spared more often than he is worth now is banned. */
static void
what_was_spared_while_it_learned_is_spared_no_longer(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.kindness.login_allowance = 2;
    table_jail(f.table, &f.jail);
    note_login(&f, source_of("192.0.2.1"), 7, NOON_MS);
    table_learn_until(f.table, NOON_MS + 60000);
    for (unsigned i = 1; i <= 15; i++)
        assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS),
                         i % 5 == 0 ? TABLE_ALLOWED : TABLE_COUNTED);
    for (unsigned i = 1; i <= 5; i++)
        assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS + 60000),
                         i == 5 ? TABLE_BANNED : TABLE_COUNTED);
    fixture_end(&f);
}

/* The ledger knows of earlier bans, the last of which runs: what follows only prolongs it. Of fewer
 * than the table knows it tells nothing. */
static void
the_ledger_tells_of_earlier_bans(void **state)
{
    const struct source client = source_of("192.0.2.1");
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.growth = (struct jail_growth){.is_on = true, .factor = 1};
    for (unsigned i = 1; i <= 2; i++) { /* not in the first slot alone */
        ban = ban_by_hand(i == 1 ? "192.0.2.9" : "192.0.2.1", NOON_MS, NOON_MS + HOUR_MS);
        ban.jail = (uint8_t)f.jail_index;
        ban.origin = BAN_BY_JAIL;
        ban.id = i;
        assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    }
    for (unsigned bans = 3; bans >= 2; bans--) {
        table_note_bans(f.table, f.jail_index, &client, TABLE_SCOPE_FLEET, bans, NOON_MS);
        assert_int_equal(counter_of(&f, "192.0.2.1").bans, 3);
    }
    for (unsigned i = 1; i <= 5; i++)
        assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS),
                         i < 5 ? TABLE_KNOWN : TABLE_PROLONGED);
    assert_true(find_ban(f.table, "192.0.2.1", &ban));
    assert_int_equal(ban.until_ms - ban.since_ms, 4 * f.jail.bantime_s * 1000);
    fixture_end(&f);
}

/* Of whom never failed: his records give way, and are no counters. */
static void
merits_take_no_room_from_failures(void **state)
{
    struct table_status status;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    f.jail.kindness.login_allowance = 2;
    for (unsigned i = 0; i < 5000; i++)
        note_login(&f, numbered_source(i), 7, NOON_MS);
    assert_int_equal(table_tracked(f.table), 0);
    for (unsigned i = 0; i < 200; i++)
        count_at(&f, numbered_source(100000 + i), NOON_MS, NOON_MS);
    for (unsigned i = 0; i < 5000; i++)
        note_login(&f, numbered_source(i), 7, NOON_MS);
    assert_int_equal(table_tracked(f.table), 200);
    table_read_status(f.table, &status);
    assert_int_equal(status.evicted, 0);
    fixture_reopen(&f);
    assert_int_equal(f.said, 0);
    fixture_end(&f);
}

static void
while_it_learns_twice_as_many_make_a_ban(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    table_learn_until(f.table, NOON_MS + HOUR_MS);
    fixture_reopen(&f);
    assert_int_equal(table_learns_until(f.table), NOON_MS + HOUR_MS);
    assert_int_equal(failures_to_a_ban(&f, "192.0.2.1", NOON_MS), 10);
    assert_int_equal(failures_to_a_ban(&f, "192.0.2.2", NOON_MS + HOUR_MS), 5);
    fixture_end(&f);
}

static void
a_counter_is_read_and_knows_of_logins(void **state)
{
    const struct source client = source_of("192.0.2.1"), stranger = source_of("192.0.2.2");
    struct table_counter counter;
    const struct table *reader;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    note_login(&f, client, 7, NOON_MS); /* it has no counter: not noted */
    assert_false(table_read_counter(f.table, f.jail_index, &client, TABLE_SCOPE_FLEET, &counter));
    guess(&f, "192.0.2.1", 7, 0, NOON_MS);
    assert_int_equal(counter_of(&f, "192.0.2.1").login_s, 0);
    note_login(&f, client, 7, NOON_MS + 5000);
    note_login(&f, client, 7, NOON_MS); /* a line that comes late */
    f.jail_index++;
    note_login(&f, client, 7, NOON_MS + 9000);
    f.jail_index--;
    note_login(&f, stranger, 7, NOON_MS + 9000);
    assert_int_equal(table_open_reader(f.path, &reader), 0);
    assert_true(table_read_counter(reader, f.jail_index, &client, TABLE_SCOPE_FLEET, &counter));
    assert_int_equal(counter.login_s, NOON_MS / 1000 + 5);
    assert_int_equal(counter.observed_s, 0);
    assert_int_equal(counter.newest_s, NOON_MS / 1000);
    assert_int_equal(counter.failures, 1);
    assert_int_equal(counter.bans, 0);
    assert_false(table_read_counter(reader, f.jail_index, &stranger, TABLE_SCOPE_FLEET, &counter));
    table_close_reader(reader);
    fixture_reopen(&f);
    assert_int_equal(counter_of(&f, "192.0.2.1").login_s, NOON_MS / 1000 + 5);
    assert_int_equal(f.said, 0);
    fixture_end(&f);
}

static void
a_like_ban_of_another_table_is_another_one(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS), found;
    uint64_t latest = 0;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (unsigned i = 0; i < 3; i++) { /* ours: each change has a higher number */
        ban.until_ms += 1000;
        assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
        assert_true(table_read_ban(f.table, 0, &found));
        assert_true(found.change > latest);
        latest = found.change;
        keep(f.table, NOON_MS);
        fixture_reopen(&f);
    }
    ban.table = 9;
    ban.table_id = 4711;
    ban.id = 3;
    for (ban.change = 50; ban.change <= 60; ban.change += 10) { /* theirs has their number */
        ban.until_ms += 1000;
        assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
        assert_int_equal(used_slots(f.table), 2);
        assert_true(table_read_ban(f.table, 1, &found));
        assert_int_equal(found.table, 9);
        assert_int_equal(found.id, 3);
        assert_true(found.change == ban.change);
        assert_true(table_read_ban(f.table, 0, &found));
        assert_int_equal(found.table, 0);
        assert_true(found.change == latest);
    }
    fixture_end(&f);
}

/* ---- attempts ---- */

struct line {
    unsigned kind, user, attempts, expected;
    int after_s;
};

static void
assert_adds(const struct line *lines, size_t count)
{
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS);
    struct table_status status;
    uint64_t counted = 0, duplicates = 0;
    struct fixture f;

    fixture_begin(&f, 1024, 64);
    for (size_t i = 0; i < count; i++) {
        counted += lines[i].expected;
        duplicates += lines[i].attempts - lines[i].expected;
        failure.kind = (uint16_t)lines[i].kind;
        failure.user_hash = lines[i].user;
        failure.attempts = lines[i].attempts;
        failure.stamp_ms = NOON_MS + lines[i].after_s * 1000;
        if (table_attempts(f.table, &failure) != lines[i].expected)
            fail_msg("line %zu does not add %u", i, lines[i].expected);
    }
    table_read_status(f.table, &status);
    assert_int_equal(status.counted, counted);
    assert_int_equal(status.duplicates, duplicates);
    fixture_end(&f);
}

#define ASSERT_ADDS(...)                                                                           \
    assert_adds((const struct line[]){__VA_ARGS__},                                                \
                sizeof((const struct line[]){__VA_ARGS__}) / sizeof(struct line))

enum { LOGIN = 1, SMTPD, AUTH };

static void
one_attempt_counts_once(void **state)
{
    (void)state;
    /* three daemons tell of one attempt, then of the next */
    ASSERT_ADDS({LOGIN, 7, 1, 1, 0}, {SMTPD, 7, 1, 0, 0}, {AUTH, 7, 1, 0, 2}, {AUTH, 7, 1, 1, 3},
                {LOGIN, 7, 1, 0, 3}, {SMTPD, 7, 1, 0, 4});
    /* an aggregating line comes after the single ones, or before them */
    ASSERT_ADDS({AUTH, 7, 1, 1, 0}, {AUTH, 7, 1, 1, 4}, {AUTH, 7, 1, 1, 8}, {LOGIN, 7, 3, 0, 12});
    ASSERT_ADDS({LOGIN, 7, 3, 3, 0}, {AUTH, 7, 1, 0, 0}, {AUTH, 7, 1, 0, 0}, {AUTH, 7, 1, 0, 0},
                {AUTH, 7, 1, 1, 0});
    ASSERT_ADDS({AUTH, 7, 1, 1, 0}, {LOGIN, 7, 3, 2, 1});
    /* one kind alone counts in full, and so does the next attempt after some seconds */
    ASSERT_ADDS({SMTPD, 7, 1, 1, 0}, {SMTPD, 7, 1, 1, 0}, {SMTPD, 7, 1, 1, 0});
    ASSERT_ADDS({SMTPD, 7, 1, 1, 0}, {AUTH, 7, 1, 1, 11}, {AUTH, 7, 1, 1, -20});
}

static void
lines_without_a_user_are_of_any_user(void **state)
{
    (void)state;
    /* smtpd names no user */
    ASSERT_ADDS({AUTH, 7, 1, 1, 0}, {SMTPD, 0, 1, 0, 0}, {AUTH, 8, 1, 1, 1}, {SMTPD, 0, 1, 0, 1},
                {SMTPD, 0, 1, 1, 2}, {AUTH, 9, 1, 0, 2});
    /* different users told by different kinds are different attempts */
    ASSERT_ADDS({AUTH, 7, 1, 1, 0}, {LOGIN, 8, 1, 1, 0}, {LOGIN, 7, 1, 0, 0}, {AUTH, 8, 1, 0, 0});
    /* never less than the lines of one kind, with and without user together */
    ASSERT_ADDS({LOGIN, 7, 1, 1, 0}, {LOGIN, 7, 1, 1, 0}, {LOGIN, 0, 1, 1, 0}, {LOGIN, 0, 1, 1, 0});
}

static void
a_hundred_parallel_guesses_are_a_hundred(void **state)
{
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS);
    unsigned added = 0;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    failure.user_hash = 7;
    for (unsigned i = 0; i < 200; i++) {
        failure.kind = (uint16_t)(1 + i % 2);
        failure.stamp_ms += 50;
        added += table_attempts(f.table, &failure);
    }
    assert_int_equal(added, 100);
    fixture_end(&f);
}

static void
other_services_clients_and_classes_are_other_attempts(void **state)
{
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS);
    struct table_failure other;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_int_equal(table_attempts(f.table, &failure), 1);
    failure.kind = 2;
    other = failure, other.service_hash = 143;
    assert_int_equal(table_attempts(f.table, &other), 1);
    other = failure, other.client = source_of("192.0.2.2");
    assert_int_equal(table_attempts(f.table, &other), 1);
    other = failure, other.class = OFFENCE_RELAY_DENIED;
    assert_int_equal(table_attempts(f.table, &other), 1);
    other = failure, other.scope = 1;
    assert_int_equal(table_attempts(f.table, &other), 1);
    other = failure, other.class = OFFENCE_AUTH_UNKNOWN_USER; /* the same family */
    assert_int_equal(table_attempts(f.table, &other), 0);
    fixture_end(&f);
}

static void
a_session_joins_lines_that_come_late(void **state)
{
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS);
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    failure.session_hash = 99;
    assert_int_equal(table_attempts(f.table, &failure), 1);
    failure.kind = 2;
    failure.stamp_ms += 120000;
    assert_int_equal(table_attempts(f.table, &failure), 0);
    fixture_end(&f);
}

/* Of one client at one service fifteen users are told apart, whatever names it makes up; the
 * sixteenth entry is their sum. */
static void
fifteen_users_are_told_apart(void **state)
{
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS);
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (failure.kind = 1; failure.kind <= 2; failure.kind++)
        for (failure.user_hash = 1; failure.user_hash <= 15; failure.user_hash++)
            assert_int_equal(table_attempts(f.table, &failure), failure.kind == 1);
    fixture_end(&f);
}

/* A line that names no session, in between, is of the same one. */
static void
a_session_is_remembered(void **state)
{
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS);
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    failure.session_hash = 4711;
    assert_int_equal(table_attempts(f.table, &failure), 1);
    failure.kind = 2;
    failure.session_hash = 0;
    assert_int_equal(table_attempts(f.table, &failure), 0);
    failure.kind = 3;
    failure.session_hash = 4711;
    failure.stamp_ms += 120000;
    assert_int_equal(table_attempts(f.table, &failure), 0);
    fixture_end(&f);
}

/* With many kinds, attempts and seconds nothing overflows, and no line is lost. */
static void
many_lines_of_many_kinds(void **state)
{
    struct table_failure failure = failure_of(source_of("192.0.2.1"), NOON_MS);
    unsigned added = 0;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    failure.attempts = 16;
    for (unsigned i = 0; i < 20000; i++)
        added += table_attempts(f.table, &failure);
    assert_int_equal(added, 20000 * 16);
    for (failure.kind = 2; failure.kind < 40; failure.kind++)
        assert_in_range(table_attempts(f.table, &failure), 0, 16);
    fixture_end(&f);
}

/* ---- bans ---- */

static void
the_life_of_a_ban(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS), row[2];
    struct table_change change[2];
    struct fixture f;
    int64_t next_ms;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    assert_int_equal(table_pending(f.table), 1);
    assert_int_equal(table_dequeue(f.table, change, 2, NOON_MS), 1);
    assert_true(change[0].wanted);
    assert_int_equal(change[0].until_ms, NOON_MS + HOUR_MS);
    table_acknowledge(f.table, change, 1, false, NOON_MS); /* refused: stays wanted */
    assert_int_equal(table_dequeue(f.table, change, 2, NOON_MS), 1);
    table_acknowledge(f.table, change, 1, true, NOON_MS);
    assert_true(find_ban(f.table, "192.0.2.1", &ban));
    assert_int_equal(ban.state, BAN_ENFORCED);
    assert_int_equal(table_pending(f.table), 0);

    assert_int_equal(table_dequeue_unrecorded(f.table, row, 2), 1);
    table_recorded(f.table, row, 1, false);
    assert_int_equal(table_dequeue_unrecorded(f.table, row, 2), 1);
    table_recorded(f.table, row, 1, true);
    assert_int_equal(table_dequeue_unrecorded(f.table, row, 2), 0);

    assert_int_equal(table_want_all(f.table), 1);
    assert_int_equal(keep(f.table, NOON_MS), 1);
    assert_int_equal(table_expire(f.table, NOON_MS, &next_ms), 0);
    assert_int_equal(next_ms, NOON_MS + HOUR_MS);
    assert_int_equal(table_expire(f.table, NOON_MS + HOUR_MS, &next_ms), 1);
    assert_true(next_ms == TABLE_FOREVER_MS);
    assert_int_equal(table_pending(f.table), 0); /* the kernel drops it by itself */
    assert_int_equal(table_dequeue_unrecorded(f.table, row, 2), 1);
    assert_int_equal(row[0].state, BAN_OVER);
    assert_int_equal(row[0].end, BAN_EXPIRED);
    assert_int_equal(row[0].origin, BAN_BY_HAND);
    assert_int_equal(row[0].ended_ms, NOON_MS + HOUR_MS);
    assert_int_equal(used_slots(f.table), 1);
    table_recorded(f.table, row, 1, true);
    assert_int_equal(used_slots(f.table), 0);
    fixture_end(&f);
}

static void
what_changes_while_it_is_taken_is_taken_again(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS), row;
    struct source source = source_of("192.0.2.1");
    struct table_change change;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    table_ban(f.table, &ban, NOON_MS);
    assert_int_equal(table_dequeue(f.table, &change, 1, NOON_MS), 1);
    assert_int_equal(table_dequeue_unrecorded(f.table, &row, 1), 1);
    assert_int_equal(table_unban(f.table, &source, 1000, NOON_MS + 5), 1);
    table_acknowledge(f.table, &change, 1, true,
                      NOON_MS); /* it is in the kernel, but no longer wanted */
    table_recorded(f.table, &row, 1, true);
    assert_int_equal(table_dequeue(f.table, &change, 1, NOON_MS), 1);
    assert_false(change.wanted);
    table_acknowledge(f.table, &change, 1, true, NOON_MS);
    assert_int_equal(table_dequeue_unrecorded(f.table, &row, 1), 1);
    assert_int_equal(row.end, BAN_LIFTED_BY_HAND);
    assert_int_equal(row.ended_ms, NOON_MS + 5);
    assert_int_equal(row.lifted_by, 1000);
    table_recorded(f.table, &row, 1, true);
    assert_int_equal(used_slots(f.table), 0);
    fixture_end(&f);
}

/* The jail is the first that closes its ports, or it is not, while the kernel is told. */
static void
what_is_taken_while_jails_change_is_taken_again(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS);
    const struct ports mail = ports_mail(), others = {.count = 1, .number = {25}};
    struct source source = source_of("192.0.2.1");
    struct table_change change[2];
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    ban.jail = (uint8_t)f.jail_index;
    table_ban(f.table, &ban, NOON_MS);
    assert_int_equal(table_dequeue(f.table, change, 2, NOON_MS), 1);
    assert_int_equal(change[0].jail, TABLE_JAIL_MANUAL);
    table_set_manual_ports(f.table, &others);
    table_acknowledge(f.table, change, 1, true, NOON_MS);
    assert_int_equal(table_dequeue(f.table, change, 2, NOON_MS), 1);
    assert_int_equal(change[0].jail, f.jail_index);
    table_acknowledge(f.table, change, 1, true, NOON_MS);
    assert_int_equal(table_pending(f.table), 0);

    table_unban(f.table, &source, 0, NOON_MS);
    assert_int_equal(table_dequeue(f.table, change, 2, NOON_MS), 1);
    table_set_manual_ports(f.table, &mail);
    table_acknowledge(f.table, change, 1, true, NOON_MS);
    assert_int_equal(table_dequeue(f.table, change, 2, NOON_MS), 1);
    assert_false(change[0].wanted);
    table_acknowledge(f.table, change, 1, true, NOON_MS);
    assert_int_equal(table_pending(f.table), 0);
    fixture_end(&f);
}

static void
the_kernel_gets_the_latest_end_of_all_jails(void **state)
{
    struct ban first = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS);
    struct ban second = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + 2 * HOUR_MS);
    struct table_change change[2];
    struct fixture f;
    int64_t next_ms;

    (void)state;
    fixture_begin(&f, 1024, 64);
    second.jail = (uint8_t)f.jail_index;
    table_ban(f.table, &first, NOON_MS);
    table_ban(f.table, &second, NOON_MS);
    assert_int_equal(table_dequeue(f.table, change, 2, NOON_MS), 1);
    assert_int_equal(change[0].until_ms, NOON_MS + 2 * HOUR_MS);
    table_acknowledge(f.table, change, 1, true, NOON_MS);
    assert_int_equal(table_expire(f.table, NOON_MS + HOUR_MS, &next_ms), 1);
    assert_int_equal(next_ms, NOON_MS + 2 * HOUR_MS);
    assert_int_equal(table_dequeue(f.table, change, 2, NOON_MS + HOUR_MS), 0);
    fixture_end(&f);
}

static void
a_ban_is_prolonged_never_shortened(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS), found;
    struct table_status status;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    ban.until_ms = NOON_MS + HOUR_MS / 2;
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    ban.until_ms = TABLE_FOREVER_MS;
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    assert_true(find_ban(f.table, "192.0.2.1", &found));
    assert_true(found.until_ms == TABLE_FOREVER_MS);
    assert_int_equal(used_slots(f.table), 1);
    ban.until_ms = NOON_MS;
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), -EINVAL);
    table_read_status(f.table, &status);
    assert_int_equal(status.bans, 1);
    fixture_end(&f);
}

static void
an_unban_lifts_all_that_overlaps_and_forgets_the_failures(void **state)
{
    static const char *const banned[] = {"192.0.2.1", "192.0.2.0/24", "192.0.0.0/16", "192.0.3.1",
                                         "2001:db8::/64"};
    struct source source = source_of("192.0.2.0/24");
    struct fixture f;
    struct ban ban;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (int i = 0; i < 5; i++) {
        ban = ban_by_hand(banned[i], NOON_MS, NOON_MS + HOUR_MS);
        assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    }
    for (int i = 0; i < 4; i++) {
        count_now(&f, "192.0.2.77", NOON_MS);
        count_now(&f, "192.0.3.77", NOON_MS);
        count_now(&f, "2001:db8::5", NOON_MS);
    }
    assert_int_equal(table_unban(f.table, &source, 0, NOON_MS), 3);
    assert_int_equal(table_unban(f.table, &source, 0, NOON_MS), 0);
    assert_int_equal(count_now(&f, "192.0.2.77", NOON_MS), TABLE_COUNTED);
    assert_int_equal(count_now(&f, "192.0.3.77", NOON_MS), TABLE_BANNED);
    source = source_of("2001:db8::1234");
    assert_int_equal(table_unban(f.table, &source, 0, NOON_MS), 1);
    assert_int_equal(count_now(&f, "2001:db8::5", NOON_MS), TABLE_COUNTED);
    fixture_end(&f);
}

/* A ban of another host's is kept for it: this kernel has what the others want of it, and nothing
 * more, and does not hold up its end. */
static void
the_ban_of_another_host_is_not_for_this_kernel(void **state)
{
    struct ban here = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS), elsewhere = here, found;
    struct table_change changes[TABLE_JAILS_MAX];
    struct table_failure failure;
    struct fixture f;
    int64_t next_ms;

    (void)state;
    fixture_begin(&f, 1024, 64);
    elsewhere.scope = TABLE_SCOPE_OWN + 1;
    elsewhere.until_ms = NOON_MS + 3 * HOUR_MS;
    assert_int_equal(table_ban(f.table, &elsewhere, NOON_MS), 0);
    assert_int_equal(table_pending(f.table), 0);
    assert_int_equal(table_want_all(f.table), 0);
    assert_int_equal(table_ban(f.table, &here, NOON_MS), 0);
    assert_int_equal(table_dequeue(f.table, changes, TABLE_JAILS_MAX, NOON_MS), 1);
    assert_true(changes[0].until_ms == NOON_MS + HOUR_MS);
    table_acknowledge(f.table, changes, 1, true, NOON_MS);
    fixture_reopen(&f);
    assert_int_equal(table_want_all(f.table), 1);
    assert_int_equal(table_expire(f.table, NOON_MS + HOUR_MS, &next_ms), 1);
    assert_true(next_ms == NOON_MS + 3 * HOUR_MS);
    assert_int_equal(table_dequeue(f.table, changes, TABLE_JAILS_MAX, NOON_MS + HOUR_MS), 0);
    assert_int_equal(table_unban(f.table, &here.source, 0, NOON_MS + HOUR_MS), 1);
    assert_int_equal(table_pending(f.table), 0);
    for (uint32_t i = 0; i < 64; i++)
        assert_true(!table_read_ban(f.table, i, &found) || found.state == BAN_OVER);
    failure = failure_of(here.source, NOON_MS + HOUR_MS);
    for (int i = 0; i < 4; i++)
        table_count(f.table, f.jail_index, &f.jail, &failure, 1, NOON_MS + HOUR_MS);
    failure.scope = TABLE_SCOPE_OWN + 1;
    assert_int_equal(table_count(f.table, f.jail_index, &f.jail, &failure, 1, NOON_MS + HOUR_MS),
                     TABLE_COUNTED);
    fixture_end(&f);
}

/* One of few, so that they overlap often. */
static struct source
random_client(void)
{
    bool is_v4 = random() % 2;
    struct source source = source_of(is_v4 ? "192.0.2.0" : "2001:db8::");

    source.address[is_v4 ? 14 : 7] = (uint8_t)(random() % 2);
    source.address[15] = (uint8_t)(random() % 3);
    return source;
}

struct unbanned_client {
    struct jail jail;
    struct table_failure failure;
    struct source counted; /* as the jail masks it */
};

static enum table_verdict
count_for(struct fixture *f, const struct unbanned_client *client, unsigned attempts)
{
    int index = table_jail(f->table, &client->jail);

    assert_true(index > 0);
    return table_count(f->table, (unsigned)index, &client->jail, &client->failure, attempts,
                       NOON_MS);
}

static bool
is_known(const struct unbanned_client *clients, unsigned count)
{
    const struct unbanned_client *new = &clients[count];

    for (unsigned i = 0; i < count; i++) {
        if (source_compare(&clients[i].counted, &new->counted) == 0 &&
            strcmp(clients[i].jail.name, new->jail.name) == 0 &&
            clients[i].failure.scope == new->failure.scope)
            return true;
    }
    return false;
}

/* Clients that lack one failure, counted by jails with several prefixes; an unban; the failure that
 * was lacking: just those are banned of whose network nothing was unbanned. */
static unsigned
differences_after_unban(struct fixture *f, unsigned seed)
{
    static const unsigned bits[][2] = {{32, 64}, {24, 128}, {32, 56}, {24, 64}};
    struct unbanned_client clients[16];
    unsigned count = 0, differences = 0;
    struct source source;

    srandom(seed);
    for (unsigned i = 0; i < 16; i++) {
        unsigned jail = (unsigned)random() % (seed % 4 + 1);
        struct unbanned_client *client = &clients[count];

        client->jail = f->jail;
        snprintf(client->jail.name, sizeof client->jail.name, "jail-%u-of-%u", jail, seed);
        client->jail.v4_bits = bits[jail][0];
        client->jail.v6_bits = bits[jail][1];
        client->failure = failure_of(random_client(), NOON_MS);
        client->failure.scope = seed % 8 == 1 ? (uint16_t)(random() % 2) : 0;
        client->counted =
            source_mask(&client->failure.client, client->jail.v4_bits, client->jail.v6_bits);
        if (is_known(clients, count))
            continue;
        count_for(f, client, client->jail.maxretry - 1);
        count++;
    }
    if (seed % 3 == 0)
        fixture_reopen(f);
    source = random_client();
    source = source_mask(&source, seed % 2 ? 32 : 24, seed % 2 ? 128 : 56);
    table_unban(f->table, &source, 0, NOON_MS);
    for (unsigned i = 0; i < count; i++) {
        bool overlaps = source_contains(&source, &clients[i].counted) ||
                        source_contains(&clients[i].counted, &source);

        differences += count_for(f, &clients[i], 1) != (overlaps ? TABLE_COUNTED : TABLE_BANNED);
    }
    return differences;
}

static void
an_unban_forgets_just_the_failures_that_it_means(void **state)
{
    unsigned differences = 0, seeds = shortened(300, 10000);
    struct fixture f;

    (void)state;
    for (unsigned seed = 1; seed <= seeds; seed++) {
        fixture_begin(&f, 1024, 64);
        differences += differences_after_unban(&f, seed);
        fixture_end(&f);
    }
    print_message("# unbans %u, differences %u\n", seeds, differences);
    assert_int_equal(differences, 0);
}

/* Also that they have failed before a flood pushed them out; and their room is free. */
static void
an_unban_of_all_forgets_all(void **state)
{
    const struct source everybody = source_of("0.0.0.0/0");
    struct table_counter counter;
    struct table_status status;
    struct fixture f;
    uint64_t evicted;

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (uint32_t i = 0; i < 500; i++) { /* attempts, which are no records, are left alone */
        struct table_failure failure = failure_of(numbered_source(i), NOON_MS);

        failure.user_hash = 0x180;
        assert_int_equal(table_attempts(f.table, &failure), 1);
    }
    for (uint32_t i = 0; i < 2000; i++)
        for (unsigned n = 0; n < 4; n++) /* who comes later would give way */
            count_at(&f, numbered_source(i), NOON_MS + i, NOON_MS + i);
    table_read_status(f.table, &status);
    evicted = status.evicted;
    assert_true(evicted > 500);
    table_unban(f.table, &everybody, 0, NOON_MS + 3000);
    assert_int_equal(table_tracked(f.table), 0);
    for (uint32_t i = 0; i < 2000; i += 16) {
        const struct source client = numbered_source(i);

        count_at(&f, client, NOON_MS + 3000, NOON_MS + 3000);
        assert_true(table_read_counter(f.table, f.jail_index, &client, 0, &counter));
        assert_int_equal(counter.failures, 1);
    }
    table_read_status(f.table, &status);
    assert_int_equal(status.evicted, evicted);
    fixture_end(&f);
}

/* A flood has pushed one client out of its bucket; it fails on after another one's unban. */
static void
an_unban_leaves_what_is_known_of_others(void **state)
{
    struct source unbanned = numbered_source(7), other = numbered_source(8);
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    count_at(&f, unbanned, NOON_MS, NOON_MS);
    count_at(&f, other, NOON_MS, NOON_MS);
    for (uint32_t i = 0; i < 2000; i++)
        count_at(&f, numbered_source(1000 + i), NOON_MS + 1000, NOON_MS + 1000);
    table_unban(f.table, &unbanned, 0, NOON_MS + 2000);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(count_at(&f, unbanned, NOON_MS + 3000, NOON_MS + 3000), TABLE_COUNTED);
        assert_int_equal(count_at(&f, other, NOON_MS + 3000, NOON_MS + 3000), TABLE_COUNTED);
    }
    assert_int_equal(count_at(&f, unbanned, NOON_MS + 3000, NOON_MS + 3000), TABLE_COUNTED);
    assert_int_equal(count_at(&f, other, NOON_MS + 3000, NOON_MS + 3000), TABLE_BANNED);
    fixture_end(&f);
}

static void
a_full_table_refuses_and_goes_on_counting(void **state)
{
    struct table_status status;
    struct fixture f;
    int64_t next_ms;
    struct ban ban;
    char text[32];

    (void)state;
    fixture_begin(&f, 1024, 64);
    for (int i = 0; i < 64; i++) { /* each of another network: no share is used up */
        snprintf(text, sizeof text, "198.%d.100.1", i);
        ban = ban_by_hand(text, NOON_MS, NOON_MS + 1000 + i);
        assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    }
    ban = ban_by_hand("192.0.2.1", NOON_MS, NOON_MS + HOUR_MS);
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), -ENOSPC);
    for (int i = 0; i < 4; i++)
        assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS), TABLE_COUNTED);
    assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS), TABLE_FULL);
    assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS), TABLE_FULL);
    table_read_status(f.table, &status);
    assert_int_equal(status.refused, 2);
    /* One is over; no ledger has it yet, but a new ban is worth more. */
    assert_int_equal(table_expire(f.table, NOON_MS + 1000, &next_ms), 1);
    assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS + 1000), TABLE_BANNED);
    assert_int_equal(used_slots(f.table), 64);
    fixture_end(&f);
}

/* Five failures of the client whose address `format` makes of a number. */
static enum table_verdict
fail_of_network(struct fixture *f, const char *format, int number, int64_t now_ms)
{
    enum table_verdict verdict = TABLE_COUNTED;
    char text[48];

    snprintf(text, sizeof text, format, number);
    for (int failure = 0; failure < 5; failure++)
        verdict = count_now(f, text, now_ms);
    return verdict;
}

/* Who holds an IPv6 /48 or an IPv4 /16 takes a fourth of the places; then others are still banned,
 * and he is by hand. It fails when bans of one large network are not counted, or not given back. */
static void
a_large_network_has_its_share_of_the_bans(void **state)
{
    static const char *const formats[][3] = {
        {"2001:db8:7:%x::1", "2001:db8:1%x::1", "2001:db8:7:ff::/64"},
        {"203.0.%d.9", "203.1%d.1.9", "203.0.255.9"}};
    const int64_t later_ms = NOON_MS + 2 * HOUR_MS;
    struct fixture f;
    int64_t next_ms;
    struct ban ban;
    int other;

    (void)state;
    for (int family = 0; family < 2; family++) {
        fixture_begin(&f, 1024, 64);
        for (int i = 1; i <= 16; i++)
            assert_int_equal(fail_of_network(&f, formats[family][0], i, NOON_MS), TABLE_BANNED);
        assert_int_equal(fail_of_network(&f, formats[family][0], 17, NOON_MS), TABLE_FULL);
        other = 0; /* network: one may have the share in common by chance, all have not */
        while (fail_of_network(&f, formats[family][1], other, NOON_MS) == TABLE_FULL)
            assert_true(++other < 9);
        ban = ban_by_hand(formats[family][2], NOON_MS, NOON_MS + HOUR_MS);
        assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
        fixture_reopen(&f);
        assert_int_equal(fail_of_network(&f, formats[family][0], 18, NOON_MS), TABLE_FULL);
        assert_int_equal(table_expire(f.table, later_ms, &next_ms), 18);
        for (int i = 1; i <= 16; i++)
            assert_int_equal(fail_of_network(&f, formats[family][0], i, later_ms), TABLE_BANNED);
        assert_int_equal(fail_of_network(&f, formats[family][0], 17, later_ms), TABLE_FULL);
        fixture_end(&f);
    }
}

static void
a_restored_ban_keeps_its_identity(void **state)
{
    struct ban ban = ban_by_hand("192.0.2.1", NOON_MS - 1000, NOON_MS + HOUR_MS), found;
    struct table_status status;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    table_read_status(f.table, &status);
    ban.table_id = status.table_id + 1;
    ban.id = 4711;
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    assert_true(find_ban(f.table, "192.0.2.1", &found));
    assert_int_equal(found.id, 4711);
    assert_true(found.table_id == status.table_id + 1);
    ban = ban_by_hand("192.0.2.2", NOON_MS, NOON_MS + HOUR_MS);
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
    assert_true(find_ban(f.table, "192.0.2.2", &found));
    assert_int_equal(found.id, 1);
    assert_true(found.table_id == status.table_id);
    fixture_end(&f);
}

/* ---- a random history, with a kernel and a ledger that sometimes fail ---- */

#define MODEL_SOURCES 12
#define MODEL_JAILS   3

struct model {
    int64_t until_ms[MODEL_SOURCES][MODEL_JAILS]; /* 0: not banned */
    int64_t kernel_ms[MODEL_SOURCES];             /* 0: no element */
    struct ban ledger[20000];                     /* by id */
    int64_t now_ms;
};

static void
model_keep(struct model *model, struct table *table, bool interrupted)
{
    struct table_change changes[4];
    size_t taken = table_dequeue(table, changes, 4, model->now_ms);
    bool done = random() % 3 > 0;
    struct ban ban;

    if (interrupted) { /* something happens while the kernel is busy */
        ban = (struct ban){.source = numbered_source((uint32_t)(random() % MODEL_SOURCES)),
                           .since_ms = model->now_ms,
                           .until_ms = model->now_ms + 1 + random() % 5000};
        if (table_ban(table, &ban, model->now_ms) == 0 &&
            model->until_ms[ban.source.address[15]][0] < ban.until_ms)
            model->until_ms[ban.source.address[15]][0] = ban.until_ms;
    }
    for (size_t i = 0; i < taken && done; i++)
        model->kernel_ms[changes[i].source.address[15]] =
            changes[i].wanted ? changes[i].until_ms : 0;
    table_acknowledge(table, changes, taken, done, model->now_ms);
}

static void
model_write(struct model *model, struct table *table)
{
    bool done = random() % 3 > 0;
    struct ban bans[5];
    size_t taken = table_dequeue_unrecorded(table, bans, 5);

    for (size_t i = 0; i < taken && done; i++) {
        assert_in_range(bans[i].id, 1, 19999);
        model->ledger[bans[i].id] = bans[i];
    }
    table_recorded(table, bans, taken, done);
}

static void
model_step(struct model *model, struct table *table)
{
    struct source source = numbered_source((uint32_t)(random() % MODEL_SOURCES));
    unsigned jail = (unsigned)(random() % MODEL_JAILS);
    int64_t *until_ms = &model->until_ms[source.address[15]][jail];
    struct ban ban = {.source = source,
                      .jail = (uint8_t)jail,
                      .since_ms = model->now_ms,
                      .until_ms = model->now_ms + 1 + random() % 5000};
    int64_t next_ms;

    switch (random() % 8) {
    case 0:
    case 1:
        assert_int_equal(table_ban(table, &ban, model->now_ms), 0);
        if (*until_ms < ban.until_ms)
            *until_ms = ban.until_ms;
        break;
    case 2:
        table_unban(table, &source, 0, model->now_ms);
        memset(model->until_ms[source.address[15]], 0, sizeof *model->until_ms);
        break;
    case 3:
    case 4:
        model_keep(model, table, random() % 2);
        break;
    case 5:
        model_write(model, table);
        break;
    case 6:
        model->now_ms += random() % 800;
        table_expire(table, model->now_ms, &next_ms);
        for (unsigned i = 0; i < MODEL_SOURCES * MODEL_JAILS; i++) {
            int64_t *end = &model->until_ms[i / MODEL_JAILS][i % MODEL_JAILS];

            if (*end <= model->now_ms)
                *end = 0;
        }
        break;
    default:
        if (random() % 20 == 0) { /* flush ruleset */
            memset(model->kernel_ms, 0, sizeof model->kernel_ms);
            table_want_all(table);
        }
    }
}

/* All that waited is done: the kernel has the latest end for each source, the ledger every ban. */
static void
model_check(struct model *model, struct table *table)
{
    struct table_change changes[64];
    struct table_status status;
    size_t taken;

    while ((taken = table_dequeue(table, changes, 64, model->now_ms)) > 0) {
        for (size_t i = 0; i < taken; i++)
            model->kernel_ms[changes[i].source.address[15]] =
                changes[i].wanted ? changes[i].until_ms : 0;
        table_acknowledge(table, changes, taken, true, model->now_ms);
    }
    assert_int_equal(table_pending(table), 0);
    for (unsigned i = 0; i < MODEL_SOURCES; i++) {
        int64_t latest_ms = 0;

        for (unsigned jail = 0; jail < MODEL_JAILS; jail++)
            if (latest_ms < model->until_ms[i][jail])
                latest_ms = model->until_ms[i][jail];
        if (model->kernel_ms[i] <= model->now_ms)
            model->kernel_ms[i] = 0; /* the kernel's own timeout */
        assert_int_equal(model->kernel_ms[i], latest_ms);
    }
    while (used_slots(table) > 0) {
        int64_t next_ms;

        model_write(model, table);
        table_expire(table, model->now_ms + 10000, &next_ms);
    }
    table_read_status(table, &status);
    for (uint64_t id = 1; id <= status.bans; id++) {
        assert_int_equal(model->ledger[id].id, id);
        assert_int_not_equal(model->ledger[id].end, BAN_RUNNING);
    }
}

static void
a_random_history_ends_right(void **state)
{
    static struct model model;
    struct jail jail;
    struct fixture f;

    (void)state;
    for (unsigned seed = 1; seed <= 60; seed++) {
        memset(&model, 0, sizeof model);
        model.now_ms = NOON_MS;
        fixture_begin(&f, 1024, 4096);
        jail = f.jail;
        strcpy(jail.name, "second");
        assert_int_equal(table_jail(f.table, &jail), 2);
        srandom(seed);
        for (unsigned step = 0; step < 2000; step++) {
            model_step(&model, f.table);
            if (step % 500 == 250) /* nothing private is needed to go on */
                fixture_reopen(&f);
        }
        model_check(&model, f.table);
        fixture_end(&f);
    }
}

/* ---- memory ---- */

static void
memory_is_flat_and_the_stubborn_are_banned(void **state)
{
    const uint32_t capacity = 20000;
    struct table_status status;
    unsigned runs = 0;
    struct fixture f;

    (void)state;
    fixture_begin(&f, capacity, 256);
    /* Ten times the capacity, of which some fail every so often. */
    for (uint32_t i = 0; i < 10 * capacity; i++) {
        int64_t now_ms = NOON_MS + i / 10;

        count_at(&f, numbered_source(i + 1), now_ms, now_ms);
        if (i % 4000 == 0)
            for (uint32_t k = 0; k < 100; k++)
                runs +=
                    count_at(&f, numbered_source(0xf0000000 + k), now_ms, now_ms) == TABLE_BANNED;
        assert_true(i >= 4 * 4000 || runs == 0);
        if (i == 4 * 4000)
            assert_true(runs >= 99); /* each on its fifth failure */
    }
    print_message("# banned on the fifth failure: %u of 100\n", runs);
    table_read_status(f.table, &status);
    assert_true(table_tracked(f.table) <= status.capacity);
    assert_true(table_tracked(f.table) > status.capacity * 9 / 10);
    assert_true(status.evicted > 8 * capacity);
    fixture_end(&f);
}

/* Two and a half times as many new clients as there are records come between two failures of each
 * stubborn one: no order of eviction can save its first record, only the ghost that is left. */
static void
a_flood_does_not_hide_the_stubborn(void **state)
{
    const uint32_t capacity = 4096, newcomers = capacity * 5 / 2;
    unsigned banned[5] = {0};
    struct fixture f;

    (void)state;
    fixture_begin(&f, capacity, 256);
    for (uint32_t turn = 0; turn < 5; turn++) {
        int64_t now_ms = NOON_MS + turn * 10000;

        for (uint32_t k = 0; k < 100; k++)
            banned[turn] +=
                count_at(&f, numbered_source(0xf0000000 + k), now_ms, now_ms) == TABLE_BANNED;
        for (uint32_t i = 0; i < newcomers; i++)
            count_at(&f, numbered_source(1 + turn * newcomers + i), now_ms + i, now_ms + i);
    }
    print_message("# banned on the fifth failure, in a flood: %u of 100\n", banned[4]);
    assert_int_equal(banned[0] + banned[1] + banned[2] + banned[3], 0);
    assert_true(banned[4] >= 99);
    fixture_end(&f);
}

/* A flood does not push out who is banned, after a restart as before. */
static void
a_flood_pushes_out_nobody_who_is_banned(void **state)
{
    struct fixture f;

    (void)state;
    for (unsigned restarts = 0; restarts <= 1; restarts++) {
        fixture_begin(&f, 1024, 64);
        for (unsigned i = 0; i < 5; i++)
            count_now(&f, "192.0.2.1", NOON_MS);
        if (restarts == 1)
            fixture_reopen(&f);
        for (uint32_t i = 0; i < 4000; i++)
            count_at(&f, numbered_source(i), NOON_MS + i, NOON_MS + i);
        assert_int_equal(count_now(&f, "192.0.2.1", NOON_MS + 5000), TABLE_KNOWN);
        fixture_end(&f);
    }
}

/* In a full bucket: expired first, then the farthest from its threshold and oldest, then banned. */
static void
who_is_evicted(void **state)
{
    const uint32_t capacity = 1024;
    unsigned banned = 0, near = 0;
    struct fixture f;

    (void)state;
    fixture_begin(&f, capacity, 512);
    for (uint32_t k = 0; k < 40; k++) /* 20 are banned, 20 are one failure from it */
        for (unsigned i = 0; i < (k < 20 ? 5 : 4); i++)
            count_at(&f, numbered_source(0xf0000000 + k), NOON_MS, NOON_MS);
    for (uint32_t i = 0; i < 20 * capacity; i++)
        count_at(&f, numbered_source(i + 1), NOON_MS + 1000, NOON_MS + 1000);
    for (uint32_t k = 0; k < 40; k++) {
        enum table_verdict verdict =
            count_at(&f, numbered_source(0xf0000000 + k), NOON_MS + 2000, NOON_MS + 2000);

        banned += verdict == TABLE_KNOWN;
        near += verdict == TABLE_BANNED;
    }
    assert_int_equal(banned, 20);
    assert_int_equal(near, 20);
    /* All of that is too old now, and goes before anything that counts. */
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t i = 0; i < capacity / 4; i++)
            count_at(&f, numbered_source(0xe0000000 + i), NOON_MS + HOUR_MS, NOON_MS + HOUR_MS);
    for (uint32_t i = 0; i < capacity / 4; i++)
        near += count_at(&f, numbered_source(0xe0000000 + i), NOON_MS + HOUR_MS,
                         NOON_MS + HOUR_MS) == TABLE_BANNED;
    assert_int_equal(near, 20 + capacity / 4);
    fixture_end(&f);
}

/* ---- the hash ---- */

static void
the_hash_is_siphash(void **state)
{
    static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    static const uint64_t message[1] = {UINT64_C(0x0706050403020100)};

    (void)state;
    /* the authors' test vectors for messages of 0 and 8 bytes, SipHash-2-4 */
    assert_true(siphash(key, message, 0, 0, 2, 4) == UINT64_C(0x726fdb47dd0e0e31));
    assert_true(siphash(key, message, 1, UINT64_C(8) << 56, 2, 4) == UINT64_C(0x93f5f5799a932462));
    /* and the short way is the same as the long one */
    srandom(10);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t words[2] = {(uint64_t)random() << 33 ^ (uint64_t)random(),
                             (uint64_t)random() << 33 ^ (uint64_t)random()};
        uint64_t more = (uint64_t)random() << 33 ^ (uint64_t)random();
        const uint64_t own_key[2] = {key[0], key[1] ^ more};

        assert_true(siphash(own_key, words, 1, words[1], 1, 3) ==
                    siphash_address(siphash_begin(key), (const uint8_t *)words, more));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fifth_failure_bans),
        cmocka_unit_test(failures_go_on_to_count_during_a_ban),
        cmocka_unit_test(verdicts_equal_an_oracle),
        cmocka_unit_test(a_ban_begins_with_the_failure_or_now),
        cmocka_unit_test(the_order_of_arrival_does_not_matter),
        cmocka_unit_test(for_ever_is_for_ever),
        cmocka_unit_test(a_clock_set_back_does_no_harm),
        cmocka_unit_test(a_failure_of_a_minute_ahead_counts_still),
        cmocka_unit_test(each_client_has_a_counter_of_its_own),
        cmocka_unit_test(sources_are_counted_by_prefix),
        cmocka_unit_test(one_line_may_tell_of_many_attempts),
        cmocka_unit_test(jails_and_scopes_count_apart),
        cmocka_unit_test(of_repeated_guesses_one_in_so_many_counts),
        cmocka_unit_test(up_to_64_failures_are_counted_by_steps),
        cmocka_unit_test(without_a_gap_the_ban_comes_with_maxretry),
        cmocka_unit_test(each_further_ban_lasts_twice_as_long),
        cmocka_unit_test(bans_of_other_jails_are_earlier_ones),
        cmocka_unit_test(a_login_forgives_this_user_at_this_client),
        cmocka_unit_test(a_login_of_old_forgives_nothing_since),
        cmocka_unit_test(who_has_a_merit_may_fail_more_often),
        cmocka_unit_test(who_has_a_merit_may_fail_as_often_after_a_ban),
        cmocka_unit_test(a_merit_is_of_lately_up_to_its_last_second),
        cmocka_unit_test(who_is_banned_is_spared_nothing),
        cmocka_unit_test(what_was_spared_is_remembered_for_findtime),
        cmocka_unit_test(what_was_spared_while_it_learned_is_spared_no_longer),
        cmocka_unit_test(the_ledger_tells_of_earlier_bans),
        cmocka_unit_test(merits_take_no_room_from_failures),
        cmocka_unit_test(while_it_learns_twice_as_many_make_a_ban),
        cmocka_unit_test(a_counter_is_read_and_knows_of_logins),
        cmocka_unit_test(a_like_ban_of_another_table_is_another_one),
        cmocka_unit_test(one_attempt_counts_once),
        cmocka_unit_test(lines_without_a_user_are_of_any_user),
        cmocka_unit_test(a_hundred_parallel_guesses_are_a_hundred),
        cmocka_unit_test(other_services_clients_and_classes_are_other_attempts),
        cmocka_unit_test(a_session_joins_lines_that_come_late),
        cmocka_unit_test(fifteen_users_are_told_apart),
        cmocka_unit_test(a_session_is_remembered),
        cmocka_unit_test(many_lines_of_many_kinds),
        cmocka_unit_test(the_life_of_a_ban),
        cmocka_unit_test(what_changes_while_it_is_taken_is_taken_again),
        cmocka_unit_test(what_is_taken_while_jails_change_is_taken_again),
        cmocka_unit_test(the_kernel_gets_the_latest_end_of_all_jails),
        cmocka_unit_test(a_ban_is_prolonged_never_shortened),
        cmocka_unit_test(an_unban_lifts_all_that_overlaps_and_forgets_the_failures),
        cmocka_unit_test(the_ban_of_another_host_is_not_for_this_kernel),
        cmocka_unit_test(an_unban_forgets_just_the_failures_that_it_means),
        cmocka_unit_test(an_unban_of_all_forgets_all),
        cmocka_unit_test(an_unban_leaves_what_is_known_of_others),
        cmocka_unit_test(a_full_table_refuses_and_goes_on_counting),
        cmocka_unit_test(a_large_network_has_its_share_of_the_bans),
        cmocka_unit_test(a_restored_ban_keeps_its_identity),
        cmocka_unit_test(a_random_history_ends_right),
        cmocka_unit_test(memory_is_flat_and_the_stubborn_are_banned),
        cmocka_unit_test(a_flood_does_not_hide_the_stubborn),
        cmocka_unit_test(a_flood_pushes_out_nobody_who_is_banned),
        cmocka_unit_test(who_is_evicted),
        cmocka_unit_test(the_hash_is_siphash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
