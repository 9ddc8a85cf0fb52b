#include "handlers/errors.h"

#include "base/buf.h"
#include "base/jscan.h"
#include "fcgi/response.h"

#include <stdio.h>

#define ERROR_BODY_MAX    8192
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

static enum err append_member(struct buf *b, const char *name, const char *value)
{
    enum err e = buf_printf(b, "\"%s\":", name);
    if (e != ERR_OK)
        return e;
    return value == NULL ? buf_append_z(b, "null") : jscan_escape(b, slice_of(value));
}

void error_openai(struct request *req, enum err e, const char *param, const char *text)
{
    const struct err_info *info = err_info(e);
    if (!info->may_retry)
        response_header_z(req, "x-should-retry", "false");
    struct buf b;
    buf_init(&b, ERROR_BODY_MAX);
    bool ok = buf_append_z(&b, "{\"error\":{") == ERR_OK &&
              append_member(&b, "message", text != NULL ? text : info->text) == ERR_OK &&
              buf_append_z(&b, ",") == ERR_OK && append_member(&b, "type", info->type) == ERR_OK &&
              buf_append_z(&b, ",") == ERR_OK && append_member(&b, "param", param) == ERR_OK &&
              buf_append_z(&b, ",") == ERR_OK && append_member(&b, "code", info->code) == ERR_OK &&
              buf_append_z(&b, "}}\n") == ERR_OK;
    struct slice body =
        ok ? buf_slice(&b)
           : SLICE("{\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\","
                   "\"param\":null,\"code\":\"server_error\"}}\n");
    /* A client that is gone does not get it; there is nobody else to tell. */
    enum err sent = response_bytes(req, info->http_status, "application/json", body);
    (void)sent;
    buf_clear(&b);
}
