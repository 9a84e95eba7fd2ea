/* test_stories: a month of honest people and of attackers, line by line, under jails that are kind:
 * who is banned, and after how many guesses.
 *
 * Fails when an honest one is banned, or when an attacker is not, or later than docs/kindness.md
 * says.
 *
 * Time comes with the lines: a month takes a moment. The numbers are printed.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table_fixture.h"

#include <json.h>

#include "base/object.h"
#include "base/readers.h"
#include "count/counter.h"
#include "count/gateway.h"
#include "rules/preset.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MS    (24 * HOUR_MS)
#define MONTH_MS  (30 * DAY_MS)
#define DAY_S     (24 * 3600)

static struct fixture f;
static struct counter *counter;
static struct readers readers;
static struct reader worker;
static int64_t now_ms;
static unsigned number;                /* of lines */
static char banned_by[JAIL_NAME_SIZE]; /* the jail that made the latest ban; "": none did */

/* ---- the jails ---- */

/* The jails of the default preset, as the module declares them; and one for the patient, which
 * docs/kindness.md describes. */
static void
add_jail(const struct jail *jail)
{
    struct counter_action action = {.jail = *jail};
    const int index = table_jail(f.table, jail);

    assert_true(index > 0);
    action.jail_index = (unsigned)index;
    assert_true(counter_add_jail(counter, 0, &action) >= 0);
}

static void
add_jails(void)
{
    static const char patient[] =
        "[patient]\nenabled = true\nclasses = auth_failed auth_unknown_user\n"
        "maxretry = 10\nfindtime = 4w\nbantime = 7d\nrepeats = none\n"
        "loginforgives = true\nloginallowance = 2\n";
    struct counter_action action = {0};
    char reason[SETTINGS_REASON_SIZE];
    struct jails *balanced, *more;

    jail_defaults(&action.jail);
    action.jail.classes = 0;
    assert_true(counter_add_action(counter, &action) >= 0);
    assert_int_equal(preset_read(PRESET_DEFAULT, &balanced, reason), 0);
    assert_int_equal(jails_read_text(patient, "docs/kindness.md", &more, reason), 0);
    for (unsigned i = 0; i < balanced->count; i++)
        add_jail(&balanced->at[i].jail);
    add_jail(&more->at[0].jail);
    jails_free(balanced);
    jails_free(more);
}

static void
open_counter(void)
{
    const struct counter_options options = {
        .table = f.table,
        .stamps = {.age_ms = HOUR_MS, .ahead_ms = MINUTE_MS},
        .evidence = EVIDENCE_NONE,
        .gateway_users = GATEWAY_USERS_DEFAULT,
        .host = "mx1",
    };

    counter = counter_new(&options);
    assert_non_null(counter);
    add_jails();
}

static int
setup(void **state)
{
    (void)state;
    fixture_prepare(&f, 65536, 4096);
    assert_int_equal(table_open(&f.options, &f.table, &f.is_new), 0);
    readers = (struct readers)READERS_INITIALIZER;
    readers_join(&readers, &worker);
    now_ms = NOON_MS;
    banned_by[0] = '\0';
    open_counter();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    counter_free(counter);
    readers_leave(&readers, &worker);
    fixture_end(&f);
    return 0;
}

/* rsyslogd is started anew. */
static void
restart(void)
{
    counter_free(counter);
    fixture_close(&f);
    assert_int_equal(table_open(&f.options, &f.table, &f.is_new), 0);
    open_counter();
}

/* ---- lines ---- */

static void
note_bans(const struct counter_outcome *outcome)
{
    struct jail jail;

    if (outcome->banning == 0)
        return;
    assert_true(table_read_jail(f.table, (unsigned)__builtin_ctzll(outcome->banning), &jail));
    snprintf(banned_by, sizeof banned_by, "%s", jail.name);
}

/* A line of smtpd's or of a login process, of a text of its own, with these fields. */
static void
say(const char *tag, const char *fields, const char *text_behind)
{
    char text[256];
    struct counter_outcome outcome;
    struct line line = {
        .host = {"mx1", 3},
        .tag = {tag, strlen(tag)},
        .program = {tag, strcspn(tag, "[")},
        .input = {"imuxsock", 8},
        .text = {text, 0},
        .stamp_us = now_ms / 1000 * 1000000,
        .received_ms = now_ms,
        .now_ms = now_ms,
    };
    int64_t next_ms;

    table_expire(f.table, now_ms, &next_ms);
    keep(f.table, now_ms);
    write_down(f.table);
    line.text.length = (size_t)snprintf(text, sizeof text, "line %u %s", number++, text_behind);
    line.fields = object_parse(fields, strlen(fields));
    assert_non_null(line.fields);
    counter_take(counter, &line, 0, &worker, &outcome);
    note_bans(&outcome);
    fjson_object_put(line.fields);
}

static void
login_line(const char *class, const char *ip, const char *user)
{
    char fields[512];

    snprintf(fields, sizeof fields, "{\"class\":\"%s\",\"ip\":\"%s\",\"user\":\"%s\"}", class, ip,
             user);
    say("dovecot: imap-login", fields, "");
}

static void
log_in(const char *ip, const char *user)
{
    login_line("login_ok", ip, user);
}

static void
guess_at(const char *ip, const char *user)
{
    login_line("auth_failed", ip, user);
}

/* Where the log has a hash of the secret. */
static void
guess_with(const char *ip, const char *user, unsigned secret)
{
    char fields[512];

    snprintf(fields, sizeof fields,
             "{\"class\":\"auth_failed\",\"ip\":\"%s\",\"user\":\"%s\",\"secret\":\"%06x\"}", ip,
             user, secret);
    say("dovecot: imap-login", fields, "");
}

static void
reject(const char *class, const char *ip, const char *sender)
{
    char fields[512], text[128];

    snprintf(fields, sizeof fields,
             "{\"class\":\"%s\",\"ip\":\"%s\",\"code\":\"550\",\"dsn\":\"5.1.1\"}", class, ip);
    snprintf(text, sizeof text, "<x@example.org>: User unknown; from=<%s> to=<x@example.org>",
             sender);
    say("postfix/smtpd[7]:", fields, text);
}

/* Of a mechanism that the server does not have. */
static void
ask_for_ntlm(const char *ip)
{
    char fields[128];

    snprintf(fields, sizeof fields, "{\"class\":\"auth_mech_unsupported\",\"ip\":\"%s\"}", ip);
    say("postfix/submission/smtpd[7]:", fields, "");
}

/* Postfix tells of the login when it takes a mail. */
static void
submit(const char *ip, const char *user)
{
    char fields[512];

    snprintf(fields, sizeof fields, "{\"class\":\"login_ok\",\"ip\":\"%s\",\"user\":\"%s\"}", ip,
             user);
    say("postfix/submission/smtpd[7]:", fields, "sasl_method=LOGIN");
}

static void
take_mail(const char *ip)
{
    char fields[128];

    snprintf(fields, sizeof fields, "{\"class\":\"mail_accepted\",\"ip\":\"%s\"}", ip);
    say("postfix/smtpd[7]:", fields, "client=");
}

static const char *
user_of(unsigned user)
{
    static char names[8][32];
    char *const name = names[user % 8];

    snprintf(name, sizeof names[0], "user%u@example.org", user);
    return name;
}

static bool
is_banned(void)
{
    return banned_by[0] != '\0';
}

/* ---- the honest ---- */

static void
assert_nobody_was_banned(const char *story)
{
    if (is_banned())
        fail_msg("%s: banned by %s", story, banned_by);
    printf("# %-58s  not banned\n", story);
}

static void
a_family_with_a_phone_that_has_an_old_password(void **state)
{
    (void)state;
    for (; now_ms < NOON_MS + MONTH_MS; now_ms += 15 * MINUTE_MS) {
        guess_at("203.0.113.10", user_of(1)); /* the phone, every quarter of an hour */
        if (now_ms % (4 * HOUR_MS) == 0)
            for (unsigned user = 1; user <= 3; user++)
                log_in("203.0.113.10", user_of(user));
    }
    assert_nobody_was_banned("family; a phone with an old password, each 15 min");
}

/* A phone takes another address of its network's IPv6 prefix each time. */
static void
a_phone_with_privacy_addresses(void **state)
{
    char ip[64];

    (void)state;
    for (; now_ms < NOON_MS + MONTH_MS; now_ms += 15 * MINUTE_MS) {
        snprintf(ip, sizeof ip, "2001:db8:7:1:%x:%x:0:1", number & 0xffff, number % 251);
        guess_at(ip, user_of(1));
        if (now_ms % (4 * HOUR_MS) == 0)
            log_in("2001:db8:7:1::10", user_of(1));
    }
    assert_nobody_was_banned("the same phone, with another IPv6 address each time");
}

/* Its owner uses nothing else, and the log has no hash: it may as well be an attacker. */
static void
a_phone_alone_with_an_old_password(void **state)
{
    (void)state;
    for (; now_ms < NOON_MS + MONTH_MS; now_ms += 20 * MINUTE_MS) {
        guess_at("203.0.113.11", user_of(1));
        if (now_ms % (8 * HOUR_MS) == 0)
            log_in("203.0.113.11", user_of(2));
    }
    assert_nobody_was_banned("another's phone only, with an old password, each 20 min");
}

static void
a_phone_whose_old_password_the_log_tells(void **state)
{
    (void)state;
    for (; now_ms < NOON_MS + MONTH_MS; now_ms += MINUTE_MS)
        guess_with("203.0.113.12", user_of(1), 0x5baa61);
    assert_nobody_was_banned("a phone each minute, and the log has the secret's hash");
}

static void
somebody_mistypes_every_morning(void **state)
{
    (void)state;
    for (; now_ms < NOON_MS + MONTH_MS; now_ms += DAY_MS) {
        for (unsigned i = 0; i < 4; i++, now_ms += 5000)
            guess_with("203.0.113.13", user_of(1), number);
        log_in("203.0.113.13", user_of(1));
        now_ms -= 20000;
    }
    assert_nobody_was_banned("four typos and the right password every morning");
}

static void
an_office_of_40_with_five_old_passwords(void **state)
{
    (void)state;
    for (unsigned day = 0; day < 30; day++) {
        for (unsigned i = 0; i < 96; i++, now_ms += 15 * MINUTE_MS) {
            if (i % 8 == 0)
                for (unsigned user = 5; user < 40; user++)
                    log_in("203.0.113.20", user_of(user));
            if (i == 50)
                restart();
            for (unsigned phone = 0; phone < 5; phone++)
                guess_at("203.0.113.20", user_of(phone));
        }
    }
    assert_nobody_was_banned("office of 40, five phones with old passwords, restarts");
}

/* Too few log in to make it a gateway; the phones' owners do not. */
static void
a_small_office_with_five_old_passwords(void **state)
{
    unsigned failures = 0;

    (void)state;
    log_in("203.0.113.21", user_of(6));
    for (unsigned i = 0; i < 10; i++, now_ms += 15 * MINUTE_MS)
        for (unsigned phone = 0; phone < 5; phone++, failures++)
            guess_at("203.0.113.21", user_of(phone));
    assert_nobody_was_banned("five phones fail ten times each, somebody else logs in");
    for (; !is_banned() && failures < 1000; failures++)
        guess_at("203.0.113.21", user_of(failures % 5));
    assert_int_equal(failures, 55); /* docs/kindness.md says so */
}

static void
a_small_office_where_the_log_tells_the_secrets(void **state)
{
    (void)state;
    for (; now_ms < NOON_MS + MONTH_MS; now_ms += 15 * MINUTE_MS) {
        if ((now_ms - NOON_MS) % DAY_MS == 0)
            log_in("203.0.113.22", user_of(6));
        for (unsigned phone = 0; phone < 5; phone++)
            guess_with("203.0.113.22", user_of(phone), 0x5baa61 + phone);
    }
    assert_nobody_was_banned("the same for a month, and the log has the secrets' hash");
}

/* All have logged in the week before; then every client fails for four hours. */
static void
a_migration(void **state)
{
    char ip[32];

    (void)state;
    for (unsigned client = 0; client < 200; client++, now_ms += MINUTE_MS) {
        snprintf(ip, sizeof ip, "203.0.113.%u", client);
        log_in(ip, user_of(client));
    }
    now_ms += DAY_MS;
    for (unsigned i = 0; i < 48; i++, now_ms += 5 * MINUTE_MS)
        for (unsigned client = 0; client < 200; client++) {
            snprintf(ip, sizeof ip, "203.0.113.%u", client);
            guess_at(ip, user_of(client));
        }
    assert_nobody_was_banned("migration: 200 clients fail for 4 hours each 5 min");
}

/* Nobody has been seen before. */
static void
the_first_day(void **state)
{
    (void)state;
    table_learn_until(f.table, NOON_MS + DAY_MS);
    for (unsigned i = 0; i < 80; i++, now_ms += 3 * MINUTE_MS)
        guess_at("203.0.113.14", user_of(1));
    log_in("203.0.113.14", user_of(1));
    assert_nobody_was_banned("the first day: a client fails for 4 hours each 3 min");
}

static void
a_big_sender_with_typos(void **state)
{
    (void)state;
    for (; now_ms < NOON_MS + MONTH_MS; now_ms += 2 * MINUTE_MS) {
        take_mail("203.0.113.30");
        reject("rcpt_unknown", "203.0.113.30", "shop@example.net");
    }
    assert_nobody_was_banned("big sender: 30 mails an hour, 30 names that do not exist");
}

static void
a_mailing_list_with_five_dead_recipients(void **state)
{
    (void)state;
    for (; now_ms < NOON_MS + MONTH_MS; now_ms += 10 * MINUTE_MS) {
        take_mail("2001:db8:7::25");
        for (unsigned i = 0; i < 5; i++)
            reject("rcpt_unknown", "2001:db8:7::25", "list-bounces@example.net");
    }
    assert_nobody_was_banned("mailing list: five dead recipients beside accepted mail");
}

static void
a_mail_server_that_bounces(void **state)
{
    (void)state;
    for (; now_ms < NOON_MS + 2 * DAY_MS; now_ms += 10000)
        reject("rcpt_unknown", "203.0.113.31", "");
    assert_nobody_was_banned("bounces of mail with forged senders, 360 an hour");
}

static void
a_server_that_tries_ntlm_before_each_mail(void **state)
{
    (void)state;
    for (; now_ms < NOON_MS + MONTH_MS; now_ms += 5 * MINUTE_MS) {
        ask_for_ntlm("203.0.113.32");
        submit("203.0.113.32", user_of(1));
    }
    assert_nobody_was_banned("a server that tries NTLM, then logs in, each 5 min");
}

static void
a_user_with_an_old_address_book(void **state)
{
    (void)state;
    for (; now_ms < NOON_MS + MONTH_MS; now_ms += HOUR_MS) {
        submit("203.0.113.33", user_of(1));
        for (unsigned i = 0; i < 30; i++)
            reject("rcpt_unknown", "203.0.113.33", user_of(1));
    }
    assert_nobody_was_banned("who logs in and writes to 30 dead addresses, each hour");
}

static void
a_network_behind_one_address(void **state)
{
    (void)state;
    for (; now_ms < NOON_MS + MONTH_MS; now_ms += 30 * MINUTE_MS) {
        const unsigned round = (unsigned)(now_ms / MINUTE_MS / 30);

        for (unsigned i = 0; i < 3; i++)
            log_in("203.0.113.40", user_of(round * 3 % 60 + i));
        guess_at("203.0.113.40", user_of(round % 60));
    }
    assert_nobody_was_banned("provider's NAT: 60 users, one fails each 30 min");
}

static void
a_webmail(void **state)
{
    (void)state;
    for (; now_ms < NOON_MS + 7 * DAY_MS; now_ms += 2 * MINUTE_MS) {
        const unsigned round = (unsigned)(now_ms / MINUTE_MS / 2);

        log_in("203.0.113.41", user_of(round % 100));
        if (round % 5 == 0)
            guess_at("203.0.113.41", user_of(round % 200));
    }
    assert_nobody_was_banned("webmail: 100 users, one in five mistypes");
}

static void
a_backup_script_that_pipelines(void **state)
{
    (void)state;
    for (; now_ms < NOON_MS + MONTH_MS; now_ms += DAY_MS)
        for (unsigned i = 0; i < 20; i++) {
            log_in("203.0.113.50", user_of(1));
            say("postfix/smtpd[8]:", "{\"class\":\"login_ok\",\"ip\":\"203.0.113.50\"}", "");
            say("postfix/smtpd[8]:",
                "{\"class\":\"protocol_abuse\",\"fault\":\"pipelining\",\"ip\":\"203.0.113.50\"}",
                "");
        }
    assert_nobody_was_banned("backup script: logs in and pipelines, 20 mails a night");
}

static void
a_client_that_speaks_tls_to_a_starttls_port(void **state)
{
    (void)state;
    for (; now_ms < NOON_MS + DAY_MS; now_ms += MINUTE_MS) {
        say("postfix/smtpd[9]:", "{\"class\":\"tls_unexpected\",\"ip\":\"203.0.113.51\"}", "");
        say("postfix/smtpd[9]:", "{\"class\":\"client_setup\",\"ip\":\"203.0.113.51\"}", "");
        say("postfix/smtpd[9]:", "{\"class\":\"greylisted\",\"ip\":\"203.0.113.51\"}", "");
    }
    assert_nobody_was_banned("TLS on a STARTTLS port, and a mail program's set-up");
}

/* ---- the attackers ---- */

/* After so many guesses, at most `most`. */
static void
assert_banned(const char *story, unsigned guesses, unsigned most)
{
    if (!is_banned())
        fail_msg("%s: not banned after %u guesses", story, guesses);
    printf("# %-58s  %3u guesses, %s\n", story, guesses, banned_by);
    if (guesses > most)
        fail_msg("%s: %u guesses, more than %u", story, guesses, most);
}

static void
a_sprayer(void **state)
{
    unsigned guesses = 0;

    (void)state;
    for (; !is_banned() && guesses < 1000; guesses++, now_ms += MINUTE_MS)
        guess_at("198.51.100.10", user_of(guesses));
    assert_banned("one guess for each user, each minute", guesses, 5);
}

static void
a_sprayer_of_names(void **state)
{
    unsigned guesses = 0;

    (void)state;
    for (; !is_banned() && guesses < 1000; guesses++, now_ms += MINUTE_MS)
        login_line("auth_unknown_user", "198.51.100.11", user_of(guesses));
    assert_banned("names that do not exist", guesses, 3);
}

static void
guesses_at_one_mailbox(void **state)
{
    unsigned guesses = 0;

    (void)state;
    for (; !is_banned() && guesses < 1000; guesses++, now_ms += 20 * MINUTE_MS)
        guess_at("198.51.100.12", user_of(1));
    assert_banned("one mailbox, each 20 min", guesses, 41);
}

static void
guesses_at_one_mailbox_that_the_log_tells_apart(void **state)
{
    unsigned guesses = 0;

    (void)state;
    for (; !is_banned() && guesses < 1000; guesses++, now_ms += 4 * HOUR_MS)
        guess_with("198.51.100.13", user_of(1), guesses);
    assert_banned("the same each 4 hours, and the log has the secret's hash", guesses, 10);
}

/* It guesses at nobody: as guesses at one mailbox. */
static void
a_prober_of_mechanisms(void **state)
{
    unsigned guesses = 0;

    (void)state;
    for (; !is_banned() && guesses < 1000; guesses++, now_ms += MINUTE_MS)
        ask_for_ntlm("198.51.100.21");
    assert_banned("an unsupported mechanism, each minute", guesses, 41);
}

static void
a_harvester(void **state)
{
    unsigned guesses = 0;

    (void)state;
    for (; !is_banned() && guesses < 1000; guesses++, now_ms += 10000)
        reject("rcpt_unknown", "198.51.100.14", "x@example.net");
    assert_banned("harvester of recipients", guesses, 10);
}

static void
a_harvester_who_sends_mail(void **state)
{
    unsigned guesses = 0;

    (void)state;
    take_mail("198.51.100.15");
    for (; !is_banned() && guesses < 1000; guesses++, now_ms += 10000)
        reject("rcpt_unknown", "198.51.100.15", "x@example.net");
    assert_banned("the same, who knows one that exists", guesses, 100);
}

static void
a_relay_prober(void **state)
{
    unsigned guesses = 0;

    (void)state;
    for (; !is_banned() && guesses < 1000; guesses++, now_ms += MINUTE_MS)
        say("postfix/smtpd[9]:",
            "{\"class\":\"relay_denied\",\"ip\":\"198.51.100.16\",\"code\":\"454\",\"dsn\":"
            "\"4.7.1\"}",
            "");
    assert_banned("relay prober, where Postfix defers", guesses, 5);
}

static void
an_attacker_with_an_account(void **state)
{
    unsigned guesses = 0;

    (void)state;
    log_in("198.51.100.17", user_of(999));
    now_ms += HOUR_MS;
    for (; !is_banned() && guesses < 1000; guesses++, now_ms += MINUTE_MS)
        guess_at("198.51.100.17", user_of(guesses));
    assert_banned("one guess for each user, by one who has an account", guesses, 10);
}

static void
an_attacker_who_alternates(void **state)
{
    unsigned guesses = 0;

    (void)state;
    for (; !is_banned() && guesses < 1000; guesses++, now_ms += MINUTE_MS) {
        log_in("198.51.100.18", user_of(999));
        guess_at("198.51.100.18", user_of(guesses));
    }
    assert_banned("the same, who logs in before each guess", guesses, 10);
}

static void
many_addresses_of_one_network(void **state)
{
    unsigned guesses = 0;
    char ip[64];

    (void)state;
    for (; !is_banned() && guesses < 1000; guesses++, now_ms += MINUTE_MS) {
        snprintf(ip, sizeof ip, "2001:db8:bad:1::%x", guesses + 1);
        guess_at(ip, user_of(guesses));
    }
    assert_banned("each guess from another address of an IPv6 /64", guesses, 5);
}

static void
one_guess_a_day(void **state)
{
    unsigned guesses = 0;

    (void)state;
    for (; !is_banned() && guesses < 30; guesses++, now_ms += DAY_MS)
        guess_at("198.51.100.19", user_of(guesses));
    assert_banned("one guess a day, each for another user", guesses, 10);
}

/* The second ban is twice as long, and so on. */
static void
who_comes_back_is_banned_longer(void **state)
{
    unsigned guesses = 0, bans = 0;

    (void)state;
    for (; now_ms < NOON_MS + MONTH_MS; now_ms += HOUR_MS) {
        struct ban ban;

        if (find_ban(f.table, "198.51.100.20", &ban) && ban.until_ms > now_ms)
            continue; /* nothing of him comes in */
        banned_by[0] = '\0';
        guess_at("198.51.100.20", user_of(guesses++));
        bans += is_banned();
    }
    printf("# %-58s  %3u guesses in a month, %u bans\n", "who comes back after each ban", guesses,
           bans);
    assert_in_range(guesses, 1, 30);
}

int
main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORY(a_family_with_a_phone_that_has_an_old_password),
        STORY(a_phone_with_privacy_addresses),
        STORY(a_phone_alone_with_an_old_password),
        STORY(a_phone_whose_old_password_the_log_tells),
        STORY(somebody_mistypes_every_morning),
        STORY(an_office_of_40_with_five_old_passwords),
        STORY(a_small_office_with_five_old_passwords),
        STORY(a_small_office_where_the_log_tells_the_secrets),
        STORY(a_migration),
        STORY(the_first_day),
        STORY(a_big_sender_with_typos),
        STORY(a_mailing_list_with_five_dead_recipients),
        STORY(a_mail_server_that_bounces),
        STORY(a_server_that_tries_ntlm_before_each_mail),
        STORY(a_user_with_an_old_address_book),
        STORY(a_network_behind_one_address),
        STORY(a_webmail),
        STORY(a_backup_script_that_pipelines),
        STORY(a_client_that_speaks_tls_to_a_starttls_port),
        STORY(a_sprayer),
        STORY(a_sprayer_of_names),
        STORY(guesses_at_one_mailbox),
        STORY(guesses_at_one_mailbox_that_the_log_tells_apart),
        STORY(a_prober_of_mechanisms),
        STORY(a_harvester),
        STORY(a_harvester_who_sends_mail),
        STORY(a_relay_prober),
        STORY(an_attacker_with_an_account),
        STORY(an_attacker_who_alternates),
        STORY(many_addresses_of_one_network),
        STORY(one_guess_a_day),
        STORY(who_comes_back_is_banned_longer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
