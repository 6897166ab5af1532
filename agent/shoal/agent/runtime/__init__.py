"""The supervisor's side of its children, and the measured hardware.

Nothing here imports numpy or onnxruntime: a model can crash a child, never the supervisor.
"""
