/* fuzz_jails: a file of jails, which may be one that was written for fail2ban.
 *
 * Fails when a jail is read that jail_check refuses, when something is refused without a reason,
 * and when what jails_print writes is not read as the same jails.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "fuzz.h"
#include "rules/jails-file.h"
#include "rules/jails-print.h"

const unsigned fuzz_rounds = 6000;
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("[DEFAULT]\nbantime = 1w\nmaxretry = 6\n[postfix-sasl]\nenabled = true\n"),
    FUZZ_SEED("[DEFAULT]\nignoreip = 127.0.0.1/8 ::1\n  192.0.2.0/24\nfindtime=1d 12h\n"
              "[mail]\nenabled = yes\nfilter = postfix[mode=aggressive]\nport = smtp,465,587\n"
              "bantime.increment = true\nbantime.multipliers = 1 5 30 60\nbantime.factor = 2\n"
              "bantime.maxtime = 4w\nbantime.rndtime = 8m\nbantime.overalljails = false\n"),
    FUZZ_SEED("[auth]\nenabled = true\nclasses = auth_failed user_unknown\nbantime = -1\n"
              "ipv4prefix = 24\nipv6prefix = 48\nobserve = true\n"),
    FUZZ_SEED("[a]\nenabled = %(known/enabled)s\n[b]\nenabled = true\nfilter = %(__name__)s\n"
              "[dovecot]\nenabled = true ; a comment\nmaxretry = %(a/maxretry)s\n"),
    FUZZ_SEED("\xef\xbb\xbf# a comment\n[recidive]\r\nenabled: true\r\nlogpath = /x\r\n"),
    {NULL, 0},
};

/* Whether both declare the same. */
static bool
are_same(const struct jails *one, const struct jails *other)
{
    if (one->count != other->count)
        return false;
    for (unsigned i = 0; i < one->count; i++) {
        const struct jail *const a = &one->at[i].jail, *const b = &other->at[i].jail;

        if (strcmp(a->name, b->name) != 0 || a->classes != b->classes ||
            a->maxretry != b->maxretry || a->findtime_s != b->findtime_s ||
            a->bantime_s != b->bantime_s || a->v4_bits != b->v4_bits || a->v6_bits != b->v6_bits ||
            a->is_observing != b->is_observing ||
            strcmp(one->at[i].ignoreip, other->at[i].ignoreip) != 0)
            return false;
    }
    return true;
}

static void
print_and_read(const struct jails *jails)
{
    char reason[SETTINGS_REASON_SIZE], *text = NULL;
    struct jails *again;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    FUZZ_WANT(file != NULL);
    jails_print(jails, file);
    FUZZ_WANT(fclose(file) == 0);
    FUZZ_WANT(jails_read_text(text, "printed", &again, reason) == 0);
    FUZZ_WANT(are_same(jails, again));
    jails_free(again);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *const text = malloc(size + 1); /* of just this size, so that one more byte is seen */
    char reason[SETTINGS_REASON_SIZE] = "", why[256];
    struct jails *jails;

    FUZZ_WANT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    if (jails_read_text(text, "fuzzed", &jails, reason) != 0) {
        FUZZ_WANT(reason[0] != '\0');
    } else {
        FUZZ_WANT(jails->count <= JAILS_MAX);
        for (unsigned i = 0; i < jails->count; i++)
            FUZZ_WANT(jails->at[i].jail.classes == 0 ||
                      jail_check(&jails->at[i].jail, why) == NULL);
        print_and_read(jails);
        jails_free(jails);
    }
    free(text);
    return 0;
}
