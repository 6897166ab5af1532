import numpy as np
import pytest

from shoal.agent.serve import answers
from shoal.agent.serve.sessions import Array

# One row each of: output, rows, decisions. The examples of `answers.decisions`, and more.
CASES = {
    "scores": (np.eye(2, 10, dtype=np.float32), 2, [0, 1]),
    "labels": (np.array([7, 3]), 2, [7, 3]),
    "labels in a column": (np.array([[7], [3]]), 2, [7, 3]),
    "scores of a sequence": (
        np.eye(3, dtype=np.float32)[np.newaxis].repeat(2, 0),
        2,
        [[0, 1, 2]] * 2,
    ),
    "one score a row": (np.array([[0.2], [0.9]]), 2, [0, 1]),
    "one score": (np.array([0.7]), 1, [1]),
    "even odds are no yes": (np.array([0.5]), 1, [0]),
    "scores without a batch axis": (np.array([0.0, 3.0, 1.0]), 1, [1]),
    "integer scores": (np.array([[1, 9, 3]], np.uint8), 1, [1]),
    "a missing score": (np.array([[1.0, np.nan], [2.0, 1.0]]), 2, [-1, 0]),
    "a missing single score": (np.array([np.nan]), 1, [-1]),
    "nothing to choose from": (np.zeros((2, 0), np.float32), 2, [-1, -1]),
    "truth": (np.array([[True], [False]]), 2, [1, 0]),
}


@pytest.mark.parametrize("case", CASES)
def test_decisions(case: str) -> None:
    output, rows, expected = CASES[case]
    assert answers.decisions(output, rows).tolist() == expected


def test_a_row_with_several_decisions_has_no_class() -> None:
    assert answers.classes(np.zeros((2, 7, 10), np.float32), 2) == [-1, -1]
    assert answers.classes(np.eye(2, 10, dtype=np.float32), 2) == [0, 1]


@pytest.mark.parametrize(
    ("output", "rows", "sure"),
    [
        (np.array([[0.1, 0.9], [0.5, 0.5]], np.float32), 2, [0.9, 0.5]),
        (np.array([[0.0, 2.0]], np.float32), 1, [0.8808]),
        (np.array([[700.0, -700.0]], np.float32), 1, [1.0]),
        (np.array([[0.2], [0.9]], np.float32), 2, [0.8, 0.9]),
        (np.array([-2.0, 800.0], np.float32), 2, [0.8808, 1.0]),
        (np.array([[np.nan, 1.0]], np.float32), 1, []),
        (np.array([3, 4]), 2, []),
        (np.zeros((2, 7, 10), np.float32), 2, []),
        (np.zeros((0, 10), np.float32), 0, []),
    ],
)
def test_how_sure_an_answer_is(output: Array, rows: int, sure: list[float]) -> None:
    assert answers.confidences(output, rows) == pytest.approx(sure, abs=1e-4)


def test_the_number_of_a_row_is_its_value() -> None:
    assert answers.values(np.array([[1.5], [-2.0]], np.float32), 2) == [1.5, -2.0]
    assert answers.values(np.array([[1.5, -2.0]], np.float32), 1) == []
    assert answers.values(np.array([3, 4]), 2) == []
