/* faults: lets one call to the system fail, the first, the second, and so on: whatever refuses,
 * what was asked for is done whole, or there is an error and nothing is left behind.
 *
 * Stand-ins of the names of libc's functions, in the program itself, which pass on to them. Not
 * with sanitizers: memory is theirs; and TSan calls some of the others before it is ready for them.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAULTS_H
#define FAULTS_H

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "fixture.h"

#define FAULTS_MOST 20000 /* calls of one sweep */

/* FAULT_OWN: in the stand-ins of the test itself. */
enum fault_kind { FAULT_SYSTEM, FAULT_MEMORY, FAULT_OWN };

/* Of the thread that runs the sweep. */
static __thread struct {
    bool is_armed, happened;
    enum fault_kind kind;
    unsigned left; /* calls until it happens */
    long blocks;   /* of memory, since the sweep began */
} fault;

static bool
fault_is_due(enum fault_kind kind)
{
    if (!fault.is_armed || fault.kind != kind || fault.left-- > 0)
        return false;
    fault.is_armed = false;
    fault.happened = true;
    return true;
}

/* ---- the stand-ins ---- */

#ifndef __SANITIZE_THREAD__
#define FAULT_HAS_SYSTEM 1

#define FAULT_STAND_IN(name, parameters, arguments, error)                                         \
    int name parameters                                                                            \
    {                                                                                              \
        static int(*real) parameters;                                                              \
                                                                                                   \
        if (real == NULL)                                                                          \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                             \
        if (fault_is_due(FAULT_SYSTEM)) {                                                          \
            errno = error;                                                                         \
            return -1;                                                                             \
        }                                                                                          \
        return real arguments;                                                                     \
    }

FAULT_STAND_IN(fstat, (int file, struct stat *status), (file, status), EIO)
FAULT_STAND_IN(fchmod, (int file, mode_t mode), (file, mode), EPERM)
FAULT_STAND_IN(chmod, (const char *path, mode_t mode), (path, mode), EPERM)
FAULT_STAND_IN(fchown, (int file, uid_t owner, gid_t group), (file, owner, group), EPERM)
FAULT_STAND_IN(fsync, (int file), (file), EIO)
FAULT_STAND_IN(rename, (const char *from, const char *to), (from, to), EXDEV)
FAULT_STAND_IN(mkdir, (const char *path, mode_t mode), (path, mode), ENOSPC)
FAULT_STAND_IN(renameat2, (int from_at, const char *from, int to_at, const char *to, unsigned how),
               (from_at, from, to_at, to, how), EXDEV)
FAULT_STAND_IN(memfd_create, (const char *name, unsigned flags), (name, flags), EMFILE)
FAULT_STAND_IN(fchownat, (int at, const char *path, uid_t owner, gid_t group, int flags),
               (at, path, owner, group, flags), EPERM)
FAULT_STAND_IN(eventfd, (unsigned count, int flags), (count, flags), EMFILE)
FAULT_STAND_IN(ftruncate, (int file, off_t size), (file, size), EIO)

int
open(const char *path, int flags, ...)
{
    static int (*real)(const char *, int, ...);
    mode_t mode = 0;
    va_list rest;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "open");
    if (fault_is_due(FAULT_SYSTEM)) {
        errno = EMFILE;
        return -1;
    }
    if (flags & O_CREAT) {
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    return real(path, flags, mode);
}

/* It is closed all the same, as in the kernel. */
int
close(int file)
{
    static int (*real)(int);
    const bool fails = fault_is_due(FAULT_SYSTEM);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "close");
    if (real(file) != 0)
        return -1;
    errno = fails ? EIO : errno;
    return fails ? -1 : 0;
}

int
posix_fallocate(int file, off_t offset, off_t length)
{
    static int (*real)(int, off_t, off_t);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "posix_fallocate");
    return fault_is_due(FAULT_SYSTEM) ? EIO : real(file, offset, length);
}

void *
mmap(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    static void *(*real)(void *, size_t, int, int, int, off_t);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "mmap");
    if (file >= 0 && fault_is_due(FAULT_SYSTEM)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return real(at, size, protection, flags, file, offset);
}

ssize_t
write(int file, const void *bytes, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "write");
    if (fault_is_due(FAULT_SYSTEM)) {
        errno = ENOSPC;
        return -1;
    }
    return real(file, bytes, size);
}

ssize_t
pwrite(int file, const void *bytes, size_t size, off_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite");
    return fault_is_due(FAULT_SYSTEM) ? 1 : real(file, bytes, size, offset);
}

ssize_t
getrandom(void *bytes, size_t size, unsigned flags)
{
    static ssize_t (*real)(void *, size_t, unsigned);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "getrandom");
    return fault_is_due(FAULT_SYSTEM) ? 1 : real(bytes, size, flags);
}

#else
#define FAULT_HAS_SYSTEM 0
#endif

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define FAULT_HAS_MEMORY 1

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

void *
malloc(size_t size)
{
    void *const block = fault_is_due(FAULT_MEMORY) ? NULL : __libc_malloc(size);

    errno = block == NULL ? ENOMEM : errno;
    fault.blocks += block != NULL;
    return block;
}

void *
calloc(size_t count, size_t size)
{
    void *const block = fault_is_due(FAULT_MEMORY) ? NULL : __libc_calloc(count, size);

    errno = block == NULL ? ENOMEM : errno;
    fault.blocks += block != NULL;
    return block;
}

void *
realloc(void *block, size_t size)
{
    void *const larger = fault_is_due(FAULT_MEMORY) ? NULL : __libc_realloc(block, size);

    errno = larger == NULL ? ENOMEM : errno;
    fault.blocks += larger != NULL && block == NULL;
    return larger;
}

void *
aligned_alloc(size_t alignment, size_t size)
{
    void *const block = fault_is_due(FAULT_MEMORY) ? NULL : __libc_memalign(alignment, size);

    errno = block == NULL ? ENOMEM : errno;
    fault.blocks += block != NULL;
    return block;
}

void
free(void *block)
{
    fault.blocks -= block != NULL;
    __libc_free(block);
}
#else
#define FAULT_HAS_MEMORY 0
#endif

/* ---- a sweep ---- */

static inline unsigned
open_files(void)
{
    DIR *const files = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(files);
    while (readdir(files) != NULL)
        count++;
    closedir(files);
    return count;
}

/* Lets the first call of that kind fail that `act` makes, then the second, until none is left. Each
 * time it returns 0, having done what it does, or an error; it has taken back what it did, and
 * `is_clean` (NULL: not asked) finds nothing left behind. Returns how often there was an error. */
static inline unsigned
fault_sweep(enum fault_kind kind, int (*act)(void), bool (*is_clean)(void))
{
    unsigned errors = 0;

    if ((kind == FAULT_MEMORY && !FAULT_HAS_MEMORY) || (kind == FAULT_SYSTEM && !FAULT_HAS_SYSTEM))
        return FAULTS_MOST; /* as if each had been told */
    act();                  /* what is only made once, is there from now on */
    for (unsigned n = 0; n < FAULTS_MOST; n++) {
        const unsigned files = open_files();
        const long blocks = fault.blocks;
        int result;

        fault.kind = kind;
        fault.left = n;
        fault.happened = false;
        fault.is_armed = true;
        result = act();
        fault.is_armed = false;
        if (result > 0)
            fail_msg("fault %u: %d is neither success nor an error", n, result);
        if (open_files() != files)
            fail_msg("fault %u leaves a file open", n);
        if (fault.blocks != blocks)
            fail_msg("fault %u leaves %ld blocks of memory", n, fault.blocks - blocks);
        if (is_clean != NULL && !is_clean())
            fail_msg("fault %u leaves something behind", n);
        if (!fault.happened) {
            assert_int_equal(result, 0);
            return errors;
        }
        errors += result < 0;
    }
    fail_msg("it does not end");
    return 0;
}

#endif
