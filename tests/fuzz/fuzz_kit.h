/* fuzz_kit - what the fuzz targets share: the four formats, an arena, checks that hold in every
 * build, and whether bytes are what a format says.
 *
 * A target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput; run.sh tells how they are run. Inputs
 * of targets that choose among formats begin with FUZZ_HEAD bytes that say which. One thread. */
#ifndef AIPASS_TESTS_FUZZ_KIT_H
#define AIPASS_TESTS_FUZZ_KIT_H

#include "tests/unit/exchange_kit.h"

#include <stdio.h>
#include <stdlib.h>

#define FUZZ_FORMATS   4 /* which have providers; one more is a client's only */
#define FUZZ_CLIENTS   5
#define FUZZ_HEAD      4
#define FUZZ_ARENA_MAX ((size_t)256 << 20)

extern const struct format *const fuzz_formats[FUZZ_CLIENTS];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* FUZZ_CHECK - ends the program when what must hold does not. */
#define FUZZ_CHECK(what, ...)                                                                      \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #what);                             \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* fuzz_arena - an empty one; the same each time. */
struct arena *fuzz_arena(void);

/* fuzz_capability - one of several models that a provider of that format may have. */
struct capability fuzz_capability(const struct format *to, unsigned choice);

/* fuzz_question - a plain request of a client of that format, as a call. */
struct format_call fuzz_question(const struct format *f, bool is_stream, bool is_array);

/* fuzz_check_json - text is one JSON value. fuzz_check_answer - text is an answer of that format, whole or
 * streamed, as the format's own decoder reads it. what: for the message. */
void fuzz_check_json(struct slice text, const char *what);
void fuzz_check_answer(const struct format *f, struct slice text, bool is_stream, const char *what);

#endif
