"""What one more report makes of what is known of a device: late and repeated ones make nothing.

Reports of one boot are ordered by their sequence. A boot id never seen before is a newer boot; one
that was replaced stays in `past_boots`, so that its late reports are recognised. Ids have no order:
the first report of an earlier boot may come so late that it takes the place of the present one.
Once that has been silent for as long as a lost device, the one it replaced speaks again.
"""

from typing import Any

from shoal.contract import jsonform
from shoal.contract.report import DeploymentReport, DeviceReport
from shoal.controller.domain import incidents
from shoal.controller.domain.incidents import SILENCE_NOTED_MS, History

KIND = "Observation"
_PAST_BOOTS = 16


def merge(
    known: dict[str, Any] | None,
    report: DeviceReport,
    now_ms: int,
    *,
    lost_after_s: float = SILENCE_NOTED_MS / 1000,
) -> dict[str, Any] | None:
    """The observation after `report`, or None where it is late or repeated.

    Only a silence of more than `lost_after_s` is noted: heartbeats lie apart as well, and would
    push out what else was noted.
    """
    past: list[str] = []
    before: tuple[DeploymentReport, ...] = ()
    histories: tuple[History, ...] = ()
    silent_ms = 0
    if known is not None:
        last, past = known["report"], known["past_boots"]
        silent_ms = max(0, now_ms - known["last_seen_ms"])
        if report.boot_id in past and silent_ms <= lost_after_s * 1000:
            return None
        if report.boot_id != last["boot_id"]:
            others = [one for one in past if one != report.boot_id]
            past = [*others, last["boot_id"]][-_PAST_BOOTS:]
        elif report.sequence <= last["sequence"]:
            return None
        # Of a heartbeat as little as can be is read again: thousands of devices send one.
        before = tuple(
            jsonform.from_json(DeploymentReport, one | {"golden": None})
            for one in last["deployments"]
        )
        histories = incidents.histories_from_json(known.get("histories"))
    if silent_ms <= lost_after_s * 1000:
        silent_ms = 0
    moment = incidents.Moment(now_ms=now_ms, silent_ms=silent_ms)
    document = jsonform.to_json(report)
    if known is not None:
        _keep_answers(document, known["report"])
    return {
        "report": document,
        "last_seen_ms": now_ms,
        "past_boots": past,
        "histories": [
            jsonform.to_json(one)
            for one in incidents.after(histories, before, report.deployments, moment)
        ],
    }


def _keep_answers(document: dict[str, Any], last: dict[str, Any]) -> None:
    """Keep golden answers for as long as their generation lasts: devices send them only once."""
    kept = {
        (one["deployment"], one["generation"]): one.get("golden") for one in last["deployments"]
    }
    for one in document["deployments"]:
        if one["golden"] is None:
            one["golden"] = kept.get((one["deployment"], one["generation"]))
