#include "tests/provider/inbound.h"

#include <string.h>
#include <strings.h>

enum { HEAD_BYTES_MAX = 64 * 1024, LINE_BYTES_MAX = 8 * 1024, SIZE_DIGITS_MAX = 16 };
static const uint64_t body_bytes_max = (uint64_t)1 << 30;

static enum inbound_state inbound_fail(struct inbound *in, int status)
{
    in->fault_status = status;
    in->is_keep_alive = false;
    in->state = INBOUND_BAD;
    return in->state;
}

bool inbound_next_header(struct span head, size_t *at, struct span *name, struct span *value)
{
    const char *end = head.at + head.len;
    const char *line = head.at + *at;
    if (*at == 0) { /* step over the request line */
        const char *nl = memchr(line, '\n', head.len);
        line = nl != NULL ? nl + 1 : end;
    }
    const char *nl = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;
    const char *colon = nl != NULL ? memchr(line, ':', (size_t)(nl - line)) : NULL;
    if (colon == NULL)
        return false;
    const char *from = colon + 1;
    const char *to = nl > line && nl[-1] == '\r' ? nl - 1 : nl;
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    *name = (struct span){line, (size_t)(colon - line)};
    *value = (struct span){from, (size_t)(to - from)};
    *at = (size_t)(nl + 1 - head.at);
    return true;
}

/* Whether a comma separated field has this word. */
static bool has_word(struct span value, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= value.len; i++)
        if (strncasecmp(value.at + i, word, len) == 0)
            return true;
    return false;
}

/* Read the request line; its end is the head's first '\n'. */
static bool read_request_line(struct inbound *in)
{
    const char *at = in->head.data;
    const char *nl = memchr(at, '\n', in->head.len);
    if (nl == NULL || nl - at < 14 || nl[-1] != '\r')
        return false;
    const char *space = memchr(at, ' ', (size_t)(nl - at));
    const char *version = nl - 1 - 8; /* HTTP/1.1 */
    if (space == NULL || space == at || version <= space + 1 || version[-1] != ' ' ||
        memcmp(version, "HTTP/1.", 7) != 0 || (version[7] != '0' && version[7] != '1'))
        return false;
    in->method = (struct span){at, (size_t)(space - at)};
    in->target = (struct span){space + 1, (size_t)(version - 1 - (space + 1))};
    in->minor_version = version[7] - '0';
    in->is_keep_alive = in->minor_version == 1;
    return in->target.at[0] == '/' && memchr(in->target.at, ' ', in->target.len) == NULL;
}

static bool read_length(struct inbound *in, struct span value)
{
    uint64_t length = 0;
    if (value.len == 0 || value.len > 18)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return false;
        length = length * 10 + (uint64_t)(value.at[i] - '0');
    }
    if (in->has_length && in->body_left != length)
        return false;
    in->has_length = true;
    in->body_left = length;
    return true;
}

/* Note a header that matters here. Returns 0 or the status that refuses it. */
static int read_header(struct inbound *in, struct span name, struct span value)
{
    if (span_is_nocase(name, "content-length"))
        return read_length(in, value) ? 0 : 400;
    if (span_is_nocase(name, "transfer-encoding")) {
        in->is_chunked = span_is_nocase(value, "chunked");
        return in->is_chunked ? 0 : 501;
    }
    if (span_is_nocase(name, "connection")) {
        if (has_word(value, "close"))
            in->is_keep_alive = false;
        else if (has_word(value, "keep-alive"))
            in->is_keep_alive = true;
    } else if (span_is_nocase(name, "expect")) {
        in->wants_continue = has_word(value, "100-continue");
    } else if (span_is_nocase(name, "authorization")) {
        in->authorization = value;
    } else if (span_is_nocase(name, "x-api-key")) {
        in->api_key = value;
    } else if (span_is_nocase(name, "x-goog-api-key")) {
        in->goog_key = value;
    } else if (span_is_nocase(name, "x-sim")) {
        in->control = value;
    }
    return 0;
}

static enum inbound_state read_head(struct inbound *in)
{
    struct span head = {in->head.data, in->head.len};
    struct span name;
    struct span value;
    size_t at = 0;
    if (!read_request_line(in))
        return inbound_fail(in, 400);
    while (inbound_next_header(head, &at, &name, &value)) {
        bool has_blank = name.len == 0 || memchr(name.at, ' ', name.len) != NULL;
        int status = has_blank ? 400 : read_header(in, name, value);
        if (status != 0)
            return inbound_fail(in, status);
    }
    if (at == 0) /* no header at all */
        at = (size_t)((const char *)memchr(head.at, '\n', head.len) + 1 - head.at);
    bool is_at_end = head.len - at == 2;
    if (!is_at_end || (in->is_chunked && in->has_length))
        return inbound_fail(in, 400);
    if (in->body_left > body_bytes_max)
        return inbound_fail(in, 413);
    if (in->is_chunked)
        in->state = INBOUND_SIZE;
    else
        in->state = in->body_left > 0 ? INBOUND_BODY : INBOUND_WHOLE;
    return in->state;
}

/* Take lines up to the blank one. */
static size_t feed_head(struct inbound *in, const char *data, size_t len)
{
    size_t used = 0;
    while (used < len && in->state == INBOUND_HEAD) {
        const char *nl = memchr(data + used, '\n', len - used);
        size_t take = nl != NULL ? (size_t)(nl - data) + 1 - used : len - used;
        if (in->head.len + take > HEAD_BYTES_MAX) {
            inbound_fail(in, 431);
            break;
        }
        bytes_put(&in->head, data + used, take);
        used += take;
        if (in->head.len == 2 && memcmp(in->head.data, "\r\n", 2) == 0)
            in->head.len = 0; /* a blank line before the request line is tolerated */
        if (in->head.len >= 4 && memcmp(in->head.data + in->head.len - 4, "\r\n\r\n", 4) == 0)
            read_head(in);
    }
    return used;
}

static size_t feed_data(struct inbound *in, const char *data, size_t len)
{
    size_t take = in->body_left < len ? (size_t)in->body_left : len;
    bytes_put(&in->body, data, take);
    in->body_left -= take;
    if (in->body_left == 0)
        in->state = in->state == INBOUND_BODY ? INBOUND_WHOLE : INBOUND_DATA_END;
    return take;
}

/* One character of the line that gives a chunk's size; what follows ';' is ignored. */
static void feed_size(struct inbound *in, char c)
{
    static const char digits[] = "0123456789abcdef";
    bool is_separator = c == '\n' || c == '\r' || c == ';';
    if (is_separator && in->line_len == 0) {
        inbound_fail(in, 400);
        return;
    }
    if (c == '\n') {
        in->line_len = 0;
        in->state = in->body_left > 0 ? INBOUND_DATA : INBOUND_TRAILER;
        return;
    }
    if (is_separator || in->line_len > SIZE_DIGITS_MAX) {
        in->line_len = SIZE_DIGITS_MAX + 1; /* the digits are over */
        return;
    }
    if (++in->line_len > SIZE_DIGITS_MAX) {
        inbound_fail(in, 400);
        return;
    }
    char low = c >= 'A' && c <= 'F' ? (char)(c + ('a' - 'A')) : c;
    const char *digit = low != 0 ? strchr(digits, low) : NULL;
    if (digit == NULL)
        inbound_fail(in, 400);
    else
        in->body_left = in->body_left * 16 + (uint64_t)(digit - digits);
    if (in->body_left + in->body.len > body_bytes_max)
        inbound_fail(in, 413);
}

static void feed_line(struct inbound *in, char c)
{
    if (c == '\r')
        return;
    if (c != '\n') {
        if (++in->line_len > LINE_BYTES_MAX || in->state == INBOUND_DATA_END)
            inbound_fail(in, 400);
        return;
    }
    if (in->state == INBOUND_DATA_END)
        in->state = INBOUND_SIZE;
    else if (in->line_len == 0)
        in->state = INBOUND_WHOLE;
    in->line_len = 0;
}

enum inbound_state inbound_feed(struct inbound *in, const char *data, size_t len, size_t *used)
{
    size_t at = 0;
    if (in->state == INBOUND_HEAD) {
        *used = feed_head(in, data, len);
        return in->state;
    }
    while (at < len && in->state != INBOUND_WHOLE && in->state != INBOUND_BAD) {
        if (in->state == INBOUND_BODY || in->state == INBOUND_DATA)
            at += feed_data(in, data + at, len - at);
        else if (in->state == INBOUND_SIZE)
            feed_size(in, data[at++]);
        else
            feed_line(in, data[at++]);
    }
    *used = at;
    return in->state;
}

void inbound_reset(struct inbound *in)
{
    struct bytes head = in->head;
    struct bytes body = in->body;
    bytes_reset(&head);
    bytes_reset(&body);
    *in = (struct inbound){.head = head, .body = body};
}

void inbound_clear(struct inbound *in)
{
    bytes_clear(&in->head);
    bytes_clear(&in->body);
}

struct span inbound_header(struct span head, const char *name)
{
    struct span its_name;
    struct span value;
    size_t at = 0;
    while (inbound_next_header(head, &at, &its_name, &value))
        if (span_is_nocase(its_name, name))
            return value;
    return (struct span){"", 0};
}

/* The value of key= in the query. */
static struct span query_key(struct span target)
{
    const char *end = target.at + target.len;
    const char *at = memchr(target.at, '?', target.len);
    while (at != NULL && ++at < end) {
        const char *next = memchr(at, '&', (size_t)(end - at));
        size_t len = (size_t)((next != NULL ? next : end) - at);
        if (len > 4 && memcmp(at, "key=", 4) == 0)
            return (struct span){at + 4, len - 4};
        at = next;
    }
    return (struct span){"", 0};
}

struct span inbound_key(const struct inbound *in)
{
    static const char scheme[] = "Bearer ";
    const size_t len = sizeof(scheme) - 1;
    struct span key = in->authorization;
    if (key.len > len && strncasecmp(key.at, scheme, len) == 0)
        return (struct span){key.at + len, key.len - len};
    if (in->api_key.len > 0)
        return in->api_key;
    return in->goog_key.len > 0 ? in->goog_key : query_key(in->target);
}
