"""The closed sets that LiteRT variants are chosen from; free of imports, for pass configs."""

import enum


class Scheme(enum.StrEnum):
    """What is of 8 bits: everything, weights and products at run time, or weights at rest."""

    STATIC = "static"
    DYNAMIC = "dynamic"
    WEIGHTS = "weights"


class Ranges(enum.StrEnum):
    """How the extremes of calibration rows become one range."""

    MINMAX = "minmax"
    QUANTILE = "quantile"
    MEAN = "mean"


class Keep(enum.StrEnum):
    """Which operators compute in float inside a static file.

    8-bit kernels pay by products over many channels. On some machines they lose to float kernels
    where there are few: in a first layer, or where each channel has its own filter.
    """

    NOTHING = "nothing"
    FIRST = "first"
    THIN = "thin"  # the first layer and all depthwise ones


class Edges(enum.StrEnum):
    """The type of inputs and outputs in the file; the runner's are float either way."""

    FLOAT = "float"
    INT8 = "int8"
