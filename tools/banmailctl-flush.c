/* flush: takes everything of ombanmail's out of the kernel, for good: what the removal of the
 * package needs. The administrator's sets keep what is not ours, which the elements' comments tell.
 *
 * While rsyslogd has the module loaded that would be damage, which it mends: so it is refused.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-place.h"
#include "banmailctl-words.h"
#include "firewall.h"
#include "policy.h"

struct elements {
    struct firewall_change *list;
    size_t count, room;
};

static void
take_element(void *context, const struct firewall_change *element)
{
    struct elements *elements = context;
    struct firewall_change *grown;

    if (elements->count == elements->room) {
        elements->room = elements->room ? elements->room * 2 : FIREWALL_BATCH;
        grown = reallocarray(elements->list, elements->room, sizeof(*grown));
        if (!grown) {
            elements->room = elements->count;
            return;
        }
        elements->list = grown;
    }
    elements->list[elements->count] = *element;
    elements->list[elements->count++].wanted = false;
}

/* Takes ours out of one set. A set that is not there holds nothing of ours. */
static int
empty_set(struct firewall *firewall, const struct firewall_policy *policy, size_t *removed,
          char reason[FIREWALL_REASON_SIZE])
{
    char warning[FIREWALL_REASON_SIZE];
    struct elements elements = {0};
    int error;

    firewall_set_policy(firewall, policy);
    error = firewall_check_sets(firewall, warning, reason);
    if (error == 0)
        error = firewall_list(firewall, take_element, &elements, reason);
    for (size_t at = 0; at < elements.count && error >= 0; at += FIREWALL_BATCH) {
        const size_t left = elements.count - at;

        error = firewall_apply(firewall, elements.list + at,
                               left < FIREWALL_BATCH ? left : FIREWALL_BATCH, reason);
    }
    *removed += error < 0 ? 0 : elements.count;
    free(elements.list);
    return error == -ENOENT ? 0 : error;
}

static int
flush(const char *table, size_t *removed, char reason[FIREWALL_REASON_SIZE])
{
    struct firewall *firewall = NULL;
    struct firewall_policy all;
    int error = firewall_open(&firewall, reason);

    policy_read(table, &all);
    for (int family = 0; family < FIREWALL_FAMILIES && error >= 0; family++) {
        struct firewall_policy one = {.shortest = {32, 128}};

        memcpy(one.set[family], all.set[family], FIREWALL_SET_SIZE);
        if (one.set[family][0] != '\0')
            error = empty_set(firewall, &one, removed, reason);
    }
    if (error >= 0)
        error = firewall_remove(firewall, reason);
    firewall_close(firewall);
    return error < 0 ? error : 0;
}

static bool
is_in_use(const struct place *place)
{
    char reason[PLACE_REASON_SIZE];
    struct table_status status = {0};
    struct table *table;

    if (place_read(place, &table, reason) < 0)
        return false;
    table_read_status(table, &status);
    table_close(table);
    return status.writer != 0;
}

int
flush_main(const struct invocation *invocation)
{
    char reason[PLACE_REASON_SIZE];
    struct fjson_object *object;
    struct place place;
    size_t removed = 0;
    int error = place_find(invocation->table, &place, reason);

    if (error < 0 && (error != -ENOENT || invocation->table))
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "%s", reason);
    if (error < 0) /* it may be gone before us */
        snprintf(place.table, sizeof(place.table), "%s", PLACE_DEFAULT_TABLE);
    if (is_in_use(&place))
        return banmailctl_fail(invocation, EXIT_REFUSED,
                               "rsyslogd has ombanmail loaded and would put all back: take it out "
                               "of rsyslogd's configuration and restart rsyslogd first; to lift "
                               "all bans for a while: banmailctl pause");
    error = flush(place.table, &removed, reason);
    if (error < 0)
        return banmailctl_fail(invocation, error == -EPERM ? EXIT_PERMISSION : EXIT_REFUSED, "%s",
                               reason);
    if (invocation->json) {
        object = fjson_object_new_object();
        words_add_bool(object, "flushed", true);
        words_add_number(object, "elements", removed);
        words_print_json(object);
        return EXIT_FINE;
    }
    printf("flushed: the kernel has no table inet " FIREWALL_TABLE " any more");
    printf(removed ? ", and %zu elements are out of sets of others\n" : "\n", removed);
    return EXIT_FINE;
}
