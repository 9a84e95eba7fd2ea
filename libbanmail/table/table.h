/* table: the shared memory; the counters, and the bans as they are wanted.
 *
 * One rsyslogd writes it; banmailctl maps it read-only beside a running rsyslogd, or takes the
 * exclusive lock and writes while none runs. The table says what should be: the enforcer makes the
 * kernel agree with it and the recorder writes down what changed, each at its own pace, and a ban
 * leaves the table only when both are done with it. So nothing is lost by a failure in between.
 *
 * A ban's life, the state as stored:
 *
 *      table_count, table_ban              table_acknowledge          until_ms passed
 *   ─────────────────────────▶ WANTED ─────────────────────▶ ENFORCED ───────────────┐
 *                                │ ▲  refused: stays wanted     │                    │
 *                   table_unban  │ └── table_want_all ──────────┤ table_unban        ▼
 *                                └───────────▶ LIFTED ◀─────────┘                   OVER
 *                                                │ table_acknowledge:                ▲
 *                                                │ gone from the kernel              │
 *                                                └───────────────────────────────────┘
 *   OVER and written to the ledger (table_recorded): the slot is free again.
 *
 * Times are Unix time: `_ms` milliseconds, `_s` seconds. No function reads a clock.
 *
 * Unless said otherwise a function may be called from any thread, blocks on nothing but a short
 * process-private lock, makes no system call and allocates nothing.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TABLE_H
#define BANMAIL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "rules/jail.h"
#include "line/offence.h"
#include "base/report.h"
#include "base/source.h"

#define TABLE_JAILS_MAX        64
#define TABLE_JAIL_MANUAL      0      /* the jail of bans that an administrator asked for */
#define TABLE_CAPACITY_DEFAULT 100000 /* clients counted at once */
#define TABLE_BANS_DEFAULT     50000  /* bans at once */
#define TABLE_PATH_SIZE        256
#define TABLE_FOREVER_MS       INT64_MAX
#define TABLE_SCOPE_FLEET      0 /* failures on all hosts, and a ban for all of them */
#define TABLE_SCOPE_OWN        1 /* of this server; each greater number is one other host's */

/* Whether a ban of this scope is for another host alone: it is kept for that, and never comes into
 * this kernel. Any thread. */
static inline bool
table_is_elsewhere(uint16_t scope)
{
    return scope > TABLE_SCOPE_OWN;
}

struct table;

struct table_options {
    const char *path; /* file on tmpfs; its directory must exist; NULL: memory of this process
                         alone, gone with table_close */
    const char *ledger_path; /* stored, so that banmailctl finds the ledger */
    uint32_t capacity;       /* clients, 1,024 or more */
    uint32_t max_bans;       /* 64 or more */
    uid_t owner;             /* the file is chowned to these; (uid_t)-1 and (gid_t)-1: as it is */
    gid_t group;
    int64_t now_ms;
    bool are_bans_told; /* somebody calls table_dequeue_untold, */
    bool are_bans_sent; /* and table_dequeue_unsent */
    const struct report *report;
};

/* Opens for writing: takes the file's exclusive lock, validates all of it, and attaches; or, where
 * there is none, or one that is damaged or of another layout or size, moves that aside (path
 * suffixed .damaged), says so, and begins anew. *is_new tells which. Free with table_close.
 * Returns 0; -EBUSY when another process holds the lock; -ENOSPC when there is no room even for
 * the smallest table (less room than asked for lowers the capacity with a warning); another
 * negative errno. Makes system calls; one thread. */
int table_open(const struct table_options *options, struct table **table, bool *is_new);

/* Maps an existing table read-only, without lock. Free with table_close_reader. Returns 0, -ENOENT,
 * -EACCES, -EPROTO when it is no table of this layout, another negative errno. */
int table_open_reader(const char *path, const struct table **table);

/* Unmaps and unlocks; the file stays. No other thread may use the table any more. NULL is fine. */
void table_close(struct table *table);
void table_close_reader(const struct table *table);

/* ---- jails ---- */

/* Enters a jail into the directory, or updates the one of that name. Returns its index (≥ 1, the
 * same as long as anything in the table refers to it, over restarts too); -ENOSPC when there are
 * TABLE_JAILS_MAX; -EINVAL when jail_check refuses it (but it may count no class at all: a jail
 * that only keeps the bans restored for it). */
int table_jail(struct table *table, const struct jail *jail);

/* Sets the ports that bans made by hand close; until then those of an earlier life, or the mail
 * ports. */
void table_set_manual_ports(struct table *table, const struct ports *ports);

/* The kernel may hold elements that nobody looks for: its sets are to be made anew, and for that
 * table_take_ports is true as well. A jail whose ports or verdict change asks for it, too. */
void table_want_rebuild(struct table *table);

/* Whether that was asked for since the last call: then all is to be wanted once more
 * (table_want_all). Enforcer only. */
bool table_take_rebuild(struct table *table);

/* Whether there are other lists of ports, or the same with another verdict, since the last call:
 * jails may come at any time, as with the first ban of another server that closes what nobody here
 * does. Enforcer only. */
bool table_take_ports(struct table *table);

/* The directory's entry; TABLE_JAIL_MANUAL is named JAIL_MANUAL. Returns false when there is none
 * at this index. */
bool table_read_jail(const struct table *table, unsigned index, struct jail *jail);

/* ---- counting: the hot path ---- */

/* A user's hash of a failure that guesses at nobody: what it repeats is told as of any other user,
 * and every login of the client takes it back. */
#define TABLE_NOBODY 1

struct table_failure {
    struct source client; /* the single address */
    enum offence_class class;
    uint16_t scope;        /* TABLE_SCOPE_… */
    uint16_t kind;         /* hash of which program wrote the line and which input brought it */
    uint32_t service_hash; /* imap, smtp …: one attempt is never on two services */
    uint64_t user_hash;    /* 0: the line names none, who may be another each time */
    uint64_t secret_hash;
    uint64_t session_hash;
    unsigned attempts; /* 1..OFFENCE_ATTEMPTS_MAX */
    int64_t stamp_ms;  /* when it happened */
    int64_t passed_ms; /* a packet of the client came through this machine's kernel for it, then or
                          later; 0: that is not known */
    uint8_t services;  /* EFFECT_… that it came to */
    /* NULL, or tells whether it is to be spared: TABLE_SPARED. Asked when it would be banned. */
    bool (*is_gateway)(void *asked);
    void *asked;
    bool is_observed; /* its jail only observes: TABLE_OBSERVED instead */
    bool is_network;  /* counts for those beside it: neither banned nor used up, but TABLE_SPARED as
                         long as the threshold is reached within findtime of the newest */
};

/* One attempt counts once, however many lines tell of it: for each client, user and service within
 * some seconds the count is the maximum over the kinds of line of that kind's attempts; a kind that
 * names no user may tell of any user's. Returns how many attempts this line adds: 0 when all are
 * known already. Call it for lines that count only. */
unsigned table_attempts(struct table *table, const struct table_failure *failure);

enum table_verdict {
    TABLE_COUNTED,   /* below the threshold */
    TABLE_BANNED,    /* this failure made a ban, which is now wanted: wake the enforcer and the
                        recorder */
    TABLE_KNOWN,     /* the client is banned already */
    TABLE_LATE,      /* would make a ban that would be over by now */
    TABLE_FULL,      /* would make a ban, but there are max_bans: the counters stay as they are */
    TABLE_HELD_BACK, /* likewise, but jails have made as many bans this minute as they may */
    TABLE_PROLONGED, /* the threshold again, while banned: the ban ends later now: wake both */
    TABLE_SPARED,    /* would make or prolong a ban, but the client is a gateway */
    TABLE_OBSERVED,  /* likewise, but the jail only observes: see table_read_observed */
    TABLE_ALLOWED,   /* would make a ban, but the client is worth more failures, or it is too early:
                        the failures are used up */
};

/* Counts `attempts` failures of a client in a jail (an index from table_jail). A ban begins with
 * the failure that completes the window and, where that is live (at most a minute old), with
 * now_ms. As in fail2ban a ban uses up the failures that made it, and failures go on to be counted
 * while it lasts: enough of them prolong it. A stamp more than a minute ahead of now_ms is taken
 * for now_ms. */
enum table_verdict table_count(struct table *table, unsigned jail_index, const struct jail *jail,
                               const struct table_failure *failure, unsigned attempts,
                               int64_t now_ms);

/* What table_count has counted for one line. */
struct table_counted {
    struct source client; /* the single address */
    uint16_t scope;       /* in jails that count each host by itself */
    uint32_t attempts;
    int64_t stamp_ms;
    uint64_t jails;    /* that counted it, as bits of their indexes */
    uint64_t singles;  /* of these, who counted the single address beside its network */
    uint64_t banning;  /* of these, where it was TABLE_BANNED */
    uint64_t observed; /* likewise TABLE_OBSERVED */
    bool is_known;     /* the failure is another one's, too, of other jails: number it once */
};

/* Takes it back in all these jails; failures that a ban has used up are gone already, and a client
 * without a counter is ignored. Also lifts the bans that it has made, if they are live still
 * (BAN_WITHDRAWN), and forgets those that it would have made, unless it only prolonged them.
 * Returns how many are lifted: then wake the enforcer and the recorder. */
unsigned table_withdraw(struct table *table, const struct table_counted *counted, int64_t now_ms);

/* ---- bans ---- */

enum ban_state { BAN_FREE, BAN_WANTED, BAN_ENFORCED, BAN_LIFTED, BAN_OVER };
enum ban_origin { BAN_BY_JAIL, BAN_BY_HAND };
enum ban_end {
    BAN_RUNNING,
    BAN_EXPIRED,
    BAN_LIFTED_BY_HAND,
    BAN_WITHDRAWN, /* failures that led to it proved to be no fault of the client's */
};

/* "expired", "lifted", "withdrawn" ("running" for none of them), and back: BAN_RUNNING for what is
 * none of them. */
const char *table_end_name(enum ban_end end);
enum ban_end table_end_parse(const char *name);

#define BAN_BEGINNING_UNTOLD 1
#define BAN_CHANGE_UNTOLD    2 /* its beginning, its prolongation or its end, */
#define BAN_CHANGE_UNSENT    4 /* and that other servers have not been told of it */

struct ban {
    uint64_t table_id; /* which table gave the id: random, one for each new table */
    uint64_t id;       /* ascending, never 0, unique within its table */
    struct source source;
    uint8_t jail;
    uint16_t scope;
    uint16_t failures; /* that led to it; 0 when by hand */
    enum ban_state state;
    enum ban_origin origin;
    enum ban_end end;
    enum offence_class class; /* of the deciding line */
    int64_t first_ms;         /* the oldest failure counted */
    int64_t since_ms;
    int64_t until_ms;    /* TABLE_FOREVER_MS: for ever */
    int64_t ended_ms;    /* when OVER or LIFTED */
    uint32_t lifted_by;  /* user id of who lifted it */
    uint32_t made_by;    /* 1 + user id of who made it by hand; 0: not known, as in the table when
                            it is lifted */
    int64_t enforced_ms; /* the kernel has it without a break since then; 0: it has not */
    uint32_t table;      /* whose ban it is: 0: this table's; only a like one is the same ban */
    uint64_t change;     /* number of its latest change there, ascending */
    uint8_t untold;      /* BAN_…_UNTOLD and BAN_CHANGE_UNSENT, as bits */
    /* failures for which packets passed all the same, see effect.h */
    uint32_t after;         /* how many */
    uint16_t after_seconds; /* in how many different seconds */
    uint8_t after_services; /* EFFECT_… that they came to */
    int64_t after_first_ms, after_last_ms;
};

/* Wants a ban: of source, jail, scope, failures, origin, made_by, table, class, first_ms, since_ms,
 * until_ms and, when it comes back from the ledger, table_id and id (else 0: given anew). One that
 * is live for the same source, jail, scope and table is prolonged instead when until_ms is later.
 * Returns 0; -ENOSPC when there are max_bans; -EINVAL when it would be over at now_ms. */
int table_ban(struct table *table, const struct ban *ban, int64_t now_ms);

/* For what other servers have decided (ban->table is not 0), which is kept by source, jail, scope
 * and table, and never comes into the ledger, as it is their history. Wants the ban with exactly
 * this end, later or earlier than it was. Returns 0, -ENOSPC, -EINVAL as table_ban. */
int table_ban_until(struct table *table, const struct ban *ban, int64_t now_ms);

/* Whether there is a live ban of the same source, jail, scope and table. */
bool table_has_one(struct table *table, const struct ban *ban, int64_t now_ms);

/* Lifts the live ban of the same source, jail, scope and table. Returns whether there was one. */
bool table_lift_one(struct table *table, const struct ban *ban, int64_t now_ms);

/* Another server has pardoned `source`: lifts this table's own bans that overlap it and have begun
 * at since_ms or before. Returns how many. */
unsigned table_pardon(struct table *table, const struct source *source, int64_t since_ms,
                      int64_t now_ms);

/* Lifts every live ban, in all jails, of `source` exactly, of a prefix that contains it, or within
 * it; resets the counters of those clients. Returns how many were lifted. */
unsigned table_unban(struct table *table, const struct source *source, uint32_t lifted_by,
                     int64_t now_ms);

/* The same in one jail alone; the counters are reset all the same. */
unsigned table_unban_jail(struct table *table, const struct source *source, unsigned jail_index,
                          uint32_t lifted_by, int64_t now_ms);

/* Ends what has run out. Returns how many, and in *next_ms when the next one will
 * (TABLE_FOREVER_MS: none will). Costs nothing while none is due. */
unsigned table_expire(struct table *table, int64_t now_ms, int64_t *next_ms);

/* ---- the enforcer's side ---- */

struct table_change {
    struct source source;
    uint8_t jail;      /* in the sets of what this jail closes; of several that close the same it is
                          always the first */
    bool wanted;       /* true: shall be in the kernel until until_ms; false: shall not */
    int64_t until_ms;  /* the latest of the jails that want it */
    uint8_t wanted_by; /* the jail that wants it longest, */
    uint8_t class;     /* and for what: an enum offence_class */
    uint64_t version;  /* table_acknowledge's proof that nothing changed meanwhile, */
    uint32_t jails;    /* and that no jail became the first of others */
};

/* Which lists of ports are told apart below: by default all. An administrator's set takes the bans
 * of all jails of a family, and one element of it stands for all lists. Enforcer only. */
void table_share_set(struct table *table, bool v4, bool v6);

/* Takes up to `most` elements that have to change in the kernel, one for each source and list of
 * ports; `most` must have room for one source with all lists. Returns how many. */
size_t table_dequeue(struct table *table, struct table_change *changes, size_t most,
                     int64_t now_ms);

/* Tells how it went: done, each is as wanted; else they will be taken again. */
void table_acknowledge(struct table *table, const struct table_change *changes, size_t count,
                       bool done, int64_t now_ms);

/* The kernel has lost everything: all live bans are to be taken again. Returns how many. */
size_t table_want_all(struct table *table);

/* How many sources wait to be taken; for a reader, how many bans the kernel has to hear of. */
size_t table_pending(const struct table *table);

/* ---- the recorder's side ---- */

/* Takes up to `most` bans whose beginning or end is not in the ledger yet. Returns how many. */
size_t table_dequeue_unrecorded(struct table *table, struct ban *bans, size_t most);

/* Tells how it went: done, these rows are in the ledger; else they will be taken again. */
void table_recorded(struct table *table, const struct ban *bans, size_t count, bool done);

/* ---- the teller's side: where options->are_bans_told. Bans of this table alone, not those that
 * came back from the ledger. ---- */

/* Takes up to `most` bans of whose beginning, prolongation or end nobody has been told; ban->untold
 * says which. Of several changes only the latest is there, beside the beginning. Each is to be
 * settled by table_told. Returns how many. Any thread. */
size_t table_dequeue_untold(struct table *table, struct ban *bans, size_t most);

/* Tells how it went: done, somebody was told of them as they were taken; else they will be taken
 * again. Any thread. */
void table_told(struct table *table, const struct ban *bans, size_t count, bool done);

/* How many wait to be taken, and how many had to make room for others before that, since the table
 * was opened. Any thread; costs nothing. */
size_t table_untold(const struct table *table);
uint64_t table_never_told(const struct table *table);

/* The same for other servers, where options->are_bans_sent, and apart from that: neither waits for
 * the other. What is taken counts as sent, as who misses it finds out by other means. */
size_t table_dequeue_unsent(struct table *table, struct ban *bans, size_t most);
size_t table_unsent(const struct table *table);

/* ---- reading, also from another process ---- */

struct table_status {
    uint64_t table_id;
    uint64_t generation; /* grows with every ban that changes: unchanged means nothing to re-read */
    char version[16];    /* of the package that wrote it */
    char ledger_path[TABLE_PATH_SIZE];
    uint32_t capacity, max_bans;
    int64_t created_ms;
    pid_t writer;      /* process id of the rsyslogd that has it open and locked, 0 when none */
    int64_t opened_ms; /* when that one opened it */
    /* since created; counted: attempts that table_attempts has added; evicted: clients forgotten
     * for want of room before their failures were too old; refused: bans for which there was no
     * room */
    uint64_t counted, duplicates, bans, unbans, evicted, refused;
    uint64_t withdrawn; /* failures taken back, because of the authentication backend's faults */
    uint64_t repeated;  /* lines that had come before, and so did not count */
    char trouble[256];  /* what keeps the kernel from agreeing, in words; "" when nothing does */
};

void table_read_status(const struct table *table, struct table_status *status);

/* Puts words into `trouble`; NULL or "" clears. Enforcer only. */
void table_set_trouble(struct table *table, const char *trouble);

/* What a jail has in its counter of a client. */
struct table_counter {
    unsigned failures;  /* the newest, of any age */
    unsigned within;    /* of these, those within findtime of the last */
    unsigned users;     /* whom they name, as far as can be told apart */
    unsigned bans;      /* how often it was banned before */
    int64_t newest_s;   /* the latest failure; 0: none */
    int64_t observed_s; /* when its jail, which only observes, would have banned it; 0: never */
    int64_t login_s;    /* when a user last logged in from there; 0: never, as far as is known */
};

/* Reads the counter of `source`, an address masked as the jail does, in this scope. Returns false
 * when there is none. Any thread, any process. */
bool table_read_counter(const struct table *table, unsigned jail_index, const struct source *source,
                        uint16_t scope, struct table_counter *counter);

/* What a client has done well. */
struct table_merit {
    bool is_login;      /* else mail was taken from it */
    uint64_t user_hash; /* who logged in; 0: not told */
    int64_t stamp_ms;
    uint16_t scope; /* as of the failures that it makes up for */
};

/* Notes it of `source`, masked as the jail does, where that has a counter; and where the jail's
 * kindness makes anything of it, and there is room that nobody else needs, begins one. A login
 * takes back the failures of this user, and those of TABLE_NOBODY, if the jail says so and knows
 * which they are (jail_step is 1). They are told apart by 16 bits of their hash. */
void table_note_merit(struct table *table, unsigned jail_index, const struct jail *jail,
                      const struct source *source, const struct table_merit *merit, int64_t now_ms);

/* A user has logged in from `source`, an address or what a jail would ban; and how many have within
 * the last day, at most 16. Users are told apart by 16 bits of their hash. Where there is no room
 * that nobody else needs, it is not noted. */
#define TABLE_USERS_S (24 * 3600)
void table_note_user(struct table *table, const struct source *source, uint64_t user_hash,
                     int64_t stamp_ms, int64_t now_ms);
unsigned table_count_users(struct table *table, const struct source *source, int64_t now_ms);

/* A client, masked as the jail does, was banned so often, by what the ledger says: counts as if it
 * had been this table's, unless the table knows of as many, or has no room that nobody else needs.
 */
void table_note_bans(struct table *table, unsigned jail_index, const struct source *source,
                     uint16_t scope, unsigned bans, int64_t now_ms);

/* Until then twice as many failures make a ban, so that a server is not met by the bans of users
 * whose logins have not been seen yet. 0: from now on no more. Kept in the table. */
void table_learn_until(struct table *table, int64_t until_ms);
int64_t table_learns_until(const struct table *table);

/* Lines that may count in these jails (bits of their indexes), since the table was opened: who sees
 * none counts none. Costs some instructions a jail. */
void table_note_jail_lines(struct table *table, uint64_t jails);
uint64_t table_jail_lines(const struct table *table, unsigned jail_index);

/* Clients that have a counter. Reads all records: milliseconds for 1,000,000. */
size_t table_tracked(const struct table *table);

/* Reads the slot `index` (0..max_bans - 1). Returns false when it is free, or was being written
 * every time. */
bool table_read_ban(const struct table *table, uint32_t index, struct ban *ban);

#endif
