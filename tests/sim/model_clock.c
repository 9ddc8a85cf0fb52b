#include "tests/sim/model_clock.h"

#include "tests/sim/fiber.h"

#include <stdio.h>
#include <string.h>

#define TIME_CHARS 10

static int64_t op_mono_ms(void *self)
{
    (void)self;
    return world.mono_ms;
}

static int64_t op_wall_ms(void *self)
{
    const struct process *p = self;
    return world.mono_ms + world.wall_ahead_ms[p->host];
}

/* A ULID with the number of the process at its end. */
static void op_make_id(void *self, char id[ULID_SIZE])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const struct process *p = self;
    uint64_t ms = (uint64_t)op_wall_ms(self);
    for (int i = TIME_CHARS - 1; i >= 0; i--) {
        id[i] = digits[ms & 31];
        ms >>= 5;
    }
    (void)snprintf(id + TIME_CHARS, ULID_SIZE - TIME_CHARS, "%016d", p->number);
}

static void op_wait(void *self, pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t ms)
{
    (void)self;
    (void)cond;
    fiber_wait(mutex, ms);
}

static void op_host(void *self, char name[HOST_SIZE], char id[HOST_SIZE])
{
    const struct process *p = self;
    (void)snprintf(name, HOST_SIZE, "host-%d", p->host);
    memcpy(id, name, HOST_SIZE);
}

struct money_clock_ops model_clock_ops(struct process *p)
{
    return (struct money_clock_ops){
        .self = p,
        .mono_ms = op_mono_ms,
        .wall_ms = op_wall_ms,
        .make_id = op_make_id,
        .wait = op_wait,
        .host = op_host,
    };
}
