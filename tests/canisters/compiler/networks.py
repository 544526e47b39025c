"""Small networks as ONNX, without torch: for tests that need a whole network but no training."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from .cases import make_model


def _random(*shape: int, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:])))).astype(np.float32)


def mlp(features: int = 30, hidden: int = 16, classes: int = 2) -> onnx.ModelProto:
    """features (1, n): scaled, then two dense layers, as the recipes export it."""
    constants = {
        "mean": _random(features, seed=1), "deviation": np.abs(_random(features, seed=2)) + 1,
        "w1": _random(hidden, features, seed=3), "b1": _random(hidden, seed=4), "w2": _random(classes, hidden, seed=5), "b2": _random(classes, seed=6),
    }  # fmt: skip
    nodes = [
        helper.make_node("Sub", ["features", "mean"], ["centred"], name="centre"),
        helper.make_node("Div", ["centred", "deviation"], ["scaled"], name="scale"),
        helper.make_node("Gemm", ["scaled", "w1", "b1"], ["h1"], name="hidden", transB=1),
        helper.make_node("Relu", ["h1"], ["h2"], name="relu"),
        helper.make_node("Gemm", ["h2", "w2", "b2"], ["logits"], name="head", transB=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"], name="softmax", axis=-1),
    ]
    return make_model(nodes, {"features": np.zeros((1, features), np.float32)}, constants, ["probabilities"])


def cnn(size: int = 8, channels: int = 8, classes: int = 10) -> onnx.ModelProto:
    """image (1, 1, h, w): convolution, batch normalisation, pooling, convolution, mean, dense."""
    constants = {
        "w1": _random(channels, 1, 3, 3, seed=1), "w2": _random(2 * channels, channels, 3, 3, seed=2), "b2": _random(2 * channels, seed=3),
        "scale": np.abs(_random(channels, seed=4)), "shift": _random(channels, seed=5), "mean": _random(channels, seed=6), "variance": np.abs(_random(channels, seed=7)) + 0.1,
        "w3": _random(2 * channels, classes, seed=8), "b3": _random(classes, seed=9), "axes": np.array([2, 3]), "flat": np.array([1, -1]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c1"], name="conv1", pads=[1] * 4),
        helper.make_node("BatchNormalization", ["c1", "scale", "shift", "mean", "variance"], ["n1"], name="norm1"),
        helper.make_node("Relu", ["n1"], ["r1"], name="relu1"),
        helper.make_node("MaxPool", ["r1"], ["p1"], name="pool1", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2", "b2"], ["c2"], name="conv2", pads=[1] * 4),
        helper.make_node("Relu", ["c2"], ["r2"], name="relu2"),
        helper.make_node("ReduceMean", ["r2", "axes"], ["m"], name="mean", keepdims=1),
        helper.make_node("Reshape", ["m", "flat"], ["f"], name="flatten"),
        helper.make_node("MatMul", ["f", "w3"], ["d"], name="dense"),
        helper.make_node("Add", ["d", "b3"], ["logits"], name="bias"),
        helper.make_node("Softmax", ["logits"], ["probabilities"], name="softmax", axis=-1),
    ]
    return make_model(nodes, {"image": np.zeros((1, 1, size, size), np.float32)}, constants, ["probabilities"])


def branches() -> onnx.ModelProto:
    """Two branches that meet again, a transposition, a slice, and an integer output."""
    constants = {
        "low": np.array(0.0, np.float32),
        "high": np.array(1.0, np.float32),
        "starts": np.array([1]),
        "ends": np.array([3]),
        "axis": np.array([1]),
    }
    nodes = [
        helper.make_node("Clip", ["x", "low", "high"], ["a"], name="clip"),
        helper.make_node("Transpose", ["x"], ["t"], name="turn", perm=[1, 0]),
        helper.make_node("Sigmoid", ["t"], ["s"], name="gate"),
        helper.make_node("Transpose", ["s"], ["b"], name="turn back", perm=[1, 0]),
        helper.make_node("Mul", ["a", "b"], ["m"], name="meet"),
        helper.make_node("Slice", ["m", "starts", "ends", "axis"], ["part"], name="cut"),
        helper.make_node("ArgMax", ["part"], ["label"], name="label", axis=1, keepdims=0),
    ]
    return make_model(nodes, {"x": np.zeros((3, 5), np.float32)}, constants, ["part", "label"])


NETWORKS = {"mlp": mlp, "cnn": cnn, "branches": branches}
