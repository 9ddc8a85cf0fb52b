#include "upstream/transfer_head.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_MS_MAX    (INT64_C(7) * 24 * 3600 * 1000) /* a week is as good as never */
#define STATUS_INFO_MAX 199

void head_init(struct head_reader *h)
{
    *h = (struct head_reader){.retry_after_ms = -1, .retry_after_exact_ms = -1};
    for (size_t i = 0; i < HEAD_LIMITS; i++)
        h->reset_ms[i] = -1;
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

static int64_t bound_ms(int64_t ms)
{
    if (ms < 0)
        return 0;
    return ms < RETRY_MS_MAX ? ms : RETRY_MS_MAX;
}

/* "1h2m3.5s", "20ms"; -1 for anything else. */
static int64_t read_duration(struct slice s)
{
    int64_t sum = 0;
    size_t i = 0;

    while (i < s.n) {
        size_t from = i, unit;
        int64_t scale, part;

        while (i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.'))
            i++;
        unit = i;
        while (i < s.n && s.p[i] >= 'a' && s.p[i] <= 'z')
            i++;
        if (slice_eq_z((struct slice){s.p + unit, i - unit}, "ms"))
            scale = 1;
        else if (i - unit != 1)
            return -1;
        else
            scale = s.p[unit] == 's'   ? 1000
                    : s.p[unit] == 'm' ? 60000
                    : s.p[unit] == 'h' ? 3600000
                    : s.p[unit] == 'd' ? 86400000
                                       : -1;
        part = scale < 0 ? -1 : read_decimal((struct slice){s.p + from, unit - from}, scale);
        if (part < 0)
            return -1;
        sum = bound_ms(sum + part);
    }
    return s.n ? sum : -1;
}

/* "2026-11-22T19:40:00Z", with a fraction or without. */
static int64_t read_time(struct slice s, int64_t now_ms)
{
    struct tm tm = {0};
    char text[64];
    const char *rest;

    if (!slice_copy_z(text, sizeof(text), s))
        return -1;
    rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!rest)
        return -1;
    rest += *rest == '.' ? 1 + strspn(rest + 1, "0123456789") : 0;
    if (strcmp(rest, "Z") != 0 && strcmp(rest, "+00:00") != 0)
        return -1;
    return bound_ms((int64_t)timegm(&tm) * 1000 - now_ms);
}

int64_t head_reset_ms(struct slice value, int64_t now_ms)
{
    int64_t ms = read_decimal(value, 1000);

    if (ms < 0)
        ms = read_duration(value);
    return ms >= 0 ? ms : read_time(value, now_ms);
}

static bool skip_ci(struct slice *s, const char *start)
{
    size_t n = strlen(start);

    if (!slice_starts_ci(*s, start))
        return false;
    *s = (struct slice){s->p + n, s->n - n};
    return true;
}

/* x-ratelimit-reset-tokens, anthropic-ratelimit-input-tokens-remaining and the like. */
static void read_limit(struct head_reader *h, struct slice name, struct slice value)
{
    static const char *const kinds[] = {"requests", "tokens", "input-tokens", "output-tokens"};
    struct slice kind = name;
    bool is_remaining = false, is_reset = false;
    size_t i;

    if (skip_ci(&kind, "x-ratelimit-")) {
        is_remaining = skip_ci(&kind, "remaining-");
        is_reset = !is_remaining && skip_ci(&kind, "reset-");
    } else if (skip_ci(&kind, "anthropic-ratelimit-")) {
        static const char remaining[] = "-remaining", reset[] = "-reset";

        is_remaining =
            kind.n > strlen(remaining) &&
            slice_eq_ci((struct slice){kind.p + kind.n - strlen(remaining), strlen(remaining)},
                        remaining);
        is_reset =
            kind.n > strlen(reset) &&
            slice_eq_ci((struct slice){kind.p + kind.n - strlen(reset), strlen(reset)}, reset);
        kind.n -= is_remaining ? strlen(remaining) : is_reset ? strlen(reset) : 0;
    }
    for (i = 0; (is_remaining || is_reset) && i < HEAD_LIMITS; i++) {
        if (!slice_eq_ci(kind, kinds[i]))
            continue;
        if (is_remaining)
            h->is_used_up[i] = read_decimal(value, 1) == 0;
        else
            h->reset_ms[i] = head_reset_ms(value, clock_wall_ms());
    }
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
    } else {
        read_limit(h, name, value);
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

/* The last of the limits that are used up. */
static int64_t last_reset_ms(const struct head_reader *h)
{
    int64_t last = -1;

    for (size_t i = 0; i < HEAD_LIMITS; i++)
        if (h->is_used_up[i] && h->reset_ms[i] > last)
            last = h->reset_ms[i];
    return last;
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
        .reset_ms = last_reset_ms(h),
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
