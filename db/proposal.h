/* proposal - what a table of models would change here: models, their prices for everybody, and what
 * they accept. It is a text to look at, and is then activated as a whole or not at all.
 *
 * Prices are never changed, only followed by newer rows; what the table does not name stays. A
 * proposal belongs to one thread. Blocks. */
#ifndef AIPASS_DB_PROPOSAL_H
#define AIPASS_DB_PROPOSAL_H

#include "base/buf.h"
#include "base/err.h"
#include "db/db.h"
#include "db/litellm.h"

#include <stdint.h>

#define PROPOSAL_TEXT_MAX ((size_t)64 << 20)

struct proposal_options {
    int64_t margin_ppm; /* what customers pay of the table's prices; rounded up */
    const char *status; /* of models that are added: a word of models.status */
    const char *note;   /* of the rows that are added */
    /* How many models of the table were compared; NULL: nobody asks. */
    void (*on_model)(void *arg, size_t done);
    void *arg;
};

struct proposal {
    const struct litellm_table *table;
    struct proposal_options options;
    struct buf text; /* a line for each change */
    size_t models_added, models_changed, prices_added, prices_changed, capabilities_changed;
    size_t steep; /* prices that become free, or more than twice or less than half what they were */
};

/* proposal_make - compares with what is in force. table and options are borrowed until
 * proposal_clear, which may be called after any error, too. ERR_RANGE: a price with its margin is
 * larger than an amount can be; ERR_MEMORY, ERR_FULL; errors of the database. */
ERR_CHECK enum err proposal_make(struct proposal *p, struct db *db,
                                 const struct litellm_table *table,
                                 const struct proposal_options *options);
void proposal_clear(struct proposal *p);

/* proposal_is_empty - nothing would change. */
bool proposal_is_empty(const struct proposal *p);

/* proposal_activate - in one transaction. ERR_BUSY: what is in force has changed since
 * proposal_make, nothing was done. Errors of db_transact. */
ERR_CHECK enum err proposal_activate(struct proposal *p, struct db *db);

#endif
