/* engine: its life, from the start as root to the end, and what a HUP changes in between.
 *
 * What has to be opened is opened while the process is still root, and given to the user that it
 * becomes; what decides anything begins only after that, when the bans of an earlier table are back
 * and before the first message is counted.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "errmsg.h"
#include "glbl.h"
#include "msg.h"
#include "rsconf.h"
#include "syslogd-types.h"
#include "unicode-helper.h"

#include "base/ownership.h"
#include "complaints.h"
#include "dispatch.h"
#include "control/command.h"
#include "base/clock.h"
#include "declared.h"
#include "engine.h"
#include "jail-statistics.h"
#include "kernel/policy.h"
#include "ledger/restore.h"
#include "rules/allow-added.h"
#include "statistics.h"
#include "table/table-health.h"

/* a directory of at most 80 characters, and the name of a file of ours */
#define FILE_PATH_SIZE   128
#define LEDGER_NAME      "ledger.db"
#define BUSY_PAUSE_MS    50 /* between tries to open a table that somebody has open */
#define BUSY_MOST_MS     5000
#define FILES_LOOK_MS    60000
#define MEMBERS_A_MINUTE 6 /* times that other servers' addresses make the lists anew */

DEFobjStaticHelpers
DEFobjCurrIf(glbl)

struct engine engine = {.listen_socket = -1,
                        .readers = READERS_INITIALIZER,
                        .instances_lock = PTHREAD_MUTEX_INITIALIZER};

static void
say(void *context, int severity, const char *text)
{
    (void)context;
    LogMsg(0, severity <= LOG_ERR ? RS_RET_ERR : RS_RET_OK, severity, "ombanmail: %s", text);
}

const struct report engine_report = {.say = say};

int64_t
engine_now_ms(void)
{
    return clock_wall_ms();
}

void
engine_wake(void)
{
    if (engine.enforcer != NULL)
        enforcer_wake(engine.enforcer);
    if (engine.recorder != NULL)
        recorder_wake(engine.recorder);
    outbox_wake(engine.outbox);
}

static void
engine_path(char path[FILE_PATH_SIZE], const char *directory, const char *name)
{
    snprintf(path, FILE_PATH_SIZE, "%s/%s", directory, name);
}

/* `change`: permissions for one that is there, too; 0: it keeps its own. */
static rsRetVal
make_directory(const char *path, mode_t mode, mode_t change, uid_t owner, gid_t group)
{
    char reason[OWNERSHIP_REASON_SIZE];
    const int directory = ownership_of_directory(path, mode, owner, group, reason);

    if (directory < 0) {
        LogError(0, RS_RET_ERR, "ombanmail: %s: nothing is counted", reason);
        return RS_RET_ERR;
    }
    if (change != 0 && fchmod(directory, change) != 0)
        LogError(errno, RS_RET_ERR, "ombanmail: the group cannot read %s", path);
    close(directory);
    return RS_RET_OK;
}

/* What an earlier run as another user has left there is this run's to write as well. */
static void
give_files(const struct parameters *parameters, uid_t owner, gid_t group)
{
    static const char *const names[] = {LEDGER_NAME, LEDGER_NAME "-wal", LEDGER_NAME "-shm",
                                        LEDGER_NAME HOSTS_SUFFIX, ALLOW_ADDED_NAME};
    char path[FILE_PATH_SIZE], reason[OWNERSHIP_REASON_SIZE];
    int error;

    if (owner == (uid_t)-1 && group == (gid_t)-1)
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        engine_path(path, parameters->state_directory, names[i]);
        error = ownership_of_file(path, S_IFREG, 0, owner, group, reason);
        if (error != 0 && error != -ENOENT)
            LogError(0, RS_RET_ERR, "ombanmail: %s", reason);
    }
}

/* While no rsyslogd runs banmailctl opens the table itself: that takes moments. */
static int
open_when_free(const struct table_options *options)
{
    const struct timespec pause = {.tv_nsec = BUSY_PAUSE_MS * 1000000};
    int error;

    for (int waited_ms = 0;; waited_ms += BUSY_PAUSE_MS) {
        error = table_open(options, &engine.table, &engine.table_is_new);
        if (error != -EBUSY || waited_ms >= BUSY_MOST_MS)
            return error;
        nanosleep(&pause, NULL);
    }
}

static rsRetVal
open_table(const modConfData_t *configuration, uid_t owner, gid_t group)
{
    const struct parameters *const parameters = &configuration->parameters;
    char path[FILE_PATH_SIZE], ledger_path[FILE_PATH_SIZE];
    struct table_options options = {.path = path,
                                    .ledger_path = ledger_path,
                                    .capacity = parameters->capacity,
                                    .max_bans = parameters->max_bans,
                                    .owner = owner,
                                    .group = group,
                                    .now_ms = engine_now_ms(),
                                    .are_bans_told = parameters->event_ruleset != NULL,
                                    .are_bans_sent = configuration->fleet_ruleset != NULL,
                                    .report = &engine_report};
    struct table_status status;
    int error;

    engine_path(path, parameters->runtime_directory, TABLE_NAME);
    engine_path(ledger_path, parameters->state_directory, LEDGER_NAME);
    error = open_when_free(&options);
    if (error == 0) {
        table_read_status(engine.table, &status);
        engine.evicted = status.evicted;
    }
    if (error == -EBUSY)
        LogError(0, RS_RET_ERR,
                 "ombanmail: the table %s is in use by another process (a second rsyslogd?): "
                 "nothing is counted here; give each its own runtimeDirectory",
                 path);
    else if (error != 0)
        LogError(-error, RS_RET_ERR, "ombanmail: cannot open the table %s: nothing is counted",
                 path);
    return error == 0 ? RS_RET_OK : RS_RET_ERR;
}

static void
register_action(instanceData *instance)
{
    struct counter_action action = {.jail = instance->parameters.jail,
                                    .allow = instance->parameters.allow,
                                    .is_own = instance->parameters.is_own};
    int index = 0; /* none: the jails of the module count what comes to it */

    if (instance->parameters.is_fleet)
        return;
    if (instance->parameters.has_jail)
        index = table_jail(engine.table, &instance->parameters.jail);
    else
        action.jail.classes = 0;
    if (index >= 0) {
        action.jail_index = instance->jail_index = (unsigned)index;
        instance->action = counter_add_action(engine.counter, &action);
    }
    if (index < 0 || instance->action < 0)
        LogError(index < 0 ? -index : -instance->action, RS_RET_ERR,
                 "ombanmail: no room for jail %s: its failures are not counted",
                 instance->parameters.jail.name);
}

/* In the order of the configuration, the last of which is the first instance. */
static void
register_actions(instanceData *instances)
{
    if (instances == NULL)
        return;
    register_actions(instances->next);
    register_action(instances);
}

static const struct allow *
allow_in_force(void)
{
    return allow_list_now(engine.allow);
}

/* Whether an action allows it beside that, for banmailctl. */
static bool
is_allowed_in_jail(unsigned jail_index, const struct source *source, struct source *entry)
{
    bool is_allowed = false;

    pthread_mutex_lock(&engine.instances_lock);
    for (const instanceData *instance = engine.configuration->instances;
         instance != NULL && !is_allowed; instance = instance->next)
        is_allowed = instance->jail_index == jail_index &&
                     allow_match(allow_list_now(instance->parameters.allow), source, entry);
    is_allowed = is_allowed || declared_allows(jail_index, source, entry);
    pthread_mutex_unlock(&engine.instances_lock);
    return is_allowed;
}

/* Which name on any list has the address, for banmailctl. */
static bool
find_allowed_name(const struct source *source, char *name)
{
    bool is_found = allow_names_find(allow_list_names(engine.allow), source, name);

    pthread_mutex_lock(&engine.instances_lock);
    for (const instanceData *instance = engine.configuration->instances;
         instance != NULL && !is_found; instance = instance->next)
        is_found = allow_names_find(allow_list_names(instance->parameters.allow), source, name);
    pthread_mutex_unlock(&engine.instances_lock);
    return is_found;
}

/* For banmailctl, which acts itself while no rsyslogd runs. */
static void
write_policy(const struct parameters *parameters, uid_t owner, gid_t group)
{
    struct firewall_policy policy = {.verdict = parameters->verdict};
    char path[FILE_PATH_SIZE];
    int error;

    if (parameters->set4 != NULL)
        snprintf(policy.set[FIREWALL_V4], FIREWALL_SET_SIZE, "%s", parameters->set4);
    if (parameters->set6 != NULL)
        snprintf(policy.set[FIREWALL_V6], FIREWALL_SET_SIZE, "%s", parameters->set6);
    engine_path(path, parameters->runtime_directory, TABLE_NAME);
    error = policy_write(path, &policy, owner, group);
    if (error != 0)
        LogError(-error, RS_RET_ERR, "ombanmail: cannot write %s.policy", path);
}

static void
start_enforcer(const struct parameters *parameters, uid_t owner, gid_t group)
{
    const struct enforcer_options options = {.table = engine.table,
                                             .report = &engine_report,
                                             .verdict = parameters->verdict,
                                             .set4 = parameters->set4,
                                             .set6 = parameters->set6,
                                             .flush_at_stop = parameters->flush_on_shutdown};
    int error;

    write_policy(parameters, owner, group);
    error = enforcer_start(&engine.enforcer, &options);
    if (error != 0)
        LogError(-error, RS_RET_ERR, "ombanmail: nobody will be banned: thread not started");
}

static void
listen_for_commands(const struct parameters *parameters, uid_t owner, gid_t group)
{
    char path[FILE_PATH_SIZE];

    engine_path(path, parameters->runtime_directory, COMMAND_SOCKET_NAME);
    engine.listen_socket = recorder_listen(path, owner, group);
    if (engine.listen_socket < 0)
        LogError(-engine.listen_socket, RS_RET_ERR,
                 "ombanmail: cannot listen on %s: banmailctl cannot ban or unban", path);
}

/* Bans of an earlier table come back before anything is counted. */
static void
restore_bans(const struct parameters *parameters)
{
    char path[FILE_PATH_SIZE];
    bool first_run = false;

    if (!engine.table_is_new)
        return;
    engine_path(path, parameters->state_directory, LEDGER_NAME);
    restore_live_bans(engine.table, path, engine_now_ms(), &engine_report, &first_run);
    if (first_run && engine.counter != NULL) /* stamps have whole seconds */
        counter_set_start(engine.counter, engine_now_ms() / 1000 * 1000);
    if (first_run &&
        parameters->learning_s > 0) /* a table that a reboot took has a history all the same */
        table_learn_until(engine.table, engine_now_ms() + parameters->learning_s * 1000);
}

/* Of a table that is there already the configuration can make the time shorter alone. */
static void
limit_learning(const struct parameters *parameters)
{
    struct table_status status;
    int64_t until_ms;

    table_read_status(engine.table, &status);
    until_ms = parameters->learning_s > 0 ? status.created_ms + parameters->learning_s * 1000 : 0;
    if (table_learns_until(engine.table) > until_ms)
        table_learn_until(engine.table, until_ms);
}

/* ---- who is never banned ---- */

/* In the ban's own jail, beside what the module's list has. */
static bool
is_allowed_in_its_jail(const modConfData_t *configuration, const struct ban *ban)
{
    for (const instanceData *instance = configuration->instances; instance != NULL;
         instance = instance->next)
        if (instance->jail_index == ban->jail &&
            allow_overlaps(allow_list_now(instance->parameters.allow), &ban->source))
            return true;
    return declared_allows(ban->jail, &ban->source, NULL);
}

/* Who has been put on the list since then is free now. */
static void
lift_allowed_bans(const modConfData_t *configuration)
{
    char text[SOURCE_TEXT_SIZE];
    struct table_status status;
    struct ban ban;

    table_read_status(engine.table, &status);
    for (uint32_t i = 0; i < status.max_bans; i++) {
        if (!table_read_ban(engine.table, i, &ban) ||
            (ban.state != BAN_WANTED && ban.state != BAN_ENFORCED))
            continue;
        if (allow_overlaps(allow_list_now(engine.allow), &ban.source))
            table_unban(engine.table, &ban.source, 0, engine_now_ms());
        else if (is_allowed_in_its_jail(configuration, &ban))
            table_unban_jail(engine.table, &ban.source, ban.jail, 0, engine_now_ms());
        else
            continue;
        LogMsg(0, RS_RET_OK, LOG_NOTICE, "ombanmail: the ban of %s is lifted: it is allow-listed",
               source_print(&ban.source, text));
    }
}

/* The list of a jail, or the module's (NULL). Returns whether it is another now; has other names to
 * look up, if so, in engine.has_new_names. */
static bool
read_allow_list(struct allow_list *list, const char *jail)
{
    const struct allow_names *const names = allow_list_names(list);
    const size_t before = allow_count(allow_list_now(list));
    char reason[ALLOW_LIST_REASON_SIZE];
    bool changed;

    if (allow_list_read(list, &engine.readers, &changed, reason) != 0) {
        complaints_add_list(reason);
        report_say(&engine_report, LOG_ERR,
                   "%s. Who was allow-listed by it stays so; when it is mended: systemctl kill -s "
                   "HUP rsyslog",
                   reason);
    }
    engine.has_new_names |= allow_list_names(list) != names;
    if (changed && engine.recorder != NULL)
        report_say(&engine_report, LOG_NOTICE,
                   "the allow list of %s%s has changed: %zu entries, loopback and this host's own "
                   "included; %zu before",
                   jail == NULL ? "the module" : "jail ", jail == NULL ? "" : jail,
                   allow_count(allow_list_now(list)), before);
    return changed;
}

/* Nobody of a family is banned then, which may be meant, for a while; it has to be seen. */
static void
look_for_everybody(const struct allow_list *list)
{
    const struct allow *const allow = allow_list_now(list);
    char text[SOURCE_TEXT_SIZE];

    for (size_t i = 0; i < allow_count(allow); i++) {
        const struct source *const entry = allow_entry(allow, i);

        if (source_bits(entry) != 0)
            continue;
        complaints_add_everybody(source_print(entry, text));
        report_say(&engine_report, LOG_WARNING,
                   "ignoreip has %s: of all IPv%c addresses none is ever banned", text,
                   source_is_v4(entry) ? '4' : '6');
    }
}

static void
look_up_new_names(void)
{
    if (engine.has_new_names)
        engine_look_up_names();
    engine.has_new_names = false;
}

/* At the start, and on the recorder's thread after a HUP. */
static void
read_allow_lists(modConfData_t *configuration)
{
    struct allow_list *list;
    const char *jail;
    bool changed;

    complaints_forget_lists();
    complaints_forget_jails();
    declared_read(configuration);
    changed = read_allow_list(engine.allow, NULL);
    look_for_everybody(engine.allow);
    for (instanceData *instance = configuration->instances; instance != NULL;
         instance = instance->next) {
        changed =
            read_allow_list(instance->parameters.allow, instance->parameters.jail.name) || changed;
        look_for_everybody(instance->parameters.allow);
    }
    for (unsigned i = 0; (list = declared_list(i, &jail)) != NULL; i++)
        changed = read_allow_list(list, jail) || changed;
    look_up_new_names();
    complaints_say();
    if (!changed && configuration->parameters.jails_path == NULL)
        return;
    lift_allowed_bans(configuration);
    engine_wake();
}

/* Once a minute, as what fills the file comes and goes, and it grows old; and after a HUP. */
static void
read_users(bool again)
{
    const int64_t now_ms = engine_now_ms();
    char reason[USERS_REASON_SIZE];
    bool changed;
    int error;

    if (engine.users == NULL || (!again && now_ms >= engine.users_looked_ms &&
                                 now_ms < engine.users_looked_ms + FILES_LOOK_MS))
        return;
    engine.users_looked_ms = now_ms;
    error = users_read(engine.users, again, now_ms / 1000, &engine.readers, &changed, reason);
    complaints_set_users(reason);
    if (!changed)
        return;
    complaints_say();
    if (error != 0)
        report_say(&engine_report, LOG_ERR, "%s", reason);
    else
        report_say(&engine_report, LOG_NOTICE, "knownUsers has %zu name%s",
                   users_count(engine.users), report_plural(users_count(engine.users)));
}

/* On the resolver's thread: the lists are put together anew as after a HUP. */
static void
take_resolved(void)
{
    atomic_store(&engine.hangup, true);
    engine_wake();
}

static void
start_resolver(const modConfData_t *configuration)
{
    struct allow_names *names[RESOLVER_LISTS_MAX];
    char path[PATH_MAX];
    struct allow_list *list;
    const char *jail;
    size_t count = 0;
    int error;

    names[count] = allow_list_names(engine.allow);
    count += names[count] != NULL;
    for (const instanceData *instance = configuration->instances;
         instance != NULL && count < RESOLVER_LISTS_MAX; instance = instance->next) {
        names[count] = allow_list_names(instance->parameters.allow);
        count += names[count] != NULL;
    }
    for (unsigned i = 0; count < RESOLVER_LISTS_MAX && (list = declared_list(i, &jail)) != NULL;
         i++) {
        names[count] = allow_list_names(list);
        count += names[count] != NULL;
    }
    snprintf(path, sizeof(path), "%s/names", configuration->parameters.state_directory);
    error = count == 0 ? 0 : resolver_start(&engine.resolver, names, count, path, take_resolved);
    if (error != 0)
        LogError(-error, RS_RET_ERR,
                 "ombanmail: names in ignoreip are not looked up: thread not started");
}

/* A HUP wakes it from the main thread. */
static pthread_mutex_t resolver_lock = PTHREAD_MUTEX_INITIALIZER;
static bool has_resolver; /* it has begun and not ended */

void
engine_look_up_names(void)
{
    pthread_mutex_lock(&resolver_lock);
    if (has_resolver) {
        resolver_stop(engine.resolver);
        engine.resolver = NULL;
        start_resolver(engine.configuration);
    }
    pthread_mutex_unlock(&resolver_lock);
}

void
engine_hangup(const instanceData *instance)
{
    if (engine.configuration == NULL || instance != engine.configuration->instances)
        return; /* one of them is enough */
    atomic_store(&engine.hangup, true);
    engine_wake();
    /* Where it is being stopped, which may take seconds, another one follows, and looks at once. */
    if (pthread_mutex_trylock(&resolver_lock) == 0) {
        resolver_wake(engine.resolver);
        pthread_mutex_unlock(&resolver_lock);
    }
}

/* Once a minute, as a timer writes it: whether Postfix trusts others since. On the recorder's
 * thread. */
static bool
are_networks_new(void)
{
    static struct timespec written;
    static int64_t looked_ms;
    const int64_t now_ms = engine_now_ms();
    const struct timespec before = written;
    struct stat status = {0};

    if (now_ms >= looked_ms && now_ms < looked_ms + FILES_LOOK_MS)
        return false;
    if (stat(ALLOW_LIST_MYNETWORKS_FILE, &status) != 0)
        status.st_mtim = (struct timespec){0};
    written = status.st_mtim;
    const bool is_first = looked_ms == 0;
    looked_ms = now_ms;
    return !is_first && (before.tv_sec != written.tv_sec || before.tv_nsec != written.tv_nsec);
}

void
engine_follow_hangup(void)
{
    const bool again = atomic_exchange(&engine.hangup, false);

    read_users(again);
    if (again)
        dispatch_read_hosts_again();
    if (!are_networks_new() && !again)
        return;
    pthread_mutex_lock(&engine.instances_lock);
    read_allow_lists(engine.configuration);
    jail_statistics_follow();
    pthread_mutex_unlock(&engine.instances_lock);
}

/* Not for each report of one who names others each time. The module's list alone is put together
 * anew: to have jails read again is for the administrator to ask. */
void
engine_allow_members(const struct source *members, size_t count)
{
    const int changed = allow_list_set_members(engine.allow, members, count);

    if (changed < 0)
        LogError(ENOMEM, RS_RET_OUT_OF_MEMORY, "ombanmail: members of the fleet can be banned");
    engine.has_new_members |= changed > 0;
    if (!engine.has_new_members ||
        !budget_take(&engine.members_budget, MEMBERS_A_MINUTE, 60000, engine_now_ms()))
        return;
    engine.has_new_members = false;
    pthread_mutex_lock(&engine.instances_lock);
    if (read_allow_list(engine.allow, NULL))
        lift_allowed_bans(engine.configuration);
    look_up_new_names();
    pthread_mutex_unlock(&engine.instances_lock);
    engine_wake();
}

/* By banmailctl, on the recorder's thread, and in force when it returns. */
static int
change_allow(void *closure, const struct source *source, const char *note)
{
    char path[FILE_PATH_SIZE];
    int changed;

    (void)closure;
    engine_path(path, engine.configuration->parameters.state_directory, ALLOW_ADDED_NAME);
    changed = allow_added_change(path, source, note);
    if (changed > 0) {
        pthread_mutex_lock(&engine.instances_lock);
        read_allow_list(engine.allow, NULL);
        look_up_new_names();
        pthread_mutex_unlock(&engine.instances_lock);
    }
    return changed;
}

static void
start_recorder(const struct parameters *parameters, void (*look)(void))
{
    char ledger_path[FILE_PATH_SIZE], socket_path[FILE_PATH_SIZE];
    const struct recorder_options options = {
        .table = engine.table,
        .enforcer = engine.enforcer,
        .ledger_path = ledger_path,
        .socket_path = socket_path,
        .allow = allow_in_force,
        .is_allowed_in_jail = is_allowed_in_jail,
        .find_allowed_name = find_allowed_name,
        .change_allow = change_allow,
        .outbox = engine.outbox,
        .pardon = dispatch_pardon,
        .resync = dispatch_ask,
        .gateways = engine.counter == NULL ? NULL : counter_gateways(engine.counter),
        .look = look,
        .retention_s = parameters->retention_s,
        .command_group = parameters->command_group,
        .ledger_size = parameters->ledger_size,
        .report = &engine_report};

    engine_path(ledger_path, parameters->state_directory, LEDGER_NAME);
    engine_path(socket_path, parameters->runtime_directory, COMMAND_SOCKET_NAME);
    const int error = recorder_start(&engine.recorder, &options, engine.listen_socket);
    if (error != 0)
        LogError(-error, RS_RET_ERR, "ombanmail: no ledger and no commands: thread not started");
}

/* As rsyslogd names this machine in the messages of its own inputs. A new name counts from the next
 * start on. */
static void
learn_host(char host[COUNTER_HOST_SIZE])
{
    rsRetVal iRet;

    host[0] = '\0';
    CHKiRet(objGetObjInterface(&obj));
    CHKiRet(objUse(glbl, CORE_COMPONENT));
    snprintf(host, COUNTER_HOST_SIZE, "%s", (const char *)glbl.GetLocalHostName());
    objRelease(glbl, CORE_COMPONENT);
finalize_it:
    if (iRet != RS_RET_OK)
        LogError(0, iRet,
                 "ombanmail: bans that have no effect are not looked for: this host's name "
                 "is not known");
}

static void
make_outbox(const struct parameters *parameters)
{
    char host[COUNTER_HOST_SIZE];
    const struct outbox_options options = {.table = engine.table,
                                           .origin = host,
                                           .most = OUTBOX_MOST_DEFAULT,
                                           .report = &engine_report};
    int error;

    if (parameters->event_ruleset == NULL && parameters->fleet_ruleset == NULL &&
        parameters->report_ruleset == NULL)
        return;
    learn_host(host);
    if (host[0] == '\0')
        strcpy(host, "unknown");
    error = outbox_new(&engine.outbox, &options);
    if (error != 0)
        LogError(-error, RS_RET_ERR, "ombanmail: nobody is told of what happens");
}

static rsRetVal
describe_properties(void)
{
    DEFiRet;

    CHKiRet(msgPropDescrFill(&engine.received_field, UCHAR_CONSTANT("timegenerated"), 13));
    CHKiRet(msgPropDescrFill(&engine.peer_field, UCHAR_CONSTANT("fromhost-ip"), 11));
    CHKiRet(msgPropDescrFill(&engine.journal_user, UCHAR_CONSTANT("!_UID"), 5));
    CHKiRet(msgPropDescrFill(&engine.socket_user, UCHAR_CONSTANT("!uid"), 4));
finalize_it:
    RETiRet;
}

static rsRetVal
make_counter(const struct parameters *parameters)
{
    char host[COUNTER_HOST_SIZE];

    if (parameters->users_path != NULL) {
        engine.users = users_new(parameters->users_path,
                                 parameters->users_realm == NULL ? "" : parameters->users_realm,
                                 parameters->users_age_s);
        if (engine.users == NULL)
            return RS_RET_OUT_OF_MEMORY;
    }
    const struct counter_options options = {
        .table = engine.table,
        .stamps = {.age_ms = parameters->max_stamp_age_s * 1000,
                   .ahead_ms = parameters->max_stamp_ahead_s * 1000},
        .evidence = parameters->evidence,
        .gateway_users = parameters->spares_gateways ? parameters->gateway_users : 0,
        .host = host,
        .allow = parameters->allow,
        .users = engine.users};

    learn_host(host);
    engine.counter = counter_new(&options);
    if (engine.counter == NULL)
        return RS_RET_OUT_OF_MEMORY;
    return describe_properties();
}

static bool
is_in_fleet(const instanceData *instances)
{
    for (; instances != NULL; instances = instances->next)
        if (instances->parameters.is_fleet && !instances->parameters.is_of_members)
            return true;
    return false;
}

/* Whoever tries it out bans nobody, whoever asks for it. */
static bool
is_observing(const struct parameters *parameters)
{
    return parameters->jail.is_observing ||
           (parameters->preset != NULL && strcmp(parameters->preset, "observe") == 0);
}

static void
make_follower(const modConfData_t *configuration)
{
    char host[COUNTER_HOST_SIZE];
    struct table_status status;
    uint64_t seed;

    if (!is_in_fleet(configuration->instances))
        return;
    if (is_observing(&configuration->parameters)) {
        LogMsg(0, RS_RET_OK, LOG_WARNING,
               "ombanmail: fleet=\"on\" bans nobody, because the module observes");
        return;
    }
    learn_host(host);
    table_read_status(engine.table, &status);
    if (getrandom(&seed, sizeof(seed), 0) == sizeof(seed))
        engine.follower = follower_new(engine.table, host, status.max_bans, seed);
    if (engine.follower == NULL)
        LogError(0, RS_RET_OUT_OF_MEMORY,
                 "ombanmail: what other servers of the fleet ban is not banned here");
}

/* A centre counts its hosts by themselves, where a jail wants it. */
static void
make_hosts(const modConfData_t *configuration)
{
    char host[COUNTER_HOST_SIZE];

    if (configuration->fleet_ruleset == NULL)
        return;
    learn_host(host);
    engine.hosts = hosts_new(host);
    if (engine.hosts == NULL)
        LogError(ENOMEM, RS_RET_OUT_OF_MEMORY,
                 "ombanmail: out of memory: all hosts count as this server, although jails have "
                 "scope=\"host\"");
}

/* As whom rsyslogd will run; -1: as it does now. */
static uid_t
owner_of(const modConfData_t *configuration)
{
    const globals_t *const globals = &configuration->pConf->globals;

    return globals->uidDropPriv == 0 ? (uid_t)-1 : (uid_t)globals->uidDropPriv;
}

static gid_t
group_of(const modConfData_t *configuration)
{
    const globals_t *const globals = &configuration->pConf->globals;

    return globals->gidDropPriv == 0 ? (gid_t)-1 : (gid_t)globals->gidDropPriv;
}

void
engine_complain(modConfData_t *configuration)
{
    const char *const directory = configuration->parameters.runtime_directory;
    const uid_t owner = owner_of(configuration);
    const gid_t group = group_of(configuration);
    char path[FILE_PATH_SIZE];

    if (!configuration->active && make_directory(directory, 0755, 0, owner, group) != RS_RET_OK)
        return;
    engine_path(path, directory, TABLE_NAME);
    complaints_begin(configuration, path, owner, group);
    configuration->complains = true;
}

rsRetVal
engine_prepare(modConfData_t *configuration)
{
    const struct parameters *const parameters = &configuration->parameters;
    const uid_t owner = owner_of(configuration);
    const gid_t group = group_of(configuration);
    const gid_t readers = parameters->group == (gid_t)-1 ? group : parameters->group;
    const gid_t commanders =
        parameters->command_group == (gid_t)-1 ? group : parameters->command_group;
    DEFiRet;

    CHKiRet(make_directory(parameters->runtime_directory, 0755, 0, owner, group));
    /* set-group-ID: what a dropped rsyslogd makes there belongs to the readers too */
    CHKiRet(make_directory(parameters->state_directory, 0750,
                           parameters->group == (gid_t)-1 ? 0 : 02750, owner, readers));
    give_files(parameters, owner, readers);
    CHKiRet(open_table(configuration, owner, readers));
    configuration->active = true;
    CHKiRet(make_counter(parameters));
    table_set_ban_rate(engine.table, parameters->max_ban_rate);
    register_actions(configuration->instances);
    declared_begin(configuration);
    make_follower(configuration);
    make_hosts(configuration);
    table_set_manual_ports(engine.table, &parameters->jail.ports);
    listen_for_commands(parameters, owner, commanders);
    start_enforcer(parameters, owner, group);
finalize_it:
    RETiRet;
}

void
engine_begin(modConfData_t *configuration, void (*look)(void))
{
    char path[FILE_PATH_SIZE];

    statistics_enable();
    dispatch_read_hosts();
    restore_bans(&configuration->parameters);
    limit_learning(&configuration->parameters);
    engine.configuration = configuration;
    engine.allow = configuration->parameters.allow;
    allow_list_set_own(engine.allow); /* known only now */
    engine_path(path, configuration->parameters.state_directory, ALLOW_ADDED_NAME);
    if (allow_list_set_added(engine.allow, path) != 0)
        LogError(ENOMEM, RS_RET_ERR, "ombanmail: who was allow-listed by banmailctl is not");
    read_allow_lists(configuration);
    read_users(true);
    jail_statistics_follow();
    make_outbox(&configuration->parameters);
    if (engine.enforcer != NULL)
        enforcer_release(engine.enforcer);
    start_recorder(&configuration->parameters, look);
    pthread_mutex_lock(&resolver_lock);
    start_resolver(configuration);
    has_resolver = true;
    pthread_mutex_unlock(&resolver_lock);
}

void
engine_end(void)
{
    pthread_mutex_lock(&resolver_lock);
    resolver_stop(engine.resolver); /* before those whom it wakes */
    engine.resolver = NULL;
    has_resolver = false;
    pthread_mutex_unlock(&resolver_lock);
    jail_statistics_leave();
    recorder_stop(engine.recorder); /* first: it wakes the enforcer */
    enforcer_stop(engine.enforcer);
    counter_free(engine.counter);
    outbox_free(engine.outbox);
    follower_free(engine.follower);
    hosts_free(engine.hosts);
    declared_end();
    users_free(engine.users);
    table_close(engine.table);
    msgPropDescrDestruct(&engine.received_field);
    msgPropDescrDestruct(&engine.peer_field);
    msgPropDescrDestruct(&engine.journal_user);
    msgPropDescrDestruct(&engine.socket_user);
    engine.counter = NULL;
    engine.follower = NULL;
    engine.hosts = NULL;
    engine.users = NULL;
    engine.enforcer = NULL;
    engine.recorder = NULL;
    engine.outbox = NULL;
    engine.conditions = 0;
    engine.table = NULL;
    engine.allow = NULL;
    engine.configuration = NULL;
}
