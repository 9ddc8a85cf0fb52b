#include "upstream/upload.h"

#include <string.h>

#define JOIN_BYTES_MAX ((int64_t)64 * 1024 - 1) /* curl sends so much in one write with the head */

static enum err join(struct upload *u)
{
    enum err e;
    size_t i;
    char *p;

    e = buf_reserve(&u->joined, (size_t)u->body->bytes, &p);
    for (i = 0; i < u->body->parts_n && !e; i++)
        e = buf_append_slice(&u->joined, u->body->parts[i]);
    return e;
}

enum err upload_init(struct upload *u, const struct splice *body, const char **text)
{
    enum err e;

    *u = (struct upload){.body = body};
    buf_init(&u->joined, (size_t)JOIN_BYTES_MAX);
    *text = NULL;
    if (body->parts_n == 1) {
        *text = body->parts[0].p;
    } else if (body->bytes <= JOIN_BYTES_MAX) {
        e = join(u);
        if (e)
            return e;
        *text = u->joined.p;
    }
    return ERR_OK;
}

void upload_clear(struct upload *u)
{
    buf_clear(&u->joined);
}

size_t upload_read(struct upload *u, char *dst, size_t n)
{
    size_t done = 0;

    while (done < n && u->part < u->body->parts_n) {
        const struct slice *part = &u->body->parts[u->part];
        size_t left = part->n - u->part_at, piece = left < n - done ? left : n - done;

        memcpy(dst + done, part->p + u->part_at, piece);
        done += piece;
        u->part_at += piece;
        if (u->part_at == part->n) {
            u->part++;
            u->part_at = 0;
        }
    }
    return done;
}

void upload_rewind(struct upload *u)
{
    u->part = u->part_at = 0;
}
