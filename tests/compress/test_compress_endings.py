"""However a run ends, one document says so, and nothing stays behind."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from tests.compress.workshop import Workshop, linear

_PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("endings")
    random = np.random.default_rng(0)
    onnx.save(linear([("x", TensorProto.FLOAT, ["N", 4])]), folder / "source.onnx")
    np.savez(folder / "calibration.npz", x=random.normal(size=(40, 4)).astype(np.float32))
    np.savez(folder / "evaluation.npz", x=random.normal(size=(30, 4)).astype(np.float32))
    return Workshop(folder=folder, cache=folder / "cache")


@contextmanager
def measuring(workshop: Workshop, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A run that has begun to measure; its temporary files lie in `folder`/tmp."""
    scratch = folder / "tmp"
    scratch.mkdir()
    own = {"TMPDIR": str(scratch), "SHOAL_CACHE_DIR": str(folder / "cache")}
    with subprocess.Popen(
        workshop.command("--out", str(folder / "out")),
        env=workshop.environment | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any(line.startswith("measuring") for line in process.stderr)
        assert any(scratch.iterdir())
        yield process
        process.kill()


def test_a_second_ctrl_c_ends_at_once_and_leaves_no_file(
    workshop: Workshop, tmp_path: Path
) -> None:
    with measuring(workshop, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert json.loads(out)
    assert not any((tmp_path / "tmp").iterdir())


def test_a_terminated_run_says_so_and_leaves_no_file(workshop: Workshop, tmp_path: Path) -> None:
    with measuring(workshop, tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 130
    assert json.loads(out)["error"]["reason"] == "Interrupted"
    assert "Traceback" not in err
    assert not any((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("model", ["source.onnx", "absent.onnx"])
def test_a_stdout_that_is_full_is_no_fault(workshop: Workshop, model: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            workshop.command("--methods", "split", model=model),
            env=workshop.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode in {1, 3}
    assert "Traceback" not in done.stderr


_CAN_MOUNT = (
    shutil.which("unshare")
    and not subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    ).returncode
)


@pytest.mark.skipif(not _CAN_MOUNT, reason="this user may mount nothing, so no disk can be filled")
@pytest.mark.parametrize("place", ["out", "cache"])
def test_a_disk_that_is_full_is_told_with_a_way_out(
    workshop: Workshop, tmp_path: Path, place: str
) -> None:
    (tmp_path / place).mkdir()
    small_disk = 'mount -t tmpfs -o size=4k none "$0" && exec "$@"'
    command = workshop.command("--out", str(tmp_path / "out"), "--methods", "split")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", small_disk, str(tmp_path / place), *command],
        env=workshop.environment | {"SHOAL_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert "No space left" in error["message"]
    assert "free space" in error["hint"]
