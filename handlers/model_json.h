/* model_json - one model as a client of each format wants to see it. Appends to a JSON text; any thread. */
#ifndef AIPASS_HANDLERS_MODEL_JSON_H
#define AIPASS_HANDLERS_MODEL_JSON_H

#include "base/jwrite.h"
#include "db/catalog.h"
#include "db/key.h"

/* Each writes one object. key: whose prices are shown. */
void model_json_openai(struct jwrite *w, const struct catalog_model *m, const struct key *key);
void model_json_anthropic(struct jwrite *w, const struct catalog_model *m, const struct key *key);
void model_json_gemini(struct jwrite *w, const struct catalog_model *m, const struct key *key);

#endif
