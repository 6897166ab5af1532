"""Every metric there is, by name: its type, its labels and what it says.

No label names a device, a digest or anything else that grows with the fleet: the number of series
depends on how many namespaces and deployments there are. docs/metrics.md lists the same.
"""

import enum
from typing import NamedTuple


class Type(enum.StrEnum):
    """Prometheus' types, as far as they are used here."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """One metric; of a counter the name ends in `_total`."""

    name: str
    type: Type
    labels: tuple[str, ...]
    help: str


_DEPLOYMENT = ("namespace", "deployment")

BUILD = Metric("shoal_build_info", Type.GAUGE, ("version",), "The version that runs; always 1.")
RESOURCES = Metric("shoal_resources", Type.GAUGE, ("kind",), "Resources stored.")
STORE_VERSION = Metric(
    "shoal_store_resource_version", Type.GAUGE, (), "Version of the newest write of the store."
)
DEVICES = Metric(
    "shoal_devices",
    Type.GAUGE,
    ("namespace", "reach"),
    "Devices by how recently they were heard; one that never spoke is lost.",
)
SELECTED = Metric(
    "shoal_deployment_selected_devices", Type.GAUGE, _DEPLOYMENT, "Devices the deployment selects."
)
REACHABLE = Metric(
    "shoal_deployment_reachable_devices",
    Type.GAUGE,
    _DEPLOYMENT,
    "Selected devices that were heard recently.",
)
OUTCOMES = Metric(
    "shoal_deployment_devices",
    Type.GAUGE,
    (*_DEPLOYMENT, "outcome"),
    "Devices by how they stand with what they were last told.",
)
REVISION = Metric(
    "shoal_deployment_revision",
    Type.GAUGE,
    _DEPLOYMENT,
    "Number of the newest revision; 0 before the first.",
)
QUARANTINED = Metric(
    "shoal_deployment_quarantined_variants",
    Type.GAUGE,
    _DEPLOYMENT,
    "Variants that failed and that nobody has let in again.",
)
RESULT = Metric(
    "shoal_rollout_result",
    Type.GAUGE,
    (*_DEPLOYMENT, "result"),
    "1 for what became of the newest rollout, 0 for all else; pending before the first.",
)
PAUSED = Metric("shoal_rollout_paused", Type.GAUGE, _DEPLOYMENT, "1 while the rollout is paused.")
WAVES = Metric(
    "shoal_rollout_waves",
    Type.GAUGE,
    (*_DEPLOYMENT, "result"),
    "Waves of the newest rollout by what became of them.",
)
GATES = Metric(
    "shoal_gate_verdict",
    Type.GAUGE,
    (*_DEPLOYMENT, "metric", "verdict"),
    "1 for the worst verdict on a metric that counts, over waves, cohorts and sources of evidence.",
)
INFERENCES = Metric(
    "shoal_inferences_total", Type.COUNTER, _DEPLOYMENT, "Requests that devices answered."
)
ERRORS = Metric(
    "shoal_inference_errors_total", Type.COUNTER, _DEPLOYMENT, "Requests that failed on a device."
)
LABELLED = Metric(
    "shoal_inference_labelled_total",
    Type.COUNTER,
    _DEPLOYMENT,
    "Requests whose true class was fed back later.",
)
CORRECT = Metric(
    "shoal_inference_correct_total",
    Type.COUNTER,
    _DEPLOYMENT,
    "Labelled requests whose answer was right.",
)
LATENCY = Metric(
    "shoal_inference_latency_seconds",
    Type.HISTOGRAM,
    _DEPLOYMENT,
    "How long devices took to answer.",
)
BATCHES = Metric(
    "shoal_telemetry_batches_total",
    Type.COUNTER,
    ("outcome",),
    "Batches of telemetry that came in; a repeated one was known already and is not counted twice.",
)
SEARCHES = Metric(
    "shoal_searches",
    Type.GAUGE,
    ("namespace", "state"),
    "Searches for variants, one for each model revision and class of devices.",
)
QUEUE = Metric(
    "shoal_reconcile_queue_length", Type.GAUGE, (), "Passes that wait for their turn now."
)
PASSES = Metric(
    "shoal_reconcile_passes_total",
    Type.COUNTER,
    ("kind", "outcome"),
    "Passes that ended; a refused one lost a race and runs again, a failed one too.",
)
SECONDS = Metric(
    "shoal_reconcile_seconds_total", Type.COUNTER, ("kind",), "Time that passes took together."
)

METRICS = (
    BUILD,
    RESOURCES,
    STORE_VERSION,
    DEVICES,
    SELECTED,
    REACHABLE,
    OUTCOMES,
    REVISION,
    QUARANTINED,
    RESULT,
    PAUSED,
    WAVES,
    GATES,
    INFERENCES,
    ERRORS,
    LABELLED,
    CORRECT,
    LATENCY,
    BATCHES,
    SEARCHES,
    QUEUE,
    PASSES,
    SECONDS,
)
