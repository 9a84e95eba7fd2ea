/* test_names: a name on an allow list stands for the addresses that it had last.
 *
 * Proves, with a name server that is a stand-in: what is a name and what is none; a name that
 * cannot be looked up keeps its addresses, one that has moved has the new ones alone; what changed
 * is told, and nothing else is; the addresses come over a restart, and over to another list with
 * the same name, but never replace what was looked up; the resolver looks at once, when it is
 * asked, and not any more after its end; memory that is out, or a descriptor, costs nothing but
 * what it was for.
 * Fails when an address is matched that no name has, a mistyped address is taken for a name, or an
 * answer is dropped that is as it was.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "control/resolver.h"
#include "faults.h"
#include "rules/allow-names.h"

/* ---- the stand-in for the name server ---- */

static const char *_Atomic answer; /* words; NULL: it does not answer */
static atomic_uint asked;

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
            struct addrinfo **found)
{
    const char *word = answer;
    struct addrinfo **next = found;
    const bool was_armed = fault.is_armed;

    (void)name;
    (void)service;
    (void)hints;
    atomic_fetch_add(&asked, 1);
    if (word == NULL)
        return EAI_AGAIN;
    *found = NULL;
    fault.is_armed = false; /* it is the test's own */
    for (; *word != '\0'; word += strspn(word, " ")) {
        struct sockaddr_in6 *const six = calloc(1, sizeof(*six));
        struct sockaddr_in *const four = (struct sockaddr_in *)six;
        char text[64];

        snprintf(text, sizeof(text), "%.*s", (int)strcspn(word, " "), word);
        word += strcspn(word, " ");
        *next = calloc(1, sizeof(**next));
        (*next)->ai_addr = (struct sockaddr *)six;
        if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
            four->sin_family = AF_INET;
            (*next)->ai_addrlen = sizeof(*four);
        } else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
            six->sin6_family = AF_INET6;
            (*next)->ai_addrlen = sizeof(*six);
        } /* else of no family: it has no address to print */
        next = &(*next)->ai_next;
    }
    fault.is_armed = was_armed;
    return 0;
}

void
freeaddrinfo(struct addrinfo *found)
{
    while (found != NULL) {
        struct addrinfo *const next = found->ai_next;

        free(found->ai_addr);
        free(found);
        found = next;
    }
}

/* ---- a list ---- */

static struct allow_names *
names_of(const char *const *texts)
{
    struct allow_names *const names = allow_names_new();

    for (; *texts != NULL; texts++)
        assert_int_equal(allow_names_add(names, *texts, strlen(*texts)), 0);
    return names;
}

#define NAMES(...) names_of((const char *const[]){__VA_ARGS__, NULL})

static bool
resolves_to(struct allow_names *names, const char *words)
{
    answer = words;
    return allow_names_resolve(names, NULL);
}

static const char *
name_of(struct allow_names *names, const char *address)
{
    static char name[ALLOW_NAME_SIZE];
    const struct source source = source_of(address);

    return allow_names_find(names, &source, name) ? name : NULL;
}

static char *
printed(struct allow_names *names)
{
    static char text[8192];
    FILE *const file = fmemopen(text, sizeof(text), "w");

    text[0] = '\0';
    allow_names_print(names, file);
    fclose(file);
    return text;
}

/* ---- what is a name ---- */

static void
a_name_has_a_dot_and_a_last_part_with_a_letter(void **state)
{
    static const char *const good[] = {"a.b",           "home.example.org", "home.example.org.",
                                       "1.2.3.example", "my_host.example",  "x-1.e2"};
    static const char *const bad[] = {"",
                                      ".",
                                      "host",
                                      "host.",
                                      ".host",
                                      "192.0.2",
                                      "1.2.3.4",
                                      "a.b c",
                                      "a.b/24",
                                      "a.b,c",
                                      "2001:db8::1",
                                      "a.\xc3\xa4.org",
                                      "example.123",
                                      "*.example.org"};
    struct allow_names *const names = allow_names_new();
    char longest[ALLOW_NAME_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (allow_names_add(names, good[i], strlen(good[i])) != 0)
            fail_msg("\"%s\" is a name", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (allow_names_add(names, bad[i], strlen(bad[i])) != -EINVAL)
            fail_msg("\"%s\" is no name", bad[i]);
    memset(longest, 'a', sizeof(longest));
    longest[1] = '.';
    assert_int_equal(allow_names_add(names, longest, ALLOW_NAME_SIZE - 1), 0);
    assert_int_equal(allow_names_add(names, longest, ALLOW_NAME_SIZE), -EINVAL);
    assert_int_equal(allow_names_count(names), sizeof(good) / sizeof(good[0]) + 1);
    allow_names_release(names);
}

static void
a_name_is_there_once_whatever_its_case(void **state)
{
    struct allow_names *const names = NAMES("home.example.org", "Home.Example.org", "home.example");

    (void)state;
    assert_int_equal(allow_names_count(names), 2);
    assert_string_equal(allow_names_text(names, 0), "home.example.org");
    assert_string_equal(allow_names_text(names, 1), "home.example");
    assert_int_equal(allow_names_count(NULL), 0);
    allow_names_release(names);
}

static void
there_are_so_many_names_and_no_more(void **state)
{
    struct allow_names *const names = allow_names_new(), *const more = NAMES("one.more");
    char text[32];

    (void)state;
    for (unsigned i = 0; i < ALLOW_NAMES_MAX; i++) {
        snprintf(text, sizeof(text), "h%u.example", i);
        assert_int_equal(allow_names_add(names, text, strlen(text)), 0);
    }
    assert_int_equal(allow_names_add_all(names, more), -ENOSPC);
    assert_int_equal(allow_names_add(names, text, strlen(text)), 0); /* it is there already */
    assert_int_equal(allow_names_count(names), ALLOW_NAMES_MAX);
    allow_names_release(names);
    allow_names_release(more);
}

static void
two_lists_are_the_same_by_names_and_order(void **state)
{
    struct allow_names *const ab = NAMES("a.org", "b.org"), *const ba = NAMES("b.org", "a.org");
    struct allow_names *const a = NAMES("a.org"), *const none = allow_names_new();

    (void)state;
    assert_true(allow_names_are_same(ab, ab));
    assert_false(allow_names_are_same(ab, ba));
    assert_false(allow_names_are_same(ab, a));
    assert_true(allow_names_are_same(NULL, none));
    assert_false(allow_names_are_same(NULL, a));
    assert_int_equal(allow_names_add_all(a, ab), 0);
    assert_true(allow_names_are_same(ab, a));
    assert_int_equal(allow_names_add_all(a, NULL), 0);
    allow_names_release(ab);
    allow_names_release(ba);
    allow_names_release(a);
    allow_names_release(none);
    allow_names_release(NULL);
    assert_null(allow_names_hold(NULL));
}

/* ---- its addresses ---- */

static void
a_name_stands_for_the_addresses_that_it_had_last(void **state)
{
    struct allow_names *const names = NAMES("home.example.org");

    (void)state;
    assert_null(name_of(names, "192.0.2.1"));
    assert_string_equal(printed(names), "");
    assert_false(resolves_to(names, NULL)); /* it has none yet */
    assert_true(resolves_to(names, "192.0.2.1 2001:db8::1"));
    assert_string_equal(name_of(names, "192.0.2.1"), "home.example.org");
    assert_string_equal(name_of(names, "2001:db8::1"), "home.example.org");
    assert_null(name_of(names, "192.0.2.2"));
    assert_null(name_of(names, "127.0.0.1")); /* which is on each list */
    assert_null(name_of(NULL, "192.0.2.1"));
    assert_false(resolves_to(names, "192.0.2.1 2001:db8::1")); /* as it was */
    assert_false(resolves_to(names, NULL));
    assert_string_equal(printed(names), "home.example.org 192.0.2.1 2001:db8::1\n");
    assert_true(resolves_to(names, "192.0.2.2"));
    assert_null(name_of(names, "192.0.2.1"));
    assert_string_equal(name_of(names, "192.0.2.2"), "home.example.org");
    assert_true(resolves_to(names, "")); /* it exists, and has none any more */
    assert_null(name_of(names, "192.0.2.2"));
    assert_string_equal(printed(names), "");
    allow_names_release(names);
}

static void
of_an_answer_what_has_no_address_is_passed_over_and_a_zone_is_cut(void **state)
{
    struct allow_names *const names = NAMES("home.example.org");

    (void)state;
    assert_true(resolves_to(names, "strange 192.0.2.1"));
    assert_string_equal(printed(names), "home.example.org 192.0.2.1\n");
    allow_names_release(names);
}

static void
of_one_name_so_many_addresses_are_taken(void **state)
{
    struct allow_names *const names = NAMES("many.example.org");
    char words[ALLOW_NAME_ADDRESSES * 20 + 64], address[32];
    size_t length = 0;

    (void)state;
    for (unsigned i = 0; i <= ALLOW_NAME_ADDRESSES; i++)
        length += (size_t)snprintf(words + length, sizeof(words) - length, "%s203.0.113.%u",
                                   i > 0 ? " " : "", i + 1);
    assert_true(resolves_to(names, words));
    snprintf(address, sizeof(address), "203.0.113.%u", ALLOW_NAME_ADDRESSES);
    assert_non_null(name_of(names, address));
    snprintf(address, sizeof(address), "203.0.113.%u", ALLOW_NAME_ADDRESSES + 1);
    assert_null(name_of(names, address));
    allow_names_release(names);
}

static void
addresses_that_were_kept_hold_until_the_first_answer(void **state)
{
    struct allow_names *const names = NAMES("a.example", "b.example");

    (void)state;
    assert_true(allow_names_restore(names, "b.example 192.0.2.1 no-address 192.0.2.2\n"));
    assert_false(allow_names_restore(names, "b.example 192.0.2.3\n")); /* it has some */
    assert_false(allow_names_restore(names, "c.example 192.0.2.3\n"));
    assert_false(allow_names_restore(names, "a.exampl 192.0.2.3\n"));
    assert_false(allow_names_restore(names, "a.example\n")); /* no other than before */
    assert_string_equal(name_of(names, "192.0.2.2"), "b.example");
    assert_null(name_of(names, "192.0.2.3"));
    assert_true(resolves_to(names, "192.0.2.9"));
    assert_null(name_of(names, "192.0.2.2"));
    assert_string_equal(name_of(names, "192.0.2.9"), "a.example");
    allow_names_release(names);
}

static void
a_new_list_inherits_the_addresses_of_the_names_that_it_has(void **state)
{
    struct allow_names *const former = NAMES("a.example", "b.example");
    struct allow_names *const names = NAMES("b.example", "c.example");
    struct allow *const allow = allow_new();
    const struct source one = source_of("192.0.2.1");

    (void)state;
    allow_names_inherit(names, NULL);
    allow_names_inherit(names, former); /* which has none */
    assert_string_equal(printed(names), "");
    assert_true(resolves_to(former, "192.0.2.1"));
    allow_names_inherit(names, former);
    assert_string_equal(printed(names), "b.example 192.0.2.1\n");
    assert_int_equal(allow_names_merge(names, allow), 0);
    allow_seal(allow);
    assert_true(allow_match(allow, &one, NULL));
    allow_free(allow);
    allow_names_release(former);
    allow_names_release(names);
}

/* ---- the thread ---- */

static sem_t changes;
static char directory[64], path[96];

static void
note_change(void)
{
    sem_post(&changes);
}

static void
wait_for_change(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    assert_int_equal(sem_timedwait(&changes, &until), 0);
}

static struct resolver *
begin_resolver(struct allow_names *names)
{
    struct resolver *resolver = NULL;

    assert_int_equal(resolver_start(&resolver, &names, 1, path, note_change), 0);
    return resolver;
}

static void
wait_until_asked(unsigned times)
{
    for (unsigned i = 0; i < 20000 && atomic_load(&asked) < times; i++)
        usleep(1000);
    assert_true(atomic_load(&asked) >= times);
}

static void
the_resolver_looks_at_once_when_asked_and_keeps_what_it_found(void **state)
{
    struct allow_names *names = NAMES("home.example.org");
    struct resolver *resolver;
    int left;

    (void)state;
    answer = "192.0.2.1";
    resolver = begin_resolver(names);
    wait_for_change();
    assert_non_null(name_of(names, "192.0.2.1"));
    answer = "192.0.2.2";
    resolver_wake(resolver);
    wait_for_change();
    assert_null(name_of(names, "192.0.2.1"));
    atomic_store(&asked, 0);
    resolver_wake(resolver); /* the same again: nobody is told */
    wait_until_asked(1);
    resolver_stop(resolver);
    sem_getvalue(&changes, &left);
    assert_int_equal(left, 0);
    allow_names_release(names);

    answer = NULL; /* after a restart nobody answers */
    names = NAMES("home.example.org");
    resolver = begin_resolver(names);
    wait_for_change();
    assert_string_equal(name_of(names, "192.0.2.2"), "home.example.org");
    resolver_stop(resolver);
    allow_names_release(names);
    resolver_wake(NULL);
    resolver_stop(NULL);
}

/* ---- memory that is out, and descriptors ---- */

static int
start_and_stop(void)
{
    struct allow_names *const names = allow_names_new();
    struct resolver *resolver = NULL;
    int error = names == NULL ? -ENOMEM : 0;

    if (error == 0)
        error = resolver_start(&resolver, &names, 1, path, note_change);
    resolver_stop(resolver);
    allow_names_release(names);
    return error;
}

static void
a_resolver_is_there_whole_or_not(void **state)
{
    (void)state;
    assert_true(fault_sweep(FAULT_MEMORY, start_and_stop, NULL) >= 3);
    assert_true(fault_sweep(FAULT_SYSTEM, start_and_stop, NULL) >= 2);
}

/* A name that is moving: whatever fails, it has its former address or the new one. */
static int
move_and_inherit(void)
{
    struct allow_names *const names = allow_names_new(), *const others = allow_names_new();
    int error = names == NULL || others == NULL ? -ENOMEM : 0;

    if (error == 0)
        error = allow_names_add(names, "home.example.org", 16);
    if (error == 0)
        error = allow_names_add_all(others, names);
    if (error == 0) {
        const bool had = allow_names_restore(names, "home.example.org 192.0.2.1\n");

        if (resolves_to(names, "192.0.2.2"))
            assert_true(name_of(names, "192.0.2.2") && !name_of(names, "192.0.2.1"));
        else
            assert_true(!name_of(names, "192.0.2.2") &&
                        had == (name_of(names, "192.0.2.1") != NULL));
        allow_names_inherit(others, names);
        error = name_of(others, "192.0.2.2") ? 0 : -ENOMEM;
    }
    allow_names_release(names);
    allow_names_release(others);
    return error;
}

static void
a_name_that_cannot_be_kept_stays_as_it_was(void **state)
{
    (void)state;
    assert_true(fault_sweep(FAULT_MEMORY, move_and_inherit, NULL) >= 8);
}

static int
begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/ombanmail-test-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/names", directory);
    return sem_init(&changes, 0, 0);
}

static int
end(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_a_dot_and_a_last_part_with_a_letter),
        cmocka_unit_test(a_name_is_there_once_whatever_its_case),
        cmocka_unit_test(there_are_so_many_names_and_no_more),
        cmocka_unit_test(two_lists_are_the_same_by_names_and_order),
        cmocka_unit_test(a_name_stands_for_the_addresses_that_it_had_last),
        cmocka_unit_test(of_an_answer_what_has_no_address_is_passed_over_and_a_zone_is_cut),
        cmocka_unit_test(of_one_name_so_many_addresses_are_taken),
        cmocka_unit_test(addresses_that_were_kept_hold_until_the_first_answer),
        cmocka_unit_test(a_new_list_inherits_the_addresses_of_the_names_that_it_has),
        cmocka_unit_test(the_resolver_looks_at_once_when_asked_and_keeps_what_it_found),
        cmocka_unit_test(a_resolver_is_there_whole_or_not),
        cmocka_unit_test(a_name_that_cannot_be_kept_stays_as_it_was),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
