/* known: see known.h.
 *
 * A few places, by length: a text that is not the one in its place takes it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "count/known.h"

#include <string.h>

#include "base/hash.h"
#include "rules/jail.h"
#include "table/effect.h"

#define PLACES   8
#define TEXT_MAX 64 /* what is longer is worked out each time */

struct text {
    size_t length;
    char bytes[TEXT_MAX];
};

static bool
is_kept(const struct text *kept, struct line_bytes text)
{
    return kept->length == text.length && memcmp(kept->bytes, text.at, text.length) == 0;
}

static bool
keep(struct text *kept, struct line_bytes text)
{
    if (text.length > sizeof kept->bytes)
        return false;
    kept->length = text.length;
    memcpy(kept->bytes, text.at, text.length);
    return true;
}

/* ---- where a line comes from ---- */

struct origin {
    bool is_filled;
    struct text host, program, input;
    struct known_origin known;
};

static void
fill_origin(struct origin *origin, const struct line *line)
{
    const uint64_t program = hash_bytes(0, line->program.at, line->program.length);

    origin->known = (struct known_origin){
        .host = hash_bytes(0, line->host.at, line->host.length),
        .writer = hash_bytes(program, line->input.at, line->input.length),
    };
    origin->is_filled = keep(&origin->host, line->host) && keep(&origin->program, line->program) &&
                        keep(&origin->input, line->input);
}

const struct known_origin *
known_origin(const struct line *line)
{
    static __thread struct origin origins[PLACES];
    struct origin *const origin = &origins[line->program.length % PLACES];

    if (!origin->is_filled || !is_kept(&origin->host, line->host) ||
        !is_kept(&origin->program, line->program) || !is_kept(&origin->input, line->input))
        fill_origin(origin, line);
    return &origin->known;
}

/* ---- services ---- */

struct service {
    bool is_filled;
    struct text name;
    struct known_service known;
};

/* Dovecot's submission-login. */
static bool
is_relayed(struct line_bytes name)
{
    static const char word[] = "submission-login";

    return name.length >= sizeof word - 1 && memcmp(name.at, word, sizeof word - 1) == 0;
}

static void
fill_service(struct service *service, struct line_bytes name)
{
    const char *const slash = name.length == 0 ? NULL : memchr(name.at, '/', name.length);

    service->known = (struct known_service){
        .hash = hash_bytes(0, name.at, name.length),
        .has_slash = slash != NULL,
        .services =
            effect_service(name.at, name.length) | (is_relayed(name) ? JAIL_SERVICES_RELAYED : 0),
    };
    service->known.instance =
        slash == NULL ? service->known.hash : hash_bytes(0, name.at, (size_t)(slash - name.at));
    service->is_filled = keep(&service->name, name);
}

const struct known_service *
known_service(const char *name, size_t length)
{
    static __thread struct service services[PLACES];
    struct service *const service = &services[length % PLACES];
    const struct line_bytes text = {name, length};

    if (!service->is_filled || !is_kept(&service->name, text))
        fill_service(service, text);
    return &service->known;
}
