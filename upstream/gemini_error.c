#include "upstream/gemini.h"

#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#define TYPE_RETRY    "type.googleapis.com/google.rpc.RetryInfo"
#define TYPE_REQUEST  "type.googleapis.com/google.rpc.RequestInfo"
#define REASON_KEY    "API_KEY_INVALID"
#define TEXT_TOO_LONG "The input token count exceeds the maximum number of tokens allowed."

/* What Google says when the prompt does not fit, in pieces that its numbers stand between. */
static const char *const too_long[][2] = {
    {"token count", "exceeds the maximum"},
    {"exceeds",     "context window"     },
    {"too long",    "tokens"             },
};

/* ---- the provider's ---- */

static bool contains(struct slice text, const char *words)
{
    size_t n = strlen(words), i;

    for (i = 0; i + n <= text.n; i++)
        if (slice_eq_ci((struct slice){text.p + i, n}, words))
            return true;
    return false;
}

static bool is_bad_key(struct jvalue details)
{
    struct jvalue detail, reason;
    struct gemini_list l;

    gemini_list_begin(&l, details);
    while (gemini_list_next(&l, &detail))
        if (!gemini_find(detail, "reason", &reason) && slice_eq_z(gemini_word(reason), REASON_KEY))
            return true;
    return false;
}

/* A number too large, or none, leaves code alone. */
static void read_code(struct jvalue v, int64_t *code)
{
    int64_t n;

    if (!jscan_i64(v, &n))
        *code = n;
}

void gemini_parse_error(struct jvalue error, struct arena *a, struct gemini_error *out)
{
    struct jvalue text = error;
    struct jmember m;
    struct jscan s;

    *out = (struct gemini_error){0};
    if (!jscan_object(&s, error)) {
        text = (struct jvalue){0};
        while (!jscan_next_member(&s, &m)) {
            if (jscan_key_is(&m, "message"))
                text = m.value;
            else if (jscan_key_is(&m, "status"))
                out->status = gemini_word(m.value);
            else if (jscan_key_is(&m, "code"))
                read_code(m.value, &out->code);
            else if (jscan_key_is(&m, "details"))
                out->is_key = is_bad_key(m.value);
        }
    }
    if (!text.raw.p || jscan_string(text, a, &out->text))
        out->text = (struct slice){NULL, 0};
}

enum err gemini_error_class(const struct gemini_error *error, enum err otherwise)
{
    size_t i;

    if (error->is_key || error->code == 401 || error->code == 403)
        return ERR_UP_AUTH;
    if (error->code == 429)
        return ERR_UP_RATE;
    for (i = 0; i < sizeof(too_long) / sizeof(too_long[0]); i++)
        if (contains(error->text, too_long[i][0]) && contains(error->text, too_long[i][1]))
            return ERR_UP_CONTEXT;
    return otherwise;
}

void gemini_read_error(struct reader *r, struct slice body)
{
    struct gemini_error error;
    struct jvalue v, inner;
    struct jscan s;

    reader_default_error(r, ERR_UP_REJECTED);
    if (jscan_validate(body, &v, NULL))
        return;
    /* What was asked for as an array is refused as one. */
    if (!jscan_array(&s, v) && jscan_next_element(&s, &v))
        return;
    if (jscan_find(v, "error", &inner))
        inner = v;
    gemini_parse_error(inner, r->arena, &error);
    if (error.text.n)
        (void)slice_copy_z(r->error_text, sizeof(r->error_text), error.text);
    if (error.status.n)
        (void)slice_copy_z(r->error_code, sizeof(r->error_code), error.status);
    r->error_class = gemini_error_class(&error, ERR_UP_REJECTED);
}

/* ---- ours ---- */

int gemini_error_http(enum err e)
{
    switch (e) {
    case ERR_NO_FUNDS:
    case ERR_SPEND_LIMIT:
        return 402; /* clients repeat a 429, and this cannot be mended by that */
    case ERR_TOO_LARGE:
        return 400;
    default:
        return err_info(e)->http_status;
    }
}

const char *gemini_error_status_word(enum err e)
{
    switch (gemini_error_http(e)) {
    case 400:
        return "INVALID_ARGUMENT";
    case 401:
        return "UNAUTHENTICATED";
    case 402:
    case 410:
        return "FAILED_PRECONDITION";
    case 403:
        return "PERMISSION_DENIED";
    case 404:
        return "NOT_FOUND";
    case 405:
        return "UNIMPLEMENTED";
    case 409:
        return "ALREADY_EXISTS";
    case 429:
        return "RESOURCE_EXHAUSTED";
    case 499:
        return "CANCELLED";
    case 503:
        return "UNAVAILABLE";
    case 504:
        return "DEADLINE_EXCEEDED";
    default:
        return "INTERNAL";
    }
}

/* Seconds for RetryInfo; 0: it is no error of rate. */
static int64_t retry_of(enum err e, int64_t retry_after_s)
{
    if (gemini_error_http(e) != 429 && gemini_error_http(e) != 503)
        return 0;
    if (retry_after_s > 0)
        return retry_after_s;
    return gemini_error_http(e) == 429 ? err_info(e)->retry_after_s : 0;
}

static void write_details(struct jwrite *w, int64_t retry_s, const char *request_id)
{
    char delay[32];

    jwrite_key_array(w, "details");
    if (retry_s > 0) {
        (void)snprintf(delay, sizeof(delay), "%llds", (long long)retry_s);
        jwrite_object(w);
        jwrite_key_z(w, "@type", TYPE_RETRY);
        jwrite_key_z(w, "retryDelay", delay);
        jwrite_object_end(w);
    }
    if (request_id) {
        jwrite_object(w);
        jwrite_key_z(w, "@type", TYPE_REQUEST);
        jwrite_key_z(w, "requestId", request_id);
        jwrite_object_end(w);
    }
    jwrite_array_end(w);
}

enum err gemini_write_error(struct buf *b, enum err e, const char *text, const char *request_id,
                            int64_t retry_after_s)
{
    int64_t retry_s = retry_of(e, retry_after_s);
    struct jwrite w;

    if (!text)
        text = e == ERR_UP_CONTEXT ? TEXT_TOO_LONG : err_info(e)->text;
    jwrite_init(&w, b);
    jwrite_object(&w);
    jwrite_key_object(&w, "error");
    jwrite_key_i64(&w, "code", gemini_error_http(e));
    jwrite_key_z(&w, "message", text);
    jwrite_key_z(&w, "status", gemini_error_status_word(e));
    if (retry_s > 0 || request_id)
        write_details(&w, retry_s, request_id);
    jwrite_object_end(&w);
    jwrite_object_end(&w);
    return jwrite_end(&w);
}

enum err gemini_write_stream_error(const struct reader *r, struct buf *b, enum err error,
                                   const char *text, const char *request_id)
{
    bool is_sent = r->replacement.p != NULL; /* what the last event became went out */
    struct gemini_frame f = r->encoder ? gemini_encoder_frame(r->encoder, is_sent)
                                       : gemini_reader_frame(r);
    size_t mark = b->n;
    enum err e;

    e = buf_append_slice(b, gemini_frame_open(f.is_array, !f.is_begun));
    if (!e)
        e = gemini_write_error(b, error, text, request_id, 0);
    if (!e)
        e = buf_append_slice(b, f.is_array ? SLICE(GEMINI_ARRAY_END) : gemini_frame_shut(false));
    if (e && b->n > mark) {
        b->n = mark;
        b->p[mark] = '\0';
    }
    return e;
}
