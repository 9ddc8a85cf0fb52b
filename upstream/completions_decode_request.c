#include "upstream/completions.h"

#include "upstream/openai_chat_decode.h"

enum own { OWN_PROMPT, OWN_SUFFIX, OWN_ECHO, OWN_BEST_OF, OWN_LOGPROBS, OWN_COUNT };

static const char *const own_names[OWN_COUNT + 1] = {
    [OWN_PROMPT] = "prompt",   [OWN_SUFFIX] = "suffix",     [OWN_ECHO] = "echo",
    [OWN_BEST_OF] = "best_of", [OWN_LOGPROBS] = "logprobs",
};

/* Read by read_request already. */
static const char *const read_names[] = {"model", "stream",     "stream_options",
                                         "n",     "max_tokens", NULL};

/* What would change the answer and cannot be carried over. */
static enum err check(struct chat_decode *d, const struct jvalue *own)
{
    int64_t best_of = 1;
    int echo = 0;
    enum err e;

    if (own[OWN_SUFFIX].raw.p && !slice_eq_z(own[OWN_SUFFIX].raw, "\"\""))
        return chat_refuse(d, "suffix", NULL, "text to fill in cannot be carried to this model");
    e = chat_read_flag(d, own[OWN_ECHO], "echo", NULL, &echo);
    if (!e && echo)
        e = chat_refuse(d, "echo", NULL, "the prompt cannot be repeated by this model");
    if (e)
        return e;
    if (own[OWN_BEST_OF].raw.p && (jscan_i64(own[OWN_BEST_OF], &best_of) || best_of != 1))
        return chat_refuse(d, "best_of", NULL, "only 1 can be carried to this model");
    if (own[OWN_LOGPROBS].raw.p)
        return chat_refuse(d, "logprobs", NULL,
                           "log probabilities cannot be carried over from this model");
    return ERR_OK;
}

static enum err read_prompt(struct chat_decode *d, struct jvalue v)
{
    struct slice text = {NULL, 0};
    struct turn *turn;
    struct part *part;
    enum err e = chat_read_name(d, completions_prompt(v), "prompt", NULL, &text);

    if (e)
        return e;
    turn = canon_add_turn(d->canon, CANON_USER, "prompt");
    part = turn ? turn_add_part(d->canon, turn, PART_TEXT, "prompt") : NULL;
    if (!part)
        return ERR_MEMORY;
    part->text = text;
    return ERR_OK;
}

enum err completions_decode_request(struct canon *c, const struct format_request *in,
                                    struct fault *fault)
{
    const char *const *const lists[] = {own_names, read_names, chat_common_names};
    struct chat_decode d = {c, fault};
    struct jvalue own[OWN_COUNT], common[CHAT_COMMON_COUNT];
    enum err e;

    chat_collect(in, own_names, OWN_COUNT, own);
    chat_collect(in, chat_common_names, CHAT_COMMON_COUNT, common);
    c->choices = in->choices;
    c->max_out = in->output_max;
    e = check(&d, own);
    if (!e)
        e = chat_read_common(&d, common);
    if (!e)
        e = read_prompt(&d, own[OWN_PROMPT]);
    return e ? e : chat_drop_unknown(&d, in, lists, 3);
}
