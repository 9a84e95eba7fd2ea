/* flush: each set of the administrator's is listed, and what is ours there is removed as any lifted
 * ban is; our own table goes whole.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/flush.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct elements {
    struct firewall_change *list;
    size_t count, room;
    bool is_short_of_memory;
};

static void
take_element(void *context, const struct firewall_change *element)
{
    struct elements *elements = context;

    if (elements->count == elements->room) {
        const size_t room = elements->room > 0 ? elements->room * 2 : FIREWALL_BATCH;
        struct firewall_change *list = reallocarray(elements->list, room, sizeof(*list));

        if (list == NULL) {
            elements->is_short_of_memory = true;
            return;
        }
        elements->list = list;
        elements->room = room;
    }
    elements->list[elements->count] = *element;
    elements->list[elements->count++].wanted = false;
}

static int
remove_elements(struct firewall *firewall, const struct elements *elements,
                char reason[FIREWALL_REASON_SIZE])
{
    int error = 0;

    for (size_t at = 0; at < elements->count && error >= 0; at += FIREWALL_BATCH) {
        const size_t left = elements->count - at;

        error = firewall_apply(firewall, elements->list + at,
                               left < FIREWALL_BATCH ? left : FIREWALL_BATCH, reason);
    }
    return error < 0 ? error : 0;
}

/* Takes ours out of the one set that the policy names. */
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
    if (error == 0 && elements.is_short_of_memory) {
        snprintf(reason, FIREWALL_REASON_SIZE, "out of memory");
        error = -ENOMEM;
    }
    if (error == 0)
        error = remove_elements(firewall, &elements, reason);
    if (error == 0)
        *removed += elements.count;
    free(elements.list);
    /* what is missing, or of a kind that could not take ours, holds nothing of ours */
    return error == -ENOENT || error == -EINVAL ? 0 : error;
}

int
flush_kernel(struct firewall *firewall, const struct firewall_policy *policy, size_t *removed,
             char reason[FIREWALL_REASON_SIZE])
{
    int error = 0;

    *removed = 0;
    for (unsigned family = 0; family < FIREWALL_FAMILIES && error == 0; family++) {
        struct firewall_policy one = {.shortest = {[FIREWALL_V4] = 32, [FIREWALL_V6] = 128}};

        memcpy(one.set[family], policy->set[family], FIREWALL_SET_SIZE);
        if (one.set[family][0] != '\0')
            error = empty_set(firewall, &one, removed, reason);
    }
    return error == 0 ? firewall_remove(firewall, reason) : error;
}
