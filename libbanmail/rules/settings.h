/* settings: sections of `name = value`, as the files of fail2ban have them: [DEFAULT], continuation
 * lines, comments, files that include others, %(name)s within values. What a name means is not
 * known here.
 *
 * The text is read with libinih, which is handed lines that it cannot misread: without comments,
 * and no longer than it has room for.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_SETTINGS_H
#define BANMAIL_SETTINGS_H

#include <stddef.h>

#define SETTINGS_DEFAULT     "DEFAULT" /* its values are those of every section that has none */
#define SETTINGS_REASON_SIZE 512
#define SETTINGS_VALUE_SIZE  16384 /* of a value when all %(name)s in it are replaced */

struct settings;

struct setting {
    char *section;
    char *name;  /* in lower case */
    char *value; /* as it stands; lines are separated by newlines */
    char *file;
    unsigned line;
};

/* Returns NULL when memory is out. Free with settings_free. All of it: one thread. */
struct settings *settings_new(void);
void settings_free(struct settings *settings);

/* Adds what the file has, in front of it the files that its [INCLUDES] name as `before`, behind it
 * those of `after`; of two settings of one name and section the later holds. Paths are relative to
 * the file's directory; an included file that is missing is a remark. Returns 0, or a negative
 * errno with the reason, which names file and line. Makes system calls. */
int settings_read(struct settings *settings, const char *path, char reason[SETTINGS_REASON_SIZE]);

/* The same of a text; `name` stands for the file's. It includes nothing. */
int settings_read_text(struct settings *settings, const char *text, const char *name,
                       char reason[SETTINGS_REASON_SIZE]);

/* Each section once, in the order of the files; NULL behind the last. */
const char *settings_section(const struct settings *settings, size_t index);

/* All settings in their order; NULL behind the last. */
const struct setting *settings_at(const struct settings *settings, size_t index);

/* The one that holds in the section itself, and the one that holds for it, be it of [DEFAULT]; NULL
 * where there is none. Valid until more is read. */
const struct setting *settings_own(const struct settings *settings, const char *section,
                                   const char *name);
const struct setting *settings_find(const struct settings *settings, const char *section,
                                    const char *name);

/* The value, with what stands in %(…)s as it holds for `section`: a name, __name__ (the section's),
 * known/NAME (before it was set anew), SECTION/NAME. Returns 0, or -EINVAL with the reason. */
int settings_expand(const struct settings *settings, const char *section,
                    const struct setting *setting, char value[SETTINGS_VALUE_SIZE],
                    char reason[SETTINGS_REASON_SIZE]);

/* What is no error and to be told all the same. Adds a line, unless it is there already; and all
 * lines, each with its newline, valid until the next one is added. */
void settings_remark(struct settings *settings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *settings_remarks(const struct settings *settings);

/* What is understood and has no use here: likewise, "FILE, line 3: NAME in [SECTION]" of each. */
void settings_pass_over(struct settings *settings, const struct setting *setting);
const char *settings_passed(const struct settings *settings);

#endif
