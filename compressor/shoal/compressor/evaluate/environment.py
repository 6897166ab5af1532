"""The machine and the versions that figures belong to."""

import importlib.metadata
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shoal.contract.profile import ISA_FEATURES, ClassProfile

_VNNI: Final = {"avx512_vnni", "avx_vnni", "amx_int8"}
_PACKAGES: Final = (
    *("shoal", "numpy", "onnx", "onnxruntime", "onnxslim", "torch", "torch-pruning"),
    *("ai-edge-litert", "ai-edge-quantizer"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where this runs. `isa` is sorted; `versions` are (package, version) pairs, sorted."""

    arch: str
    cpu: str
    isa: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]

    @property
    def is_x86(self) -> bool:
        """Whether int8 kernels are those of x86, with unsigned activations."""
        return self.arch in {"x86_64", "amd64", "i686"}

    @property
    def saturates(self) -> bool:
        """Whether U8S8 sums saturate at 16 bits: x86 without VNNI."""
        return self.is_x86 and not _VNNI & set(self.isa)


def this_machine() -> Machine:
    """What /proc/cpuinfo and the installed packages say."""
    fields: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    return Machine(
        arch=platform.machine(),
        cpu=fields.get("model name") or platform.processor() or platform.machine(),
        isa=tuple(sorted(flags & ISA_FEATURES)),
        versions=tuple((name, _version(name)) for name in sorted(_PACKAGES)),
    )


def class_profile(machine: Machine, threads: int, precisions: tuple[str, ...]) -> ClassProfile:
    """The profile class that figures of this machine stand for."""
    return ClassProfile(
        arch=machine.arch,
        isa=machine.isa,
        engine="onnxruntime",
        engine_version=dict(machine.versions)["onnxruntime"],
        providers=("CPUExecutionProvider",),
        precisions=tuple(sorted(precisions)),
        threads=threads,
        speed_tier=0,
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
