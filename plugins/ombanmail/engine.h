/* engine: libbanmail within rsyslogd, of which a process has one, and the configuration that it
 * was started with.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_ENGINE_H
#define OMBANMAIL_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "count/counter.h"
#include "kernel/enforcer.h"
#include "parameters.h"
#include "base/readers.h"
#include "base/report.h"
#include "control/outbox.h"
#include "control/follower.h"
#include "control/recorder.h"
#include "control/resolver.h"
#include "fleet/hosts.h"
#include "fleet/limits.h"
#include "table/table.h"

#define TABLE_NAME "table" /* in the runtime directory */

/* rsyslog's headers are included by the .c files: they must come first there. */

/* One action. The name is rsyslog's. */
typedef struct _instanceData {
    struct parameters parameters;
    msgPropDescr_t fields;       /* the object that mmnormalize made */
    msgPropDescr_t class_field;  /* its member `class` */
    bool has_queue;              /* it is not called by the thread that runs the statements */
    unsigned reading;            /* which rulebases made it, as far as its path tells */
    unsigned jail_index;         /* in the table, from engine_prepare on; 0: has none */
    int action;                  /* its number in the counter, likewise; negative: has none */
    struct _instanceData *next;  /* of the configuration's instances … */
    struct _instanceData **link; /* … and what points to this one */
} instanceData;

/* The module. The name is rsyslog's. */
struct modConfData_s {
    rsconf_t *pConf;
    struct parameters parameters;
    instanceData *instances;
    bool active;
    bool is_refused;                       /* the module's parameters: nothing of it is used */
    unsigned refused_actions;              /* these are missing */
    char refusal[PARAMETERS_REFUSAL_SIZE]; /* the first that was said of either */
    bool complains;                        /* complaints_end is owed */
    ruleset_t *fleet_ruleset;              /* NULL: no other server is told */
    ruleset_t *report_ruleset;             /* NULL: no centre hears what this host holds */
    ruleset_t *event_ruleset;              /* NULL: none is named, or it cannot be used: … */
    char event_refusal[PARAMETERS_REFUSAL_SIZE]; /* … why */
};

/* All NULL until engine_prepare, and again from engine_end on; written while no worker runs. */
struct engine {
    struct table *table;
    struct enforcer *enforcer;
    struct recorder *recorder;
    struct counter *counter;
    struct outbox *outbox;         /* NULL: nobody is told of what happens */
    uint32_t conditions;           /* that hold, as teller_note_conditions was told last */
    struct hosts *hosts;           /* that report; NULL: this server is no centre */
    struct follower *follower;     /* of other servers; NULL: no action takes their messages */
    struct allow_list *allow;      /* the module's: for every action, and for banmailctl */
    struct resolver *resolver;     /* of the names on allow lists; NULL: there are none */
    struct users *users;           /* who there is; NULL: no file of them is configured */
    int64_t users_looked_ms;       /* when that file was last looked at */
    msgPropDescr_t peer_field;     /* who has delivered it, by the kernel's word */
    msgPropDescr_t received_field; /* when rsyslogd took the message in */
    msgPropDescr_t journal_user, socket_user; /* who wrote it, by imjournal and by imuxsock */
    bool table_is_new;
    uint64_t evicted; /* clients, before the table was opened */
    int listen_socket;
    struct readers readers; /* every worker, from its beginning on */
    /* The recorder reads the lists of all actions anew; actions go away before it ends. */
    struct modConfData_s *configuration;
    pthread_mutex_t instances_lock;
    atomic_bool hangup;
    bool has_new_members; /* of the fleet, which are on no list yet */
    struct budget members_budget;
    bool has_new_names; /* on a list, since the resolver was started: of who reads the lists */
};

extern struct engine engine;

/* Says what the engine has to say as rsyslogd's own message. Any thread. */
extern const struct report engine_report;

/* Never bans these addresses of other servers of the fleet, in place of those that it was given
 * before. The recorder's thread. */
void engine_allow_members(const struct source *members, size_t count);

/* Milliseconds since 1970. Any thread. */
int64_t engine_now_ms(void);

/* Wakes enforcer, recorder and teller, if they are there. Any thread; never blocks. */
void engine_wake(void);

/* While the process is still root: directories, table, jails, command socket, enforcer's thread.
 * Whatever fails is said; with RS_RET_OK, or when configuration->active is set, engine_end is owed.
 * Main thread. */
rsRetVal engine_prepare(struct modConfData_s *configuration);

/* After that, or in its place where nothing is to be done: lays down what is wrong with the
 * configuration for banmailctl status. Main thread, still root. */
void engine_complain(struct modConfData_s *configuration);

/* rsyslogd got a HUP, and tells each action: has the recorder read again, once, what stands in
 * files, and this host's addresses. Main thread; does not wait for it. */
void engine_hangup(const instanceData *instance);

/* There are other lists with names than when it began to look them up. The recorder's thread, or
 * the main thread while there is none. */
void engine_look_up_names(void);

/* Reads what engine_hangup asked for, if it did. The recorder's thread. */
void engine_follow_hangup(void);

/* As the user that it runs as, before any queue runs: brings back the bans of an earlier table,
 * releases the enforcer, starts the recorder, which calls `look` about once a second. Main thread.
 */
void engine_begin(struct modConfData_s *configuration, void (*look)(void));

/* Ends the threads and closes the table; no worker runs any more. Main thread. */
void engine_end(void);

#endif
