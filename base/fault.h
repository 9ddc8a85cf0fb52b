/* fault - places where a test kills the process, to prove that nothing is lost there.
 *
 * Compiled in by `make FAULTS=1` only (AIPASS_FAULTS); otherwise FAULT("k5") is nothing at all.
 * $AIPASS_FAULT is "name:n" or "name:n:token". With name:n the process gets SIGKILL at the n-th
 * pass of the point of that name. With a token, the path of a file, it does so at the n-th or a
 * later pass, and only if it can remove that file: of all processes one dies for each time that
 * the file is made. Any thread. */
#ifndef AIPASS_BASE_FAULT_H
#define AIPASS_BASE_FAULT_H

#ifdef AIPASS_FAULTS

/* fault_pass - counts a pass of the point; does not return from the pass that is asked for. */
void fault_pass(const char *name);
#define FAULT(name) fault_pass(name)

#else

#define FAULT(name) ((void)sizeof(name))

#endif

#endif
