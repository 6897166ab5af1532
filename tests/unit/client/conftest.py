"""A client and the API that it talks to."""

from collections.abc import Iterator

import pytest

from shoal.client import Client
from tests.unit.client import api_server


@pytest.fixture
def api() -> Iterator[api_server.ApiServer]:
    with api_server.serving() as server:
        yield server


@pytest.fixture
def client(api: api_server.ApiServer) -> Iterator[Client]:
    with Client(api.address, timeout_s=10) as made:
        yield made
