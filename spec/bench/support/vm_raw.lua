-- QEMU by itself, without an engine: the guest and the kernel of vm.IMAGE, to compare with. This
-- process plays the engine to the agent in it.
--
--	local machine = vm_raw.start(t, { memory = 256, ram = "memfd"|"private", disk = path,
--		incoming = true, unprivileged = true, args = { ... } }, vm_raw.unpack(t))
--	machine:ready()                         waits until the program in it listens
--	machine:call("stop")                    QMP; raises what QEMU says is wrong
--	machine:call("getfd", { fdname = "f" }, path)    with a file, opened to read or to write
--	machine:wait_migration()                -> what query-migrate says at its end
--	machine:ask(deadline_ms)                connects, has a word sent back
--	machine.port                            at 127.0.0.1, of the program
--	machine:stop()

local json = require "dkjson"
local uv = require "luv"
local vm = require "spec.bench.support.vm"

local Raw = { __name = "bench raw vm" }
Raw.__index = Raw

local vm_raw = {}

local DEADLINE_MS = 60000
local POLL_MS = 2
-- As the engine has it: csrc/engine/vm/vm.c.
local KERNEL_ARGS = "console=ttyS0 quiet panic=-1 reboot=t no_timer_check lpj=4000000"
local EMULATED_ARGS = KERNEL_ARGS .. " mitigations=off"
-- csrc/wire/wire.h
local WIRE_VERSION, HELLO, READY, IDENTITY = 1, 1, 17, 34

---The kernel and the files of the image, unpacked; once for a run.
function vm_raw.unpack(t)
	local folder = vm.open_folder(t)
	local tar = t.spawn { "tar", "-xf", vm.IMAGE, "-C", folder }
	assert(tar:wait(DEADLINE_MS) == 0, tar:describe())
	return folder
end

-- A socket to which QEMU connects; gives the connection to fn. Descriptors can be sent over it.
local function listen(t, path, fn)
	local server = uv.new_pipe(false)
	t.defer(function() server:close() end)
	assert(server:bind(path))
	assert(uv.fs_chmod(path, 511)) -- 0777
	assert(server:listen(1, function(err)
		assert(not err, err)
		local stream = uv.new_pipe(true)
		assert(server:accept(stream))
		fn(t.wrap(stream))
	end))
end

-- ---- the agent -----------------------------------------------------------------------------

local function frame(number, format, ...)
	local fields = ("<" .. format):pack(...)
	return ("<I4I1I1I1"):pack(3 + #fields, WIRE_VERSION, number, 0) .. fields
end

local function identity()
	local seconds, us = uv.gettimeofday()
	return frame(IDENTITY, "i8i8i8s4i8s4i8s4s4s4", 0, 0, 0, "bench",
		(seconds * 1000000 + us) * 1000, uv.random(64), vm.PORT, "", "10.0.2.15/24", "10.0.2.2")
end

-- Says who it is; hears that its program runs.
local function serve_agent(self, channel)
	while true do
		local head = channel:read_exactly(4, DEADLINE_MS)
		local rest = head and channel:read_exactly((("<I4"):unpack(head)), DEADLINE_MS)
		if not rest then return end
		local number = rest:byte(2)
		if number == HELLO then
			channel:write(identity())
		elseif number == READY then
			self.is_ready = true
			return
		end
	end
end

function Raw:ready()
	self.t.wait_until(function() return self.is_ready end, DEADLINE_MS, "READY")
end

-- ---- QMP -----------------------------------------------------------------------------------

local function read_answer(self)
	while true do
		local line = assert(self.qmp:read_until("\n", DEADLINE_MS))
		local answer = assert(json.decode(line))
		if answer.error then return nil, answer.error.desc end
		if answer["return"] then return answer["return"] end
	end
end

---nil and why, where QEMU says that it is wrong.
function Raw:try(command, arguments, path, mode)
	local text = json.encode { execute = command,
		arguments = arguments }
	if path then
		local file = uv.new_pipe(false) -- which is but a way to send a descriptor
		assert(file:open(assert(uv.fs_open(path, mode or "r", 384))))
		self.t.suspend("QMP", DEADLINE_MS, function(wake)
			self.qmp.stream:write2(text, file, wake)
		end)
		file:close()
	else
		assert(self.qmp:write(text))
	end
	return read_answer(self)
end

function Raw:call(...)
	local answer, err = self:try(...)
	if not answer then error(("%s: %s"):format((...), err), 2) end
	return answer
end

---A command for people, which prints what is wrong.
function Raw:human(command)
	local text = self:call("human-monitor-command", { ["command-line"] = command })
	if text ~= "" then error(("%s: %s"):format(command, text), 2) end
end

function Raw:set_capabilities(names)
	local list = {}
	for name, state in pairs(names) do
		list[#list + 1] = { capability = name, state = state }
	end
	return self:try("migrate-set-capabilities", { capabilities = list })
end

function Raw:wait_migration()
	while true do
		local state = self:call "query-migrate"
		if state.status == "completed" then return state end
		if state.status == "failed" then
			error("migration: " .. (state["error-desc"] or "failed"), 2)
		end
		vm.pause(self.t, POLL_MS)
	end
end

-- ---- QEMU ----------------------------------------------------------------------------------

local RAM = {
	memfd = "memory-backend-memfd,id=ram,size=%dM,share=on",
	private = "memory-backend-ram,id=ram,size=%dM",
}

local function command_line(self, o, files)
	local command = { "setpriv", "--no-new-privs", "--", "qemu-system-x86_64",
		"-M", "q35,memory-backend=ram", "-accel", "tcg", "-cpu", "max", "-m", ("%dM"):format(o.memory),
		"-object", RAM[o.ram or "memfd"]:format(o.memory),
		"-nodefaults", "-no-user-config", "-display", "none",
		"-chardev", "socket,id=qmp,path=" .. self.folder .. "/qmp",
		"-mon", "chardev=qmp,mode=control",
		"-serial", "file:" .. self.folder .. "/console",
		"-device", "virtio-serial-pci,max_ports=2",
		"-chardev", "socket,id=agent,path=" .. self.folder .. "/agent",
		"-device", "virtserialport,chardev=agent,name=org.gridcentric.agent",
		"-netdev", ("user,id=card0,ipv6=off,hostfwd=tcp:127.0.0.1:%d-:%d"):format(self.port, vm.PORT),
		"-device", "virtio-net-pci,netdev=card0,romfile=",
		"-kernel", files .. "/kernel", "-initrd", files .. "/initrd", "-append", EMULATED_ARGS }
	local function add(...)
		for _, word in ipairs { ... } do command[#command + 1] = word end
	end
	if o.unprivileged then
		for i, word in ipairs { "--reuid=65534", "--regid=65534", "--clear-groups" } do
			table.insert(command, 2 + i, word)
		end
	end
	if o.disk then
		add("-drive", "if=none,id=disk,format=qcow2,file=" .. o.disk, "-device",
			"virtio-blk-pci,drive=disk")
	end
	if o.incoming then add("-incoming", "defer") end
	add(table.unpack(o.args or {}))
	return command
end

---@param t table of an async.run
---@param o table
---@param files string the folder that vm_raw.unpack() gave
function vm_raw.start(t, o, files)
	local self = setmetatable({ t = t, folder = vm.open_folder(t), port = t.free_port() }, Raw)
	listen(t, self.folder .. "/qmp", function(connection) self.qmp = connection end)
	listen(t, self.folder .. "/agent", function(connection)
		t.background(serve_agent, self, connection)
	end)
	self.since = uv.hrtime()
	self.process = t.spawn(command_line(self, o, files))
	t.wait_until(function() return self.qmp or not self.process:alive() end, DEADLINE_MS, "QMP")
	assert(self.qmp, self.process:describe())
	assert(self.qmp:read_until("\n", DEADLINE_MS))
	self:call "qmp_capabilities"
	return self
end

---Connects, and has a word sent back: it is there.
function Raw:ask()
	self.t.wait_until(function()
		local client = self.t.connect { host = "127.0.0.1", port = self.port }
		if not client then return false end
		client:write "hello"
		local ok, answer = pcall(client.read_exactly, client, 5, 2000)
		client:close()
		return ok and answer == "hello"
	end, DEADLINE_MS, "an answer of the program")
end

---A command for the program in it.
function Raw:tell(command)
	local client = assert(self.t.connect { host = "127.0.0.1", port = self.port })
	assert(client:write("gc:" .. command .. "\n"))
	local answer = client:read_until("\n", DEADLINE_MS)
	client:close()
	return answer
end

function Raw:stop()
	self.process:kill "sigkill"
	self.process:wait(DEADLINE_MS)
	self.qmp:close()
end

return vm_raw
