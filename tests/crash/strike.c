#include "tests/crash/strike.h"

#include "tests/e2e/http.h"
#include "tests/e2e/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

enum {
    LOOK_EVERY_MS = 100,
    REACH_WITHIN_MS = 15000,
    KILLS = 3,
    FREEZE_MIN_MS = 5000,
    FREEZE_MAX_MS = 20000,
    BACK_WITHIN_MS = 15000,
    STREAM_EVENTS = 300,
    STREAM_PACE_MS = 100,
    BALLAST_BYTES = 64 * 1024
};

static void note_broken(struct strike *s, const char *text)
{
    if (s->broken[0] == 0)
        snprintf(s->broken, sizeof(s->broken), "%s", text);
}

static int between(struct strike *s, int min, int max)
{
    return min + (int)load_random(&s->rng, (uint64_t)(max - min) + 1);
}

/* Waits, and looks at the books meanwhile. */
static void watch(struct strike *s, int ms)
{
    int64_t end_us = spawn_now_us() + (int64_t)ms * 1000;
    while (spawn_now_us() < end_us) {
        const char *text = audit_moment();
        if (text != NULL)
            note_broken(s, text);
        spawn_sleep_ms(LOOK_EVERY_MS);
    }
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* ---- gateways ---- */

/* Allows one kill at the fault point. */
static void make_token(struct strike *s)
{
    int fd = open(s->token, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    STACK_NEED(fd >= 0, "%s: %s", s->token, strerror(errno));
    close(fd);
}

static void end_token(struct strike *s)
{
    if (unlink(s->token) == 0)
        note_broken(s, "the fault point was not reached");
    else
        s->deaths++;
}

/* Allows one kill at the fault point and waits for it. */
static void spend_token(struct strike *s)
{
    make_token(s);
    int64_t end_us = spawn_now_us() + REACH_WITHIN_MS * INT64_C(1000);
    while (exists(s->token) && spawn_now_us() < end_us)
        watch(s, LOOK_EVERY_MS);
    end_token(s);
}

void strike_point(struct strike *s)
{
    watch(s, between(s, 300, 1200));
    spend_token(s);
    watch(s, between(s, 100, 900));
    spend_token(s);
    watch(s, 700);
}

/* Of the pool; false when there is none just now. */
static bool kill_one(struct strike *s, const char *pool)
{
    pid_t pids[STACK_GATEWAYS_MAX];
    size_t n = stack_gateways(pool, pids, STACK_GATEWAYS_MAX);
    if (n == 0 || kill(pids[load_random(&s->rng, n)], SIGKILL) != 0)
        return false;
    s->deaths++;
    return true;
}

/* A process of one request may die with nothing to adopt, and the next one adopts at once. */
static void kill_until_adopted(struct strike *s)
{
    int64_t end_us = spawn_now_us() + REACH_WITHIN_MS * INT64_C(1000);
    make_token(s);
    while (exists(s->token) && spawn_now_us() < end_us) {
        (void)kill_one(s, "");
        watch(s, between(s, 50, 200));
    }
    end_token(s);
}

void strike_adopter(struct strike *s)
{
    watch(s, between(s, 600, 1500));
    if (stack.is_cgi) {
        kill_until_adopted(s);
    } else {
        STACK_NEED(WAIT_UNTIL(kill_one(s, "chat"), 5000), "no gateway to kill");
        spend_token(s);
    }
    watch(s, 700);
}

void strike_gateways(struct strike *s)
{
    int kills = stack.is_cgi ? 4 * KILLS : KILLS;
    for (int i = 0; i < kills; i++) {
        watch(s, stack.is_cgi ? between(s, 10, 300) : between(s, 200, 1300));
        STACK_NEED(WAIT_UNTIL(kill_one(s, stack.is_cgi ? "" : "chat"), 5000), "no gateway to kill");
    }
    watch(s, 700);
}

struct stream {
    struct load *load;
    int events;
};

static void *run_stream(void *arg)
{
    const struct stream *st = arg;
    load_stream(st->load, st->events, STREAM_PACE_MS);
    http_ring_clear();
    return NULL;
}

void strike_long_stream(struct strike *s)
{
    pid_t pids[STACK_GATEWAYS_MAX];
    pthread_t thread;
    struct stream st = {s->load, s->is_brief ? 3 * STREAM_EVENTS / 10 : STREAM_EVENTS};
    int rc = pthread_create(&thread, NULL, run_stream, &st);
    STACK_NEED(rc == 0, "a thread: %s", strerror(rc));
    watch(s, st.events * STREAM_PACE_MS / 3);
    size_t n = stack_gateways("chat", pids, STACK_GATEWAYS_MAX);
    for (size_t i = 0; i < n; i++) /* whichever has it */
        s->deaths += kill(pids[i], SIGKILL) == 0;
    pthread_join(thread, NULL);
    watch(s, 700);
}

/* ---- MariaDB ---- */

/* Somebody whom no process knows is served again. */
static void wait_first_answer(struct strike *s)
{
    int64_t begun_us = spawn_now_us();
    bool is_served;
    do {
        is_served = load_ask(s->load, WHO_PROBE) == 200;
        if (!is_served)
            spawn_sleep_ms(10);
    } while (!is_served && spawn_now_us() < begun_us + BACK_WITHIN_MS * INT64_C(1000));
    s->back_ms = (spawn_now_us() - begun_us) / 1000;
    if (!is_served)
        note_broken(s, "no answer after the return of what was away");
}

void strike_database_kill(struct strike *s)
{
    watch(s, between(s, 500, 2000));
    mariadb_kill(&stack.db);
    spawn_sleep_ms(between(s, 200, 3000));
    mariadb_restart(&stack.db);
    wait_first_answer(s);
    watch(s, 500);
}

static int freeze_ms(struct strike *s)
{
    return between(s, FREEZE_MIN_MS, s->is_brief ? FREEZE_MIN_MS + 500 : FREEZE_MAX_MS);
}

void strike_database_freeze(struct strike *s)
{
    watch(s, between(s, 500, 2000));
    mariadb_freeze(&stack.db);
    spawn_sleep_ms(freeze_ms(s));
    mariadb_thaw(&stack.db);
    wait_first_answer(s);
    watch(s, 500);
}

/* ---- the web server ---- */

void strike_web_kill(struct strike *s)
{
    watch(s, between(s, 500, 2000));
    s->orphans_n = stack_gateways("", s->orphans, STRIKE_ORPHANS_MAX);
    kill(stack.webs[0].pid, SIGKILL);
    s->deaths++;
    stack_reap_web(0);
    spawn_sleep_ms(between(s, 300, 1500));
    stack_start_web(0);
    watch(s, 1000);
}

void strike_web_freeze(struct strike *s)
{
    watch(s, between(s, 500, 2000));
    kill(stack.webs[0].pid, SIGSTOP);
    watch(s, freeze_ms(s));
    kill(stack.webs[0].pid, SIGCONT);
    watch(s, 1000);
}

/* ---- disks ---- */

bool strike_mount(const char *path, const char *size)
{
    char data[64];
    snprintf(data, sizeof(data), "size=%s,mode=0700", size);
    return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, data) == 0;
}

void strike_unmount(const char *path)
{
    if (umount2(path, MNT_DETACH) != 0)
        fprintf(stderr, "umount %s: %s\n", path, strerror(errno));
}

/* Until there is no room for another byte. */
static void fill_disk(int fd)
{
    static const char bytes[BALLAST_BYTES];
    size_t step = sizeof(bytes);
    while (step > 0) {
        ssize_t n = write(fd, bytes, step);
        if (n < 0 && errno != ENOSPC)
            stack_fail("ballast: %s", strerror(errno));
        if (n < 0)
            step /= 2;
    }
}

void strike_disk_full(struct strike *s)
{
    char path[SPAWN_PATH_MAX];
    snprintf(path, sizeof(path), "%s/ballast", s->disk);
    watch(s, between(s, 500, 2000));
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    STACK_NEED(fd >= 0, "%s: %s", path, strerror(errno));
    int64_t end_us = spawn_now_us() + (int64_t)between(s, 2000, 5000) * 1000;
    int64_t last_us = spawn_now_us() + REACH_WITHIN_MS * INT64_C(1000);
    bool is_refused = !s->must_refuse;
    while (spawn_now_us() < end_us || (!is_refused && spawn_now_us() < last_us)) {
        fill_disk(fd); /* what was given up meanwhile as well */
        spawn_sleep_ms(10);
        is_refused = is_refused || load_ask(s->load, WHO_RICH) == 503;
    }
    if (!is_refused)
        note_broken(s, "a full disk refused nothing");
    close(fd);
    unlink(path);
    wait_first_answer(s);
    watch(s, 1000);
}
