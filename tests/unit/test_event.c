#include "tests/unit/codec_kit.h"

#include <check.h>
#include <stdlib.h>

#define ROWS(t) (int)(sizeof(t) / sizeof((t)[0]))

/* ---- the invariants: s start, b begin, d delta, l seal, e end, u usage, f finish, x error ---- */

static const struct {
    const char *events;
    bool is_legal; /* the last one; all before it are */
} orders[] = {
    {"s",       true },
    {"sbddlef", true },
    {"sbe",     true },
    {"sbelbef", true },
    {"sfu",     true },
    {"subeuf",  true },
    {"x",       true },
    {"sbx",     true },
    {"sfx",     true },
    {"ss",      false},
    {"b",       false},
    {"f",       false},
    {"u",       false},
    {"d",       false},
    {"sl",      false},
    {"sd",      false},
    {"se",      false},
    {"sbb",     false},
    {"sbf",     false},
    {"sbed",    false},
    {"sbee",    false},
    {"sff",     false},
    {"sfb",     false},
    {"sbefl",   false},
    {"xs",      false},
    {"sxu",     false},
    {"sxx",     false},
};

static struct event of(char c, size_t parts_n)
{
    static const char letters[] = "sbdleufx";
    static const enum event_kind kinds[] = {EV_START, EV_BEGIN, EV_DELTA,  EV_SEAL,
                                            EV_END,   EV_USAGE, EV_FINISH, EV_ERROR};
    struct event e = {0};
    size_t i;

    for (i = 0; letters[i] != c; i++)
        ck_assert(letters[i]);
    e.kind = kinds[i];
    e.part = e.kind == EV_BEGIN || parts_n == 0 ? parts_n : parts_n - 1;
    return e;
}

START_TEST(events_keep_their_order)
{
    struct event_gate g = {0};
    const char *p;

    for (p = orders[_i].events; *p; p++) {
        struct event e = of(*p, g.parts_n);

        ck_assert_msg(event_gate_pass(&g, &e) == (p[1] || orders[_i].is_legal), "%s at %c",
                      orders[_i].events, *p);
    }
}
END_TEST

START_TEST(parts_are_numbered_one_by_one)
{
    struct event_gate g = {.is_started = true};

    ck_assert(!event_gate_pass(&g, &(struct event){.kind = EV_BEGIN, .part = 1}));
    ck_assert(event_gate_pass(&g, &(struct event){.kind = EV_BEGIN, .part_kind = PART_CALL}));
    ck_assert_int_eq(g.kind, PART_CALL);
    ck_assert(!event_gate_pass(&g, &(struct event){.kind = EV_DELTA, .part = 1}));
    ck_assert(!event_gate_pass(&g, &(struct event){.kind = EV_END, .part = 1}));
    ck_assert(event_gate_pass(&g, &(struct event){.kind = EV_END}));
    ck_assert(!event_gate_pass(&g, &(struct event){.kind = EV_BEGIN, .part = 0}));
    ck_assert(!event_gate_pass(&g, &(struct event){.kind = EV_SEAL, .part = 1}));
    ck_assert(event_gate_pass(&g, &(struct event){.kind = EV_BEGIN, .part = 1}));
}
END_TEST

/* ---- the helpers of decoders ---- */

static struct event_log seen;
static struct decoder decoder;

static void setup(void)
{
    event_log_init(&seen);
    decoder = (struct decoder){.sink = event_log_sink, .sink_ctx = &seen};
}

static void teardown(void)
{
    event_log_clear(&seen);
}

START_TEST(helpers_number_begin_and_end_parts)
{
    struct counts counts = {.in_fresh = 1, .out_all = 2, .is_known = true};

    ck_assert_int_eq(decoder_emit(&decoder, &(struct event){.kind = EV_START}), ERR_OK);
    ck_assert_int_eq(decoder_end_part(&decoder), ERR_OK);
    ck_assert_int_eq(decoder_ensure_part(&decoder, PART_THINKING), ERR_OK);
    ck_assert_int_eq(decoder_delta(&decoder, SLICE("a")), ERR_OK);
    ck_assert_int_eq(decoder_delta(&decoder, (struct slice){NULL, 0}), ERR_OK);
    ck_assert_int_eq(decoder_ensure_part(&decoder, PART_THINKING), ERR_OK);
    ck_assert_int_eq(decoder_seal(&decoder, SLICE("S"), true), ERR_OK);
    ck_assert_int_eq(decoder_ensure_part(&decoder, PART_TEXT), ERR_OK);
    ck_assert_int_eq(decoder_end_part(&decoder), ERR_OK);
    ck_assert_int_eq(decoder_seal(&decoder, SLICE("T"), false), ERR_OK);
    ck_assert_int_eq(decoder_begin_call(&decoder, SLICE("id"), SLICE("f"), true), ERR_OK);
    ck_assert_int_eq(decoder_end_part(&decoder), ERR_OK);
    ck_assert_int_eq(decoder_begin_part(&decoder, PART_IMAGE), ERR_OK);
    ck_assert_int_eq(decoder_finish(&decoder, FINISH_STOP_TEXT, SLICE("END")), ERR_OK);
    ck_assert_int_eq(decoder_usage(&decoder, &counts, SLICE("flex")), ERR_OK);
    ck_assert_int_eq(decoder_error(&decoder, ERR_UP_RATE, SLICE("m"), SLICE("c")), ERR_OK);
    ck_assert_str_eq(event_log_text(&seen),
                     "start\nbegin 0 thinking\n  a\nseal \"S\" redacted=1\nend 0\n"
                     "begin 1 text\nend 1\nseal \"T\"\n"
                     "begin 2 call id=\"id\" name=\"f\" custom=1\nend 2\n"
                     "begin 3 image\nend 3\nfinish stop_text \"END\"\n"
                     "usage fresh=1 read=0 write=0 1h=0 out=2 think=0 tier=\"flex\"\n"
                     "error up_rate \"m\" code=\"c\"\n");
}
END_TEST

START_TEST(what_breaks_the_order_never_reaches_the_sink)
{
    ck_assert_int_eq(decoder_begin_part(&decoder, PART_TEXT), ERR_UP_MALFORMED);
    ck_assert_int_eq(decoder_delta(&decoder, SLICE("x")), ERR_UP_MALFORMED);
    ck_assert_str_eq(event_log_text(&seen), "");
}
END_TEST

START_TEST(what_the_sink_says_is_returned)
{
    seen.fail_with = ERR_MEMORY;
    ck_assert_int_eq(decoder_emit(&decoder, &(struct event){.kind = EV_START}), ERR_MEMORY);
    seen.fail_at = 2;
    ck_assert_int_eq(decoder_begin_part(&decoder, PART_TEXT), ERR_OK);
    ck_assert_int_eq(decoder_finish(&decoder, FINISH_STOP, (struct slice){NULL, 0}), ERR_MEMORY);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("event");
    TCase *t = tcase_create("all");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, events_keep_their_order, 0, ROWS(orders));
    tcase_add_test(t, parts_are_numbered_one_by_one);
    tcase_add_test(t, helpers_number_begin_and_end_parts);
    tcase_add_test(t, what_breaks_the_order_never_reaches_the_sink);
    tcase_add_test(t, what_the_sink_says_is_returned);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
