/* ports: which TCP ports a jail's bans close: a short list, the mail ports, or all.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_PORTS_H
#define BANMAIL_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#define PORTS_MAX       16
#define PORTS_TEXT_SIZE 128 /* 16 numbers of five digits, each with a separator of two */

/* `number` is ascending, without repetition, zero behind `count`; a single 0 stands for all
 * ports. Two lists are the same when their bytes are. */
struct ports {
    uint16_t count;
    uint16_t number[PORTS_MAX];
};

/* smtp, pop3, imap, submissions, submission, imaps, pop3s, sieve. */
struct ports ports_mail(void);

/* Adds "25", a name of services(5) such as "submission", "mail" (all of ports_mail) or "all".
 * Returns 0; -EINVAL when it is none of these; -ENOSPC when there are more than PORTS_MAX. Any
 * thread; may read /etc/services. */
int ports_add(struct ports *ports, const char *word);

bool ports_are_all(const struct ports *ports);
bool ports_are_same(const struct ports *a, const struct ports *b);

/* Whether it is a list as described above: for what was read from a file. Any thread. */
bool ports_are_valid(const struct ports *ports);

/* The numbers with `separator` (one or two characters) between them. Any thread. */
const char *ports_print(const struct ports *ports, const char *separator,
                        char text[PORTS_TEXT_SIZE]);

#endif
