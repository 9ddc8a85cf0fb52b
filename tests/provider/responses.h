/* responses - the OpenAI Responses format.
 *
 * responses_read.c checks a request as strictly as the API does, responses_echo.c notes what the
 * answer repeats of it, responses.c writes the answer (its object: responses_object.c),
 * responses_kept.c keeps the last answers for GET, DELETE and previous_response_id. One thread.
 * Source: OpenAI API reference, "Create a model response", "Responses streaming events", "Compact
 * a response".
 */
#ifndef TESTS_PROVIDER_RESPONSES_H
#define TESTS_PROVIDER_RESPONSES_H

#include "tests/provider/answer.h"
#include "tests/provider/tree.h"

extern const struct format format_responses;
extern const struct format format_compact;
extern const struct format format_input_tokens;

/* responses_read, responses_read_compact, responses_read_count - their read functions. */
bool responses_read(struct ask *ask, const struct inquiry *in);
bool responses_read_compact(struct ask *ask, const struct inquiry *in);
bool responses_read_count(struct ask *ask, const struct inquiry *in);

/* responses_echo - the members of a request that the answer repeats, a comma after each. */
void responses_echo(struct bytes *out, const struct node *body);

/* responses_kept_add - keep an answer, in place of the oldest. Takes body. */
void responses_kept_add(struct span id, struct bytes *body);

/* responses_kept_find - the answer of that id; empty when it is not kept. */
struct span responses_kept_find(struct span id);

/* responses_kept_drop - forget it. False when it is not kept. */
bool responses_kept_drop(struct span id);

/* responses_kept_clear - free all. */
void responses_kept_clear(void);

#endif
