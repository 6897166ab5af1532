"""What is wrong with a manifest is said in words of manifests, never in those of a library."""

import math
from typing import Any

import pytest

from tests.unit.resources.documents import DEPLOYMENT, MODEL, PROFILE, refused, with_field

STRATEGY = "spec.strategy"


@pytest.mark.parametrize(
    ("document", "path", "value", "message"),
    [
        (DEPLOYMENT, f"{STRATEGY}.waves", [], "waves needs at least 1 entry, but has 0"),
        (DEPLOYMENT, f"{STRATEGY}.waves", "all", "waves is a list, not 'all'"),
        (
            DEPLOYMENT,
            f"{STRATEGY}.verdictsPer",
            ["site"] * 5,
            "verdictsPer takes at most 4 entries, but has 5",
        ),
        (DEPLOYMENT, f"{STRATEGY}.maxDevices", 0, "maxDevices is at least 1, not 0"),
        (DEPLOYMENT, f"{STRATEGY}.maxDevices", 1.5, "maxDevices is a whole number, not 1.5"),
        (DEPLOYMENT, f"{STRATEGY}.rateRamp", {"factor": 1}, "factor is more than 1, not 1"),
        (DEPLOYMENT, STRATEGY, None, "strategy is an object, not null"),
        (DEPLOYMENT, "spec.model", 3, "model is text, not 3"),
        (MODEL, "spec.data.golden", True, "golden is a whole number, not true"),
        (MODEL, "spec.compression.seed", -1, "seed is at least 0, not -1"),
        (PROFILE, "spec.runtime.threads", 1_000, "threads is at most 256, not 1000"),
        (PROFILE, "spec.runtime.providers", [7], "providers[0] is text, not 7"),
        (
            PROFILE,
            "metadata.labels",
            {f"label-{i}": "x" for i in range(65)},
            "labels takes at most 64 entries, but has more",
        ),
    ],
)
def test_a_schema_speaks_plainly(
    document: dict[str, Any], path: str, value: object, message: str
) -> None:
    assert refused(with_field(document, path, value)).message == message


@pytest.mark.parametrize("limit", [[], {}, True, math.nan])
def test_a_limit_of_another_type_is_refused_at_its_field(limit: object) -> None:
    gates = [{"metric": "errorRate", "max": limit}]
    problem = refused(with_field(DEPLOYMENT, f"{STRATEGY}.gates", gates))
    assert problem.field == f"{STRATEGY}.gates[0].max"
    assert problem.hint == "write 0.01, 64MiB or 5ms"
