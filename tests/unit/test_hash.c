#include "base/hash.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t key[SEAL_KEY_BYTES] = "0123456789abcdef0123456789abcde";

static const struct {
    const char *text, *hex;
} digests[] = {
  /* FIPS 180-2, appendix B */
    {"",                                                         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc",                                                      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"                                                            },
};

START_TEST(sha256_is_as_published)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX_SIZE];

    hash_sha256(slice_of(digests[_i].text), digest);
    hash_hex(hex, digest, sizeof(digest));
    ck_assert_str_eq(hex, digests[_i].hex);
}
END_TEST

START_TEST(sha256_of_a_null_slice_is_that_of_nothing)
{
    uint8_t a[SHA256_BYTES], b[SHA256_BYTES];

    hash_sha256((struct slice){NULL, 0}, a);
    hash_sha256(SLICE(""), b);
    ck_assert_mem_eq(a, b, sizeof(a));
}
END_TEST

START_TEST(hex_is_lower_case_and_two_digits_a_byte)
{
    const uint8_t bytes[] = {0x00, 0x0f, 0xf0, 0xab};
    char hex[9];

    hash_hex(hex, bytes, sizeof(bytes));
    ck_assert_str_eq(hex, "000ff0ab");
    hash_hex(hex, bytes, 0);
    ck_assert_str_eq(hex, "");
}
END_TEST

START_TEST(crc32c_is_as_published)
{
    uint8_t bytes[32];

    /* RFC 3720, appendix B.4 */
    memset(bytes, 0, sizeof(bytes));
    ck_assert_uint_eq(hash_crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    ck_assert_uint_eq(hash_crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    ck_assert_uint_eq(hash_crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
    ck_assert_uint_eq(hash_crc32c(0, "123456789", 9), 0xe3069283);
    ck_assert_uint_eq(hash_crc32c(0, "", 0), 0);
}
END_TEST

START_TEST(crc32c_by_table_and_by_instruction_agree_on_every_length_and_split)
{
    uint8_t bytes[100];

    hash_random(bytes, sizeof(bytes));
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        uint32_t whole = hash_crc32c(0, bytes, n);

        ck_assert_uint_eq(hash_crc32c_table(0, bytes, n), whole);
        for (size_t cut = 0; cut <= n; cut++) {
            uint32_t head = hash_crc32c(0, bytes, cut);

            ck_assert_uint_eq(hash_crc32c(head, bytes + cut, n - cut), whole);
            ck_assert_uint_eq(hash_crc32c_table(head, bytes + cut, n - cut), whole);
        }
    }
}
END_TEST

START_TEST(hash_64_is_stable_over_versions)
{
    ck_assert_uint_eq(hash_64(SLICE(""), 0), UINT64_C(0x4cf24c5f750e3f81));
    ck_assert_uint_eq(hash_64(SLICE("channel-1"), 1), UINT64_C(0x1efba78d4d522a66));
    ck_assert_uint_eq(hash_64(SLICE("the quick brown fox"), 42), UINT64_C(0xe839c2bdc0c8b616));
}
END_TEST

START_TEST(hash_64_depends_on_every_byte_the_length_and_the_seed)
{
    char text[40] = {0};

    for (size_t n = 0; n < sizeof(text); n++) {
        uint64_t plain = hash_64((struct slice){text, n}, 7);

        ck_assert_uint_ne(hash_64((struct slice){text, n + 1}, 7), plain);
        ck_assert_uint_ne(hash_64((struct slice){text, n}, 8), plain);
        for (size_t i = 0; i < n; i++) {
            text[i] = 1;
            ck_assert_uint_ne(hash_64((struct slice){text, n}, 7), plain);
            text[i] = 0;
        }
    }
}
END_TEST

START_TEST(hash_64_spreads_evenly)
{
    int buckets[64] = {0};

    for (int i = 0; i < 64000; i++) {
        char text[24];
        int n = snprintf(text, sizeof(text), "account-%d", i);

        buckets[hash_64((struct slice){text, (size_t)n}, 0) % 64]++;
    }
    for (int i = 0; i < 64; i++)
        ck_assert_msg(buckets[i] > 850 && buckets[i] < 1150, "%d: %d", i, buckets[i]);
}
END_TEST

START_TEST(random_bytes_differ)
{
    uint8_t a[1000] = {0}, b[1000] = {0};

    hash_random(a, sizeof(a));
    hash_random(b, sizeof(b));
    ck_assert(memcmp(a, b, sizeof(a)) != 0);
    ck_assert(memcmp(a, a + 500, 500) != 0);
    hash_random(a, 0);
}
END_TEST

START_TEST(equal_tells_equal_from_different)
{
    ck_assert(hash_equal("abc", "abc", 3));
    ck_assert(!hash_equal("abc", "abd", 3));
    ck_assert(hash_equal("abc", "xyz", 0));
}
END_TEST

START_TEST(wipe_clears)
{
    char secret[8] = "secret!";
    const char zeros[8] = {0};

    hash_wipe(secret, sizeof(secret));
    ck_assert_mem_eq(secret, zeros, sizeof(zeros));
}
END_TEST

START_TEST(what_is_sealed_opens_with_the_same_key_and_aad_only)
{
    uint8_t other[SEAL_KEY_BYTES] = {1};
    char sealed[256], again[256], text[64];

    ck_assert_int_eq(
        seal_text(key, SLICE("channel 7"), SLICE("sk-provider"), sealed, sizeof(sealed)), ERR_OK);
    ck_assert(seal_is_sealed(slice_of(sealed)));
    ck_assert(slice_starts(slice_of(sealed), "sealed:1:"));
    ck_assert_ptr_null(strstr(sealed, "provider"));
    ck_assert_int_eq(seal_open(key, SLICE("channel 7"), slice_of(sealed), text, sizeof(text)),
                     ERR_OK);
    ck_assert_str_eq(text, "sk-provider");
    ck_assert_int_eq(seal_open(other, SLICE("channel 7"), slice_of(sealed), text, sizeof(text)),
                     ERR_FORMAT);
    ck_assert_int_eq(seal_open(key, SLICE("channel 8"), slice_of(sealed), text, sizeof(text)),
                     ERR_FORMAT);
    ck_assert_int_eq(seal_text(key, SLICE("channel 7"), SLICE("sk-provider"), again, sizeof(again)),
                     ERR_OK);
    ck_assert_str_ne(sealed, again);
}
END_TEST

START_TEST(every_length_seals_and_opens)
{
    char plain[70], sealed[256], text[70];

    memset(plain, 'k', sizeof(plain));
    for (size_t n = 0; n < sizeof(plain); n++) {
        ck_assert_int_eq(
            seal_text(key, SLICE(""), (struct slice){plain, n}, sealed, sizeof(sealed)), ERR_OK);
        ck_assert_int_eq(seal_open(key, SLICE(""), slice_of(sealed), text, sizeof(text)), ERR_OK);
        ck_assert(slice_eq(slice_of(text), (struct slice){plain, n}));
    }
}
END_TEST

START_TEST(any_changed_character_is_refused)
{
    char sealed[128], text[64];

    ck_assert_int_eq(seal_text(key, SLICE("a"), SLICE("secret"), sealed, sizeof(sealed)), ERR_OK);
    for (size_t i = 0; sealed[i]; i++) {
        char was = sealed[i];

        sealed[i] = was == 'A' ? 'B' : 'A';
        ck_assert_int_eq(seal_open(key, SLICE("a"), slice_of(sealed), text, sizeof(text)),
                         ERR_FORMAT);
        sealed[i] = ' ';
        ck_assert_int_eq(seal_open(key, SLICE("a"), slice_of(sealed), text, sizeof(text)),
                         ERR_FORMAT);
        sealed[i] = was == '=' ? '/' : '=';
        ck_assert_int_eq(seal_open(key, SLICE("a"), slice_of(sealed), text, sizeof(text)),
                         ERR_FORMAT);
        ck_assert_int_eq(seal_open(key, SLICE("a"), (struct slice){sealed, i}, text, sizeof(text)),
                         ERR_FORMAT);
        sealed[i] = was;
    }
}
END_TEST

static const char *const not_sealed[] = {
    "",
    "sealed:",
    "sealed:1:",
    "sealed:2:AAAA",
    "sealed:1:AAAA",
    "sealed:1:====",
    "sealed:1:A===",
    "sk-plain",
    "sealed:1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "sealed:1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
};

START_TEST(what_is_not_sealed_is_refused)
{
    char text[64] = "untouched";

    ck_assert_int_eq(seal_open(key, SLICE(""), slice_of(not_sealed[_i]), text, sizeof(text)),
                     ERR_FORMAT);
    ck_assert_str_eq(text, "untouched");
}
END_TEST

START_TEST(too_little_room_is_full)
{
    char sealed[128], text[8];
    size_t n;

    ck_assert_int_eq(seal_text(key, SLICE(""), SLICE("12345678"), sealed, sizeof(sealed)), ERR_OK);
    n = strlen(sealed);
    ck_assert_int_eq(seal_open(key, SLICE(""), slice_of(sealed), text, sizeof(text)), ERR_FULL);
    ck_assert_int_eq(seal_text(key, SLICE(""), SLICE("12345678"), sealed, n), ERR_FULL);
    ck_assert_int_eq(seal_text(key, SLICE(""), SLICE("12345678"), sealed, n + 1), ERR_OK);
}
END_TEST

START_TEST(the_longest_text_seals_and_one_more_byte_does_not)
{
    static char plain[SEAL_TEXT_MAX + 1], sealed[2 * SEAL_TEXT_MAX], text[SEAL_TEXT_MAX + 1];

    memset(plain, 'x', sizeof(plain));
    ck_assert_int_eq(
        seal_text(key, SLICE(""), (struct slice){plain, SEAL_TEXT_MAX}, sealed, sizeof(sealed)),
        ERR_OK);
    ck_assert_int_eq(seal_open(key, SLICE(""), slice_of(sealed), text, sizeof(text)), ERR_OK);
    ck_assert_uint_eq(strlen(text), SEAL_TEXT_MAX);
    ck_assert_int_eq(
        seal_text(key, SLICE(""), (struct slice){plain, SEAL_TEXT_MAX + 1}, sealed, sizeof(sealed)),
        ERR_FULL);
    memset(sealed + 9, 'A', sizeof(sealed) - 9);
    ck_assert_int_eq(
        seal_open(key, SLICE(""), (struct slice){sealed, sizeof(sealed)}, text, sizeof(text)),
        ERR_FORMAT);
}
END_TEST

START_TEST(plain_text_is_told_from_sealed)
{
    ck_assert(seal_is_sealed(SLICE("sealed:9:whatever")));
    ck_assert(!seal_is_sealed(SLICE("sk-1")));
    ck_assert(!seal_is_sealed(SLICE("sealed")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hash");
    TCase *cases = tcase_create("hash");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_loop_test(cases, sha256_is_as_published, 0,
                        (int)(sizeof(digests) / sizeof(digests[0])));
    tcase_add_test(cases, sha256_of_a_null_slice_is_that_of_nothing);
    tcase_add_test(cases, hex_is_lower_case_and_two_digits_a_byte);
    tcase_add_test(cases, crc32c_is_as_published);
    tcase_add_test(cases, crc32c_by_table_and_by_instruction_agree_on_every_length_and_split);
    tcase_add_test(cases, hash_64_is_stable_over_versions);
    tcase_add_test(cases, hash_64_depends_on_every_byte_the_length_and_the_seed);
    tcase_add_test(cases, hash_64_spreads_evenly);
    tcase_add_test(cases, random_bytes_differ);
    tcase_add_test(cases, equal_tells_equal_from_different);
    tcase_add_test(cases, wipe_clears);
    tcase_add_test(cases, what_is_sealed_opens_with_the_same_key_and_aad_only);
    tcase_add_test(cases, every_length_seals_and_opens);
    tcase_add_test(cases, any_changed_character_is_refused);
    tcase_add_loop_test(cases, what_is_not_sealed_is_refused, 0,
                        (int)(sizeof(not_sealed) / sizeof(not_sealed[0])));
    tcase_add_test(cases, too_little_room_is_full);
    tcase_add_test(cases, the_longest_text_seals_and_one_more_byte_does_not);
    tcase_add_test(cases, plain_text_is_told_from_sealed);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
