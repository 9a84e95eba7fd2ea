/* recorder: one loop over poll(2), which serves who connects and writes what is unrecorded.
 *
 * The disk may hang while the process wants to end: base/worker.h says how it is left behind then.
 *
 * A ledger that is begun anew (moved aside as damaged, removed by hand, first run) gets all bans of
 * the table once, not only those that are unrecorded: else a reboot would forget the live ones.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "control/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/worker.h"
#include "base/ownership.h"
#include "control/command.h"
#include "ledger/batch.h"
#include "ledger/ledger.h"
#include "table/table-health.h"

#define CLIENTS_MAX      16 /* at once; the others wait in the socket's queue */
#define CLIENT_IDLE_MS   5000
#define QUEUE_LENGTH     128
#define PAUSE_MS         250  /* from one transaction to the next, so that bans gather */
#define LOOK_MS          1000 /* nobody wakes us when a ban runs out */
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_LAST_MS  10000
#define STOP_PATIENCE_MS 2000
#define STOP_WRITING_MS  1500    /* of which for writing a backlog */
#define PRUNE_MS         3600000 /* from one look for what is too old to the next */
#define PRUNE_FIRST_MS   10000   /* after the start */

struct client {
    int fd; /* -1: nobody */
    uid_t user;
    int64_t leave_ms; /* hung up when it has not asked by then */
    size_t used;
    char request[COMMAND_SIZE];
};

struct recorder {
    struct worker worker;
    struct recorder_options options;
    char *ledger_path, *socket_path; /* of the options, our own copies */
    atomic_uint_least64_t written, errors, commands;
    /* what follows is the thread's own */
    int listen_socket;
    struct client clients[CLIENTS_MAX];
    struct ledger *ledger;   /* NULL: to be opened */
    uint32_t copied, slots;  /* of the table's slots, how many the new ledger has, of how many */
    int said;                /* the error that was said, 0: none */
    int64_t backoff_ms;      /* 0: the last attempt went well */
    int64_t look_ms;         /* when to look at the table again */
    int64_t not_before_ms;   /* and when at the earliest, woken or not */
    int64_t accept_after_ms; /* no descriptors are left: do not spin */
    int64_t prune_ms;        /* when to look for what is too old */
    char trouble[sizeof(((struct table_status *)NULL)->trouble)]; /* as the ledger has it */
    struct batch batch;
    struct outbox_parcel *parcel; /* NULL: there is no outbox */
};

static void
hang_up(struct client *client)
{
    close(client->fd);
    client->fd = -1;
}

static void
free_recorder(struct recorder *recorder)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (recorder->clients[i].fd >= 0)
            hang_up(&recorder->clients[i]);
    worker_free(&recorder->worker);
    if (recorder->listen_socket >= 0)
        close(recorder->listen_socket);
    free(recorder->ledger_path);
    free(recorder->socket_path);
    free(recorder->parcel);
    free(recorder);
}

/* ---- writing ---- */

static void
enter_disk(struct recorder *recorder)
{
    worker_enter(&recorder->worker);
}

/* Left behind: the table may be gone, and what is here is nobody else's any more. */
static void
end_alone(struct recorder *recorder)
{
    ledger_close(recorder->ledger);
    free_recorder(recorder);
    pthread_exit(NULL);
}

static void
leave_disk(struct recorder *recorder)
{
    if (!worker_leave(&recorder->worker))
        end_alone(recorder);
}

static void
close_ledger(struct recorder *recorder)
{
    enter_disk(recorder);
    ledger_close(recorder->ledger);
    recorder->ledger = NULL;
    leave_disk(recorder);
}

static int
open_ledger(struct recorder *recorder)
{
    bool is_new = false;
    enter_disk(recorder);
    int result = ledger_open(recorder->options.ledger_path, false, recorder->options.report,
                             &recorder->ledger, &is_new);
    leave_disk(recorder);
    if (result == 0 && is_new) {
        struct table_status status;
        table_read_status(recorder->options.table, &status);
        recorder->copied = 0;
        recorder->slots = status.max_bans;
        if (recorder->options.outbox != NULL)
            outbox_forget_ledger(recorder->options.outbox);
    }
    return result;
}

/* Returns how many rows were written (0: there was nothing), or a negative errno. */
static int
write_batch(struct recorder *recorder)
{
    struct batch *batch = &recorder->batch;
    struct table *table = recorder->options.table;
    uint32_t copied = recorder->copied;

    int result = recorder->ledger == NULL ? open_ledger(recorder) : 0;
    if (result < 0)
        return result;
    batch->count = 0;
    if (recorder->copied < recorder->slots)
        copied = batch_take_slots(batch, table, recorder->copied, recorder->slots);
    if (batch->count == 0)
        batch_take_unrecorded(batch, table);
    if (batch->count > 0) {
        enter_disk(recorder);
        result = batch_write(batch, recorder->ledger);
        leave_disk(recorder);
    }
    batch_settle(batch, table, result == 0);
    if (result < 0)
        return result;
    recorder->copied = copied;
    atomic_fetch_add(&recorder->written, batch->count);
    return (int)batch->count;
}

/* What the enforcer has to complain about becomes history too. */
static int
write_trouble(struct recorder *recorder)
{
    struct table_status status;
    table_read_status(recorder->options.table, &status);
    if (strcmp(status.trouble, recorder->trouble) == 0)
        return 0;
    enter_disk(recorder);
    int result = ledger_trouble(recorder->ledger, status.trouble, clock_wall_ms());
    leave_disk(recorder);
    if (result == 0)
        memcpy(recorder->trouble, status.trouble, sizeof(recorder->trouble));
    return result;
}

/* Events that nobody takes, and back. Returns 0, 1 when there is more of it, or a negative errno.
 */
static int
write_notices(struct recorder *recorder, bool all)
{
    struct outbox *const outbox = recorder->options.outbox;
    if (outbox == NULL || !outbox_pack(outbox, recorder->parcel, all))
        return 0;
    int result = recorder->ledger == NULL ? open_ledger(recorder) : 0;
    if (result == 0) {
        enter_disk(recorder);
        result = outbox_post(recorder->parcel, recorder->ledger);
        leave_disk(recorder);
    }
    const bool more = outbox_settle(outbox, recorder->parcel, result == 0);
    return result < 0 ? result : more;
}

/* A little at a time, so that nobody waits for it. How large the ledger is, is asked after each
 * write: one that is looked at now and then fills its disk in between, and a full disk has no room
 * for what deleting takes. */
static int
prune_what_is_due(struct recorder *recorder)
{
    const struct recorder_options *options = &recorder->options;
    int64_t now_ms = clock_steady_ms();
    bool is_due = options->retention_s > 0 && now_ms >= recorder->prune_ms;
    enter_disk(recorder);
    int pruned = ledger_prune(
        recorder->ledger, is_due ? clock_wall_ms() - options->retention_s * 1000 : LEDGER_KEEP_ALL,
        options->ledger_size);
    leave_disk(recorder);
    if (pruned == 0 && is_due)
        recorder->prune_ms = now_ms + PRUNE_MS;
    return pruned < 0 ? pruned : 0;
}

static void
wrote(struct recorder *recorder, bool more, int64_t now_ms)
{
    table_set_ledger_error(recorder->options.table, 0);
    if (recorder->said != 0)
        report_say(recorder->options.report, LOG_INFO, "the ledger %s is written again",
                   recorder->options.ledger_path);
    recorder->said = 0;
    recorder->backoff_ms = 0;
    recorder->not_before_ms = more ? now_ms : now_ms + PAUSE_MS;
    recorder->look_ms = more ? now_ms : now_ms + LOOK_MS;
}

static void
could_not_write(struct recorder *recorder, int error, int64_t now_ms)
{
    close_ledger(recorder);
    table_set_ledger_error(recorder->options.table, error);
    atomic_fetch_add(&recorder->errors, 1);
    if (recorder->said != error)
        report_say(recorder->options.report, LOG_ERR,
                   "the ledger %s cannot be written: %s; bans are enforced all the same, and "
                   "written down when it is possible again",
                   recorder->options.ledger_path, ledger_error(error));
    recorder->said = error;
    recorder->backoff_ms = recorder->backoff_ms == 0 ? BACKOFF_FIRST_MS : 2 * recorder->backoff_ms;
    if (recorder->backoff_ms > BACKOFF_LAST_MS)
        recorder->backoff_ms = BACKOFF_LAST_MS;
    recorder->not_before_ms = recorder->look_ms = now_ms + recorder->backoff_ms;
}

static void
write_what_is_due(struct recorder *recorder)
{
    if (clock_steady_ms() < recorder->look_ms)
        return;
    worker_listen(&recorder->worker);
    int rows = write_batch(recorder);
    int result = rows < 0 ? rows : write_trouble(recorder);
    int more = result < 0 ? result : write_notices(recorder, false);
    result = more < 0 ? more : result;
    if (result == 0)
        result = prune_what_is_due(recorder);
    rows = result < 0 ? result : rows;
    int64_t now_ms = clock_steady_ms();
    if (rows < 0)
        could_not_write(recorder, rows, now_ms);
    else
        wrote(recorder, rows == BATCH_ROWS || recorder->copied < recorder->slots || more > 0,
              now_ms);
}

static void
look_soon(struct recorder *recorder)
{
    if (recorder->look_ms > recorder->not_before_ms)
        recorder->look_ms = recorder->not_before_ms;
}

/* ---- clients ---- */

/* The answer is smaller than any socket's buffer: nobody waits here for a client. */
static void
answer(struct client *client, const char *text)
{
    send(client->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
    hang_up(client);
}

static int
forget(void *closure, const struct source *source, const char *user)
{
    struct recorder *recorder = closure;
    int result = recorder->ledger == NULL ? open_ledger(recorder) : 0;
    if (result < 0)
        return result;
    enter_disk(recorder);
    result = ledger_forget(recorder->ledger, source, user);
    leave_disk(recorder);
    if (result < 0)
        close_ledger(recorder);
    return result;
}

static void
run_command(struct recorder *recorder, struct client *client, size_t length)
{
    const struct recorder_options *options = &recorder->options;
    const struct command_context context = {
        .table = options->table,
        .allow = options->allow != NULL ? options->allow() : NULL,
        .is_allowed_in_jail = options->is_allowed_in_jail,
        .find_allowed_name = options->find_allowed_name,
        .gateways = options->gateways,
        .caller = client->user,
        .now_ms = clock_wall_ms(),
        .forget = forget,
        .change_allow = options->change_allow,
        .pardon = options->pardon,
        .resync = options->resync,
        .closure = recorder,
    };
    char text[COMMAND_SIZE];
    int changed = command_run(&context, client->request, length, text);
    atomic_fetch_add(&recorder->commands, 1);
    if (changed > 0) {
        if (options->enforcer != NULL)
            enforcer_wake(options->enforcer);
        look_soon(recorder);
    }
    answer(client, text);
}

static void
hear(struct recorder *recorder, struct client *client)
{
    ssize_t n = recv(client->fd, client->request + client->used,
                     sizeof(client->request) - client->used, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        hang_up(client); /* half a line is no command */
        return;
    }
    client->used += (size_t)n;
    const char *newline = memchr(client->request, '\n', client->used);
    if (newline != NULL)
        run_command(recorder, client, (size_t)(newline - client->request));
    else if (client->used == sizeof(client->request))
        answer(client, "{\"done\":false,\"error\":\"the request is too long\"}\n");
}

#define GROUPS_MOST 1024

/* By the kernel's word about the process at the other end, not by its own. */
static bool
is_in_group(int fd, const struct ucred *peer, gid_t group)
{
    gid_t groups[GROUPS_MOST];
    socklen_t size = sizeof(groups);
    if (group == 0 || group == (gid_t)-1)
        return false;
    if (peer->gid == group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
        return false;
    for (size_t i = 0; i < size / sizeof(groups[0]); i++)
        if (groups[i] == group)
            return true;
    return false;
}

static void
admit(const struct recorder *recorder, struct client *client, int64_t now_ms)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    client->used = 0;
    client->leave_ms = now_ms + CLIENT_IDLE_MS;
    if (getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        hang_up(client);
        return;
    }
    client->user = peer.uid;
    if (peer.uid != 0 && peer.uid != geteuid() &&
        !is_in_group(client->fd, &peer, recorder->options.command_group)) {
        char text[COMMAND_SIZE];
        command_deny(peer.uid, geteuid(), text);
        answer(client, text);
    }
}

static struct client *
free_client(struct recorder *recorder)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (recorder->clients[i].fd < 0)
            return &recorder->clients[i];
    return NULL;
}

static void
accept_clients(struct recorder *recorder, int64_t now_ms)
{
    struct client *client;
    while ((client = free_client(recorder)) != NULL) {
        client->fd = accept4(recorder->listen_socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client->fd >= 0) {
            admit(recorder, client, now_ms);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            if (errno != EAGAIN)
                recorder->accept_after_ms = now_ms + LOOK_MS;
            return;
        }
    }
}

/* ---- the thread ---- */

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Sleeps until somebody wants something or something is due. */
static void
wait_for_work(struct recorder *recorder, struct pollfd events[2 + CLIENTS_MAX])
{
    int64_t now_ms = clock_steady_ms(), until_ms = recorder->look_ms;
    bool accepting = now_ms >= recorder->accept_after_ms && free_client(recorder) != NULL;
    events[0] = (struct pollfd){.fd = worker_descriptor(&recorder->worker), .events = POLLIN};
    events[1] = (struct pollfd){.fd = accepting ? recorder->listen_socket : -1, .events = POLLIN};
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        const struct client *client = &recorder->clients[i];
        events[2 + i] = (struct pollfd){.fd = client->fd, .events = POLLIN};
        if (client->fd >= 0)
            until_ms = earlier(until_ms, client->leave_ms);
    }
    int64_t wait_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    if (poll(events, 2 + CLIENTS_MAX, (int)earlier(wait_ms, LOOK_MS)) <= 0)
        for (size_t i = 0; i < 2 + CLIENTS_MAX; i++)
            events[i].revents = 0;
}

static void
serve_clients(struct recorder *recorder, const struct pollfd *events)
{
    int64_t now_ms = clock_steady_ms();
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &recorder->clients[i];
        if (client->fd >= 0 && events[2 + i].revents != 0)
            hear(recorder, client);
        if (client->fd >= 0 && now_ms >= client->leave_ms)
            hang_up(client);
    }
    if (events[1].revents != 0)
        accept_clients(recorder, now_ms);
}

/* It listens again when it looks at the table, and not before: under attack each ban would wake the
 * thread only to make it wait on. */
static void
take_wake(struct recorder *recorder)
{
    worker_drain(&recorder->worker);
    look_soon(recorder);
}

static void
write_the_rest(struct recorder *recorder)
{
    int64_t until_ms = clock_steady_ms() + STOP_WRITING_MS;
    int rows;
    do
        rows = write_batch(recorder);
    while ((rows > 0 || recorder->copied < recorder->slots) && rows >= 0 &&
           clock_steady_ms() < until_ms);
    int more = rows < 0 ? 0 : 1;
    while (more > 0 && clock_steady_ms() < until_ms)
        more = write_notices(recorder, true);
    rows = more < 0 ? more : rows;
    if (rows < 0)
        could_not_write(recorder, rows, until_ms);
    close_ledger(recorder);
}

static void
recorder_thread(void *argument)
{
    struct recorder *recorder = argument;
    struct pollfd events[2 + CLIENTS_MAX];

    while (!worker_is_stopping(&recorder->worker)) {
        wait_for_work(recorder, events);
        if (events[0].revents != 0)
            take_wake(recorder);
        serve_clients(recorder, events);
        if (recorder->options.look != NULL)
            recorder->options.look();
        table_sample(recorder->options.table, clock_wall_ms() / 1000);
        write_what_is_due(recorder);
    }
    write_the_rest(recorder);
}

/* ---- from the main thread ---- */

/* Nobody can connect before listen(2), so the mode is right by then. */
static int
bind_socket(int fd, const struct sockaddr_un *address, uid_t owner, gid_t group)
{
    const char *path = address->sun_path;
    char reason[OWNERSHIP_REASON_SIZE];
    struct stat there;
    if (lstat(path, &there) == 0 && S_ISSOCK(there.st_mode) && unlink(path) < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return -errno;
    int error = ownership_of_file(path, S_IFSOCK, 0660, owner, group, reason);
    if (error == 0 && listen(fd, QUEUE_LENGTH) < 0)
        error = -errno;
    if (error < 0)
        unlink(path);
    return error;
}

int
recorder_listen(const char *socket_path, uid_t owner, gid_t group)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(socket_path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int result = bind_socket(fd, &address, owner, group);
    if (result == 0)
        return fd;
    close(fd);
    return result;
}

int
recorder_start(struct recorder **recorder, const struct recorder_options *options,
               int listen_socket)
{
    struct recorder *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        if (listen_socket >= 0)
            close(listen_socket);
        return -ENOMEM;
    }
    made->options = *options;
    made->options.ledger_path = made->ledger_path = strdup(options->ledger_path);
    if (options->socket_path != NULL)
        made->options.socket_path = made->socket_path = strdup(options->socket_path);
    if (options->outbox != NULL)
        made->parcel = calloc(1, sizeof(*made->parcel));
    made->listen_socket = listen_socket;
    made->prune_ms = clock_steady_ms() + PRUNE_FIRST_MS;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        made->clients[i].fd = -1;

    int result = worker_init(&made->worker);
    worker_listen(&made->worker);
    if (result == 0)
        result = made->ledger_path != NULL && (options->outbox == NULL || made->parcel != NULL)
                     ? worker_start(&made->worker, "banmail-record", recorder_thread, made)
                     : -ENOMEM;
    if (result < 0)
        free_recorder(made);
    else
        *recorder = made;
    return result;
}

void
recorder_wake(struct recorder *recorder)
{
    worker_wake(&recorder->worker);
}

void
recorder_read_statistics(const struct recorder *recorder, struct recorder_statistics *statistics)
{
    statistics->written = atomic_load(&recorder->written);
    statistics->errors = atomic_load(&recorder->errors);
    statistics->commands = atomic_load(&recorder->commands);
}

void
recorder_stop(struct recorder *recorder)
{
    if (recorder == NULL)
        return;
    const struct report *report = recorder->options.report;
    if (recorder->socket_path != NULL)
        unlink(recorder->socket_path);
    if (worker_stop(&recorder->worker, STOP_PATIENCE_MS))
        free_recorder(recorder);
    else /* it frees itself */
        report_say(report, LOG_ERR,
                   "the disk of the ledger has not answered for %d s; the recorder is left behind, "
                   "and what was not written is written after the next start",
                   STOP_PATIENCE_MS / 1000);
}
