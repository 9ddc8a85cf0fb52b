/* canon - the canonical request: what every client format is decoded to and every provider format
 * is encoded from, when the two differ.
 *
 * All memory is the request's arena; slices borrow the client's body or the arena. Texts are
 * decoded (no JSON escapes) unless a member says "raw": then they are validated JSON text. What a
 * client did not say is p NULL, -1 or the UNSET word. Arguments of calls are text from end to end.
 * Each turn, part and tool carries the path at which it stands in the client's body, for refusals.
 * One thread. */
#ifndef AIPASS_UPSTREAM_CANON_H
#define AIPASS_UPSTREAM_CANON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CANON_TURNS_MAX 100000 /* each list of a request has this bound */
#define CANON_DEPTH_MAX 4      /* results inside results */
#define CANON_STOPS_MAX 16

enum vendor { VENDOR_NONE, VENDOR_OPENAI, VENDOR_ANTHROPIC, VENDOR_GEMINI };

enum canon_role { CANON_SYSTEM, CANON_USER, CANON_ASSISTANT };

enum part_kind {
    PART_TEXT,
    PART_IMAGE,
    PART_AUDIO,
    PART_FILE, /* documents, PDF, plain text files, video */
    PART_CALL,
    PART_RESULT,
    PART_THINKING,
    PART_REFUSAL,
    PART_OPAQUE /* a hosted tool's item and the like: only its own vendor can read it */
};

enum media_source { MEDIA_BYTES, MEDIA_URL, MEDIA_ID };
enum media_detail { DETAIL_UNSET, DETAIL_LOW, DETAIL_HIGH };

struct media {
    enum media_source source;
    struct slice data; /* base64 text; URL; the vendor's file id */
    struct slice mime; /* "image/png"; p NULL: not told */
    struct slice name; /* file name; p NULL: none */
    enum media_detail detail;
};

enum cache_mark { CACHE_NONE, CACHE_5M, CACHE_30M, CACHE_1H, CACHE_12H };

/* An opaque proof that belongs to one vendor's model: signature, encrypted content. */
struct seal {
    enum vendor vendor;   /* VENDOR_NONE: there is none, or it is of no use to the target */
    struct slice model;   /* p NULL: the vendor's own, sent by a client of that vendor */
    struct slice payload; /* as the vendor gave it */
    struct slice id;      /* the id of the item that it came in (Responses); p NULL: none */
    bool is_redacted;     /* Anthropic's redacted_thinking */
    uint32_t text_crc;    /* CRC-32C of the thinking that it seals; 0: not told */
};

struct part {
    enum part_kind kind;
    const char *at;     /* "messages[3].content[1]" */
    struct slice text;  /* text, thinking, refusal; arguments of a call; raw JSON of opaque */
    struct media media; /* image, audio, file */
    struct slice id;    /* call and result: the call's id; p NULL: the format has none */
    struct slice name;  /* call: the tool. Result: the tool, set by canon_prepare */
    bool is_custom;     /* call: text is free-form input, not JSON */
    bool is_error;      /* result */
    struct part *parts; /* result: text, image, file parts */
    size_t parts_n, parts_max;
    struct slice seal_text; /* as the client sent it; canon_prepare turns it into seal */
    struct seal seal;       /* thinking, or on the part that follows (Gemini) */
    struct slice raw;       /* raw JSON of the part, where a format can replay it; p NULL */
    enum cache_mark cache;
    enum vendor vendor; /* opaque: whose */
};

struct turn {
    enum canon_role role;
    const char *at;
    struct slice name; /* p NULL: none */
    struct part *parts;
    size_t parts_n, parts_max;
};

enum tool_kind { TOOL_FUNCTION, TOOL_CUSTOM, TOOL_HOSTED };

struct tool {
    enum tool_kind kind;
    const char *at;
    struct slice name;
    struct slice space;       /* the namespace that name begins with (Responses); p NULL: none */
    struct slice bare;        /* with a namespace: the name in it */
    struct slice description; /* p NULL: none */
    struct slice schema;      /* raw JSON object; p NULL: none */
    struct slice grammar;     /* raw JSON `format` of a custom tool; p NULL: free text */
    int strict;               /* -1: not said, 0, 1 */
    enum cache_mark cache;
    enum vendor vendor;  /* hosted: whose */
    struct slice hosted; /* its type: "web_search_20250305", "googleSearch" */
    struct slice raw;    /* raw JSON of the whole declaration */
    bool is_web_search;  /* hosted: a twin may exist in the target's format */
    bool is_optional;    /* hosted: may be left out unless the choice names it */
};

enum tool_choice { CHOICE_UNSET, CHOICE_AUTO, CHOICE_NONE, CHOICE_ANY, CHOICE_ONE, CHOICE_SUBSET };

enum effort {
    EFFORT_UNSET,
    EFFORT_NONE,
    EFFORT_MINIMAL,
    EFFORT_LOW,
    EFFORT_MEDIUM,
    EFFORT_HIGH,
    EFFORT_XHIGH,
    EFFORT_MAX
};

enum think_mode { THINK_UNSET, THINK_OFF, THINK_ON };

struct think {
    enum think_mode mode;
    enum effort effort;
    int64_t budget; /* tokens; -1: not said */
    int show;       /* -1: not said, 0, 1 */
};

enum output_kind { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_SCHEMA };

struct output_format {
    enum output_kind kind;
    struct slice name;   /* p NULL: none */
    struct slice schema; /* raw JSON object */
    int strict;          /* -1: not said, 0, 1 */
};

enum service_tier { TIER_UNSET, TIER_AUTO, TIER_DEFAULT, TIER_FLEX, TIER_PRIORITY };

/* Fields that a target may have to leave out or refuse, so that each is named as its client
 * spells it. */
enum canon_field {
    FIELD_MAX_OUT,
    FIELD_TEMPERATURE,
    FIELD_TOP_P,
    FIELD_TOP_K,
    FIELD_SEED,
    FIELD_PRESENCE,
    FIELD_FREQUENCY,
    FIELD_STOP,
    FIELD_CHOICES,
    FIELD_LOGPROBS,
    FIELD_TOP_LOGPROBS,
    FIELD_LOGIT_BIAS,
    FIELD_TOOLS,
    FIELD_TOOL_CHOICE,
    FIELD_PARALLEL,
    FIELD_STRICT,
    FIELD_THINK,
    FIELD_THINK_SHOW,
    FIELD_FORMAT,
    FIELD_VERBOSITY,
    FIELD_USER,
    FIELD_CACHE_KEY,
    FIELD_CACHE,
    FIELD_TIER,
    FIELD_STORE,
    FIELD_METADATA,
    FIELD_DETAIL,
    FIELD_NAME, /* name of a message */
    FIELD_CITATIONS,
    FIELD_SAFETY,
    FIELD_MODALITIES,
    FIELD_SIGNATURE, /* thinking of another vendor's model */
    FIELD_COUNT
};

/* Everything that was left out, for the header x-aipass-dropped: field names as the client spells
 * them, each once, in order. */
#define DROPS_MAX 64
struct drops {
    const char *names[DROPS_MAX];
    size_t n;
};

/* drop - notes a name (literal or in the arena). Not noted: past DROPS_MAX names, and names that are
 * empty or hold anything but visible ASCII without commas, since the list becomes a header. */
void drop(struct drops *d, const char *name);

struct canon {
    struct arena *arena;
    enum vendor vendor;        /* of the client's format */
    const char *const *fields; /* FIELD_COUNT names; NULL: the client's format has no such field */
    struct slice body;         /* the client's */
    bool is_stream;
    int64_t max_out; /* -1 */

    /* raw JSON numbers, as the client spelled them; p NULL: not said */
    struct slice temperature, top_p, top_k, seed, presence, frequency;
    struct slice stops[CANON_STOPS_MAX];
    size_t stops_n;
    int64_t choices; /* >= 1 */
    bool wants_logprobs;
    int64_t top_logprobs;    /* -1 */
    struct slice logit_bias; /* raw; p NULL when absent or empty */

    struct turn *turns; /* leading system turns are the system prompt */
    size_t turns_n, turns_max;
    struct tool *tools;
    size_t tools_n, tools_max;
    struct tool_index *tool_index; /* of tools and choice_names; NULL: memory was out */
    enum tool_choice choice;
    struct slice choice_name;   /* CHOICE_ONE */
    struct slice *choice_names; /* CHOICE_SUBSET */
    size_t choice_names_n;
    bool choice_is_any; /* CHOICE_SUBSET: one of them must be called */
    int parallel;       /* -1: not said, 0, 1 */

    struct think think;
    struct output_format format;
    struct slice verbosity, user, cache_key; /* p NULL */
    enum service_tier tier;
    unsigned modalities; /* MODALITY_* of the output that was asked for; 0: not said */
    struct drops drops;  /* what the decoder itself leaves out for every target */
};

/* canon_init - an empty request in the arena. */
void canon_init(struct canon *c, struct arena *a, enum vendor vendor, const char *const *fields);

/* The builders: a zeroed item at the end of its list; NULL when memory is out or the list is full.
 * A pointer is valid until the next item of the same list. turn_add_part takes a turn,
 * part_add_part a result. */
struct turn *canon_add_turn(struct canon *c, enum canon_role role, const char *at);
struct part *turn_add_part(struct canon *c, struct turn *t, enum part_kind kind, const char *at);

/* turn_join_thoughts - thinking parts that follow each other become one, up to the one with a seal
 * to open: a Gemini client's thoughts come back in the pieces of the stream. ERR_MEMORY. */
ERR_CHECK enum err turn_join_thoughts(struct arena *a, struct turn *t);
struct part *part_add_part(struct canon *c, struct part *result, enum part_kind kind,
                           const char *at);
struct tool *canon_add_tool(struct canon *c, enum tool_kind kind, const char *at);

/* canon_grow - room for one more item in a list of n (of *max) items of size bytes: the list, or
 * its copy in the arena; NULL when memory is out. */
void *canon_grow(struct arena *a, void *items, size_t n, size_t *max, size_t size);

/* canon_field - the client's name of a field; a canonical word when its format has none. */
const char *canon_field(const struct canon *c, enum canon_field f);

/* canon_drop - notes a field as left out. */
void canon_drop(const struct canon *c, struct drops *d, enum canon_field f);

/* data_url_split - "data:image/png;base64,AAAA" as mime and base64 text. False: not that form. */
bool data_url_split(struct slice url, struct slice *mime, struct slice *base64);

/* canon_id_is_legal - every format takes it as the id of a call: [A-Za-z0-9_-]{1,64}. */
bool canon_id_is_legal(struct slice id);

/* effort_parse - "low"; EFFORT_UNSET when unknown. effort_word - its word; NULL for UNSET. */
enum effort effort_parse(struct slice word);
const char *effort_word(enum effort e);

/* tier_parse - "flex" and so on; TIER_UNSET when unknown. */
enum service_tier tier_parse(struct slice word);

struct fault;
/* canon_fault - fills *fault with path and "PATH: TEXT"; returns ERR_BAD_REQUEST, or ERR_MEMORY.
 * path: a literal or in the arena, NULL: none. fmt: printf. */
enum err canon_fault(struct arena *a, struct fault *fault, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
