#include "upstream/event.h"

#include "base/log.h"

#include <assert.h>

static bool is_legal(const struct event_gate *g, const struct event *e)
{
    if (g->is_failed)
        return false;
    switch (e->kind) {
    case EV_START:
        return !g->is_started;
    case EV_BEGIN:
        return g->is_started && !g->is_open && !g->is_finished && e->part == g->parts_n;
    case EV_DELTA:
    case EV_END:
        return g->is_open && e->part + 1 == g->parts_n;
    case EV_SEAL:
        return g->parts_n > 0 && !g->is_finished && e->part + 1 == g->parts_n;
    case EV_FINISH:
        return g->is_started && !g->is_open && !g->is_finished;
    case EV_USAGE:
        return g->is_started;
    case EV_ERROR:
        return true;
    default:
        return false;
    }
}

bool event_gate_pass(struct event_gate *g, const struct event *e)
{
    if (!is_legal(g, e)) {
#ifdef AIPASS_DEBUG
        assert(!"an event against the invariants");
#endif
        return false;
    }
    switch (e->kind) {
    case EV_START:
        g->is_started = true;
        break;
    case EV_BEGIN:
        g->is_open = true;
        g->kind = e->part_kind;
        g->parts_n++;
        break;
    case EV_END:
        g->is_open = false;
        break;
    case EV_FINISH:
        g->is_finished = true;
        break;
    case EV_ERROR:
        g->is_failed = true;
        break;
    default:
        break;
    }
    return true;
}

enum err decoder_emit(struct decoder *d, const struct event *e)
{
    if (!event_gate_pass(&d->gate, e)) {
        log_error("event_order", "kind=%d part=%zu", (int)e->kind, e->part);
        return ERR_UP_MALFORMED;
    }
    return d->sink(d->sink_ctx, e);
}

static size_t last_part(const struct decoder *d)
{
    return d->gate.parts_n ? d->gate.parts_n - 1 : 0;
}

enum err decoder_begin_part(struct decoder *d, enum part_kind kind)
{
    return decoder_emit(
        d, &(struct event){.kind = EV_BEGIN, .part = d->gate.parts_n, .part_kind = kind});
}

enum err decoder_begin_call(struct decoder *d, struct slice id, struct slice name, bool is_custom)
{
    return decoder_emit(d, &(struct event){.kind = EV_BEGIN,
                                           .part = d->gate.parts_n,
                                           .part_kind = PART_CALL,
                                           .id = id,
                                           .name = name,
                                           .is_custom = is_custom});
}

enum err decoder_delta(struct decoder *d, struct slice text)
{
    if (text.n == 0)
        return ERR_OK;
    return decoder_emit(d, &(struct event){.kind = EV_DELTA, .part = last_part(d), .text = text});
}

enum err decoder_seal(struct decoder *d, struct slice seal, bool is_redacted)
{
    return decoder_emit(
        d, &(struct event){
               .kind = EV_SEAL, .part = last_part(d), .text = seal, .is_redacted = is_redacted});
}

enum err decoder_end_part(struct decoder *d)
{
    if (!d->gate.is_open)
        return ERR_OK;
    return decoder_emit(d, &(struct event){.kind = EV_END, .part = last_part(d)});
}

enum err decoder_ensure_part(struct decoder *d, enum part_kind kind)
{
    enum err e;

    if (d->gate.is_open && d->gate.kind == kind)
        return ERR_OK;
    e = decoder_end_part(d);
    return e ? e : decoder_begin_part(d, kind);
}

enum err decoder_usage(struct decoder *d, const struct counts *counts, struct slice service_tier)
{
    return decoder_emit(
        d, &(struct event){.kind = EV_USAGE, .counts = *counts, .service_tier = service_tier});
}

enum err decoder_finish(struct decoder *d, enum finish finish, struct slice detail)
{
    enum err e = decoder_end_part(d);

    return e ? e
             : decoder_emit(d,
                            &(struct event){.kind = EV_FINISH, .finish = finish, .text = detail});
}

enum err decoder_error(struct decoder *d, enum err error, struct slice text, struct slice code)
{
    return decoder_emit(
        d, &(struct event){.kind = EV_ERROR, .error = error, .text = text, .code = code});
}

const char *finish_log_word(enum finish f)
{
    static const char *const words[] = {
        [FINISH_STOP] = "stop",
        [FINISH_STOP_TEXT] = "stop",
        [FINISH_LENGTH] = "length",
        [FINISH_CONTEXT] = "length",
        [FINISH_TOOL] = "tool_calls",
        [FINISH_REFUSAL] = "refusal",
        [FINISH_FILTER] = "content_filter",
        [FINISH_PAUSE] = "pause",
        [FINISH_BAD_CALL] = "bad_call",
        [FINISH_OTHER] = "other",
    };

    return words[f];
}
