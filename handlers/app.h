/* app - what every handler needs, wired once by fcgi/main.c and read-only afterwards; each part does its own locking. */
#ifndef AIPASS_HANDLERS_APP_H
#define AIPASS_HANDLERS_APP_H

#include "base/config.h"
#include "db/catalog.h"
#include "db/db.h"
#include "db/key.h"
#include "db/limit.h"
#include "db/money.h"
#include "upstream/transfer.h"

#include <stdatomic.h>

struct upkeep;
struct throttle;
struct breaker_set;
struct load_table;

struct app {
    const struct config *config;
    struct db *db;
    struct key_cache *keys;
    struct catalog_store *catalogs;
    struct money *money;
    struct limits *limits;
    struct transfer_pool *transfers;
    struct breaker_set *breakers;
    struct load_table *loads;
    struct throttle *redeem_failures; /* by account */
    struct upkeep *upkeep;            /* NULL in CGI mode */
    atomic_bool *is_stopping;         /* drain_timeout_ms is over: running exchanges end now */
};

struct request;
/* app_of - the application behind a request. */
const struct app *app_of(const struct request *req);

#endif
