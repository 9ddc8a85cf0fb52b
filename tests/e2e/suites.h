/* suites - the parts of the end-to-end tests, each in its own file: what it needs in the
 * database, and its tests.
 *
 * e2e.c groups parts into runs that share a stack. All parts may count on the model "demo",
 * which channel "main" (provider "demo", simulator 0) serves as "demo-2026" for 1.25 USD input,
 * 0.125 cached input and 10 output per million tokens. */
#ifndef TESTS_E2E_SUITES_H
#define TESTS_E2E_SUITES_H

#include <check.h>

struct suite_part {
    const char *name;
    void (*seed)(void); /* NULL: the base is enough */
    void (*add)(TCase *t);
};

/* The base of every run: model "demo" and channel "main". */
void seed_base(void);

extern const struct suite_part part_chat;     /* whole and streamed answers, rows, byte for byte */
extern const struct suite_part part_stream;   /* faults within streams */
extern const struct suite_part part_override; /* parameter_overrides */
extern const struct suite_part part_gone;     /* clients that leave */
extern const struct suite_part part_failover; /* other channels */
extern const struct suite_part part_error;    /* the error table */
extern const struct suite_part part_key;      /* keys and how fast SQL counts */
extern const struct suite_part part_path;     /* paths, models, usage, health */
extern const struct suite_part part_canary;   /* nothing of a prompt or key is left anywhere */
extern const struct suite_part part_drain;    /* nothing is left after the end: the last of a run */
extern const struct suite_part part_price;    /* scopes, tiers, costs, usage that is missing */
extern const struct suite_part part_translate; /* every client format to every provider format */
extern const struct suite_part part_edge; /* what all formats share: paths, keys, models, counts */
extern const struct suite_part
    part_formats; /* what is each format's own: state, refusals, headers, ends */
extern const struct suite_part part_redeem;    /* redeem codes */
extern const struct suite_part part_catalog;   /* aliases, imported prices */
extern const struct suite_part part_limit;     /* limits of spend */
extern const struct suite_part part_race;      /* many requests on little money */
extern const struct suite_part part_ratelimit; /* rates, concurrency, who may use what from where */
extern const struct suite_part part_queue;     /* waiting for a slot instead of a refusal */
extern const struct suite_part
    part_crash; /* processes that die; each test has a stack of its own */
extern const struct suite_part
    part_outage; /* MariaDB gone or frozen; each test has a stack of its own */
extern const struct suite_part part_cgi;      /* plain CGI */
extern const struct suite_part part_kept;     /* responses that providers keep */
extern const struct suite_part part_channels; /* breakers, refused keys, limits, waiting, headers */
extern const struct suite_part part_fault;    /* providers that misbehave in every way */
extern const struct suite_part part_slow_fault; /* ... with the timers of real life: minutes */

/* Times of the run that part_channels and part_fault are in, and of part_slow_fault's. */
#define CHANNELS_CONFIG                                                                            \
    "breaker_failures = 4\nbreaker_open_ms = 1500\nbreaker_open_max_ms = 6000\n"                   \
    "key_probe_ms = 1500\nretry_after_max_ms = 2500\ncatalog_ms = 500\n"                           \
    "journal_segment_ms = 20\nbetween_bytes_ms = 1500\nfirst_byte_stream_ms = 1500\n"              \
    "first_byte_whole_ms = 1500\n"
#define SLOW_CONFIG                                                                                \
    "retry_after_max_ms = 2500\nbreaker_open_ms = 1500\ncatalog_ms = 500\n"                        \
    "between_bytes_ms = 30000\nfirst_byte_stream_ms = 25000\nfirst_byte_whole_ms = 25000\n"

#endif
