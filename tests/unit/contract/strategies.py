"""Hypothesis strategies: any contract value that an honest program may send."""

from hypothesis import strategies as st

from shoal.contract.assignment import (
    Artifact,
    ArtifactRole,
    Assignment,
    DesiredState,
    Preflight,
    Trial,
)
from shoal.contract.budget import Budget
from shoal.contract.digest import Digest
from shoal.contract.enrolment import EnrolRequest, EnrolResponse
from shoal.contract.histogram import Histogram
from shoal.contract.profile import HardwareProfile
from shoal.contract.report import (
    DeploymentReport,
    DeviceReport,
    GoldenAnswers,
    Phase,
    PreflightResult,
    TrialResult,
)
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow

U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
S32 = st.integers(-(2**31), 2**31 - 1)
FINITE = st.floats(0, 1e12)
# Protobuf strings are UTF-8: no lone surrogates.
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = st.lists(TEXT, max_size=3).map(tuple)
DIGESTS = st.binary(min_size=32, max_size=32).map(lambda raw: Digest(f"sha256:{raw.hex()}"))


def optional(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


hardware = st.builds(
    HardwareProfile,
    arch=TEXT,
    cpu=TEXT,
    cores=U32,
    memory_bytes=U64,
    disk_free_bytes=U64,
    isa=NAMES,
    engines=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    providers=NAMES,
    speed_score=optional(FINITE),
)
artifacts = st.builds(
    Artifact, role=st.sampled_from(ArtifactRole), name=TEXT, digest=DIGESTS, size_bytes=U64
)
preflights = st.builds(
    Preflight,
    budget=st.builds(
        Budget,
        artifact_bytes=optional(U64),
        memory_bytes=optional(U64),
        latency_p95_ms=optional(FINITE),
    ),
    max_latency_ratio=optional(FINITE),
    min_agreement=FINITE,
)
assignments = st.builds(
    Assignment,
    deployment=TEXT,
    model=TEXT,
    revision=U64,
    generation=U64,
    variant=DIGESTS,
    artifacts=st.lists(artifacts, max_size=3).map(tuple),
    engine=TEXT,
    providers=NAMES,
    threads=U32,
    output=TEXT,
    soak_s=FINITE,
    min_inferences=U32,
    shadow_share=FINITE,
    shadow_s=FINITE,
    preflight=preflights,
)
desired_states = st.builds(
    DesiredState,
    device=TEXT,
    version=U64,
    assignments=st.lists(assignments, max_size=3).map(tuple),
    telemetry_window_s=FINITE,
    heartbeat_s=FINITE,
    trials=st.lists(st.builds(Trial, key=TEXT, assignment=assignments), max_size=2).map(tuple),
)
preflight_results = st.builds(
    PreflightResult,
    agreement=FINITE,
    p50_ms=FINITE,
    p95_ms=FINITE,
    active_p95_ms=optional(FINITE),
    latency_ratio=optional(FINITE),
    peak_memory_bytes=U64,
    load_ms=FINITE,
)
golden_answers = st.builds(
    GoldenAnswers,
    golden=DIGESTS,
    candidate=st.lists(S32, max_size=5).map(tuple),
    active=st.lists(S32, max_size=5).map(tuple),
)
deployment_reports = st.builds(
    DeploymentReport,
    deployment=TEXT,
    generation=U64,
    revision=U64,
    phase=st.sampled_from(Phase),
    variant=DIGESTS,
    reason=TEXT,
    message=TEXT,
    running=optional(DIGESTS),
    running_generation=U64,
    running_revision=U64,
    running_model=TEXT,
    good_inferences=U64,
    errors=U64,
    restarts=U64,
    fetched_bytes=U64,
    preflight=optional(preflight_results),
    golden=optional(golden_answers),
    previous=optional(DIGESTS),
)
device_reports = st.builds(
    DeviceReport,
    device=TEXT,
    boot_id=TEXT,
    sequence=U64,
    agent_version=TEXT,
    desired_version=U64,
    hardware=hardware,
    deployments=st.lists(deployment_reports, max_size=3).map(tuple),
    serving_url=TEXT,
    spool_windows=U64,
    link=TEXT,
    trials=st.lists(
        st.builds(
            TrialResult, key=TEXT, result=optional(preflight_results), reason=TEXT, message=TEXT
        ),
        max_size=2,
    ).map(tuple),
    scouts=st.booleans(),
)
histograms = st.builds(
    Histogram,
    scale=st.integers(-10, 20),
    buckets=st.dictionaries(S32, U64, max_size=5).map(lambda found: tuple(sorted(found.items()))),
    zeros=U64,
    total=FINITE,
)
windows = st.builds(
    TelemetryWindow,
    deployment=TEXT,
    variant=DIGESTS,
    generation=U64,
    start_ms=U64,
    duration_ms=U64,
    requests=U64,
    errors=U64,
    latency_ms=histograms,
    labelled=U64,
    correct=U64,
    classes=st.dictionaries(S32, U64, max_size=5).map(lambda found: tuple(sorted(found.items()))),
    rss_bytes=U64,
    confidences=st.dictionaries(U32, U64, max_size=5).map(
        lambda found: tuple(sorted(found.items()))
    ),
    shadowed=U64,
    shadow_differed=U64,
    paired=U64,
    paired_worse=U64,
    paired_better=U64,
    scored=U64,
    absolute_error=FINITE,
    squared_error=FINITE,
)
batches = st.builds(
    TelemetryBatch,
    device=TEXT,
    boot_id=TEXT,
    sequence=U64,
    windows=st.lists(windows, max_size=3).map(tuple),
    sent_ms=U64,
)
enrol_requests = st.builds(
    EnrolRequest,
    token=TEXT,
    name=TEXT,
    labels=st.dictionaries(TEXT, TEXT, max_size=3).map(lambda found: tuple(sorted(found.items()))),
    csr_pem=st.binary(max_size=20),
    hardware=hardware,
    agent_version=TEXT,
)
enrol_responses = st.builds(
    EnrolResponse,
    device=TEXT,
    namespace=TEXT,
    secret=TEXT,
    broker=TEXT,
    certificate_pem=st.binary(max_size=20),
    authority_pem=st.binary(max_size=20),
)
