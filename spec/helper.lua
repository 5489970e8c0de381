-- Loaded by busted before any spec file (busted --helper).

-- One luv for all: busted forgets the modules that a spec file loads, and two
-- luvs in a process do not know each other's loop.
local uv = require "luv"

-- An error in a luv callback would end busted without a word.
require("spec.support.guard").install(uv)

-- So would a write to a connection that is gone. (Not ignored but caught, for
-- children inherit what is ignored.)
local signal = uv.new_signal()
signal:start("sigpipe", function() end)
signal:unref()
