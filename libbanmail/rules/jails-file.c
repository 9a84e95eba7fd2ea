/* jails-file: see jails-file.h.
 *
 * Section by section: is it a jail, of which filter, what do its options say (jails-options.h).
 * What depends on several options (filter and mode, ports and banaction) is settled behind them.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "rules/jails-file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "line/offence.h"
#include "rules/allow-list.h"
#include "rules/jails-filter.h"
#include "rules/jails-options.h"
#include "rules/jails-passed.h"

/* ---- one jail ---- */

/* fail2ban has filter = NAME[mode=MODE, …]; a mode of its own stands in the jail. */
static void
split_filter(char *filter, char mode[JAILS_WORD_SIZE])
{
    char *const bracket = strchr(filter, '[');
    const char *at = bracket == NULL ? NULL : strstr(bracket, "mode=");

    if (at != NULL) {
        at += 5 + strspn(at + 5, "\"' ");
        snprintf(mode, JAILS_WORD_SIZE, "%.*s", (int)strcspn(at, "\"', ]"), at);
    }
    filter[bracket == NULL ? strcspn(filter, " \n") : (size_t)(bracket - filter)] = '\0';
}

/* Which classes count, by filter and mode. *is_ours false: it is another service's. */
static bool
read_filter(struct jails_reading *reading, char value[SETTINGS_VALUE_SIZE], bool *is_ours)
{
    struct jails_entry *const entry = reading->entry;
    const struct setting *by;
    const struct jails_filter *found;

    if (!jails_value(reading, "mode", value))
        return false;
    if (strcmp(value, "observe") == 0)
        entry->jail.is_observing = true;
    else
        snprintf(entry->mode, sizeof(entry->mode), "%s", value);
    by = reading->setting;
    if (!jails_value(reading, "filter", value))
        return false;
    if (value[0] == '\0')
        snprintf(value, SETTINGS_VALUE_SIZE, "%s", reading->section);
    split_filter(value, entry->mode);
    snprintf(entry->filter, sizeof(entry->filter), "%s", value);
    *is_ours = jails_filter_find(entry->filter, "") != NULL;
    if (!*is_ours)
        return true;
    found = jails_filter_find(entry->filter, entry->mode);
    reading->setting = reading->setting == NULL ? by : reading->setting;
    if (found == NULL)
        return jails_refuse(reading, entry->mode,
                            "the filter has no such mode (banmailctl jails filters lists them)");
    entry->jail.classes = found->classes;
    entry->jail.services = found->services;
    if (found->mode[0] == '\0')
        entry->mode[0] = '\0';
    return true;
}

/* classes= names them in place of a filter. */
static void
settle(struct jails_reading *reading)
{
    struct jails_entry *const entry = reading->entry;

    if (reading->classes != 0) {
        entry->jail.classes = reading->classes;
        entry->jail.services = 0;
        entry->filter[0] = entry->mode[0] = '\0';
    }
    if (reading->is_all_ports) {
        entry->jail.ports = (struct ports){0};
        ports_add(&entry->jail.ports, "all");
    }
}

static const struct setting *
first_of(const struct settings *settings, const char *section)
{
    const struct setting *setting;

    for (size_t i = 0; (setting = settings_at(settings, i)) != NULL; i++)
        if (strcmp(setting->section, section) == 0)
            return setting;
    return NULL;
}

/* What another value takes in by %(name)s is known as well. */
static bool
is_taken_in(const struct settings *settings, const char *name)
{
    const struct setting *setting;
    char word[80];

    snprintf(word, sizeof(word), "%%(%s)s", name);
    for (size_t i = 0; (setting = settings_at(settings, i)) != NULL; i++)
        if (strcasestr(setting->value, word) != NULL)
            return true;
    return false;
}

static void
remark_setting(struct settings *settings, const struct setting *setting)
{
    const char *const instead = jails_passed_instead(setting->name);

    if (instead != NULL)
        settings_remark(settings, "%s, line %u: %s in [%s] does nothing: %s", setting->file,
                        setting->line, setting->name, setting->section, instead);
    else
        settings_remark(settings, "%s, line %u: %s in [%s] is not known, and passed over",
                        setting->file, setting->line, setting->name, setting->section);
}

static void
remark_unknown(struct settings *settings, const char *section)
{
    const struct setting *setting;

    for (size_t i = 0; (setting = settings_at(settings, i)) != NULL; i++)
        if (strcmp(setting->section, section) == 0 && setting->value[0] != '\0' &&
            !jails_option_is_known(setting->name) && !jails_passed_has(setting->name) &&
            !is_taken_in(settings, setting->name))
            remark_setting(settings, setting);
    jails_passed_note(settings, section);
}

/* Of a preset there is no file to look into, but it may stand under one that changes it. */
static void
name_origin(const struct settings *settings, const struct setting *first,
            char origin[JAILS_ORIGIN_SIZE])
{
    const struct setting *setting, *other = NULL;

    if (strncmp(first->file, JAILS_PRESET, strlen(JAILS_PRESET)) != 0) {
        snprintf(origin, JAILS_ORIGIN_SIZE, "%.130s, line %u", first->file, first->line);
        return;
    }
    for (size_t i = 0; (setting = settings_at(settings, i)) != NULL && other == NULL; i++)
        if (strcmp(setting->section, first->section) == 0 &&
            strcmp(setting->file, first->file) != 0)
            other = setting;
    if (other == NULL)
        snprintf(origin, JAILS_ORIGIN_SIZE, "%s", first->file);
    else
        snprintf(origin, JAILS_ORIGIN_SIZE, "%.30s, changed by %.90s, line %u", first->file,
                 other->file, other->line);
}

static bool
begin_entry(struct jails_reading *reading)
{
    struct jails_entry *const entry = reading->entry;
    const struct setting *const first = first_of(reading->settings, reading->section);

    jail_defaults(&entry->jail);
    entry->jail.growth.factor = 1;
    if (strlen(reading->section) >= JAIL_NAME_SIZE) {
        reading->setting = first;
        return jails_refuse(reading, reading->section, "the name of a jail has 31 letters at most");
    }
    memset(entry->jail.name, 0, sizeof(entry->jail.name));
    strcpy(entry->jail.name, reading->section);
    entry->ignoreip = strdup("");
    name_origin(reading->settings, first, entry->origin);
    return entry->ignoreip != NULL;
}

/* Whether the section is an enabled jail goes to *is_jail; false where something is refused. */
static bool
read_section(struct jails_reading *reading, char value[SETTINGS_VALUE_SIZE], bool *is_jail)
{
    bool is_on = false, is_ours = false;

    *is_jail = false;
    if (!jails_value(reading, "enabled", value) ||
        (reading->setting != NULL && !jails_read_bool(reading, value, &is_on)))
        return false;
    if (reading->setting == NULL)
        settings_remark(reading->settings, "jail %s is not enabled: it has no enabled = true",
                        reading->section);
    if (!is_on)
        return true;
    if (!begin_entry(reading) || !read_filter(reading, value, &is_ours))
        return false;
    if (!is_ours && settings_find(reading->settings, reading->section, "classes") == NULL) {
        settings_remark(
            reading->settings,
            "%s: jail %s is passed over: filter %s is for a service that ombanmail does not watch",
            reading->entry->origin, reading->section, reading->entry->filter);
        return true;
    }
    if (!jails_read_options(reading))
        return false;
    jails_read_action(reading);
    settle(reading);
    remark_unknown(reading->settings, reading->section);
    *is_jail = true;
    return true;
}

/* ---- all of them ---- */

/* The jail that fail2ban has for who was banned again and again: here the others' bans grow. */
static void
apply_recidive(struct settings *settings, struct jails *jails, const struct jail *recidive)
{
    for (unsigned i = 0; i < jails->count; i++) {
        struct jail *const jail = &jails->at[i].jail;
        const unsigned first =
            recidive->maxretry < JAIL_LENGTHS_MAX ? recidive->maxretry : JAIL_LENGTHS_MAX;
        int64_t times;

        if (jail->growth.is_on || jail->bantime_s == JAIL_FOREVER)
            continue;
        times = recidive->bantime_s == JAIL_FOREVER ? UINT16_MAX
                                                    : recidive->bantime_s / jail->bantime_s;
        if (times < 2)
            continue;
        jail->growth = (struct jail_growth){
            .is_on = true,
            .factor = 1,
            .multiplier_count = (unsigned char)first,
            .max_s = recidive->bantime_s == JAIL_FOREVER ? 0 : recidive->bantime_s,
            .over_all_jails = true};
        for (unsigned ban = 0; ban + 1 < first; ban++)
            jail->growth.multipliers[ban] = 1;
        jail->growth.multipliers[first - 1] = (uint16_t)(times < UINT16_MAX ? times : UINT16_MAX);
    }
    settings_remark(
        settings,
        "jail recidive makes no bans of its own: from ban %u of a client on, counted over "
        "all jails, the other jails' bans last as long as it says",
        recidive->maxretry);
}

static bool
keep(struct jails *jails, struct jails_entry *entry, char reason[SETTINGS_REASON_SIZE])
{
    struct jails_entry *more;

    if (jails->count == JAILS_MAX) {
        snprintf(reason, SETTINGS_REASON_SIZE, "%s: more than %d jails", entry->origin, JAILS_MAX);
        return false;
    }
    more = reallocarray(jails->at, jails->count + 1, sizeof(*more));
    if (more == NULL)
        return false;
    jails->at = more;
    jails->at[jails->count++] = *entry;
    *entry = (struct jails_entry){0};
    return true;
}

static bool
read_sections(struct settings *settings, struct jails *jails, char value[SETTINGS_VALUE_SIZE],
              char reason[SETTINGS_REASON_SIZE])
{
    struct jail recidive = {.maxretry = 0};
    const char *section;
    bool is_good = true, is_jail;

    for (size_t i = 0; is_good && (section = settings_section(settings, i)) != NULL; i++) {
        struct jails_entry entry = {.ignoreip = NULL};
        struct jails_reading reading = {
            .settings = settings, .section = section, .entry = &entry, .reason = reason};

        if (strcmp(section, SETTINGS_DEFAULT) == 0 || section[0] == '\0')
            continue;
        is_good = read_section(&reading, value, &is_jail);
        if (is_good && is_jail && strcmp(entry.filter, "recidive") == 0)
            recidive = entry.jail;
        else if (is_good && is_jail)
            is_good = keep(jails, &entry, reason);
        free(entry.ignoreip);
    }
    if (is_good && recidive.maxretry > 0)
        apply_recidive(settings, jails, &recidive);
    remark_unknown(settings, SETTINGS_DEFAULT);
    return is_good;
}

/* Takes the settings over. */
static int
make(struct settings *settings, const char *origin, struct jails **made,
     char reason[SETTINGS_REASON_SIZE])
{
    struct jails *const jails = calloc(1, sizeof(*jails));
    char *const value = malloc(SETTINGS_VALUE_SIZE);
    bool is_good = jails != NULL && value != NULL;

    snprintf(reason, SETTINGS_REASON_SIZE, "out of memory");
    is_good = is_good && read_sections(settings, jails, value, reason);
    if (is_good)
        is_good = (jails->remarks = strdup(settings_remarks(settings))) != NULL &&
                  (jails->passed = strdup(settings_passed(settings))) != NULL;
    for (unsigned i = 0; is_good && origin != NULL && i < jails->count; i++)
        snprintf(jails->at[i].origin, JAILS_ORIGIN_SIZE, "%s", origin);
    free(value);
    settings_free(settings);
    if (!is_good) {
        jails_free(jails);
        return -EINVAL;
    }
    *made = jails;
    return 0;
}

void
jails_free(struct jails *jails)
{
    if (jails == NULL)
        return;
    for (unsigned i = 0; i < jails->count; i++)
        free(jails->at[i].ignoreip);
    free(jails->at);
    free(jails->remarks);
    free(jails->passed);
    free(jails);
}

/* ---- where they stand ---- */

static int
is_conf(const struct dirent *entry)
{
    const char *const dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot != NULL && strcmp(dot, ".conf") == 0;
}

static int
is_local(const struct dirent *entry)
{
    const char *const dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot != NULL && strcmp(dot, ".local") == 0;
}

static int
read_if_there(struct settings *settings, const char *path, bool *any,
              char reason[SETTINGS_REASON_SIZE])
{
    struct stat status;

    if (stat(path, &status) != 0 && errno == ENOENT)
        return 0;
    *any = true;
    return settings_read(settings, path, reason);
}

static int
read_folder(struct settings *settings, const char *path, int (*filter)(const struct dirent *),
            bool *any, char reason[SETTINGS_REASON_SIZE])
{
    struct dirent **entries = NULL;
    char folder[PATH_MAX], full[PATH_MAX + 300];
    int error = 0, count;

    snprintf(folder, sizeof(folder), "%s/jail.d", path);
    count = scandir(folder, &entries, filter, alphasort);
    if (count < 0 && errno != ENOENT) {
        error = -errno;
        snprintf(reason, SETTINGS_REASON_SIZE, "%.300s cannot be read: %s", folder,
                 strerror(-error));
    }
    for (int i = 0; i < count; i++) {
        snprintf(full, sizeof(full), "%s/%s", folder, entries[i]->d_name);
        if (error == 0)
            error = read_if_there(settings, full, any, reason);
        free(entries[i]);
    }
    free(entries);
    return error;
}

static int
read_directory(struct settings *settings, const char *path, char reason[SETTINGS_REASON_SIZE])
{
    char full[PATH_MAX];
    bool any = false;
    int error;

    snprintf(full, sizeof(full), "%s/jail.conf", path);
    error = read_if_there(settings, full, &any, reason);
    if (error == 0)
        error = read_folder(settings, path, is_conf, &any, reason);
    snprintf(full, sizeof(full), "%s/jail.local", path);
    if (error == 0)
        error = read_if_there(settings, full, &any, reason);
    if (error == 0)
        error = read_folder(settings, path, is_local, &any, reason);
    if (error == 0 && !any) {
        snprintf(reason, SETTINGS_REASON_SIZE,
                 "%.300s cannot be read: there is no jail.conf, no jail.local and nothing in "
                 "jail.d in it",
                 path);
        error = -ENOENT;
    }
    return error;
}

static int
read_settings(const char *text, const char *origin, const char *path, struct jails **jails,
              char reason[SETTINGS_REASON_SIZE])
{
    struct settings *const settings = settings_new();
    struct stat status;
    int error;

    if (settings == NULL) {
        snprintf(reason, SETTINGS_REASON_SIZE, "out of memory");
        return -ENOMEM;
    }
    error = *text == '\0' ? 0 : settings_read_text(settings, text, origin, reason);
    if (error != 0)
        ;
    else if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        error = read_directory(settings, path, reason);
    else
        error = settings_read(settings, path, reason);
    if (error == 0)
        return make(settings, NULL, jails, reason);
    settings_free(settings);
    return error;
}

static int
check_ignored_file(const struct jails_entry *entry, char wrong[ALLOW_LIST_REASON_SIZE])
{
    char *words = strdup(entry->ignoreip), *rest = NULL;
    struct allow_list *const list = allow_list_new();
    int error = words == NULL || list == NULL ? -ENOMEM : 0;

    for (char *word = error == 0 ? strtok_r(words, " ", &rest) : NULL; error == 0 && word != NULL;
         word = strtok_r(NULL, " ", &rest))
        if (jails_ignored_file(word) != NULL)
            error = allow_list_set_file(list, jails_ignored_file(word), NULL, wrong);
    allow_list_free(list);
    free(words);
    return error;
}

/* A file in ignoreip that is wrong refuses the file of jails, so that the former lists go on. */
static int
check_ignored_files(struct jails **jails, char reason[SETTINGS_REASON_SIZE])
{
    char wrong[ALLOW_LIST_REASON_SIZE] = "out of memory";
    int error = 0;

    for (unsigned i = 0; error == 0 && i < (*jails)->count; i++) {
        const struct jails_entry *const entry = &(*jails)->at[i];

        error = check_ignored_file(entry, wrong);
        if (error != 0)
            snprintf(reason, SETTINGS_REASON_SIZE, "%s: ignoreip of jail %s: %s", entry->origin,
                     entry->jail.name, wrong);
    }
    if (error != 0) {
        jails_free(*jails);
        *jails = NULL;
    }
    return error;
}

int
jails_read(const char *path, struct jails **jails, char reason[SETTINGS_REASON_SIZE])
{
    return jails_read_over("", "", path, jails, reason);
}

int
jails_read_over(const char *text, const char *origin, const char *path, struct jails **jails,
                char reason[SETTINGS_REASON_SIZE])
{
    int error = read_settings(text, origin, path, jails, reason);

    return error == 0 ? check_ignored_files(jails, reason) : error;
}

int
jails_read_copy(const char *path, struct jails **jails, char reason[SETTINGS_REASON_SIZE])
{
    return read_settings("", "", path, jails, reason);
}

int
jails_read_text(const char *text, const char *origin, struct jails **jails,
                char reason[SETTINGS_REASON_SIZE])
{
    struct settings *const settings = settings_new();
    int error = settings == NULL ? -ENOMEM : settings_read_text(settings, text, origin, reason);

    if (error == 0)
        error = make(settings, origin, jails, reason);
    else
        settings_free(settings);
    return error == 0 ? check_ignored_files(jails, reason) : error;
}
