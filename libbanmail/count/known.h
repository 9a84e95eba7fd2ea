/* known: what follows from words that most lines share, worked out once for each thread.
 *
 * The host, program, input and service of a line are the same few again and again. What is here is
 * a pure function of them; each thread keeps the latest ones, and works out what is not among them.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_KNOWN_H
#define BANMAIL_KNOWN_H

#include "line/line.h"

struct known_origin {
    uint64_t host;   /* its hash */
    uint64_t writer; /* which program wrote the line, and which input brought it here: a hash */
};

struct known_service {
    uint64_t hash;
    uint64_t instance; /* of what stands in front of the first slash, or of all: its hash */
    bool has_slash;
    uint8_t services; /* in bits of enum effect_service, and JAIL_SERVICES_RELAYED */
};

/* Valid until the thread's next call. Any thread; allocate nothing. */
const struct known_origin *known_origin(const struct line *line);
const struct known_service *known_service(const char *service, size_t length);

#endif
