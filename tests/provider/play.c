#include "tests/provider/play.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* clang-format off */
static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {529, "Site is overloaded"},
};
/* clang-format on */

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Status";
}

/* What tells of the channel's account, and would mislead or betray it if a client saw it. */
static const char secret_headers[] =
    "\r\nopenai-organization: org-of-the-channel"
    "\r\nopenai-project: proj_of_the_channel"
    "\r\nanthropic-organization-id: 11111111-2222-3333-4444-555555555555"
    "\r\nanthropic-ratelimit-unified-status: allowed_warning"
    "\r\nanthropic-ratelimit-unified-5h-utilization: 0.97"
    "\r\nanthropic-ratelimit-unified-reset: 1900000000"
    "\r\nanthropic-ratelimit-requests-remaining: 7"
    "\r\nx-ratelimit-remaining-requests: 7"
    "\r\nx-codex-primary-used-percent: 97"
    "\r\nx-codex-plan-type: team"
    "\r\nx-goog-quota-user: user-of-the-channel"
    "\r\ncf-ray: 8f00000000000000-FRA"
    "\r\nSet-Cookie: __cf_bm=of-the-channel; path=/; HttpOnly";

/* The Date header, made once a second. */
static const char *date_line(void)
{
    static time_t made_at;
    static char line[64];
    time_t now = time(NULL);
    if (now != made_at) {
        struct tm utc;
        made_at = now;
        gmtime_r(&now, &utc);
        strftime(line, sizeof(line), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    }
    return line;
}

/* Where and how the script ends the answer early: at the least N given. */
struct stop {
    int64_t at;
    enum play_verdict verdict;
    bool is_ended; /* the body gets its proper end */
};

static bool stop_find(const struct script *s, struct stop *stop)
{
    const struct stop candidates[] = {
        {s->reset_at, PLAY_RESET, false},
        {s->cut_at,   PLAY_CUT,   false},
        {s->stall_at, PLAY_HANG,  false},
        {s->eof_at,   PLAY_END,   true },
    };
    const struct stop *first = NULL;
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++)
        if (candidates[i].at >= 0 && (first == NULL || candidates[i].at < first->at))
            first = &candidates[i];
    if (first == NULL)
        return false;
    *stop = *first;
    return true;
}

static enum play_verdict play_over(struct play *p, enum play_verdict verdict)
{
    p->stage = PLAY_OVER;
    p->last = verdict;
    return verdict;
}

static void put_response_head(const struct play *p, struct bytes *out)
{
    const struct script *s = &p->answer.script;
    char id[ANSWER_ID_MAX];
    answer_new_id(id);
    bytes_puts(out, "HTTP/1.1 ");
    bytes_put_int(out, p->status);
    bytes_puts(out, " ");
    bytes_puts(out, reason_of(p->status));
    bytes_puts(out, "\r\n");
    bytes_puts(out, date_line());
    bytes_puts(out, "Content-Type: ");
    bytes_puts(out, p->content_type);
    bytes_puts(out, "\r\n");
    bytes_puts(out, p->format != NULL && p->format->id_header != NULL ? p->format->id_header
                                                                      : "x-request-id");
    bytes_puts(out, ": req_");
    bytes_puts(out, id);
    if (s->has_secrets)
        bytes_puts(out, secret_headers);
    if (p->stage == PLAY_EVENTS && !p->answer.is_array)
        bytes_puts(out, "\r\nCache-Control: no-cache");
    if (p->format != NULL && s->retry_after[0] != 0) {
        bytes_puts(out, "\r\nRetry-After: ");
        bytes_puts(out, s->retry_after);
    }
    if (p->is_chunked) {
        bytes_puts(out, "\r\nTransfer-Encoding: chunked");
    } else if (!p->is_unsized) {
        bytes_puts(out, "\r\nContent-Length: ");
        bytes_put_int(out, (int64_t)p->body.len);
    }
    if (!p->is_keep_alive)
        bytes_puts(out, "\r\nConnection: close");
    else if (p->minor_version == 0)
        bytes_puts(out, "\r\nConnection: keep-alive");
    bytes_puts(out, "\r\n\r\n");
}

/* Append body bytes, as a chunk if the body is chunked. */
static void put_framed(const struct play *p, const char *data, size_t len, struct bytes *out)
{
    char size[24];
    if (len == 0)
        return;
    if (!p->is_chunked) {
        bytes_put(out, data, len);
        return;
    }
    int digits = snprintf(size, sizeof(size), "%zx\r\n", len);
    bytes_put(out, size, (size_t)digits);
    bytes_put(out, data, len);
    bytes_puts(out, "\r\n");
}

static enum play_verdict play_end(struct play *p, struct bytes *out)
{
    /* An array that is cut gets no closing bracket. */
    if (p->stage == PLAY_EVENTS && p->answer.is_array && p->answer.events > 0 && !p->is_unfinished)
        put_framed(p, "\n]", 2, out);
    if (p->is_chunked)
        bytes_puts(out, "0\r\n\r\n");
    return play_over(p, PLAY_END);
}

/* Append one event from its JSON in p->body. */
static void put_event(struct play *p, const char *name, struct bytes *out)
{
    static struct bytes event; /* scratch */
    bool is_split = p->answer.script.is_split;
    bool is_first = p->first_event_us == 0;
    const char *line_end = is_split ? "\r\n" : "\n";
    event.len = 0;
    if (p->answer.is_array) {
        bytes_puts(&event, p->answer.events++ == 0 ? "[" : "\n,\n");
        bytes_put(&event, p->body.data, p->body.len);
        put_framed(p, event.data, event.len, out);
        return;
    }
    p->answer.events++;
    if (is_split && is_first)
        bytes_puts(&event, "\xef\xbb\xbf");
    if (name != NULL) {
        bytes_puts(&event, is_split ? "event:" : "event: ");
        bytes_puts(&event, name);
        bytes_puts(&event, line_end);
    }
    bytes_puts(&event, is_split ? "data:" : "data: ");
    bytes_put(&event, p->body.data, p->body.len);
    bytes_puts(&event, line_end);
    bytes_puts(&event, line_end);
    put_framed(p, event.data, event.len, out);
}

/* The fault that the script asks for. */
static struct fault fault_of(const struct play *p, int status)
{
    const struct script *s = &p->answer.script;
    return (struct fault){status, s->error_message, s->error_type, s->error_code, s->retry_after};
}

/* The status that an error inside an answer names. */
static int inner_status(const struct play *p)
{
    int64_t status = p->answer.script.error_status;
    return status == SCRIPT_UNSET ? 500 : (int)status;
}

/* An error in the format's shape, in p->body. */
static void write_error(struct play *p, int status)
{
    struct fault fault = fault_of(p, status);
    p->body.len = 0;
    bytes_puts(&p->body, p->answer.is_array ? "[" : "");
    p->format->error(&fault, &p->body);
    bytes_puts(&p->body, p->answer.is_array ? "]" : "");
}

/* The event that ends a stream with an error. */
static void put_failure(struct play *p, struct bytes *out)
{
    struct fault fault = fault_of(p, inner_status(p));
    const char *name = NULL;
    p->body.len = 0;
    if (p->format->fail != NULL)
        name = p->format->fail(&p->answer, &fault, &p->body);
    else
        p->format->error(&fault, &p->body);
    put_event(p, name, out);
}

/* Whether the event that comes now is the N-th: the N-th content chunk, or the first event for
 * N = 0. */
static bool is_event(const struct play *p, int64_t n, enum event_kind kind)
{
    if (n <= 0)
        return n == 0 && p->first_event_us == 0;
    return kind == EVENT_PIECE && p->answer.pieces_sent + 1 == n;
}

static enum play_verdict next_event(struct play *p, int64_t now_us, struct bytes *out)
{
    struct answer *a = &p->answer;
    const struct script *s = &a->script;
    struct stop stop;
    enum event_kind kind = p->format->next_kind(a);
    if (stop_find(s, &stop) && a->pieces_sent >= stop.at) {
        p->is_cut_short = true;
        p->is_unfinished = true;
        return stop.is_ended ? play_end(p, out) : play_over(p, stop.verdict);
    }
    if (kind == EVENT_NONE)
        return play_end(p, out);
    if (kind == EVENT_PIECE && s->pace_ms > 0) {
        p->due_us = p->first_event_us + s->pace_ms * 1000 * (a->pieces_sent + 1);
        if (now_us < p->due_us)
            return PLAY_WAIT;
    }
    if (is_event(p, s->error_at, kind)) {
        put_failure(p, out);
        p->is_cut_short = true;
        p->is_keep_alive = false;
        return play_end(p, out);
    }
    bool is_malformed = is_event(p, s->malformed_at, kind);
    p->body.len = 0;
    const char *name = p->format->write(a, &p->body);
    if (is_malformed)
        p->body.len /= 2;
    put_event(p, name, out);
    if (kind == EVENT_PIECE)
        a->pieces_sent++;
    if (p->first_event_us == 0)
        p->first_event_us = now_us;
    return PLAY_MORE;
}

/* The rest of an answer that is not streamed: all of it, or the share that the script allows. */
static enum play_verdict next_rest(struct play *p, struct bytes *out)
{
    struct answer *a = &p->answer;
    struct stop stop;
    if (p->format == NULL || p->status != 200 || !stop_find(&a->script, &stop) ||
        stop.at > a->all_pieces) {
        put_framed(p, p->body.data, p->body.len, out);
        a->pieces_sent = a->all_pieces;
        return play_end(p, out);
    }
    uint64_t parts = (uint64_t)a->all_pieces + 1;
    size_t share = (size_t)((unsigned __int128)p->body.len * (uint64_t)stop.at / parts);
    put_framed(p, p->body.data, share, out);
    a->pieces_sent = stop.at;
    p->is_cut_short = true;
    return stop.is_ended ? play_end(p, out) : play_over(p, stop.verdict);
}

/* Make the body of an answer that is not streamed. */
static void write_whole(struct play *p)
{
    const struct script *s = &p->answer.script;
    struct stop stop;
    if (p->status != 200) {
        write_error(p, p->status);
        return;
    }
    p->is_cut_short = s->error_at != SCRIPT_UNSET;
    if (p->is_cut_short)
        write_error(p, inner_status(p));
    else
        p->format->whole(&p->answer, &p->body);
    if (s->malformed_at != SCRIPT_UNSET)
        p->body.len /= 2;
    /* An end that comes too soon and is proper all the same cannot have a length. */
    p->is_unsized = stop_find(s, &stop) && stop.is_ended;
}

static enum play_verdict next_head(struct play *p, struct bytes *out)
{
    bool is_stream = p->format != NULL && p->status == 200 && p->answer.is_stream &&
                     p->format->write != NULL;
    p->stage = is_stream ? PLAY_EVENTS : PLAY_REST;
    p->is_unsized = is_stream;
    if (is_stream && !p->answer.is_array)
        p->content_type = "text/event-stream; charset=utf-8";
    else if (p->format != NULL && !is_stream)
        write_whole(p);
    p->is_chunked = p->is_unsized && p->minor_version > 0;
    if (p->is_unsized && !p->is_chunked)
        p->is_keep_alive = false;
    put_response_head(p, out);
    return PLAY_MORE;
}

enum play_verdict play_next(struct play *p, int64_t now_us, struct bytes *out)
{
    const struct script *s = &p->answer.script;
    switch (p->stage) {
    case PLAY_EVENTS:
        return next_event(p, now_us, out);
    case PLAY_REST:
        return next_rest(p, out);
    case PLAY_OVER:
        return p->last;
    case PLAY_START:
        break;
    }
    if (p->format == NULL)
        return next_head(p, out);
    if (s->is_silent) {
        p->is_cut_short = true;
        return play_over(p, PLAY_HANG);
    }
    p->due_us = p->begun_us + s->delay_ms * 1000;
    if (now_us < p->due_us)
        return PLAY_WAIT;
    if (s->reset_at == SCRIPT_HEAD) {
        p->is_cut_short = true;
        return play_over(p, PLAY_RESET);
    }
    return next_head(p, out);
}

void play_answer(struct play *p, const struct format *format)
{
    const struct script *s = &p->answer.script;
    p->format = format;
    p->status = s->status == SCRIPT_UNSET ? 200 : (int)s->status;
    p->content_type = "application/json";
    if (s->is_close)
        p->is_keep_alive = false;
}

void play_body(struct play *p, int status, const char *content_type)
{
    p->format = NULL;
    p->status = status;
    p->content_type = content_type;
}

void play_reset(struct play *p)
{
    struct bytes body = p->body;
    bytes_reset(&body);
    answer_clear(&p->answer);
    memset(p, 0, sizeof(*p));
    p->body = body;
}

void play_clear(struct play *p)
{
    answer_clear(&p->answer);
    bytes_clear(&p->body);
}
