"""Every kind of variant file is served alike; what cannot be loaded says why."""

import importlib.util
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shoal.agent.serve import golden
from shoal.agent.serve.errors import LoadError
from shoal.agent.serve.golden import Golden
from shoal.agent.serve.runtimes import files
from shoal.agent.serve.runtimes.files import Kind
from shoal.agent.serve.sessions import Session, SessionOptions
from tests.unit.agent_serve import forms, models

MODEL = forms.chain()
HAS_LITERT = importlib.util.find_spec("ai_edge_litert") is not None
needs_litert = pytest.mark.skipif(not HAS_LITERT, reason="the extra litert is not installed")
EACH = ["onnx", pytest.param("tflite", marks=needs_litert), "stages"]


def a_session(folder: Path, kind: str, **options: Any) -> Session:
    return Session(forms.save(folder, kind, MODEL), SessionOptions(**options))


@pytest.mark.parametrize("kind", EACH)
def test_a_file_is_known_by_its_first_bytes(tmp_path: Path, kind: str) -> None:
    assert files.kind_of(forms.save(tmp_path, kind, MODEL)) is Kind(kind)


@pytest.mark.parametrize("kind", EACH)
@pytest.mark.parametrize("count", [1, 5])
def test_every_kind_has_the_same_tensors_and_answers(tmp_path: Path, kind: str, count: int) -> None:
    session = a_session(tmp_path, kind)
    (taken,), (given,) = session.inputs, session.outputs
    assert (taken.name, taken.dtype.name, taken.shape) == ("x", "float32", (-1, forms.FEATURES))
    assert (given.name, given.dtype.name, given.shape[-1]) == ("y", "float32", forms.CLASSES)
    assert session.answering == given
    rows = forms.rows(count)
    (found,) = session.run({"x": rows})
    np.testing.assert_allclose(found, forms.answers(MODEL, rows), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", EACH)
def test_the_golden_set_is_answered_row_by_row(tmp_path: Path, kind: str) -> None:
    session = a_session(tmp_path, kind)
    rows = forms.rows(37)  # more than share the loading of a stage
    found = golden.outputs(session, Golden({"x": rows}, session))
    assert {one.shape for one in found} == {(1, forms.CLASSES)}
    assert golden.classes(found) == tuple(forms.answers(MODEL, rows).argmax(axis=1))


@pytest.mark.parametrize("kind", EACH)
def test_requests_may_run_on_several_threads(tmp_path: Path, kind: str) -> None:
    session = a_session(tmp_path, kind)
    rows = forms.rows(8)
    wanted = forms.answers(MODEL, rows)
    wrong = []

    def ask(row: int) -> None:
        for _ in range(20):
            (found,) = session.run({"x": rows[row : row + 1]})
            if not np.allclose(found, wanted[row : row + 1], atol=1e-4):
                wrong.append(row)

    threads = [threading.Thread(target=ask, args=(row,)) for row in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("kind", EACH)
def test_warming_up_says_what_a_run_takes(tmp_path: Path, kind: str) -> None:
    assert a_session(tmp_path, kind).warm_up() > 0


@pytest.mark.parametrize("kind", ["onnx", "stages"])
def test_a_provider_that_is_not_there_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(LoadError, match="no OtherExecutionProvider"):
        a_session(tmp_path, kind, providers=("OtherExecutionProvider",))


@pytest.mark.parametrize("kind", EACH)
def test_a_damaged_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = forms.save(tmp_path, kind, MODEL)
    path.write_bytes(path.read_bytes()[:-2_000])
    with pytest.raises(LoadError, match="load"):
        Session(path, SessionOptions())


@pytest.mark.parametrize("kind", EACH)
def test_an_output_that_is_not_there_is_refused_with_those_that_are(
    tmp_path: Path, kind: str
) -> None:
    with pytest.raises(LoadError, match="it has y"):
        a_session(tmp_path, kind, output="z")


def test_a_device_without_litert_says_what_to_install(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    # A child, because the runtime may be loaded here already.
    program = (
        "import sys; sys.modules['ai_edge_litert'] = None\n"
        "from pathlib import Path\n"
        "from shoal.agent.serve.runtimes import files\n"
        "from shoal.agent.serve.sessions import SessionOptions\n"
        f"files.opened(Path({str(path)!r}), SessionOptions())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert b"pip install 'shoal[litert]'" in done.stderr


def test_an_onnx_engine_loads_no_other_runtime(tmp_path: Path) -> None:
    path = models.pick(tmp_path / "m")
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from shoal.agent.serve.sessions import Session, SessionOptions\n"
        f"Session(Path({str(path)!r}), SessionOptions())\n"
        "assert not {'ai_edge_litert', 'shoal.engines'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
