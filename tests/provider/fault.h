/* fault - an error of the API, in OpenAI's shape.
 *
 * Stateless; any thread. Source: OpenAI API reference, "Errors".
 */
#ifndef TESTS_PROVIDER_FAULT_H
#define TESTS_PROVIDER_FAULT_H

#include "tests/provider/bytes.h"

struct fault {
    int status;
    const char
        *message; /* this and the next two: NULL or empty for what is usual with the status */
    const char *type;
    const char *code;
};

/* fault_put_openai - append the error body. */
void fault_put_openai(const struct fault *f, struct bytes *out);

#endif
