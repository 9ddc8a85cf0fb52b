/* proposal_row - one change of a proposal: its line of text, and its row. Internal to proposal. */
#ifndef AIPASS_DB_PROPOSAL_ROW_H
#define AIPASS_DB_PROPOSAL_ROW_H

#include "db/capability_list.h"
#include "db/proposal.h"

struct proposal_model {
    int64_t id;
    const char *name;
    int64_t context_tokens, output_tokens_max; /* 0: as the table's default */
};

struct proposal_price {
    int64_t model_id; /* 0: the model is new */
    const char *unit;
    const char *qualifier;
    int64_t amount_nusd;
};

/* The lines. was: NULL for a new row. ERR_MEMORY, ERR_FULL. */
ERR_CHECK enum err proposal_tell_model(struct buf *text, const struct litellm_model *m,
                                       const struct proposal_model *was,
                                       const struct proposal_model *now);
ERR_CHECK enum err proposal_tell_price(struct buf *text, const char *model,
                                       const struct proposal_price *was,
                                       const struct proposal_price *now, bool is_steep);
/* Nothing is said, and *differs is false, when both accept the same. */
ERR_CHECK enum err proposal_tell_capability(struct buf *text, const struct catalog_capability *was,
                                            const struct catalog_capability *now, bool *differs);

/* proposal_fit_capability - changes what the table says about the model, and nothing else. */
void proposal_fit_capability(struct catalog_capability *c, const struct litellm_model *m);

/* The rows. Errors of db_run. */
ERR_CHECK enum err proposal_insert_model(struct db_conn *c, const struct litellm_model *m,
                                         const struct proposal_model *now,
                                         const struct proposal_options *o);
ERR_CHECK enum err proposal_update_model(struct db_conn *c, const struct proposal_model *now);
ERR_CHECK enum err proposal_insert_price(struct db_conn *c, const char *model,
                                         const struct proposal_price *now,
                                         const struct proposal_options *o);
ERR_CHECK enum err proposal_put_capability(struct db_conn *c, const struct catalog_capability *now,
                                           const struct proposal_options *o);

#endif
