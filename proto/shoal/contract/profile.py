"""What a device can do, and the class of devices that can share variants.

The profile class is the canonical hash of everything that changes which variants work and how fast
they are on a device: architecture, ISA features that change int8 results, engine and version,
providers, precisions, threads and speed tier. The budget is not part of it: one search serves a
class, and each budget picks from its archive.
"""

import functools
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import NewType

ProfileClass = NewType("ProfileClass", str)

DEFAULT_PRECISIONS = ("int8", "fp32")
ONNXRUNTIME = "onnxruntime"

# The processor features that change int8 results or speed, by their names in /proc/cpuinfo. Agent
# and compressor must read the same ones: more would split classes for nothing, others tear them.
ISA_FEATURES = frozenset(
    {
        *("sse4_1", "avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"),  # x86
        *("asimddp", "i8mm"),  # ARM
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareProfile:
    """What the agent measured of its own machine.

    `isa` holds only features that change int8 results or speed (avx2, avx512_vnni, asimddp, …),
    sorted. `engines` maps engine name to version, for example (("onnxruntime", "1.31.1"),).
    `speed_score` is the work that it does in a second, by its own micro-benchmark: larger is
    faster, None until measured.
    """

    arch: str
    cpu: str
    cores: int
    memory_bytes: int
    disk_free_bytes: int
    isa: tuple[str, ...]
    engines: tuple[tuple[str, str], ...]
    providers: tuple[str, ...]
    speed_score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeChoice:
    """How variants are to be run: the part of a device profile that shapes the class.

    `engines` are those that a variant may be for, in any order.
    """

    engines: tuple[str, ...] = (ONNXRUNTIME,)
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    threads: int = 1
    precisions: tuple[str, ...] = DEFAULT_PRECISIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassProfile:
    """Everything that is hashed into a profile class.

    `speed_tier` tells apart devices of one hardware that are of clearly different speed; it is 0
    where all are of one. `more_engines` are the engines beside the first, by name and version.
    """

    arch: str
    isa: tuple[str, ...]
    engine: str
    engine_version: str
    providers: tuple[str, ...]
    precisions: tuple[str, ...]
    threads: int
    speed_tier: int
    more_engines: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> ProfileClass:
        """The class name: 16 hexadecimal digits of the SHA-256 of the canonical JSON."""
        return _name(self)

    @property
    def engines(self) -> tuple[str, ...]:
        """The names of all engines."""
        return (self.engine, *(name for name, _ in self.more_engines))


@functools.lru_cache(maxsize=4096)
def _name(profile: ClassProfile) -> ProfileClass:
    form = asdict(profile)
    if not profile.more_engines:  # classes of one engine keep the name that fleets know
        del form["more_engines"]
    text = json.dumps(form, sort_keys=True, separators=(",", ":"))
    return ProfileClass(hashlib.sha256(text.encode()).hexdigest()[:16])


def class_profile(
    hardware: HardwareProfile, runtime: RuntimeChoice, speed_tier: int = 0
) -> ClassProfile:
    """The class of a device with this hardware, in this tier of it, under this runtime choice.

    Engines that the device does not have are left out: under [onnxruntime, litert] a device without
    LiteRT is of the same class as under [onnxruntime]. Where it has none of them the first stays,
    with no version.
    """
    installed = dict(hardware.engines)
    wanted = sorted(set(runtime.engines), key=lambda one: (one != ONNXRUNTIME, one))
    first, *more = [one for one in wanted if one in installed] or wanted[:1]
    return ClassProfile(
        arch=hardware.arch,
        isa=tuple(sorted(hardware.isa)),
        engine=first,
        engine_version=installed.get(first, ""),
        providers=runtime.providers,
        precisions=tuple(sorted(runtime.precisions)),
        threads=runtime.threads,
        speed_tier=speed_tier,
        more_engines=tuple((one, installed[one]) for one in more),
    )
