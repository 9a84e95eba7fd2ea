/* origins: see origins.h. A line for each: the name, a space, the origin.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "control/origins.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/replace.h"
#include "base/text.h"

const char *
origins_find(const struct origins *origins, const char *name)
{
    for (unsigned i = 0; i < origins->count; i++)
        if (strcmp(origins->at[i].name, name) == 0)
            return origins->at[i].origin;
    return NULL;
}

void
origins_add(struct origins *origins, const char *name, const char *origin)
{
    if (origins->count == ORIGINS_MAX || origins_find(origins, name) != NULL)
        return;
    snprintf(origins->at[origins->count].name, JAIL_NAME_SIZE, "%s", name);
    snprintf(origins->at[origins->count++].origin, ORIGINS_ORIGIN_SIZE, "%s", origin);
}

static void
path_of(const char *table_path, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s.jails", table_path);
}

int
origins_write(const char *table_path, const struct origins *origins, uid_t owner, gid_t group)
{
    char path[PATH_MAX], *text = NULL;
    size_t length;
    FILE *const file = open_memstream(&text, &length);
    int error = -ENOMEM;

    path_of(table_path, path);
    if (file == NULL)
        return error;
    for (unsigned i = 0; i < origins->count; i++)
        fprintf(file, "%s %s\n", origins->at[i].name, origins->at[i].origin);
    if (text_close(file, &text))
        error = replace_file(path, text, length, 0644, owner, group);
    free(text);
    return error;
}

void
origins_read(const char *table_path, struct origins *origins)
{
    char path[PATH_MAX], line[JAIL_NAME_SIZE + ORIGINS_ORIGIN_SIZE + 2];
    FILE *file;

    origins->count = 0;
    path_of(table_path, path);
    file = fopen(path, "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL) {
        char *const space = strchr(line, ' ');

        line[strcspn(line, "\n")] = '\0';
        if (space == NULL)
            continue;
        *space = '\0';
        origins_add(origins, line, space + 1);
    }
    fclose(file);
}
