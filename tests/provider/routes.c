#include "tests/provider/routes.h"

#include "tests/provider/chat.h"
#include "tests/provider/gemini.h"
#include "tests/provider/messages.h"
#include "tests/provider/responses.h"
#include "tests/provider/scan.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MODEL_NAME_MAX = 1024 };

static const char json_type[] = "application/json";

/* Fills play->body and says so by play_body. */
typedef void serve_fn(struct sim *sim, const struct inquiry *in, struct play *play);

static serve_fn serve_models;
static serve_fn serve_tally;
static serve_fn serve_tally_reset;
static serve_fn serve_last;
static serve_fn serve_kept;
static serve_fn serve_kept_delete;

/* UNDER: the path and one more segment, anywhere at the end. */
enum route_match { MATCH_WHOLE, MATCH_SUFFIX, MATCH_UNDER };

struct route {
    const char *method;
    const char *path;
    enum route_match match;
    enum route_class class;
    const struct format *format; /* of an answer */
    serve_fn *serve;             /* of anything else */
};

/* clang-format off */
static const struct route routes[] = {
    {"POST", "/chat/completions",       MATCH_SUFFIX, ROUTE_ANSWER,  &format_chat,         NULL},
    {"POST", "/messages",               MATCH_SUFFIX, ROUTE_ANSWER,  &format_messages,     NULL},
    {"POST", "/messages/count_tokens",  MATCH_SUFFIX, ROUTE_OTHER,   &format_count_tokens, NULL},
    {"POST", "/responses", MATCH_SUFFIX, ROUTE_ANSWER, &format_responses, NULL},
    {"POST", "/responses/compact", MATCH_SUFFIX, ROUTE_ANSWER, &format_compact, NULL},
    {"POST", "/responses/input_tokens", MATCH_SUFFIX, ROUTE_OTHER, &format_input_tokens, NULL},
    {"GET", "/responses", MATCH_UNDER, ROUTE_OTHER, NULL, serve_kept},
    {"DELETE", "/responses", MATCH_UNDER, ROUTE_OTHER, NULL, serve_kept_delete},
    {"POST", ":generateContent", MATCH_SUFFIX, ROUTE_ANSWER, &format_gemini, NULL},
    {"POST", ":streamGenerateContent", MATCH_SUFFIX, ROUTE_ANSWER, &format_gemini_stream, NULL},
    {"POST", ":countTokens", MATCH_SUFFIX, ROUTE_OTHER, &format_gemini_count, NULL},
    {"POST", ":embedContent", MATCH_SUFFIX, ROUTE_ANSWER, &format_gemini_embed, NULL},
    {"POST", ":batchEmbedContents", MATCH_SUFFIX, ROUTE_ANSWER, &format_gemini_embed_batch, NULL},
    {"GET",  "/models",                 MATCH_SUFFIX, ROUTE_OTHER,   NULL,                 serve_models},
    {"GET",  "/_tally",                 MATCH_WHOLE,  ROUTE_CONTROL, NULL,                 serve_tally},
    {"POST", "/_tally/reset",           MATCH_WHOLE,  ROUTE_CONTROL, NULL,                 serve_tally_reset},
    {"GET",  "/_last",                  MATCH_WHOLE,  ROUTE_CONTROL, NULL,                 serve_last},
};
/* clang-format on */

enum { ROUTES = sizeof(routes) / sizeof(routes[0]) };

/* Split the target at the question mark. */
static struct span split_query(struct span target, struct span *query)
{
    const char *mark = memchr(target.at, '?', target.len);
    size_t len = mark != NULL ? (size_t)(mark - target.at) : target.len;
    size_t skipped = len + (mark != NULL);
    *query = (struct span){target.at + skipped, target.len - skipped};
    return (struct span){target.at, len};
}

/* The last segment of a path. */
static struct span last_segment(struct span path)
{
    const char *slash = memrchr(path.at, '/', path.len);
    size_t skipped = slash != NULL ? (size_t)(slash + 1 - path.at) : 0;
    return (struct span){path.at + skipped, path.len - skipped};
}

static bool route_fits(const struct route *r, struct span path)
{
    size_t len = strlen(r->path);
    struct span last = last_segment(path);
    if (r->match == MATCH_UNDER) {
        if (last.len == 0 || last.len + 1 > path.len)
            return false;
        path.len -= last.len + 1;
    }
    bool fits = r->match == MATCH_WHOLE ? path.len == len : path.len >= len;
    return fits && memcmp(path.at + path.len - len, r->path, len) == 0;
}

static const struct route *route_find(const struct inbound *in, struct span *path_out,
                                      struct span *query)
{
    struct span path = split_query(in->target, query);
    *path_out = path;
    for (size_t i = 0; i < ROUTES; i++)
        if (span_is(in->method, routes[i].method) && route_fits(&routes[i], path))
            return &routes[i];
    return NULL;
}

enum route_class routes_classify(const struct inbound *in)
{
    struct span path;
    struct span query;
    const struct route *r = route_find(in, &path, &query);
    return r != NULL ? r->class : ROUTE_OTHER;
}

/* Whether the path has this text somewhere. */
static bool path_has(struct span path, const char *text)
{
    return memmem(path.at, path.len, text, strlen(text)) != NULL;
}

/* An error outside any format, in the shape of the API that the path belongs to. */
static void refuse(const struct fault *fault, struct span path, struct play *play)
{
    play->body.len = 0;
    if (path_has(path, "/messages"))
        fault_put_anthropic(fault, &play->body);
    else if (path_has(path, "beta/") || path_has(path, ":"))
        fault_put_gemini(fault, &play->body);
    else
        fault_put_openai(fault, &play->body);
    play_body(play, fault->status, json_type);
}

void routes_refuse(int status, const char *message, struct play *play)
{
    struct fault fault = {.status = status, .message = message};
    refuse(&fault, span_of(""), play);
}

/* Gather the script of a request, weakest source first. */
static bool gather_script(const struct sim *sim, const struct inbound *in, const struct ask *ask,
                          struct script *script, char reason[SCRIPT_REASON_MAX])
{
    char text[MODEL_NAME_MAX];
    struct span controls;
    *script = sim->defaults;
    if (ask->marker.len > 0) {
        struct span marker = {text, scan_decode(ask->marker, text, sizeof(text))};
        if (!script_apply(script, marker, reason))
            return false;
    }
    if (memchr(ask->model.at, '@', ask->model.len) != NULL) {
        struct span model = {text, scan_decode(ask->model, text, sizeof(text))};
        if (script_find_in_model(model, &controls) && !script_apply(script, controls, reason))
            return false;
    }
    return script_apply(script, in->control, reason);
}

static void begin_answer(struct sim *sim, const struct inbound *in, const struct inquiry *inquiry,
                         const struct format *format, struct play *play)
{
    static struct ask ask; /* large, and one request is read at a time */
    char reason[SCRIPT_REASON_MAX];
    struct fault fault = {.status = 400, .message = "The body is not a valid JSON object."};
    bool is_begun = false;
    ask_init(&ask);
    if (!format->read(&ask, inquiry)) {
        if (ask.reason[0] != 0) {
            fault.message = ask.reason;
            fault.code = ask.code;
        } else if (ask.bad_param != NULL) {
            snprintf(reason, sizeof(reason), "Missing or invalid parameter: '%s'.", ask.bad_param);
            fault.message = reason;
        }
    } else {
        int64_t seen = tally_see(&sim->tally.models, ask.model.at, ask.model.len);
        is_begun = gather_script(sim, in, &ask, &play->answer.script, reason);
        if (play->answer.script.fails > 0 && seen > play->answer.script.fails)
            play->answer.script.status = SCRIPT_UNSET;
        fault.message = reason;
        fault.code = "bad_simulator_control";
    }
    if (is_begun) {
        answer_init(&play->answer, &ask, inquiry->body, inquiry->len);
        play_answer(play, format);
        if (format->keep != NULL && play->status == 200)
            format->keep(&play->answer);
    } else {
        play->body.len = 0;
        bytes_puts(&play->body, ask.is_array ? "[" : "");
        format->error(&fault, &play->body);
        bytes_puts(&play->body, ask.is_array ? "]" : "");
        play_body(play, fault.status, json_type);
    }
    ask_clear(&ask);
}

void routes_begin(struct sim *sim, const struct inbound *in, struct play *play)
{
    struct inquiry inquiry = {
        .head = {in->head.data, in->head.len},
          .body = in->body.data, .len = in->body.len
    };
    const struct route *r = route_find(in, &inquiry.path, &inquiry.query);
    struct span key = inbound_key(in);
    bool is_control = r != NULL && r->class == ROUTE_CONTROL;
    if (!is_control && key.len > 0)
        tally_see(&sim->tally.keys, key.at, key.len);
    if (!is_control && sim->key != NULL && !span_is(key, sim->key)) {
        struct fault fault = {.status = 401};
        refuse(&fault, inquiry.path, play);
    } else if (r == NULL) {
        struct fault fault = {
            .status = 404, .message = "Unknown path or method.", .code = "unknown_url"};
        refuse(&fault, inquiry.path, play);
    } else if (r->format != NULL) {
        begin_answer(sim, in, &inquiry, r->format, play);
    } else {
        r->serve(sim, &inquiry, play);
    }
}

static void serve_models(struct sim *sim, const struct inquiry *in, struct play *play)
{
    (void)in;
    const char *at = sim->models;
    const char *comma = "";
    bytes_puts(&play->body, "{\"object\":\"list\",\"data\":[");
    while (*at != 0) {
        size_t len = strcspn(at, ",");
        bytes_puts(&play->body, comma);
        bytes_puts(&play->body, "{\"id\":");
        bytes_put_quoted(&play->body, at, len);
        bytes_puts(&play->body, ",\"object\":\"model\",\"created\":1700000000,"
                                "\"owned_by\":\"demo\"}");
        at += len + (at[len] == ',');
        comma = ",";
    }
    bytes_puts(&play->body, "]}");
    play_body(play, 200, json_type);
}

static void serve_tally(struct sim *sim, const struct inquiry *in, struct play *play)
{
    (void)in;
    tally_print(&sim->tally, &play->body);
    play_body(play, 200, json_type);
}

static void serve_tally_reset(struct sim *sim, const struct inquiry *in, struct play *play)
{
    tally_reset(&sim->tally);
    serve_tally(sim, in, play);
}

static void serve_last(struct sim *sim, const struct inquiry *in, struct play *play)
{
    struct span query = in->query;
    size_t count = 1;
    if (query.len > 2 && memcmp(query.at, "n=", 2) == 0)
        count = (size_t)strtoul(query.at + 2, NULL, 10); /* the head goes on behind the number */
    history_print(&sim->history, count, &play->body);
    play_body(play, 200, json_type);
}

static void refuse_unkept(const struct inquiry *in, struct play *play)
{
    struct span id = last_segment(in->path);
    char message[120];
    int shown = id.len > 60 ? 60 : (int)id.len;
    snprintf(message, sizeof(message), "Response with id '%.*s' not found.", shown, id.at);
    struct fault fault = {.status = 404, .message = message, .code = "not_found"};
    refuse(&fault, in->path, play);
}

static void serve_kept(struct sim *sim, const struct inquiry *in, struct play *play)
{
    struct span body = responses_kept_find(last_segment(in->path));
    (void)sim;
    if (body.len == 0) {
        refuse_unkept(in, play);
        return;
    }
    bytes_put_span(&play->body, body);
    play_body(play, 200, json_type);
}

static void serve_kept_delete(struct sim *sim, const struct inquiry *in, struct play *play)
{
    struct span id = last_segment(in->path);
    (void)sim;
    if (!responses_kept_drop(id)) {
        refuse_unkept(in, play);
        return;
    }
    bytes_puts(&play->body, "{\"id\":\"");
    bytes_put_span(&play->body, id);
    bytes_puts(&play->body, "\",\"object\":\"response\",\"deleted\":true}");
    play_body(play, 200, json_type);
}
