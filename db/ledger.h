/* ledger - what an account has: balance, reserved money and spend, read for people and checks.
 * Decisions about money are made in lease. Blocks for a query; any thread. */
#ifndef AIPASS_DB_LEDGER_H
#define AIPASS_DB_LEDGER_H

#include "base/err.h"
#include "db/db.h"

struct ledger_spend {
    int64_t requests;
    int64_t input_tokens; /* all input: fresh, cached and written */
    int64_t output_tokens;
    int64_t cost_nusd;
};

struct ledger_summary {
    int64_t balance_nusd;
    /* Leased to processes: running requests and usage on its way to the ledger. */
    int64_t reserved_nusd;
    struct ledger_spend account_today, account_month; /* UTC, by the database's clock */
    struct ledger_spend key_today, key_month;
};

/* ledger_read_summary - for GET /v1/usage. ERR_UNAVAILABLE. */
ERR_CHECK enum err ledger_read_summary(struct db *db, int64_t account_id, int64_t api_key_id,
                                       struct ledger_summary *out);

#endif
