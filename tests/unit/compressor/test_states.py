"""Recurrent models: states by name, free runs and recorded ones, streams that stay together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shoal.compressor.evaluate import batches, session
from shoal.compressor.sources import archive, splits, states
from shoal.compressor.sources.rows import Array, Rows, State
from shoal.compressor.sources.signature import Signature, Tensor
from shoal.contract.problem import InvalidError

X = Tensor(name="x", dtype="float32", shape=(1, 2))
H = Tensor(name="h", dtype="float32", shape=(1, 3))
H_NEXT = Tensor(name="h_next", dtype="float32", shape=(None, 3))
SCORE = Tensor(name="score", dtype="float32", shape=(1, 1))
MODEL = Signature(inputs=(X, H), outputs=(SCORE, H_NEXT))


class Adder:
    """A model whose state adds up what it saw; its score is the sum of the state."""

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, Array]) -> list[Any]:
        """One step."""
        state = feed["h"] + feed["x"].sum()
        found = {"score": state.sum(axis=1, keepdims=True), "h_next": state}
        return [found[name] for name in outputs or ["score", "h_next"]]


def fed_back() -> tuple[State, ...]:
    return states.resolve(MODEL, [("h", "h_next")])


def steps(count: int, starts: Sequence[int] = (0,)) -> Rows:
    marks = np.zeros(count, np.bool_)
    marks[list(starts)] = True
    return Rows(
        inputs={"x": np.random.default_rng(0).normal(size=(count, 2)).astype(np.float32)},
        constants={},
        labels=np.arange(count),
        count=count,
        whole=frozenset(),
        states=fed_back(),
        starts=marks,
    )


def test_a_state_starts_at_zero_and_is_fed_back_until_the_stream_changes() -> None:
    rows = steps(6, (0, 4))
    sums = rows.inputs["x"].sum(axis=1)
    wanted = 3 * np.concatenate([np.cumsum(sums[:4]), np.cumsum(sums[4:])])
    found = session.answers(Adder(), rows, "score")
    assert found[:, 0] == pytest.approx(wanted, rel=1e-5)


def test_recorded_states_make_every_row_an_ordinary_one() -> None:
    rows = steps(6, (0, 4))
    recorded = rows.with_states(session.recorded_states(Adder(), rows))
    assert recorded.inputs["h"].shape == (6, 3)
    assert not recorded.inputs["h"][[0, 4]].any()
    free = session.answers(Adder(), recorded, "score")
    assert session.answers(Adder(), recorded.alone(), "score").tolist() == free.tolist()
    shuffled = recorded.alone().take(np.array([5, 2]))
    assert session.answers(Adder(), shuffled, "score").tolist() == free[[5, 2]].tolist()


def test_a_state_without_a_batch_of_one_is_fed_whole() -> None:
    state = State(into="h", out="h_next", zero=np.zeros((2, 1, 3), np.float32))
    rows = Rows(
        inputs={"x": np.zeros((4, 2), np.float32)},
        constants={},
        labels=None,
        count=4,
        whole=frozenset(),
        states=(state,),
        starts=np.array([True, False, False, False]),
    )
    recorded = rows.with_states({"h": np.zeros((4, 2, 1, 3), np.float32)})
    assert recorded.feed(1)["h"].shape == (2, 1, 3)


def test_a_step_whose_predecessor_is_left_out_begins_a_stream() -> None:
    taken = steps(8, (0, 4)).take(np.array([1, 2, 4, 5, 7]))
    assert taken.starts is not None
    assert taken.starts.tolist() == [True, False, True, False, True]


def divided(calibration: Rows) -> splits.Data:
    other = steps(30)
    evaluation = Rows(
        inputs={"x": other.inputs["x"] + 9},
        constants={},
        labels=None,
        count=30,
        whole=frozenset(),
        states=other.states,
        starts=other.starts,
    )
    return splits.divide(calibration, None, evaluation, 0)


def test_validation_holds_whole_streams() -> None:
    data = divided(steps(80, range(0, 80, 10)))
    assert data.validation.labels is not None
    held = sorted({int(label) // 10 for label in data.validation.labels})
    assert data.validation.labels.tolist() == [10 * s + i for s in held for i in range(10)]
    assert data.validation.starts is not None
    assert np.flatnonzero(data.validation.starts).tolist() == [0, 10]
    assert not data.calibration.states


def test_of_a_single_stream_the_last_steps_validate() -> None:
    data = divided(steps(80))
    assert data.validation.labels is not None
    assert data.validation.labels.tolist() == list(range(60, 80))


def test_a_typical_step_is_one_well_inside() -> None:
    assert steps(80).typical == 40
    assert steps(80).alone().typical == 0


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ([("hh", "h_next")], "the model has no input 'hh' | did you mean 'h'? its inputs are"),
        ([("h", "hnext")], "the model has no output 'hnext' | did you mean 'h_next'?"),
        ([("h", "score")], "'score' (float32 [1, 1]) does not fit the input 'h' (float32 [1, 3])"),
        ([("h", "h_next")] * 2, "the input 'h' is named twice | name each state once"),
    ],
)
def test_a_wrong_state_is_told(asked: list[tuple[str, str]], told: str) -> None:
    with pytest.raises(InvalidError) as caught:
        states.resolve(MODEL, asked)
    problem = caught.value.problem
    assert problem.field == "--state"
    assert told in f"{problem.message} | {problem.hint}"


def test_a_model_of_states_alone_has_no_rows() -> None:
    only = Signature(inputs=(H,), outputs=(H_NEXT,))
    with pytest.raises(InvalidError, match="every input is a state"):
        states.resolve(only, [("h", "h_next")])


def read(folder: Path, fed: Sequence[State], **arrays: Any) -> Rows:
    np.savez(folder / "rows.npz", **arrays)
    return archive.read(folder / "rows.npz", MODEL, "--calibration", fed)


def test_streams_are_read_from_their_numbers(tmp_path: Path) -> None:
    x = np.zeros((5, 2), np.float32)
    rows = read(tmp_path, fed_back(), x=x, stream=np.array([7, 7, 2, 2, 7]))
    assert rows.starts is not None
    assert rows.starts.tolist() == [True, False, True, False, True]


@pytest.mark.parametrize(
    ("fed", "arrays", "told"),
    [
        (
            True,
            {"stream": np.zeros(4, int)},
            "'stream' as int64 [4]; expected one integer for each",
        ),
        (True, {"stream": np.zeros(5)}, "has 'stream' as float64 [5]"),
        (True, {"h": np.zeros((5, 3), "f")}, "holds the state 'h', which is fed back"),
        (False, {"stream": np.zeros(5, int), "h": np.zeros((5, 3), "f")}, "the model has no state"),
        (False, {}, "a state of a recurrent model is named by --state h=h_next"),
        (True, {"a.x": np.zeros((5, 2), "f")}, "holds pairs"),
    ],
)
def test_what_streams_do_not_bear_is_told(
    tmp_path: Path, arrays: dict[str, Array], told: str, *, fed: bool
) -> None:
    x = {"x": np.zeros((5, 2), np.float32)}
    with pytest.raises(InvalidError) as caught:
        read(tmp_path, fed_back() if fed else (), **x, **arrays)
    problem = caught.value.problem
    assert told in f"{problem.message} | {problem.hint}"


class Doubler:
    """Doubles its rows; `leaky` adds what the whole batch has in common, as dynamic ranges do."""

    def __init__(self, *, leaky: bool) -> None:
        self.leaky = leaky
        self.largest = 0

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, Array]) -> list[Any]:
        """One batch."""
        del outputs
        self.largest = max(self.largest, len(feed["x"]))
        return [2 * feed["x"] + (feed["x"].max() if self.leaky else 0)]


@pytest.mark.parametrize("leaky", [False, True])
def test_a_batch_serves_only_where_it_answers_as_its_rows_do(*, leaky: bool) -> None:
    x = np.random.default_rng(0).normal(size=(301, 2)).astype(np.float32)
    rows = Rows(inputs={"x": x}, constants={}, labels=None, count=301, whole=frozenset())
    model = Doubler(leaky=leaky)
    assert (batches.answers(model, rows, "y") is None) == leaky
    assert model.largest == 32
    alone = np.concatenate([model.run(None, {"x": x[i : i + 1]})[0] for i in range(301)])
    assert np.array_equal(session.answers(model, rows, "y"), alone)
