/* ombanmail: an output module that bans attackers of mail servers.
 *
 * This file is rsyslog's side: the entry points that it calls. The engine is libbanmail and knows
 * nothing of rsyslog; engine.c starts and ends it, message.c makes failures of messages.
 *
 * When what happens (rsyslog's order):
 *
 *   modInit, newActInst, …     also under -N1, before the fork: read parameters, touch nothing
 *   activateCnfPrePrivDrop     still root: directories, table, enforcer thread, command socket
 *   activateCnf                as the drop user, before any queue runs: bans of an earlier table
 *                              come back from the ledger, the enforcer is released, and the
 *                              recorder starts
 *   doAction                   on the workers: count; never waits, never fails
 *   doHUP                      beside it: the recorder reads again what stands in files
 *   freeCnf                    the queues are gone: enforcer and recorder end, the table is closed
 *
 * Concurrency and locking: doAction runs on any number of workers at once. They only read an
 * instance (pData); a worker's own data (wrkrInstanceData) is the reader, which no other worker
 * touches. What all share is the table: its locks are within table/, and no worker
 * waits for the kernel, the disk or a name server. Of the engine's threads the recorder alone reads
 * instances, for their allow lists, under instances_lock.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "errmsg.h"
#include "module-template.h"
#include "msg.h"
#include "parserif.h"
#include "rsconf.h"
#include "syslogd-types.h"
#include "template.h"
#include "unicode-helper.h"

#include "complaints.h"
#include "dispatch.h"
#include "engine.h"
#include "jail-statistics.h"
#include "message.h"
#include "news.h"
#include "statistics.h"
#include "table/table-effect.h"
#include "teller.h"
#include "version.h"

MODULE_TYPE_OUTPUT
MODULE_TYPE_NOKEEP
MODULE_CNFNAME("ombanmail")

DEF_OMOD_STATIC_DATA

typedef struct wrkrInstanceData {
    instanceData *pData;
    struct reader reader;
} wrkrInstanceData_t;

static modConfData_t *load_configuration = NULL;

BEGINdoAction_NoStrings
    CODESTARTdoAction
    message_take(((smsg_t **)pMsgData)[0], pWrkrData->pData, &pWrkrData->reader);
ENDdoAction

/* ---- configuration ---- */

BEGINbeginCnfLoad
    CODESTARTbeginCnfLoad
    pModConf->pConf = pConf;
    if (parameters_read_module(NULL, &pModConf->parameters) != RS_RET_OK) {
        parameters_free(&pModConf->parameters);
        free(pModConf);
        return RS_RET_OUT_OF_MEMORY;
    }
    load_configuration = pModConf;
ENDbeginCnfLoad

BEGINsetModCnf
    CODESTARTsetModCnf
    parameters_free(&load_configuration->parameters);
    parameters_forget_refusal();
    CHKiRet(parameters_read_module(lst, &load_configuration->parameters));
finalize_it:
    /* rsyslogd would have no module then, and nobody be there to say why nothing is banned. That it
     * is refused has been said as an error, by which -N1 fails. */
    if (iRet != RS_RET_OK && iRet != RS_RET_OUT_OF_MEMORY) {
        load_configuration->is_refused = true;
        parameters_read_refusal(load_configuration->refusal);
        iRet = RS_RET_OK;
    }
ENDsetModCnf

BEGINcreateInstance
    CODESTARTcreateInstance
ENDcreateInstance

static void
link_instance(modConfData_t *configuration, instanceData *instance)
{
    instance->next = configuration->instances;
    instance->link = &configuration->instances;
    if (instance->next != NULL)
        instance->next->link = &instance->next;
    configuration->instances = instance;
}

static void
unlink_instance(instanceData *instance)
{
    if (instance->link == NULL)
        return;
    *instance->link = instance->next;
    if (instance->next != NULL)
        instance->next->link = instance->link;
    instance->link = NULL;
}

BEGINfreeInstance
    CODESTARTfreeInstance
    /* rsyslog drops single actions of a configuration that it keeps, and all before its end */
    pthread_mutex_lock(&engine.instances_lock);
    unlink_instance(pData);
    pthread_mutex_unlock(&engine.instances_lock);
    parameters_free(&pData->parameters);
    msgPropDescrDestruct(&pData->fields);
    msgPropDescrDestruct(&pData->class_field);
ENDfreeInstance

BEGINcreateWrkrInstance
    CODESTARTcreateWrkrInstance
    readers_join(&engine.readers, &pWrkrData->reader);
ENDcreateWrkrInstance

BEGINfreeWrkrInstance
    CODESTARTfreeWrkrInstance
    readers_leave(&engine.readers, &pWrkrData->reader);
ENDfreeWrkrInstance

/* Two actions may feed one jail, but then they must mean the same by it. */
static bool
jail_agrees(const struct jail *jail)
{
    const struct jails *const declared = load_configuration->parameters.jails;

    for (unsigned i = 0; declared != NULL && i < declared->count; i++)
        if (strcmp(declared->at[i].jail.name, jail->name) == 0 &&
            declared->at[i].jail.services != JAIL_SERVICES_SSHD)
            return parameters_refuse("jail", jail->name,
                                     "the module declares a jail of this name, by preset= or "
                                     "jails= or by default; give it another name");
    for (instanceData *other = load_configuration->instances; other != NULL; other = other->next) {
        const struct jail *const known = &other->parameters.jail;
        if (other->parameters.has_jail && strcmp(known->name, jail->name) == 0 &&
            memcmp(known, jail, sizeof(*jail)) != 0) {
            return parameters_refuse("jail", jail->name,
                                     "another action has a jail of this name with other values; "
                                     "give it another name, or the same values");
        }
    }
    return true;
}

/* The actions that are read already, and the jails that they feed. */
static bool
is_room_for(const struct jail *jail)
{
    unsigned actions = 0, jails = 0;

    for (instanceData *at = load_configuration->instances; at != NULL; at = at->next) {
        bool is_first = true;

        for (instanceData *after = at->next; after != NULL && is_first; after = after->next)
            is_first = strcmp(after->parameters.jail.name, at->parameters.jail.name) != 0;
        actions++;
        jails += is_first && strcmp(at->parameters.jail.name, jail->name) != 0;
    }
    if (actions < COUNTER_ACTIONS_MAX && jails < TABLE_JAILS_MAX - 1)
        return true;
    return parameters_refuse("jail", jail->name,
                             "63 jails and 64 actions are allowed in all, and there are as many "
                             "before it");
}

static rsRetVal
read_action(struct nvlst *list, struct parameters *parameters)
{
    DEFiRet;

    parameters_forget_refusal();
    CHKiRet(parameters_read_action(list, &load_configuration->parameters, parameters));
    if (parameters->has_jail &&
        (!jail_agrees(&parameters->jail) || !is_room_for(&parameters->jail)))
        iRet = RS_RET_PARAM_ERROR;
finalize_it:
    if (iRet != RS_RET_OK && load_configuration->refused_actions++ == 0 &&
        !load_configuration->is_refused)
        parameters_read_refusal(load_configuration->refusal);
    RETiRet;
}

static rsRetVal
describe_fields(instanceData *instance)
{
    const char *const path = instance->parameters.path;
    char class_path[256];
    DEFiRet;

    snprintf(class_path, sizeof(class_path), "%s!class", path);
    for (const char *at = path; strcmp(path, PARAMETERS_PATH) != 0 && *at != '\0'; at++)
        instance->reading = instance->reading * 31 + (unsigned char)*at;
    CHKiRet(msgPropDescrFill(&instance->fields, (uchar *)path, (int)strlen(path)));
    CHKiRet(msgPropDescrFill(&instance->class_field, (uchar *)class_path, (int)strlen(class_path)));
finalize_it:
    RETiRet;
}

/* Whether a parameter of a queue is given; queue.type="direct", which is none, may be one of them.
 */
static bool
has_queue(const struct nvlst *list)
{
    static const char front[] = "queue.";

    for (; list != NULL; list = list->next)
        if (es_strlen(list->name) > sizeof front - 1 &&
            memcmp(es_getBufAddr(list->name), front, sizeof front - 1) == 0)
            return true;
    return false;
}

BEGINnewActInst
    CODESTARTnewActInst
    CHKiRet(createInstance(&pData));
    CHKiRet(read_action(lst, &pData->parameters));
    pData->has_queue = has_queue(lst);
    pData->action = -1;
    CHKiRet(describe_fields(pData));
    CODE_STD_STRING_REQUESTnewActInst(1);
    CHKiRet(OMSRsetEntry(*ppOMSR, 0, NULL, OMSR_TPL_AS_MSG));
    link_instance(load_configuration, pData);
    CODE_STD_FINALIZERnewActInst
ENDnewActInst

BEGINendCnfLoad
    CODESTARTendCnfLoad
    load_configuration = NULL;
ENDendCnfLoad

BEGINcheckCnf
    CODESTARTcheckCnf
    teller_check(pModConf);
    dispatch_check(pModConf);
ENDcheckCnf

BEGINactivateCnfPrePrivDrop
    CODESTARTactivateCnfPrePrivDrop
    /* loaded, but no action: nothing to do but to say so */
    if (pModConf->instances != NULL && !pModConf->is_refused)
        iRet = engine_prepare(pModConf);
    if (iRet == RS_RET_OK)
        engine_complain(pModConf);
ENDactivateCnfPrePrivDrop

BEGINactivateCnf
    CODESTARTactivateCnf
    if (pModConf->active) {
        news_begin(&pModConf->parameters);
        engine_begin(pModConf, news_say);
    }
ENDactivateCnf

BEGINfreeCnf
    CODESTARTfreeCnf
    if (pModConf != NULL) {
        if (pModConf->active)
            engine_end();
        if (pModConf->complains)
            complaints_end();
        while (pModConf->instances != NULL)
            unlink_instance(pModConf->instances);
        parameters_free(&pModConf->parameters);
    }
ENDfreeCnf

/* ---- the rest ---- */

/* Called for each action. */
BEGINdoHUP
    CODESTARTdoHUP
    engine_hangup(pData);
ENDdoHUP

BEGINdbgPrintInstInfo
    CODESTARTdbgPrintInstInfo
    dbgprintf("ombanmail: jail %s\n", pData->parameters.jail.name);
ENDdbgPrintInstInfo

BEGINtryResume
    CODESTARTtryResume
ENDtryResume

/* Merged lines are counted as often as they came: see mail.conf. */
BEGINisCompatibleWithFeature
    CODESTARTisCompatibleWithFeature
    if (eFeat == sFEATURERepeatedMsgReduction)
        iRet = RS_RET_OK;
ENDisCompatibleWithFeature

static void
read_counter_statistics(void)
{
    struct counter_statistics counter;
    struct backend_statistics backend;

    counter_read_statistics(engine.counter, &counter);
    statistics_set(STATISTIC_FAILURES, counter.failures);
    statistics_set(STATISTIC_DUPLICATES, counter.duplicates);
    statistics_set(STATISTIC_REPEATED, counter.repeated);
    statistics_set(STATISTIC_IGNORED, counter.ignored);
    statistics_set(STATISTIC_ALLOW_LISTED, counter.allow_listed);
    statistics_set(STATISTIC_OLD, counter.old);
    statistics_set(STATISTIC_SESSION_MISMATCHES, counter.session_mismatches);
    statistics_set(STATISTIC_UNTRUSTED, counter.untrusted);
    statistics_set(STATISTIC_UNMATCHED, counter.unmatched);
    statistics_set(STATISTIC_LOGINS, counter.logins);
    statistics_set(STATISTIC_MAILS_ACCEPTED, counter.mails_accepted);
    statistics_set(STATISTIC_BANS, counter.bans);
    statistics_set(STATISTIC_BANS_FULL, counter.bans_full);
    statistics_set(STATISTIC_BANS_HELD_BACK, counter.bans_held_back);
    statistics_set(STATISTIC_GATEWAYS_SPARED, counter.gateways_spared);
    statistics_set(STATISTIC_BANS_OBSERVED, counter.observed);
    backend_read_statistics(counter_backend(engine.counter), engine_now_ms(), &backend);
    statistics_set(STATISTIC_USERS_UNKNOWN, backend.unknown);
    statistics_set(STATISTIC_BACKEND_FAULTS, backend.faults);
    statistics_set(STATISTIC_BACKEND_SUSPENDED, backend.suspended);
    statistics_set(STATISTIC_BACKEND_HELD, backend.held);
    statistics_set(STATISTIC_BACKEND_WITHDRAWN, backend.withdrawn);
    statistics_set(STATISTIC_BACKEND_BANS_WITHDRAWN, backend.lifted);
}

static void
read_fleet_statistics(void)
{
    struct follower_statistics fleet = {0};

    if (engine.follower != NULL)
        follower_read_statistics(engine.follower, &fleet);
    statistics_set(STATISTIC_FLEET_MESSAGES, fleet.taken);
    statistics_set(STATISTIC_FLEET_INVALID, fleet.invalid);
    statistics_set(STATISTIC_FLEET_BANS, fleet.bans);
    statistics_set(STATISTIC_FLEET_LIFTED, fleet.lifted);
    statistics_set(STATISTIC_FLEET_WITHHELD, fleet.withheld);
    statistics_set(STATISTIC_FLEET_LIMITED, fleet.limited);
}

/* What the others have counted. */
static void
read_engine_statistics(void)
{
    struct enforcer_statistics enforcer = {0};
    struct recorder_statistics recorder = {0};
    struct outbox_statistics outbox = {0};

    if (engine.counter != NULL)
        read_counter_statistics();
    read_fleet_statistics();
    if (engine.enforcer != NULL)
        enforcer_read_statistics(engine.enforcer, &enforcer);
    if (engine.recorder != NULL)
        recorder_read_statistics(engine.recorder, &recorder);
    jail_statistics_refresh();
    if (engine.table != NULL)
        statistics_set(STATISTIC_AFTER_BAN, table_after_bans(engine.table));
    statistics_set(STATISTIC_ENFORCED, enforcer.enforced);
    statistics_set(STATISTIC_REMOVED, enforcer.removed);
    statistics_set(STATISTIC_REFUSED, enforcer.refused);
    statistics_set(STATISTIC_PENDING, enforcer.pending);
    if (engine.outbox != NULL)
        outbox_read_statistics(engine.outbox, &outbox);
    statistics_set(STATISTIC_EVENTS_TOLD, outbox.told);
    statistics_set(STATISTIC_EVENTS_WAITING, outbox.waiting);
    statistics_set(STATISTIC_EVENTS_DROPPED, outbox.dropped);
    statistics_set(STATISTIC_LEDGER_WRITTEN, recorder.written);
    statistics_set(STATISTIC_LEDGER_ERRORS, recorder.errors);
}

static rsRetVal
check_version(void)
{
    char running[VERSION_SIZE];

    if (version_running(running) == 0 && strcmp(running, RSYSLOG_BUILD_VERSION) == 0)
        return RS_RET_OK;
    LogError(0, RS_RET_MODULE_LOAD_ERR_INIT_FAILED,
             "ombanmail: built for rsyslogd %s, but this is rsyslogd %s: not loaded; build it "
             "again with the headers of the running version (./quickstart install, or "
             "dpkg-reconfigure ombanmail-rebuild)",
             RSYSLOG_BUILD_VERSION, version_running(running) == 0 ? running : "of unknown version");
    return RS_RET_MODULE_LOAD_ERR_INIT_FAILED;
}

BEGINmodExit
    CODESTARTmodExit
    jail_statistics_close();
    statistics_close();
ENDmodExit

NO_LEGACY_CONF_parseSelectorAct

BEGINqueryEtryPt
    CODESTARTqueryEtryPt
    CODEqueryEtryPt_STD_OMOD_QUERIES
    CODEqueryEtryPt_STD_OMOD8_QUERIES
    CODEqueryEtryPt_STD_CONF2_OMOD_QUERIES
    CODEqueryEtryPt_STD_CONF2_setModCnf_QUERIES
    CODEqueryEtryPt_STD_CONF2_QUERIES
    CODEqueryEtryPt_STD_CONF2_PREPRIVDROP_QUERIES
    CODEqueryEtryPt_doHUP else if (strcmp((const char *)name, "tellEvents") ==
                                   0) /* for imbanmail */
        *pEtryPoint = (rsRetVal(*)())teller_run;
ENDqueryEtryPt

BEGINmodInit()
    CODESTARTmodInit
    *ipIFVersProvided = CURR_MOD_IF_VERSION;
    CHKiRet(check_version());
    CHKiRet(statistics_open(read_engine_statistics));
ENDmodInit
