/* price_list - the rows of prices that are in force for one model, and which of them one request is
 * charged at.
 *
 * A row belongs to a scope (everybody, one group, one account; one channel: what the owner pays its
 * provider) and to a tier: a service tier as the provider's answer names it, and a threshold of
 * input that the whole request is priced above. Unit by unit: the most specific scope that has a
 * row for it decides; in it the highest threshold that the input exceeds, and at that threshold
 * the row of the service tier before the ordinary one. Plain data, immutable; any thread.
 * Source: ARCHITECTURE.md "Money". */
#ifndef AIPASS_DB_PRICE_LIST_H
#define AIPASS_DB_PRICE_LIST_H

#include "db/pricing.h"

/* Order and names of prices.scope. */
enum price_scope { PRICE_FOR_MODEL, PRICE_FOR_GROUP, PRICE_FOR_ACCOUNT, PRICE_FOR_CHANNEL };

/* The tier that an answer names; any other word counts as the ordinary one. */
enum price_service { SERVICE_ORDINARY, SERVICE_FLEX, SERVICE_PRIORITY, SERVICE_BATCH, SERVICES };

struct price_row {
    int64_t id;
    enum price_unit unit;
    enum price_service service;
    int64_t above; /* tokens of input, read and written ones included; 0: none */
    int64_t amount_nusd;
};

/* The rows of one model for one scope. */
struct price_list {
    enum price_scope scope;
    int64_t scope_id;
    const struct price_row *rows;
    size_t rows_n;
};

/* All of one model. */
struct price_book {
    const struct price_list *lists; /* by scope, then scope_id */
    size_t lists_n;
};

#define PRICE_LISTS_MAX 3

/* The lists that count for somebody, the most specific first. */
struct price_choice {
    const struct price_list *lists[PRICE_LISTS_MAX];
    size_t n;
};

/* price_scope_parse - the words of prices.scope. price_service_parse - "flex", "priority",
 * "batch"; all else is SERVICE_ORDINARY. price_qualifier_parse - a prices.qualifier: "", "flex",
 * "above_200000", "flex_above_200000". ERR_FORMAT. */
ERR_CHECK enum err price_scope_parse(const char *name, enum price_scope *out);
enum price_service price_service_parse(const char *name);
ERR_CHECK enum err price_qualifier_parse(const char *text, enum price_service *service,
                                         int64_t *above);

/* price_choose - for a customer: the account's list, the group's, the model's. price_choose_channel
 * - for a channel: its own alone. */
struct price_choice price_choose(const struct price_book *book, int64_t group_id,
                                 int64_t account_id);
struct price_choice price_choose_channel(const struct price_book *book, int64_t channel_id);

/* price_pick - what a request with that much input in that tier is charged. Units without a row
 * are -1. */
void price_pick(const struct price_choice *c, enum price_service service, int64_t input,
                struct price *out);

/* price_pick_dearest - unit by unit the dearest that a request of up to input_max tokens of input
 * can be charged, whatever tier it ends up in. */
void price_pick_dearest(const struct price_choice *c, int64_t input_max, struct price *out);

#endif
