#include "db/proposal_row.h"

#include "base/amount.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define VALUE_SIZE CAPABILITY_SET_SIZE

/* ---- what the table says about a model ---- */

static void answer(bool *value, enum litellm_answer a)
{
    if (a != LITELLM_NOT_SAID)
        *value = a == LITELLM_YES;
}

static void answer_bit(unsigned *set, unsigned bit, enum litellm_answer a)
{
    if (a == LITELLM_YES)
        *set |= bit;
    else if (a == LITELLM_NO)
        *set &= ~bit;
}

/* That a model thinks is said before how; which efforts it takes counts only where there are any. */
static void fit_thinking(struct catalog_capability *c, const struct litellm_model *m)
{
    if (m->flags[LITELLM_REASONING] == LITELLM_NO) {
        c->thinking = CAPABILITY_THINKING_NONE;
        c->efforts = 0;
        c->thinking_always = false;
        return;
    }
    if (m->flags[LITELLM_ADAPTIVE] == LITELLM_YES)
        c->thinking = CAPABILITY_THINKING_ADAPTIVE;
    if (m->flags[LITELLM_REASONING] == LITELLM_YES && c->thinking == CAPABILITY_THINKING_NONE) {
        c->thinking = CAPABILITY_THINKING_EFFORT;
        c->efforts = capability_list_default.efforts;
    }
    if (!c->efforts || c->thinking == CAPABILITY_THINKING_NONE)
        return;
    /* Only by effort is thinking switched off by a name; Anthropic has no minimal. */
    unsigned first = c->thinking == CAPABILITY_THINKING_EFFORT  ? LITELLM_EFFORT_NONE
                     : c->thinking == CAPABILITY_THINKING_LEVEL ? LITELLM_EFFORT_MINIMAL
                                                                : LITELLM_EFFORT_LOW,
             last = c->thinking == CAPABILITY_THINKING_LEVEL ? LITELLM_EFFORT_HIGH
                                                             : LITELLM_EFFORT_MAX;
    for (unsigned i = first; i <= last; i++)
        answer_bit(&c->efforts, 1U << i, m->flags[i]);
}

void proposal_fit_capability(struct catalog_capability *c, const struct litellm_model *m)
{
    if (m->context_tokens)
        c->context_tokens = m->context_tokens;
    if (m->output_tokens_max)
        c->output_tokens_max = m->output_tokens_max;
    fit_thinking(c, m);
    answer(&c->sampling, m->flags[LITELLM_SAMPLING]);
    answer(&c->prefill, m->flags[LITELLM_PREFILL]);
    answer(&c->structured_output, m->flags[LITELLM_SCHEMA]);
    answer(&c->tools, m->flags[LITELLM_TOOLS]);
    answer(&c->forced_tools, m->flags[LITELLM_FORCED]);
    answer_bit(&c->input_modalities, CAPABILITY_IMAGE, m->flags[LITELLM_IMAGE_IN]);
    answer_bit(&c->input_modalities, CAPABILITY_AUDIO, m->flags[LITELLM_AUDIO_IN]);
    answer_bit(&c->input_modalities, CAPABILITY_FILE, m->flags[LITELLM_FILE_IN]);
    answer_bit(&c->input_modalities, CAPABILITY_VIDEO, m->flags[LITELLM_VIDEO_IN]);
    /* Speech models are said to make no audio, which would leave nothing. */
    if (c->output_modalities != CAPABILITY_AUDIO)
        answer_bit(&c->output_modalities, CAPABILITY_AUDIO, m->flags[LITELLM_AUDIO_OUT]);
}

/* ---- lines ---- */

static enum err tell_tokens(struct buf *text, const char *name, int64_t was, int64_t now)
{
    if (was == now)
        return ERR_OK;
    return buf_printf(text, ", %s %lld -> %lld", name, (long long)was, (long long)now);
}

enum err proposal_tell_model(struct buf *text, const struct litellm_model *m,
                             const struct proposal_model *was, const struct proposal_model *now)
{
    if (!was)
        return buf_printf(text,
                          "+ model %s: %s, of %s, context_tokens %lld, output_tokens_max %lld\n",
                          m->name, m->kind, m->provider, (long long)now->context_tokens,
                          (long long)now->output_tokens_max);
    size_t start = text->n;
    enum err e = buf_printf(text, "~ model %s", m->name);
    size_t at = text->n;
    if (!e)
        e = tell_tokens(text, "context_tokens", was->context_tokens, now->context_tokens);
    if (!e)
        e = tell_tokens(text, "output_tokens_max", was->output_tokens_max, now->output_tokens_max);
    if (!e)
        e = buf_append_z(text, "\n");
    if (!e && text->n > at && start < at)
        text->p[at] = ':'; /* in the place of the first comma */
    return e;
}

/* Without the zeros at its end. */
static const char *print_amount(char *text, int64_t nusd)
{
    amount_print(text, nusd);
    size_t n = strlen(text);
    while (text[n - 1] == '0')
        n--;
    n -= text[n - 1] == '.';
    text[n] = '\0';
    return text;
}

enum err proposal_tell_price(struct buf *text, const char *model, const struct proposal_price *was,
                             const struct proposal_price *now, bool is_steep)
{
    char from[MONEY_TEXT_SIZE], to[MONEY_TEXT_SIZE];
    return buf_printf(text, "%s price %s: %s%s%s %s%s%s%s\n", was ? "~" : "+", model, now->unit,
                      now->qualifier[0] ? " " : "", now->qualifier,
                      was ? print_amount(from, was->amount_nusd) : "", was ? " -> " : "",
                      print_amount(to, now->amount_nusd),
                      !is_steep           ? ""
                      : !now->amount_nusd ? "  (!) free"
                                          : "  (!) more than twice or less than half");
}

/* ---- what is accepted, column by column ---- */

enum column_kind { COLUMN_TOKENS, COLUMN_FLAG, COLUMN_EFFORTS, COLUMN_MODALITIES };

static const struct {
    const char *name;
    enum column_kind kind;
    size_t at;
} columns[] = {
    {"context_tokens",    COLUMN_TOKENS,     offsetof(struct catalog_capability, context_tokens)   },
    {"output_tokens_max", COLUMN_TOKENS,     offsetof(struct catalog_capability, output_tokens_max)},
    {"efforts",           COLUMN_EFFORTS,    offsetof(struct catalog_capability, efforts)          },
    {"thinking_always",   COLUMN_FLAG,       offsetof(struct catalog_capability, thinking_always)  },
    {"sampling",          COLUMN_FLAG,       offsetof(struct catalog_capability, sampling)         },
    {"tools",             COLUMN_FLAG,       offsetof(struct catalog_capability, tools)            },
    {"forced_tools",      COLUMN_FLAG,       offsetof(struct catalog_capability, forced_tools)     },
    {"prefill",           COLUMN_FLAG,       offsetof(struct catalog_capability, prefill)          },
    {"structured_output", COLUMN_FLAG,       offsetof(struct catalog_capability, structured_output)},
    {"input_modalities",  COLUMN_MODALITIES, offsetof(struct catalog_capability, input_modalities) },
    {"output_modalities", COLUMN_MODALITIES,
     offsetof(struct catalog_capability,                                         output_modalities)},
};

static const char *print_column(char *dst, const struct catalog_capability *c, size_t i)
{
    const void *at = (const char *)c + columns[i].at;
    switch (columns[i].kind) {
    case COLUMN_TOKENS:
        (void)snprintf(dst, VALUE_SIZE, "%lld", (long long)*(const int64_t *)at);
        return dst;
    case COLUMN_EFFORTS:
        return capability_print_efforts(dst, *(const unsigned *)at);
    case COLUMN_MODALITIES:
        return capability_print_modalities(dst, *(const unsigned *)at);
    case COLUMN_FLAG:
        break;
    }
    return *(const bool *)at ? "true" : "false";
}

static enum err tell_column(struct buf *text, const char *name, const char *was, const char *now)
{
    return buf_printf(text, "%s %s %s -> %s", text->n ? "," : "", name, was[0] ? was : "none",
                      now[0] ? now : "none");
}

enum err proposal_tell_capability(struct buf *text, const struct catalog_capability *was,
                                  const struct catalog_capability *now, bool *differs)
{
    struct buf line;
    char from[VALUE_SIZE], to[VALUE_SIZE];
    enum err e = ERR_OK;
    buf_init(&line, PROPOSAL_TEXT_MAX);
    if (was->thinking != now->thinking)
        e = tell_column(&line, "thinking", capability_thinking_name(was->thinking),
                        capability_thinking_name(now->thinking));
    for (size_t i = 0; !e && i < COUNT(columns); i++) {
        const char *a = print_column(from, was, i), *b = print_column(to, now, i);
        if (strcmp(a, b) != 0)
            e = tell_column(&line, columns[i].name, a, b);
    }
    *differs = line.n > 0;
    if (!e && *differs)
        e = buf_printf(text, "%s capability %s:%.*s\n",
                       strcmp(was->pattern, now->pattern) ? "+" : "~", now->pattern, (int)line.n,
                       line.p);
    buf_clear(&line);
    return e;
}

/* ---- rows ---- */

/* 0 tokens: the default of the column. */
static const char sql_insert_model[] =
    "INSERT INTO models (name, kind, owned_by, status, note, context_tokens, output_tokens_max)"
    " VALUES (?, ?, LEFT(COALESCE(NULLIF(?, ''), DEFAULT(owned_by)), 64), ?, ?,"
    " COALESCE(NULLIF(?, 0), DEFAULT(context_tokens)),"
    " COALESCE(NULLIF(?, 0), DEFAULT(output_tokens_max)))";

enum err proposal_insert_model(struct db_conn *c, const struct litellm_model *m,
                               const struct proposal_model *now, const struct proposal_options *o)
{
    struct db_value v[] = {DB_STRZ(m->name),
                           DB_STRZ(m->kind),
                           DB_STRZ(m->provider),
                           DB_STRZ(o->status),
                           DB_STRZ(o->note),
                           DB_INT(now->context_tokens),
                           DB_INT(now->output_tokens_max)};
    return db_run(c, sql_insert_model, v, COUNT(v), NULL);
}

static const char sql_update_model[] =
    "UPDATE models SET context_tokens = ?, output_tokens_max = ? WHERE name = ?";

enum err proposal_update_model(struct db_conn *c, const struct proposal_model *now)
{
    struct db_value v[] = {DB_INT(now->context_tokens), DB_INT(now->output_tokens_max),
                           DB_STRZ(now->name)};
    return db_run(c, sql_update_model, v, COUNT(v), NULL);
}

static const char sql_insert_price[] =
    "INSERT INTO prices (model_id, unit, qualifier, amount, note)"
    " SELECT id, ?, ?, ?, ? FROM models WHERE name = ?";

enum err proposal_insert_price(struct db_conn *c, const char *model,
                               const struct proposal_price *now, const struct proposal_options *o)
{
    struct db_value v[] = {DB_STRZ(now->unit), DB_STRZ(now->qualifier), DB_NUSD(now->amount_nusd),
                           DB_STRZ(o->note), DB_STRZ(model)};
    return db_run(c, sql_insert_price, v, COUNT(v), NULL);
}

static const char sql_put_capability[] =
    "INSERT INTO model_capabilities (pattern, context_tokens, output_tokens_max, thinking, efforts,"
    " thinking_budget_min, thinking_budget_max, thinking_always, between_tools, sampling, tools,"
    " forced_tools, custom_tools, prefill, structured_output, system_turns, reasoning_content,"
    " max_tokens_name, schema_keyword, input_modalities, output_modalities, note)"
    " VALUES (?, NULLIF(?, 0), NULLIF(?, 0), ?, ?, NULLIF(?, 0), NULLIF(?, 0), ?, ?, ?, ?, ?, ?, ?,"
    " ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON DUPLICATE KEY UPDATE context_tokens = VALUES(context_tokens),"
    " output_tokens_max = VALUES(output_tokens_max), thinking = VALUES(thinking),"
    " efforts = VALUES(efforts), thinking_always = VALUES(thinking_always),"
    " sampling = VALUES(sampling), tools = VALUES(tools), forced_tools = VALUES(forced_tools),"
    " prefill = VALUES(prefill), structured_output = VALUES(structured_output),"
    " input_modalities = VALUES(input_modalities), output_modalities = VALUES(output_modalities)";

enum err proposal_put_capability(struct db_conn *c, const struct catalog_capability *now,
                                 const struct proposal_options *o)
{
    char efforts[CAPABILITY_SET_SIZE], in[CAPABILITY_SET_SIZE], out[CAPABILITY_SET_SIZE];
    struct db_value v[] = {
        DB_STRZ(now->pattern),
        DB_INT(now->context_tokens),
        DB_INT(now->output_tokens_max),
        DB_STRZ(capability_thinking_name(now->thinking)),
        DB_STRZ(capability_print_efforts(efforts, now->efforts)),
        DB_INT(now->thinking_budget_min),
        DB_INT(now->thinking_budget_max),
        DB_INT(now->thinking_always),
        DB_INT(now->between_tools),
        DB_INT(now->sampling),
        DB_INT(now->tools),
        DB_INT(now->forced_tools),
        DB_INT(now->custom_tools),
        DB_INT(now->prefill),
        DB_INT(now->structured_output),
        DB_INT(now->system_turns),
        DB_INT(now->reasoning_content),
        DB_STRZ(now->max_tokens_name),
        DB_STRZ(now->schema_keyword),
        DB_STRZ(capability_print_modalities(in, now->input_modalities)),
        DB_STRZ(capability_print_modalities(out, now->output_modalities)),
        DB_STRZ(o->note),
    };
    return db_run(c, sql_put_capability, v, COUNT(v), NULL);
}
