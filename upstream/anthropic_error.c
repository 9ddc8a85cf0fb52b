#include "upstream/anthropic.h"

#include "base/buf.h"

#include <string.h>
#include <strings.h>

#define CONTEXT_WORDS "prompt is too long"

struct words {
    int status;
    const char *type;
};

#define OVERLOADED_STATUS 529 /* of Anthropic's own making */

static struct words words_of(enum err e)
{
    switch (e) {
    case ERR_TOO_LARGE:
        return (struct words){413, "request_too_large"};
    case ERR_BAD_KEY:
        return (struct words){401, "authentication_error"};
    case ERR_FORBIDDEN:
        return (struct words){403, "permission_error"};
    case ERR_NOT_FOUND:
    case ERR_NO_MODEL:
        return (struct words){404, "not_found_error"};
    case ERR_NO_FUNDS:
    case ERR_SPEND_LIMIT:
        return (struct words){402, "billing_error"};
    case ERR_FUNDS_RESERVED: /* passes by itself, and 402 would stop the client for good */
    case ERR_SPEND_RESERVED:
    case ERR_RATE:
    case ERR_UP_RATE:
        return (struct words){429, "rate_limit_error"};
    case ERR_CODE_USED:
        return (struct words){409, "conflict_error"};
    case ERR_UP_TIMEOUT:
        return (struct words){504, "timeout_error"};
    case ERR_UP_CONNECT:
    case ERR_UP_RESET:
    case ERR_UP_STATUS:
    case ERR_UP_AUTH:
    case ERR_UP_MALFORMED:
    case ERR_UP_CUT:
    case ERR_UP_FAILED:
        return (struct words){OVERLOADED_STATUS, "overloaded_error"};
    default:
        break;
    }
    if (err_info(e)->http_status == 503)
        return (struct words){503, "overloaded_error"};
    if (err_info(e)->http_status >= 500)
        return (struct words){500, "api_error"};
    return (struct words){err_info(e)->http_status, "invalid_request_error"};
}

const char *anthropic_error_type(enum err e)
{
    return words_of(e).type;
}

int anthropic_error_status(enum err e)
{
    return words_of(e).status;
}

static bool contains_ci(struct slice text, const char *word)
{
    size_t n = strlen(word), i;

    for (i = 0; i + n <= text.n; i++)
        if (strncasecmp(text.p + i, word, n) == 0)
            return true;
    return false;
}

bool anthropic_is_context_error(struct slice text)
{
    static const char *const words[] = {CONTEXT_WORDS, "exceed context limit", "input is too long",
                                        "maximum context length", "context window"};
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (contains_ci(text, words[i]))
            return true;
    return false;
}

const char *anthropic_error_prefix(enum err e, const char *text)
{
    return e == ERR_UP_CONTEXT && !contains_ci(slice_of(text), CONTEXT_WORDS) ? CONTEXT_WORDS ": "
                                                                              : "";
}

static enum err write_error(struct buf *b, enum err error, const char *text, const char *request_id)
{
    struct jwrite w;

    text = text ? text : err_info(error)->text;
    jwrite_init(&w, b);
    jwrite_object(&w);
    jwrite_key_z(&w, "type", "error");
    jwrite_key_object(&w, "error");
    jwrite_key_z(&w, "type", anthropic_error_type(error));
    jwrite_key(&w, "message");
    jwrite_string_begin(&w);
    jwrite_text(&w, slice_of(anthropic_error_prefix(error, text)));
    jwrite_text(&w, slice_of(text));
    jwrite_string_end(&w);
    jwrite_object_end(&w);
    jwrite_key_z(&w, "request_id", request_id);
    jwrite_object_end(&w);
    return jwrite_end(&w);
}

enum err anthropic_write_stream_error(const struct reader *r, struct buf *b, enum err error,
                                      const char *text, const char *request_id)
{
    size_t mark = b->n;
    enum err e = buf_append_z(b, "event: error\ndata: ");

    (void)r;
    if (!e)
        e = write_error(b, error, text, request_id);
    if (!e)
        e = buf_append_z(b, "\n\n");
    if (e && b->n > mark) {
        b->n = mark;
        b->p[mark] = '\0';
    }
    return e;
}
