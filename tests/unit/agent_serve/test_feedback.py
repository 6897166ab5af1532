import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.agent.serve.errors import RequestError
from shoal.agent.serve.feedback import Feedback, Prediction
from shoal.agent.serve.recorder import Recorder
from shoal.contract import digest
from shoal.contract.limits import FEEDBACK_ROWS

VARIANT = digest.of_bytes(b"variant")


def a_recorder() -> Recorder:
    return Recorder("default/reader", VARIANT, 1)


def test_a_label_is_matched_to_the_prediction_and_counted_once() -> None:
    feedback, recorder = Feedback(), a_recorder()
    feedback.remember("digits", "one", Prediction(recorder=recorder, classes=[7]))
    assert feedback.label("digits", "one", 7) == 1
    with pytest.raises(RequestError) as caught:
        feedback.label("digits", "one", 7)
    assert caught.value.status == 404
    window = recorder.cut(0)
    assert (window.labelled, window.correct) == (1, 1)


def test_a_batch_takes_a_label_for_each_row() -> None:
    feedback, recorder = Feedback(), a_recorder()
    feedback.remember("digits", "three", Prediction(recorder=recorder, classes=[1, 2, 3]))
    for wrong in (1, [1, 2], [1, 2, "3"], [1, 2, True], None):
        with pytest.raises(RequestError) as caught:
            feedback.label("digits", "three", wrong)
        assert caught.value.status == 400
    assert feedback.label("digits", "three", [1, 2, 9]) == 2
    window = recorder.cut(0)
    assert (window.labelled, window.correct) == (3, 2)


def test_ids_of_different_models_do_not_meet() -> None:
    feedback = Feedback()
    feedback.remember("digits", "one", Prediction(recorder=a_recorder(), classes=[7]))
    with pytest.raises(RequestError):
        feedback.label("faces", "one", 7)


def test_a_batch_above_the_limit_is_not_remembered() -> None:
    feedback = Feedback()
    feedback.remember(
        "digits", "large", Prediction(recorder=a_recorder(), classes=[0] * (FEEDBACK_ROWS + 1))
    )
    assert len(feedback) == 0


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(1, 8))
def test_memory_is_bounded_and_the_newest_are_kept(requests: list[int], limit: int) -> None:
    feedback, recorder = Feedback(limit), a_recorder()
    for number, request in enumerate(requests):
        feedback.remember("digits", str(request), Prediction(recorder=recorder, classes=[number]))
        assert len(feedback) <= limit
    newest = list(dict.fromkeys(reversed(requests)))[:limit]
    assert len(feedback) == len(newest)
    for request in newest:
        last = len(requests) - 1 - requests[::-1].index(request)
        assert feedback.label("digits", str(request), last) == 1


def test_labels_with_a_point_are_compared_with_the_values() -> None:
    feedback, recorder = Feedback(), a_recorder()
    answered = Prediction(recorder=recorder, classes=[1, 1], values=[2.5, 4.0])
    feedback.remember("wear", "one", answered)
    for wrong in ([2.0, "x"], [2.0, float("nan")], [2.0]):
        with pytest.raises(RequestError) as caught:
            feedback.label("wear", "one", wrong)
        assert caught.value.status == 400
    assert feedback.label("wear", "one", [2.0, 4.5]) == 0
    window = recorder.cut(0)
    assert (window.scored, window.absolute_error, window.squared_error) == (2, 1.0, 0.5)
    assert window.labelled == 0


def test_whole_numbers_are_values_too_where_answers_are_numbers() -> None:
    feedback, recorder = Feedback(), a_recorder()
    feedback.remember("wear", "one", Prediction(recorder=recorder, classes=[1], values=[5.5]))
    feedback.remember("sort", "one", Prediction(recorder=recorder, classes=[1]))
    assert feedback.label("wear", "one", 5) == 0
    assert feedback.label("sort", "one", 1) == 1
    window = recorder.cut(0)
    assert (window.scored, window.absolute_error, window.labelled) == (1, 0.5, 2)


@pytest.mark.parametrize("answer", [float("nan"), float("inf"), 1e300])
def test_an_answer_that_is_no_number_is_far_off_and_its_sums_stay_finite(answer: float) -> None:
    feedback, recorder = Feedback(), a_recorder()
    feedback.remember("wear", "one", Prediction(recorder=recorder, classes=[1], values=[answer]))
    feedback.label("wear", "one", 5.0)
    window = recorder.cut(0)
    assert window.scored == 1
    assert 1e90 < window.absolute_error < window.squared_error < float("inf")


def test_a_label_beyond_all_numbers_is_refused() -> None:
    feedback = Feedback()
    feedback.remember("wear", "one", Prediction(recorder=a_recorder(), classes=[1], values=[1.0]))
    for label in (1e300, float("inf")):
        with pytest.raises(RequestError):
            feedback.label("wear", "one", label)
    assert feedback.label("wear", "one", 10**400) == 0  # a class that no model has


def test_a_shadowed_request_pairs_its_labels() -> None:
    feedback, recorder = Feedback(), a_recorder()
    answered = Prediction(recorder=recorder, classes=[1, 2, 3, 4], shadow=[1, 9, 7, 4])
    feedback.remember("digits", "one", answered)
    assert feedback.label("digits", "one", [1, 2, 7, 9]) == 2
    window = recorder.cut(0)
    # Row 2 only the new variant got right, row 3 only the one before.
    assert (window.paired, window.paired_worse, window.paired_better) == (4, 1, 1)
