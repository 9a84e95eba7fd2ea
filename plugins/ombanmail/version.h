/* version: which rsyslogd this module has been loaded into.
 *
 * rsyslog's structures change from version to version while CURR_MOD_IF_VERSION stays the same,
 * and no API tells a module the version of the core: a module built for another version loads
 * without a word and corrupts messages. So we look for ourselves.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_VERSION_H
#define OMBANMAIL_VERSION_H

#define VERSION_SIZE 32

/* The running rsyslogd's version, "8.2302.0", into version[VERSION_SIZE]. It is read from the
 * loaded image of the main program, where the text of the start message holds it: no file is
 * opened, nothing is executed, so that no confinement can be in the way. Returns 0, or -ENOENT
 * when the main program holds no such text (it is no rsyslogd). Any thread. */
int version_running(char version[VERSION_SIZE]);

#endif
