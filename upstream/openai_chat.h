/* openai_chat - the OpenAI Chat Completions format: the parts that its files share. Everybody
 * else uses format_openai_chat (format.h).
 *
 * openai_chat.c reads and writes requests, openai_chat_messages.c walks over a request's
 * messages, openai_chat_reader.c overhears answers, openai_chat_usage.c converts their usage.
 * Source: the OpenAPI document 2.3.0 of OpenAI and what compatible providers were seen to do.
 * Stateless; any thread. */
#ifndef AIPASS_UPSTREAM_OPENAI_CHAT_H
#define AIPASS_UPSTREAM_OPENAI_CHAT_H

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

#endif
