/* script - what one request asks the simulator to do, beyond the request itself.
 *
 * Controls are written `key=value,key=value`; a flag may stand alone (`silence`); `%2C` style
 * escapes are decoded in values that are text. They come from, strongest first: the header
 * `x-sim`, the model's name (`any@key=value`), a marker in the last user message
 * (`[[sim key=value]]`), and --default. A key from a stronger place overrides the same key from a
 * weaker one; the others stay. A struct script is a plain value. Pure; any thread.
 *
 * The four formats understand the same controls, each in its own words:
 *
 *   prompt, cached, cache_write   prompt is the whole input with both inside. OpenAI and Gemini say so
 *                                 too; Messages is told what is left as input_tokens
 *   cache_write, cache_write_long Messages: 5 minutes and 1 hour; OpenAI: 30 minutes and 12 hours,
 *                                 inside cache_write_tokens; Gemini has no word for either
 *   completion, reasoning         completion is the whole output with the reasoning inside. Gemini is
 *                                 told what is left as candidatesTokenCount
 *   usage                         normal: Gemini on every chunk, Messages at both ends, Responses in
 *                                 the last event. finish: at the end only. start: see below
 *   think                         that many chunks of thinking first: reasoning_content, a reasoning
 *                                 item, a thinking block, parts with thought. Without it three when
 *                                 the request asks to see them (not in Chat), else none
 *   tool, call, preface           calls of the offered tools in turn, or of the one named; a sentence
 *                                 before them. A tool choice that forces a call makes one by itself.
 *                                 A request that holds a result after the assistant's last words is
 *                                 answered with text that repeats it: a loop always ends
 *   shell                         a call of the offered tool that runs commands, as agent programs have
 *                                 one, with that command; where none is offered, text
 *   finish                        finish_reason, stop_reason, finishReason as given; Responses:
 *                                 max_output_tokens and content_filter (incomplete), failed, cancelled
 *   refusal                       message.refusal, a refusal part, stop_reason refusal with
 *                                 stop_details, finishReason SAFETY without content
 *   nodone, nofinish              Messages: no message_stop, no message_delta; Responses: no last event
 *                                 for both; Gemini: nodone is the usual, nofinish no finishReason
 *   error_in                      Responses: response.failed, or with error_event the flat error event
 *   flip                          a whole answer to who asked for a stream, events to who did not
 *   secrets                       response headers that are the channel's own affair and that no client
 *                                 may see: quotas, organisation, cookies
 *
 * N below counts content chunks sent: 0 is after the response head and before any event. For an
 * answer that is not streamed, N chunks are the share N/(tokens+1) of the body. `never` takes back
 * what a weaker place asked.
 */
#ifndef TESTS_PROVIDER_SCRIPT_H
#define TESTS_PROVIDER_SCRIPT_H

#include "tests/provider/span.h"

#include <stdint.h>
#include <stdio.h>

enum { SCRIPT_UNSET = -1, SCRIPT_HEAD = -2 };
enum { SCRIPT_TEXT_MAX = 256, SCRIPT_WORD_MAX = 64, SCRIPT_REASON_MAX = 128 };

enum script_usage {
    SCRIPT_USAGE_NORMAL, /* whole answers: yes; streams: a chunk of its own when asked for */
    SCRIPT_USAGE_NONE,   /* nowhere */
    SCRIPT_USAGE_ZERO,   /* as normal, all counts 0 */
    SCRIPT_USAGE_FINISH, /* on the chunk with finish_reason, asked for or not */
    SCRIPT_USAGE_EVERY,  /* on every chunk, growing, asked for or not */
    SCRIPT_USAGE_START,  /* Messages: the input at the start only; others: as normal */
};

struct script {
    int64_t delay_ms;    /* before the first byte */
    int64_t pace_ms;     /* before each content chunk */
    int64_t tokens;      /* content chunks and completion tokens; SCRIPT_UNSET: 12 */
    int64_t prompt;      /* prompt tokens reported; SCRIPT_UNSET: body bytes / 4 */
    int64_t completion;  /* completion tokens reported; SCRIPT_UNSET: tokens */
    int64_t chunk_bytes; /* bytes of a content chunk; SCRIPT_UNSET: what the text gives */
    int64_t huge_bytes;  /* bytes of the whole content; SCRIPT_UNSET: what the text gives */
    int64_t cached;
    int64_t reasoning;
    int64_t cache_write;
    int64_t status;   /* of the answer; SCRIPT_UNSET: 200 */
    int64_t fails;    /* > 0: status is for the first so many requests of that model name */
    int64_t reset_at; /* RST after N chunks, SCRIPT_HEAD: before anything; SCRIPT_UNSET: never */
    int64_t cut_at;   /* close without the end of the body */
    int64_t eof_at;   /* proper end of the body, without the end of the stream */
    int64_t stall_at; /* send no more, keep open */
    int64_t malformed_at;     /* the N-th content chunk is broken JSON */
    int64_t error_at;         /* the N-th event is an error, and the last */
    int64_t tool_calls;       /* answer with that many tool calls instead of text */
    int64_t cache_write_long; /* the longer of the two lifetimes */
    int64_t think;            /* chunks of thinking; SCRIPT_UNSET: as the request asks */
    int64_t images;           /* pictures behind the text (Gemini) */
    int64_t tool_prompt;      /* Gemini: toolUsePromptTokenCount */
    int64_t searches;         /* web searches reported */
    int64_t audio;            /* audio tokens inside the prompt */
    int64_t error_status;     /* of error_in; SCRIPT_UNSET: 500 */
    enum script_usage usage;
    bool is_silent;             /* never answer */
    bool is_doneless;           /* no [DONE] */
    bool is_endless;            /* no finish_reason */
    bool is_drip;               /* three bytes a write */
    bool is_split;              /* BOM, CRLF, no space after "data:" */
    bool is_echo;               /* the content is the request body */
    bool is_close;              /* Connection: close */
    bool is_refusal;            /* refuse to answer */
    bool is_blocked;            /* Gemini: promptFeedback and no candidate */
    bool is_deaf;               /* stop sequences are not heeded */
    bool has_preface;           /* a sentence before tool calls */
    bool has_error_event;       /* Responses: error_in is `event: error` */
    bool is_redacted;           /* Messages: redacted_thinking */
    bool has_secrets;           /* response headers that no client may see */
    bool is_flipped;            /* answer whole what was asked as a stream, and the reverse */
    char text[SCRIPT_TEXT_MAX]; /* the content; empty: the default text */
    char error_message[SCRIPT_TEXT_MAX];
    char error_type[SCRIPT_WORD_MAX];
    char error_code[SCRIPT_WORD_MAX];
    char retry_after[SCRIPT_WORD_MAX]; /* value of the Retry-After header */
    char tier[SCRIPT_WORD_MAX];        /* service_tier of the answer; empty: default */
    char finish[SCRIPT_WORD_MAX];      /* reason for the end; empty: what is true */
    char call[SCRIPT_WORD_MAX];        /* tool called; empty: the offered ones */
    char shell[SCRIPT_WORD_MAX];       /* command to run by the offered shell tool; empty: none */
    char speed[SCRIPT_WORD_MAX];       /* Messages: usage.speed */
    char model[SCRIPT_WORD_MAX];       /* model named in the answer; empty: the requested one */
};

/* script_init - a script in which nothing is asked. */
void script_init(struct script *s);

/* script_apply - read controls over what the script holds.
 * text: `key=value,...`, need not be terminated; blanks around keys and values are dropped.
 * reason: out on failure, why, for the caller of the simulator. Returns false at the first unknown
 * key or bad value; the controls before it have been applied then. */
bool script_apply(struct script *s, struct span text, char reason[SCRIPT_REASON_MAX]);

/* script_find_in_model - the controls in a model's name: what follows the first '@' after which
 * comes `word=`. Names that merely have an '@' have none. controls: out, set only on true. */
bool script_find_in_model(struct span model, struct span *controls);

/* script_find_in_text - the controls of the last `[[sim ...]]` in a text. whole: out, the marker
 * with its brackets; controls: out, its inside. Both set only on true. */
bool script_find_in_text(struct span text, struct span *whole, struct span *controls);

/* script_print_help - list all controls with their meaning. */
void script_print_help(FILE *out);

#endif
