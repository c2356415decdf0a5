"""Models as other programs take them: PyTorch modules, ONNX files, C source."""
