/* counters: see banmailctl-counters.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-counters.h"

#include <stdio.h>

#include <libfastjson/json.h>

#include "banmailctl-format.h"

/* Where somebody in its network is allow-listed, an address is counted by itself as well. */
static bool
find(const struct table *table, unsigned index, const struct jail *jail,
     const struct source *source, uint16_t scope, struct table_counter *counter)
{
    const struct source network = source_mask(source, jail->v4_bits, jail->v6_bits);

    return table_read_counter(table, index, source, scope, counter) ||
           table_read_counter(table, index, &network, scope, counter);
}

/* The scopes in which a jail counts. */
static uint16_t
first_of(const struct jail *jail)
{
    return jail->is_per_host ? TABLE_SCOPE_OWN : TABLE_SCOPE_FLEET;
}

static uint16_t
last_of(const struct jail *jail, const struct scopes *scopes)
{
    return jail->is_per_host ? scopes_last(scopes) : TABLE_SCOPE_FLEET;
}

static void
print_one(const struct jail *jail, const char *host, const struct table_counter *counter,
          int64_t now_ms)
{
    char name[JAIL_NAME_SIZE * 4], setting[FORMAT_SETTING_SIZE], span[FORMAT_SPAN_SIZE];

    printf("  counted by jail %s%s%s: %u of %u failure%s within %s",
           format_clean(jail->name, name, sizeof(name)), jail->is_per_host ? " on " : "",
           jail->is_per_host ? host : "", counter->within, jail->maxretry,
           report_plural(jail->maxretry), format_setting(jail->findtime_s, setting));
    if (counter->newest_s != 0)
        printf(", the last %s ago", format_span(now_ms - counter->newest_s * 1000, span));
    if (counter->users > 0)
        printf(", of %u user%s", counter->users, counter->users == 1 ? "" : "s");
    if (counter->bans > 0)
        printf("; banned %u time%s before", counter->bans, counter->bans == 1 ? "" : "s");
    if (counter->observed_s != 0)
        printf("; would have been banned %s ago, but the jail only observes",
               format_span(now_ms - counter->observed_s * 1000, span));
    if (counter->login_s != 0)
        printf("; a user logged in from there %s ago",
               format_span(now_ms - counter->login_s * 1000, span));
    printf("\n");
}

void
counters_print(const struct table *table, const struct scopes *scopes, const struct source *source,
               int64_t now_ms)
{
    struct table_counter counter;
    char host[SCOPE_TEXT_SIZE];
    struct jail jail;

    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++) {
        if (!table_read_jail(table, i, &jail))
            continue;
        for (uint16_t scope = first_of(&jail); scope <= last_of(&jail, scopes); scope++)
            if (find(table, i, &jail, source, scope, &counter))
                print_one(&jail, scope_text(scopes, scope, host), &counter, now_ms);
    }
}

static struct fjson_object *
one_json(const struct jail *jail, const char *scope, const struct table_counter *counter)
{
    struct fjson_object *object = fjson_object_new_object();

    format_add_string(object, "jail", jail->name);
    format_add_string(object, "scope", scope);
    format_add_number(object, "failures", counter->within);
    format_add_number(object, "maxretry", jail->maxretry);
    format_add_number(object, "users", counter->users);
    format_add_number(object, "bansBefore", counter->bans);
    if (counter->observed_s != 0)
        format_add_time(object, "observedSince", counter->observed_s * 1000);
    else
        fjson_object_object_add(object, "observedSince", NULL);
    if (counter->login_s != 0)
        format_add_time(object, "lastLogin", counter->login_s * 1000);
    else
        fjson_object_object_add(object, "lastLogin", NULL);
    return object;
}

struct fjson_object *
counters_json(const struct table *table, const struct scopes *scopes, const struct source *source)
{
    struct fjson_object *array = fjson_object_new_array();
    struct table_counter counter;
    char host[SCOPE_TEXT_SIZE];
    struct jail jail;

    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++) {
        if (!table_read_jail(table, i, &jail))
            continue;
        for (uint16_t scope = first_of(&jail); scope <= last_of(&jail, scopes); scope++)
            if (find(table, i, &jail, source, scope, &counter))
                fjson_object_array_add(array,
                                       one_json(&jail, scope_text(scopes, scope, host), &counter));
    }
    return array;
}
