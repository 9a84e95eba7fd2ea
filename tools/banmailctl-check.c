/* banmailctl check: whether table, ledger and kernel agree.
 *
 * The kernel is listed by this process with a socket of its own; the enforcer goes on meanwhile. A
 * repair is the enforcer's: it makes its sets anew.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json.h>

#include "kernel/firewall.h"
#include "kernel/enforcer.h"
#include "ledger/ledger.h"
#include "kernel/policy.h"
#include "table/table-health.h"
#include "banmailctl.h"
#include "banmailctl-bans.h"
#include "banmailctl-channel.h"
#include "banmailctl-format.h"

#define TIME_DIFFERS_MS 5000 /* more than what listing takes and rounding makes */
#define REPAIR_PATIENCE 5    /* seconds */

/* One element that the kernel should have. */
struct expected {
    struct source source;
    uint8_t list;
    bool waits; /* a ban of it is not enforced yet */
    bool found;
    int64_t until_ms;
};

struct check {
    int64_t now_ms;
    struct bans bans;
    struct expected *expected;
    size_t count;
    struct firewall_policy policy;
    /* what came of it */
    size_t waiting, missing, other_time, unknown;
    size_t not_in_ledger, only_in_ledger;
    int ledger_error;
};

static int
compare_expected(const void *a, const void *b)
{
    const struct expected *left = a, *right = b;
    int order = source_compare(&left->source, &right->source);

    return order != 0 ? order : (int)left->list - right->list;
}

/* The first jail that closes the same, as the policy has it; an administrator's set has one list.
 */
static uint8_t
list_of(const struct check *check, const struct table *table, const struct ban *ban)
{
    struct jail jail;
    enum firewall_family family = source_is_v4(&ban->source) ? FIREWALL_V4 : FIREWALL_V6;
    unsigned list;

    if (check->policy.set[family][0] != '\0' || !table_read_jail(table, ban->jail, &jail))
        return TABLE_JAIL_MANUAL;
    list = enforcer_list(&check->policy, &jail);
    return list == FIREWALL_LISTS ? TABLE_JAIL_MANUAL : (uint8_t)list;
}

/* Several bans may want one element: the latest end counts. */
static void
merge_expected(struct check *check)
{
    size_t kept = 0;

    qsort(check->expected, check->count, sizeof(*check->expected), compare_expected);
    for (size_t i = 0; i < check->count; i++) {
        struct expected *last = &check->expected[kept == 0 ? 0 : kept - 1];

        if (kept > 0 && compare_expected(last, &check->expected[i]) == 0) {
            last->waits = last->waits || check->expected[i].waits;
            if (last->until_ms < check->expected[i].until_ms)
                last->until_ms = check->expected[i].until_ms;
        } else {
            check->expected[kept++] = check->expected[i];
        }
    }
    check->count = kept;
}

static int
expect(struct check *check, const struct table *table)
{
    struct table_health health;

    if (bans_read(table, check->now_ms, &check->bans) < 0)
        return -ENOMEM;
    check->expected = calloc(check->bans.count + 1, sizeof(*check->expected));
    if (check->expected == NULL)
        return -ENOMEM;
    table_read_health(table, check->now_ms, &health);
    if (health.paused_until_ms != 0)
        return 0; /* nothing is to be enforced now */
    for (size_t i = 0; i < check->bans.count; i++) {
        const struct ban *ban = &check->bans.ban[i];

        if (!bans_is_here(ban))
            continue;
        check->expected[check->count++] = (struct expected){.source = ban->source,
                                                            .list = list_of(check, table, ban),
                                                            .waits = ban->state == BAN_WANTED,
                                                            .until_ms = ban->until_ms};
    }
    merge_expected(check);
    return 0;
}

/* ---- the kernel ---- */

static void
meet_element(void *context, const struct firewall_change *element)
{
    struct check *check = context;
    struct expected key = {.source = element->source, .list = element->list}, *expected;
    int64_t left_ms, difference_ms;

    expected = bsearch(&key, check->expected, check->count, sizeof(key), compare_expected);
    if (expected == NULL) {
        check->unknown++;
        return;
    }
    expected->found = true;
    left_ms = expected->until_ms == TABLE_FOREVER_MS ? FIREWALL_FOREVER_MS
                                                     : expected->until_ms - check->now_ms;
    difference_ms = left_ms - element->timeout_ms;
    if (!expected->waits && (difference_ms > TIME_DIFFERS_MS || difference_ms < -TIME_DIFFERS_MS))
        check->other_time++;
}

static int
check_kernel(struct check *check, const struct table *table, char reason[FIREWALL_REASON_SIZE])
{
    struct firewall *firewall;
    int error = firewall_open(&firewall, reason);

    if (error < 0)
        return error;
    firewall_set_policy(firewall, &check->policy);
    error = expect(check, table);
    if (error < 0)
        snprintf(reason, FIREWALL_REASON_SIZE, "out of memory");
    else
        error = firewall_list(firewall, meet_element, check, reason);
    firewall_close(firewall);
    for (size_t i = 0; i < check->count && error == 0; i++) {
        check->waiting += check->expected[i].waits;
        check->missing += !check->expected[i].found && !check->expected[i].waits;
    }
    return error;
}

/* ---- the ledger ---- */

static int
compare_ids(const void *a, const void *b)
{
    const struct ban *left = a, *right = b;

    if (left->table_id != right->table_id)
        return left->table_id < right->table_id ? -1 : 1;
    return (left->id > right->id) - (left->id < right->id);
}

/* What the ledger has, but the table does not, may have ended this second. */
static bool
meet_row(void *context, const struct ledger_row *row)
{
    struct check *check = context;

    if (bsearch(&row->ban, check->bans.ban, check->bans.count, sizeof(row->ban), compare_ids))
        check->not_in_ledger--;
    else
        check->only_in_ledger++;
    return true;
}

static void
check_ledger(struct check *check, const struct table *table)
{
    struct table_status status;
    struct ledger *ledger;
    int error;

    table_read_status(table, &status);
    qsort(check->bans.ban, check->bans.count, sizeof(*check->bans.ban), compare_ids);
    check->not_in_ledger = check->bans.count;
    error = ledger_open(status.ledger_path, true, &banmailctl_report, &ledger, NULL);
    if (error == 0) {
        error = ledger_live(ledger, check->now_ms, meet_row, check);
        ledger_close(ledger);
    }
    check->ledger_error = error < 0 ? error : 0;
}

/* ---- the answer ---- */

static bool
agrees(const struct check *check)
{
    return check->waiting + check->missing + check->other_time + check->unknown == 0 &&
           check->not_in_ledger + check->only_in_ledger == 0 && check->ledger_error == 0;
}

static void
print_text(const struct check *check)
{
    printf("table   %zu ban%s, %zu element%s\n", check->bans.count,
           report_plural(check->bans.count), check->count, report_plural(check->count));
    printf("kernel  %zu waiting, %zu missing, %zu with another end, %zu unknown to the table\n",
           check->waiting, check->missing, check->other_time, check->unknown);
    if (check->ledger_error != 0)
        printf("ledger  %s\n", ledger_error(check->ledger_error));
    else
        printf("ledger  %zu missing, %zu unknown to the table\n", check->not_in_ledger,
               check->only_in_ledger);
    printf("%s\n", agrees(check) ? "All agree." : "They do not agree.");
}

static void
print_json(const struct check *check)
{
    struct fjson_object *object = fjson_object_new_object();

    format_add_bool(object, "agree", agrees(check));
    format_add_number(object, "bans", check->bans.count);
    format_add_number(object, "elements", check->count);
    format_add_number(object, "waiting", check->waiting);
    format_add_number(object, "missing", check->missing);
    format_add_number(object, "otherEnd", check->other_time);
    format_add_number(object, "unknown", check->unknown);
    if (check->ledger_error != 0) {
        format_add_string(object, "ledgerError", ledger_error(check->ledger_error));
    } else {
        format_add_number(object, "ledgerMissing", check->not_in_ledger);
        format_add_number(object, "ledgerUnknown", check->only_in_ledger);
    }
    format_print_json(object);
}

static void
forget(struct check *check)
{
    bans_free(&check->bans);
    free(check->expected);
    *check = (struct check){0};
}

/* Looks once. Returns 0 with the result, to be forgotten; or a negative errno with the reason. */
static int
look(const struct location *place, const struct table *table, struct check *check,
     char reason[FIREWALL_REASON_SIZE])
{
    int error;

    *check = (struct check){.now_ms = banmailctl_now_ms()};
    policy_read(place->table, &check->policy);
    enforcer_policy(table, &check->policy);
    error = check_kernel(check, table, reason);
    if (error == 0)
        check_ledger(check, table);
    else
        forget(check);
    return error;
}

static int
ask_for_repair(const struct location *place, char reason[LOCATION_REASON_SIZE])
{
    struct channel channel = {.place = place};
    char answer[COMMAND_SIZE];
    int error = channel_send(&channel, "{\"command\":\"repair\"}", answer, reason);

    if (error == 0 && strncmp(answer, "{\"done\":true", 12) != 0) {
        snprintf(reason, LOCATION_REASON_SIZE, "refused: %.900s", answer);
        error = -EPERM;
    }
    return error < 0 ? error : channel_close(&channel, reason);
}

static int
repair(const struct location *place, const struct table *table, struct check *check,
       char reason[LOCATION_REASON_SIZE])
{
    const struct timespec pause = {.tv_nsec = 100000000};
    int error = ask_for_repair(place, reason);

    for (int i = 0; i < REPAIR_PATIENCE * 10 && error == 0 && !agrees(check); i++) {
        nanosleep(&pause, NULL);
        forget(check);
        error = look(place, table, check, reason);
    }
    return error;
}

int
check_main(const struct invocation *invocation)
{
    char reason[LOCATION_REASON_SIZE];
    struct check check;
    struct location place;
    const struct table *table;
    int error, status = banmailctl_read(invocation, &place, &table);

    if (status != EXIT_FINE)
        return status;
    error = look(&place, table, &check, reason);
    if (error == 0 && invocation->repair && !agrees(&check))
        error = repair(&place, table, &check, reason);
    if (error == 0) {
        (invocation->json ? print_json : print_text)(&check);
        status = agrees(&check) ? EXIT_FINE : EXIT_NO;
        forget(&check);
    } else {
        status = banmailctl_fail(
            invocation, error == -EPERM || error == -EACCES ? EXIT_PERMISSION : EXIT_UNREACHABLE,
            "%s", reason);
    }
    table_close_reader(table);
    return status;
}
