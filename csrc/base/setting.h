/*
 * setting - numbers that the environment can change
 */
#ifndef GC_BASE_SETTING_H
#define GC_BASE_SETTING_H

/* The variable's value, a number of seconds > 0, fractions allowed, in ms;
 * default_ms where it is not set or no such number. */
int setting_ms(const char *name, int default_ms);

/* How long domains have between SIGTERM and SIGKILL at a normal end:
 * $GRIDCENTRIC_GRACE, or 5 s. */
int setting_grace_ms(void);

#endif
