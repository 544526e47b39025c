"""From a trained network to a release: compiled, compared with ONNX Runtime, described by the manifest that its owners vote on."""
