/* dispatch: see dispatch.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dirty.h"
#include "errmsg.h"
#include "msg.h"
#include "rsconf.h"
#include "ruleset.h"

#include "control/herald.h"
#include "delivery.h"
#include "dispatch.h"
#include "engine.h"

#define TAG      "ombanmail-fleet:"
#define SEVERITY 6 /* informational */
#define PAGE_MS  1000

static struct {
    struct herald *herald; /* NULL: nothing is sent */
    int64_t next_page_ms;
} dispatch;

void
dispatch_check(struct modConfData_s *configuration)
{
    const char *const name = configuration->parameters.fleet_ruleset, *reason;

    if (configuration->is_refused || name == NULL)
        return;
    configuration->fleet_ruleset = delivery_find(configuration->pConf, name, &reason);
    if (configuration->fleet_ruleset == NULL)
        LogError(0, RS_RET_PARAM_ERROR,
                 "ombanmail: fleetRuleset=\"%s\": %s; no other server is told of bans", name,
                 reason);
}

static void
submit(const char *text, int length)
{
    ruleset_t *const target = engine.configuration->fleet_ruleset;
    smsg_t *message;

    if (length <= 0 || !delivery_has_room(target) || msgConstruct(&message) != RS_RET_OK)
        return;
    delivery_fill(message, target, TAG, SEVERITY, text, (size_t)length);
    submitMsg2(message); /* it is rsyslog's from here on */
}

/* ---- on the teller's thread ---- */

void
dispatch_begin(void)
{
    if (engine.configuration->fleet_ruleset == NULL)
        return;
    dispatch.herald = herald_new(engine.table, delivery_host());
    if (dispatch.herald == NULL)
        LogError(ENOMEM, RS_RET_OUT_OF_MEMORY, "ombanmail: no other server is told of bans");
}

void
dispatch_end(void)
{
    herald_free(dispatch.herald);
    dispatch.herald = NULL;
}

bool
dispatch_has_bans(void)
{
    return table_unsent(engine.table) > 0;
}

void
dispatch_bans(void)
{
    static char text[TELEGRAM_TEXT_SIZE];
    struct ban ban;

    while (dispatch_has_bans() && table_dequeue_unsent(engine.table, &ban, 1) > 0)
        if (dispatch.herald != NULL)
            submit(text, herald_tell(dispatch.herald, &ban, engine_now_ms(), text));
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
