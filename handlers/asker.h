/* asker - whose client asks on a path that several formats share (models, unknown paths): by the key header and the version in the path. Pure; any thread. */
#ifndef AIPASS_HANDLERS_ASKER_H
#define AIPASS_HANDLERS_ASKER_H

#include "fcgi/request.h"

enum asker { ASKER_OPENAI, ASKER_ANTHROPIC, ASKER_GEMINI };

/* asker_of - x-goog-api-key, ?key= or a v1beta or v1alpha segment: Gemini; else anthropic-version or x-api-key: Anthropic; else OpenAI. */
enum asker asker_of(const struct request *req);

#endif
