"""Why a candidate is not on the front: the closed set of contracts section 3."""

import enum


class Rejection(enum.StrEnum):
    """Reason of one row in the report's `rejected` list."""

    SCORE_BELOW_FLOOR = "ScoreBelowFloor"
    DOES_NOT_FIT = "DoesNotFit"
    SLOWER_THAN_SOURCE = "SlowerThanSource"
    BUILD_FAILED = "BuildFailed"
    RUNTIME_FAILED = "RuntimeFailed"
    UNSUPPORTED_OPERATOR = "UnsupportedOperator"
    NOT_FUSED = "NotFused"
