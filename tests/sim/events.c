#include "tests/sim/events.h"

#include <stdio.h>
#include <string.h>

static const char *const names[EVENT_COUNT] = {
    [EVENT_TOGETHER] = "three processes at once",
    [EVENT_STOP] = "a process stops",
    [EVENT_KILL] = "a process is killed",
    [EVENT_KILL_IN_WRITE] = "killed in the middle of a write",
    [EVENT_KILL_IN_UPKEEP] = "killed while it adopts, gives back or stops",
    [EVENT_POWER_CUT] = "a host loses power",
    [EVENT_FREEZE] = "a process is frozen",
    [EVENT_ADOPTED] = "a dead process is adopted",
    [EVENT_ADOPTED_SEGMENT] = "a segment of another is flushed",
    [EVENT_INTERRUPTED] = "an interrupted request gets its row",
    [EVENT_ABANDONED] = "a process is abandoned",
    [EVENT_AFTER_ABANDONMENT] = "costs without a lease are charged",
    [EVENT_WANTED] = "a wanted account is found",
    [EVENT_RESERVED] = "refused: reserved by others",
    [EVENT_NO_FUNDS] = "refused: out of credit",
    [EVENT_LOCK_WAIT] = "a transaction waits for a lock",
    [EVENT_RETRY] = "a transaction loses against another",
    [EVENT_UNKNOWN_TAKE] = "take: COMMIT without an answer",
    [EVENT_UNKNOWN_GIVE] = "give-back: COMMIT without an answer",
    [EVENT_UNKNOWN_FLUSH] = "flush: COMMIT without an answer",
    [EVENT_UNKNOWN_END] = "end of a process: COMMIT without an answer",
    [EVENT_LATE_COMMIT] = "it is applied later",
    [EVENT_LATE_ROLLBACK] = "it is rolled back later",
    [EVENT_REPEATED_FLUSH] = "a segment is flushed that already was",
    [EVENT_LOST_CONNECTIONS] = "a process loses its connections",
    [EVENT_OUTAGE] = "the database is gone",
    [EVENT_SERVER_CRASH] = "the database crashes",
    [EVENT_FAILOVER] = "a failover loses commits",
    [EVENT_LOST_ROW] = "a usage row is lost",
    [EVENT_LOST_ROW_AGAIN] = "a lost usage row comes again",
    [EVENT_CLOCK_FORWARD] = "a clock jumps forward",
    [EVENT_CLOCK_BACK] = "a clock jumps back",
    [EVENT_SHORT_WRITE] = "a write fails half way",
    [EVENT_NO_SPACE] = "no space",
    [EVENT_READ_ERROR] = "a read fails",
    [EVENT_FAILED_SYNC] = "a sync of a file fails",
    [EVENT_FAILED_DIR_SYNC] = "a sync of a directory fails",
    [EVENT_TORN_SLOT] = "a slot is torn",
    [EVENT_REJECTED] = "a line is put into spool/rejected",
    [EVENT_ADJUSTMENT] = "an admin takes credit away",
};

static uint64_t counts[EVENT_COUNT], torn[TORN_MAX];

void happened(enum event e)
{
    counts[e]++;
}

void happened_torn(size_t at, size_t n)
{
    if (at < n && at < TORN_MAX)
        torn[at]++;
}

void events_add(struct events *all)
{
    for (int i = 0; i < EVENT_COUNT; i++)
        atomic_fetch_add(&all->n[i], counts[i]);
    for (int i = 0; i < TORN_MAX; i++)
        atomic_fetch_add(&all->torn[i], torn[i]);
    memset(counts, 0, sizeof(counts));
    memset(torn, 0, sizeof(torn));
}

/* The last byte of the lines at which any was cut: lines differ in length. */
static int torn_end(const struct events *all)
{
    int end = TORN_MAX;
    while (end && !all->torn[end - 1])
        end--;
    return end;
}

void events_print(const struct events *all)
{
    uint64_t lines = 0;
    for (int i = 0; i < EVENT_COUNT; i++)
        printf("%10llu  %s\n", (unsigned long long)all->n[i], names[i]);
    for (int i = 0; i < TORN_MAX; i++)
        lines += all->torn[i];
    printf("%10llu  a close line is torn, at each of its first %d bytes\n",
           (unsigned long long)lines, torn_end(all));
}

int events_missing(const struct events *all)
{
    int missing = 0, end = torn_end(all);
    for (int i = 0; i < EVENT_COUNT; i++) {
        if (!all->n[i]) {
            printf("never: %s\n", names[i]);
            missing++;
        }
    }
    for (int i = 0; i < end || (!end && !i); i++) {
        if (!all->torn[i]) {
            printf("never: a close line is torn after %d bytes\n", i);
            missing++;
        }
    }
    return missing;
}
