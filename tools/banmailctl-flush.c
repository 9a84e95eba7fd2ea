/* flush: takes everything of ombanmail's out of the kernel, for good: what the removal of the
 * package needs. The administrator's sets keep what is not ours, which the elements' comments tell.
 *
 * While rsyslogd has the module loaded that would be damage, which it mends: so it is refused.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-location.h"
#include "banmailctl-format.h"
#include "kernel/firewall.h"
#include "kernel/flush.h"
#include "kernel/policy.h"

static int
flush(const char *table, size_t *removed, char reason[FIREWALL_REASON_SIZE])
{
    struct firewall *firewall = NULL;
    struct firewall_policy policy;
    int error = firewall_open(&firewall, reason);

    policy_read(table, &policy);
    if (error == 0)
        error = flush_kernel(firewall, &policy, removed, reason);
    firewall_close(firewall);
    return error;
}

/* A table of another version cannot be read, but it is locked as any. */
static bool
is_locked(const char *path)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool locked;

    if (file < 0)
        return false;
    locked = fcntl(file, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    close(file);
    return locked;
}

static bool
is_in_use(const struct location *place)
{
    char reason[LOCATION_REASON_SIZE];
    struct table_status status = {0};
    const struct table *table;
    int error = location_read(place, &table, reason);

    if (error < 0)
        return is_locked(place->table);
    table_read_status(table, &status);
    table_close_reader(table);
    return status.writer != 0;
}

int
flush_main(const struct invocation *invocation)
{
    char reason[LOCATION_REASON_SIZE];
    struct fjson_object *object;
    struct location place;
    size_t removed = 0;
    int error = location_find(invocation->table, &place, reason);

    if (error < 0 && (error != -ENOENT || invocation->table))
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "%s", reason);
    if (error < 0) /* it may be gone before us */
        snprintf(place.table, sizeof(place.table), "%s", LOCATION_DEFAULT_TABLE);
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
        format_add_bool(object, "flushed", true);
        format_add_number(object, "elements", removed);
        format_print_json(object);
        return EXIT_FINE;
    }
    printf("flushed: the kernel has no table inet " FIREWALL_TABLE " any more");
    if (removed > 0)
        printf(", and %zu element%s of others' sets %s removed", removed, report_plural(removed),
               removed == 1 ? "is" : "are");
    putchar('\n');
    return EXIT_FINE;
}
