"""Makes a release out of a trained network: compiled, compared with ONNX Runtime, with its cost, its interface and its manifest.

The worker calls `release_artifacts` when training is done (settings.JOB_ARTIFACT_MAKERS); what it returns becomes part of the job's
result, and the manifest's hash with it, so that a cooperative can tell a release that was recorded from one that was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from canisters.client.typed.cooperative import ChunkInfo, EqualityVector, ReleaseManifest, TensorBlob
from canisters.compiler import BuildFailed, CannotCompile, CompiledModel, compare_with_onnxruntime, compile_model
from canisters.compiler.equality import reference_outputs
from canisters.compiler.ir import Array
from marketplace.client.canonical import canonical_json, sha256
from marketplace.client.forms import manifest_bytes, manifest_hash
from marketplace.jobs.artifacts import Artifact, TrainedJob
from marketplace.jobs.errors import Deterministic

MAX_VECTORS = 4
MAX_VECTOR_BYTES = 256 << 10  # of all vectors: they travel in the proposal, and a message has 2 MiB
TOLERANCE_E9 = 100_000  # 1e-4 of a probability
_LITTLE_ENDIAN = {
    "float32": "<f4",
    "float64": "<f8",
    "int64": "<i8",
    "int32": "<i4",
    "int8": "i1",
    "uint8": "u1",
    "bool": "?",
}


def release_artifacts(trained: TrainedJob) -> list[Artifact]:
    """Raises Deterministic: the network cannot be compiled, or does not compute the same."""
    onnx = trained.outcome.onnx
    trained.note("Compiling the network for the chain.")
    try:
        compiled = compile_model(onnx)
    except CannotCompile as error:
        raise Deterministic("cannot_compile", f"The network cannot run on the chain: {error}") from error
    except BuildFailed as error:
        raise Deterministic("build_failed", f"The compiler failed, which is not the network's fault: {error}") from error
    vectors = equality_vectors(onnx, trained.outcome.samples)
    report = compare_with_onnxruntime(onnx, compiled, trained.outcome.samples)
    if not report.max_abs_error * 1e9 <= TOLERANCE_E9:
        raise Deterministic(
            "not_equal",
            f"The compiled network differs from the trained one by {report.max_abs_error:.3g}; {TOLERANCE_E9 / 1e9:g} is allowed.",
        )
    trained.note(
        f"Compiled: at most {report.max_abs_error:.2g} from ONNX Runtime, {compiled.cost.total} instructions an answer."
    )
    manifest = release_manifest(trained, compiled, vectors)
    shown = manifest_bytes(manifest)
    return [
        Artifact.of("interface.json", canonical_json(compiled.interface)),
        Artifact.of("cost.json", canonical_json(compiled.cost.as_json())),
        Artifact.of("equality.json", canonical_json(report.as_json())),
        Artifact.of("module.wasm", compiled.wasm),
        *(Artifact.of(f"weights/{index:03}", chunk) for index, chunk in enumerate(compiled.weight_chunks)),
        Artifact.of("manifest.json", shown),
        Artifact("release", manifest_hash(manifest), len(shown), None),
    ]


def release_manifest(trained: TrainedJob, compiled: CompiledModel, vectors: list[EqualityVector]) -> ReleaseManifest:
    return {
        "job_id": trained.job_id,
        "title": trained.title,
        "wasm_sha256": sha256(compiled.wasm),
        "wasm_chunks": [_chunk(chunk) for chunk in compiled.wasm_chunks],
        "weight_chunks": [_chunk(chunk) for chunk in compiled.weight_chunks],
        "onnx_sha256": sha256(trained.outcome.onnx),
        "transcript_hash": sha256(trained.outcome.transcript),
        "card_hash": sha256(trained.card_json),
        "metrics": [{"name": m["name"], "value_ppm": m["value_ppm"]} for m in trained.metrics],
        "equality": vectors,
        "tolerance_e9": TOLERANCE_E9,
        "estimated_instructions": compiled.cost.total,
    }


def equality_vectors(onnx: bytes, samples: Sequence[Mapping[str, Array]]) -> list[EqualityVector]:
    """Inputs and ONNX Runtime's outputs for the first samples: what the chain compares its own answers with."""
    chosen = samples[:MAX_VECTORS]
    vectors: list[EqualityVector] = []
    room = MAX_VECTOR_BYTES
    for sample, outputs in zip(chosen, reference_outputs(onnx, chosen), strict=True):
        vector: EqualityVector = {"inputs": tensor_blobs(sample), "outputs": tensor_blobs(outputs)}
        room -= sum(len(tensor["data"]) for side in (vector["inputs"], vector["outputs"]) for tensor in side)
        if room < 0 and vectors:
            break
        vectors.append(vector)
    return vectors


def tensor_blobs(tensors: Mapping[str, Array]) -> list[TensorBlob]:
    return [
        {
            "name": name,
            "dtype": str(array.dtype),
            "shape": [int(size) for size in array.shape],
            "data": np.ascontiguousarray(array).astype(_LITTLE_ENDIAN[str(array.dtype)]).tobytes(),
        }
        for name, array in tensors.items()
    ]


def _chunk(data: bytes) -> ChunkInfo:
    return {"sha256": sha256(data), "size_bytes": len(data)}
