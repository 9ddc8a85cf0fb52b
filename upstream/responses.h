/* responses - the OpenAI Responses format: what its endpoint asks beside format_openai_responses
 * (format.h), and the parts that its files share.
 *
 * responses.c reads and writes requests, responses_input.c walks over a request's input,
 * responses_reader.c overhears answers, responses_usage.c converts their usage;
 * responses_decode*.c turn a request into a canon, responses_encode*.c a canon into a request;
 * responses_decoder*.c turn an answer into events, responses_encoder.c events into an answer,
 * whose response object responses_object.c writes. Source: the OpenAPI document 2.3.0 of OpenAI,
 * its SDK's types 7.57.0, and what Codex was seen to send and to need. Stateless; any thread. */
#ifndef AIPASS_UPSTREAM_RESPONSES_H
#define AIPASS_UPSTREAM_RESPONSES_H

#include "base/jwrite.h"
#include "upstream/format.h"

#define RESPONSES_ID_SIZE    128 /* of a response or an item, the NUL included */
#define RESPONSES_OUTPUT_MIN 16  /* tokens: the smallest max_output_tokens */

/* What read_request keeps of a request, in format_request.own. */
struct responses_request {
    struct slice previous_id; /* previous_response_id, decoded; p NULL: none */
    bool is_stored;           /* `store`, which is true when not said */
    bool is_background;
    bool has_envelopes; /* reasoning that another provider sealed, in an envelope of ours */
};

/* responses_previous_id - the response that the request goes on from; p NULL: none. in: read by
 * format_openai_responses. */
struct slice responses_previous_id(const struct format_request *in);
/* responses_is_stored - the provider shall keep the response, so that a later request can name
 * it. */
bool responses_is_stored(const struct format_request *in);
/* responses_answer_id - the id of the response that r has read so far; n 0: not seen yet. */
struct slice responses_answer_id(const struct reader *r);

/* ---- shared by the files of the format ---- */

/* The members of a request that input is counted in; raw.p NULL: absent. */
struct responses_input {
    struct jvalue input, instructions, tools, text, prompt;
    bool has_envelopes; /* out */
};

/* responses_read_input - checks the items' structure and sets text_bytes, text, images, files,
 * audios, has_reference, and affinity unless it is set already. ERR_BAD_REQUEST with *fault;
 * ERR_MEMORY. */
ERR_CHECK enum err responses_read_input(struct responses_input *in, struct arena *a,
                                        struct format_request *out, struct fault *fault);
/* responses_strip_input - the list of items without those in envelopes of ours, whose seals no
 * provider of this format can open. out: empty. ERR_MEMORY, ERR_FULL. */
ERR_CHECK enum err responses_strip_input(struct slice input, struct buf *out);

/* responses_read_usage - a usage object as counts. v: any validated value, raw.p NULL allowed.
 * False, and *out as it was, when it is no object with a number of tokens in it. */
bool responses_read_usage(struct jvalue v, struct counts *out);
/* responses_write_usage - counts as a usage object. cost: a JSON number for its member "cost", or
 * NULL. */
void responses_write_usage(struct jwrite *w, const struct counts *c, const char *cost);

/* responses_error_class - ERR_UP_CONTEXT, ERR_UP_RATE, or other: what a provider's code and text
 * say. */
enum err responses_error_class(struct slice code, struct slice text, enum err other);

/* The members of a request that its response repeats. */
enum responses_echo_member {
    ECHO_INSTRUCTIONS,
    ECHO_MAX_OUTPUT,
    ECHO_MAX_TOOL_CALLS,
    ECHO_METADATA,
    ECHO_PARALLEL,
    ECHO_CACHE_KEY,
    ECHO_REASONING,
    ECHO_SAFETY_ID,
    ECHO_TIER,
    ECHO_TEMPERATURE,
    ECHO_TEXT,
    ECHO_TOOL_CHOICE,
    ECHO_TOOLS,
    ECHO_TOP_LOGPROBS,
    ECHO_TOP_P,
    ECHO_USER,
    ECHO_COUNT
};

/* A response object. Slices borrow. */
struct responses_object {
    struct slice id;
    const char *model;
    const char *status; /* "in_progress" */
    int64_t created_s;
    int64_t completed_s;    /* 0: not completed */
    struct slice output;    /* the items with commas between them */
    const char *incomplete; /* reason; NULL: none */
    const char *error_code; /* NULL: none */
    const char *error_text;
    struct slice tier;           /* as served; p NULL: as asked */
    const struct counts *counts; /* NULL: usage is null */
    const char *cost;
    bool is_stored;
    struct jvalue echo[ECHO_COUNT]; /* raw.p NULL: absent or null */
};

/* responses_read_echo - body: a validated request. */
void responses_read_echo(struct responses_object *o, struct slice body);
void responses_write_object(struct jwrite *w, const struct responses_object *o);
/* responses_failure_code - what response.error.code says of e. */
const char *responses_failure_code(enum err e);

/* How a call of a tool in a namespace is named in a canon: NAMESPACE, this, NAME. */
#define RESPONSES_NAMESPACE_MARK "__"

/* A request on its way to a canon. */
struct responses_decode {
    struct canon *c;
    struct fault *fault;
};

/* Where parts go: into a turn, or into a result. */
struct responses_place {
    const char *at; /* of the item */
    struct turn *turn;
    struct part *result; /* NULL: the turn */
};

/* responses_decode_content - a string or a list of parts, as `member` of an item. ERR_BAD_REQUEST,
 * ERR_MEMORY. */
ERR_CHECK enum err responses_decode_content(struct responses_decode *d,
                                            const struct responses_place *place,
                                            struct jvalue content, const char *member);
/* responses_decode_items - input as turns after those that are there. responses_decode_tools - a
 * list of tools; path: where it stands. responses_decode_choice - tool_choice. All values validated,
 * not null. ERR_BAD_REQUEST, ERR_MEMORY. */
ERR_CHECK enum err responses_decode_items(struct responses_decode *d, struct jvalue input);
ERR_CHECK enum err responses_decode_tools(struct responses_decode *d, struct jvalue tools,
                                          const char *path);
ERR_CHECK enum err responses_decode_choice(struct responses_decode *d, struct jvalue choice);
/* responses_join_name - the canon's name of a tool. space: p NULL for none. n 0: memory is out. */
struct slice responses_join_name(struct arena *a, struct slice space, struct slice name);
/* responses_member_text - a string member decoded. Absent or null: p NULL when it is optional, else
 * a fault. path: of the object. */
ERR_CHECK enum err responses_member_text(struct responses_decode *d, struct jvalue object,
                                         const char *name, const char *path, bool is_optional,
                                         struct slice *out);

/* responses_encode_items - the turns from the index first on, as the elements of `input`; the array
 * is open. responses_encode_tools - tools, tool_choice and parallel_tool_calls, as members of the
 * open object. ERR_BAD_REQUEST, ERR_MEMORY; errors of w stay in w. */
ERR_CHECK enum err responses_encode_items(struct canon *c, struct plan *p, struct jwrite *w,
                                          size_t first);
ERR_CHECK enum err responses_encode_tools(struct canon *c, struct plan *p, struct jwrite *w);
/* responses_sends_custom - custom tools and their calls go out as such, not as functions. */
bool responses_sends_custom(const struct plan *p);

/* The readers of answers and the halves of translations, as in struct format. */
enum event_verdict responses_read_event(struct reader *r, const struct sse_event *e);
enum event_verdict responses_read_end(struct reader *r);
enum err responses_read_whole(struct reader *r, struct slice body, struct slice *out);
void responses_read_error(struct reader *r, struct slice body);
enum err responses_decode_request(struct canon *c, const struct format_request *in,
                                  struct fault *fault);
enum err responses_encode_request(struct canon *c, struct plan *p, struct buf *out);
/* responses_needs_bytes - audio; images and files have URLs here. */
bool responses_needs_bytes(const struct part *part);
enum err responses_decode_begin(struct decoder *d);
enum err responses_decode_event(struct decoder *d, const struct sse_event *e);
enum err responses_decode_end(struct decoder *d);
enum err responses_decode_whole(struct decoder *d, struct slice body);
enum err responses_encode_begin(struct encoder *e);
enum err responses_encode_event(struct encoder *e, const struct event *ev);
enum err responses_encode_end(struct encoder *e);

/* What the pass-through reader keeps of an answer, in reader.own. */
struct responses_seen {
    char id[RESPONSES_ID_SIZE];
    int64_t created_s;
    uint8_t items[32]; /* bit: text of the item at that output_index was counted by deltas */
};

/* responses_write_failure - appends response.failed, or a bare error event when no response object
 * was seen yet; write_stream_error of the format. */
enum err responses_write_failure(const struct reader *r, struct buf *b, enum err error,
                                 const char *text, const char *request_id);
/* responses_encoder_object - the response object as far as e has written it, and the number of the
 * next event; false before its first event. */
bool responses_encoder_object(const struct encoder *e, struct responses_object *o,
                              int64_t *sequence);

#endif
