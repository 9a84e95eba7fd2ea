/* effect: see banmailctl-effect.h. The decision and the words are the engine's, so that the log and
 * the command say the same.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-effect.h"

#include <inttypes.h>
#include <stdio.h>

#include <libfastjson/json.h>

#include "banmailctl-format.h"
#include "table/effect.h"
#include "count/gateway.h"
#include "kernel/policy.h"

#define LIST_MOST 100 /* in JSON */

/* ---- bans that have no effect ---- */

static const char *
explain(const struct location *place, const struct table *table, const struct ban *ban,
        char text[EFFECT_TEXT_SIZE])
{
    struct firewall_policy policy;
    struct jail jail;
    const bool has_jail = table_read_jail(table, ban->jail, &jail);
    const int family = source_is_v4(&ban->source) ? FIREWALL_V4 : FIREWALL_V6;

    policy_read(place->table, &policy);
    return effect_explain(ban, has_jail ? &jail : NULL, policy.set[family], text);
}

void
ineffective_print(const struct location *place, const struct table *table, const struct ban *ban,
                  int64_t now_ms, const char *indent)
{
    char first[FORMAT_STAMP_SIZE], last[FORMAT_STAMP_SIZE], why[EFFECT_TEXT_SIZE];

    if (!effect_is_missing(ban, now_ms))
        return;
    printf("%s%sHAS NO EFFECT%s: %" PRIu32 " failure%s since it has been in force, from %s to %s;\n"
           "%s  %s\n",
           indent, format_colour(FORMAT_BAD), format_colour(FORMAT_PLAIN), ban->after,
           report_plural(ban->after), format_stamp(ban->after_first_ms, first),
           format_stamp(ban->after_last_ms, last), indent, explain(place, table, ban, why));
}

struct fjson_object *
ineffective_ban_json(const struct ban *ban, int64_t now_ms)
{
    struct fjson_object *object;

    if (!effect_is_missing(ban, now_ms))
        return NULL;
    object = fjson_object_new_object();
    format_add_number(object, "failures", ban->after);
    format_add_time(object, "first", ban->after_first_ms);
    format_add_time(object, "last", ban->after_last_ms);
    return object;
}

struct fjson_object *
ineffective_json(const struct table *table, const struct bans *bans, int64_t now_ms)
{
    struct fjson_object *array = fjson_object_new_array();
    char source[SOURCE_TEXT_SIZE], jail[JAIL_NAME_SIZE * 4];
    unsigned count = 0;

    for (size_t i = 0; i < bans->count && count < LIST_MOST; i++) {
        struct fjson_object *object = ineffective_ban_json(&bans->ban[i], now_ms);

        if (object == NULL)
            continue;
        format_add_string(object, "source", source_print(&bans->ban[i].source, source));
        format_add_string(object, "jail", bans_jail_name(table, &bans->ban[i], jail));
        format_add_time(object, "since", bans->ban[i].since_ms);
        fjson_object_array_add(array, object);
        count++;
    }
    return array;
}

/* ---- gateways ---- */

void
gateways_print(const struct table *table, int64_t now_ms)
{
    char text[GATEWAY_TEXT_SIZE];
    struct table_gateway gateway;

    for (unsigned i = 0; i < TABLE_GATEWAYS; i++)
        if (table_read_gateway(table, i, now_ms, &gateway))
            printf("%sgateway%s: %s\n", format_colour(FORMAT_BOLD), format_colour(FORMAT_PLAIN),
                   gateway_explain(&gateway, text));
}

struct fjson_object *
gateway_json(const struct table *table, const struct table_gateway *gateway)
{
    struct fjson_object *object = fjson_object_new_object();
    char source[SOURCE_TEXT_SIZE], name[JAIL_NAME_SIZE * 4];
    struct jail jail = {.name = "?"};

    table_read_jail(table, gateway->jail, &jail);
    format_add_string(object, "source", source_print(&gateway->source, source));
    format_add_string(object, "jail", format_clean(jail.name, name, sizeof(name)));
    format_add_string(object, "because", gateway->users > 0 ? "users" : "network");
    format_add_number(object, "users", gateway->users);
    format_add_number(object, "spared", gateway->spared);
    format_add_time(object, "first", gateway->first_ms);
    format_add_time(object, "last", gateway->last_ms);
    return object;
}

struct fjson_object *
gateways_json(const struct table *table, int64_t now_ms)
{
    struct fjson_object *array = fjson_object_new_array();
    struct table_gateway gateway;

    for (unsigned i = 0; i < TABLE_GATEWAYS; i++)
        if (table_read_gateway(table, i, now_ms, &gateway))
            fjson_object_array_add(array, gateway_json(table, &gateway));
    return array;
}

bool
gateways_find(const struct table *table, const struct source *source, int64_t now_ms,
              struct table_gateway *gateway)
{
    for (unsigned i = 0; i < TABLE_GATEWAYS; i++)
        if (table_read_gateway(table, i, now_ms, gateway) &&
            (source_contains(&gateway->source, source) ||
             source_contains(source, &gateway->source)))
            return true;
    return false;
}
