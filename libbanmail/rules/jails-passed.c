/* jails-passed: see jails-passed.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "rules/jails-passed.h"

#include <stddef.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const passed[] = {
    "action",      "backend",    "chain",          "datepattern",
    "destemail",   "ignoreself", "ignorecache",    "journalmatch",
    "logencoding", "logpath",    "logtimezone",    "maxlines",
    "maxmatches",  "mta",        "protocol",       "sender",
    "sendername",  "usedns",     "skip_if_nologs", "systemd_if_nologs",
};

/* Parts of other options' values, in jail.conf and in the files that it includes. */
static const char *const parts[] = {
    "action_", "banaction_allports", "fail2ban_agent", "syslog_backend", "syslog_mail",
};

static const struct {
    const char *name, *instead;
} others[] = {
    {"bantime.formula", "bantime.factor and bantime.multipliers say how bans grow"},
    {"failregex", "filters are built in; other lines need a rule (ombanmail-rulebase(5))"},
    {"ignorecommand", "no command is run; ignoreip takes names and files as well"},
    {"ignoreregex", "filters are built in"},
    {"prefregex", "filters are built in"},
};

static bool
is_among(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

bool
jails_passed_has(const char *name)
{
    return is_among(passed, COUNT(passed), name) || is_among(parts, COUNT(parts), name) ||
           strncmp(name, "action_", 7) == 0;
}

const char *
jails_passed_instead(const char *name)
{
    for (size_t i = 0; i < COUNT(others); i++)
        if (strcmp(others[i].name, name) == 0)
            return others[i].instead;
    return NULL;
}

void
jails_passed_note(struct settings *settings, const char *section)
{
    const struct setting *setting;

    for (size_t i = 0; (setting = settings_at(settings, i)) != NULL; i++)
        if (strcmp(setting->section, section) == 0 && setting->value[0] != '\0' &&
            is_among(passed, COUNT(passed), setting->name) &&
            settings_own(settings, section, setting->name) == setting)
            settings_pass_over(settings, setting);
}
