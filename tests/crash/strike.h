/* strike - what is done to the system in the middle of a run: a gateway that dies at a fault point
 * or at any moment, MariaDB or the web server killed or frozen, a disk without room.
 *
 * The owner calls one of them while a load runs; it returns when all is back, with the load still
 * running. Meanwhile the books are looked at whenever the database can be asked. One thread. */
#ifndef TESTS_CRASH_STRIKE_H
#define TESTS_CRASH_STRIKE_H

#include "tests/crash/audit.h"
#include "tests/crash/load.h"

#include <sys/types.h>

enum { STRIKE_ORPHANS_MAX = 32 };

struct strike {
    struct load *load;
    uint64_t rng;
    const char *token; /* the file that allows a fault point one kill */
    const char *disk;  /* where a full disk is simulated; NULL: nowhere */
    bool must_refuse;  /* without room requests are refused in the end */
    bool is_brief;     /* the shortest freezes only */
    int deaths;        /* processes that died */
    int64_t back_ms;   /* from the database's or disk's return to the first answer; -1: not tried */
    pid_t orphans[STRIKE_ORPHANS_MAX]; /* gateways whose web server was killed */
    size_t orphans_n;
    char broken[AUDIT_TEXT]; /* what did not hold meanwhile; "": nothing */
};

typedef void strike_fn(struct strike *s);

/* strike_point - a gateway dies at the fault point, and a second one after it. strike_adopter - one
 * is killed, and whoever adopts it dies at the fault point. */
strike_fn strike_point;
strike_fn strike_adopter;
/* strike_gateways - gateways are killed at random moments. strike_long_stream - a stream of 30 s
 * loses its process at 10 s; of 9 s at 3 s when brief. */
strike_fn strike_gateways;
strike_fn strike_long_stream;

strike_fn strike_database_kill;
strike_fn strike_database_freeze;
strike_fn strike_web_kill;
strike_fn strike_web_freeze;
/* strike_disk_full - s->disk has no room for a while. */
strike_fn strike_disk_full;

/* strike_mount - a small disk of its own at this path; false when we may not. strike_unmount. */
bool strike_mount(const char *path, const char *size);
void strike_unmount(const char *path);

#endif
