/* passed_headers - the header lines of a request to a provider: its key, what its format must say, and those of the client's own that concern a provider of the client's format. Everything else of the client stays here.
 *
 * Lines lie in the request's arena. */
#ifndef AIPASS_HANDLERS_PASSED_HEADERS_H
#define AIPASS_HANDLERS_PASSED_HEADERS_H

#include "fcgi/request.h"
#include "upstream/format.h"
#include "upstream/transfer.h"

/* passed_headers_add - to spec. is_same: the client speaks the provider's format. ERR_MEMORY. */
ERR_CHECK enum err passed_headers_add(struct request *req, const struct format *provider,
                                      const char *secret, bool is_same, bool is_stream,
                                      struct transfer_spec *spec);

#endif
