/* program: posix_spawn and a pipe; nothing of the caller's environment goes along.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-program.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_MOST ((size_t)256 << 20) /* of a program; a million elements are 100 MB */

/* Reads all that comes from a descriptor until its end. Returns NULL on failure or too late. */
static char *
read_all(int fd, int64_t deadline_ms, size_t *length)
{
    size_t room = 1 << 16, used = 0;
    char *text = malloc(room), *grown;

    while (text) {
        int64_t left_ms = deadline_ms - clock_steady_ms();
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (used + 1 == room) {
            grown = room < OUTPUT_MOST ? realloc(text, room *= 2) : NULL;
            if (!grown)
                break;
            text = grown;
        }
        if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) <= 0)
            break;
        n = read(fd, text + used, room - used - 1);
        if (n < 0)
            break;
        used += (size_t)n;
        text[used] = '\0';
        *length = used;
        if (n == 0)
            return text;
    }
    free(text);
    return NULL;
}

int
program_run(char *const argv[], int64_t deadline_ms, char **text, size_t *length)
{
    static char path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin",
                locale[] = "LC_ALL=C";
    char *const environment[] = {path, locale, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], error, status = 0;
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    error = posix_spawnp(&child, argv[0], &actions, NULL, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        return -error;
    }
    *text = read_all(ends[0], deadline_ms, length);
    close(ends[0]);
    if (!*text)
        kill(child, SIGKILL);
    waitpid(child, &status, 0);
    if (*text && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    error = *text ? (WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOENT : -EIO) : -ETIMEDOUT;
    free(*text);
    return error;
}
