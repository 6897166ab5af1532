"""A small server of the Open Inference Protocol v2: one model whose answer is its first input."""

import contextlib
import json
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class InferenceServer(ThreadingHTTPServer):
    """Serves the model `digits` with input `image` of [1, 2] and a constant `scale`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.inputs: list[dict[str, Any]] = [
            {"name": "image", "datatype": "FP32", "shape": [1, 2]},
        ]
        self.asked: list[dict[str, Any]] = []
        self.refusal: tuple[int, str] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextlib.contextmanager
def serving() -> Iterator[InferenceServer]:
    """A running server."""
    server = InferenceServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: InferenceServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        del format, args

    def do_GET(self) -> None:
        self._answer(200, {"name": "digits", "inputs": self.server.inputs})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = int(self.headers["Inference-Header-Content-Length"])
        document, rest = json.loads(body[:head]), body[head:]
        feeds = {}
        for one in document["inputs"]:
            size = one["parameters"]["binary_data_size"]
            feeds[one["name"]] = {**one, "data": struct.unpack(f"<{size // 4}f", rest[:size])}
            rest = rest[size:]
        self.server.asked.append(feeds)
        if self.server.refusal is not None:
            self._answer(self.server.refusal[0], {"error": self.server.refusal[1]})
            return
        shares = [0.01] * 10
        shares[int(feeds["image"]["data"][0])] = 0.9
        outputs = [{"name": "p", "datatype": "FP32", "shape": [1, 10], "data": shares}]
        parameters = {"variant": "sha256:" + "ab" * 32}
        self._answer(
            200,
            {
                "model_name": "digits",
                "model_version": "7",
                "parameters": parameters,
                "outputs": outputs,
            },
        )

    def _answer(self, status: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
