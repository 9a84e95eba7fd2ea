/* policy: written under a temporary name, so that a reader sees all of it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const set_words[FIREWALL_FAMILIES] = {"set4 ", "set6 "};

static int
write_lines(int descriptor, const struct firewall_policy *policy)
{
    int error = 0;

    if (dprintf(descriptor, "verdict %s\n",
                policy->verdict == FIREWALL_REJECT ? "reject" : "drop") < 0)
        error = -errno;
    for (unsigned family = 0; family < FIREWALL_FAMILIES && error == 0; family++) {
        if (policy->set[family][0] != '\0' &&
            dprintf(descriptor, "%s%s\n", set_words[family], policy->set[family]) < 0)
            error = -errno;
    }
    return error;
}

int
policy_write(const char *table_path, const struct firewall_policy *policy, uid_t owner, gid_t group)
{
    char path[PATH_MAX], temporary[PATH_MAX];
    int descriptor, error;

    snprintf(path, sizeof(path), "%s.policy", table_path);
    snprintf(temporary, sizeof(temporary), "%s.policy.new", table_path);
    unlink(temporary);
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (descriptor < 0)
        return -errno;
    error = write_lines(descriptor, policy);
    if (error == 0 && fchown(descriptor, owner, group) != 0)
        error = -errno;
    close(descriptor);
    if (error == 0 && rename(temporary, path) != 0)
        error = -errno;
    return error;
}

static void
read_line(const char *line, struct firewall_policy *policy)
{
    if (strcmp(line, "verdict reject") == 0)
        policy->verdict = FIREWALL_REJECT;
    for (unsigned family = 0; family < FIREWALL_FAMILIES; family++) {
        const char *set = line + strlen(set_words[family]);

        if (strncmp(line, set_words[family], strlen(set_words[family])) == 0 &&
            firewall_is_set_name(set))
            strcpy(policy->set[family], set); /* its length was looked at */
    }
}

void
policy_read(const char *table_path, struct firewall_policy *policy)
{
    char path[PATH_MAX], line[FIREWALL_SET_SIZE + 16];
    FILE *file;

    *policy = (struct firewall_policy){.verdict = FIREWALL_DROP};
    snprintf(path, sizeof(path), "%s.policy", table_path);
    file = fopen(path, "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        read_line(line, policy);
    }
    fclose(file);
}
