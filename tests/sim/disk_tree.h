/* disk_tree - the files and names of model_disk: inodes, directories, and what of them is durable. */
#ifndef AIPASS_TESTS_DISK_TREE_H
#define AIPASS_TESTS_DISK_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_SIZE   48
#define ENTRIES_MAX 64
#define CHANGES_MAX 64

/* What programs see, and what the disk has. Both have cap bytes; beyond their sizes they are zero. */
struct inode {
    char *data, *durable;
    int64_t size, durable_size, cap;
    int64_t dirty_from, dirty_to; /* not synced; empty: from >= to */
    struct dir *dir;              /* it is one */
    int locked_by;                /* handle; -1: none */
    uint64_t segment;             /* by the name that it was made under; 0: none */
};

struct entry {
    char name[NAME_SIZE];
    struct inode *inode;
};

/* Names as the disk has them, then what was done to them since. */
struct change {
    bool is_removal;
    struct entry entry;
    char from[NAME_SIZE]; /* a rename: this name goes in the same moment */
};

struct dir {
    struct entry entries[ENTRIES_MAX];
    int entries_n;
    struct entry durable[ENTRIES_MAX];
    int durable_n;
    struct change changes[CHANGES_MAX];
    int changes_n;
};

/* All live until the end of the run. */
struct inode *inode_new(bool is_dir);
/* inode_write - at `at`; becomes dirty. inode_resize - new bytes are zero. */
void inode_write(struct inode *f, const char *p, size_t n, int64_t at);
void inode_resize(struct inode *f, int64_t size);
void inode_sync(struct inode *f);
/* inode_forget_dirty - a sync failed: the pages count as clean. */
void inode_forget_dirty(struct inode *f);
/* inode_power_cut - what is there after one. */
void inode_power_cut(struct inode *f);

struct inode *dir_find(const struct dir *d, const char *name);
/* dir_set - makes or replaces a name. dir_remove, dir_rename (atomic). All wait for dir_sync. */
void dir_set(struct dir *d, const char *name, struct inode *inode);
void dir_remove(struct dir *d, const char *name);
void dir_rename(struct dir *d, const char *from, const char *to);
void dir_sync(struct dir *d);
/* dir_power_cut - undoes some of the last changes, and cuts the power of what is left, below it as well. */
void dir_power_cut(struct dir *d);

#endif
