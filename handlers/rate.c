#include "handlers/rate.h"

#include "base/clock.h"
#include "fcgi/response.h"
#include "handlers/admit.h"
#include "handlers/app.h"
#include "handlers/count.h"
#include "handlers/errors.h"
#include "upstream/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define VALUE_SIZE 32

enum { SAYS_LIMIT, SAYS_REMAINING, SAYS_RESET, SAYS_N };

static const char *const openai[LIMIT_WINDOWS_N][SAYS_N] = {
    {"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"},
    {"x-ratelimit-limit-tokens",   "x-ratelimit-remaining-tokens",   "x-ratelimit-reset-tokens"  },
};

static const char *const anthropic[LIMIT_WINDOWS_N][SAYS_N] = {
    [LIMIT_REQUESTS][SAYS_LIMIT] = "anthropic-ratelimit-requests-limit",
    [LIMIT_REQUESTS][SAYS_REMAINING] = "anthropic-ratelimit-requests-remaining",
    [LIMIT_REQUESTS][SAYS_RESET] = "anthropic-ratelimit-requests-reset",
    [LIMIT_TOKENS][SAYS_LIMIT] = "anthropic-ratelimit-tokens-limit",
    [LIMIT_TOKENS][SAYS_REMAINING] = "anthropic-ratelimit-tokens-remaining",
    [LIMIT_TOKENS][SAYS_RESET] = "anthropic-ratelimit-tokens-reset",
};

static int64_t seconds_up(int64_t ms)
{
    return (ms + 999) / 1000;
}

/* RFC 3339, in UTC. */
static void print_time(char dst[VALUE_SIZE], int64_t unix_s)
{
    time_t t = (time_t)unix_s;
    struct tm tm;
    if (gmtime_r(&t, &tm) == NULL || strftime(dst, VALUE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        dst[0] = '\0';
}

static void set_number(struct request *req, const char *name, int64_t number)
{
    char text[VALUE_SIZE];
    snprintf(text, sizeof(text), "%" PRId64, number);
    response_header_z(req, name, text);
}

/* What is left of the tightest limits. Gemini's clients know no such headers. */
static void tell(struct request *req, const struct format *format, const struct limit_ticket *t)
{
    bool is_anthropic = format == &format_anthropic;
    if (format == &format_gemini)
        return;
    for (int k = 0; k < LIMIT_WINDOWS_N; k++) {
        const struct limit_view *view = &t->views[k];
        const char *const *names = is_anthropic ? anthropic[k] : openai[k];
        char reset[VALUE_SIZE];
        if (view->max < 0)
            continue;
        if (is_anthropic)
            print_time(reset, view->ends_s);
        else
            snprintf(reset, sizeof(reset), "%" PRId64 "s", seconds_up(view->reset_ms));
        set_number(req, names[SAYS_LIMIT], view->max);
        set_number(req, names[SAYS_REMAINING], view->left);
        response_header_z(req, names[SAYS_RESET], reset);
    }
}

static enum err refuse(struct request *req, const struct limit_ticket *t)
{
    int64_t wait_s = seconds_up(t->wait_ms);
    error_retry_after(req, wait_s);
    switch (t->refused) {
    case LIMIT_SLOTS:
        return request_fail(req, ERR_RATE, NULL,
                            "Rate limit reached: at most %" PRId64
                            " requests may run at once. Please retry when one has ended.",
                            t->refused_max);
    case LIMIT_TOKENS:
        return request_fail(req, ERR_RATE, NULL,
                            "Rate limit reached: %" PRId64
                            " tokens per minute; this request has about %" PRId64
                            ". Please retry in %" PRId64 " s.",
                            t->refused_max, t->tokens, wait_s);
    case LIMIT_REQUESTS:
    default:
        return request_fail(req, ERR_RATE, NULL,
                            "Rate limit reached: %" PRId64
                            " requests per minute. Please retry in %" PRId64 " s.",
                            t->refused_max, wait_s);
    }
}

enum err rate_take(struct rate *r, struct request *req, const struct catalog_model *model,
                   const struct format *format, const struct format_request *in)
{
    const struct key *key = admit_key(req);
    struct limit_ask ask = {.api_key_id = key->id,
                            .account_id = key->account_id,
                            .group_id = key->group_id,
                            .model_id = model->id,
                            .tokens = count_estimate(model, in),
                            .queue_ms = app_of(req)->config->queue_ms};
    r->limits = app_of(req)->limits;
    enum err e = limit_take(r->limits, &ask, &r->ticket);
    if (e == ERR_OK || e == ERR_RATE)
        tell(req, format, &r->ticket);
    if (e == ERR_RATE)
        return refuse(req, &r->ticket);
    return e == ERR_OK ? ERR_OK : request_fail(req, e, NULL, NULL);
}

void rate_settle(struct rate *r, const struct usage *usage)
{
    limit_settle(r->limits, &r->ticket,
                 usage->input + usage->cached_input + usage->cache_write + usage->cache_write_1h +
                     usage->output);
}

void rate_cancel(struct rate *r)
{
    limit_cancel(r->limits, &r->ticket);
}
