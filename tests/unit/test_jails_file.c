/* test_jails_file: a file in fail2ban's words makes the jails that it means: the mail jails of
 * docker-mailserver's example, of a jail.local beside Debian's own jail.conf (where fail2ban is
 * installed), and of a list as mail servers in containers have it. What is not known is remarked
 * with its line, what is wrong refuses the file with file, line, value and what is allowed, and
 * bytes that are no text are refused and break nothing.
 *
 * Fails when an option does not arrive in its jail, when [DEFAULT] or %(name)s is not what holds,
 * when a continuation or a long line loses a word, when a jail of another service counts or is not
 * named, when a wrong value is taken, or when what jails_print writes declares other jails.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "line/offence.h"
#include "rules/jails-file.h"
#include "rules/jails-print.h"
#include "rules/jails-filter.h"
#include "rules/preset.h"

static char directory[] = "/tmp/test_jails_file.XXXXXX";
static char reason[SETTINGS_REASON_SIZE];

#define DAY_S           86400
#define HAS(jail, name) (((jail)->classes & OFFENCE_BIT(OFFENCE_##name)) != 0)

static const char *
path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void
write_file(const char *name, const char *bytes, size_t length)
{
    FILE *file = fopen(path_of(name), "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static struct jails *
read_text(const char *text)
{
    struct jails *jails = NULL;

    if (jails_read_text(text, "text", &jails, reason) != 0)
        fail_msg("%s", reason);
    return jails;
}

static const struct jails_entry *
entry(const struct jails *jails, const char *name)
{
    for (unsigned i = 0; i < jails->count; i++)
        if (strcmp(jails->at[i].jail.name, name) == 0)
            return &jails->at[i];
    return NULL;
}

static const struct jail *
jail(const struct jails *jails, const char *name)
{
    const struct jails_entry *const found = entry(jails, name);

    assert_non_null(found);
    return &found->jail;
}

static void
assert_remarked(const struct jails *jails, const char *words)
{
    if (strstr(jails->remarks, words) == NULL)
        fail_msg("no remark \"%s\" in \"%s\"", words, jails->remarks);
}

static void
assert_refused(const char *text, const char *words)
{
    struct jails *jails = NULL;

    assert_int_not_equal(jails_read_text(text, "text", &jails, reason), 0);
    assert_null(jails);
    if (strstr(reason, words) == NULL)
        fail_msg("no \"%s\" in \"%s\"", words, reason);
}

/* ---- files that are in use ---- */

static void
reads_the_example_of_docker_mailserver(void **state)
{
    struct jails *const jails =
        read_text("[DEFAULT]\n\n# \"bantime\" is the number of seconds that a host is banned.\n"
                  "bantime  = 1w\n\nfindtime = 1w\nmaxretry = 6\n\n"
                  "ignoreip = 127.0.0.1/8 192.0.2.0/24 home.example.org\n\n"
                  "banaction = nftables-allports\n\n"
                  "[dovecot]\nenabled = true\n\n[postfix]\nenabled = true\nmode = extra\n\n"
                  "[postfix-sasl]\nenabled = true\n\n"
                  "[custom]\nenabled = true\nbantime = 180d\n"
                  "port = smtp,pop3,pop3s,imap,imaps,submission,submissions,sieve\n");

    (void)state;
    assert_int_equal(jails->count, 4);
    for (unsigned i = 0; i < jails->count; i++) {
        assert_int_equal(jails->at[i].jail.maxretry, 6);
        assert_int_equal(jails->at[i].jail.findtime_s, 7 * DAY_S);
        assert_string_equal(jails->at[i].ignoreip, "127.0.0.1/8 192.0.2.0/24 home.example.org");
        assert_true(ports_are_all(&jails->at[i].jail.ports));
    }
    assert_int_equal(jail(jails, "dovecot")->bantime_s, 7 * DAY_S);
    assert_int_equal(jail(jails, "dovecot")->services, JAIL_SERVICES_MAILBOX);
    assert_true(HAS(jail(jails, "dovecot"), AUTH_FAILED));
    assert_false(HAS(jail(jails, "dovecot"), RELAY_DENIED));
    assert_true(HAS(jail(jails, "postfix"), AUTH_FAILED));
    assert_true(HAS(jail(jails, "postfix"), RELAY_DENIED));
    assert_int_equal(jail(jails, "postfix")->services, JAIL_SERVICES_SMTP);
    assert_false(HAS(jail(jails, "postfix-sasl"), RELAY_DENIED));
    assert_int_equal(jail(jails, "custom")->bantime_s, 180 * DAY_S);
    assert_int_equal(jail(jails, "custom")->classes, 0);
    assert_string_equal(jails->remarks, "");
    jails_free(jails);
}

/* The file of the package is read as it is. */
static void
reads_debians_file_with_a_jail_local(void **state)
{
    static const char local[] =
        "[DEFAULT]\nbantime = 1d\nbantime.increment = true\nbantime.maxtime = 5w\n"
        "ignoreip = 127.0.0.1/8 ::1 192.0.2.7\n[sshd]\nenabled = false\n"
        "[postfix]\nenabled = true\nmode = aggressive\n[postfix-sasl]\nenabled = true\nmaxretry = "
        "3\n"
        "[postfix-rbl]\nenabled = true\n"
        "[dovecot]\nenabled = true\n[sieve]\nenabled = true\n[recidive]\nenabled = true\n"
        "[apache-auth]\nenabled = true\n";
    struct jails *jails = NULL;

    (void)state;
    if (access("/etc/fail2ban/jail.conf", R_OK) != 0)
        skip();
    assert_int_equal(symlink("/etc/fail2ban/jail.conf", path_of("jail.conf")), 0);
    assert_int_equal(symlink("/etc/fail2ban/paths-debian.conf", path_of("paths-debian.conf")), 0);
    assert_int_equal(symlink("/etc/fail2ban/paths-common.conf", path_of("paths-common.conf")), 0);
    write_file("jail.local", local, strlen(local));
    if (jails_read(directory, &jails, reason) != 0)
        fail_msg("%s", reason);
    assert_int_equal(jails->count, 5);
    assert_true(HAS(jail(jails, "postfix"), CONN_LOST));
    assert_int_equal(jail(jails, "postfix")->ports.count, 3); /* multiport: smtp,465,submission */
    assert_int_equal(jail(jails, "postfix")->bantime_s, DAY_S);
    assert_int_equal(jail(jails, "postfix")->findtime_s, 600);
    assert_true(jail(jails, "postfix")->growth.is_on);
    assert_int_equal(jail(jails, "postfix")->growth.max_s, 35 * DAY_S);
    assert_int_equal(jail(jails, "postfix-sasl")->maxretry, 3);
    assert_true(HAS(jail(jails, "postfix-sasl"), AUTH_FAILED));
    assert_int_equal(jail(jails, "postfix-rbl")->maxretry, 1);
    assert_int_equal(jail(jails, "postfix-rbl")->classes, OFFENCE_BIT(OFFENCE_RBL_LISTED));
    assert_true(HAS(jail(jails, "dovecot"), AUTH_FAILED));
    assert_string_equal(entry(jails, "dovecot")->ignoreip, "127.0.0.1/8 ::1 192.0.2.7");
    assert_remarked(jails, "jail apache-auth is passed over");
    assert_remarked(jails, "jail recidive makes no bans of its own");
    if (strstr(jails->remarks, "not known") != NULL)
        fail_msg("%s", jails->remarks);
    jails_free(jails);
    unlink(path_of("jail.conf"));
    unlink(path_of("paths-debian.conf"));
    unlink(path_of("paths-common.conf"));
    unlink(path_of("jail.local"));
}

/* Several services' jails in one list, with actions and log files of the container's. */
static void
reads_a_list_of_a_container(void **state)
{
    struct jails *const jails = read_text(
        "[DEFAULT]\nbantime = 30m\nfindtime = 10m\nmaxretry = 10\nbantime.increment = true\n"
        "bantime.maxtime = 1w\nbantime.multipliers = 1 5 30 60, 300\nbackend = auto\n"
        "banaction = iptables-multiport\nbanaction_allports = iptables-allports\n"
        "chain = MAILCOW\naction = %(banaction)s[name=%(__name__)s, chain=\"%(chain)s\"]\n"
        "[postfix-sasl]\nenabled = yes\nfilter = postfix[mode=auth]\nport = 25,465,587\n"
        "logpath = /var/log/mail.log\n          /var/log/mail.warn\n"
        "[dovecot]\nenabled = 1\nfilter = %(__name__)s[mode=aggressive]\n"
        "port = 110,995,143,993,4190\n"
        "[sogo-auth]\nenabled = true\nport = http,https\n[rspamd-ui]\nenabled = on\n");

    (void)state;
    assert_int_equal(jails->count, 2);
    assert_int_equal(jail(jails, "postfix-sasl")->ports.count, 3);
    assert_int_equal(jail(jails, "postfix-sasl")->growth.multiplier_count, 5);
    assert_int_equal(jail(jails, "postfix-sasl")->growth.multipliers[4], 300);
    assert_true(HAS(jail(jails, "dovecot"), NO_AUTH));
    assert_remarked(jails, "sogo-auth is passed over");
    assert_remarked(jails, "rspamd-ui is passed over");
    jails_free(jails);
}

/* ---- the notation ---- */

static void
replaces_what_stands_in_values(void **state)
{
    struct jails *const jails = read_text(
        "[DEFAULT]\nshort = 5m\nlong = %(short)s\nwide = 10%%\nfindtime = %(LONG)s\n"
        "maxretry = 7\nbantime = 1h\n"
        "[dovecot]\nenabled = true\nbantime = 2h\nshort = 6m\nmaxretry = %(known/maxretry)s\n"
        "bantime = %(known/bantime)s 30m\n"
        "[sieve]\nenabled = true\nfindtime = %(dovecot/short)s\n");

    (void)state;
    assert_int_equal(jail(jails, "dovecot")->findtime_s, 360);
    assert_int_equal(jail(jails, "dovecot")->maxretry, 7);
    assert_int_equal(jail(jails, "dovecot")->bantime_s, 9000);
    assert_int_equal(jail(jails, "sieve")->findtime_s, 360);
    assert_remarked(jails, "text, line 4: wide in [DEFAULT] is not known");
    assert_null(strstr(jails->remarks, "short"));
    jails_free(jails);
    assert_refused("[dovecot]\nenabled = true\nbantime = %(none)s\n",
                   "text, line 3: %(none)s is set nowhere");
    assert_refused("[dovecot]\nenabled = true\nbantime = %(bantime)s\n", "mean itself");
    assert_refused("[dovecot]\nenabled = true\nbantime = %(x\n", "text, line 3");
    assert_refused("[DEFAULT]\na=%(b)s%(b)s%(b)s%(b)s\nb=%(c)s%(c)s%(c)s%(c)s%(c)s\n"
                   "c=%(d)s%(d)s%(d)s%(d)s%(d)s%(d)s\nd=%(e)s%(e)s%(e)s%(e)s%(e)s\n"
                   "e=%(f)s%(f)s%(f)s%(f)s%(f)s%(f)s\nf=123456789012345678901234567890\n"
                   "[dovecot]\nenabled=true\nbantime=%(a)s\n",
                   "too long");
}

static void
reads_comments_and_lines_that_go_on(void **state)
{
    struct jails *const jails =
        read_text("; a comment\n[dovecot] ; ours\n\n  enabled = true ; yes\n  # between\n"
                  "ignoreip = 192.0.2.1 ; the office\n   192.0.2.2,192.0.2.3\n\n"
                  "\t2001:db8::/32 ; home\nmaxretry: 4\r\nfindtime = 1d12h\nbantime = 2 weeks\n");

    (void)state;
    assert_string_equal(entry(jails, "dovecot")->ignoreip,
                        "192.0.2.1 192.0.2.2 192.0.2.3 2001:db8::/32");
    assert_int_equal(jail(jails, "dovecot")->maxretry, 4);
    assert_int_equal(jail(jails, "dovecot")->findtime_s, 36 * 3600);
    assert_int_equal(jail(jails, "dovecot")->bantime_s, 14 * DAY_S);
    jails_free(jails);
}

/* What ignoreip may have beside addresses: a file is looked into, so that a wrong one is refused in
 * time, and the former jails go on. */
static void
takes_lists_of_others(void **state)
{
    char text[768];
    struct jails *jails;

    (void)state;
    write_file("list", "192.0.2.0/24 # office\nhome.example.org\n", 38);
    snprintf(text, sizeof text,
             "[dovecot]\nenabled = true\nignoreip = postfix:mynetworks file:%s\n", path_of("list"));
    jails = read_text(text);
    snprintf(text, sizeof text, "postfix:mynetworks file:%s", path_of("list"));
    assert_string_equal(entry(jails, "dovecot")->ignoreip, text);
    jails_free(jails);
    snprintf(text, sizeof text, "[dovecot]\nenabled = true\nignoreip = file:%s %s\n",
             path_of("list"), path_of("list"));
    assert_refused(text, "one file for each jail");
    snprintf(text, sizeof text, "[dovecot]\nenabled = true\nignoreip = file:%s\n", path_of("list"));
    write_file("list", "192.0.2.0/33\n", 13);
    assert_refused(text, "line 1");
    unlink(path_of("list"));
    assert_refused(text, "No such file");
    write_file("copy", text, strlen(text));
    assert_int_equal(jails_read_copy(path_of("copy"), &jails, reason), 0);
    jails_free(jails);
    assert_refused("[dovecot]\nenabled = true\nignoreip = user@example.org\n", "names, file:/PATH");
}

static void
loses_nothing_of_a_long_line(void **state)
{
    char text[8192] = "[dovecot]\nenabled = true\nignoreip =", expected[8192] = "";
    struct jails *jails;

    (void)state;
    for (int i = 0; i < 250; i++) {
        snprintf(text + strlen(text), 32, " 192.0.2.%d", i);
        snprintf(expected + strlen(expected), 32, "%s192.0.2.%d", i > 0 ? " " : "", i);
    }
    strcat(text, "\nmaxretry = x\n");
    assert_refused(text, "text, line 4: maxretry = x");
    text[strlen(text) - strlen("maxretry = x\n")] = '\0';
    jails = read_text(text);
    assert_string_equal(entry(jails, "dovecot")->ignoreip, expected);
    jails_free(jails);
}

static void
includes_files(void **state)
{
    static const char main_file[] =
        "[INCLUDES]\nbefore = first.conf\nafter = last.local none.local\n"
        "       missing.conf\n[dovecot]\nenabled = true\nmaxretry = 4\n";
    static const char first[] = "[DEFAULT]\nbantime = 3h\nmaxretry = 3\n[dovecot]\nfindtime = 2h\n";
    static const char last[] = "[dovecot]\nmaxretry = 9\n";
    static const char loop[] = "[INCLUDES]\nbefore = loop.conf\n[dovecot]\nenabled = true\n";
    struct jails *jails = NULL;

    (void)state;
    write_file("main.conf", main_file, strlen(main_file));
    write_file("first.conf", first, strlen(first));
    write_file("last.local", last, strlen(last));
    write_file("loop.conf", loop, strlen(loop));
    assert_int_equal(jails_read(path_of("main.conf"), &jails, reason), 0);
    assert_int_equal(jail(jails, "dovecot")->bantime_s, 3 * 3600);
    assert_int_equal(jail(jails, "dovecot")->findtime_s, 2 * 3600);
    assert_int_equal(jail(jails, "dovecot")->maxretry, 9);
    assert_remarked(jails, "missing.conf to include");
    assert_null(strstr(jails->remarks, "none.local"));
    jails_free(jails);
    assert_int_not_equal(jails_read(path_of("loop.conf"), &jails, reason), 0);
    assert_non_null(strstr(reason, "too deep"));
    assert_int_not_equal(jails_read(path_of("nowhere"), &jails, reason), 0);
    assert_non_null(strstr(reason, "No such file"));
    mkdir(path_of("empty"), 0755);
    assert_int_not_equal(jails_read(path_of("empty"), &jails, reason), 0);
    rmdir(path_of("empty"));
    unlink(path_of("main.conf"));
    unlink(path_of("first.conf"));
    unlink(path_of("last.local"));
    unlink(path_of("loop.conf"));
}

/* As fail2ban reads its own: jail.conf, jail.d's .conf by their names, jail.local, jail.d's .local;
 * what comes later wins. */
static void
reads_a_directory_in_the_order_of_fail2ban(void **state)
{
    static const char *const files[] = {"f2b/jail.conf", "f2b/jail.d/10.conf", "f2b/jail.d/20.conf",
                                        "f2b/jail.local", "f2b/jail.d/05.local"};
    static const char *const none[] = {"f2b/jail.d/.hidden.conf", "f2b/jail.d/README",
                                       "f2b/jail.d/conf", "f2b/jail.d/.hidden.local"};
    struct jails *jails = NULL;
    char text[128];

    (void)state;
    mkdir(path_of("f2b"), 0755);
    mkdir(path_of("f2b/jail.d"), 0755);
    for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        write_file(none[i], "[dovecot]\nmaxretry = 99\n", 24);
    for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(text, sizeof(text), "[dovecot]\nenabled = true\nmaxretry = %u\n", i + 1);
        write_file(files[i], text, strlen(text));
        assert_int_equal(jails_read(path_of("f2b"), &jails, reason), 0);
        assert_int_equal(jail(jails, "dovecot")->maxretry, i + 1);
        jails_free(jails);
    }
    write_file(files[2], "[dovecot\n", 9);
    assert_int_not_equal(jails_read(path_of("f2b"), &jails, reason), 0);
    assert_non_null(strstr(reason, "20.conf"));
    for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        unlink(path_of(files[i]));
    for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        unlink(path_of(none[i]));
    rmdir(path_of("f2b/jail.d"));
    rmdir(path_of("f2b"));
}

/* Half of the jails are not what somebody has declared. */
static void
a_folder_that_cannot_be_read_refuses_all(void **state)
{
    struct jails *jails = NULL;

    (void)state;
    mkdir(path_of("f2b"), 0755);
    write_file("f2b/jail.conf", "[dovecot]\nenabled = true\n", 25);
    write_file("f2b/jail.d", "", 0);
    assert_int_not_equal(jails_read(path_of("f2b"), &jails, reason), 0);
    assert_non_null(strstr(reason, "f2b/jail.d cannot be read: Not a directory"));
    unlink(path_of("f2b/jail.d"));
    unlink(path_of("f2b/jail.conf"));
    rmdir(path_of("f2b"));
}

/* ---- what is wrong ---- */

static void
refuses_wrong_values_with_their_lines(void **state)
{
    static const struct {
        const char *option, *words;
    } wrong[] = {
        {"maxretry = 0",
         "line 3: maxretry = 0 in [dovecot] is refused: maxretry is 0, but must be"},
        {"maxretry = -1", "a whole number"},
        {"maxretry = 99999999999", "a whole number"},
        {"findtime = 0", "a span of time"},
        {"findtime = soon", "findtime = soon in [dovecot] is refused: a span of time"},
        {"bantime = 1x", "a span of time"},
        {"bantime = 999999999999999999999y", "a span of time"},
        {"port = nowhere", "TCP ports"},
        {"port = 1:30", "more than the 16 ports"},
        {"port = 30:1", "TCP ports"},
        {"port = 70000", "TCP ports"},
        {"ignoreip = 192.0.2.300/33", "ignoreip = 192.0.2.300/33"},
        {"ignoreip = <HOST>", "addresses, prefixes, names"},
        {"mode = extra", "no such mode"},
        {"filter = postfix[mode=x]", "no such mode"},
        {"classes = auth_failed login_ok", "login_ok"},
        {"classes =", "the names of classes"},
        {"bantime.factor = nan", "a number above 0"},
        {"bantime.multipliers = 1 2 0", "from 1 on"},
        {"bantime.multipliers = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "more than the 16"},
        {"bantime.increment = maybe", "true or false"},
        {"ipv6prefix = 8", "16 to 128"},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(text, sizeof(text), "[dovecot]\nenabled = true\n%s\n", wrong[i].option);
        assert_refused(text, wrong[i].words);
        assert_non_null(strstr(reason, "text, line 3"));
    }
    assert_refused("[dovecot]\nenabled = perhaps\n", "text, line 2");
    assert_refused("[manual]\nenabled = true\nfilter = dovecot\n", "kept for bans made by hand");
    assert_refused("[a b]\nenabled = true\nfilter = dovecot\n", "letters, digits");
    assert_refused("[dovecot]\nenabled true\n", "text, line 2: neither");
    assert_refused("[dovecot\nenabled = true\n", "text, line 1: a section");
}

static void
remarks_what_is_not_known(void **state)
{
    struct jails *const jails = read_text("[dovecot]\nenabled = true\nmaxrety = 3\nusedns = no\n"
                                          "banaction = cloudflare\n[sieve]\nmaxretry = 2\n");

    (void)state;
    assert_int_equal(jails->count, 1);
    assert_remarked(jails, "text, line 3: maxrety in [dovecot] is not known");
    assert_remarked(jails, "text, line 5: banaction cloudflare is not run");
    assert_remarked(jails, "jail sieve is not enabled");
    assert_null(strstr(jails->remarks, "usedns"));
    jails_free(jails);
}

/* What does nothing here, and need not, is named with its line apart from what somebody may expect
 * something of; what jail.conf says and jail.local says otherwise is named once. */
static void
names_what_it_passes_over(void **state)
{
    struct jails *const jails = read_text("[DEFAULT]\nmaxmatches = 5\nusedns = warn\n"
                                          "action_ = %(banaction)s[name=x]\naction = %(action_)s\n"
                                          "destemail =\nbantime.formula = 2 * ban.Time\n"
                                          "[dovecot]\nenabled = true\nlogpath = /var/log/a\n"
                                          "[postfix]\nenabled = true\nlogpath = /var/log/b\n"
                                          "failregex = ^a\n[sieve]\nenabled = no\nbackend = x\n"
                                          "[DEFAULT]\nusedns = no\n");

    (void)state;
    assert_string_equal(jails->passed, "text, line 10: logpath in [dovecot]\n"
                                       "text, line 13: logpath in [postfix]\n"
                                       "text, line 2: maxmatches in [DEFAULT]\n"
                                       "text, line 5: action in [DEFAULT]\n"
                                       "text, line 19: usedns in [DEFAULT]\n");
    assert_remarked(jails, "text, line 7: bantime.formula in [DEFAULT] does nothing");
    assert_remarked(jails, "text, line 14: failregex in [postfix] does nothing");
    jails_free(jails);
}

static bool
closes_all(const char *options, enum verdict verdict)
{
    char text[256];
    struct jails *jails;
    bool is_all;

    snprintf(text, sizeof text, "[DEFAULT]\nbanaction_allports = iptables-allports\n%s", options);
    jails = read_text(text);
    is_all = ports_are_all(&jail(jails, "dovecot")->ports);
    assert_int_equal(jail(jails, "dovecot")->verdict, verdict);
    assert_null(strstr(jails->remarks, "is not known"));
    jails_free(jails);
    return is_all;
}

/* As fail2ban's users write it, in options old and new. */
static void
takes_the_ports_of_an_action(void **state)
{
    static const char *const all[] = {
        "[dovecot]\nenabled = true\nbanaction = nftables[type=allports]\n",
        "[dovecot]\nenabled = true\nbanaction = %(banaction_allports)s\n",
        "[dovecot]\nenabled = true\nbanaction = iptables-ipset-proto6-allports\n",
        "[dovecot]\nenabled = true\naction = iptables-allports[name=imap]\n",
        ("[dovecot]\nenabled = true\naction = %(banaction_allports)s[name=imap]\n"
         " %(of_no_file)s\n"),
    };
    static const char *const some[] = {
        "[dovecot]\nenabled = true\nbanaction = nftables-multiport\n",
        "[dovecot]\nenabled = true\nbanaction = nftables[type=multiport]\n",
        ("banaction = iptables-allports\n[dovecot]\nenabled = true\n"
         "action = iptables-multiport[name=imap, port=\"imap,imaps\"]\n"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        assert_true(closes_all(all[i], VERDICT_OF_MODULE));
    for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
        assert_false(closes_all(some[i], VERDICT_OF_MODULE));
}

#define DOVECOT "[dovecot]\nenabled = true\n"

/* The closest to the jail holds: an action's own word, then the jail's, then all jails'. */
static void
takes_the_verdict_of_an_action(void **state)
{
    static const char *const rejecting[] = {
        "blocktype = reject\n" DOVECOT,
        DOVECOT "blocktype = reject with icmpv6 port-unreachable\n",
        DOVECOT "banaction = nftables-multiport[blocktype=reject]\n",
        DOVECOT "banaction = nftables[type=multiport, blocktype=\"reject with tcp reset\"]\n",
        DOVECOT "banaction = iptables-multiport[blocktype="
                "\"REJECT --reject-with icmp-port-unreachable\"]\n",
        "blocktype = drop\n" DOVECOT "blocktype = REJECT\n",
        DOVECOT "blocktype = drop\nbanaction = nftables-multiport[blocktype='reject']\n",
        DOVECOT "banaction = nftables-multiport[blocktype=drop]\n"
                "action = iptables-multiport[name=imap, blocktype=REJECT]\n",
    };
    static const char *const dropping[] = {
        "blocktype = DROP\n" DOVECOT,
        "blocktype = reject\n" DOVECOT "banaction = nftables-multiport[blocktype=drop]\n",
        DOVECOT "banaction = ufw[blocktype = deny]\n",
    };
    struct jails *jails;

    (void)state;
    for (size_t i = 0; i < sizeof(rejecting) / sizeof(rejecting[0]); i++)
        closes_all(rejecting[i], VERDICT_REJECT);
    for (size_t i = 0; i < sizeof(dropping) / sizeof(dropping[0]); i++)
        closes_all(dropping[i], VERDICT_DROP);
    jails = read_text(DOVECOT "blocktype = tarpit\n");
    assert_int_equal(jail(jails, "dovecot")->verdict, VERDICT_OF_MODULE);
    assert_remarked(jails, "text, line 3: blocktype tarpit is not known");
    jails_free(jails);
    jails = read_text("blocktype =\n" DOVECOT "banaction = %(mine)s[blocktype]\nmine = nftables\n"
                      "blocktype = %%(of_no_file)s\n");
    assert_int_equal(jail(jails, "dovecot")->verdict, VERDICT_OF_MODULE);
    assert_null(strstr(jails->remarks, "blocktype"));
    jails_free(jails);
    jails = read_text(DOVECOT "banaction = firewallcmd-ipset\n");
    assert_remarked(jails, "banaction firewallcmd-ipset is not run");
    jails_free(jails);
}

/* Others' bans last as long as recidive says, from its number of bans on; not those that grow in
 * their own way, or are as long already. */
static void
recidive_prolongs_the_bans_of_others(void **state)
{
    struct jails *jails = read_text(
        "[DEFAULT]\nenabled = true\nbantime = 1h\n[recidive]\nbantime = 1d\nmaxretry = 3\n"
        "[dovecot]\n[sieve]\nbantime = 13h\n[postfix]\nbantime = -1\n"
        "[postfix-sasl]\nbantime.increment = true\nbantime.multipliers = 1 5\n");

    (void)state;
    assert_int_equal(jails->count, 4);
    assert_true(jail(jails, "dovecot")->growth.is_on);
    assert_true(jail(jails, "dovecot")->growth.over_all_jails);
    assert_int_equal(jail_bantime(jail(jails, "dovecot"), 0, 0), 3600);
    assert_int_equal(jail_bantime(jail(jails, "dovecot"), 1, 0), 3600);
    assert_int_equal(jail_bantime(jail(jails, "dovecot"), 2, 0), DAY_S);
    assert_int_equal(jail_bantime(jail(jails, "dovecot"), 9, 0), DAY_S);
    assert_false(jail(jails, "sieve")->growth.is_on);
    assert_false(jail(jails, "postfix")->growth.is_on);
    assert_int_equal(jail_bantime(jail(jails, "postfix-sasl"), 2, 0), 5 * 3600);
    jails_free(jails);
    jails = read_text("[recidive]\nenabled = true\nbantime = -1\nmaxretry = 2\n"
                      "[dovecot]\nenabled = true\nbantime = 1h\n");
    assert_int_equal(jail_bantime(jail(jails, "dovecot"), 0, 0), 3600);
    assert_int_equal(jail_bantime(jail(jails, "dovecot"), 1, 0), 3600 * INT64_C(65535));
    jails_free(jails);
}

static void
jails_have_names_of_their_length_and_are_so_many(void **state)
{
    static char text[JAILS_MAX * 64 + 128] = "[DEFAULT]\nenabled = true\nfilter = dovecot\n";
    struct jails *jails;

    (void)state;
    for (unsigned i = 0; i < JAILS_MAX; i++)
        snprintf(text + strlen(text), 64, "[a-name-of-thirty-one-letters-%02u]\n", i);
    jails = read_text(text);
    assert_int_equal(jails->count, JAILS_MAX);
    jails_free(jails);
    strcat(text, "[one-more]\n");
    assert_refused(text, "text, line 64: more than 60 jails");
    assert_refused("[a-name-of-thirty-two-letters-000]\nenabled = true\nfilter = dovecot\n",
                   "the name of a jail has 31 letters at most");
}

static void
takes_what_only_ombanmail_has(void **state)
{
    struct jails *jails = read_text("[DEFAULT]\nenabled = true\nneighbours = 4\nscope = host\n"
                                    "[dovecot]\nmode = observe\n"
                                    "[postfix]\nneighbours = off\nscope = fleet\nmode = extra\n");

    (void)state;
    assert_true(jail(jails, "dovecot")->is_observing);
    assert_true(jail(jails, "dovecot")->is_per_host);
    assert_int_equal(jail(jails, "dovecot")->neighbours, 4);
    assert_false(jail(jails, "postfix")->is_observing);
    assert_false(jail(jails, "postfix")->is_per_host);
    assert_int_equal(jail(jails, "postfix")->neighbours, 0);
    jails_free(jails);
    assert_refused(DOVECOT "neighbours = on\n", "off, or a whole number from 2 to 16, is allowed");
    assert_refused(DOVECOT "neighbours = many\n", "off, or a whole number");
    assert_refused(DOVECOT "neighbours = 17\n", "line 3");
    assert_refused(DOVECOT "scope = all\n", JAIL_SCOPES " is allowed");
    assert_refused(DOVECOT "classes = benign\n", "a class that may count");
    assert_refused(DOVECOT "classes = ,\n", "the names of classes are allowed");
}

/* Whatever the bytes are: an answer, and nothing read or written out of bounds (ASan looks). */
static void
bears_hostile_bytes(void **state)
{
    static const char seed[] =
        "[INCLUDES]\nbefore = x\n[DEFAULT]\nbantime = %(a)s\na = 1w ; c\nignoreip = 192.0.2.1\n"
        " 2001:db8::/32\nport = 1:5,smtp\n[dovecot]\nenabled = true\nfilter = postfix[mode=auth]\n"
        "bantime.multipliers = 1 2 3\n[custom]\nenabled = yes\nfindtime = 3 weeks 2d\n";
    struct jails *jails;
    uint64_t random = 7;
    unsigned taken = 0;
    char text[sizeof(seed)];

    (void)state;
    assert_refused("[dovecot]\nenabled = true\nbantime = 1\x01h\n", "line 3: a byte");
    for (unsigned round = 0; round < 20000; round++) {
        memcpy(text, seed, sizeof(text));
        for (unsigned i = 0; i < 1 + round % 5; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            text[(random >> 33) % (sizeof(seed) - 1)] =
                round % 3 == 0 ? "[]%()s=:;# \n\t,"[(random >> 20) % 14] : (char)(random >> 25);
        }
        jails = NULL;
        if (jails_read_text(text, "text", &jails, reason) == 0)
            taken++;
        jails_free(jails);
    }
    assert_in_range(taken, 100, 19900);
    write_file("nul", "[a]\nb = \0c\n", 11);
    assert_int_not_equal(jails_read(path_of("nul"), &jails, reason), 0);
    assert_non_null(strstr(reason, "line 2"));
    unlink(path_of("nul"));
}

/* ---- the way back ---- */

static void
prints_what_declares_the_same(void **state)
{
    static const char text[] =
        "[DEFAULT]\nbantime = 90m\nfindtime = 36h\n[dovecot]\nenabled = true\nmode = aggressive\n"
        "ignoreip = 192.0.2.1 home.example.org\nbantime.increment = true\nbantime.factor = 1.5\n"
        "bantime.multipliers = 1 2 4\nbantime.maxtime = 3w\nbantime.rndtime = 5m\n"
        "bantime.overalljails = true\n"
        "[mine]\nenabled = true\nclasses = rcpt_unknown probe\nport = 25\nipv6prefix = 128\n"
        "ipv4prefix = 24\nmaxretry = 10\nobserve = true\n"
        "repeats = none\nloginAllowance = 2\nmailAllowance = 3\nskipBounces = on\n"
        "[custom]\nenabled = true\nbantime = -1\nport = all\nblocktype = reject\n"
        "[bad]\nenabled = true\nfilter = postfix\n";
    struct jails *const jails = read_text(text);
    char *printed = NULL;
    size_t length;
    FILE *const file = open_memstream(&printed, &length);
    struct jails *again;

    (void)state;
    jails_print(jails, file);
    fclose(file);
    again = read_text(printed);
    assert_int_equal(jails->count, 4);
    assert_int_equal(again->count, jails->count);
    for (unsigned i = 0; i < jails->count; i++) {
        assert_memory_equal(&again->at[i].jail, &jails->at[i].jail, sizeof(struct jail));
        assert_string_equal(again->at[i].ignoreip, jails->at[i].ignoreip);
    }
    assert_string_equal(again->remarks, "");
    free(printed);
    jails_free(again);
    jails_free(jails);
}

/* A section that has nothing but what [DEFAULT] has is a jail as well. */
/* As jail.local changes jail.conf. */
static void
a_file_changes_a_preset(void **state)
{
    static const char text[] = "[DEFAULT]\nbantime = 2w\n[auth]\nmaxretry = 4\n"
                               "[abuse]\nenabled = false\n[sieve]\nmaxretry = 3\n"
                               "[dovecot]\nenabled = true\nneighbours = 4\nneighbourstime = 2h\n"
                               "scope = host\n";
    struct jails *jails = NULL, *again = NULL;
    char *printed = NULL;
    size_t length;
    FILE *file;

    (void)state;
    write_file("over.conf", text, strlen(text));
    assert_int_equal(preset_read_file("balanced", path_of("over.conf"), &jails, reason), 0);
    assert_int_equal(jails->count, 5);
    assert_int_equal(jail(jails, "auth")->maxretry, 4);
    assert_int_equal(jail(jails, "auth")->bantime_s, DAY_S); /* its own, not of [DEFAULT] */
    assert_int_equal(jail(jails, "harvest")->maxretry, 10);
    assert_int_equal(jail(jails, "dovecot")->bantime_s, 14 * DAY_S);
    assert_int_equal(jail(jails, "dovecot")->neighbours, 4);
    assert_string_equal(entry(jails, "harvest")->origin, "preset balanced");
    assert_non_null(strstr(entry(jails, "auth")->origin, "preset balanced, changed by /"));
    assert_non_null(strstr(entry(jails, "dovecot")->origin, "over.conf, line 9"));
    file = open_memstream(&printed, &length);
    jails_print(jails, file);
    fclose(file);
    assert_int_equal(jails_read_text(printed, "text", &again, reason), 0);
    assert_int_equal(jail(again, "dovecot")->neighbours, 4);
    assert_int_equal(jail(again, "dovecot")->neighbours_s, 2 * 3600);
    assert_true(jail(again, "dovecot")->is_per_host);
    assert_false(jail(again, "auth")->is_per_host);
    free(printed);
    jails_free(again);
    jails_free(jails);
    assert_int_equal(preset_read_file("loud", path_of("over.conf"), &jails, reason), -ENOENT);
}

static void
presets_are_what_they_say(void **state)
{
    static const char *const names[] = {"balanced", "strict", "lenient", "observe"};
    static const unsigned counts[] = {5, 8, 1, 5};
    struct jails *jails;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        if (preset_read(names[i], &jails, reason) != 0)
            fail_msg("%s", reason);
        assert_string_equal(jails->remarks, "");
        assert_int_equal(jails->count, counts[i]);
        for (unsigned at = 0; at < jails->count; at++)
            assert_int_equal(jails->at[at].jail.is_observing, i == 3);
        jails_free(jails);
    }
    assert_int_equal(preset_read("balanced", &jails, reason), 0);
    assert_int_equal(jail(jails, "unknown-user")->maxretry, 3);
    assert_int_equal(jail(jails, "unknown-user")->repeats, JAIL_REPEATS_NONE);
    assert_int_equal(jail(jails, "harvest")->ports.count, 1);
    assert_int_equal(jail(jails, "harvest")->v6_bits, 128);
    assert_int_equal(jail(jails, "auth")->growth.max_s, 28 * DAY_S);
    assert_int_equal(jail(jails, "auth")->kindness.login_allowance, 2);
    assert_string_equal(entry(jails, "relay")->origin, "preset balanced");
    jails_free(jails);
    assert_int_equal(preset_read("strict", &jails, reason), 0);
    assert_int_equal(jail(jails, "postfix-sasl-unknown")->maxretry, 1);
    assert_true(ports_are_all(&jail(jails, "postfix-rcpt-unknown")->ports));
    jails_free(jails);
    assert_int_not_equal(preset_read("loud", &jails, reason), 0);
}

/* Lines that fail2ban's regular expressions match, and lines that they do not. */
static void
filters_count_what_those_of_fail2ban_match(void **state)
{
    static const struct {
        const char *name, *mode;
        enum offence_class class;
        bool counts;
    } cases[] = {
        {"postfix", "normal", OFFENCE_PROBE, true}, /* reject: VRFY */
        {"postfix", "normal", OFFENCE_AUTH_REFUSED, false},
        {"postfix", "normal", OFFENCE_TLS_UNEXPECTED, false}, /* on purpose: coverage.md */
        {"postfix", "ddos", OFFENCE_AUTH_REFUSED, true},      /* disconnect … auth=0/1 */
        {"postfix", "ddos", OFFENCE_RATE_LIMITED, true},
        {"postfix", "ddos", OFFENCE_TLS_UNEXPECTED, true}, /* PREGREET, whatever it is */
        {"postfix", "ddos", OFFENCE_AUTH_FAILED, false},
        {"postfix", "aggressive", OFFENCE_RATE_LIMITED, true},
        {"postfix", "aggressive", OFFENCE_TLS_FAILED, false},
        {"dovecot", "normal", OFFENCE_TLS_FAILED, false},
        {"dovecot", "aggressive", OFFENCE_TLS_FAILED, true},
        {"dovecot", "aggressive", OFFENCE_TLS_UNEXPECTED, true}, /* Too many invalid commands */
        {"dovecot", "aggressive", OFFENCE_PROTOCOL_ABUSE, true}, /* (no auth attempts in 3 secs) */
        {"dovecot", "normal", OFFENCE_PROTOCOL_ABUSE, false},
        {"dovecot", "aggressive", OFFENCE_CONN_LOST, false},
        {"dovecot", "normal", OFFENCE_AUTH_PLAINTEXT_DISALLOWED, true},
        /* the right password: of a user who is disabled, or while mail can't be served */
        {"dovecot", "normal", OFFENCE_AUTH_DISABLED, false},
        {"dovecot", "aggressive", OFFENCE_AUTH_DISABLED, false},
        {"sieve", "", OFFENCE_AUTH_DISABLED, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct jails_filter *const filter = jails_filter_find(cases[i].name, cases[i].mode);

        assert_int_equal(filter->classes >> cases[i].class & 1, cases[i].counts);
    }
}

static void
each_filter_is_found(void **state)
{
    const struct jails_filter *filter;

    (void)state;
    for (size_t i = 0; (filter = jails_filter_at(i)) != NULL; i++) {
        assert_ptr_equal(jails_filter_find(filter->name, filter->mode), filter);
        assert_int_equal(filter->classes & ~OFFENCE_COUNTABLE, 0);
    }
    assert_null(jails_filter_find("vsftpd", ""));
    assert_int_equal(jails_filter_find("sshd", "")->services, JAIL_SERVICES_SSHD);
    assert_null(jails_filter_find("postfix", "loud"));
    assert_string_equal(jails_filter_find("postfix", "")->mode, "more");
}

static void
each_value_is_taken_or_refused_at_its_bounds(void **state)
{
    static const char *const good[] = {
        "bantime.factor = 0.001",
        "bantime.factor = 1000",
        "bantime.maxtime =",
        "bantime.rndtime =",
        "bantime.rndtime = 0",
        "bantime.rndtime = 30s",
        "bantime = 1 year 2 mo",
        "bantime = 1h 30 min",
        "bantime = 1h 1h 1h 1h 1h 1h 1h 1h 1h 1h 1h 1h",
        "findtime = 86400",
        "port = 25:40",
        "port = 143-143",
        "port = 1:65535",
        "port = all",
        "banaction = nftables-allports",
        "banaction = route",
        "banaction = iptables-multiport",
        "banaction =",
        "bantime.multipliers = 1 2 4 8 16 32 64 128 256 512 1024 2048 4096 8192 16384 65535"};
    static const char *const bad[] = {
        "bantime.factor = 0",
        "bantime.factor = -1",
        "bantime.factor = 1000.1",
        "bantime.factor = nan",
        "bantime.factor = inf",
        "bantime.factor = 2x",
        "bantime.factor = x",
        "bantime.maxtime = x",
        "bantime.rndtime = x",
        "bantime.multipliers = 0",
        "bantime.multipliers = 1 x",
        "bantime.multipliers = 65536",
        "bantime.multipliers = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
        "port = 25:24",
        "port = 25:65536",
        "port = no-such-service",
        "bantime = 1 lightyear",
        "bantime = 1 fortnight and a day or two, or as long as it takes to get rid of them all",
        "bantime = 100000000000000000000000000000000000000s",
        "findtime = -5",
        "maxretry = 0"};
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(text, sizeof(text), "[dovecot]\nenabled = true\nbantime.increment = true\n%s\n",
                 good[i]);
        jails_free(read_text(text));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "[dovecot]\nenabled = true\nbantime.increment = true\n%s\n",
                 bad[i]);
        assert_refused(text, "line 4");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_example_of_docker_mailserver),
        cmocka_unit_test(reads_debians_file_with_a_jail_local),
        cmocka_unit_test(reads_a_list_of_a_container),
        cmocka_unit_test(replaces_what_stands_in_values),
        cmocka_unit_test(reads_comments_and_lines_that_go_on),
        cmocka_unit_test(takes_lists_of_others),
        cmocka_unit_test(loses_nothing_of_a_long_line),
        cmocka_unit_test(includes_files),
        cmocka_unit_test(refuses_wrong_values_with_their_lines),
        cmocka_unit_test(remarks_what_is_not_known),
        cmocka_unit_test(names_what_it_passes_over),
        cmocka_unit_test(takes_the_ports_of_an_action),
        cmocka_unit_test(takes_the_verdict_of_an_action),
        cmocka_unit_test(bears_hostile_bytes),
        cmocka_unit_test(prints_what_declares_the_same),
        cmocka_unit_test(presets_are_what_they_say),
        cmocka_unit_test(a_file_changes_a_preset),
        cmocka_unit_test(each_filter_is_found),
        cmocka_unit_test(filters_count_what_those_of_fail2ban_match),
        cmocka_unit_test(each_value_is_taken_or_refused_at_its_bounds),
        cmocka_unit_test(reads_a_directory_in_the_order_of_fail2ban),
        cmocka_unit_test(a_folder_that_cannot_be_read_refuses_all),
        cmocka_unit_test(recidive_prolongs_the_bans_of_others),
        cmocka_unit_test(jails_have_names_of_their_length_and_are_so_many),
        cmocka_unit_test(takes_what_only_ombanmail_has),
    };
    int failed;

    assert_non_null(mkdtemp(directory));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(directory);
    return failed;
}
