/* usage_row - one row of usage_log in memory, and its form as one line of the journal.
 *
 * The same line is the content of a running request's slot (status interrupted) and of its close line in a segment. Text: fields in the order of the
 * struct, separated by TAB, escaped (\t \n \\), with a leading CRC-32C in hex over the rest and a final newline: a torn line never decodes. Fields that were added to the end may be missing: a line of an
 * older version still decodes. Pure; any thread. */
#ifndef AIPASS_DB_USAGE_ROW_H
#define AIPASS_DB_USAGE_ROW_H

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "db/pricing.h"

#define USAGE_ROW_LINE_MAX                                                                         \
    2048 /* bytes of an encoded line, newline included: journal room is reserved by it */

#define USAGE_TRIED_MAX 768 /* bytes of usage_row.tried, NUL included: four attempts or more */

enum usage_status { USAGE_OK, USAGE_ERROR, USAGE_CUT, USAGE_CLIENT_GONE, USAGE_INTERRUPTED };

struct usage_row {
    char request_id[ULID_SIZE];
    int64_t account_id;
    int64_t api_key_id;
    int64_t group_id;
    char endpoint[33];
    char model[129];
    char upstream_model[129];
    int64_t channel_id;     /* 0: NULL */
    int64_t channel_key_id; /* 0: NULL */
    char client_format[25];
    char provider_format[25];
    bool is_stream;
    enum usage_status status;
    int http_status;
    char error_code[49];    /* "": NULL */
    char finish_reason[33]; /* "": NULL */
    struct usage usage;
    int64_t group_multiplier_ppm;
    int64_t account_multiplier_ppm;
    int64_t hold_nusd; /* in slots: what was held; not a column */
    int64_t cost_nusd;
    int64_t shortfall_nusd;
    int attempts;
    int64_t first_byte_ms; /* -1: NULL */
    int64_t duration_ms;
    char upstream_request_id[129];
    int64_t created_wall_ms;
    char price_lines[PRICE_LINES_MAX];
    int64_t channel_cost_nusd; /* -1: NULL */
    char usage_method[17];     /* "": NULL */
    char service_tier[25];     /* "": NULL */
    /* rows of request_attempts: a JSON array of objects (see sql_insert_attempts); "": none. Left out of a line that has no room for it. */
    char tried[USAGE_TRIED_MAX];
};

/* An attempt that did not win. */
struct usage_attempt {
    int n; /* from 1 */
    int64_t channel_id, channel_key_id;
    const char *key_hint, *error; /* words of ours: no quotes or control characters in them */
    int status;                   /* 0: none came */
    int64_t connect_ms, first_byte_ms, total_ms, bytes; /* first_byte_ms -1: none */
    int64_t created_wall_ms;
};

/* usage_row_add_attempt - false: there is no room for one more, it is left out. */
bool usage_row_add_attempt(struct usage_row *row, const struct usage_attempt *a);

/* usage_status_name - the word of usage_log.status. */
const char *usage_status_name(enum usage_status s);

/* usage_row_encode - dst: USAGE_ROW_LINE_MAX bytes. Returns the length; always fits (field sizes are bounded; asserted). */
size_t usage_row_encode(const struct usage_row *row, char *dst);

/* usage_row_decode - line: one whole line with its newline. ERR_FORMAT: torn or foreign. */
ERR_CHECK enum err usage_row_decode(struct slice line, struct usage_row *out);

#endif
