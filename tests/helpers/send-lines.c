/* send-lines SOCKET: the traditional lines of standard input, each as syslog(3) would send it to
 * that socket: one datagram, with a priority (mail.info) and without the host's name.
 *
 * One process for all lines; one for each line was most of what many a test cost.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define STAMP_LENGTH 15 /* Jan  1 00:00:00 */

static int
connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int socket_fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    if (socket_fd < 0 || strlen(path) >= sizeof address.sun_path)
        return -1;
    strcpy(address.sun_path, path);
    return connect(socket_fd, (struct sockaddr *)&address, sizeof address) == 0 ? socket_fd : -1;
}

/* Where the text behind the host's name begins. */
static const char *
behind_host(const char *line, size_t length)
{
    const char *host, *blank;

    if (length <= STAMP_LENGTH)
        return line + length;
    host = line + STAMP_LENGTH + 1;
    blank = memchr(host, ' ', (size_t)(line + length - host));
    return blank != NULL ? blank + 1 : host;
}

static int
send_line(int socket_fd, char *line, size_t length)
{
    const char *text = behind_host(line, length);
    struct iovec parts[] = {
        {"<22>", 4},
        {line, length < STAMP_LENGTH ? length : STAMP_LENGTH},
        {" ", 1},
        {(char *)text, (size_t)(line + length - text)},
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 4};

    return sendmsg(socket_fd, &message, 0) < 0 ? -1 : 0;
}

int
main(int argc, char **argv)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    int socket_fd = argc == 2 ? connect_to(argv[1]) : -1, status = socket_fd < 0 ? -1 : 0;

    while (status == 0 && (length = getline(&line, &size, stdin)) > 0)
        status = send_line(socket_fd, line, (size_t)length - (line[length - 1] == '\n'));
    if (status != 0)
        perror("send-lines");
    free(line);
    return status != 0;
}
