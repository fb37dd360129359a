"""Answers of exported students: NumPy, SciPy, onnxruntime and safetensors, and nothing else."""
