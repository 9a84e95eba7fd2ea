/* jail: which classes count, how many within what time, and how long the ban is.
 *
 * The words are fail2ban's: maxretry, findtime, bantime, ignoreip.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_JAIL_H
#define BANMAIL_JAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ports.h"
#include "base/source.h"
#include "base/verdict.h"

#define JAIL_NAME_SIZE     32 /* with its NUL */
#define JAIL_STAMPS_MAX    16 /* the table keeps that many stamps for each client */
#define JAIL_MAXRETRY_MAX  64 /* beyond JAIL_STAMPS_MAX not each failure has a stamp: jail_step */
#define JAIL_FOREVER       INT64_MAX
#define JAIL_TIME_MAX_S    INT64_C(3153600000) /* longest finite findtime and bantime: 100 years */
#define JAIL_REPEATS_MAX   254
#define JAIL_REPEATS_NONE  255 /* in place of repeats: none of them counts */
#define JAIL_LENGTHS_MAX   16  /* multipliers in a list */
#define JAIL_FACTOR_MAX    1000
#define JAIL_ALLOWANCE_MAX 100
#define JAIL_LATELY_S      (7 * 24 * 3600) /* a login, or a mail, is of lately so long */
#define JAIL_V4_BITS_MIN   8               /* the widest prefixes that are ever banned */
#define JAIL_V6_BITS_MIN   16
#define JAIL_SSHD          "sshd" /* a jail declared for JAIL_SERVICES_SSHD is for its action */
#define JAIL_SCOPES        "fleet or host" /* what `scope` may be; jail_parse_scope */
#define JAIL_MANUAL        "manual" /* the jail of bans made by hand; no other may be named so */

/* fail2ban's bantime.increment: how long the bans last of a client that was banned before. */
struct jail_growth {
    bool is_on;
    double factor;                          /* more than 0: each length is multiplied by it */
    unsigned char multiplier_count;         /* 0: 2, 4, 8, … times as long; */
    uint16_t multipliers[JAIL_LENGTHS_MAX]; /* else by the number of earlier bans, the last one for
                                               all behind it; ≥ 1 */
    int64_t max_s;       /* no longer than this, in seconds; 0: no limit but JAIL_TIME_MAX_S */
    int64_t random_s;    /* and up to so much more by chance, so that nobody knows when it ends */
    bool over_all_jails; /* bans in other jails count as earlier ones, too */
};

/* Who is honest for all that can be seen: what it gives an attacker is in docs/kindness.md. */
struct jail_kindness {
    unsigned login_allowance; /* a client that has logged in lately may fail so many times as often:
                                 1..JAIL_ALLOWANCE_MAX; 1: no more than others */
    unsigned mail_allowance;  /* likewise one that mail was taken from; only in a jail that counts
                                 no failed login, as anybody can send mail */
    bool login_forgives;      /* a login takes back this user's failures of this client */
    bool skips_bounces;       /* rejected mail that has no sender (from=<>) does not count */
};

/* What a failure came to, in bits of `enum effect_service`. */
enum {
    JAIL_SERVICES_SMTP = 7, /* 25, 587, 465 */
    JAIL_SERVICES_SIEVE = 32,
    JAIL_SERVICES_RELAYED = 128, /* beside its port: of Dovecot, which relays to Postfix */
    JAIL_SERVICES_MAILBOX = 56 | JAIL_SERVICES_RELAYED, /* IMAP, POP3, sieve; and that */
    JAIL_SERVICES_SSHD = 64, /* what comes to the action whose jail is JAIL_SSHD, as of sshd.conf */
};

struct jail {
    char name[JAIL_NAME_SIZE]; /* letters, digits, - and _ */
    uint64_t classes;          /* OFFENCE_BIT of each class that counts */
    unsigned maxretry;         /* 1..JAIL_MAXRETRY_MAX failures make a ban; 1..JAIL_STAMPS_MAX
                                  unless repeats is 1 */
    int64_t findtime_s;        /* seconds, ≥ 1 */
    int64_t bantime_s;         /* seconds, ≥ 1, or JAIL_FOREVER */
    unsigned v4_bits;          /* IPv4 is counted and banned by this prefix: 8..32 */
    unsigned v6_bits;          /* likewise IPv6: 16..128 */
    struct ports ports;        /* that its bans close … */
    enum verdict verdict;      /* … and how; VERDICT_OF_MODULE: as the module says */
    struct jail_growth growth;
    struct jail_kindness kindness;
    unsigned neighbours; /* so many clients of one network that it has banned within … make a ban of
                            the network: 2..JAIL_STAMPS_MAX; 0: none does */
    int64_t neighbours_s; /* … so many seconds, ≥ 1 */
    unsigned repeats;     /* a guess again at the same user, of which the line does not tell
                             whether it is with the same secret: of those one in so many
                             counts; 1: each, and those with the same secret as well;
                             JAIL_REPEATS_NONE */
    uint8_t services;     /* JAIL_SERVICES_…: failures of these, and of services that are not
                             known, count; 0: of all */
    bool is_observing;    /* decides and reports, but bans nobody */
    bool is_per_host;     /* failures of a client on one host do not add to those on another */
};

/* The defaults: mail, OFFENCE_DEFAULT, 5 in 10 minutes, 1 hour, /32 and /64, the
 * mail ports. */
void jail_defaults(struct jail *jail);

/* The jail that bans the network of clients that this one has banned: IPv4 by /24, IPv6 by /48, the
 * clients in place of the users, each once. */
#define JAIL_NETWORK_V4_BITS 24
#define JAIL_NETWORK_V6_BITS 48
struct jail jail_of_networks(const struct jail *jail);
uint64_t jail_neighbour(const struct source *client); /* what stands for the user's hash */

/* Makes it kind to users with an old password in some device and to mail servers: of repeats one
 * in ten, twice the failures after a login, ten times after mail, logins forgive, no bounces. */
void jail_be_kind(struct jail *jail);

/* Parses a span of time in fail2ban's notation: 90, 90s, 10m, 24h, 7d, 1w, "1d 12h"; any negative
 * number is JAIL_FOREVER where `forever` allows it. Returns 0 and seconds, or -EINVAL (no number,
 * unknown unit, 0, more than JAIL_TIME_MAX_S, negative where not allowed). */
int jail_parse_time(const char *text, bool forever, int64_t *seconds);

/* Whether "host" or "fleet" it is, for is_per_host. Returns 0, or -EINVAL for any other word. */
int jail_parse_scope(const char *word, bool *is_per_host);

/* "host" or "fleet". */
const char *jail_scope(const struct jail *jail);

/* Whether their bans close the same ports in the same way, so that one element of a set is enough
 * for both. Pure. */
bool jail_closes_as(const struct jail *jail, const struct jail *other);

/* VERDICT_DROP or VERDICT_REJECT: the jail's own, or the module's. Pure. */
enum verdict jail_verdict(const struct jail *jail, enum verdict of_module);

/* The jail as it is entered into the table: without a verdict of its own where that is the
 * module's as well, so that it shares its sets. Pure. */
struct jail jail_beside(const struct jail *jail, enum verdict of_module);

/* Checks the limits above. Returns NULL, or what is wrong as a sentence that names the parameter,
 * the value and what is allowed, in text[256]. */
const char *jail_check(const struct jail *jail, char text[256]);

/* How many failures one stamp stands for: 1, and 2 to 4 where maxretry is more than the stamps that
 * are kept. Then the first of so many failures has a stamp, and the others are only numbered. So
 * none of them is older than its stamp says: nobody is banned for fewer than maxretry failures
 * within findtime. When a stamp has left the window, up to jail_step - 1 of its failures may be in
 * it yet: a ban is certain when there are so many more than maxretry, 67 for 64. */
static inline unsigned
jail_step(const struct jail *jail)
{
    return (jail->maxretry + JAIL_STAMPS_MAX - 1) / JAIL_STAMPS_MAX;
}

/* How many stamps make a ban. */
static inline unsigned
jail_stamps(const struct jail *jail)
{
    return jail->maxretry <= JAIL_STAMPS_MAX
               ? jail->maxretry
               : (jail->maxretry + jail_step(jail) - 1) / jail_step(jail);
}

/* How many failures `stamps` of them stand for, if `last` came with the newest, it included. */
static inline unsigned
jail_failures(const struct jail *jail, unsigned stamps, unsigned last)
{
    return jail_step(jail) == 1 || stamps == 0 ? stamps : (stamps - 1) * jail_step(jail) + last;
}

/* How long a ban lasts, in seconds, of a client that was banned `before` times; never less than
 * bantime_s. `chance` is any number; equal ones give equal lengths. Pure. */
int64_t jail_bantime(const struct jail *jail, unsigned before, uint64_t chance);

/* The decision: whether any jail_stamps of these failures lie within one findtime (newest - oldest
 * ≤ findtime). `stamps` are one client's newest failures, seconds since the epoch, ascending;
 * `count` is at most JAIL_STAMPS_MAX. How many lie within findtime of the newest goes to
 * *within. Pure: the answer does not depend on the order in which the lines arrived. */
bool jail_decide(const struct jail *jail, const uint32_t *stamps, unsigned count, unsigned *within);

#endif
