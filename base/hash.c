#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#define SEAL_WORD     "sealed:"
#define SEAL_PREFIX   SEAL_WORD "1:"
#define NONCE_BYTES   12
#define TAG_BYTES     16
#define SEALED_MAX    (NONCE_BYTES + SEAL_TEXT_MAX + TAG_BYTES)
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* CRC-32C of each byte, reflected polynomial 0x82f63b78. */
static const uint32_t crc_table[256] = {
    /* clang-format off */
    0x00000000, 0xf26b8303, 0xe13b70f7, 0x1350f3f4, 0xc79a971f, 0x35f1141c, 0x26a1e7e8, 0xd4ca64eb,
    0x8ad958cf, 0x78b2dbcc, 0x6be22838, 0x9989ab3b, 0x4d43cfd0, 0xbf284cd3, 0xac78bf27, 0x5e133c24,
    0x105ec76f, 0xe235446c, 0xf165b798, 0x030e349b, 0xd7c45070, 0x25afd373, 0x36ff2087, 0xc494a384,
    0x9a879fa0, 0x68ec1ca3, 0x7bbcef57, 0x89d76c54, 0x5d1d08bf, 0xaf768bbc, 0xbc267848, 0x4e4dfb4b,
    0x20bd8ede, 0xd2d60ddd, 0xc186fe29, 0x33ed7d2a, 0xe72719c1, 0x154c9ac2, 0x061c6936, 0xf477ea35,
    0xaa64d611, 0x580f5512, 0x4b5fa6e6, 0xb93425e5, 0x6dfe410e, 0x9f95c20d, 0x8cc531f9, 0x7eaeb2fa,
    0x30e349b1, 0xc288cab2, 0xd1d83946, 0x23b3ba45, 0xf779deae, 0x05125dad, 0x1642ae59, 0xe4292d5a,
    0xba3a117e, 0x4851927d, 0x5b016189, 0xa96ae28a, 0x7da08661, 0x8fcb0562, 0x9c9bf696, 0x6ef07595,
    0x417b1dbc, 0xb3109ebf, 0xa0406d4b, 0x522bee48, 0x86e18aa3, 0x748a09a0, 0x67dafa54, 0x95b17957,
    0xcba24573, 0x39c9c670, 0x2a993584, 0xd8f2b687, 0x0c38d26c, 0xfe53516f, 0xed03a29b, 0x1f682198,
    0x5125dad3, 0xa34e59d0, 0xb01eaa24, 0x42752927, 0x96bf4dcc, 0x64d4cecf, 0x77843d3b, 0x85efbe38,
    0xdbfc821c, 0x2997011f, 0x3ac7f2eb, 0xc8ac71e8, 0x1c661503, 0xee0d9600, 0xfd5d65f4, 0x0f36e6f7,
    0x61c69362, 0x93ad1061, 0x80fde395, 0x72966096, 0xa65c047d, 0x5437877e, 0x4767748a, 0xb50cf789,
    0xeb1fcbad, 0x197448ae, 0x0a24bb5a, 0xf84f3859, 0x2c855cb2, 0xdeeedfb1, 0xcdbe2c45, 0x3fd5af46,
    0x7198540d, 0x83f3d70e, 0x90a324fa, 0x62c8a7f9, 0xb602c312, 0x44694011, 0x5739b3e5, 0xa55230e6,
    0xfb410cc2, 0x092a8fc1, 0x1a7a7c35, 0xe811ff36, 0x3cdb9bdd, 0xceb018de, 0xdde0eb2a, 0x2f8b6829,
    0x82f63b78, 0x709db87b, 0x63cd4b8f, 0x91a6c88c, 0x456cac67, 0xb7072f64, 0xa457dc90, 0x563c5f93,
    0x082f63b7, 0xfa44e0b4, 0xe9141340, 0x1b7f9043, 0xcfb5f4a8, 0x3dde77ab, 0x2e8e845f, 0xdce5075c,
    0x92a8fc17, 0x60c37f14, 0x73938ce0, 0x81f80fe3, 0x55326b08, 0xa759e80b, 0xb4091bff, 0x466298fc,
    0x1871a4d8, 0xea1a27db, 0xf94ad42f, 0x0b21572c, 0xdfeb33c7, 0x2d80b0c4, 0x3ed04330, 0xccbbc033,
    0xa24bb5a6, 0x502036a5, 0x4370c551, 0xb11b4652, 0x65d122b9, 0x97baa1ba, 0x84ea524e, 0x7681d14d,
    0x2892ed69, 0xdaf96e6a, 0xc9a99d9e, 0x3bc21e9d, 0xef087a76, 0x1d63f975, 0x0e330a81, 0xfc588982,
    0xb21572c9, 0x407ef1ca, 0x532e023e, 0xa145813d, 0x758fe5d6, 0x87e466d5, 0x94b49521, 0x66df1622,
    0x38cc2a06, 0xcaa7a905, 0xd9f75af1, 0x2b9cd9f2, 0xff56bd19, 0x0d3d3e1a, 0x1e6dcdee, 0xec064eed,
    0xc38d26c4, 0x31e6a5c7, 0x22b65633, 0xd0ddd530, 0x0417b1db, 0xf67c32d8, 0xe52cc12c, 0x1747422f,
    0x49547e0b, 0xbb3ffd08, 0xa86f0efc, 0x5a048dff, 0x8ecee914, 0x7ca56a17, 0x6ff599e3, 0x9d9e1ae0,
    0xd3d3e1ab, 0x21b862a8, 0x32e8915c, 0xc083125f, 0x144976b4, 0xe622f5b7, 0xf5720643, 0x07198540,
    0x590ab964, 0xab613a67, 0xb831c993, 0x4a5a4a90, 0x9e902e7b, 0x6cfbad78, 0x7fab5e8c, 0x8dc0dd8f,
    0xe330a81a, 0x115b2b19, 0x020bd8ed, 0xf0605bee, 0x24aa3f05, 0xd6c1bc06, 0xc5914ff2, 0x37faccf1,
    0x69e9f0d5, 0x9b8273d6, 0x88d28022, 0x7ab90321, 0xae7367ca, 0x5c18e4c9, 0x4f48173d, 0xbd23943e,
    0xf36e6f75, 0x0105ec76, 0x12551f82, 0xe03e9c81, 0x34f4f86a, 0xc69f7b69, 0xd5cf889d, 0x27a40b9e,
    0x79b737ba, 0x8bdcb4b9, 0x988c474d, 0x6ae7c44e, 0xbe2da0a5, 0x4c4623a6, 0x5f16d052, 0xad7d5351,
    /* clang-format on */
};

void hash_sha256(struct slice in, uint8_t *out)
{
    int ok = EVP_Digest(in.p ? in.p : "", in.n, out, NULL, EVP_sha256(), NULL);

    /* Going on would look a key up by a wrong digest. */
    assert(ok);
    (void)ok;
}

void hash_hex(char *dst, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < n; i++) {
        dst[2 * i] = digits[p[i] >> 4];
        dst[2 * i + 1] = digits[p[i] & 15];
    }
    dst[2 * n] = '\0';
}

uint32_t hash_crc32c_table(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *at = p;

    crc = ~crc;
    while (n--)
        crc = crc_table[(crc ^ *at++) & 0xff] ^ crc >> 8;
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *p,
                                                               size_t n)
{
    const uint8_t *at = p;
    uint64_t wide = ~crc;

    for (; n >= sizeof(uint64_t); at += sizeof(uint64_t), n -= sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, at, sizeof(word));
        wide = _mm_crc32_u64(wide, word);
    }
    crc = (uint32_t)wide;
    while (n--)
        crc = _mm_crc32_u8(crc, *at++);
    return ~crc;
}
#endif

uint32_t hash_crc32c(uint32_t crc, const void *p, size_t n)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return crc32c_sse42(crc, p, n);
#endif
    return hash_crc32c_table(crc, p, n);
}

/* Both halves of the 128-bit product, folded: every input bit reaches every output bit. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load_le(const char *p, size_t n)
{
    uint64_t word = 0;
    size_t i;

    for (i = 0; i < n; i++)
        word |= (uint64_t)(unsigned char)p[i] << (8 * i);
    return word;
}

/* Constants: the first fractional bits of the roots of 2, 3 and 5, made odd. Nodes of a cluster
 * must agree on the result, so it depends on neither byte order nor word size. */
uint64_t hash_64(struct slice in, uint64_t seed)
{
    const uint64_t k0 = UINT64_C(0x6a09e667f3bcc909), k1 = UINT64_C(0xbb67ae8584caa73b),
                   k2 = UINT64_C(0x3c6ef372fe94f82b);
    uint64_t h = fold(seed ^ k0, (uint64_t)in.n ^ k1);
    size_t at = 0;

    for (; in.n - at >= 8; at += 8)
        h = fold(h ^ load_le(in.p + at, 8) ^ k1, k2);
    if (at < in.n)
        h = fold(h ^ load_le(in.p + at, in.n - at) ^ k2, k0);
    return fold(h ^ k2, k1);
}

void hash_random(void *p, size_t n)
{
    unsigned char *at = p;

    while (n) {
        ssize_t got = getrandom(at, n, 0);

        if (got < 0) {
            if (errno == EINTR)
                continue;
            abort();
        }
        at += got;
        n -= (size_t)got;
    }
}

bool hash_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void hash_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

bool seal_is_sealed(struct slice text)
{
    return slice_starts(text, SEAL_WORD);
}

/* nonce, cipher text and tag of plain into raw; false when libcrypto fails, which only memory can
 * make it. */
static bool encrypt(const uint8_t *key, struct slice aad, struct slice plain, uint8_t *raw)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t *text = raw + NONCE_BYTES;
    int n;
    bool ok;

    hash_random(raw, NONCE_BYTES);
    ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, raw) &&
         EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *)aad.p, (int)aad.n) &&
         EVP_EncryptUpdate(ctx, text, &n, (const uint8_t *)plain.p, (int)plain.n) &&
         EVP_EncryptFinal_ex(ctx, text + plain.n, &n) &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, text + plain.n);
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

enum err seal_text(const uint8_t *key, struct slice aad, struct slice plain, char *dst, size_t size)
{
    uint8_t raw[SEALED_MAX];
    size_t n = NONCE_BYTES + plain.n + TAG_BYTES, prefix = strlen(SEAL_PREFIX);

    if (plain.n > SEAL_TEXT_MAX || aad.n > SEAL_TEXT_MAX || size < prefix + BASE64_LEN(n) + 1)
        return ERR_FULL;
    if (!encrypt(key, aad, plain, raw))
        return ERR_MEMORY;
    memcpy(dst, SEAL_PREFIX, prefix);
    (void)EVP_EncodeBlock((unsigned char *)dst + prefix, raw, (int)n);
    return ERR_OK;
}

/* The bytes behind base64 text into raw; 0 when it is not strictly that. EVP_DecodeBlock alone
 * would step over white space and take '=' anywhere for zeros. */
static size_t decode_base64(struct slice text, uint8_t *raw, size_t size)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *last = alphabet;
    size_t padding = 0, i;
    int n;

    while (padding < 2 && padding < text.n && text.p[text.n - 1 - padding] == '=')
        padding++;
    for (i = 0; i < text.n - padding; i++) {
        last = memchr(alphabet, text.p[i], sizeof(alphabet) - 1);
        if (!last)
            return 0;
    }
    /* The bits of the last character that stand for no byte: one text only per sealed value. */
    if ((size_t)(last - alphabet) & ((1U << 2 * padding) - 1))
        return 0;
    if (text.n % 4 || text.n / 4 * 3 > size)
        return 0;
    n = EVP_DecodeBlock(raw, (const unsigned char *)text.p, (int)text.n);
    return n < (int)padding ? 0 : (size_t)n - padding;
}

static bool decrypt(const uint8_t *key, struct slice aad, uint8_t *raw, size_t text_n,
                    uint8_t *text)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;
    bool ok;

    ok = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, raw) &&
         EVP_DecryptUpdate(ctx, NULL, &n, (const uint8_t *)aad.p, (int)aad.n) &&
         EVP_DecryptUpdate(ctx, text, &n, raw + NONCE_BYTES, (int)text_n) &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, raw + NONCE_BYTES + text_n) &&
         EVP_DecryptFinal_ex(ctx, text + text_n, &n) > 0;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

enum err seal_open(const uint8_t *key, struct slice aad, struct slice sealed, char *dst,
                   size_t size)
{
    uint8_t raw[SEALED_MAX + 3], text[SEAL_TEXT_MAX];
    size_t prefix = strlen(SEAL_PREFIX), n;
    enum err e = ERR_FORMAT;

    if (!slice_starts(sealed, SEAL_PREFIX) || aad.n > SEAL_TEXT_MAX)
        return ERR_FORMAT;
    n = decode_base64((struct slice){sealed.p + prefix, sealed.n - prefix}, raw, sizeof(raw));
    if (n < NONCE_BYTES + TAG_BYTES || n > SEALED_MAX)
        return ERR_FORMAT;
    n -= NONCE_BYTES + TAG_BYTES;
    if (n >= size)
        return ERR_FULL;
    if (decrypt(key, aad, raw, n, text) && !memchr(text, '\0', n)) {
        memcpy(dst, text, n);
        dst[n] = '\0';
        e = ERR_OK;
    }
    hash_wipe(text, n);
    return e;
}
