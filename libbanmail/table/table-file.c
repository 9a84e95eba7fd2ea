/* table-file: the file on tmpfs; whole before it has its name, locked as long as it is written.
 *
 * A new file is made as PATH.new, allocated to its last byte (a sparse file on a full tmpfs is a
 * SIGBUS), filled, and renamed: nobody sees half of one. The lock is an open file description lock
 * on the file itself, so a reader can ask whether there is a writer without ever being in its way.
 * After locking, the name is looked up again: a file that was renamed away meanwhile is not it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "table/table-layout3.h"
#include "table/table-private.h"

#define CAPACITY_LEAST 1024
#define CAPACITY_MOST  (UINT32_C(1) << 28)
#define BANS_LEAST     64
#define BANS_MOST      (UINT32_C(1) << 26)
#define ATTEMPTS_SHARE 8  /* one attempt's entry for so many records */
#define EVIDENCE_SHARE 16 /* one line of evidence for so many records */
#define LINES_SHARE    2  /* one known line for so many records */
#define SUFFIX_NEW     ".new"
#define SUFFIX_DAMAGED ".damaged"

struct file_name {
    char text[TABLE_PATH_SIZE + sizeof SUFFIX_DAMAGED];
};

static int
name_with(const char *path, const char *suffix, struct file_name *name)
{
    int length = snprintf(name->text, sizeof name->text, "%s%s", path, suffix);

    return length < (int)sizeof name->text && strlen(path) < TABLE_PATH_SIZE ? 0 : -ENAMETOOLONG;
}

/* ---- the shape ---- */

static uint32_t
between(uint32_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : value;
}

struct table_shape
table_file_shape(const struct table_options *options)
{
    uint32_t capacity = between(options->capacity, CAPACITY_LEAST, CAPACITY_MOST);
    const uint32_t unit = BUCKET_WAYS * ATTEMPTS_SHARE; /* whole buckets of attempts too */

    return (struct table_shape){
        .capacity = (capacity + unit - 1) / unit * unit,
        .max_bans = between(options->max_bans, BANS_LEAST, BANS_MOST),
    };
}

/* The directory and the size follow from the shape and the layout. */
static void
lay_out(struct table_fixed *fixed, struct table_shape shape, unsigned layout)
{
    const uint64_t lengths[SECTIONS_NOW] = {
        [SECTION_JAILS] = 2 * TABLE_JAILS_MAX * CELL_SIZE,
        [SECTION_RECORDS] =
            (uint64_t)shape.capacity * (layout == 3 ? LAYOUT3_RECORD_SIZE : RECORD_SIZE),
        [SECTION_ATTEMPTS] = (uint64_t)shape.capacity / ATTEMPTS_SHARE * CELL_SIZE,
        [SECTION_BANS] = (uint64_t)shape.max_bans * CELL_SIZE,
        [SECTION_EVIDENCE] = (uint64_t)shape.capacity / EVIDENCE_SHARE * WITNESS_SIZE,
        [SECTION_LINES] = (uint64_t)shape.capacity / LINES_SHARE * sizeof(struct known_line),
        [SECTION_JAIL_LINES] = TABLE_JAILS_MAX * sizeof(uint64_t),
    };
    const unsigned sections = layout == 3 ? LAYOUT3_SECTIONS : SECTIONS_NOW;
    uint64_t offset = TABLE_HEADER_SIZE;

    fixed->capacity = shape.capacity;
    fixed->max_bans = shape.max_bans;
    for (unsigned i = 0; i < sections; i++) {
        fixed->sections[i] = (struct section){offset, lengths[i]};
        offset += lengths[i];
    }
    fixed->size = offset;
}

/* The layout of a file of ours, or 0. */
static unsigned
layout_of(const struct table_fixed *fixed)
{
    return fixed->layout == table_layout_id() ? 4 : fixed->layout == LAYOUT3_ID ? 3 : 0;
}

/* What is wrong with the header of a file of `size` bytes, or NULL. */
static const char *
check_header(const struct table_fixed *fixed, uint64_t size)
{
    struct table_fixed expected = *fixed;
    struct table_options options = {.capacity = fixed->capacity, .max_bans = fixed->max_bans};
    struct table_shape shape = table_file_shape(&options);

    if (memcmp(fixed->magic, TABLE_MAGIC, sizeof fixed->magic) != 0)
        return "it is no table";
    if (layout_of(fixed) == 0)
        return "its layout is that of another version";
    if (fixed->check != table_fixed_check(fixed))
        return "its header is damaged";
    memset(expected.sections, 0, sizeof expected.sections);
    lay_out(&expected, shape, layout_of(fixed));
    if (memcmp(&expected, fixed, sizeof expected) != 0)
        return "its header contradicts itself";
    return size == fixed->size ? NULL : "it is not as long as its header says";
}

/* ---- mapping and locking ---- */

static int
map(struct table *table, int file, size_t size, bool is_writer)
{
    int protection = is_writer ? PROT_READ | PROT_WRITE : PROT_READ;
    int flags = is_writer ? MAP_SHARED | MAP_POPULATE : MAP_SHARED;
    const struct table_fixed *fixed;
    char *base = mmap(NULL, size, protection, flags, file, 0);

    if (base == MAP_FAILED)
        return -errno;
    table->file = file;
    table->is_writer = is_writer;
    table->size = size;
    table->header = (struct table_header *)base;
    fixed = &table->header->fixed;
    table->jails = (struct cell *)(base + fixed->sections[SECTION_JAILS].offset);
    table->layout = layout_of(fixed);
    table->records = (struct record_cell *)(base + fixed->sections[SECTION_RECORDS].offset);
    table->attempts = (struct cell *)(base + fixed->sections[SECTION_ATTEMPTS].offset);
    table->ban_cells = (struct cell *)(base + fixed->sections[SECTION_BANS].offset);
    table->witnesses = (struct witness_cell *)(base + fixed->sections[SECTION_EVIDENCE].offset);
    table->witness_count = fixed->capacity / EVIDENCE_SHARE;
    table->line_buckets = (struct line_bucket *)(base + fixed->sections[SECTION_LINES].offset);
    table->line_bucket_count = fixed->capacity / LINES_SHARE / LINE_WAYS;
    table->jail_lines = (_Atomic uint64_t *)(base + fixed->sections[SECTION_JAIL_LINES].offset);
    table->capacity = fixed->capacity;
    table->max_bans = fixed->max_bans;
    table->record_bucket_count = fixed->capacity / BUCKET_WAYS;
    table->attempt_bucket_count = fixed->capacity / ATTEMPTS_SHARE / BUCKET_WAYS;
    table->hash = siphash_begin(fixed->seed);
    return 0;
}

/* Returns 0, -EBUSY, or -EAGAIN when the file no longer has that name. */
static int
lock(int file, const char *path)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat opened, named;

    if (fcntl(file, F_OFD_SETLK, &whole))
        return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
    if (fstat(file, &opened))
        return -errno;
    if (stat(path, &named) || opened.st_ino != named.st_ino || opened.st_dev != named.st_dev)
        return -EAGAIN;
    return 0;
}

static int
set_owner(int file, const struct table_options *options)
{
    if (fchmod(file, 0640))
        return -errno;
    if (options->owner == (uid_t)-1 && options->group == (gid_t)-1)
        return 0;
    return fchown(file, options->owner, options->group) ? -errno : 0;
}

bool
table_file_has_writer(const struct table *table)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(table->file, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

/* ---- opening ---- */

/* Reads the header and decides; nothing is mapped before it is known to be long enough. */
static const char *
look_at(int file, size_t *size)
{
    struct table_fixed fixed;
    struct stat status;

    if (fstat(file, &status) || !S_ISREG(status.st_mode))
        return "it is no regular file";
    if (status.st_nlink > 1)
        return "it has a second name (a hard link)";
    *size = (size_t)status.st_size;
    if (pread(file, &fixed, sizeof fixed, 0) != (ssize_t)sizeof fixed)
        return "it is too short";
    return check_header(&fixed, (uint64_t)status.st_size);
}

/* Asked of the owner that it shall have: whoever gives it none takes it as it is. */
static bool
is_ours(int file, uid_t owner)
{
    struct stat status;

    return owner == (uid_t)-1 ||
           (fstat(file, &status) == 0 &&
            (status.st_uid == 0 || status.st_uid == geteuid() || status.st_uid == owner));
}

int
table_file_open(const struct table_options *options, struct table *table, int *file,
                const char **why)
{
    size_t size = 0;
    int error;

    *file = open(options->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (*file < 0 && (errno == EISDIR || errno == ELOOP || errno == ENXIO)) {
        *why = "it is no file";
        return -EPROTO;
    }
    if (*file < 0)
        return -errno;
    error = lock(*file, options->path);
    if (error)
        goto done;
    *why = look_at(*file, &size);
    if (!*why && !is_ours(*file, options->owner))
        *why = "it belongs to a user who is neither root nor the one that rsyslogd becomes";
    if (!*why && posix_fallocate(*file, 0, (off_t)size))
        *why = "it has holes that cannot be filled";
    if (*why)
        return -EPROTO; /* the lock is kept until it has been moved aside */
    error = set_owner(*file, options);
    if (!error)
        error = map(table, *file, size, true);
done:
    if (error) {
        close(*file);
        *file = -1;
    }
    return error;
}

int
table_file_open_reader(const char *path, struct table *table)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t size;
    int error;

    if (file < 0)
        return -errno;
    error = look_at(file, &size) ? -EPROTO : map(table, file, size, false);
    if (!error && table->layout != 4) { /* the next rsyslogd takes it over */
        munmap(table->header, size);
        error = -EPROTO;
    }
    if (error)
        close(file);
    return error;
}

/* ---- creating ---- */

/* Takes away what lies there under the name of a new table: the rest of one that was never
 * finished, a link that somebody has laid there. -EBUSY while somebody else is about to make it. */
static int
clear_new(const char *path)
{
    int file = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int error = 0;

    if (file >= 0)
        error = lock(file, path);
    if (error == 0 && unlink(path))
        error = errno == ENOENT ? 0 : -errno;
    if (file >= 0)
        close(file);
    return error == -EAGAIN ? 0 : error;
}

/* A file that nobody else has made. */
static int
open_new(const char *path)
{
    int file, error;

    do {
        file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (file < 0 && errno != EEXIST)
            return -errno;
        error = file < 0 ? clear_new(path) : lock(file, path);
        if (file >= 0 && error)
            close(file);
    } while (error == -EAGAIN || (error == 0 && file < 0));
    return error ? error : file;
}

/* The greatest file that there is room for, not above `shape`, all zeros. */
static int
allocate(int file, struct table_fixed *fixed, struct table_shape *shape)
{
    int error;

    for (;;) {
        lay_out(fixed, *shape, 4);
        if (ftruncate(file, 0))
            return -errno;
        do
            error = posix_fallocate(file, 0, (off_t)fixed->size);
        while (error == EINTR);
        if (error != ENOSPC && error != EFBIG && error != ENOMEM)
            return -error;
        if (shape->capacity > CAPACITY_LEAST)
            shape->capacity /= 2;
        else if (shape->max_bans > BANS_LEAST)
            shape->max_bans /= 2;
        else
            return -ENOSPC;
        *shape = table_file_shape(
            &(struct table_options){.capacity = shape->capacity, .max_bans = shape->max_bans});
    }
}

static int
write_fixed(int file, struct table_fixed *fixed, const struct table *like, int64_t now_ms)
{
    uint64_t random[3];

    if (like) {
        memcpy(fixed->seed, like->header->fixed.seed, sizeof fixed->seed);
        fixed->table_id = like->header->fixed.table_id;
        fixed->created_ms = like->header->fixed.created_ms;
    } else {
        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
            return -EIO;
        memcpy(fixed->seed, random, sizeof fixed->seed);
        fixed->table_id = random[2];
        fixed->created_ms = now_ms;
    }
    memcpy(fixed->magic, TABLE_MAGIC, sizeof fixed->magic);
    fixed->layout = table_layout_id();
    fixed->check = table_fixed_check(fixed);
    return pwrite(file, fixed, sizeof *fixed, 0) == (ssize_t)sizeof *fixed ? 0 : -EIO;
}

int
table_file_create(const struct table_options *options, struct table_shape shape,
                  const struct table *like, struct table *table)
{
    struct table_fixed fixed = {0};
    struct table_shape asked = shape;
    struct file_name name;
    int file = -1, error;

    if (options->path) {
        error = name_with(options->path, SUFFIX_NEW, &name);
        file = error ? error : open_new(name.text);
    } else {
        file = memfd_create("ombanmail", MFD_CLOEXEC);
        file = file < 0 ? -errno : file;
    }
    if (file < 0)
        return file;
    error = allocate(file, &fixed, &shape);
    if (!error)
        error = write_fixed(file, &fixed, like, options->now_ms);
    if (!error)
        error = set_owner(file, options);
    if (!error)
        error = map(table, file, fixed.size, true);
    if (error) {
        if (options->path)
            unlink(name.text);
        close(file);
    } else if (shape.capacity < asked.capacity || shape.max_bans < asked.max_bans) {
        report_say(options->report, LOG_WARNING,
                   "%s: no room for capacity %u and maxBans %u; made with %u and %u", options->path,
                   asked.capacity, asked.max_bans, shape.capacity, shape.max_bans);
    }
    return error;
}

int
table_file_publish(const struct table_options *options, bool replace)
{
    struct file_name name;
    int error = options->path ? name_with(options->path, SUFFIX_NEW, &name) : 0;

    if (error || !options->path)
        return error;
    return renameat2(AT_FDCWD, name.text, AT_FDCWD, options->path, replace ? 0 : RENAME_NOREPLACE)
               ? -errno
               : 0;
}

void
table_file_discard(const struct table_options *options)
{
    struct file_name name;

    if (options->path && name_with(options->path, SUFFIX_NEW, &name) == 0)
        unlink(name.text);
}

int
table_file_set_aside(const struct table_options *options, const char *why)
{
    struct file_name name;
    int error = name_with(options->path, SUFFIX_DAMAGED, &name);

    if (error)
        return error;
    if (rename(options->path, name.text))
        return -errno;
    report_say(options->report, LOG_WARNING,
               "%s cannot be used: %s; it was moved to %s, and a new one is begun", options->path,
               why, name.text);
    return 0;
}

void
table_file_close(struct table *table)
{
    if (table->header)
        munmap(table->header, table->size);
    if (table->file >= 0)
        close(table->file);
}
