/* server - the accept loop: a pool of worker threads over FastCGI on fd 0, or one plain CGI request.
 *
 * server_run is called once by main, on the main thread, which afterwards only waits for signals. It ignores SIGPIPE, takes SIGTERM, SIGINT and
 * SIGUSR1 for itself (blocked in all workers), and returns when the process has drained. Workers: fcgi/pool.h. */
#ifndef AIPASS_FCGI_SERVER_H
#define AIPASS_FCGI_SERVER_H

#include "fcgi/router.h"

#define SERVER_LISTEN_FD     0
#define SERVER_SHEDDERS      2
#define SERVER_DRAIN_STEP_MS 1000

struct server_options {
    const struct config *config;
    const struct router *router;
    bool
        own_socket; /* --own-socket: the socket on fd 0 is ours: unlink its path on SIGTERM, die with the parent */
};

/* server_is_fastcgi - fd 0 is a listening socket (getpeername says ENOTCONN); else this is plain CGI. */
bool server_is_fastcgi(void);

/* server_prepare - signal masks and handlers; before any thread is started. ERR_IO. */
ERR_CHECK enum err server_prepare(const struct server_options *o);
/* server_run - serves until told to stop (FastCGI) or one request (CGI). ERR_OK after a clean drain: no worker is left; ERR_BUSY when
 * drain_timeout_ms cut streams: workers still run, the caller must end the process without freeing what they use. ERR_IO, ERR_MEMORY: it
 * could not start. In CGI mode stdout is closed on return, so that the client has its answer while the caller flushes. */
ERR_CHECK enum err server_run(const struct server_options *o);

/* server_is_draining - SIGTERM came (FastCGI; in CGI mode SIGTERM means that the client left: request_is_gone). Any thread. server_active - requests running now, until their answer is sent; server_workers - threads now. */
bool server_is_draining(void);
int server_active(void);
int server_workers(void);

#endif
