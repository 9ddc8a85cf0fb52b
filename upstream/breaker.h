/* breaker - which channels, keys and models are left alone for a while, because they have failed.
 *
 * One set for a process; nothing of it is shared with others. An entry stands for a channel, a
 * provider key, a model at a channel, or a model with a key. It is closed (requests pass), open until
 * a time (none pass), or half open (that time is over: one request may pass, and decides). Where the
 * provider has named that time it is closed afterwards. The clock is the caller's. Any thread; never
 * blocks.
 *
 *            failures in a row, or the share of them      that time is over: one request
 *   closed --------------------------------------> open ---------------------------------> half open
 *      ^                                            ^                                        |    |
 *      |                                            '-------- failed: twice as long ---------'    |
 *      '------------------------------------------------------ answered -------------------------' */
#ifndef AIPASS_UPSTREAM_BREAKER_H
#define AIPASS_UPSTREAM_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BREAKER_SCOPES 4

struct breaker_settings {
    int64_t failures;     /* so many in a row open it; 0: it never opens by failures */
    int64_t rate_percent; /* so many of the requests of a window, or more, open it... */
    int64_t rate_min;     /* ... when there were so many at least */
    int64_t window_ms;
    int64_t open_ms;     /* how long at first; doubles with each half-open request that fails */
    int64_t open_max_ms; /* ... up to this, also when a provider names a later time */
};

/* What a request goes to. */
struct breaker_place {
    int64_t channel_id;
    int64_t key_id;
    int64_t model_id;
};

/* What a failure speaks against. */
enum breaker_scope { BREAKER_CHANNEL, BREAKER_MODEL, BREAKER_KEY, BREAKER_KEY_MODEL };

enum breaker_outcome {
    BREAKER_ANSWERED, /* it works, whatever was answered */
    BREAKER_FAILED,
    BREAKER_LIMITED, /* the same; open at once when the provider has said until when */
    BREAKER_REFUSED, /* the credential: open at once */
    BREAKER_UNKNOWN  /* nothing was learnt */
};

struct breaker_report {
    enum breaker_outcome outcome;
    enum breaker_scope scope; /* of a failure */
    int64_t wait_ms;          /* the provider's own word for how long; -1: none */
};

struct breaker_set;
/* breaker_new - settings are copied. NULL: no memory. breaker_free takes NULL. */
struct breaker_set *breaker_new(const struct breaker_settings *settings);
void breaker_free(struct breaker_set *s);

/* breaker_wait_ms - 0: a request may go there now; else for how long it should not, at least 1. */
int64_t breaker_wait_ms(struct breaker_set *s, const struct breaker_place *p, int64_t now_ms);

/* breaker_enter - a request goes there. False: it may not, another was faster; nothing has changed.
 * After true breaker_leave must follow, with is_probe as it came. */
bool breaker_enter(struct breaker_set *s, const struct breaker_place *p, int64_t now_ms,
                   bool is_probe[BREAKER_SCOPES]);
void breaker_leave(struct breaker_set *s, const struct breaker_place *p, int64_t now_ms,
                   const bool is_probe[BREAKER_SCOPES], const struct breaker_report *report);

/* breaker_forbidden - a key was refused for a model. Returns for how many different models that has
 * happened since it last worked, this one included; at most 3 are counted. */
int breaker_forbidden(struct breaker_set *s, const struct breaker_place *p, int64_t now_ms);

#endif
