/* load_options - the command line of the load generator.
 *
 * The texts are those of argv. One thread.
 */
#ifndef TESTS_BENCH_LOAD_OPTIONS_H
#define TESTS_BENCH_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { HEADERS_MAX = 32 };

struct load_options {
    const char *host;
    const char *path;
    const char *body_path;
    const char *headers[HEADERS_MAX];
    size_t header_count;
    long port;
    long connections;
    long requests; /* 0: until the time is over */
    long warmup;
    long ramp_ms;
    long timeout_s;
    double seconds; /* 0: until the requests are done */
    bool is_stream;
};

#define LOAD_OPTIONS_DEFAULT                                                                       \
    {                                                                                              \
        .host = "127.0.0.1", .path = "/v1/chat/completions", .connections = 1, .timeout_s = 60     \
    }

/* load_options_read - over the defaults in *o. False: they are not understood. */
bool load_options_read(struct load_options *o, int argc, char **argv);

/* load_options_help - what there is. */
void load_options_help(FILE *out);

#endif
