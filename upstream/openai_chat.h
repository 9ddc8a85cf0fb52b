/* openai_chat - the OpenAI Chat Completions format: the parts that its files share, and those that
 * the legacy Completions share with it. Everybody else uses format_openai_chat (format.h).
 *
 * openai_chat.c reads and writes requests, openai_chat_messages.c walks over a request's
 * messages, openai_chat_reader.c overhears answers, openai_chat_usage.c converts their usage.
 * Translation: openai_chat_decode.h, openai_chat_encode.h for requests, openai_chat_decoder.c and
 * openai_chat_encoder.c for answers.
 * Source: the OpenAPI document 2.3.0 of OpenAI and what compatible providers were seen to do.
 * Stateless; any thread. */
#ifndef AIPASS_UPSTREAM_OPENAI_CHAT_H
#define AIPASS_UPSTREAM_OPENAI_CHAT_H

#include "upstream/event.h"
#include "upstream/format.h"

/* The members of a request that input is counted in; raw.p NULL: absent. */
struct chat_input {
    struct jvalue messages; /* an array */
    struct jvalue tools, functions, response_format;
};

/* chat_read_input - checks the messages' structure and sets text_bytes, text, images, files,
 * audios, has_reference, and affinity unless it is set already. Values must be validated JSON
 * inside out->body. ERR_BAD_REQUEST with *fault; ERR_MEMORY. */
ERR_CHECK enum err chat_read_input(const struct chat_input *in, struct arena *a,
                                   struct format_request *out, struct fault *fault);

/* chat_read_usage - a usage object as counts. v: any validated value, raw.p NULL allowed. False,
 * and *out as it was, when it is no object with a number of tokens in it. Cached and written
 * input is taken out of prompt_tokens; a total above its parts is output; what cannot be is
 * clamped and logged. */
bool chat_read_usage(struct jvalue v, struct counts *out);

/* chat_write_usage - the usage object of an answer. cost: a JSON number for its member "cost", or
 * NULL. */
struct jwrite;
void chat_write_usage(struct jwrite *w, const struct counts *c, const char *cost);

/* chat_finish_word - as Chat says it. tool: what it says of a call ("tool_calls"). A refusal that was
 * told in words is a plain stop. */
const char *chat_finish_word(enum finish finish, const char *tool, bool has_refusal);

/* chat_is_context_error - a provider's error says that the input is too long. */
bool chat_is_context_error(struct slice code, struct slice text);

/* As in struct format. */
const char *chat_auth_header(struct arena *a, const char *secret);
enum err chat_write_stream_error(const struct reader *r, struct buf *b, enum err e,
                                 const char *text, const char *request_id);

/* The readers of answers and the halves of translations, as in struct format. */
enum event_verdict chat_read_event(struct reader *r, const struct sse_event *e);
enum event_verdict chat_read_end(struct reader *r);
enum err chat_read_whole(struct reader *r, struct slice body, struct slice *out);
void chat_read_error(struct reader *r, struct slice body);
enum err chat_decode_request(struct canon *c, const struct format_request *in, struct fault *fault);
enum err chat_encode_request(struct canon *c, struct plan *p, struct buf *out);
enum err chat_decode_begin(struct decoder *d);
enum err chat_decode_event(struct decoder *d, const struct sse_event *e);
enum err chat_decode_end(struct decoder *d);
enum err chat_decode_whole(struct decoder *d, struct slice body);
enum err chat_encode_begin(struct encoder *e);
enum err chat_encode_event(struct encoder *e, const struct event *ev);
enum err chat_encode_end(struct encoder *e);

/* chat_needs_bytes - documents and audio have no URL here, images have. */
bool chat_needs_bytes(const struct part *p);

#endif
