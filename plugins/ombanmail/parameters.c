/* parameters: takes what rsyslog's parser hands over, by the rows of parameter.c, and puts together
 * what follows from several of them: the jails that the module declares.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <libestr.h>

#include "conf.h"
#include "errmsg.h"
#include "parserif.h"
#include "rainerscript.h"

#include "count/gateway.h"
#include "parameter.h"
#include "parameters.h"
#include "rules/preset.h"
#include "rules/users.h"
#include "table/table.h"
#include "table/table-health.h"

#define DEFAULT_RUNTIME_DIRECTORY "/run/ombanmail"
#define DEFAULT_STATE_DIRECTORY   "/var/lib/ombanmail"
#define DEFAULT_RETENTION_S       (90 * 24 * 3600)
#define DEFAULT_LEDGER_SIZE       (UINT64_C(256) << 20)
#define DEFAULT_STAMP_AGE_S       604800 /* a week: a queue may have waited so long */

static char refusal[PARAMETERS_REFUSAL_SIZE]; /* the first since it was forgotten */

static void
note_refusal(const char *format, ...)
{
    va_list arguments;

    if (refusal[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(refusal, sizeof(refusal), format, arguments);
    va_end(arguments);
}

void
parameters_forget_refusal(void)
{
    refusal[0] = '\0';
}

void
parameters_read_refusal(char text[PARAMETERS_REFUSAL_SIZE])
{
    memcpy(text, refusal, sizeof(refusal));
}

bool
parameters_refuse(const char *name, const char *value, const char *allowed)
{
    note_refusal("%s=\"%s\": %s", name, value, allowed);
    parser_errmsg("ombanmail: %s=\"%s\" is refused: %s", name, value, allowed);
    return false;
}

static bool
read_string(const struct parameter *parameter, es_str_t *string, struct parameters *parameters)
{
    char *const word = es_str2cstr(string, NULL);
    const bool used = word != NULL && parameter->read(parameter->name, word, parameters);

    free(word);
    return used;
}

static bool
read_value(const struct parameter *parameter, const struct svar *value,
           struct parameters *parameters)
{
    bool used = true;

    if (value->datatype != 'A')
        return read_string(parameter, value->d.estr, parameters);
    for (int i = 0; i < value->d.ar->nmemb; i++)
        used = read_string(parameter, value->d.ar->arr[i], parameters) && used;
    return used;
}

/* What any action or module may have, which rsyslog itself reads, some of it later. */
static bool
is_rsyslogs(const char *name)
{
    static const char *const names[] = {"type", "name", "load", "config.enabled"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "action.", 7) == 0 || strncmp(name, "queue.", 6) == 0;
}

/* A misspelt one would run with the default, and nobody look for it. */
static bool
refuse_unknown(const char *name, const struct parameter_rows *rows)
{
    char allowed[1024];
    size_t used = 0;

    for (size_t i = 0; i < rows->count && used < sizeof(allowed); i++)
        used += (size_t)snprintf(allowed + used, sizeof(allowed) - used, "%s%s", i == 0 ? "" : ", ",
                                 rows->row[i].name);
    note_refusal("%s=: there is no such parameter", name);
    parser_errmsg("ombanmail: %s= is refused: there is no such parameter; allowed are %s", name,
                  allowed);
    return false;
}

static bool
are_all_known(struct nvlst *list, const struct parameter_rows *rows)
{
    bool known = true;

    for (const struct nvlst *at = list; at != NULL; at = at->next) {
        char *const name = at->bUsed ? NULL : es_str2cstr(at->name, NULL);

        if (name != NULL && !is_rsyslogs(name))
            known = refuse_unknown(name, rows);
        free(name);
    }
    return known;
}

/* Whether a parameter says what a jail is like. Whom none bans, and what becomes of their packets
 * by default, the module says of all jails. */
static bool
makes_jail(const struct parameter_rows *rows, const char *name)
{
    const bool is_of_all = strncmp(name, "ignoreip", 8) == 0 || strcmp(name, "verdict") == 0;

    if (strcmp(name, "path") == 0 || strcmp(name, "fleet") == 0 ||
        (is_of_all && rows == &parameter_of_module))
        return false;
    for (size_t i = 0; i < parameter_of_action.count; i++)
        if (strcmp(parameter_of_action.row[i].name, name) == 0)
            return true;
    return false;
}

/* Reads every value that is set, so that one run shows all that is wrong. */
static rsRetVal
read_values(struct nvlst *list, const struct parameter_rows *rows, struct parameters *parameters)
{
    struct cnfparamdescr descriptions[PARAMETER_ROWS_MAX];
    struct cnfparamblk block = {CNFPARAMBLK_VERSION, (unsigned short)rows->count, descriptions};
    struct cnfparamvals *values;
    rsRetVal iRet = RS_RET_OK;

    for (size_t i = 0; i < rows->count; i++)
        descriptions[i] = (struct cnfparamdescr){rows->row[i].key, rows->row[i].type, 0};
    values = nvlstGetParams(list, &block, NULL);
    if (values == NULL)
        return RS_RET_MISSING_CNFPARAMS;
    for (size_t i = 0; i < rows->count; i++) {
        if (!values[i].bUsed)
            continue;
        if (!read_value(&rows->row[i], &values[i].val, parameters))
            iRet = RS_RET_PARAM_ERROR;
        if (makes_jail(rows, rows->row[i].name))
            parameters->has_jail = true;
    }
    cnfparamvalsDestruct(values, &block);
    if (!are_all_known(list, rows))
        iRet = RS_RET_PARAM_ERROR;
    return iRet;
}

/* No class, port or multiplier named: those that were there before. */
static rsRetVal
read_jail_values(struct nvlst *list, const struct parameter_rows *rows,
                 const struct parameters *module, struct parameters *parameters)
{
    const uint64_t classes = parameters->jail.classes;
    const struct ports ports = parameters->jail.ports;
    const struct jail_growth growth = parameters->jail.growth;
    char wrong[256];
    rsRetVal iRet;

    parameters->jail.classes = 0;
    parameters->jail.ports = (struct ports){0};
    parameters->jail.growth.multiplier_count = 0;
    iRet = read_values(list, rows, parameters);
    if (parameters->jail.classes == 0)
        parameters->jail.classes = classes;
    if (parameters->jail.growth.multiplier_count == 0) {
        parameters->jail.growth.multiplier_count = growth.multiplier_count;
        memcpy(parameters->jail.growth.multipliers, growth.multipliers, sizeof(growth.multipliers));
    }
    if (parameters->jail.ports.count == 0)
        parameters->jail.ports = ports;
    else if (module->set4 != NULL && module->set6 != NULL)
        parser_warnmsg("ombanmail: ports= closes nothing: set4= and set6= take all bans, and which"
                       " ports they close is up to the rules that use these sets");
    if (iRet == RS_RET_OK && jail_check(&parameters->jail, wrong) != NULL) {
        note_refusal("%s", wrong);
        parser_errmsg("ombanmail: %s", wrong);
        iRet = RS_RET_PARAM_ERROR;
    }
    return iRet;
}

/* A wrong file is an error all the same, by which -N1 fails. */
static bool
read_jails_file(struct parameters *module)
{
    char reason[SETTINGS_REASON_SIZE], copy_reason[SETTINGS_REASON_SIZE],
        copy[PARAMETER_COPY_PATH_SIZE];
    const char *const path = module->jails_path;

    parameter_copy_path("jails", path, module, copy);
    if (!parameter_replace(&module->jails_copy, copy))
        return false;
    if (module->preset != NULL && preset_text(module->preset) == NULL)
        return parameters_refuse("preset", module->preset, PRESET_NAMES " is allowed");
    if (preset_read_file(module->preset, path, &module->jails, reason) == 0)
        return true;
    module->has_jails_copy = jails_read_copy(copy, &module->jails, copy_reason) == 0;
    if (!module->has_jails_copy)
        return parameters_refuse("jails", path, reason);
    parser_errmsg(
        "ombanmail: jails=\"%s\": %s. The jails as they were last read whole are in force", path,
        reason);
    return true;
}

static void
warn_of_remarks(const struct jails *jails)
{
    for (const char *at = jails->remarks; *at != '\0'; at += strcspn(at, "\n") + 1)
        parser_warnmsg("ombanmail: %.*s", (int)strcspn(at, "\n"), at);
}

/* The jails that the module declares beside those of actions. */
static bool
read_declared(struct parameters *module)
{
    char reason[SETTINGS_REASON_SIZE];

    module->is_preset_default =
        module->jails_path == NULL && module->preset == NULL && !module->has_jail;
    if (module->is_preset_default && !parameter_replace(&module->preset, PRESET_DEFAULT))
        return false;
    module->declares = module->jails_path != NULL || module->preset != NULL;
    if (!module->declares)
        return true;
    if (module->has_jail)
        return parameters_refuse(module->preset != NULL ? "preset" : "jails",
                                 module->preset != NULL ? module->preset : module->jails_path,
                                 "the module has maxretry, or another parameter of a jail, as "
                                 "well; give that to an action with a jail= of its own");
    if (module->jails_path != NULL && !read_jails_file(module))
        return false;
    if (module->jails_path == NULL && module->preset != NULL &&
        preset_read(module->preset, &module->jails, reason) != 0)
        return parameters_refuse("preset", module->preset, reason);
    warn_of_remarks(module->jails);
    return true;
}

rsRetVal
parameters_read_module(struct nvlst *list, struct parameters *module)
{
    rsRetVal iRet = RS_RET_OK;

    *module = (struct parameters){.runtime_directory = strdup(DEFAULT_RUNTIME_DIRECTORY),
                                  .state_directory = strdup(DEFAULT_STATE_DIRECTORY),
                                  .capacity = TABLE_CAPACITY_DEFAULT,
                                  .max_bans = TABLE_BANS_DEFAULT,
                                  .max_stamp_age_s = DEFAULT_STAMP_AGE_S,
                                  .max_stamp_ahead_s = PARAMETER_STAMP_AHEAD_MAX_S,
                                  .evidence = EVIDENCE_REDACTED,
                                  .max_ban_rate = TABLE_BAN_RATE_DEFAULT,
                                  .spares_gateways = true,
                                  .gateway_users = GATEWAY_USERS_DEFAULT,
                                  .group = (gid_t)-1,
                                  .command_group = (gid_t)-1,
                                  .retention_s = DEFAULT_RETENTION_S,
                                  .users_age_s = USERS_AGE_DEFAULT_S,
                                  .ledger_size = DEFAULT_LEDGER_SIZE,
                                  .allow = allow_list_new()};
    if (module->runtime_directory == NULL || module->state_directory == NULL ||
        module->allow == NULL)
        return RS_RET_OUT_OF_MEMORY;
    jail_defaults(&module->jail);
    if (list != NULL)
        iRet = read_jail_values(list, &parameter_of_module, module, module);
    if (module->trusted_count == 0)
        parameter_trust_mail_servers(module);
    if (iRet == RS_RET_OK && !read_declared(module))
        iRet = RS_RET_PARAM_ERROR;
    return iRet;
}

rsRetVal
parameters_read_action(struct nvlst *list, const struct parameters *module,
                       struct parameters *action)
{
    DEFiRet;

    *action = (struct parameters){.jail = module->jail,
                                  .allow = allow_list_new(),
                                  .path = strdup(PARAMETERS_PATH),
                                  .state_directory = strdup(module->state_directory)};
    if (action->allow == NULL || action->path == NULL || action->state_directory == NULL)
        return RS_RET_OUT_OF_MEMORY;
    CHKiRet(read_jail_values(list, &parameter_of_action, module, action));
    if (action->is_fleet && (action->is_own || action->has_jail)) {
        parameters_refuse("fleet", action->is_of_members ? "members" : "on",
                          "no parameter of a jail is allowed beside it; whom it never bans, the "
                          "module's ignoreip says");
        iRet = RS_RET_PARAM_ERROR;
    }
    action->jail = jail_beside(&action->jail, module->verdict);
    action->has_jail = !action->is_fleet && (action->has_jail || !module->declares);
finalize_it:
    RETiRet;
}

void
parameters_free(struct parameters *parameters)
{
    free(parameters->runtime_directory);
    free(parameters->state_directory);
    free(parameters->path);
    free(parameters->users_path);
    free(parameters->users_realm);
    free(parameters->event_ruleset);
    free(parameters->fleet_ruleset);
    free(parameters->report_ruleset);
    free(parameters->event_file);
    free(parameters->set4);
    free(parameters->set6);
    free(parameters->jails_path);
    free(parameters->jails_copy);
    free(parameters->preset);
    jails_free(parameters->jails);
    allow_list_free(parameters->allow);
    *parameters = (struct parameters){0};
}
