/*
 * Assertions are for bugs and are always on. In a simulated process a failed one kills that
 * process, which is an outcome of the trial; elsewhere it is a defect of loris.
 */
#ifndef LORIS_ASSERTION_H
#define LORIS_ASSERTION_H

/*
 * One a program. Called while a simulated process runs it ends that process; else it prints what is
 * known of the trial and exits with 3. A platform call is the simulator's: there it is a defect of
 * loris.
 */
_Noreturn void assert_failed(const char *condition, const char *file, int line);

#define ASSERT(condition) ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))

#endif
