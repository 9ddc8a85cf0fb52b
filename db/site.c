#include "db/site.h"

static const char sql_site[] = "SELECT name = 'support_email', value FROM settings"
                               " WHERE name IN ('support_email', 'support_url') AND value <> ''";

enum err site_read(struct db_conn *c, struct arena *arena, struct site *out)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_site, NULL, 0, &s);
    if (e)
        return e;
    while (!(e = db_next(s))) {
        const char *value = arena_copy(arena, db_col_text(s, 1));
        if (!value)
            return ERR_MEMORY;
        if (db_col_i64(s, 0))
            out->support_email = value;
        else
            out->support_url = value;
    }
    return e == ERR_END ? ERR_OK : e;
}
