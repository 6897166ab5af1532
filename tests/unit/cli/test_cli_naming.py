"""Names that are not there, and names that are none."""

import numpy as np
import pytest

from tests.unit.cli import fleet
from tests.unit.cli.conftest import Shoal
from tests.unit.client.api_server import ApiServer


@pytest.fixture(autouse=True)
def _fleet(api: ApiServer) -> None:
    api.store(fleet.a_device("cam-north"))
    api.store(fleet.a_deployment())


@pytest.mark.parametrize(
    ("line", "near"),
    [
        ("get device cam-nort", "cam-north"),
        ("describe device cam-nrth", "cam-north"),
        ("label device camnorth a=b", "cam-north"),
        ("delete device cam-morth", "cam-north"),
        ("wait deployment digist --for condition=Ready", "digits"),
        ("rollout status digit", "digits"),
        ("rollout pause digit", "digits"),
        ("infer cam-nort --input {rows}", "cam-north"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(
    shoal: Shoal, line: str, near: str, rows: str
) -> None:
    ran = shoal(*line.format(rows=rows).split(), "-o", "json")
    assert ran.code == 3
    assert ran.json["error"]["hint"] == f"did you mean {near}?"


@pytest.fixture
def rows(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("rows") / "rows.npz"
    np.savez(path, x=np.zeros((1, 1), np.float32))
    return str(path)


def test_a_name_like_no_other_is_answered_with_where_to_look(shoal: Shoal) -> None:
    ran = shoal("get", "device", "zzz", "-o", "json")
    assert ran.json["error"]["hint"] == "`shoal get devices -n default` lists what there is"


@pytest.mark.parametrize(
    "line", [("get", "device", ""), ("get", "device/"), ("get", "devices", "-n", "a/b")]
)
def test_what_is_no_name_is_refused_before_it_is_sent(
    api: ApiServer, shoal: Shoal, line: tuple[str, ...]
) -> None:
    assert shoal(*line).code == 2
    assert not api.requests
