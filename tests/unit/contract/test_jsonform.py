"""The JSON form of contract values, both ways."""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from shoal.contract import jsonform
from shoal.contract.assignment import DesiredState
from shoal.contract.digest import Digest
from shoal.contract.report import DeviceReport
from shoal.contract.telemetry import TelemetryBatch
from tests.unit.contract import strategies


class Color(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    color: Color
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: str
    count: int
    on: bool
    pair: tuple[int, str]
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    table: Mapping[str, Inner] | None = None
    anything: Any = None
    digest: Digest | None = None
    place: Path | None = None


WHOLE = Outer(
    name="n",
    count=2,
    on=True,
    pair=(1, "x"),
    inner=Inner(color=Color.BLUE),
    many=(Inner(color=Color.RED, weight=2),),
    table={"k": Inner(color=Color.RED)},
    anything={"free": [1]},
    digest=Digest("sha256:0"),
    place=Path("/a/b"),
)


@given(strategies.desired_states)
def test_desired_states_survive(value: DesiredState) -> None:
    text = json.dumps(jsonform.to_json(value), allow_nan=False)
    assert jsonform.from_json(DesiredState, json.loads(text)) == value


@given(strategies.device_reports)
def test_reports_survive(value: DeviceReport) -> None:
    text = json.dumps(jsonform.to_json(value), allow_nan=False)
    assert jsonform.from_json(DeviceReport, json.loads(text)) == value


@given(strategies.batches)
def test_telemetry_survives(value: TelemetryBatch) -> None:
    text = json.dumps(jsonform.to_json(value), allow_nan=False)
    assert jsonform.from_json(TelemetryBatch, json.loads(text)) == value


def test_every_kind_of_field_survives() -> None:
    assert jsonform.from_json(Outer, json.loads(json.dumps(jsonform.to_json(WHOLE)))) == WHOLE


def test_absent_fields_take_their_default_and_unknown_ones_are_left_alone() -> None:
    data = {"name": "n", "count": 1, "on": False, "pair": [1, "x"], "from_the_future": 1}
    assert jsonform.from_json(Outer, data) == Outer(name="n", count=1, on=False, pair=(1, "x"))


def test_a_whole_number_is_a_float_where_a_float_is_wanted() -> None:
    read = jsonform.from_json(Inner, {"color": "red", "weight": 3})
    assert read.weight == 3.0
    assert isinstance(read.weight, float)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": 1}, "name: must be str, not 1"),
        ({"count": True}, "count: must be int, not True"),
        ({"count": 1.5}, "count: must be int"),
        ({"on": 1}, "on: must be bool"),
        ({"pair": [1]}, "pair: must be a list of 2"),
        ({"pair": "no"}, "pair: must be a list"),
        ({"pair": ["1", "x"]}, r"pair\[0\]: must be int"),
        ({"inner": {"color": "green"}}, "inner.color: must be one of red, blue"),
        ({"inner": []}, "inner: must be an object"),
        ({"many": [{"color": "red"}, {}]}, r"many\[1\]\.color: required, but absent"),
        ({"many": [{"color": "red", "weight": "1"}]}, r"many\[0\]\.weight: must be float"),
        ({"table": []}, "table: must be an object"),
        ({"table": {"k": {"color": None}}}, r"table\.k\.color: must be one of"),
        ({"place": 3}, "place: must be str"),
        ({"name": None}, "name: must be str, not None"),
        ({"name": ["x" * 100]}, "…"),
    ],
)
def test_what_has_the_wrong_type_is_named_by_its_place(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        jsonform.from_json(Outer, jsonform.to_json(WHOLE) | changes)


def test_a_whole_value_of_the_wrong_type_is_named() -> None:
    with pytest.raises(ValueError, match="the value: must be an object"):
        jsonform.from_json(Outer, [])


def test_types_without_a_json_form_are_our_own_mistake() -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        jsonform.to_json(object())
    with pytest.raises(TypeError, match="no JSON form"):
        jsonform.from_json(set, [])

    @dataclass
    class Either:
        value: int | str

    with pytest.raises(TypeError, match=r"value: .* has no JSON form"):
        jsonform.from_json(Either, {"value": 1})
