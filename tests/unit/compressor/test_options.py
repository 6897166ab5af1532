"""Words of the command line become a job, or the right word is named."""

from dataclasses import replace
from pathlib import Path

import pytest

from shoal.compressor import manifest, options
from shoal.compressor.job import Method
from shoal.compressor.sources import formats
from shoal.compressor.sources.origin import OriginFormat
from shoal.compressor.target import Target
from shoal.contract.budget import Budget
from shoal.contract.choice import Objective
from shoal.contract.problem import InvalidError, NotFoundError

ASKED = options.Asked(
    model="m.onnx",
    calibration="c.npz",
    evaluation="e.npz",
    train=None,
    metric=None,
    max_drop=None,
    min_score=None,
    floor="measured",
    profile=None,
    budget=None,
    methods="quantize,prune,distill,split",
    engines=None,
    objective="latency",
    effort="balanced",
    state=None,
    trust_type=None,
    trust_pickle=False,
    model_output=None,
    seed=0,
    golden=None,
    out="out",
)


def test_the_defaults_are_those_of_the_contract() -> None:
    job = options.resolve(ASKED)
    assert job.methods == frozenset(Method)
    assert job.objective is Objective.LATENCY
    assert (job.floor.max_drop, job.floor.min_score, job.floor.proven) == (0.01, None, False)
    assert job.budget == Budget()
    assert job.runtime.threads == 1


def test_no_methods_leave_the_clean_up_alone() -> None:
    assert options.resolve(replace(ASKED, methods="")).methods == frozenset()


def test_a_least_score_replaces_the_drop() -> None:
    floor = options.resolve(replace(ASKED, min_score=0.9, floor="proven")).floor
    assert (floor.max_drop, floor.min_score, floor.proven) == (None, 0.9, True)


def test_a_budget_is_any_of_three_limits() -> None:
    assert options.parse_budget("artifact=500KiB, latency=5ms", "--budget") == Budget(
        artifact_bytes=512_000, latency_p95_ms=5.0
    )


@pytest.mark.parametrize(
    "text",
    [
        *("", "artifact", "artifact=", "artifact=1KiB,artifact=2KiB", "latency=5", "size=1KiB"),
        *("artifact=0B", "memory=0.5B", "latency=0ms", f"latency={'9' * 400}s"),
    ],
)
def test_a_budget_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        options.parse_budget(text, "--budget")
    assert caught.value.problem.hint


@pytest.mark.parametrize(
    ("wrong", "field", "reason"),
    [
        ({"metric": "top"}, "--metric", "UnknownMetric"),
        ({"metric": "package.module:"}, "--metric", "UnknownMetric"),
        ({"metric": "sqnr", "max_drop": 0.1}, "--max-drop", "Invalid"),
        ({"state": ["h"]}, "--state", "Invalid"),
        ({"methods": "quantise"}, "--methods", "Invalid"),
        ({"engines": "tensorrt"}, "--engines", "Invalid"),
        ({"objective": "speed"}, "--objective", "Invalid"),
        ({"out": ""}, "--out", "Invalid"),
        ({"effort": "quik"}, "--effort", "Invalid"),
        ({"floor": "guessed"}, "--floor", "Invalid"),
        ({"max_drop": -0.1}, "--max-drop", "Invalid"),
        ({"profile": "p.yaml", "budget": "latency=5ms"}, "--budget", "Invalid"),
    ],
)
def test_wrong_words_name_their_option(wrong: dict[str, object], field: str, reason: str) -> None:
    with pytest.raises(InvalidError) as caught:
        options.resolve(replace(ASKED, **wrong))  # type: ignore[arg-type] # by name on purpose
    assert (caught.value.problem.field, caught.value.problem.reason) == (field, reason)


def test_a_metric_may_be_a_function_and_sqnr_has_a_floor_of_its_own() -> None:
    own = options.resolve(replace(ASKED, metric="package.module:function"))
    assert own.metric == "package.module:function"
    noise = options.resolve(replace(ASKED, metric="sqnr")).floor
    assert (noise.min_score, noise.max_drop) == (20.0, None)


def test_states_are_pairs_of_input_and_output() -> None:
    job = options.resolve(replace(ASKED, state=["h=h_next", "c=c_next"]))
    assert job.states == (("h", "h_next"), ("c", "c_next"))


def a_profile(folder: Path, spec: str) -> Path:
    path = folder / "profile.yaml"
    path.write_text(
        f"apiVersion: shoal/v1\nkind: DeviceProfile\nmetadata: {{name: p}}\nspec: {spec}\n"
    )
    return path


def test_a_profile_gives_budget_and_runtime(tmp_path: Path) -> None:
    spec = (
        "{priority: 1, selector: {}, budget: {artifact: 64KiB, memory: 24MiB, latency: {p95: 5ms}},"
        " runtime: {engines: [onnxruntime], threads: 2, precisions: [int8]}}"
    )
    device = manifest.device_profile(a_profile(tmp_path, spec))
    assert device.budget == Budget(artifact_bytes=65536, memory_bytes=25165824, latency_p95_ms=5.0)
    assert (device.runtime.threads, device.runtime.precisions) == (2, ("int8",))
    assert (device.engines, device.target) == (("onnxruntime",), None)


@pytest.mark.parametrize(
    ("spec", "target"),
    [
        (
            "{hardware: {arch: arm64, isa: [i8mm, asimddp]}}",
            Target(arch="aarch64", isa=("asimddp", "i8mm")),
        ),
        ("{selector: {matchLabels: {arch: arm64}}}", Target(arch="aarch64", isa=())),
        ("{selector: {matchLabels: {tier: small}}}", None),
    ],
)
def test_a_profile_names_the_machine_that_variants_are_for(
    tmp_path: Path, spec: str, target: Target | None
) -> None:
    assert manifest.device_profile(a_profile(tmp_path, spec)).target == target


def test_engines_on_the_line_go_before_those_of_the_profile(tmp_path: Path) -> None:
    path = str(a_profile(tmp_path, "{runtime: {engines: [onnxruntime, litert]}}"))
    asked = replace(ASKED, profile=path)
    assert options.resolve(asked).engines == ("onnxruntime", "litert")
    assert options.resolve(replace(asked, engines="litert")).engines == ("litert",)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("{bugdet: {}}", "UnknownField"),
        ("{budget: {artifact: 64}}", "Invalid"),
        ("{budget: []}", "Invalid"),
        ("{budget: {artifact: 0B}}", "Invalid"),
        ("{runtime: {threads: 0}}", "Invalid"),
        ("{runtime: {threads: 100000}}", "Invalid"),
        ("{runtime: {precisions: [int2]}}", "NotBuiltYet"),
        ("{runtime: {engines: [tensorrt]}}", "NotBuiltYet"),
        ("{hardware: {isa: [neon]}, selector: {matchLabels: {arch: arm64}}}", "Invalid"),
        ("{hardware: {arch: 64}}", "Invalid"),
        ("{hardware: {arch: arm64, isa: i8mm}}", "Invalid"),
        ("{hardware: {arch: arm64, isa: 5}}", "Invalid"),
        ("{hardware: {isa: [i8mm]}}", "Invalid"),
        ("{runtime: {engines: onnxruntime}}", "Invalid"),
    ],
)
def test_a_wrong_profile_names_its_field(tmp_path: Path, spec: str, reason: str) -> None:
    with pytest.raises(InvalidError) as caught:
        manifest.device_profile(a_profile(tmp_path, spec))
    assert caught.value.problem.reason == reason
    assert str(caught.value.problem.field).startswith("spec")


def test_a_profile_that_is_not_there_or_is_another_kind(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        manifest.device_profile(tmp_path / "none.yaml")
    with pytest.raises(InvalidError, match="is a folder, not a file"):
        manifest.device_profile(tmp_path)
    other = tmp_path / "other.yaml"
    other.write_text("kind: Model\n")
    with pytest.raises(InvalidError, match="not one DeviceProfile"):
        manifest.device_profile(other)


@pytest.mark.parametrize(("text", "location"), [("a: [", ":1:5"), ("[" * 20_000, None)])
def test_a_profile_that_is_no_yaml_says_where(
    tmp_path: Path, text: str, location: str | None
) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(InvalidError, match=r"broken\.yaml is not YAML") as caught:
        manifest.device_profile(path)
    assert caught.value.problem.location == (location and f"{path}{location}")


@pytest.mark.parametrize("loader", ["module:make", "package.module:make"])
def test_a_loader_is_told_by_its_form(loader: str) -> None:
    assert formats.admit(loader).format is OriginFormat.LOADER
