#include "upstream/responses.h"

#include "base/buf.h"
#include "upstream/event.h"

#include <string.h>

static const char *const echo_names[ECHO_COUNT] = {
    [ECHO_INSTRUCTIONS] = "instructions",
    [ECHO_MAX_OUTPUT] = "max_output_tokens",
    [ECHO_MAX_TOOL_CALLS] = "max_tool_calls",
    [ECHO_METADATA] = "metadata",
    [ECHO_PARALLEL] = "parallel_tool_calls",
    [ECHO_CACHE_KEY] = "prompt_cache_key",
    [ECHO_REASONING] = "reasoning",
    [ECHO_SAFETY_ID] = "safety_identifier",
    [ECHO_TIER] = "service_tier",
    [ECHO_TEMPERATURE] = "temperature",
    [ECHO_TEXT] = "text",
    [ECHO_TOOL_CHOICE] = "tool_choice",
    [ECHO_TOOLS] = "tools",
    [ECHO_TOP_LOGPROBS] = "top_logprobs",
    [ECHO_TOP_P] = "top_p",
    [ECHO_USER] = "user",
};

void responses_read_echo(struct responses_object *o, struct slice body)
{
    struct jmember m;
    struct jscan s;
    size_t i;

    if (jscan_object(&s, (struct jvalue){JSCAN_OBJECT, slice_trim(body)}))
        return;
    while (!jscan_next_member(&s, &m)) {
        for (i = 0; i < ECHO_COUNT; i++)
            if (jscan_key_is(&m, echo_names[i]))
                break;
        if (i < ECHO_COUNT)
            o->echo[i] = m.value.kind == JSCAN_NULL ? (struct jvalue){0} : m.value;
    }
}

/* A member as the client sent it, else what its absence means; NULL: then it is left out. */
static void echo(struct jwrite *w, const struct responses_object *o,
                 enum responses_echo_member which, const char *otherwise)
{
    struct slice raw = o->echo[which].raw;

    if (raw.p)
        jwrite_key_raw(w, echo_names[which], raw);
    else if (otherwise)
        jwrite_key_raw(w, echo_names[which], slice_of(otherwise));
}

/* A function's declaration with the members that a response must have and a request need not. */
static void echo_function(struct jwrite *w, struct jvalue tool)
{
    bool has_parameters = false, has_strict = false;
    struct jmember m;
    struct jscan s;

    jwrite_object(w);
    if (!jscan_object(&s, tool)) {
        while (!jscan_next_member(&s, &m)) {
            has_parameters |= jscan_key_is(&m, "parameters");
            has_strict |= jscan_key_is(&m, "strict");
            jwrite_raw(w, m.whole);
        }
    }
    if (!has_parameters)
        jwrite_key_null(w, "parameters");
    if (!has_strict)
        jwrite_key_null(w, "strict");
    jwrite_object_end(w);
}

static void echo_tools(struct jwrite *w, const struct responses_object *o)
{
    struct jvalue tool, type;
    struct jscan s;

    jwrite_key_array(w, "tools");
    if (o->echo[ECHO_TOOLS].raw.p && !jscan_array(&s, o->echo[ECHO_TOOLS])) {
        while (!jscan_next_element(&s, &tool)) {
            if (!jscan_find(tool, "type", &type) && slice_eq_z(type.raw, "\"function\""))
                echo_function(w, tool);
            else
                jwrite_raw(w, tool.raw);
        }
    }
    jwrite_array_end(w);
}

static void echo_text(struct jwrite *w, const struct responses_object *o)
{
    struct jvalue v;

    jwrite_key_object(w, "text");
    if (!jscan_find(o->echo[ECHO_TEXT], "format", &v) && v.kind == JSCAN_OBJECT)
        jwrite_key_raw(w, "format", v.raw);
    else
        jwrite_key_raw(w, "format", SLICE("{\"type\":\"text\"}"));
    if (!jscan_find(o->echo[ECHO_TEXT], "verbosity", &v) && v.kind == JSCAN_STRING)
        jwrite_key_raw(w, "verbosity", v.raw);
    jwrite_object_end(w);
}

/* The schema knows these words only; other formats' providers have their own. */
static void write_tier(struct jwrite *w, const struct responses_object *o)
{
    static const char *const words[] = {"auto",     "default", "flex",     "scale",
                                        "priority", "fast",    "ultrafast"};
    size_t i;

    if (slice_eq_z(o->tier, "standard")) {
        jwrite_key_z(w, "service_tier", "default");
        return;
    }
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (slice_eq_z(o->tier, words[i])) {
            jwrite_key_string(w, "service_tier", o->tier);
            return;
        }
    }
    echo(w, o, ECHO_TIER, "\"auto\"");
}

static void write_outcome(struct jwrite *w, const struct responses_object *o)
{
    if (o->completed_s)
        jwrite_key_i64(w, "completed_at", o->completed_s);
    else
        jwrite_key_null(w, "completed_at");
    jwrite_key_z(w, "status", o->status);
    jwrite_key_bool(w, "background", false);
    if (o->error_code) {
        jwrite_key_object(w, "error");
        jwrite_key_z(w, "code", o->error_code);
        jwrite_key_z(w, "message", o->error_text);
        jwrite_object_end(w);
    } else {
        jwrite_key_null(w, "error");
    }
    if (o->incomplete) {
        jwrite_key_object(w, "incomplete_details");
        jwrite_key_z(w, "reason", o->incomplete);
        jwrite_object_end(w);
    } else {
        jwrite_key_null(w, "incomplete_details");
    }
}

void responses_write_object(struct jwrite *w, const struct responses_object *o)
{
    jwrite_object(w);
    jwrite_key_string(w, "id", o->id);
    jwrite_key_z(w, "object", "response");
    jwrite_key_i64(w, "created_at", o->created_s);
    write_outcome(w, o);
    echo(w, o, ECHO_INSTRUCTIONS, "null");
    echo(w, o, ECHO_MAX_OUTPUT, "null");
    echo(w, o, ECHO_MAX_TOOL_CALLS, "null");
    jwrite_key_z(w, "model", o->model);
    jwrite_key_array(w, "output");
    if (o->output.n)
        jwrite_raw(w, o->output);
    jwrite_array_end(w);
    echo(w, o, ECHO_PARALLEL, "true");
    jwrite_key_null(w, "previous_response_id");
    echo(w, o, ECHO_CACHE_KEY, NULL);
    echo(w, o, ECHO_REASONING, "{\"effort\":null,\"summary\":null}");
    echo(w, o, ECHO_SAFETY_ID, NULL);
    write_tier(w, o);
    jwrite_key_bool(w, "store", o->is_stored);
    echo(w, o, ECHO_TEMPERATURE, "1.0");
    echo_text(w, o);
    echo(w, o, ECHO_TOOL_CHOICE, "\"auto\"");
    echo_tools(w, o);
    echo(w, o, ECHO_TOP_LOGPROBS, NULL);
    echo(w, o, ECHO_TOP_P, "1.0");
    jwrite_key_z(w, "truncation", "disabled");
    jwrite_key(w, "usage");
    if (o->counts)
        responses_write_usage(w, o->counts, o->cost);
    else
        jwrite_null(w);
    echo(w, o, ECHO_USER, "null");
    echo(w, o, ECHO_METADATA, "{}");
    jwrite_object_end(w);
}

/* Words that Codex and the schema know; it repeats the request after all others. */
const char *responses_failure_code(enum err e)
{
    switch (e) {
    case ERR_UP_RATE:
    case ERR_RATE:
        return "rate_limit_exceeded";
    case ERR_UP_CONTEXT:
        return "context_length_exceeded";
    case ERR_NO_FUNDS:
    case ERR_FUNDS_RESERVED:
    case ERR_SPEND_LIMIT:
    case ERR_SPEND_RESERVED:
        return "insufficient_quota";
    case ERR_BAD_REQUEST:
    case ERR_UP_REJECTED:
        return "invalid_prompt";
    default:
        return "server_error";
    }
}

enum err responses_error_class(struct slice code, struct slice text, enum err other)
{
    static const char *const phrases[] = {"context window", "maximum context length",
                                          "context length exceeded", "input is too long",
                                          "prompt is too long"};
    size_t i;

    if (slice_eq_z(code, "context_length_exceeded"))
        return ERR_UP_CONTEXT;
    for (i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
        if (text.n && memmem(text.p, text.n, phrases[i], strlen(phrases[i])))
            return ERR_UP_CONTEXT;
    return slice_eq_z(code, "rate_limit_exceeded") ? ERR_UP_RATE : other;
}

/* ---- a failure after the stream has begun ---- */

/* What pass-through saw of the response; false when it saw none. */
static bool object_of_reader(const struct reader *r, struct responses_object *o)
{
    const struct responses_seen *seen = r->own;

    if (r->translation || !seen || !seen->id[0])
        return false;
    *o = (struct responses_object){
        .id = slice_of(seen->id),
        .model = r->public_model ? r->public_model : r->upstream_model,
        .created_s = seen->created_s,
        .is_stored = responses_is_stored(r->request),
    };
    responses_read_echo(o, r->request->body);
    return true;
}

static void write_bare_error(struct jwrite *w, int64_t sequence, enum err error, const char *text)
{
    jwrite_object(w);
    jwrite_key_z(w, "type", "error");
    jwrite_key_i64(w, "sequence_number", sequence);
    jwrite_key_z(w, "code", responses_failure_code(error));
    jwrite_key_z(w, "message", text);
    jwrite_key_null(w, "param");
    jwrite_object_end(w);
}

static void write_failed(struct jwrite *w, int64_t sequence, struct responses_object *o,
                         enum err error, const char *text)
{
    o->status = "failed";
    o->error_code = responses_failure_code(error);
    o->error_text = text;
    jwrite_object(w);
    jwrite_key_z(w, "type", "response.failed");
    jwrite_key_i64(w, "sequence_number", sequence);
    jwrite_key(w, "response");
    responses_write_object(w, o);
    jwrite_object_end(w);
}

enum err responses_write_failure(const struct reader *r, struct buf *b, enum err error,
                                 const char *text, const char *request_id)
{
    struct responses_object o;
    int64_t sequence = r->sequence;
    size_t mark = b->n;
    struct jwrite w;
    bool has_object;
    enum err e;

    (void)request_id; /* the response's own id stands here */
    if (!text)
        text = err_info(error)->text;
    has_object = r->encoder && r->encoder->state
                     ? responses_encoder_object(r->encoder, &o, &sequence)
                     : object_of_reader(r, &o);
    jwrite_init(&w, b);
    e = buf_append_z(b, has_object ? "event: response.failed\ndata: " : "event: error\ndata: ");
    if (!e && has_object)
        write_failed(&w, sequence, &o, error, text);
    else if (!e)
        write_bare_error(&w, sequence, error, text);
    if (!e)
        e = jwrite_end(&w);
    if (!e)
        e = buf_append_z(b, "\n\n");
    if (e && b->n > mark) {
        b->n = mark;
        b->p[mark] = '\0';
    }
    return e;
}
