/* Requests through both halves of a translation: a client's request in this format is decoded, and
 * what came of it encoded for a provider of the same format, as if another vendor's client had sent
 * it. What the format has no words for is set in between. */
#include "upstream/anthropic.h"
#include "upstream/translate.h"

#include "base/buf.h"
#include "tests/unit/format_suite.h"

#include <check.h>
#include <string.h>

#define HI     "{\"role\":\"user\",\"content\":\"hi\"}"
#define HI_OUT "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}"

/* A client's body, and a provider's. */
#define IN(more)   "{\"model\":\"m\",\"max_tokens\":4000,\"messages\":[" HI "]" more "}"
#define TALK(list) "{\"model\":\"m\",\"max_tokens\":4000,\"messages\":[" list "]}"
#define OUT(front, more)                                                                           \
    "{\"model\":\"up-m\",\"max_tokens\":4000" front ",\"messages\":[" HI_OUT "]" more "}"
#define OUT_TALK(list) "{\"model\":\"up-m\",\"max_tokens\":4000,\"messages\":[" list "]}"

static const struct format *const format = &format_anthropic;

typedef void change_fn(struct canon *c, struct capability *cap);

/* What a request became: body (NULL when refused), names left out, the fault. */
struct outcome {
    enum err e;
    const char *body;
    char dropped[512];
    struct fault fault;
    struct plan plan;
    struct canon canon;
};

static enum err run_in(struct arena *a, const char *body, change_fn *change, struct outcome *o,
                       struct buf *out)
{
    struct capability *cap = arena_alloc(a, sizeof(*cap));
    struct format_request in;
    enum err e;

    if (!cap)
        return ERR_MEMORY;
    *cap = capability_default;
    cap->think = THINK_STYLE_ADAPTIVE;
    e = format->read_request(&(struct format_call){.body = slice_of(body)}, a, &in, &o->fault);
    if (e)
        return e;
    canon_init(&o->canon, a, VENDOR_ANTHROPIC, NULL);
    e = format->decode_request(&o->canon, &in, &o->fault);
    if (e)
        return e;
    if (change)
        change(&o->canon, cap);
    o->plan = (struct plan){.arena = a,
                            .model = "up-m",
                            .capability = cap,
                            .output_max_inject = -1,
                            .drops = o->canon.drops,
                            .fault = &o->fault};
    tool_names_init(&o->plan.names, a);
    e = canon_prepare(&o->canon, &o->plan, VENDOR_ANTHROPIC);
    return e ? e : format->encode_request(&o->canon, &o->plan, out);
}

static struct outcome run(const char *body, change_fn *change)
{
    struct outcome o = {0};
    struct buf out;
    size_t i;

    buf_init(&out, 1 << 20);
    o.e = run_in(arena, body, change, &o, &out);
    ck_assert(o.e == ERR_OK || o.e == ERR_BAD_REQUEST);
    if (!o.e)
        o.body = arena_copy(arena, buf_slice(&out));
    buf_reset(&out);
    for (i = 0; i < o.plan.drops.n; i++)
        ck_assert_int_eq(buf_printf(&out, "%s%s", i ? "," : "", o.plan.drops.names[i]), ERR_OK);
    (void)slice_copy_z(o.dropped, sizeof(o.dropped), buf_slice(&out));
    buf_clear(&out);
    return o;
}

/* ---- changes ---- */

static void budget(struct canon *c, struct capability *cap)
{
    (void)c;
    cap->think = THINK_STYLE_BUDGET;
}

static void budget_no_limit(struct canon *c, struct capability *cap)
{
    budget(c, cap);
    c->max_out = -1;
}

static void cannot_think(struct canon *c, struct capability *cap)
{
    (void)c;
    cap->think = THINK_STYLE_NONE;
}

static void thinks_always(struct canon *c, struct capability *cap)
{
    (void)c;
    cap->thinks_always = true;
    cap->has_forced_tools = false;
    cap->has_system_turns = true;
}

static void between_tools(struct canon *c, struct capability *cap)
{
    (void)c;
    cap->thinks_between_tools = true;
}

static void no_sampling(struct canon *c, struct capability *cap)
{
    (void)c;
    cap->has_sampling = false;
}

static void no_forced(struct canon *c, struct capability *cap)
{
    (void)c;
    cap->has_forced_tools = false;
}

static void no_schema(struct canon *c, struct capability *cap)
{
    cap->has_schema = false;
    if (c->tools_n)
        c->tools[0].strict = 1;
    if (c->format.kind == OUTPUT_SCHEMA)
        c->format.name = SLICE("weather");
}

static void no_schema_no_forced(struct canon *c, struct capability *cap)
{
    no_schema(c, cap);
    no_forced(c, cap);
}

static void system_turns(struct canon *c, struct capability *cap)
{
    (void)c;
    cap->has_system_turns = true;
}

static void prefill(struct canon *c, struct capability *cap)
{
    (void)c;
    cap->has_prefill = true;
}

static void text_only(struct canon *c, struct capability *cap)
{
    (void)c;
    cap->input = MODALITY_TEXT;
}

static void no_tools(struct canon *c, struct capability *cap)
{
    (void)c;
    cap->has_tools = false;
}

static void small_model(struct canon *c, struct capability *cap)
{
    (void)c;
    cap->output_max = 1000;
}

static void no_limit(struct canon *c, struct capability *cap)
{
    (void)cap;
    c->max_out = -1;
}

static void json(struct canon *c, struct capability *cap)
{
    (void)cap;
    c->format.kind = OUTPUT_JSON;
}

static void many_hints(struct canon *c, struct capability *cap)
{
    (void)cap;
    c->seed = c->presence = c->frequency = SLICE("1");
    c->verbosity = c->cache_key = SLICE("x");
    c->tier = TIER_FLEX;
    c->turns[0].name = SLICE("joe");
}

static void two_choices(struct canon *c, struct capability *cap)
{
    (void)cap;
    c->choices = 2;
}

static void logprobs(struct canon *c, struct capability *cap)
{
    (void)cap;
    c->wants_logprobs = true;
}

static void speech(struct canon *c, struct capability *cap)
{
    (void)cap;
    c->modalities = MODALITY_TEXT | MODALITY_AUDIO;
}

static void subset_of_b(struct canon *c, struct capability *cap)
{
    static struct slice names[] = {
        {"b", 1}
    };

    (void)cap;
    c->choice = CHOICE_SUBSET;
    c->choice_names = names;
    c->choice_names_n = 1;
    c->choice_is_any = true;
}

static void custom_tool(struct canon *c, struct capability *cap)
{
    struct tool *t = canon_add_tool(c, TOOL_CUSTOM, "tools[0]");

    (void)cap;
    t->name = SLICE("run it");
    t->description = SLICE("Runs.");
    t->grammar = SLICE("{\"type\":\"grammar\",\"grammar\":{\"syntax\":\"lark\",\"definition\":"
                       "\"start: \\\"a\\\"\"}}");
}

static void foreign_search(struct canon *c, struct capability *cap)
{
    struct tool *t = canon_add_tool(c, TOOL_HOSTED, "tools[0]");

    (void)cap;
    t->vendor = VENDOR_GEMINI;
    t->hosted = SLICE("googleSearch");
    t->is_web_search = true;
}

static void foreign_optional(struct canon *c, struct capability *cap)
{
    foreign_search(c, cap);
    c->tools[0].is_optional = true;
}

static void foreign_shell(struct canon *c, struct capability *cap)
{
    foreign_search(c, cap);
    c->tools[0].hosted = SLICE("local_shell");
    c->tools[0].is_web_search = false;
}

static void voice(struct canon *c, struct capability *cap)
{
    struct part *p = turn_add_part(c, &c->turns[0], PART_AUDIO, "messages[0].content[1]");

    (void)cap;
    p->media = (struct media){.data = SLICE("AAAA"), .mime = SLICE("audio/wav")};
}

static void text_file(struct canon *c, struct capability *cap)
{
    struct part *p = turn_add_part(c, &c->turns[0], PART_FILE, "messages[0].content[1]");

    (void)cap;
    p->media = (struct media){.data = SLICE("aMOkbGxv"), /* "hällo" in UTF-8 */
                              .mime = SLICE("text/markdown; charset=utf-8"),
                              .name = SLICE("a.md")};
}

static void broken_text_file(struct canon *c, struct capability *cap)
{
    text_file(c, cap);
    c->turns[0].parts[1].media.data = SLICE("/////w==");
}

static void odd_arguments(struct canon *c, struct capability *cap)
{
    (void)cap;
    c->turns[1].parts[0].text = SLICE("[1");
    c->turns[1].parts[1].text = SLICE("ls -l");
    c->turns[1].parts[1].is_custom = true;
}

static void refusal(struct canon *c, struct capability *cap)
{
    (void)cap;
    c->turns[1].parts[0].kind = PART_REFUSAL;
}

static void marks(struct canon *c, struct capability *cap)
{
    static const enum cache_mark kinds[] = {CACHE_1H, CACHE_12H, CACHE_30M, CACHE_1H, CACHE_5M};
    size_t i;

    (void)cap;
    for (i = 0; i < 5; i++)
        c->turns[0].parts[i].cache = kinds[i];
}

/* ---- what goes out ---- */

#define TOOLS             ",\"tools\":[{\"name\":\"a\",\"description\":\"d\"},{\"name\":\"b\"}]"
#define TOOL_A            "{\"name\":\"a\",\"description\":\"d\",\"input_schema\":" EMPTY "}"
#define TOOL_B            "{\"name\":\"b\",\"input_schema\":" EMPTY "}"
#define EMPTY             "{\"type\":\"object\",\"properties\":{}}"
#define AB_OUT            ",\"tools\":[" TOOL_A "," TOOL_B "]"
#define ANY               ",\"tool_choice\":{\"type\":\"any\"}"
#define ONE_B             ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"b\"}"
#define OFF               ",\"thinking\":{\"type\":\"disabled\"}"
#define SHOWN             ",\"thinking\":{\"type\":\"adaptive\",\"display\":\"summarized\"}"
#define ON(n)             ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":" #n "}"
#define EFFORT(w)         ",\"output_config\":{\"effort\":\"" w "\"}"
#define SCHEMA            "{\"type\":\"object\",\"properties\":{\"t\":{\"type\":\"number\"}}}"
#define FORMAT            ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":" SCHEMA "}}"
#define SYSTEM_LINE(text) "{\"type\":\"text\",\"text\":\"<system>\\n" text "\\n</system>\"}"
#define HI_AND(block)                                                                              \
    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}," block "]}"

/* clang-format off */
static const struct {
    const char *in;
    change_fn *change;
    const char *out, *dropped;
} goldens[] = {
    {IN(""), NULL, OUT("", ""), ""},
    {IN(",\"stream\":true,\"metadata\":{\"user_id\":\"u\"},\"service_tier\":\"standard_only\""),
     NULL, OUT("", ",\"metadata\":{\"user_id\":\"u\"},\"service_tier\":\"standard_only\","
                   "\"stream\":true"), ""},
    {IN(""), no_limit, "{\"model\":\"up-m\",\"max_tokens\":8192,\"messages\":[" HI_OUT "]}", ""},
    {IN(""), small_model, "{\"model\":\"up-m\",\"max_tokens\":1000,\"messages\":[" HI_OUT "]}", ""},
    {IN(",\"context_management\":{},\"speed\":\"fast\",\"inference_geo\":null"), NULL,
     OUT("", ""), "context_management,speed"},
    /* sampling */
    {IN(",\"temperature\":0.50,\"top_k\":5"), NULL,
     OUT("", ",\"temperature\":0.50,\"top_k\":5"), ""},
    {IN(",\"temperature\":1.7,\"top_p\":0.5"), NULL, OUT("", ",\"temperature\":1"), "top_p"},
    {IN(",\"top_p\":0.5"), NULL, OUT("", ",\"top_p\":0.5"), ""},
    {IN(",\"temperature\":0,\"top_p\":1,\"top_k\":1"), no_sampling, OUT("", ""),
     "temperature,top_p,top_k"},
    {IN(",\"temperature\":0.2,\"top_p\":0.97,\"top_k\":1,\"thinking\":{\"type\":\"adaptive\"}"),
     NULL, OUT("", SHOWN ",\"top_p\":0.97"), "temperature,top_k"},
    {IN(",\"stop_sequences\":[\"a\",\" \\n\",\"b\"]"), NULL,
     OUT("", ",\"stop_sequences\":[\"a\",\"b\"]"), "stop_sequences"},
    {IN(""), many_hints, OUT("", ""),
     "seed,presence_penalty,frequency_penalty,verbosity,prompt_cache_key,service_tier,name"},
    /* thinking */
    {IN(",\"thinking\":{\"type\":\"adaptive\",\"display\":\"omitted\"},\"output_config\":{"
        "\"effort\":\"xhigh\",\"task_budget\":1}"), NULL,
     OUT("", ",\"thinking\":{\"type\":\"adaptive\",\"display\":\"omitted\"}" EFFORT("xhigh")),
     "output_config.task_budget"},
    {IN(",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}"), NULL,
     OUT("", SHOWN EFFORT("low")), ""},
    {IN(",\"thinking\":{\"type\":\"disabled\"}"), NULL, OUT("", OFF), ""},
    {IN(",\"thinking\":{\"type\":\"between_tools\"}"), between_tools,
     OUT("", ",\"thinking\":{\"type\":\"between_tools\"}"), ""},
    {IN(""), thinks_always, OUT("", SHOWN), ""},
    {IN(",\"thinking\":{\"type\":\"disabled\"}"), thinks_always, OUT("", SHOWN EFFORT("low")), ""},
    {IN(",\"thinking\":{\"type\":\"adaptive\"}"), cannot_think, OUT("", ""), "thinking"},
    {IN(",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}"), budget,
     OUT("", ON(2000)), ""},
    {IN(",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":9000}"), budget,
     OUT("", ON(3999)), ""},
    {IN(",\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"max\"}"), budget,
     OUT("", ON(2976)), ""},
    {IN(",\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"low\"}"), budget,
     OUT("", ON(1024)), ""},
    {IN(",\"thinking\":{\"type\":\"adaptive\"}"), budget_no_limit,
     "{\"model\":\"up-m\",\"max_tokens\":8192,\"messages\":[" HI_OUT "]" ON(6144) "}", ""},
    {"{\"model\":\"m\",\"max_tokens\":1024,\"messages\":[" HI
     "],\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"high\"}}", budget,
     "{\"model\":\"up-m\",\"max_tokens\":1024,\"messages\":[" HI_OUT "]" OFF "}", "thinking"},
    {IN(",\"thinking\":{\"type\":\"disabled\"}"), budget, OUT("", OFF), ""},
    {IN(""), budget, OUT("", ""), ""},
    /* tools and their choice */
    {IN(TOOLS), NULL, OUT(AB_OUT, ""), ""},
    {IN(TOOLS ",\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true}"), NULL,
     OUT(AB_OUT ",\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true}", ""), ""},
    {IN(TOOLS ",\"tool_choice\":{\"type\":\"none\"}"), NULL,
     OUT(AB_OUT ",\"tool_choice\":{\"type\":\"none\"}", ""), ""},
    {IN(TOOLS ",\"tool_choice\":{\"type\":\"any\"}"), NULL, OUT(AB_OUT ANY, OFF), ""},
    {IN(TOOLS ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"b\"},\"thinking\":{\"type\":"
              "\"adaptive\"}"), NULL, OUT(AB_OUT ONE_B, OFF), "thinking"},
    {IN(TOOLS ",\"tool_choice\":{\"type\":\"any\"}"), budget, OUT(AB_OUT ANY, ""), ""},
    {IN(TOOLS ",\"tool_choice\":{\"type\":\"any\"},\"thinking\":{\"type\":\"enabled\","
              "\"budget_tokens\":2000}"), budget, OUT(AB_OUT ANY, OFF), "thinking"},
    {IN(TOOLS ",\"tool_choice\":{\"type\":\"any\"}"), no_forced,
     "{\"model\":\"up-m\",\"max_tokens\":4000" AB_OUT ",\"tool_choice\":{\"type\":\"auto\"},"
     "\"messages\":[" HI_AND(SYSTEM_LINE("You must call a tool.")) "]}", ""},
    {IN(TOOLS ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"b\"}"), thinks_always,
     "{\"model\":\"up-m\",\"max_tokens\":4000" AB_OUT ",\"tool_choice\":{\"type\":\"auto\"},"
     "\"messages\":[" HI_OUT ",{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"You must call the tool b.\"}]}]" SHOWN "}", ""},
    {IN(TOOLS), subset_of_b, OUT(",\"tools\":[" TOOL_B "]" ANY, OFF), ""},
    {IN(",\"tools\":[{\"type\":\"custom\",\"name\":\"bad name\",\"input_schema\":{\"properties\":{}},"
        "\"strict\":true,\"defer_loading\":true,\"cache_control\":{\"type\":\"ephemeral\"},"
        "\"input_examples\":[{}]}]"), NULL,
     OUT(",\"tools\":[{\"name\":\"bad_name\",\"input_schema\":{\"type\":\"object\",\"properties\":"
         "{}},\"strict\":true,\"cache_control\":{\"type\":\"ephemeral\"}}]", ""),
     "tools.input_examples"},
    {IN(TOOLS), no_schema, OUT(AB_OUT, ""), "tools.strict"},
    {IN(""), custom_tool,
     OUT(",\"tools\":[{\"name\":\"run_it\",\"description\":\"Runs.\\n\\nThe input must follow this "
         "grammar (lark):\\nstart: \\\"a\\\"\",\"input_schema\":{\"type\":\"object\",\"properties\":"
         "{\"input\":{\"type\":\"string\"}},\"required\":[\"input\"]}}]", ""), ""},
    {IN(""), foreign_search,
     OUT(",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]", ""), ""},
    {IN(""), foreign_optional, OUT("", ""), "googleSearch"},
    {IN(",\"tools\":[{\"type\":\"web_fetch_1\",\"name\":\"web_fetch\"}]"), NULL,
     OUT(",\"tools\":[{\"type\":\"web_fetch_1\",\"name\":\"web_fetch\"}]", ""), ""},
    /* structured output */
    {IN(FORMAT), NULL, OUT("", FORMAT), ""},
    {IN(",\"output_format\":{\"type\":\"json_schema\",\"schema\":" SCHEMA "}"), NULL,
     OUT("", FORMAT), ""},
    {IN(FORMAT), no_schema,
     OUT(",\"tools\":[{\"name\":\"weather\",\"description\":\"Gives the final answer. Call this when "
         "you are ready to answer.\",\"input_schema\":" SCHEMA "}],\"tool_choice\":{\"type\":"
         "\"tool\",\"name\":\"weather\",\"disable_parallel_tool_use\":true}", OFF), ""},
    {IN(TOOLS FORMAT), no_schema,
     OUT(",\"tools\":[" TOOL_A "," TOOL_B ",{\"name\":\"weather\",\"description\":\"Gives the final "
         "answer. Call this when you are ready to answer.\",\"input_schema\":" SCHEMA "}]" ANY, OFF),
     "tools.strict"},
    {IN(FORMAT), no_schema_no_forced,
     "{\"model\":\"up-m\",\"max_tokens\":4000,\"tools\":[{\"name\":\"weather\",\"description\":"
     "\"Gives the final answer. Call this when you are ready to answer.\",\"input_schema\":" SCHEMA
     "}],\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true},\"messages\":["
     HI_AND(SYSTEM_LINE("You must call the tool weather to answer.")) "]}", ""},
    {IN(""), json,
     OUT(",\"system\":[{\"type\":\"text\",\"text\":\"Answer with one valid JSON object only, without "
         "any other text around it.\"}]", ""), ""},
    /* system */
    {IN(",\"system\":\"S\""), NULL, OUT(",\"system\":[{\"type\":\"text\",\"text\":\"S\"}]", ""), ""},
    {IN(",\"system\":[{\"type\":\"text\",\"text\":\"x-anthropic-billing-header: a=1\"},{\"type\":"
        "\"text\",\"text\":\"S\",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}]"), NULL,
     OUT(",\"system\":[{\"type\":\"text\",\"text\":\"S\",\"cache_control\":{\"type\":\"ephemeral\","
         "\"ttl\":\"1h\"}}]", ""), "x-anthropic-billing-header"},
    {IN(",\"system\":\" \""), NULL, OUT("", ""), ""},
    {TALK(HI ",{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"system\",\"content\":[{"
             "\"type\":\"text\",\"text\":\"S\"}],\"output_config\":{\"effort\":\"low\"}}," HI), NULL,
     "{\"model\":\"up-m\",\"max_tokens\":4000,\"messages\":[" HI_OUT
     ",{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},{\"role\":\"user\","
     "\"content\":[" SYSTEM_LINE("S") ",{\"type\":\"text\",\"text\":\"hi\"}]}]" SHOWN EFFORT("low")
     "}", ""},
    {TALK(HI ",{\"role\":\"system\",\"content\":\"S\"}," HI), system_turns,
     OUT_TALK(HI_OUT ",{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"S\"}]}," HI_OUT),
     ""},
    {TALK("{\"role\":\"system\",\"content\":\"S\"}"), NULL,
     OUT_TALK("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"S\"}]}"), ""},
    /* turns */
    {TALK("{\"role\":\"assistant\",\"content\":\"a\"}," HI "," HI), NULL,
     OUT_TALK("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\".\"}]},{\"role\":"
              "\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},"
              HI_AND("{\"type\":\"text\",\"text\":\"hi\"}")), ""},
    {TALK(HI ",{\"role\":\"assistant\",\"content\":\" a \\n\"}"), prefill,
     "{\"model\":\"up-m\",\"max_tokens\":4000,\"messages\":[" HI_OUT
     ",{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\" a\"}]}]" OFF "}", ""},
    {TALK("{\"role\":\"user\",\"content\":\" \\n\"}"), NULL,
     OUT_TALK("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\".\"}]}"), ""},
    {TALK(HI ",{\"role\":\"assistant\",\"content\":\"no\"}," HI), refusal,
     OUT_TALK(HI_OUT ",{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"no\"}]},"
              HI_OUT), ""},
};
/* clang-format on */

START_TEST(a_request_becomes_the_providers)
{
    struct outcome o = run(goldens[_i].in, goldens[_i].change);

    ck_assert_msg(o.e == ERR_OK, "%s", o.fault.text);
    ck_assert_str_eq(o.body, goldens[_i].out);
    ck_assert_str_eq(o.dropped, goldens[_i].dropped);
}
END_TEST

/* ---- content ---- */

#define USER(blocks)     TALK("{\"role\":\"user\",\"content\":[" blocks "]}")
#define USER_OUT(blocks) OUT_TALK("{\"role\":\"user\",\"content\":[" blocks "]}")
#define T(text)          "{\"type\":\"text\",\"text\":\"" text "\"}"
#define IMAGE(mime, data)                                                                          \
    "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"" mime                   \
    "\",\"data\":\"" data "\"}}"
#define CALL(id, name, input)                                                                      \
    "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":" input "}"
#define RESULT(id, more)   "{\"type\":\"tool_result\",\"tool_use_id\":\"" id "\"" more "}"
#define MARK               ",\"cache_control\":{\"type\":\"ephemeral\"}"
#define MARKED(text, mark) "{\"type\":\"text\",\"text\":\"" text "\"" mark "}"

/* clang-format off */
static const struct {
    const char *in;
    change_fn *change;
    const char *out, *dropped;
} contents[] = {
    {USER(IMAGE("image/png", "AAAA")), NULL, USER_OUT(IMAGE("image/png", "AAAA")), ""},
    {USER(IMAGE("image/jpg", "AAAA")), NULL, USER_OUT(IMAGE("image/jpeg", "AAAA")), ""},
    {USER("{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"data\":\"iVBORw0KGgoA\"}}"), NULL,
     USER_OUT(IMAGE("image/png", "iVBORw0KGgoA")), ""},
    {USER("{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://a.test/\"}}"), NULL,
     USER_OUT("{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://a.test/\"}}"), ""},
    {USER("{\"type\":\"document\",\"title\":\"T\",\"source\":{\"type\":\"base64\",\"media_type\":"
          "\"application/pdf\",\"data\":\"AAAA\"},\"citations\":{\"enabled\":true}}"), NULL,
     USER_OUT("{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":"
              "\"application/pdf\",\"data\":\"AAAA\"},\"title\":\"T\"}"), "citations"},
    {USER("{\"type\":\"document\",\"source\":{\"type\":\"url\",\"url\":\"https://a.test/\"}}"), NULL,
     USER_OUT("{\"type\":\"document\",\"source\":{\"type\":\"url\",\"url\":\"https://a.test/\"}}"), ""},
    {USER("{\"type\":\"document\",\"title\":\"T\",\"context\":\"C\",\"source\":{\"type\":\"text\","
          "\"media_type\":\"text/plain\",\"data\":\"body\"}}"), NULL,
     USER_OUT(T("<document title=\\\"T\\\">\\nC\\n\\nbody\\n</document>")), ""},
    {USER("{\"type\":\"document\",\"source\":{\"type\":\"content\",\"content\":[" T("a") ","
          IMAGE("image/gif", "AAAA") "]}}"), NULL,
     USER_OUT(T("a") "," IMAGE("image/gif", "AAAA")), ""},
    {USER("{\"type\":\"search_result\",\"source\":\"S\",\"title\":\"T\",\"content\":[" T("a") ","
          T("b") "],\"citations\":{\"enabled\":false}}"), NULL,
     USER_OUT(T("<search_result title=\\\"T\\\" source=\\\"S\\\">\\na\\nb\\n</search_result>")), ""},
    {USER(T("hi")), text_file,
     USER_OUT(T("hi") ",{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":"
              "\"text/plain\",\"data\":\"h\xc3\xa4llo\"},\"title\":\"a.md\"}"), ""},
    {USER("{\"type\":\"text\",\"text\":\"a\",\"citations\":[{\"x\":1}]}"), NULL, USER_OUT(T("a")),
     "citations"},
    /* calls and results */
    {TALK(HI ",{\"role\":\"assistant\",\"content\":[" CALL("c1", "f", "{\"a\": 1}") "," CALL(
         "c2", "g", "{}") "]},{\"role\":\"user\",\"content\":[" RESULT("c1", ",\"content\":\"r\"") ","
         RESULT("c2", ",\"is_error\":true") "," T("go") "]}"), NULL,
     OUT_TALK(HI_OUT ",{\"role\":\"assistant\",\"content\":[" CALL("c1", "f", "{\"a\": 1}") ","
              CALL("c2", "g", "{}") "]},{\"role\":\"user\",\"content\":["
              RESULT("c1", ",\"content\":[" T("r") "]") "," RESULT("c2", ",\"is_error\":true") ","
              T("go") "]}"), ""},
    {TALK(HI ",{\"role\":\"assistant\",\"content\":[" CALL("c1", "f", "{}") "," CALL("c2", "g", "{}")
          "]},{\"role\":\"user\",\"content\":[" RESULT("c1", "") "," RESULT("c2", "") "]}"),
     odd_arguments,
     OUT_TALK(HI_OUT ",{\"role\":\"assistant\",\"content\":[" CALL("c1", "f", "{\"_raw\":\"[1\"}")
              "," CALL("c2", "g", "{\"input\":\"ls -l\"}") "]},{\"role\":\"user\",\"content\":["
              RESULT("c1", "") "," RESULT("c2", "") "]}"), ""},
    {TALK(HI ",{\"role\":\"assistant\",\"content\":[" CALL("c1", "f", "{}") "]},{\"role\":\"user\","
          "\"content\":[" RESULT("c1", ",\"content\":[{\"type\":\"tool_reference\",\"tool_name\":"
          "\"WebFetch\"},{\"type\":\"text\",\"text\":\"\"}," IMAGE("image/png", "AAAA") "]"
          MARK) "]}"), NULL,
     OUT_TALK(HI_OUT ",{\"role\":\"assistant\",\"content\":[" CALL("c1", "f", "{}") "]},{\"role\":"
              "\"user\",\"content\":[" RESULT("c1", ",\"content\":[" T("The tool WebFetch is available "
              "now.") "," IMAGE("image/png", "AAAA") "]" MARK) "]}"), ""},
    {TALK(HI ",{\"role\":\"assistant\",\"content\":[" CALL("c1", "f", "{}") "]}," HI), NULL,
     OUT_TALK(HI_OUT ",{\"role\":\"assistant\",\"content\":[" CALL("c1", "f", "{}") "]},{\"role\":"
              "\"user\",\"content\":[" RESULT("c1", ",\"content\":[" T("No result was recorded.")
              "],\"is_error\":true") "," T("hi") "]}"), ""},
    /* thinking that is this vendor's, redacted or not, and another one's */
    {TALK(HI ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\","
             "\"signature\":\"Eq\"},{\"type\":\"redacted_thinking\",\"data\":\"Rd\"}," T("a") "]}," HI),
     NULL,
     OUT_TALK(HI_OUT ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\","
              "\"signature\":\"Eq\"},{\"type\":\"redacted_thinking\",\"data\":\"Rd\"}," T("a") "]},"
              HI_OUT), ""},
    {TALK(HI ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\","
             "\"signature\":\"aip1.gemini.g.-..AA\"},{\"type\":\"thinking\",\"thinking\":\"t\","
             "\"signature\":\"aip1.none.\"}," T("a") "]}," HI), NULL,
     OUT_TALK(HI_OUT ",{\"role\":\"assistant\",\"content\":[" T("a") "]}," HI_OUT), ""},
    {TALK(HI ",{\"role\":\"assistant\",\"content\":[{\"type\":\"server_tool_use\",\"id\":\"s\"},"
             T("a") "]}," HI), NULL,
     OUT_TALK(HI_OUT ",{\"role\":\"assistant\",\"content\":[{\"type\":\"server_tool_use\",\"id\":"
              "\"s\"}," T("a") "]}," HI_OUT), "server_tool_use"},
    {TALK(HI ",{\"role\":\"assistant\",\"content\":[{\"type\":\"compaction\",\"content\":\"so far\"}]}"
             "," HI), NULL,
     OUT_TALK(HI_OUT ",{\"role\":\"assistant\",\"content\":[" T("so far") "]}," HI_OUT), ""},
    /* cache marks: the last four, and no hour after five minutes */
    {USER(T("a") "," T("b") "," T("c") "," T("d") "," T("e")), marks,
     USER_OUT(T("a") "," MARKED("b", ",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}") ","
              MARKED("c", MARK) "," MARKED("d", MARK) "," MARKED("e", MARK)), "cache_control"},
    {"{\"model\":\"m\",\"max_tokens\":4000,\"cache_control\":{\"type\":\"ephemeral\"},\"messages\":["
     HI "]}", NULL,
     USER_OUT(MARKED("hi", MARK)), ""},
};
/* clang-format on */

START_TEST(content_becomes_the_providers)
{
    struct outcome o = run(contents[_i].in, contents[_i].change);

    ck_assert_msg(o.e == ERR_OK, "%s", o.fault.text);
    ck_assert_str_eq(o.body, contents[_i].out);
    ck_assert_str_eq(o.dropped, contents[_i].dropped);
}
END_TEST

START_TEST(an_open_loop_of_tools_without_thinking_does_not_think)
{
    static const char loop[] =
        "{\"model\":\"m\",\"max_tokens\":4000,\"thinking\":{\"type\":"
        "\"enabled\",\"budget_tokens\":2000},\"messages\":[" HI
        ",{\"role\":\"assistant\",\"content\":[%s" CALL(
            "c", "f", "{}") "]},{\"role\":\"user\",\"content\":[" RESULT("c", "") "]}]}";
    struct outcome o = run(arena_printf(arena, loop, ""), budget);

    ck_assert_ptr_nonnull(strstr(o.body, OFF));
    ck_assert_str_eq(o.dropped, "thinking");
    o = run(arena_printf(arena, loop,
                         "{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"Eq\"},"),
            budget);
    ck_assert_ptr_nonnull(strstr(o.body, ON(2000)));
    ck_assert_str_eq(o.dropped, "");
}
END_TEST

START_TEST(an_emulated_tool_is_noted_for_the_way_back)
{
    struct outcome o = run(IN(""), custom_tool);
    const struct tool_name *name = tool_names_find(&o.plan.names, SLICE("run_it"));

    ck_assert_ptr_nonnull(name);
    ck_assert(name->is_custom && slice_eq_z(name->own, "run it"));
    o = run(IN(FORMAT), no_schema);
    ck_assert(slice_eq_z(o.plan.answer_tool, "weather"));
}
END_TEST

/* ---- what is refused ---- */

/* clang-format off */
static const struct {
    const char *in;
    change_fn *change;
    const char *text;
} faults[] = {
    {IN(""), two_choices, "n: not supported by this model"},
    {IN(""), logprobs, "logprobs: not supported by this model"},
    {IN(""), speech, "modalities: not supported by this model"},
    {IN(""), foreign_shell, "tools[0]: the tool local_shell is not supported by this model"},
    {IN(""), voice, "messages[0].content[1]: audio is not supported by this model"},
    {IN(""), broken_text_file, "messages[0].content[1]: expected base64 of UTF-8 text"},
    {IN(TOOLS), no_tools, "tools: not supported by this model"},
    {IN(TOOLS ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"c\"}"), NULL,
     "tool_choice: the tool c is not among the tools"},
    {IN(",\"tool_choice\":{\"type\":\"any\"}"), NULL, "tool_choice: there is no tool to call"},
    {TALK(HI ",{\"role\":\"assistant\",\"content\":\"a\"}"), NULL,
     "messages[1]: assistant prefill is not supported by this model"},
    {USER(IMAGE("image/bmp", "AAAA")), NULL,
     "messages[0].content[0]: images of type image/bmp are not supported by this model: expected "
     "image/jpeg, image/png, image/gif or image/webp"},
    {USER(IMAGE("image/png", "AAAA")), text_only,
     "messages[0].content[0]: images are not supported by this model"},
    {USER("{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":\"video/mp4\","
          "\"data\":\"AAAA\"}}"), NULL,
     "messages[0].content[0]: files of type video/mp4 are not supported by this model"},
    {USER("{\"type\":\"image\",\"source\":{\"type\":\"file\",\"file_id\":\"file_1\"}}"), NULL,
     "messages[0].content[0]: a file id of another provider cannot be used here"},
    {USER("{\"type\":\"image\",\"source\":{\"type\":\"base64\"}}"), NULL,
     "messages[0].content[0].data: required"},
    {USER("{\"type\":\"image\",\"source\":{\"type\":\"magic\"}}"), NULL,
     "messages[0].content[0]: unsupported type of source"},
    {USER("{\"type\":\"image\"}"), NULL, "messages[0].content[0].source.type: required"},
    {USER("{\"type\":\"hologram\"}"), NULL,
     "messages[0].content[0]: content of type hologram is not supported here"},
    {USER("{\"type\":\"tool_use\",\"id\":\"x\"}"), NULL,
     "messages[0].content[0]: content of type tool_use is not supported here"},
    {USER("{\"text\":\"x\"}"), NULL, "messages[0].content[0].type: required"},
    {USER("{\"type\":\"text\",\"text\":7}"), NULL, "messages[0].content[0].text: expected string"},
    {USER("7"), NULL, "messages[0].content[0]: expected object"},
    {TALK("{\"role\":\"robot\",\"content\":\"x\"}"), NULL,
     "messages[0].role: expected user, assistant or system"},
    {TALK("{\"role\":\"user\"}"), NULL, "messages[0].content: required"},
    {USER(RESULT("c", ",\"content\":[{\"type\":\"tool_use\"}]")), NULL,
     "messages[0].content[0].content[0]: content of type tool_use is not supported here"},
    {"{\"model\":\"m\",\"max_tokens\":0,\"messages\":[" HI "]}", NULL,
     "max_tokens: 0 is not supported by this model"},
    {IN(",\"container\":\"c\""), NULL, "container: not supported by this model"},
    {IN(",\"thread\":{}"), NULL, "thread: not supported by this model"},
    {IN(",\"mcp_servers\":[{}]"), NULL, "mcp_servers: not supported by this model"},
    {IN(",\"temperature\":\"1\""), NULL, "temperature: expected number"},
    {IN(",\"stop_sequences\":\"x\""), NULL, "stop_sequences: expected array"},
    {IN(",\"stop_sequences\":[7]"), NULL, "stop_sequences: expected string"},
    {IN(",\"thinking\":{}"), NULL, "thinking.type: required"},
    {IN(",\"thinking\":{\"type\":\"deep\"}"), NULL,
     "thinking.type: expected enabled, adaptive or disabled"},
    {IN(",\"thinking\":{\"type\":\"enabled\"}"), NULL,
     "thinking.budget_tokens: expected a positive integer"},
    {IN(",\"output_config\":[]"), NULL, "output_config: expected object"},
    {IN(",\"output_config\":{\"format\":{\"type\":\"xml\"}}"), NULL,
     "output_config.format: expected type json_schema and a schema"},
    {IN(",\"tools\":{}"), NULL, "tools: expected array"},
    {IN(",\"tools\":[7]"), NULL, "tools[0]: expected object"},
    {IN(",\"tools\":[{}]"), NULL, "tools[0].name: required"},
    {IN(",\"tools\":[{\"name\":7}]"), NULL, "tools[0].name: expected string"},
    {IN(",\"tool_choice\":{}"), NULL, "tool_choice.type: required"},
    {IN(",\"tool_choice\":{\"type\":\"must\"}"), NULL,
     "tool_choice.type: expected auto, any, tool or none"},
    {IN(",\"tool_choice\":{\"type\":\"tool\"}"), NULL, "tool_choice.name: required"},
    {IN(",\"system\":7"), NULL, "system: expected string or array"},
    {IN(",\"system\":[" IMAGE("image/png", "AAAA") "]"), NULL,
     "system[0]: content of type image is not supported here"},
};
/* clang-format on */

START_TEST(what_cannot_be_carried_is_refused_with_its_path)
{
    struct outcome o = run(faults[_i].in, faults[_i].change);

    ck_assert_int_eq(o.e, ERR_BAD_REQUEST);
    ck_assert_str_eq(o.fault.text, faults[_i].text);
}
END_TEST

START_TEST(what_a_client_sent_stands_in_the_canonical_request)
{
    struct outcome o =
        run(IN(",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"},{\"type\":"
               "\"bash_20250124\",\"name\":\"bash\"}],\"tool_choice\":{\"type\":\"auto\","
               "\"disable_parallel_tool_use\":true},\"thinking\":{\"type\":\"enabled\","
               "\"budget_tokens\":5,\"display\":\"summarized\"}"),
            NULL);
    const struct canon *c = &o.canon;

    ck_assert_int_eq(c->vendor, VENDOR_ANTHROPIC);
    ck_assert_int_eq(c->max_out, 4000);
    ck_assert_int_eq(c->parallel, 0);
    ck_assert_int_eq(c->think.mode, THINK_ON);
    ck_assert_int_eq(c->think.budget, 5);
    ck_assert_int_eq(c->think.show, 1);
    ck_assert_uint_eq(c->tools_n, 2);
    ck_assert(c->tools[0].kind == TOOL_HOSTED && c->tools[0].is_web_search &&
              c->tools[0].is_optional);
    ck_assert(c->tools[1].kind == TOOL_HOSTED && !c->tools[1].is_optional);
    ck_assert(slice_eq_z(c->tools[1].hosted, "bash_20250124"));
    ck_assert_str_eq(canon_field(c, FIELD_STOP), "stop_sequences");
}
END_TEST

START_TEST(memory_that_runs_out_is_told_at_each_allocation)
{
    /* clang-format off */
    static const char *const bodies[] = {
        IN(TOOLS FORMAT ",\"system\":\"S\\n\",\"x\":1"),
        TALK(HI ",{\"role\":\"assistant\",\"content\":[" CALL("c1", "f \\u0041", "{\"a\": 1}")
             "]},{\"role\":\"user\",\"content\":[" RESULT("c1", ",\"content\":[" T("\\n") "]") ","
             "{\"type\":\"search_result\",\"content\":[" T("a") "]}]}"),
    };
    /* clang-format on */
    size_t i, max;

    for (i = 0; i < 2; i++) {
        enum err e = ERR_MEMORY;

        for (max = 64; max < (1 << 17) && e; max += 48) {
            struct arena *small = arena_new(max);
            struct outcome o = {0};
            struct buf out;

            buf_init(&out, 1 << 16);
            e = small ? run_in(small, bodies[i], no_schema, &o, &out) : ERR_MEMORY;
            ck_assert(e == ERR_OK || e == ERR_MEMORY);
            ck_assert(e == ERR_OK || max < (1 << 17) - 48);
            buf_clear(&out);
            arena_free(small);
        }
        ck_assert_int_eq(e, ERR_OK);
        ck_assert_uint_gt(max, 1000);
    }
}
END_TEST

START_TEST(a_body_that_does_not_fit_is_told)
{
    size_t max;
    enum err e = ERR_FULL;

    for (max = 0; max < 4096 && e; max++) {
        struct outcome o = {0};
        struct buf out;

        buf_init(&out, max);
        e = run_in(arena, IN(TOOLS), NULL, &o, &out);
        ck_assert(e == ERR_OK || e == ERR_FULL);
        buf_clear(&out);
        arena_reset(arena);
    }
    ck_assert_int_eq(e, ERR_OK);
    ck_assert_uint_eq(max - 1, strlen(OUT(AB_OUT, "")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("anthropic_codec");
    TCase *cases = tcase_create("anthropic_codec");

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, suite_arena_open, suite_arena_close);
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, a_request_becomes_the_providers, 0, ROWS(goldens));
    tcase_add_loop_test(cases, content_becomes_the_providers, 0, ROWS(contents));
    tcase_add_test(cases, an_open_loop_of_tools_without_thinking_does_not_think);
    tcase_add_test(cases, an_emulated_tool_is_noted_for_the_way_back);
    tcase_add_loop_test(cases, what_cannot_be_carried_is_refused_with_its_path, 0, ROWS(faults));
    tcase_add_test(cases, what_a_client_sent_stands_in_the_canonical_request);
    tcase_add_test(cases, memory_that_runs_out_is_told_at_each_allocation);
    tcase_add_test(cases, a_body_that_does_not_fit_is_told);
    return suite_run(suite);
}
