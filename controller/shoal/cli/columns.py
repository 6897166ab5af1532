"""The columns of each kind's table: what people look for first, in 80 characters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from shoal.cli import facts
from shoal.cli.facts import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its title and how a cell is read; `wide` columns show with -o wide alone."""

    title: str
    read: Callable[[Resource], str]
    wide: bool = False


def _running(device: Resource) -> str:
    running: list[dict[str, Any]] = facts.at(device, "status.running") or []
    # `digits@3` is a revision of the Model; what a device runs is one of its deployment.
    models = [f"{one.get('model')}#{one.get('revision')}" for one in running]
    return ",".join(models) or facts.NONE


def _variants(model: Resource) -> str:
    revisions: list[dict[str, Any]] = facts.at(model, "status.revisions") or []
    if not revisions:
        return facts.NONE
    classes = (revisions[-1].get("classes") or {}).values()
    return str(sum(int(one.get("variants") or 0) for one in classes))


def _newest(path: str) -> Callable[[Resource], str]:
    def read(model: Resource) -> str:
        revisions: list[dict[str, Any]] = facts.at(model, "status.revisions") or []
        value = revisions[-1].get(path) if revisions else None
        return facts.score(value) if path == "score" else facts.plain(value)

    return read


def _confirmed(deployment: Resource) -> str:
    devices = facts.at(deployment, "status.devices") or {}
    if "selected" not in devices:
        return facts.NONE
    return f"{devices.get('Confirmed', 0)}/{devices['selected']}"


def _result(deployment: Resource) -> str:
    if facts.at(deployment, "status.paused"):
        return "paused"
    return facts.plain(facts.at(deployment, "status.result"))


_NAME = Column(title="NAME", read=facts.text("metadata.name"))
_AGE = Column(title="AGE", read=facts.age_of("metadata.creationTime"))
NAMESPACE: Final = Column(title="NAMESPACE", read=facts.text("metadata.namespace"))

OF_KIND: Final[dict[str, tuple[Column, ...]]] = {
    "Device": (
        _NAME,
        Column(title="READY", read=facts.is_condition("Ready")),
        Column(title="PROFILE", read=facts.text("status.profile")),
        Column(title="RUNNING", read=_running),
        Column(title="LINK", read=facts.text("status.link")),
        Column(title="SEEN", read=facts.age_of("status.lastSeen")),
        Column(
            title="LABELS",
            read=lambda one: facts.labels(facts.at(one, "metadata.labels")),
            wide=True,
        ),
        Column(
            title="ADMITTED",
            read=lambda one: facts.plain(facts.condition(one, "Admitted").get("reason")),
            wide=True,
        ),
        Column(title="TIER", read=facts.text("status.speedTier"), wide=True),
        Column(title="AGENT", read=facts.text("status.agentVersion"), wide=True),
        Column(title="SERVING", read=facts.text("status.servingUrl"), wide=True),
    ),
    "DeviceProfile": (
        _NAME,
        Column(title="PRIORITY", read=facts.text("spec.priority")),
        Column(title="ARTIFACT", read=facts.text("spec.budget.artifact")),
        Column(title="MEMORY", read=facts.text("spec.budget.memory")),
        Column(title="P95", read=facts.text("spec.budget.latency.p95")),
        Column(title="DEVICES", read=lambda one: facts.selector(facts.at(one, "spec.selector"))),
        Column(title="PROVIDERS", read=facts.text("spec.runtime.providers"), wide=True),
        Column(title="PRECISIONS", read=facts.text("spec.runtime.precisions"), wide=True),
    ),
    "Model": (
        _NAME,
        Column(title="READY", read=facts.is_condition("Ready")),
        Column(title="REVISION", read=_newest("number")),
        Column(title="SCORE", read=_newest("score")),
        Column(title="VARIANTS", read=_variants),
        _AGE,
        Column(
            title="MESSAGE",
            read=lambda one: facts.plain(facts.condition(one, "Ready").get("message")),
        ),
        Column(
            title="SOURCE",
            read=lambda one: facts.short_digest(facts.at(one, "spec.source")),
            wide=True,
        ),
    ),
    "Variant": (
        _NAME,
        Column(
            title="MODEL",
            read=lambda one: "{}@{}".format(
                facts.plain(facts.at(one, "spec.model")),
                facts.plain(facts.at(one, "spec.modelRevision")),
            ),
        ),
        Column(title="SIZE", read=lambda one: facts.size(facts.at(one, "status.bytes"))),
        Column(title="SCORE", read=lambda one: facts.score(facts.at(one, "status.score"))),
        Column(
            title="P95", read=lambda one: facts.milliseconds(facts.at(one, "status.latency_ms.p95"))
        ),
        Column(
            title="MEMORY", read=lambda one: facts.size(facts.at(one, "status.peak_memory_bytes"))
        ),
        Column(title="FIGURES", read=facts.text("status.figures"), wide=True),
        Column(title="CLASS", read=facts.text("spec.profileClass"), wide=True),
        Column(title="DIGEST", read=facts.text("status.digest"), wide=True),
    ),
    "Deployment": (
        _NAME,
        Column(title="MODEL", read=facts.text("spec.model")),
        Column(title="REVISION", read=facts.text("status.revision")),
        Column(title="RESULT", read=_result),
        Column(title="WAVE", read=lambda one: facts.wave(one) or facts.NONE),
        Column(title="CONFIRMED", read=_confirmed),
        Column(title="MESSAGE", read=facts.text("status.message")),
        Column(
            title="SELECTOR",
            read=lambda one: facts.selector(facts.at(one, "spec.selector")),
            wide=True,
        ),
        Column(title="REASON", read=facts.text("status.reason"), wide=True),
    ),
    "Event": (
        Column(title="SEEN", read=facts.age_of("spec.lastTime")),
        Column(title="TYPE", read=facts.text("spec.type")),
        Column(title="REASON", read=facts.text("spec.reason")),
        Column(title="REGARDING", read=lambda one: _regarding(facts.at(one, "spec.regarding"))),
        Column(title="COUNT", read=facts.text("spec.count"), wide=True),
        Column(title="MESSAGE", read=facts.text("spec.message")),
    ),
    "AuditEntry": (
        Column(title="AGE", read=facts.age_of("spec.time")),
        Column(title="USER", read=facts.text("spec.user")),
        Column(title="VERB", read=facts.text("spec.verb")),
        Column(title="REGARDING", read=lambda one: _regarding(facts.at(one, "spec.regarding"))),
        Column(title="DETAIL", read=facts.text("spec.detail")),
        Column(title="DIGEST", read=facts.text("spec.digest"), wide=True),
    ),
}


def _regarding(value: object) -> str:
    """`Device/default/cam-1` as `device/cam-1`; the namespace has a column of its own with -A."""
    parts = str(value).split("/")
    return f"{parts[0].lower()}/{parts[-1]}" if len(parts) == 3 else facts.plain(value)


def chosen(kind: str, *, wide: bool, all_namespaces: bool) -> tuple[Column, ...]:
    """The columns to show."""
    columns = tuple(one for one in OF_KIND[kind] if wide or not one.wide)
    return (NAMESPACE, *columns) if all_namespaces else columns
