/* body - where a request's body lies: in memory, or above body_memory_bytes in an unlinked file
 * of the spool directory, mapped read-only.
 *
 * Owner: the worker, over all its requests; one thread. Embedded, not allocated: zeroed is
 * empty. */
#ifndef AIPASS_FCGI_BODY_H
#define AIPASS_FCGI_BODY_H

#include "base/config.h"
#include "base/str.h"
#include "fcgi/transport.h"

struct body_store {
    char *p;
    size_t n;
    size_t cap;
    bool is_mapped;
};

/* body_read - reads the input to its end (in CGI mode: to length). length: CONTENT_LENGTH, or -1
 * when unknown: then to the end of the input. *out: the bytes, valid until body_drop.
 * ERR_TOO_LARGE above body_max_bytes: with a known length nothing was read. ERR_UPLOAD_CUT:
 * shorter or longer than length, or broken. ERR_UNAVAILABLE: the spool directory takes no file
 * (logged). ERR_MEMORY. On an error the store is empty. Blocks. */
ERR_CHECK enum err body_read(struct body_store *store, struct transport *t, int64_t length,
                             const struct config *config, struct slice *out);

/* body_drop - frees. Idempotent. */
void body_drop(struct body_store *store);

#endif
