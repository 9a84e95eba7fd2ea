/* delivery: see delivery.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <string.h>

#include "conf.h"
#include "dirty.h"
#include "errmsg.h"
#include "glbl.h"
#include "modules.h"
#include "prop.h"
#include "queue.h"
#include "syslogd-types.h"
#include "unicode-helper.h"

#include "delivery.h"

#define FACILITY   3  /* daemon */
#define ROOM_SHARE 20 /* one place in so many of the queue is left free: others use it as well */

DEFobjStaticHelpers
DEFobjCurrIf(glbl)
DEFobjCurrIf(module)
DEFobjCurrIf(prop)
DEFobjCurrIf(ruleset)

static prop_t *input;

/* ---- the configuration ---- */

static ruleset_t *
find(rsconf_t *configuration, const char *name, const char **reason)
{
    ruleset_t *found = NULL;

    *reason = NULL;
    if (ruleset.GetRuleset(configuration, &found, (uchar *)name) != RS_RET_OK || found == NULL)
        *reason = "there is no ruleset of this name";
    else if (!rulesetHasQueue(found) || ruleset.GetRulesetQueue(found)->qType == QUEUETYPE_DIRECT)
        *reason = "this ruleset has no queue of its own, so whoever it waits for would hold up the "
                  "mail log too: ruleset(name=\"…\" queue.type=\"LinkedList\") gives it one";
    else if (module.FindWithCnfName(configuration, UCHAR_CONSTANT("imbanmail"), eMOD_IN) == NULL)
        *reason = "module(load=\"imbanmail\") is missing, which sends the messages";
    return *reason == NULL ? found : NULL;
}

ruleset_t *
delivery_find(rsconf_t *configuration, const char *name, const char **reason)
{
    ruleset_t *found = NULL;
    DEFiRet;

    *reason = "rsyslog does not let it be looked up";
    CHKiRet(objGetObjInterface(&obj));
    CHKiRet(objUse(module, CORE_COMPONENT));
    CHKiRet(objUse(ruleset, CORE_COMPONENT));
    found = find(configuration, name, reason);
    objRelease(ruleset, CORE_COMPONENT);
    objRelease(module, CORE_COMPONENT);
finalize_it:
    return found;
}

/* ---- on imbanmail's thread ---- */

rsRetVal
delivery_begin(void)
{
    DEFiRet;

    CHKiRet(objGetObjInterface(&obj));
    CHKiRet(objUse(glbl, CORE_COMPONENT));
    CHKiRet(objUse(prop, CORE_COMPONENT));
    CHKiRet(objUse(ruleset, CORE_COMPONENT));
    CHKiRet(prop.Construct(&input));
    CHKiRet(prop.SetString(input, UCHAR_CONSTANT(DELIVERY_INPUT), sizeof(DELIVERY_INPUT) - 1));
    CHKiRet(prop.ConstructFinalize(input));
finalize_it:
    if (iRet != RS_RET_OK)
        delivery_end();
    RETiRet;
}

void
delivery_end(void)
{
    if (input != NULL)
        prop.Destruct(&input);
}

bool
delivery_has_room(ruleset_t *target)
{
    const qqueue_t *const queue = ruleset.GetRulesetQueue(target);
    const int size = __atomic_load_n(&queue->iQueueSize, __ATOMIC_RELAXED);

    return queue->iMaxQueueSize <= 0 ||
           size < queue->iMaxQueueSize - queue->iMaxQueueSize / ROOM_SHARE;
}

void
delivery_fill(smsg_t *message, ruleset_t *target, const char *tag, int severity, const char *text,
              size_t length)
{
    const uchar *const host = glbl.GetLocalHostName();

    MsgSetInputName(message, input);
    MsgSetFlowControlType(message, eFLOWCTL_NO_DELAY);
    MsgSetRawMsg(message, text, length);
    MsgSetMSGoffs(message, 0);
    MsgSetHOSTNAME(message, host, (int)ustrlen(host));
    MsgSetRcvFrom(message, glbl.GetLocalHostNameProp());
    MsgSetRcvFromIP(message, glbl.GetLocalHostIP());
    MsgSetRuleset(message, target);
    MsgSetTAG(message, (const uchar *)tag, strlen(tag));
    message->iFacility = FACILITY;
    message->iSeverity = (short)severity;
    message->msgFlags = 0;
}

const char *
delivery_host(void)
{
    return (const char *)glbl.GetLocalHostName();
}
