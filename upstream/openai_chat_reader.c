#include "upstream/openai_chat.h"

#include "upstream/rewrite.h"
#include "upstream/sse.h"

#include <string.h>

#define DONE "[DONE]"

/* The members of an answer or of a chunk that we read; raw.p NULL: absent. */
struct answer {
    struct slice text; /* the object, without the space around it */
    struct jvalue model, choices, usage, error, object, groq, tier;
    struct slice usage_cut; /* the usage member with the comma that goes with it */
};

/* ---- one pass over the object ---- */

static struct jvalue *place_of(struct answer *a, const struct jmember *m)
{
    static const char *const names[] = {"model",  "choices", "usage",       "error",
                                        "object", "x_groq",  "service_tier"};
    struct jvalue *places[] = {&a->model,  &a->choices, &a->usage, &a->error,
                               &a->object, &a->groq,    &a->tier};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (m->key.n && (m->key.p[0] == names[i][0] || m->key.p[0] == '\\') &&
            jscan_key_is(m, names[i]))
            return places[i];
    return NULL;
}

/* ERR_FORMAT when the text is no JSON object. */
static enum err scan(struct slice text, struct answer *a)
{
    const char *before = NULL; /* the end of the member before */
    bool cut_to_next = false;  /* usage came first: the comma behind it goes with it */
    struct jmember m;
    struct jscan s;
    enum err e;

    *a = (struct answer){.text = slice_trim(text)};
    e = jscan_begin_object(&s, a->text);
    while (!e && !(e = jscan_next_member(&s, &m))) {
        struct jvalue *place = place_of(a, &m);
        const char *end = m.whole.p + m.whole.n;

        if (cut_to_next)
            a->usage_cut.n = (size_t)(m.whole.p - a->usage_cut.p);
        cut_to_next = false;
        if (place)
            *place = m.value;
        if (place && place == &a->usage) {
            a->usage_cut.p = before ? before : m.whole.p;
            a->usage_cut.n = (size_t)(end - a->usage_cut.p);
            cut_to_next = !before;
        }
        before = end;
    }
    return e == ERR_END ? ERR_OK : e;
}

/* ---- usage ---- */

static void take_any_usage(struct reader *r, const struct answer *a)
{
    struct jvalue choice, v;
    struct jscan s;

    if (chat_read_usage(a->usage, &r->counts))
        return;
    if (a->groq.raw.p && !jscan_find(a->groq, "usage", &v) && chat_read_usage(v, &r->counts))
        return;
    if (!a->choices.raw.p || jscan_array(&s, a->choices) || jscan_next_element(&s, &choice))
        return;
    if (!jscan_find(choice, "usage", &v))
        (void)chat_read_usage(v, &r->counts);
}

/* The tier that the request was served in, which may be another than it asked for. */
static void take_tier(struct reader *r, const struct answer *a)
{
    if (a->tier.raw.p && a->tier.kind == JSCAN_STRING && a->tier.raw.n > 2)
        (void)slice_copy_z(r->service_tier, sizeof(r->service_tier),
                           (struct slice){a->tier.raw.p + 1, a->tier.raw.n - 2});
}

/* ---- what was produced ---- */

static void add_text(struct reader *r, struct jvalue v)
{
    if (v.kind == JSCAN_STRING && v.raw.n > 2) {
        text_size_add_escaped(&r->output, (struct slice){v.raw.p + 1, v.raw.n - 2});
        r->has_content = true;
    } else if (v.kind == JSCAN_ARRAY && v.raw.n > 2) {
        text_size_add(
            &r->output,
            v.raw); /* content in parts: their frames count too, which errs a little high */
        r->has_content = true;
    }
}

/* {name, arguments} or {name, input}. Some servers send arguments as an object. */
static void add_call(struct reader *r, struct jvalue call)
{
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, call))
        return;
    r->has_content = true;
    while (!jscan_next_member(&s, &m)) {
        if (m.value.kind == JSCAN_OBJECT)
            text_size_add(&r->output, m.value.raw);
        else
            add_text(r, m.value);
    }
}

static void add_tool_calls(struct reader *r, struct jvalue calls)
{
    struct jvalue call;
    struct jmember m;
    struct jscan s, inner;

    if (jscan_array(&s, calls))
        return;
    while (!jscan_next_element(&s, &call)) {
        if (jscan_object(&inner, call))
            continue;
        while (!jscan_next_member(&inner, &m))
            if (jscan_key_is(&m, "function") || jscan_key_is(&m, "custom"))
                add_call(r, m.value);
    }
}

static void add_audio(struct reader *r, struct jvalue audio)
{
    struct jvalue transcript;

    if (audio.kind != JSCAN_OBJECT)
        return;
    r->has_content = true;
    if (!jscan_find(audio, "transcript", &transcript))
        add_text(r, transcript);
}

/* A delta or a message. */
static void add_message(struct reader *r, struct jvalue message)
{
    struct jvalue reasoning = {0};
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, message))
        return;
    while (!jscan_next_member(&s, &m)) {
        if (m.value.kind == JSCAN_NULL || jscan_key_is(&m, "role"))
            continue;
        if (jscan_key_is(&m, "content") || jscan_key_is(&m, "refusal"))
            add_text(r, m.value);
        else if (jscan_key_is(&m, "reasoning_content"))
            reasoning = m.value;
        else if (jscan_key_is(&m, "reasoning") && !reasoning.raw.p)
            reasoning = m.value; /* the same text under another name */
        else if (jscan_key_is(&m, "tool_calls"))
            add_tool_calls(r, m.value);
        else if (jscan_key_is(&m, "function_call"))
            add_call(r, m.value);
        else if (jscan_key_is(&m, "audio"))
            add_audio(r, m.value);
        else if (jscan_key_is(&m, "images") && m.value.raw.n > 2)
            r->has_content = true;
    }
    if (reasoning.raw.p)
        add_text(r, reasoning);
}

static void read_choice(struct reader *r, struct jvalue choice)
{
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, choice))
        return;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "delta") || jscan_key_is(&m, "message"))
            add_message(r, m.value);
        else if (jscan_key_is(&m, "finish_reason") && m.value.kind == JSCAN_STRING &&
                 m.value.raw.n > 2)
            (void)slice_copy_z(r->finish_reason, sizeof(r->finish_reason),
                               (struct slice){m.value.raw.p + 1, m.value.raw.n - 2});
    }
}

/* How many choices there were. */
static size_t read_choices(struct reader *r, struct jvalue choices)
{
    struct jvalue choice;
    struct jscan s;
    size_t n = 0;

    if (!choices.raw.p || jscan_array(&s, choices))
        return 0;
    for (; !jscan_next_element(&s, &choice); n++)
        read_choice(r, choice);
    return n;
}

/* ---- errors ---- */

/* What a JavaScript client takes for an error. */
static bool is_error(const struct answer *a)
{
    if (a->error.raw.p)
        return a->error.kind != JSCAN_NULL && a->error.kind != JSCAN_FALSE &&
               !slice_eq_z(a->error.raw, "\"\"");
    return a->object.raw.p && slice_eq_z(a->object.raw, "\"error\"");
}

/* error: the object with message and code, or a mere text. */
static void copy_error(struct reader *r, struct jvalue error)
{
    struct slice text;

    if (error.kind == JSCAN_STRING && !jscan_string(error, r->arena, &text) && text.n)
        (void)slice_copy_z(r->error_text, sizeof(r->error_text), text);
    if (!reader_copy_member(r, error, "message", r->error_text, sizeof(r->error_text)))
        (void)reader_copy_member(r, error, "detail", r->error_text, sizeof(r->error_text));
    if (!reader_copy_member(r, error, "code", r->error_code, sizeof(r->error_code)))
        (void)reader_copy_member(r, error, "type", r->error_code, sizeof(r->error_code));
}

static void take_error(struct reader *r, const struct answer *a)
{
    reader_default_error(r, ERR_UP_FAILED);
    copy_error(r, a->error.raw.p ? a->error : (struct jvalue){JSCAN_OBJECT, a->text});
}

bool chat_is_context_error(struct slice code, struct slice text)
{
    static const char *const phrases[] = {"maximum context length", "context window",
                                          "context length", "prompt is too long",
                                          "input token count"};
    size_t i;

    if (slice_eq_z(code, "context_length_exceeded"))
        return true;
    for (i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
        if (text.n && memmem(text.p, text.n, phrases[i], strlen(phrases[i])))
            return true;
    return false;
}

void chat_read_error(struct reader *r, struct slice body)
{
    struct jvalue v, inner;
    struct jscan s;

    reader_default_error(r, ERR_UP_REJECTED);
    if (jscan_validate(body, &v, NULL))
        return;
    /* Google's compatible endpoint wraps the object in an array. */
    if (!jscan_array(&s, v) && jscan_next_element(&s, &v))
        return;
    copy_error(r, jscan_find(v, "error", &inner) ? v : inner);
    if (chat_is_context_error(slice_of(r->error_code), slice_of(r->error_text)))
        r->error_class = ERR_UP_CONTEXT;
}

/* ---- what the client gets in place of the bytes ---- */

/* Sets r->replacement when the client must not see the event as it is. */
static enum err replace_event(struct reader *r, const struct sse_event *e, const struct answer *a)
{
    char cost[COST_MEMBER_SIZE];
    struct cut cuts[2];
    size_t n = 0;

    if (rewrite_renames_model(r, a->model))
        cuts[n++] = (struct cut){a->model.raw, NULL};
    if (a->usage.raw.p && !r->request->wants_usage)
        cuts[n++] = (struct cut){a->usage_cut, ""};
    else
        n += rewrite_cost(r, a->usage, cost, &cuts[n]);
    return rewrite_event(r, e, a->text, cuts, n);
}

/* ---- the two readers ---- */

enum event_verdict chat_read_event(struct reader *r, const struct sse_event *e)
{
    bool is_error_event = slice_eq_z(e->type, "error");
    struct slice data = slice_trim(e->data);
    struct text_size before = r->output;
    struct answer a;
    size_t choices;

    r->replacement = (struct slice){NULL, 0};
    if (data.n == 0 && !is_error_event)
        return EVENT_FORWARD;
    if (slice_eq_z(data, DONE)) {
        r->is_ended = true;
        return EVENT_END;
    }
    if (scan(data, &a)) {
        if (!is_error_event)
            return EVENT_MALFORMED;
        reader_default_error(r, ERR_UP_FAILED);
        return EVENT_FAIL;
    }
    if (is_error_event || is_error(&a)) {
        take_error(r, &a);
        return EVENT_FAIL;
    }
    take_tier(r, &a);
    take_any_usage(r, &a);
    choices = read_choices(r, a.choices);
    r->chunks += r->output.ascii_bytes != before.ascii_bytes ||
                 r->output.other_chars != before.other_chars;
    if (choices == 0 && a.usage.raw.p && a.usage.kind == JSCAN_OBJECT && !r->request->wants_usage)
        return EVENT_WITHHOLD;
    return replace_event(r, e, &a) ? EVENT_MALFORMED : EVENT_FORWARD;
}

enum err chat_read_whole(struct reader *r, struct slice body, struct slice *out)
{
    char cost[COST_MEMBER_SIZE];
    struct answer a;
    struct cut cuts[2];
    size_t n = 0;
    enum err e;

    r->replacement = (struct slice){NULL, 0};
    if (scan(body, &a))
        return ERR_UP_MALFORMED;
    if (is_error(&a)) {
        take_error(r, &a);
        return ERR_UP_FAILED;
    }
    if (read_choices(r, a.choices) == 0)
        return ERR_UP_MALFORMED;
    take_tier(r, &a);
    take_any_usage(r, &a);
    if (rewrite_renames_model(r, a.model))
        cuts[n++] = (struct cut){a.model.raw, NULL};
    n += rewrite_cost(r, a.usage, cost, &cuts[n]);
    e = rewrite_whole(r, body, cuts, n, out);
    r->is_ended = e == ERR_OK;
    return e;
}

enum event_verdict chat_read_end(struct reader *r)
{
    if (r->finish_reason[0] == '\0')
        return EVENT_MALFORMED;
    r->is_ended = true;
    r->replacement = SLICE("data: " DONE "\n\n");
    return EVENT_END;
}
