-- How many times slower than usual the code under test runs (sanitizers,
-- valgrind). Every deadline in specs is multiplied by it.
return tonumber(os.getenv("GRIDCENTRIC_SLOWNESS")) or 1
