"""LiteRT files (`.tflite`): written from ONNX graphs, quantized, slimmed and run.

Modules here import the schema of the optional extra `litert`, so they are imported only where a
pass or a runner needs them.
"""
