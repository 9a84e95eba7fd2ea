/* fuzz_table: the attach on a damaged file. The input is a list of damages to a table that has
 * clients, attempts and bans; where it says so, checksums are made to fit again, as if a bug or
 * malice had written it.
 *
 *      ┌──────┬────────────────┬────────┬─────────────┐
 *      │ kind │ offset, 3 bytes│ length │ bytes       │ …
 *      └──────┴────────────────┴────────┴─────────────┘
 *
 * Fails when a damaged table crashes who reads, writes or opens it, or when it is not a whole one
 * once it has been opened.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "table/table-layout.h"

#define NOON_MS INT64_C(1795262400000) /* 2026-11-21 12:00 UTC */
#define HOUR_MS INT64_C(3600000)
#define BANS    64

const unsigned fuzz_rounds = 2000;
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\x01\x00\x00\x10\x08"
              "ABCDEFGH"), /* a word of a jail */
    FUZZ_SEED("\x01\x40\x50\x01\x04\xff\xff\xff\xff\x00\x80\x60\x00\x02\x01\x01"),
    FUZZ_SEED("\x03\x10\x00\x00\x08\x00\x00\x00\x00\xff\xff\xff\xff"), /* the size in the header */
    FUZZ_SEED("\x03\x18\x00\x00\x10\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* a section */
    FUZZ_SEED("\x02\x00\x10\x00\x00"),                                     /* cut */
    FUZZ_SEED("\x01\xc0\x40\x02\x20\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02"),
    {NULL, 0},
};

enum { DAMAGE_RAW, DAMAGE_CELL, DAMAGE_CUT, DAMAGE_HEADER, DAMAGES };

static char path[64], damaged_path[80];
static struct fuzz_image image;
static const struct report silent;

static struct table_options
options(void)
{
    return (struct table_options){.path = path,
                                  .ledger_path = "/nowhere/ledger.db",
                                  .capacity = 1024,
                                  .max_bans = BANS,
                                  .owner = (uid_t)-1,
                                  .group = (gid_t)-1,
                                  .now_ms = NOON_MS,
                                  .report = &silent};
}

static struct table_failure
failure_number(unsigned number)
{
    return (struct table_failure){
        .client = {.address = {[10] = 0xff, [11] = 0xff, [12] = 203, [15] = (uint8_t)number},
                   .prefix = SOURCE_HOST_PREFIX},
        .kind = (uint16_t)(1 + number % 3),
        .service_hash = 25,
        .user_hash = number % 5,
        .session_hash = number % 7,
        .attempts = 1 + number % 4,
        .stamp_ms = NOON_MS + number * 1000,
    };
}

/* All that rsyslogd does with a table. */
static void
use(struct table *table)
{
    struct jail jail;
    struct table_change changes[16];
    struct table_status status;
    struct ban bans[16];
    int64_t next_ms;
    size_t count;
    int index;

    jail_defaults(&jail);
    jail.maxretry = 3;
    index = table_jail(table, &jail);
    for (unsigned i = 0; i < 60; i++) {
        const struct table_failure failure = failure_number(i % 40);

        if (index >= 1)
            table_count(table, (unsigned)index, &jail, &failure, table_attempts(table, &failure),
                        NOON_MS + i * 1000);
    }
    count = table_dequeue(table, changes, 16, NOON_MS);
    table_acknowledge(table, changes, count, count % 2 == 0, NOON_MS);
    count = table_dequeue_unrecorded(table, bans, 16);
    table_recorded(table, bans, count, true);
    table_unban(table, &(struct source){.prefix = 100}, 0, NOON_MS);
    table_expire(table, NOON_MS + HOUR_MS / 2, &next_ms);
    table_want_all(table);
    table_read_status(table, &status);
    FUZZ_WANT(memchr(status.ledger_path, 0, sizeof status.ledger_path) != NULL);
    FUZZ_WANT(memchr(status.trouble, 0, sizeof status.trouble) != NULL);
}

static void
look(void)
{
    struct table_status status;
    const struct table *table;
    struct ban ban;

    if (table_open_reader(path, &table) != 0)
        return;
    table_read_status(table, &status);
    FUZZ_WANT(memchr(status.ledger_path, 0, sizeof status.ledger_path) != NULL);
    for (uint32_t i = 0; i < status.max_bans; i++)
        table_read_ban(table, i, &ban);
    table_tracked(table);
    table_close_reader(table);
}

static void
begin(void)
{
    const struct table_options asked = options();
    struct table *table;
    bool is_new;

    snprintf(path, sizeof path, "%s/ombanmail-fuzz-%d",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
    snprintf(damaged_path, sizeof damaged_path, "%s.damaged", path);
    FUZZ_WANT(table_open(&asked, &table, &is_new) == 0);
    use(table);
    table_close(table);
    image = fuzz_read_image(path);
    unlink(path);
}

/* Makes the checksum of the cell at `offset` fit. */
static void
whole_cell(size_t offset)
{
    const struct section *const records =
        &((const struct table_header *)image.whole)->fixed.sections[SECTION_RECORDS];
    const bool is_record = offset >= records->offset && offset < records->offset + records->length;
    const size_t size = is_record ? RECORD_SIZE : CELL_SIZE;
    const size_t from = is_record ? records->offset : TABLE_HEADER_SIZE;
    uint64_t words[CELL_WORDS_MAX];
    struct cell_head head;
    uint8_t *cell;

    if (offset < TABLE_HEADER_SIZE || (offset - from) / size * size + from + size > image.size)
        return;
    cell = image.work + from + (offset - from) / size * size;
    memcpy(words, cell, size);
    memcpy(&head, words, sizeof head);
    head.sequence &= ~1U;
    head.check = words_check(words, (unsigned)size / 8);
    memcpy(cell, &head, sizeof head);
}

static void
whole_header(void)
{
    struct table_fixed fixed;

    memcpy(&fixed, image.work, sizeof fixed);
    fixed.check = table_fixed_check(&fixed);
    memcpy(image.work, &fixed, sizeof fixed);
}

/* Applies one damage. Returns how many bytes of the input it took; a cut shortens *size. */
static size_t
damage(const uint8_t *data, size_t left, size_t *size)
{
    const size_t offset = (data[1] | (size_t)data[2] << 8 | (size_t)data[3] << 16) % image.size;
    size_t length = data[4];

    if (length > left - 5)
        length = left - 5;
    length = fuzz_damage(&image, offset, data + 5, length);
    if (data[0] % DAMAGES == DAMAGE_CELL)
        whole_cell(offset);
    else if (data[0] % DAMAGES == DAMAGE_HEADER)
        whole_header();
    else if (data[0] % DAMAGES == DAMAGE_CUT)
        *size = offset;
    return 5 + length;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct table_options asked = options();
    struct table *table;
    size_t file_size, used = 0;
    bool is_new;

    if (image.whole == NULL)
        begin();
    memcpy(image.work, image.whole, image.size);
    file_size = image.size;
    while (size - used >= 5)
        used += damage(data + used, size - used, &file_size);
    fuzz_write_file(path, image.work, file_size);
    look();
    FUZZ_WANT(table_open(&asked, &table, &is_new) == 0);
    use(table);
    table_close(table);
    look();
    FUZZ_WANT(table_open(&asked, &table, &is_new) == 0);
    FUZZ_WANT(!is_new);
    table_close(table);
    unlink(path);
    unlink(damaged_path);
    return 0;
}
