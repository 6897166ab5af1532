"""ONNX graphs as trainable torch modules and back, through one table of operators."""
