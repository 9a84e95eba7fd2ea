/* recorder: the thread for all that is slow; the ledger and the command socket.
 *
 * It makes no worker and no ban wait. The table itself is its queue: what could not be written to
 * the ledger stays unrecorded there, and is tried again after 1 s, doubling to 60 s; a cause is
 * said once, until it has changed or gone.
 *
 * It writes at once when woken and at most four times a second, and looks by itself once a second
 * (bans run out without anybody waking it). A transaction is on the disk when it returns: a power
 * loss costs at most the last second.
 *
 * Who may command: root, the user that this process runs as, and members of the command group.
 * Everybody else whom the socket's mode lets connect gets a refusal.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_RECORDER_H
#define BANMAIL_RECORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "rules/allow.h"
#include "count/gateway.h"
#include "control/outbox.h"
#include "kernel/enforcer.h"
#include "base/report.h"
#include "table/table.h"

struct recorder;

struct recorder_options {
    struct table *table;
    struct enforcer *enforcer; /* woken after a command that changed something; may be NULL */
    const char *ledger_path;
    const char *socket_path;            /* removed at the end; NULL when there is no socket */
    const struct allow *(*allow)(void); /* the list in force; may be NULL, and may return it */
    /* whether a jail alone allows it; as in command_context */
    bool (*is_allowed_in_jail)(unsigned jail, const struct source *source, struct source *entry);
    /* which name on a list has this address (ALLOW_NAME_SIZE bytes); may be NULL */
    bool (*find_allowed_name)(const struct source *source, char *name);
    /* as in command_context, on the recorder's thread; may be NULL */
    int (*change_allow)(void *closure, const struct source *source, const char *note);
    void (*pardon)(const struct source *source, int64_t until_ms); /* as in command_context, */
    int (*resync)(const char *host);                               /* likewise */
    struct outbox *outbox;     /* what nobody takes of it is kept in the ledger; may be NULL */
    struct gateways *gateways; /* a ban of one by hand is warned of; may be NULL */
    void (*look)(void); /* called about once a second, for what a caller has to say; may be NULL */
    const struct report *report;
    int64_t retention_s;  /* what ended longer ago is deleted from the ledger; 0: nothing is */
    gid_t command_group;  /* whose members may command; 0 or (gid_t)-1: nobody's */
    uint64_t ledger_size; /* bytes; likewise what is oldest in a larger one; 0: no limit */
};

struct recorder_statistics {
    uint64_t written; /* rows */
    uint64_t errors;  /* attempts to write that failed */
    uint64_t commands;
};

/* Binds the command socket (mode 0660; a stale socket there is replaced). While still privileged,
 * where there is a drop; owner and group as chown(2) takes them. Returns the descriptor, which
 * recorder_start takes over, or a negative errno. */
int recorder_listen(const char *socket_path, uid_t owner, gid_t group);

/* Starts the thread, after the process has dropped its privileges (the socket is bound by then).
 * options and paths are copied, what else they point to must outlive the recorder. listen_socket:
 * -1 for none; closed also when this fails. Returns 0 or a negative errno. Main thread only. */
int recorder_start(struct recorder **recorder, const struct recorder_options *options,
                   int listen_socket);

/* Wakes it: one write to an eventfd, and none while a wake is on its way already. Any thread;
 * never blocks; cancellation waits until it is done. */
void recorder_wake(struct recorder *recorder);

void recorder_read_statistics(const struct recorder *recorder,
                              struct recorder_statistics *statistics);

/* Writes what is unrecorded, ends the thread, removes the socket, frees. When the disk does not
 * answer for 2 s the thread is left behind, and said: it touches nothing of the above any more.
 * NULL is fine. Main thread only; before enforcer_stop, which a command would wake, and
 * table_close.
 */
void recorder_stop(struct recorder *recorder);

#endif
