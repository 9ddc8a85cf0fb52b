#include "upstream/select.h"

#include "base/hash.h"

#include <assert.h>

/* Seeds that keep the two choices independent of each other. */
#define SEED_CHANNEL UINT64_C(0x636861)
#define SEED_KEY     UINT64_C(0x6b6579)

#define HASH_BITS 53 /* what a double holds exactly */
#define LN_2      0.693147180559945309417232121458
#define LN_TERMS  18
#define LN_LEAST  1e-17 /* below what rounding leaves of the logarithm next to 1 */

/* What is open to choice now: the untried ones of one priority, with weight or without. */
struct tier {
    int64_t priority;
    bool is_weighted;
};

/* -ln(x / 2^53) for 0 < x < 2^53, written out so that every node ranks alike whatever its libm:
 * x = m * 2^k with 1 <= m < 2, and ln m = 2 atanh((m - 1) / (m + 1)). */
static double minus_ln(uint64_t x)
{
    int k = 63 - __builtin_clzll(x);
    double m = (double)x / (double)(UINT64_C(1) << k);
    double s = (m - 1) / (m + 1), power = s, sum = 0, result;
    int i;

    for (i = 0; i < 2 * LN_TERMS; i += 2) {
        sum += power / (i + 1);
        power *= s * s;
    }
    result = (HASH_BITS - k) * LN_2 - 2 * sum;
    return result > LN_LEAST ? result : LN_LEAST;
}

/* Rendezvous: of all ids the one with the highest score wins, each with probability weight / sum of
 * weights, and no id's score depends on the others. */
static double score(uint64_t affinity, uint64_t seed, int64_t id, int64_t weight)
{
    uint64_t bits = (uint64_t)id, hash;
    char bytes[sizeof(bits)];
    size_t i;

    for (i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(bits >> (8 * i) & 0xff);
    hash = hash_64((struct slice){bytes, sizeof(bytes)}, affinity ^ seed);
    return (double)weight / minus_ln(hash >> (64 - HASH_BITS) | 1);
}

static bool is_open(const struct candidate *c, const struct tier *t)
{
    return !c->is_tried && c->priority == t->priority && (c->weight > 0) == t->is_weighted;
}

static bool find_tier(const struct candidate *c, size_t n, struct tier *t)
{
    bool found = false;
    size_t i;

    for (i = 0; i < n; i++) {
        if (c[i].is_tried || c[i].is_full || (found && c[i].priority < t->priority))
            continue;
        if (!found || c[i].priority > t->priority)
            *t = (struct tier){c[i].priority, false};
        found = true;
        t->is_weighted = t->is_weighted || c[i].weight > 0;
    }
    return found;
}

/* Over all keys of the channel, also tried ones: else trying one would move the conversations of
 * the others. */
static int64_t channel_weight(const struct candidate *c, size_t n, int64_t channel_id)
{
    int64_t most = 1;
    size_t i;

    for (i = 0; i < n; i++) {
        int64_t weight = c[i].key_weight > 1 ? c[i].weight / c[i].key_weight : c[i].weight;

        if (c[i].channel_id == channel_id && weight > most)
            most = weight;
    }
    return most;
}

/* The channel of the tier that the hash names, as one of its candidates. Full ones too: another
 * takes the place of each by its load. */
static size_t find_channel(const struct candidate *c, size_t n, const struct tier *t,
                           uint64_t affinity)
{
    size_t i, best = SELECT_NONE;
    double best_score = 0;

    for (i = 0; i < n; i++) {
        double s;

        if (!is_open(&c[i], t) || (best != SELECT_NONE && c[best].channel_id == c[i].channel_id))
            continue;
        s = score(affinity, SEED_CHANNEL, c[i].channel_id, channel_weight(c, n, c[i].channel_id));
        if (best == SELECT_NONE || s > best_score ||
            (s >= best_score && c[i].channel_id < c[best].channel_id)) {
            best = i;
            best_score = s;
        }
    }
    return best;
}

/* The one with the fewest requests for its weight, of those that are not full. */
static size_t find_least(const struct candidate *c, size_t n, const struct tier *t)
{
    size_t i, best = SELECT_NONE;
    double best_load = 0;

    for (i = 0; i < n; i++) {
        double load;

        if (!is_open(&c[i], t) || c[i].is_full)
            continue;
        load = (double)c[i].running / (double)channel_weight(c, n, c[i].channel_id);
        if (best == SELECT_NONE || load < best_load ||
            (load <= best_load && c[i].channel_id < c[best].channel_id)) {
            best = i;
            best_load = load;
        }
    }
    return best;
}

size_t select_next(const struct candidate *c, size_t n, uint64_t affinity)
{
    size_t i, best;
    double best_score = 0;
    int64_t channel_id;
    struct tier t = {0};

    assert(n <= SELECT_CANDIDATES_MAX);
    if (!find_tier(c, n, &t))
        return SELECT_NONE;
    best = find_channel(c, n, &t, affinity);
    if (c[best].is_full)
        best = find_least(c, n, &t);
    channel_id = c[best].channel_id;
    best = SELECT_NONE;
    for (i = 0; i < n; i++) {
        double s;

        if (!is_open(&c[i], &t) || c[i].channel_id != channel_id)
            continue;
        s = score(affinity, SEED_KEY, c[i].key_id, c[i].weight > 0 ? c[i].weight : 1);
        if (best == SELECT_NONE || s > best_score ||
            (s >= best_score && c[i].key_id < c[best].key_id)) {
            best = i;
            best_score = s;
        }
    }
    return best;
}
