/* parameters: what stands in module(load="ombanmail" …) and action(type="ombanmail" …).
 *
 * Every refusal names the parameter, the value and what is allowed; rsyslog's parser adds file and
 * line. All of it runs before the fork and under `rsyslogd -N1`: files are looked at, and nothing
 * outside the process is touched. Main thread only.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_PARAMETERS_H
#define OMBANMAIL_PARAMETERS_H

#include <stdint.h>
#include <sys/types.h>

#include "rules/allow-list.h"
#include "line/evidence.h"
#include "kernel/firewall.h"
#include "rules/jail.h"
#include "rules/jails-file.h"

#define PARAMETERS_PATH         ".ombanmail" /* unless path= names another */
#define PARAMETERS_REFUSAL_SIZE 512
#define PARAMETERS_TRUSTED_MAX  32 /* users */

/* rsyslog's headers are included by the .c files: they must come first there. */
struct nvlst;

struct parameters {
    char *state_directory; /* the ledger, and copies of the files of who is never banned */
    /* of the module only */
    char *runtime_directory; /* the table and the command socket; on tmpfs */
    uint32_t capacity;       /* clients */
    uint32_t max_bans;
    int64_t max_stamp_age_s; /* out of these bounds a message's stamp is not believed */
    int64_t max_stamp_ahead_s;
    enum verdict verdict; /* of jails that have none of their own */
    char *set4, *set6;    /* "inet blocklist bad_ips"; NULL: ours */
    bool flush_on_shutdown;
    enum evidence_mode evidence;
    unsigned max_ban_rate;  /* bans a minute, 0: no limit */
    bool spares_gateways;   /* they are reported, not banned */
    unsigned gateway_users; /* so many logging in through an address make one */
    char *users_path;       /* of known users; NULL: none */
    char *users_realm;      /* NULL: "" */
    int64_t users_age_s;    /* it is not used when it is older */
    int64_t learning_s;     /* a new table takes twice as many failures so long */
    int64_t retention_s;    /* how long the ledger keeps what is over */
    gid_t group;            /* whose members may read table and ledger; (gid_t)-1: rsyslogd's own */
    gid_t command_group;    /* whose members may command; likewise */
    uint64_t ledger_size;   /* bytes */
    uid_t trusted[PARAMETERS_TRUSTED_MAX]; /* whose lines count, beside root's … */
    unsigned trusted_count;
    bool trusts_all;      /* … or everybody's */
    char *fleet_ruleset;  /* which takes what other servers are to ban; NULL: none does */
    char *report_ruleset; /* which takes this host's reports to a centre; likewise */
    char *event_ruleset;  /* which takes the events; NULL: none does */
    char *event_file;     /* where the configuration says so … */
    int event_line;       /* … and the line that its statement ends in */
    /* of an action; in the module they are what its actions begin with */
    struct jail jail;
    /* ignoreip and loopback; not read yet. The module's holds for every action, an action's for
     * that action. */
    struct allow_list *allow;
    char *path;    /* where mmnormalize put the fields: PARAMETERS_PATH; not of the module */
    bool is_own;   /* jail= is given; not of the module */
    bool is_fleet; /* it takes other servers' messages in place of lines; not of the module … */
    bool is_of_members; /* … and these are the reports of a centre's hosts */
    /* of an action: it has a jail; else those that the module declares count what comes to it. Of
     * the module: it says what a jail counts, and so declares none but that of its actions. */
    bool has_jail;
    /* of the module: */
    struct jails *jails;    /* those that it declares, until they are in force; NULL: none */
    char *jails_path;       /* the file of them; NULL: there is none */
    char *jails_copy;       /* its copy in state_directory, as it was last read whole */
    bool has_jails_copy;    /* jails are the copy's */
    bool declares;          /* jails, whether there are any */
    char *preset;           /* NULL: the module has jails of another kind */
    bool is_preset_default; /* it was not asked for: only where an action has no jail of its own */
};

/* Fill in the defaults, then what is in the list (NULL: nothing is). The members are the caller's
 * to free with parameters_free, also after an error. */
rsRetVal parameters_read_module(struct nvlst *list, struct parameters *module);
rsRetVal parameters_read_action(struct nvlst *list, const struct parameters *module,
                                struct parameters *action);

void parameters_free(struct parameters *parameters);

/* Says as an error of the parser that the value of a parameter is refused, and what is allowed.
 * Returns false. */
bool parameters_refuse(const char *name, const char *value, const char *allowed);

/* What was refused first since parameters_forget_refusal; "" where nothing was. */
void parameters_read_refusal(char refusal[PARAMETERS_REFUSAL_SIZE]);
void parameters_forget_refusal(void);

#endif
