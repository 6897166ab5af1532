"""Reason codes that cross a process border: short CamelCase words, never renamed."""

import enum


class Reason(enum.StrEnum):
    """Why something is as it is."""

    # admission and lookup
    INVALID = "Invalid"
    UNKNOWN_FIELD = "UnknownField"
    UNKNOWN_KIND = "UnknownKind"
    UNKNOWN_METRIC = "UnknownMetric"
    NOT_BUILT_YET = "NotBuiltYet"
    NOT_FOUND = "NotFound"
    ALREADY_EXISTS = "AlreadyExists"
    CONFLICT = "Conflict"
    GONE = "Gone"
    UNREACHABLE = "Unreachable"
    TIMED_OUT = "TimedOut"
    FORBIDDEN = "Forbidden"
    PORT_IN_USE = "PortInUse"
    MISSING_EXTRA = "MissingExtra"
    INTERNAL = "Internal"
    DECLINED = "Declined"

    # models and data
    NOT_ONNX = "NotOnnx"
    TRUNCATED_MODEL = "TruncatedModel"
    EXTERNAL_DATA = "ExternalData"
    UNKNOWN_DOMAIN = "UnknownDomain"
    MODEL_TOO_LARGE = "ModelTooLarge"
    UNSAFE_FORMAT = "UnsafeFormat"
    BAD_WEIGHTS = "BadWeights"
    CONVERSION_FAILED = "ConversionFailed"
    BAD_DATA = "BadData"
    NO_FEASIBLE_VARIANT = "NoFeasibleVariant"

    # enrolment
    TOKEN_UNKNOWN = "TokenUnknown"  # noqa: S105 - a reason code
    TOKEN_EXPIRED = "TokenExpired"  # noqa: S105 - a reason code
    TOKEN_USED = "TokenUsed"  # noqa: S105 - a reason code
    NAME_TAKEN = "NameTaken"

    # on the device
    FETCH_FAILED = "FetchFailed"
    DIGEST_MISMATCH = "DigestMismatch"
    DISK_FULL = "DiskFull"
    LOAD_FAILED = "LoadFailed"
    PARITY_FAILED = "ParityFailed"
    ARTIFACT_EXCEEDED = "ArtifactExceeded"
    LATENCY_EXCEEDED = "LatencyExceeded"
    MEMORY_EXCEEDED = "MemoryExceeded"
    CRASHED = "Crashed"
    BAD_SLOT = "BadSlot"

    # rollouts
    GATE_FAILED = "GateFailed"
    GATE_INCONCLUSIVE = "GateInconclusive"
    THRESHOLD_UNMET = "ThresholdUnmet"
    TOO_MANY_FAILURES = "TooManyFailures"
    HARD_STOP = "HardStop"
    QUORUM_MISSING = "QuorumMissing"
    PROGRESS_DEADLINE = "ProgressDeadline"
    MODEL_NOT_READY = "ModelNotReady"
    NO_DEVICES = "NoDevices"
    NEVER_REPORTED = "NeverReported"
    NOT_SELECTED = "NotSelected"
    MAX_UNAVAILABLE = "MaxUnavailable"
    PAUSED = "Paused"
    ABORTED = "Aborted"
    UNDONE = "Undone"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"
    COMPLETE = "Complete"
    APPROVAL_MISSING = "ApprovalMissing"
    NOTHING_TO_RETURN_TO = "NothingToReturnTo"
    NOT_IN_PROGRESS = "NotInProgress"
    QUARANTINED = "Quarantined"
    LOCAL_ROLLBACK = "LocalRollback"
    REOPENED = "Reopened"
    PINNED = "Pinned"
    DELETED = "Deleted"
    STARTED = "Started"
    WAVE_STARTED = "WaveStarted"
    WAVE_COMPLETE = "WaveComplete"
    WAVE_SKIPPED = "WaveSkipped"
    VARIANT_FELL = "VariantFell"
    COHORT_REVERTED = "CohortReverted"
