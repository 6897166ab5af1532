"""The demo's result: what contracts section 5 promises on stdout."""

from collections.abc import Sequence
from typing import Any

from shoal.client import kinds
from shoal.client.client import Client
from shoal.client.resources import Scope
from shoal.lab.rollouts import NAMESPACE, Revision
from shoal.lab.traffic import Tally

_ROUND = 3


def profiles(client: Client, deployment: dict[str, Any]) -> dict[str, Any]:
    """For each profile the variant that its devices were given, by measured figures."""
    listing = client.resources.list(kinds.named("Variant"), Scope(namespace=NAMESPACE))
    variants = {one["status"]["digest"]: one for one in listing.items}
    result = {}
    for cohort in deployment["status"]["cohorts"]:
        variant = variants[cohort["variant"]]
        result[cohort["profile"]] = {
            "variant": cohort["variant"],
            "recipe": variant["spec"]["recipe"],
            "bytes": variant["status"]["bytes"],
            "score": variant["status"]["score"],
            "latency_ms_p95": variant["status"]["latency_ms"]["p95"],
        }
    return result


def rollout(deployment: str, revision: Revision) -> dict[str, Any]:
    """One decided rollout with its waves and gates."""
    return {
        "deployment": deployment,
        "revision": revision["number"],
        "result": revision["result"],
        "waves": [
            {
                "name": wave["name"],
                "devices": wave["devices"],
                "result": wave["result"],
                "gates": wave["gates"],
            }
            for wave in revision["waves"]
        ],
    }


def telemetry(measured: dict[str, Any], tallies: Sequence[Tally]) -> dict[str, Any]:
    """What devices measured of themselves, beside what their clients saw."""
    switches = [count for tally in tallies for count in tally.in_flight_at_switch]
    return {
        "inferences": sum(tally.sent for tally in tallies),
        "accuracy": measured["accuracy"],
        "latency_ms_p95": measured["latency_ms"]["p95"],
        "dropped": sum(tally.dropped for tally in tallies),
        "switches": len(switches),
        "min_in_flight_at_switch": min(switches, default=0),
        "longest_gap_ms": round(max(tally.longest_gap_s for tally in tallies) * 1000, _ROUND),
        "failures": [why for tally in tallies for why in tally.failures][:10],
    }
