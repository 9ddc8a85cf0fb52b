#include "tests/unit/codec_kit.h"

#include "base/jscan.h"
#include "upstream/sse.h"

#include <check.h>
#include <string.h>

#define TEXT_MAX (1 << 22)

struct fault kit_fault;

static const char *const role_words[] = {"system", "user", "assistant"};
static const char *const part_words[] = {"text",   "image",    "audio",   "file",  "call",
                                         "result", "thinking", "refusal", "opaque"};
static const char *const source_words[] = {"bytes", "url", "id"};
static const char *const choice_words[] = {"unset", "auto", "none", "any", "one", "subset"};
static const char *const finish_words[] = {"stop",    "stop_text", "length", "context",  "tool",
                                           "refusal", "filter",    "pause",  "bad_call", "other"};

struct format_request kit_read(const struct format *f, struct arena *a, const char *body)
{
    struct format_request r;
    enum err e;

    kit_fault = (struct fault){0};
    e = f->read_request(&(struct format_call){.body = slice_of(body)}, a, &r, &kit_fault);
    ck_assert_msg(e == ERR_OK, "%s: %s", body, kit_fault.text);
    return r;
}

enum err kit_decode(const struct format *f, struct arena *a, const char *body, struct canon *out)
{
    struct format_request *r = arena_alloc(a, sizeof(*r));
    enum err e;

    if (!r)
        return ERR_MEMORY;
    kit_fault = (struct fault){0};
    e = f->read_request(&(struct format_call){.body = slice_of(body)}, a, r, &kit_fault);
    if (e)
        return e;
    canon_init(out, a, f->vendor, NULL);
    out->body = r->body;
    out->is_stream = r->is_stream;
    return f->decode_request(out, r, &kit_fault);
}

/* ---- text ---- */

static void put(struct buf *b, const char *label, struct slice s)
{
    if (!s.p)
        return;
    ck_assert_int_eq(buf_printf(b, " %s", label), ERR_OK);
    ck_assert_int_eq(jscan_escape(b, s), ERR_OK);
}

static void put_number(struct buf *b, const char *label, int64_t n, int64_t unset)
{
    if (n != unset)
        ck_assert_int_eq(buf_printf(b, " %s%lld", label, (long long)n), ERR_OK);
}

static void put_part(struct buf *b, const struct part *p, const char *indent)
{
    size_t i;

    ck_assert_int_eq(buf_printf(b, "%s%s @%s", indent, part_words[p->kind], p->at), ERR_OK);
    put(b, "", p->text);
    put(b, "id=", p->id);
    put(b, "name=", p->name);
    if (p->kind == PART_IMAGE || p->kind == PART_AUDIO || p->kind == PART_FILE) {
        put(b, source_words[p->media.source], p->media.data);
        put(b, "mime=", p->media.mime);
        put(b, "file=", p->media.name);
    }
    put_number(b, "detail=", p->media.detail, 0);
    put_number(b, "custom=", p->is_custom, 0);
    put_number(b, "error=", p->is_error, 0);
    put_number(b, "cache=", p->cache, 0);
    put(b, "seal=", p->seal_text);
    ck_assert_int_eq(buf_append_z(b, "\n"), ERR_OK);
    for (i = 0; i < p->parts_n; i++)
        put_part(b, &p->parts[i], "    ");
}

static void put_tool(struct buf *b, const struct tool *t)
{
    static const char *const words[] = {"function", "custom", "hosted"};

    ck_assert_int_eq(buf_printf(b, "tool %s @%s", words[t->kind], t->at), ERR_OK);
    put(b, "", t->name);
    put(b, "description=", t->description);
    put(b, "schema=", t->schema);
    put(b, "grammar=", t->grammar);
    put(b, "hosted=", t->hosted);
    put(b, "raw=", t->raw);
    put_number(b, "strict=", t->strict, -1);
    put_number(b, "cache=", t->cache, 0);
    put_number(b, "web=", t->is_web_search, 0);
    ck_assert_int_eq(buf_append_z(b, "\n"), ERR_OK);
}

static void put_choice(struct buf *b, const struct canon *c)
{
    size_t i;

    if (c->choice == CHOICE_UNSET)
        return;
    ck_assert_int_eq(buf_printf(b, " choice=%s", choice_words[c->choice]), ERR_OK);
    put(b, "", c->choice_name);
    for (i = 0; i < c->choice_names_n; i++)
        put(b, "", c->choice_names[i]);
    put_number(b, "is_any=", c->choice_is_any, 0);
}

static void put_parameters(struct buf *b, const struct canon *c)
{
    size_t i;

    ck_assert_int_eq(buf_append_z(b, "with"), ERR_OK);
    put_number(b, "max=", c->max_out, -1);
    put(b, "temperature=", c->temperature);
    put(b, "top_p=", c->top_p);
    put(b, "top_k=", c->top_k);
    put(b, "seed=", c->seed);
    put(b, "presence=", c->presence);
    put(b, "frequency=", c->frequency);
    for (i = 0; i < c->stops_n; i++)
        put(b, "stop=", c->stops[i]);
    put_number(b, "n=", c->choices, 1);
    put_number(b, "logprobs=", c->wants_logprobs, 0);
    put_number(b, "top_logprobs=", c->top_logprobs, -1);
    put(b, "bias=", c->logit_bias);
    put_choice(b, c);
    put_number(b, "parallel=", c->parallel, -1);
    put_number(b, "think=", c->think.mode, 0);
    put_number(b, "effort=", c->think.effort, 0);
    put_number(b, "budget=", c->think.budget, -1);
    put_number(b, "show=", c->think.show, -1);
    put_number(b, "format=", c->format.kind, 0);
    put(b, "", c->format.name);
    put(b, "", c->format.schema);
    put_number(b, "strict=", c->format.strict, -1);
    put(b, "verbosity=", c->verbosity);
    put(b, "user=", c->user);
    put(b, "cache_key=", c->cache_key);
    put_number(b, "tier=", c->tier, 0);
    put_number(b, "modalities=", c->modalities, 0);
    for (i = 0; i < c->drops.n; i++)
        put(b, "drop=", slice_of(c->drops.names[i]));
    ck_assert_int_eq(buf_append_z(b, "\n"), ERR_OK);
}

const char *kit_canon_text(struct arena *a, const struct canon *c)
{
    const char *text;
    struct buf b;
    size_t i, k;

    buf_init(&b, TEXT_MAX);
    for (i = 0; i < c->turns_n; i++) {
        ck_assert_int_eq(buf_printf(&b, "%s", role_words[c->turns[i].role]), ERR_OK);
        put(&b, "name=", c->turns[i].name);
        ck_assert_int_eq(buf_append_z(&b, "\n"), ERR_OK);
        for (k = 0; k < c->turns[i].parts_n; k++)
            put_part(&b, &c->turns[i].parts[k], "  ");
    }
    for (i = 0; i < c->tools_n; i++)
        put_tool(&b, &c->tools[i]);
    put_parameters(&b, c);
    text = arena_copy(a, buf_slice(&b));
    buf_clear(&b);
    ck_assert_ptr_nonnull(text);
    return text;
}

/* ---- requests for a provider ---- */

struct plan kit_plan(struct arena *a, const char *model, const struct capability *capability)
{
    struct plan p = {
        .arena = a,
        .model = model,
        .capability = capability,
        .output_max_inject = -1,
        .fault = &kit_fault,
    };

    kit_fault = (struct fault){0};
    tool_names_init(&p.names, a);
    return p;
}

const char *kit_encode(const struct format *f, struct canon *c, struct plan *p, enum err *e)
{
    const char *text = NULL;
    struct buf b;

    buf_init(&b, TEXT_MAX);
    *e = canon_prepare(c, p, f->vendor);
    if (!*e)
        *e = f->encode_request(c, p, &b);
    if (!*e) {
        text = arena_copy(p->arena, buf_slice(&b));
        if (!text)
            *e = ERR_MEMORY;
    }
    buf_clear(&b);
    return text;
}

/* ---- events ---- */

void event_log_init(struct event_log *log)
{
    *log = (struct event_log){0};
    buf_init(&log->out, TEXT_MAX);
}

static void end_delta(struct event_log *log)
{
    if (log->is_in_delta)
        ck_assert_int_eq(buf_append_z(&log->out, "\n"), ERR_OK);
    log->is_in_delta = false;
}

const char *event_log_text(struct event_log *log)
{
    end_delta(log);
    return log->out.p ? log->out.p : "";
}

void event_log_clear(struct event_log *log)
{
    buf_clear(&log->out);
}

static void log_counts(struct buf *b, const struct event *e)
{
    const struct counts *c = &e->counts;

    ck_assert_int_eq(
        buf_printf(b, "usage fresh=%lld read=%lld write=%lld 1h=%lld out=%lld think=%lld",
                   (long long)c->in_fresh, (long long)c->in_read, (long long)c->in_write,
                   (long long)c->in_write_1h, (long long)c->out_all, (long long)c->out_think),
        ERR_OK);
    if (e->service_tier.n)
        put(b, "tier=", e->service_tier);
}

static void log_event(struct buf *b, const struct event *e)
{
    switch (e->kind) {
    case EV_START:
        ck_assert_int_eq(buf_append_z(b, "start"), ERR_OK);
        put(b, "", e->id);
        put(b, "", e->text);
        put_number(b, "at=", e->created_s, 0);
        break;
    case EV_BEGIN:
        ck_assert_int_eq(buf_printf(b, "begin %zu %s", e->part, part_words[e->part_kind]), ERR_OK);
        put(b, "id=", e->id);
        put(b, "name=", e->name);
        put(b, "mime=", e->mime);
        put(b, "seal=", e->seal);
        put_number(b, "custom=", e->is_custom, 0);
        break;
    case EV_SEAL:
        ck_assert_int_eq(buf_append_z(b, "seal"), ERR_OK);
        put(b, "", e->text);
        put_number(b, "redacted=", e->is_redacted, 0);
        break;
    case EV_END:
        ck_assert_int_eq(buf_printf(b, "end %zu", e->part), ERR_OK);
        break;
    case EV_USAGE:
        log_counts(b, e);
        break;
    case EV_FINISH:
        ck_assert_int_eq(buf_printf(b, "finish %s", finish_words[e->finish]), ERR_OK);
        put(b, "", e->text);
        break;
    case EV_ERROR:
        ck_assert_int_eq(buf_printf(b, "error %s", err_name(e->error)), ERR_OK);
        put(b, "", e->text);
        put(b, "code=", e->code);
        break;
    case EV_DELTA:
    default:
        ck_abort();
    }
    ck_assert_int_eq(buf_append_z(b, "\n"), ERR_OK);
}

enum err event_log_sink(void *ctx, const struct event *e)
{
    struct event_log *log = ctx;

    if (log->fail_with && log->n++ >= log->fail_at)
        return log->fail_with;
    if (e->kind == EV_DELTA) {
        if (!log->is_in_delta)
            ck_assert_int_eq(buf_append_z(&log->out, "  "), ERR_OK);
        log->is_in_delta = true;
        ck_assert_int_eq(jscan_escape_inside(&log->out, e->text), ERR_OK);
        return ERR_OK;
    }
    end_delta(log);
    log_event(&log->out, e);
    return ERR_OK;
}

static enum err on_event(void *ctx, const struct sse_event *e)
{
    struct decoder *d = ctx;

    return d->format->decode_event(d, e);
}

enum err kit_decode_stream(const struct format *f, struct arena *a, struct slice text, size_t cut,
                           struct event_log *log)
{
    struct decoder d = {.format = f, .arena = a, .sink = event_log_sink, .sink_ctx = log};
    size_t at = 0, step = cut > text.n ? 1 : cut;
    enum err e = f->decode_begin(&d);
    struct sse sse;

    sse_init(&sse, 1 << 20);
    while (!e && at < text.n) {
        size_t n = cut > text.n ? 1 : at == 0 && step ? step : text.n - at;

        e = sse_feed(&sse, (struct slice){text.p + at, n}, on_event, &d);
        at += n;
    }
    if (!e)
        e = sse_finish(&sse, on_event, &d);
    sse_clear(&sse);
    if (!e)
        e = f->decode_end(&d);
    return e;
}

enum err kit_decode_whole(const struct format *f, struct arena *a, const char *body,
                          struct event_log *log)
{
    struct decoder d = {.format = f, .arena = a, .sink = event_log_sink, .sink_ctx = log};
    enum err e = f->decode_begin(&d);

    return e ? e : f->decode_whole(&d, slice_of(body));
}

enum err kit_write(const struct format *f, struct encoder *e, const struct event *events, size_t n,
                   struct buf *out)
{
    size_t i;
    enum err err;

    e->format = f;
    e->out = out;
    e->model = "pub\"m";
    e->request_id = "01ID";
    e->created_s = 1700000000;
    err = f->encode_begin(e);
    for (i = 0; i < n && !err; i++) {
        if (events[i].kind == EV_BEGIN && events[i].part_kind == PART_CALL)
            e->has_call = true;
        err = f->encode_event(e, &events[i]);
    }
    return err ? err : f->encode_end(e);
}
