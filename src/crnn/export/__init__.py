"""Export models for other programs: PyTorch modules, ONNX files, C source, HTML pages."""
