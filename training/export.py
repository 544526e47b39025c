"""From a trained network to ONNX: one input of fixed shape with batch 1, scaling and softmax inside, the same bytes for the same weights.

torch's exporter writes into the file where on the disk its own sources lie; all that is taken out. What remains is checked three times:
by onnx's checker, against the list of operators that the compiler of inference canisters knows, and against torch by ONNX Runtime.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from .canonical import canonical_json
from .errors import ExportFailed
from .loop import Scaled

OUTPUT_NAME = "probabilities"
OPSET = 20
# That of a release's equality test: what differs more already here would never go live.
MAX_ABS_DIFFERENCE = 1e-4
OPERATORS = frozenset(
    {"Add", "Conv", "Div", "Flatten", "Gemm", "MatMul", "MaxPool", "Mul", "Relu", "Reshape", "Softmax", "Sub"}
)

Sample = dict[str, NDArray[np.float32]]


class _Answering(nn.Module):
    """Logits to probabilities."""

    def __init__(self, network: Scaled) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.network(inputs), dim=1)


def export_onnx(
    network: Scaled, input_name: str, shape: tuple[int, ...], metadata: Mapping[str, object], samples: Sequence[Sample]
) -> bytes:
    """`shape`: of one input, without the batch axis. `metadata`: written to metadata_props, each value as canonical JSON.

    Raises: ExportFailed.
    """
    answering = _Answering(network.cpu()).eval()
    model = _plain(_exported(answering, input_name, shape))
    for key, value in sorted(metadata.items()):
        model.metadata_props.add(key=key, value=canonical_json(value).decode("ascii"))
    unknown = sorted({node.op_type for node in model.graph.node} - OPERATORS)
    if unknown:
        raise ExportFailed(f"the exported network has operators that cannot run on the chain: {', '.join(unknown)}")
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportFailed(f"the exported network is refused by onnx's checker: {error}") from None
    data: bytes = model.SerializeToString(deterministic=True)
    _require_equal(data, answering, input_name, samples)
    return data


def _exported(answering: nn.Module, input_name: str, shape: tuple[int, ...]) -> onnx.ModelProto:
    log = logging.getLogger("torch.onnx")
    level = log.level
    # The exporter warns of its own internals and of packages that it would use if they were there.
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                answering,
                (torch.zeros(1, *shape),),
                dynamo=True,
                opset_version=OPSET,
                input_names=[input_name],
                output_names=[OUTPUT_NAME],
                external_data=False,
                verbose=False,
            )
    finally:
        log.setLevel(level)
    if program is None:
        raise ExportFailed("torch exported nothing")
    return program.model_proto


def _plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without anything that depends on where and how the exporter is installed."""
    graph = model.graph
    for part in [model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info]:
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    model.producer_version = model.producer_version.split("+")[0]
    return model


def _require_equal(data: bytes, answering: nn.Module, input_name: str, samples: Sequence[Sample]) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    for sample in samples:
        found = session.run([OUTPUT_NAME], sample)[0]
        with torch.no_grad():
            expected = answering(torch.from_numpy(sample[input_name])).numpy()
        difference = float(np.abs(found - expected).max())
        if not difference <= MAX_ABS_DIFFERENCE:
            raise ExportFailed(f"the exported network's answers differ from the trained one's by {difference:.2g}")
