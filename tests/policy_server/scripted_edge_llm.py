"""A program in the place of tensorrt-edgellm-serve, with real processes and sockets; a file says how it behaves."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

PROGRAM = "tensorrt-edgellm-serve"

_SOURCE = """#!{python}
import json, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

here = Path(__file__).parent
(here / "argv.json").write_text(json.dumps(sys.argv[1:]))
mode = (here / "mode").read_text()
print("loading weights", flush=True)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(here / "pids").write_text(f"{{child.pid}}")
if mode == "dies":
    child.kill()
    sys.exit("CUDA out of memory while building the visual engine")
if mode == "silent":
    time.sleep(600)
count = [0]

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        count[0] += 1
        self.send_response(200 if count[0] > 2 and self.path == "/health/ready" else 503)
        self.end_headers()

    def log_message(self, *_):
        pass

port = int(sys.argv[sys.argv.index("--port") + 1])
HTTPServer((sys.argv[sys.argv.index("--host") + 1], port), Handler).serve_forever()
"""


def install(folder: Path, mode: str = "serves") -> Path:
    """Put the program into ``folder``: it ``serves``, ``dies`` or stays ``silent``."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / PROGRAM
    program.write_text(_SOURCE.format(python=sys.executable))
    program.chmod(0o755)
    (folder / "mode").write_text(mode)
    return program


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
