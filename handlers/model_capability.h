/* model_capability - what a channel's model accepts, as request encoders want to know it: the
 * database's row in upstream's words. Pure; any thread. */
#ifndef AIPASS_HANDLERS_MODEL_CAPABILITY_H
#define AIPASS_HANDLERS_MODEL_CAPABILITY_H

#include "base/arena.h"
#include "db/capability_list.h"
#include "upstream/capability.h"

/* capability_of - in the arena; NULL when memory is out. */
const struct capability *capability_of(struct arena *a, const struct catalog_capability *row);

#endif
