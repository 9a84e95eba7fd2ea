/* fuzz_ledger: a ledger that was damaged. The input is a list of damages to a file with bans, their
 * lines, a trouble and notices: where, how many bytes, and which.
 *
 * Fails when one crashes who reads or writes it, when a row or a notice comes out that is not
 * whole, and when there is no ledger that can be written after it has been opened.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "ledger/ledger.h"

#define NOON_MS INT64_C(1795262400000)
#define BANS    12
#define NOTICES 4
#define MOST    100

const unsigned fuzz_rounds = 150;
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\0\0\0\x10SQLite format 4"),
    FUZZ_SEED("\0\0\x1c\4\xff\xff\xff\xff"),           /* how many pages the file has */
    FUZZ_SEED("\0\0\x2c\4\0\0\0\x7f"),                 /* which schema */
    FUZZ_SEED("\0\x10\0\x08\x0d\0\0\x7f\xff\xff\0\0"), /* a page's own head */
    FUZZ_SEED("\0\x1f\x80\x20"
              "2001:db8::/64mail2001:db8::/64ma"),
    FUZZ_SEED("\0\x2f\xf0\x08{\"event\":\0\x4f\xf0\x04\0\0\0\0"),
    {NULL, 0},
};

static char directory[64], path[80];
static struct fuzz_image image;
static const struct report silent;

static const struct jail *
jail_of(void *context, unsigned index)
{
    static const struct jail mail = {
        .name = "mail", .classes = 1, .maxretry = 5, .findtime_s = 600};

    (void)context;
    (void)index;
    return &mail;
}

static struct ban
ban_number(uint64_t number)
{
    struct ban ban = {.table_id = 7,
                      .id = number,
                      .jail = 1,
                      .failures = 5,
                      .class = OFFENCE_AUTH_FAILED,
                      .first_ms = NOON_MS - 60000,
                      .since_ms = NOON_MS + (int64_t)number,
                      .until_ms = NOON_MS + 3600000};

    ban.source = (struct source){{[10] = 0xff, [11] = 0xff, [12] = 203, [15] = (uint8_t)number},
                                 SOURCE_HOST_PREFIX};
    return ban;
}

static int
write_ledger(struct ledger *ledger)
{
    static struct notice notices[NOTICES];
    struct ban bans[BANS];
    struct ledger_line line = {.table_id = 7, .id = 1};
    unsigned dropped;
    int error;

    for (unsigned i = 0; i < BANS; i++)
        bans[i] = ban_number(i + 1);
    line.evidence.client = bans[0].source;
    line.evidence.stamp_ms = NOON_MS;
    snprintf(line.evidence.user, sizeof line.evidence.user, "anna@example.org");
    error = ledger_write(ledger, bans, BANS, jail_of, NULL, &line, 1);
    for (unsigned i = 0; i < NOTICES; i++) {
        notices[i].time_ms = NOON_MS + i;
        snprintf(notices[i].text, sizeof notices[i].text, "203.0.113.%u is banned", i);
        snprintf(notices[i].fields, sizeof notices[i].fields, "{\"event\":\"ban\"}");
    }
    if (error == 0)
        error = ledger_trouble(ledger, "bans cannot be enforced", NOON_MS);
    return error != 0 ? error : ledger_keep_notices(ledger, notices, NOTICES, MOST, &dropped);
}

/* The ledger and what SQLite lays beside it, or what was moved aside. */
static void
remove_files(void)
{
    static const char *const suffixes[] = {"",         "-wal",         "-shm",        "-journal",
                                           ".damaged", ".damaged-wal", ".damaged-shm"};
    char name[128];

    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static void
remove_directory(void)
{
    remove_files();
    rmdir(directory);
}

static void
begin(void)
{
    struct ledger *ledger;

    strcpy(directory, "/dev/shm/fuzz_ledger.XXXXXX");
    FUZZ_WANT(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/ledger.db", directory);
    atexit(remove_directory);
    FUZZ_WANT(ledger_open(path, false, &silent, &ledger, NULL) == 0);
    FUZZ_WANT(write_ledger(ledger) == 0);
    ledger_prune(ledger, 0, 1); /* what is in the -wal comes into the file */
    ledger_close(ledger);
    image = fuzz_read_image(path);
    FUZZ_WANT(image.size > 4096);
}

static void
write_damaged(const uint8_t *data, size_t size)
{
    memcpy(image.work, image.whole, image.size);
    while (size >= 4) {
        const size_t at = ((size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2]) % image.size;
        const size_t length = data[3] < size - 4 ? data[3] : size - 4;
        const size_t taken = fuzz_damage(&image, at, data + 4, length);

        data += 4 + taken;
        size -= 4 + taken;
    }
    fuzz_write_file(path, image.work, image.size);
}

static bool
see_row(void *context, const struct ledger_row *row)
{
    (void)context;
    FUZZ_WANT(source_is_masked(&row->ban.source));
    FUZZ_WANT(strnlen(row->jail, sizeof row->jail) < sizeof row->jail);
    FUZZ_WANT((unsigned)row->ban.class < OFFENCE_CLASSES);
    return true;
}

static bool
see_line(void *context, const struct evidence *evidence)
{
    (void)context;
    FUZZ_WANT(strnlen(evidence->user, sizeof evidence->user) < sizeof evidence->user);
    FUZZ_WANT((unsigned)evidence->class < OFFENCE_CLASSES);
    return true;
}

static bool
see_user(void *context, const struct ledger_user *user)
{
    (void)context;
    FUZZ_WANT(strnlen(user->name, sizeof user->name) < sizeof user->name);
    return true;
}

static void
read_ledger(struct ledger *ledger)
{
    static struct notice notices[MOST];
    const struct ledger_query query = {.to_ms = INT64_MAX, .most = MOST};
    const struct ban ban = ban_number(1);
    int count;

    ledger_live(ledger, NOON_MS, see_row, NULL);
    ledger_history(ledger, &query, see_row, NULL);
    ledger_lines(ledger, &ban, NULL, MOST, see_line, NULL);
    ledger_users(ledger, 0, MOST, see_user, NULL);
    count = ledger_read_notices(ledger, 0, notices, MOST);
    FUZZ_WANT(count <= MOST);
    for (int i = 0; i < count; i++)
        FUZZ_WANT(strnlen(notices[i].text, sizeof notices[i].text) < sizeof notices[i].text &&
                  strnlen(notices[i].fields, sizeof notices[i].fields) < sizeof notices[i].fields);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ledger *ledger;

    if (image.whole == NULL)
        begin();
    remove_files();
    write_damaged(data, size);
    if (ledger_open(path, true, &silent, &ledger, NULL) == 0) {
        read_ledger(ledger);
        ledger_close(ledger);
    }
    /* What is found corrupt by a reading or writing of it is begun anew by the next opening. */
    for (unsigned tries = 0; tries < 3; tries++) {
        int error = ledger_open(path, false, &silent, &ledger, NULL);

        if (error == -EPROTONOSUPPORT)
            return 0; /* of a newer version, as its number says */
        FUZZ_WANT(error == 0);
        read_ledger(ledger);
        error = write_ledger(ledger);
        ledger_close(ledger);
        if (error == 0)
            return 0;
        FUZZ_WANT(error == -EPROTO || tries < 2);
    }
    FUZZ_WANT(!"a ledger that can be written");
    return 0;
}
