/* pool - the worker threads of the FastCGI server; one pool a process.
 *
 * All workers are alike. Each accepts without a lock and is `busy` until it accepts again, also
 * while it holds a connection that the web server keeps. Whoever leaves nobody behind to accept
 * makes the next worker. With workers_max busy, SERVER_SHEDDERS more exist; a request that would
 * be one above workers_max is answered 503 unread, and one of those who hold an idle connection
 * lets go of it. A worker leaves when it was idle for worker_idle_ms and others accept; while
 * draining when the queue was empty for SERVER_DRAIN_STEP_MS (worker_idle_ms, if that is less).
 * pool_start, pool_drain and pool_wait are the main thread's. */
#ifndef AIPASS_FCGI_POOL_H
#define AIPASS_FCGI_POOL_H

#include "fcgi/server.h"

/* pool_start - the first worker. o: borrowed for as long as workers run. Once a process. ERR_IO,
 * ERR_MEMORY. */
ERR_CHECK enum err pool_start(const struct server_options *o);

/* pool_drain - workers leave once the queue is empty; each sees it only when its accept returns. */
void pool_drain(void);
/* pool_wait - until all workers have ended and freed what they had: ERR_OK; ERR_BUSY after
 * timeout_ms. */
ERR_CHECK enum err pool_wait(int64_t timeout_ms);

/* Any thread. */
bool pool_is_draining(void);
int pool_active(void);
int pool_accepting(void);
int pool_workers(void);

#endif
