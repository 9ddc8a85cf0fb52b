/* Chat requests from what clients of other formats say: the canonical request is built by hand. */
#include "tests/unit/codec_kit.h"

#include "upstream/capability.h"
#include "tests/unit/format_suite.h"

#include <check.h>
#include <string.h>

#define HI "{\"role\":\"user\",\"content\":\"hi\"}"

static const struct format *const chat = &format_openai_chat;
static struct capability capability;
static struct canon canon;
static struct plan plan;

static void setup(void)
{
    suite_arena_open();
    capability = capability_default;
    canon_init(&canon, arena, VENDOR_ANTHROPIC, NULL);
    plan = kit_plan(arena, "up", &capability);
}

static struct part *say(enum canon_role role, enum part_kind kind, const char *text)
{
    struct turn *t = canon_add_turn(&canon, role, "turn");
    struct part *p = turn_add_part(&canon, t, kind, "part");

    ck_assert_ptr_nonnull(p);
    p->text = slice_of(text);
    return p;
}

static struct part *call(const char *id, const char *name, const char *args)
{
    struct part *p = say(CANON_ASSISTANT, PART_CALL, args);

    p->id = slice_of(id);
    p->name = slice_of(name);
    return p;
}

static struct part *result(const char *id, enum part_kind kind, const char *text)
{
    struct part *p = say(CANON_USER, PART_RESULT, NULL), *inner;

    p->id = slice_of(id);
    inner = part_add_part(&canon, p, kind, "result part");
    ck_assert_ptr_nonnull(inner);
    inner->text = slice_of(text);
    return p;
}

static const char *encoded(void)
{
    enum err e;
    const char *out = kit_encode(chat, &canon, &plan, &e);

    ck_assert_msg(e == ERR_OK, "%s", kit_fault.text ? kit_fault.text : err_name(e));
    return out;
}

static const char *refusal(void)
{
    enum err e;

    ck_assert_ptr_null(kit_encode(chat, &canon, &plan, &e));
    ck_assert_int_eq(e, ERR_BAD_REQUEST);
    return kit_fault.text;
}

START_TEST(a_failed_result_says_so_and_names_are_made_legal)
{
    say(CANON_USER, PART_TEXT, "hi");
    call("toolu_1", "mcp.read:file", "{}");
    result("toolu_1", PART_TEXT, "no such file")->is_error = true;
    canon_add_tool(&canon, TOOL_FUNCTION, "tools[0]")->name = SLICE("mcp.read:file");
    ck_assert_str_eq(
        encoded(),
        "{\"model\":\"up\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
        "\"mcp_read_file\"}}],\"messages\":[" HI
        ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"toolu_1\",\"type\":"
        "\"function\",\"function\":{\"name\":\"mcp_read_file\",\"arguments\":\"{}\"}}]},{\"role\":"
        "\"tool\",\"tool_call_id\":\"toolu_1\",\"content\":\"Error: no such file\"}]}");
    ck_assert(
        slice_eq_z(tool_names_find(&plan.names, SLICE("mcp_read_file"))->own, "mcp.read:file"));
}
END_TEST

START_TEST(a_result_of_images_alone_says_where_they_are)
{
    struct part *p;

    say(CANON_USER, PART_TEXT, "hi");
    call("a", "f", "{}");
    p = result("a", PART_IMAGE, NULL);
    p->parts[0].media = (struct media){.data = SLICE("iVBO"), .mime = SLICE("image/png")};
    ck_assert_ptr_nonnull(strstr(
        encoded(), "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"The result is in the "
                   "next message.\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
                   "\"Result images of call a\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
                   "\"data:image/png;base64,iVBO\"}}]}]}"));
}
END_TEST

START_TEST(a_signature_of_this_provider_returns_to_its_call)
{
    say(CANON_USER, PART_TEXT, "hi");
    call("a", "f", "{}")->seal_text = SLICE("aip1.openai.up.-..SIG");
    call("b", "f", "{}")->seal_text = SLICE("aip1.gemini.up.-..SIG");
    ck_assert_ptr_nonnull(strstr(encoded(), "\"arguments\":\"{}\"},\"extra_content\":{\"google\":{"
                                            "\"thought_signature\":\"SIG\"}}},{\"id\":\"b\","
                                            "\"type\":\"function\",\"function\":{\"name\":\"f\","
                                            "\"arguments\":\"{}\"}}]}"));
}
END_TEST

START_TEST(items_of_hosted_tools_in_the_history_are_left_out)
{
    struct part *p = say(CANON_ASSISTANT, PART_OPAQUE, "{}");

    p->vendor = VENDOR_OPENAI;
    p->at = "input[0]";
    say(CANON_USER, PART_TEXT, "hi");
    ck_assert_str_eq(encoded(), "{\"model\":\"up\",\"messages\":[" HI "]}");
    ck_assert_uint_eq(plan.drops.n, 1);
    ck_assert_str_eq(plan.drops.names[0], "input[0]");
}
END_TEST

START_TEST(an_optional_hosted_tool_is_left_out_and_one_that_is_chosen_is_refused)
{
    struct tool *t = canon_add_tool(&canon, TOOL_HOSTED, "tools[0]");

    t->hosted = SLICE("web_search");
    t->is_optional = true;
    say(CANON_USER, PART_TEXT, "hi");
    ck_assert_str_eq(encoded(), "{\"model\":\"up\",\"messages\":[" HI "]}");
    ck_assert_str_eq(plan.drops.names[0], "web_search");
    canon.choice = CHOICE_ONE;
    canon.choice_name = SLICE("web_search");
    ck_assert_str_eq(refusal(),
                     "tools[0]: the hosted tool `web_search` is not there for this model");
}
END_TEST

START_TEST(a_grammar_of_responses_gets_its_level)
{
    struct tool *t = canon_add_tool(&canon, TOOL_CUSTOM, "tools[0]");

    capability.has_custom_tools = true;
    t->name = SLICE("c");
    t->grammar = SLICE("{\"type\":\"grammar\",\"syntax\":\"regex\",\"definition\":\"a+\"}");
    say(CANON_USER, PART_TEXT, "hi");
    ck_assert_ptr_nonnull(strstr(encoded(), "{\"type\":\"custom\",\"custom\":{\"name\":\"c\","
                                            "\"format\":{\"type\":\"grammar\",\"grammar\":{"
                                            "\"definition\":\"a+\",\"syntax\":\"regex\"}}}}"));
}
END_TEST

START_TEST(json_is_spoken_of_when_the_client_does_not)
{
    canon.format.kind = OUTPUT_JSON;
    say(CANON_SYSTEM, PART_TEXT, "be brief");
    say(CANON_USER, PART_TEXT, "hi");
    ck_assert_str_eq(encoded(),
                     "{\"model\":\"up\",\"response_format\":{\"type\":\"json_object\"},"
                     "\"messages\":[{\"role\":\"system\",\"content\":\"be brief\\n\\nAnswer with "
                     "JSON only.\"}," HI "]}");
}
END_TEST

START_TEST(the_output_limit_is_the_clients_else_the_injected_one_up_to_the_models)
{
    say(CANON_USER, PART_TEXT, "hi");
    plan.output_max_inject = 500;
    ck_assert_str_eq(encoded(), "{\"model\":\"up\",\"max_tokens\":500,\"messages\":[" HI "]}");
    canon.max_out = 20;
    ck_assert_str_eq(encoded(), "{\"model\":\"up\",\"max_tokens\":20,\"messages\":[" HI "]}");
    canon.max_out = 128000;
    capability.output_max = 4096;
    ck_assert_str_eq(encoded(), "{\"model\":\"up\",\"max_tokens\":4096,\"messages\":[" HI "]}");
}
END_TEST

START_TEST(a_long_user_id_is_left_out)
{
    char id[130];

    memset(id, 'u', sizeof(id));
    say(CANON_USER, PART_TEXT, "hi");
    canon.user = (struct slice){id, 129};
    ck_assert_str_eq(encoded(), "{\"model\":\"up\",\"messages\":[" HI "]}");
    ck_assert_str_eq(plan.drops.names[0], "user");
}
END_TEST

START_TEST(a_budget_of_thinking_becomes_a_word_that_the_model_accepts)
{
    say(CANON_USER, PART_TEXT, "hi");
    canon.think = (struct think){THINK_ON, EFFORT_UNSET, 20000, -1};
    ck_assert_str_eq(encoded(),
                     "{\"model\":\"up\",\"reasoning_effort\":\"high\",\"messages\":[" HI "]}");
    capability.efforts = 1U << EFFORT_LOW | 1U << EFFORT_MEDIUM;
    ck_assert_str_eq(encoded(),
                     "{\"model\":\"up\",\"reasoning_effort\":\"medium\",\"messages\":[" HI "]}");
    canon.think.budget = -1;
    ck_assert_str_eq(encoded(), "{\"model\":\"up\",\"messages\":[" HI "]}");
}
END_TEST

START_TEST(a_prefill_goes_to_models_that_continue_it)
{
    say(CANON_USER, PART_TEXT, "hi");
    say(CANON_ASSISTANT, PART_TEXT, "Once");
    capability.has_prefill = true;
    ck_assert_str_eq(encoded(), "{\"model\":\"up\",\"messages\":[" HI
                                ",{\"role\":\"assistant\",\"content\":\"Once\"}]}");
}
END_TEST

START_TEST(media_by_a_vendors_address_are_refused)
{
    struct part *p = say(CANON_USER, PART_IMAGE, NULL);

    p->media = (struct media){.source = MEDIA_URL, .data = SLICE("gs://bucket/a.png")};
    ck_assert(slice_starts(slice_of(refusal()), "part: an image by a vendor's file id or address"));
    p = &canon.turns[0].parts[0];
    p->media = (struct media){.source = MEDIA_ID, .data = SLICE("files/1")};
    ck_assert(slice_starts(slice_of(refusal()), "part: an image by a vendor's file id or address"));
    canon.turns[0].role = CANON_SYSTEM;
    ck_assert_str_eq(refusal(), "part: only text can stand in the system prompt of this model");
}
END_TEST

START_TEST(memory_that_runs_out_anywhere_is_told)
{
    static const char body[] =
        "{\"model\":\"m\",\"messages\":[" HI ",{\"role\":\"assistant\",\"tool_calls\":[{\"id\":"
        "\"a\",\"type\":\"custom\",\"custom\":{\"name\":\"c\",\"input\":\"x\"}}]},{\"role\":"
        "\"tool\",\"tool_call_id\":\"a\",\"content\":\"ok\"},{\"role\":\"user\",\"content\":[{"
        "\"type\":\"file\",\"file\":{\"file_data\":\"data:text/plain;base64,SGk=\"}}]}],\"tools\":"
        "[{\"type\":\"custom\",\"custom\":{\"name\":\"c\",\"format\":{\"type\":\"grammar\","
        "\"grammar\":{\"syntax\":\"lark\",\"definition\":\"x\\ny\"}}}}],\"tool_choice\":{\"type\":"
        "\"custom\",\"custom\":{\"name\":\"c\"}},\"response_format\":{\"type\":\"json_schema\","
        "\"json_schema\":{\"schema\":{}}}}";
    size_t max, ok = 0;

    capability.has_schema = false;
    capability.has_forced_tools = false;
    for (max = 1024; max < 32768; max += 16) {
        struct arena *small = arena_new(max);
        struct plan p = kit_plan(small, "up", &capability);
        struct canon c;
        enum err e = kit_decode(chat, small, body, &c);

        if (!e)
            (void)kit_encode(chat, &c, &p, &e);
        ck_assert_msg(e == ERR_OK || e == ERR_MEMORY, "%s", err_name(e));
        ok += e == ERR_OK;
        arena_free(small);
    }
    ck_assert_uint_gt(ok, 0);
}
END_TEST

START_TEST(a_body_past_the_maximum_of_its_buffer_is_told)
{
    struct buf b;
    size_t max;

    say(CANON_USER, PART_TEXT, "hi");
    for (max = 0; max < strlen("{\"model\":\"up\",\"messages\":[" HI "]}"); max++) {
        buf_init(&b, max);
        ck_assert_int_eq(chat->encode_request(&canon, &plan, &b), ERR_FULL);
        buf_clear(&b);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("openai_chat_foreign");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, suite_arena_close);
    tcase_add_test(t, a_failed_result_says_so_and_names_are_made_legal);
    tcase_add_test(t, a_result_of_images_alone_says_where_they_are);
    tcase_add_test(t, a_signature_of_this_provider_returns_to_its_call);
    tcase_add_test(t, items_of_hosted_tools_in_the_history_are_left_out);
    tcase_add_test(t, an_optional_hosted_tool_is_left_out_and_one_that_is_chosen_is_refused);
    tcase_add_test(t, a_grammar_of_responses_gets_its_level);
    tcase_add_test(t, json_is_spoken_of_when_the_client_does_not);
    tcase_add_test(t, the_output_limit_is_the_clients_else_the_injected_one_up_to_the_models);
    tcase_add_test(t, a_long_user_id_is_left_out);
    tcase_add_test(t, a_budget_of_thinking_becomes_a_word_that_the_model_accepts);
    tcase_add_test(t, a_prefill_goes_to_models_that_continue_it);
    tcase_add_test(t, media_by_a_vendors_address_are_refused);
    tcase_add_test(t, memory_that_runs_out_anywhere_is_told);
    tcase_add_test(t, a_body_past_the_maximum_of_its_buffer_is_told);
    suite_add_tcase(s, t);
    return suite_run(s);
}
