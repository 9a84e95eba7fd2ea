/* table: opening and closing, the jails, and the status. Counting is in table-records.c and
 * table-attempts.c, the bans are in table-bans.c, the file is in table-file.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "table/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "table/table-layout3.h"
#include "table/table-private.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

/* ---- texts: a seqlock of their own, longer than a cell's ---- */

static bool
read_text(const struct table_header *header, struct table_text *text)
{
    uint64_t word[TEXT_WORDS];

    for (unsigned tries = 0; tries < CELL_TRIES; tries++) {
        for (unsigned i = 0; i < TEXT_WORDS; i++)
            word[i] = atomic_load_explicit(&header->text[i], memory_order_acquire);
        if (word[0] % 2 == 0 &&
            atomic_load_explicit(&header->text[0], memory_order_relaxed) == word[0]) {
            memcpy(text, word, sizeof *text);
            return true;
        }
    }
    return false;
}

/* jails_lock is held, or there is no other thread. */
static void
write_text(struct table_header *header, const struct table_text *text)
{
    uint64_t word[TEXT_WORDS];
    uint64_t sequence = atomic_load_explicit(&header->text[0], memory_order_relaxed);

    sequence += sequence % 2;
    memcpy(word, text, sizeof word);
    atomic_store_explicit(&header->text[0], sequence + 1, memory_order_relaxed);
    for (unsigned i = 1; i < TEXT_WORDS; i++)
        atomic_store_explicit(&header->text[i], word[i], memory_order_release);
    atomic_store_explicit(&header->text[0], sequence + 2, memory_order_release);
}

void
table_set_trouble(struct table *table, const char *trouble)
{
    struct table_text text;

    pthread_mutex_lock(&table->jails_lock);
    if (read_text(table->header, &text)) {
        memset(text.trouble, 0, sizeof text.trouble);
        snprintf(text.trouble, sizeof text.trouble, "%s", trouble ? trouble : "");
        write_text(table->header, &text);
    }
    pthread_mutex_unlock(&table->jails_lock);
}

/* ---- attaching ---- */

static int
make_locks(struct table *table)
{
    table->stripes = aligned_alloc(64, TABLE_STRIPES * sizeof *table->stripes);
    if (!table->stripes)
        return -ENOMEM;
    for (unsigned i = 0; i < TABLE_STRIPES; i++)
        pthread_mutex_init(&table->stripes[i].lock, NULL);
    pthread_mutex_init(&table->jails_lock, NULL);
    pthread_mutex_init(&table->bans.lock, NULL);
    return 0;
}

static int
attach_rest(struct table *table, uint64_t *jails_used, size_t *dropped_records)
{
    int error = table_attach_records(table, jails_used, dropped_records);

    if (!error)
        error = table_attach_attempts(table);
    if (!error)
        error = table_attach_evidence(table);
    if (error)
        return error;
    table_attach_gateways(table);
    table_keep_jails(table, *jails_used);
    return 0;
}

/* In a table of layout 3: those that are not taken over. */
static size_t
damaged_records(const struct table *table)
{
    size_t damaged = 0;

    for (uint32_t i = 0; i < table->capacity; i++) {
        const struct cell *const cell = (const struct cell *)table->records + i;
        const struct record record = layout3_record(cell);

        damaged +=
            layout3_is_damaged(cell) || (record.head.used && !table_is_record(table, &record));
    }
    return damaged;
}

static int
attach(struct table *table, const struct table_options *options)
{
    size_t dropped_records = 0, dropped_bans = 0;
    uint64_t jails_used = 0;
    int error = make_locks(table);

    if (error)
        return error;
    table->bans.are_told = options->are_bans_told;
    table->bans.are_sent = options->are_bans_sent;
    table_attach_jails(table);
    error = table_attach_bans(table, &jails_used, &dropped_bans);
    if (!error && table->layout == 4)
        error = attach_rest(table, &jails_used, &dropped_records);
    if (error)
        return error;
    if (table->layout == 3) /* the rest is only to be read, once */
        dropped_records = damaged_records(table);
    if (dropped_records + dropped_bans > 0)
        report_say(options->report, LOG_WARNING,
                   "%s: %zu record%s and %zu ban%s were damaged and have been dropped",
                   options->path, dropped_records, report_plural(dropped_records), dropped_bans,
                   report_plural(dropped_bans));
    return 0;
}

/* Last of all: from now on readers see who writes. */
static void
announce(struct table *table, const struct table_options *options)
{
    struct table_text text = {0};

    snprintf(text.version, sizeof text.version, "%s", PACKAGE_VERSION);
    snprintf(text.ledger_path, sizeof text.ledger_path, "%s",
             options->ledger_path ? options->ledger_path : "");
    write_text(table->header, &text);
    cell_clear(&table->header->outage);
    table->life = (atomic_fetch_add(&table->header->lives, 1) + 1) % LINE_LIVES;
    atomic_store(&table->header->opened_ms, options->now_ms);
    atomic_store(&table->header->writer, (int64_t)getpid());
}

/* ---- a change of shape ---- */

static void
adopt_bans(struct table *table, const struct table *old, uint32_t *new_slots)
{
    struct ban_cell cell;

    for (uint32_t i = 0; i < old->max_bans; i++) {
        cell_load(&old->ban_cells[i], &cell);
        new_slots[i] = cell.head.used == BAN_FREE ? 0 : table_adopt_ban(table, &cell);
    }
}

static void
adopt_records(struct table *table, const struct table *old, const uint32_t *new_slots,
              int64_t now_ms)
{
    struct record record;

    for (uint32_t i = 0; i < old->capacity; i++) {
        if (old->layout == 3)
            record = layout3_record((const struct cell *)old->records + i);
        else
            words_load(old->records[i].word, RECORD_WORDS, &record);
        if (!record.head.used || !table_is_record(old, &record))
            continue;
        if (record.ban != 0)
            record.ban = new_slots[record.ban - 1];
        table_adopt_record(table, &record, now_ms);
    }
}

static void
adopt_header(struct table_header *header, const struct table_header *old)
{
    atomic_store(&header->generation, atomic_load(&old->generation));
    atomic_store(&header->bans, atomic_load(&old->bans));
    atomic_store(&header->withdrawn, atomic_load(&old->withdrawn));
    atomic_store(&header->lives, atomic_load(&old->lives));
    atomic_store(&header->repeated, atomic_load(&old->repeated));
    atomic_store(&header->learn_until_ms, atomic_load(&old->learn_until_ms));
    atomic_store(&header->unbans, atomic_load(&old->unbans));
    for (unsigned i = 0; i < TABLE_TALLIES; i++) {
        table_add(&header->tallies[i].counted, atomic_load(&old->tallies[i].counted));
        table_add(&header->tallies[i].duplicates, atomic_load(&old->tallies[i].duplicates));
        table_add(&header->tallies[i].evicted, atomic_load(&old->tallies[i].evicted));
        table_add(&header->tallies[i].refused, atomic_load(&old->tallies[i].refused));
    }
}

static int
adopt(struct table *table, const struct table *old, const struct table_options *options)
{
    uint32_t *new_slots = calloc(old->max_bans, sizeof *new_slots);

    if (!new_slots)
        return -ENOMEM;
    table_adopt_jails(table, old);
    adopt_header(table->header, old->header);
    table_adopt_health(table, old);
    table_adopt_gateways(table, old);
    table_adopt_evidence(table, old);
    table_adopt_lines(table, old);
    table->bans.last_id = table->bans.seen_id = old->bans.last_id;
    table->bans.latest_ms = old->bans.latest_ms;
    table_guarded_set(&table->header->last_id, old->bans.last_id);
    table_guarded_set(&table->header->latest_ms, (uint64_t)old->bans.latest_ms);
    adopt_bans(table, old, new_slots);
    adopt_records(table, old, new_slots, options->now_ms);
    free(new_slots);
    return 0;
}

static uint32_t
bans_in_use(const struct table *table)
{
    uint32_t used = 0;
    struct ban ban;

    for (uint32_t i = 0; i < table->max_bans; i++)
        used += table_read_ban(table, i, &ban);
    return used;
}

static void
detach(struct table *table)
{
    free(table->record_buckets);
    free(table->ghosts);
    free(table->attempt_buckets);
    free(table->stripes);
    free(table->chains.heads);
    free(table->chains.before);
    free(table->bans.slots);
    free(table->bans.chains);
    free(table->bans.shares);
    free(table->bans.heap);
    table_file_close(table);
}

/* Makes a file of this shape beside that of *table, moves all into it, and replaces *table by it.
 * Where that fails *table stays as it is. */
static int
move(struct table *table, const struct table_options *options, struct table_shape shape,
     uint32_t used)
{
    struct table other = {.file = -1};
    int error = table_file_create(options, shape, table, &other);

    if (!error && other.max_bans < used)
        error = -ENOSPC;
    if (!error)
        error = attach(&other, options);
    if (!error)
        error = adopt(&other, table, options);
    if (!error)
        error = table_file_publish(options, true);
    if (error) {
        if (other.file >= 0)
            table_file_discard(options);
        detach(&other);
        return error;
    }
    detach(table);
    *table = other;
    return 0;
}

/* Gives a table the shape that is asked for now, and the layout. What cannot be done is said. A
 * table of this layout stays as it is then; one of layout 3 cannot be used: -EPROTO. */
static int
reshape(struct table *table, const struct table_options *options)
{
    struct table_shape shape = table_file_shape(options);
    uint32_t used = bans_in_use(table);
    int error;

    if (shape.max_bans < used)
        shape.max_bans = used; /* no ban is lost for want of room */
    if (table->layout == 4 && shape.capacity == table->capacity &&
        shape.max_bans == table->max_bans)
        return 0;
    error = move(table, options, shape, used);
    if (!error)
        return 0;
    if (table->layout == 4)
        report_say(options->report, LOG_WARNING,
                   "%s keeps its capacity %u and maxBans %u: it could not be changed: %s",
                   options->path, table->capacity, table->max_bans, strerror(-error));
    return table->layout == 4 ? 0 : -EPROTO;
}

/* ---- opening ---- */

static int
begin_anew(const struct table_options *options, struct table *table)
{
    int error = table_file_create(options, table_file_shape(options), NULL, table);

    if (error)
        return error;
    error = attach(table, options);
    if (!error)
        error = table_file_publish(options, false);
    if (error)
        table_file_discard(options);
    return error;
}

/* One try; -EAGAIN when somebody else has put another file there meanwhile. */
static int
open_or_begin(const struct table_options *options, struct table *table, bool *is_new)
{
    const char *why = NULL;
    int file = -1, error;

    *is_new = false;
    error = options->path ? table_file_open(options, table, &file, &why) : -ENOENT;
    if (error == 0) {
        error = attach(table, options);
        if (!error)
            error = reshape(table, options);
        if (error != -EPROTO)
            return error;
        why = "its layout is that of an earlier version, and it could not be taken over";
        file = dup(table->file); /* keeps the lock until it has been moved aside */
        detach(table);
        *table = (struct table){.file = -1};
    }
    if (error == -EPROTO)
        error = table_file_set_aside(options, why);
    if (error == 0 || error == -ENOENT) {
        *is_new = true;
        error = begin_anew(options, table);
    }
    if (file >= 0)
        close(file);
    return error == -EEXIST ? -EAGAIN : error;
}

int
table_open(const struct table_options *options, struct table **table, bool *is_new)
{
    struct table *opened = malloc(sizeof *opened);
    int error;

    if (!opened)
        return -ENOMEM;
    do {
        *opened = (struct table){.file = -1};
        error = open_or_begin(options, opened, is_new);
        if (error)
            detach(opened);
    } while (error == -EAGAIN);
    if (error) {
        free(opened);
        return error;
    }
    announce(opened, options);
    *table = opened;
    return 0;
}

int
table_open_reader(const char *path, const struct table **table)
{
    struct table *opened = malloc(sizeof *opened);
    int error;

    if (!opened)
        return -ENOMEM;
    *opened = (struct table){.file = -1};
    error = table_file_open_reader(path, opened);
    if (error) {
        free(opened);
        return error;
    }
    *table = opened;
    return 0;
}

void
table_close(struct table *table)
{
    if (!table)
        return;
    if (table->is_writer)
        atomic_store(&table->header->writer, 0);
    detach(table);
    free(table);
}

/* What is const is the memory that is mapped; who reads it has the rest to himself. */
void
table_close_reader(const struct table *table)
{
    table_close((struct table *)table);
}

/* ---- status ---- */

void
table_read_status(const struct table *table, struct table_status *status)
{
    const struct table_header *header = table->header;
    struct table_text text;

    *status = (struct table_status){
        .table_id = header->fixed.table_id,
        .generation = atomic_load(&header->generation),
        .capacity = table->capacity,
        .max_bans = table->max_bans,
        .created_ms = header->fixed.created_ms,
        .opened_ms = atomic_load(&header->opened_ms),
        .withdrawn = atomic_load(&header->withdrawn),
        .bans = atomic_load(&header->bans),
        .unbans = atomic_load(&header->unbans),
        .repeated = atomic_load(&header->repeated),
    };
    if (table->is_writer || table_file_has_writer(table))
        status->writer = (pid_t)atomic_load(&header->writer);
    for (unsigned i = 0; i < TABLE_TALLIES; i++) {
        status->counted += atomic_load(&header->tallies[i].counted);
        status->duplicates += atomic_load(&header->tallies[i].duplicates);
        status->evicted += atomic_load(&header->tallies[i].evicted);
        status->refused += atomic_load(&header->tallies[i].refused);
    }
    if (read_text(header, &text)) {
        snprintf(status->version, sizeof status->version, "%.*s", (int)sizeof text.version,
                 text.version);
        snprintf(status->ledger_path, sizeof status->ledger_path, "%.*s",
                 (int)sizeof text.ledger_path, text.ledger_path);
        snprintf(status->trouble, sizeof status->trouble, "%.*s", (int)sizeof text.trouble,
                 text.trouble);
    }
}
