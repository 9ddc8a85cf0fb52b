#include "db/slots.h"

#include "base/log.h"
#include "db/money_core.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(USAGE_ROW_LINE_MAX <= SLOT_BYTES, "a row fits its slot");
_Static_assert(4096 % SLOT_BYTES == 0, "no slot crosses a page");

void slots_init(struct money *m)
{
    struct slots *s = &m->slots;
    pthread_mutex_init(&s->mu, NULL);
    s->fd = -1;
    s->free = calloc((size_t)m->slots_max, sizeof(*s->free));
    s->accounts =
        calloc((size_t)m->slots_max, sizeof(*s->accounts)); /* looked at in money_new_with */
    if (!s->free)
        return;
    while (s->free_n < m->slots_max) { /* the lowest on top: few requests use few pages */
        s->free[s->free_n] = m->slots_max - 1 - s->free_n;
        s->free_n++;
    }
}

void slots_clear(struct money *m)
{
    struct slots *s = &m->slots;
    if (s->fd >= 0)
        m->ops.disk.close(m->ops.disk.self, s->fd);
    free(s->free);
    free(s->accounts);
    pthread_mutex_destroy(&s->mu);
}

enum err slots_open(struct money *m)
{
    char path[SPOOL_PATH_MAX];
    enum err e = spool_path(path, m->spool.dir, SLOTS_FILE);
    return e ? e : m->ops.disk.open(m->ops.disk.self, path, DISK_CREATE, &m->slots.fd);
}

/* Blocks for the places up to index. Two threads may do it at once: it only adds. */
static enum err grow(struct money *m, int index)
{
    struct slots *s = &m->slots;
    pthread_mutex_lock(&s->mu);
    int have = s->grown;
    pthread_mutex_unlock(&s->mu);
    if (index < have)
        return ERR_OK;
    int want = (index / SLOTS_GROW + 1) * SLOTS_GROW;
    if (want > m->slots_max)
        want = m->slots_max;
    enum err e = m->ops.disk.allocate(m->ops.disk.self, s->fd, (int64_t)have * SLOT_BYTES,
                                      (int64_t)(want - have) * SLOT_BYTES);
    if (e)
        return e;
    pthread_mutex_lock(&s->mu);
    if (s->grown < want)
        s->grown = want;
    pthread_mutex_unlock(&s->mu);
    return ERR_OK;
}

enum err slots_take(struct money *m, struct lease_account *account, int *index)
{
    struct slots *s = &m->slots;
    int i = -1;
    pthread_mutex_lock(&s->mu);
    if (s->free_n) {
        i = s->free[--s->free_n];
        s->accounts[i] = account;
        s->used++;
    }
    pthread_mutex_unlock(&s->mu);
    if (i < 0)
        return ERR_BUSY;
    enum err e = grow(m, i);
    if (e)
        (void)slots_release(m, i);
    else
        *index = i;
    return e;
}

struct lease_account *slots_release(struct money *m, int index)
{
    struct slots *s = &m->slots;
    pthread_mutex_lock(&s->mu);
    struct lease_account *a = s->accounts[index];
    s->accounts[index] = NULL;
    s->free[s->free_n++] = index;
    s->used--;
    pthread_mutex_unlock(&s->mu);
    return a;
}

struct lease_account *slots_account(struct money *m, int index)
{
    assert(index >= 0 && index < m->slots_max && m->slots.accounts[index]);
    return m->slots.accounts[index];
}

int slots_used(struct money *m)
{
    pthread_mutex_lock(&m->slots.mu);
    int n = m->slots.used;
    pthread_mutex_unlock(&m->slots.mu);
    return n;
}

enum err slots_write(struct money *m, int index, const char *line, size_t n)
{
    char place[SLOT_BYTES];
    assert(n <= SLOT_BYTES);
    memcpy(place, line, n);
    memset(place + n, 0, SLOT_BYTES - n);
    return m->ops.disk.write(m->ops.disk.self, m->slots.fd, place, SLOT_BYTES,
                             (int64_t)index * SLOT_BYTES);
}

enum err slots_wipe(struct money *m, int index)
{
    static const char zeros[SLOT_CLEAR_BYTES];
    return m->ops.disk.write(m->ops.disk.self, m->slots.fd, zeros, sizeof(zeros),
                             (int64_t)index * SLOT_BYTES);
}

/* ---- of the dead ---- */

static enum err read_place(const char *p, struct segment_rows *r)
{
    struct usage_row row;
    size_t n = strnlen(p, SLOT_BYTES);
    if (!n)
        return ERR_OK;
    if (usage_row_decode((struct slice){p, n}, &row) == ERR_OK)
        return segment_rows_add(r, &row);
    enum err e = buf_append(&r->bad, p, n);
    return e || p[n - 1] == '\n' ? e : buf_append(&r->bad, "\n", 1);
}

enum err slots_read(const struct money_ops *ops, const char *path, struct segment_rows *r)
{
    char last[SLOT_BYTES] = {0};
    struct buf b;
    buf_init(&b, SEGMENT_FILE_MAX);
    enum err e = spool_read_file(ops, path, &b);
    for (size_t at = 0; !e && at < b.n; at += SLOT_BYTES) {
        const char *place = b.p + at;
        if (b.n - at < SLOT_BYTES)
            place = memcpy(last, place, b.n - at);
        e = read_place(place, r);
    }
    buf_clear(&b);
    return e;
}
