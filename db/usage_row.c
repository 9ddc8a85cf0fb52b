/* The line, fields in the order of the table below:
 *
 *   crc32c (8 hex) TAB field TAB field ... TAB field LF
 *
 * The checksum covers all between the first TAB and the LF. Numbers are decimal, truth values 0 or 1; in texts TAB, LF and backslash are \t, \n and \\. */
#include "db/usage_row.h"

#include "base/hash.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define CRC_CHARS  8
#define HEAD_CHARS (CRC_CHARS + 1)
#define I64_CHARS  20

enum field_kind { FIELD_TEXT, FIELD_I64, FIELD_INT, FIELD_BOOL };

struct field {
    enum field_kind kind;
    size_t at;
    size_t size; /* FIELD_TEXT: with its NUL */
};

#define MEMBER_SIZE(m) sizeof(((struct usage_row *)0)->m)
#define TEXT(m)                                                                                    \
    {                                                                                              \
        FIELD_TEXT, offsetof(struct usage_row, m), MEMBER_SIZE(m)                                  \
    }
#define I64(m)                                                                                     \
    {                                                                                              \
        FIELD_I64, offsetof(struct usage_row, m), MEMBER_SIZE(m)                                   \
    }
#define INT(m)                                                                                     \
    {                                                                                              \
        FIELD_INT, offsetof(struct usage_row, m), MEMBER_SIZE(m)                                   \
    }
#define BOOL(m)                                                                                    \
    {                                                                                              \
        FIELD_BOOL, offsetof(struct usage_row, m), MEMBER_SIZE(m)                                  \
    }

static const struct field fields[] = {
    TEXT(request_id),
    I64(account_id),
    I64(api_key_id),
    I64(group_id),
    TEXT(endpoint),
    TEXT(model),
    TEXT(upstream_model),
    I64(channel_id),
    I64(channel_key_id),
    TEXT(client_format),
    TEXT(provider_format),
    BOOL(is_stream),
    INT(status),
    INT(http_status),
    TEXT(error_code),
    TEXT(finish_reason),
    I64(usage.input),
    I64(usage.cached_input),
    I64(usage.cache_write),
    I64(usage.cache_write_1h),
    I64(usage.output),
    I64(usage.reasoning),
    BOOL(usage.is_known),
    BOOL(usage.is_estimated),
    I64(group_multiplier_ppm),
    I64(account_multiplier_ppm),
    I64(hold_nusd),
    I64(cost_nusd),
    I64(shortfall_nusd),
    INT(attempts),
    I64(first_byte_ms),
    I64(duration_ms),
    TEXT(upstream_request_id),
    I64(created_wall_ms),
    TEXT(price_lines),
    /* A line may end from here on. */
    I64(channel_cost_nusd),
    TEXT(usage_method),
    TEXT(service_tier),
    TEXT(tried),
};

#define FIELDS_N     (sizeof(fields) / sizeof(fields[0]))
#define FIELDS_NEW_N 4

_Static_assert(sizeof(int) == sizeof(enum usage_status), "status is read and written as an int");

/* What is left out, first this, then this as well, when hostile texts full of escapes would not fit. Nothing that money depends on. */
static const size_t expendable[] = {offsetof(struct usage_row, tried),
                                    offsetof(struct usage_row, upstream_request_id),
                                    offsetof(struct usage_row, price_lines)};
#define EXPENDABLE_N (sizeof(expendable) / sizeof(expendable[0]))

static const char *const status_names[] = {"ok", "error", "cut", "client_gone", "interrupted"};

const char *usage_status_name(enum usage_status s)
{
    assert((unsigned)s < sizeof(status_names) / sizeof(status_names[0]));
    return status_names[s];
}

/* The text of a string of JSON, without what would have to be escaped. */
static void copy_plain(char *dst, size_t size, const char *z)
{
    size_t n = 0;
    for (; *z && n < size - 1; z++) {
        if (*z >= ' ' && *z <= '~' && *z != '"' && *z != '\\')
            dst[n++] = *z;
    }
    dst[n] = '\0';
}

bool usage_row_add_attempt(struct usage_row *row, const struct usage_attempt *a)
{
    char hint[17], error[49];
    size_t used = strlen(row->tried), at = used ? used - 1 : 0; /* over the bracket */
    copy_plain(hint, sizeof(hint), a->key_hint);
    copy_plain(error, sizeof(error), a->error);
    int n = snprintf(row->tried + at, sizeof(row->tried) - at,
                     "%s{\"n\":%d,\"c\":%lld,\"k\":%lld,\"h\":\"%s\",\"s\":%d,\"e\":\"%s\","
                     "\"ct\":%lld,\"fb\":%lld,\"t\":%lld,\"b\":%lld,\"at\":%lld}]",
                     used ? "," : "[", a->n, (long long)a->channel_id, (long long)a->channel_key_id,
                     hint, a->status, error, (long long)a->connect_ms, (long long)a->first_byte_ms,
                     (long long)a->total_ms, (long long)a->bytes, (long long)a->created_wall_ms);
    if (n > 0 && (size_t)n < sizeof(row->tried) - at)
        return true;
    if (used)
        memcpy(row->tried + at, "]", 2);
    else
        row->tried[0] = '\0';
    return false;
}

/* ---- encoding; every put returns the next free place, or NULL when it does not fit ---- */

static char *put_i64(char *at, const char *end, int64_t v)
{
    char digits[I64_CHARS];
    uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (!at || (size_t)(end - at) < n + 1)
        return NULL;
    if (v < 0)
        *at++ = '-';
    while (n)
        *at++ = digits[--n];
    return at;
}

static char *put_text(char *at, const char *end, const char *z, size_t size)
{
    size_t n = strnlen(z, size);
    assert(n < size);
    for (size_t i = 0; i < n; i++) {
        char escaped = z[i] == '\t' ? 't' : z[i] == '\n' ? 'n' : z[i] == '\\' ? '\\' : '\0';
        if (!at || end - at < 2)
            return NULL;
        if (escaped)
            *at++ = '\\';
        *at++ = escaped ? escaped : z[i];
    }
    return at;
}

static char *put_field(char *at, const char *end, const struct field *f,
                       const struct usage_row *row)
{
    const char *p = (const char *)row + f->at;
    int64_t i64;
    int i;
    bool b;
    switch (f->kind) {
    case FIELD_TEXT:
        return put_text(at, end, p, f->size);
    case FIELD_I64:
        memcpy(&i64, p, sizeof(i64));
        return put_i64(at, end, i64);
    case FIELD_INT:
        memcpy(&i, p, sizeof(i));
        return put_i64(at, end, i);
    case FIELD_BOOL:
        memcpy(&b, p, sizeof(b));
        return put_i64(at, end, b);
    }
    return NULL;
}

static bool is_left_out(const struct field *f, size_t left_out)
{
    for (size_t i = 0; i < left_out; i++) {
        if (expendable[i] == f->at)
            return true;
    }
    return false;
}

/* All fields but the first left_out of the expendable ones. NULL when they do not fit before end. */
static char *put_fields(char *at, const char *end, const struct usage_row *row, size_t left_out)
{
    for (size_t i = 0; at && i < FIELDS_N; i++) {
        if (i) {
            if (at == end)
                return NULL;
            *at++ = '\t';
        }
        if (!is_left_out(&fields[i], left_out))
            at = put_field(at, end, &fields[i], row);
    }
    return at;
}

size_t usage_row_encode(const struct usage_row *row, char *dst)
{
    static const char hex[] = "0123456789abcdef";
    char *body = dst + HEAD_CHARS;
    const char *end = dst + USAGE_ROW_LINE_MAX - 1; /* the LF */
    char *at = NULL;
    for (size_t left_out = 0; !at && left_out <= EXPENDABLE_N; left_out++)
        at = put_fields(body, end, row, left_out);
    assert(at);
    uint32_t crc = hash_crc32c(0, body, (size_t)(at - body));
    for (int i = 0; i < CRC_CHARS; i++)
        dst[i] = hex[crc >> (28 - 4 * i) & 15];
    dst[CRC_CHARS] = '\t';
    *at++ = '\n';
    return (size_t)(at - dst);
}

/* ---- decoding ---- */

static enum err get_crc(const char *p, uint32_t *out)
{
    uint32_t crc = 0;
    for (int i = 0; i < CRC_CHARS; i++) {
        unsigned digit;
        if (p[i] >= '0' && p[i] <= '9')
            digit = (unsigned)(p[i] - '0');
        else if (p[i] >= 'a' && p[i] <= 'f')
            digit = (unsigned)(p[i] - 'a') + 10;
        else
            return ERR_FORMAT;
        crc = crc << 4 | digit;
    }
    *out = crc;
    return ERR_OK;
}

static enum err get_text(struct slice s, char *dst, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\\') {
            c = ++i < s.n ? s.p[i] : '\0';
            c = (char)(c == 't' ? '\t' : c == 'n' ? '\n' : c == '\\' ? '\\' : '\0');
        }
        if (!c || n == size - 1)
            return ERR_FORMAT;
        dst[n++] = c;
    }
    dst[n] = '\0';
    return ERR_OK;
}

static enum err get_field(struct slice s, const struct field *f, struct usage_row *row)
{
    char *p = (char *)row + f->at;
    int64_t v = 0;
    if (f->kind == FIELD_TEXT)
        return get_text(s, p, f->size);
    if (slice_to_i64(s, &v))
        return ERR_FORMAT;
    if (f->kind == FIELD_I64) {
        memcpy(p, &v, sizeof(v));
    } else if (f->kind == FIELD_INT) {
        int i = (int)v;
        if (v < INT_MIN || v > INT_MAX)
            return ERR_FORMAT;
        memcpy(p, &i, sizeof(i));
    } else {
        bool b = v == 1;
        if (v != 0 && v != 1)
            return ERR_FORMAT;
        memcpy(p, &b, sizeof(b));
    }
    return ERR_OK;
}

enum err usage_row_decode(struct slice line, struct usage_row *out)
{
    uint32_t crc = 0;
    if (line.n <= HEAD_CHARS || line.n > USAGE_ROW_LINE_MAX || line.p[line.n - 1] != '\n' ||
        line.p[CRC_CHARS] != '\t' || get_crc(line.p, &crc))
        return ERR_FORMAT;
    struct slice rest = {line.p + HEAD_CHARS, line.n - HEAD_CHARS - 1};
    if (hash_crc32c(0, rest.p, rest.n) != crc)
        return ERR_FORMAT;
    struct usage_row row = {.channel_cost_nusd = -1};
    for (size_t i = 0; i < FIELDS_N; i++) {
        if (!rest.p && i >= FIELDS_N - FIELDS_NEW_N)
            break;
        if (!rest.p)
            return ERR_FORMAT;
        if (get_field(slice_split(&rest, '\t'), &fields[i], &row))
            return ERR_FORMAT;
    }
    if (rest.p || row.status < USAGE_OK || row.status > USAGE_INTERRUPTED)
        return ERR_FORMAT;
    *out = row;
    return ERR_OK;
}
