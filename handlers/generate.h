/* generate - Gemini's POST models/M:generateContent, :streamGenerateContent (events with ?alt=sse, else one JSON array), :embedContent and :batchEmbedContents. */
#ifndef AIPASS_HANDLERS_GENERATE_H
#define AIPASS_HANDLERS_GENERATE_H

#include "fcgi/router.h"

route_handler_fn generate_whole;
route_handler_fn generate_stream;
route_handler_fn generate_embed;
route_handler_fn generate_embed_many;

#endif
