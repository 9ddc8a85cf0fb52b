#include "tests/bench/load_options.h"

#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>

enum { CONNECTIONS_MAX = 60000 };

void load_options_help(FILE *out)
{
    fputs("usage: load --port P --body FILE [options]\n"
          "  --host ADDRESS     IPv4 address (127.0.0.1)\n"
          "  --path PATH        (/v1/chat/completions)\n"
          "  --header 'N: V'    add a header; repeatable\n"
          "  --connections C    at once (1)\n"
          "  --requests N       in all; with --stream and no --seconds: C\n"
          "  --seconds S        send for that long\n"
          "  --warmup N         requests before the measurement\n"
          "  --stream           answers are event streams\n"
          "  --ramp-ms MS       open the connections over that time (0)\n"
          "  --timeout S        give up when nothing comes for that long (60)\n"
          "  --json             print JSON, as always\n",
          out);
}

static bool read_number(const char *text, long min, long max, long *out)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*text == 0 || *end != 0 || value < min || value > max)
        return false;
    *out = value;
    return true;
}

static bool read_option(int letter, struct load_options *o)
{
    switch (letter) {
    case 'h':
        o->host = optarg;
        return true;
    case 'p':
        return read_number(optarg, 1, 65535, &o->port);
    case 'u':
        o->path = optarg;
        return true;
    case 'H':
        if (o->header_count == HEADERS_MAX)
            return false;
        o->headers[o->header_count++] = optarg;
        return true;
    case 'b':
        o->body_path = optarg;
        return true;
    case 'c':
        return read_number(optarg, 1, CONNECTIONS_MAX, &o->connections);
    case 'n':
        return read_number(optarg, 1, INT32_MAX, &o->requests);
    case 's':
        o->seconds = strtod(optarg, NULL);
        return o->seconds > 0;
    case 'w':
        return read_number(optarg, 0, INT32_MAX, &o->warmup);
    case 'r':
        return read_number(optarg, 0, 3600 * 1000, &o->ramp_ms);
    case 't':
        return read_number(optarg, 1, 3600, &o->timeout_s);
    case 'S':
        o->is_stream = true;
        return true;
    case 'j':
        return true; /* there is no other output */
    default:
        return false;
    }
}

bool load_options_read(struct load_options *o, int argc, char **argv)
{
    /* clang-format off */
    static const struct option known[] = {
        {"host",        required_argument, NULL, 'h'},
        {"port",        required_argument, NULL, 'p'},
        {"path",        required_argument, NULL, 'u'},
        {"header",      required_argument, NULL, 'H'},
        {"body",        required_argument, NULL, 'b'},
        {"connections", required_argument, NULL, 'c'},
        {"requests",    required_argument, NULL, 'n'},
        {"seconds",     required_argument, NULL, 's'},
        {"warmup",      required_argument, NULL, 'w'},
        {"ramp-ms",     required_argument, NULL, 'r'},
        {"timeout",     required_argument, NULL, 't'},
        {"stream",      no_argument,       NULL, 'S'},
        {"json",        no_argument,       NULL, 'j'},
        {"help",        no_argument,       NULL, '?'},
        {0},
    };
    /* clang-format on */
    int letter;
    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1)
        if (!read_option(letter, o))
            return false;
    if (o->requests == 0 && o->seconds <= 0)
        o->requests = o->connections;
    return optind == argc && o->port > 0 && o->body_path != NULL;
}
