/* responses_object - the Responses API's response object and its items, whole or as they begin.
 *
 * Pure. Any one thread. Source: OpenAI API reference, "The response object".
 */
#ifndef TESTS_PROVIDER_RESPONSES_OBJECT_H
#define TESTS_PROVIDER_RESPONSES_OBJECT_H

#include "tests/provider/answer.h"

/* How far an item is told. */
enum telling { OPENED, WHOLE };

/* responses_model - the model's name. responses_is_shown - the block is an item.
 * responses_is_custom - it is a call of a custom tool. */
struct span responses_model(const struct answer *a);
bool responses_is_shown(const struct block *b);
bool responses_is_custom(const struct answer *a, const struct block *b);

/* responses_end_status - the status of the response at its end. */
const char *responses_end_status(const struct answer *a);

/* responses_put_item - a block as an item. responses_put_item_id - its id alone.
 * responses_put_part - the content part of a message or a summary. */
void responses_put_item_id(const struct answer *a, const struct block *b, struct bytes *out);
void responses_put_part(const struct answer *a, const struct block *b, enum telling telling,
                        struct bytes *out);
void responses_put_item(const struct answer *a, const struct block *b, enum telling telling,
                        struct bytes *out);

/* responses_put_usage - the usage object. */
void responses_put_usage(const struct answer *a, struct bytes *out);

/* responses_put - the response object. fault: why it failed, or NULL. is_begun: only what is known at
 * the start. responses_put_end - as it is at the end. */
void responses_put(const struct answer *a, const char *status, const struct fault *fault,
                   bool is_begun, struct bytes *out);
void responses_put_end(const struct answer *a, struct bytes *out);

#endif
