-- The service of make-image, in virtual machines. A file for its image is named build/debian.qcow2
-- here: examples/debian/make-image build/debian.qcow2
return {
	listen = "127.0.0.1:8080",
	backend = "qemu",
	app = {
		image = "../../build/debian.qcow2",
		port = 8080,
		memory = "512M",
		start_timeout = 300, -- seconds: an emulated Debian takes a minute or two to boot
	},
	clones = { min = 1, max = 4 },
}
