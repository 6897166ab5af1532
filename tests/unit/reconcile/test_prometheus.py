"""Answers of Prometheus, from the bytes of its HTTP API."""

import asyncio
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from shoal.controller.reconcile.prometheus import Prometheus, value_of


def an_answer(kind: str, result: Any) -> bytes:
    data = {"resultType": kind, "result": result}
    return json.dumps({"status": "success", "data": data}).encode()


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (an_answer("scalar", [1_700_000_000, "0.25"]), 0.25),
        (an_answer("vector", [{"metric": {}, "value": [1_700_000_000, "3"]}]), 3.0),
        (an_answer("vector", []), None),
        (an_answer("scalar", [1_700_000_000, "NaN"]), None),
        (an_answer("scalar", [1_700_000_000, "+Inf"]), None),
    ],
)
def test_one_number_answers_or_none(body: bytes, value: float | None) -> None:
    assert value_of(body) == value


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (an_answer("vector", [{"value": [0, "1"]}, {"value": [0, "2"]}]), "2 series"),
        (an_answer("matrix", []), "a matrix answers"),
        (b'{"status": "error", "error": "parse error at char 3"}', "parse error at char 3"),
        (b"[]", "no answer of Prometheus"),
        (b"<html>", "Expecting value"),
    ],
)
def test_anything_else_is_told(body: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        value_of(body)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(address.query)["query"][0]
        bad = query == "bad("
        body = b'{"status": "error", "error": "unclosed"}' if bad else an_answer("scalar", [0, "7"])
        self.send_response(400 if bad else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_query_goes_over_http(url: str) -> None:
    assert asyncio.run(Prometheus(url).value('up{job="a b"}')) == 7.0
    with pytest.raises(ValueError, match="unclosed"):
        asyncio.run(Prometheus(url).value("bad("))


def test_a_prometheus_that_is_away_is_an_os_error() -> None:
    with pytest.raises(OSError, match="refused"):
        asyncio.run(Prometheus("http://127.0.0.1:9/").value("up"))
    with pytest.raises(ValueError, match="not the URL"):
        Prometheus("file:///etc/passwd")
