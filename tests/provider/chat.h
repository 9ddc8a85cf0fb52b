/* chat - the OpenAI Chat Completions format.
 *
 * A stateless table of functions; the state of a stream is in the answer. chat_read.c checks a
 * request as strictly as the API does, one at a time; chat.c writes the answer.
 * Source: OpenAI API reference, "Create chat completion" and "The chat completion chunk object".
 */
#ifndef TESTS_PROVIDER_CHAT_H
#define TESTS_PROVIDER_CHAT_H

#include "tests/provider/answer.h"

extern const struct format format_chat;

/* chat_read - its read function. */
bool chat_read(struct ask *ask, const struct inquiry *in);

#endif
