"""What a worker needs before it can train: the code, the config, the evaluation set, each sealed file and the key that opens it.

Everything that can be missing is looked for before the job is claimed, so that a claim is made only for work that can be done. What is
read is checked against the chain and not against our own database. Opened files live in memory only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import training
from canisters.client.typed.registry import VersionArgs
from marketplace.chain.canisters import registry
from marketplace.client.sealing import Manifest, SealBroken, open_sealed, unwrap_key
from marketplace.core import blobs
from marketplace.core.errors import WrongState
from marketplace.datasets.selectors import sealed_chunks, sealed_manifest, wrapped_key

from .errors import Deterministic, Waiting
from .record import Record
from .worker_keys import WorkerKeys


@dataclass(frozen=True, repr=False)
class SealedFile:
    """A file that can be opened. `key`: 32 bytes, in memory only."""

    dataset_id: int
    manifest: Manifest
    commitment: bytes
    key: bytes


@dataclass(frozen=True, repr=False)
class Inputs:
    """`config_json`: canonical, as its hash on the chain was made. `evaluation`: CSV."""

    config: dict[str, Any]
    config_json: bytes
    evaluation: bytes
    files: list[SealedFile]


def gather(record: Record, keys: WorkerKeys) -> Inputs:
    """Find everything that a job needs.

    Raises: Waiting (something is not here yet); Deterministic (what is here cannot be used); ClientError."""
    recipe = _recipe(record)
    config_json = blobs.blob_read(record["config_hash"])
    if config_json is None:
        raise Waiting("its config: the builder must send it by POST configs")
    config = _config(recipe, config_json)
    evaluation = blobs.blob_read(config["evaluation_sha256"])
    if evaluation is None:
        raise Waiting("its evaluation set: the builder must send it by POST blobs")
    files = [_sealed_file(a["dataset_id"], a["version"], keys) for a in record["approvals"]]
    return Inputs(config, config_json, evaluation, files)


def open_files(inputs: Inputs) -> list[training.Part]:
    """Decrypt in memory, checking every chunk, the Merkle root and the owner's commitment. Raises Deterministic."""
    parts = []
    for sealed in inputs.files:
        try:
            data = open_sealed(
                sealed.manifest, sealed_chunks(sealed.manifest), sealed.key, commitment=sealed.commitment
            )
        except SealBroken as error:
            raise Deterministic("data_broken", f"dataset {sealed.dataset_id}: {error}") from error
        except WrongState as error:
            raise Deterministic("data_missing", f"dataset {sealed.dataset_id}: {error.message}") from error
        parts.append(training.Part(sealed.dataset_id, data, sealed.commitment))
    return parts


def _recipe(record: Record) -> training.Recipe:
    try:
        recipe = training.recipe(record["recipe"])
    except training.BadConfig as error:
        raise Deterministic("unknown_recipe", f"This worker has no recipe '{record['recipe']}'.") from error
    if recipe.code_hash.hex() != record["code_hash"]:
        raise Deterministic(
            "other_code",
            f"The job was approved for code {record['code_hash']}, and this worker's '{recipe.name}' has code {recipe.code_hash.hex()}. "
            "Propose it again with the present code.",
        )
    return recipe


def _config(recipe: training.Recipe, config_json: bytes) -> dict[str, Any]:
    try:
        config = recipe.checked(json.loads(config_json))
    except training.BadConfig as error:
        raise Deterministic("bad_config", f"The config does not fit the recipe: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise Deterministic("bad_config", "The config is not JSON. Make it by POST configs.") from error
    if training.config_bytes(config) != config_json:
        raise Deterministic("bad_config", "The config is not complete and canonical. Make it by POST configs.")
    return config


def _sealed_file(dataset_id: int, version: int, keys: WorkerKeys) -> SealedFile:
    on_chain = _version(dataset_id, version)
    manifest = sealed_manifest(on_chain["manifest_hash"].hex())
    if manifest is None:
        raise Waiting(f"the sealed file of dataset {dataset_id}: its owner has not uploaded it")
    if manifest.ciphertext_root != on_chain["ciphertext_root"]:
        raise Deterministic("data_broken", f"dataset {dataset_id}: its manifest names another file than the chain")
    missing = [chunk for chunk in manifest.chunks if not blobs.store().has("sealed", chunk.sha256.hex())]
    if missing:
        raise Waiting(
            f"the upload of dataset {dataset_id}: {len(missing)} of {len(manifest.chunks)} chunks are missing"
        )
    wrapped = wrapped_key(dataset_id, version, str(keys.principal))
    if wrapped is None:
        raise Waiting(f"the key of dataset {dataset_id}")
    try:
        key = unwrap_key(
            wrapped,
            private_key=keys.encryption_key,
            ciphertext_root=on_chain["ciphertext_root"],
            worker=keys.principal.raw,
        )
    except SealBroken as error:
        raise Waiting(
            f"a key of dataset {dataset_id} that opens: its owner wrapped it for another worker or another file"
        ) from error
    return SealedFile(dataset_id, manifest, on_chain["plaintext_commitment"], key)


def _version(dataset_id: int, version: int) -> VersionArgs:
    dataset = registry().dataset_get(dataset_id)
    found = [v["args"] for v in dataset["versions"] if v["version"] == version] if dataset else []
    if not found:
        raise Deterministic("data_missing", f"dataset {dataset_id} version {version} is not in the registry")
    return found[0]
