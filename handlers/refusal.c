#include "handlers/refusal.h"

#include "upstream/transfer_head.h"

#include <string.h>

static bool holds(struct slice body, const char *text)
{
    return body.n > 0 && memmem(body.p, body.n, text, strlen(text)) != NULL;
}

/* What providers say of a credential by other statuses than 401, 402 and 403. */
static bool is_credential(int status, struct slice body)
{
    if (status == 400)
        return holds(body, "API_KEY_INVALID") || holds(body, "credit balance is too low");
    return status == 429 && holds(body, "\"insufficient_quota\"");
}

static enum err error_of_status(int status)
{
    switch (status) {
    case 401:
    case 402:
    case 403:
        return ERR_UP_AUTH;
    case 408:
    case 409:
        return ERR_UP_STATUS;
    case 429:
        return ERR_UP_RATE;
    default:
        return status >= 400 && status < 500 ? ERR_UP_REJECTED : ERR_UP_STATUS;
    }
}

enum err refusal_error(const struct catalog_channel *channel, int status, struct slice body)
{
    static const enum err errors[] = {
        [MEANING_RETRY] = ERR_UP_STATUS,
        [MEANING_REJECT] = ERR_UP_REJECTED,
        [MEANING_KEY] = ERR_UP_AUTH,
        [MEANING_LIMIT] = ERR_UP_RATE,
    };
    enum catalog_meaning meaning;
    if (channel_meaning(channel, status, &meaning))
        return errors[meaning];
    return is_credential(status, body) ? ERR_UP_AUTH : error_of_status(status);
}

int64_t refusal_retry_ms(struct slice body)
{
    static const char mark[] = "\"retryDelay\"";
    const char *at = body.n > 0 ? memmem(body.p, body.n, mark, strlen(mark)) : NULL;
    if (at == NULL)
        return -1;
    struct slice rest = {at + strlen(mark), body.n - (size_t)(at - body.p) - strlen(mark)};
    (void)slice_split(&rest, '"');
    if (rest.p == NULL)
        return -1;
    return head_reset_ms(slice_split(&rest, '"'), 0);
}
