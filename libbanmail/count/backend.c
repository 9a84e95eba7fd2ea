/* backend: see backend.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "count/backend.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "count/breaker.h"
#include "base/hash.h"
#include "line/session.h"
#include "table/table-health.h"

#define STAMP_AHEAD_MS 60000
#define NEWS           8 /* that wait to be said; more are not */
#define HOST_SIZE      TABLE_HOST_SIZE
#define TAKE           64
#define V4_BITS        32
#define V6_BITS        64
#define NAMES          64 /* of hosts whose backend had faults */

struct news {
    enum breaker_news what;
    char host[HOST_SIZE];
    unsigned withdrawn, lifted;
};

struct backend {
    struct table *table;
    struct breaker *breaker;
    struct session_store *sessions;
    atomic_uint v4_bits, v6_bits; /* clients of one such network are one */
    pthread_mutex_t news_lock;
    struct news news[NEWS];
    unsigned news_count;
    struct {
        uint64_t hash;
        char host[HOST_SIZE];
    } names[NAMES]; /* the latest; also under news_lock */
    unsigned next_name;
    _Atomic uint64_t faults, held, withdrawn, lifted, unknown;
};

struct backend *
backend_new(struct table *table)
{
    struct backend *backend = calloc(1, sizeof *backend);

    if (backend == NULL)
        return NULL;
    backend->table = table;
    backend->breaker = breaker_new();
    backend->sessions = session_new();
    backend->v4_bits = V4_BITS;
    backend->v6_bits = V6_BITS;
    pthread_mutex_init(&backend->news_lock, NULL);
    if (backend->breaker == NULL || backend->sessions == NULL) {
        backend_free(backend);
        return NULL;
    }
    return backend;
}

void
backend_free(struct backend *backend)
{
    if (backend == NULL)
        return;
    breaker_free(backend->breaker);
    session_free(backend->sessions);
    pthread_mutex_destroy(&backend->news_lock);
    free(backend);
}

void
backend_widen(struct backend *backend, unsigned v4_bits, unsigned v6_bits)
{
    if (v4_bits < backend->v4_bits)
        backend->v4_bits = v4_bits;
    if (v6_bits < backend->v6_bits)
        backend->v6_bits = v6_bits;
}

void
backend_narrow(struct backend *backend, unsigned v4_bits, unsigned v6_bits)
{
    backend->v4_bits = v4_bits < V4_BITS ? v4_bits : V4_BITS;
    backend->v6_bits = v6_bits < V6_BITS ? v6_bits : V6_BITS;
}

/* ---- places ---- */

/* postfix-out/smtps/smtpd is of the instance postfix-out. Dovecot's services have no slash, and
 * what Dovecot's auth can't answer fails for all who ask it: its faults are of the whole host. */
struct breaker_place
backend_place(uint64_t host, const struct known_service *service, enum offence_class class)
{
    const bool is_of_host = !service->has_slash && class == OFFENCE_SERVER_FAULT;

    return (struct breaker_place){.host = host, .instance = is_of_host ? 0 : service->instance};
}

static int64_t
stamp_of(const struct backend_line *line)
{
    return line->stamp_ms > line->now_ms + STAMP_AHEAD_MS ? line->now_ms : line->stamp_ms;
}

/* ---- news ---- */

static void
add_name(struct backend *backend, uint64_t hash, const char *host)
{
    for (unsigned i = 0; i < NAMES; i++)
        if (backend->names[i].hash == hash)
            return;
    backend->names[backend->next_name].hash = hash;
    memcpy(backend->names[backend->next_name].host, host, HOST_SIZE);
    backend->next_name = (backend->next_name + 1) % NAMES;
}

static void
add_news(struct backend *backend, const struct news *news, uint64_t host_hash)
{
    pthread_mutex_lock(&backend->news_lock);
    add_name(backend, host_hash, news->host);
    if (backend->news_count < NEWS)
        backend->news[backend->news_count++] = *news;
    pthread_mutex_unlock(&backend->news_lock);
}

static void
note_outage(struct backend *backend, int64_t now_ms)
{
    struct breaker_outage outage;
    struct table_outage noted = {0};

    breaker_read_outage(backend->breaker, now_ms, &outage);
    noted.places = outage.places;
    noted.since_ms = outage.since_ms;
    noted.until_ms = outage.until_ms;
    pthread_mutex_lock(&backend->news_lock);
    for (unsigned i = 0; i < NAMES && outage.places > 0; i++)
        if (backend->names[i].hash == outage.host)
            memcpy(noted.host, backend->names[i].host, sizeof noted.host);
    pthread_mutex_unlock(&backend->news_lock);
    table_set_outage(backend->table, &noted);
}

bool
backend_news(struct backend *backend, int64_t now_ms, char text[BACKEND_TEXT_SIZE])
{
    struct news news = {.what = BREAKER_AS_BEFORE};

    note_outage(backend, now_ms);
    pthread_mutex_lock(&backend->news_lock);
    if (backend->news_count > 0) {
        news = backend->news[0];
        memmove(backend->news, backend->news + 1, --backend->news_count * sizeof news);
    }
    pthread_mutex_unlock(&backend->news_lock);
    if (news.what == BREAKER_AS_BEFORE)
        return false;
    if (news.what == BREAKER_ON)
        snprintf(text, BACKEND_TEXT_SIZE,
                 "the authentication backend of %s has faults: auth_failed does not count there "
                 "for as long as they last, at most 10 minutes in an hour; %u failure%s of the "
                 "last seconds withdrawn, %u ban%s lifted",
                 news.host, news.withdrawn, news.withdrawn == 1 ? "" : "s", news.lifted,
                 news.lifted == 1 ? "" : "s");
    else
        snprintf(text, BACKEND_TEXT_SIZE,
                 "the authentication backend of %s has had faults for 10 minutes of the last hour: "
                 "auth_failed counts there again",
                 news.host);
    return true;
}

/* ---- what follows ---- */

static void
withdraw(struct backend *backend, const struct breaker_place *place, int64_t now_ms,
         struct news *news)
{
    struct breaker_failure failures[TAKE];
    size_t taken;

    while ((taken = breaker_take(backend->breaker, place, failures, TAKE)) > 0) {
        for (size_t i = 0; i < taken; i++) {
            news->withdrawn += failures[i].counted.is_known ? 0 : failures[i].counted.attempts;
            news->lifted += table_withdraw(backend->table, &failures[i].counted, now_ms);
        }
    }
    atomic_fetch_add(&backend->withdrawn, news->withdrawn);
    atomic_fetch_add(&backend->lifted, news->lifted);
}

static bool
follow(struct backend *backend, enum breaker_news what, const struct breaker_place *place,
       const struct backend_line *line)
{
    struct news news;

    if (what == BREAKER_AS_BEFORE)
        return false;
    news = (struct news){.what = what};
    for (size_t i = 0; i < line->host_length && i + 1 < sizeof news.host; i++)
        news.host[i] = line->host[i] > ' ' && line->host[i] < 127 ? line->host[i] : '?';
    if (what == BREAKER_ON)
        withdraw(backend, place, line->now_ms, &news);
    add_news(backend, &news, place->host);
    return true;
}

/* ---- what is heard ---- */

static bool
is_name(const struct offence *offence)
{
    static const char unavailable[] = "(unavailable)";

    return offence->user_length > 0 &&
           !(offence->user_length == sizeof unavailable - 1 &&
             memcmp(offence->user, unavailable, sizeof unavailable - 1) == 0);
}

/* 0: nobody. */
static uint64_t
whom_of(const struct backend *backend, const struct offence *offence)
{
    struct source whom;

    if (!offence->names_whom)
        return 0;
    whom = source_mask(&offence->whom, backend->v4_bits, backend->v6_bits);
    return hash_text(whom.address, sizeof whom.address);
}

/* Which of several attempts had the secret is not told: it is left open then. */
static void
join_session(struct backend *backend, const struct backend_line *line, uint64_t host,
             struct offence *offence)
{
    uint64_t secret;

    if (offence->session_length == 0 || !is_name(offence))
        return;
    if (session_is_unknown(backend->sessions, host, offence->session, offence->session_length,
                           stamp_of(line), &secret)) {
        offence->class = OFFENCE_AUTH_UNKNOWN_USER;
        atomic_fetch_add(&backend->unknown, 1);
    }
    if (offence->secret_hash == 0 && offence->attempts == 1)
        offence->secret_hash = secret;
}

bool
backend_hear(struct backend *backend, const struct backend_line *line, struct offence *offence)
{
    const struct breaker_place place = line->place;
    enum breaker_news what = BREAKER_AS_BEFORE;

    /* Of a file of his that is not there any more he is not the cause. */
    if ((offence->flags & OFFENCE_FAULT_OF_NAME) && backend_knows(backend, offence)) {
        offence->class = OFFENCE_SERVER_FAULT;
        offence->flags |= OFFENCE_AUTH_FAULT;
    }
    if (offence->reason != OFFENCE_REASON_NONE)
        session_tell(backend->sessions, place.host, offence->session, offence->session_length,
                     offence->reason, offence->secret_hash, stamp_of(line));
    if (offence->class == OFFENCE_AUTH_FAILED) {
        join_session(backend, line, place.host, offence);
    } else if (offence->class == OFFENCE_LOGIN_OK && offence->user_hash != 0) {
        breaker_login(backend->breaker, offence->user_hash);
    } else if (offence->class == OFFENCE_SERVER_FAULT && (offence->flags & OFFENCE_AUTH_FAULT)) {
        atomic_fetch_add(&backend->faults, 1);
        what = breaker_fault(backend->breaker, &place, whom_of(backend, offence),
                             offence->user_hash, stamp_of(line));
    }
    return follow(backend, what, &place, line);
}

bool
backend_holds(struct backend *backend, const struct backend_line *line,
              const struct offence *offence, bool *wake)
{
    struct breaker_place where;
    enum breaker_news what;
    bool holds;

    *wake = false;
    if (offence->class != OFFENCE_AUTH_FAILED || !breaker_may_hold(backend->breaker))
        return false;
    holds = breaker_holds(backend->breaker, &line->place, whom_of(backend, offence), stamp_of(line),
                          &what, &where);
    *wake = follow(backend, what, &where, line);
    if (holds)
        atomic_fetch_add(&backend->held, 1);
    return holds;
}

bool
backend_knows(struct backend *backend, const struct offence *offence)
{
    return breaker_has_logged_in(backend->breaker, offence->user_hash);
}

void
backend_counted(struct backend *backend, const struct breaker_place *place,
                const struct table_counted *counted)
{
    const struct breaker_failure failure = {.place = *place, .counted = *counted};

    breaker_counted(backend->breaker, &failure);
}

void
backend_read_statistics(struct backend *backend, int64_t now_ms,
                        struct backend_statistics *statistics)
{
    struct breaker_outage outage;

    breaker_read_outage(backend->breaker, now_ms, &outage);
    *statistics = (struct backend_statistics){
        .faults = atomic_load(&backend->faults),
        .held = atomic_load(&backend->held),
        .withdrawn = atomic_load(&backend->withdrawn),
        .lifted = atomic_load(&backend->lifted),
        .unknown = atomic_load(&backend->unknown),
        .suspended = outage.suspended,
    };
}
