#include "upstream/gemini.h"

#include "base/buf.h"
#include "tests/unit/format_suite.h"
#include "upstream/signature.h"
#include "upstream/splice.h"

#include <check.h>
#include <string.h>

#define CONTENT    "{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}"
#define BODY(more) "{\"contents\":[" CONTENT "]" more "}"
#define PNG        "iVBORw0KGgo="

static const struct format *const gemini = &format_gemini;

static struct format_request request_with(struct format_call call)
{
    struct format_request r;
    struct fault fault = {0};
    enum err e = gemini->read_request(&call, arena, &r, &fault);

    ck_assert_msg(e == ERR_OK, "%.*s: %s", SLICE_FMT(call.body), fault.text);
    return r;
}

static struct format_request request_of(const char *body)
{
    return request_with((struct format_call){.body = slice_of(body), .model = SLICE("m")});
}

START_TEST(the_format_is_found_by_its_name)
{
    ck_assert_ptr_eq(format_find("gemini"), gemini);
    ck_assert_int_eq(gemini->vendor, VENDOR_GEMINI);
    ck_assert_str_eq(gemini->auth_header(arena, "s3cret"), "x-goog-api-key: s3cret");
    ck_assert(slice_eq_z(gemini->ping, "\n"));
}
END_TEST

static const struct {
    const char *model;
    bool is_stream;
    const char *path;
} paths[] = {
    {"gemini-2.5-pro",     false, "/models/gemini-2.5-pro:generateContent"              },
    {"gemini-2.5-pro",     true,  "/models/gemini-2.5-pro:streamGenerateContent?alt=sse"},
    {"tunedModels/mine-1", false, "/tunedModels/mine-1:generateContent"                 },
    {"models/m",           false, "/models/m:generateContent"                           },
    {"a b:c?d%\xc3\xa9",   false, "/models/a%20b%3Ac%3Fd%25%C3%A9:generateContent"      },
};

START_TEST(the_path_names_model_and_verb)
{
    struct format_request in = {.is_stream = paths[_i].is_stream};

    ck_assert_str_eq(gemini->path(arena, paths[_i].model, &in), paths[_i].path);
}
END_TEST

START_TEST(a_call_of_its_own_spells_the_name_alike)
{
    struct format_request in = {.verb = "countTokens"};

    ck_assert_str_eq(gemini->path(arena, "a/b%c?d#\xc3\xa9", &in),
                     "/models/a/b%25c%3Fd%23%C3%A9:countTokens");
    ck_assert_str_eq(gemini->path(arena, "tunedModels/a?", &in), "/tunedModels/a%3F:countTokens");
}
END_TEST

/* ---- reading ---- */

START_TEST(a_minimal_request_reads_with_its_defaults)
{
    struct format_request r = request_of(BODY(""));

    ck_assert(slice_eq_z(r.model, "m"));
    ck_assert(!r.is_stream && !r.is_array && !r.has_reference);
    ck_assert_int_eq(r.output_max, -1);
    ck_assert_int_eq(r.choices, 1);
    ck_assert_int_eq(r.text_bytes, (int64_t)strlen(BODY("")));
    ck_assert_int_eq(r.text.ascii_bytes, (int64_t)strlen("[" CONTENT "]"));
    ck_assert_int_eq(r.images + r.files + r.audios, 0);
    ck_assert(slice_eq_z(r.affinity, CONTENT));
}
END_TEST

START_TEST(the_path_says_model_and_stream)
{
    struct format_request r =
        request_with((struct format_call){.body = SLICE(BODY(",\"model\":\"other\"")),
                                          .model = SLICE("models/tuned"),
                                          .is_stream = true,
                                          .is_array = true});

    ck_assert(slice_eq_z(r.model, "tuned"));
    ck_assert(r.is_stream && r.is_array);
    ck_assert_str_eq(format_stream_type(&r), "application/json");
    r = request_with(
        (struct format_call){.body = SLICE(BODY(",\"model\":\"models/x\"")), .is_array = true});
    ck_assert(slice_eq_z(r.model, "x"));
    ck_assert(!r.is_stream && !r.is_array);
}
END_TEST

START_TEST(both_spellings_of_a_field_are_read)
{
    struct format_request r =
        request_of(BODY(",\"generationConfig\":{\"maxOutputTokens\":100,\"candidateCount\":2},"
                        "\"systemInstruction\":{\"parts\":[{\"text\":\"be\"}]}"));

    ck_assert_int_eq(r.output_max, 100);
    ck_assert_int_eq(r.choices, 2);
    ck_assert(slice_starts(r.affinity, "{\"parts\":[{\"text\":\"be\"}]}{\"role\""));
    r = request_of(BODY(",\"generation_config\":{\"max_output_tokens\":\"7\",\"candidate_count\":"
                        "null},\"cached_content\":\"cachedContents/1\""));
    ck_assert_int_eq(r.output_max, 7);
    ck_assert_int_eq(r.choices, 1);
    ck_assert(r.has_reference);
    r = request_of(BODY(",\"generationConfig\":{\"maxOutputTokens\":1e30}"));
    ck_assert_int_eq(r.output_max, COUNT_MAX);
}
END_TEST

START_TEST(payloads_are_counted_apart_from_text)
{
    static const char body[] =
        "{\"contents\":[{\"parts\":[{\"inlineData\":{\"data\":\"" PNG
        "\",\"mimeType\":\"image/png\"}},{\"inline_data\":{\"mime_type\":\"audio/wav\",\"data\":"
        "\"UklGRg==\"}},{\"inlineData\":{\"mimeType\":\"application/pdf\",\"data\":\"JVBERi0=\"}}]"
        "},{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"parts\":[{"
        "\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"" PNG "\"}}]}}]}]}";
    struct format_request r = request_of(body);

    ck_assert_int_eq(r.images, 2);
    ck_assert_int_eq(r.audios, 1);
    ck_assert_int_eq(r.files, 1);
    ck_assert(!r.has_reference);
    ck_assert_int_eq(r.text_bytes, (int64_t)(strlen(body) - 2 * strlen(PNG) - 16));
    ck_assert_int_eq(r.text.ascii_bytes, r.text_bytes - (int64_t)strlen("{\"contents\":}"));
}
END_TEST

static const char *const references[] = {
    "{\"contents\":[{\"parts\":[{\"fileData\":{\"fileUri\":\"https://x/y\"}}]}]}",
    BODY(",\"tools\":[{\"functionDeclarations\":[]},{\"googleSearch\":{}}]"),
    BODY(",\"tools\":{\"url_context\":{}}"),
    BODY(",\"cachedContent\":\"cachedContents/x\""),
};

START_TEST(what_may_be_larger_than_it_looks_is_a_reference)
{
    ck_assert(request_of(references[_i]).has_reference);
}
END_TEST

START_TEST(functions_are_no_reference)
{
    ck_assert(!request_of(BODY(",\"tools\":[{\"function_declarations\":[{\"name\":\"f\"}]}]"))
                   .has_reference);
}
END_TEST

static const struct {
    const char *body, *param, *text;
} faults[] = {
    {"",                                                                            NULL,                               "The request body is empty; expected a JSON object."},
    {"{}",                                                                          "contents",                         "contents: required"                                },
    {"{\"contents\":null}",                                                         "contents",                         "contents: required"                                },
    {"{\"contents\":\"hi\"}",                                                       "contents",                         "contents: expected array"                          },
    {"{\"contents\":[]}",                                                           "contents",                         "contents: expected at least one content"           },
    {"{\"contents\":[" CONTENT ",7]}",                                              "contents[1]",                      "contents[1]: expected object"                      },
    {"{\"contents\":[{\"parts\":\"hi\"}]}",                                         "contents[0].parts",
     "contents[0].parts: expected array"                                                                                                                                    },
    {"{\"contents\":[{\"parts\":[{},\"hi\"]}]}",                                    "contents[0].parts[1]",
     "contents[0].parts[1]: expected object"                                                                                                                                },
    {BODY(",\"contents\":[]"),                                                      "contents",                         "contents: given twice"                             },
    {BODY(",\"generationConfig\":{},\"generation_config\":{}"),                     "generation_config",
     "generation_config: given twice"                                                                                                                                       },
    {BODY(",\"generationConfig\":[]"),                                              "generationConfig",                 "generationConfig: expected object"                 },
    {BODY(",\"generationConfig\":{\"maxOutputTokens\":5,\"max_output_tokens\":6}"),
     "generationConfig.maxOutputTokens",                                                                                "generationConfig.maxOutputTokens: given twice"     },
    {BODY(",\"generationConfig\":{\"maxOutputTokens\":0}"),                         "generationConfig.maxOutputTokens",
     "generationConfig.maxOutputTokens: expected an integer of at least 1"                                                                                                  },
    {BODY(",\"generationConfig\":{\"maxOutputTokens\":\"x\"}"),                     "generationConfig.maxOutputTokens",
     "generationConfig.maxOutputTokens: expected an integer of at least 1"                                                                                                  },
    {BODY(",\"generationConfig\":{\"maxOutputTokens\":-1e30}"),                     "generationConfig.maxOutputTokens",
     "generationConfig.maxOutputTokens: expected an integer of at least 1"                                                                                                  },
    {BODY(",\"generationConfig\":{\"candidateCount\":129}"),                        "generationConfig.candidateCount",
     "generationConfig.candidateCount: expected an integer from 1 to 128"                                                                                                   },
};

START_TEST(what_is_wrong_is_said_with_its_path)
{
    struct format_request r = {.choices = 77};
    struct fault fault = {0};
    enum err e = gemini->read_request(
        &(struct format_call){.body = slice_of(faults[_i].body), .model = SLICE("m")}, arena, &r,
        &fault);

    ck_assert_int_eq(e, ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.text, faults[_i].text);
    if (faults[_i].param)
        ck_assert_str_eq(fault.param, faults[_i].param);
    else
        ck_assert_ptr_null(fault.param);
    ck_assert_int_eq(r.choices, 77);
}
END_TEST

START_TEST(a_model_that_nobody_names_is_missing)
{
    struct format_request r;
    struct fault fault = {0};

    ck_assert_int_eq(
        gemini->read_request(&(struct format_call){.body = SLICE(BODY(""))}, arena, &r, &fault),
        ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.text, "model: required");
    ck_assert_int_eq(gemini->read_request(
                         &(struct format_call){.body = SLICE(BODY("")), .model = SLICE("models/")},
                         arena, &r, &fault),
                     ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.param, "model");
}
END_TEST

/* ---- passing through ---- */

static const char *written(const char *body, struct format_target t)
{
    struct format_request r = request_of(body);
    struct splice pieces;
    struct slice text;

    if (!t.upstream_model)
        t.upstream_model = "up";
    ck_assert_int_eq(gemini->write_request(&r, &t, arena, &pieces), ERR_OK);
    ck_assert_int_eq(splice_join(&pieces, arena, &text), ERR_OK);
    ck_assert_int_eq((int64_t)text.n, pieces.bytes);
    return arena_copy(arena, text);
}

START_TEST(bytes_go_through_as_they_are)
{
    static const char body[] = " {\"contents\" : [" CONTENT "] , \"x\":1.50,\"x\":\"\\u0041\"} ";

    ck_assert_str_eq(written(body, (struct format_target){.output_max_inject = -1}), body);
}
END_TEST

START_TEST(the_model_leaves_the_body)
{
    ck_assert_str_eq(written("{\"model\":\"models/m\",\"contents\":[" CONTENT "]}",
                             (struct format_target){.output_max_inject = -1}),
                     BODY(""));
}
END_TEST

static const struct {
    const char *body, *out;
} injections[] = {
    {BODY(""),                                                    BODY(",\"generationConfig\":{\"maxOutputTokens\":9}")},
    {BODY(",\"generationConfig\":{}"),                            BODY(",\"generationConfig\":{\"maxOutputTokens\":9}")},
    {BODY(",\"generationConfig\":null"),                          BODY(",\"generationConfig\":{\"maxOutputTokens\":9}")},
    {BODY(",\"generation_config\":{\"topK\": 1}"),
     BODY(",\"generation_config\":{\"topK\": 1,\"maxOutputTokens\":9}")                                                },
    {BODY(",\"generation_config\":{\"max_output_tokens\":null}"),
     BODY(",\"generation_config\":{\"maxOutputTokens\":9}")                                                            },
    {BODY(",\"generationConfig\":{\"max_output_tokens\":5}"),
     BODY(",\"generationConfig\":{\"max_output_tokens\":5}")                                                           },
};

START_TEST(an_output_limit_is_injected_when_there_is_none)
{
    ck_assert_str_eq(written(injections[_i].body, (struct format_target){.output_max_inject = 9}),
                     injections[_i].out);
}
END_TEST

START_TEST(an_edit_meets_the_other_spelling)
{
    static const struct member_edit edits[] = {
        {MEMBER_SET,    "safetySettings", "[]"},
        {MEMBER_REMOVE, "serviceTier",    NULL},
    };

    ck_assert_str_eq(
        written(BODY(",\"safety_settings\":[1],\"service_tier\":\"flex\""),
                (struct format_target){.edits = edits, .edits_n = 2, .output_max_inject = -1}),
        BODY(",\"safetySettings\":[]"));
}
END_TEST

static const char *signed_body(const char *signature)
{
    return arena_printf(arena,
                        "{\"contents\":[{\"parts\":[{\"text\":\"a\",\"thoughtSignature\":\"raw\"},"
                        "{\"functionCall\":{\"name\":\"f\"},\"thought_signature\":\"%s\"}]}]}",
                        signature);
}

START_TEST(signatures_of_other_models_are_taken_out)
{
    struct seal seal = {.vendor = VENDOR_ANTHROPIC, .model = SLICE("c-4.8"), .payload = SLICE("p")};
    struct format_target t = {.upstream_model = "up", .output_max_inject = -1};
    struct slice text = signature_base64(arena, signature_wrap(arena, &seal));

    ck_assert_str_eq(written(signed_body(text.p), t),
                     signed_body("skip_thought_signature_validator"));
    seal.vendor = VENDOR_GEMINI;
    text = signature_base64(arena, signature_wrap(arena, &seal));
    ck_assert_str_eq(written(signed_body(text.p), t),
                     signed_body("skip_thought_signature_validator"));
    t.upstream_model = "c-4.8";
    ck_assert_str_eq(written(signed_body(text.p), t), signed_body("p"));
    ck_assert_str_eq(written(signed_body("YWlwMS5broken"), t),
                     signed_body("skip_thought_signature_validator"));
}
END_TEST

START_TEST(requests_without_memory_say_so)
{
    static const char body[] = "{\"contents\":[{\"parts\":[{\"text\":\"\",\"thoughtSignature\":"
                               "\"YWlwMS5x\"}]}],\"generation_config\":{\"topK\":1}}";
    struct format_target t = {.upstream_model = "up", .output_max_inject = 5};
    bool is_done = false;
    size_t max;

    for (max = 0; !is_done && max < 1 << 16; max += 16) {
        struct arena *small = arena_new(max);
        struct format_request r;
        struct fault fault;
        struct splice out;
        enum err e = gemini->read_request(
            &(struct format_call){.body = SLICE(body), .model = SLICE("m")}, small, &r, &fault);

        if (!e)
            e = gemini->write_request(&r, &t, small, &out);
        ck_assert(e == ERR_OK || e == ERR_MEMORY);
        is_done = e == ERR_OK;
        arena_free(small);
    }
    ck_assert(is_done && max > 1000);
}
END_TEST

/* ---- errors ---- */

static const struct {
    enum err e;
    int http;
    const char *word;
} words[] = {
    {ERR_BAD_REQUEST,    400, "INVALID_ARGUMENT"   },
    {ERR_TOO_LARGE,      400, "INVALID_ARGUMENT"   },
    {ERR_UP_CONTEXT,     400, "INVALID_ARGUMENT"   },
    {ERR_BAD_KEY,        401, "UNAUTHENTICATED"    },
    {ERR_NO_FUNDS,       402, "FAILED_PRECONDITION"},
    {ERR_SPEND_LIMIT,    402, "FAILED_PRECONDITION"},
    {ERR_FUNDS_RESERVED, 429, "RESOURCE_EXHAUSTED" },
    {ERR_FORBIDDEN,      403, "PERMISSION_DENIED"  },
    {ERR_NO_MODEL,       404, "NOT_FOUND"          },
    {ERR_RATE,           429, "RESOURCE_EXHAUSTED" },
    {ERR_UP_RATE,        429, "RESOURCE_EXHAUSTED" },
    {ERR_UNAVAILABLE,    503, "UNAVAILABLE"        },
    {ERR_UP_CUT,         503, "UNAVAILABLE"        },
    {ERR_UP_TIMEOUT,     504, "DEADLINE_EXCEEDED"  },
    {ERR_INTERNAL,       500, "INTERNAL"           },
    {ERR_CLIENT_GONE,    499, "CANCELLED"          },
};

START_TEST(errors_have_googles_words)
{
    ck_assert_int_eq(gemini_error_http(words[_i].e), words[_i].http);
    ck_assert_str_eq(gemini_error_status_word(words[_i].e), words[_i].word);
}
END_TEST

START_TEST(an_error_body_has_its_details)
{
    struct buf b;

    buf_init(&b, 4096);
    ck_assert_int_eq(gemini_write_error(&b, ERR_RATE, "slow \"down\"", "01K", 12), ERR_OK);
    ck_assert_str_eq(
        b.p, "{\"error\":{\"code\":429,\"message\":\"slow \\\"down\\\"\",\"status\":"
             "\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":\"type.googleapis.com/"
             "google.rpc.RetryInfo\",\"retryDelay\":\"12s\"},{\"@type\":\"type.googleapis.com/"
             "google.rpc.RequestInfo\",\"requestId\":\"01K\"}]}}");
    buf_reset(&b);
    ck_assert_int_eq(gemini_write_error(&b, ERR_UP_CONTEXT, NULL, NULL, 0), ERR_OK);
    ck_assert_str_eq(b.p,
                     "{\"error\":{\"code\":400,\"message\":\"The input token count exceeds the "
                     "maximum number of tokens allowed.\",\"status\":\"INVALID_ARGUMENT\"}}");
    buf_clear(&b);
}
END_TEST

/* ---- embeddings ---- */

#define EMBED_MANY                                                                                 \
    "{\"requests\":[{\"model\":\"models/pub\",\"content\":{\"parts\":[{\"text\":\"a\"}]}},{"       \
    "\"content\":{\"parts\":[{\"text\":\"b\"}]},\"model\":\"models/pub\"}]}"

START_TEST(embedding_calls_name_the_provider_s_model_in_each_request)
{
    struct format_request r = request_with((struct format_call){
        .body = SLICE(EMBED_MANY), .model = SLICE("pub"), .verb = "batchEmbedContents"});
    struct format_target t = {.upstream_model = "up", .output_max_inject = 7};
    struct splice pieces;
    struct slice text;

    ck_assert_int_eq(r.output_max, 0);
    ck_assert_int_gt(r.text.ascii_bytes, 0);
    ck_assert_str_eq(gemini->path(arena, "up", &r), "/models/up:batchEmbedContents");
    ck_assert_int_eq(gemini->write_request(&r, &t, arena, &pieces), ERR_OK);
    ck_assert_int_eq(splice_join(&pieces, arena, &text), ERR_OK);
    ck_assert(slice_eq_z(text, "{\"requests\":[{\"model\":\"models/up\",\"content\":{\"parts\":[{"
                               "\"text\":\"a\"}]}},{\"content\":{\"parts\":[{\"text\":\"b\"}]},"
                               "\"model\":\"models/up\"}]}"));
}
END_TEST

static const struct {
    const char *body, *text; /* NULL: it is fine */
} embeds[] = {
    {"{\"model\":\"models/pub\",\"content\":{\"parts\":[{\"text\":\"a\"}]}}", NULL                               },
    {"{}",                                                                    "content: required"                },
    {"{\"content\":null}",                                                    "content: required"                },
    {"{\"content\":5}",                                                       "content[0]: expected object"      },
    {"{\"requests\":[]}",                                                     "requests: expected at least one"  },
    {"{\"requests\":[{},5]}",                                                 "requests[1]: expected object"     },
    {"{\"requests\":[{\"content\":{\"parts\":5}}]}",                          "requests[0].parts: expected array"},
};

START_TEST(embedding_calls_need_content)
{
    struct format_request r;
    struct fault fault = {0};
    enum err e = gemini->read_request(&(struct format_call){.body = slice_of(embeds[_i].body),
                                                            .model = SLICE("m"),
                                                            .verb = "embedContent"},
                                      arena, &r, &fault);

    ck_assert_int_eq(e, embeds[_i].text ? ERR_BAD_REQUEST : ERR_OK);
    if (embeds[_i].text)
        ck_assert_str_eq(fault.text, embeds[_i].text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gemini_request");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, suite_arena_open, suite_arena_close);
    tcase_add_test(t, the_format_is_found_by_its_name);
    tcase_add_loop_test(t, the_path_names_model_and_verb, 0, ROWS(paths));
    tcase_add_test(t, a_call_of_its_own_spells_the_name_alike);
    tcase_add_test(t, a_minimal_request_reads_with_its_defaults);
    tcase_add_test(t, the_path_says_model_and_stream);
    tcase_add_test(t, both_spellings_of_a_field_are_read);
    tcase_add_test(t, payloads_are_counted_apart_from_text);
    tcase_add_loop_test(t, what_may_be_larger_than_it_looks_is_a_reference, 0, ROWS(references));
    tcase_add_test(t, functions_are_no_reference);
    tcase_add_loop_test(t, what_is_wrong_is_said_with_its_path, 0, ROWS(faults));
    tcase_add_test(t, a_model_that_nobody_names_is_missing);
    tcase_add_test(t, bytes_go_through_as_they_are);
    tcase_add_test(t, the_model_leaves_the_body);
    tcase_add_loop_test(t, an_output_limit_is_injected_when_there_is_none, 0, ROWS(injections));
    tcase_add_test(t, an_edit_meets_the_other_spelling);
    tcase_add_test(t, signatures_of_other_models_are_taken_out);
    tcase_add_test(t, requests_without_memory_say_so);
    tcase_add_loop_test(t, errors_have_googles_words, 0, ROWS(words));
    tcase_add_test(t, an_error_body_has_its_details);
    tcase_add_test(t, embedding_calls_name_the_provider_s_model_in_each_request);
    tcase_add_loop_test(t, embedding_calls_need_content, 0, ROWS(embeds));
    suite_add_tcase(s, t);
    return suite_run(s);
}
