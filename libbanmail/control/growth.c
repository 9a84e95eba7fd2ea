/* growth: see growth.h.
 *
 * A line has one look's time to come: what was written just now may be on its way.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "control/growth.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL_SIZE 65536
#define GRACE_MS  5000

static const char *const usual[] = {
    "/var/log/mail.log",    "/var/log/maillog",     "/var/log/mail",          "/var/log/mail.info",
    "/var/log/dovecot.log", "/var/log/postfix.log", "/var/log/mail/mail.log", NULL,
};

void
growth_begin(struct growth *growth, const char *const *paths)
{
    *growth = (struct growth){0};
    for (paths = paths == NULL ? usual : paths; *paths != NULL && growth->count < GROWTH_FILES;
         paths++)
        growth->files[growth->count++].path = *paths;
}

/* Whether what has been added, or the end of it, holds a line of a mail server. */
static bool
has_mail_lines(int descriptor, off_t from, off_t size)
{
    static char tail[TAIL_SIZE]; /* one thread's */
    ssize_t length;

    if (size - from > TAIL_SIZE)
        from = size - TAIL_SIZE;
    length = pread(descriptor, tail, sizeof(tail), from);
    return length > 0 && (memmem(tail, (size_t)length, "postfix/", 8) != NULL ||
                          memmem(tail, (size_t)length, "dovecot", 7) != NULL ||
                          memmem(tail, (size_t)length, "-login: ", 8) != NULL);
}

/* Returns whether it has grown by lines of a mail server since the last look. */
static bool
has_grown(struct growth_file *file)
{
    const int descriptor = open(file->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    bool grown = false;
    struct stat now;

    if (descriptor < 0)
        return false;
    if (fstat(descriptor, &now) == 0 && S_ISREG(now.st_mode)) {
        const bool is_same =
            file->is_known && now.st_ino == file->inode && now.st_size >= file->size;

        if (file->is_known && (!is_same || now.st_size > file->size))
            grown = has_mail_lines(descriptor, is_same ? file->size : 0, now.st_size);
        file->is_known = true;
        file->inode = now.st_ino;
        file->size = now.st_size;
    }
    close(descriptor);
    return grown;
}

const char *
growth_look(struct growth *growth, int64_t last_ms, int64_t now_ms)
{
    const char *path = NULL;
    const int64_t before_ms = growth->looked_ms;
    const bool is_time = now_ms < before_ms || now_ms - before_ms >= GROWTH_LOOK_MS;

    if (is_time)
        growth->looked_ms = now_ms;
    for (unsigned i = 0; i < growth->count; i++) {
        struct growth_file *const file = &growth->files[i];

        if (is_time && has_grown(file) && file->grown_ms == 0)
            file->grown_ms = now_ms;
        if (last_ms >= file->grown_ms - GROWTH_LOOK_MS)
            file->grown_ms = 0;
        if (file->grown_ms != 0 && now_ms - file->grown_ms >= GRACE_MS)
            path = file->path;
    }
    return path;
}
