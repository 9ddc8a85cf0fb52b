/* seal - what only the simulator can have made: signatures of thinking, encrypted reasoning.
 *
 * A seal is base64 text that binds a kind, a model and a text together under the organisation's
 * name, so that one made by another organisation, for another text or by nobody is told apart. No
 * state but that name; one thread.
 */
#ifndef TESTS_PROVIDER_SEAL_H
#define TESTS_PROVIDER_SEAL_H

#include "tests/provider/bytes.h"

enum seal_kind {
    SEAL_THINKING = 'a',
    SEAL_REDACTED = 'd',
    SEAL_CALL = 'f',
    SEAL_TEXT = 't',
    SEAL_REASONING = 'r',
    SEAL_COMPACTION = 'c'
};

enum seal_verdict {
    SEAL_FITS,
    SEAL_FOREIGN,     /* not a seal, or another organisation's, or of another kind */
    SEAL_OTHER_TEXT,  /* ours, but the text was changed */
    SEAL_OTHER_MODEL, /* ours, but made by another model */
};

/* seal_set_organisation - whose seals these are; name is kept. */
void seal_set_organisation(const char *name);

/* seal_put - append a seal. model: controls behind '@' do not count. */
void seal_put(enum seal_kind kind, struct span model, struct span text, struct bytes *out);

/* seal_check - what is true of a seal that a client sent back; the first of the enum's that
 * applies. */
enum seal_verdict seal_check(struct span seal, enum seal_kind kind, struct span model,
                             struct span text);

#endif
