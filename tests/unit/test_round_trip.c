/* What a client says survives the way to a provider of another format, seen from there by a client
 * of that format on its way back, but for a list that is published: the table here, which is that of
 * htdocs/docs/translation.md by topic and target. */
#include "tests/unit/exchange_kit.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define ARENA_MAX ((size_t)64 << 20)
#define TEXT_MAX  ((size_t)1 << 20)
#define FORMATS   4
#define ROWS(t)   (int)(sizeof(t) / sizeof((t)[0]))

/* Formats that a row concerns. */
enum { C = 1, R = 2, A = 4, G = 8, ALL = C | R | A | G };

static const struct format *const formats[FORMATS] = {&format_openai_chat, &format_openai_responses,
                                                      &format_anthropic, &format_gemini};
/* A request but for what a row adds at the top level, and but for its last message. */
static const char *const heads[FORMATS] = {
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":",
    "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":",
    "{\"model\":\"m\",\"max_tokens\":999,\"messages\":[{\"role\":\"user\",\"content\":",
    "{\"contents\":[{\"role\":\"user\",\"parts\":",
};
#define TEXT  "\"hi\""
#define PARTS "[{\"text\":\"hi\"}]"

/* The rows of the published table, by their first cell. */
enum topic {
    TEXTS,
    PICTURES,
    PDF,
    AUDIO,
    SPEECH,
    FUNCTIONS,
    STRICT,
    CUSTOM,
    FORCED,
    PARALLEL,
    SEARCH,
    HOSTED,
    LIMIT,
    SAMPLING,
    TOP_K,
    STOPS,
    SEED,
    PENALTIES,
    ANSWERS,
    LOGPROBS,
    BIAS,
    SCHEMA,
    JSON,
    THINKING,
    VERBOSITY,
    USER,
    TIER,
    CACHE_KEY,
    MARKS,
    SAFETY,
    HINTS,
    STATE,
    TOPICS
};
static const char *const topics[TOPICS] = {
    [TEXTS] = "Text, system instructions",
    [PICTURES] = "Pictures",
    [PDF] = "PDF",
    [AUDIO] = "Audio as input",
    [SPEECH] = "Audio as answer",
    [FUNCTIONS] = "Functions",
    [STRICT] = "Strict functions",
    [CUSTOM] = "Custom tools (free text)",
    [FORCED] = "A call is required",
    [PARALLEL] = "One call at a time",
    [SEARCH] = "Web search",
    [HOSTED] = "Other hosted tools",
    [LIMIT] = "Limit of the output",
    [SAMPLING] = "Temperature, top_p",
    [TOP_K] = "top_k",
    [STOPS] = "Stop sequences",
    [SEED] = "seed",
    [PENALTIES] = "Penalties",
    [ANSWERS] = "More than one answer (n)",
    [LOGPROBS] = "logprobs",
    [BIAS] = "logit_bias",
    [SCHEMA] = "JSON by a schema",
    [JSON] = "JSON without schema",
    [THINKING] = "Thinking: effort, budget",
    [VERBOSITY] = "Verbosity",
    [USER] = "User id",
    [TIER] = "Service tier",
    [CACHE_KEY] = "Prompt cache key",
    [MARKS] = "Prompt cache marks",
    [SAFETY] = "Safety settings",
    [HINTS] = "Hints of one format",
    [STATE] = "State kept at a provider",
};

/* clang-format off */
static const struct {
    enum topic topic;
    int client;          /* C, R, A or G */
    const char *content; /* of the user's message */
    const char *members; /* of the top level */
    const char *kept;    /* what must be in the request when it came back */
    int carried;         /* by way of these */
    int sent;            /* to these, with kept in it; it need not come back */
    int refused;         /* by these; the others lose it and say so */
    const char *dropped; /* the name that they say; NULL: nothing to say, it has a substitute */
} rows[] = {
    {TEXTS, R, TEXT, ",\"instructions\":\"be kind\"", "be kind", C | A | G, 0, 0, NULL},
    {TEXTS, A, TEXT, ",\"system\":\"be kind\"", "be kind", C | R | G, 0, 0, NULL},
    {TEXTS, G, PARTS, ",\"systemInstruction\":{\"parts\":[{\"text\":\"be kind\"}]}", "be kind",
     C | R | A, 0, 0, NULL},
    {PICTURES, C,
     "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]", "",
     "data:image/png;base64,AAAA", R | A | G, 0, 0, NULL},
    {PICTURES, G, "[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AAAA\"}}]", "",
     "\"data\":\"AAAA\"", C | R | A, 0, 0, NULL},
    {PDF, A,
     "[{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":\"application"
     "/pdf\",\"data\":\"AAAA\"}}]", "", "\"data\":\"AAAA\"", C | R | G, 0, 0, NULL},
    {PDF, C,
     "[{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\",\"file_data\":\"data:applicatio"
     "n/pdf;base64,AAAA\"}}]", "", "AAAA", R | A | G, 0, 0, NULL},
    {AUDIO, C,
     "[{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":\"wav\"}}]", "",
     "AAAA", R | G, 0, A, NULL},
    {AUDIO, G, "[{\"inlineData\":{\"mimeType\":\"audio/wav\",\"data\":\"AAAA\"}}]", "",
     "\"data\":\"AAAA\"", C | R, 0, A, NULL},
    {SPEECH, G, PARTS, ",\"generationConfig\":{\"responseModalities\":[\"AUDIO\"]}", "AUDIO", 0, 0,
     C | R | A, NULL},
    {SPEECH, C, TEXT,
     ",\"modalities\":[\"text\",\"audio\"],\"audio\":{\"voice\":\"alloy\",\"format\":\"wav\"}",
     "audio", 0, 0, R | A | G, NULL},
    {FUNCTIONS, C, TEXT,
     ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"do"
     "es\"}}],\"tool_choice\":\"required\"", "\"description\":\"does\"", R | A | G, 0, 0, NULL},
    {FUNCTIONS, A, TEXT,
     ",\"tools\":[{\"name\":\"f\",\"description\":\"does\",\"input_schema\":{\"type\":\"ob"
     "ject\"}}]", "does", C | R | G, 0, 0, NULL},
    {STRICT, C, TEXT,
     ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":true,\"pa"
     "rameters\":{\"type\":\"object\",\"additionalProperties\":false}}}]", "\"strict\":true",
     R | A, 0, 0, "strict"},
    {STRICT, R, TEXT,
     ",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"strict\":true,\"parameters\":{\""
     "type\":\"object\",\"additionalProperties\":false}}]", "\"strict\":true", C | A, 0, 0,
     "strict"},
    {CUSTOM, C, TEXT, ",\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"f\"}}]",
     "\"custom\"", R, 0, 0, NULL},
    {CUSTOM, R, TEXT, ",\"tools\":[{\"type\":\"custom\",\"name\":\"f\"}]", "\"custom\"", C, 0, 0,
     NULL},
    {FORCED, C, TEXT,
     ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":\""
     "required\"", "\"tool_choice\":\"required\"", R | A | G, 0, 0, NULL},
    {FORCED, A, TEXT,
     ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}],\"tool_choice\""
     ":{\"type\":\"any\"}", "\"type\":\"any\"", C | R | G, 0, 0, NULL},
    {PARALLEL, C, TEXT,
     ",\"parallel_tool_calls\":false,\"tools\":[{\"type\":\"function\",\"function\":{\"nam"
     "e\":\"f\"}}]", "\"parallel_tool_calls\":false", R | A, 0, 0, "parallel_tool_calls"},
    {PARALLEL, A, TEXT,
     ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}],\"tool_choice\""
     ":{\"type\":\"auto\",\"disable_parallel_tool_use\":true}",
     "\"disable_parallel_tool_use\":true", C | R, 0, 0, "tool_choice.disable_parallel_tool_use"},
    {SEARCH, C, TEXT, ",\"web_search_options\":{}", "earch", 0, R | A | G, 0, NULL},
    {SEARCH, A, TEXT, ",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]",
     "web_search", G, R, 0, "web_search_20250305"},
    {SEARCH, R, TEXT, ",\"tools\":[{\"type\":\"web_search\"}]", "googleSearch", 0, G, 0, "web_search"},
    {SEARCH, G, PARTS, ",\"tools\":[{\"googleSearch\":{}}]", "googleSearch", R | A, 0, C, NULL},
    {HOSTED, R, TEXT, ",\"tools\":[{\"type\":\"file_search\",\"vector_store_ids\":[\"v\"]}]",
     "file_search", 0, 0, C | A | G, NULL},
    {HOSTED, A, TEXT,
     ",\"tools\":[{\"type\":\"text_editor_20250728\",\"name\":\"str_replace_based_edit_tool\"}]",
     "text_editor", 0, 0, C | R | G, NULL},
    {LIMIT, C, TEXT, ",\"max_tokens\":300", "300", R | A | G, 0, 0, NULL},
    {LIMIT, R, TEXT, ",\"max_output_tokens\":300", "300", C | A | G, 0, 0, NULL},
    {SAMPLING, C, TEXT, ",\"temperature\":0.5", "\"temperature\":0.5", R | A | G, 0, 0, NULL},
    {SAMPLING, C, TEXT, ",\"top_p\":0.5", "\"top_p\":0.5", R | A | G, 0, 0, NULL},
    {SAMPLING, R, TEXT, ",\"temperature\":0.5", "\"temperature\":0.5", C | A | G, 0, 0, NULL},
    {TOP_K, A, TEXT, ",\"top_k\":5", "\"top_k\":5", G, 0, 0, "top_k"},
    {TOP_K, G, PARTS, ",\"generationConfig\":{\"topK\":5}", "\"topK\":5", A, 0, 0,
     "generationConfig.topK"},
    {STOPS, C, TEXT, ",\"stop\":\"END\"", "\"END\"", A | G, 0, 0, NULL},
    {STOPS, A, TEXT, ",\"stop_sequences\":[\"END\"]", "\"stop_sequences\":[\"END\"]", C | G, 0, 0,
     NULL},
    {SEED, C, TEXT, ",\"seed\":7", "\"seed\":7", G, 0, 0, "seed"},
    {SEED, G, PARTS, ",\"generationConfig\":{\"seed\":5}", "\"seed\":5", C, 0, 0,
     "generationConfig.seed"},
    {PENALTIES, C, TEXT, ",\"presence_penalty\":0.5", "\"presence_penalty\":0.5", G, 0, 0,
     "presence_penalty"},
    {PENALTIES, C, TEXT, ",\"frequency_penalty\":0.5", "\"frequency_penalty\":0.5", G, 0, 0,
     "frequency_penalty"},
    {PENALTIES, G, PARTS, ",\"generationConfig\":{\"presencePenalty\":0.5}",
     "\"presencePenalty\":0.5", C, 0, 0, "generationConfig.presencePenalty"},
    {ANSWERS, C, TEXT, ",\"n\":2", "\"n\":2", 0, 0, R | A | G, NULL},
    {ANSWERS, G, PARTS, ",\"generationConfig\":{\"candidateCount\":2}", "\"candidateCount\":2", 0,
     0, C | R | A, NULL},
    {LOGPROBS, C, TEXT, ",\"logprobs\":true", "logprobs", 0, 0, R | A | G, NULL},
    {LOGPROBS, G, PARTS, ",\"generationConfig\":{\"responseLogprobs\":true}", "responseLogprobs",
     0, 0, C | R | A, NULL},
    {BIAS, C, TEXT, ",\"logit_bias\":{\"1\":1}", "logit_bias", 0, 0, R | A | G, NULL},
    {SCHEMA, C, TEXT,
     ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"sch"
     "ema\":{\"type\":\"object\"}}}", "\"schema\":{\"type\":\"object\"}", R | A | G, 0, 0, NULL},
    {SCHEMA, R, TEXT,
     ",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"s\",\"schema\":{\"type\":"
     "\"object\"}}}", "\"schema\":{\"type\":\"object\"}", C | A | G, 0, 0, NULL},
    {JSON, C, TEXT, ",\"response_format\":{\"type\":\"json_object\"}", "json_object", R | G, 0, 0,
     NULL},
    {JSON, R, TEXT, ",\"text\":{\"format\":{\"type\":\"json_object\"}}", "json_object", C | G, 0,
     0, NULL},
    {THINKING, C, TEXT, ",\"reasoning_effort\":\"high\"", "\"reasoning_effort\":\"high\"",
     R | A | G, 0, 0, NULL},
    {THINKING, R, TEXT, ",\"reasoning\":{\"effort\":\"low\"}", "\"effort\":\"low\"", C | A | G, 0,
     0, NULL},
    {VERBOSITY, C, TEXT, ",\"verbosity\":\"low\"", "\"verbosity\":\"low\"", R, 0, 0, "verbosity"},
    {VERBOSITY, R, TEXT, ",\"text\":{\"verbosity\":\"low\"}", "\"verbosity\":\"low\"", C, 0, 0,
     "text.verbosity"},
    {USER, C, TEXT, ",\"user\":\"u-1\"", "\"u-1\"", R | A, 0, 0, "user"},
    {USER, A, TEXT, ",\"metadata\":{\"user_id\":\"u-1\"}", "\"u-1\"", C | R, 0, 0,
     "metadata.user_id"},
    {TIER, C, TEXT, ",\"service_tier\":\"priority\"", "\"service_tier\":\"priority\"", R | G, 0, 0,
     NULL},
    {TIER, R, TEXT, ",\"service_tier\":\"priority\"", "\"service_tier\":\"priority\"", C | G, 0, 0,
     NULL},
    {CACHE_KEY, C, TEXT, ",\"prompt_cache_key\":\"k-1\"", "\"k-1\"", R, 0, 0, "prompt_cache_key"},
    {CACHE_KEY, R, TEXT, ",\"prompt_cache_key\":\"k-1\"", "\"k-1\"", C, 0, 0, "prompt_cache_key"},
    {MARKS, A, "[{\"type\":\"text\",\"text\":\"hi\",\"cache_control\":{\"type\":\"ephemeral\"}}]",
     "", "cache_control", 0, 0, 0, "cache_control"},
    {MARKS, C, "[{\"type\":\"text\",\"text\":\"hi\",\"cache_control\":{\"type\":\"ephemeral\"}}]",
     "", "cache_control", 0, A, 0, "prompt_cache_breakpoint"},
    {SAFETY, G, PARTS,
     ",\"safetySettings\":[{\"category\":\"HARM_CATEGORY_HARASSMENT\",\"threshold\":\"OFF\"}]",
     "safetySettings", 0, 0, 0, "safetySettings"},
    {HINTS, C, TEXT, ",\"prediction\":{\"type\":\"content\",\"content\":\"x\"}", "prediction", 0,
     0, 0, "prediction"},
    {HINTS, C, TEXT, ",\"store\":true", "store", 0, 0, 0, "store"},
    {HINTS, C, TEXT, ",\"metadata\":{\"a\":\"b\"}", "metadata", 0, 0, 0, "metadata"},
    {HINTS, A, TEXT, ",\"context_management\":{\"edits\":[]}", "context_management", 0, 0, 0,
     "context_management"},
    {HINTS, R, TEXT, ",\"metadata\":{\"a\":\"b\"}", "metadata", 0, 0, 0, "metadata"},
    {STATE, R, TEXT, ",\"background\":true", "background", 0, 0, C | A | G, NULL},
    {STATE, R, TEXT, ",\"previous_response_id\":\"resp_1\"", "resp_1", 0, 0, C | A | G, NULL},
    {STATE, G, PARTS, ",\"cachedContent\":\"c\"", "cachedContent", 0, 0, C | R | A, NULL},
};
/* clang-format on */

static struct arena *arena;

static void setup(void)
{
    arena = arena_new(ARENA_MAX);
    ck_assert_ptr_nonnull(arena);
}

static void teardown(void)
{
    arena_free(arena);
}

static int index_of(int client)
{
    return client == C ? 0 : client == R ? 1 : client == A ? 2 : 3;
}

/* The body for the provider, in the arena; NULL: refused. */
static const char *go(int from, int to, const char *body, struct exchange *x)
{
    struct capability *capability = arena_alloc(arena, sizeof(*capability));
    struct format_call call = {.body = slice_of(body)};
    const char *text = NULL;
    struct buf out;
    enum err e;

    ck_assert_ptr_nonnull(capability);
    *capability = exchange_capability(formats[to]);
    if (from == index_of(G))
        call.model = SLICE(EXCHANGE_PUBLIC);
    buf_init(&out, TEXT_MAX);
    e = exchange_open(x, arena, formats[from], formats[to], &call, capability, false);
    if (!e)
        e = exchange_request(x, &out);
    ck_assert(!e || e == ERR_BAD_REQUEST);
    if (!e)
        text = arena_copy(arena, buf_slice(&out));
    buf_clear(&out);
    return text;
}

static bool is_dropped(const struct exchange *x, const char *name)
{
    const struct drops *drops = exchange_drops(x);
    size_t i;

    for (i = 0; i < drops->n; i++)
        if (strcmp(drops->names[i], name) == 0)
            return true;
    return false;
}

/* One row by way of one format. */
static void check_way(int row, int via)
{
    int client = index_of(rows[row].client), bit = 1 << via;
    const char *there, *back = "";
    struct exchange x, y;
    const char *body =
        arena_printf(arena, "%s%s}]%s}", heads[client], rows[row].content, rows[row].members);

    there = go(client, via, body, &x);
    ck_assert_msg((there == NULL) == ((rows[row].refused & bit) != 0), "%s by %s: %s", body,
                  formats[via]->name, there ? there : x.fault.text);
    if (!there)
        return;
    if (rows[row].sent & bit) {
        ck_assert_msg(strstr(there, rows[row].kept), "%s by %s is sent as %s", body,
                      formats[via]->name, there);
        return;
    }
    back = go(via, client, there, &y);
    ck_assert_msg(back, "%s came to %s as %s and is refused: %s", body, formats[via]->name, there,
                  y.fault.text);
    ck_assert_msg((strstr(back, rows[row].kept) != NULL) == ((rows[row].carried & bit) != 0),
                  "%s by %s as %s came back as %s", body, formats[via]->name, there, back);
    if ((rows[row].carried & bit) == 0 && rows[row].dropped)
        ck_assert_msg(is_dropped(&x, rows[row].dropped), "%s by %s: %s is not listed as dropped",
                      body, formats[via]->name, rows[row].dropped);
}

START_TEST(a_request_loses_what_is_published_and_nothing_else)
{
    int via;

    for (via = 0; via < FORMATS; via++)
        if (1 << via != rows[_i].client)
            check_way(_i, via);
}
END_TEST

START_TEST(search_options_of_chat_become_a_tool_of_responses)
{
    static const struct {
        const char *options, *tool;
    } cases[] = {
        {"{}",                                                                                  "{\"type\":\"web_search\"}"},
        {"{\"search_context_size\":\"low\",\"user_location\":null}",
         "{\"type\":\"web_search\",\"search_context_size\":\"low\"}"                                                       },
        {"{\"user_location\":{\"type\":\"approximate\",\"approximate\":{ }}}",
         "{\"type\":\"web_search\"}"                                                                                       },
        {"{\"user_location\":{\"type\":\"approximate\",\"approximate\":{\"city\":\"Paris\"}}}",
         "{\"type\":\"web_search\",\"user_location\":{\"type\":\"approximate\",\"city\":\"Paris\"}"
         "}"                                                                                                               },
    };
    struct exchange x;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *body = arena_printf(arena, "%s" TEXT "}],\"web_search_options\":%s}", heads[0],
                                        cases[i].options);
        const char *there = go(index_of(C), index_of(R), body, &x);

        ck_assert(there != NULL);
        ck_assert_msg(strstr(there, arena_printf(arena, "\"tools\":[%s]", cases[i].tool)), "%s: %s",
                      cases[i].options, there);
    }
}
END_TEST

/* ---- the published table ---- */

#define TABLE     "htdocs/docs/translation.md"
#define TABLE_MAX ((size_t)64 << 10)
#define WORD_MAX  64

/* What a row says of a target, in the word that begins the table's cell. */
static const char *word_of(int row, int to)
{
    int bit = 1 << to;

    if (rows[row].refused & bit)
        return "refused";
    if ((rows[row].carried | rows[row].sent) & bit)
        return "carried";
    return rows[row].dropped ? "dropped" : "emulated";
}

/* "varies" with the client's format; "-" when no other format can say it. */
static const char *said_of(int topic, int to)
{
    const char *word = "-";
    int i;

    for (i = 0; i < ROWS(rows); i++) {
        if ((int)rows[i].topic != topic || rows[i].client == 1 << to)
            continue;
        if (*word != '-' && strcmp(word, word_of(i, to)) != 0)
            return "varies";
        word = word_of(i, to);
    }
    return word;
}

static const char *read_table(void)
{
    char *text = arena_alloc(arena, TABLE_MAX);
    FILE *f = fopen(TABLE, "re");

    ck_assert_msg(f && text, "%s: run from the root of the tree", TABLE);
    text[fread(text, 1, TABLE_MAX - 1, f)] = 0;
    fclose(f);
    return text;
}

START_TEST(the_published_table_says_what_is_lost)
{
    char head[WORD_MAX * 2], word[WORD_MAX];
    const char *cell;
    int to;

    ck_assert_int_lt(snprintf(head, sizeof(head), "\n| %s |", topics[_i]), (int)sizeof(head));
    cell = strstr(read_table(), head);
    ck_assert_msg(cell, "no row %s", topics[_i]);
    cell += strlen(head);
    for (to = 0; to < FORMATS; to++) {
        ck_assert_int_eq(sscanf(cell, " %63[a-z-]", word), 1);
        ck_assert_msg(strcmp(word, said_of(_i, to)) == 0, "%s to %s: %s, not %s", topics[_i],
                      formats[to]->name, said_of(_i, to), word);
        cell = strchr(cell, '|') + 1;
    }
}
END_TEST

START_TEST(the_published_table_says_nothing_else)
{
    const char *line = strstr(read_table(), "\n| --- |");
    int n = 0;

    ck_assert_ptr_nonnull(line);
    for (line = strchr(line + 1, '\n') + 1; *line == '|'; line = strchr(line, '\n') + 1)
        n++;
    ck_assert_int_eq(n, TOPICS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("round_trip");
    TCase *tcase = tcase_create("round_trip");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_request_loses_what_is_published_and_nothing_else, 0, ROWS(rows));
    tcase_add_test(tcase, search_options_of_chat_become_a_tool_of_responses);
    tcase_add_loop_test(tcase, the_published_table_says_what_is_lost, 0, TOPICS);
    tcase_add_test(tcase, the_published_table_says_nothing_else);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
