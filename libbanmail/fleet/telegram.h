/* telegram: what the servers of a fleet tell each other, as one line of JSON, and back.
 *
 *   {"event":"ban","fleet":1,"origin":"centre","table":"9f0c…","sent":1767225600250,
 *    "source":"203.0.113.9","ports":"25,587","scope":"fleet","since":1767225600000,
 *    "until":1767229200000,"change":17,"jail":"auth","reason":"auth_failed","count":5,
 *    "hosts":["mx1","mx2"]}
 *   {"event":"unban", … }   the same fields; that ban is over before its end
 *   {"event":"pardon", … }  "ports":null; whatever ban of `source` began by `since` is over,
 * whoever decided it; to be remembered until `until`
 *   {"event":"page","fleet":1,"origin":"centre","table":"9f0c…","sent":1767225600250,"change":17,
 *    "page":3,"pages":64,"lists":["25,587"],
 *    "bans":[["203.0.113.9",0,1767225600000,1767229200000,17], … ]}
 *   {"event":"report","fleet":1,"origin":"mx1","table":"51aa…","sent":1767225600250,
 *    "version":"0.1.0","addresses":["192.0.2.1"],"refused":0,
 *    "holds":[["centre","9f0c…",17,204,"77aa…",-12]]}
 *   {"event":"members","fleet":1,"origin":"centre","table":"9f0c…","sent":1767225600250,
 *    "addresses":["192.0.2.1","192.0.2.2"]}
 *
 * "fleet" is the version of this format. A page holds all live bans and pardons of one slice of the
 * hash space (slice.h), each as source, index into "lists" (null: a pardon), since, until, change,
 * and its scope where that is one host: what a page of its slice does not hold is over, unless it
 * is newer than the page's own "change". A report holds for each origin the table, and as of the
 * latest page from it that page's change, how many bans of the fleet the host knew, their digest,
 * and by how many milliseconds the origin's clock is behind the host's, the way included. Members
 * are servers of the fleet, which nobody is to ban: single addresses, of many some in each message.
 *
 * Times are Unix milliseconds by the sender's clock; "until" is null for ever. "change" counts the
 * changes of the origin's table, which is new where that begins anew.
 *
 * Everything printed comes from a closed alphabet, so nothing ever needs escaping. Everything read
 * is distrusted.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TELEGRAM_H
#define BANMAIL_TELEGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/ports.h"
#include "base/source.h"

#define TELEGRAM_VERSION       1
#define TELEGRAM_TEXT_SIZE     7168 /* with a header less than the 8 KiB of rsyslog's default */
#define TELEGRAM_NAME_SIZE     65   /* Linux has host names of 64 bytes at most */
#define TELEGRAM_WORD_SIZE     33
#define TELEGRAM_BANS_MAX      100 /* on a page */
#define TELEGRAM_LISTS_MAX     16  /* of ports, on a page */
#define TELEGRAM_PAGES_MAX     (UINT32_C(1) << 31)
#define TELEGRAM_HOSTS_MAX     16
#define TELEGRAM_ADDRESSES_MAX 32
#define TELEGRAM_HOLDS_MAX     8
#define TELEGRAM_MEMBERS_MAX   100 /* addresses in a message */
#define TELEGRAM_FOREVER_MS    INT64_MAX
#define TELEGRAM_SCOPE_FLEET   "fleet"

enum telegram_kind {
    TELEGRAM_BAN,
    TELEGRAM_UNBAN,
    TELEGRAM_PARDON,
    TELEGRAM_PAGE,
    TELEGRAM_REPORT,
    TELEGRAM_MEMBERS
};

/* A ban or a pardon, as pages have it and the merge sees it. */
struct telegram_ban {
    struct source source;
    struct ports ports; /* none: a pardon */
    int64_t since_ms;
    int64_t until_ms; /* TELEGRAM_FOREVER_MS: for ever */
    uint64_t change;
    char scope[TELEGRAM_NAME_SIZE]; /* TELEGRAM_SCOPE_FLEET or a host */
};

/* What people want to know of it besides. */
struct telegram_story {
    char jail[TELEGRAM_WORD_SIZE];
    char reason[TELEGRAM_WORD_SIZE]; /* a class, "manual" */
    uint32_t count;                  /* failures */
    unsigned host_count;             /* those that logged them, as far as there is room */
    char hosts[TELEGRAM_HOSTS_MAX][TELEGRAM_NAME_SIZE];
};

struct telegram_page {
    uint64_t change;      /* of the table, when the page was made */
    uint32_t page, pages; /* `pages` is a power of two */
    unsigned ban_count;
    struct telegram_ban bans[TELEGRAM_BANS_MAX];
};

struct telegram_holding {
    char origin[TELEGRAM_NAME_SIZE];
    uint64_t table, change;
    uint32_t count;
    uint64_t digest;
    int64_t behind_ms;
};

struct telegram_report {
    char version[TELEGRAM_WORD_SIZE];
    unsigned address_count;
    struct source addresses[TELEGRAM_ADDRESSES_MAX];
    uint64_t refused; /* by the limits of `apply`, since the start */
    unsigned hold_count;
    struct telegram_holding holds[TELEGRAM_HOLDS_MAX];
};

struct telegram_members {
    unsigned address_count;
    struct source addresses[TELEGRAM_MEMBERS_MAX];
};

struct telegram {
    enum telegram_kind kind;
    char origin[TELEGRAM_NAME_SIZE];
    uint64_t table;
    int64_t sent_ms;
    union {
        struct {
            struct telegram_ban ban;
            struct telegram_story story;
        };
        struct telegram_page page;
        struct telegram_report report;
        struct telegram_members members;
    };
};

/* Writes the JSON, NUL-terminated and without newline. Returns its length, -ENOSPC when it has no
 * room, or -EINVAL when telegram_read would not take it back. Any thread; allocates nothing. */
int telegram_print(const struct telegram *telegram, char *text, size_t size);

/* Reads it back. Requires every field to be of its type and within its bounds, and ignores unknown
 * ones. Returns 0, -EINVAL, or -EPROTO when it is of another version; *telegram is undefined then.
 * Any thread; allocates through libfastjson. */
int telegram_read(const char *text, size_t length, struct telegram *telegram);

#endif
