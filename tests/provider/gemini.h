/* gemini - the Gemini generateContent format.
 *
 * Stateless tables of functions; the state of a stream is in the answer. gemini_read.c checks a
 * request as strictly as the API does, gemini_contents.c and gemini_schema.c its contents and
 * schemas, gemini.c writes the answer. A stream is a row of events with ?alt=sse, else one JSON array. One thread.
 * Source: Gemini API reference (v1beta), "Generate content", "Function calling", "Thought
 * signatures", "Embeddings", "Counting tokens".
 */
#ifndef TESTS_PROVIDER_GEMINI_H
#define TESTS_PROVIDER_GEMINI_H

#include "tests/provider/answer.h"
#include "tests/provider/tree.h"

extern const struct format format_gemini;
extern const struct format format_gemini_stream;
extern const struct format format_gemini_count;
extern const struct format format_gemini_embed;
extern const struct format format_gemini_embed_batch;

/* gemini_read, ..._stream, ..._count, ..._embed, ..._embed_batch - their read functions. */
bool gemini_read(struct ask *ask, const struct inquiry *in);
bool gemini_read_stream(struct ask *ask, const struct inquiry *in);
bool gemini_read_count(struct ask *ask, const struct inquiry *in);
bool gemini_read_embed(struct ask *ask, const struct inquiry *in);
bool gemini_read_embed_batch(struct ask *ask, const struct inquiry *in);

/* gemini_version - the version in a model's name, times ten: gemini-2.5-pro is 25; others 0. */
int gemini_version(struct span model);

/* gemini_expect_only - refuse members that are not in the word list, as protobuf's JSON does. */
void gemini_expect_only(struct ask *ask, const struct node *n, const char *words,
                        const char *where);

/* gemini_is_function_name - what a model of that version takes as the name of a function. */
bool gemini_is_function_name(int version, struct span s);

/* gemini_read_contents - check the turns, and note what they say. */
void gemini_read_contents(struct ask *ask, const struct node *contents);

/* gemini_check_schema - refuse what the OpenAPI subset does not allow. where: names it. */
void gemini_check_schema(struct ask *ask, const struct node *schema, const char *where);

#endif
