#include "upstream/select.h"

#include "base/hash.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define CONVERSATIONS 20000

static uint64_t conversation(size_t i)
{
    return hash_64((struct slice){(const char *)&i, sizeof(i)}, 42);
}

static struct candidate channel(int64_t id, int64_t weight)
{
    return (struct candidate){.channel_id = id, .key_id = id * 100, .weight = weight};
}

/* How many of the conversations go to each candidate. */
static void count(const struct candidate *c, size_t n, size_t *hits)
{
    size_t i;

    memset(hits, 0, n * sizeof(*hits));
    for (i = 0; i < CONVERSATIONS; i++) {
        size_t at = select_next(c, n, conversation(i));

        ck_assert_uint_lt(at, n);
        hits[at]++;
    }
}

/* Within 5 standard deviations of the share that is due. */
static void check_share(size_t hits, double share)
{
    double due = share * CONVERSATIONS, spread = due * (1 - share), off = (double)hits - due;

    ck_assert_msg(off * off <= 25 * spread, "%zu hits, due %.0f", hits, due);
}

START_TEST(nothing_is_selected_from_nothing)
{
    struct candidate c[2] = {channel(1, 1), channel(2, 0)};

    ck_assert(select_next(c, 0, 7) == SELECT_NONE);
    c[0].is_tried = c[1].is_tried = true;
    ck_assert(select_next(c, 2, 7) == SELECT_NONE);
}
END_TEST

START_TEST(the_highest_untried_priority_comes_first)
{
    struct candidate c[3] = {channel(1, 1000), channel(2, 1), channel(3, 5)};
    size_t i;

    c[0].priority = -5;
    c[1].priority = 10;
    for (i = 0; i < 100; i++) {
        c[1].is_tried = false;
        c[2].is_tried = false;
        ck_assert_uint_eq(select_next(c, 3, conversation(i)), 1);
        c[1].is_tried = true;
        ck_assert_uint_eq(select_next(c, 3, conversation(i)), 2);
        c[2].is_tried = true;
        ck_assert_uint_eq(select_next(c, 3, conversation(i)), 0);
    }
}
END_TEST

START_TEST(weight_zero_waits_for_the_others_of_its_priority)
{
    struct candidate c[4] = {channel(1, 0), channel(2, 1), channel(3, 0), channel(4, 50)};
    size_t hits[4];

    c[3].priority = -1;
    count(c, 4, hits);
    ck_assert_uint_eq(hits[1], CONVERSATIONS);
    c[1].is_tried = true;
    count(c, 4, hits);
    check_share(hits[0], 0.5);
    check_share(hits[2], 0.5);
    ck_assert_uint_eq(hits[3], 0);
}
END_TEST

START_TEST(conversations_spread_by_weight)
{
    struct candidate c[4] = {channel(11, 1), channel(12, 2), channel(13, 5), channel(-14, 12)};
    size_t hits[4], i;

    count(c, 4, hits);
    for (i = 0; i < 4; i++)
        check_share(hits[i], (double)c[i].weight / 20);
}
END_TEST

START_TEST(a_channel_with_many_keys_counts_once)
{
    struct candidate c[5] = {channel(1, 10), channel(2, 10), channel(2, 10), channel(2, 10),
                             channel(2, 10)};
    size_t hits[5], i;

    for (i = 1; i < 5; i++)
        c[i].key_id = (int64_t)i;
    count(c, 5, hits);
    check_share(hits[0], 0.5);
    for (i = 1; i < 5; i++)
        check_share(hits[i], 0.125);
}
END_TEST

START_TEST(keys_share_their_channel_by_their_own_weight)
{
    struct candidate c[3] = {channel(1, 10), channel(2, 10), channel(2, 30)};
    size_t hits[3];

    c[0].key_weight = c[1].key_weight = 1;
    c[2].key_weight = 3;
    c[1].key_id = 7;
    c[2].key_id = 8;
    count(c, 3, hits);
    check_share(hits[0], 0.5);
    check_share(hits[1], 0.125);
    check_share(hits[2], 0.375);
}
END_TEST

START_TEST(only_conversations_of_the_tried_candidate_move)
{
    struct candidate c[7] = {channel(1, 3),  channel(2, 1), channel(3, 9), channel(3, 9),
                             channel(3, 18), channel(4, 2), channel(5, 0)};
    size_t tried, i;

    c[3].key_id = 301;
    c[4].key_id = 302;
    c[4].key_weight = 2;
    for (tried = 0; tried < 7; tried++) {
        size_t moved = 0;

        for (i = 0; i < CONVERSATIONS / 10; i++) {
            size_t before = select_next(c, 7, conversation(i)), after;

            c[tried].is_tried = true;
            after = select_next(c, 7, conversation(i));
            c[tried].is_tried = false;
            ck_assert_uint_ne(after, tried);
            if (before != tried)
                ck_assert_uint_eq(after, before);
            else if (tried >= 2 && tried <= 4)
                ck_assert_int_eq(c[after].channel_id, 3);
            moved += before == tried;
        }
        ck_assert(moved > 0 || c[tried].weight == 0);
    }
}
END_TEST

START_TEST(what_moves_spreads_over_the_others_by_weight)
{
    struct candidate c[3] = {channel(1, 4), channel(2, 1), channel(3, 3)};
    size_t i, moved = 0, to_3 = 0;

    for (i = 0; i < CONVERSATIONS; i++) {
        c[0].is_tried = false;
        if (select_next(c, 3, conversation(i)) != 0)
            continue;
        c[0].is_tried = true;
        moved++;
        to_3 += select_next(c, 3, conversation(i)) == 2;
    }
    check_share(moved, 0.5);
    ck_assert_uint_gt(to_3, moved * 7 / 10);
    ck_assert_uint_lt(to_3, moved * 8 / 10);
}
END_TEST

START_TEST(the_order_of_the_candidates_does_not_matter)
{
    struct candidate c[4] = {channel(1, 1), channel(2, 2), channel(3, 3), channel(4, 4)}, d[4];
    size_t i, k;

    for (k = 0; k < 4; k++)
        d[k] = c[3 - k];
    for (i = 0; i < 1000; i++)
        ck_assert_int_eq(c[select_next(c, 4, conversation(i))].channel_id,
                         d[select_next(d, 4, conversation(i))].channel_id);
}
END_TEST

START_TEST(turns_of_conversations_stay_and_only_those_of_a_failed_channel_move)
{
    struct candidate c[4] = {channel(1, 1), channel(2, 1), channel(3, 1), channel(4, 1)};
    size_t first[50] = {0}, stayed = 0, moved = 0, turn;

    for (turn = 0; turn < 1000; turn++) {
        size_t at = select_next(c, 4, conversation(turn % 50));

        if (turn < 50)
            first[turn] = at;
        stayed += at == first[turn % 50];
    }
    ck_assert_uint_eq(stayed, 1000);
    c[2].is_tried = true;
    for (turn = 0; turn < 50; turn++) {
        size_t at = select_next(c, 4, conversation(turn));

        ck_assert_uint_ne(at, 2);
        ck_assert_msg(at == first[turn] || first[turn] == 2, "conversation %zu moved", turn);
        moved += at != first[turn];
    }
    ck_assert_uint_gt(moved, 0);
    c[2].is_tried = false;
    for (turn = 0; turn < 50; turn++)
        ck_assert_uint_eq(select_next(c, 4, conversation(turn)), first[turn]);
}
END_TEST

START_TEST(in_the_place_of_a_full_channel_comes_the_least_loaded_of_its_priority)
{
    struct candidate c[4] = {channel(1, 1), channel(2, 1), channel(3, 4), channel(4, 1)};
    size_t i;

    c[3].priority = -1;
    c[0].running = 3;
    c[1].running = 2;
    c[2].running = 4; /* for four times the weight */
    for (i = 0; i < 100; i++) {
        size_t chosen = select_next(c, 4, conversation(i)), other;

        c[chosen].is_full = true;
        other = select_next(c, 4, conversation(i));
        ck_assert_uint_eq(other, chosen == 2 ? 1 : 2);
        c[chosen].is_full = false;
    }
    c[0].is_full = c[1].is_full = c[2].is_full = true;
    ck_assert_uint_eq(select_next(c, 4, 7), 3);
    c[3].is_full = true;
    ck_assert(select_next(c, 4, 7) == SELECT_NONE);
}
END_TEST

START_TEST(the_choice_is_the_same_in_every_process)
{
    struct candidate c[3] = {channel(1, 1), channel(2, 2), channel(3, 3)};
    char chosen[17] = {0};
    size_t i;

    for (i = 0; i < 16; i++)
        chosen[i] = (char)('1' + select_next(c, 3, (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15)));
    ck_assert_str_eq(chosen, "3231223333232322");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("select");
    TCase *cases = tcase_create("select");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, nothing_is_selected_from_nothing);
    tcase_add_test(cases, the_highest_untried_priority_comes_first);
    tcase_add_test(cases, weight_zero_waits_for_the_others_of_its_priority);
    tcase_add_test(cases, conversations_spread_by_weight);
    tcase_add_test(cases, a_channel_with_many_keys_counts_once);
    tcase_add_test(cases, keys_share_their_channel_by_their_own_weight);
    tcase_add_test(cases, only_conversations_of_the_tried_candidate_move);
    tcase_add_test(cases, what_moves_spreads_over_the_others_by_weight);
    tcase_add_test(cases, the_order_of_the_candidates_does_not_matter);
    tcase_add_test(cases, turns_of_conversations_stay_and_only_those_of_a_failed_channel_move);
    tcase_add_test(cases, in_the_place_of_a_full_channel_comes_the_least_loaded_of_its_priority);
    tcase_add_test(cases, the_choice_is_the_same_in_every_process);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
