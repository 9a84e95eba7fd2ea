/* ports: a sorted list.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "base/ports.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ports
ports_mail(void)
{
    return (struct ports){8, {25, 110, 143, 465, 587, 993, 995, 4190}};
}

static int
insert(struct ports *ports, uint16_t number)
{
    unsigned at = 0;

    while (at < ports->count && ports->number[at] < number)
        at++;
    if (ports_are_all(ports) || (at < ports->count && ports->number[at] == number))
        return 0;
    if (ports->count == PORTS_MAX)
        return -ENOSPC;
    memmove(&ports->number[at + 1], &ports->number[at],
            (ports->count - at) * sizeof(ports->number[0]));
    ports->number[at] = number;
    ports->count++;
    return 0;
}

static int
insert_all_of(struct ports *ports, const struct ports *others)
{
    int result = 0;

    for (unsigned i = 0; i < others->count && result == 0; i++)
        result = insert(ports, others->number[i]);
    return result;
}

/* Not every machine has /etc/services. */
static uint16_t
mail_port(const char *word)
{
    static const struct {
        const char *name;
        uint16_t number;
    } names[] = {{"smtp", 25},         {"pop3", 110},  {"imap", 143},  {"imap2", 143},
                 {"submissions", 465}, {"smtps", 465}, {"ssmtp", 465}, {"urd", 465},
                 {"submission", 587},  {"imaps", 993}, {"pop3s", 995}, {"sieve", 4190}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i].name, word) == 0)
            return names[i].number;
    return 0;
}

/* 0: it is none. */
static uint16_t
port_of_service(const char *word)
{
    struct servent service, *found = NULL;
    const uint16_t number = mail_port(word);
    char room[1024];

    if (number == 0 && getservbyname_r(word, "tcp", &service, room, sizeof(room), &found) != 0)
        return 0;
    return found == NULL ? number : ntohs((uint16_t)found->s_port);
}

int
ports_add(struct ports *ports, const char *word)
{
    const struct ports mail = ports_mail();
    unsigned long number;
    char *end;

    if (strcmp(word, "all") == 0) {
        *ports = (struct ports){1, {0}};
        return 0;
    }
    if (strcmp(word, "mail") == 0)
        return insert_all_of(ports, &mail);
    if (isdigit((unsigned char)word[0])) {
        number = strtoul(word, &end, 10);
        if (*end != '\0' || number == 0 || number > UINT16_MAX)
            return -EINVAL;
        return insert(ports, (uint16_t)number);
    }
    number = port_of_service(word);
    return number == 0 ? -EINVAL : insert(ports, (uint16_t)number);
}

bool
ports_are_all(const struct ports *ports)
{
    return ports->count == 1 && ports->number[0] == 0;
}

bool
ports_are_same(const struct ports *a, const struct ports *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

bool
ports_are_valid(const struct ports *ports)
{
    struct ports again = {0};

    if (ports->count == 0 || ports->count > PORTS_MAX)
        return false;
    return ports_are_all(ports) || (ports->number[0] > 0 && insert_all_of(&again, ports) == 0 &&
                                    ports_are_same(&again, ports));
}

const char *
ports_print(const struct ports *ports, const char *separator, char text[PORTS_TEXT_SIZE])
{
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < ports->count && used < PORTS_TEXT_SIZE; i++)
        used += (size_t)snprintf(text + used, PORTS_TEXT_SIZE - used, "%s%u",
                                 i == 0 ? "" : separator, ports->number[i]);
    return text;
}
