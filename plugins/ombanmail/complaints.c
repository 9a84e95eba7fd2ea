/* complaints: see complaints.h. What the configuration alone tells is put together once; what comes
 * up later is added to it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "errmsg.h"
#include "modules.h"
#include "msg.h"
#include "syslogd-types.h"
#include "unicode-helper.h"

#include "complaints.h"
#include "base/replace.h"
#include "control/origins.h"
#include "control/roster.h"
#include "control/setup.h"
#include "engine.h"

DEFobjStaticHelpers
DEFobjCurrIf(module)

static char path[128];          /* of the table; "": not begun */
static char begun[SETUP_SIZE];  /* what the configuration tells */
static char lists[SETUP_SIZE];  /* what is wrong with the allow lists */
static char users[SETUP_SIZE];  /* and with that of known users */
static char jails[SETUP_SIZE];  /* what is wrong with the file of jails */
static const char *growing;     /* a log file of which no line comes */
static bool events_wait;        /* nobody takes them */
static char fleet[SETUP_SIZE];  /* and with the fleet */
static char latest[SETUP_SIZE]; /* what was written */
static uid_t file_owner;
static gid_t file_group;
static atomic_bool is_unread;

/* One more line; what has no room is left out. */
static void
add(char text[SETUP_SIZE], const char *format, ...)
{
    const size_t used = strlen(text);
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text + used, SETUP_SIZE - used, format, arguments);
    va_end(arguments);
    if (length < 0 || used + (size_t)length + 2 > SETUP_SIZE) {
        text[used] = '\0';
        return;
    }
    for (char *c = text + used; *c != '\0'; c++)
        if (*c == '\n')
            *c = ' ';
    strcat(text, "\n");
}

/* Whether an action waits for fields where the shipped configuration has mmnormalize put them. */
static bool
needs_mmnormalize(const struct modConfData_s *configuration)
{
    for (const instanceData *at = configuration->instances; at != NULL; at = at->next)
        if (strcmp(at->parameters.path, PARAMETERS_PATH) == 0)
            return true;
    return false;
}

static bool
has_mmnormalize(const struct modConfData_s *configuration)
{
    bool is_there = true; /* unless it is known to be missing */
    rsRetVal iRet;

    CHKiRet(objGetObjInterface(&obj));
    CHKiRet(objUse(module, CORE_COMPONENT));
    is_there = module.FindWithCnfName(configuration->pConf, UCHAR_CONSTANT("mmnormalize"),
                                      eMOD_OUT) != NULL;
    objRelease(module, CORE_COMPONENT);
finalize_it:
    return is_there;
}

static void
look(const struct modConfData_s *configuration)
{
    if (configuration->is_refused)
        add(begun,
            "the parameters of module(load=\"ombanmail\") are refused, so nothing is counted: %s; "
            "mend it, look with rsyslogd -N1, restart rsyslogd",
            configuration->refusal);
    else if (configuration->refused_actions > 0)
        add(begun,
            "%u action%s of ombanmail %s refused and missing: %s; mend it, look with rsyslogd -N1, "
            "restart rsyslogd",
            configuration->refused_actions, configuration->refused_actions == 1 ? "" : "s",
            configuration->refused_actions == 1 ? "is" : "are", configuration->refusal);
    else if (configuration->instances == NULL)
        add(begun,
            "rsyslogd has loaded ombanmail, but its configuration has no action(type=\"ombanmail\")"
            ", so nothing is counted: is mail.conf included?");
    if (configuration->event_refusal[0] != '\0')
        add(begun, "%s; until then events wait in the ledger", configuration->event_refusal);
    if (needs_mmnormalize(configuration) && !has_mmnormalize(configuration))
        add(begun,
            "mmnormalize is not loaded, so no line of a mail server is understood and nothing is "
            "counted: module(load=\"mmnormalize\") has to stand before mail.conf is included, and "
            "its package to be installed");
}

void
complaints_begin(const struct modConfData_s *configuration, const char *table_path, uid_t owner,
                 gid_t group)
{
    snprintf(path, sizeof(path), "%s", table_path);
    file_owner = owner;
    file_group = group;
    growing = NULL;
    events_wait = false;
    begun[0] = lists[0] = users[0] = jails[0] = fleet[0] = '\0';
    atomic_store(&is_unread, false);
    look(configuration);
    if (configuration->is_refused)
        LogError(0, RS_RET_PARAM_ERROR,
                 "ombanmail: nothing is counted: its parameters are refused");
    snprintf(latest, sizeof(latest), "?"); /* a file of an earlier run is replaced */
    complaints_say();
}

void
complaints_note_unread(void)
{
    if (!atomic_load_explicit(&is_unread, memory_order_relaxed))
        atomic_store(&is_unread, true);
}

void
complaints_forget_lists(void)
{
    lists[0] = '\0';
}

void
complaints_add_list(const char *reason)
{
    add(lists,
        "%s; the list as it was last read whole is in force; mend it, then: systemctl kill "
        "-s HUP rsyslog",
        reason);
}

void
complaints_set_users(const char *reason)
{
    users[0] = '\0';
    if (reason[0] != '\0')
        add(users, "%s", reason);
}

void
complaints_set_growing(const char *file)
{
    growing = file;
}

void
complaints_set_events(bool wait)
{
    events_wait = wait;
}

void
complaints_set_fleet(const char *reason)
{
    fleet[0] = '\0';
    if (reason[0] != '\0')
        add(fleet, "%s", reason);
}

void
complaints_write_roster(const char *suffix, const char *text)
{
    const int error = roster_write(path, suffix, text, file_owner, file_group);

    if (error != 0)
        LogError(-error, RS_RET_ERR, "ombanmail: cannot write %s%s", path, suffix);
}

char *
complaints_read_roster(const char *suffix)
{
    return roster_read(path, suffix);
}

void
complaints_add_everybody(const char *entry)
{
    add(lists, "ignoreip or ignoreipFile has %s: none of these addresses is ever banned", entry);
}

void
complaints_forget_jails(void)
{
    jails[0] = '\0';
}

void
complaints_add_jails(const char *reason)
{
    add(jails,
        "%s; the jails as they were last read whole go on; mend it, look with banmailctl jails "
        "check, then: systemctl kill -s HUP rsyslog",
        reason);
}

void
complaints_write_origins(const struct origins *origins)
{
    const int error = origins_write(path, origins, file_owner, file_group);

    if (error != 0)
        LogError(-error, RS_RET_ERR, "ombanmail: cannot write %s.jails for banmailctl status",
                 path);
}

void
complaints_write_jails(const char *text)
{
    char jails_path[sizeof(path) + sizeof(ORIGINS_JAILS)];
    int error;

    snprintf(jails_path, sizeof(jails_path), "%s" ORIGINS_JAILS, path);
    error = replace_file(jails_path, text, strlen(text), 0644, file_owner, file_group);
    if (error != 0)
        LogError(-error, RS_RET_ERR, "ombanmail: cannot write %s for banmailctl test", jails_path);
}

const char *
complaints_say(void)
{
    char text[SETUP_SIZE];
    size_t used;
    int error;

    snprintf(text, sizeof(text), "%s", begun);
    if (atomic_load(&is_unread) && strstr(begun, "mmnormalize") == NULL)
        add(text,
            "lines of mail servers come to ombanmail without fields: an action of mmnormalize "
            "is missing in front of it, as when its rulebase was not found, or when "
            "module(load=\"mmnormalize\") stands behind the include of mail.conf; rsyslogd -N1 "
            "tells");
    if (growing != NULL)
        add(text,
            "%s grows by lines of mail servers, but none comes to ombanmail: an earlier rule "
            "discards them (include mail.conf in front of it), or no input reads that file, or it "
            "does not read it any more (reopenOnTruncate=\"on\", as in input-file.conf)",
            growing);
    if (events_wait && strstr(begun, "eventRuleset") == NULL)
        add(text,
            "events wait in the ledger, as the ruleset of eventRuleset takes none: its queue is "
            "full, because whom its action sends them to does not take them");
    used = strlen(text);
    used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", lists);
    if (used < sizeof(text))
        snprintf(text + used, sizeof(text) - used, "%s%s%s", users, jails, fleet);
    if (strcmp(text, latest) == 0)
        return latest;
    snprintf(latest, sizeof(latest), "%s", text);
    error = setup_write(path, text, file_owner, file_group);
    if (error != 0)
        LogError(-error, RS_RET_ERR, "ombanmail: cannot write %s.setup for banmailctl status",
                 path);
    return latest;
}

void
complaints_end(void)
{
    if (path[0] != '\0')
        setup_write(path, "", file_owner, file_group);
    path[0] = '\0';
}
