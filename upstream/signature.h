/* signature - carries the opaque thinking signature of one vendor's model through a client of
 * another format, as "aip1.VENDOR.MODEL...", and takes it apart on its way back.
 *
 * Pure; any thread. */
#ifndef AIPASS_UPSTREAM_SIGNATURE_H
#define AIPASS_UPSTREAM_SIGNATURE_H

#include "upstream/canon.h"

/* signature_wrap - the envelope, in the arena; is_redacted and id travel along. signature_base64 -
 * an envelope for clients whose signatures are bytes in base64 (Gemini). n 0 when memory is out. */
struct slice signature_wrap(struct arena *a, const struct seal *seal);
struct slice signature_base64(struct arena *a, struct slice envelope);

/* signature_open - what a client of the given vendor's format sent: an envelope of ours taken
 * apart (also from base64), or else the client's own vendor's. Broken envelopes give VENDOR_NONE. ERR_MEMORY. */
ERR_CHECK enum err signature_open(struct arena *a, struct slice text, enum vendor client,
                                  struct seal *out);

/* signature_is_envelope - it begins like one of ours. */
bool signature_is_envelope(struct slice text);

/* vendor_word - "openai", "anthropic", "gemini"; "none". */
const char *vendor_word(enum vendor v);

#endif
