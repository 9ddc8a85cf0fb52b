/* model_disk - the disk of each host: a root with process directories, and files of which two things are kept: what programs read (the page cache) and what would survive a power cut.
 *
 *   sync        makes a file's content durable. A sync that fails leaves the pages clean: a later one succeeds and writes nothing of them.
 *   sync_dir    makes a directory's names durable. Without it any number of the last changes of names may be undone by a power cut.
 *   power cut   of each file all, nothing, a part up to any byte, or some sectors of what was not synced are there
 *   kill        leaves all as programs saw it; locks and handles end
 *
 * Writes may come back short with EIO or ENOSPC, and a process may be killed in the middle of one. A slot is written whole or not at all (it lies in one page). */
#ifndef AIPASS_TESTS_MODEL_DISK_H
#define AIPASS_TESTS_MODEL_DISK_H

#include "tests/sim/world.h"

void model_disk_begin(void);
struct money_disk_ops model_disk_ops(struct process *p);

/* The process died: its handles and locks end. */
void model_disk_death(const struct process *p);
void model_disk_power_cut(int host);

/* Whether a segment's file is there still. */
bool model_disk_has_segment(int process, uint64_t segment);
/* Process directories. One without its owner or lock is what a failed start has left, and holds nothing. */
int model_disk_directories(int host);
/* The content of spool/rejected; n 0: none. */
const char *model_disk_rejected(int host, size_t *n);

#endif
