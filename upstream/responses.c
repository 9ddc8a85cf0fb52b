#include "upstream/responses.h"

#include "base/buf.h"
#include "upstream/members.h"
#include "upstream/splice.h"

#include <string.h>

#define EDITS_OWN 3 /* output limit, input, model */

/* The members that we read. Those we bill or route on may not occur twice: the provider might take
 * the other one. */
enum known {
    KNOWN_MODEL,
    KNOWN_INPUT,
    KNOWN_INSTRUCTIONS,
    KNOWN_STREAM,
    KNOWN_MAX_OUTPUT_TOKENS,
    KNOWN_TOOLS,
    KNOWN_TEXT,
    KNOWN_PROMPT,
    KNOWN_PREVIOUS_RESPONSE_ID,
    KNOWN_CONVERSATION,
    KNOWN_BACKGROUND,
    KNOWN_STORE,
    KNOWN_PROMPT_CACHE_KEY,
    KNOWN_USER,
    KNOWN_SAFETY_IDENTIFIER,
    KNOWN_COUNT
};

static const struct known_member known[KNOWN_COUNT] = {
    [KNOWN_MODEL] = {"model",                true },
    [KNOWN_INPUT] = {"input",                true },
    [KNOWN_INSTRUCTIONS] = {"instructions",         true },
    [KNOWN_STREAM] = {"stream",               true },
    [KNOWN_MAX_OUTPUT_TOKENS] = {"max_output_tokens",    true },
    [KNOWN_TOOLS] = {"tools",                true },
    [KNOWN_TEXT] = {"text",                 false},
    [KNOWN_PROMPT] = {"prompt",               true },
    [KNOWN_PREVIOUS_RESPONSE_ID] = {"previous_response_id", true },
    [KNOWN_CONVERSATION] = {"conversation",         true },
    [KNOWN_BACKGROUND] = {"background",           true },
    [KNOWN_STORE] = {"store",                true },
    [KNOWN_PROMPT_CACHE_KEY] = {"prompt_cache_key",     false},
    [KNOWN_USER] = {"user",                 false},
    [KNOWN_SAFETY_IDENTIFIER] = {"safety_identifier",    false},
};

struct request_reader {
    struct members members;
    struct format_request request;
    struct responses_request own;
};

static enum err fail(struct request_reader *r, enum known k, const char *text)
{
    return members_fail(&r->members, k, text);
}

/* What the provider keeps, and what it kept: later requests must find it again. */
static enum err read_state(struct request_reader *r)
{
    enum err e;

    r->own.is_stored = true;
    e = members_bool(&r->members, KNOWN_STORE, &r->own.is_stored);
    if (!e)
        e = members_bool(&r->members, KNOWN_BACKGROUND, &r->own.is_background);
    if (e)
        return e;
    if (r->own.is_background)
        return fail(r, KNOWN_BACKGROUND, "background responses are not offered; send false");
    if (members_has(&r->members, KNOWN_PREVIOUS_RESPONSE_ID)) {
        e = jscan_string(r->members.values[KNOWN_PREVIOUS_RESPONSE_ID], r->members.arena,
                         &r->own.previous_id);
        if (e == ERR_FORMAT || (!e && r->own.previous_id.n == 0))
            return fail(r, KNOWN_PREVIOUS_RESPONSE_ID, "expected the id of a response");
    }
    r->request.has_reference = members_has(&r->members, KNOWN_PREVIOUS_RESPONSE_ID) ||
                               members_has(&r->members, KNOWN_CONVERSATION) ||
                               members_has(&r->members, KNOWN_PROMPT);
    if (!e && !members_has(&r->members, KNOWN_INPUT) && !r->request.has_reference)
        return fail(r, KNOWN_INPUT, "required");
    return e;
}

/* The first of these that is a text names the conversation. */
static void read_affinity(struct request_reader *r)
{
    static const enum known names[] = {KNOWN_PROMPT_CACHE_KEY, KNOWN_USER, KNOWN_SAFETY_IDENTIFIER};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]) && !r->request.affinity.n; i++)
        r->request.affinity = members_text(&r->members, names[i]);
}

static enum err read_members(struct request_reader *r)
{
    enum err e = members_model(&r->members, KNOWN_MODEL, &r->request.model);

    if (!e)
        e = members_bool(&r->members, KNOWN_STREAM, &r->request.is_stream);
    if (!e)
        e = members_output_max(&r->members, KNOWN_MAX_OUTPUT_TOKENS, &r->request.output_max);
    return e ? e : read_state(r);
}

static enum err read_request(const struct format_call *call, struct arena *a,
                             struct format_request *out, struct fault *fault)
{
    struct request_reader r = {0};
    struct responses_request *own;
    struct responses_input input;
    const struct jvalue *v = r.members.values;
    enum err e;

    r.request = (struct format_request){
        .body = call->body, .verb = call->verb, .output_max = -1, .choices = 1};
    e = members_read(&r.members, call->body, a, known, KNOWN_COUNT, fault);
    if (!e)
        e = read_members(&r);
    if (e)
        return e;
    r.request.members = r.members.items;
    r.request.members_n = r.members.n;
    read_affinity(&r);
    input = (struct responses_input){v[KNOWN_INPUT], v[KNOWN_INSTRUCTIONS], v[KNOWN_TOOLS],
                                     v[KNOWN_TEXT],  v[KNOWN_PROMPT],       false};
    e = responses_read_input(&input, a, &r.request, fault);
    if (e)
        return e;
    own = arena_alloc(a, sizeof(*own));
    if (!own)
        return ERR_MEMORY;
    *own = r.own;
    own->has_envelopes = input.has_envelopes;
    r.request.own = own;
    *out = r.request;
    return ERR_OK;
}

struct slice responses_previous_id(const struct format_request *in)
{
    const struct responses_request *own = in->own;

    return own->previous_id;
}

bool responses_is_stored(const struct format_request *in)
{
    const struct responses_request *own = in->own;

    return own->is_stored;
}

static void clear_buf(void *buf)
{
    buf_clear(buf);
}

/* A conversation that another provider's model took part in: its sealed reasoning would be refused
 * here. */
static enum err strip_envelopes(struct splicer *s, const struct format_request *r, struct arena *a)
{
    const struct responses_request *own = r->own;
    struct slice input;
    struct buf *stripped;
    enum err e;

    if (!own->has_envelopes || splicer_find(s, "input", &input))
        return ERR_OK;
    stripped = arena_alloc(a, sizeof(*stripped));
    if (!stripped)
        return ERR_MEMORY;
    buf_init(stripped, input.n);
    e = arena_defer(a, clear_buf, stripped);
    if (!e)
        e = responses_strip_input(input, stripped);
    if (!e)
        splicer_replace(s, "input", buf_slice(stripped));
    return e == ERR_FULL ? ERR_INTERNAL : e; /* it only gets shorter */
}

static enum err write_request(const struct format_request *r, const struct format_target *t,
                              struct arena *a, struct splice *out)
{
    struct splicer s;
    enum err e;

    e = splicer_init(&s, a, r->body, r->members, r->members_n, t->edits_n + EDITS_OWN);
    if (!e && !r->verb) /* other calls have no such member */
        e = splicer_inject_output_max(&s, "max_output_tokens", r, t);
    if (!e)
        e = strip_envelopes(&s, r, a);
    return e ? e : splicer_finish_target(&s, r, t, out);
}

static const char *auth_header(struct arena *a, const char *secret)
{
    return arena_printf(a, "Authorization: Bearer %s", secret);
}

static const char *path(struct arena *a, const char *upstream_model,
                        const struct format_request *in)
{
    (void)upstream_model;
    return in && in->verb ? arena_printf(a, "/responses/%s", in->verb) : "/responses";
}

static const char *const forwarded_headers[] = {"openai-beta", NULL};
static const char *const default_headers[] = {NULL};

/* Comments alone do not reset the timer of Codex; an event of a type that no client knows does. */
#define PING                                                                                       \
    ": keep-alive\n\n"                                                                             \
    "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":0}\n\n"

const struct format format_openai_responses = {
    .name = "openai-responses",
    .vendor = VENDOR_OPENAI,
    .echoes_request = true,
    .reader = {responses_read_event, responses_read_end, responses_read_whole,
               responses_read_error},
    .forwarded_headers = forwarded_headers,
    .default_headers = default_headers,
    .read_request = read_request,
    .path = path,
    .write_request = write_request,
    .auth_header = auth_header,
    .write_stream_error = responses_write_failure,
    .ping = {PING, sizeof(PING) - 1                  },
    .decode_request = responses_decode_request,
    .encode_request = responses_encode_request,
    .needs_bytes = responses_needs_bytes,
    .decode_begin = responses_decode_begin,
    .decode_event = responses_decode_event,
    .decode_end = responses_decode_end,
    .decode_whole = responses_decode_whole,
    .encode_begin = responses_encode_begin,
    .encode_event = responses_encode_event,
    .encode_end = responses_encode_end,
};
