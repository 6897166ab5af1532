"""What is known of a finished file: that it loads, how it answers, what it is made of."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from shoal.compressor.litert import flatfile, versions
from shoal.compressor.passes.protocol import Array, PassError
from shoal.compressor.rejections import Rejection
from shoal.engines import litert


def load(data: bytes) -> litert.LiteRunner:
    """A runner over the file, on one thread.

    Raises:
        PassError: RuntimeFailed, LiteRT does not take the file.
    """
    try:
        with litert.quiet():
            interpreter = Interpreter(model_content=data, num_threads=1)
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise PassError(Rejection.RUNTIME_FAILED, f"LiteRT does not load it: {text}") from error
    return litert.LiteRunner(interpreter)


def difference(
    runner: Any, reference: Any, feeds: Iterable[Mapping[str, Array]]
) -> tuple[float, float]:
    """The largest difference of any answer over `feeds`, and the largest answer."""
    worst = largest = 0.0
    for feed in feeds:
        for ours, theirs in zip(runner.run(None, feed), reference.run(None, feed), strict=True):
            if ours.shape != theirs.shape:
                raise PassError(
                    Rejection.BUILD_FAILED,
                    f"an answer has the shape {list(ours.shape)}, not {list(theirs.shape)}",
                )
            apart = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
            worst = max(worst, float(apart.max(initial=0.0)))
            largest = max(largest, float(np.abs(theirs).max(initial=0.0)))
    return worst, largest


def operators(data: bytes) -> dict[str, int]:
    """How many operators of each kind compute in which type, such as `{"CONV_2D int8": 5}`."""
    model = flatfile.unpack(data)
    counted = Counter(
        f"{versions.kind_of(model, one)} {versions.element_of(graph, one)}"
        for graph in model.subgraphs
        for one in graph.operators
    )
    return dict(sorted(counted.items()))
