#include "upstream/format.h"

#include "base/buf.h"
#include "tests/unit/codec_kit.h"
#include "tests/unit/format_suite.h"
#include "upstream/splice.h"

#include <check.h>
#include <string.h>

#define MESSAGE    "{\"role\":\"user\",\"content\":\"hi\"}"
#define BODY(more) "{\"model\":\"m\",\"messages\":[" MESSAGE "]" more "}"

static const struct format *const chat = &format_openai_chat;

static struct format_request request_of(const char *body)
{
    return kit_read(chat, arena, body);
}

START_TEST(formats_are_found_by_name)
{
    ck_assert_ptr_eq(format_find("openai-chat"), chat);
    ck_assert_ptr_null(format_find("openai"));
    ck_assert_ptr_null(format_find(""));
    ck_assert_str_eq(chat->path(arena, "m", NULL), "/chat/completions");
    ck_assert_str_eq(chat->auth_header(arena, "s3cret"), "Authorization: Bearer s3cret");
}
END_TEST

/* ---- requests ---- */

START_TEST(a_minimal_request_reads_with_its_defaults)
{
    struct format_request r = request_of(BODY(""));

    ck_assert(slice_eq_z(r.model, "m"));
    ck_assert(!r.is_stream && !r.wants_usage && !r.has_reference);
    ck_assert_int_eq(r.output_max, -1);
    ck_assert_int_eq(r.choices, 1);
    ck_assert_int_eq(r.text_bytes, (int64_t)strlen(BODY("")));
    ck_assert_uint_eq(r.members_n, 2);
    ck_assert_int_eq(r.images + r.files + r.audios, 0);
    ck_assert_int_eq(r.text.ascii_bytes, (int64_t)strlen("[" MESSAGE "]"));
}
END_TEST

START_TEST(every_option_that_matters_is_read)
{
    struct format_request r = request_of(
        "{\"\\u006dodel\":\"a\\/"
        "b\\u00e9\",\"stream\":true,\"n\":3,\"max_tokens\":100,\"max_completion_tokens\":40,"
        "\"stream_options\":{\"include_obfuscation\":false,\"include_usage\":true},\"unknown\":{"
        "\"model\":7},"
        "\"messages\":[" MESSAGE "]}");

    ck_assert(slice_eq_z(r.model, "a/b\xc3\xa9"));
    ck_assert(r.is_stream && r.wants_usage);
    ck_assert_int_eq(r.choices, 3);
    ck_assert_int_eq(r.output_max, 40);
    ck_assert_uint_eq(r.members_n, 8);
    r = request_of(BODY(",\"max_tokens\":7,\"max_completion_tokens\":40,\"stream\":false,"
                        "\"stream_options\":{\"include_usage\":true}"));
    ck_assert_int_eq(r.output_max, 7);
    ck_assert(!r.is_stream && !r.wants_usage);
    r = request_of(BODY(",\"max_tokens\":null,\"max_completion_tokens\":1e30,\"stream\":null,"
                        "\"stream_options\":null,\"n\":null"));
    ck_assert_int_eq(r.output_max, COUNT_MAX);
    ck_assert_int_eq(r.choices, 1);
    ck_assert(!r.is_stream);
    r = request_of(
        BODY(",\"max_tokens\":5.0,\"stream\":true,\"stream_options\":{\"include_usage\":null}"));
    ck_assert_int_eq(r.output_max, 5);
    ck_assert(!r.wants_usage);
}
END_TEST

static const struct {
    const char *body, *param, *text;
} faults[] = {
    {"",                                                                           NULL,                           "The request body is empty; expected a JSON object."       },
    {" \n",                                                                        NULL,                           "The request body is empty; expected a JSON object."       },
    {"[]",                                                                         NULL,                           "The request body is not a valid JSON object (at byte 0)." },
    {"{\"model\":\"m\",}",                                                         NULL,                           "The request body is not a valid JSON object (at byte 13)."},
    {BODY("") " x",                                                                NULL,                           "The request body is not a valid JSON object (at byte 58)."},
    {BODY(",\"a\":\"\xff\""),                                                      NULL,                           "The request body is not a valid JSON object (at byte 62)."},
    {"{\"messages\":[" MESSAGE "]}",                                               "model",                        "model: required"                                          },
    {"{\"model\":null,\"messages\":[" MESSAGE "]}",                                "model",                        "model: required"                                          },
    {"{\"model\":5,\"messages\":[" MESSAGE "]}",                                   "model",                        "model: expected string"                                   },
    {"{\"model\":\"a\\u0000\",\"messages\":[" MESSAGE "]}",                        "model",                        "model: expected string"                                   },
    {"{\"model\":\"\",\"messages\":[" MESSAGE "]}",                                "model",
     "model: expected a model's name, got an empty string"                                                                                                                    },
    {"{\"model\":\"m\"}",                                                          "messages",                     "messages: required"                                       },
    {"{\"model\":\"m\",\"messages\":null}",                                        "messages",                     "messages: required"                                       },
    {"{\"model\":\"m\",\"messages\":{}}",                                          "messages",                     "messages: expected array"                                 },
    {"{\"model\":\"m\",\"messages\":[]}",                                          "messages",                     "messages: expected at least one message"                  },
    {"{\"model\":\"m\",\"messages\":[" MESSAGE ",7]}",                             "messages[1]",
     "messages[1]: expected object"                                                                                                                                           },
    {"{\"model\":\"m\",\"messages\":[" MESSAGE ",{\"content\":\"\"}]}",            "messages[1].role",
     "messages[1].role: expected string"                                                                                                                                      },
    {"{\"model\":\"m\",\"messages\":[{\"role\":null}]}",                           "messages[0].role",
     "messages[0].role: expected string"                                                                                                                                      },
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":5}]}",         "messages[0].content",
     "messages[0].content: expected string, array or null"                                                                                                                    },
    {BODY(",\"stream\":\"true\""),                                                 "stream",                       "stream: expected boolean"                                 },
    {BODY(",\"stream\":1"),                                                        "stream",                       "stream: expected boolean"                                 },
    {BODY(",\"stream_options\":[]"),                                               "stream_options",               "stream_options: expected object or null"                  },
    {BODY(",\"stream_options\":{\"include_usage\":1}"),                            "stream_options.include_usage",
     "stream_options.include_usage: expected boolean"                                                                                                                         },
    {BODY(",\"stream_options\":{\"include_usage\":true,\"include_usage\":false}"),
     "stream_options.include_usage",                                                                               "stream_options.include_usage: given twice"                },
    {BODY(",\"n\":0"),                                                             "n",                            "n: expected an integer from 1 to 128"                     },
    {BODY(",\"n\":129"),                                                           "n",                            "n: expected an integer from 1 to 128"                     },
    {BODY(",\"n\":1.5"),                                                           "n",                            "n: expected an integer from 1 to 128"                     },
    {BODY(",\"n\":\"1\""),                                                         "n",                            "n: expected an integer from 1 to 128"                     },
    {BODY(",\"max_tokens\":0"),                                                    "max_tokens",                   "max_tokens: expected an integer of at least 1"            },
    {BODY(",\"max_tokens\":-1e30"),                                                "max_tokens",                   "max_tokens: expected an integer of at least 1"            },
    {BODY(",\"max_tokens\":\"9\""),                                                "max_tokens",                   "max_tokens: expected an integer of at least 1"            },
    {BODY(",\"max_completion_tokens\":2.5"),                                       "max_completion_tokens",
     "max_completion_tokens: expected an integer of at least 1"                                                                                                               },
    {BODY(",\"model\":\"x\""),                                                     "model",                        "model: given twice"                                       },
    {BODY(",\"mode\\u006c\":\"x\""),                                               "model",                        "model: given twice"                                       },
    {BODY(",\"messages\":[]"),                                                     "messages",                     "messages: given twice"                                    },
    {BODY(",\"stream\":true,\"stream\":false"),                                    "stream",                       "stream: given twice"                                      },
    {BODY(",\"stream_options\":null,\"stream_options\":{}"),                       "stream_options",
     "stream_options: given twice"                                                                                                                                            },
    {BODY(",\"n\":1,\"n\":2"),                                                     "n",                            "n: given twice"                                           },
    {BODY(",\"max_tokens\":1,\"max_tokens\":2"),                                   "max_tokens",                   "max_tokens: given twice"                                  },
    {BODY(",\"max_completion_tokens\":1,\"max_completion_tokens\":2"),             "max_completion_tokens",
     "max_completion_tokens: given twice"                                                                                                                                     },
};

START_TEST(a_bad_request_is_refused_with_its_path)
{
    struct format_request r;
    struct fault fault = {0};

    ck_assert_int_eq(chat->read_request(&(struct format_call){.body = slice_of(faults[_i].body)},
                                        arena, &r, &fault),
                     ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.text, faults[_i].text);
    ck_assert_pstr_eq(fault.param, faults[_i].param);
}
END_TEST

START_TEST(a_model_name_may_have_128_characters_of_any_script)
{
    struct buf b;
    struct format_request r;
    struct fault fault;
    int i;

    buf_init(&b, 4096);
    ck_assert_int_eq(buf_append_z(&b, "{\"messages\":[" MESSAGE "],\"model\":\""), ERR_OK);
    for (i = 0; i < 128; i++)
        ck_assert_int_eq(buf_append_z(&b, "\xe4\xbd\xa0"), ERR_OK);
    ck_assert_int_eq(buf_append_z(&b, "\"}"), ERR_OK);
    ck_assert_uint_eq(request_of(b.p).model.n, 384);
    b.n -= 2;
    ck_assert_int_eq(buf_append_z(&b, "x\"}"), ERR_OK);
    ck_assert_int_eq(
        chat->read_request(&(struct format_call){.body = buf_slice(&b)}, arena, &r, &fault),
        ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.text, "model: expected at most 128 characters");
    buf_clear(&b);
}
END_TEST

START_TEST(more_members_than_the_maximum_are_refused)
{
    struct format_request r;
    struct fault fault;
    struct buf b;
    int i;

    buf_init(&b, 1 << 16);
    ck_assert_int_eq(buf_append_z(&b, BODY("")), ERR_OK);
    for (i = 2; i < FORMAT_MEMBERS_MAX; i++) {
        b.n--;
        ck_assert_int_eq(buf_printf(&b, ",\"u%d\":%d}", i, i), ERR_OK);
    }
    ck_assert_uint_eq(request_of(b.p).members_n, FORMAT_MEMBERS_MAX);
    b.n--;
    ck_assert_int_eq(buf_append_z(&b, ",\"last\":1}"), ERR_OK);
    ck_assert_int_eq(
        chat->read_request(&(struct format_call){.body = buf_slice(&b)}, arena, &r, &fault),
        ERR_BAD_REQUEST);
    ck_assert_ptr_nonnull(strstr(fault.text, "more members"));
    buf_clear(&b);
}
END_TEST

/* A body around the content of one user message. */
static struct format_request content_of(const char *content)
{
    return request_of(arena_printf(
        arena, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":%s}]}", content));
}

static const struct {
    const char *content;
    int64_t images, files, audios, payload; /* bytes that are no text */
    bool has_reference;
} media[] = {
    {"\"text\"",                                                                            0, 0, 0, 0,  false},
    {"[{\"type\":\"text\",\"text\":\"data:image/png;base64,AAAA\"}]",                       0, 0, 0, 0,  false},
    {"[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/"
     "png;base64,AAAABBBB\",\"detail\":\"low\"}}]",                                    1, 0, 0, 8,  false},
    {"[{\"type\":\"image_url\",\"image_url\":\"DATA:image\\/png;Base64,AAAA\"}]",           1, 0, 0, 4,
     false                                                                                                    },
    {"[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/svg+xml,<svg>\"}}]",     1, 0, 0, 0,
     false                                                                                                    },
    {"[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:x\"}}]",                       1, 0, 0, 0,  false},
    {"[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:;base64,\"}}]",                1, 0, 0, 0,  false},
    {"[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.png\"}}]",              0, 0, 0, 0,  true },
    {"[{\"type\":\"image_url\",\"image_url\":\"http://x/y.png\"}]",                         0, 0, 0, 0,  true },
    {"[{\"type\":\"image_url\",\"image_url\":{\"url\":\"\"}}]",                             0, 0, 0, 0,  false},
    {"[{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"QUJD\",\"format\":\"wav\"}}]", 0, 0, 1,
     4,                                                                                                  false},
    {"[{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\",\"file_data\":\"data:application/"
     "pdf;base64,QUJDREVG\"}}]",                                                       0, 1, 0, 8,  false},
    {"[{\"type\":\"file\",\"file\":{\"file_data\":\"QUJDRA==\"}}]",                         0, 1, 0, 8,  false},
    {"[{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}]",                             0, 0, 0, 0,  true },
    {"[{\"type\":\"file\",\"file\":{\"file_id\":null,\"file_data\":null}}]",                0, 0, 0, 0,  false},
    {"[{\"type\":\"video_url\",\"video_url\":{\"url\":\"https://x\"}}]",                    0, 0, 0, 0,  true },
    {"[\"a\",7,null,[],{\"type\":\"text\",\"text\":\"x\"}]",                                0, 0, 0, 0,  false},
    {"[{\"image_url\":{\"url\":\"data:;base64,AAAA\"}},{\"text\":\"\xe4\xbd\xa0\"},{\"image_url\":{"
     "\"url\":\"data:;base64,BBBBBB\"}},"
     "{\"input_audio\":{\"data\":\"CC\"}}]",                                           2, 0, 1, 12, false},
};

START_TEST(inline_media_are_counted_and_their_payload_is_no_text)
{
    struct format_request r = content_of(media[_i].content);
    struct text_size all = {0};

    text_size_add(&all, r.members[1].value.raw);
    ck_assert_int_eq(r.images, media[_i].images);
    ck_assert_int_eq(r.files, media[_i].files);
    ck_assert_int_eq(r.audios, media[_i].audios);
    ck_assert_int_eq(r.has_reference, media[_i].has_reference);
    ck_assert_int_eq(r.text_bytes, (int64_t)r.body.n - media[_i].payload);
    ck_assert_int_eq(r.text.ascii_bytes, all.ascii_bytes - media[_i].payload);
    ck_assert_int_eq(r.text.other_chars, all.other_chars);
}
END_TEST

START_TEST(hosted_tools_and_earlier_audio_count_as_references)
{
    ck_assert(!request_of(BODY(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}},{"
                               "\"type\":\"custom\",\"custom\":{}}]"))
                   .has_reference);
    ck_assert(
        request_of(
            BODY(",\"tools\":[{\"type\":\"function\",\"function\":{}},{\"type\":\"web_search\"}]"))
            .has_reference);
    ck_assert(!request_of(BODY(",\"tools\":[],\"web_search_options\":null")).has_reference);
    ck_assert(request_of(BODY(",\"web_search_options\":{}")).has_reference);
    ck_assert(request_of("{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"audio\":{\"id\":"
                         "\"audio_1\"}}]}")
                  .has_reference);
    ck_assert(
        !request_of("{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"audio\":null}]}")
             .has_reference);
}
END_TEST

START_TEST(tools_and_schemas_count_as_prompt_text)
{
    int64_t bare = request_of(BODY("")).text.ascii_bytes;

    ck_assert_int_eq(
        request_of(BODY(",\"tools\":[1,2,3],\"unknown\":\"xxxxxxxxx\"")).text.ascii_bytes,
        bare + 7);
    ck_assert_int_eq(
        request_of(BODY(",\"functions\":[12],\"response_format\":{}")).text.ascii_bytes, bare + 6);
}
END_TEST

START_TEST(the_conversation_is_named_by_key_user_or_the_head_of_the_prompt)
{
    static const char system[] = "{\"role\":\"system\",\"content\":\"be brief\"}";
    struct slice a;

    ck_assert(
        slice_eq_z(request_of(BODY(",\"user\":\"u\",\"prompt_cache_key\":\"k\"")).affinity, "k"));
    ck_assert(slice_eq_z(
        request_of(BODY(",\"safety_identifier\":\"s\",\"user\":\"u\",\"prompt_cache_key\":\"\""))
            .affinity,
        "u"));
    ck_assert(
        slice_eq_z(request_of(BODY(",\"safety_identifier\":\"s\",\"user\":null")).affinity, "s"));
    ck_assert(slice_eq_z(request_of(BODY("")).affinity, MESSAGE));
    a = request_of(
            arena_printf(arena,
                         "{\"model\":\"m\",\"messages\":[%s,{\"role\":\"assistant\"}," MESSAGE
                         ",{\"role\":\"user\",\"content\":\"later\"}]}",
                         system))
            .affinity;
    ck_assert(slice_eq_z(a, arena_printf(arena, "%s%s", system, MESSAGE)));
    a = request_of("{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}]}")
            .affinity;
    ck_assert(slice_eq_z(a, "{\"role\":\"assistant\",\"content\":\"x\"}"));
}
END_TEST

START_TEST(a_long_head_of_the_prompt_is_cut)
{
    char *long_text = arena_alloc(arena, 5000);
    struct format_request r;

    memset(long_text, 'x', 4999);
    r = content_of(arena_printf(arena, "\"%s\"", long_text));
    ck_assert_uint_eq(r.affinity.n, 1024);
    ck_assert(slice_starts(r.affinity, "{\"role\":\"user\",\"content\":\"xxx"));
}
END_TEST

START_TEST(memory_that_runs_out_while_reading_is_told)
{
    struct fault fault;
    struct format_request r;
    enum err e = ERR_MEMORY;
    size_t max;

    for (max = 16; e == ERR_MEMORY; max += 16) {
        struct arena *small = arena_new(max);

        e = chat->read_request(&(struct format_call){.body = slice_of(BODY(",\"user\":5"))}, small,
                               &r, &fault);
        arena_free(small);
    }
    ck_assert_int_eq(e, ERR_OK);
    ck_assert_uint_gt(max, 1000);
}
END_TEST

/* ---- the request for a provider ---- */

static struct slice written(const char *body, const struct format_target *t)
{
    struct format_request r = request_of(body);
    struct splice pieces;
    struct slice joined;
    struct jvalue v;

    ck_assert_int_eq(chat->write_request(&r, t, arena, &pieces), ERR_OK);
    ck_assert_int_eq(splice_join(&pieces, arena, &joined), ERR_OK);
    ck_assert_int_eq(jscan_validate(joined, &v, NULL), ERR_OK);
    return joined;
}

static const struct {
    const char *body;
    struct format_target target;
    const char *out;
} writes[] = {
    {" {\"model\" : \"m\",\"messages\":[" MESSAGE "], \"x\":1.0e1}\n",
     {"m", NULL, 0, -1},
     " {\"model\" : \"m\",\"messages\":[" MESSAGE "], \"x\":1.0e1}\n"                                                               },
    {" {\"model\" : \"m\",\"messages\":[" MESSAGE "], \"x\":1.0e1}\n",
     {"up/m\"2", NULL, 0, -1},
     " {\"model\" : \"up/m\\\"2\",\"messages\":[" MESSAGE "], \"x\":1.0e1}\n"                                                       },
    {BODY(""),                                                                        {"m", NULL, 0, 77}, BODY(",\"max_tokens\":77")},
    {BODY(",\"max_tokens\":null"),                                                    {"m", NULL, 0, 0},  BODY(",\"max_tokens\":0") },
    {BODY(",\"max_completion_tokens\":5"),
     {"m", NULL, 0, 77},
     BODY(",\"max_completion_tokens\":5")                                                                                           },
    {BODY(",\"stream\":true"),
     {"m", NULL, 0, -1},
     BODY(",\"stream\":true,\"stream_options\":{\"include_usage\":true}")                                                           },
    {BODY(",\"stream_options\":null,\"stream\":true"),
     {"m", NULL, 0, -1},
     BODY(",\"stream_options\":{\"include_usage\":true},\"stream\":true")                                                           },
    {BODY(",\"stream\":true,\"stream_options\":{ \"include_obfuscation\" : false }"),
     {"m", NULL, 0, -1},
     BODY(",\"stream\":true,\"stream_options\":{ \"include_obfuscation\" : "
          "false,\"include_usage\":true }")                                                                                         },
    {BODY(",\"stream\":true,\"stream_options\":{\"include_usage\":false,\"a\":[1]}"),
     {"m", NULL, 0, -1},
     BODY(",\"stream\":true,\"stream_options\":{\"include_usage\":true,\"a\":[1]}")                                                 },
    {BODY(",\"stream\":true,\"stream_options\":{}"),
     {"m", NULL, 0, -1},
     BODY(",\"stream\":true,\"stream_options\":{\"include_usage\":true}")                                                           },
    {BODY(",\"stream\":true,\"stream_options\":{\"include_usage\":true}"),
     {"m", NULL, 0, -1},
     BODY(",\"stream\":true,\"stream_options\":{\"include_usage\":true}")                                                           },
    {BODY(",\"stream\":false,\"stream_options\":{\"include_usage\":false}"),
     {"m", NULL, 0, -1},
     BODY(",\"stream\":false,\"stream_options\":{\"include_usage\":false}")                                                         },
};

START_TEST(a_request_is_written_with_the_least_change)
{
    struct slice out = written(writes[_i].body, &writes[_i].target);

    ck_assert_msg(slice_eq_z(out, writes[_i].out), "got %.*s", SLICE_FMT(out));
}
END_TEST

START_TEST(the_targets_edits_act_on_what_was_injected)
{
    static const struct member_edit edits[] = {
        {MEMBER_RENAME,  "max_tokens",     "max_completion_tokens"},
        {MEMBER_REMOVE,  "stream_options", NULL                   },
        {MEMBER_DEFAULT, "temperature",    "0.5"                  },
        {MEMBER_DEFAULT, "user",           "\"nobody\""           },
        {MEMBER_SET,     "store",          "false"                },
    };
    struct format_target t = {"up", edits, sizeof(edits) / sizeof(edits[0]), 9};
    struct slice out =
        written(BODY(",\"stream\":true,\"max_completion_tokens\":null,\"user\":null"), &t);

    ck_assert_msg(slice_eq_z(out,
                             "{\"model\":\"up\",\"messages\":[" MESSAGE
                             "],\"stream\":true,\"user\":null,"
                             "\"max_completion_tokens\":9,\"temperature\":0.5,\"store\":false}"),
                  "got %.*s", SLICE_FMT(out));
}
END_TEST

START_TEST(a_removed_model_stays_away)
{
    static const struct member_edit edits[] = {
        {MEMBER_REMOVE, "model", NULL}
    };
    struct slice out = written(BODY(""), &(struct format_target){"up", edits, 1, -1});

    ck_assert(slice_eq_z(out, "{\"messages\":[" MESSAGE "]}"));
}
END_TEST

START_TEST(an_edit_that_is_no_json_is_not_sent)
{
    static const struct member_edit edits[] = {
        {MEMBER_SET, "a", "nonsense"}
    };
    struct format_request r = request_of(BODY(""));
    struct splice pieces;

    ck_assert_int_eq(
        chat->write_request(&r, &(struct format_target){"m", edits, 1, -1}, arena, &pieces),
        ERR_FORMAT);
}
END_TEST

START_TEST(memory_that_runs_out_while_writing_is_told)
{
    static const struct member_edit edits[] = {
        {MEMBER_RENAME, "max_tokens", "x"}
    };
    struct format_request r = request_of(BODY(",\"stream\":true,\"stream_options\":{\"a\":1}"));
    struct format_target t = {"up", edits, 1, 5};
    enum err e = ERR_MEMORY;
    size_t max;

    for (max = 16; e == ERR_MEMORY; max += 16) {
        struct arena *small = arena_new(max);
        struct splice pieces;

        e = chat->write_request(&r, &t, small, &pieces);
        arena_free(small);
    }
    ck_assert_int_eq(e, ERR_OK);
    ck_assert_uint_gt(max, 500);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("openai_chat");
    TCase *cases = tcase_create("openai_chat");

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, suite_arena_open, suite_arena_close);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, formats_are_found_by_name);
    tcase_add_test(cases, a_minimal_request_reads_with_its_defaults);
    tcase_add_test(cases, every_option_that_matters_is_read);
    tcase_add_loop_test(cases, a_bad_request_is_refused_with_its_path, 0, ROWS(faults));
    tcase_add_test(cases, a_model_name_may_have_128_characters_of_any_script);
    tcase_add_test(cases, more_members_than_the_maximum_are_refused);
    tcase_add_loop_test(cases, inline_media_are_counted_and_their_payload_is_no_text, 0,
                        ROWS(media));
    tcase_add_test(cases, hosted_tools_and_earlier_audio_count_as_references);
    tcase_add_test(cases, tools_and_schemas_count_as_prompt_text);
    tcase_add_test(cases, the_conversation_is_named_by_key_user_or_the_head_of_the_prompt);
    tcase_add_test(cases, a_long_head_of_the_prompt_is_cut);
    tcase_add_test(cases, memory_that_runs_out_while_reading_is_told);
    tcase_add_loop_test(cases, a_request_is_written_with_the_least_change, 0, ROWS(writes));
    tcase_add_test(cases, the_targets_edits_act_on_what_was_injected);
    tcase_add_test(cases, a_removed_model_stays_away);
    tcase_add_test(cases, an_edit_that_is_no_json_is_not_sent);
    tcase_add_test(cases, memory_that_runs_out_while_writing_is_told);
    return suite_run(suite);
}
