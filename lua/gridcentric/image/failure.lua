-- Errors of an image build.
--
-- A build is many calls deep, and any of them may find a tool or a file missing. So, unlike
-- elsewhere, its functions raise errors, and job.start() turns them into nil and a text. Functions
-- of this folder that raise say so.

local failure = {}

---@class gridcentric.ImageFailure
---@field text string
local Failure = {}
Failure.__name = "gridcentric.ImageFailure"
Failure.__tostring = function(self) return self.text end

---@param format string
---@param ... any
function failure.raise(format, ...)
	error(setmetatable({ text = format:format(...) }, Failure), 0)
end

---Returns its arguments, unless the first one is nil or false: then raises the second one.
---@return any ...
function failure.check(value, err, ...)
	if not value then failure.raise("%s", err) end
	return value, err, ...
end

---The text of a failure; nil for an error of another kind.
---@param err any
---@return string?
function failure.text(err)
	return getmetatable(err) == Failure and err.text or nil
end

return failure
