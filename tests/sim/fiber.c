#include "tests/sim/fiber.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#ifdef __SANITIZE_ADDRESS__
#define STACK_BYTES ((size_t)1 << 20)
#else
#define STACK_BYTES ((size_t)128 << 10)
#endif
#define GUARD_BYTES ((size_t)4096)

struct fiber {
    ucontext_t context;
    char *stack;
    void (*fn)(void *arg);
    void *arg;
    struct process *process;
    const char *name;
    const char *at;
    int64_t wake_ms;
    int locks;
    bool is_used;
};

static struct fiber fibers[FIBERS_MAX];
static ucontext_t driver;
static struct fiber *current;
static int driver_locks;

int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *m);
int __wrap_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *attr);
int __wrap_pthread_cond_signal(pthread_cond_t *c);
int __wrap_pthread_cond_broadcast(pthread_cond_t *c);
int __wrap_pthread_cond_destroy(pthread_cond_t *c);

/* ---- making, switching ---- */

static void make_stack(struct fiber *f)
{
    f->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f->stack == MAP_FAILED || mprotect(f->stack, GUARD_BYTES, PROT_NONE))
        abort();
}

static void run_current(void)
{
    struct fiber *f = current;
    f->fn(f->arg);
    f->is_used = false;
    if (f->locks)
        fail("%s ended with %d locks", f->name, f->locks);
    current = NULL;
    (void)setcontext(&driver);
}

struct fiber *fiber_start(struct process *p, const char *name, void (*fn)(void *arg), void *arg)
{
    struct fiber *f = fibers;
    while (f < fibers + FIBERS_MAX && f->is_used)
        f++;
    if (f == fibers + FIBERS_MAX)
        fail("too many fibers");
    if (!f->stack)
        make_stack(f);
    f->fn = fn;
    f->arg = arg;
    f->process = p;
    f->name = name;
    f->at = "start";
    f->wake_ms = 0;
    f->locks = 0;
    f->is_used = true;
    (void)getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack + GUARD_BYTES;
    f->context.uc_stack.ss_size = STACK_BYTES - GUARD_BYTES;
    f->context.uc_link = NULL;
    makecontext(&f->context, run_current, 0);
    return f;
}

void fiber_resume(struct fiber *f)
{
    trace("p%d %s goes on at %s", f->process->number, f->name, f->at);
    current = f;
    world.calls = 0;
    (void)swapcontext(&driver, &f->context);
    current = NULL;
}

void fiber_yield(const char *at)
{
    struct fiber *f = current;
    if (!f)
        return;
    if (f->locks)
        fail("%s holds %d locks at %s", f->name, f->locks, at);
    f->at = at;
    (void)swapcontext(&f->context, &driver);
}

void fiber_wait(pthread_mutex_t *mutex, int64_t ms)
{
    struct fiber *f = current;
    if (!f)
        fail("a wait outside of a fiber");
    __wrap_pthread_mutex_unlock(mutex);
    f->wake_ms = world.mono_ms + ms;
    fiber_yield("wait");
    f->wake_ms = 0;
    __wrap_pthread_mutex_lock(mutex);
}

/* ---- all of them ---- */

void fiber_drop(const struct process *p)
{
    for (int i = 0; i < FIBERS_MAX; i++) {
        if (fibers[i].process == p)
            fibers[i].is_used = false;
    }
}

void fiber_drop_all(void)
{
    for (int i = 0; i < FIBERS_MAX; i++)
        fibers[i].is_used = false;
}

struct fiber *fiber_pick(void)
{
    struct fiber *all[FIBERS_MAX] = {NULL};
    uint32_t n = 0;
    for (int i = 0; i < FIBERS_MAX; i++) {
        if (fibers[i].is_used && !fibers[i].process->is_frozen)
            all[n++] = &fibers[i];
    }
    return n ? all[dice(n)] : NULL;
}

struct fiber *fiber_next(int *at)
{
    while (*at < FIBERS_MAX) {
        struct fiber *f = &fibers[(*at)++];
        if (f->is_used)
            return f;
    }
    return NULL;
}

struct process *fiber_process(const struct fiber *f)
{
    return f->process;
}

const char *fiber_name(const struct fiber *f)
{
    return f->name;
}

int64_t fiber_wake_ms(const struct fiber *f)
{
    return f->wake_ms;
}

bool fiber_is_running(void)
{
    return current != NULL;
}

/* ---- threads ---- */

struct thread {
    void *(*fn)(void *);
    void *arg;
    bool is_over;
};

static void run_thread(void *arg)
{
    struct thread *t = arg;
    (void)t->fn(t->arg);
    t->is_over = true;
}

static struct process *process_of(const struct money *m)
{
    for (int i = 0; i < world.processes_n; i++) {
        if (world.processes[i].m == m)
            return &world.processes[i];
    }
    fail("a thread of no process");
}

int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg)
{
    (void)attr;
    struct thread *t = calloc(1, sizeof(*t));
    t->fn = fn;
    t->arg = arg;
    *out = (pthread_t)t;
    (void)fiber_start(process_of(arg), "journal", run_thread,
                      t); /* the core's only thread has its money as argument */
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    const struct thread *t = (const struct thread *)thread;
    (void)result;
    while (!t->is_over)
        fiber_yield("join");
    return 0;
}

/* ---- locks ---- */

int __wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr)
{
    (void)attr;
    m->__data.__lock = 0;
    return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
    if (m->__data.__lock)
        fail("a lock is taken that is held");
    m->__data.__lock = 1;
    ++*(current ? &current->locks : &driver_locks);
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
    if (!m->__data.__lock)
        fail("a lock is released that is not held");
    m->__data.__lock = 0;
    --*(current ? &current->locks : &driver_locks);
    return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *m)
{
    (void)m;
    return 0;
}

int __wrap_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *attr)
{
    (void)c;
    (void)attr;
    return 0;
}

int __wrap_pthread_cond_signal(pthread_cond_t *c)
{
    (void)c;
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *c)
{
    (void)c;
    return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *c)
{
    (void)c;
    return 0;
}
