/* history - the last requests, as received, and how their answers ended.
 *
 * A ring of 64 entries. An entry is addressed by its number; when the ring has gone past it,
 * history_find gives NULL and the news is dropped. Bodies above 64 kB are kept as length and
 * SHA-256 only, unless keep_bodies is set. One thread.
 */
#ifndef TESTS_PROVIDER_HISTORY_H
#define TESTS_PROVIDER_HISTORY_H

#include "tests/provider/inbound.h"

enum { HISTORY_ENTRIES = 64, HISTORY_BODY_MAX = 64 * 1024, HISTORY_SHA256 = 32 };

enum history_outcome {
    HISTORY_RUNNING,
    HISTORY_WHOLE,
    HISTORY_CUT_BY_CLIENT,
    HISTORY_CUT_BY_SCRIPT,
};

struct history_entry {
    uint64_t number; /* from 1; 0: unused */
    uint64_t connection;
    struct bytes head;
    struct bytes body;                    /* empty when only the hash was kept */
    size_t body_bytes;                    /* received */
    bool has_body;                        /* body holds all of it */
    unsigned char sha256[HISTORY_SHA256]; /* of the body, when it was not kept */
    enum history_outcome outcome;
    int status;       /* of the answer; 0: none yet */
    int64_t begun_us; /* request received */
    int64_t first_us; /* first byte of the answer sent; 0: none */
    int64_t ended_us; /* 0: running */
    int64_t sent_bytes;
};

struct history {
    struct history_entry entries[HISTORY_ENTRIES];
    uint64_t last; /* number of the newest entry */
    bool keep_bodies;
};

/* history_add - note a request. Takes head and body out of it: its spans are void afterwards.
 * Returns the new entry. */
struct history_entry *history_add(struct history *h, struct inbound *in, uint64_t connection,
                                  int64_t now_us);

/* history_find - the entry of that number, or NULL. */
struct history_entry *history_find(struct history *h, uint64_t number);

/* history_print - append {"requests":[...]}, the last `count` entries, oldest first. */
void history_print(const struct history *h, size_t count, struct bytes *out);

/* history_clear - free everything. */
void history_clear(struct history *h);

#endif
