/* teller: see teller.h.
 *
 * It never waits within rsyslog: it hands a message over only while the ruleset's queue has room,
 * and looks again a moment later while it has none. So it can be ended at any time, and what it has
 * not handed over is not lost.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <json.h>

#include "conf.h"
#include "datetime.h"
#include "dirty.h"
#include "errmsg.h"
#include "glbl.h"
#include "msg.h"
#include "rsconf.h"
#include "ruleset.h"
#include "syslogd-types.h"
#include "unicode-helper.h"

#include "control/condition.h"
#include "control/outbox.h"
#include "delivery.h"
#include "dispatch.h"
#include "engine.h"
#include "teller.h"

#define TAG           "ombanmail:"
#define LOOK_AGAIN_MS 50 /* whether there is room */
#define SLEEP_MS      60000

DEFobjStaticHelpers
DEFobjCurrIf(datetime)
DEFobjCurrIf(glbl)

/* ---- the configuration ---- */

static void
refuse(struct modConfData_s *configuration, const char *reason)
{
    const struct parameters *const parameters = &configuration->parameters;

    snprintf(configuration->event_refusal, sizeof(configuration->event_refusal),
             "eventRuleset=\"%s\" (%s, on or before line %d): %s", parameters->event_ruleset,
             parameters->event_file, parameters->event_line, reason);
    LogError(0, RS_RET_PARAM_ERROR, "ombanmail: %s; until then events wait in the ledger",
             configuration->event_refusal);
}

void
teller_check(struct modConfData_s *configuration)
{
    const char *const name = configuration->parameters.event_ruleset, *reason;

    if (configuration->is_refused || name == NULL)
        return;
    configuration->event_ruleset = delivery_find(configuration->pConf, name, &reason);
    if (configuration->event_ruleset == NULL)
        refuse(configuration, reason);
}

/* ---- one message ---- */

static struct fjson_object *
object_of(const char *text)
{
    struct fjson_object *const object = fjson_tokener_parse(text);

    return object != NULL && fjson_object_is_type(object, fjson_type_object) ? object : NULL;
}

static rsRetVal
construct(const struct notice *notice, smsg_t **message)
{
    struct timeval time = {.tv_sec = (time_t)(notice->time_ms / 1000),
                           .tv_usec = (suseconds_t)(notice->time_ms % 1000 * 1000)};
    struct syslogTime stamp;

    datetime.timeval2syslogTime(&time, &stamp, 0);
    return msgConstructWithTime(message, &stamp, time.tv_sec);
}

/* `$!ombanmail` is the event, `$!ombanmail_lines` the lines that decided. */
static void
add_fields(smsg_t *message, const struct notice *notice)
{
    struct fjson_object *const fields = object_of(notice->fields);

    if (fields != NULL)
        msgAddJSON(message, UCHAR_CONSTANT("!ombanmail"), fields, 0, 0);
    if (notice->lines[0] != '\0')
        msgAddJSON(message, UCHAR_CONSTANT("!ombanmail_lines"),
                   fjson_object_new_string(notice->lines), 0, 0);
}

static rsRetVal
submit(const struct notice *notice)
{
    smsg_t *message;
    DEFiRet;

    CHKiRet(construct(notice, &message));
    delivery_fill(message, engine.configuration->event_ruleset, TAG, notice->severity, notice->text,
                  strlen(notice->text));
    add_fields(message, notice);
    submitMsg2(message); /* it is rsyslog's from here on */
finalize_it:
    RETiRet;
}

/* ---- the thread ---- */

/* Where only a fleet is told, events are nobody's; those that were asked for, of a ruleset that
 * cannot be used, wait. */
static bool
has_room(void)
{
    if (engine.configuration->event_ruleset == NULL)
        return engine.configuration->parameters.event_ruleset == NULL;
    return delivery_has_room(engine.configuration->event_ruleset);
}

/* Returns false where there is no room for more events now. The fleet waits for none of them. */
static bool
tell_what_is_there(void)
{
    static struct notice notice; /* large, and one thread's */

    for (;;) {
        dispatch_bans();
        if (!has_room()) {
            if (outbox_listen(engine.outbox))
                outbox_hold(engine.outbox);
            return false;
        }
        if (!outbox_take(engine.outbox, &notice))
            return true;
        if (engine.configuration->event_ruleset != NULL && submit(&notice) != RS_RET_OK) {
            outbox_hold(engine.outbox);
            return false;
        }
        outbox_told(engine.outbox);
    }
}

static void
note_start(void)
{
    char words[EVENT_WORDS_SIZE], names[128] = "";
    struct jail jail;
    size_t used = 0;

    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX && used < sizeof(names); i++)
        if (table_read_jail(engine.table, i, &jail) && jail.classes != 0)
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
                                     used == 0 ? "" : ", ", jail.name);
    snprintf(words, sizeof(words), "started: ombanmail %s, jails: %s%s", PACKAGE_VERSION,
             used == 0 ? "none" : names, used >= sizeof(names) ? "…" : "");
    outbox_note(engine.outbox, EVENT_START, "", words, engine_now_ms());
}

/* rsyslogd wakes the thread by a signal when it is to end: that is let in while it sleeps only, so
 * that it cannot come in between the look and the sleep. */
static void
tell_until_the_end(void)
{
    struct pollfd event = {.fd = outbox_descriptor(engine.outbox), .events = POLLIN};
    sigset_t signal_of_end, before, asleep;

    sigemptyset(&signal_of_end);
    sigaddset(&signal_of_end, SIGTTIN);
    pthread_sigmask(SIG_BLOCK, &signal_of_end, &before);
    asleep = before;
    sigdelset(&asleep, SIGTTIN);
    while (!glbl.GetGlobalInputTermState()) {
        const bool is_done = tell_what_is_there();
        const bool is_behind = outbox_listen(engine.outbox);
        const int wait_ms = dispatch_what_is_due(dispatch_has_bans() ? 0
                                                 : !is_done          ? LOOK_AGAIN_MS
                                                 : is_behind         ? 0
                                                                     : SLEEP_MS);
        const struct timespec wait = {.tv_sec = wait_ms / 1000,
                                      .tv_nsec = wait_ms % 1000 * 1000000L};

        if (!glbl.GetGlobalInputTermState())
            ppoll(&event, 1, &wait, &asleep);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void
tell(void)
{
    outbox_begin(engine.outbox);
    dispatch_begin();
    note_start();
    tell_until_the_end();
    outbox_note(engine.outbox, EVENT_STOP, "", "stopped", engine_now_ms());
    tell_what_is_there();
    outbox_end(engine.outbox);
    dispatch_end();
}

rsRetVal
teller_run(void)
{
    DEFiRet;

    if (engine.outbox == NULL || engine.configuration == NULL ||
        (engine.configuration->event_ruleset == NULL &&
         engine.configuration->fleet_ruleset == NULL &&
         engine.configuration->report_ruleset == NULL))
        return RS_RET_OK;
    CHKiRet(objGetObjInterface(&obj));
    CHKiRet(objUse(datetime, CORE_COMPONENT));
    CHKiRet(objUse(glbl, CORE_COMPONENT));
    CHKiRet(delivery_begin());
    tell();
    delivery_end();
finalize_it:
    if (iRet != RS_RET_OK)
        LogError(0, iRet, "ombanmail: events cannot be sent, and wait in the ledger");
    RETiRet;
}

/* ---- conditions ---- */

/* The first of several. */
static void
describe(enum condition condition, const char *kernel, const char *setup,
         char words[EVENT_WORDS_SIZE])
{
    const char *const more = condition == CONDITION_KERNEL          ? kernel
                             : condition == CONDITION_CONFIGURATION ? setup
                                                                    : "";

    snprintf(words, EVENT_WORDS_SIZE, "%s%s%.*s", condition_words(condition),
             more[0] == '\0' ? "" : ": ", (int)strcspn(more, "\n"), more);
}

void
teller_note_conditions(uint32_t found, const char *kernel, const char *setup)
{
    char words[EVENT_WORDS_SIZE];
    const uint32_t before = engine.conditions;

    engine.conditions = found;
    if (engine.outbox == NULL)
        return;
    for (unsigned i = 0; i < CONDITIONS; i++) {
        const uint32_t bit = CONDITION_BIT(i);

        if ((before & bit) == (found & bit))
            continue;
        describe((enum condition)i, found & bit ? kernel : "", found & bit ? setup : "", words);
        outbox_note(engine.outbox, found & bit ? EVENT_TROUBLE : EVENT_RECOVERY,
                    condition_name((enum condition)i), words, engine_now_ms());
    }
}
