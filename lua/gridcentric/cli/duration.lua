---A time as people say it: "4.2 s", "3 min", "2.5 h".
---@param seconds number
---@return string
return function(seconds)
	if seconds < 100 then return ("%.3g s"):format(seconds) end
	if seconds < 6000 then return ("%.0f min"):format(seconds / 60) end
	return ("%.1f h"):format(seconds / 3600)
end
