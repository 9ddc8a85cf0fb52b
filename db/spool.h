/* spool - the directory of one process inside spool_dir: made, locked, read by others after its death, removed.
 *
 *   <spool_dir>/<ULID>/owner              installation, host and id
 *                      lock               locked while the process lives
 *                      slots              running requests (slots)
 *                      segment-0000000001 close lines (segment)
 *   <spool_dir>/.new-<ULID>/              being made: holds nothing yet
 *   <spool_dir>/.done-<ULID>/             being removed: all of it is in the database
 *   <spool_dir>/rejected                  lines that the database refused; an admin's to look at
 *
 * Everything here blocks for the disk; no locks of its own. Paths of process directories are at most SPOOL_PATH_MAX long. */
#ifndef AIPASS_DB_SPOOL_H
#define AIPASS_DB_SPOOL_H

#include "base/buf.h"
#include "base/clock.h"
#include "db/money_ops.h"

#define SPOOL_PATH_MAX 1024
#define SPOOL_NAME_MAX 64
#define SPOOL_LOCK     "lock"
#define SPOOL_NEW      ".new-"
#define SPOOL_DONE     ".done-"
#define SPOOL_STALE_MS 60000 /* a .new- directory older than this was left by a dead process */

struct spool {
    char dir[SPOOL_PATH_MAX];
    int lock_fd;   /* -1: none */
    bool is_ready; /* spool_make has succeeded */
};

struct spool_owner {
    char installation[INSTALLATION_ID_SIZE];
    char host_id[HOST_SIZE];
    char process[ULID_SIZE];
};

/* spool_path - "dir/name". name: at most SPOOL_NAME_MAX bytes. ERR_FULL: too long. */
ERR_CHECK enum err spool_path(char dst[SPOOL_PATH_MAX], const char *dir, const char *name);

/* spool_make - root is made when missing (not its parents). s: lock_fd -1, or as the last try left it: once the directory has its name its lock is kept, since whoever adopted it would forget the position of
 * its next one. ERR_OK: a power cut does not take the directory. ERR_IO (logged): try again. */
ERR_CHECK enum err spool_make(const struct money_ops *ops, const char *root,
                              const struct spool_owner *owner, struct spool *s);

/* spool_read_owner - ERR_END: no such directory or file; ERR_FORMAT; ERR_IO. */
ERR_CHECK enum err spool_read_owner(const struct money_ops *ops, const char *dir,
                                    struct spool_owner *out);

/* spool_lock - takes the lock of a dead process's directory. ERR_BUSY: it lives; ERR_END: the directory is gone; ERR_IO. */
ERR_CHECK enum err spool_lock(const struct money_ops *ops, const char *root, const char *id,
                              struct spool *out);
void spool_unlock(const struct money_ops *ops, struct spool *s);

/* spool_retire - a directory whose lock we have is one that is being removed from here on, also after a power cut. ERR_IO (logged): unlocked; it will be found again, under either name. */
ERR_CHECK enum err spool_retire(const struct money_ops *ops, const char *root, const char *id,
                                struct spool *s);
/* spool_remove - what spool_retire began; unlocks. ERR_IO (logged): it stays, for spool_sweep. */
ERR_CHECK enum err spool_remove(const struct money_ops *ops, struct spool *s);

/* spool_sweep - name: an entry of root that begins with SPOOL_NEW or SPOOL_DONE; removes it when nobody works on it. */
void spool_sweep(const struct money_ops *ops, const char *root, const char *name);

/* spool_read_file - appends the whole file to b, up to b->max. ERR_END, ERR_IO, ERR_FULL, ERR_MEMORY. */
ERR_CHECK enum err spool_read_file(const struct money_ops *ops, const char *path, struct buf *b);

/* spool_reject - appends lines, each with its newline, to root/rejected, but for those that are in it already; durable on ERR_OK. *added: how many. ERR_IO, also while another process does the same. */
ERR_CHECK enum err spool_reject(const struct money_ops *ops, const char *root, struct slice lines,
                                int64_t *added);

/* spool_count_rejected - *bytes: its size when it was counted last, -1 for never; unchanged size: *rows stays. ERR_IO. */
ERR_CHECK enum err spool_count_rejected(const struct money_ops *ops, const char *root,
                                        int64_t *bytes, int64_t *rows);

#endif
