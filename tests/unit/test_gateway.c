/* Gateways: several users within a day make one, the same user again and again does not, nor do
 * users of yesterday or of the neighbour; a crowd of other clients pushes none out. A gateway that
 * reaches the threshold is spared and listed, told once a day, over a restart and a change of size,
 * unless it was damaged. So are the private networks of this machine, up to their last address.
 *
 * It fails when users are counted twice, when a day is forgotten, or when a crowd wins.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include "table/table-layout.h"
#include "table_fixture.h"

#include "count/gateway.h"

#define DAY_MS GATEWAY_DAY_MS

static struct gateways *gateways;
static struct fixture f;

static int
setup(void **state)
{
    (void)state;
    fixture_begin(&f, 4096, 64);
    gateways = gateway_new(f.table, 5);
    return gateways == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    gateway_free(gateways);
    fixture_end(&f);
    return 0;
}

static void
login(const char *client, uint64_t user, int64_t stamp_ms)
{
    const struct source source = source_of(client);

    gateway_login(gateways, &source, user, stamp_ms, stamp_ms);
}

static unsigned
users_of(const char *client, int64_t now_ms)
{
    const struct source source = source_of(client);
    unsigned users;
    const enum gateway_kind kind = gateway_find(gateways, &source, now_ms, &users);

    assert_int_equal(kind, users > 0 ? GATEWAY_USERS : GATEWAY_NONE);
    return users;
}

static void
several_users_make_one(void **state)
{
    (void)state;
    for (uint64_t user = 1; user <= 4; user++)
        for (int i = 0; i < 100; i++)
            login("203.0.113.9", user, NOON_MS + i * 1000);
    assert_int_equal(users_of("203.0.113.9", NOON_MS), 0);
    login("203.0.113.9", 0, NOON_MS);
    assert_int_equal(users_of("203.0.113.9", NOON_MS), 0);
    login("203.0.113.9", 5, NOON_MS);
    assert_int_equal(users_of("203.0.113.9", NOON_MS), 5);
    assert_int_equal(users_of("203.0.113.10", NOON_MS), 0);
    assert_int_equal(users_of("203.0.113.0/24", NOON_MS), 0);
    for (uint64_t user = 1; user <= 1000; user++)
        login("203.0.113.9", user, NOON_MS + 200000);
    assert_int_equal(users_of("203.0.113.9", NOON_MS + 200000), GATEWAY_USERS_MAX);
}

static void
a_day_is_a_day(void **state)
{
    (void)state;
    for (uint64_t user = 1; user <= 5; user++)
        login("203.0.113.9", user, NOON_MS + (int64_t)user * 1000);
    assert_int_equal(users_of("203.0.113.9", NOON_MS + DAY_MS), 5);
    assert_int_equal(users_of("203.0.113.9", NOON_MS + DAY_MS + 1000), 0);
    login("203.0.113.9", 1, NOON_MS + DAY_MS); /* and back again */
    assert_int_equal(users_of("203.0.113.9", NOON_MS + DAY_MS + 1000), 5);
    login("203.0.113.9", 2, NOON_MS); /* a line that comes late */
    assert_int_equal(users_of("203.0.113.9", NOON_MS + DAY_MS + 1000), 5);
}

static void
a_crowd_pushes_none_out(void **state)
{
    (void)state;
    for (uint64_t user = 1; user <= 5; user++)
        login("203.0.113.9", user, NOON_MS);
    for (uint32_t i = 0; i < 200000; i++) {
        const struct source source = numbered_source(0x0b000000 + i);

        gateway_login(gateways, &source, 1 + i % 4, NOON_MS + i, NOON_MS + i);
        if (i % 10 == 0)
            count_at(&f, numbered_source(0x0c000000 + i), NOON_MS + i, NOON_MS + i);
    }
    assert_int_equal(users_of("203.0.113.9", NOON_MS + 200000), 5);
}

/* A client that is unbanned, and a table of another size, forget none of them. */
static void
a_restart_forgets_none(void **state)
{
    const struct source client = source_of("203.0.113.9");

    (void)state;
    for (uint64_t user = 1; user <= 7; user++)
        login("203.0.113.9", user, NOON_MS + (int64_t)user * 1000);
    assert_int_equal(table_tracked(f.table), 0);
    count_now(&f, "203.0.113.9", NOON_MS);
    table_unban(f.table, &client, 0, NOON_MS);
    for (unsigned i = 0; i < 2; i++) {
        gateway_free(gateways);
        fixture_reopen(&f);
        assert_int_equal(f.said, 0);
        gateways = gateway_new(f.table, 5);
        assert_int_equal(users_of("203.0.113.9", NOON_MS + 10000), 7);
        assert_int_equal(table_tracked(f.table), 0);
        f.options.capacity = 8192;
    }
}

static void
networks_of_this_machine_are(void **state)
{
    const struct source stranger = source_of("198.18.0.1");
    unsigned users;

    (void)state; /* which there are here is not known: effect.test makes some */
    gateway_look(gateways);
    assert_int_equal(gateway_find(gateways, &stranger, NOON_MS, &users), GATEWAY_NONE);
}

/* ---- in the table ---- */

static void
note(struct fixture *fixture, const char *source, unsigned users, int64_t now_ms)
{
    const struct table_gateway gateway = {
        .source = source_of(source), .jail = (uint8_t)fixture->jail_index, .users = (uint8_t)users};

    table_note_gateway(fixture->table, &gateway, now_ms);
}

static unsigned
listed(const struct fixture *fixture, const char *text, int64_t now_ms,
       struct table_gateway *gateway)
{
    const struct source source = source_of(text);
    unsigned count = 0;

    for (unsigned i = 0; i < TABLE_GATEWAYS; i++)
        if (table_read_gateway(fixture->table, i, now_ms, gateway) && ++count > 0 &&
            source_compare(&gateway->source, &source) == 0)
            return 1;
    return 0;
}

static bool
always(void *times)
{
    ++*(unsigned *)times;
    return true;
}

static void
a_spared_one_is_not_banned(void **state)
{
    struct fixture fixture;
    struct table_failure failure = failure_of(source_of("203.0.113.9"), NOON_MS);
    unsigned spared = 0, asked = 0;

    (void)state;
    fixture_begin(&fixture, 1024, 64);
    failure.is_gateway = always;
    failure.asked = &asked;
    for (int i = 0; i < 50; i++)
        spared += table_count(fixture.table, fixture.jail_index, &fixture.jail, &failure, 1,
                              NOON_MS) == TABLE_SPARED;
    assert_int_equal(spared, 10);
    assert_int_equal(asked, 10); /* only where it makes a difference */
    assert_int_equal(used_slots(fixture.table), 0);
    failure.is_gateway = NULL; /* and no longer */
    for (int i = 0; i < 5; i++)
        table_count(fixture.table, fixture.jail_index, &fixture.jail, &failure, 1, NOON_MS);
    assert_int_equal(used_slots(fixture.table), 1);
    fixture_end(&fixture);
}

static void
they_are_listed_and_told_once(void **state)
{
    struct table_gateway gateway;
    struct fixture fixture;

    (void)state;
    fixture_begin(&fixture, 1024, 64);
    assert_false(table_dequeue_gateway(fixture.table, &gateway));
    note(&fixture, "203.0.113.9", 7, NOON_MS);
    note(&fixture, "203.0.113.9", 8, NOON_MS + 1000);
    assert_true(table_dequeue_gateway(fixture.table, &gateway));
    assert_int_equal(gateway.users, 8);
    assert_int_equal(gateway.spared, 2);
    assert_int_equal(gateway.first_ms, NOON_MS);
    assert_false(table_dequeue_gateway(fixture.table, &gateway));
    note(&fixture, "203.0.113.9", 8, NOON_MS + 2000);
    assert_false(table_dequeue_gateway(fixture.table, &gateway));
    fixture_reopen(&fixture);
    assert_true(listed(&fixture, "203.0.113.9", NOON_MS, &gateway));
    assert_int_equal(gateway.spared, 3);
    fixture.options.capacity = 4096;
    fixture_reopen(&fixture);
    assert_true(listed(&fixture, "203.0.113.9", NOON_MS, &gateway));
    assert_false(table_dequeue_gateway(fixture.table, &gateway));
    for (unsigned i = 0; i < TABLE_GATEWAYS - 1; i++) {
        char text[32];

        snprintf(text, sizeof text, "192.0.2.%u", i);
        note(&fixture, text, 5, NOON_MS + 3000 + i);
    }
    assert_true(listed(&fixture, "203.0.113.9", NOON_MS, &gateway));
    note(&fixture, "198.51.100.1", 0, NOON_MS + 4000); /* in place of the oldest */
    assert_false(listed(&fixture, "203.0.113.9", NOON_MS, &gateway));
    assert_true(listed(&fixture, "198.51.100.1", NOON_MS, &gateway));
    assert_true(listed(&fixture, "198.51.100.1", NOON_MS + 4000 + DAY_MS, &gateway));
    assert_false(listed(&fixture, "198.51.100.1", NOON_MS + 4001 + DAY_MS, &gateway));
    fixture_end(&fixture);
}

/* ---- the machine's interfaces, where this test says which there are ---- */

static const char *const (*interfaces)[2]; /* address, mask; NULL behind the last */
static struct ifaddrs made[200];
static struct sockaddr_in6 addresses[2 * 200];

static struct sockaddr *
address_of(const char *text, struct sockaddr_in6 *six)
{
    struct sockaddr_in *const four = (struct sockaddr_in *)six;

    memset(six, 0, sizeof *six);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
        four->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1)
        six->sin6_family = AF_INET6;
    else if (text[0] == '\0')
        return NULL;
    return (struct sockaddr *)six;
}

static int
stand_in(struct ifaddrs **list)
{
    unsigned count = 0;

    for (; interfaces[count][0] != NULL; count++)
        made[count] = (struct ifaddrs){
            .ifa_addr = address_of(interfaces[count][0], &addresses[2 * count]),
            .ifa_netmask = address_of(interfaces[count][1], &addresses[2 * count + 1]),
            .ifa_next = &made[count + 1],
        };
    if (count > 0)
        made[count - 1].ifa_next = NULL;
    *list = count > 0 ? made : NULL;
    return 0;
}

int
getifaddrs(struct ifaddrs **list)
{
    static int (*real)(struct ifaddrs **);

    if (interfaces != NULL)
        return stand_in(list);
    *(void **)&real = dlsym(RTLD_NEXT, "getifaddrs");
    return real(list);
}

void
freeifaddrs(struct ifaddrs *list)
{
    static void (*real)(struct ifaddrs *);

    if (list == NULL || list == made)
        return;
    *(void **)&real = dlsym(RTLD_NEXT, "freeifaddrs");
    real(list);
}

static void
private_networks_of_the_machine_are_known_to_their_last_address(void **state)
{
    static const char *const of_this_machine[][2] = {
        {"", "255.0.0.0"},
        {"10.1.2.3", ""},
        {"a packet", "a packet"}, /* of no use */
        {"10.1.0.1", "255.255.0.0"},
        {"172.16.0.1", "255.255.255.0"},
        {"172.31.0.1", "255.255.255.0"},
        {"172.32.0.1", "255.255.255.0"}, /* public, as is the next */
        {"203.0.113.1", "255.255.255.0"},
        {"192.168.1.1", "255.255.255.0"},
        {"100.64.0.1", "255.255.255.0"},
        {"100.127.0.1", "255.255.255.0"},
        {"100.128.0.1", "255.255.255.0"}, /* public */
        {"169.254.0.1", "255.255.255.0"},
        {"192.168.9.9", "255.255.255.255"}, /* no network */
        {"fc00::1", "ffff:ffff:ffff:ffff::"},
        {"fd00::1", "ffff:ffff:ffff:ffff::"},
        {"fe80::1", "ffff:ffff:ffff:ffff::"},
        {"fe80::2", "ffff:ffff:ffff:ffff::"},     /* the same network again */
        {"2001:db8::1", "ffff:ffff:ffff:ffff::"}, /* public */
        {NULL, NULL},
    };
    static const struct {
        const char *client;
        enum gateway_kind kind;
    } cases[] = {
        {"10.1.0.1", GATEWAY_OWN},        {"10.1.255.255", GATEWAY_NETWORK},
        {"10.0.255.255", GATEWAY_NONE},   {"10.2.0.0", GATEWAY_NONE},
        {"10.0.0.0/8", GATEWAY_NETWORK},  {"172.16.0.9", GATEWAY_NETWORK},
        {"172.31.0.9", GATEWAY_NETWORK},  {"172.32.0.9", GATEWAY_NONE},
        {"203.0.113.9", GATEWAY_NONE},    {"192.168.1.9", GATEWAY_NETWORK},
        {"192.167.1.9", GATEWAY_NONE},    {"100.64.0.9", GATEWAY_NETWORK},
        {"100.127.0.9", GATEWAY_NETWORK}, {"100.128.0.9", GATEWAY_NONE},
        {"169.254.0.9", GATEWAY_NETWORK}, {"192.168.9.9", GATEWAY_NONE},
        {"fc00::9", GATEWAY_NETWORK},     {"fd00::9", GATEWAY_NETWORK},
        {"fd00:0:0:1::9", GATEWAY_NONE},  {"fe80::9", GATEWAY_NETWORK},
        {"2001:db8::9", GATEWAY_NONE},
    };
    unsigned users;

    (void)state;
    interfaces = of_this_machine;
    gateway_look(gateways);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct source client = source_of(cases[i].client);

        if (gateway_find(gateways, &client, NOON_MS, &users) != cases[i].kind)
            fail_msg("%s", cases[i].client);
    }
    interfaces = NULL;
}

static void
so_many_networks_are_kept_and_repeated_ones_take_no_room(void **state)
{
    static const char *many[200][2];
    static char texts[200][32];
    const struct source last = source_of("10.0.127.9"), beyond = source_of("10.0.128.9");
    unsigned users;

    (void)state;
    for (unsigned i = 0; i < 199; i++) {
        snprintf(texts[i], sizeof texts[0], i < 60 ? "fe80::%x" : "10.0.%u.1",
                 i < 60 ? i + 1 : i - 59);
        many[i][0] = texts[i];
        many[i][1] = i < 60 ? "ffff:ffff:ffff:ffff::" : "255.255.255.0";
    }
    interfaces = many;
    gateway_look(gateways);
    assert_int_equal(gateway_find(gateways, &last, NOON_MS, &users), GATEWAY_NETWORK);
    assert_int_equal(gateway_find(gateways, &beyond, NOON_MS, &users), GATEWAY_NONE);
    interfaces = NULL;
}

static void
the_words_say_how_many_or_why(void **state)
{
    struct table_gateway gateway = {.source = source_of("203.0.113.9"), .users = 7};
    char text[GATEWAY_TEXT_SIZE];

    (void)state;
    assert_non_null(strstr(gateway_explain(&gateway, text), ": 7 users have logged in"));
    gateway.users = GATEWAY_USERS_MAX;
    assert_non_null(strstr(gateway_explain(&gateway, text), " or more users have logged in"));
    gateway.users = 0;
    assert_non_null(strstr(gateway_explain(&gateway, text), "private network of this machine"));
    login("203.0.113.9", 0, NOON_MS); /* of nobody */
    login("203.0.113.9", 1, 999);     /* of no time */
    assert_int_equal(users_of("203.0.113.9", NOON_MS), 0);
}

/* The first as well as the last: what is damaged is forgotten, and its place is of use again. */
static void
a_damaged_one_is_begun_anew(void **state)
{
    struct table_gateway gateway;
    struct fixture fixture;
    char text[32];
    int file;

    (void)state;
    fixture_begin(&fixture, 1024, 64);
    for (unsigned i = 0; i < TABLE_GATEWAYS; i++) {
        snprintf(text, sizeof text, "192.0.2.%u", i);
        note(&fixture, text, 5, NOON_MS);
    }
    fixture_close(&fixture);
    file = open(fixture.path, O_RDWR);
    for (off_t i = 0; i < TABLE_GATEWAYS; i++) /* a byte in the middle of each */
        assert_int_equal(
            pwrite(file, "x", 1, (off_t)TABLE_GATEWAYS_OFFSET + i * CELL_SIZE + CELL_SIZE / 2), 1);
    close(file);
    fixture_open(&fixture);
    for (unsigned i = 0; i < TABLE_GATEWAYS; i++) {
        snprintf(text, sizeof text, "192.0.2.%u", i);
        assert_false(listed(&fixture, text, NOON_MS, &gateway));
        note(&fixture, text, 5, NOON_MS + 1000);
        assert_true(listed(&fixture, text, NOON_MS, &gateway));
        assert_int_equal(gateway.spared, 1);
    }
    fixture_end(&fixture);
}

/* For a day it is the same one; after that it begins, and is told, anew. The last of the eight
 * makes room as the first does. */
static void
after_a_day_it_is_a_new_one(void **state)
{
    struct table_gateway gateway;
    struct fixture fixture;
    int64_t now_ms = NOON_MS + TABLE_GATEWAYS * 1000;
    char text[32];

    (void)state;
    fixture_begin(&fixture, 1024, 64);
    for (unsigned i = 0; i < TABLE_GATEWAYS; i++) { /* the last is the oldest */
        snprintf(text, sizeof text, "192.0.2.%u", i);
        note(&fixture, text, 5, now_ms - i * 1000);
        assert_true(table_dequeue_gateway(fixture.table, &gateway));
    }
    note(&fixture, "192.0.2.0", 5, now_ms + DAY_MS);
    assert_true(listed(&fixture, "192.0.2.0", now_ms, &gateway));
    assert_int_equal(gateway.spared, 2);
    assert_int_equal(gateway.first_ms, now_ms);
    assert_false(table_dequeue_gateway(fixture.table, &gateway));
    now_ms += 2 * DAY_MS + 1;
    note(&fixture, "192.0.2.0", 5, now_ms);
    assert_true(table_dequeue_gateway(fixture.table, &gateway));
    assert_int_equal(gateway.spared, 1);
    assert_int_equal(gateway.first_ms, now_ms);
    note(&fixture, "203.0.113.9", 5, now_ms);
    assert_false(listed(&fixture, "192.0.2.7", NOON_MS, &gateway));
    assert_true(listed(&fixture, "192.0.2.6", NOON_MS, &gateway));
    fixture_end(&fixture);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(several_users_make_one),
        TEST(a_day_is_a_day),
        TEST(a_crowd_pushes_none_out),
        TEST(a_restart_forgets_none),
        TEST(networks_of_this_machine_are),
        TEST(private_networks_of_the_machine_are_known_to_their_last_address),
        TEST(so_many_networks_are_kept_and_repeated_ones_take_no_room),
        TEST(the_words_say_how_many_or_why),
        cmocka_unit_test(a_spared_one_is_not_banned),
        cmocka_unit_test(they_are_listed_and_told_once),
        cmocka_unit_test(a_damaged_one_is_begun_anew),
        cmocka_unit_test(after_a_day_it_is_a_new_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
