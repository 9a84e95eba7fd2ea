/* mynetworks: what `postconf -hx mynetworks` says into the file from which the module has
 * postfix:mynetworks.
 *
 * Postfix's list may have more than networks: tables and files that are looked up, and exceptions.
 * An allow list can have none of them; they are named, so that nobody takes it for all of it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-format.h"
#include "banmailctl-users.h"
#include "rules/allow-list.h"

#define INPUT_MAX  (1 << 20) /* bytes: whatever stands in postconf's place */
#define PASSED_MAX 64        /* that are named */

const char mynetworks_help[] =
    "Usage: banmailctl mynetworks [FILE] [--json]\n"
    "\n"
    "Reads what postconf -hx mynetworks prints from standard input, and puts its networks in the\n"
    "place of FILE (" ALLOW_LIST_MYNETWORKS_FILE
    "), whole or not at all: for\n" ALLOW_LIST_MYNETWORKS
    " in ignoreip of the module. Tables, files and exceptions (!) in it are named,\n"
    "and passed over.\n"
    "\n"
    "Exit status: 0 all of it is taken, 1 something is passed over, 2 there was no network.\n"
    "\n"
    "Examples:\n"
    "  postconf -hx mynetworks | banmailctl mynetworks\n"
    "  systemctl enable --now ombanmail-mynetworks.timer\n";

/* What was read. */
struct networks {
    struct allow *allow;
    FILE *file; /* the text to be */
    size_t count;
    char *passed[PASSED_MAX];
    size_t passed_count;
};

/* All of standard input; NULL when that is too much, or memory is out. Free it. */
static char *
read_input(void)
{
    char *const text = malloc(INPUT_MAX + 1);
    const size_t length = text == NULL ? 0 : fread(text, 1, INPUT_MAX + 1, stdin);

    if (text == NULL || length > INPUT_MAX || ferror(stdin)) {
        free(text);
        return NULL;
    }
    text[length] = '\0';
    return text;
}

/* [2001:db8::]/32 without the brackets, in place. */
static void
strip_brackets(char *word)
{
    char *to = word;

    for (const char *from = word; *from != '\0'; from++)
        if (*from != '[' && *from != ']')
            *to++ = *from;
    *to = '\0';
}

static void
take_word(struct networks *networks, char *word)
{
    char *const whole = strdup(word);

    strip_brackets(word);
    if (allow_add(networks->allow, word, strlen(word)) == 0) {
        fprintf(networks->file, "%s\n", word);
        networks->count++;
        free(whole);
    } else if (networks->passed_count < PASSED_MAX && whole != NULL) {
        networks->passed[networks->passed_count++] = whole;
    } else {
        free(whole);
    }
}

static int
read_networks(const struct invocation *invocation, struct networks *networks)
{
    char *const input = read_input(), *rest = NULL;

    if (input == NULL)
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "standard input cannot be read, or is no list of networks; the file "
                               "is left as it was");
    for (char *word = strtok_r(input, ", \t\r\n", &rest); word != NULL;
         word = strtok_r(NULL, ", \t\r\n", &rest))
        take_word(networks, word);
    free(input);
    if (networks->count == 0)
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "standard input has no network; the file is left as it was");
    return EXIT_FINE;
}

static void
print_json(const struct networks *networks)
{
    struct fjson_object *const object = fjson_object_new_object();
    struct fjson_object *const passed = fjson_object_new_array();
    char clean[256];

    format_add_number(object, "networks", networks->count);
    for (size_t i = 0; i < networks->passed_count; i++)
        fjson_object_array_add(passed, fjson_object_new_string(format_clean(networks->passed[i],
                                                                            clean, sizeof(clean))));
    fjson_object_object_add(object, "passedOver", passed);
    format_print_json(object);
}

static void
print_text(const struct networks *networks)
{
    char clean[256];

    printf("%zu network%s\n", networks->count, networks->count == 1 ? "" : "s");
    for (size_t i = 0; i < networks->passed_count; i++)
        printf("NOTE: %s is passed over: an allow list holds networks only\n",
               format_clean(networks->passed[i], clean, sizeof(clean)));
}

static int
write_networks(const struct invocation *invocation, struct networks *networks, const char *path)
{
    char *text = NULL;
    size_t length = 0;
    int status;

    networks->file = open_memstream(&text, &length);
    networks->allow = allow_new();
    if (networks->file == NULL || networks->allow == NULL)
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    fputs("# written by banmailctl mynetworks\n", networks->file);
    status = read_networks(invocation, networks);
    fclose(networks->file);
    if (status == EXIT_FINE)
        status = users_replace(invocation, path, text, length);
    free(text);
    return status;
}

int
mynetworks_main(const struct invocation *invocation)
{
    struct networks networks = {0};
    int status =
        write_networks(invocation, &networks,
                       invocation->count > 0 ? invocation->words[0] : ALLOW_LIST_MYNETWORKS_FILE);

    if (status == EXIT_FINE) {
        (invocation->json ? print_json : print_text)(&networks);
        status = networks.passed_count > 0 ? EXIT_NO : EXIT_FINE;
    }
    for (size_t i = 0; i < networks.passed_count; i++)
        free(networks.passed[i]);
    allow_free(networks.allow);
    return status;
}
