#include "tests/sim/model_disk.h"

#include "db/segment.h"
#include "db/slots.h"
#include "tests/sim/disk_tree.h"
#include "tests/sim/fiber.h"
#include "tests/sim/oracle.h"

#include <errno.h>
#include <string.h>

#define HANDLES_MAX   256
#define FILE_REJECTED "rejected"
#define FILE_OWNER    "owner"

struct handle {
    struct inode *inode;
    const struct process *process; /* NULL: not in use */
};

static struct handle handles[HANDLES_MAX];
static struct inode *roots[HOSTS_N];

void model_disk_begin(void)
{
    memset(handles, 0, sizeof(handles));
    for (int h = 0; h < HOSTS_N; h++)
        roots[h] = inode_new(true);
}

/* ---- faults ---- */

static enum err fault(struct process *p, int number)
{
    p->faults++;
    errno = number;
    return number == ENOENT ? ERR_END : number == ENOSPC ? ERR_FULL : ERR_IO;
}

static bool happens(uint32_t rate)
{
    return !world.is_calm && chance(rate);
}

static void enter(const char *name)
{
    if (chance(world.rates.yield))
        fiber_yield(name);
}

/* ---- names ---- */

struct place {
    struct dir *dir; /* where the name stands */
    char name[NAME_SIZE];
};

/* ERR_END: its directory is not there. */
static enum err find_place(const struct process *p, const char *path, struct place *out)
{
    struct slice rest = slice_of(path);
    struct dir *d = roots[p->host]->dir;
    if (!slice_starts(rest, SPOOL_ROOT "/"))
        fail("p%d: path %s", p->number, path);
    rest.p += sizeof(SPOOL_ROOT);
    rest.n -= sizeof(SPOOL_ROOT);
    struct slice name = slice_split(&rest, '/');
    if (!slice_copy_z(out->name, NAME_SIZE, name))
        fail("p%d: name %s", p->number, path);
    if (rest.p) {
        struct inode *in = dir_find(d, out->name);
        if (!in || !in->dir || !slice_copy_z(out->name, NAME_SIZE, rest))
            return ERR_END;
        d = in->dir;
    }
    out->dir = d;
    return ERR_OK;
}

static struct inode *find(const struct process *p, const char *path)
{
    struct place at;
    if (strcmp(path, SPOOL_ROOT) == 0)
        return roots[p->host];
    return find_place(p, path, &at) ? NULL : dir_find(at.dir, at.name);
}

/* ---- handles ---- */

static int handle_new(const struct process *p, struct inode *f)
{
    for (int i = 0; i < HANDLES_MAX; i++) {
        if (!handles[i].process) {
            handles[i] = (struct handle){f, p};
            return i;
        }
    }
    fail("too many open files");
}

static struct inode *file_of(const struct process *p, int fd)
{
    if (fd < 0 || fd >= HANDLES_MAX || handles[fd].process != p)
        fail("p%d uses a file that is not open: %d", p->number, fd);
    return handles[fd].inode;
}

static void end_handle(int fd)
{
    if (handles[fd].inode->locked_by == fd)
        handles[fd].inode->locked_by = -1;
    handles[fd].process = NULL;
}

void model_disk_death(const struct process *p)
{
    for (int i = 0; i < HANDLES_MAX; i++) {
        if (handles[i].process == p)
            end_handle(i);
    }
}

static enum err op_open(void *self, const char *path, enum disk_mode mode, int *fd)
{
    struct process *p = self;
    struct place at;
    enter("open");
    if (find_place(p, path, &at))
        return errno = ENOENT, ERR_END;
    struct inode *f = dir_find(at.dir, at.name);
    if (f && mode == DISK_CREATE)
        return errno = EEXIST, ERR_IO;
    if (!f && (mode == DISK_READ || mode == DISK_EDIT))
        return errno = ENOENT, ERR_END;
    if (mode != DISK_READ && happens(world.rates.disk_name))
        return fault(p, ENOSPC);
    if (!f) {
        f = inode_new(false);
        f->segment = segment_number(at.name);
        dir_set(at.dir, at.name, f);
    }
    *fd = handle_new(p, f);
    return ERR_OK;
}

static void op_close(void *self, int fd)
{
    (void)file_of(self, fd);
    end_handle(fd);
}

static enum err op_size(void *self, int fd, int64_t *bytes)
{
    *bytes = file_of(self, fd)->size;
    return ERR_OK;
}

static enum err op_read(void *self, int fd, void *dst, size_t n, int64_t at, size_t *got)
{
    struct process *p = self;
    enter("read");
    const struct inode *f = file_of(p, fd);
    if (happens(world.rates.disk_read)) {
        happened(EVENT_READ_ERROR);
        return fault(p, EIO);
    }
    int64_t left = f->size > at ? f->size - at : 0;
    *got = left < (int64_t)n ? (size_t)left : n;
    if (*got)
        memcpy(dst, f->data + at, *got);
    return ERR_OK;
}

/* ---- content ---- */

static bool is_rejected(const struct process *p, const struct inode *f)
{
    return f == dir_find(roots[p->host]->dir, FILE_REJECTED);
}

static size_t write_some(struct inode *f, const char *s, size_t n, int64_t at)
{
    /* A killed process leaves a whole page or none of it; only a line may cross one. */
    if (n == SLOT_BYTES)
        n = dice(2) ? n : 0;
    else if (n)
        n = dice((uint32_t)n + 1);
    inode_write(f, s, n, at);
    return n;
}

static void write_part(struct inode *f, const char *s, size_t n, int64_t at)
{
    size_t part = dice((uint32_t)n);
    inode_write(f, s, part, at);
    if (f->segment)
        happened_torn(part, n);
}

static enum err write_at(struct process *p, int fd, const char *s, size_t n, int64_t at)
{
    struct inode *f = file_of(p, fd);
    if (happens(world.rates.torn_kill) && fiber_is_running()) {
        trace("  p%d is killed in a write", p->number);
        happened(EVENT_KILL_IN_WRITE);
        size_t written = write_some(f, s, n, at);
        if (f->segment)
            happened_torn(written, n);
        if (written == n && is_rejected(p, f))
            oracle_rejected(p->host, s, n);
        world.had_torn[p->host] = true;
        p->is_doomed = true;
        fiber_yield("death");
        fail("p%d goes on after its death", p->number);
    }
    if (happens(world.rates.disk_io)) {
        write_part(f, s, n, at);
        trace("  p%d: EIO", p->number);
        happened(EVENT_SHORT_WRITE);
        world.had_torn[p->host] = true;
        if (n == SLOT_BYTES)
            oracle_torn_slot(s, n);
        return fault(p, EIO);
    }
    if (at + (int64_t)n > f->size && happens(world.rates.disk_full)) {
        write_part(f, s, n, at);
        happened(EVENT_NO_SPACE);
        world.had_torn[p->host] = true;
        return fault(p, ENOSPC);
    }
    inode_write(f, s, n, at);
    return ERR_OK;
}

static enum err op_write(void *self, int fd, const void *s, size_t n, int64_t at)
{
    struct process *p = self;
    enter("write");
    enum err e = write_at(p, fd, s, n, at);
    if (!e && file_of(p, fd)->segment)
        oracle_line(s, n, file_of(p, fd)->segment);
    else if (!e && n == SLOT_BYTES)
        oracle_slot(s, n);
    enter("written");
    return e;
}

static enum err op_append(void *self, int fd, const void *s, size_t n)
{
    struct process *p = self;
    enter("append");
    enum err e = write_at(p, fd, s, n, file_of(p, fd)->size);
    if (!e)
        oracle_rejected(p->host, s, n);
    return e;
}

static enum err op_allocate(void *self, int fd, int64_t at, int64_t n)
{
    struct process *p = self;
    enter("allocate");
    struct inode *f = file_of(p, fd);
    if (happens(world.rates.disk_full))
        return fault(p, ENOSPC);
    if (f->size < at + n)
        inode_resize(f, at + n);
    return ERR_OK;
}

static enum err op_truncate(void *self, int fd, int64_t n)
{
    struct process *p = self;
    if (happens(world.rates.disk_name))
        return fault(p, EIO);
    inode_resize(file_of(p, fd), n);
    return ERR_OK;
}

static enum err op_sync(void *self, int fd)
{
    struct process *p = self;
    enter("sync");
    struct inode *f = file_of(p, fd);
    if (happens(world.rates.disk_sync)) {
        inode_forget_dirty(f);
        happened(EVENT_FAILED_SYNC);
        if (is_rejected(p, f))
            world.had_reject_unsynced[p->host] = true;
        trace("  p%d: sync fails", p->number);
        return fault(p, EIO);
    }
    inode_sync(f);
    enter("synced");
    return ERR_OK;
}

static enum err op_sync_dir(void *self, const char *path)
{
    struct process *p = self;
    enter("sync_dir");
    struct inode *in = find(p, path);
    if (!in || !in->dir)
        return errno = ENOENT, ERR_END;
    if (happens(world.rates.disk_sync)) {
        happened(EVENT_FAILED_DIR_SYNC);
        return fault(p, EIO);
    }
    dir_sync(in->dir);
    return ERR_OK;
}

/* ---- locks ---- */

static enum err op_lock(void *self, int fd)
{
    struct inode *f = file_of(self, fd);
    enter("lock");
    if (f->locked_by >= 0 && f->locked_by != fd)
        return ERR_BUSY;
    f->locked_by = fd;
    return ERR_OK;
}

static bool op_is_same(void *self, int fd, const char *path)
{
    return find(self, path) == file_of(self, fd);
}

/* ---- names ---- */

static enum err op_rename(void *self, const char *from, const char *to)
{
    struct process *p = self;
    struct place a, b;
    enter("rename");
    if (find_place(p, from, &a) || find_place(p, to, &b))
        return errno = ENOENT, ERR_END;
    struct inode *f = dir_find(a.dir, a.name), *over = dir_find(b.dir, b.name);
    if (!f)
        return errno = ENOENT, ERR_END;
    if (over && over->dir && over->dir->entries_n)
        return errno = ENOTEMPTY, ERR_IO;
    if (happens(world.rates.disk_name))
        return fault(p, EIO);
    /* One change in one directory: all the core's renames are such, and a power cut undoes both halves or none. */
    if (a.dir != b.dir)
        fail("p%d renames from %s to %s", p->number, from, to);
    dir_rename(a.dir, a.name, b.name);
    if (segment_number(b.name))
        f->segment = segment_number(b.name);
    return ERR_OK;
}

static enum err op_unlink(void *self, const char *path)
{
    struct process *p = self;
    struct place at;
    enter("unlink");
    if (find_place(p, path, &at) || !dir_find(at.dir, at.name))
        return errno = ENOENT, ERR_END;
    if (happens(world.rates.disk_name))
        return fault(p, EIO);
    dir_remove(at.dir, at.name);
    return ERR_OK;
}

static enum err op_mkdir(void *self, const char *path)
{
    struct process *p = self;
    struct place at;
    enter("mkdir");
    if (strcmp(path, SPOOL_ROOT) == 0)
        return ERR_OK;
    if (find_place(p, path, &at))
        return errno = ENOENT, ERR_END;
    if (happens(world.rates.disk_name))
        return fault(p, ENOSPC);
    if (!dir_find(at.dir, at.name))
        dir_set(at.dir, at.name, inode_new(true));
    return ERR_OK;
}

static enum err op_rmdir(void *self, const char *path)
{
    struct process *p = self;
    struct place at;
    enter("rmdir");
    const struct inode *in = find(p, path);
    if (!in || find_place(p, path, &at))
        return errno = ENOENT, ERR_END;
    if (in->dir->entries_n)
        return errno = ENOTEMPTY, ERR_IO;
    dir_remove(at.dir, at.name);
    return ERR_OK;
}

static enum err op_list(void *self, const char *path, void (*each)(void *arg, const char *name),
                        void *arg)
{
    struct process *p = self;
    static char names[FIBERS_MAX][ENTRIES_MAX][NAME_SIZE];
    static unsigned turn;
    enter("list");
    const struct inode *in = find(p, path);
    if (!in || !in->dir)
        return errno = ENOENT, ERR_END;
    if (happens(world.rates.disk_name))
        return fault(p, EIO);
    /* A copy: what is called may change the directory, and may yield to another list. */
    char(*copy)[NAME_SIZE] = names[turn++ % FIBERS_MAX];
    int n = in->dir->entries_n;
    for (int i = 0; i < n; i++)
        memcpy(copy[i], in->dir->entries[i].name, NAME_SIZE);
    for (int i = 0; i < n; i++)
        each(arg, copy[i]);
    return ERR_OK;
}

struct money_disk_ops model_disk_ops(struct process *p)
{
    return (struct money_disk_ops){
        .self = p,
        .open = op_open,
        .close = op_close,
        .size = op_size,
        .read = op_read,
        .write = op_write,
        .append = op_append,
        .allocate = op_allocate,
        .truncate = op_truncate,
        .sync = op_sync,
        .sync_dir = op_sync_dir,
        .lock = op_lock,
        .is_same = op_is_same,
        .rename = op_rename,
        .unlink = op_unlink,
        .mkdir = op_mkdir,
        .rmdir = op_rmdir,
        .list = op_list,
    };
}

/* ---- what happens to it, what is seen of it ---- */

void model_disk_power_cut(int host)
{
    dir_power_cut(roots[host]->dir);
}

bool model_disk_has_segment(int process, uint64_t segment)
{
    const struct process *p = &world.processes[process];
    char dir[SPOOL_PATH_MAX], path[SPOOL_PATH_MAX];
    if (spool_path(dir, SPOOL_ROOT, p->m->id))
        return false;
    segment_path(path, dir, segment);
    return find(p, path) != NULL;
}

int model_disk_directories(int host)
{
    const struct dir *d = roots[host]->dir;
    int n = 0;
    for (int i = 0; i < d->entries_n; i++) {
        const struct inode *in = d->entries[i].inode;
        const struct inode *owner = in->dir ? dir_find(in->dir, FILE_OWNER) : NULL;
        n += owner && owner->size && dir_find(in->dir, SPOOL_LOCK);
    }
    return n;
}

const char *model_disk_rejected(int host, size_t *n)
{
    const struct inode *f = dir_find(roots[host]->dir, FILE_REJECTED);
    *n = f ? (size_t)f->size : 0;
    return f ? f->data : NULL;
}
