/* transfer_head - gathers the lines of a provider's answer into a struct transfer_head. One
 * answer at a time; one thread. */
#ifndef AIPASS_UPSTREAM_TRANSFER_HEAD_H
#define AIPASS_UPSTREAM_TRANSFER_HEAD_H

#include "upstream/transfer.h"

#define HEAD_BYTES_MAX 65536 /* all lines of one exchange, those of 1xx answers included */
#define HEAD_VALUE_MAX 160

/* What providers limit, each by itself. */
enum head_limit { HEAD_REQUESTS, HEAD_TOKENS, HEAD_INPUT_TOKENS, HEAD_OUTPUT_TOKENS, HEAD_LIMITS };

struct head_reader {
    size_t bytes;
    int status;
    bool is_complete; /* the final head has ended; what follows are trailers */
    bool is_chunked;
    char content_type[HEAD_VALUE_MAX], request_id[HEAD_VALUE_MAX], processing_ms[HEAD_VALUE_MAX];
    bool has_x_request_id; /* it wins over request-id */
    int64_t retry_after_ms,
        retry_after_exact_ms;      /* Retry-After; retry-after-ms, which wins; -1: none */
    bool is_used_up[HEAD_LIMITS];  /* nothing remains */
    int64_t reset_ms[HEAD_LIMITS]; /* -1: not told */
};

/* head_init - before the first line of an exchange. */
void head_init(struct head_reader *h);

/* head_add - one line with its line end, as curl gives them. ERR_OK: more follows (or it was a
 * trailer); ERR_END: this line ended the final head, which is in *out, borrowing h;
 * ERR_UP_MALFORMED: above HEAD_BYTES_MAX. */
ERR_CHECK enum err head_add(struct head_reader *h, struct slice line, struct transfer_head *out);

/* head_retry_after_ms - Retry-After: seconds (a fraction allowed) or an HTTP date as seen at
 * now_s (Unix time). -1: neither. A date in the past is 0. */
int64_t head_retry_after_ms(struct slice value, int64_t now_s);

/* head_reset_ms - when a limit is whole again: "6m0s", "1.5s", "20ms" (OpenAI), an RFC 3339 time in
 * UTC (Anthropic) as seen at now_ms (Unix time), or seconds. -1: none of these; the past is 0. */
int64_t head_reset_ms(struct slice value, int64_t now_ms);

#endif
