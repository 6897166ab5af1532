"""Variant files that are more than one ONNX graph, and what runs them.

The compressor measures with these runners and the engine of a device serves with them, so what was
measured is what runs. Nothing else may import them: `staged` and `litert` load numpy and a runtime.

archive      the `.stages` file: its index, what lies where, writing and checked reading
references   a stage's graph without its weights, for a runtime that maps them in place
fields       protobuf's wire format, as far as these two need it
staged       runs a `.stages` file, stage by stage
litert       runs a `.tflite` file
"""
