#include "base/err.h"

#include <assert.h>

#define T_REQUEST "invalid_request_error"
#define T_SERVER  "server_error"
#define T_QUOTA   "insufficient_quota"

#define UNAVAILABLE "service_unavailable"
#define LIMITED     "rate_limit_exceeded"

#define TEXT_INTERNAL "The server had an error while processing your request."
#define TEXT_DOWN     "The service is temporarily unavailable. Please retry shortly."
#define TEXT_PROVIDER "No provider of this model could answer. Please retry shortly."

#define RETRY     1U
#define ELSEWHERE 2U
#define BREAKER   4U

#define ROW(word, status, kind, published, flags, wait_s, words_for_client)                        \
    {                                                                                              \
        .name = (word), .http_status = (status), .code = (published), .type = (kind),              \
        .text = (words_for_client), .may_retry = ((flags)&RETRY) != 0, .retry_after_s = (wait_s),  \
        .try_elsewhere = ((flags)&ELSEWHERE) != 0, .breaker_counts = ((flags)&BREAKER) != 0        \
    }

/* What stays between modules. Should one reach a client after all, it is our bug and reads as
 * such. */
#define INTERNAL(word) ROW(word, 500, T_SERVER, "server_error", RETRY, 0, TEXT_INTERNAL)

static const struct err_info table[ERR_COUNT] = {
    /* clang-format off */
    [ERR_OK] = ROW("ok", 200, "", "", 0, 0, ""),

    [ERR_BAD_REQUEST] = ROW("bad_request", 400, T_REQUEST, "bad_request", 0, 0,
        "The request is malformed or a required parameter is missing."),
    [ERR_TOO_LARGE] = ROW("too_large", 413, T_REQUEST, "request_too_large", 0, 0,
        "The request body is too large."),
    [ERR_BAD_KEY] = ROW("bad_key", 401, T_REQUEST, "invalid_api_key", 0, 0,
        "The API key is missing, unknown, disabled or expired."),
    [ERR_FORBIDDEN] = ROW("forbidden", 403, "permission_error", "permission_denied", 0, 0,
        "This API key is not allowed to do that."),
    [ERR_NOT_FOUND] = ROW("not_found", 404, T_REQUEST, "not_found", 0, 0,
        "The requested path or object does not exist."),
    [ERR_METHOD] = ROW("method", 405, T_REQUEST, "method_not_allowed", 0, 0,
        "This path does not support that method."),
    [ERR_NO_MODEL] = ROW("no_model", 404, T_REQUEST, "model_not_found", 0, 0,
        "The model does not exist or you have no access to it."),
    [ERR_NO_FUNDS] = ROW("no_funds", 429, T_QUOTA, "insufficient_quota", 0, 30,
        "The balance of your account is too low for this request. Please recharge."),
    [ERR_FUNDS_RESERVED] = ROW("funds_reserved", 429, T_QUOTA, "insufficient_quota", RETRY, 2,
        "Your balance is reserved by requests that are still running. Please retry when they end."),
    [ERR_SPEND_LIMIT] = ROW("spend_limit", 429, T_QUOTA, "insufficient_quota", 0, 30,
        "A spend limit is too low for this request, or reached."),
    [ERR_SPEND_RESERVED] = ROW("spend_reserved", 429, T_QUOTA, "insufficient_quota", RETRY, 2,
        "A spend limit is reserved by requests that are still running. "
        "Please retry when they end."),
    [ERR_CODE_USED] = ROW("code_used", 409, T_REQUEST, "code_already_redeemed", 0, 0,
        "This code has been redeemed before."),
    [ERR_CODE_EXPIRED] = ROW("code_expired", 410, T_REQUEST, "code_expired", 0, 0,
        "This code has expired."),
    [ERR_RATE] = ROW("rate", 429, "requests", LIMITED, RETRY, 1,
        "Rate limit reached. Please slow down."),
    /* 499 as nginx logs it: nobody is left to read the answer. */
    [ERR_CLIENT_GONE] = ROW("client_gone", 499, T_REQUEST, "bad_request", RETRY, 0,
        "The client closed the connection."),
    [ERR_UPLOAD_CUT] = ROW("upload_cut", 400, T_REQUEST, "bad_request", RETRY, 0,
        "The request body ended early."),

    [ERR_INTERNAL] = INTERNAL("internal"),
    [ERR_MEMORY] = ROW("memory", 503, T_SERVER, UNAVAILABLE, RETRY, 5, TEXT_DOWN),
    [ERR_UNAVAILABLE] = ROW("unavailable", 503, T_SERVER, UNAVAILABLE, RETRY, 5, TEXT_DOWN),
    [ERR_BUSY] = ROW("busy", 503, T_SERVER, UNAVAILABLE, RETRY, 1,
        "The service is busy. Please retry shortly."),
    [ERR_NO_CHANNEL] = ROW("no_channel", 503, T_SERVER, UNAVAILABLE, RETRY, 5, TEXT_PROVIDER),

    [ERR_UP_CONNECT] = ROW("up_connect", 503, T_SERVER, UNAVAILABLE, RETRY | ELSEWHERE | BREAKER, 5,
        TEXT_PROVIDER),
    [ERR_UP_TIMEOUT] = ROW("up_timeout", 504, T_SERVER, UNAVAILABLE, RETRY | ELSEWHERE | BREAKER, 0,
        "The provider of this model did not answer in time."),
    [ERR_UP_RESET] = ROW("up_reset", 503, T_SERVER, UNAVAILABLE, RETRY | ELSEWHERE | BREAKER, 5,
        TEXT_PROVIDER),
    [ERR_UP_STATUS] = ROW("up_status", 503, T_SERVER, UNAVAILABLE, RETRY | ELSEWHERE | BREAKER, 5,
        TEXT_PROVIDER),
    [ERR_UP_RATE] = ROW("up_rate", 429, "requests", LIMITED, RETRY | ELSEWHERE | BREAKER, 5,
        "The providers of this model limit our rate. Please retry shortly."),
    [ERR_UP_AUTH] = ROW("up_auth", 503, T_SERVER, UNAVAILABLE, RETRY | ELSEWHERE | BREAKER, 5,
        TEXT_PROVIDER),
    [ERR_UP_REJECTED] = ROW("up_rejected", 400, T_REQUEST, "bad_request", 0, 0,
        "The provider of this model rejected the request."),
    [ERR_UP_CONTEXT] = ROW("up_context", 400, T_REQUEST, "context_length_exceeded", 0, 0,
        "The input is longer than the context window of the model."),
    [ERR_UP_MALFORMED] = ROW("up_malformed", 503, T_SERVER, UNAVAILABLE,
        RETRY | ELSEWHERE | BREAKER, 5, TEXT_PROVIDER),
    /* Of a stream bytes are with the client already: relay looks at that first. */
    [ERR_UP_CUT] = ROW("up_cut", 503, T_SERVER, UNAVAILABLE, RETRY | ELSEWHERE | BREAKER, 5,
        "The provider's answer ended early."),
    [ERR_UP_FAILED] = ROW("up_failed", 503, T_SERVER, UNAVAILABLE, RETRY | ELSEWHERE | BREAKER, 5,
        "The provider failed within its answer."),

    [ERR_END] = INTERNAL("end"),
    [ERR_RANGE] = INTERNAL("range"),
    [ERR_FORMAT] = INTERNAL("format"),
    [ERR_FULL] = INTERNAL("full"),
    [ERR_IO] = INTERNAL("io"),
    [ERR_CONFIG] = INTERNAL("config"),
    [ERR_DB] = INTERNAL("db"),
    [ERR_DB_RETRY] = ROW("db_retry", 503, T_SERVER, UNAVAILABLE, RETRY, 5, TEXT_DOWN),
    [ERR_DB_DOWN] = ROW("db_down", 503, T_SERVER, UNAVAILABLE, RETRY, 5, TEXT_DOWN),
    [ERR_DB_UNKNOWN] = ROW("db_unknown", 503, T_SERVER, UNAVAILABLE, RETRY, 5, TEXT_DOWN),
    [ERR_DB_DUPLICATE] = INTERNAL("db_duplicate"),
    /* clang-format on */
};

const struct err_info *err_info(enum err e)
{
    assert((unsigned)e < ERR_COUNT);
    return &table[e];
}

const char *err_name(enum err e)
{
    return err_info(e)->name;
}
