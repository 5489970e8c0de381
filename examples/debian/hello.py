"""The service of the example: a web server that says which machine it is on."""

import random
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        # a clone has its master's generator: seed it anew where numbers have to differ
        text = f"{socket.gethostname()} {random.SystemRandom().random()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
