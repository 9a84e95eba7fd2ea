/* import: what a fail2ban leaves behind: its configuration, as a file of jails, and its bans; and
 * the bans that export has written.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-bans.h"
#include "banmailctl-channel.h"
#include "banmailctl-exported.h"
#include "banmailctl-format.h"
#include "banmailctl-jails.h"
#include "banmailctl-location.h"
#include "base/object.h"
#include "ledger/fail2ban.h"
#include "rules/jails-file.h"
#include "rules/jails-print.h"

const char import_help[] =
    "Usage: banmailctl import DIRECTORY|FILE [--json]\n"
    "       banmailctl import --bans FILE [--json] [--table FILE]\n"
    "\n"
    "Prints the file of jails that is equivalent to a configuration of fail2ban, as far as it is\n"
    "about mail servers; what has no equivalent stands in comments.\n"
    "\n"
    "--bans: bans whom a fail2ban has banned, for the time that is left, in the jail of the same\n"
    "name, or by hand where there is none. FILE is fail2ban's database, which may be in use; or "
    "what\n"
    "banmailctl export has written, in any of its formats; - is standard input.\n"
    "\n"
    "Examples:\n"
    "  banmailctl import /etc/fail2ban >/etc/ombanmail/jails.conf\n"
    "  banmailctl import --bans /var/lib/fail2ban/fail2ban.sqlite3\n"
    "  ssh mx1 banmailctl export | banmailctl import --bans -\n";

/* ---- bans ---- */

struct importing {
    const struct table *table;
    struct channel channel;
    unsigned banned, by_hand, refused;
    bool json;
    int error; /* no answer: it ends */
    char reason[LOCATION_REASON_SIZE];
};

/* The jail's name is as that of one that is there, or not used. */
static void
write_request(const struct fail2ban_ban *ban, bool in_jail, char request[COMMAND_SIZE])
{
    char source[SOURCE_TEXT_SIZE], jail[JAIL_NAME_SIZE + 16] = "", seconds[48] = "";

    if (in_jail)
        snprintf(jail, sizeof(jail), ",\"jail\":\"%s\"", ban->jail);
    /* A jail's own time is what a ban without one lasts. */
    if (ban->left_s != JAIL_FOREVER || in_jail)
        snprintf(seconds, sizeof(seconds), ",\"seconds\":%" PRId64,
                 ban->left_s > JAIL_TIME_MAX_S ? JAIL_TIME_MAX_S : ban->left_s);
    snprintf(request, COMMAND_SIZE, "{\"command\":\"ban\",\"source\":\"%s\"%s%s}\n",
             source_print(&ban->source, source), jail, seconds);
}

static void
take_answer(struct importing *importing, const char *answer, bool in_jail)
{
    struct fjson_object *const object = object_parse(answer, strlen(answer));
    char text[COMMAND_SIZE];

    if (object != NULL && channel_refusal(object, text) != EXIT_FINE) {
        importing->refused++;
        if (!importing->json)
            printf("not banned: %s\n", text);
    } else {
        importing->banned++;
        importing->by_hand += !in_jail;
    }
    fjson_object_put(object);
}

static void
send(struct importing *importing, const struct fail2ban_ban *ban, bool in_jail,
     char answer[COMMAND_SIZE])
{
    char request[COMMAND_SIZE];

    write_request(ban, in_jail, request);
    importing->error = channel_send(&importing->channel, request, answer, importing->reason);
}

/* While no rsyslogd runs, a jail that has no bans is gone when the table is opened. */
static bool
take_ban(void *context, const struct fail2ban_ban *ban)
{
    struct importing *const importing = context;
    bool in_jail = bans_has_jail(importing->table, ban->jail);
    char answer[COMMAND_SIZE];

    send(importing, ban, in_jail, answer);
    if (importing->error == 0 && in_jail && !bans_has_jail(importing->table, ban->jail)) {
        in_jail = false;
        send(importing, ban, in_jail, answer);
    }
    if (importing->error == 0)
        take_answer(importing, answer, in_jail);
    return importing->error == 0;
}

static int
each_ban(const char *path, struct importing *importing, char reason[FAIL2BAN_REASON_SIZE])
{
    if (exported_is_database(path))
        return fail2ban_live(path, banmailctl_now_ms() / 1000, take_ban, importing, reason);
    return exported_read(path, take_ban, importing, reason);
}

static void
print_result(const struct importing *importing)
{
    struct fjson_object *object;

    if (!importing->json) {
        printf("%u ban%s taken over, %u of them by hand, as there is no jail of the same name\n",
               importing->banned, importing->banned == 1 ? " is" : "s are", importing->by_hand);
        return;
    }
    object = fjson_object_new_object();
    format_add_number(object, "bans", importing->banned);
    format_add_number(object, "byHand", importing->by_hand);
    format_add_number(object, "refused", importing->refused);
    format_print_json(object);
}

static int
import_bans(const struct invocation *invocation, const char *path)
{
    struct importing importing = {.json = invocation->json};
    char reason[FAIL2BAN_REASON_SIZE];
    struct location place;
    const struct table *table;
    int status = banmailctl_read(invocation, &place, &table);

    if (status != EXIT_FINE)
        return status;
    importing.table = table;
    importing.channel.place = &place;
    if (each_ban(path, &importing, reason) < 0)
        status = banmailctl_fail(invocation, EXIT_REFUSED, "%s", reason);
    else if (importing.error != 0)
        status = banmailctl_fail(invocation,
                                 importing.error == -EACCES ? EXIT_PERMISSION : EXIT_UNREACHABLE,
                                 "%s", importing.reason);
    else
        print_result(&importing);
    if (channel_close(&importing.channel, importing.reason) < 0 && status == EXIT_FINE)
        status = banmailctl_fail(invocation, EXIT_REFUSED, "%s", importing.reason);
    table_close_reader(table);
    return status;
}

/* ---- configuration ---- */

static int
import_configuration(const struct invocation *invocation, const char *path)
{
    char reason[SETTINGS_REASON_SIZE];
    struct jails *jails;

    if (jails_read(path, &jails, reason) != 0)
        return banmailctl_fail(invocation, EXIT_REFUSED, "%s", reason);
    if (invocation->json) {
        jails_print_json(jails);
    } else {
        printf("# what %s says of mail servers\n", path);
        jails_print_lines(jails->remarks, "# ", "");
        jails_print_lines(jails->passed, "# ", " is passed over");
        jails_print(jails, stdout);
    }
    jails_free(jails);
    return EXIT_FINE;
}

int
import_main(const struct invocation *invocation)
{
    if (invocation->count != 1)
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "import takes a directory or a file: banmailctl import "
                               "/etc/fail2ban");
    return (invocation->bans ? import_bans : import_configuration)(invocation,
                                                                   invocation->words[0]);
}
