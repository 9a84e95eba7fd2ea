/* banmailctl test: what the rulebases make of log files.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_TEST_H
#define BANMAILCTL_TEST_H

#include <getopt.h>

/* argv[0] is "test". Returns the exit status: 0, or 2 for words that make no sense, or 3 when a
 * rulebase or a log file cannot be read. */
int test_main(int argc, char **argv);

/* Its options, for completion; zeros behind the last. */
extern const struct option test_options[];

#endif
