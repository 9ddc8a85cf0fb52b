/* journal - the write-ahead record of usage: slots of running requests, numbered segments of close lines, and the thread that moves them to MariaDB.
 *
 * Law: an admitted request has a slot before the provider is called and a close line before its answer ends; whatever dies, exactly one usage row comes of it. A segment is
 * one transaction: its usage rows, one ledger row per account, its leases lowered, journal_positions from n-1 to n. Any thread but where said. */
#ifndef AIPASS_DB_JOURNAL_H
#define AIPASS_DB_JOURNAL_H

#include "base/err.h"
#include "db/usage_row.h"

struct money;

/* A place for one running request. Plain value owned by the request. */
struct journal_slot {
    int index; /* -1: none */
};

/* journal_admit - writes the request's slot and reserves room for its close line. row: status USAGE_INTERRUPTED, hold_nusd set, cost 0. ERR_UNAVAILABLE: the spool
 * cannot be written or has no room: refuse the request. */
ERR_CHECK enum err journal_admit(struct money *m, const struct usage_row *row,
                                 struct journal_slot *slot);

/* journal_note - overwrites the slot with what an interruption would be charged by now (after an extension of the hold). A failed write keeps the older note. */
void journal_note(struct money *m, struct journal_slot *slot, const struct usage_row *row);

/* journal_close - appends the close line, then clears the slot; with journal_sync = request it returns after fdatasync. Never fails: the room was reserved (an I/O error
 * is logged, readiness fails, and the slot stays, so that adoption still finds the request). Exactly once per admitted slot. */
void journal_close(struct money *m, struct journal_slot *slot, const struct usage_row *row);

struct journal_stats {
    int running;            /* slots in use */
    int64_t unflushed_rows; /* closed, not yet in MariaDB */
    int64_t unflushed_segments;
    int64_t oldest_ms;     /* age of the oldest unflushed line; 0 when none */
    int64_t rejected_rows; /* refused for their content, in spool/rejected */
    bool is_writable;      /* the spool takes new requests */
    uint64_t commits;      /* segments committed since start */
    uint64_t takes;        /* lease takes since start */
};
/* journal_stats - as it stands now. Any thread; reads memory only. */
void journal_stats(struct money *m, struct journal_stats *out);

#endif
