"""A checkpoint as an ONNX graph, which the runtimes without PyTorch run.

MiT is built straight from the weights, without PyTorch; other encoders are traced by it.
"""
