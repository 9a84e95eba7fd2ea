/* command: what banmailctl may ask for, and the answer; one line of JSON each way.
 *
 *   {"command":"ban","source":"203.0.113.9","seconds":3600}   (no seconds: for ever)
 *   {"command":"ban","source":"203.0.113.9","jail":"custom"}    (none: as long as its bans last)
 *   {"command":"unban","source":"203.0.113.9"}    without a jail, a fleet hears of it as a pardon
 *   {"command":"unban","source":"203.0.113.9","jail":"mail"}
 *   {"command":"pause","seconds":600}    {"command":"resume"}
 *   {"command":"allowed","source":"203.0.113.9"}
 *   → {"done":true,"bans":0,"entry":"203.0.113.0/24"}    or null; with "jail" when only that has it
 *   {"command":"allow","source":"203.0.113.9"}    and "disallow"; bans: how many that has lifted
 *   → {"done":true,"bans":1,"changed":true}    false: it was so already
 *   {"command":"forget","source":"203.0.113.9"}   → {"done":true,"bans":0,"erased":17}
 *   {"command":"forget","user":"anna@example.org"}
 *   {"command":"repair"}    the kernel's sets are made anew
 *   {"command":"resync"}    hosts of a fleet get all bans again; {"host":"mx1"}: that one
 *   → {"done":true,"bans":0,"hosts":3}
 *   → {"done":true,"bans":1}    → {"done":false,"code":"invalid","error":"…"}
 *   → {"done":true,"bans":1,"users":7}    it is banned, but is a gateway (users 0: a network's)
 *
 * While rsyslogd runs they go over a Unix stream socket to the recorder; while it does not,
 * banmailctl calls command_run itself on the table that it has locked.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_COMMAND_H
#define BANMAIL_COMMAND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "rules/allow.h"
#include "count/gateway.h"
#include "table/table.h"

#define COMMAND_SIZE        1024 /* bytes of a request or an answer at most, with its newline */
#define COMMAND_SOCKET_NAME "command.sock" /* beside the table */

/* The codes of refusals. */
#define COMMAND_DENIED    "denied"    /* the caller may not command */
#define COMMAND_INVALID   "invalid"   /* the request makes no sense */
#define COMMAND_PROTECTED "protected" /* it is never banned: an own address, or allow-listed */
#define COMMAND_FULL      "full"      /* there is no room for another ban */
#define COMMAND_FAILED    "failed"    /* the disk, or memory */

struct command_context {
    struct table *table;
    const struct allow *allow; /* an allow-listed source is refused to be banned; may be NULL */
    /* Whether a jail, by its index, has allow-listed it beside that; may be NULL. */
    bool (*is_allowed_in_jail)(unsigned jail, const struct source *source, struct source *entry);
    /* which name on a list has this address (ALLOW_NAME_SIZE bytes); may be NULL */
    bool (*find_allowed_name)(const struct source *source, char *name);
    struct gateways *gateways; /* to ban one is warned of; may be NULL */
    uid_t caller; /* by the kernel's word; root may name another on whose behalf it asks: sudo's */
    int64_t now_ms;
    /* Erases from the ledger, see ledger_forget; may be NULL. */
    int (*forget)(void *closure, const struct source *source, const char *user);
    /* Puts it on the allow list for good with a note, or takes it off (NULL), at once: returns as
     * allow_added_change; may be NULL. */
    int (*change_allow)(void *closure, const struct source *source, const char *note);
    /* Tells a fleet that the bans of `source` are pardoned, of which the last would end at
     * until_ms; may be NULL. */
    void (*pardon)(const struct source *source, int64_t until_ms);
    /* Has all bans told again to the hosts of a fleet of that name, NULL: to all. Returns how many
     * these are, or a negative errno; may be NULL. */
    int (*resync)(const char *host);
    void *closure;
};

/* Runs one request (a line, newline optional) and writes the answer with newline and NUL into
 * answer[COMMAND_SIZE]. Returns the number of bans changed (1 also
 * for a pause or its end), or a negative errno (the answer then
 * says what was wrong). Whoever calls it wakes the enforcer and the recorder. Any thread. */
int command_run(const struct command_context *context, const char *request, size_t length,
                char *answer);

/* The answer to somebody who may not command; `ours` is the user whom rsyslogd runs as. */
void command_deny(uid_t caller, uid_t ours, char answer[COMMAND_SIZE]);

/* banmailctl's end: connects to the socket, sends the request, waits at most timeout_ms for the
 * answer line. Returns 0, -ENOENT or -ECONNREFUSED when nobody listens, -ETIMEDOUT, -EACCES,
 * another negative errno. */
int command_send(const char *socket_path, const char *request, char answer[COMMAND_SIZE],
                 int timeout_ms);

#endif
