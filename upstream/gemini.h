/* gemini - Google's generateContent format: the parts that its files share. Everybody else uses
 * format_gemini (format.h) and the errors at the end of this page.
 *
 * gemini.c reads and writes requests, gemini_contents.c walks over their contents, gemini_reader.c
 * overhears answers, gemini_usage.c converts their usage, gemini_error.c says errors; the halves of
 * translations are in gemini_decode_*.c, gemini_encode_*.c, gemini_decoder.c, gemini_encoder.c, and
 * gemini_schema.c has the two dialects of schemas. A model's name and whether it streams come from
 * the path. Requests may spell fields in camelCase or snake_case, as Google's JSON takes both.
 * Source: the protocol buffers of v1beta, the official SDKs 3.1.0, and what Gemini CLI was seen to
 * do. Stateless; any thread. */
#ifndef AIPASS_UPSTREAM_GEMINI_H
#define AIPASS_UPSTREAM_GEMINI_H

#include "base/jwrite.h"
#include "upstream/format.h"
#include "upstream/translate.h"

/* What Google takes in the place of a signature that is lost or was another model's. */
#define GEMINI_NO_SIGNATURE "skip_thought_signature_validator"

/* ---- JSON as protocol buffers spell it ---- */

/* gemini_key_is - name: in camelCase; its snake_case spelling matches, too. gemini_find - as
 * jscan_find with these names; null counts as absent. */
bool gemini_key_is(const struct jmember *m, const char *name);
ERR_CHECK enum err gemini_find(struct jvalue object, const char *name, struct jvalue *value);
/* gemini_i64 - an integer, also as a string. ERR_FORMAT, ERR_RANGE. */
ERR_CHECK enum err gemini_i64(struct jvalue v, int64_t *out);

/* A repeated field: an array, or the one value that some clients send instead. */
struct gemini_list {
    struct jscan scan;
    struct jvalue one; /* raw.p NULL: scan has the rest */
};
/* raw.p NULL or null: an empty list. */
void gemini_list_begin(struct gemini_list *l, struct jvalue v);
bool gemini_list_next(struct gemini_list *l, struct jvalue *v);

/* gemini_base64 - base64 in the standard alphabet with its padding: text itself, or a copy in the
 * arena (Python's SDK writes the URL-safe one). ERR_MEMORY. */
ERR_CHECK enum err gemini_base64(struct arena *a, struct slice text, struct slice *out);
/* gemini_is_envelope - a thoughtSignature that this gateway made of another model's. */
bool gemini_is_envelope(struct slice text);

/* ---- requests ---- */

/* The bytes of a string, between its quotes, that do not go to a provider as they are. */
struct gemini_cut {
    struct slice old;
    bool is_model; /* the model's name; else a signature that is an envelope */
};

/* What read_request keeps for write_request. */
struct gemini_request {
    const char *config_name; /* generationConfig as the client spells it; NULL: absent */
    const char *input_name;  /* the member that the cuts are in */
    struct slice input;
    struct gemini_cut *cuts; /* in order */
    size_t cuts_n, cuts_max;
};

/* The members of a request that input is counted in; raw.p NULL: absent. */
struct gemini_input {
    struct jvalue contents, system, tools, config;
    struct jvalue content, requests; /* of the embedding calls */
};

/* gemini_read_input - checks the contents' structure, sets what format_request says of the input
 * and lists the cuts in own. ERR_BAD_REQUEST with *fault; ERR_MEMORY. gemini_read_embed - the same
 * for an embedding call. */
ERR_CHECK enum err gemini_read_input(const struct gemini_input *in, struct arena *a,
                                     struct format_request *out, struct gemini_request *own,
                                     struct fault *fault);
ERR_CHECK enum err gemini_read_embed(const struct gemini_input *in, struct arena *a,
                                     struct format_request *out, struct gemini_request *own,
                                     struct fault *fault);

/* ---- answers ---- */

/* The members of an answer or of a chunk that we read; raw.p NULL: absent. */
struct gemini_answer {
    struct slice text; /* the object, without the space around it */
    struct jvalue candidates, usage, feedback, model, id, error;
    struct jvalue embedding; /* or embeddings */
};

/* gemini_scan - ERR_FORMAT when text is no JSON object. */
ERR_CHECK enum err gemini_scan(struct slice text, struct gemini_answer *out);
/* gemini_block_reason - the word why the prompt was blocked; n 0 when it was not. */
struct slice gemini_block_reason(const struct gemini_answer *a);
/* gemini_word - a string's bytes between the quotes; n 0 when it is none. */
struct slice gemini_word(struct jvalue v);

/* gemini_read_usage - usageMetadata as counts; false, and *out as it was, when it is none. Google
 * counts thoughts outside the candidates and cached input inside the prompt. *has_output: it tells
 * of output; the first chunks of a stream do not. */
bool gemini_read_usage(struct jvalue v, struct counts *out, bool *has_output);
/* gemini_write_usage - writes counts as the member usageMetadata. */
void gemini_write_usage(struct jwrite *w, const struct encoder *e);

/* Where the stream to the client stands. */
struct gemini_frame {
    bool is_array; /* a JSON array, not events */
    bool is_begun; /* the client has an element of it */
};
/* gemini_frame_open, gemini_frame_shut - what stands before and behind one object. is_first: none
 * went before it. */
struct slice gemini_frame_open(bool is_array, bool is_first);
struct slice gemini_frame_shut(bool is_array);
#define GEMINI_ARRAY_END "\n]"

/* The frames of a stream that is passed through, or translated: is_sent tells that the client has
 * what is in e->out. */
struct gemini_frame gemini_reader_frame(const struct reader *r);
struct gemini_frame gemini_encoder_frame(const struct encoder *e, bool is_sent);

/* ---- schemas ---- */

/* gemini_schema_clean - a JSON Schema as the subset that Google's `parameters` takes: references
 * inlined to a depth of 5, type words in upper case, what is unknown left out. ERR_MEMORY,
 * ERR_FULL. */
ERR_CHECK enum err gemini_schema_clean(struct slice schema, struct arena *a, struct jwrite *w);
/* gemini_schema_to_json - the other way: in the arena. ERR_MEMORY. */
ERR_CHECK enum err gemini_schema_to_json(struct slice schema, struct arena *a, struct slice *out);
/* gemini_schema_is_empty - an object schema that allows no argument, which some models reject. */
bool gemini_schema_is_empty(struct slice schema);

/* ---- pieces of the request's translation ---- */

/* Both: ERR_BAD_REQUEST with *fault, ERR_MEMORY. */
ERR_CHECK enum err gemini_decode_contents(struct canon *c, struct jvalue contents,
                                          struct fault *fault);
ERR_CHECK enum err gemini_decode_system(struct canon *c, struct jvalue system, struct fault *fault);
ERR_CHECK enum err gemini_decode_tools(struct canon *c, struct jvalue tools, struct fault *fault);
ERR_CHECK enum err gemini_decode_tool_config(struct canon *c, struct jvalue config,
                                             struct fault *fault);
ERR_CHECK enum err gemini_decode_config(struct canon *c, struct jvalue config, struct fault *fault);
/* gemini_decode_string - a string member decoded; ERR_BAD_REQUEST naming path when it is none. */
ERR_CHECK enum err gemini_decode_string(struct canon *c, struct jvalue v, const char *path,
                                        struct slice *out, struct fault *fault);

/* gemini_think_style - how the target is asked to think: the capability's word where it has one for
 * Gemini, else told by the model's name. */
enum think_style gemini_think_style(const struct plan *p);
/* gemini_encode_contents - the member contents. tools, then config. They set the fault of p. */
ERR_CHECK enum err gemini_encode_contents(struct canon *c, struct plan *p, size_t system_n,
                                          struct jwrite *w);
ERR_CHECK enum err gemini_encode_tools(struct canon *c, struct plan *p, struct jwrite *w);
ERR_CHECK enum err gemini_encode_config(struct canon *c, struct plan *p, struct jwrite *w);
/* gemini_asks_in_words - structured output is asked for in the system prompt. */
bool gemini_asks_in_words(const struct canon *c, const struct plan *p);

/* The halves of struct format. */
enum event_verdict gemini_read_event(struct reader *r, const struct sse_event *e);
enum event_verdict gemini_read_end(struct reader *r);
enum err gemini_read_whole(struct reader *r, struct slice body, struct slice *out);
void gemini_read_error(struct reader *r, struct slice body);
enum err gemini_write_stream_error(const struct reader *r, struct buf *b, enum err e,
                                   const char *text, const char *request_id);
enum err gemini_decode_request(struct canon *c, const struct format_request *in,
                               struct fault *fault);
enum err gemini_encode_request(struct canon *c, struct plan *p, struct buf *out);
/* gemini_needs_bytes - all but videos of YouTube. */
bool gemini_needs_bytes(const struct part *part);
enum err gemini_decode_begin(struct decoder *d);
enum err gemini_decode_event(struct decoder *d, const struct sse_event *e);
enum err gemini_decode_end(struct decoder *d);
enum err gemini_decode_whole(struct decoder *d, struct slice body);
enum err gemini_encode_begin(struct encoder *e);
enum err gemini_encode_event(struct encoder *e, const struct event *ev);
enum err gemini_encode_end(struct encoder *e);

/* ---- errors ---- */

/* An error inside an answer, or a provider's error body. */
struct gemini_error {
    struct slice text, status; /* decoded; "INVALID_ARGUMENT"; n 0: not told */
    int64_t code;              /* 0: not told */
    bool is_key;               /* our key is what is wrong, whatever the status says */
};
/* gemini_parse_error - error: the object, or a mere text. gemini_error_class - ERR_UP_CONTEXT,
 * ERR_UP_RATE, ERR_UP_AUTH, else otherwise. */
void gemini_parse_error(struct jvalue error, struct arena *a, struct gemini_error *out);
enum err gemini_error_class(const struct gemini_error *error, enum err otherwise);

/* gemini_error_http, gemini_error_status_word - the HTTP status of an error for clients of this
 * format, and Google's word for it: 429, "RESOURCE_EXHAUSTED". */
int gemini_error_http(enum err e);
const char *gemini_error_status_word(enum err e);
/* gemini_write_error - appends {"error":{code,message,status,details}}. text NULL: the error's own;
 * request_id NULL: none; retry_after_s > 0: as RetryInfo, else the error's default when it is one of
 * rate. ERR_MEMORY, ERR_FULL. */
ERR_CHECK enum err gemini_write_error(struct buf *b, enum err e, const char *text,
                                      const char *request_id, int64_t retry_after_s);

#endif
