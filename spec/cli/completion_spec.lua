-- gcscale completion, tried in the shells themselves.

local async = require "spec.support.async"
local paths = require "spec.support.paths"

local function write(path, text)
	local file = assert(io.open(path, "w"))
	file:write(text)
	file:close()
	return path
end

-- Runs a script in a shell, with gcscale in $PATH; gives what it printed.
local function run(t, shell, script)
	local path = paths.gcscale:match "^(.*)/" .. ":" .. os.getenv "PATH"
	local p = t.spawn {
		shell[1], shell[2] or write(t.tmpdir() .. "/script", script),
		shell[2] and write(t.tmpdir() .. "/script", script),
		env = { PATH = path, HOME = t.tmpdir() }, foreign = true,
	}
	assert.equal(0, p:wait(), p:describe())
	assert.equal("", p.stderr)
	return p.stdout
end

describe("gcscale completion #packaging", function()
	it("works in bash", function()
		async.run(function(t)
			local out = run(t, { "bash" }, [[
				eval "$(gcscale completion bash)"
				try() {
					COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
					_gcscale
					echo "$*: ${COMPREPLY[*]}"
				}
				try gcscale st
				try gcscale events --f
				try gcscale image b
				try gcscale image build --k
			]])
			assert.equal("gcscale st: status\ngcscale events --f: --follow\n"
				.. "gcscale image b: build\ngcscale image build --k: --kernel\n", out)
		end)
	end)

	it("works in fish", function()
		async.run(function(t)
			local out = run(t, { "fish" }, [[
				gcscale completion fish | source
				complete -C "gcscale st"
				complete -C "gcscale events --f"
				complete -C "gcscale image b"
			]])
			assert.equal("status\tShow the services that are running\n"
				.. "--follow\tGo on with what happens next, until interrupted\n"
				.. "build\tBuild an image in which a program runs\n", out)
		end)
	end)

	it("works in zsh", function()
		async.run(function(t)
			local out = run(t, { "zsh", "-f" }, ([[
				zmodload zsh/zpty
				folder=%s
				gcscale completion zsh >$folder/_gcscale
				zpty inner zsh -f -i
				zpty -w inner 'fpath=('$folder' $fpath); autoload -Uz compinit; compinit -u -D'
				zpty -w inner 'bindkey "^I" complete-word; gcscale() { echo "<$@>" }; echo READ""Y'
				zpty -r inner out '*READY*'
				zpty -w inner $'gcscale events --fo\t'
				zpty -r inner out '*<events --follow>*'
				zpty -w inner $'gcscale stat\t'
				zpty -r inner out '*<status>*'
				echo completed
			]]):format(t.tmpdir()))
			assert.equal("completed\n", out)
		end)
	end)
end)
