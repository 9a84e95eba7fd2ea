/* declared: see declared.h.
 *
 * What is in force is kept as the text that declares the same: it tells whether a file that is read
 * again says anything new, and is what the copy for a start with a wrong file is made of.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "errmsg.h"

#include "base/replace.h"
#include "base/text.h"
#include "complaints.h"
#include "control/origins.h"
#include "declared.h"
#include "dispatch.h"
#include "engine.h"
#include "parameter.h"
#include "rules/jails-options.h"
#include "rules/jails-print.h"
#include "rules/preset.h"

struct declared {
    struct jails *jails;
    struct allow_list **allow; /* of each; NULL: memory was out */
    unsigned *index;           /* of each, in the table; 0: it has none */
};

static struct declared now;
static char *text; /* of what is in force */
static char nothing[] = "";
static bool is_kept; /* it is in the copy */

static void
clear(struct declared *declared)
{
    for (unsigned i = 0; declared->jails != NULL && i < declared->jails->count; i++)
        allow_list_free(declared->allow == NULL ? NULL : declared->allow[i]);
    free(declared->allow);
    free(declared->index);
    jails_free(declared->jails);
    *declared = (struct declared){0};
}

static char *
text_of(const struct jails *jails)
{
    char *made = NULL;
    size_t length;
    FILE *const file = open_memstream(&made, &length);

    if (file == NULL)
        return NULL;
    jails_print(jails, file);
    text_close(file, &made);
    return made;
}

/* ---- who is never banned ---- */

/* A file that is wrong refuses the file of jails; but at a start at which the copy of that holds,
 * what was wrong may be this file, and its own copy holds as well. */
static void
set_file(struct allow_list *list, const char *path, const char *jail,
         const struct parameters *parameters)
{
    char reason[ALLOW_LIST_REASON_SIZE], copy[PARAMETER_COPY_PATH_SIZE];

    parameter_copy_path("ignoreip", path, parameters, copy);
    if (allow_list_set_file(list, path, copy, reason) == 0)
        return;
    LogMsg(0, RS_RET_OK, LOG_WARNING, "ombanmail: ignoreip of jail %s: %s. %s", jail, reason,
           allow_list_has_copy(list) ? "The list as it was last read whole is in force"
                                     : "Nobody is on it until that is mended");
}

static void
add_entry(struct allow_list *list, const char *word, const char *jail)
{
    if (allow_list_add(list, word, strlen(word)) != 0)
        LogMsg(0, RS_RET_OK, LOG_WARNING,
               "ombanmail: ignoreip = %s of jail %s is passed over: it is no address, prefix or "
               "name",
               word, jail);
}

static struct allow_list *
list_of(const struct jails_entry *entry, const struct parameters *parameters)
{
    struct allow_list *const list = allow_list_new();
    char reason[ALLOW_LIST_REASON_SIZE], *words = strdup(entry->ignoreip), *rest = NULL;
    bool changed;

    for (char *word = words == NULL ? NULL : strtok_r(words, " ", &rest);
         list != NULL && word != NULL; word = strtok_r(NULL, " ", &rest)) {
        const char *const path = jails_ignored_file(word);

        if (path != NULL)
            set_file(list, path, entry->jail.name, parameters);
        else
            add_entry(list, word, entry->jail.name);
    }
    free(words);
    if (list != NULL)
        allow_list_read(list, NULL, &changed, reason);
    return list;
}

bool
declared_allows(unsigned jail_index, const struct source *source, struct source *entry)
{
    for (unsigned i = 0; now.jails != NULL && i < now.jails->count; i++) {
        const struct allow *const allow = now.index[i] == jail_index && now.allow[i] != NULL
                                              ? allow_list_now(now.allow[i])
                                              : NULL;

        if (allow != NULL &&
            (entry != NULL ? allow_match(allow, source, entry) : allow_overlaps(allow, source)))
            return true;
    }
    return false;
}

struct allow_list *
declared_list(unsigned index, const char **jail)
{
    if (now.jails == NULL || index >= now.jails->count)
        return NULL;
    *jail = now.jails->at[index].jail.name;
    return now.allow[index];
}

/* ---- into table and counter ---- */

/* Whether the jail counts what comes to this action: those for sshd at the action that brings a
 * jail of that name, the others where an action brings none. */
static bool
is_for(const instanceData *instance, const struct jail *jail)
{
    if (jail->services != JAIL_SERVICES_SSHD)
        return !instance->parameters.has_jail;
    return instance->parameters.has_jail && strcmp(instance->parameters.jail.name, JAIL_SSHD) == 0;
}

static bool
is_for_any(const struct modConfData_s *configuration, const struct jail *jail)
{
    if (jail->services != JAIL_SERVICES_SSHD)
        return true;
    for (const instanceData *at = configuration->instances; at != NULL; at = at->next)
        if (is_for(at, jail))
            return true;
    return false;
}

/* Whether a declared jail has taken the place of the one that the action brings. */
static bool
is_replaced(const instanceData *instance, const struct declared *declared)
{
    for (unsigned i = 0; declared->jails != NULL && i < declared->jails->count; i++)
        if (instance->parameters.has_jail && declared->index[i] > 0 &&
            is_for(instance, &declared->jails->at[i].jail) &&
            strcmp(declared->jails->at[i].jail.name, instance->parameters.jail.name) == 0)
            return true;
    return false;
}

static bool
prepare(const struct modConfData_s *configuration, struct declared *declared, struct jails *jails)
{
    *declared = (struct declared){.jails = jails,
                                  .allow = calloc(jails->count + 1, sizeof(*declared->allow)),
                                  .index = calloc(jails->count + 1, sizeof(*declared->index))};
    if (declared->allow == NULL || declared->index == NULL)
        return false;
    for (unsigned i = 0; i < jails->count; i++) {
        const struct jail jail = jail_beside(&jails->at[i].jail, configuration->parameters.verdict);
        int index;

        if (!is_for_any(configuration, &jail))
            continue;
        index = table_jail(engine.table, &jail);
        declared->allow[i] = list_of(&jails->at[i], &configuration->parameters);
        if (index > 0)
            declared->index[i] = (unsigned)index;
        else
            LogError(-index, RS_RET_ERR,
                     "ombanmail: no room for jail %s: its failures are not counted", jail.name);
    }
    return true;
}

static void
add_jails(const struct declared *declared, const instanceData *instance)
{
    for (unsigned i = 0; i < declared->jails->count; i++) {
        const struct counter_action given = {.jail_index = declared->index[i],
                                             .jail = declared->jails->at[i].jail,
                                             .allow = declared->allow[i]};

        if (given.jail_index == 0 || given.jail.classes == 0 || !is_for(instance, &given.jail))
            continue;
        if (counter_add_jail(engine.counter, (unsigned)instance->action, &given) < 0)
            LogError(0, RS_RET_ERR, "ombanmail: no room for jail %s: its failures are not counted",
                     given.jail.name);
    }
}

static void
add_to_actions(const struct modConfData_s *configuration, const struct declared *declared)
{
    for (const instanceData *at = configuration->instances; at != NULL; at = at->next) {
        if (at->action < 0)
            continue;
        add_jails(declared, at);
        if (is_replaced(at, declared))
            counter_rest_action(engine.counter, (unsigned)at->action);
    }
}

/* Its bans stay until their end, but it counts nothing any more. */
static void
retire(const struct modConfData_s *configuration, const struct declared *former,
       const struct declared *next)
{
    for (unsigned i = 0; former->jails != NULL && i < former->jails->count; i++) {
        struct jail jail =
            jail_beside(&former->jails->at[i].jail, configuration->parameters.verdict);
        bool stays = false;

        for (unsigned other = 0; other < next->jails->count; other++)
            stays = stays || next->index[other] == former->index[i];
        jail.classes = 0;
        if (!stays && former->index[i] > 0)
            table_jail(engine.table, &jail);
    }
    for (const instanceData *at = configuration->instances; at != NULL; at = at->next)
        if (is_replaced(at, former) && !is_replaced(at, next))
            table_jail(engine.table, &at->parameters.jail);
}

/* ---- where they came from, for banmailctl ---- */

static void
tell_origins(const struct modConfData_s *configuration)
{
    struct origins origins = {.count = 0};

    for (unsigned i = 0; now.jails != NULL && i < now.jails->count; i++)
        if (now.index[i] > 0)
            origins_add(&origins, now.jails->at[i].jail.name, now.jails->at[i].origin);
    for (const instanceData *at = configuration->instances; at != NULL; at = at->next)
        if (at->parameters.has_jail && !is_replaced(at, &now))
            origins_add(&origins, at->parameters.jail.name, "an action");
    complaints_write_origins(&origins);
}

/* All jails that count, as a file: what the table has no room for (multipliers, neighbours) is told
 * to banmailctl test by it. */
static void
tell_jails(const struct modConfData_s *configuration)
{
    struct jails all = {.at = calloc(TABLE_JAILS_MAX, sizeof(*all.at))};
    char *made;

    for (unsigned i = 0; all.at != NULL && now.jails != NULL && i < now.jails->count; i++)
        if (now.index[i] > 0 && all.count < TABLE_JAILS_MAX)
            all.at[all.count++] = now.jails->at[i];
    for (const instanceData *at = configuration->instances; all.at != NULL && at != NULL;
         at = at->next)
        if (at->parameters.has_jail && !is_replaced(at, &now) && all.count < TABLE_JAILS_MAX)
            all.at[all.count++] =
                (struct jails_entry){.jail = at->parameters.jail, .ignoreip = nothing};
    made = all.at == NULL ? NULL : text_of(&all);
    if (made != NULL)
        complaints_write_jails(made);
    free(made);
    free(all.at);
}

/* ---- the copy ---- */

static int
keep_copy(const struct modConfData_s *configuration)
{
    const char *const path = configuration->parameters.jails_copy;
    int error;

    if (path == NULL || is_kept || configuration->parameters.has_jails_copy || text == NULL)
        return 0;
    error = replace_file(path, text, strlen(text), 0600, (uid_t)-1, (gid_t)-1);
    is_kept = error == 0;
    return error;
}

/* ---- its life ---- */

static void
put_in_force(struct modConfData_s *configuration, struct declared *next, bool is_first)
{
    struct declared former = now;

    add_to_actions(configuration, next);
    retire(configuration, &former, next);
    now = *next;
    if (!is_first)
        counter_use_jails(engine.counter, &engine.readers);
    clear(&former);
    free(text);
    text = text_of(now.jails);
    is_kept = false;
}

/* An action that counts for them, as that of mail.conf does. */
static bool
is_wanted(const struct modConfData_s *configuration)
{
    for (const instanceData *at = configuration->instances; at != NULL; at = at->next)
        if (!at->parameters.has_jail)
            return true;
    return !configuration->parameters.is_preset_default;
}

void
declared_begin(struct modConfData_s *configuration)
{
    struct jails *const jails = configuration->parameters.jails;
    struct declared next;

    if (jails == NULL || engine.counter == NULL || !is_wanted(configuration))
        return;
    configuration->parameters.jails = NULL;
    if (prepare(configuration, &next, jails))
        put_in_force(configuration, &next, true);
    else
        clear(&next);
}

static void
complain(const char *reason)
{
    complaints_add_jails(reason);
    report_say(&engine_report, LOG_ERR,
               "%s. The jails as they were last read whole go on; when it is mended: systemctl "
               "kill -s HUP rsyslog",
               reason);
}

static void
say_remarks(const struct jails *jails)
{
    for (const char *at = jails->remarks; *at != '\0'; at += strcspn(at, "\n") + 1)
        LogMsg(0, RS_RET_OK, LOG_NOTICE, "ombanmail: %.*s", (int)strcspn(at, "\n"), at);
}

/* Takes the jails over. */
static void
replace_by(struct modConfData_s *configuration, struct jails *jails)
{
    char *const said = text_of(jails);
    const char *const refusal = dispatch_refuses(configuration, jails);
    const unsigned before = now.jails == NULL ? 0 : now.jails->count;
    struct declared next;

    if (said != NULL && text != NULL && strcmp(said, text) == 0) {
        jails_free(jails);
    } else if (refusal != NULL) {
        jails_free(jails);
        complain(refusal);
    } else if (prepare(configuration, &next, jails) && counter_renew_jails(engine.counter) == 0) {
        say_remarks(jails);
        put_in_force(configuration, &next, false);
        engine_wake(); /* what they close may have changed */
        engine_look_up_names();
        report_say(&engine_report, LOG_NOTICE, "the jails have changed: %u; %u before",
                   jails->count, before);
    } else {
        clear(&next);
        complain("out of memory");
    }
    free(said);
}

void
declared_read(struct modConfData_s *configuration)
{
    const char *const path = configuration->parameters.jails_path;
    char reason[DECLARED_REASON_SIZE];
    struct jails *jails;
    int error = 0;

    if (engine.counter == NULL)
        return;
    if (path != NULL &&
        preset_read_file(configuration->parameters.preset, path, &jails, reason) != 0) {
        complain(reason);
    } else if (path != NULL) {
        configuration->parameters.has_jails_copy = false;
        replace_by(configuration, jails);
    }
    error = keep_copy(configuration);
    if (error != 0) {
        snprintf(reason, sizeof(reason), "%.200s, the copy of %.200s, cannot be written: %s",
                 configuration->parameters.jails_copy, path, strerror(-error));
        complain(reason);
    }
    tell_origins(configuration);
    tell_jails(configuration);
}

void
declared_end(void)
{
    clear(&now);
    free(text);
    text = NULL;
    is_kept = false;
}
