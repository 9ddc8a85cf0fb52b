#include "tests/unit/invariants.h"

#include <stdio.h>
#include <stddef.h>

#define TEXT_MAX 1024

/* One statement each: they are checked while processes run, and a statement sees one moment; or nearly, see ask. */
const struct invariant invariants[] = {
    {"I1 balance - leases >= 0",
     "SELECT GROUP_CONCAT(CONCAT('account ', t.account_id, ': balance ', t.balance, ', leases ', "
     "t.leased) SEPARATOR '; ') FROM ("
     "  SELECT l.account_id,"
     "         COALESCE((SELECT c.balance FROM checkpoints c WHERE c.account_id = l.account_id "
     "ORDER BY c.id DESC LIMIT 1), 0)"
     "         + COALESCE((SELECT SUM(g.amount) FROM ledger g WHERE g.account_id = l.account_id "
     "AND g.checkpoint_id IS NULL), 0) AS balance,"
     "         SUM(l.amount) AS leased"
     "  FROM leases l GROUP BY l.account_id) t WHERE t.balance < t.leased",                     0                 },
    {"balance >= 0",
     "SELECT GROUP_CONCAT(CONCAT('account ', t.account_id, ': balance ', t.balance) SEPARATOR '; "
     "') FROM ("
     "  SELECT account_id, SUM(amount) AS balance FROM ledger GROUP BY account_id) t WHERE "
     "t.balance < 0",                                                                           0                 },
    {"I2 balance = sum of the ledger",
     "SELECT GROUP_CONCAT(CONCAT('account ', t.account_id) SEPARATOR '; ') FROM ("
     "  SELECT g.account_id, SUM(g.amount) AS total,"
     "         COALESCE((SELECT c.balance FROM checkpoints c WHERE c.account_id = g.account_id "
     "ORDER BY c.id DESC LIMIT 1), 0)"
     "         + COALESCE(SUM(CASE WHEN g.checkpoint_id IS NULL THEN g.amount END), 0) AS balance"
     "  FROM ledger g GROUP BY g.account_id) t WHERE t.total <> t.balance",                     0                 },
    {"I3 usage = ledger usage",
     "SELECT GROUP_CONCAT(CONCAT('account ', t.account_id, ': usage ', t.used, ', ledger ', "
     "t.charged) SEPARATOR '; ') FROM ("
     "  SELECT account_id, SUM(used) AS used, SUM(charged) AS charged FROM ("
     "    SELECT account_id, cost AS used, 0 AS charged FROM usage_log"
     "    UNION ALL SELECT account_id, cost, 0 FROM usage_daily WHERE is_dropped"
     "    UNION ALL SELECT account_id, 0, -amount FROM ledger WHERE kind = 'usage') u GROUP BY "
     "account_id) t WHERE t.used <> t.charged",                                                 0                 },
    {"no lease without its process",
     "SELECT GROUP_CONCAT(CONCAT(l.process_id, '/', l.account_id) SEPARATOR '; ') FROM leases l"
     " LEFT JOIN processes p ON p.id = l.process_id WHERE p.id IS NULL OR l.amount < 0",        0                 },
    {"I4 cost = price lines",
     "SELECT GROUP_CONCAT(t.request_id SEPARATOR '; ') FROM ("
     "  SELECT u.request_id, u.cost + u.shortfall AS cost,"
     "         CEILING(COALESCE(SUM(j.count * j.amount * (1000000 DIV j.per)), 0) * "
     "u.price_multiplier * 1000) * 0.000000001 AS priced"
     "  FROM usage_log u LEFT JOIN JSON_TABLE(u.price_lines, '$[*]' COLUMNS (count DECIMAL(20,0) "
     "PATH '$.count',"
     "       amount DECIMAL(30,9) PATH '$.amount', per DECIMAL(20,0) PATH '$.per')) j ON TRUE"
     "  WHERE u.status <> 'interrupted' GROUP BY u.request_id) t WHERE t.cost <> t.priced",     INVARIANTS_PRICED },
    {"I7 no lease is left",
     "SELECT GROUP_CONCAT(CONCAT(process_id, '/', account_id, ': ', amount) SEPARATOR '; ') FROM "
     "leases",                                                                                  INVARIANTS_DRAINED},
    {"I7 no process is left",          "SELECT GROUP_CONCAT(id SEPARATOR '; ') FROM processes",
     INVARIANTS_DRAINED                                                                                           },
    {"I7 no position is left",
     "SELECT GROUP_CONCAT(process_id SEPARATOR '; ') FROM journal_positions",                   INVARIANTS_DRAINED},
    {NULL,                             NULL,                                                    0                 },
};

/* InnoDB copies the list of open transactions one by one, so that a statement may, once in very long, see a transaction and not the one that it had waited for. What is really broken is so twice. */
static const char *ask(struct mariadb *m, const char *sql)
{
    const char *broken = mariadb_value(m, "%s", sql);
    return *broken ? mariadb_value(m, "%s", sql) : broken;
}

const char *invariants_broken(struct mariadb *m, int also)
{
    static char text[TEXT_MAX];
    for (const struct invariant *i = invariants; i->sql; i++) {
        if (i->only_with && !(also & i->only_with))
            continue;
        const char *broken = ask(m, i->sql);
        if (*broken) {
            (void)snprintf(text, sizeof(text), "%s: %.900s", i->name, broken);
            return text;
        }
    }
    return NULL;
}
