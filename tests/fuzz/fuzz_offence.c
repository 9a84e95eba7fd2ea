/* fuzz_offence: the fields that a rulebase makes of a line, with all that an attacker may have put
 * into them.
 *
 * Fails when an offence comes out that breaks what offence.h promises.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <json.h>
#include <string.h>

#include "fuzz.h"
#include "base/object.h"
#include "line/offence.h"

const unsigned fuzz_rounds = 100000;
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("{\"class\":\"auth_failed\",\"client\":\"203.0.113.9\",\"user\":\"bob@example.org\","
              "\"method\":\"LOGIN\",\"service\":\"smtpd\"}"),
    FUZZ_SEED("{\"class\":\"auth_failed\",\"client\":\"2001:db8::1\",\"attempts\":\"3\","
              "\"session\":\"kMjOh7hGxKrLAHEJ\",\"program\":\"postfix/submission/smtpd[7]:\"}"),
    FUZZ_SEED("{\"class\":\"auth_failed\",\"user\":\"a>, method=PLAIN, rip=192.0.2.9, lip=x\","
              "\"tail\":\", method=PLAIN, rip=203.0.113.9, lip=192.0.2.1, session=<AAAA>\"}"),
    FUZZ_SEED("{\"class\":\"relay_denied\",\"client\":\"203.0.113.9\",\"code\":\"454\","
              "\"dsn\":\"4.7.1\",\"repeated\":\"7\"}"),
    FUZZ_SEED("{\"class\":\"login_ok\",\"client\":\"::ffff:203.0.113.9\",\"secret\":\"abcdef\"}"),
    {NULL, 0},
};

static void
check(const struct offence *offence)
{
    FUZZ_WANT((unsigned)offence->class < OFFENCE_CLASSES);
    FUZZ_WANT(offence->attempts >= 1 && offence->attempts <= OFFENCE_ATTEMPTS_MAX);
    FUZZ_WANT(offence->user_length <= OFFENCE_USER_MAX);
    FUZZ_WANT(offence->service_length <= OFFENCE_SERVICE_MAX);
    FUZZ_WANT(offence->session_length <= OFFENCE_SESSION_MAX);
    FUZZ_WANT(offence->code == 0 || (offence->code >= 100 && offence->code <= 599));
    if (offence->has_client)
        FUZZ_WANT(source_is_client(&offence->client) &&
                  offence->client.prefix == SOURCE_HOST_PREFIX);
    if (offence_counts(offence))
        FUZZ_WANT(offence->has_client && (OFFENCE_BIT(offence->class) & OFFENCE_COUNTABLE) &&
                  offence->code / 100 != 4);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* the first byte that is 0 ends the object, what is behind it is the tag */
    const uint8_t *const end = size > 0 ? memchr(data, 0, size) : NULL;
    const size_t length = end != NULL ? (size_t)(end - data) : size;
    struct fjson_object *const fields = object_parse((const char *)data, length);
    struct offence offence;

    if (fields == NULL)
        return 0;
    if (offence_read(fields, &offence) == 0) {
        offence_service_from_tag(&offence, (const char *)data + length, size - length);
        check(&offence);
    }
    fjson_object_put(fields);
    return 0;
}
