/* geo: which country and which network (autonomous system) an address belongs to, by files in
 * MaxMind's format.
 *
 * The files are those that BANMAILCTL_MMDB names, with colons in between, or else GeoLite2's where
 * geoipupdate lays them. Without one, or built without libmaxminddb, nothing is known of anybody.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_GEO_H
#define BANMAILCTL_GEO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/source.h"

#define GEO_TEXT_SIZE 160

struct fjson_object;

struct geo {
    char country[8];        /* ISO 3166, as DE; "": not known */
    uint32_t asn;           /* 0: not known */
    char organization[128]; /* whose that is, cleaned; "": not known */
};

/* Whether there is a file that could be opened. Opens them the first time. */
bool geo_is_given(void);

/* What they have of an address, or of the first one of a prefix. */
void geo_find(const struct source *source, struct geo *geo);

/* The same in words: "DE, AS3320 Deutsche Telekom AG"; "-" where nothing is known. Returns text. */
const char *geo_text(const struct source *source, char text[GEO_TEXT_SIZE]);

/* As members country, asn and organization, null where not known. */
void geo_add(struct fjson_object *object, const struct source *source);

#endif
