/* select - which candidate is tried next: highest priority first, inside it weighted rendezvous
 * hashing on the conversation, so that a conversation stays where its prompt cache is without
 * any stored state. Pure; any thread. */
#ifndef AIPASS_UPSTREAM_SELECT_H
#define AIPASS_UPSTREAM_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SELECT_CANDIDATES_MAX 256
#define SELECT_NONE           SIZE_MAX

struct candidate {
    int64_t channel_id;
    int64_t key_id;
    int64_t priority; /* the highest number is tried first */
    int64_t weight; /* channel weight x key weight; 0: only when no other of its priority is left */
    /* the key's factor in weight; 0: taken as 1, which is right when all keys of a channel weigh
     * the same */
    int64_t key_weight;
    bool is_tried; /* failed in this request, or is not usable now */
    /* its channel takes no more requests at once: its conversations go to the least loaded of the
     * others */
    bool is_full;
    int64_t running; /* requests at its channel now */
};

/* select_next - index of the best candidate that was not tried, or SELECT_NONE. affinity: hash
 * of the conversation. The same input gives the same answer in every process; when one candidate
 * is tried only the conversations that were on it move. A channel counts once for its weight
 * however many keys it has: the key is chosen by a second hash. The other keys of a channel come
 * before the other channels: after a failure that is the channel's and not the key's, mark all
 * its keys as tried. Where the channel that the hash names is full, the one of the same priority
 * with the fewest running requests for its weight is taken. The order of c does not matter, but of two candidates with the same channel
 * and key the first wins. */
size_t select_next(const struct candidate *c, size_t n, uint64_t affinity);

#endif
