#include "upstream/completions.h"

#include "upstream/members.h"
#include "upstream/openai_chat.h"
#include "upstream/prompt_size.h"

#define CHOICES_MAX        128
#define OUTPUT_MAX_DEFAULT 16 /* tokens, as the API says: clients rely on the short answer */

enum known {
    KNOWN_MODEL,
    KNOWN_PROMPT,
    KNOWN_STREAM,
    KNOWN_STREAM_OPTIONS,
    KNOWN_N,
    KNOWN_MAX_TOKENS,
    KNOWN_USER,
    KNOWN_COUNT
};

static const struct known_member known[KNOWN_COUNT] = {
    [KNOWN_MODEL] = {"model",          true },
      [KNOWN_PROMPT] = {"prompt",         true },
    [KNOWN_STREAM] = {"stream",         true },
      [KNOWN_STREAM_OPTIONS] = {"stream_options", true },
    [KNOWN_N] = {"n",              true },
      [KNOWN_MAX_TOKENS] = {"max_tokens",     true },
    [KNOWN_USER] = {"user",           false},
};

struct jvalue completions_prompt(struct jvalue v)
{
    struct jvalue first = {0}, second;
    struct jscan s;

    if (!v.raw.p || v.kind == JSCAN_STRING)
        return v;
    if (jscan_array(&s, v) || jscan_next_element(&s, &first) || !jscan_next_element(&s, &second) ||
        first.kind != JSCAN_STRING)
        return (struct jvalue){0};
    return first;
}

static enum err read_stream(struct members *m, struct format_request *r)
{
    struct jvalue v = {0};
    enum err e = members_bool(m, KNOWN_STREAM, &r->is_stream);

    if (e || !members_has(m, KNOWN_STREAM_OPTIONS))
        return e;
    if (m->values[KNOWN_STREAM_OPTIONS].kind != JSCAN_OBJECT)
        return members_fail(m, KNOWN_STREAM_OPTIONS, "expected object or null");
    if (!jscan_find(m->values[KNOWN_STREAM_OPTIONS], "include_usage", &v))
        r->wants_usage = r->is_stream && v.kind == JSCAN_TRUE;
    return ERR_OK;
}

static enum err read_numbers(struct members *m, struct format_request *r)
{
    enum err e;

    if (members_has(m, KNOWN_N) &&
        (jscan_i64(m->values[KNOWN_N], &r->choices) || r->choices < 1 || r->choices > CHOICES_MAX))
        return members_fail(m, KNOWN_N, "expected an integer from 1 to 128");
    e = members_output_max(m, KNOWN_MAX_TOKENS, &r->output_max);
    if (!e && r->output_max < 0)
        r->output_max = OUTPUT_MAX_DEFAULT;
    return e;
}

static enum err read_request(const struct format_call *call, struct arena *a,
                             struct format_request *out, struct fault *fault)
{
    struct format_request r = {.body = call->body, .output_max = -1, .choices = 1};
    struct prompt_size size;
    struct slice prompt;
    struct members m;
    enum err e = members_read(&m, call->body, a, known, KNOWN_COUNT, fault);

    if (!e)
        e = members_model(&m, KNOWN_MODEL, &r.model);
    if (!e && !members_has(&m, KNOWN_PROMPT))
        e = members_fail(&m, KNOWN_PROMPT, "required");
    if (!e && !completions_prompt(m.values[KNOWN_PROMPT]).raw.p)
        e = members_fail(&m, KNOWN_PROMPT,
                         "expected a string, or an array of one string; token ids and several "
                         "prompts cannot be carried to this model");
    if (!e)
        e = read_stream(&m, &r);
    if (!e)
        e = read_numbers(&m, &r);
    if (e)
        return e;
    r.members = m.items;
    r.members_n = m.n;
    r.affinity = members_text(&m, KNOWN_USER);
    prompt = m.values[KNOWN_PROMPT].raw;
    prompt_size_begin(&size, a, &r, prompt);
    prompt_size_head(&size, prompt, false, true);
    prompt_size_end(&size, prompt);
    e = prompt_size_affinity(&size);
    if (!e)
        *out = r;
    return e;
}

static const char *path(struct arena *a, const char *upstream_model,
                        const struct format_request *in)
{
    (void)a;
    (void)upstream_model;
    (void)in;
    return "/completions";
}

/* No provider is asked by this format: without encode_request nothing leads here but a channel that
 * was set up wrongly, and its request must not go out. */
static enum err write_request(const struct format_request *r, const struct format_target *t,
                              struct arena *a, struct splice *out)
{
    (void)r;
    (void)t;
    (void)a;
    (void)out;
    return ERR_FORMAT;
}

static const char *const no_headers[] = {NULL};

const struct format format_openai_completions = {
    .name = "openai-completions",
    .vendor = VENDOR_OPENAI,
    .reader = {chat_read_event,  chat_read_end, chat_read_whole, chat_read_error},
    .forwarded_headers = no_headers,
    .default_headers = no_headers,
    .read_request = read_request,
    .path = path,
    .write_request = write_request,
    .auth_header = chat_auth_header,
    .write_stream_error = chat_write_stream_error,
    .decode_request = completions_decode_request,
    .encode_begin = completions_encode_begin,
    .encode_event = completions_encode_event,
    .encode_end = completions_encode_end,
    .ping = {": keep-alive\n\n", sizeof(": keep-alive\n\n") - 1             },
};
