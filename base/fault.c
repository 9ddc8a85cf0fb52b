#include "base/fault.h"

#ifdef AIPASS_FAULTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_SIZE  16
#define TOKEN_SIZE 1024

static char wanted[NAME_SIZE]; /* "": no point */
static char token[TOKEN_SIZE];
static long at_pass;
static atomic_long passes;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_wish(void)
{
    const char *wish = getenv("AIPASS_FAULT");
    if (wish == NULL || sscanf(wish, "%15[^:]:%ld:%1023s", wanted, &at_pass, token) < 2)
        wanted[0] = '\0';
}

/* Whether this pass is the one. */
static bool is_due(long pass)
{
    if (token[0] == '\0')
        return pass == at_pass;
    return pass >= at_pass && unlink(token) == 0;
}

void fault_pass(const char *name)
{
    pthread_once(&once, read_wish);
    if (strcmp(name, wanted) != 0 || !is_due(atomic_fetch_add(&passes, 1) + 1))
        return;
    raise(SIGKILL);
    pause(); /* the signal may reach another thread first */
}

#endif
