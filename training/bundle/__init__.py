"""The files of a bundle: ONNX export in fp32 and int8, parity checks, and a comparison with the initial weights."""
