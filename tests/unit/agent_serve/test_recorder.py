from shoal.agent.serve.recorder import WARM_UP, Recorder
from shoal.contract import digest
from shoal.contract.limits import CLASSES_COUNTED

VARIANT = digest.of_bytes(b"variant")


def warmed_up() -> Recorder:
    recorder = Recorder("default/reader", VARIANT, 3)
    for _ in range(WARM_UP):
        recorder.succeeded(9.0, [])
    recorder.begin()
    return recorder


def test_the_first_answers_of_a_slot_are_counted_but_not_timed() -> None:
    recorder = Recorder("default/reader", VARIANT, 3)
    for _ in range(WARM_UP):
        recorder.succeeded(9.0, [1])
    recorder.succeeded(0.002, [1])
    window = recorder.cut(rss_bytes=10)
    assert (window.requests, window.latency_ms.count) == (WARM_UP + 1, 1)
    assert window.latency_ms.total == 2.0
    recorder.succeeded(0.003, [1])
    assert recorder.cut(rss_bytes=10).latency_ms.count == 1


def test_a_window_holds_what_happened_since_the_last_one() -> None:
    recorder = warmed_up()
    recorder.succeeded(0.002, [1, 1, 4])
    recorder.succeeded(0.004, [4])
    recorder.failed()
    recorder.labelled(2, 1)
    window = recorder.cut(rss_bytes=10)
    assert (window.deployment, window.variant, window.generation) == ("default/reader", VARIANT, 3)
    assert (window.requests, window.errors) == (3, 1)
    assert (window.labelled, window.correct) == (2, 1)
    assert window.classes == ((1, 2), (4, 2))
    assert window.latency_ms.count == 2
    assert window.latency_ms.total == 6.0
    assert window.rss_bytes == 10
    assert window.start_ms > 0
    after = recorder.cut(rss_bytes=10)
    assert (after.requests, after.labelled, after.classes, after.latency_ms.count) == (0, 0, (), 0)
    assert after.start_ms >= window.start_ms


def test_totals_go_on_over_windows() -> None:
    recorder = Recorder("default/reader", VARIANT, 3)
    recorder.succeeded(0.002, [1])
    recorder.cut(0)
    recorder.succeeded(0.002, [1])
    recorder.failed()
    assert (recorder.good, recorder.errors) == (2, 1)
    assert not recorder.idle
    recorder.cut(0)
    assert recorder.idle


def test_only_so_many_classes_are_counted() -> None:
    recorder = Recorder("default/reader", VARIANT, 3)
    recorder.succeeded(0.001, range(CLASSES_COUNTED))
    recorder.succeeded(0.001, [0, CLASSES_COUNTED + 5])
    classes = dict(recorder.cut(0).classes)
    assert len(classes) == CLASSES_COUNTED
    assert classes[0] == 2


def test_confidences_are_counted_in_whole_percents() -> None:
    recorder = Recorder("default/reader", VARIANT, 3)
    recorder.confident([0.0, 0.504, 0.997, 1.0])
    assert recorder.cut(0).confidences == ((0, 1), (50, 1), (99, 2))
    assert recorder.cut(0).confidences == ()


def test_a_shadow_counts_rows_that_differ() -> None:
    recorder = Recorder("default/reader", VARIANT, 3)
    recorder.shadowed(3, 1)
    recorder.shadowed(2, 0)
    window = recorder.cut(0)
    assert (window.shadowed, window.shadow_differed) == (5, 1)
