/* connection - a FastCGI connection from the web server, by libfcgi, as a transport.
 *
 * Owner: one worker, which reuses it. We accept ourselves and hand libfcgi the open descriptor:
 * so the timeouts hold for the head of the request, too, a worker knows that it stopped
 * accepting before it reads, and a system call is saved. libfcgi parses, frames and frees. Its
 * FCGX_Request gets no listening socket, so a broken connection comes back as an error instead
 * of a second, hidden accept.
 *
 *   connection_accept -> connection_begin -> (request) -> connection_finish -> accept again
 *                             ^                                |
 *                             +----- poll connection_fd <------+  the web server keeps it open
 */
#ifndef AIPASS_FCGI_CONNECTION_H
#define AIPASS_FCGI_CONNECTION_H

#include "base/config.h"
#include "fcgi/transport.h"

#include <fcgiapp.h>

struct connection {
    struct transport transport;
    FCGX_Request fcgx;
    int listen_fd;
    const struct config *config;
};

/* connection_init - no connection yet. FCGX_Init was called before. listen_fd, config: borrowed. */
void connection_init(struct connection *c, int listen_fd, const struct config *config);

/* connection_accept - blocks for the next connection. ERR_END: none within the SO_RCVTIMEO of
 * listen_fd; ERR_IO: errno. */
ERR_CHECK enum err connection_accept(struct connection *c);

/* connection_begin - reads a request's variables; c->transport is ready then. ERR_END: the web
 * server closed it, sent no FastCGI, or was silent for client_read_ms; the connection is closed.
 * Blocks. */
ERR_CHECK enum err connection_begin(struct connection *c);

/* connection_finish - ends the answer and frees the request. True: the web server keeps the
 * connection open for another. Blocks up to client_write_ms; and, when the body was not read,
 * until the web server has taken the answer. */
bool connection_finish(struct connection *c);

/* connection_fd - for poll; -1 when closed. */
int connection_fd(const struct connection *c);
/* connection_close - closes; a no-op when closed. */
void connection_close(struct connection *c);

#endif
