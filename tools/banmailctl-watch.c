/* watch-set: which service puts this address back?
 *
 * The kernel names the process of each change; what that process is, and who started it, is looked
 * up at once, as most live for a moment only.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-format.h"
#include "base/clock.h"
#include "kernel/watch.h"

#define PARENTS_MAX  3
#define COMMAND_TEXT 200
#define SERVICE_SIZE 128

const char watch_help[] =
    "Usage: banmailctl watch-set [ADDRESS|PREFIX] [--for TIME] [--json]\n"
    "\n"
    "Tells who adds an address to a set or a rule of nftables, or takes it out: the process, its\n"
    "command, who started it and the service that it is of; for TIME or until it is interrupted.\n"
    "Without ADDRESS: of every element of every set. ombanmail's own table is left out. It shows\n"
    "what happens while it runs: start it when why shows a set of another service, lift the\n"
    "address there, and wait until it is back.\n"
    "\n"
    "Exit status: 0 something was seen, 1 nothing was.\n"
    "\n"
    "Examples:\n"
    "  banmailctl watch-set 203.0.113.9\n"
    "  banmailctl watch-set 203.0.113.9 --for 1h --json\n";

struct program {
    long process;
    char command[COMMAND_TEXT]; /* its words; "": it has ended */
};

/* Who did it, as far as it can be told. */
struct doer {
    struct program self, parents[PARENTS_MAX];
    unsigned parent_count;
    char service[SERVICE_SIZE]; /* "": of none that systemd knows */
};

struct watching {
    const struct invocation *invocation;
    uint64_t seen;
};

/* ---- processes ---- */

static FILE *
open_of(long process, const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "/proc/%ld/%s", process, name);
    return fopen(path, "re");
}

static bool
is_named(long process, const char *name)
{
    char line[WATCH_PROCESS_SIZE] = "";
    FILE *const file = open_of(process, "comm");

    if (file == NULL)
        return false;
    if (fgets(line, sizeof(line), file) == NULL)
        line[0] = '\0';
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return strcmp(line, name) == 0;
}

/* In a container numbers are others: the only one of that name, if there is only one. 0: none. */
static long
find_by_name(const char *name)
{
    DIR *const directory = opendir("/proc");
    const struct dirent *entry;
    unsigned count = 0;
    long found = 0;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        const long process = isdigit((unsigned char)entry->d_name[0]) ? atol(entry->d_name) : 0;

        if (process == 0 || !is_named(process, name))
            continue;
        count++;
        found = process;
    }
    if (directory != NULL)
        closedir(directory);
    return count == 1 ? found : 0;
}

static void
read_command(long process, char command[COMMAND_TEXT])
{
    FILE *const file = open_of(process, "cmdline");
    char raw[COMMAND_TEXT];
    size_t length = 0;

    command[0] = '\0';
    if (file == NULL)
        return;
    length = fread(raw, 1, sizeof(raw) / 2, file);
    fclose(file);
    for (size_t i = 0; i + 1 < length; i++)
        if (raw[i] == '\0')
            raw[i] = ' ';
    raw[length > 0 && raw[length - 1] == '\0' ? length - 1 : length] = '\0';
    format_clean(raw, command, COMMAND_TEXT);
}

static long
parent_of(long process)
{
    FILE *const file = open_of(process, "status");
    char line[128];
    long parent = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "PPid: %ld", &parent) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return parent;
}

/* The unit of systemd's, by its control group. */
static void
read_service(long process, char service[SERVICE_SIZE])
{
    FILE *const file = open_of(process, "cgroup");
    char line[PATH_MAX];

    service[0] = '\0';
    while (file != NULL && service[0] == '\0' && fgets(line, sizeof(line), file) != NULL) {
        char *rest = NULL;

        line[strcspn(line, "\n")] = '\0';
        for (char *part = strtok_r(line, "/", &rest); part != NULL;
             part = strtok_r(NULL, "/", &rest)) {
            const size_t length = strlen(part);

            if (length > 8 && strcmp(part + length - 8, ".service") == 0)
                format_clean(part, service, SERVICE_SIZE);
        }
    }
    if (file != NULL)
        fclose(file);
}

static void
look_up(const struct watch_change *change, struct doer *doer)
{
    long process = change->process;

    *doer = (struct doer){0};
    if (!is_named(process, change->name))
        process = find_by_name(change->name);
    doer->self.process = process;
    if (process == 0)
        return;
    read_command(process, doer->self.command);
    read_service(process, doer->service);
    for (process = parent_of(process); process > 1 && doer->parent_count < PARENTS_MAX;
         process = parent_of(process)) {
        struct program *const parent = &doer->parents[doer->parent_count++];

        parent->process = process;
        read_command(process, parent->command);
    }
}

/* ---- what is printed ---- */

static void
print_range(const struct watch_change *change, char text[2 * SOURCE_TEXT_SIZE + 1])
{
    char first[SOURCE_TEXT_SIZE], last[SOURCE_TEXT_SIZE];

    source_print(&change->first, first);
    source_print(&change->last, last);
    snprintf(text, 2 * SOURCE_TEXT_SIZE + 1, "%s%s%s", first, strcmp(first, last) == 0 ? "" : "-",
             strcmp(first, last) == 0 ? "" : last);
}

static void
print_text(const struct watch_change *change, const struct doer *doer)
{
    char stamp[FORMAT_STAMP_SIZE], range[2 * SOURCE_TEXT_SIZE + 1], clean[WATCH_PLACE_SIZE];
    char name[WATCH_PROCESS_SIZE * 4];

    print_range(change, range);
    printf("%s  %s %s %s %s\n", format_stamp(banmailctl_now_ms(), stamp), range,
           change->is_added ? "added to" : "taken out of",
           change->is_rule ? "a rule of chain" : "set",
           format_clean(change->place, clean, sizeof(clean)));
    printf("  by %s, process %u", format_clean(change->name, name, sizeof(name)), change->process);
    if (doer->self.command[0] != '\0')
        printf(": %s\n", doer->self.command);
    else
        puts(", which has ended");
    for (unsigned i = 0; i < doer->parent_count; i++)
        printf("  started by process %ld: %s\n", doer->parents[i].process,
               doer->parents[i].command);
    if (doer->service[0] != '\0')
        printf("  service: %s\n", doer->service);
}

static void
add_text(struct fjson_object *object, const char *name, const char *text)
{
    if (text[0] != '\0')
        format_add_string(object, name, text);
    else
        fjson_object_object_add(object, name, NULL);
}

static void
print_json(const struct watch_change *change, const struct doer *doer)
{
    struct fjson_object *const object = fjson_object_new_object();
    struct fjson_object *const parents = fjson_object_new_array();
    char range[2 * SOURCE_TEXT_SIZE + 1];

    print_range(change, range);
    format_add_time(object, "at", banmailctl_now_ms());
    format_add_string(object, "source", range);
    format_add_bool(object, "added", change->is_added);
    format_add_string(object, change->is_rule ? "chain" : "set", change->place);
    format_add_string(object, "name", change->name);
    format_add_number(object, "process", change->process);
    add_text(object, "command", doer->self.command);
    for (unsigned i = 0; i < doer->parent_count; i++) {
        struct fjson_object *const parent = fjson_object_new_object();

        format_add_number(parent, "process", (uint64_t)doer->parents[i].process);
        add_text(parent, "command", doer->parents[i].command);
        fjson_object_array_add(parents, parent);
    }
    fjson_object_object_add(object, "startedBy", parents);
    add_text(object, "service", doer->service);
    format_print_json(object);
}

static void
take_change(void *context, const struct watch_change *change)
{
    struct watching *const watching = context;
    struct doer doer;

    look_up(change, &doer);
    (watching->invocation->json ? print_json : print_text)(change, &doer);
    fflush(stdout);
    watching->seen++;
}

/* ---- the command ---- */

/* Who did it should be there yet when we look: as root we are asked before others. */
static void
be_quick(void)
{
    const struct sched_param parameter = {.sched_priority = 1};

    sched_setscheduler(0, SCHED_RR, &parameter);
}

static void
run(struct watching *watching, struct watch *watch)
{
    struct pollfd ready = {.fd = watch_descriptor(watch), .events = POLLIN};
    const int64_t end_ms = watching->invocation->forever
                               ? INT64_MAX
                               : clock_steady_ms() + watching->invocation->for_s * 1000;
    int64_t left_ms;

    while ((left_ms = end_ms - clock_steady_ms()) > 0) {
        poll(&ready, 1, left_ms < 60000 ? (int)left_ms : 60000);
        if (watch_read(watch, take_change, watching) == -ENOBUFS)
            fputs("banmailctl: the kernel had more to tell than there was room for: some changes "
                  "were missed\n",
                  stderr);
    }
}

int
watch_main(const struct invocation *invocation)
{
    struct watching watching = {.invocation = invocation};
    struct source source, *of = NULL;
    struct watch *watch;
    char reason[512];
    int error;

    if (invocation->count > 0) {
        of = &source;
        if (format_parse_source(invocation->words[0], of, reason, sizeof(reason)) < 0)
            return banmailctl_fail(invocation, EXIT_USAGE, "%s", reason);
    }
    error = watch_open(&watch, of);
    if (error != 0)
        return banmailctl_fail(invocation, error == -EPERM ? EXIT_PERMISSION : EXIT_UNREACHABLE,
                               "the kernel does not tell what happens to its sets: %s",
                               strerror(-error));
    if (!invocation->json)
        fputs("watching; end with Ctrl-C\n", stderr);
    be_quick();
    run(&watching, watch);
    watch_close(watch);
    return watching.seen > 0 ? EXIT_FINE : EXIT_NO;
}
