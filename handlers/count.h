/* count - how many tokens a request has, free of charge: Anthropic's POST /v1/messages/count_tokens and Gemini's POST models/M:countTokens.
 *
 * Asked of a channel of the same format; where the model has none, estimated by the text's size, which the header x-aipass-estimated tells. */
#ifndef AIPASS_HANDLERS_COUNT_H
#define AIPASS_HANDLERS_COUNT_H

#include "db/catalog.h"
#include "fcgi/router.h"
#include "upstream/format.h"

route_handler_fn count_messages;
route_handler_fn count_contents;

/* count_estimate - tokens of input: text by the estimator, what is not text by the model's constants. */
int64_t count_estimate(const struct catalog_model *m, const struct format_request *in);

#endif
