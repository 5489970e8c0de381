-- What luacheck allows where. `make lint` and spec/project/lint_spec.lua run it.
-- what a policy file is given
local ready = {
	"budget", "clamp", "during", "first_of", "hash", "max_of", "min_of", "ratio", "rules",
	"schedule", "step", "target", "weighted",
}

std = "lua54"
max_line_length = 100
unused_args = false -- a callback names what it is given
cache = false
exclude_files = { "build*" }

files["spec"].std = "lua54+busted"
files["rockspec"].std = "+rockspec"

files["lua/gridcentric/service.lua"].globals = { "arg" } -- which it hands to the program
-- describes those, and a type cannot be broken into lines
files["lua/gridcentric/meta"] = { globals = ready, max_comment_line_length = false }
files["examples/**/policy*.lua"].read_globals = ready
files["examples/policies"].read_globals = ready
