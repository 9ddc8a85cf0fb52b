#include "tests/provider/answer.h"

#include "tests/provider/scan.h"

#include <string.h>
#include <time.h>

static const char greeting[] = "Hello from the demo provider.";
static const char filler[] = "The demo provider has a lot to say, and says it again. ";

enum {
    PIECES_DEFAULT = 12,
    PIECE_BYTES_MIN = 6, /* more than a UTF-8 character, so that no piece comes out empty */
    HUGE_PIECE_BYTES = 4096,
    CONTENT_BYTES_MAX = 256 * 1024 * 1024,
    QUOTE_READ_MAX = 1024,
    QUOTE_BYTES_MAX = 80,
    BODY_BYTES_PER_TOKEN = 4,
};

static uint64_t id_state = 1;

void answer_seed(uint64_t seed)
{
    id_state = seed;
}

void answer_new_id(char id[ANSWER_ID_MAX])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
    uint64_t bits = 0;
    for (size_t i = 0; i < 24; i++) {
        if (i % 12 == 0) { /* splitmix64 */
            id_state += 0x9e3779b97f4a7c15U;
            bits = (id_state ^ (id_state >> 30)) * 0xbf58476d1ce4e5b9U;
            bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
            bits ^= bits >> 31;
        }
        id[i] = letters[bits & 31];
        bits >>= 5;
    }
    id[24] = 0;
}

/* Append the beginning of what the user said: markers left out, blanks joined, cut at a
 * character. */
static void put_quote(struct bytes *out, struct span said)
{
    char text[QUOTE_READ_MAX];
    struct span left = {text, scan_decode(said, text, sizeof(text))};
    struct span whole;
    struct span controls;
    while (script_find_in_text(left, &whole, &controls)) {
        size_t from = (size_t)(whole.at - text);
        memmove(text + from, text + from + whole.len, left.len - from - whole.len);
        left.len -= whole.len;
    }
    size_t begin = out->len;
    bool has_gap = false;
    for (size_t i = 0; i < left.len;) {
        size_t step = utf8_length(text + i, left.len - i);
        step = step > 0 ? step : 1;
        if ((unsigned char)text[i] <= ' ') {
            has_gap = out->len > begin;
        } else {
            if (out->len + step + has_gap - begin > QUOTE_BYTES_MAX) {
                bytes_puts(out, "...");
                return;
            }
            bytes_put(out, " ", has_gap);
            bytes_put(out, text + i, step);
            has_gap = false;
        }
        i += step;
    }
    if (out->len == begin)
        bytes_puts(out, "nothing");
}

/* Choose the text that the content begins with. */
static void set_base(struct answer *a, const struct ask *ask, const char *body, size_t len)
{
    const struct script *s = &a->script;
    bool is_exact = s->chunk_bytes != SCRIPT_UNSET || s->huge_bytes != SCRIPT_UNSET;
    if (s->is_echo)
        bytes_put(&a->base, body, len);
    else if (s->text[0] != 0)
        bytes_puts(&a->base, s->text);
    else if (a->tool_calls > 0)
        bytes_puts(&a->base, "{\"city\":\"Paris\",\"unit\":\"celsius\"}");
    else if (!is_exact) { /* sizes asked for exactly need text of one byte a character */
        bytes_puts(&a->base, greeting);
        bytes_puts(&a->base, " You said: ");
        put_quote(&a->base, ask->said);
    }
}

/* Where piece `piece` begins: an even share of the content, moved on to a whole character. */
static size_t piece_begin(const struct answer *a, int64_t piece)
{
    if (piece >= a->pieces)
        return a->content_bytes;
    size_t at =
        (size_t)((unsigned __int128)a->content_bytes * (uint64_t)piece / (uint64_t)a->pieces);
    while (at < a->base.len && at < a->content_bytes && (a->base.data[at] & 0xc0) == 0x80)
        at++;
    return at;
}

/* How long the content is to be when it takes `pieces` chunks. */
static size_t choose_length(const struct answer *a, int64_t pieces)
{
    const struct script *s = &a->script;
    int64_t length = (int64_t)a->base.len;
    if (s->is_echo || s->text[0] != 0 || a->tool_calls > 0)
        return a->base.len;
    if (s->huge_bytes != SCRIPT_UNSET)
        length = s->huge_bytes;
    else if (s->chunk_bytes != SCRIPT_UNSET)
        length = (pieces == SCRIPT_UNSET ? PIECES_DEFAULT : pieces) * s->chunk_bytes;
    else if (length < pieces * PIECE_BYTES_MIN)
        length = pieces * PIECE_BYTES_MIN;
    return length < CONTENT_BYTES_MAX ? (size_t)length : CONTENT_BYTES_MAX;
}

/* How many chunks a content of that length has by itself. */
static int64_t choose_pieces(const struct answer *a, int64_t length)
{
    const struct script *s = &a->script;
    int64_t piece_bytes = s->chunk_bytes != SCRIPT_UNSET ? s->chunk_bytes : HUGE_PIECE_BYTES;
    if (s->chunk_bytes != SCRIPT_UNSET || s->huge_bytes != SCRIPT_UNSET)
        return (length + piece_bytes - 1) / piece_bytes;
    return length < PIECES_DEFAULT ? length : PIECES_DEFAULT;
}

/* Choose the content's length and pieces. Only a count that the script did not ask for heeds
 * max_tokens: a provider that says more than it was asked to is worth simulating. */
static void set_pieces(struct answer *a, const struct ask *ask)
{
    a->pieces = a->script.tokens;
    a->content_bytes = choose_length(a, a->pieces);
    if (a->pieces == SCRIPT_UNSET) {
        a->pieces = choose_pieces(a, (int64_t)a->content_bytes);
        if (ask->max_tokens > 0 && ask->max_tokens < a->pieces) {
            a->content_bytes = piece_begin(a, ask->max_tokens);
            a->pieces = ask->max_tokens;
            a->is_truncated = true;
        }
    }
    if (a->pieces == 0)
        a->content_bytes = 0;
}

static void set_counts(struct answer *a, size_t body_bytes)
{
    const struct script *s = &a->script;
    int64_t guess = (int64_t)(body_bytes / BODY_BYTES_PER_TOKEN);
    a->prompt_tokens = guess > 0 ? guess : 1;
    if (s->prompt != SCRIPT_UNSET)
        a->prompt_tokens = s->prompt;
    a->completion_tokens = a->pieces * a->tracks;
    if (s->completion != SCRIPT_UNSET)
        a->completion_tokens = s->completion;
}

void answer_init(struct answer *a, const struct ask *ask, const char *body, size_t len)
{
    struct script *s = &a->script;
    a->is_stream = ask->is_stream;
    a->has_usage = ask->has_usage;
    a->created = (int64_t)time(NULL);
    answer_new_id(a->id);
    if (s->model[0] != 0)
        bytes_put_json(&a->model, s->model, strlen(s->model));
    else
        bytes_put_span(&a->model, ask->model);
    bytes_put_span(&a->tool, ask->tool.len > 0 ? ask->tool : span_of("get_weather"));
    /* The result of a tool is answered with text, or a client that runs tools would never end. */
    a->tool_calls = ask->is_after_tool ? 0 : s->tool_calls;
    a->choices = a->tool_calls > 0 ? 1 : ask->choices;
    a->tracks = a->tool_calls > 0 ? a->tool_calls : a->choices;
    set_base(a, ask, body, len);
    set_pieces(a, ask);
    set_counts(a, len);
}

static void put_range(const struct answer *a, size_t from, size_t to, struct bytes *out)
{
    const size_t filler_len = sizeof(filler) - 1;
    size_t base_to = to < a->base.len ? to : a->base.len;
    if (from < base_to)
        bytes_put_json(out, a->base.data + from, base_to - from);
    if (from < a->base.len)
        from = a->base.len;
    while (from < to) {
        size_t at = (from - a->base.len) % filler_len;
        size_t take = to - from < filler_len - at ? to - from : filler_len - at;
        bytes_put(out, filler + at, take);
        from += take;
    }
}

void answer_put_piece(const struct answer *a, int64_t piece, struct bytes *out)
{
    put_range(a, piece_begin(a, piece), piece_begin(a, piece + 1), out);
}

void answer_put_content(const struct answer *a, struct bytes *out)
{
    put_range(a, 0, a->content_bytes, out);
}

void answer_clear(struct answer *a)
{
    bytes_clear(&a->model);
    bytes_clear(&a->base);
    bytes_clear(&a->tool);
}
