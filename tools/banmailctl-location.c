/* location: finding the table without asking anybody.
 *
 * A running rsyslogd shows the file in /proc/PID/maps as a shared mapping named "table", whatever
 * runtimeDirectory it was configured with. A process of another mount namespace shows a path that
 * means something else here; /proc/PID/root would lead to the right file, but through directories
 * that a container's root controls, to whose links root must not fall: such a table is only used
 * when the administrator names it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-location.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/command.h"

struct search {
    unsigned found;           /* tables of running rsyslogd, here */
    char first[PATH_MAX];     /* the first of them */
    char all[512];            /* all, for the eyes */
    char elsewhere[PATH_MAX]; /* one of another mount namespace, through /proc/PID/root */
    char deleted[PATH_MAX];   /* one whose file is gone */
};

static bool
is_rsyslogd(const char *pid)
{
    char path[PATH_MAX], name[32] = "";
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%s/comm", pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    if (!fgets(name, sizeof(name), file))
        name[0] = '\0';
    fclose(file);
    return strncmp(name, "rsyslogd", strlen("rsyslogd")) == 0;
}

/* One that cannot be compared counts as the same: then it is a process of a machine that hides
 * /proc, and opening the path tells. */
static bool
is_same_mount_namespace(const char *pid)
{
    char path[PATH_MAX];
    struct stat theirs, ours;

    snprintf(path, sizeof(path), "/proc/%s/ns/mnt", pid);
    return stat(path, &theirs) != 0 || stat("/proc/self/ns/mnt", &ours) != 0 ||
           (theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev);
}

/* The path in a line of /proc/PID/maps when it is a shared mapping of a file named "table"; a
 * file that was removed has " (deleted)" behind it. */
static char *
mapped_table(char *line, bool *deleted)
{
    static const char suffix[] = " (deleted)", name[] = "/table";
    char permissions[5];
    int start = 0;
    size_t length;
    char *path;

    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%*s %4s %*s %*s %*s %n", permissions, &start) != 1 || !start)
        return NULL;
    path = line + start;
    length = strlen(path);
    *deleted = length > strlen(suffix) && strcmp(path + length - strlen(suffix), suffix) == 0;
    if (*deleted)
        path[length -= strlen(suffix)] = '\0';
    if (permissions[3] != 's' || path[0] != '/' || length < strlen(name) ||
        strcmp(path + length - strlen(name), name) != 0)
        return NULL;
    return path;
}

static void
search_note(struct search *search, const char *pid, const char *path, bool deleted)
{
    const struct table *table;

    if (!is_same_mount_namespace(pid)) {
        if (!deleted && !search->elsewhere[0])
            snprintf(search->elsewhere, sizeof(search->elsewhere), "/proc/%.16s/root%.4000s", pid,
                     path);
    } else if (deleted) {
        snprintf(search->deleted, sizeof(search->deleted), "%.4000s", path);
    } else if (strcmp(search->first, path) != 0 && table_open_reader(path, &table) == 0) {
        size_t used = strlen(search->all);

        table_close_reader(table);
        snprintf(search->all + used, sizeof(search->all) - used, "%s%s", used ? ", " : "", path);
        if (search->found++ == 0)
            snprintf(search->first, sizeof(search->first), "%s", path);
    }
}

static void
search_process(struct search *search, const char *pid)
{
    char path[PATH_MAX], line[PATH_MAX + 256];
    FILE *maps;

    snprintf(path, sizeof(path), "/proc/%s/maps", pid);
    maps = fopen(path, "re");
    if (!maps)
        return;
    while (fgets(line, sizeof(line), maps)) {
        bool deleted;
        const char *table = mapped_table(line, &deleted);

        if (table)
            search_note(search, pid, table, deleted);
    }
    fclose(maps);
}

static void
search_processes(struct search *search)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;

    if (!directory)
        return;
    while ((entry = readdir(directory)))
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_rsyslogd(entry->d_name))
            search_process(search, entry->d_name);
    closedir(directory);
}

static int
take(struct location *place, const char *table)
{
    const char *slash = strrchr(table, '/');
    int directory = slash ? (int)(slash - table) + 1 : 0;

    if (snprintf(place->table, sizeof(place->table), "%s", table) >= (int)sizeof(place->table) ||
        snprintf(place->socket, sizeof(place->socket), "%.*s%s", directory, table,
                 COMMAND_SOCKET_NAME) >= (int)sizeof(place->socket))
        return -ENAMETOOLONG;
    return 0;
}

static void
explain_permission(const char *path, char reason[LOCATION_REASON_SIZE])
{
    snprintf(reason, LOCATION_REASON_SIZE,
             "%.400s: permission denied; run banmailctl as root or as a member of the group that "
             "it belongs to",
             path);
}

static int
explain_none(const struct search *search, char reason[LOCATION_REASON_SIZE])
{
    if (search->found > 1) {
        snprintf(reason, LOCATION_REASON_SIZE,
                 "several rsyslogd have a table; name the one that is meant with --table: %.400s",
                 search->all);
        return -ENOTUNIQ;
    }
    if (search->deleted[0])
        snprintf(reason, LOCATION_REASON_SIZE,
                 "rsyslogd runs, but somebody removed its table %.400s; restart rsyslogd: it makes "
                 "a new one and takes the bans from the ledger",
                 search->deleted);
    else if (search->elsewhere[0])
        snprintf(reason, LOCATION_REASON_SIZE,
                 "no table here; an rsyslogd in another mount namespace (a container?) has one: "
                 "run banmailctl there, or name it: --table %.400s",
                 search->elsewhere);
    else
        snprintf(reason, LOCATION_REASON_SIZE,
                 "no table: %s does not exist and no rsyslogd that can be looked into has one; "
                 "start rsyslogd with ombanmail (it takes the bans back from the ledger), or name "
                 "the table: --table FILE%s",
                 LOCATION_DEFAULT_TABLE,
                 geteuid() != 0 ? " (looking into rsyslogd needs root)" : "");
    return -ENOENT;
}

static bool
is_in_use(const char *path)
{
    struct table_status status;
    const struct table *table;

    if (table_open_reader(path, &table) < 0)
        return false;
    table_read_status(table, &status);
    table_close_reader(table);
    return status.writer != 0;
}

/* The default path, unless nobody has that open while a running rsyslogd has another. */
static int
find_by_itself(struct search *search, const char **path, char reason[LOCATION_REASON_SIZE])
{
    int status = access(LOCATION_DEFAULT_TABLE, F_OK) == 0 ? 0 : -errno;

    *path = LOCATION_DEFAULT_TABLE;
    if (status == -EACCES || (status == 0 && is_in_use(*path)))
        return status;
    search_processes(search);
    if (search->found == 1)
        *path = search->first;
    else if (status < 0)
        return explain_none(search, reason);
    return 0;
}

int
location_find(const char *given, struct location *place, char reason[LOCATION_REASON_SIZE])
{
    struct search search = {0};
    const char *path = given;
    int status;

    *reason = '\0';
    if (given)
        status = access(given, F_OK) == 0 ? 0 : -errno;
    else
        status = find_by_itself(&search, &path, reason);
    if (status == 0)
        status = take(place, path);
    if (status == -EACCES)
        explain_permission(path, reason);
    else if (status < 0 && !*reason)
        snprintf(reason, LOCATION_REASON_SIZE, "%.400s: %s", path, strerror(-status));
    return status;
}

int
location_read(const struct location *place, const struct table **table,
              char reason[LOCATION_REASON_SIZE])
{
    int status = table_open_reader(place->table, table);

    if (status == -EPROTO)
        snprintf(reason, LOCATION_REASON_SIZE,
                 "%.400s is no table that this banmailctl can read: damaged, or of another version "
                 "of ombanmail; restart rsyslogd, which begins anew and takes the bans from the "
                 "ledger",
                 place->table);
    else if (status == -EACCES)
        explain_permission(place->table, reason);
    else if (status < 0)
        snprintf(reason, LOCATION_REASON_SIZE, "%.400s: %s", place->table, strerror(-status));
    return status;
}
