/* completions - the legacy OpenAI Completions format (POST /v1/completions), which editors still use:
 * a prompt instead of messages. A client's format only: no provider is asked by it, so every request
 * is translated. Everybody else uses format_openai_completions (format.h).
 *
 * completions.c reads requests, completions_decode_request.c reads the whole of one,
 * completions_encoder.c writes answers. Source: the OpenAPI document 2.3.0 of OpenAI. Stateless but
 * for the encoder; any thread. */
#ifndef AIPASS_UPSTREAM_COMPLETIONS_H
#define AIPASS_UPSTREAM_COMPLETIONS_H

#include "upstream/event.h"
#include "upstream/format.h"

/* completions_prompt - the one text of a prompt: a string, or an array of one; of another kind:
 * raw.p NULL. v: a validated value. */
struct jvalue completions_prompt(struct jvalue v);

/* As in struct format. */
enum err completions_decode_request(struct canon *c, const struct format_request *in,
                                    struct fault *fault);
enum err completions_encode_begin(struct encoder *e);
enum err completions_encode_event(struct encoder *e, const struct event *ev);
enum err completions_encode_end(struct encoder *e);

#endif
