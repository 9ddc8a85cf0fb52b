/* slots - the file of running requests: one fixed place of SLOT_BYTES each, an encoded usage row filled up with zeros; a place that begins with a zero is empty.
 *
 * A place never crosses a page, so that a process killed while it writes leaves the old or the new row. Owner of a place: the request that took it. The file grows SLOTS_GROW places at a time. */
#ifndef AIPASS_DB_SLOTS_H
#define AIPASS_DB_SLOTS_H

#include "db/segment.h"

#define SLOT_BYTES       2048
#define SLOT_CLEAR_BYTES 16
#define SLOTS_GROW       64
#define SLOTS_FILE       "slots"

struct money;
struct lease_account;

/* slots_init, slots_clear - the part of m; no thread uses it yet, or any more. The file stays. */
void slots_init(struct money *m);
void slots_clear(struct money *m);
/* slots_open - makes the file in the spool directory. ERR_IO. */
ERR_CHECK enum err slots_open(struct money *m);

/* slots_take - a free place, with blocks on the disk. account: whose reference the place keeps. ERR_BUSY: all are in use; ERR_FULL, ERR_IO: the disk. */
ERR_CHECK enum err slots_take(struct money *m, struct lease_account *account, int *index);
/* slots_release - the place is free again; its content stays as it is. Returns the account. */
struct lease_account *slots_release(struct money *m, int index);
struct lease_account *slots_account(struct money *m, int index);
int slots_used(struct money *m);

/* slots_write - line: at most SLOT_BYTES. slots_wipe - makes the place empty. ERR_IO. */
ERR_CHECK enum err slots_write(struct money *m, int index, const char *line, size_t n);
ERR_CHECK enum err slots_wipe(struct money *m, int index);

/* slots_read - adds the rows of the full places of a file; what does not decode goes to r->bad with an LF. ERR_END: no file. ERR_IO, ERR_MEMORY. */
ERR_CHECK enum err slots_read(const struct money_ops *ops, const char *path,
                              struct segment_rows *r);

#endif
