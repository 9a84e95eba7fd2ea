/* jails-print: see jails-print.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "rules/jails-print.h"

#include <string.h>

#include "line/offence.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
print_time(FILE *file, const char *name, int64_t seconds)
{
    static const struct {
        int64_t seconds;
        char letter;
    } units[] = {{604800, 'w'}, {86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};

    if (seconds == JAIL_FOREVER) {
        fprintf(file, "%s = -1\n", name);
        return;
    }
    for (size_t i = 0; i < COUNT(units); i++) {
        if (seconds % units[i].seconds == 0) {
            fprintf(file, "%s = %lld%c\n", name, (long long)(seconds / units[i].seconds),
                    units[i].letter);
            return;
        }
    }
}

static void
print_classes(FILE *file, uint64_t classes)
{
    fputs("classes =", file);
    for (int class = 0; class < OFFENCE_CLASSES; class ++)
        if (classes & OFFENCE_BIT(class))
            fprintf(file, " %s", offence_class_name((enum offence_class) class));
    fputc('\n', file);
}

static void
print_growth(FILE *file, const struct jail_growth *growth)
{
    if (!growth->is_on)
        return;
    fprintf(file, "bantime.increment = true\nbantime.factor = %.9g\n", growth->factor);
    if (growth->multiplier_count > 0)
        fputs("bantime.multipliers =", file);
    for (unsigned i = 0; i < growth->multiplier_count; i++)
        fprintf(file, " %u%s", growth->multipliers[i],
                i + 1 == growth->multiplier_count ? "\n" : "");
    if (growth->max_s > 0)
        print_time(file, "bantime.maxtime", growth->max_s);
    if (growth->random_s > 0)
        print_time(file, "bantime.rndtime", growth->random_s);
    if (growth->over_all_jails)
        fputs("bantime.overalljails = true\n", file);
}

static void
print_kindness(FILE *file, const struct jail *jail)
{
    const struct jail_kindness *const kindness = &jail->kindness;

    if (jail->repeats == JAIL_REPEATS_NONE)
        fputs("repeats = none\n", file);
    else if (jail->repeats != 1)
        fprintf(file, "repeats = %u\n", jail->repeats);
    if (kindness->login_allowance != 1)
        fprintf(file, "loginallowance = %u\n", kindness->login_allowance);
    if (kindness->mail_allowance != 1)
        fprintf(file, "mailallowance = %u\n", kindness->mail_allowance);
    if (kindness->login_forgives)
        fputs("loginforgives = true\n", file);
    if (kindness->skips_bounces)
        fputs("skipbounces = true\n", file);
}

static void
print_neighbours(FILE *file, const struct jail *jail)
{
    if (jail->neighbours == 0)
        return;
    fprintf(file, "neighbours = %u\n", jail->neighbours);
    print_time(file, "neighbourstime", jail->neighbours_s);
}

static void
print_entry(FILE *file, const struct jails_entry *entry)
{
    const struct jail *const jail = &entry->jail;
    const struct ports mail = ports_mail();
    char ports[PORTS_TEXT_SIZE];

    fprintf(file, "\n[%s]\nenabled = true\n", jail->name);
    if (entry->filter[0] != '\0' && strcmp(entry->filter, jail->name) != 0)
        fprintf(file, "filter = %s\n", entry->filter);
    if (entry->filter[0] == '\0')
        print_classes(file, jail->classes);
    if (entry->mode[0] != '\0')
        fprintf(file, "mode = %s\n", entry->mode);
    fprintf(file, "maxretry = %u\n", jail->maxretry);
    print_time(file, "findtime", jail->findtime_s);
    print_time(file, "bantime", jail->bantime_s);
    print_growth(file, &jail->growth);
    fprintf(file, "port = %s\n",
            ports_are_all(&jail->ports)           ? "all"
            : ports_are_same(&jail->ports, &mail) ? "mail"
                                                  : ports_print(&jail->ports, ",", ports));
    if (jail->verdict != VERDICT_OF_MODULE)
        fprintf(file, "blocktype = %s\n", verdict_name(jail->verdict));
    if (jail->v4_bits != 32)
        fprintf(file, "ipv4prefix = %u\n", jail->v4_bits);
    if (jail->v6_bits != 64)
        fprintf(file, "ipv6prefix = %u\n", jail->v6_bits);
    print_kindness(file, jail);
    print_neighbours(file, jail);
    if (jail->is_observing)
        fputs("observe = true\n", file);
    if (jail->is_per_host)
        fputs("scope = host\n", file);
    if (entry->ignoreip[0] != '\0')
        fprintf(file, "ignoreip = %s\n", entry->ignoreip);
}

void
jails_print(const struct jails *jails, FILE *file)
{
    for (unsigned i = 0; i < jails->count; i++)
        print_entry(file, &jails->at[i]);
}
