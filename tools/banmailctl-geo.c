/* geo: see banmailctl-geo.h. The only file with maxminddb.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-geo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfastjson/json.h>

#include "banmailctl-format.h"

#ifdef HAVE_MAXMINDDB
#include <maxminddb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "banmailctl.h"

#define FILES_MOST 4

static MMDB_s files[FILES_MOST];
static unsigned file_count;

/* One that was asked for has to be there; of the others none needs to. */
static void
open_one(const char *path, bool is_asked_for)
{
    int error;

    if (file_count == FILES_MOST || *path == '\0')
        return;
    error = MMDB_open(path, MMDB_MODE_MMAP, &files[file_count]);
    if (error == MMDB_SUCCESS)
        file_count++;
    else if (is_asked_for)
        report_say(&banmailctl_report, LOG_WARNING, "%s: %s", path, MMDB_strerror(error));
}

static void
open_asked_for(const char *list)
{
    char path[512];

    while (*list != '\0') {
        const size_t length = strcspn(list, ":");

        snprintf(path, sizeof(path), "%.*s", (int)length, list);
        open_one(path, true);
        list += length + (list[length] == ':');
    }
}

static void
open_usual(void)
{
    static const char *const directories[] = {"/var/lib/GeoIP", "/usr/share/GeoIP"};
    static const char *const names[] = {"GeoLite2-Country.mmdb", "GeoLite2-ASN.mmdb"};
    char path[512];

    for (size_t i = 0; i < sizeof(directories) / sizeof(*directories) && file_count == 0; i++)
        for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
            snprintf(path, sizeof(path), "%s/%s", directories[i], names[k]);
            open_one(path, false);
        }
}

bool
geo_is_given(void)
{
    static bool was_opened;
    const char *const asked_for = getenv("BANMAILCTL_MMDB");

    if (!was_opened && asked_for != NULL)
        open_asked_for(asked_for);
    else if (!was_opened)
        open_usual();
    was_opened = true;
    return file_count > 0;
}

static void
take_text(MMDB_entry_s *entry, const char *const path[], char *text, size_t size)
{
    MMDB_entry_data_s data;
    char raw[256];

    if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_UTF8_STRING)
        return;
    snprintf(raw, sizeof(raw), "%.*s", (int)data.data_size, data.utf8_string);
    format_clean(raw, text, size);
}

static void
take_entry(MMDB_entry_s *entry, struct geo *geo)
{
    static const char *const country[] = {"country", "iso_code", NULL};
    static const char *const asn[] = {"autonomous_system_number", NULL};
    static const char *const organization[] = {"autonomous_system_organization", NULL};
    MMDB_entry_data_s data;

    take_text(entry, country, geo->country, sizeof(geo->country));
    take_text(entry, organization, geo->organization, sizeof(geo->organization));
    if (MMDB_aget_value(entry, &data, asn) == MMDB_SUCCESS && data.has_data &&
        data.type == MMDB_DATA_TYPE_UINT32)
        geo->asn = data.uint32;
}

static void
look_up(const struct source *source, struct geo *geo)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const struct sockaddr *const address =
        source_is_v4(source) ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;

    memcpy(&v4.sin_addr, source->address + 12, sizeof(v4.sin_addr));
    memcpy(&v6.sin6_addr, source->address, sizeof(v6.sin6_addr));
    for (unsigned i = 0; i < file_count; i++) {
        int error = MMDB_SUCCESS;
        MMDB_lookup_result_s result = MMDB_lookup_sockaddr(&files[i], address, &error);

        if (error == MMDB_SUCCESS && result.found_entry)
            take_entry(&result.entry, geo);
    }
}
#else
bool
geo_is_given(void)
{
    return false;
}

static void
look_up(const struct source *source, struct geo *geo)
{
    (void)source;
    (void)geo;
}
#endif

void
geo_find(const struct source *source, struct geo *geo)
{
    *geo = (struct geo){.asn = 0};
    if (geo_is_given())
        look_up(source, geo);
}

const char *
geo_text(const struct source *source, char text[GEO_TEXT_SIZE])
{
    struct geo geo;
    int used;

    geo_find(source, &geo);
    used = snprintf(text, GEO_TEXT_SIZE, "%s%s", geo.country,
                    geo.country[0] != '\0' && geo.asn != 0 ? ", " : "");
    if (geo.asn != 0)
        snprintf(text + used, GEO_TEXT_SIZE - (size_t)used, "AS%u %s", (unsigned)geo.asn,
                 geo.organization);
    if (text[0] == '\0')
        strcpy(text, "-");
    return text;
}

void
geo_add(struct fjson_object *object, const struct source *source)
{
    struct geo geo;

    geo_find(source, &geo);
    if (geo.country[0] != '\0')
        format_add_string(object, "country", geo.country);
    else
        fjson_object_object_add(object, "country", NULL);
    if (geo.asn != 0)
        format_add_number(object, "asn", geo.asn);
    else
        fjson_object_object_add(object, "asn", NULL);
    if (geo.organization[0] != '\0')
        format_add_string(object, "organization", geo.organization);
    else
        fjson_object_object_add(object, "organization", NULL);
}
