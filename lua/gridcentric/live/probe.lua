-- Checks from outside whether a clone works, as a user would: by a connect, or by a request for a
-- path.

local close_handle = require "gridcentric.util.close"
local host_port = require "gridcentric.util.host_port"
local units = require "gridcentric.util.units"
local uv = require "luv"

local MAX_LINE = 1024 -- bytes that the first line of an answer may have

local function judge_status(check, status)
	local is_good = check.status and status == check.status
		or not check.status and status >= 200 and status <= 399
	if not is_good then return ("status %d"):format(status) end
end

-- Looks for the status in what has arrived. Returns true, and what is wrong with the status if
-- anything is; or nil while more is needed.
local function judge(check, text)
	local status = text:match "^HTTP/1%.[01] (%d%d%d)[ \r]"
	if status then return true, judge_status(check, tonumber(status)) end
	if text:find("\n", 1, true) or #text > MAX_LINE then return true, "no answer in HTTP" end
end

local function request(check, ip, port)
	return ("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: gcscale\r\nConnection: close\r\n\r\n"):format(
		check.path, host_port.show(ip, port))
end

local function ask(tcp, check, ip, port, finish)
	local text = ""
	tcp:read_start(function(err, data)
		if not data then return finish(err or "closed without an answer") end
		text = text .. data
		local is_over, why = judge(check, text)
		if is_over then finish(why) end
	end)
	tcp:write(request(check, ip, port))
end

---@type gridcentric.Probe
return function(ip, port, check, callback)
	local tcp, timer = uv.new_tcp(), uv.new_timer()
	local is_over = false
	local function finish(why)
		if is_over then return end
		is_over = true
		timer:stop()
		close_handle(timer)
		close_handle(tcp)
		callback(why)
	end
	timer:start(math.ceil(check.timeout * 1000), 0, function()
		finish("no answer within " .. units.show(check.timeout, "s"))
	end)
	local ok, err = tcp:connect(ip, port, function(err)
		if err or not check.path then return finish(err) end
		if not is_over then ask(tcp, check, ip, port, finish) end
	end)
	if not ok then finish(err) end
end
