"""A model behind OpenAI's chat completions on loopback that does as the task in its prompt says. No key, no network."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

_TASK = re.compile(r"Current Task: (\w+)")
USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}


class _Model(BaseHTTPRequestHandler):
    """Calls the tool that it is offered with 5, then 6, 7 and so on; else says the task's word. `slow` answers when the
    test is over.
    """

    over = threading.Event()
    amounts: Iterator[int]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        do = _TASK.findall(json.dumps(asked["messages"]))[-1]
        if do == "slow":
            self.over.wait(60)
        message: dict[str, Any] = {"role": "assistant", "content": do}
        if asked.get("tools"):
            function = {
                "name": asked["tools"][0]["function"]["name"],
                "arguments": json.dumps({"amount": next(self.amounts)}),
            }
            calls = [{"id": "call-1", "type": "function", "function": function}]
            message = {"role": "assistant", "content": None, "tool_calls": calls}
        ended = "tool_calls" if "tool_calls" in message else "stop"
        choice = {"index": 0, "message": message, "finish_reason": ended}
        body = {"id": "c-1", "object": "chat.completion", "created": 0, "model": "local", "usage": USAGE}
        text = json.dumps({**body, "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def scripted_model() -> Iterator[str]:
    """Serve it; yields its base address."""
    handler = type("Model", (_Model,), {"over": threading.Event(), "amounts": count(5)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        handler.over.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()
        thread.join(10)
