/* test_exhausted: where memory is out, or a file cannot be opened, there is an error; nothing is
 * lost of what there was, and nothing leaks.
 *
 * Proves, with each call for memory and each to the system refused in turn: allow lists, those who
 * are added by command, files of jails, known users, the counter with its parts, the outbox, and
 * what a fleet's messages are read and made with.
 * Fails when a block of memory or a descriptor stays, when half of a list is in force, or when
 * NULL is used.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "control/follower.h"
#include "control/herald.h"
#include "control/outbox.h"
#include "control/roster.h"
#include "count/backend.h"
#include "count/counter.h"
#include "faults.h"
#include "rules/allow-added.h"
#include "rules/allow-list.h"
#include "rules/jails-file.h"
#include "rules/users.h"
#include "table_fixture.h"

static struct fixture f;
static char reason[2048];

static const char *
file_of(const char *suffix)
{
    static char paths[4][128];
    static unsigned at;
    char *const path = paths[at++ % 4];

    snprintf(path, sizeof(paths[0]), "%s%s", f.path, suffix);
    return path;
}

static void
put(const char *suffix, const char *text)
{
    FILE *const file = fopen(file_of(suffix), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static unsigned
sweep_both(int (*act)(void), bool (*is_clean)(void))
{
    return fault_sweep(FAULT_MEMORY, act, is_clean) + fault_sweep(FAULT_SYSTEM, act, is_clean);
}

/* ---- allow lists ---- */

static struct allow_list *list;
static bool has_changed;

/* One of each kind. */
static int
make_list(void)
{
    const struct source member = source_of("203.0.113.1");
    struct allow_list *const made = allow_list_new();
    int error;

    if (made == NULL)
        return -ENOMEM;
    error = allow_list_add(made, "192.0.2.1", 9);
    if (error == 0)
        error = allow_list_add(made, "home.example.org", 16);
    if (error == 0)
        error = allow_list_set_file(made, file_of(".allow"), file_of(".copy"), reason);
    if (error == 0)
        error = allow_list_set_added(made, file_of(".added"));
    if (error == 0) {
        allow_list_set_own(made);
        error = allow_list_set_members(made, &member, 1);
    }
    if (error >= 0)
        error = allow_list_read(made, NULL, &has_changed, reason);
    allow_list_free(made);
    return error < 0 ? error : 0;
}

static bool
is_listed(const char *text)
{
    const struct source source = source_of(text);

    return allow_match(allow_list_now(list), &source, NULL);
}

static int
read_list(void)
{
    return allow_list_read(list, NULL, &has_changed, reason);
}

static bool
still_lists_them(void)
{
    return is_listed("198.51.100.1") && is_listed("192.0.2.1");
}

static void
an_allow_list_is_whole_or_as_it_was(void **state)
{
    (void)state;
    put(".allow", "198.51.100.1\n198.51.100.0/28\nvpn.example.org\n");
    put(".added", "203.0.113.9  # a note\n");
    assert_true(sweep_both(make_list, NULL) >= 10);
    list = allow_list_new();
    assert_int_equal(allow_list_add(list, "192.0.2.1", 9), 0);
    assert_int_equal(allow_list_set_file(list, file_of(".allow"), NULL, reason), 0);
    assert_int_equal(read_list(), 0);
    assert_true(sweep_both(read_list, still_lists_them) >= 2);
    allow_list_free(list);
    unlink(file_of(".copy"));
}

/* ---- those who are added by command ---- */

static int
add_and_take_out(void)
{
    const struct source source = source_of("192.0.2.77");
    int error = allow_added_change(file_of(".added"), &source, "a note");

    if (error >= 0)
        error = allow_added_change(file_of(".added"), &source, NULL);
    return error < 0 ? error : 0;
}

static bool
count_entry(void *context, const struct allow_added *entry)
{
    *(unsigned *)context += source_bits(&entry->source) == 32;
    return true;
}

static bool
has_the_others(void)
{
    unsigned count = 0;

    return allow_added_each(file_of(".added"), count_entry, &count) >= 1 && count >= 1 &&
           access(file_of(".added.new"), F_OK) != 0;
}

static void
who_is_added_by_command_is_added_whole_or_not(void **state)
{
    (void)state;
    put(".added", "# whom we know\n203.0.113.9  # a note\n");
    assert_true(sweep_both(add_and_take_out, has_the_others) >= 4);
    unlink(file_of(".added"));
}

/* ---- jails ---- */

static int
read_jails(void)
{
    struct jails *jails = NULL;
    const int error = jails_read(file_of(".conf"), &jails, reason);

    if (error == 0)
        jails_free(jails);
    return error;
}

static int
read_jails_over(void)
{
    struct jails *jails = NULL;
    const int error = jails_read_over("[mail]\nenabled = true\nfilter = postfix\nmaxretry = 4\n",
                                      "here", file_of(".conf"), &jails, reason);

    if (error == 0)
        jails_free(jails);
    return error;
}

static void
a_file_of_jails_is_read_whole_or_refused(void **state)
{
    (void)state;
    put(".conf", "[DEFAULT]\nbantime = 1h\nmine = 192.0.2.1 192.0.2.0/24\n"
                 "ignoreip = %(mine)s\n  198.51.100.1\nunknown = x\n"
                 "[mail]\nenabled = true\nfilter = postfix[mode=more]\nport = smtp,imap\n"
                 "[dovecot]\nenabled = true\nmaxretry = 3\n[sshd]\nenabled = true\n"
                 "[recidive]\nenabled = true\nbantime = 1w\nfindtime = 1d\n");
    assert_int_equal(read_jails(), 0);
    assert_true(sweep_both(read_jails, NULL) >= 10);
    assert_int_equal(read_jails_over(), 0);
    assert_true(sweep_both(read_jails_over, NULL) >= 10);
    unlink(file_of(".conf"));
}

/* ---- known users ---- */

static int
read_users(void)
{
    struct users *const users = users_new(file_of(".users"), "example.org", 0);
    int error;

    if (users == NULL)
        return -ENOMEM;
    error = users_read(users, false, NOON_MS / 1000, NULL, &has_changed, reason);
    assert_true(error == 0 || users_count(users) == 0);
    users_free(users);
    return error < 0 ? error : 0;
}

static void
known_users_are_all_known_or_none_is(void **state)
{
    (void)state;
    put(".users", "anna@example.org\nbob@example.org\n@example.net\n");
    assert_int_equal(read_users(), 0);
    assert_true(sweep_both(read_users, NULL) >= 4);
    unlink(file_of(".users"));
}

/* ---- the counter ---- */

static int
make_counter(void)
{
    const struct counter_options options = {.table = f.table, .gateway_users = 5, .host = "mx1"};
    const struct counter_action action = {.jail_index = 1, .jail = f.jail};
    struct counter *const counter = counter_new(&options);
    int error;

    if (counter == NULL)
        return -ENOMEM;
    error = counter_add_action(counter, &action);
    if (error >= 0)
        error = counter_renew_jails(counter);
    if (error == 0)
        error = counter_add_jail(counter, 0, &action);
    if (error >= 0)
        counter_use_jails(counter, NULL);
    counter_free(counter);
    return error < 0 ? error : 0;
}

static void
a_counter_is_there_whole_or_not(void **state)
{
    (void)state;
    assert_true(fault_sweep(FAULT_MEMORY, make_counter, NULL) >= 4);
}

/* ---- events and a fleet ---- */

static int
make_outbox(void)
{
    const struct outbox_options options = {f.table, "mx1", 10, &f.report};
    struct outbox *outbox;
    const int error = outbox_new(&outbox, &options);

    if (error == 0)
        outbox_free(outbox);
    return error;
}

static int
make_follower(void)
{
    struct follower *const follower = follower_new(f.table, "mx1", 100, 7);

    follower_free(follower);
    return follower == NULL ? -ENOMEM : 0;
}

static int
make_herald(void)
{
    struct hosts *const hosts = hosts_new("mx1");
    struct herald *const herald = hosts == NULL ? NULL : herald_new(f.table, "mx1", hosts);
    char *pardons = NULL, *roster = NULL, *known = NULL;

    if (herald != NULL) {
        pardons = herald_print_pardons(herald, NOON_MS);
        roster = herald_roster(herald, NOON_MS);
        known = hosts_print(hosts);
    }
    const bool is_whole = pardons != NULL && roster != NULL && known != NULL;

    free(pardons);
    free(roster);
    free(known);
    herald_free(herald);
    hosts_free(hosts);
    return is_whole ? 0 : -ENOMEM;
}

static void
what_a_fleet_and_events_need_is_there_whole_or_not(void **state)
{
    (void)state;
    assert_true(sweep_both(make_outbox, NULL) >= 1);
    assert_true(fault_sweep(FAULT_MEMORY, make_follower, NULL) >= 2);
    assert_true(fault_sweep(FAULT_MEMORY, make_herald, NULL) >= 3);
}

/* ---- */

static int
begin(void **state)
{
    (void)state;
    fixture_begin(&f, 1024, 64);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    unlink(file_of(".allow"));
    unlink(file_of(".added"));
    fixture_end(&f);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_allow_list_is_whole_or_as_it_was),
        TEST(who_is_added_by_command_is_added_whole_or_not),
        TEST(a_file_of_jails_is_read_whole_or_refused),
        TEST(known_users_are_all_known_or_none_is),
        TEST(a_counter_is_there_whole_or_not),
        TEST(what_a_fleet_and_events_need_is_there_whole_or_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
