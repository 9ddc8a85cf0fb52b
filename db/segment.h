/* segment - a file of close lines, named segment-<number>, and what is read from it.
 *
 * While it is written it is preallocated: zeros follow the last line, and a line that was not written whole has zeros in it. So lines end at LF, and a zero ends what cannot be a line. A whole
 * line that does not decode (damage, or another version's) is kept for spool/rejected; what ends in zeros or at the end of the file was torn: its request still has its slot.
 * Blocks for the disk; no locks. */
#ifndef AIPASS_DB_SEGMENT_H
#define AIPASS_DB_SEGMENT_H

#include "base/buf.h"
#include "db/spool.h"
#include "db/usage_row.h"

#define SEGMENT_FILE_MAX ((size_t)64 << 20) /* a segment, or a file of slots, is read up to here */

struct segment_rows {
    struct usage_row *rows;
    size_t n, cap;
    struct buf bad; /* whole lines that do not decode, each with its LF */
    int torn;       /* pieces that are no lines */
};

/* segment_rows_init - empty. segment_rows_clear - frees; it can be used again. */
void segment_rows_init(struct segment_rows *r);
void segment_rows_clear(struct segment_rows *r);
/* segment_rows_add - a copy of row. ERR_MEMORY. */
ERR_CHECK enum err segment_rows_add(struct segment_rows *r, const struct usage_row *row);

/* segment_parse - adds what bytes hold. Gives the same for every way in which the last line was torn. ERR_MEMORY. */
ERR_CHECK enum err segment_parse(struct slice bytes, struct segment_rows *r);

/* segment_path - of a number in a process directory. segment_number - of a file name; 0: it is no segment. */
void segment_path(char dst[SPOOL_PATH_MAX], const char *dir, uint64_t number);
uint64_t segment_number(const char *name);

/* segment_read - adds the rows of a file. ERR_END: no such file; ERR_IO, ERR_MEMORY. */
ERR_CHECK enum err segment_read(const struct money_ops *ops, const char *path,
                                struct segment_rows *r);

/* segment_write - makes the file of that number with these rows: under another name, synced, then renamed (over one that is there), so that it is there whole or not at all. ERR_IO. */
ERR_CHECK enum err segment_write(const struct money_ops *ops, const char *dir, uint64_t number,
                                 const struct usage_row *rows, size_t n);

#endif
