#include "upstream/translate.h"

#include "base/hash.h"
#include "base/buf.h"
#include "upstream/fetch.h"
#include "upstream/signature.h"
#include "upstream/splice.h"
#include "upstream/stop_cut.h"

#include <assert.h>
#include <string.h>

#define BYTES_MAX ((size_t)1 << 30) /* what is translated was bounded when it was received */

struct translation {
    struct arena *arena;
    const struct format *from; /* the client's */
    const struct format *to;   /* the provider's */
    const struct format_request *in;
    struct canon canon;
    struct plan plan;
    struct fetcher *fetcher;
    bool is_decoded;
    struct buf body; /* the request for the provider */

    /* the way back */
    struct reader *reader;
    struct decoder decoder;
    struct encoder encoder;
    struct buf out;
    struct buf args; /* of an emulated custom call, until it ends */
    struct stop_cut stops;
    bool is_unwrapping;  /* the open call is an emulated custom tool's */
    bool is_answer_call; /* the open call stands for the structured answer */
    bool has_answer_call;
    bool is_cut; /* a stop sequence was found: what follows is nothing to the client */
    size_t cut_part;
    bool has_parts;
    uint32_t thought_crc; /* of the thinking part that is open or was the last */
    enum err failed;      /* the error inside the answer */
    char cost[READER_COST_SIZE];
};

static void clear(void *translation)
{
    translation_clear(translation);
}

struct translation *translation_new(struct arena *a, const struct format *from,
                                    const struct format *to, const struct format_request *in,
                                    const struct capability *capability)
{
    struct translation *x = arena_alloc(a, sizeof(*x));

    if (!x)
        return NULL;
    *x = (struct translation){.arena = a, .from = from, .to = to, .in = in};
    x->plan = (struct plan){.arena = a, .capability = capability, .output_max_inject = -1};
    tool_names_init(&x->plan.names, a);
    buf_init(&x->body, BYTES_MAX);
    buf_init(&x->out, BYTES_MAX);
    buf_init(&x->args, BYTES_MAX);
    stop_cut_init(&x->stops);
    return arena_defer(a, clear, x) ? NULL : x;
}

void translation_allow_fetch(struct translation *x, struct fetcher *f)
{
    x->fetcher = f;
}

void translation_clear(struct translation *x)
{
    buf_clear(&x->body);
    buf_clear(&x->out);
    buf_clear(&x->args);
    stop_cut_clear(&x->stops);
}

const struct drops *translation_drops(const struct translation *x)
{
    return &x->plan.drops;
}

/* ---- the request ---- */

static enum err decode(struct translation *x, struct fault *fault)
{
    enum err e;

    canon_init(&x->canon, x->arena, x->from->vendor, NULL);
    x->canon.body = x->in->body;
    e = x->from->decode_request(&x->canon, x->in, fault);
    if (e)
        return e;
    x->canon.is_stream = x->in->is_stream;
    x->canon.max_out = x->in->output_max;
    x->plan.drops = x->canon.drops;
    x->is_decoded = true;
    return ERR_OK;
}

/* The target's edits to the top level of the body. */
static enum err edit(struct translation *x, const struct format_target *t, struct splice *out)
{
    struct jmember *items, m;
    size_t n = 0, i;
    struct jscan s;
    struct splicer splicer;
    enum err e;

    items = arena_alloc(x->arena, FORMAT_MEMBERS_MAX * sizeof(*items));
    if (!items)
        return ERR_MEMORY;
    e = jscan_begin_object(&s, buf_slice(&x->body));
    while (!e && !(e = jscan_next_member(&s, &m))) {
        if (n == FORMAT_MEMBERS_MAX)
            return ERR_INTERNAL;
        items[n++] = m;
    }
    if (e != ERR_END)
        return ERR_INTERNAL; /* our own JSON */
    e = splicer_init(&splicer, x->arena, buf_slice(&x->body), items, n, t->edits_n);
    for (i = 0; i < t->edits_n && !e; i++)
        e = splicer_edit(&splicer, &t->edits[i]);
    return e ? e : splicer_finish(&splicer, out);
}

enum err translate_request(struct translation *x, const struct format_target *t, struct splice *out,
                           struct fault *fault)
{
    struct slice *part;
    enum err e = decode(x, fault);

    if (e)
        return e;
    x->plan.model = t->upstream_model;
    x->plan.output_max_inject = t->output_max_inject;
    x->plan.fault = fault;
    e = canon_prepare(&x->canon, &x->plan, x->to->vendor);
    if (!e && x->fetcher && x->to->needs_bytes)
        e = fetch_parts(x->fetcher, &x->canon, &x->plan, x->to->needs_bytes);
    if (!e)
        e = x->to->encode_request(&x->canon, &x->plan, &x->body);
    if (e)
        return e;
    if (t->edits_n > 0)
        return edit(x, t, out);
    part = arena_alloc(x->arena, sizeof(*part));
    if (!part)
        return ERR_MEMORY;
    *part = buf_slice(&x->body);
    *out = (struct splice){.parts = part, .parts_n = 1, .bytes = (int64_t)part->n};
    return ERR_OK;
}

/* ---- the answer: from the decoder's events to the encoder's ---- */

static enum err pass(struct translation *x, const struct event *e)
{
    return x->from->encode_event(&x->encoder, e);
}

/* The signature for this client; p NULL when there is none. id: of the item it came in. */
static enum err wrap(struct translation *x, struct slice payload, struct slice id, bool is_redacted,
                     struct slice *out)
{
    struct seal seal = {.vendor = x->to->vendor,
                        .model = slice_of(x->plan.model),
                        .payload = payload,
                        .id = id,
                        .is_redacted = is_redacted};

    /* It binds the text, which clients of other formats may lose on their way. */
    if (x->to->vendor == VENDOR_ANTHROPIC && !is_redacted)
        seal.text_crc = x->thought_crc;
    *out = (struct slice){NULL, 0};
    if (payload.n == 0)
        return ERR_OK;
    *out = signature_wrap(x->arena, &seal);
    if (out->p && x->from->vendor == VENDOR_GEMINI)
        *out = signature_base64(x->arena, *out);
    return out->p ? ERR_OK : ERR_MEMORY;
}

static enum err begin_call(struct translation *x, struct event *e)
{
    const struct tool_name *name = tool_names_find(&x->plan.names, e->name);
    enum err err;

    x->is_answer_call = x->plan.answer_tool.p && slice_eq(e->name, x->plan.answer_tool);
    if (x->is_answer_call) {
        x->has_answer_call = true;
        *e = (struct event){.kind = EV_BEGIN, .part = e->part, .part_kind = PART_TEXT};
        return pass(x, e);
    }
    x->encoder.has_call = true;
    if (name)
        e->name = name->own;
    x->is_unwrapping = name && name->is_custom && !e->is_custom;
    e->is_custom |= x->is_unwrapping;
    buf_reset(&x->args);
    if (!canon_id_is_legal(e->id)) {
        const char *id = arena_printf(x->arena, "call_%s%zu", x->encoder.request_id, e->part);

        if (!id)
            return ERR_MEMORY;
        e->id = slice_of(id);
    }
    err = wrap(x, e->seal, (struct slice){NULL, 0}, false, &e->seal);
    return err ? err : pass(x, e);
}

static enum err begin(struct translation *x, struct event *e)
{
    x->has_parts = true;
    x->reader->has_content = true;
    x->is_unwrapping = false;
    x->is_answer_call = false;
    if (e->part_kind == PART_THINKING)
        x->thought_crc = 0;
    return e->part_kind == PART_CALL ? begin_call(x, e) : pass(x, e);
}

/* Text that may hold a stop sequence; what may be the beginning of one waits. */
static enum err cut_text(struct translation *x, const struct event *e)
{
    struct event piece = *e;
    enum err err = stop_cut_feed(&x->stops, e->text, &piece.text, &x->is_cut);

    x->cut_part = e->part;
    if (!err && piece.text.n)
        err = pass(x, &piece);
    return err;
}

static bool is_text(const struct translation *x)
{
    return x->decoder.gate.kind == PART_TEXT || x->is_answer_call;
}

static enum err delta(struct translation *x, const struct event *e)
{
    struct reader *r = x->reader;

    if (x->decoder.gate.kind == PART_IMAGE || x->decoder.gate.kind == PART_AUDIO)
        return pass(x, e);
    if (x->decoder.gate.kind == PART_THINKING)
        x->thought_crc = hash_crc32c(x->thought_crc, e->text.p, e->text.n);
    text_size_add(&r->output, e->text);
    r->chunks++;
    if (x->is_unwrapping)
        return buf_append_slice(&x->args, e->text);
    if (is_text(x) && stop_cut_is_set(&x->stops))
        return cut_text(x, e);
    return pass(x, e);
}

/* The arguments {"input": TEXT} of an emulated custom tool, as that text. */
static enum err unwrap(struct translation *x, size_t part)
{
    struct event e = {.kind = EV_DELTA, .part = part};
    struct jvalue object, input;

    e.text = buf_slice(&x->args);
    if (!jscan_validate(e.text, &object, NULL) && !jscan_find(object, "input", &input)) {
        enum err err = jscan_string(input, x->arena, &e.text);

        if (err == ERR_MEMORY)
            return err;
    }
    return e.text.n ? pass(x, &e) : ERR_OK;
}

static enum err end_part(struct translation *x, const struct event *e)
{
    struct event rest = {.kind = EV_DELTA, .part = e->part};
    enum err err = ERR_OK;

    if (x->is_unwrapping)
        err = unwrap(x, e->part);
    if (is_text(x) && stop_cut_is_set(&x->stops)) {
        rest.text = stop_cut_rest(&x->stops);
        if (rest.text.n)
            err = pass(x, &rest);
    }
    x->is_unwrapping = false;
    return err ? err : pass(x, e);
}

static void fail(struct translation *x, const struct event *e)
{
    struct reader *r = x->reader;

    x->failed = e->error;
    reader_default_error(r, ERR_UP_FAILED);
    if (e->text.n)
        (void)slice_copy_z(r->error_text, sizeof(r->error_text), e->text);
    if (e->code.n)
        (void)slice_copy_z(r->error_code, sizeof(r->error_code), e->code);
    r->error_class = e->error;
}

static void take_usage(struct translation *x, const struct event *e)
{
    struct reader *r = x->reader;

    if (e->counts.is_known)
        r->counts = e->counts;
    if (e->service_tier.n)
        (void)slice_copy_z(r->service_tier, sizeof(r->service_tier), e->service_tier);
}

static void take_finish(struct translation *x, enum finish finish, struct slice text)
{
    x->encoder.finish = finish;
    x->encoder.finish_text = (struct slice){arena_copy(x->arena, text), text.n};
    if (!x->encoder.finish_text.p)
        x->encoder.finish_text.n = 0;
    (void)slice_copy_z(x->reader->finish_reason, sizeof(x->reader->finish_reason),
                       slice_of(finish_log_word(finish)));
}

/* The decoder's sink. */
static enum err on_event(void *ctx, const struct event *event)
{
    struct translation *x = ctx;
    struct event e = *event;
    enum err err;

    if (x->is_cut && e.kind != EV_USAGE)
        return ERR_OK;
    switch (e.kind) {
    case EV_BEGIN:
        return begin(x, &e);
    case EV_DELTA:
        return delta(x, &e);
    case EV_SEAL:
        err = wrap(x, e.text, e.id, e.is_redacted, &e.text);
        return err || !e.text.p ? err : pass(x, &e);
    case EV_END:
        return end_part(x, &e);
    case EV_USAGE:
        take_usage(x, &e);
        return ERR_OK;
    case EV_FINISH:
        take_finish(x, e.finish, e.text);
        return ERR_OK;
    case EV_ERROR:
        fail(x, &e);
        return ERR_OK;
    case EV_START:
    default:
        return pass(x, &e);
    }
}

/* ---- the answer: as a reader ---- */

/* A stop sequence was found: the part that is open ends here. */
static enum err finish_cut(struct translation *x)
{
    struct event end = {.kind = EV_END, .part = x->cut_part};

    take_finish(x, FINISH_STOP_TEXT, stop_cut_found(&x->stops));
    return pass(x, &end);
}

/* What the client's format says of the end. */
static void settle_finish(struct translation *x)
{
    enum finish *finish = &x->encoder.finish;

    if (x->encoder.has_call && (*finish == FINISH_STOP || *finish == FINISH_OTHER))
        *finish = FINISH_TOOL;
    else if (x->has_answer_call && !x->encoder.has_call && *finish == FINISH_TOOL)
        *finish = FINISH_STOP;
}

/* The answer is complete: the rest of what the client gets is in out. */
static enum err finish(struct translation *x)
{
    struct reader *r = x->reader;
    struct encoder *enc = &x->encoder;
    enum err e = ERR_OK;

    if (x->is_cut)
        e = finish_cut(x);
    if (e)
        return e;
    if (enc->finish == FINISH_BAD_CALL && !x->has_parts)
        return ERR_UP_MALFORMED;
    settle_finish(x);
    enc->counts = reader_counts(r);
    enc->service_tier = slice_of(r->service_tier);
    if (r->cost_text) {
        r->cost_text(r->cost_ctx, r, x->cost);
        enc->cost = x->cost;
    }
    e = x->from->encode_end(enc);
    r->is_ended = e == ERR_OK;
    return e;
}

static enum event_verdict verdict(struct translation *x, enum err e)
{
    struct reader *r = x->reader;

    if (x->failed)
        return EVENT_FAIL;
    if (!e && (x->decoder.is_ended || x->is_cut))
        e = finish(x);
    if (e)
        return EVENT_MALFORMED;
    r->replacement = buf_slice(&x->out);
    if (r->is_ended)
        return EVENT_END;
    return x->out.n > 0 ? EVENT_FORWARD : EVENT_WITHHOLD;
}

static enum event_verdict read_event(struct reader *r, const struct sse_event *e)
{
    struct translation *x = r->translation;

    r->replacement = (struct slice){NULL, 0};
    if (x->encoder.is_stream)
        buf_reset(&x->out);
    return verdict(x, x->to->decode_event(&x->decoder, e));
}

static enum event_verdict read_end(struct reader *r)
{
    struct translation *x = r->translation;
    enum err e;

    if (x->encoder.is_stream)
        buf_reset(&x->out);
    e = x->to->decode_end(&x->decoder);
    if (!e)
        x->decoder.is_ended = true;
    return verdict(x, e);
}

static enum err read_whole(struct reader *r, struct slice body, struct slice *out)
{
    struct translation *x = r->translation;
    enum err e;

    buf_reset(&x->out);
    e = x->to->decode_whole(&x->decoder, body);
    if (x->failed)
        return ERR_UP_FAILED;
    if (!e)
        e = finish(x);
    if (e)
        return e == ERR_MEMORY ? e : ERR_UP_MALFORMED;
    *out = buf_slice(&x->out);
    return ERR_OK;
}

static void read_error(struct reader *r, struct slice body)
{
    r->translation->to->reader.read_error(r, body);
}

static const struct reader_ops reader_ops = {read_event, read_end, read_whole, read_error};

enum err translation_attach(struct translation *x, struct reader *r, const char *request_id,
                            int64_t created_s)
{
    struct fault fault;
    enum err e = x->is_decoded ? ERR_OK : decode(x, &fault);

    if (e)
        return e;
    x->reader = r;
    if (!x->plan.model)
        x->plan.model = r->upstream_model;
    x->decoder =
        (struct decoder){.format = x->to, .arena = x->arena, .sink = on_event, .sink_ctx = x};
    x->encoder = (struct encoder){
        .format = x->from,
        .arena = x->arena,
        .out = &x->out,
        .is_stream = x->in->is_stream,
        .wants_usage = x->in->wants_usage,
        .is_array = x->in->is_array,
        .model = r->public_model,
        .request_id = request_id,
        .created_s = created_s,
        .request = &x->canon,
    };
    if (x->plan.cuts_stops)
        stop_cut_set(&x->stops, x->canon.stops, x->canon.stops_n);
    r->ops = &reader_ops;
    r->translation = x;
    r->encoder = &x->encoder;
    e = x->to->decode_begin(&x->decoder);
    return e ? e : x->from->encode_begin(&x->encoder);
}
