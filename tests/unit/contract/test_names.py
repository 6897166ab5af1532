"""Digests, topics, profile classes, device names and problems."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.contract import digest, enrolment, problem, profile, topics
from shoal.contract.assignment import Artifact, ArtifactRole, Assignment
from shoal.contract.problem import Problem
from shoal.contract.report import Phase
from shoal.contract.topics import Down, Up

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_digest_is_of_content_wherever_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    assert digest.of_file(path) == digest.of_bytes(b"x" * 3_000_000)
    assert digest.of_bytes(b"") == EMPTY
    assert digest.parse(EMPTY) == EMPTY
    assert digest.short(digest.parse(EMPTY)) == "e3b0c44298fc"
    assert len(digest.hex_of(digest.parse(EMPTY))) == 64


@pytest.mark.parametrize("text", ["", "e3b0", EMPTY.upper(), f"{EMPTY}0", f"{EMPTY}\n", "sha256:"])
def test_other_forms_of_digests_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a digest"):
        digest.parse(text)


@pytest.mark.parametrize("channel", Up)
def test_up_topics_read_back(channel: Up) -> None:
    assert topics.parse_up(topics.up("dev-a", channel)) == ("dev-a", channel)


@pytest.mark.parametrize("channel", Down)
def test_down_topics_read_back(channel: Down) -> None:
    topic = topics.down("dev-a", channel)
    assert topics.parse_down(topic) is channel
    assert topic.startswith(topics.down_filter("dev-a").removesuffix("+"))


@pytest.mark.parametrize(
    "topic",
    ["", "shoal/v1/devices/a/up", "shoal/v2/devices/a/up/hello", "shoal/v1/devices/a/up/hello/x"],
)
def test_other_topics_are_refused(topic: str) -> None:
    with pytest.raises(ValueError, match="not a device's"):
        topics.parse_up(topic)
    with pytest.raises(ValueError, match="not a device's"):
        topics.parse_down(topic)


def test_unknown_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        topics.parse_up("shoal/v1/devices/a/up/nonsense")
    with pytest.raises(ValueError, match="hello"):
        topics.parse_down("shoal/v1/devices/a/down/hello")


def test_the_controller_hears_every_device() -> None:
    assert topics.up_filter() == "shoal/v1/devices/+/up/+"


HARDWARE = profile.HardwareProfile(
    arch="x86_64",
    cpu="one",
    cores=4,
    memory_bytes=1,
    disk_free_bytes=1,
    isa=("avx2", "avx512_vnni"),
    engines=(("onnxruntime", "1.31.1"),),
    providers=("CPUExecutionProvider",),
)
RUNTIME = profile.RuntimeChoice()


def test_the_class_leaves_out_what_changes_no_variant() -> None:
    same = dataclasses.replace(
        HARDWARE,
        cpu="two",
        cores=8,
        memory_bytes=2,
        disk_free_bytes=2,
        isa=("avx512_vnni", "avx2"),
    )
    ours = profile.class_profile(HARDWARE, RUNTIME)
    assert profile.class_profile(same, RUNTIME).name == ours.name
    reordered = dataclasses.replace(RUNTIME, precisions=("fp32", "int8"))
    assert profile.class_profile(HARDWARE, reordered).name == ours.name
    assert len(ours.name) == 16


@pytest.mark.parametrize(
    "changes",
    [
        {"arch": "aarch64"},
        {"isa": ("avx2",)},
        {"engines": (("onnxruntime", "1.32.0"),)},
        {"engines": ()},
    ],
)
def test_the_class_follows_what_changes_variants(changes: dict[str, object]) -> None:
    ours = profile.class_profile(HARDWARE, RUNTIME)
    other = dataclasses.replace(HARDWARE, **changes)  # type: ignore[arg-type]
    assert profile.class_profile(other, RUNTIME).name != ours.name


def test_the_class_follows_the_speed_tier_and_never_the_score_itself() -> None:
    ours = profile.class_profile(HARDWARE, RUNTIME)
    assert profile.class_profile(HARDWARE, RUNTIME, speed_tier=1).name != ours.name
    measured = dataclasses.replace(HARDWARE, speed_score=812.0)
    assert profile.class_profile(measured, RUNTIME) == ours


@pytest.mark.parametrize(
    "changes",
    [{"threads": 2}, {"providers": ("X",)}, {"precisions": ("fp32",)}, {"engines": ("litert",)}],
)
def test_the_class_follows_the_runtime_choice(changes: dict[str, object]) -> None:
    ours = profile.class_profile(HARDWARE, RUNTIME)
    other = dataclasses.replace(RUNTIME, **changes)  # type: ignore[arg-type]
    assert profile.class_profile(HARDWARE, other).name != ours.name


BOTH = dataclasses.replace(RUNTIME, engines=("litert", "onnxruntime"))
LITE = dataclasses.replace(HARDWARE, engines=(*HARDWARE.engines, ("litert", "2.3.0")))


def test_a_class_of_one_engine_keeps_its_name() -> None:
    # Fleets have variants, quarantines and history under it.
    assert profile.class_profile(HARDWARE, RUNTIME).name == "65d6b8881c218fa0"


def test_engines_that_a_device_does_not_have_are_left_out() -> None:
    assert profile.class_profile(HARDWARE, BOTH) == profile.class_profile(HARDWARE, RUNTIME)
    assert profile.class_profile(LITE, RUNTIME) == profile.class_profile(HARDWARE, RUNTIME)
    neither = dataclasses.replace(HARDWARE, engines=())
    assert profile.class_profile(neither, BOTH).engines == ("onnxruntime",)


def test_the_order_of_engines_changes_no_class() -> None:
    ours = profile.class_profile(LITE, BOTH)
    assert ours.engines == ("onnxruntime", "litert")
    turned = dataclasses.replace(BOTH, engines=BOTH.engines[::-1])
    assert profile.class_profile(LITE, turned) == ours
    newer = dataclasses.replace(LITE, engines=(*HARDWARE.engines, ("litert", "2.4.0")))
    assert profile.class_profile(newer, BOTH).name != ours.name


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True))
def test_dns_labels_are_device_names(name: str) -> None:
    assert enrolment.device_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "A", "a_b", "-a", "a-", "a" * 64, "a/b", "a\n", "ä", "+", "#"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a device name"):
        enrolment.device_name(name)


def test_a_problem_has_one_shape_for_machines_and_one_for_people() -> None:
    whole = Problem(
        reason="Invalid",
        message="it is wrong",
        field="spec.x",
        location="f.yaml:1:2",
        hint="change it",
    )
    assert whole.to_json() == {
        "reason": "Invalid",
        "message": "it is wrong",
        "field": "spec.x",
        "location": "f.yaml:1:2",
        "hint": "change it",
    }
    assert whole.to_text() == (
        "error: f.yaml:1:2: it is wrong (spec.x) [Invalid]\n  try: change it"
    )
    bare = Problem(reason="Invalid", message="it is wrong")
    assert bare.to_json() == {"reason": "Invalid", "message": "it is wrong"}
    assert bare.to_text() == "error: it is wrong [Invalid]"


def test_every_error_has_its_exit_code() -> None:
    codes = {
        kind: kind(Problem(reason="x", message="m")).exit_code
        for kind in (
            problem.FailedError,
            problem.InvalidError,
            problem.NotFoundError,
            problem.ConflictError,
            problem.UnreachableError,
            problem.ForbiddenError,
        )
    }
    assert list(codes.values()) == [1, 2, 3, 4, 5, 6]


def test_terminal_phases_end_a_generation() -> None:
    assert {phase for phase in Phase if phase.terminal} == {
        Phase.CONFIRMED,
        Phase.FAILED,
        Phase.REFUSED,
        Phase.LOCAL_ROLLBACK,
    }


def test_an_assignment_finds_its_artifacts_by_role() -> None:
    model = Artifact(role=ArtifactRole.MODEL, name="m", digest=digest.parse(EMPTY), size_bytes=1)
    assignment = Assignment(
        deployment="default/d",
        model="m",
        revision=1,
        generation=1,
        variant=digest.parse(EMPTY),
        artifacts=(model,),
    )
    assert assignment.artifact(ArtifactRole.MODEL) is model
    assert assignment.artifact(ArtifactRole.GOLDEN) is None
