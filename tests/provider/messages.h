/* messages - the Anthropic Messages format.
 *
 * Stateless tables of functions; the state of a stream is in the answer. messages_read.c and
 * messages_content.c check a request as strictly as the API does, messages.c writes the answer. Any one thread.
 * Source: Anthropic API reference, "Messages", "Streaming", "Errors", versions 2023-06-01 and
 * 2026-10-21.
 */
#ifndef TESTS_PROVIDER_MESSAGES_H
#define TESTS_PROVIDER_MESSAGES_H

#include "tests/provider/answer.h"

extern const struct format format_messages;
extern const struct format format_count_tokens;

/* messages_read, messages_read_count - the read functions of the two. */
bool messages_read(struct ask *ask, const struct inquiry *in);
bool messages_read_count(struct ask *ask, const struct inquiry *in);

#endif
