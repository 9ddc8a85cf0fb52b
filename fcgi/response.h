/* response - the answer: a head that can be set until it is committed, then a body that is written through.
 *
 * Owner: the worker; one thread. Small answers leave in one write. Every answer carries x-request-id and request-id. Header values with
 * CR, LF or NUL are refused (assert: our bug). */
#ifndef AIPASS_FCGI_RESPONSE_H
#define AIPASS_FCGI_RESPONSE_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct json_object;
struct request;

/* response_new, response_free - a worker keeps one over its requests. NULL when memory is out; free takes NULL. */
struct response *response_new(void);
void response_free(struct response *res);
/* response_begin - a blank answer for req->res that will go through req->transport. is_head: body bytes are counted, not sent. */
void response_begin(struct request *req, bool is_head);
/* response_end - makes sure that something was answered: a bare 500 when nothing was. */
void response_end(struct request *req);
/* response_error - the first error that request_fail was given; ERR_OK. For the log. */
enum err response_error(const struct request *req);

/* response_status - before the commit; default 200. */
void response_status(struct request *req, int status);
/* response_header - before the commit; adds or replaces. Too long (RESPONSE_HEADERS_MAX bytes in all) is dropped and logged. name: a literal. */
#define RESPONSE_HEADERS_MAX 2048
void response_header(struct request *req, const char *name, struct slice value);
void response_header_z(struct request *req, const char *name, const char *value);

/* response_retry_after_s - what the Retry-After that was set says; 0: none was. */
int64_t response_retry_after_s(const struct request *req);

/* response_is_committed - the head is out; status and headers cannot change any more. */
bool response_is_committed(const struct request *req);
/* response_status_get, response_bytes_sent - for the log. */
int response_status_get(const struct request *req);
int64_t response_bytes_sent(const struct request *req);

/* response_write - body bytes; the first call commits the head. Buffered until response_flush or 8 kB. For HEAD the bytes are counted, not sent.
 * ERR_CLIENT_GONE: the web server closed its side or did not read for client_write_ms; nothing more can be sent. Blocks. */
ERR_CHECK enum err response_write(struct request *req, struct slice bytes);
/* response_flush - sends what is buffered (and the head, also without a body: how a stream begins). ERR_CLIENT_GONE. Blocks. */
ERR_CHECK enum err response_flush(struct request *req);

/* response_json - status, content type and the whole body from a json-c tree, whose reference it takes. */
ERR_CHECK enum err response_json(struct request *req, int status, struct json_object *body);
/* response_bytes - status, content type and a whole body. */
ERR_CHECK enum err response_bytes(struct request *req, int status, const char *content_type,
                                  struct slice body);

/* request_fail - the one way to refuse: the error in the route's format, or, after the commit, nothing but the log (the handler ends its
 * stream in its own format). param: path of the field at fault ("messages[3].content") or NULL. fmt: the text for the client, without internals;
 * NULL: err_info's text; cut at REQUEST_FAIL_TEXT_MAX. Sets retry-after from err_info unless the caller did. Returns e. */
#define REQUEST_FAIL_TEXT_MAX 1024
enum err request_fail(struct request *req, enum err e, const char *param, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
