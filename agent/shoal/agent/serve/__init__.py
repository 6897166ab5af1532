"""The engine process: sessions, slots, and the Open Inference Protocol on inherited sockets.

Only this package of the agent imports numpy and onnxruntime; the supervisor starts it as a child.
"""
