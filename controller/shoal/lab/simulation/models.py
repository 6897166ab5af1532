"""Model revisions of known nature, in the form in which searches leave them in the store."""

import enum
import hashlib
from typing import Any

from shoal.contract.digest import Digest
from shoal.contract.profile import HardwareProfile, RuntimeChoice, class_profile

ROWS = 60
GOLDEN = Digest("sha256:" + "9" * 64)
RIGHT = tuple(i % 10 for i in range(ROWS))
WRONG = tuple((i + 1) % 10 for i in range(ROWS))
DOUBTFUL = tuple((i + (i % 5 == 0)) % 10 for i in range(ROWS))  # a fifth is wrong
HARDWARE = HardwareProfile(
    arch="x86_64",
    cpu="a cpu",
    cores=2,
    memory_bytes=1 << 30,
    disk_free_bytes=1 << 30,
    isa=("avx2",),
    engines=(("onnxruntime", "1.31.1"),),
    providers=("CPUExecutionProvider",),
)
CLASS = class_profile(HARDWARE, RuntimeChoice()).name
SIZES = (80, 90, 100, 180, 200)  # bytes; budgets are 100 and 200


class Nature(enum.StrEnum):
    """How every variant of a model revision behaves on a device."""

    GOOD = "good"
    WRONG = "wrong"  # runs well and answers badly: only the gate sees it
    HEAVY = "heavy"  # preflight refuses the first choice, the next one is good
    BROKEN = "broken"  # does not load
    DOUBTFUL = "doubtful"  # worse by as much as may be: no gate ever comes to a verdict
    PICKY = "picky"  # preflight refuses every variant of it on some devices
    SLOW = "slow"  # takes three times as long under real requests: only live gates see it
    ERRING = "erring"  # fails a tenth of real requests: only live gates see it


BAD = {Nature.WRONG, Nature.BROKEN, Nature.DOUBTFUL}
BAD_WHEN_SERVING = {Nature.SLOW, Nature.ERRING}
_ANSWERS = {Nature.WRONG: WRONG, Nature.DOUBTFUL: DOUBTFUL}
PICKY_ONES = 3  # one device in so many is


class Library:
    """Which digest is what."""

    def __init__(self) -> None:
        self._natures: dict[Digest, Nature] = {}

    def revision(self, number: int, nature: Nature) -> dict[str, Any]:
        """The stored record of a model revision with a finished search."""
        points = [self._point(number, size, nature) for size in SIZES]
        golden = {"digest": GOLDEN, "bytes": 10, "labels": RIGHT, "source_answers": RIGHT}
        archive = {"points": points, "golden": golden, "output": "", "min_score": 0.5}
        return {
            "model": "digits",
            "number": number,
            "key": str(number),
            "source": digest_of(f"source {number}"),
            "spec": {
                "quality": {"minScore": None},
                "compression": {"objective": "accuracy"},
                "assets": [],
            },
            "classes": {CLASS: {"state": "Ready", "archive": archive}},
        }

    def nature(self, digest: Digest) -> Nature:
        """What it is."""
        return self._natures[digest]

    def bad(self, digest: Digest) -> bool:
        """Whether it must not get far."""
        return self._natures.get(digest) in BAD

    def serves_badly(self, digest: Digest) -> bool:
        """Whether it must not get far where gates may judge real requests."""
        return self._natures.get(digest) in BAD_WHEN_SERVING

    def slowdown(self, digest: Digest) -> float:
        """How many times as long as it should it takes for a request."""
        return 3.0 if self.nature(digest) is Nature.SLOW else 1.0

    def errors(self, digest: Digest, requests: int) -> int:
        """How many of so many requests fail."""
        return requests // 10 if self.nature(digest) is Nature.ERRING else 0

    def undecided(self, digest: Digest) -> bool:
        """Whether its gate never comes to a verdict."""
        return self._natures[digest] is Nature.DOUBTFUL

    def refuses(self, digest: Digest, device: str) -> bool:
        """Whether preflight refuses it there."""
        nature = self.nature(digest)
        picky = nature is Nature.PICKY and sum(device.encode()) % PICKY_ONES == 0
        return picky or nature is Nature.HEAVY

    def answers(self, digest: Digest) -> tuple[int, ...]:
        """What it answers on the golden set."""
        return _ANSWERS.get(self.nature(digest), RIGHT)

    def _point(self, number: int, size: int, nature: Nature) -> dict[str, Any]:
        digest = digest_of(f"model {number} of {size} bytes")
        first = size in {100, 200}  # what the two budgets choose
        heavy = nature is Nature.HEAVY
        self._natures[digest] = Nature.GOOD if heavy and not first else nature
        return {
            "digest": digest,
            "bytes": size,
            "score": 0.9,
            "validation_score": size / 1000,
            "validation_interval": [size / 1000, size / 1000],
            "agreement": 0.9,
            "latency_p95_ms": 1.0,
            "latency_ratio": 0.9,
            "peak_memory_bytes": 1_000,
            "is_source": False,
            "reference": None,
        }


def digest_of(text: str) -> Digest:
    """The digest of some bytes that this text stands for."""
    return Digest(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}")
