/* imbanmail: an input module that lends ombanmail a thread, on which that sends its events as
 * messages. rsyslogd starts inputs when all queues run, and ends them before it ends a queue: so
 * this thread has just the time in which messages can be taken.
 *
 * What is sent, and when, is ombanmail's affair: plugins/ombanmail/teller.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "errmsg.h"
#include "module-template.h"
#include "modules.h"
#include "rsconf.h"
#include "unicode-helper.h"

MODULE_TYPE_INPUT
MODULE_TYPE_NOKEEP
MODULE_CNFNAME("imbanmail")

DEF_IMOD_STATIC_DATA
DEFobjCurrIf(module)

struct modConfData_s {
    rsconf_t *pConf;
};

static rsRetVal (*tell)(void) = NULL; /* teller_run of ombanmail */

BEGINbeginCnfLoad
    CODESTARTbeginCnfLoad
    pModConf->pConf = pConf;
ENDbeginCnfLoad

BEGINsetModCnf
    CODESTARTsetModCnf(void)
    lst; /* it has no parameters, and rsyslog refuses any */
ENDsetModCnf

BEGINendCnfLoad
    CODESTARTendCnfLoad(void)
    ptr;
ENDendCnfLoad

BEGINcheckCnf
    CODESTARTcheckCnf
    if (module.FindWithCnfName(pModConf->pConf, UCHAR_CONSTANT("ombanmail"), eMOD_OUT) == NULL) {
        LogError(0, RS_RET_CONFIG_ERROR,
                 "imbanmail: module(load=\"ombanmail\") is missing, whose events imbanmail sends");
        iRet = RS_RET_CONFIG_ERROR;
    }
ENDcheckCnf

BEGINactivateCnf
    modInfo_t *ombanmail;
    CODESTARTactivateCnf
    tell = NULL;
    ombanmail = module.FindWithCnfName(pModConf->pConf, UCHAR_CONSTANT("ombanmail"), eMOD_OUT);
    if (ombanmail != NULL)
        iRet = ombanmail->modQueryEtryPt((uchar *)"tellEvents", (rsRetVal(**)()) & tell);
ENDactivateCnf

BEGINfreeCnf
    CODESTARTfreeCnf(void)
    ptr;
ENDfreeCnf

BEGINwillRun
    CODESTARTwillRun if (tell == NULL) iRet = RS_RET_NO_RUN;
ENDwillRun

BEGINrunInput
    CODESTARTrunInput(void) pThrd;
    iRet = tell();
ENDrunInput

BEGINafterRun
    CODESTARTafterRun
ENDafterRun

BEGINisCompatibleWithFeature
    CODESTARTisCompatibleWithFeature
    if (eFeat == sFEATURENonCancelInputTermination)
        iRet = RS_RET_OK;
ENDisCompatibleWithFeature

BEGINmodExit
    CODESTARTmodExit
    objRelease(module, CORE_COMPONENT);
ENDmodExit

BEGINqueryEtryPt
    CODESTARTqueryEtryPt
    CODEqueryEtryPt_STD_IMOD_QUERIES CODEqueryEtryPt_STD_CONF2_QUERIES
    CODEqueryEtryPt_STD_CONF2_setModCnf_QUERIES
    CODEqueryEtryPt_IsCompatibleWithFeature_IF_OMOD_QUERIES
ENDqueryEtryPt

BEGINmodInit()
    CODESTARTmodInit
    *ipIFVersProvided = CURR_MOD_IF_VERSION;
    CHKiRet(objUse(module, CORE_COMPONENT));
ENDmodInit
