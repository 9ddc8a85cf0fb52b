/* What a client says survives the way to a provider of another format, seen from there by a client
 * of that format on its way back, but for a list that is published: the table here. */
#include "tests/unit/exchange_kit.h"

#include <check.h>
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

/* One row a line. */
/* clang-format off */
static const struct {
    int client;          /* C, R, A or G */
    const char *content; /* of the user's message */
    const char *members; /* of the top level */
    const char *kept;    /* what must be in the request when it came back */
    int carried;         /* by way of these */
    int refused;         /* by these; the others lose it and say so */
    const char *dropped; /* the name that they say; NULL: nothing to say */
} rows[] = {
    {C, TEXT,                                                                                  ",\"max_tokens\":300",                                         "300",                              R | A | G, 0,         NULL                   },
    {C, TEXT,                                                                                  ",\"temperature\":0.5",                                        "\"temperature\":0.5",              R | A | G, 0,         NULL                   },
    {C, TEXT,                                                                                  ",\"top_p\":0.5",                                              "\"top_p\":0.5",                    R | A | G, 0,         NULL                   },
    {C, TEXT,                                                                                  ",\"seed\":7",                                                 "\"seed\":7",                       G,         0,         "seed"                 },
    {C, TEXT,                                                                                  ",\"presence_penalty\":0.5",                                   "\"presence_penalty\":0.5",         G,         0,         "presence_penalty"     },
    {C, TEXT,                                                                                  ",\"frequency_penalty\":0.5",                                  "\"frequency_penalty\":0.5",        G,         0,         "frequency_penalty"    },
    {C, TEXT,                                                                                  ",\"stop\":\"END\"",                                           "\"END\"",                          A | G,     0,         NULL                   }, /* for Responses the answer is cut */
    {C, TEXT,                                                                                  ",\"n\":2",                                                    "\"n\":2",                          0,         R | A | G, NULL                   },
    {C, TEXT,                                                                                  ",\"logit_bias\":{\"1\":1}",                                   "logit_bias",                       0,         R | A | G, NULL                   },
    {C, TEXT,                                                                                  ",\"prediction\":{\"type\":\"content\",\"content\":\"x\"}",    "prediction",                       0,         0,
     "prediction"                                                                                                                                                                                                                              },
    {C, TEXT,                                                                                  ",\"verbosity\":\"low\"",                                      "\"verbosity\":\"low\"",            R,         0,         "verbosity"            },
    {C, TEXT,                                                                                  ",\"reasoning_effort\":\"high\"",                              "\"reasoning_effort\":\"high\"",    R | A | G, 0,
     NULL                                                                                                                                                                                                                                      },
    {C, TEXT,                                                                                  ",\"user\":\"u-1\"",                                           "\"u-1\"",                          R | A,     0,         "user"                 },
    {C, TEXT,                                                                                  ",\"prompt_cache_key\":\"k-1\"",                               "\"k-1\"",                          R,         0,         "prompt_cache_key"     },
    {C, TEXT,                                                                                  ",\"service_tier\":\"priority\"",                              "\"service_tier\":\"priority\"",    R | G,     0,
     NULL                                                                                                                                                                                                                                      }, /* auto to Anthropic, which is its default, too */
    {C, TEXT,                                                                                  ",\"store\":true",                                             "store",                            0,         0,         "store"                },
    {C, TEXT,                                                                                  ",\"metadata\":{\"a\":\"b\"}",                                 "metadata",                         0,         0,         "metadata"             },
    {C, TEXT,
     ",\"parallel_tool_calls\":false,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
     "\"f\"}}]",                                                                                                                                              "\"parallel_tool_calls\":false",    R | A,     0,         "parallel_tool_calls"  },
    {C, TEXT,
     ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":true,"
     "\"parameters\":{\"type\":\"object\",\"additionalProperties\":false}}}]",                                                                                "\"strict\":true",                  R | A,     0,         "strict"               },
    {C, TEXT,
     ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"does\"}}],"
     "\"tool_choice\":\"required\"",                                                                                                                          "\"description\":\"does\"",         R | A | G, 0,         NULL                   },
    {C, TEXT,
     ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":"
     "\"required\"",                                                                                                                                          "\"tool_choice\":\"required\"",     R | A | G, 0,         NULL                   },
    {C, TEXT,
     ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":{"
     "\"type\":\"object\"}}}",                                                                                                                                "\"schema\":{\"type\":\"object\"}", R | A | G, 0,         NULL                   },
    {C, "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]",   "",
     "data:image/png;base64,AAAA",                                                                                                                                                                R | A | G, 0,         NULL                   },
    {C, "[{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":\"wav\"}}]", "",
     "AAAA",                                                                                                                                                                                      R | G,     A,         NULL                   },
    {R, TEXT,                                                                                  ",\"background\":true",                                        "background",                       0,         C | A | G, NULL                   },
    {R, TEXT,                                                                                  ",\"previous_response_id\":\"resp_1\"",                        "resp_1",                           0,         C | A | G, NULL                   },
    {R, TEXT,                                                                                  ",\"instructions\":\"be kind\"",                               "be kind",                          C | A | G, 0,         NULL                   },
    {R, TEXT,                                                                                  ",\"text\":{\"verbosity\":\"low\"}",                           "\"verbosity\":\"low\"",            C,         0,         "text.verbosity"       },
    {R, TEXT,                                                                                  ",\"reasoning\":{\"effort\":\"low\"}",                         "\"effort\":\"low\"",               C | A | G, 0,         NULL                   },
    {A, TEXT,                                                                                  ",\"top_k\":5",                                                "\"top_k\":5",                      G,         0,         "top_k"                },
    {A, TEXT,                                                                                  ",\"stop_sequences\":[\"END\"]",                               "\"stop_sequences\":[\"END\"]",     C | G,     0,         NULL                   },
    {A, TEXT,                                                                                  ",\"metadata\":{\"user_id\":\"u-1\"}",                         "\"u-1\"",                          C | R,     0,         "metadata.user_id"     },
    {A, TEXT,                                                                                  ",\"context_management\":{\"edits\":[]}",                      "context_management",               0,         0,
     "context_management"                                                                                                                                                                                                                      },
    {A, "[{\"type\":\"text\",\"text\":\"hi\",\"cache_control\":{\"type\":\"ephemeral\"}}]",    "",
     "cache_control",                                                                                                                                                                             0,         0,         "cache_control"        },
    {A,
     "[{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":\"application/"
     "pdf\",\"data\":\"AAAA\"}}]",                                                             "",                                                            "\"data\":\"AAAA\"",                C | R | G, 0,         NULL                   },
    {A, TEXT,                                                                                  ",\"system\":\"be kind\"",                                     "be kind",                          C | R | G, 0,         NULL                   },
    {G, PARTS,
     ",\"safetySettings\":[{\"category\":\"HARM_CATEGORY_HARASSMENT\",\"threshold\":\"OFF\"}]",                                                               "safetySettings",                   0,         0,         "safetySettings"       },
    {G, PARTS,                                                                                 ",\"cachedContent\":\"c\"",                                    "cachedContent",                    0,         C | R | A, NULL                   },
    {G, PARTS,                                                                                 ",\"generationConfig\":{\"topK\":5}",                          "\"topK\":5",                       A,         0,         "generationConfig.topK"},
    {G, PARTS,                                                                                 ",\"generationConfig\":{\"seed\":5}",                          "\"seed\":5",                       C,         0,         "generationConfig.seed"},
    {G, PARTS,                                                                                 ",\"generationConfig\":{\"presencePenalty\":0.5}",             "\"presencePenalty\":0.5",          C,         0,
     "generationConfig.presencePenalty"                                                                                                                                                                                                        },
    {G, PARTS,                                                                                 ",\"generationConfig\":{\"candidateCount\":2}",                "\"candidateCount\":2",             0,         C | R | A,
     NULL                                                                                                                                                                                                                                      },
    {G, PARTS,                                                                                 ",\"generationConfig\":{\"responseModalities\":[\"AUDIO\"]}",  "AUDIO",                            0,         C | R | A,
     NULL                                                                                                                                                                                                                                      },
    {G, PARTS,                                                                                 ",\"systemInstruction\":{\"parts\":[{\"text\":\"be kind\"}]}", "be kind",                          C | R | A,
     0,                                                                                                                                                                                                                 NULL                   },
    {G, "[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AAAA\"}}]",                   "",
     "\"data\":\"AAAA\"",                                                                                                                                                                         C | R | A, 0,         NULL                   },
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

int main(void)
{
    Suite *suite = suite_create("round_trip");
    TCase *tcase = tcase_create("round_trip");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_request_loses_what_is_published_and_nothing_else, 0, ROWS(rows));
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
