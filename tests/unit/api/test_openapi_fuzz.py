"""The API against its own description: whatever is asked, no 5xx and no answer it does not promise.

Schemathesis makes the requests from the OpenAPI document, right and wrong ones; half of them name
what exists. Hypothesis repeats itself from run to run, so that a failure stays one.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shoal.controller.api.app import create_app
from tests.unit.api.conftest import some_ports
from tests.unit.api.population import populate

schemathesis = pytest.importorskip(
    "schemathesis", reason="schemathesis is not installed: pip install 'shoal[test]'"
)
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)


class Fuzzed(NamedTuple):
    """A described API over a store with one of everything; `names` is by plural."""

    schema: Any
    names: dict[str, str]


@pytest.fixture
def fuzzed(tmp_path: Path) -> Fuzzed:
    ports, world = some_ports(tmp_path / "data", loopback_only=False)
    (tmp_path / "job").mkdir()
    names = asyncio.run(populate(world, tmp_path / "job"))
    ports.stopping.set()  # watches end at once
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", create_app(ports))
    return Fuzzed(schema, names)


def operations(fuzzed: Fuzzed) -> Iterator[Any]:
    """Every operation; what deletes comes last, so that the others find something."""
    found = [one.ok() for one in fuzzed.schema.get_all_operations()]
    yield from sorted(found, key=lambda one: str(one.method) == "delete")


def aim(case: Any, names: dict[str, str]) -> None:
    """Let the case name what exists, in its address and in its body."""
    steps = [*str(case.operation.path).split("/"), *[""] * 6]
    target = {"namespace": "default", "name": names.get(steps[5], "digits")}
    case.path_parameters.update({k: v for k, v in target.items() if k in case.path_parameters})
    if isinstance(case.body, dict) and isinstance(case.body.get("metadata"), dict):
        case.body["metadata"].update(target)


def ask_everything(fuzzed: Fuzzed, examples: int) -> Counter[int]:
    """Ask each operation that many times; returns how often each status was answered."""
    from schemathesis.checks import CHECKS as KNOWN
    from schemathesis.checks import load_all_checks

    load_all_checks()
    checks = [KNOWN.get_one(name) for name in CHECKS]
    answered: Counter[int] = Counter()
    modes = schemathesis.GenerationMode
    for operation in operations(fuzzed):
        cases = [operation.as_strategy(generation_mode=mode) for mode in modes]

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of(*cases), aimed=st.booleans())
        def ask(case: Any, *, aimed: bool) -> None:
            if aimed and case.path_parameters is not None:
                aim(case, fuzzed.names)
            response = case.call()
            answered[response.status_code] += 1
            case.validate_response(response, checks=checks)

        ask()
    return answered


def test_no_request_is_answered_otherwise_than_promised(fuzzed: Fuzzed) -> None:
    answered = ask_everything(fuzzed, examples=6)
    # The requests reach what they are meant to: right ones, wrong ones, and names that are not.
    assert {200, 201, 404, 409, 422} <= set(answered)


@pytest.mark.slow
def test_many_requests_are_answered_as_promised(fuzzed: Fuzzed) -> None:
    answered = ask_everything(fuzzed, examples=40)
    assert sum(answered.values()) > 1_500


def test_every_route_is_described(fuzzed: Fuzzed) -> None:
    described = fuzzed.schema.raw_schema
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            good = {code: one for code, one in operation["responses"].items() if code[0] == "2"}
            assert good, where
            if path.startswith("/api/") and method not in {"head", "patch"}:
                for answer in good.values():
                    assert answer["content"]["application/json"]["schema"], where
