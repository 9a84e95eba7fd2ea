/* table-health: what tells whether ombanmail sees what it should, and what holds it back; kept in
 * the table, so that it can be read while rsyslogd hangs.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TABLE_HEALTH_H
#define BANMAIL_TABLE_HEALTH_H

#include "table/table.h"

/* Bans a minute: a botnet of 2,000 is banned at once, a larger one in minutes. */
#define TABLE_BAN_RATE_DEFAULT 3000

enum table_sight {
    TABLE_SEEN,      /* no rule matched, and it does not look like a login */
    TABLE_MATCHED,   /* a rule knows it */
    TABLE_UNMATCHED, /* it looks like a login, but no rule knows it: the rulebases may be too old */
};

/* Counts one message. `worker` spreads the counters; now_s is stored when it has changed. Any
 * thread; some nanoseconds. */
void table_note_message(struct table *table, unsigned worker, enum table_sight sight,
                        int64_t now_s);

/* Keeps how the counters stand, once a minute, for the question what the last minutes brought. One
 * thread. */
void table_sample(struct table *table, int64_t now_s);

/* 0, or the negative errno with which the ledger cannot be written. One thread. */
void table_set_ledger_error(struct table *table, int error);

/* What rsyslogd has lost on the way to the action. */
enum table_loss {
    TABLE_LOST_JOURNAL, /* by imjournal's limit */
    TABLE_LOST_INPUT,   /* by another input's limit */
    TABLE_LOST_QUEUE,   /* by a queue that was full */
    TABLE_LOSSES,
};

/* Adds `count` messages. Any thread. */
void table_note_lost(struct table *table, enum table_loss loss, uint64_t count, int64_t now_s);

/* How long a mail server that has logged what IMAP clients say of themselves is taken to do so. */
#define TABLE_ID_LOG_MS (INT64_C(24) * 60 * 60000)

/* Dovecot logs what IMAP clients say of themselves (imap_id_log), so that the rest of a line that
 * it cuts may be a client's. Any thread; some nanoseconds. */
void table_note_id_log(struct table *table, int64_t now_s);

/* Whether it did within TABLE_ID_LOG_MS. Any thread, any process; some nanoseconds. */
bool table_logs_ids(const struct table *table, int64_t now_ms);

/* A line that would matter came from user `uid`, who may not write it. Any thread; some
 * nanoseconds. */
void table_note_untrusted(struct table *table, uint32_t uid, int64_t now_s);

#define TABLE_HOST_SIZE 96

/* The authentication backend of some hosts has faults. */
struct table_outage {
    unsigned places;  /* 0: of none, and nothing of the rest is set */
    int64_t since_ms; /* of the one that has lasted longest */
    int64_t until_ms; /* auth_failed does not count there until then, as far as is known; 0: it
                         counts again, because that may not be so for longer */
    char host[TABLE_HOST_SIZE];
};

/* One thread. */
void table_set_outage(struct table *table, const struct table_outage *outage);

/* How many bans jails may make a minute; 0: no limit. Before anything is counted. */
void table_set_ban_rate(struct table *table, unsigned most_a_minute);

/* Nothing is enforced until until_ms (TABLE_FOREVER_MS: until resumed; 0: resume now); counting and
 * banning go on, and what is wanted by then is enforced at the end. Wake the enforcer. Any thread.
 */
void table_pause(struct table *table, int64_t until_ms);

/* Ends a pause whose time has come. Returns when the present one ends; TABLE_FOREVER_MS: there is
 * none, or it does not end by itself. */
int64_t table_end_pause(struct table *table, int64_t now_ms);

struct table_health {
    uint64_t messages, matched, unmatched;                      /* since the table was created */
    uint64_t recent_messages, recent_matched, recent_unmatched; /* within recent_s */
    int64_t recent_s;            /* at most a quarter of an hour; 0: not yet known */
    int64_t last_message_ms;     /* 0: none has come yet */
    int64_t paused_until_ms;     /* 0: not paused */
    uint64_t held_back;          /* bans, by the limit on bans a minute */
    int64_t held_back_ms;        /* the latest of them */
    int ledger_error;            /* 0: it is written */
    uint64_t lost[TABLE_LOSSES]; /* messages, since the table was created */
    int64_t lost_ms;             /* the latest of them */
    struct table_outage outage;
    uint64_t untrusted;     /* lines of users who may not write them, likewise */
    int64_t untrusted_ms;   /* the latest of them, */
    uint32_t untrusted_uid; /* and whose it was */
};

/* Whether the client in place `index` (0..capacity - 1) has as many failures as make a ban, but is
 * not banned: maxBanRate held it back, or there was no room. *ban is what it would be, with the
 * time of the latest failure as since_ms; its class is not known, and until_ms TABLE_FOREVER_MS.
 * Any thread, any process; 0.1 s for 1,000,000. */
bool table_read_spared(const struct table *table, uint32_t index, int64_t now_ms, struct ban *ban);

/* Reads the latest ban that a jail would have made of the client in record `index` (0..capacity -
 * 1), did it not only observe, whether it would be over by now or not. Returns false when there is
 * none, or the jail observes no longer. Any process. */
bool table_read_observed(const struct table *table, uint32_t index, struct ban *ban);

/* Any thread, any process. */
void table_read_health(const struct table *table, int64_t now_ms, struct table_health *health);

#endif
