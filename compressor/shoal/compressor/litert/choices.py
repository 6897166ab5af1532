"""The closed sets that LiteRT variants are chosen from; free of imports, for pass configs."""

import enum
from typing import Final


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


# Operators of ONNX that the writer knows (`litert.writing.OPERATORS`), for plans that import
# nothing.
WRITABLE: Final = frozenset(
    {
        *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "BatchNormalization"),
        *("GlobalAveragePool", "GlobalMaxPool", "Resize", "Upsample", "DepthToSpace"),
        *("SpaceToDepth", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "Gemm", "MatMul"),
        *("Softmax", "ArgMax", "Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Sigmoid"),
        *("Tanh", "Exp", "Log", "Sqrt", "Abs", "Neg", "Floor", "HardSwish", "Elu", "LeakyRelu"),
        *("PRelu", "Relu", "Clip", "HardSigmoid", "Identity", "Dropout", "Reshape", "Flatten"),
        *("Squeeze", "Unsqueeze", "Transpose", "Concat", "Split", "Pad", "Slice", "Gather"),
        *("Cast", "Constant"),
    }
)
