"""The `Queries` port over the HTTP API of Prometheus.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
"""

import asyncio
import json
import math
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

_TIMEOUT_S = 5.0
_ANSWER_BYTES = 1024 * 1024


class Prometheus:
    """Instant queries to the Prometheus at `url`."""

    def __init__(self, url: str) -> None:
        """Raise ValueError where `url` is not of HTTP."""
        if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
            raise ValueError(f"{url!r} is not the URL of a Prometheus")
        self._url = url.rstrip("/")

    async def value(self, query: str) -> float | None:
        """The one number that answers; None where there is none.

        Raises:
            OSError: it cannot be reached.
            ValueError: it answers something else, or refuses the query.
        """
        return value_of(await asyncio.to_thread(self._get, query))

    def _get(self, query: str) -> bytes:
        text = urllib.parse.urlencode({"query": query})
        # The scheme was checked above: no file and no other handler is ever opened.
        request = urllib.request.Request(f"{self._url}/api/v1/query?{text}")  # noqa: S310 - see above
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - see above
                data: bytes = answer.read(_ANSWER_BYTES + 1)
        except urllib.error.HTTPError as error:
            # Prometheus says in the body what is wrong with a query.
            return error.read(_ANSWER_BYTES)
        if len(data) > _ANSWER_BYTES:
            raise ValueError("the answer is too large")
        return data


def value_of(body: bytes) -> float | None:
    """The number in an answer: of a scalar, or of a vector with one element.

    Raises:
        ValueError: it is an error, or holds several numbers.
    """
    answer: Any = json.loads(body)
    if not isinstance(answer, dict) or answer.get("status") != "success":
        problem = answer.get("error") if isinstance(answer, dict) else None
        raise ValueError(problem or "it is no answer of Prometheus")
    data = answer["data"]
    kind, result = data["resultType"], data["result"]
    if kind == "vector":
        if len(result) > 1:
            raise ValueError(f"{len(result)} series answer; aggregate them to one, as sum() does")
        pair = result[0]["value"] if result else None
    elif kind == "scalar":
        pair = result
    else:
        raise ValueError(f"a {kind} answers, and not one number")
    if pair is None:
        return None
    value = float(pair[1])
    return value if math.isfinite(value) else None
