/* chat - the OpenAI Chat Completions format.
 *
 * A stateless table of functions; the state of a stream is in the answer. Any thread.
 * Source: OpenAI API reference, "Create chat completion" and "The chat completion chunk object".
 */
#ifndef TESTS_PROVIDER_CHAT_H
#define TESTS_PROVIDER_CHAT_H

#include "tests/provider/answer.h"

extern const struct format format_chat;

#endif
