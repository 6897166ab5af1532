import json
import subprocess
import sys
from pathlib import Path

import pytest

from shoal.agent.runtime import hardware
from shoal.contract.profile import ISA_FEATURES

X86 = """processor\t: 0
model name\t: AMD EPYC 9B14
flags\t\t: fpu sse4_1 avx2 avx512f avx512_vnni

processor\t: 1
model name\t: AMD EPYC 9B14
flags\t\t: fpu sse4_1 avx2 avx512f
"""
ARM = """processor\t: 0
Features\t: fp asimd crc32 asimddp i8mm
CPU implementer\t: 0x41

Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""


def test_only_features_that_every_core_has_and_that_matter_are_kept() -> None:
    assert hardware.isa(X86) == ("avx2", "avx512f", "sse4_1")
    assert hardware.isa(ARM) == ("asimddp", "i8mm")
    assert hardware.isa("") == ()


def test_the_processor_has_a_name_on_every_architecture() -> None:
    assert hardware.cpu_name(X86) == "AMD EPYC 9B14"
    assert hardware.cpu_name(ARM) == "Raspberry Pi 5 Model B Rev 1.0"
    assert hardware.cpu_name("")


def test_memory_is_in_bytes() -> None:
    assert hardware.memory_bytes("MemTotal:       2048 kB\nMemFree: 1 kB\n") == 2048 * 1024
    assert hardware.memory_bytes("") == 0


def test_this_machine_is_measured_before_its_state_folder_exists(tmp_path: Path) -> None:
    profile = hardware.measure(tmp_path / "not" / "there")
    assert profile.cores >= 1
    assert profile.memory_bytes > 0
    assert profile.disk_free_bytes > 0
    assert dict(profile.engines)["onnxruntime"]
    assert profile.providers == ("CPUExecutionProvider",)
    assert set(profile.isa) <= ISA_FEATURES


def loaded_modules(imports: str) -> set[str]:
    program = f"import json, sys, {imports}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return set(json.loads(done.stdout))


def test_the_supervisors_side_imports_neither_numpy_nor_onnxruntime() -> None:
    loaded = loaded_modules(
        "shoal.agent.runtime.hardware, shoal.agent.runtime.engine_process,"
        " shoal.agent.runtime.preflight"
    )
    assert not loaded & {"numpy", "onnxruntime", "uvicorn"}


@pytest.mark.parametrize("absent", ["uvicorn", "asyncio", "grpc", "google.protobuf", "paho"])
def test_the_preflight_child_imports_little(absent: str) -> None:
    assert absent not in loaded_modules("shoal.agent.serve.preflight")


@pytest.mark.parametrize("absent", ["grpc", "google.protobuf", "paho", "fastapi", "starlette"])
def test_the_engine_imports_little(absent: str) -> None:
    assert absent not in loaded_modules("shoal.agent.serve.__main__")
