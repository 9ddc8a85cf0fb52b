#include "upstream/transfer_head.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS_MAX    (INT64_C(7) * 24 * 3600 * 1000) /* a week is as good as never */
#define STATUS_INFO_MAX 199

void head_init(struct head_reader *h)
{
    *h = (struct head_reader){.retry_after_ms = -1, .retry_after_exact_ms = -1};
}

/* Digits with at most one point, as a number times scale; -1 for anything else. */
static int64_t read_decimal(struct slice s, int64_t scale)
{
    char text[32], *end;
    double value;
    size_t i;

    if (s.n == 0 || s.n >= sizeof(text))
        return -1;
    for (i = 0; i < s.n; i++)
        if ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != '.')
            return -1;
    (void)slice_copy_z(text, sizeof(text), s);
    value = strtod(text, &end) * (double)scale;
    if (*end || end == text)
        return -1;
    return value < (double)RETRY_MS_MAX ? (int64_t)value : RETRY_MS_MAX;
}

int64_t head_retry_after_ms(struct slice value, int64_t now_s)
{
    int64_t ms = read_decimal(value, 1000);
    char text[64];
    time_t when;

    if (ms >= 0 || !slice_copy_z(text, sizeof(text), value))
        return ms;
    when = curl_getdate(text, NULL);
    if (when < 0)
        return -1;
    if ((int64_t)when <= now_s)
        return 0;
    return (int64_t)when - now_s < RETRY_MS_MAX / 1000 ? ((int64_t)when - now_s) * 1000
                                                       : RETRY_MS_MAX;
}

/* Values go into our own headers and logs: none with a control character. */
static void keep_value(char *dst, struct slice value)
{
    size_t i;

    for (i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f)
            return;
    (void)slice_copy_z(dst, HEAD_VALUE_MAX, value);
}

static void read_field(struct head_reader *h, struct slice name, struct slice value)
{
    if (slice_eq_ci(name, "content-type")) {
        keep_value(h->content_type, value);
    } else if (slice_eq_ci(name, "transfer-encoding")) {
        h->is_chunked =
            value.n >= strlen("chunked") &&
            slice_eq_ci((struct slice){value.p + value.n - strlen("chunked"), strlen("chunked")},
                        "chunked");
    } else if (slice_eq_ci(name, "x-request-id")) {
        keep_value(h->request_id, value);
        h->has_x_request_id = h->request_id[0];
    } else if (slice_eq_ci(name, "request-id") && !h->has_x_request_id) {
        keep_value(h->request_id, value);
    } else if (slice_eq_ci(name, "openai-processing-ms")) {
        keep_value(h->processing_ms, value);
    } else if (slice_eq_ci(name, "retry-after")) {
        h->retry_after_ms = head_retry_after_ms(value, clock_wall_ms() / 1000);
    } else if (slice_eq_ci(name, "retry-after-ms")) {
        h->retry_after_exact_ms = read_decimal(value, 1);
    }
}

/* "HTTP/1.1 200 OK": a new head begins, maybe after that of a 1xx. */
static void read_status(struct head_reader *h, struct slice line)
{
    size_t bytes = h->bytes;
    struct slice rest = line;
    int64_t status;

    head_init(h);
    h->bytes = bytes;
    (void)slice_split(&rest, ' ');
    if (!slice_to_i64(slice_split(&rest, ' '), &status))
        h->status = (int)status;
}

static void finish(const struct head_reader *h, struct transfer_head *out)
{
    *out = (struct transfer_head){
        .status = h->status,
        .content_type = slice_of(h->content_type),
        .request_id = slice_of(h->request_id),
        .processing_ms = slice_of(h->processing_ms),
        .retry_after_ms = h->retry_after_exact_ms >= 0 ? h->retry_after_exact_ms
                                                       : h->retry_after_ms,
    };
}

enum err head_add(struct head_reader *h, struct slice line, struct transfer_head *out)
{
    struct slice value, name;

    h->bytes += line.n;
    if (h->bytes > HEAD_BYTES_MAX)
        return ERR_UP_MALFORMED;
    if (h->is_complete)
        return ERR_OK;
    line = slice_trim(line);
    if (line.n == 0) {
        if (h->status <= STATUS_INFO_MAX)
            return ERR_OK;
        h->is_complete = true;
        finish(h, out);
        return ERR_END;
    }
    if (slice_starts(line, "HTTP/")) {
        read_status(h, line);
        return ERR_OK;
    }
    value = line;
    name = slice_split(&value, ':');
    if (value.p)
        read_field(h, name, slice_trim(value));
    return ERR_OK;
}
