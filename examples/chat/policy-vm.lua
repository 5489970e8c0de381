-- The chat as policy.lua has it, on virtual machines:
--
--	gcscale image build -o build/chat.img --app examples/chat
--	gcscale examples/chat/policy-vm.lua
--
-- `make run-vm` does both.
return {
	listen = "127.0.0.1:8080",
	backend = "qemu", -- clones are machines, with kernel, processes and memory
	app = { image = "../../build/chat.img", memory = "256M", port = 8001 },
	clones = { max = 8 }, -- each is some 30 MB
	scale = ratio { metric = "sessions", per_clone = 2 },
	route = "latest",
	mode = "http",
}
