"""Descriptions with their weights, rewritten so that they compute the same faster, and written as ONNX graphs."""
