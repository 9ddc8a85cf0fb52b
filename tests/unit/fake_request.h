/* fake_request - a request whose transport is memory, for tests of what lies above it.
 *
 * Owner: the test, one thread. Set the fields marked "in" after fake_request_init and before the
 * request is used. */
#ifndef AIPASS_TESTS_UNIT_FAKE_REQUEST_H
#define AIPASS_TESTS_UNIT_FAKE_REQUEST_H

#include "base/buf.h"
#include "fcgi/body.h"
#include "fcgi/request.h"
#include "fcgi/response.h"
#include "fcgi/router.h"
#include "fcgi/transport.h"

struct fake_request {
    struct transport transport; /* first: the operations cast back */
    struct request req;
    struct config config; /* in: caps; path_prefix and spool_dir are "" */
    struct body_store body;
    struct router router; /* in: no routes, no fallback_error */

    struct slice input; /* in: what the client sends as the body */
    bool input_breaks;  /* in: the connection breaks where input ends */
    bool is_gone;       /* in: the client has left */
    size_t output_max;  /* in: a write that goes past it fails; SIZE_MAX */
    size_t input_at;    /* bytes taken so far */
    struct buf output;  /* all bytes written, flushed or not */
    size_t flushed_n;   /* of them: flushed */
    unsigned flushes;
};

/* fake_request_init - env: borrowed, "NAME=value", NULL at the end. */
void fake_request_init(struct fake_request *f, const char *const *env);
/* fake_request_begin - reads the head from env and begins the answer. */
void fake_request_begin(struct fake_request *f);
void fake_request_clear(struct fake_request *f);
/* fake_request_answer - what was written so far, as a C string. */
const char *fake_request_answer(const struct fake_request *f);

#endif
