/* policy: see policy.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/policy.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/replace.h"

static const char *const set_words[FIREWALL_FAMILIES] = {"set4 ", "set6 "};

int
policy_write(const char *table_path, const struct firewall_policy *policy, uid_t owner, gid_t group)
{
    char path[PATH_MAX], text[FIREWALL_FAMILIES * (FIREWALL_SET_SIZE + 16) + 32];
    int length = snprintf(text, sizeof(text), "verdict %s\n", verdict_name(policy->verdict));

    for (unsigned family = 0; family < FIREWALL_FAMILIES; family++)
        if (policy->set[family][0] != '\0')
            length += snprintf(text + length, sizeof(text) - (size_t)length, "%s%s\n",
                               set_words[family], policy->set[family]);
    snprintf(path, sizeof(path), "%s.policy", table_path);
    return replace_file(path, text, (size_t)length, 0644, owner, group);
}

static void
read_line(const char *line, struct firewall_policy *policy)
{
    if (strcmp(line, "verdict reject") == 0)
        policy->verdict = VERDICT_REJECT;
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

    *policy = (struct firewall_policy){.verdict = VERDICT_DROP};
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
