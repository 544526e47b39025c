"""The whole verification: from the root key to certificates, from those to logs, and from the logs to every claim that is made of them.

Reads top to bottom as the line of trust does. Offline; believes nothing but the root key and mathematics.
"""

from __future__ import annotations

from collections.abc import Mapping

from canisters.client.contracts import service
from canisters.client.errors import AnswerMalformed, CertificateRefused
from canisters.client.receipt import Receipt
from canisters.interface.candid import CandidError, decode
from canisters.interface.icrc3 import to_value, value_hash
from canisters.interface.principal import Principal

from .artifacts import Blobs, check_artifacts
from .bundle import Bundle
from .cooperatives import Cooperative
from .jobs import Jobs
from .ledger import Ledger
from .logs import Log, State, read_log, read_state
from .ownership import check_ownership, foundings
from .registry import Registry
from .report import Findings, Report, Topic
from .settlement import check_jobs


def verify_bundle(
    bundle: bytes,
    root_key: bytes,
    *,
    blobs: Blobs | None = None,
    canisters: Mapping[str, Principal] | None = None,
    modules: Mapping[str, bytes] | None = None,
) -> Report:
    """Check everything in a bundle against the root key.

    `blobs`: artifacts by their SHA-256 in hex, to be checked too. `canisters`: the ids that it must be about. `modules`: SHA-256 of the
    modules that you compiled yourself, by name ("registry", "cooperative" ...), to be compared with what runs.
    Raises BundleMalformed when there is nothing to check.
    """
    given, findings = Bundle.from_bytes(bundle), Findings()
    _check_identity(given, canisters, findings.topic("canisters"))
    logs = {name: read_log(name, id_, given.logs.get(id_), root_key, findings) for name, id_ in given.canisters.items()}
    states = {
        name: read_state(name, id_, given.states.get(id_), root_key, findings) for name, id_ in given.canisters.items()
    }
    registry, ledger = Registry(logs["registry"], findings), Ledger(logs["ledger"], findings)
    jobs = Jobs(logs["jobs"], findings)
    check_jobs(jobs, registry, ledger, findings)
    cooperatives = _cooperatives(given, logs["cooperatives"], jobs, ledger, root_key, findings, states)
    if modules is not None:
        _check_modules(modules, states, findings.topic("modules"))
    if blobs is not None:
        check_artifacts(jobs, registry, blobs, findings)
    if given.receipts:
        _check_receipts(given, cooperatives, root_key, findings.topic("receipts"))
    return findings.report()


def _check_identity(given: Bundle, expected: Mapping[str, Principal] | None, topic: Topic) -> None:
    """The root key proves what these canisters did, not that they are the ones you mean."""
    for name, canister in given.canisters.items():
        wanted = (expected or {}).get(name, canister)
        topic.require(canister == wanted, f"the bundle is about {name} {canister}, and you asked about {wanted}")
        topic.fact(f"{name} {canister}")


def _cooperatives(
    given: Bundle,
    factory: Log,
    jobs: Jobs,
    ledger: Ledger,
    root_key: bytes,
    findings: Findings,
    states: dict[str, State | None],
) -> dict[Principal, Cooperative]:
    found: dict[Principal, Cooperative] = {}
    for entry in foundings(factory, findings):
        id_, name = entry.canister, f"cooperative of job {entry.job}"
        log = read_log(name, id_, given.logs.get(id_), root_key, findings)
        cooperative = Cooperative(log, entry.job, ledger, findings)
        known: dict[Principal, State] = {}
        for canister, shown in [(id_, name), *((i, f"inference of job {entry.job}") for i in cooperative.inference)]:
            state = read_state(shown, canister, given.states.get(canister), root_key, findings)
            if state is not None:
                known[canister] = state
        states[name] = known.get(id_)
        check_ownership(entry, cooperative, jobs, given.canisters, known, findings)
        found[id_] = cooperative
    return found


def _check_modules(modules: Mapping[str, bytes], states: Mapping[str, State | None], topic: Topic) -> None:
    for shown, state in states.items():
        name = "cooperative" if shown.startswith("cooperative of") else shown
        wanted, runs = modules.get(name), state.module_hash if state is not None else None
        if topic.require(wanted is not None, f"no module of {name} was given to compare") and wanted is not None:
            topic.require(
                runs == wanted, f"{shown} runs {runs.hex() if runs else 'nothing'}, not the {name} you compiled"
            )
    topic.fact(f"{len(states)} canisters run what you compiled")


def _check_receipts(
    given: Bundle, cooperatives: Mapping[Principal, Cooperative], root_key: bytes, topic: Topic
) -> None:
    """Each answer was given by the network; an inference's is also the one that was paid for, by who asked."""
    sold = 0
    for number, data in enumerate(given.receipts):
        try:
            receipt = Receipt.from_bytes(data if isinstance(data, bytes) else b"")
            receipt.verify(root_key)
        except (AnswerMalformed, CertificateRefused) as error:
            topic.require(False, f"receipt {number}: {error}")
            continue
        cooperative = cooperatives.get(receipt.canister_id)
        if cooperative is not None and receipt.method_name == "infer":
            sold += 1
            _check_sale(receipt, cooperative, topic, f"receipt {number}")
    topic.fact(f"{len(given.receipts)} proven answers, {sold} of them paid inferences that their cooperatives recorded")


def _check_sale(receipt: Receipt, cooperative: Cooperative, topic: Topic, what: str) -> None:
    method = service("cooperative").methods["infer"]
    try:
        (asked,), (answer,) = decode(receipt.content["arg"], method.arguments), decode(receipt.reply, method.results)
    except CandidError as error:
        topic.require(False, f"{what} cannot be read: {error}")
        return
    if "Ok" not in answer:
        return  # nothing was sold
    told = answer["Ok"]
    sale = cooperative.sales.get(told["block"])
    topic.require(
        sale is not None
        and sale.payer == receipt.sender
        and sale.price_e8s == told["price_e8s"]
        and sale.parts == tuple((part["owner"], part["amount_e8s"]) for part in told["parts"])
        and sale.request_hash == value_hash(to_value(asked["inputs"]))
        and sale.answer_hash == value_hash(to_value(told["outputs"]))
        and sale.manifest_hash == told["manifest_hash"],
        f"{what}: its cooperative did not record this answer in block {told['block']}",
    )
