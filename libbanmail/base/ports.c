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

int
ports_add(struct ports *ports, const char *word)
{
    const struct ports mail = ports_mail();
    const struct servent *service;
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
    service = getservbyname(word, "tcp");
    return service == NULL ? -EINVAL : insert(ports, ntohs((uint16_t)service->s_port));
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
