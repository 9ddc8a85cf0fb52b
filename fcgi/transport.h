/* transport - what carries one request: a FastCGI connection or the pipes of plain CGI.
 *
 * A small interface, so that request, response and body know neither libfcgi nor file
 * descriptors. Owner: the worker; one thread. The two implementations are fcgi/connection.h and
 * fcgi/cgi.h; tests bring their own. */
#ifndef AIPASS_FCGI_TRANSPORT_H
#define AIPASS_FCGI_TRANSPORT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct transport;

struct transport_ops {
    /* read - up to n bytes of the body; *got < n means that the input has ended there.
     * ERR_UPLOAD_CUT: it broke, or was silent for client_read_ms; *got is set then, too. Blocks. */
    enum err (*read)(struct transport *t, char *p, size_t n, size_t *got);
    /* write - answer bytes, buffered up to about 8 kB. flush - sends them. ERR_CLIENT_GONE for
     * good. Block. */
    enum err (*write)(struct transport *t, const char *p, size_t n);
    enum err (*flush)(struct transport *t);
    /* is_gone - the client has left; does not block and consumes nothing. */
    bool (*is_gone)(const struct transport *t);
};

struct transport {
    const struct transport_ops *ops;
    const char *const *env; /* the request's variables, "NAME=value", NULL at the end */
    int gone_fd;            /* becomes readable when the client leaves; -1: none */
    bool is_cgi;            /* the input need not end after CONTENT_LENGTH bytes */
    bool is_broken;         /* a write failed */
};

#endif
