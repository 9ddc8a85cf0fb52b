/* upload - the body of a request on its way into curl: pieces in memory, read from the start again
 * when a connection was lost. Borrows the pieces. One exchange; one thread. */
#ifndef AIPASS_UPSTREAM_UPLOAD_H
#define AIPASS_UPSTREAM_UPLOAD_H

#include "base/buf.h"
#include "base/err.h"
#include "upstream/format.h"

#include <stddef.h>

struct upload {
    const struct splice *body;
    size_t part, part_at; /* how far it was read */
    struct buf joined;    /* a small body of several pieces in one */
};

/* upload_init - *text: the whole body where it lies in one piece, or was small enough to be copied
 * into one: curl sends that together with the head. NULL: it is to be read by upload_read.
 * ERR_MEMORY; upload_clear must follow in any case. */
ERR_CHECK enum err upload_init(struct upload *u, const struct splice *body, const char **text);
void upload_clear(struct upload *u);

/* upload_read - copies the next bytes, n at most. 0 at the end. */
size_t upload_read(struct upload *u, char *dst, size_t n);
/* upload_rewind - back to the first byte. */
void upload_rewind(struct upload *u);

#endif
