/* fault - an error of the API, in the shape of each format.
 *
 * Stateless; any thread. Sources: OpenAI API reference, "Errors"; Anthropic API, "Errors"; Google
 * API design guide, "Errors" (google.rpc.Status).
 */
#ifndef TESTS_PROVIDER_FAULT_H
#define TESTS_PROVIDER_FAULT_H

#include "tests/provider/bytes.h"

struct fault {
    int status;
    const char
        *message; /* this and the next ones: NULL or empty for what is usual with the status */
    const char *type;
    const char *code;
    const char *retry_after; /* seconds; Gemini says them in the body, too */
};

/* fault_put_openai, fault_put_anthropic, fault_put_gemini - append the error body. */
void fault_put_openai(const struct fault *f, struct bytes *out);
void fault_put_anthropic(const struct fault *f, struct bytes *out);
void fault_put_gemini(const struct fault *f, struct bytes *out);

/* fault_message, fault_code - the message and OpenAI's code, the fault's own or the usual ones. */
const char *fault_message(const struct fault *f);
const char *fault_code(const struct fault *f);

#endif
