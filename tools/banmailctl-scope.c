/* scope: see banmailctl-scope.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/roster.h"
#include "fleet/hosts.h"

struct scopes {
    struct hosts *hosts;
};

struct scopes *
scopes_read(const struct table *table)
{
    struct table_status status;

    table_read_status(table, &status);
    return scopes_read_beside(status.ledger_path);
}

struct scopes *
scopes_read_beside(const char *ledger_path)
{
    struct scopes *const scopes = calloc(1, sizeof(*scopes));
    char *text;

    if (scopes == NULL)
        return NULL;
    scopes->hosts = hosts_new("");
    text = roster_read(ledger_path, HOSTS_SUFFIX);
    if (scopes->hosts != NULL && text != NULL)
        hosts_read(scopes->hosts, text, 0);
    free(text);
    return scopes;
}

void
scopes_free(struct scopes *scopes)
{
    if (scopes != NULL)
        hosts_free(scopes->hosts);
    free(scopes);
}

uint16_t
scopes_last(const struct scopes *scopes)
{
    return scopes == NULL || scopes->hosts == NULL ? TABLE_SCOPE_OWN : hosts_last(scopes->hosts);
}

const char *
scope_text(const struct scopes *scopes, uint16_t scope, char text[SCOPE_TEXT_SIZE])
{
    if (scope == TABLE_SCOPE_FLEET)
        strcpy(text, TELEGRAM_SCOPE_FLEET);
    else if (scope == TABLE_SCOPE_OWN)
        strcpy(text, "this server");
    else if (scopes == NULL || scopes->hosts == NULL || !hosts_name(scopes->hosts, scope, text))
        snprintf(text, SCOPE_TEXT_SIZE, "host %u", (unsigned)scope);
    return text;
}

const char *
scope_words(const struct scopes *scopes, uint16_t scope, char text[SCOPE_WORDS_SIZE])
{
    char name[SCOPE_TEXT_SIZE];

    text[0] = '\0';
    if (scope != TABLE_SCOPE_FLEET)
        snprintf(text, SCOPE_WORDS_SIZE, ", on %s alone", scope_text(scopes, scope, name));
    return text;
}
