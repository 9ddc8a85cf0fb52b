#include "base/config_table.h"

#include "base/amount.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define USD       MONEY_NUSD_PER_USD
#define K         INT64_C(1024)
#define M         (K * K)
#define G         (K * K * K)
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

/* ---- the table ---- */

static bool is_prefix(const char *value);
static bool is_spool(const char *value);
static bool is_log(const char *value);

#define COUNT(member, low, high, initial_, help_)                                                  \
    .name = #member, .type = TYPE_COUNT, .at = offsetof(struct config, member), .min = (low),      \
    .max = (high), .initial = (initial_), .help = (help_)
#define BYTES(member, low, high, initial_, help_)                                                  \
    .name = #member, .type = TYPE_BYTES, .at = offsetof(struct config, member), .min = (low),      \
    .max = (high), .initial = (initial_), .help = (help_)
#define TEXT(member, initial_, help_)                                                              \
    .name = #member, .type = TYPE_TEXT, .at = offsetof(struct config, member),                     \
    .initial = (initial_), .help = (help_)
#define CHECKED(check_, allowed_) .check = (check_), .allowed = (allowed_)
#define GROUP(heading)            .group = (heading)

const struct setting settings[] = {
  /* clang-format off */
    {GROUP("The web server's side"),
     COUNT(workers_max, 1, 16384, "2048",
        "Requests that one process serves at once, a thread each. Past it: 503, Retry-After.")},
    {COUNT(worker_idle_ms, 100, HOUR_MS, "5000",
        "An idle worker thread leaves after this.")},
    {COUNT(keep_idle_ms, 0, HOUR_MS, "15000",
        "How long a connection that the web server keeps open may idle.")},
    {COUNT(drain_timeout_ms, 0, HOUR_MS, "30000",
        "After SIGTERM running streams may finish this long.")},
    {BYTES(body_max_bytes, K, 2 * G, "33554432",
        "Larger request bodies are refused with 413.")},
    {BYTES(body_memory_bytes, 4 * K, G, "1048576",
        "Larger bodies do not stay in memory but in an unlinked file under spool_dir.")},
    {BYTES(request_memory_bytes, 64 * K, G, "8388608",
        "Cap of the memory of one request, its body apart.")},
    {COUNT(client_read_ms, 100, HOUR_MS, "30000",
        "The web server may be silent this long while it sends a body.")},
    {COUNT(client_write_ms, 100, HOUR_MS, "120000",
        "A write to the client may block this long; then it counts as gone.")},
    {CHECKED(is_prefix, "a path that begins with / and does not end with one, or nothing"),
     TEXT(path_prefix, "",
        "Dropped from the front of each path: \"/aipass\" when the gateway does not own the\n"
        "whole host. Empty: nothing is dropped.")},

    {GROUP("MariaDB"),
     TEXT(db_option_file, "",
        "Host, user and password in my.cnf form, in a file of its own that only the gateway\n"
        "can read. Empty: the files that the client library reads by itself.")},
    {TEXT(db_option_group, "aipass",
        "The group ([aipass]) of that file.")},
    {TEXT(db_hosts, "",
        "host[:port],host[:port]... in order of preference, or the path of one socket.\n"
        "Empty: as the option file says.")},
    {COUNT(db_connections_max, 1, 64, "4",
        "Connections of one process. 1 suits mod_fcgid and CGI.")},
    {COUNT(db_timeout_ms, 100, MINUTE_MS, "2000",
        "For connect, read and write, each.")},
    {COUNT(db_idle_ms, 0, HOUR_MS, "10000",
        "An idle connection is closed after this.")},
    {COUNT(upkeep_ms, 0, HOUR_MS, "10000",
        "How often a busy process looks whether upkeep (checkpoints, daily sums, partitions) is\n"
        "due, which one process does for all. 0: never; cron runs aipassctl upkeep instead, as\n"
        "it must where no process lives long.")},
    {COUNT(catalog_ms, 100, MINUTE_MS, "4000",
        "Models, prices, channels and settings are read again at this age.")},
    {COUNT(key_fresh_ms, 0, MINUTE_MS, "900",
        "A known key is used without asking the database up to this age: how fast a revoked\n"
        "key stops working.")},
    {COUNT(key_stale_ms, 0, HOUR_MS, "60000",
        "... and up to this age while the database is down. Not below key_fresh_ms.")},

    {GROUP("Money"),
     CHECKED(is_spool,
        "an absolute path without \"..\"; never /tmp, /tmp/NAME, /var/tmp or /dev/shm"),
     TEXT(spool_dir, "/var/spool/aipass",
        "Where the usage journal is kept until MariaDB has it. It must be on a disk that\n"
        "survives a restart, belong to the gateway's user and never be in /tmp.")},
    {.name = "journal_sync", .type = TYPE_CHOICE, .words = "segment request",
     .at = offsetof(struct config, journal_sync_request), .initial = "segment",
     .help =
        "When the journal is forced to the disk: once a segment, or before the end of each\n"
        "answer, for who fears power cuts. The death of a process costs nothing in either."},
    {COUNT(journal_segment_ms, 10, MINUTE_MS, "200",
        "A segment of the journal is closed, and sent to MariaDB, at this age,")},
    {COUNT(journal_segment_rows, 1, 10000, "100",
        "or at this many rows.")},
    {COUNT(journal_keep_ms, 0, DAY_MS, "600000",
        "Segment files stay this long after COMMIT: a failover of the database may lose\n"
        "transactions that it had acknowledged, and they are then replayed.")},
    {.name = "lease_max", .type = TYPE_MONEY, .at = offsetof(struct config, lease_max_nusd),
     .min = 0, .max = 1000000 * USD, .initial = "5",
     .help =
        "USD. What one process takes of one account's balance at most, beyond what the\n"
        "running requests need. More saves round trips, less leaves more for others."},
    {COUNT(lease_wait_ms, 0, MINUTE_MS, "1500",
        "How long a request waits for money that other processes hold.")},
    {COUNT(lease_idle_ms, 100, HOUR_MS, "3000",
        "An account's lease goes back after this much idleness.")},
    {COUNT(abandon_after_s, 10, 30 * 86400, "86400",
        "Money leased by a host that was not seen for this long is freed. Its journal, should\n"
        "it come back later, may take a balance below zero.")},
    {COUNT(hold_output_max, 16, 10000000, "8192",
        "Tokens of output that a stream reserves at first; extended as it flows.")},
    {COUNT(hold_output_min, 1, 1000000, "16",
        "A request that cannot afford this many tokens of output is refused. Not above\n"
        "hold_output_max.")},

    {GROUP("Limits"),
     COUNT(queue_ms, 0, 5 * MINUTE_MS, "0",
        "A request above a limit of concurrent requests waits this long for another one to end\n"
        "before it is refused. 0: refused at once.")},

    {GROUP("Providers"),
     COUNT(attempts_max, 1, 16, "3",
        "Attempts for one request: at other channels, or at the only one when its provider says\n"
        "when to come back.")},
    {COUNT(retry_after_max_ms, 0, 5 * MINUTE_MS, "5000",
        "A request whose channels all fail or are limited waits up to this in sum, for the time\n"
        "that a provider names in Retry-After; then it fails.")},
    {COUNT(breaker_failures, 0, 1000, "5",
        "A channel, or a model of it, that fails so many times in a row is left alone for a\n"
        "while; then one request tries it. 0: never.")},
    {COUNT(breaker_rate_percent, 1, 100, "50",
        "The same when so many percent of its requests fail within breaker_window_ms,")},
    {COUNT(breaker_rate_requests, 1, 100000, "20",
        "if there were so many requests at least.")},
    {COUNT(breaker_window_ms, 1000, HOUR_MS, "30000",
        "See breaker_rate_percent.")},
    {COUNT(breaker_open_ms, 10, HOUR_MS, "10000",
        "How long it is left alone at first; twice as long after each try that fails,")},
    {COUNT(breaker_open_max_ms, 10, DAY_MS, "300000",
        "but not above this, whatever a provider asks for.")},
    {COUNT(key_probe_ms, 0, DAY_MS, "60000",
        "A provider key that its provider refuses is disabled in the database and tried again\n"
        "after this, then after twice that, up to a day. 0: it is not disabled.")},
    {COUNT(connect_ms, 100, 5 * MINUTE_MS, "5000",
        "For name, TCP and TLS together.")},
    {COUNT(first_byte_stream_ms, 100, DAY_MS, "600000",
        "Silence allowed before the first byte of a stream.")},
    {COUNT(first_byte_whole_ms, 100, DAY_MS, "600000",
        "Silence allowed before an answer that is not streamed.")},
    {COUNT(between_bytes_ms, 100, DAY_MS, "300000",
        "Silence allowed within an answer.")},
    {COUNT(total_ms, 100, DAY_MS, "3600000",
        "A whole exchange.")},
    {COUNT(ping_ms, 100, HOUR_MS, "10000",
        "The client of a silent stream gets a ping this often.")},
    {COUNT(gone_drain_ms, 0, HOUR_MS, "20000",
        "When the client has left: how long the answer of a model that reasons unseen is still\n"
        "read, so that the reasoning is paid for.")},
    {BYTES(answer_max_bytes, 64 * K, 2 * G, "67108864",
        "The body of a whole answer.")},
    {BYTES(event_max_bytes, 4 * K, G, "1048576",
        "One event of a stream.")},
    {COUNT(handles_idle_max, 0, 4096, "128",
        "Idle connections to providers kept by a process.")},
    {.name = "fetch_urls", .type = TYPE_CHOICE, .words = "off on",
     .at = offsetof(struct config, fetch_urls), .initial = "off",
     .help =
        "Images and documents that a client sends by URL, where the provider takes bytes only:\n"
        "refused, or fetched by the gateway (https, port 443, public addresses, no redirects)."},
    {BYTES(fetch_bytes_max, K, G, "20971520",
        "All that one request may have fetched.")},
    {COUNT(fetch_ms, 100, HOUR_MS, "10000",
        "How long the fetches of one request may take together.")},
    {COUNT(fetch_count_max, 1, 1000, "20",
        "URLs fetched for one request.")},
    {TEXT(tls_ca_file, "",
        "PEM file of more trusted authorities. Empty: the system's only.")},

    {GROUP("Logs and secrets"),
     CHECKED(is_log, "stderr, syslog or file:/PATH"),
     TEXT(log, "stderr",
        "Where log lines go. A file is opened anew when it was rotated.")},
    {.name = "log_level", .type = TYPE_WORD, .words = "debug info warn error",
     .at = offsetof(struct config, log_level), .initial = "info",
     .help = "The least that is logged."},
    {TEXT(secret_key_file, "",
        "File with 32 random bytes in hex that seal the providers' keys in the database.\n"
        "Empty: provider keys stay as they are.")},
  /* clang-format on */
};

const size_t settings_n = sizeof(settings) / sizeof(settings[0]);

static int64_t *number_of(struct config *c, const struct setting *s)
{
    return (int64_t *)(void *)((char *)c + s->at);
}

char **setting_text(struct config *c, const struct setting *s)
{
    return (char **)(void *)((char *)c + s->at);
}

bool setting_is_text(const struct setting *s)
{
    return s->type == TYPE_TEXT || s->type == TYPE_WORD;
}

/* ---- values ---- */

static bool is_prefix(const char *value)
{
    size_t n = strlen(value);

    return n == 0 || (value[0] == '/' && value[n - 1] != '/' && !strpbrk(value, "?# %"));
}

static bool is_log(const char *value)
{
    return !strcmp(value, "stderr") || !strcmp(value, "syslog") ||
           (!strncmp(value, "file:/", 6) && value[6]);
}

/* The next part of a path, with repeated slashes and "." passed over; n 0 at the end. */
static struct slice next_part(struct slice *rest)
{
    while (rest->p) {
        struct slice part = slice_split(rest, '/');

        if (part.n && !slice_eq_z(part, "."))
            return part;
    }
    return (struct slice){NULL, 0};
}

/* What a boot or a cleaner of temporary files empties holds no money. */
static bool is_spool(const char *value)
{
    struct slice rest = slice_of(value), parts[3], part;
    size_t n = 0;

    if (value[0] != '/')
        return false;
    for (part = next_part(&rest); part.n; part = next_part(&rest)) {
        if (slice_eq_z(part, ".."))
            return false;
        if (n < 3)
            parts[n++] = part;
    }
    if (n == 2 && ((slice_eq_z(parts[0], "var") && slice_eq_z(parts[1], "tmp")) ||
                   (slice_eq_z(parts[0], "dev") && slice_eq_z(parts[1], "shm"))))
        return false;
    return n >= 3 || (n > 0 && !slice_eq_z(parts[0], "tmp"));
}

/* The place of value among space-separated words, or -1. */
static int word_index(const char *words, const char *value)
{
    struct slice rest = slice_of(words);
    int i;

    for (i = 0; rest.p; i++)
        if (slice_eq_z(slice_split(&rest, ' '), value))
            return i;
    return -1;
}

static enum err read_number(const struct setting *s, struct slice text, int64_t *out)
{
    int64_t factor = 1, value;
    enum err e;

    if (s->type == TYPE_MONEY)
        return amount_parse(text, out);
    if (s->type == TYPE_BYTES && text.n > 1) {
        switch (text.p[text.n - 1] | 0x20) {
        case 'k':
            factor = K;
            break;
        case 'm':
            factor = M;
            break;
        case 'g':
            factor = G;
            break;
        default:
            break;
        }
        text.n -= factor > 1;
    }
    e = slice_to_i64(text, &value);
    if (!e && __builtin_mul_overflow(value, factor, &value))
        e = ERR_RANGE;
    if (!e)
        *out = value;
    return e;
}

enum err setting_set(struct config *c, const struct setting *s, const char *value)
{
    int64_t number;
    char *copy;
    enum err e;
    int word;

    if (s->type == TYPE_TEXT && s->check && !s->check(value))
        return ERR_FORMAT;
    if (s->words) {
        word = word_index(s->words, value);
        if (word < 0)
            return ERR_FORMAT;
        if (s->type == TYPE_CHOICE) {
            *(bool *)((char *)c + s->at) = word == 1;
            return ERR_OK;
        }
    }
    if (setting_is_text(s)) {
        copy = strdup(value);
        if (!copy)
            return ERR_MEMORY;
        free(*setting_text(c, s));
        *setting_text(c, s) = copy;
        return ERR_OK;
    }
    e = read_number(s, slice_of(value), &number);
    if (!e && (number < s->min || number > s->max))
        e = ERR_RANGE;
    if (!e)
        *number_of(c, s) = number;
    return e;
}

static void print_words(FILE *out, const char *words)
{
    struct slice rest = slice_of(words);
    const char *before = "";

    while (rest.p) {
        struct slice word = slice_split(&rest, ' ');

        fprintf(out, "%s%.*s", before, SLICE_FMT(word));
        before = rest.p && memchr(rest.p, ' ', rest.n) ? ", " : " or ";
    }
}

void setting_print_allowed(const struct setting *s, FILE *out)
{
    switch (s->type) {
    case TYPE_COUNT:
        fprintf(out, "%" PRId64 " to %" PRId64, s->min, s->max);
        break;
    case TYPE_BYTES:
        fprintf(out, "%" PRId64 " to %" PRId64 " (k, m, g after the number: 1024 and its powers)",
                s->min, s->max);
        break;
    case TYPE_MONEY:
        fprintf(out, "%" PRId64 " to %" PRId64 " USD, with up to nine decimals", s->min / USD,
                s->max / USD);
        break;
    case TYPE_TEXT:
        fputs(s->allowed ? s->allowed : "any text", out);
        break;
    case TYPE_WORD:
    case TYPE_CHOICE:
        print_words(out, s->words);
        break;
    }
}

/* Levenshtein's distance; b shorter than SETTING_NAME_SIZE. */
static size_t distance(const char *a, const char *b)
{
    size_t row[SETTING_NAME_SIZE], n = strlen(b), i, j;

    for (j = 0; j <= n; j++)
        row[j] = j;
    for (i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (best > row[j] + 1)
                best = row[j] + 1;
            if (best > row[j - 1] + 1)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

const struct setting *setting_find(const char *name)
{
    size_t i;

    for (i = 0; i < settings_n; i++)
        if (!strcmp(settings[i].name, name))
            return &settings[i];
    return NULL;
}

const struct setting *setting_nearest(const char *name)
{
    const struct setting *nearest = &settings[0];
    size_t best = SIZE_MAX, i;

    for (i = 0; i < settings_n; i++) {
        size_t d = distance(name, settings[i].name);

        if (d < best) {
            best = d;
            nearest = &settings[i];
        }
    }
    return nearest;
}
