/* banmailctl jails: what a file in fail2ban's words declares, and which filters there are.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-jails.h"

#include <stdio.h>
#include <string.h>

#include <libfastjson/json.h>

#include "line/offence.h"
#include "rules/jails-file.h"
#include "rules/jails-filter.h"
#include "rules/preset.h"
#include "banmailctl-format.h"

/* "auth_failed relay_denied", or "none". */
static const char *
print_classes(uint64_t classes, char *text, size_t size)
{
    size_t used = 0;

    snprintf(text, size, "none");
    for (int class = 0; class < OFFENCE_CLASSES && used < size; class ++)
        if (classes & OFFENCE_BIT(class))
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? " " : "",
                                     offence_class_name((enum offence_class) class));
    return text;
}

static const char *
name_services(uint8_t services)
{
    switch (services) {
    case JAIL_SERVICES_SMTP:
        return "smtp";
    case JAIL_SERVICES_MAILBOX:
        return "imap pop3 sieve submission-login";
    case JAIL_SERVICES_SSHD:
        return "ssh";
    case JAIL_SERVICES_SIEVE:
        return "sieve";
    default:
        return "all";
    }
}

/* ---- jails filters ---- */

static struct fjson_object *
filter_json(const struct jails_filter *filter)
{
    struct fjson_object *const object = fjson_object_new_object();
    char classes[1024];

    format_add_string(object, "filter", filter->name);
    format_add_string(object, "mode", filter->mode);
    format_add_string(object, "services", name_services(filter->services));
    format_add_string(object, "classes", print_classes(filter->classes, classes, sizeof(classes)));
    return object;
}

static int
print_filters(const struct invocation *invocation)
{
    struct fjson_object *const object = fjson_object_new_object();
    struct fjson_object *const array = fjson_object_new_array();
    const struct jails_filter *filter;
    char classes[1024];

    for (size_t i = 0; (filter = jails_filter_at(i)) != NULL; i++) {
        fjson_object_array_add(array, filter_json(filter));
        if (!invocation->json)
            printf("%-20s %-10s %-15s %s\n", filter->name,
                   filter->mode[0] == '\0' ? "-" : filter->mode, name_services(filter->services),
                   print_classes(filter->classes, classes, sizeof(classes)));
    }
    fjson_object_object_add(object, "filters", array);
    if (invocation->json)
        format_print_json(object);
    else
        fjson_object_put(object);
    return EXIT_FINE;
}

/* ---- jails check FILE ---- */

static struct fjson_object *
jail_json(const struct jails_entry *entry)
{
    struct fjson_object *const object = fjson_object_new_object();
    const struct jail *const jail = &entry->jail;
    char text[1024];

    format_add_string(object, "name", jail->name);
    format_add_string(object, "origin", entry->origin);
    format_add_number(object, "maxretry", jail->maxretry);
    format_add_number(object, "findtime", (uint64_t)jail->findtime_s);
    if (jail->bantime_s == JAIL_FOREVER)
        fjson_object_object_add(object, "bantime", NULL);
    else
        format_add_number(object, "bantime", (uint64_t)jail->bantime_s);
    format_add_string(object, "classes", print_classes(jail->classes, text, sizeof(text)));
    format_add_string(object, "services", name_services(jail->services));
    format_add_string(object, "ports",
                      ports_are_all(&jail->ports) ? "all" : ports_print(&jail->ports, ",", text));
    if (jail->verdict == VERDICT_OF_MODULE)
        fjson_object_object_add(object, "verdict", NULL);
    else
        format_add_string(object, "verdict", verdict_name(jail->verdict));
    format_add_bool(object, "observes", jail->is_observing);
    format_add_string(object, "scope", jail_scope(jail));
    format_add_string(object, "ignoreip", entry->ignoreip);
    return object;
}

/* Each line as an object of one member. */
static struct fjson_object *
lines_json(const char *lines, const char *member)
{
    struct fjson_object *const array = fjson_object_new_array();
    char line[SETTINGS_REASON_SIZE];

    for (const char *at = lines; *at != '\0'; at += strcspn(at, "\n") + 1) {
        struct fjson_object *const holder = fjson_object_new_object();

        snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
        format_add_string(holder, member, line);
        fjson_object_array_add(array, holder);
    }
    return array;
}

void
jails_print_lines(const char *lines, const char *before, const char *behind)
{
    for (const char *at = lines; *at != '\0'; at += strcspn(at, "\n") + 1)
        printf("%s%.*s%s\n", before, (int)strcspn(at, "\n"), at, behind);
}

void
jails_print_json(const struct jails *jails)
{
    struct fjson_object *const object = fjson_object_new_object();
    struct fjson_object *const array = fjson_object_new_array();

    for (unsigned i = 0; i < jails->count; i++)
        fjson_object_array_add(array, jail_json(&jails->at[i]));
    fjson_object_object_add(object, "jails", array);
    fjson_object_object_add(object, "remarks", lines_json(jails->remarks, "remark"));
    fjson_object_object_add(object, "passed", lines_json(jails->passed, "option"));
    format_print_json(object);
}

static void
print_jail(const struct jails_entry *entry)
{
    const struct jail *const jail = &entry->jail;
    char findtime[FORMAT_SPAN_SIZE], bantime[FORMAT_SPAN_SIZE], text[1024];

    format_span(jail->findtime_s * 1000, findtime);
    if (jail->classes == 0)
        printf("%s: for bans by hand; ", jail->name);
    else
        printf("%s: %u failure%s in %s; ", jail->name, jail->maxretry,
               report_plural(jail->maxretry), findtime);
    if (jail->bantime_s == JAIL_FOREVER)
        strcpy(bantime, "for ever");
    else
        format_span(jail->bantime_s * 1000, bantime);
    printf("%s %s%s%s; closes %s%s%s\n", jail->is_observing ? "would ban" : "bans", bantime,
           jail->growth.is_on ? ", growing" : "", jail->is_per_host ? ", each host by itself" : "",
           ports_are_all(&jail->ports) ? "all ports" : ports_print(&jail->ports, ", ", text),
           jail->verdict == VERDICT_OF_MODULE ? "" : ": ",
           jail->verdict == VERDICT_OF_MODULE ? "" : verdict_name(jail->verdict));
    if (jail->classes != 0)
        printf("  counts (%s): %s\n", name_services(jail->services),
               print_classes(jail->classes, text, sizeof(text)));
    if (entry->ignoreip[0] != '\0')
        printf("  never bans: %s\n", entry->ignoreip);
    printf("  from %s\n", entry->origin);
}

/* Exit status: 0 every word of it is understood, 1 something is passed over, 5 it is refused. */
static int
check_file(const struct invocation *invocation, const char *path)
{
    char reason[SETTINGS_REASON_SIZE];
    struct jails *jails;
    int status;

    if ((invocation->preset != NULL ? preset_read_file(invocation->preset, path, &jails, reason)
                                    : jails_read(path, &jails, reason)) != 0)
        return banmailctl_fail(invocation, EXIT_REFUSED, "%s", reason);
    status = jails->remarks[0] == '\0' && jails->count > 0 ? EXIT_FINE : EXIT_NO;
    if (invocation->json) {
        jails_print_json(jails);
    } else {
        for (unsigned i = 0; i < jails->count; i++)
            print_jail(&jails->at[i]);
        if (jails->count == 0)
            puts("no jail is enabled");
        if (jails->passed[0] != '\0')
            puts("passed over, as nothing here reads logs, runs commands or sends mail:");
        jails_print_lines(jails->passed, "  ", "");
        jails_print_lines(jails->remarks, "NOTE: ", "");
    }
    jails_free(jails);
    return status;
}

int
jails_main(const struct invocation *invocation)
{
    const char *const word = invocation->count > 0 ? invocation->words[0] : "";

    if (strcmp(word, "filters") == 0 && invocation->count == 1 && invocation->preset == NULL)
        return print_filters(invocation);
    if (strcmp(word, "check") == 0 && invocation->count == 2)
        return check_file(invocation, invocation->words[1]);
    return banmailctl_fail(
        invocation, EXIT_USAGE,
        "jails check [--preset NAME] FILE, or jails filters; see banmailctl jails --help");
}
