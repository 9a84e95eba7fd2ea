/* input: see banmailctl-input.h.
 *
 * zlib reads a file that is not compressed as it is, so all files go through it. What it reads is
 * made a stream of stdio's, for getline(3).
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

struct input {
    FILE *stream;
    gzFile file;   /* NULL: of journalctl, */
    pid_t process; /* which is this one */
    off_t size;    /* 0: not known */
    char *name;
};

static void *
refuse(char reason[INPUT_REASON_SIZE], const char *name, const char *why)
{
    snprintf(reason, INPUT_REASON_SIZE, "cannot read %s: %s", name, why);
    return NULL;
}

/* ---- files ---- */

/* Which program prints what a file of these first bytes holds; NULL: none that is known. */
static const char *
reader_of(const unsigned char *bytes, ssize_t length)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *program;
    } known[] = {
        {"\xfd"
         "7zXZ",
         5, "xzcat"},
        {"BZh", 3, "bzcat"},
        {"\x28\xb5\x2f\xfd", 4, "zstdcat"},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (length >= (ssize_t)known[i].length &&
            memcmp(bytes, known[i].bytes, known[i].length) == 0)
            return known[i].program;
    return NULL;
}

/* Returns false with the reason where only another program can. */
static bool
can_read(int descriptor, const char *path, char reason[INPUT_REASON_SIZE])
{
    unsigned char bytes[8];
    const char *const program =
        reader_of(bytes, pread(descriptor, bytes, sizeof bytes, 0)); /* of a pipe: nothing */

    if (program == NULL)
        return true;
    snprintf(reason, INPUT_REASON_SIZE,
             "%s is compressed, and not with gzip: %s %s | banmailctl test", path, program, path);
    return false;
}

static ssize_t
read_file(void *cookie, char *bytes, size_t size)
{
    const struct input *const input = cookie;

    return gzread(input->file, bytes, size > INT32_MAX ? INT32_MAX : (unsigned)size);
}

static int
close_file(void *cookie)
{
    struct input *const input = cookie;

    return gzclose_r(input->file) == Z_OK ? 0 : EOF;
}

static off_t
size_of(int descriptor)
{
    struct stat file;

    return fstat(descriptor, &file) == 0 && S_ISREG(file.st_mode) ? file.st_size : 0;
}

static struct input *
make(const char *name)
{
    struct input *const input = calloc(1, sizeof *input);

    if (input != NULL && (input->name = strdup(name)) != NULL)
        return input;
    free(input);
    return NULL;
}

static struct input *
drop(struct input *input)
{
    if (input->file != NULL)
        gzclose_r(input->file);
    free(input->name);
    free(input);
    return NULL;
}

struct input *
input_open(const char *path, char reason[INPUT_REASON_SIZE])
{
    const cookie_io_functions_t reading = {.read = read_file, .close = close_file};
    const bool is_standard = strcmp(path, "-") == 0;
    const int descriptor =
        is_standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    struct input *input = NULL;

    if (descriptor < 0)
        return refuse(reason, path, strerror(errno));
    if (can_read(descriptor, path, reason) &&
        ((input = make(path)) == NULL || (input->file = gzdopen(descriptor, "r")) == NULL))
        refuse(reason, path, "out of memory");
    if (input == NULL || input->file == NULL) {
        close(descriptor);
        return input == NULL ? NULL : drop(input);
    }
    input->size = size_of(descriptor);
    gzbuffer(input->file, 256 * 1024);
    input->stream = fopencookie(input, "r", reading);
    return input->stream == NULL ? drop(input) : input;
}

/* ---- the journal ---- */

static int
start(char *const argv[], int output, pid_t *process)
{
    posix_spawn_file_actions_t actions;
    char *environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
    int error = posix_spawn_file_actions_init(&actions);

    if (error != 0)
        return error;
    error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (error == 0)
        error = posix_spawnp(process, argv[0], &actions, NULL, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

struct input *
input_open_journal(int64_t seconds, char reason[INPUT_REASON_SIZE])
{
    char since[48] = "--quiet"; /* once more: nothing to say */
    char *const argv[] = {
        "journalctl",        "--quiet", "--no-pager", "--output=short-iso-precise",
        "SYSLOG_FACILITY=2", since,     NULL};
    struct input *const input = make("the journal");
    int ends[2], error;

    if (input == NULL || pipe2(ends, O_CLOEXEC) != 0) {
        refuse(reason, "the journal", strerror(errno));
        return input == NULL ? NULL : drop(input);
    }
    if (seconds > 0)
        snprintf(since, sizeof since, "--since=-%" PRId64 "s", seconds);
    error = start(argv, ends[1], &input->process);
    close(ends[1]);
    input->stream = error == 0 ? fdopen(ends[0], "r") : NULL;
    if (input->stream != NULL)
        return input;
    close(ends[0]);
    refuse(reason, "the journal", strerror(error != 0 ? error : errno));
    return drop(input);
}

/* ---- reading ---- */

ssize_t
input_line(struct input *input, char **line, size_t *size)
{
    ssize_t length = getline(line, size, input->stream);

    if (length > 0 && (*line)[length - 1] == '\n')
        length--;
    if (length > 0 && (*line)[length - 1] == '\r')
        length--;
    return length;
}

int
input_percent(const struct input *input)
{
    if (input->size == 0 || input->file == NULL)
        return -1;
    return (int)(gzoffset(input->file) * 100 / input->size);
}

int
input_close(struct input *input, char reason[INPUT_REASON_SIZE])
{
    bool is_whole = !ferror(input->stream);
    int status = 0;

    if (fclose(input->stream) != 0)
        is_whole = false;
    if (input->process != 0)
        is_whole = waitpid(input->process, &status, 0) == input->process && status == 0 && is_whole;
    if (!is_whole)
        refuse(reason, input->name, "it does not come to its end");
    input->file = NULL; /* fclose has closed it */
    drop(input);
    return is_whole ? 0 : -EIO;
}
