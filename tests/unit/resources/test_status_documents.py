"""What people are told about statuses: nothing left out, and no other words than are written."""

import enum
import typing
from typing import Any

import pytest
from pydantic import ValidationError

from shoal.contract.report import Phase
from shoal.controller.domain.archive import ArchiveState
from shoal.controller.domain.evidence import Source, Verdict
from shoal.controller.domain.gating import Bound, Metric
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.revisions import Result, WaveState
from shoal.resources.errors import ManifestError
from shoal.resources.explaining import explain, schema
from shoal.resources.fields import by_alias, document_at
from shoal.resources.kinds import KINDS
from shoal.resources.parsing import parse
from shoal.resources.statuses.deployment import OutcomeCounts
from tests.unit.resources.documents import DEPLOYMENT, refused, with_field
from tests.unit.resources.statuses import check, document_of


def nodes(kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Every object and every property of a kind's schema, by where it stands."""
    whole = schema(kind)
    found = [(kind, whole), *whole.get("$defs", {}).items()]
    within = [
        (f"{name}.{field}", part)
        for name, one in found
        for field, part in one.get("properties", {}).items()
    ]
    return found + within


@pytest.mark.parametrize("kind", KINDS)
def test_every_node_of_a_schema_says_what_it_is(kind: str) -> None:
    assert [place for place, node in nodes(kind) if not node.get("description")] == []


@pytest.mark.parametrize("kind", ["Device", "Model", "Variant", "Deployment"])
def test_no_object_in_a_status_is_opaque(kind: str) -> None:
    """Only what a search did to a model is free in form."""
    opaque = [place for place, node in nodes(kind) if node.get("additionalProperties") is True]
    assert opaque == (["VariantSpec.recipe"] if kind == "Variant" else [])


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("device.status.lastSeen", "UTC"),
        ("device.status.hardware.memory_bytes", "in bytes"),
        ("model.status.revisions.classes.chosen.latency_ms_p95", "milliseconds"),
        ("variant.status.measured.peak_memory_bytes", "in bytes"),
        ("deployment.status.waves.gates.interval", "terms of the limit"),
        ("deployment.status.devices.TimedOut", "deviceTimeout"),
        ("deployment.status.cohorts.noFeasibleVariant.nearest.missed_by", "unit"),
    ],
)
def test_a_path_into_a_status_is_explained(path: str, word: str) -> None:
    assert word in explain(path).description


@pytest.mark.parametrize("path", ["deployment.status.devices", "device.status.hardware"])
def test_nothing_in_a_status_is_asked_of_people(path: str) -> None:
    assert not any(field.required or field.default for field in explain(path).fields)


@pytest.mark.parametrize(
    ("kind", "path", "words"),
    [
        ("Device", "outcomes.phase", Phase),
        ("Model", "revisions.classes.state", ArchiveState),
        ("Deployment", "result", Result),
        ("Deployment", "waves.result", WaveState),
        ("Deployment", "waves.gates.metric", Metric),
        ("Deployment", "waves.gates.verdict", Verdict),
        ("Deployment", "waves.gates.source", Source),
        ("Deployment", "waves.gates.bound", Bound),
    ],
)
def test_closed_words_are_those_that_the_controller_knows(
    kind: str, path: str, words: type[enum.StrEnum]
) -> None:
    *above, last = path.split(".")
    document = document_at(document_of(kind), above)
    assert document is not None
    assert _words(by_alias(document)[last].annotation) == {one.value for one in words}


def test_every_outcome_of_a_device_is_counted_under_its_name() -> None:
    assert set(by_alias(OutcomeCounts)) == {one.value for one in Outcome}


def test_a_field_that_nobody_documented_is_found() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        check("Device", {"mood": "fine"})


@pytest.mark.parametrize("status", [{}, {"revision": "three", "mood": 1}, None])
def test_what_people_write_into_a_status_is_ignored(status: object) -> None:
    assert parse(with_field(DEPLOYMENT, "status", status)).resource.status is None


def test_a_status_that_is_no_object_is_refused() -> None:
    problem = refused(with_field(DEPLOYMENT, "status", 3))
    assert (problem.field, problem.message) == ("status", "3 is not an object")
    with pytest.raises(ManifestError):
        parse(with_field(DEPLOYMENT, "status", ["a"]))


def _words(annotation: Any) -> set[str]:
    if typing.get_origin(annotation) is typing.Literal:
        return set(typing.get_args(annotation))
    return set().union(*(_words(part) for part in typing.get_args(annotation)))
