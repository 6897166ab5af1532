"""Fixtures of the link suites; what they are made of is in `stage`."""

from pathlib import Path

import pytest

from tests.links.stage import TRANSPORTS, Stage, Transport


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture(params=sorted(TRANSPORTS))
def transport(request: pytest.FixtureRequest) -> Transport:
    chosen = TRANSPORTS[request.param]
    if chosen.mqtt == "mosquitto":
        request.getfixturevalue("needs_program")("mosquitto", package="mosquitto")
    return chosen


@pytest.fixture(params=["mosquitto", "embedded"])
def broker_kind(request: pytest.FixtureRequest) -> str:
    kind = str(request.param)
    if kind == "mosquitto":
        request.getfixturevalue("needs_program")("mosquitto", package="mosquitto")
    return kind
