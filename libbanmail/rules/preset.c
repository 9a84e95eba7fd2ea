/* preset: see preset.h.
 *
 * balanced tells what was tried apart, as an old password in a telephone, a stale mailing list and
 * a forged sender are not what a guesser does: who sends mail to names that do not exist is kept
 * from port 25 alone, as a single address, while one who guesses names of users is not let in
 * anywhere.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "rules/preset.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BALANCED                                                                                   \
    "[auth]\n"                                                                                     \
    "enabled = true\n"                                                                             \
    "classes = auth_failed auth_malformed auth_mech_unsupported auth_plaintext_disallowed\n"       \
    "    auth_refused\n"                                                                           \
    "maxretry = 5\n"                                                                               \
    "findtime = 24h\n"                                                                             \
    "bantime = 24h\n"                                                                              \
    "bantime.increment = true\n"                                                                   \
    "bantime.maxtime = 4w\n"                                                                       \
    "repeats = 10\n"                                                                               \
    "loginforgives = true\n"                                                                       \
    "loginallowance = 2\n"                                                                         \
    "[unknown-user]\n"                                                                             \
    "enabled = true\n"                                                                             \
    "classes = auth_unknown_user\n"                                                                \
    "maxretry = 3\n"                                                                               \
    "findtime = 24h\n"                                                                             \
    "bantime = 7d\n"                                                                               \
    "repeats = none\n"                                                                             \
    "loginallowance = 2\n"                                                                         \
    "[harvest]\n"                                                                                  \
    "enabled = true\n"                                                                             \
    "classes = rcpt_unknown\n"                                                                     \
    "maxretry = 10\n"                                                                              \
    "findtime = 1h\n"                                                                              \
    "bantime = 1h\n"                                                                               \
    "bantime.increment = true\n"                                                                   \
    "bantime.maxtime = 24h\n"                                                                      \
    "ipv6prefix = 128\n"                                                                           \
    "port = 25\n"                                                                                  \
    "mailallowance = 10\n"                                                                         \
    "skipbounces = true\n"                                                                         \
    "[relay]\n"                                                                                    \
    "enabled = true\n"                                                                             \
    "classes = relay_denied probe\n"                                                               \
    "maxretry = 5\n"                                                                               \
    "findtime = 1h\n"                                                                              \
    "bantime = 24h\n"                                                                              \
    "ipv6prefix = 128\n"                                                                           \
    "port = 25,465,587\n"                                                                          \
    "mailallowance = 10\n"                                                                         \
    "skipbounces = true\n"                                                                         \
    "[abuse]\n"                                                                                    \
    "enabled = true\n"                                                                             \
    "classes = protocol_abuse\n"                                                                   \
    "maxretry = 5\n"                                                                               \
    "findtime = 10m\n"                                                                             \
    "bantime = 24h\n"                                                                              \
    "ipv6prefix = 128\n"

/* Each says all of itself: what a file has in [DEFAULT] is for the jails of the file. */
static const char strict[] =
    "[postfix]\n"
    "enabled = true\n"
    "classes = relay_denied rbl_listed helo_rejected client_rejected sender_rejected\n"
    "port = all\n"
    "maxretry = 3\n"
    "findtime = 24h\n"
    "bantime = 24h\n"
    "[postfix-sasl]\n"
    "enabled = true\n"
    "port = all\n"
    "maxretry = 3\n"
    "findtime = 24h\n"
    "bantime = 24h\n"
    "[dovecot]\n"
    "enabled = true\n"
    "port = all\n"
    "maxretry = 3\n"
    "findtime = 24h\n"
    "bantime = 24h\n"
    "[postfix-sasl-unknown]\n"
    "enabled = true\n"
    "port = all\n"
    "maxretry = 1\n"
    "findtime = 24h\n"
    "bantime = 7d\n"
    "[dovecot-unknown]\n"
    "enabled = true\n"
    "port = all\n"
    "maxretry = 1\n"
    "findtime = 24h\n"
    "bantime = 7d\n"
    "[postfix-rcpt-unknown]\n"
    "enabled = true\n"
    "port = all\n"
    "maxretry = 3\n"
    "findtime = 1h\n"
    "bantime = 7d\n"
    "[sshd]\n"
    "enabled = true\n"
    "port = all\n"
    "maxretry = 3\n"
    "findtime = 24h\n"
    "bantime = 24h\n"
    "[sshd-unknown]\n"
    "enabled = true\n"
    "port = all\n"
    "maxretry = 1\n"
    "findtime = 24h\n"
    "bantime = 7d\n";

static const char lenient[] =
    "[mail]\n"
    "enabled = true\n"
    "classes = auth_failed auth_unknown_user auth_mech_unsupported auth_malformed\n"
    "    auth_plaintext_disallowed auth_refused relay_denied rcpt_unknown protocol_abuse probe\n"
    "maxretry = 6\n"
    "findtime = 1w\n"
    "bantime = 1w\n"
    "loginforgives = true\n"
    "loginallowance = 2\n";

static const struct {
    const char *name, *text;
} presets[] = {
    {"balanced", BALANCED},
    {"strict", strict},
    {"lenient", lenient},
    {"observe", BALANCED "[DEFAULT]\nobserve = true\n"},
};

const char *
preset_text(const char *name)
{
    for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++)
        if (strcmp(presets[i].name, name) == 0)
            return presets[i].text;
    return NULL;
}

/* NULL, with the reason: there is none of the name. */
static const char *
find(const char *name, char origin[JAILS_ORIGIN_SIZE], char reason[SETTINGS_REASON_SIZE])
{
    const char *const text = preset_text(name);

    snprintf(origin, JAILS_ORIGIN_SIZE, JAILS_PRESET "%s", name);
    if (text == NULL)
        snprintf(reason, SETTINGS_REASON_SIZE, PRESET_NAMES " is allowed");
    return text;
}

int
preset_read(const char *name, struct jails **jails, char reason[SETTINGS_REASON_SIZE])
{
    char origin[JAILS_ORIGIN_SIZE];
    const char *const text = find(name, origin, reason);

    return text == NULL ? -ENOENT : jails_read_text(text, origin, jails, reason);
}

int
preset_read_file(const char *name, const char *path, struct jails **jails,
                 char reason[SETTINGS_REASON_SIZE])
{
    char origin[JAILS_ORIGIN_SIZE];
    const char *const text = name == NULL ? "" : find(name, origin, reason);

    return text == NULL ? -ENOENT : jails_read_over(text, origin, path, jails, reason);
}
