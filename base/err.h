/* err - the one list of errors, and what each means to a client, to failover and to the breaker.
 *
 * Every function that can fail returns an enum err, must-use. ERR_OK is 0. The table behind
 * err_info gives each value the HTTP status, the words of the published error table and what may be
 * done next. Pure data; any thread. */
#ifndef AIPASS_BASE_ERR_H
#define AIPASS_BASE_ERR_H

#include <stdbool.h>

enum err {
    ERR_OK = 0,

    /* What a client did. */
    ERR_BAD_REQUEST,    /* malformed or missing parameter */
    ERR_TOO_LARGE,      /* body above body_max_bytes */
    ERR_BAD_KEY,        /* no key, unknown, disabled or expired */
    ERR_FORBIDDEN,      /* this key may not use that */
    ERR_NOT_FOUND,      /* no such path or object */
    ERR_METHOD,         /* the path exists, the method does not */
    ERR_NO_MODEL,       /* unknown model */
    ERR_NO_FUNDS,       /* balance below the worst-case price */
    ERR_FUNDS_RESERVED, /* balance suffices, running requests hold it */
    ERR_SPEND_LIMIT,    /* a limit of spend is below the worst-case price */
    ERR_SPEND_RESERVED, /* the limit suffices, running requests hold it */
    ERR_CODE_USED,      /* a redeem code that was redeemed before */
    ERR_CODE_EXPIRED,   /* a redeem code past its end */
    ERR_RATE,           /* a limit of ours, or the provider's 429 passed on */
    ERR_CLIENT_GONE,    /* the client closed its side */
    ERR_UPLOAD_CUT,     /* the body ended early */

    /* What we could not do. */
    ERR_INTERNAL,
    ERR_MEMORY,
    ERR_UNAVAILABLE, /* database or spool: nothing can be decided now */
    ERR_BUSY,        /* all workers are taken, or the process drains */
    ERR_NO_CHANNEL,  /* no channel for the model is usable now */

    /* What a provider did (upstream/ returns these). */
    ERR_UP_CONNECT,   /* DNS, TCP or TLS failed */
    ERR_UP_TIMEOUT,   /* a timer of the exchange ran out */
    ERR_UP_RESET,     /* the connection broke before the first byte */
    ERR_UP_STATUS,    /* 5xx, 408, 409 */
    ERR_UP_RATE,      /* 429 */
    ERR_UP_AUTH,      /* 401, 402, 403: our credential, never the client's fault */
    ERR_UP_REJECTED,  /* 400, 404, 413, 422...: the request's fault; passed on */
    ERR_UP_CONTEXT,   /* 400: the input is longer than the model's context window; passed on */
    ERR_UP_MALFORMED, /* not what the format says, or an empty answer */
    ERR_UP_CUT,       /* ended after the first byte without its proper end */
    ERR_UP_FAILED,    /* an error event inside a started answer */

    /* Results between modules; none of these reaches a client as such. */
    ERR_END,          /* nothing more */
    ERR_RANGE,        /* a number outside its bounds */
    ERR_FORMAT,       /* bytes that do not parse */
    ERR_FULL,         /* a named maximum is reached */
    ERR_IO,           /* a system call failed; errno tells */
    ERR_CONFIG,       /* the configuration is wrong; already told on stderr */
    ERR_DB,           /* a statement failed for good; the transaction is rolled back */
    ERR_DB_RETRY,     /* deadlock, lock timeout or conflict: begin again */
    ERR_DB_DOWN,      /* no host answers; nothing was applied */
    ERR_DB_UNKNOWN,   /* COMMIT was sent and its answer is missing */
    ERR_DB_DUPLICATE, /* a unique key exists already */
    ERR_COUNT
};

#define ERR_CHECK __attribute__((warn_unused_result))

struct err_info {
    const char *name;    /* "no_funds": the word in logs and in usage_log.error_code */
    int http_status;     /* what the client sees, unless its format says otherwise */
    const char *code;    /* the published code: "bad_request", "invalid_api_key"... */
    const char *type;    /* OpenAI's word for `type` */
    const char *text;    /* default text for the client */
    bool may_retry;      /* the client may repeat: no `x-should-retry: false` */
    int retry_after_s;   /* default Retry-After; 0 = none */
    bool try_elsewhere;  /* before the first byte another channel may be tried */
    bool breaker_counts; /* a failure of the channel */
};

/* err_info - the row of one error. e: any value below ERR_COUNT. Never NULL. */
const struct err_info *err_info(enum err e);

/* err_name - err_info(e)->name, for logs. */
const char *err_name(enum err e);

#endif
