"""What a canister may know of itself and of the network."""

from __future__ import annotations

from canisters.replica.engine.contract import Mode
from canisters.replica.engine.execution import Execution, Trap

from .registry import ANY, ANY_AND_START, REPLICATED, ic0

_NON_REPLICATED_QUERY = Mode.QUERY | Mode.COMPOSITE
_NON_REPLICATED = (
    _NON_REPLICATED_QUERY | Mode.COMPOSITE_REPLY | Mode.COMPOSITE_REJECT | Mode.COMPOSITE_CLEANUP | Mode.INSPECT
)
_WITH_ROOT_KEY = REPLICATED | Mode.REPLICATED_QUERY | Mode.CLEANUP


@ic0(">I", ANY)
def canister_self_size(execution: Execution) -> int:
    return len(execution.environment.canister_id)


@ic0("III>", ANY)
def canister_self_copy(execution: Execution, destination: int, offset: int, size: int) -> None:
    execution.copy_out(execution.environment.canister_id, destination, offset, size)


@ic0(">I", ANY)
def subnet_self_size(execution: Execution) -> int:
    return len(execution.environment.subnet_id)


@ic0("III>", ANY)
def subnet_self_copy(execution: Execution, destination: int, offset: int, size: int) -> None:
    execution.copy_out(execution.environment.subnet_id, destination, offset, size)


@ic0(">i", ANY)
def canister_status(execution: Execution) -> int:
    return execution.environment.canister_status


@ic0(">L", ANY)
def canister_version(execution: Execution) -> int:
    return execution.environment.canister_version


@ic0(">I", _WITH_ROOT_KEY)
def root_key_size(execution: Execution) -> int:
    return len(execution.environment.root_key)


@ic0("III>", _WITH_ROOT_KEY)
def root_key_copy(execution: Execution, destination: int, offset: int, size: int) -> None:
    execution.copy_out(execution.environment.root_key, destination, offset, size)


@ic0(">i", ANY)
def data_certificate_present(execution: Execution) -> int:
    return int(execution.environment.data_certificate is not None)


def _certificate(execution: Execution) -> bytes:
    if execution.environment.data_certificate is None:
        raise Trap("no data certificate is at hand here: ask data_certificate_present first", "IC0504")
    return execution.environment.data_certificate


@ic0(">I", _NON_REPLICATED_QUERY)
def data_certificate_size(execution: Execution) -> int:
    return len(_certificate(execution))


@ic0("III>", _NON_REPLICATED_QUERY)
def data_certificate_copy(execution: Execution, destination: int, offset: int, size: int) -> None:
    execution.copy_out(_certificate(execution), destination, offset, size)


@ic0(">L", ANY)
def time(execution: Execution) -> int:
    return execution.environment.time_ns


@ic0("i>L", ANY_AND_START, 200)
def performance_counter(execution: Execution, counter: int) -> int:
    used = execution.instructions_used()
    if counter == 0:
        return used
    if counter == 1:
        return execution.environment.context_instructions + used
    raise Trap(f"there is no performance counter {counter}")


@ic0("II>i", ANY_AND_START, 1000)
def is_controller(execution: Execution, source: int, size: int) -> int:
    if size > 29:
        raise Trap("not a principal: it has more than 29 bytes")
    return int(execution.environment.is_controller(execution.read(source, size)))


@ic0(">i", ANY_AND_START)
def in_replicated_execution(execution: Execution) -> int:
    return int(execution.mode not in _NON_REPLICATED)


def _variable(execution: Execution, index: int) -> tuple[str, str]:
    variables = execution.environment.environment_variables
    if index >= len(variables):
        raise Trap(f"there is no environment variable number {index}")
    return variables[index]


def _named(execution: Execution, source: int, size: int) -> str | None:
    name = execution.read(source, size)
    for known, value in execution.environment.environment_variables:
        if known.encode() == name:
            return value
    return None


def _required(execution: Execution, source: int, size: int) -> bytes:
    value = _named(execution, source, size)
    if value is None:
        raise Trap("there is no environment variable of that name")
    return value.encode()


@ic0(">I", ANY)
def env_var_count(execution: Execution) -> int:
    return len(execution.environment.environment_variables)


@ic0("I>I", ANY)
def env_var_name_size(execution: Execution, index: int) -> int:
    return len(_variable(execution, index)[0].encode())


@ic0("IIII>", ANY)
def env_var_name_copy(execution: Execution, index: int, destination: int, offset: int, size: int) -> None:
    execution.copy_out(_variable(execution, index)[0].encode(), destination, offset, size)


@ic0("II>i", ANY)
def env_var_name_exists(execution: Execution, source: int, size: int) -> int:
    return int(_named(execution, source, size) is not None)


@ic0("II>I", ANY)
def env_var_value_size(execution: Execution, source: int, size: int) -> int:
    return len(_required(execution, source, size))


@ic0("IIIII>", ANY)
def env_var_value_copy(
    execution: Execution, source: int, name_size: int, destination: int, offset: int, size: int
) -> None:
    execution.copy_out(_required(execution, source, name_size), destination, offset, size)
