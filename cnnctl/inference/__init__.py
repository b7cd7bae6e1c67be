"""A run -> probabilities, by ONNX Runtime alone: neither keras nor tensorflow is imported here."""
