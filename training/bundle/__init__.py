"""The files of a bundle: ONNX in fp32 and int8, the proof that they are one model, what it gained on the last."""
