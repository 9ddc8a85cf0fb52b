#include "tests/provider/script.h"

#include <string.h>

static const char marker_open[] = "[[sim ";
static const char marker_close[] = "]]";

enum control_kind { COUNT, POINT, RESET, FLAG, USAGE, TEXT, WORD };

struct control {
    const char *key;
    enum control_kind kind;
    size_t offset;
    int64_t min;
    int64_t max;
    const char *help;
};

enum {
    MS_MAX = 3600 * 1000,
    PIECES_MAX = 10 * 1000 * 1000,
    TOKENS_MAX = 1000 * 1000 * 1000,
    BYTES_MAX = 256 * 1024 * 1024,
};

#define AT(field) offsetof(struct script, field)

/* clang-format off */
static const struct control controls[] = {
    {"ms",          COUNT, AT(delay_ms),      0,   MS_MAX,     "delay before the first byte"},
    {"pace",        COUNT, AT(pace_ms),       0,   MS_MAX,     "ms before each content chunk"},
    {"tokens",      COUNT, AT(tokens),        0,   PIECES_MAX, "content chunks"},
    {"prompt",      COUNT, AT(prompt),        0,   TOKENS_MAX, "prompt tokens reported"},
    {"completion",  COUNT, AT(completion),    0,   TOKENS_MAX, "completion tokens reported"},
    {"chunk",       COUNT, AT(chunk_bytes),   1,   BYTES_MAX,  "bytes per content chunk"},
    {"huge",        COUNT, AT(huge_bytes),    1,   BYTES_MAX,  "bytes of the whole content"},
    {"cached",      COUNT, AT(cached),        0,   TOKENS_MAX, "cached prompt tokens reported"},
    {"reasoning",   COUNT, AT(reasoning),     0,   TOKENS_MAX, "reasoning tokens reported"},
    {"cache_write", COUNT, AT(cache_write),   0,   TOKENS_MAX, "cache write tokens reported"},
    {"cache_write_long", COUNT, AT(cache_write_long), 0, TOKENS_MAX, "the same, longer lifetime"},
    {"tool_prompt", COUNT, AT(tool_prompt),   0,   TOKENS_MAX, "tool result tokens (Gemini)"},
    {"searches",    COUNT, AT(searches),      0,   TOKENS_MAX, "web searches reported"},
    {"audio",       COUNT, AT(audio),         0,   TOKENS_MAX, "audio tokens in the prompt"},
    {"usage",       USAGE, AT(usage),         0,   0,          "normal none zero finish every start"},
    {"status",      COUNT, AT(status),        200, 599,        "answer with this HTTP status"},
    {"fails",       COUNT, AT(fails),         0,   TOKENS_MAX, "status counts for the first N of the model"},
    {"code",        WORD,  AT(error_code),    0,   0,          "code of the error"},
    {"type",        WORD,  AT(error_type),    0,   0,          "type of the error"},
    {"msg",         TEXT,  AT(error_message), 0,   0,          "message of the error"},
    {"retry_after", WORD,  AT(retry_after),   0,   0,          "value of Retry-After"},
    {"reset",       RESET, AT(reset_at),      0,   TOKENS_MAX, "TCP reset: head or after N"},
    {"cut",         POINT, AT(cut_at),        0,   TOKENS_MAX, "close after N without an end"},
    {"eof",         POINT, AT(eof_at),        0,   TOKENS_MAX, "end the body properly after N"},
    {"stall",       POINT, AT(stall_at),      0,   TOKENS_MAX, "send nothing more after N"},
    {"malformed",   POINT, AT(malformed_at),  0,   TOKENS_MAX, "the N-th chunk is broken JSON"},
    {"error_in",    POINT, AT(error_at),      0,   TOKENS_MAX, "the N-th event is an error"},
    {"error_status", COUNT, AT(error_status), 400, 599,        "status that error_in names"},
    {"error_event", FLAG,  AT(has_error_event), 0, 1,          "Responses: error_in is event: error"},
    {"silence",     FLAG,  AT(is_silent),     0,   1,          "read the request, never answer"},
    {"nodone",      FLAG,  AT(is_doneless),   0,   1,          "no [DONE]"},
    {"nofinish",    FLAG,  AT(is_endless),    0,   1,          "no finish_reason"},
    {"drip",        FLAG,  AT(is_drip),       0,   1,          "three bytes a write"},
    {"split",       FLAG,  AT(is_split),      0,   1,          "BOM, CRLF, no space after data:"},
    {"echo",        FLAG,  AT(is_echo),       0,   1,          "the content is the request body"},
    {"close",       FLAG,  AT(is_close),      0,   1,          "Connection: close"},
    {"text",        TEXT,  AT(text),          0,   0,          "content, or a call's arguments"},
    {"tool",        COUNT, AT(tool_calls),    0,   16,         "answer with that many tool calls"},
    {"call",        WORD,  AT(call),          0,   0,          "tool called"},
    {"shell",       WORD,  AT(shell),         0,   0,          "command for the shell tool offered"},
    {"preface",     FLAG,  AT(has_preface),   0,   1,          "a sentence before tool calls"},
    {"think",       COUNT, AT(think),         0,   PIECES_MAX, "chunks of thinking first"},
    {"redacted",    FLAG,  AT(is_redacted),   0,   1,          "redacted thinking (Messages)"},
    {"image",       COUNT, AT(images),        0,   4,          "pictures behind the text (Gemini)"},
    {"finish",      WORD,  AT(finish),        0,   0,          "reason for the end, as given"},
    {"refusal",     FLAG,  AT(is_refusal),    0,   1,          "refuse to answer"},
    {"blocked",     FLAG,  AT(is_blocked),    0,   1,          "promptFeedback only (Gemini)"},
    {"nostop",      FLAG,  AT(is_deaf),       0,   1,          "stop sequences are not heeded"},
    {"secrets",     FLAG,  AT(has_secrets),   0,   1,          "headers that no client may see"},
    {"flip",        FLAG,  AT(is_flipped),    0,   1,          "whole for a stream, and the reverse"},
    {"name",        WORD,  AT(model),         0,   0,          "model named in the answer"},
    {"speed",       WORD,  AT(speed),         0,   0,          "speed named in the usage (Messages)"},
    {"tier",        WORD,  AT(tier),          0,   0,          "service tier named in the answer"},
};
/* clang-format on */

static const char *const usage_words[] = {
    [SCRIPT_USAGE_NORMAL] = "normal", [SCRIPT_USAGE_NONE] = "none",
    [SCRIPT_USAGE_ZERO] = "zero",     [SCRIPT_USAGE_FINISH] = "finish",
    [SCRIPT_USAGE_EVERY] = "every",   [SCRIPT_USAGE_START] = "start",
};

enum { CONTROLS = sizeof(controls) / sizeof(controls[0]) };
enum { USAGE_WORDS = sizeof(usage_words) / sizeof(usage_words[0]) };

void script_init(struct script *s)
{
    *s = (struct script){
        .tokens = SCRIPT_UNSET,
        .prompt = SCRIPT_UNSET,
        .completion = SCRIPT_UNSET,
        .chunk_bytes = SCRIPT_UNSET,
        .huge_bytes = SCRIPT_UNSET,
        .status = SCRIPT_UNSET,
        .reset_at = SCRIPT_UNSET,
        .cut_at = SCRIPT_UNSET,
        .eof_at = SCRIPT_UNSET,
        .stall_at = SCRIPT_UNSET,
        .malformed_at = SCRIPT_UNSET,
        .error_at = SCRIPT_UNSET,
        .think = SCRIPT_UNSET,
        .error_status = SCRIPT_UNSET,
    };
}

static struct span trimmed(struct span s)
{
    while (s.len > 0 && (s.at[0] == ' ' || s.at[0] == '\t')) {
        s.at++;
        s.len--;
    }
    while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Cut the part before the separator off the front of s; all of it when there is none. */
static struct span cut_before(struct span *s, char separator)
{
    const char *found = s->len > 0 ? memchr(s->at, separator, s->len) : NULL;
    size_t len = found != NULL ? (size_t)(found - s->at) : s->len;
    struct span front = {s->at, len};
    size_t skipped = len + (found != NULL);
    s->at += skipped;
    s->len -= skipped;
    return front;
}

static bool read_count(struct span value, int64_t min, int64_t max, int64_t *out)
{
    int64_t number = 0;
    if (value.len == 0 || value.len > 12)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return false;
        number = number * 10 + (value.at[i] - '0');
    }
    if (number < min || number > max)
        return false;
    *out = number;
    return true;
}

static bool read_usage(struct span value, enum script_usage *out)
{
    for (size_t i = 0; i < USAGE_WORDS; i++) {
        if (span_is(value, usage_words[i])) {
            *out = (enum script_usage)i;
            return true;
        }
    }
    return false;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    char low = c >= 'A' && c <= 'F' ? (char)(c + ('a' - 'A')) : c;
    const char *found = low != 0 ? strchr(digits, low) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

/* Copy a value with its %XX decoded; false when it is too long for size bytes with the end. */
static bool read_text(struct span value, char *out, size_t size)
{
    char copy[SCRIPT_TEXT_MAX] = {0};
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];
        if (c == '%' && i + 2 < value.len) {
            int high = hex_digit(value.at[i + 1]);
            int low = hex_digit(value.at[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(high * 16 + low);
                i += 2;
            }
        }
        if (len + 1 >= size || c == 0)
            return false;
        copy[len++] = c;
    }
    memcpy(out, copy, len);
    out[len] = 0;
    return true;
}

static bool control_read(const struct control *c, struct script *s, struct span value)
{
    char *field = (char *)s + c->offset;
    int64_t flag;
    switch (c->kind) {
    case RESET:
    case POINT:
        if (span_is(value, "never") || (c->kind == RESET && span_is(value, "head"))) {
            *(int64_t *)(void *)field = *value.at == 'n' ? SCRIPT_UNSET : SCRIPT_HEAD;
            return true;
        }
        return read_count(value, c->min, c->max, (int64_t *)(void *)field);
    case COUNT:
        return read_count(value, c->min, c->max, (int64_t *)(void *)field);
    case FLAG:
        if (!read_count(value, c->min, c->max, &flag))
            return false;
        *(bool *)field = flag != 0;
        return true;
    case USAGE:
        return read_usage(value, (enum script_usage *)(void *)field);
    case TEXT:
        return read_text(value, field, SCRIPT_TEXT_MAX);
    case WORD:
        return read_text(value, field, SCRIPT_WORD_MAX);
    }
    return false;
}

static const struct control *control_find(struct span key)
{
    for (size_t i = 0; i < CONTROLS; i++)
        if (span_is(key, controls[i].key))
            return &controls[i];
    return NULL;
}

static bool script_refuse(char *reason, const char *what, struct span item)
{
    int shown = item.len > 60 ? 60 : (int)item.len;
    snprintf(reason, SCRIPT_REASON_MAX, "%s: %.*s", what, shown, item.at);
    return false;
}

bool script_apply(struct script *s, struct span text, char reason[SCRIPT_REASON_MAX])
{
    while (text.len > 0) {
        struct span item = trimmed(cut_before(&text, ','));
        struct span value = item;
        struct span key = trimmed(cut_before(&value, '='));
        if (item.len == 0)
            continue;
        const struct control *c = control_find(key);
        if (c == NULL)
            return script_refuse(reason, "unknown control", item);
        bool stands_alone = key.len == item.len;
        if (stands_alone && c->kind == FLAG)
            value = (struct span){"1", 1};
        if (!control_read(c, s, trimmed(value)))
            return script_refuse(reason, "bad value of a control", item);
    }
    return true;
}

bool script_find_in_model(struct span model, struct span *found)
{
    for (size_t i = 0; i < model.len; i++) {
        if (model.at[i] != '@')
            continue;
        size_t end = i + 1;
        while (end < model.len &&
               ((model.at[end] >= 'a' && model.at[end] <= 'z') || model.at[end] == '_'))
            end++;
        if (end > i + 1 && end < model.len && model.at[end] == '=') {
            *found = (struct span){model.at + i + 1, model.len - i - 1};
            return true;
        }
    }
    return false;
}

bool script_find_in_text(struct span text, struct span *whole, struct span *found)
{
    const size_t open_len = sizeof(marker_open) - 1;
    const size_t close_len = sizeof(marker_close) - 1;
    const char *end = text.at + text.len;
    const char *open = NULL;
    const char *close = NULL;
    const char *at = text.at;
    while (at < end && (at = memmem(at, (size_t)(end - at), marker_open, open_len)) != NULL) {
        const char *inside = at + open_len;
        const char *stop = memmem(inside, (size_t)(end - inside), marker_close, close_len);
        if (stop == NULL)
            break;
        open = at;
        close = stop;
        at = stop;
    }
    if (open == NULL)
        return false;
    *whole = (struct span){open, (size_t)(close - open) + close_len};
    *found = (struct span){open + open_len, (size_t)(close - open) - open_len};
    return true;
}

void script_print_help(FILE *out)
{
    for (size_t i = 0; i < CONTROLS; i++)
        fprintf(out, "  %-16s %s\n", controls[i].key, controls[i].help);
}
