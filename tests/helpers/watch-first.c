/* watch-first: to be preloaded into an rsyslogd that is watched (tests/races); it is initialised
 * before every other library (-z initfirst).
 *
 * ThreadSanitizer's runtime sets itself up at the first call that it intercepts, and looks for a
 * symbol then that is missing, whose error text wants to be translated. Where that first call is
 * one that libgpg-error makes under gettext's lock, the lock is spoilt, and libgnutls waits for it
 * for ever, as soon as RELP is configured. So the first call is made here. And valgrind gives the
 * process its own name; ours is looked for by banmailctl.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <sys/prctl.h>

__attribute__((constructor)) static void
begin(void)
{
    void *volatile block = malloc(1);

    free(block);
    prctl(PR_SET_NAME, "rsyslogd");
}
