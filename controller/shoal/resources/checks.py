"""What no single field can say: checks across the fields of one resource.

`problems` refuse the resource; `warnings` let it pass and tell the writer.
"""

from collections.abc import Iterator

from shoal.contract import units
from shoal.contract.problem import Problem
from shoal.contract.reason import Reason
from shoal.resources import budgets, golden, quality
from shoal.resources import gate as gates
from shoal.resources.base import Resource, Selector
from shoal.resources.deployment import Deployment, Wave
from shoal.resources.model import Model, asset_name
from shoal.resources.profile import DeviceProfile


def problems(resource: Resource) -> Iterator[Problem]:
    """Everything that refuses `resource`."""
    if isinstance(resource, Deployment):
        yield from _selector(resource.spec.selector, "spec.selector")
        yield from _waves(resource.spec.strategy.waves)
        for i, wave in enumerate(resource.spec.strategy.waves):
            if wave.selector is not None:
                yield from _selector(wave.selector, f"spec.strategy.waves[{i}].selector")
        yield from budgets.problems(resource.spec.strategy)
        for i, gate in enumerate(resource.spec.strategy.gates):
            yield from gates.problems(gate, f"spec.strategy.gates[{i}]")
    elif isinstance(resource, DeviceProfile):
        yield from _selector(resource.spec.selector, "spec.selector")
        yield from _budget(resource)
    elif isinstance(resource, Model):
        yield from _model(resource)


def warnings(resource: Resource) -> Iterator[str]:
    """Everything that is allowed but seldom meant."""
    if isinstance(resource, Model) and resource.spec.quality.max_drop == 0:
        yield "maxDrop 0 accepts only variants that score no lower than the source on every count"
    if isinstance(resource, Deployment):
        last = resource.spec.strategy.waves[-1]
        if not isinstance(last.size, str) or _number(last.size) < 1:
            yield f"the last wave ends at {last.size}: the devices beyond it are never updated"
        if last.selector is not None:
            yield "the last wave has a selector: devices that no wave picks are never updated"
        for gate in resource.spec.strategy.gates:
            if gate.max_drop == 0:
                yield f"the {gate.metric} gate with maxDrop 0 can fail but never pass"


def gate_problems(deployment: Deployment, model: Model) -> Iterator[Problem]:
    """The gates of `deployment` that nothing `model` gives could ever judge."""
    yield from quality.gate_problems(model.spec.quality, deployment.spec.strategy.gates)


def golden_warnings(deployment: Deployment, model: Model) -> Iterator[str]:
    """The gates of `deployment` that the data of `model` are too few for, or of another kind."""
    yield from quality.gate_warnings(model.spec.quality, deployment.spec.strategy.gates)
    yield from golden.warnings(deployment.spec.strategy.gates, model.spec.data.golden)


def _invalid(field: str, message: str, hint: str = "") -> Problem:
    return Problem(reason=Reason.INVALID, message=message, field=field, hint=hint or None)


def _selector(selector: Selector, field: str) -> Iterator[Problem]:
    for i, one in enumerate(selector.match_expressions):
        place = f"{field}.matchExpressions[{i}].values"
        if one.operator in {"In", "NotIn"} and not one.values:
            yield _invalid(place, f"{one.operator} needs at least one value")
        if one.operator in {"Exists", "DoesNotExist"} and one.values:
            yield _invalid(place, f"{one.operator} takes no values")


def _waves(waves: list[Wave]) -> Iterator[Problem]:
    seen: set[str] = set()
    for i, wave in enumerate(waves):
        place = f"spec.strategy.waves[{i}]"
        if wave.name in seen:
            yield _invalid(f"{place}.name", f"two waves are called {wave.name}")
        seen.add(wave.name)
        if _number(wave.size) == 0:
            yield _invalid(f"{place}.size", "a wave of no devices decides nothing", "write 1 or 1%")
        if i > 0 and not _rises(waves[i - 1], wave):
            yield _invalid(
                f"{place}.size",
                f"{wave.size} does not exceed {waves[i - 1].size} of the wave before",
                "sizes are cumulative and rise",
            )
        soak_s, max_s = units.parse_duration_s(wave.soak), units.parse_duration_s(wave.max_soak)
        if max_s < soak_s:
            yield _invalid(f"{place}.maxSoak", f"{wave.max_soak} is shorter than soak {wave.soak}")


def _rises(before: Wave, after: Wave) -> bool:
    """Two counts or two percents compare; a count beside a percent depends on the fleet.

    So do waves of which one picks other devices than the other.
    """
    if isinstance(before.size, str) != isinstance(after.size, str):
        return True
    if before.selector != after.selector:
        return True
    return _number(after.size) > _number(before.size)


def _number(size: int | str) -> float:
    return float(size) if isinstance(size, int) else units.parse_percent(size)


def _budget(profile: DeviceProfile) -> Iterator[Problem]:
    budget = profile.spec.budget
    for field, text in (("artifact", budget.artifact), ("memory", budget.memory)):
        if text is not None and units.parse_size_bytes(text) == 0:
            yield _invalid(f"spec.budget.{field}", f"no variant fits a budget of {text}")
    p95 = budget.latency.p95
    if p95 is not None and units.parse_duration_s(p95) == 0:
        yield _invalid("spec.budget.latency.p95", f"no variant fits a budget of {p95}")


def _model(model: Model) -> Iterator[Problem]:
    yield from quality.problems(model.spec.quality)
    if model.spec.data.calibration == model.spec.data.evaluation:
        yield _invalid(
            "spec.data.evaluation",
            "calibration and evaluation are the same file: nothing would be judged",
        )
    names = [asset_name(one) for one in model.spec.assets]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield _invalid(f"spec.assets[{i}]", f"two assets are called {name}", "rename one")
