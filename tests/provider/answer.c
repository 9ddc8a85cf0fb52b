#include "tests/provider/answer.h"

#include "tests/provider/scan.h"
#include "tests/provider/shell.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char greeting[] = "Hello from the demo provider.";
static const char thought[] = "Let me think about that. ";
static const char preface[] = "Let me look that up.";
static const char filler[] = "The demo provider has a lot to say, and says it again. ";

enum {
    PIECES_DEFAULT = 12,
    PIECE_BYTES_MIN = 6, /* more than a UTF-8 character, so that no piece comes out empty */
    HUGE_PIECE_BYTES = 4096,
    CONTENT_BYTES_MAX = 256 * 1024 * 1024,
    QUOTE_READ_MAX = 1024,
    QUOTE_BYTES_MAX = 80,
    RESULT_READ_MAX = 2000,
    STOP_READ_MAX = 64 * 1024,
    STOP_BYTES_MAX = 256,
    THINK_DEFAULT = 3,
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

/* Append what the tools said: all results, in their order. */
static void put_results(struct bytes *out, const struct ask *ask)
{
    size_t begin = out->len;
    for (size_t i = 0; i < ask->result_count; i++) {
        const struct ask_result *r = &ask->results[i];
        char text[RESULT_READ_MAX];
        if (i > 0)
            bytes_puts(out, r->goes_on ? " " : " and ");
        if (r->is_plain)
            bytes_put(out, r->text.at, r->text.len < sizeof(text) ? r->text.len : sizeof(text));
        else
            bytes_put(out, text, scan_decode(r->text, text, sizeof(text)));
    }
    if (out->len == begin)
        bytes_puts(out, "nothing");
}

static bool calls_custom_only(const struct answer *a)
{
    for (int64_t call = 0; call < a->tool_calls; call++)
        if (!answer_tool(a, call)->is_custom)
            return false;
    return true;
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
    else if (a->tool_calls > 0 && calls_custom_only(a))
        bytes_puts(&a->base, "print(\"Paris\")");
    else if (a->tool_calls > 0)
        bytes_puts(&a->base, "{\"city\":\"Paris\",\"unit\":\"celsius\"}");
    else if (s->is_refusal)
        bytes_puts(&a->base, "I cannot help with that.");
    else if (ask->json.len > 0)
        bytes_put(&a->base, ask->json.data, ask->json.len);
    else if (!is_exact) { /* sizes asked for exactly need text of one byte a character */
        bytes_puts(&a->base, greeting);
        if (ask->result_count > 0) {
            bytes_puts(&a->base, " The tool said: ");
            put_results(&a->base, ask);
        } else {
            bytes_puts(&a->base, " You said: ");
            put_quote(&a->base, ask->said);
        }
    }
    /* These are whole as they are: filler behind them would spoil them. */
    a->is_fixed = s->is_echo || s->text[0] || a->tool_calls > 0 || s->is_refusal || ask->json.len;
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
    if (a->is_fixed)
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

static void put_range(const struct answer *a, size_t from, size_t to, struct bytes *out,
                      bool is_escaped)
{
    const size_t filler_len = sizeof(filler) - 1;
    size_t base_to = to < a->base.len ? to : a->base.len;
    if (from < base_to && is_escaped)
        bytes_put_json(out, a->base.data + from, base_to - from);
    else if (from < base_to)
        bytes_put(out, a->base.data + from, base_to - from);
    if (from < a->base.len)
        from = a->base.len;
    while (from < to) {
        size_t at = (from - a->base.len) % filler_len;
        size_t take = to - from < filler_len - at ? to - from : filler_len - at;
        bytes_put(out, filler + at, take);
        from += take;
    }
}

/* End the content before the first stop sequence in it. */
static void heed_stops(struct answer *a, const struct ask *ask)
{
    struct bytes content = {0};
    size_t first = SIZE_MAX;
    if (a->tool_calls > 0 || ask->stop_count == 0 || a->script.is_deaf)
        return;
    put_range(a, 0, a->content_bytes < STOP_READ_MAX ? a->content_bytes : STOP_READ_MAX, &content,
              false);
    for (size_t i = 0; i < ask->stop_count; i++) {
        char stop[STOP_BYTES_MAX];
        size_t len = scan_decode(ask->stops[i], stop, sizeof(stop));
        const char *at = len > 0 && content.len > 0 ? memmem(content.data, content.len, stop, len)
                                                    : NULL;
        if (at != NULL && (size_t)(at - content.data) < first) {
            first = (size_t)(at - content.data);
            a->stop.len = 0;
            bytes_put_span(&a->stop, ask->stops[i]);
        }
    }
    bytes_clear(&content);
    if (first == SIZE_MAX)
        return;
    a->pieces = (int64_t)((unsigned __int128)first * (uint64_t)a->pieces / a->content_bytes);
    if (a->pieces == 0 && first > 0)
        a->pieces = 1;
    a->content_bytes = first;
    a->is_truncated = false;
}

static void add_block(struct answer *a, enum block_kind kind, int64_t pieces)
{
    if (a->block_count < ANSWER_BLOCKS_MAX)
        a->blocks[a->block_count++] = (struct block){.kind = kind, .pieces = pieces};
}

static void set_blocks(struct answer *a, const struct ask *ask)
{
    const struct script *s = &a->script;
    int64_t images = s->images > 0 ? s->images : ask->wants_image;
    if (a->think_pieces > 0)
        add_block(a, BLOCK_THINKING, a->hides_thinking ? 0 : a->think_pieces);
    if (a->tool_calls > 0 && s->has_preface) {
        add_block(a, BLOCK_TEXT, 1);
        a->blocks[a->block_count - 1].is_preface = true;
    }
    for (int64_t call = 0; call < a->tool_calls; call++) {
        add_block(a, BLOCK_CALL, ask->has_whole_calls ? 1 : a->pieces);
        a->blocks[a->block_count - 1].call = call;
    }
    if (a->tool_calls == 0)
        add_block(a, s->is_refusal ? BLOCK_REFUSAL : BLOCK_TEXT, a->pieces);
    for (int64_t i = 0; i < images && a->tool_calls == 0 && !s->is_refusal; i++)
        add_block(a, BLOCK_IMAGE, 1);
    for (int64_t i = 0; i < a->block_count; i++)
        a->all_pieces += a->blocks[i].pieces;
    a->all_pieces += a->pieces * (a->choices - 1);
}

static void set_counts(struct answer *a, size_t body_bytes)
{
    const struct script *s = &a->script;
    int64_t guess = (int64_t)(body_bytes / BODY_BYTES_PER_TOKEN);
    a->prompt_tokens = guess > 0 ? guess : 1;
    if (s->prompt != SCRIPT_UNSET)
        a->prompt_tokens = s->prompt;
    a->completion_tokens = a->all_pieces + (a->hides_thinking ? a->think_pieces : 0);
    if (s->completion != SCRIPT_UNSET)
        a->completion_tokens = s->completion;
    a->reasoning_tokens = s->reasoning > 0 ? s->reasoning : a->think_pieces;
    if (a->reasoning_tokens > a->completion_tokens && s->completion == SCRIPT_UNSET)
        a->completion_tokens += a->reasoning_tokens;
}

static void add_offered(struct answer *a, struct ask_tool tool)
{
    struct answer_tool *t = &a->offered[a->offered_count++];
    t->at = a->tools.len;
    t->len = tool.name.len;
    bytes_put_span(&a->tools, tool.name);
    t->space_at = a->tools.len;
    t->space_len = tool.space.len;
    bytes_put_span(&a->tools, tool.space);
    t->is_custom = tool.is_custom;
}

/* Note which tools can be called, and decide how many calls there are. */
static void set_tools(struct answer *a, const struct ask *ask)
{
    const struct script *s = &a->script;
    const struct ask_tool *shell = shell_find(ask, s->shell, &a->base);
    if (s->call[0] != 0)
        add_offered(a, (struct ask_tool){.name = span_of(s->call)});
    else if (shell != NULL)
        add_offered(a, *shell);
    else if (ask->forced.name.len > 0)
        add_offered(a, ask->forced);
    else
        for (size_t i = 0; i < ask->tool_count; i++)
            add_offered(a, ask->tools[i]);
    if (a->offered_count == 0)
        add_offered(a, (struct ask_tool){.name = span_of("get_weather")});
    a->is_fixed = shell != NULL;
    a->tool_calls = a->is_fixed ? 1 : s->tool_calls;
    if (a->tool_calls == 0 && ask->must_call && !s->is_refusal)
        a->tool_calls = 1;
    /* The result of a tool is answered with text, or a client that runs tools would never end. */
    if (ask->result_count > 0 || ask->must_not_call)
        a->tool_calls = 0;
}

static void set_thinking(struct answer *a, const struct ask *ask)
{
    a->hides_thinking = ask->hides_thinking;
    a->think_pieces = ask->wants_thinking ? THINK_DEFAULT : 0;
    if (a->script.think != SCRIPT_UNSET)
        a->think_pieces = a->script.think;
    if (a->choices > 1)
        a->think_pieces = 0;
}

void answer_init(struct answer *a, struct ask *ask, const char *body, size_t len)
{
    struct script *s = &a->script;
    a->is_stream = ask->is_stream != s->is_flipped;
    a->has_usage = ask->has_usage;
    a->has_call_ids = ask->has_call_ids;
    a->is_array = ask->is_array;
    a->is_unkept = ask->is_unkept;
    a->created = (int64_t)time(NULL);
    answer_new_id(a->id);
    bytes_swap(&a->echo, &ask->echo);
    if (s->model[0] != 0)
        bytes_put_json(&a->model, s->model, strlen(s->model));
    else
        bytes_put_span(&a->model, ask->model);
    set_tools(a, ask);
    a->choices = a->tool_calls > 0 ? 1 : ask->choices;
    a->tracks = a->tool_calls > 0 ? a->tool_calls : a->choices;
    if (a->base.len == 0) /* else a shell's arguments */
        set_base(a, ask, body, len);
    set_pieces(a, ask);
    heed_stops(a, ask);
    set_thinking(a, ask);
    set_blocks(a, ask);
    set_counts(a, len);
}

void answer_put_piece(const struct answer *a, int64_t piece, struct bytes *out)
{
    put_range(a, piece_begin(a, piece), piece_begin(a, piece + 1), out, true);
}

void answer_put_content(const struct answer *a, struct bytes *out)
{
    put_range(a, 0, a->content_bytes, out, true);
}

void answer_put_plain(const struct answer *a, struct bytes *out)
{
    put_range(a, 0, a->content_bytes, out, false);
}

void answer_put_block_piece(const struct answer *a, const struct block *b, int64_t piece,
                            struct bytes *out)
{
    if (b->kind == BLOCK_THINKING)
        bytes_puts(out, thought);
    else if (b->is_preface)
        bytes_puts(out, preface);
    else if (b->kind != BLOCK_IMAGE)
        answer_put_piece(a, piece, out);
}

void answer_put_block(const struct answer *a, const struct block *b, struct bytes *out)
{
    bool is_content = b->kind != BLOCK_THINKING && b->kind != BLOCK_IMAGE && !b->is_preface;
    if (is_content)
        answer_put_content(a, out);
    else
        for (int64_t piece = 0; piece < b->pieces; piece++)
            answer_put_block_piece(a, b, piece, out);
}

const struct answer_tool *answer_tool(const struct answer *a, int64_t call)
{
    return &a->offered[(size_t)call % a->offered_count];
}

struct span answer_tool_name(const struct answer *a, int64_t call)
{
    const struct answer_tool *t = answer_tool(a, call);
    return (struct span){a->tools.data + t->at, t->len};
}

void answer_put_tool_name(const struct answer *a, int64_t call, struct bytes *out)
{
    bytes_put_span(out, answer_tool_name(a, call));
}

void answer_put_call_id(const struct answer *a, const char *prefix, int64_t call, struct bytes *out)
{
    bytes_puts(out, prefix);
    bytes_puts(out, a->id);
    bytes_put_int(out, call);
}

void answer_put_member(struct bytes *out, const char *name, int64_t value)
{
    bytes_puts(out, "\"");
    bytes_puts(out, name);
    bytes_puts(out, "\":");
    bytes_put_int(out, value);
}

const struct block *answer_block(const struct answer *a)
{
    return a->track < a->block_count ? &a->blocks[a->track] : NULL;
}

void answer_clear(struct answer *a)
{
    bytes_clear(&a->model);
    bytes_clear(&a->base);
    bytes_clear(&a->tools);
    bytes_clear(&a->stop);
    bytes_clear(&a->echo);
}

void ask_init(struct ask *ask)
{
    memset(ask, 0, sizeof(*ask));
    ask->model = ask->said = ask->marker = (struct span){"", 0};
    ask->choices = 1;
}

void ask_clear(struct ask *ask)
{
    bytes_clear(&ask->json);
    bytes_clear(&ask->echo);
}

bool ask_refuse(struct ask *ask, const char *format, ...)
{
    va_list args;
    if (ask->reason[0] != 0)
        return false;
    va_start(args, format);
    vsnprintf(ask->reason, sizeof(ask->reason), format, args);
    va_end(args);
    return false;
}

void ask_hear(struct span text, struct span *said, struct span *marker)
{
    struct span whole;
    if (said->at == NULL)
        *said = text;
    script_find_in_text(text, &whole, marker);
}

void ask_add_tool(struct ask *ask, struct span name, struct span space, bool is_custom)
{
    if (ask->tool_count < ASK_TOOLS_MAX && name.len > 0)
        ask->tools[ask->tool_count++] =
            (struct ask_tool){.name = name, .space = space, .is_custom = is_custom};
}

void ask_add_stop(struct ask *ask, struct span stop)
{
    if (ask->stop_count < ASK_STOPS_MAX)
        ask->stops[ask->stop_count++] = stop;
}

void ask_add_result(struct ask *ask, struct span text, bool is_plain, bool goes_on)
{
    if (ask->result_count < ASK_RESULTS_MAX)
        ask->results[ask->result_count++] =
            (struct ask_result){.text = text, .is_plain = is_plain, .goes_on = goes_on};
}
