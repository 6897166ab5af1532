"""Which LiteRT files a search tries, as its plan says."""

from dataclasses import replace

from shoal.compressor.analyse.facts import Facts
from shoal.compressor.litert.choices import Keep, Scheme
from shoal.compressor.passes.protocol import Effort
from shoal.compressor.passes.tflite import KeepTflite, QuantizeTflite, ToTflite
from shoal.compressor.passes.tflite_integer import Chip, IntegerTflite
from shoal.compressor.search import engines
from shoal.compressor.search.engines import Offer
from shoal.compressor.sources.origin import OriginFormat

CNN = Facts(
    operators=(("Conv", 5), ("Gemm", 1), ("Relu", 5)),
    nodes=11,
    float_bytes=90_000,
    convolution_bytes=87_000,
    dense_bytes=3_000,
    recurrent_bytes=0,
    table_bytes=0,
    quantized=False,
)
MLP = replace(CNN, operators=(("Gemm", 3),), convolution_bytes=0, dense_bytes=90_000)
BOTH = Offer(engines=("onnxruntime", "litert"), precisions=("fp32", "int8"))


def tried(facts: Facts, offer: Offer) -> list[object]:
    return [ladder[0] for ladder in engines.ladders(facts, (), Effort.BALANCED, offer)]


def test_thin_layers_in_float_are_tried_first_and_plain_float_last() -> None:
    assert tried(CNN, BOTH) == [
        *(QuantizeTflite(keep=Keep.THIN), QuantizeTflite(), QuantizeTflite(keep=Keep.FIRST)),
        *(QuantizeTflite(numbers=Scheme.WEIGHTS), ToTflite()),
    ]


def test_matrices_may_be_dynamic() -> None:
    assert QuantizeTflite(numbers=Scheme.DYNAMIC) in tried(MLP, BOTH)
    assert QuantizeTflite(numbers=Scheme.DYNAMIC) not in tried(CNN, BOTH)


def test_nothing_is_tried_where_the_engine_or_an_operator_is_missing() -> None:
    assert tried(CNN, replace(BOTH, engines=("onnxruntime",))) == []
    assert tried(replace(CNN, operators=(("Conv", 1), ("Erf", 1))), BOTH) == []


def test_precisions_bound_what_is_tried() -> None:
    assert tried(CNN, replace(BOTH, precisions=("fp32",))) == [ToTflite()]
    assert ToTflite() not in tried(CNN, replace(BOTH, precisions=("int8",)))


def test_a_lite_source_is_kept_as_it_is() -> None:
    lite = replace(BOTH, origin=OriginFormat.TFLITE)
    assert engines.kept(lite) == (KeepTflite(),)
    assert engines.kept(BOTH) == ()
    assert engines.kept(replace(lite, engines=("onnxruntime",))) == ()


def test_a_chip_wants_integers_alone() -> None:
    chip = replace(BOTH, chip=Chip.EDGE_TPU)
    assert tried(CNN, chip) == [IntegerTflite(chip=Chip.EDGE_TPU)]
    assert engines.after_shrinking(CNN, chip) == (IntegerTflite(chip=Chip.EDGE_TPU),)


def test_narrower_nets_are_tried_in_two_forms() -> None:
    assert engines.after_shrinking(CNN, BOTH) == (QuantizeTflite(keep=Keep.THIN), ToTflite())
