/* jails-filter: see jails-filter.h.
 *
 * The classes were taken from what fail2ban's regular expressions match. What they leave out on
 * purpose is left out here.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "rules/jails-filter.h"

#include <stdbool.h>
#include <string.h>

#include "line/offence.h"
#include "rules/jail.h"

#define BIT(name)           OFFENCE_BIT(OFFENCE_##name)
#define SMTP                JAIL_SERVICES_SMTP
#define MAILBOX             JAIL_SERVICES_MAILBOX
#define SIEVE               JAIL_SERVICES_SIEVE
#define SSHD                JAIL_SERVICES_SSHD

#define AUTH_LINE           (BIT(AUTH_FAILED) | BIT(AUTH_UNKNOWN_USER) | BIT(AUTH_MALFORMED))
#define AUTH                (AUTH_LINE | BIT(AUTH_REFUSED))
#define AUTH_AND_MECHANISMS (AUTH | BIT(AUTH_MECH_UNSUPPORTED))
#define LOGIN               (AUTH_AND_MECHANISMS | BIT(AUTH_PLAINTEXT_DISALLOWED))
#define REJECTED                                                                                   \
    (BIT(RELAY_DENIED) | BIT(RCPT_UNKNOWN) | BIT(RCPT_REJECTED) | BIT(SENDER_REJECTED) |           \
     BIT(HELO_REJECTED) | BIT(CLIENT_REJECTED) | BIT(RBL_LISTED) | BIT(SMTP_REJECT) |              \
     BIT(PROTOCOL_ABUSE) | BIT(PROBE))
#define LOST                                                                                       \
    (BIT(PROBE) | BIT(CONN_LOST) | BIT(CONN_TIMEOUT) | BIT(PROTOCOL_ABUSE) | BIT(AUTH_REFUSED) |   \
     BIT(RATE_LIMITED) | BIT(TLS_UNEXPECTED))
#define SILENT                                                                                     \
    (BIT(NO_AUTH) | BIT(AUTH_ABORTED) | BIT(TLS_FAILED) | BIT(TLS_UNEXPECTED) | BIT(PROTOCOL_ABUSE))

static const struct jails_filter filters[] = {
    {"postfix", "more", REJECTED, SMTP},
    {"postfix", "normal", REJECTED, SMTP},
    {"postfix", "auth", AUTH, SMTP},
    {"postfix", "extra", AUTH | REJECTED, SMTP},
    {"postfix", "rbl", BIT(RBL_LISTED), SMTP},
    {"postfix", "ddos", LOST, SMTP},
    {"postfix", "errors", BIT(PROTOCOL_ABUSE), SMTP},
    {"postfix", "aggressive", AUTH_AND_MECHANISMS | REJECTED | LOST, SMTP},
    {"postfix-sasl", "", AUTH, SMTP},
    {"postfix-sasl-unknown", "", BIT(AUTH_UNKNOWN_USER), SMTP},
    {"postfix-rbl", "", BIT(RBL_LISTED), SMTP},
    {"postfix-rcpt", "", BIT(RCPT_UNKNOWN), SMTP},
    {"postfix-rcpt-unknown", "", BIT(RCPT_UNKNOWN), SMTP},
    {"dovecot", "normal", LOGIN, MAILBOX},
    {"dovecot", "aggressive", LOGIN | SILENT, MAILBOX},
    {"dovecot-unknown", "", BIT(AUTH_UNKNOWN_USER), MAILBOX},
    {"sieve", "", LOGIN, SIEVE},
    {"sendmail-auth", "", AUTH, SMTP},
    {"sendmail-reject", "normal", REJECTED, SMTP},
    {"sendmail-reject", "extra", REJECTED | BIT(CONN_LOST) | BIT(AUTH_REFUSED), SMTP},
    {"sendmail-reject", "aggressive", REJECTED | BIT(CONN_LOST) | BIT(AUTH_REFUSED), SMTP},
    {"sshd", "", BIT(AUTH_FAILED) | BIT(AUTH_UNKNOWN_USER), SSHD},
    {"sshd-unknown", "", BIT(AUTH_UNKNOWN_USER), SSHD},
    {"custom", "", 0, 0},
    {"recidive", "", 0, 0},
};

const struct jails_filter *
jails_filter_at(size_t index)
{
    return index < sizeof(filters) / sizeof(filters[0]) ? &filters[index] : NULL;
}

const struct jails_filter *
jails_filter_find(const char *name, const char *mode)
{
    const struct jails_filter *filter;

    for (size_t i = 0; (filter = jails_filter_at(i)) != NULL; i++)
        if (strcmp(filter->name, name) == 0 &&
            (mode[0] == '\0' || filter->mode[0] == '\0' || strcmp(filter->mode, mode) == 0))
            return filter;
    return NULL;
}
