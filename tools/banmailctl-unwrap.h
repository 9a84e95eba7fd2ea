/* unwrap: a line of a log without what others have put around it: the runtimes of containers, and
 * syslog daemons that write a priority.
 *
 * Only what stands in front is taken off, and only in the exact form in which it is written there:
 * so no text of a client can pass for a line.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_UNWRAP_H
#define BANMAILCTL_UNWRAP_H

#include "banmailctl-piece.h"

/* All of them take a line or its rest and give a part of it, which may be the whole. */

/* `mail-1  | ` (docker compose logs, in colour, too), `[pod/mail-0/postfix] ` (kubectl logs) */
struct piece unwrap_container(struct piece line);

/* `stdout F `, `stderr P `: what CRI writes behind its stamp */
struct piece unwrap_stream(struct piece rest);

/* `mail.warn ` (busybox), `<mail.warn> ` or `<2.4> ` (FreeBSD) */
struct piece unwrap_priority(struct piece rest);

/* ` [ID 197553 mail.info]` (Solaris), in front of the message */
struct piece unwrap_solaris(struct piece message);

/* `{"log":"…\n","stream":"stdout","time":"…"}` (Docker's json-file): returns stamp and line as one
 * string, or NULL where the line is none. Free it. */
char *unwrap_json(struct piece line);

#endif
