"""For spec/examples/debian_image.lua: runs what is posted in a shell, and answers what that prints."""

import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        script = self.rfile.read(int(self.headers["Content-Length"]))
        text = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT).stdout
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
