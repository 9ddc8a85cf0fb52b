#include "upstream/responses.h"

#include "base/buf.h"
#include "tests/unit/codec_kit.h"
#include "tests/unit/format_suite.h"
#include "upstream/splice.h"

#include <check.h>
#include <string.h>

#define ARENA_MAX  (1 << 22)
#define BODY(more) "{\"model\":\"m\",\"input\":\"hi\"" more "}"
#define ITEMS(i)   "{\"model\":\"m\",\"input\":[" i "]}"

static const struct format *const responses = &format_openai_responses;

static struct format_request request_of(const char *body)
{
    return kit_read(responses, arena, body);
}

START_TEST(the_format_is_found_and_knows_its_paths)
{
    struct format_request compact = {.verb = "compact"};

    ck_assert_ptr_eq(format_find("openai-responses"), responses);
    ck_assert_str_eq(responses->path(arena, "m", NULL), "/responses");
    ck_assert_str_eq(responses->path(arena, "m", &compact), "/responses/compact");
    ck_assert_str_eq(responses->auth_header(arena, "s3"), "Authorization: Bearer s3");
    ck_assert_str_eq(responses->forwarded_headers[0], "openai-beta");
    ck_assert(slice_starts(responses->ping, ": keep-alive\n\nevent: keepalive\ndata: {"));
}
END_TEST

START_TEST(a_minimal_request_reads_with_its_defaults)
{
    struct format_request r = request_of(BODY(""));

    ck_assert(slice_eq_z(r.model, "m"));
    ck_assert(!r.is_stream && !r.has_reference);
    ck_assert_int_eq(r.output_max, -1);
    ck_assert_int_eq(r.choices, 1);
    ck_assert_int_eq(r.text_bytes, (int64_t)strlen(BODY("")));
    ck_assert_int_eq(r.text.ascii_bytes, 4);
    ck_assert_ptr_null(responses_previous_id(&r).p);
    ck_assert(responses_is_stored(&r));
    ck_assert(slice_eq_z(r.affinity, "\"hi\""));
}
END_TEST

START_TEST(every_option_that_matters_is_read)
{
    struct format_request r = request_of(BODY(
        ",\"stream\":true,\"max_output_tokens\":99,\"store\":false,\"background\":false,"
        "\"previous_response_id\":\"resp_\\u0061\",\"prompt_cache_key\":\"pck\",\"user\":\"u\","
        "\"instructions\":\"sys\",\"tools\":[],\"client_metadata\":{\"model\":\"x\"}"));

    ck_assert(r.is_stream && r.has_reference);
    ck_assert_int_eq(r.output_max, 99);
    ck_assert(slice_eq_z(responses_previous_id(&r), "resp_a"));
    ck_assert(!responses_is_stored(&r));
    ck_assert(slice_eq_z(r.affinity, "pck"));
    ck_assert_int_eq(r.text.ascii_bytes, (int64_t)strlen("\"hi\"\"sys\"[]"));
    r = request_of("{\"model\":\"m\",\"previous_response_id\":\"resp_1\"}");
    ck_assert_int_eq(r.text.ascii_bytes, 0);
    r = request_of("{\"model\":\"m\",\"input\":null,\"conversation\":{\"id\":\"c\"}}");
    ck_assert(r.has_reference);
    r = request_of("{\"model\":\"m\",\"prompt\":{\"id\":\"p\"}}");
    ck_assert(r.has_reference);
}
END_TEST

static const struct {
    const char *body;
    int64_t images, files, audios;
    bool has_reference;
} counted[] = {
    {ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":"
           "\"data:image/png;base64,AAAA\"},{\"type\":\"input_text\",\"text\":\"x\"}]}"),
     1,                                                                                              0, 0, false},
    {ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":"
           "\"https://x/y.png\"}]}"),
     0,                                                                                              0, 0, true },
    {ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":{\"url\":"
           "\"data:image/png;base64,AAAA\"}}]}"),
     1,                                                                                              0, 0, false},
    {ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"filename\":\"a.pdf\","
           "\"file_data\":\"AAAA\"}]}"),
     0,                                                                                              1, 0, false},
    {ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"file_id\":\"file-1\"}]}"), 0,
     0,                                                                                                 0, true },
    {ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{\"data\":"
           "\"AAAA\",\"format\":\"wav\"}}]}"),
     0,                                                                                              0, 1, false},
    {ITEMS("{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":[{\"type\":"
           "\"input_image\",\"image_url\":\"data:image/png;base64,AAAA\"}]}"),
     1,                                                                                              0, 0, false},
    {ITEMS("{\"type\":\"computer_call_output\",\"call_id\":\"c\",\"output\":{\"type\":"
           "\"computer_screenshot\",\"image_url\":\"data:image/png;base64,AAAA\"}}"),
     1,                                                                                              0, 0, false},
    {ITEMS("{\"type\":\"image_generation_call\",\"id\":\"i\",\"result\":\"AAAA\"}"),              1, 0, 0,
     false                                                                                                      },
    {ITEMS("{\"type\":\"item_reference\",\"id\":\"i\"}"),                                         0, 0, 0, true },
    {ITEMS("{\"id\":\"i\"}"),                                                                     0, 0, 0, true },
    {ITEMS("{\"type\":\"additional_tools\",\"role\":\"developer\",\"tools\":[{\"type\":"
           "\"function\",\"name\":\"f\"}]}"),
     0,                                                                                              0, 0, false},
    {ITEMS("{\"type\":\"additional_tools\",\"role\":\"developer\",\"tools\":[{\"type\":"
           "\"web_search\"}]}"),
     0,                                                                                              0, 0, true },
    {BODY(",\"tools\":[{\"type\":\"namespace\",\"name\":\"n\",\"tools\":[]},{\"type\":\"custom\","
          "\"name\":\"c\"}]"),
     0,                                                                                              0, 0, false},
    {BODY(",\"tools\":[{\"type\":\"file_search\"}]"),                                             0, 0, 0, true },
};

START_TEST(payloads_and_references_are_told_from_text)
{
    struct format_request r = request_of(counted[_i].body);
    bool has_payload = strstr(counted[_i].body, "AAAA") != NULL;

    ck_assert_int_eq(r.images, counted[_i].images);
    ck_assert_int_eq(r.files, counted[_i].files);
    ck_assert_int_eq(r.audios, counted[_i].audios);
    ck_assert_int_eq(r.has_reference, counted[_i].has_reference);
    ck_assert_int_eq(r.text_bytes, (int64_t)strlen(counted[_i].body) - (has_payload ? 4 : 0));
}
END_TEST

static const struct {
    const char *body, *param, *text;
} faults[] = {
    {"{\"input\":\"x\"}",                                              "model",                "model: required"                },
    {"{\"model\":\"m\"}",                                              "input",                "input: required"                },
    {"{\"model\":\"m\",\"input\":5}",                                  "input",                "input: expected string or array"},
    {ITEMS("7"),                                                       "input[0]",             "input[0]: expected object"      },
    {ITEMS("{\"role\":\"user\",\"content\":\"\"},{\"content\":\"\"}"), "input[1].role",
     "input[1].role: expected string"                                                                                           },
    {ITEMS("{\"role\":\"user\",\"content\":5}"),                       "input[0].content",
     "input[0].content: expected string or array"                                                                               },
    {ITEMS("{\"type\":5,\"role\":\"user\"}"),                          "input[0].type",        "input[0].type: expected string" },
    {BODY(",\"stream\":1"),                                            "stream",               "stream: expected boolean"       },
    {BODY(",\"store\":\"no\""),                                        "store",                "store: expected boolean"        },
    {BODY(",\"background\":true"),                                     "background",
     "background: background responses are not offered; send false"                                                             },
    {BODY(",\"previous_response_id\":7"),                              "previous_response_id",
     "previous_response_id: expected the id of a response"                                                                      },
    {BODY(",\"previous_response_id\":\"\""),                           "previous_response_id",
     "previous_response_id: expected the id of a response"                                                                      },
    {BODY(",\"max_output_tokens\":0"),                                 "max_output_tokens",
     "max_output_tokens: expected an integer of at least 1"                                                                     },
    {BODY(",\"model\":\"x\""),                                         "model",                "model: given twice"             },
    {BODY(",\"input\":\"x\""),                                         "input",                "input: given twice"             },
};

START_TEST(what_is_wrong_is_named_by_its_path)
{
    struct format_request r;
    struct fault fault = {0};

    ck_assert_int_eq(
        responses->read_request(&(struct format_call){.body = slice_of(faults[_i].body)}, arena, &r,
                                &fault),
        ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.param, faults[_i].param);
    ck_assert_str_eq(fault.text, faults[_i].text);
}
END_TEST

static struct slice written(const char *body, const struct format_target *t, const char *verb)
{
    struct format_request r = request_of(body);
    struct splice s;
    struct slice joined;

    r.verb = verb;
    ck_assert_int_eq(responses->write_request(&r, t, arena, &s), ERR_OK);
    ck_assert_int_eq(splice_join(&s, arena, &joined), ERR_OK);
    return joined;
}

START_TEST(only_model_and_output_limit_are_spliced)
{
    static const char body[] = "{ \"model\" : \"m\", \"input\":\"h\\u0069\" ,\"x\":1e2}";
    struct format_target t = {.upstream_model = "m", .output_max_inject = -1};

    ck_assert(slice_eq_z(written(body, &t, NULL), body));
    t.upstream_model = "a\"b";
    ck_assert(slice_eq_z(written(body, &t, NULL),
                         "{ \"model\" : \"a\\\"b\", \"input\":\"h\\u0069\" ,\"x\":1e2}"));
    t = (struct format_target){.upstream_model = "m", .output_max_inject = 50};
    ck_assert(slice_eq_z(written(BODY(""), &t, NULL), BODY(",\"max_output_tokens\":50")));
    ck_assert(slice_eq_z(written(BODY(",\"max_output_tokens\":20"), &t, NULL),
                         BODY(",\"max_output_tokens\":20")));
    ck_assert(slice_eq_z(written(BODY(""), &t, "compact"), BODY("")));
}
END_TEST

START_TEST(reasoning_that_another_provider_sealed_is_taken_out)
{
    struct format_target t = {.upstream_model = "m", .output_max_inject = -1};

    ck_assert(slice_eq_z(
        written("{\"model\":\"m\",\"input\":[ {\"type\":\"reasoning\",\"encrypted_content\":"
                "\"aip1.anthropic.x.-..S\"}, {\"role\":\"user\", \"content\":\"a\"},{\"type\":"
                "\"reasoning\",\"encrypted_content\":\"gAAA\"}, {\"type\":\"reasoning\","
                "\"encrypted_content\":\"aip1.gemini.x.-..S\"}],\"x\":1}",
                &t, NULL),
        "{\"model\":\"m\",\"input\":[{\"role\":\"user\", \"content\":\"a\"},{\"type\":"
        "\"reasoning\",\"encrypted_content\":\"gAAA\"}],\"x\":1}"));
}
END_TEST

START_TEST(edits_of_the_target_apply)
{
    static const struct member_edit edits[] = {
        {MEMBER_SET,    "service_tier", "\"flex\""},
        {MEMBER_REMOVE, "user",         NULL      },
    };
    struct format_target t = {"m", edits, 2, -1};

    ck_assert(
        slice_eq_z(written(BODY(",\"user\":\"u\""), &t, NULL), BODY(",\"service_tier\":\"flex\"")));
}
END_TEST

START_TEST(memory_that_runs_out_is_told)
{
    static const char body[] =
        "{\"model\":\"m\",\"previous_response_id\":\"resp_\\u0061\",\"store\":true,\"tools\":[],"
        "\"input\":[{\"type\":\"reasoning\",\"encrypted_content\":\"aip1.x\"}]}";
    struct format_request r;
    struct fault fault;
    size_t max, failed = 0;
    enum err e = ERR_MEMORY;

    for (max = 0; e == ERR_MEMORY && max < ARENA_MAX; max += 16, failed++) {
        struct arena *a = arena_new(max);

        e = responses->read_request(&(struct format_call){.body = SLICE(body)}, a, &r, &fault);
        if (!e) {
            struct splice s;
            struct format_target t = {.upstream_model = "other", .output_max_inject = 9};

            e = responses->write_request(&r, &t, a, &s);
        }
        arena_free(a);
    }
    ck_assert_int_eq(e, ERR_OK);
    ck_assert_uint_gt(failed, 4);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("responses_request");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, suite_arena_open, suite_arena_close);
    tcase_add_test(t, the_format_is_found_and_knows_its_paths);
    tcase_add_test(t, a_minimal_request_reads_with_its_defaults);
    tcase_add_test(t, every_option_that_matters_is_read);
    tcase_add_loop_test(t, payloads_and_references_are_told_from_text, 0, ROWS(counted));
    tcase_add_loop_test(t, what_is_wrong_is_named_by_its_path, 0, ROWS(faults));
    tcase_add_test(t, only_model_and_output_limit_are_spliced);
    tcase_add_test(t, reasoning_that_another_provider_sealed_is_taken_out);
    tcase_add_test(t, edits_of_the_target_apply);
    tcase_add_test(t, memory_that_runs_out_is_told);
    suite_add_tcase(s, t);
    return suite_run(s);
}
