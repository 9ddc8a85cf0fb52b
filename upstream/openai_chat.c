#include "upstream/openai_chat.h"

#include "base/buf.h"
#include "upstream/members.h"
#include "upstream/splice.h"

#include <string.h>

#define CHOICES_MAX 128
#define EDITS_OWN   3 /* output limit, usage chunk, model */

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

static const struct known_member known[KNOWN_COUNT] = {
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
    struct members members;
    struct format_request request;
};

static enum err fail(struct request_reader *r, enum known k, const char *text)
{
    return members_fail(&r->members, k, text);
}

static enum err read_stream_options(struct request_reader *r)
{
    static const char path[] = "stream_options.include_usage";
    bool is_there = false;
    struct jmember m;
    struct jscan s;

    if (!members_has(&r->members, KNOWN_STREAM_OPTIONS))
        return ERR_OK;
    if (jscan_object(&s, r->members.values[KNOWN_STREAM_OPTIONS]))
        return fail(r, KNOWN_STREAM_OPTIONS, "expected object or null");
    while (!jscan_next_member(&s, &m)) {
        if (!jscan_key_is(&m, "include_usage"))
            continue;
        if (is_there)
            return canon_fault(r->members.arena, r->members.fault, path, "given twice");
        is_there = true;
        if (m.value.kind != JSCAN_TRUE && m.value.kind != JSCAN_FALSE && m.value.kind != JSCAN_NULL)
            return canon_fault(r->members.arena, r->members.fault, path, "expected boolean");
        r->request.wants_usage = r->request.is_stream && m.value.kind == JSCAN_TRUE;
    }
    return ERR_OK;
}

static enum err read_stream(struct request_reader *r)
{
    enum err e = members_bool(&r->members, KNOWN_STREAM, &r->request.is_stream);

    return e ? e : read_stream_options(r);
}

static enum err read_numbers(struct request_reader *r)
{
    int64_t n = 1;
    enum err e;

    if (members_has(&r->members, KNOWN_N) &&
        (jscan_i64(r->members.values[KNOWN_N], &n) || n < 1 || n > CHOICES_MAX))
        return fail(r, KNOWN_N, "expected an integer from 1 to 128");
    r->request.choices = n;
    e = members_output_max(&r->members, KNOWN_MAX_TOKENS, &r->request.output_max);
    return e ? e
             : members_output_max(&r->members, KNOWN_MAX_COMPLETION_TOKENS, &r->request.output_max);
}

/* The first of these that is a text names the conversation. */
static void read_affinity(struct request_reader *r)
{
    static const enum known names[] = {KNOWN_PROMPT_CACHE_KEY, KNOWN_USER, KNOWN_SAFETY_IDENTIFIER};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]) && !r->request.affinity.n; i++)
        r->request.affinity = members_text(&r->members, names[i]);
}

static enum err read_request(const struct format_call *call, struct arena *a,
                             struct format_request *out, struct fault *fault)
{
    struct request_reader r = {0};
    struct chat_input input;
    enum err e;

    r.request = (struct format_request){.body = call->body, .output_max = -1, .choices = 1};
    e = members_read(&r.members, call->body, a, known, KNOWN_COUNT, fault);
    if (!e)
        e = members_model(&r.members, KNOWN_MODEL, &r.request.model);
    if (!e && !members_has(&r.members, KNOWN_MESSAGES))
        e = fail(&r, KNOWN_MESSAGES, "required");
    if (!e)
        e = read_stream(&r);
    if (!e)
        e = read_numbers(&r);
    if (e)
        return e;
    r.request.members = r.members.items;
    r.request.members_n = r.members.n;
    r.request.has_reference = members_has(&r.members, KNOWN_WEB_SEARCH_OPTIONS);
    read_affinity(&r);
    input = (struct chat_input){r.members.values[KNOWN_MESSAGES], r.members.values[KNOWN_TOOLS],
                                r.members.values[KNOWN_FUNCTIONS],
                                r.members.values[KNOWN_RESPONSE_FORMAT]};
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

static enum err write_request(const struct format_request *r, const struct format_target *t,
                              struct arena *a, struct splice *out)
{
    struct splicer s;
    enum err e;

    e = splicer_init(&s, a, r->body, r->members, r->members_n, t->edits_n + EDITS_OWN);
    if (!e)
        e = splicer_inject_output_max(&s, "max_tokens", r, t);
    if (!e && r->is_stream && !r->wants_usage)
        e = merge_stream_options(&s, a);
    return e ? e : splicer_finish_target(&s, r, t, out);
}

const char *chat_auth_header(struct arena *a, const char *secret)
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

enum err chat_write_stream_error(const struct reader *r, struct buf *b, enum err error,
                                 const char *text, const char *request_id)
{
    size_t mark = b->n;
    enum err e;

    (void)r;
    (void)request_id; /* this format has no place for it */
    e = write_error_members(b, err_info(error), text);
    if (e && b->n > mark) {
        b->n = mark;
        b->p[mark] = '\0';
    }
    return e;
}

static const char *path(struct arena *a, const char *upstream_model,
                        const struct format_request *in)
{
    (void)a;
    (void)upstream_model;
    (void)in;
    return "/chat/completions";
}

static const char *const forwarded_headers[] = {"openai-beta", NULL};
static const char *const default_headers[] = {NULL};

const struct format format_openai_chat = {
    .name = "openai-chat",
    .vendor = VENDOR_OPENAI,
    .reader = {chat_read_event,  chat_read_end, chat_read_whole, chat_read_error},
    .forwarded_headers = forwarded_headers,
    .default_headers = default_headers,
    .read_request = read_request,
    .path = path,
    .write_request = write_request,
    .auth_header = chat_auth_header,
    .write_stream_error = chat_write_stream_error,
    .decode_request = chat_decode_request,
    .encode_request = chat_encode_request,
    .needs_bytes = chat_needs_bytes,
    .decode_begin = chat_decode_begin,
    .decode_event = chat_decode_event,
    .decode_end = chat_decode_end,
    .decode_whole = chat_decode_whole,
    .encode_begin = chat_encode_begin,
    .encode_event = chat_encode_event,
    .encode_end = chat_encode_end,
    .ping = {": keep-alive\n\n", sizeof(": keep-alive\n\n") - 1             },
};
