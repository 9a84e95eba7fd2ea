/* table-lines: see table-lines.h. Buckets of eight lines; a bucket's stripe is its lock.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table/table-lines.h"

#include "base/hash.h"
#include "table/table-private.h"

/* Two real lines with a stamp of the same second are written, and so received, within a second. A
 * sender waits at least as long (rsyslog's action.resumeInterval) before it connects anew. */
#define BURST_MS 1000

/* ---- the fingerprint ---- */

/* Each piece is the seed of the next, so that none can be taken for the end of the one before. */
uint64_t
table_fingerprint(const struct table *table, const struct line *line)
{
    const uint64_t stamp[] = {(uint64_t)line->stamp_us, line->reading, line->host.length,
                              line->tag.length};
    uint64_t hash = hash_bytes(table->header->fixed.seed[1], stamp, sizeof stamp);

    hash = hash_bytes(hash, line->host.at, line->host.length);
    hash = hash_bytes(hash, line->tag.at, line->tag.length);
    hash = hash_bytes(hash, line->text.at, line->text.length);
    return hash != 0 ? hash : 1;
}

/* ---- the lines that have come ---- */

static struct known_line
load(const struct line_bucket *bucket, unsigned way)
{
    struct known_line known;

    memcpy(&known, (const char *)bucket + way * sizeof known, sizeof known);
    return known;
}

/* Whoever is killed in between leaves a line without a fingerprint. */
static void
store(struct line_bucket *bucket, unsigned way, const struct known_line *known)
{
    uint64_t word[2];

    memcpy(word, known, sizeof word);
    atomic_store_explicit(&bucket->word[2 * way], 0, memory_order_relaxed);
    atomic_store_explicit(&bucket->word[2 * way + 1], word[1], memory_order_release);
    atomic_store_explicit(&bucket->word[2 * way], word[0], memory_order_release);
}

/* The way of the line that came first, or of none. */
static unsigned
first_of(const struct line_bucket *bucket)
{
    uint64_t first_ms = UINT64_MAX;
    unsigned first = 0;

    for (unsigned way = 0; way < LINE_WAYS; way++) {
        const struct known_line known = load(bucket, way);

        if (known.fingerprint == 0)
            return way;
        if (known.received_ms < first_ms) {
            first_ms = known.received_ms;
            first = way;
        }
    }
    return first;
}

/* The way of this fingerprint, loaded; or that of the line that came first, without fingerprint. */
static unsigned
find_way(const struct line_bucket *bucket, uint64_t fingerprint, struct known_line *known)
{
    for (unsigned way = 0; way < LINE_WAYS; way++)
        if (atomic_load_explicit(&bucket->word[2 * way], memory_order_relaxed) == fingerprint) {
            *known = load(bucket, way);
            return way;
        }
    *known = (struct known_line){0};
    return first_of(bucket);
}

/* An equal line has come before. */
static bool
is_another(struct known_line *known, const struct line *line, unsigned life)
{
    const int64_t since_ms = line->received_ms - (int64_t)known->received_ms;

    if (known->life != life) {
        known->life = life;
        known->before = known->count;
    }
    if (known->before > 0) {
        known->before--;
        return false;
    }
    if (line->has_microseconds || since_ms >= BURST_MS || known->count == LINE_COUNT_MAX)
        return false;
    known->count++;
    return true;
}

bool
table_note_line(struct table *table, const struct line *line, uint64_t fingerprint)
{
    const uint32_t index = (uint32_t)((fingerprint >> 32) * table->line_bucket_count >> 32);
    struct line_bucket *const bucket = &table->line_buckets[index];
    pthread_mutex_t *const lock = table_stripe(table, index);
    struct known_line known;
    bool is_new = true;
    unsigned way;

    pthread_mutex_lock(lock);
    way = find_way(bucket, fingerprint, &known);
    if (known.fingerprint != 0)
        is_new = is_another(&known, line, table->life);
    else
        known = (struct known_line){.fingerprint = fingerprint,
                                    .received_ms = (uint64_t)line->received_ms,
                                    .life = table->life,
                                    .count = 1};
    store(bucket, way, &known);
    pthread_mutex_unlock(lock);
    if (!is_new)
        table_add(&table->header->repeated, 1);
    return is_new;
}

/* ---- a change of shape ---- */

/* Without a lock: nobody else has the table yet. */
static void
adopt(struct table *table, const struct known_line *known)
{
    const uint32_t index = (uint32_t)((known->fingerprint >> 32) * table->line_bucket_count >> 32);
    struct known_line other;
    const unsigned way = find_way(&table->line_buckets[index], known->fingerprint, &other);

    if (other.fingerprint == 0)
        store(&table->line_buckets[index], way, known);
}

void
table_adopt_lines(struct table *table, const struct table *old)
{
    for (uint32_t i = 0; old->layout != 3 && i < old->line_bucket_count; i++)
        for (unsigned way = 0; way < LINE_WAYS; way++) {
            const struct known_line known = load(&old->line_buckets[i], way);

            if (known.fingerprint != 0)
                adopt(table, &known);
        }
}
