#include "upstream/openai_chat.h"

#include "base/buf.h"
#include "upstream/splice.h"

#include <inttypes.h>
#include <string.h>

#define MODEL_CHARS_MAX 128
#define CHOICES_MAX     128
#define FIRST_MEMBERS   32 /* room for members at first */
#define EDITS_OWN       3  /* output limit, usage chunk, model */
#define MODEL_TEXT_MAX  ((size_t)4096)

/* The members that we read. Those we bill or route on may not occur twice: the provider might take
 * the other one. */
enum known {
    KNOWN_MODEL,
    KNOWN_MESSAGES,
    KNOWN_STREAM,
    KNOWN_STREAM_OPTIONS,
    KNOWN_N,
    KNOWN_MAX_TOKENS,
    KNOWN_MAX_COMPLETION_TOKENS,
    KNOWN_TOOLS,
    KNOWN_FUNCTIONS,
    KNOWN_RESPONSE_FORMAT,
    KNOWN_WEB_SEARCH_OPTIONS,
    KNOWN_PROMPT_CACHE_KEY,
    KNOWN_USER,
    KNOWN_SAFETY_IDENTIFIER,
    KNOWN_COUNT
};

static const struct {
    const char *name;
    bool is_single;
} known[KNOWN_COUNT] = {
    [KNOWN_MODEL] = {"model",                 true },
    [KNOWN_MESSAGES] = {"messages",              true },
    [KNOWN_STREAM] = {"stream",                true },
    [KNOWN_STREAM_OPTIONS] = {"stream_options",        true },
    [KNOWN_N] = {"n",                     true },
    [KNOWN_MAX_TOKENS] = {"max_tokens",            true },
    [KNOWN_MAX_COMPLETION_TOKENS] = {"max_completion_tokens", true },
    [KNOWN_TOOLS] = {"tools",                 true },
    [KNOWN_FUNCTIONS] = {"functions",             false},
    [KNOWN_RESPONSE_FORMAT] = {"response_format",       false},
    [KNOWN_WEB_SEARCH_OPTIONS] = {"web_search_options",    true },
    [KNOWN_PROMPT_CACHE_KEY] = {"prompt_cache_key",      false},
    [KNOWN_USER] = {"user",                  false},
    [KNOWN_SAFETY_IDENTIFIER] = {"safety_identifier",     false},
};

struct request_reader {
    struct arena *arena;
    struct fault *fault;
    struct format_request request;
    struct jmember *members;
    size_t members_n, members_max;
    struct jvalue values[KNOWN_COUNT]; /* raw.p NULL: absent */
};

enum err chat_fault(struct arena *a, struct fault *fault, const char *param, const char *text)
{
    const char *whole = param ? arena_printf(a, "%s: %s", param, text) : text;

    if (!whole)
        return ERR_MEMORY;
    *fault = (struct fault){param, whole};
    return ERR_BAD_REQUEST;
}

static enum err fail(struct request_reader *r, enum known k, const char *text)
{
    return chat_fault(r->arena, r->fault, known[k].name, text);
}

/* null means absent. */
static bool is_given(const struct request_reader *r, enum known k)
{
    return r->values[k].raw.p && r->values[k].kind != JSCAN_NULL;
}

static enum err keep_member(struct request_reader *r, const struct jmember *m)
{
    if (r->members_n == FORMAT_MEMBERS_MAX)
        return chat_fault(r->arena, r->fault, NULL,
                          "The request body has more members than any known parameter list.");
    if (r->members_n == r->members_max) {
        size_t max = r->members_max ? r->members_max * 2 : FIRST_MEMBERS;
        struct jmember *grown = arena_alloc(r->arena, max * sizeof(*grown));

        if (!grown)
            return ERR_MEMORY;
        if (r->members_n)
            memcpy(grown, r->members, r->members_n * sizeof(*grown));
        r->members = grown;
        r->members_max = max;
    }
    r->members[r->members_n++] = *m;
    return ERR_OK;
}

static enum err note_known(struct request_reader *r, const struct jmember *m)
{
    enum known k;

    for (k = 0; k < KNOWN_COUNT; k++) {
        /* The first character tells nearly all apart; only an escape may hide it. */
        if (m->key.n && m->key.p[0] != known[k].name[0] && m->key.p[0] != '\\')
            continue;
        if (!jscan_key_is(m, known[k].name))
            continue;
        if (r->values[k].raw.p && known[k].is_single)
            return fail(r, k, "given twice");
        r->values[k] = m->value;
        break;
    }
    return ERR_OK;
}

/* The one pass over the whole body: validates it and keeps its top level. */
static enum err read_members(struct request_reader *r, struct slice body)
{
    struct jmember m;
    struct jscan s;
    char *text;
    enum err e;

    e = jscan_begin_object(&s, body);
    while (!e && !(e = jscan_next_member(&s, &m))) {
        e = keep_member(r, &m);
        if (!e)
            e = note_known(r, &m);
    }
    if (e != ERR_FORMAT)
        return e == ERR_END ? ERR_OK : e;
    if (slice_trim(body).n == 0)
        return chat_fault(r->arena, r->fault, NULL,
                          "The request body is empty; expected a JSON object.");
    text =
        arena_printf(r->arena, "The request body is not a valid JSON object (at byte %zu).", s.at);
    return text ? chat_fault(r->arena, r->fault, NULL, text) : ERR_MEMORY;
}

static enum err read_model(struct request_reader *r)
{
    struct slice *model = &r->request.model;
    struct text_size size = {0};
    enum err e;

    if (!is_given(r, KNOWN_MODEL))
        return fail(r, KNOWN_MODEL, "required");
    e = jscan_string(r->values[KNOWN_MODEL], r->arena, model);
    if (e == ERR_FORMAT)
        return fail(r, KNOWN_MODEL, "expected string");
    if (e)
        return e;
    if (model->n == 0)
        return fail(r, KNOWN_MODEL, "expected a model's name, got an empty string");
    text_size_add(&size, *model);
    if (size.ascii_bytes + size.other_chars > MODEL_CHARS_MAX)
        return fail(r, KNOWN_MODEL, "expected at most 128 characters");
    return ERR_OK;
}

static enum err read_stream_options(struct request_reader *r)
{
    bool is_there = false;
    struct jmember m;
    struct jscan s;

    if (!is_given(r, KNOWN_STREAM_OPTIONS))
        return ERR_OK;
    if (jscan_object(&s, r->values[KNOWN_STREAM_OPTIONS]))
        return fail(r, KNOWN_STREAM_OPTIONS, "expected object or null");
    while (!jscan_next_member(&s, &m)) {
        if (!jscan_key_is(&m, "include_usage"))
            continue;
        if (is_there)
            return chat_fault(r->arena, r->fault, "stream_options.include_usage", "given twice");
        is_there = true;
        if (m.value.kind != JSCAN_TRUE && m.value.kind != JSCAN_FALSE && m.value.kind != JSCAN_NULL)
            return chat_fault(r->arena, r->fault, "stream_options.include_usage",
                              "expected boolean");
        r->request.wants_usage = r->request.is_stream && m.value.kind == JSCAN_TRUE;
    }
    return ERR_OK;
}

static enum err read_stream(struct request_reader *r)
{
    if (is_given(r, KNOWN_STREAM)) {
        enum jkind kind = r->values[KNOWN_STREAM].kind;

        if (kind != JSCAN_TRUE && kind != JSCAN_FALSE)
            return fail(r, KNOWN_STREAM, "expected boolean");
        r->request.is_stream = kind == JSCAN_TRUE;
    }
    return read_stream_options(r);
}

static enum err read_output_max(struct request_reader *r, enum known k)
{
    int64_t *output_max = &r->request.output_max;
    int64_t value = 0;
    enum err e;

    if (!is_given(r, k))
        return ERR_OK;
    e = jscan_i64(r->values[k], &value);
    if (e == ERR_RANGE && r->values[k].raw.p[0] != '-')
        value = COUNT_MAX;
    else if (e || value < 1)
        return fail(r, k, "expected an integer of at least 1");
    if (value > COUNT_MAX)
        value = COUNT_MAX;
    if (*output_max < 0 || value < *output_max)
        *output_max = value;
    return ERR_OK;
}

static enum err read_numbers(struct request_reader *r)
{
    int64_t n = 1;
    enum err e;

    if (is_given(r, KNOWN_N) && (jscan_i64(r->values[KNOWN_N], &n) || n < 1 || n > CHOICES_MAX))
        return fail(r, KNOWN_N, "expected an integer from 1 to 128");
    r->request.choices = n;
    e = read_output_max(r, KNOWN_MAX_TOKENS);
    return e ? e : read_output_max(r, KNOWN_MAX_COMPLETION_TOKENS);
}

/* The first of these that is a text names the conversation. */
static void read_affinity(struct request_reader *r)
{
    static const enum known names[] = {KNOWN_PROMPT_CACHE_KEY, KNOWN_USER, KNOWN_SAFETY_IDENTIFIER};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct jvalue *v = &r->values[names[i]];

        if (v->raw.p && v->kind == JSCAN_STRING && v->raw.n > 2) {
            r->request.affinity = (struct slice){v->raw.p + 1, v->raw.n - 2};
            return;
        }
    }
}

static enum err read_request(struct slice body, struct arena *a, struct format_request *out,
                             struct fault *fault)
{
    struct request_reader r = {.arena = a, .fault = fault};
    struct chat_input input;
    enum err e;

    r.request = (struct format_request){.body = body, .output_max = -1, .choices = 1};
    e = read_members(&r, body);
    if (!e)
        e = read_model(&r);
    if (!e && !is_given(&r, KNOWN_MESSAGES))
        e = fail(&r, KNOWN_MESSAGES, "required");
    if (!e)
        e = read_stream(&r);
    if (!e)
        e = read_numbers(&r);
    if (e)
        return e;
    r.request.members = r.members;
    r.request.members_n = r.members_n;
    r.request.has_reference = is_given(&r, KNOWN_WEB_SEARCH_OPTIONS);
    read_affinity(&r);
    input = (struct chat_input){r.values[KNOWN_MESSAGES], r.values[KNOWN_TOOLS],
                                r.values[KNOWN_FUNCTIONS], r.values[KNOWN_RESPONSE_FORMAT]};
    e = chat_read_input(&input, a, &r.request, fault);
    if (!e)
        *out = r.request;
    return e;
}

/* The members of a validated object, in the arena. */
static enum err list_members(struct jvalue object, struct arena *a, const struct jmember **out,
                             size_t *out_n)
{
    struct jmember m, *members;
    struct jscan s;
    size_t n = 0, i;
    enum err e;

    e = jscan_object(&s, object);
    if (e)
        return e;
    while (!jscan_next_member(&s, &m))
        n++;
    members = arena_alloc(a, n * sizeof(*members));
    if (!members)
        return ERR_MEMORY;
    e = jscan_object(&s, object);
    for (i = 0; i < n && !e; i++)
        e = jscan_next_member(&s, &members[i]);
    if (e)
        return e;
    *out = members;
    *out_n = n;
    return ERR_OK;
}

/* {"include_usage":true}, beside what the client's own stream_options hold. */
static enum err merge_stream_options(struct splicer *s, struct arena *a)
{
    struct slice old, merged = SLICE("{\"include_usage\":true}");
    const struct jmember *members;
    struct splice pieces;
    struct splicer inner;
    size_t n;
    enum err e;

    if (splicer_find(s, "stream_options", &old) || old.p[0] != '{')
        return splicer_set(s, "stream_options", merged);
    e = list_members((struct jvalue){JSCAN_OBJECT, old}, a, &members, &n);
    if (!e)
        e = splicer_init(&inner, a, old, members, n, 1);
    if (!e)
        e = splicer_set(&inner, "include_usage", SLICE("true"));
    if (!e)
        e = splicer_finish(&inner, &pieces);
    if (!e)
        e = splice_join(&pieces, a, &merged);
    return e ? e : splicer_set(s, "stream_options", merged);
}

/* name as a JSON string in the arena; p NULL when memory is out. */
static struct slice quote(struct arena *a, const char *name)
{
    struct slice quoted = {NULL, 0};
    struct buf b;

    buf_init(&b, MODEL_TEXT_MAX);
    if (!jscan_escape(&b, slice_of(name))) {
        quoted.p = arena_copy(a, buf_slice(&b));
        quoted.n = quoted.p ? b.n : 0;
    }
    buf_clear(&b);
    return quoted;
}

static enum err inject(struct splicer *s, const struct format_request *r,
                       const struct format_target *t, struct arena *a)
{
    enum err e = ERR_OK;
    char *number;

    if (t->output_max_inject >= 0 && r->output_max < 0) {
        number = arena_printf(a, "%" PRId64, t->output_max_inject);
        if (!number)
            return ERR_MEMORY;
        e = splicer_set(s, "max_tokens", slice_of(number));
    }
    if (!e && r->is_stream && !r->wants_usage)
        e = merge_stream_options(s, a);
    return e;
}

static enum err write_request(const struct format_request *r, const struct format_target *t,
                              struct arena *a, struct splice *out)
{
    struct splicer s;
    enum err e;
    size_t i;

    e = splicer_init(&s, a, r->body, r->members, r->members_n, t->edits_n + EDITS_OWN);
    if (!e)
        e = inject(&s, r, t, a);
    for (i = 0; i < t->edits_n && !e; i++)
        e = splicer_edit(&s, &t->edits[i]);
    if (e)
        return e;
    if (!slice_eq_z(r->model, t->upstream_model)) {
        struct slice model = quote(a, t->upstream_model);

        if (!model.p)
            return ERR_MEMORY;
        splicer_replace(&s, "model", model);
    }
    return splicer_finish(&s, out);
}

static const char *auth_header(struct arena *a, const char *secret)
{
    return arena_printf(a, "Authorization: Bearer %s", secret);
}

static enum err write_error_members(struct buf *b, const struct err_info *info, const char *text)
{
    enum err e;

    e = buf_append_z(b, "data: {\"error\":{\"message\":");
    if (!e)
        e = jscan_escape(b, slice_of(text ? text : info->text));
    if (!e)
        e = buf_append_z(b, ",\"type\":");
    if (!e)
        e = jscan_escape(b, slice_of(info->type));
    if (!e)
        e = buf_append_z(b, ",\"param\":null,\"code\":");
    if (!e)
        e = jscan_escape(b, slice_of(info->code));
    if (!e)
        e = buf_append_z(b, "}}\n\n");
    return e;
}

static enum err write_stream_error(struct buf *b, enum err error, const char *text,
                                   const char *request_id)
{
    size_t mark = b->n;
    enum err e;

    (void)request_id; /* this format has no place for it */
    e = write_error_members(b, err_info(error), text);
    if (e && b->n > mark) {
        b->n = mark;
        b->p[mark] = '\0';
    }
    return e;
}

const struct format format_openai_chat = {
    .name = "openai-chat",
    .path = "/chat/completions",
    .stream_content_type = "text/event-stream",
    .read_request = read_request,
    .write_request = write_request,
    .auth_header = auth_header,
    .read_event = chat_read_event,
    .read_whole = chat_read_whole,
    .read_error = chat_read_error,
    .write_stream_error = write_stream_error,
    .ping = {": keep-alive\n\n", sizeof(": keep-alive\n\n") - 1},
    .end = {"data: [DONE]\n\n", sizeof("data: [DONE]\n\n") - 1},
};
