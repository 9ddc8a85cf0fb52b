#include "handlers/errors.h"

#include "base/buf.h"
#include "base/jwrite.h"
#include "fcgi/response.h"
#include "handlers/asker.h"
#include "upstream/anthropic.h"
#include "upstream/gemini.h"

#include <stdio.h>

#define ERROR_BODY_MAX    16384
#define RETRY_AFTER_MAX_S 60

void error_retry_after(struct request *req, int64_t seconds)
{
    if (seconds < 1)
        seconds = 1;
    if (seconds > RETRY_AFTER_MAX_S)
        seconds = RETRY_AFTER_MAX_S;
    char text[16];
    snprintf(text, sizeof(text), "%d", (int)seconds);
    response_header_z(req, "retry-after", text);
}

/* Sends what was written, or last_resort when memory ran out. */
static void send(struct request *req, enum err e, int status, struct buf *b, enum err written,
                 struct slice last_resort)
{
    if (!err_info(e)->may_retry)
        response_header_z(req, "x-should-retry", "false");
    struct slice body = written == ERR_OK ? buf_slice(b) : last_resort;
    /* A client that is gone does not get it; there is nobody else to tell. */
    enum err sent = response_bytes(req, status, "application/json", body);
    (void)sent;
    buf_clear(b);
}

void error_openai(struct request *req, enum err e, const char *param, const char *text)
{
    const struct err_info *info = err_info(e);
    struct buf b;
    struct jwrite w;
    buf_init(&b, ERROR_BODY_MAX);
    jwrite_init(&w, &b);
    jwrite_object(&w);
    jwrite_key_object(&w, "error");
    jwrite_key_z(&w, "message", text != NULL ? text : info->text);
    jwrite_key_z(&w, "type", info->type);
    jwrite_key_z(&w, "param", param);
    jwrite_key_z(&w, "code", info->code);
    jwrite_object_end(&w);
    jwrite_object_end(&w);
    send(req, e, info->http_status, &b, jwrite_end(&w),
         SLICE("{\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\","
               "\"param\":null,\"code\":\"server_error\"}}"));
}

void error_anthropic(struct request *req, enum err e, const char *param, const char *text)
{
    const char *words = text != NULL ? text : err_info(e)->text;
    struct buf b;
    struct jwrite w;
    (void)param; /* the text begins with it */
    buf_init(&b, ERROR_BODY_MAX);
    jwrite_init(&w, &b);
    jwrite_object(&w);
    jwrite_key_z(&w, "type", "error");
    jwrite_key_object(&w, "error");
    jwrite_key_z(&w, "type", anthropic_error_type(e));
    jwrite_key(&w, "message");
    jwrite_string_begin(&w);
    jwrite_text(&w, slice_of(anthropic_error_prefix(e, words)));
    jwrite_text(&w, slice_of(words));
    jwrite_string_end(&w);
    jwrite_object_end(&w);
    jwrite_key_z(&w, "request_id", req->id);
    jwrite_object_end(&w);
    send(req, e, anthropic_error_status(e), &b, jwrite_end(&w),
         SLICE(
             "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"out of memory\"},"
             "\"request_id\":null}"));
}

void error_gemini(struct request *req, enum err e, const char *param, const char *text)
{
    struct buf b;
    (void)param; /* the text begins with it */
    buf_init(&b, ERROR_BODY_MAX);
    enum err written = gemini_write_error(&b, e, text, req->id, response_retry_after_s(req));
    send(
        req, e, gemini_error_http(e), &b, written,
        SLICE(
            "{\"error\":{\"code\":503,\"message\":\"out of memory\",\"status\":\"UNAVAILABLE\"}}"));
}

void error_as_asked(struct request *req, enum err e, const char *param, const char *text)
{
    static route_error_fn *const writers[] = {
        [ASKER_OPENAI] = error_openai,
        [ASKER_ANTHROPIC] = error_anthropic,
        [ASKER_GEMINI] = error_gemini,
    };
    writers[asker_of(req)](req, e, param, text);
}
