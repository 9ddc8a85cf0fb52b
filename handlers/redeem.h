/* redeem - POST /redeem: a code becomes money on the account of the key. */
#ifndef AIPASS_HANDLERS_REDEEM_H
#define AIPASS_HANDLERS_REDEEM_H

#define REDEEM_FAILURES_MAX 10 /* of one account in a minute, in this process */

struct request;
/* redeem_post - the handler: {"code": "..."}. Blocks for the database. */
void redeem_post(struct request *req);

#endif
