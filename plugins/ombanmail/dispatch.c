/* dispatch: see dispatch.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "dirty.h"
#include "errmsg.h"
#include "glbl.h"
#include "modules.h"
#include "msg.h"
#include "prop.h"
#include "queue.h"
#include "rsconf.h"
#include "ruleset.h"
#include "syslogd-types.h"
#include "unicode-helper.h"

#include "control/herald.h"
#include "dispatch.h"
#include "engine.h"
#include "teller.h"

#define TAG         "ombanmail-fleet:"
#define FACILITY    3 /* daemon */
#define SEVERITY    6
#define PAGE_MS     1000
#define ROOM_SHARE  20 /* as the teller's */
#define ORIGIN_SIZE 256

DEFobjStaticHelpers
DEFobjCurrIf(glbl)
DEFobjCurrIf(module)
DEFobjCurrIf(prop)
DEFobjCurrIf(ruleset)

static struct {
    struct herald *herald; /* NULL: nothing is sent */
    prop_t *input;
    int64_t next_page_ms;
} dispatch;

/* ---- the configuration ---- */

static void
find_ruleset(struct modConfData_s *configuration)
{
    const char *const name = configuration->parameters.fleet_ruleset;
    ruleset_t *found = NULL;

    if (ruleset.GetRuleset(configuration->pConf, &found, (uchar *)name) != RS_RET_OK ||
        found == NULL || !rulesetHasQueue(found) ||
        module.FindWithCnfName(configuration->pConf, UCHAR_CONSTANT("imbanmail"), eMOD_IN) == NULL)
        LogError(0, RS_RET_PARAM_ERROR,
                 "ombanmail: fleetRuleset=\"%s\": no other server is told of bans: the name of a "
                 "ruleset with a queue of its own (queue.type=\"LinkedList\") is wanted, and "
                 "module(load=\"imbanmail\")",
                 name);
    else
        configuration->fleet_ruleset = found;
}

void
dispatch_check(struct modConfData_s *configuration)
{
    DEFiRet;

    if (configuration->is_refused || configuration->parameters.fleet_ruleset == NULL)
        return;
    CHKiRet(objGetObjInterface(&obj));
    CHKiRet(objUse(module, CORE_COMPONENT));
    CHKiRet(objUse(ruleset, CORE_COMPONENT));
    find_ruleset(configuration);
    objRelease(ruleset, CORE_COMPONENT);
    objRelease(module, CORE_COMPONENT);
finalize_it:
    if (iRet != RS_RET_OK)
        LogError(0, iRet, "ombanmail: fleetRuleset cannot be looked up: nothing is sent");
}

/* ---- one message ---- */

static bool
has_room(void)
{
    const qqueue_t *const queue = ruleset.GetRulesetQueue(engine.configuration->fleet_ruleset);
    const int size = __atomic_load_n(&queue->iQueueSize, __ATOMIC_RELAXED);

    return queue->iMaxQueueSize <= 0 ||
           size < queue->iMaxQueueSize - queue->iMaxQueueSize / ROOM_SHARE;
}

static void
submit(const char *text, int length)
{
    const uchar *const host = glbl.GetLocalHostName();
    smsg_t *message;

    if (length <= 0 || !has_room() || msgConstruct(&message) != RS_RET_OK)
        return;
    MsgSetInputName(message, dispatch.input);
    MsgSetFlowControlType(message, eFLOWCTL_NO_DELAY);
    MsgSetRawMsg(message, text, (size_t)length);
    MsgSetMSGoffs(message, 0);
    MsgSetHOSTNAME(message, host, (int)ustrlen(host));
    MsgSetRcvFrom(message, glbl.GetLocalHostNameProp());
    MsgSetRcvFromIP(message, glbl.GetLocalHostIP());
    MsgSetRuleset(message, engine.configuration->fleet_ruleset);
    MsgSetTAG(message, UCHAR_CONSTANT(TAG), sizeof(TAG) - 1);
    message->iFacility = FACILITY;
    message->iSeverity = SEVERITY;
    message->msgFlags = 0;
    submitMsg2(message); /* it is rsyslog's from here on */
}

/* ---- on the teller's thread ---- */

void
dispatch_begin(void)
{
    DEFiRet;

    if (engine.configuration->fleet_ruleset == NULL)
        return;
    CHKiRet(objGetObjInterface(&obj));
    CHKiRet(objUse(glbl, CORE_COMPONENT));
    CHKiRet(objUse(prop, CORE_COMPONENT));
    CHKiRet(objUse(ruleset, CORE_COMPONENT));
    CHKiRet(prop.Construct(&dispatch.input));
    CHKiRet(prop.SetString(dispatch.input, UCHAR_CONSTANT(TELLER_INPUT), sizeof(TELLER_INPUT) - 1));
    CHKiRet(prop.ConstructFinalize(dispatch.input));
    dispatch.herald = herald_new(engine.table, (const char *)glbl.GetLocalHostName());
finalize_it:
    if (dispatch.herald == NULL)
        LogError(0, iRet, "ombanmail: no other server is told of bans");
}

void
dispatch_end(void)
{
    herald_free(dispatch.herald);
    dispatch.herald = NULL;
    if (dispatch.input != NULL)
        prop.Destruct(&dispatch.input);
}

void
dispatch_ban(const struct ban *ban)
{
    static char text[TELEGRAM_TEXT_SIZE];

    if (dispatch.herald != NULL && ban != NULL)
        submit(text, herald_tell(dispatch.herald, ban, engine_now_ms(), text));
}

int
dispatch_page(int most)
{
    static char text[TELEGRAM_TEXT_SIZE];
    const int64_t now_ms = engine_now_ms();

    if (dispatch.herald == NULL)
        return most;
    if (now_ms >= dispatch.next_page_ms || now_ms < dispatch.next_page_ms - PAGE_MS) {
        submit(text, herald_page(dispatch.herald, now_ms, text));
        dispatch.next_page_ms = now_ms + PAGE_MS;
    }
    return most < PAGE_MS ? most : (int)(dispatch.next_page_ms - now_ms);
}
