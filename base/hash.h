/* hash - SHA-256, CRC-32C, AES-256-GCM and random bytes, by libcrypto where it has them. Pure but
 * for the random source; any thread. */
#ifndef AIPASS_BASE_HASH_H
#define AIPASS_BASE_HASH_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

#define SHA256_BYTES    32
#define SHA256_HEX_SIZE 65
#define SEAL_KEY_BYTES  32
#define SEAL_TEXT_MAX   4096

/* hash_sha256 - out: SHA256_BYTES. */
void hash_sha256(struct slice in, uint8_t *out);
/* hash_hex - lower-case hex; dst: 2n+1 bytes. */
void hash_hex(char *dst, const uint8_t *p, size_t n);
/* hash_crc32c - Castagnoli, as in RFC 3720; start with crc 0, feed on with the last result. */
uint32_t hash_crc32c(uint32_t crc, const void *p, size_t n);
/* hash_crc32c_table - the same without the processor's instruction; public so that tests compare
 * the two. */
uint32_t hash_crc32c_table(uint32_t crc, const void *p, size_t n);
/* hash_64 - a fast stable 64-bit mix of bytes and a seed, for tables and rendezvous; not
 * cryptographic. */
uint64_t hash_64(struct slice in, uint64_t seed);
/* hash_random - n random bytes from getrandom; aborts when the kernel has none (it cannot be
 * continued from). */
void hash_random(void *p, size_t n);
/* hash_equal - constant-time comparison. */
bool hash_equal(const void *a, const void *b, size_t n);
/* hash_wipe - clears memory in a way that is not optimised away. */
void hash_wipe(void *p, size_t n);

/* seal_text, seal_open - AES-256-GCM of a short text, bound to aad. Sealed form: "sealed:1:" +
 * base64(nonce 12, cipher text, tag 16). key: SEAL_KEY_BYTES. dst gets a NUL-terminated text.
 * ERR_FULL: dst too small; ERR_FORMAT: not sealed, wrong key or wrong aad. */
ERR_CHECK enum err seal_text(const uint8_t *key, struct slice aad, struct slice plain, char *dst,
                             size_t size);
ERR_CHECK enum err seal_open(const uint8_t *key, struct slice aad, struct slice sealed, char *dst,
                             size_t size);
/* seal_is_sealed - begins with "sealed:". */
bool seal_is_sealed(struct slice text);

#endif
