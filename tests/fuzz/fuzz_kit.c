#include "tests/fuzz/fuzz_kit.h"

#include "upstream/sse.h"

#define EVENT_MAX ((size_t)1 << 28)

const struct format *const fuzz_formats[FUZZ_CLIENTS] = {
    &format_openai_chat, &format_openai_responses, &format_anthropic, &format_gemini,
    &format_openai_completions};

struct arena *fuzz_arena(void)
{
    static struct arena *arena;

    if (!arena)
        arena = arena_new(FUZZ_ARENA_MAX);
    FUZZ_CHECK(arena, "no memory");
    arena_reset(arena);
    return arena;
}

struct capability fuzz_capability(const struct format *to, unsigned choice)
{
    struct capability c = exchange_capability(to);

    if (choice & 1)
        c.think = to->vendor == VENDOR_OPENAI ? THINK_STYLE_NONE : THINK_STYLE_BUDGET;
    if (choice & 2)
        c.has_schema = c.has_json_schema_tools = c.has_max_completion_tokens = false;
    if (choice & 4)
        c.has_custom_tools = c.has_sampling = c.has_forced_tools = false;
    if (choice & 8)
        c.wants_reasoning = c.has_system_turns = c.has_prefill = true;
    return c;
}

struct format_call fuzz_question(const struct format *f, bool is_stream, bool is_array)
{
    struct format_call call = {.is_stream = is_stream};

    if (f == &format_openai_chat)
        call.body = is_stream ? SLICE("{\"model\":\"m\",\"stream\":true,\"stream_options\":{"
                                      "\"include_usage\":true},\"messages\":[{\"role\":\"user\","
                                      "\"content\":\"hi\"}],\"stop\":\"END\"}")
                              : SLICE("{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
                                      "\"content\":\"hi\"}],\"stop\":\"END\"}");
    else if (f == &format_openai_completions)
        call.body = is_stream ? SLICE("{\"model\":\"m\",\"prompt\":\"hi\",\"stream\":true}")
                              : SLICE("{\"model\":\"m\",\"prompt\":\"hi\"}");
    else if (f == &format_openai_responses)
        call.body = is_stream ? SLICE("{\"model\":\"m\",\"input\":\"hi\",\"stream\":true,\"store\":"
                                      "false,\"include\":[\"reasoning.encrypted_content\"]}")
                              : SLICE("{\"model\":\"m\",\"input\":\"hi\",\"store\":false}");
    else if (f == &format_anthropic)
        call.body = is_stream ? SLICE("{\"model\":\"m\",\"max_tokens\":99,\"stream\":true,"
                                      "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
                                      "\"stop_sequences\":[\"END\"]}")
                              : SLICE("{\"model\":\"m\",\"max_tokens\":99,\"messages\":[{\"role\":"
                                      "\"user\",\"content\":\"hi\"}]}");
    else
        call = (struct format_call){
            .body = SLICE("{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"generationConfig\":{"
                          "\"thinkingConfig\":{\"includeThoughts\":true}}}"),
            .model = SLICE("m"),
            .is_stream = is_stream,
            .is_array = is_array && is_stream};
    return call;
}

void fuzz_check_json(struct slice text, const char *what)
{
    struct jvalue v;
    size_t at = 0;

    FUZZ_CHECK(!jscan_validate(text, &v, &at), "%s: no JSON at %zu: %.*s", what, at,
               SLICE_FMT(text));
}

static enum err ignore(void *ctx, const struct event *e)
{
    (void)ctx;
    (void)e;
    return ERR_OK;
}

static enum err on_event(void *ctx, const struct sse_event *e)
{
    struct decoder *d = ctx;

    if (e->data.p && !slice_eq_z(e->data, "[DONE]"))
        fuzz_check_json(e->data, "event");
    return d->format->decode_event(d, e);
}

void fuzz_check_answer(const struct format *f, struct slice text, bool is_stream, const char *what)
{
    struct decoder d = {.format = f, .arena = fuzz_arena(), .sink = ignore};
    struct sse sse;
    enum err e;

    if (!is_stream)
        fuzz_check_json(text, what);
    if (!f->decode_begin)
        return;
    e = f->decode_begin(&d);
    if (!is_stream) {
        e = e ? e : f->decode_whole(&d, text);
        FUZZ_CHECK(!e, "%s %s: %s: %.*s", what, f->name, err_name(e), SLICE_FMT(text));
        return;
    }
    sse_init(&sse, EVENT_MAX);
    if (!e)
        e = sse_feed(&sse, text, on_event, &d);
    FUZZ_CHECK(e || sse.pending.n == 0, "%s %s: an event without its end: %.*s", what, f->name,
               SLICE_FMT(text));
    sse_clear(&sse);
    if (!e)
        e = f->decode_end(&d);
    FUZZ_CHECK(!e, "%s %s: %s: %.*s", what, f->name, err_name(e), SLICE_FMT(text));
}
