/* amount - exact money: int64 nano-USD in C, DECIMAL(18,9) USD in SQL. No double comes near it.
 * Pure; any thread. */
#ifndef AIPASS_BASE_AMOUNT_H
#define AIPASS_BASE_AMOUNT_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

#define MONEY_NUSD_PER_USD INT64_C(1000000000)
#define MONEY_MAX_NUSD     INT64_C(999999999999999999) /* DECIMAL(18,9) */
#define MONEY_TEXT_SIZE    24
#define MONEY_PPM_PER_ONE  INT64_C(1000000) /* a multiplier of 1 */

/* amount_parse - "-12.5", "3", "0.000000001". ERR_FORMAT; ERR_RANGE past DECIMAL(18,9) or with more
 * than nine decimals that are not 0. */
ERR_CHECK enum err amount_parse(struct slice text, int64_t *nusd);
/* amount_parse_scaled - a number as JSON writes it, "1.25e-06", times 10^shift, exactly; shift: -99
 * to 99. ERR_FORMAT; ERR_RANGE as amount_parse. */
ERR_CHECK enum err amount_parse_scaled(struct slice number, int shift, int64_t *nusd);
/* amount_multiply - times a multiplier, rounded up. nusd: >= 0. ERR_RANGE past DECIMAL(18,9). */
ERR_CHECK enum err amount_multiply(int64_t nusd, int64_t ppm, int64_t *product_nusd);
/* amount_print - always nine decimals: "12.500000000". dst: MONEY_TEXT_SIZE bytes. Returns dst. */
char *amount_print(char *dst, int64_t nusd);
/* amount_parse_millionths - a multiplier, "0.9" to 900000; range 0..1e9 millionths. ERR_FORMAT,
 * ERR_RANGE. */
ERR_CHECK enum err amount_parse_millionths(struct slice text, int64_t *ppm);

#endif
