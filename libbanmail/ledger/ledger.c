/* ledger: the history on disk, in SQLite.
 *
 * The schema is a list of steps: PRAGMA user_version counts how many of them a file has seen, and
 * opening it for writing runs the rest. PRAGMA application_id tells our file from anybody else's.
 *
 * Corruption is found by whoever stumbles over it, not searched for (a full check of a big ledger
 * takes seconds): a handle for writing that meets it closes itself and moves the file aside, so
 * that the next ledger_open begins anew. The bans are in the table; what is lost is history.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/ownership.h"
#include "ledger/lines.h"

#define APPLICATION_ID  0x6f6d6261 /* "omba" */
#define BUSY_MS         250        /* the recorder answers commands too: rather try again later */
#define LEDGER_PATH_MAX 4096
#define VACUUM_PAGES    1000  /* given back at once: as many as SQLite lets the log grow to */
#define PRUNE_ROWS      16000 /* deleted at once: what is small, */
#define PRUNE_BYTES     (UINT64_C(4) << 20) /* and what is large: more than a batch writes */

struct ledger {
    sqlite3 *sqlite; /* NULL: the file was moved aside */
    bool read_only;
    const struct report *report;
    char path[LEDGER_PATH_MAX];
    char searched[EVIDENCE_USER_SIZE]; /* whose mailboxes are in temp.searched; "": nobody's */
};

/* Bans with a row for each of their lines. Only JSON's functions can split a text: so it becomes an
 * array, what it has of JSON's own marks escaped, tabs and newlines as they are given. */
#define SPLIT(begin, tab, newline, end)                                                            \
    "(SELECT table_id, evidence_id AS id, value AS text FROM (SELECT table_id, id AS "             \
    "evidence_id, '" begin                                                                         \
    "' || replace(replace(replace(replace(lines, '\\', '\\\\'), '\"', '\\\"'), char(9), '" tab     \
    "'), char(10), '" newline "') || '" end "' AS split FROM evidence),"                           \
    " json_each(CASE WHEN json_valid(split) THEN split ELSE '[]' END))"

/* The lines of all bans one by one. */
#define LINES                                                                                      \
    "SELECT table_id, id, CAST(field(text, 0) AS INTEGER) AS stamp_ms,"                            \
    " CAST(field(text, 1) AS INTEGER) AS number, field(text, 2) AS client,"                        \
    " field(text, 3) AS class, CAST(field(text, 4) AS INTEGER) AS attempts,"                       \
    " field(text, 5) AS host, field(text, 6) AS service, field(text, 7) AS user,"                  \
    " field(text, 8) AS line FROM " SPLIT("[\"", "\\t", "\",\"", "\"]")

/* Step n leads from version n to n + 1. Only ever add at the end. auto_vacuum cannot be chosen
 * later: it is what lets a pruned ledger give its room back. */
static const char *const schema_steps[] = {
    "CREATE TABLE ban ("
    " table_id TEXT NOT NULL, id INTEGER NOT NULL, source TEXT NOT NULL, jail TEXT NOT NULL,"
    " scope INTEGER NOT NULL, failures INTEGER NOT NULL, origin TEXT NOT NULL, class TEXT,"
    " first_ms INTEGER NOT NULL, since_ms INTEGER NOT NULL, until_ms INTEGER,"
    " ended_ms INTEGER, end_reason TEXT, lifted_by INTEGER,"
    " PRIMARY KEY (table_id, id)) WITHOUT ROWID;"
    "CREATE INDEX ban_since ON ban (since_ms);"
    "CREATE INDEX ban_source ON ban (source, since_ms);"
    "CREATE INDEX ban_running ON ban (since_ms) WHERE ended_ms IS NULL;",

    "ALTER TABLE ban ADD COLUMN threshold INTEGER;"
    "ALTER TABLE ban ADD COLUMN findtime_s INTEGER;"
    "ALTER TABLE ban ADD COLUMN ports TEXT;"
    "CREATE INDEX ban_ended ON ban (ended_ms) WHERE ended_ms IS NOT NULL;"
    "CREATE TABLE line ("
    " table_id TEXT NOT NULL, id INTEGER NOT NULL, stamp_ms INTEGER NOT NULL,"
    " number INTEGER NOT NULL, client TEXT NOT NULL, class TEXT NOT NULL,"
    " attempts INTEGER NOT NULL, host TEXT NOT NULL, service TEXT NOT NULL, user TEXT NOT NULL,"
    " line TEXT NOT NULL, PRIMARY KEY (table_id, id, stamp_ms, number)) WITHOUT ROWID;"
    "CREATE INDEX line_user ON line (user, stamp_ms) WHERE user != '';"
    "CREATE VIEW told AS SELECT table_id, id, group_concat(DISTINCT user) AS users,"
    " group_concat(DISTINCT host) AS hosts FROM line GROUP BY table_id, id;"
    "CREATE TABLE trouble (begun_ms INTEGER NOT NULL, ended_ms INTEGER, what TEXT NOT NULL);",

    "CREATE TABLE notice (number INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL,"
    " severity INTEGER NOT NULL, text TEXT NOT NULL, fields TEXT NOT NULL, lines TEXT NOT NULL);"
    "ALTER TABLE ban ADD COLUMN banned_by INTEGER;",

    /* One row for all lines of a ban: a row for each, and one in an index of users, cost four times
     * as much. `line` is for sqlite3(1): fields are arrays there, as it has no function of ours.
     * What old_line has is moved in steps. */
    "CREATE TABLE evidence (table_id TEXT NOT NULL, id INTEGER NOT NULL, lines TEXT NOT NULL,"
    " PRIMARY KEY (table_id, id));"
    "DROP VIEW told;"
    "DROP INDEX line_user;" /* else each step touches pages all over it */
    "ALTER TABLE line RENAME TO old_line;"
    "CREATE VIEW line AS SELECT table_id, id,"
    " CAST(json_extract(text, '$[0]') AS INTEGER) AS stamp_ms,"
    " CAST(json_extract(text, '$[1]') AS INTEGER) AS number,"
    " json_extract(text, '$[2]') AS client, json_extract(text, '$[3]') AS class,"
    " CAST(json_extract(text, '$[4]') AS INTEGER) AS attempts,"
    " json_extract(text, '$[5]') AS host, json_extract(text, '$[6]') AS service,"
    " json_extract(text, '$[7]') AS user, json_extract(text, '$[8]') AS line"
    " FROM " SPLIT(
        "[[\"", "\",\"", "\"],[\"",
        "\"]]") ";"
                "CREATE VIEW told AS SELECT table_id, id, group_concat(DISTINCT user) AS users,"
                " group_concat(DISTINCT host) AS hosts FROM line GROUP BY table_id, id;",
};
#define SCHEMA_VERSION ((int)(sizeof(schema_steps) / sizeof(schema_steps[0])))

/* ---- errors ---- */

static int
error_of(sqlite3 *sqlite, int code)
{
    int error = sqlite != NULL ? sqlite3_system_errno(sqlite) : 0;
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EPROTO;
    case SQLITE_CANTOPEN:
        return error != 0 ? -error : -EACCES;
    default:
        return error == ENOSPC || error == EDQUOT ? -ENOSPC : -EIO;
    }
}

const char *
ledger_error(int error)
{
    switch (error) {
    case -EBUSY:
        return "another program keeps it locked";
    case -ENOSPC:
        return "the disk is full";
    case -EROFS:
        return "it is read-only";
    case -EPROTO:
        return "it is damaged";
    case -EPROTONOSUPPORT:
        return "another version of ombanmail wrote it";
    case -EMLINK:
        return "it has a second name (a hard link)";
    case -ELOOP:
        return "it is a link or no file";
    case -ESTALE:
        return "the file was removed or replaced";
    default:
        return strerror(-error);
    }
}

/* ---- the file ---- */

/* SQLite writes to the -wal and -shm files that it finds, whatever they are, also as a reader: none
 * of the three may be another file. Returns 0 also where there are none. */
static int
check_files(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[LEDGER_PATH_MAX + 16];
    int result = 0;
    for (size_t i = 0; i < 3 && (result == 0 || result == -ENOENT); i++) {
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        result = ownership_is_single(name);
    }
    return result == -ENOENT ? 0 : result;
}

/* SQLite gives the -wal and -shm files the owner and mode of this one. Returns 0 also when it
 * exists already and we may write it (SQLite would open it for reading without a word). */
static int
create_file(const char *path)
{
    char copy[LEDGER_PATH_MAX];
    struct stat directory;
    strcpy(copy, path);
    if (stat(dirname(copy), &directory) < 0)
        return -errno;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0 && errno == EEXIST && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0)
        return 0;
    if (fd < 0)
        return -errno;
    int result = 0;
    if (geteuid() == 0 && fchown(fd, directory.st_uid, directory.st_gid) < 0)
        result = -errno;
    close(fd);
    return result;
}

/* Renames path + suffix to path.damaged + suffix; one of an earlier time is overwritten, so that
 * damage after damage does not fill the disk. */
static int
rename_aside(const char *path, const char *suffix)
{
    char from[LEDGER_PATH_MAX + 16], to[LEDGER_PATH_MAX + 16];
    snprintf(from, sizeof(from), "%s%s", path, suffix);
    snprintf(to, sizeof(to), "%s.damaged%s", path, suffix);
    return rename(from, to) < 0 && errno != ENOENT ? -errno : 0;
}

static int
move_aside(const char *path, const struct report *report)
{
    /* The log before the file that it belongs to: a log must never meet another file. */
    int result = rename_aside(path, "-wal");
    if (result == 0)
        result = rename_aside(path, "-shm");
    if (result == 0)
        result = rename_aside(path, "");
    if (result == 0)
        report_say(report, LOG_ERR,
                   "%s is damaged or no ledger of ombanmail: moved aside to %s.damaged; a new one "
                   "is begun, and what it knew of earlier bans is missing",
                   path, path);
    else
        report_say(report, LOG_ERR,
                   "%s is damaged or no ledger of ombanmail, and cannot be moved "
                   "aside: %s",
                   path, strerror(-result));
    return result;
}

/* Passes an error on; a corrupt file is moved aside on the way, where we may write. */
static int
failed(struct ledger *ledger, int code)
{
    int error = error_of(ledger->sqlite, code);
    if (error == -EPROTO && !ledger->read_only) {
        sqlite3_close_v2(ledger->sqlite);
        ledger->sqlite = NULL;
        move_aside(ledger->path, ledger->report);
    }
    return error;
}

/* ---- what SQL is lent: see lines.h ---- */

/* merged(lines, newer): NULL where nothing is added. */
static void
merged(sqlite3_context *context, int count, sqlite3_value **values)
{
    const char *kept = (const char *)sqlite3_value_text(values[0]);
    const char *newer = (const char *)sqlite3_value_text(values[1]);
    (void)count;
    if (kept == NULL || newer == NULL)
        return;
    char *text = sqlite3_malloc64(strlen(kept) + strlen(newer) + 2);
    if (text == NULL)
        sqlite3_result_error_nomem(context);
    else if (lines_merge(kept, newer, text) > 0)
        sqlite3_result_text(context, text, -1, sqlite3_free);
    else
        sqlite3_free(text);
}

/* field(line, n) */
static void
field(sqlite3_context *context, int count, sqlite3_value **values)
{
    const char *line = (const char *)sqlite3_value_text(values[0]);
    size_t length;
    (void)count;
    if (line == NULL)
        return;
    const char *text = lines_field(line, sqlite3_value_int(values[1]), &length);
    sqlite3_result_text(context, text, (int)length, SQLITE_TRANSIENT);
}

/* For our own statements: whoever wrote the file, its schema may not call them. */
static int
lend_functions(sqlite3 *sqlite)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    int code = sqlite3_create_function(sqlite, "merged", 2, flags, NULL, merged, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_create_function(sqlite, "field", 2, flags, NULL, field, NULL, NULL);
    return error_of(sqlite, code);
}

/* ---- opening ---- */

static int
run(sqlite3 *sqlite, const char *sql)
{
    return error_of(sqlite, sqlite3_exec(sqlite, sql, NULL, NULL, NULL));
}

static int
read_number(sqlite3 *sqlite, const char *sql, int *number)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    int error = error_of(sqlite, code);
    if (code == SQLITE_ROW)
        *number = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return error;
}

/* Which version the file is of: 0 for an empty one; -EPROTO when it is not ours, which is also what
 * SQLITE_ERROR says of statements as plain as these: it cannot read what it takes for a schema. */
static int
read_version(sqlite3 *sqlite, int *version)
{
    int application = 0, objects = 0;
    int result = read_number(sqlite, "PRAGMA user_version", version);
    if (result == 0)
        result = read_number(sqlite, "PRAGMA application_id", &application);
    if (result == 0)
        result = read_number(sqlite, "SELECT count(*) FROM sqlite_master", &objects);
    if (result < 0)
        return (sqlite3_errcode(sqlite) & 0xff) == SQLITE_ERROR ? -EPROTO : result;
    if (application == APPLICATION_ID && *version >= 1)
        return *version <= SCHEMA_VERSION ? 0 : -EPROTONOSUPPORT;
    return application == 0 && *version == 0 && objects == 0 ? 0 : -EPROTO;
}

static int
prepare_for_writing(sqlite3 *sqlite)
{
    int persist = 1;
    int result = run(sqlite, "PRAGMA auto_vacuum = INCREMENTAL;" /* acts on an empty file only */
                             "PRAGMA journal_mode = WAL;"
                             "PRAGMA synchronous = FULL;"
                             "PRAGMA secure_delete = ON;"
                             "PRAGMA journal_size_limit = 4194304;");
    if (result == 0)
        sqlite3_file_control(sqlite, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
    return result;
}

/* One step, done whole or not at all. */
static int
migrate_step(sqlite3 *sqlite, int version)
{
    char *sql = sqlite3_mprintf("BEGIN IMMEDIATE; %s PRAGMA application_id = %d;"
                                "PRAGMA user_version = %d; COMMIT;",
                                schema_steps[version], APPLICATION_ID, version + 1);
    if (sql == NULL)
        return -ENOMEM;
    int result = run(sqlite, sql);
    sqlite3_free(sql);
    if (result < 0 && !sqlite3_get_autocommit(sqlite))
        sqlite3_exec(sqlite, "ROLLBACK", NULL, NULL, NULL);
    return result;
}

static int
open_as_it_is(struct ledger *ledger, const char *name, int flags, int *version)
{
    int code = sqlite3_open_v2(name, &ledger->sqlite, SQLITE_OPEN_NOMUTEX | flags, NULL);
    if (code != SQLITE_OK)
        return error_of(ledger->sqlite, code);
    sqlite3_busy_timeout(ledger->sqlite, BUSY_MS);
    /* Whoever wrote the file, its schema runs nothing. */
    sqlite3_db_config(ledger->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(ledger->sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(ledger->sqlite, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    int result = lend_functions(ledger->sqlite);
    return result == 0 ? read_version(ledger->sqlite, version) : result;
}

static void
close_sqlite(struct ledger *ledger)
{
    sqlite3_close_v2(ledger->sqlite);
    ledger->sqlite = NULL;
}

static bool
has_log(const char *path)
{
    char log[LEDGER_PATH_MAX + 16];
    struct stat status;
    snprintf(log, sizeof(log), "%s-wal", path);
    return stat(log, &status) == 0 && status.st_size > 0;
}

/* For who may not even create the -shm file, when there is none: without a log the file is all
 * there is, and nobody writes to it. */
static int
open_immutable(struct ledger *ledger, int *version)
{
    char name[3 * LEDGER_PATH_MAX + 32] = "file:";
    char *end = name + strlen(name);
    for (const char *byte = ledger->path; *byte != '\0'; byte++)
        end += sprintf(end, strchr("%?#", *byte) != NULL ? "%%%02x" : "%c", (unsigned char)*byte);
    strcpy(end, "?immutable=1");
    close_sqlite(ledger);
    return open_as_it_is(ledger, name, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, version);
}

static int
open_reader(struct ledger *ledger)
{
    int version = 0;
    if (access(ledger->path, F_OK) < 0)
        return -errno;
    int result = open_as_it_is(ledger, ledger->path, SQLITE_OPEN_READONLY, &version);
    if ((result == -EACCES || result == -EROFS) && !has_log(ledger->path))
        result = open_immutable(ledger, &version);
    if (result == 0 && version == 0)
        return -ENOENT; /* is being created just now */
    return result == 0 && version < SCHEMA_VERSION ? -EPROTONOSUPPORT : result;
}

/* What version 3 has kept, some thousand lines in a transaction: the log stays small, the file
 * finds room for what is new in what is deleted, and a start that is broken off loses nothing. What
 * no step can move (rows without a key, which version 3 has never written) goes with the table. */
static int
move_old_lines(sqlite3 *sqlite)
{
#define FIRST                                                                                      \
    " WHERE (table_id, id) <= (SELECT table_id, id FROM (SELECT table_id, id FROM old_line ORDER"  \
    " BY table_id, id LIMIT 3000) ORDER BY table_id DESC, id DESC LIMIT 1)"
    static const char move[] =
        "BEGIN IMMEDIATE; INSERT INTO evidence SELECT table_id, id, coalesce(group_concat("
        "stamp_ms || char(9) || number || char(9) || client || char(9) || class || char(9) ||"
        " attempts || char(9) || host || char(9) || service || char(9) || user || char(9) || line,"
        " char(10)), '') FROM old_line" FIRST " GROUP BY table_id, id;"
        "DELETE FROM old_line" FIRST "; COMMIT;";
#undef FIRST
    int are_there = 0, before = -1;
    int result = read_number(sqlite,
                             "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND"
                             " name = 'old_line')",
                             &are_there);
    if (result < 0 || !are_there)
        return result;
    while (result == 0 && before != sqlite3_total_changes(sqlite)) {
        before = sqlite3_total_changes(sqlite);
        result = run(sqlite, move);
    }
    if (result == 0)
        return run(sqlite, "DROP TABLE old_line");
    if (!sqlite3_get_autocommit(sqlite))
        sqlite3_exec(sqlite, "ROLLBACK", NULL, NULL, NULL);
    return result;
}

static int
open_writer(struct ledger *ledger, bool *is_new)
{
    int version = 0;
    int result = create_file(ledger->path);
    if (result == 0)
        result = open_as_it_is(ledger, ledger->path, SQLITE_OPEN_READWRITE, &version);
    if (result == 0)
        result = prepare_for_writing(ledger->sqlite);
    *is_new = version == 0;
    for (; result == 0 && version < SCHEMA_VERSION; version++)
        result = migrate_step(ledger->sqlite, version);
    return result == 0 ? move_old_lines(ledger->sqlite) : result;
}

int
ledger_open(const char *path, bool read_only, const struct report *report, struct ledger **ledger,
            bool *is_new)
{
    bool created = false;
    if (strlen(path) >= LEDGER_PATH_MAX)
        return -ENAMETOOLONG;
    struct ledger *opened = calloc(1, sizeof(*opened));
    if (opened == NULL)
        return -ENOMEM;
    opened->read_only = read_only;
    opened->report = report;
    strcpy(opened->path, path);

    int result = check_files(path);
    if (result == 0)
        result = read_only ? open_reader(opened) : open_writer(opened, &created);
    if (result == -EPROTO && !read_only) {
        close_sqlite(opened);
        result = move_aside(path, report);
        if (result == 0)
            result = open_writer(opened, &created);
    }
    if (result < 0) {
        ledger_close(opened);
        return result;
    }
    if (is_new != NULL)
        *is_new = created;
    *ledger = opened;
    return 0;
}

void
ledger_close(struct ledger *ledger)
{
    if (ledger == NULL)
        return;
    close_sqlite(ledger);
    free(ledger);
}

/* ---- writing ---- */

/* Writing to a file that somebody has removed would be writing to nowhere. */
static bool
was_removed(struct ledger *ledger)
{
    int moved = 0;
    sqlite3_file_control(ledger->sqlite, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved != 0;
}

static void
bind_number_or_null(sqlite3_stmt *statement, int parameter, bool known, int64_t number)
{
    if (known)
        sqlite3_bind_int64(statement, parameter, number);
    else
        sqlite3_bind_null(statement, parameter);
}

#define TABLE_ID_SIZE 17 /* as text */

static void
print_table_id(uint64_t table_id, char text[TABLE_ID_SIZE])
{
    for (unsigned i = 0; i < TABLE_ID_SIZE - 1; i++)
        text[i] = "0123456789abcdef"[table_id >> (60 - 4 * i) & 15];
    text[TABLE_ID_SIZE - 1] = '\0';
}

static int
write_ban(sqlite3_stmt *statement, const struct ban *ban, const struct jail *jail)
{
    char table[TABLE_ID_SIZE], source[SOURCE_TEXT_SIZE], ports[PORTS_TEXT_SIZE];
    bool ended = ban->end != BAN_RUNNING, by_jail = ban->origin == BAN_BY_JAIL;
    print_table_id(ban->table_id, table);
    source_print(&ban->source, source);

    /* A binding that fails for want of memory shows as NULL, which NOT NULL refuses. */
    sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (int64_t)ban->id);
    sqlite3_bind_text(statement, 3, source, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, jail->name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 5, ban->scope);
    sqlite3_bind_int64(statement, 6, ban->failures);
    sqlite3_bind_text(statement, 7, by_jail ? "jail" : "hand", -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 8, by_jail ? offence_class_name(ban->class) : NULL, -1,
                      SQLITE_STATIC);
    sqlite3_bind_int64(statement, 9, ban->first_ms);
    sqlite3_bind_int64(statement, 10, ban->since_ms);
    bind_number_or_null(statement, 11, ban->until_ms != TABLE_FOREVER_MS, ban->until_ms);
    bind_number_or_null(statement, 12, ended, ban->ended_ms);
    sqlite3_bind_text(statement, 13, ended ? table_end_name(ban->end) : NULL, -1, SQLITE_STATIC);
    bind_number_or_null(statement, 14, ban->end == BAN_LIFTED_BY_HAND, ban->lifted_by);
    bind_number_or_null(statement, 15, by_jail && jail->classes != 0, jail->maxretry);
    bind_number_or_null(statement, 16, by_jail && jail->classes != 0, jail->findtime_s);
    ports_print(&jail->ports, ",", ports);
    sqlite3_bind_text(statement, 17, ports_are_all(&jail->ports) ? "all" : ports, -1,
                      SQLITE_STATIC);
    bind_number_or_null(statement, 18, ban->made_by != 0, (int64_t)ban->made_by - 1);

    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return code;
}

/* What a ban can still change is updated; its jail keeps the name under which it was first
 * written, also when it comes back in a table that no longer knows that jail. */
static int
write_bans(sqlite3 *sqlite, const struct ban *bans, size_t count,
           const struct jail *(*jail_of)(void *context, unsigned jail), void *context)
{
    static const char upsert[] =
        "INSERT INTO ban VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (table_id, id) DO UPDATE SET failures = excluded.failures,"
        " until_ms = excluded.until_ms, ended_ms = excluded.ended_ms,"
        " end_reason = excluded.end_reason, lifted_by = excluded.lifted_by,"
        " banned_by = coalesce(banned_by, excluded.banned_by)";
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(sqlite, upsert, -1, &statement, NULL);
    for (size_t i = 0; code == SQLITE_OK && i < count; i++) {
        code = write_ban(statement, &bans[i], jail_of(context, bans[i].jail));
        code = code == SQLITE_DONE ? SQLITE_OK : code;
    }
    sqlite3_finalize(statement);
    return code;
}

static bool
is_of_same_ban(const struct ledger_line *a, const struct ledger_line *b)
{
    return a->id == b->id && a->table_id == b->table_id;
}

/* Prints those of the first line's ban. Returns how many of `count` are of it; what is beyond
 * LINES_MOST is left out. */
static size_t
print_lines(const struct ledger_line *lines, size_t count, char text[LINES_SIZE], int *length)
{
    char *end = text;
    size_t i = 0;
    for (; i < count && is_of_same_ban(&lines[0], &lines[i]); i++) {
        if (i >= LINES_MOST)
            continue;
        if (i > 0)
            *end++ = '\n';
        end = lines_print(end, &lines[i].evidence);
    }
    *length = (int)(end - text);
    return i;
}

/* A ban is written again whenever something about it changes, with the lines that are its newest
 * then: those of the first time led to it, and a client who goes on adds no more for ever. */
static int
write_lines(sqlite3 *sqlite, const struct ledger_line *lines, size_t count)
{
    static const char upsert[] =
        "INSERT INTO evidence VALUES (?1, ?2, ?3) ON CONFLICT (table_id, id) DO UPDATE"
        " SET lines = merged(lines, ?3) WHERE merged(lines, ?3) IS NOT NULL";
    char table[TABLE_ID_SIZE], text[LINES_SIZE];
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(sqlite, upsert, -1, &statement, NULL), length;
    for (size_t i = 0; code == SQLITE_OK && i < count;) {
        print_table_id(lines[i].table_id, table);
        sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, (int64_t)lines[i].id);
        i += print_lines(&lines[i], count - i, text, &length);
        sqlite3_bind_text(statement, 3, text, length, SQLITE_STATIC);
        code = sqlite3_step(statement);
        code = code == SQLITE_DONE ? SQLITE_OK : code;
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
    }
    sqlite3_finalize(statement);
    return code;
}

/* Whether the handle can be written through at all. */
static int
may_write(struct ledger *ledger)
{
    if (ledger->sqlite == NULL)
        return -EPROTO;
    return was_removed(ledger) ? -ESTALE : 0;
}

static int
begin(struct ledger *ledger)
{
    return sqlite3_exec(ledger->sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL);
}

/* Commits, or, when something has failed or does now, rolls back. Returns 0 or a negative errno. */
static int
end(struct ledger *ledger, int code)
{
    sqlite3 *sqlite = ledger->sqlite;
    if (code == SQLITE_OK || code == SQLITE_DONE)
        code = sqlite3_exec(sqlite, "COMMIT", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        return 0;
    int error = failed(ledger, code);
    if (ledger->sqlite != NULL && !sqlite3_get_autocommit(sqlite))
        sqlite3_exec(sqlite, "ROLLBACK", NULL, NULL, NULL);
    return error;
}

int
ledger_write(struct ledger *ledger, const struct ban *bans, size_t count,
             const struct jail *(*jail_of)(void *context, unsigned jail), void *context,
             const struct ledger_line *lines, size_t line_count)
{
    int result = may_write(ledger);
    if (result < 0)
        return result;
    int code = begin(ledger);
    if (code == SQLITE_OK)
        code = write_bans(ledger->sqlite, bans, count, jail_of, context);
    if (code == SQLITE_OK && line_count > 0)
        code = write_lines(ledger->sqlite, lines, line_count);
    return end(ledger, code);
}

/* ---- deleting ---- */

/* Runs a statement with up to three values, each of them NULL (then the number is bound) or text.
 * Returns SQLite's code, and adds the rows that it changed to *changed. */
struct value {
    const char *text;
    int64_t number;
};

static int
change_rows(sqlite3 *sqlite, const char *sql, const struct value *values, int count, int *changed)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL);
    for (int i = 0; code == SQLITE_OK && i < count; i++)
        code = values[i].text != NULL
                   ? sqlite3_bind_text(statement, i + 1, values[i].text, -1, SQLITE_STATIC)
                   : sqlite3_bind_int64(statement, i + 1, values[i].number);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE)
        return code;
    *changed += sqlite3_changes(sqlite);
    return SQLITE_OK;
}

static uint64_t
bytes_in_use(sqlite3 *sqlite)
{
    int pages = 0, unused = 0, size = 0;
    if (read_number(sqlite, "PRAGMA page_count", &pages) < 0 ||
        read_number(sqlite, "PRAGMA freelist_count", &unused) < 0 ||
        read_number(sqlite, "PRAGMA page_size", &size) < 0 || pages < unused)
        return 0;
    return (uint64_t)(pages - unused) * (uint64_t)size;
}

/* In steps, as all of a step stands in the log before the file shrinks: who gives back all at once
 * needs the room twice. */
static void
give_back(sqlite3 *sqlite, uint64_t beyond_bytes)
{
    static const char vacuum[] = "PRAGMA incremental_vacuum(%d)";
    char sql[sizeof(vacuum) + 8];
    int pages = 0, size = 0;
    if (read_number(sqlite, "PRAGMA page_count", &pages) < 0 ||
        read_number(sqlite, "PRAGMA page_size", &size) < 0 || size <= 0)
        return;
    int64_t beyond = pages - (int64_t)(beyond_bytes / (uint64_t)size);
    if (beyond <= 0)
        return;
    snprintf(sql, sizeof(sql), vacuum, (int)(beyond < VACUUM_PAGES ? beyond : VACUUM_PAGES));
    sqlite3_exec(sqlite, sql, NULL, NULL, NULL);
}

/* The last resort where all bans are running: they stay, and those that began first lose their
 * lines. */
static int
delete_lines_of_running(sqlite3 *sqlite, int *deleted)
{
    static const char sql[] =
        "DELETE FROM evidence WHERE (table_id, id) IN (SELECT table_id, id FROM ban WHERE ended_ms"
        " IS NULL AND EXISTS (SELECT 1 FROM evidence WHERE table_id = ban.table_id AND id = ban.id)"
        " ORDER BY since_ms LIMIT 500)";
    int are_there = 0;
    if (read_number(sqlite, "SELECT EXISTS (SELECT 1 FROM evidence)", &are_there) < 0)
        return sqlite3_errcode(sqlite);
    return are_there ? change_rows(sqlite, sql, NULL, 0, deleted) : SQLITE_OK;
}

/* Deletes some of the bans that ended before ended_ms, and what else is older than before_ms. */
static int
delete_what_is_over(sqlite3 *sqlite, int64_t ended_ms, int64_t before_ms, int *bans)
{
    static const char lines[] =
        "DELETE FROM evidence WHERE (table_id, id) IN (SELECT table_id, id FROM ban WHERE ended_ms"
        " IS NOT NULL AND ended_ms < ?1 ORDER BY ended_ms LIMIT 500)";
    static const char ended[] =
        "DELETE FROM ban WHERE (table_id, id) IN (SELECT table_id, id FROM ban WHERE ended_ms"
        " IS NOT NULL AND ended_ms < ?1 ORDER BY ended_ms LIMIT 500)";
    static const char *const dated[] = {"DELETE FROM trouble WHERE ended_ms < ?1",
                                        "DELETE FROM notice WHERE time_ms < ?1"};
    const struct value before = {.number = before_ms}, end = {.number = ended_ms};
    int others = 0;
    int code = change_rows(sqlite, lines, &end, 1, &others);
    if (code == SQLITE_OK)
        code = change_rows(sqlite, ended, &end, 1, bans);
    for (size_t i = 0; i < sizeof(dated) / sizeof(*dated) && code == SQLITE_OK; i++)
        code = change_rows(sqlite, dated[i], &before, 1, &others);
    return code;
}

/* A transaction of its own, so that the log is taken over between one and the next. */
static int
prune_some(struct ledger *ledger, int64_t before_ms, bool is_too_large, int *pruned)
{
    int code = begin(ledger);
    if (code == SQLITE_OK)
        code = delete_what_is_over(ledger->sqlite, is_too_large ? INT64_MAX : before_ms, before_ms,
                                   pruned);
    if (code == SQLITE_OK && is_too_large && *pruned == 0)
        code = delete_lines_of_running(ledger->sqlite, pruned);
    return end(ledger, code);
}

int
ledger_prune(struct ledger *ledger, int64_t before_ms, uint64_t max_bytes)
{
    int result = may_write(ledger);
    if (result < 0)
        return result;
    const int rows = sqlite3_total_changes(ledger->sqlite);
    const uint64_t had = bytes_in_use(ledger->sqlite);
    uint64_t has = had;
    int pruned = 0, more = 1;
    bool was_too_large = false;
    while (result == 0 && more > 0 && has + PRUNE_BYTES > had &&
           sqlite3_total_changes(ledger->sqlite) - rows < PRUNE_ROWS) {
        const bool is_too_large = max_bytes > 0 && has > max_bytes;
        if (!is_too_large && (before_ms == LEDGER_KEEP_ALL || was_too_large))
            break;
        more = 0;
        result = prune_some(ledger, before_ms, is_too_large, &more);
        pruned += more;
        was_too_large = was_too_large || is_too_large;
        if (result == 0) /* below its size the file keeps what it will want again at once */
            give_back(ledger->sqlite, is_too_large ? max_bytes : 0);
        if (result == 0)
            has = bytes_in_use(ledger->sqlite);
    }
    if (result == 0 && pruned == 0 && max_bytes > 0)
        give_back(ledger->sqlite, max_bytes);
    return result < 0 ? result : pruned;
}

/* SQL cannot compare prefixes: so SQLite asks back whether a source lies within ours. */
static void
is_within(sqlite3_context *context, int count, sqlite3_value **values)
{
    const struct source *source = sqlite3_user_data(context);
    const char *text = (const char *)sqlite3_value_text(values[0]);
    struct source row;
    (void)count;
    sqlite3_result_int(context, text != NULL &&
                                    source_parse_prefix(text, strlen(text), &row) == 0 &&
                                    source_contains(source, &row));
}

static int
forget_bans(sqlite3 *sqlite, const struct source *source, int *forgotten)
{
    static const char lines[] =
        "DELETE FROM evidence WHERE (table_id, id) IN (SELECT table_id, id FROM ban WHERE"
        " ended_ms IS NOT NULL AND is_within(source))";
    static const char bans[] = "DELETE FROM ban WHERE ended_ms IS NOT NULL AND is_within(source)";
    int others = 0;
    int code = sqlite3_create_function(sqlite, "is_within", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                       (void *)source, is_within, NULL, NULL);
    if (code == SQLITE_OK)
        code = change_rows(sqlite, lines, NULL, 0, &others);
    return code == SQLITE_OK ? change_rows(sqlite, bans, NULL, 0, forgotten) : code;
}

static int
set_lines(sqlite3_stmt *update, int64_t row, const char *lines)
{
    sqlite3_bind_text(update, 1, lines, -1, SQLITE_STATIC);
    sqlite3_bind_int64(update, 2, row);
    int code = sqlite3_step(update);
    sqlite3_reset(update);
    sqlite3_clear_bindings(update);
    return code;
}

/* Whether `select` has a further row; takes what is meant out of its lines. */
static bool
forget_next(sqlite3_stmt *select, sqlite3_stmt *update, const struct source *source,
            const char *user, int *forgotten, int *code)
{
    *code = sqlite3_step(select);
    if (*code != SQLITE_ROW)
        return false;
    const char *lines = (const char *)sqlite3_column_text(select, 1);
    const size_t bytes = (size_t)sqlite3_column_bytes(select, 1);
    char *left = sqlite3_mprintf("%s", lines != NULL ? lines : "");
    const int removed = left != NULL ? (int)lines_remove(left, source, user) : 0;
    if (left == NULL)
        *code = SQLITE_NOMEM;
    else if (removed > 0 ||
             strlen(lines != NULL ? lines : "") != bytes) /* who knows what is behind */
        *code = set_lines(update, sqlite3_column_int64(select, 0), left);
    *forgotten += removed;
    sqlite3_free(left);
    return *code == SQLITE_ROW || *code == SQLITE_DONE;
}

static int
forget_lines(sqlite3 *sqlite, const struct source *source, const char *user, int *forgotten)
{
    static const char all[] = "SELECT rowid, lines FROM evidence";
    static const char change[] = "UPDATE evidence SET lines = ?1 WHERE rowid = ?2";
    sqlite3_stmt *select = NULL, *update = NULL;
    int others = 0;
    int code = sqlite3_prepare_v2(sqlite, all, -1, &select, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(sqlite, change, -1, &update, NULL);
    while (code == SQLITE_OK && forget_next(select, update, source, user, forgotten, &code))
        code = SQLITE_OK;
    sqlite3_finalize(update);
    sqlite3_finalize(select);
    return code != SQLITE_DONE
               ? code
               : change_rows(sqlite, "DELETE FROM evidence WHERE lines = ''", NULL, 0, &others);
}

/* Where SQLite has moved rows between pages, copies of them stand in what is unused; and what was
 * overwritten in the file, in the log. */
static void
write_anew(struct ledger *ledger)
{
    int result = run(ledger->sqlite, "VACUUM");
    if (result < 0)
        report_say(ledger->report, LOG_WARNING,
                   "what was forgotten may stand in unused room of %s still: it cannot be written "
                   "anew: %s",
                   ledger->path, ledger_error(result));
    sqlite3_exec(ledger->sqlite, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
}

int
ledger_forget(struct ledger *ledger, const struct source *source, const char *user)
{
    int forgotten = 0, others = 0;
    int result = may_write(ledger);
    if (result < 0)
        return result;
    int code = begin(ledger);
    if (code == SQLITE_OK)
        code = forget_lines(ledger->sqlite, source, user, &forgotten);
    if (code == SQLITE_OK && source != NULL)
        code = forget_bans(ledger->sqlite, source, &forgotten);
    if (code == SQLITE_OK) /* whose they are nobody knows there */
        code = change_rows(ledger->sqlite, "UPDATE notice SET lines = '' WHERE lines != ''", NULL,
                           0, &others);
    result = end(ledger, code);
    if (result == 0 && forgotten > 0)
        write_anew(ledger);
    return result < 0 ? result : forgotten;
}

int
ledger_trouble(struct ledger *ledger, const char *what, int64_t now_ms)
{
    const struct value values[] = {{.number = now_ms}, {.text = what}};
    int changed = 0;
    int result = may_write(ledger);
    if (result < 0)
        return result;
    int code = begin(ledger);
    if (code == SQLITE_OK)
        code =
            change_rows(ledger->sqlite, "UPDATE trouble SET ended_ms = ?1 WHERE ended_ms IS NULL",
                        values, 1, &changed);
    if (code == SQLITE_OK && what[0] != '\0')
        code = change_rows(ledger->sqlite, "INSERT INTO trouble VALUES (?1, NULL, ?2)", values, 2,
                           &changed);
    return end(ledger, code);
}

int
ledger_expire(struct ledger *ledger, int64_t now_ms)
{
    static const char update[] = "UPDATE ban SET ended_ms = until_ms, end_reason = 'expired'"
                                 " WHERE ended_ms IS NULL AND until_ms <= ?";
    int expired = 0;
    if (ledger->sqlite == NULL)
        return -EPROTO;
    int code = change_rows(ledger->sqlite, update, &(struct value){.number = now_ms}, 1, &expired);
    return code == SQLITE_OK ? expired : failed(ledger, code);
}

/* ---- reading ---- */

/* The rows that a query gives, one after the other. */
struct rows {
    struct ledger *ledger;
    sqlite3_stmt *statement;
    int code; /* SQLite's of the last call */
};

static struct rows
rows_of(struct ledger *ledger, const char *sql)
{
    struct rows rows = {.ledger = ledger, .code = SQLITE_ERROR};
    if (ledger->sqlite != NULL)
        rows.code = sqlite3_prepare_v2(ledger->sqlite, sql, -1, &rows.statement, NULL);
    return rows;
}

static void
rows_bind_number(struct rows *rows, int parameter, int64_t number)
{
    if (rows->code == SQLITE_OK)
        rows->code = sqlite3_bind_int64(rows->statement, parameter, number);
}

/* The text, NULL or not, stays the caller's, and must last as long as the rows. */
static void
rows_bind_text(struct rows *rows, int parameter, const char *text)
{
    if (rows->code == SQLITE_OK)
        rows->code = sqlite3_bind_text(rows->statement, parameter, text, -1, SQLITE_STATIC);
}

static bool
rows_next(struct rows *rows)
{
    if (rows->code == SQLITE_OK || rows->code == SQLITE_ROW)
        rows->code = sqlite3_step(rows->statement);
    return rows->code == SQLITE_ROW;
}

/* Returns `given`, or a negative errno where a call has failed; also before all rows were taken. */
static int
rows_end(struct rows *rows, int given)
{
    sqlite3_finalize(rows->statement);
    if (rows->ledger->sqlite == NULL)
        return -EPROTO;
    if (rows->code == SQLITE_OK || rows->code == SQLITE_ROW || rows->code == SQLITE_DONE)
        return given;
    return failed(rows->ledger, rows->code);
}

static bool
column_number(sqlite3_stmt *statement, int column, int64_t least, int64_t most, int64_t *number)
{
    if (sqlite3_column_type(statement, column) != SQLITE_INTEGER)
        return false;
    *number = sqlite3_column_int64(statement, column);
    return *number >= least && *number <= most;
}

/* NULL when it is no text, or one with NUL bytes in it. */
static const char *
column_text(sqlite3_stmt *statement, int column)
{
    if (sqlite3_column_type(statement, column) != SQLITE_TEXT)
        return NULL;
    const char *text = (const char *)sqlite3_column_text(statement, column);
    if (text == NULL || strlen(text) != (size_t)sqlite3_column_bytes(statement, column))
        return NULL;
    return text;
}

static bool
read_identity(sqlite3_stmt *statement, struct ledger_row *row)
{
    const char *table = column_text(statement, 0), *source = column_text(statement, 2);
    const char *jail = column_text(statement, 3);
    int64_t id;
    if (table == NULL || strlen(table) != 16 || strspn(table, "0123456789abcdef") != 16 ||
        !column_number(statement, 1, 1, INT64_MAX, &id) || source == NULL ||
        source_parse_prefix(source, strlen(source), &row->ban.source) < 0 ||
        !source_is_client(&row->ban.source) || jail == NULL || jail[0] == '\0' ||
        strlen(jail) >= sizeof(row->jail))
        return false;
    sscanf(table, "%16" SCNx64, &row->ban.table_id);
    row->ban.id = (uint64_t)id;
    strcpy(row->jail, jail);
    return true;
}

static bool
read_cause(sqlite3_stmt *statement, struct ban *ban)
{
    int64_t scope, failures;
    const char *origin = column_text(statement, 6), *class = column_text(statement, 7);
    if (!column_number(statement, 4, 0, UINT16_MAX, &scope) ||
        !column_number(statement, 5, 0, UINT16_MAX, &failures) || origin == NULL)
        return false;
    ban->scope = (uint16_t)scope;
    ban->failures = (uint16_t)failures;
    if (strcmp(origin, "hand") == 0) {
        ban->origin = BAN_BY_HAND;
        return true;
    }
    int known = class != NULL ? offence_class_parse(class, strlen(class)) : -ENOENT;
    ban->origin = BAN_BY_JAIL;
    ban->class = (enum offence_class)known;
    return strcmp(origin, "jail") == 0 && known >= 0;
}

static bool
read_times(sqlite3_stmt *statement, struct ban *ban)
{
    ban->until_ms = TABLE_FOREVER_MS;
    return column_number(statement, 8, 0, INT64_MAX, &ban->first_ms) &&
           column_number(statement, 9, 0, INT64_MAX, &ban->since_ms) &&
           (sqlite3_column_type(statement, 10) == SQLITE_NULL ||
            column_number(statement, 10, 0, INT64_MAX, &ban->until_ms));
}

static void
read_maker(sqlite3_stmt *statement, int column, struct ban *ban)
{
    int64_t user;

    if (column_number(statement, column, 0, UINT32_MAX - 1, &user))
        ban->made_by = (uint32_t)user + 1;
}

static bool
read_live(sqlite3_stmt *statement, struct ledger_row *row)
{
    *row = (struct ledger_row){.ban.end = BAN_RUNNING};
    if (!read_identity(statement, row) || !read_cause(statement, &row->ban) ||
        !read_times(statement, &row->ban))
        return false;
    read_maker(statement, 11, &row->ban);
    return true;
}

int
ledger_live(struct ledger *ledger, int64_t now_ms,
            bool (*each)(void *context, const struct ledger_row *row), void *context)
{
    static const char sql[] =
        "SELECT table_id, id, source, jail, scope, failures, origin, class, first_ms, since_ms,"
        " until_ms, banned_by FROM ban WHERE ended_ms IS NULL AND (until_ms IS NULL OR until_ms > "
        "?)"
        " ORDER BY since_ms";
    struct rows rows = rows_of(ledger, sql);
    struct ledger_row row;
    int given = 0, senseless = 0;
    bool more = true;

    rows_bind_number(&rows, 1, now_ms);
    while (more && rows_next(&rows)) {
        if (read_live(rows.statement, &row)) {
            given++;
            more = each(context, &row);
        } else {
            senseless++;
        }
    }
    if (senseless > 0)
        report_say(ledger->report, LOG_WARNING, "%s: %d ban%s no sense and %s left out",
                   ledger->path, senseless, senseless == 1 ? " makes" : "s make",
                   senseless == 1 ? "was" : "were");
    return rows_end(&rows, given);
}

static bool
read_banned(sqlite3_stmt *statement, struct ledger_banned *banned)
{
    const char *source = column_text(statement, 0), *jail = column_text(statement, 1);
    int64_t scope, count;
    if (source == NULL || source_parse_prefix(source, strlen(source), &banned->source) < 0 ||
        !source_is_client(&banned->source) || jail == NULL || jail[0] == '\0' ||
        strlen(jail) >= sizeof(banned->jail) ||
        !column_number(statement, 2, 0, UINT16_MAX, &scope) ||
        !column_number(statement, 3, 1, INT64_MAX, &count))
        return false;
    strcpy(banned->jail, jail);
    banned->scope = (uint16_t)scope;
    banned->count = count < UINT16_MAX ? (unsigned)count : UINT16_MAX;
    return true;
}

int
ledger_banned(struct ledger *ledger, unsigned most,
              bool (*each)(void *context, const struct ledger_banned *banned), void *context)
{
    static const char sql[] = "SELECT source, jail, scope, count(*) FROM ban WHERE origin = 'jail'"
                              " AND end_reason IS NOT 'withdrawn' GROUP BY source, jail, scope"
                              " ORDER BY max(since_ms) DESC LIMIT ?";
    struct rows rows = rows_of(ledger, sql);
    struct ledger_banned banned;
    int given = 0;
    bool more = true;

    rows_bind_number(&rows, 1, most);
    while (more && rows_next(&rows)) {
        if (!read_banned(rows.statement, &banned))
            continue;
        given++;
        more = each(context, &banned);
    }
    return rows_end(&rows, given);
}

/* ---- asking ---- */

static void
read_end(sqlite3_stmt *statement, struct ledger_row *row)
{
    const char *reason = column_text(statement, 12);
    int64_t number;
    if (column_number(statement, 11, 0, INT64_MAX, &row->ban.ended_ms) && reason != NULL)
        row->ban.end = table_end_parse(reason);
    if (column_number(statement, 13, 0, UINT32_MAX, &number))
        row->ban.lifted_by = (uint32_t)number;
    if (column_number(statement, 14, 1, JAIL_MAXRETRY_MAX, &number))
        row->threshold = (unsigned)number;
    if (!column_number(statement, 15, 1, INT64_MAX, &row->findtime_s))
        row->threshold = 0;
}

static bool
is_asked_for(const struct ledger_query *query, const struct ledger_row *row)
{
    return query->source == NULL || source_contains(&row->ban.source, query->source) ||
           source_contains(query->source, &row->ban.source);
}

static bool
read_past(sqlite3_stmt *statement, struct ledger_row *row)
{
    *row = (struct ledger_row){.ban.end = BAN_RUNNING};
    if (!read_identity(statement, row) || !read_cause(statement, &row->ban) ||
        !read_times(statement, &row->ban))
        return false;
    read_end(statement, row);
    read_maker(statement, 16, &row->ban);
    return true;
}

/* Of LINES, those that name a user. To search a text costs a tenth of splitting it: so only what
 * has his name in a field, whichever it is, is split. */
#define NAMING(user)                                                                               \
    " (table_id, id) IN (SELECT table_id, id FROM evidence WHERE"                                  \
    " instr(lines, char(9) || " user " || char(9))) AND user = " user

/* All rows are looked at when there is a source, and all texts when there is a user: SQL cannot
 * compare prefixes, and a hundred thousand take some tenths of a second. */
int
ledger_history(struct ledger *ledger, const struct ledger_query *query,
               bool (*each)(void *context, const struct ledger_row *row), void *context)
{
    static const char sql[] =
        "SELECT table_id, id, source, jail, scope, failures, origin, class, first_ms, since_ms,"
        " until_ms, ended_ms, end_reason, lifted_by, threshold, findtime_s, banned_by FROM ban"
        " WHERE since_ms BETWEEN ?1 AND ?2 AND (?3 IS NULL OR jail = ?3) AND (?4 IS NULL OR"
        " (table_id, id) IN (SELECT table_id, id FROM (" LINES
        ") WHERE" NAMING("?4") "))"
                               " ORDER BY since_ms DESC";
    struct rows rows = rows_of(ledger, sql);
    struct ledger_row row;
    unsigned given = 0;
    bool more = query->most > 0;

    rows_bind_number(&rows, 1, query->from_ms);
    rows_bind_number(&rows, 2, query->to_ms);
    rows_bind_text(&rows, 3, query->jail);
    rows_bind_text(&rows, 4, query->user);
    while (more && rows_next(&rows)) {
        if (read_past(rows.statement, &row) && is_asked_for(query, &row))
            more = each(context, &row) && ++given < query->most;
    }
    return rows_end(&rows, (int)given);
}

static bool
read_line(sqlite3_stmt *statement, struct evidence *evidence)
{
    char *const texts[] = {evidence->host, evidence->service, evidence->user, evidence->line};
    const size_t sizes[] = {sizeof(evidence->host), sizeof(evidence->service),
                            sizeof(evidence->user), sizeof(evidence->line)};
    const char *client = column_text(statement, 1), *class = column_text(statement, 2);
    int64_t attempts;

    *evidence = (struct evidence){0};
    int known = class != NULL ? offence_class_parse(class, strlen(class)) : -ENOENT;
    if (!column_number(statement, 0, 0, INT64_MAX, &evidence->stamp_ms) || client == NULL ||
        source_parse(client, strlen(client), &evidence->client) < 0 || known < 0 ||
        !column_number(statement, 3, 0, UINT8_MAX, &attempts))
        return false;
    evidence->class = (enum offence_class)known;
    evidence->attempts = (uint8_t)attempts;
    for (int i = 0; i < 4; i++) {
        const char *text = column_text(statement, 4 + i);
        snprintf(texts[i], sizes[i], "%s", text != NULL ? text : "");
    }
    return true;
}

#define LINE_COLUMNS                                                                               \
    "SELECT stamp_ms, client, class, attempts, host, service, user, line FROM (" LINES ")"

static bool
was_searched(const struct ledger *ledger, const char *user)
{
    const size_t length = strlen(ledger->searched);
    return length > 0 && strncasecmp(user, ledger->searched, length) == 0 && user[length] == '@';
}

int
ledger_lines(struct ledger *ledger, const struct ban *ban, const char *user, unsigned most,
             bool (*each)(void *context, const struct evidence *evidence), void *context)
{
    static const char of_ban[] = LINE_COLUMNS " WHERE table_id = ?1 AND id = ?2"
                                              " ORDER BY stamp_ms, number LIMIT ?3";
    static const char of_mailbox[] = LINE_COLUMNS
        " WHERE (table_id, id) IN temp.searched AND user = ?1 ORDER BY stamp_ms DESC LIMIT ?3";
    static const char of_user[] =
        LINE_COLUMNS " WHERE" NAMING("?1") " AND user != '' ORDER BY stamp_ms DESC LIMIT ?3";
    struct rows rows = rows_of(ledger, ban != NULL                  ? of_ban
                                       : was_searched(ledger, user) ? of_mailbox
                                                                    : of_user);
    struct evidence evidence;
    char table[TABLE_ID_SIZE];
    int given = 0;
    bool more = true;

    if (ban != NULL) {
        print_table_id(ban->table_id, table);
        rows_bind_text(&rows, 1, table);
        rows_bind_number(&rows, 2, (int64_t)ban->id);
    } else {
        rows_bind_text(&rows, 1, user);
    }
    rows_bind_number(&rows, 3, most);
    while (more && rows_next(&rows)) {
        if (!read_line(rows.statement, &evidence))
            continue;
        given++;
        more = each(context, &evidence);
    }
    return rows_end(&rows, given);
}

static bool
read_user(sqlite3_stmt *statement, struct ledger_user *user)
{
    const char *name = column_text(statement, 0);
    int64_t attempts, clients;
    if (name == NULL || strlen(name) >= sizeof(user->name) ||
        !column_number(statement, 1, 0, INT64_MAX, &attempts) ||
        !column_number(statement, 2, 0, UINT32_MAX, &clients) ||
        !column_number(statement, 3, 0, INT64_MAX, &user->last_ms))
        return false;
    strcpy(user->name, name);
    user->attempts = (uint64_t)attempts;
    user->clients = (unsigned)clients;
    return true;
}

int
ledger_users(struct ledger *ledger, int64_t from_ms, unsigned most,
             bool (*each)(void *context, const struct ledger_user *user), void *context)
{
    static const char sql[] =
        "SELECT user, sum(min(attempts, 255)), count(DISTINCT client), max(stamp_ms) FROM (" LINES
        ") WHERE (table_id, id) IN (SELECT table_id, id FROM ban WHERE ended_ms IS NULL OR ended_ms"
        " >= ?1 - 3600000) AND stamp_ms >= ?1 AND user != '' GROUP BY user"
        " ORDER BY 2 DESC, 4 DESC LIMIT ?2";
    struct rows rows = rows_of(ledger, sql);
    struct ledger_user user;
    int given = 0;
    bool more = true;

    rows_bind_number(&rows, 1, from_ms);
    rows_bind_number(&rows, 2, most);
    while (more && rows_next(&rows)) {
        if (!read_user(rows.statement, &user))
            continue;
        given++;
        more = each(context, &user);
    }
    return rows_end(&rows, given);
}

/* Remembers which bans have a line that names one of the name's mailboxes: a name such as info may
 * have dozens, and who asks for their lines next is not to read all texts for each. */
static int
search_mailboxes(struct ledger *ledger, const char *name)
{
    static const char search[] = "INSERT INTO temp.searched SELECT table_id, id FROM evidence WHERE"
                                 " instr(lower(lines), char(9) || lower(?1) || '@')";
    int found = 0, code;
    ledger->searched[0] = '\0';
    if (ledger->sqlite == NULL || strlen(name) >= sizeof(ledger->searched))
        return ledger->sqlite == NULL ? -EPROTO : -ENAMETOOLONG;
    code = sqlite3_exec(ledger->sqlite,
                        "CREATE TEMP TABLE IF NOT EXISTS searched (table_id TEXT, id INTEGER);"
                        "DELETE FROM temp.searched",
                        NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = change_rows(ledger->sqlite, search, &(struct value){.text = name}, 1, &found);
    if (code != SQLITE_OK)
        return failed(ledger, code);
    strcpy(ledger->searched, name);
    return 0;
}

int
ledger_mailboxes(struct ledger *ledger, const char *name,
                 bool (*each)(void *context, const char *user), void *context)
{
    static const char sql[] =
        "SELECT DISTINCT user FROM (" LINES ") WHERE (table_id, id) IN temp.searched AND"
        " lower(substr(user, 1, length(?1) + 1)) = lower(?1) || '@'"
        " ORDER BY user";
    int given = search_mailboxes(ledger, name);
    if (given < 0)
        return given;
    struct rows rows = rows_of(ledger, sql);
    bool more = true;

    rows_bind_text(&rows, 1, name);
    while (more && rows_next(&rows)) {
        const char *const user = column_text(rows.statement, 0);
        if (user == NULL)
            continue;
        given++;
        more = each(context, user);
    }
    return rows_end(&rows, given);
}

/* ---- notices ---- */

static int
write_notices(sqlite3 *sqlite, const struct notice *notices, size_t count)
{
    static const char insert[] =
        "INSERT INTO notice (time_ms, severity, text, fields, lines) VALUES (?, ?, ?, ?, ?)";
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(sqlite, insert, -1, &statement, NULL);
    for (size_t i = 0; code == SQLITE_OK && i < count; i++) {
        sqlite3_bind_int64(statement, 1, notices[i].time_ms);
        sqlite3_bind_int(statement, 2, notices[i].severity);
        sqlite3_bind_text(statement, 3, notices[i].text, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 4, notices[i].fields, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 5, notices[i].lines, -1, SQLITE_STATIC);
        code = sqlite3_step(statement) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(sqlite);
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    return code;
}

int
ledger_keep_notices(struct ledger *ledger, const struct notice *notices, size_t count,
                    unsigned most, unsigned *dropped)
{
    static const char drop[] = "DELETE FROM notice WHERE number IN (SELECT number FROM notice"
                               " ORDER BY number DESC LIMIT -1 OFFSET ?1)";
    int changed = 0;
    int result = may_write(ledger);
    *dropped = 0;
    if (result < 0)
        return result;
    int code = begin(ledger);
    if (code == SQLITE_OK)
        code = write_notices(ledger->sqlite, notices, count);
    if (code == SQLITE_OK)
        code = change_rows(ledger->sqlite, drop, &(struct value){.number = most}, 1, &changed);
    result = end(ledger, code);
    if (result == 0)
        *dropped = (unsigned)changed;
    return result;
}

static void
copy_column(sqlite3_stmt *statement, int column, char *text, size_t size)
{
    const char *const from = column_text(statement, column);
    snprintf(text, size, "%s", from == NULL ? "" : from);
}

static void
read_notice(sqlite3_stmt *statement, struct notice *notice)
{
    notice->number = sqlite3_column_int64(statement, 0);
    notice->time_ms = sqlite3_column_int64(statement, 1);
    notice->severity = sqlite3_column_int(statement, 2) & 7;
    copy_column(statement, 3, notice->text, sizeof(notice->text));
    copy_column(statement, 4, notice->fields, sizeof(notice->fields));
    copy_column(statement, 5, notice->lines, sizeof(notice->lines));
}

int
ledger_read_notices(struct ledger *ledger, int64_t after, struct notice *notices, unsigned most)
{
    static const char sql[] = "SELECT number, time_ms, severity, text, fields, lines FROM notice"
                              " WHERE number > ?1 ORDER BY number LIMIT ?2";
    struct rows rows = rows_of(ledger, sql);
    unsigned count = 0;

    rows_bind_number(&rows, 1, after);
    rows_bind_number(&rows, 2, most);
    while (count < most && rows_next(&rows))
        read_notice(rows.statement, &notices[count++]);
    return rows_end(&rows, (int)count);
}

int
ledger_delete_notices(struct ledger *ledger, int64_t up_to)
{
    int changed = 0;
    int result = may_write(ledger);
    if (result < 0)
        return result;
    int code = begin(ledger);
    if (code == SQLITE_OK)
        code = change_rows(ledger->sqlite, "DELETE FROM notice WHERE number <= ?1",
                           &(struct value){.number = up_to}, 1, &changed);
    return end(ledger, code);
}
