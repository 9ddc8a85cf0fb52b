#include "upstream/transfer_exchange.h"

#include "base/clock.h"

#include <stdio.h>

#define WAIT_US_MAX INT64_C(60000000)

void exchange_set_detail(struct exchange *x, const char *text)
{
    (void)slice_copy_z(x->result->detail, sizeof(x->result->detail), slice_of(text));
}

static enum err timed_out(struct exchange *x, const char *timer, int64_t ms)
{
    (void)snprintf(x->result->detail, sizeof(x->result->detail), "%s timer, %lld ms", timer,
                   (long long)ms);
    return ERR_UP_TIMEOUT;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The provider's timers. *wait_us: not longer than to the next of them. */
static enum err check_provider(struct exchange *x, int64_t now_us, int64_t *wait_us)
{
    const struct transfer_spec *spec = x->spec;
    int64_t time_us = now_us - x->blocked_us;
    int64_t total_us = x->start_us + spec->total_ms * 1000 - time_us;
    int64_t bytes_us;

    if (total_us <= 0)
        return timed_out(x, "total", spec->total_ms);
    if (x->result->body_bytes == 0) {
        bytes_us = x->start_us + spec->first_byte_ms * 1000 - time_us;
        if (bytes_us <= 0)
            return timed_out(x, "first byte", spec->first_byte_ms);
    } else {
        bytes_us = x->last_byte_us + spec->between_bytes_ms * 1000 - time_us;
        if (bytes_us <= 0)
            return timed_out(x, "between bytes", spec->between_bytes_ms);
    }
    *wait_us = least(*wait_us, least(total_us, bytes_us));
    return ERR_OK;
}

static enum err check_ping(struct exchange *x, int64_t *now_us, int64_t *wait_us)
{
    const struct transfer_spec *spec = x->spec;
    enum err e = ERR_OK;

    if (spec->ping_ms <= 0 || !spec->ops->on_ping || x->is_gone)
        return ERR_OK;
    if (*now_us - x->last_sign_us >= spec->ping_ms * 1000) {
        e = spec->ops->on_ping(spec->ctx);
        x->last_sign_us = clock_mono_us();
        x->blocked_us += x->last_sign_us - *now_us;
        *now_us = x->last_sign_us;
        if (e)
            exchange_set_detail(x, EXCHANGE_RECEIVER_ENDED);
    }
    *wait_us = least(*wait_us, x->last_sign_us + spec->ping_ms * 1000 - *now_us);
    return e;
}

static enum err check_stopping(struct exchange *x, int64_t now_us, int64_t *wait_us)
{
    if (!x->spec->is_stopping)
        return ERR_OK;
    if (now_us >= x->next_stop_us) {
        if (x->spec->is_stopping(x->spec->ctx)) {
            exchange_set_detail(x, "stopping");
            return ERR_BUSY;
        }
        x->next_stop_us = now_us + LOOK_AGAIN_US;
    }
    *wait_us = least(*wait_us, x->next_stop_us - now_us);
    return ERR_OK;
}

static enum err check_drain(struct exchange *x, int64_t now_us, int64_t *wait_us)
{
    if (!x->is_gone)
        return ERR_OK;
    if (now_us >= x->drain_until_us)
        return ERR_CLIENT_GONE;
    *wait_us = least(*wait_us, x->drain_until_us - now_us);
    return ERR_OK;
}

enum err exchange_check_timers(struct exchange *x, int64_t *now_us, int64_t *wait_us)
{
    enum err e;

    *now_us = clock_mono_us();
    *wait_us = WAIT_US_MAX;
    e = check_drain(x, *now_us, wait_us);
    if (!e)
        e = check_ping(x, now_us, wait_us);
    if (!e)
        e = check_stopping(x, *now_us, wait_us);
    return e ? e : check_provider(x, *now_us, wait_us);
}
