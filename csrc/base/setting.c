/* setting - see setting.h */
#include "base/setting.h"

#include <stdlib.h>

#define MAX_SECONDS 1e6 /* in ms it still is an int */

int setting_ms(const char *name, int default_ms)
{
	const char *given = getenv(name);
	char *end = NULL;
	double seconds = given ? strtod(given, &end) : 0;

	if (!end || *end || !(seconds > 0 && seconds <= MAX_SECONDS))
		return default_ms;
	return seconds < 0.001 ? 1 : (int)(seconds * 1000);
}

int setting_grace_ms(void)
{
	return setting_ms("GRIDCENTRIC_GRACE", 5000);
}
