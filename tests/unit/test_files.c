/* test_files: the small files beside the table say what was put into them, or are as they were; and
 * whose a file is, is looked at before it is used.
 *
 * Proves: verdict and sets, where jails come from, and what is wrong with the configuration come
 * back as they were written, and out of a file that somebody else has filled only what they can be;
 * a file is replaced whole or not at all, whichever call fails; a directory or a file of somebody
 * else, a link, one with a second name is refused with a reason; fail2ban's bans that still run are
 * read out of its database, and what is no such database is an error.
 * Fails when half a file has the name, a temporary one stays, or a foreign one is taken.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>
#include <sqlite3.h>

#include "base/ownership.h"
#include "base/replace.h"
#include "control/origins.h"
#include "control/roster.h"
#include "control/setup.h"
#include "faults.h"
#include "kernel/policy.h"
#include "ledger/fail2ban.h"
#include "rules/jail.h"

#define NOBODY   65534
#define NO_OWNER ((uid_t)-1), ((gid_t)-1)

static char directory[64], table_path[96];
static char reason[OWNERSHIP_REASON_SIZE];

static const char *
path_of(const char *suffix)
{
    static char path[4][128];
    static unsigned at;
    char *const made = path[at++ % 4];

    snprintf(made, sizeof(path[0]), "%s%s", table_path, suffix);
    return made;
}

static void
put(const char *suffix, const char *text)
{
    FILE *const file = fopen(path_of(suffix), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *
got(const char *suffix)
{
    static char text[8192];
    FILE *const file = fopen(path_of(suffix), "r");

    text[0] = '\0';
    if (file == NULL)
        return NULL;
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* ---- verdict and sets ---- */

static void
verdict_and_sets_come_back_as_they_were_written(void **state)
{
    struct firewall_policy policy = {.verdict = VERDICT_REJECT}, read;

    (void)state;
    strcpy(policy.set[FIREWALL_V6], "inet filter bad6");
    assert_int_equal(policy_write(table_path, &policy, NO_OWNER), 0);
    policy_read(table_path, &read);
    assert_int_equal(read.verdict, VERDICT_REJECT);
    assert_string_equal(read.set[FIREWALL_V4], "");
    assert_string_equal(read.set[FIREWALL_V6], "inet filter bad6");
    policy = (struct firewall_policy){.verdict = VERDICT_DROP};
    strcpy(policy.set[FIREWALL_V4], "ip filter bad4");
    assert_int_equal(policy_write(table_path, &policy, NO_OWNER), 0);
    policy_read(table_path, &read);
    assert_int_equal(read.verdict, VERDICT_DROP);
    assert_string_equal(read.set[FIREWALL_V4], "ip filter bad4");
    assert_string_equal(read.set[FIREWALL_V6], "");
}

static void
what_is_no_set_is_not_read_as_one(void **state)
{
    struct firewall_policy read;

    (void)state;
    put(".policy", "verdict nonsense\nset4 ; flush ruleset\nset6\nset4 inet a b\nset7 inet c d\n");
    policy_read(table_path, &read);
    assert_int_equal(read.verdict, VERDICT_DROP);
    assert_string_equal(read.set[FIREWALL_V4], "inet a b");
    assert_string_equal(read.set[FIREWALL_V6], "");
    unlink(path_of(".policy"));
    policy_read(table_path, &read);
    assert_string_equal(read.set[FIREWALL_V4], "");
}

/* ---- where jails come from ---- */

static void
where_a_jail_comes_from_is_known_by_its_name(void **state)
{
    struct origins origins = {0}, read;
    char name[16];

    (void)state;
    origins_add(&origins, "auth", "preset balanced");
    origins_add(&origins, "auth", "somebody else");
    origins_add(&origins, "mail", "/etc/ombanmail/jails.conf, line 12");
    assert_int_equal(origins_write(table_path, &origins, NO_OWNER), 0);
    origins_read(table_path, &read);
    assert_int_equal(read.count, 2);
    assert_string_equal(origins_find(&read, "auth"), "preset balanced");
    assert_string_equal(origins_find(&read, "mail"), "/etc/ombanmail/jails.conf, line 12");
    assert_null(origins_find(&read, "aut"));
    put(".jails", "nospace\nx y z\n\n");
    origins_read(table_path, &read);
    assert_int_equal(read.count, 1);
    assert_string_equal(origins_find(&read, "x"), "y z");
    for (unsigned i = 0; i <= ORIGINS_MAX; i++) {
        snprintf(name, sizeof(name), "jail%u", i);
        origins_add(&origins, name, "an action");
    }
    assert_int_equal(origins.count, ORIGINS_MAX);
    unlink(path_of(".jails"));
    origins_read(table_path, &read);
    assert_int_equal(read.count, 0);
}

/* ---- what is wrong with the configuration ---- */

static void
what_is_wrong_is_written_and_nothing_is_no_file(void **state)
{
    char text[SETUP_SIZE], longest[SETUP_SIZE + 8];

    (void)state;
    assert_int_equal(setup_write(table_path, "mmnormalize is not loaded\n", NO_OWNER), 0);
    setup_read(table_path, text);
    assert_string_equal(text, "mmnormalize is not loaded\n");
    assert_int_equal(setup_write(table_path, "", NO_OWNER), 0);
    assert_null(got(".setup"));
    assert_int_equal(setup_write(table_path, "", NO_OWNER), 0);
    setup_read(table_path, text);
    assert_string_equal(text, "");
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    put(".setup", longest);
    setup_read(table_path, text);
    assert_int_equal(strlen(text), SETUP_SIZE - 1);
    put(".setup", "");
    setup_read(table_path, text);
    assert_string_equal(text, "");
    unlink(path_of(".setup"));
    assert_int_equal(mkdir(path_of(".setup"), 0700), 0);
    assert_int_equal(setup_write(table_path, "", NO_OWNER), -EISDIR);
    assert_int_equal(setup_write(table_path, "text", NO_OWNER), -EINVAL);
    setup_read(table_path, text);
    assert_string_equal(text, "");
    assert_int_equal(rmdir(path_of(".setup")), 0);
}

static void
a_roster_comes_back_up_to_its_most(void **state)
{
    char *read;

    (void)state;
    assert_null(roster_read(table_path, ".fleet"));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(roster_write(table_path, ".fleet", "{}\n", NO_OWNER), 0);
    read = roster_read(table_path, ".fleet");
    assert_string_equal(read, "{}\n");
    free(read);
    unlink(path_of(".fleet"));
    assert_int_equal(mkdir(path_of(".fleet"), 0700), 0);
    assert_null(roster_read(table_path, ".fleet"));
    assert_int_equal(errno, EISDIR);
    rmdir(path_of(".fleet"));
}

/* ---- a file is replaced ---- */

static int
replace_it(void)
{
    return replace_file(path_of(".x"), "new", 3, 0640, NO_OWNER);
}

/* It has the name with the old text or with the new one, and no other file lies there. */
static bool
is_whole(void)
{
    const char *const text = got(".x");
    const bool is = text != NULL && (strcmp(text, "old") == 0 || strcmp(text, "new") == 0) &&
                    access(path_of(".x.new"), F_OK) != 0;

    put(".x", "old");
    return is;
}

static void
a_file_is_replaced_whole_or_not_at_all(void **state)
{
    char name[PATH_MAX + 16];
    struct stat status;

    (void)state;
    put(".x", "old");
    assert_true(fault_sweep(FAULT_SYSTEM, replace_it, is_whole) >= 6);
    assert_int_equal(symlink("elsewhere", path_of(".x.new")), 0); /* laid there by somebody */
    assert_int_equal(replace_it(), 0);
    assert_string_equal(got(".x"), "new");
    assert_int_equal(stat(path_of(".x"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    unlink(path_of(".x"));
    assert_int_equal(symlink("elsewhere", path_of(".x")), 0);
    assert_int_equal(replace_it(), -EINVAL);
    unlink(path_of(".x"));
    memset(name, 'a', sizeof(name));
    name[PATH_MAX - 4] = '\0'; /* with .new one too long */
    assert_int_equal(replace_file(name, "x", 1, 0600, NO_OWNER), -ENAMETOOLONG);
}

/* ---- whose it is ---- */

static int
take_directory(void)
{
    const int result = ownership_of_directory(path_of(".d"), 0750, NO_OWNER, reason);

    if (result >= 0)
        close(result);
    return result < 0 ? result : 0;
}

static bool
forget_directory(void)
{
    rmdir(path_of(".d"));
    return true;
}

static void
a_directory_is_made_with_its_mode_and_found_again(void **state)
{
    struct stat status;

    (void)state;
    assert_true(fault_sweep(FAULT_SYSTEM, take_directory, forget_directory) >= 4);
    assert_int_equal(take_directory(), 0);
    assert_int_equal(stat(path_of(".d"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0750);
    assert_int_equal(chmod(path_of(".d"), 0700), 0); /* whoever has changed it, meant it */
    assert_int_equal(take_directory(), 0);
    assert_int_equal(stat(path_of(".d"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(chmod(path_of(".d"), 0777), 0);
    assert_int_equal(take_directory(), -EPERM);
    assert_non_null(strstr(reason, "written by everybody"));
    rmdir(path_of(".d"));
    put(".d", "");
    assert_int_equal(take_directory(), -ENOTDIR);
    unlink(path_of(".d"));
    assert_int_equal(symlink(directory, path_of(".d")), 0);
    assert_int_equal(take_directory(), -ENOTDIR);
    assert_non_null(strstr(reason, "symbolic link"));
    unlink(path_of(".d"));
}

static int
take_file(uid_t owner, gid_t group)
{
    return ownership_of_file(path_of(".f"), S_IFREG, 0640, owner, group, reason);
}

static int
take_file_of_nobody(void)
{
    return take_file(NOBODY, NOBODY);
}

static bool
give_file_back(void)
{
    return chown(path_of(".f"), 0, 0) == 0;
}

static void
a_file_of_ours_is_taken_and_no_other(void **state)
{
    struct stat status;

    (void)state;
    assert_int_equal(take_file(NO_OWNER), -ENOENT);
    put(".f", "");
    assert_int_equal(chmod(path_of(".f"), 0600), 0);
    assert_int_equal(take_file(NO_OWNER), 0);
    assert_int_equal(stat(path_of(".f"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_int_equal(ownership_is_single(path_of(".f")), 0);
    assert_int_equal(link(path_of(".f"), path_of(".second")), 0);
    assert_int_equal(take_file(NO_OWNER), -EMLINK);
    assert_int_equal(ownership_is_single(path_of(".f")), -EMLINK);
    unlink(path_of(".second"));
    assert_int_equal(ownership_of_file(path_of(".f"), S_IFSOCK, 0, NO_OWNER, reason), -ELOOP);
    assert_int_equal(ownership_of_file(path_of(".f/x"), S_IFREG, 0, NO_OWNER, reason), -ENOTDIR);
    unlink(path_of(".f"));
    assert_int_equal(symlink(table_path, path_of(".f")), 0);
    assert_int_equal(take_file(NO_OWNER), -ELOOP);
    assert_int_equal(ownership_is_single(path_of(".f")), -ELOOP);
    unlink(path_of(".f"));
    assert_int_equal(ownership_is_single(path_of(".f")), -ENOENT);
}

static void
a_file_is_given_to_whom_it_shall_belong(void **state)
{
    struct stat status;

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can give files away */
    put(".f", "");
    assert_true(fault_sweep(FAULT_SYSTEM, take_file_of_nobody, give_file_back) >= 4);
    assert_int_equal(take_file(NOBODY, (gid_t)-1), 0);
    assert_int_equal(stat(path_of(".f"), &status), 0);
    assert_int_equal(status.st_uid, NOBODY);
    assert_int_equal(status.st_gid, 0);
    assert_int_equal(take_file((uid_t)-1, NOBODY), -EPERM); /* it is somebody's now */
    assert_non_null(strstr(reason, "belongs to user 65534"));
    assert_int_equal(take_file(NOBODY, NOBODY), 0);
    unlink(path_of(".f"));
    assert_int_equal(mkdir(path_of(".d"), 0700), 0);
    assert_int_equal(chown(path_of(".d"), NOBODY, 0), 0);
    assert_int_equal(take_directory(), -EPERM);
    rmdir(path_of(".d"));
}

/* ---- fail2ban's database ---- */

static char told[512];

static bool
tell(void *context, const struct fail2ban_ban *ban)
{
    const size_t length = strlen(told);
    char text[SOURCE_TEXT_SIZE];

    snprintf(told + length, sizeof(told) - length, "%s %s %lld;", source_print(&ban->source, text),
             ban->jail, (long long)ban->left_s);
    return context == NULL;
}

static void
make_database(const char *sql)
{
    sqlite3 *database;

    unlink(path_of(".sqlite3"));
    assert_int_equal(sqlite3_open(path_of(".sqlite3"), &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

static void
bans_of_fail2bans_that_still_run_are_read(void **state)
{
    char why[FAIL2BAN_REASON_SIZE];

    (void)state;
    make_database("CREATE TABLE bips (ip, jail, timeofban, bantime);"
                  "INSERT INTO bips VALUES ('192.0.2.1', 'a', 1000, 600), ('192.0.2.2', 'b', 900, "
                  "200), ('192.0.2.3', 'c', 901, 200), ('2001:db8::1', 'd', 1, -1), ('x', 'e', "
                  "1000, 600), (NULL, 'f', 1000, 600), ('192.0.2.4', NULL, 1000, 600)");
    told[0] = '\0';
    assert_int_equal(fail2ban_live(path_of(".sqlite3"), 1100, tell, NULL, why), 3);
    assert_int_equal(strncmp(told, "2001:db8::1 d ", 14), 0);
    assert_non_null(strstr(told, ";192.0.2.3 c 1;192.0.2.1 a 500;"));
    told[0] = '\0';
    assert_int_equal(fail2ban_live(path_of(".sqlite3"), 1100, tell, told, why), 1); /* enough */
    make_database("CREATE TABLE other (x)");
    assert_int_equal(fail2ban_live(path_of(".sqlite3"), 1100, tell, NULL, why), -EIO);
    assert_non_null(strstr(why, "no such table"));
    put(".sqlite3", "this is no database at all, and long enough to be read as one's header ....."
                    "............................................................................");
    assert_int_equal(fail2ban_live(path_of(".sqlite3"), 1100, tell, NULL, why), -EIO);
    unlink(path_of(".sqlite3"));
    assert_int_equal(fail2ban_live(path_of(".sqlite3"), 1100, tell, NULL, why), -EIO);
}

/* ---- */

static int
begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/ombanmail-test-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(table_path, sizeof(table_path), "%s/table", directory);
    return 0;
}

static int
end(void **state)
{
    static const char *const left[] = {".policy", ".jails", ".x"};

    (void)state;
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
        unlink(path_of(left[i]));
    return rmdir(directory); /* and nothing else was left */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdict_and_sets_come_back_as_they_were_written),
        cmocka_unit_test(what_is_no_set_is_not_read_as_one),
        cmocka_unit_test(where_a_jail_comes_from_is_known_by_its_name),
        cmocka_unit_test(what_is_wrong_is_written_and_nothing_is_no_file),
        cmocka_unit_test(a_roster_comes_back_up_to_its_most),
        cmocka_unit_test(a_file_is_replaced_whole_or_not_at_all),
        cmocka_unit_test(a_directory_is_made_with_its_mode_and_found_again),
        cmocka_unit_test(a_file_of_ours_is_taken_and_no_other),
        cmocka_unit_test(a_file_is_given_to_whom_it_shall_belong),
        cmocka_unit_test(bans_of_fail2bans_that_still_run_are_read),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
