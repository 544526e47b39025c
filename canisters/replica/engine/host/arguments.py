"""What came in and what goes back: argument, caller, reply, reject."""

from __future__ import annotations

from canisters.replica.engine.contract import Mode
from canisters.replica.engine.execution import MAX_QUERY_REPLY_BYTES, MAX_REPLY_BYTES, Execution, Trap

from .registry import ANSWERS, ANY, CALLBACKS, ic0

_WITH_ARGUMENT = Mode.INIT | Mode.UPDATE | Mode.QUERY | Mode.REPLICATED_QUERY | Mode.COMPOSITE
_WITH_ARGUMENT |= Mode.REPLY | Mode.COMPOSITE_REPLY | Mode.INSPECT
_WITH_CALLER_INFO = ANSWERS | Mode.CLEANUP | Mode.COMPOSITE_CLEANUP | Mode.INSPECT
_REJECTED = Mode.REJECT | Mode.COMPOSITE_REJECT


@ic0(">I", _WITH_ARGUMENT)
def msg_arg_data_size(execution: Execution) -> int:
    return len(execution.environment.argument)


@ic0("III>", _WITH_ARGUMENT)
def msg_arg_data_copy(execution: Execution, destination: int, offset: int, size: int) -> None:
    execution.copy_out(execution.environment.argument, destination, offset, size)


@ic0(">I", ANY)
def msg_caller_size(execution: Execution) -> int:
    return len(execution.environment.caller)


@ic0("III>", ANY)
def msg_caller_copy(execution: Execution, destination: int, offset: int, size: int) -> None:
    execution.copy_out(execution.environment.caller, destination, offset, size)


# Nothing signs a caller's details here, so both are empty, as for a caller without them on the network.
@ic0(">I", _WITH_CALLER_INFO)
def msg_caller_info_data_size(_execution: Execution) -> int:
    return 0


@ic0("III>", _WITH_CALLER_INFO)
def msg_caller_info_data_copy(execution: Execution, destination: int, offset: int, size: int) -> None:
    execution.copy_out(b"", destination, offset, size)


@ic0(">I", _WITH_CALLER_INFO)
def msg_caller_info_signer_size(_execution: Execution) -> int:
    return 0


@ic0("III>", _WITH_CALLER_INFO)
def msg_caller_info_signer_copy(execution: Execution, destination: int, offset: int, size: int) -> None:
    execution.copy_out(b"", destination, offset, size)


@ic0(">i", CALLBACKS | Mode.CLEANUP)
def msg_reject_code(execution: Execution) -> int:
    return execution.environment.reject_code


@ic0(">I", _REJECTED)
def msg_reject_msg_size(execution: Execution) -> int:
    return len(execution.environment.reject_message.encode())


@ic0("III>", _REJECTED)
def msg_reject_msg_copy(execution: Execution, destination: int, offset: int, size: int) -> None:
    execution.copy_out(execution.environment.reject_message.encode(), destination, offset, size)


@ic0(">L", Mode.UPDATE | Mode.QUERY | Mode.REPLICATED_QUERY | Mode.COMPOSITE | CALLBACKS)
def msg_deadline(execution: Execution) -> int:
    # Queries have none, whatever way they were asked.
    has_deadline = execution.mode in Mode.UPDATE | Mode.REPLY | Mode.REJECT
    return execution.environment.deadline_ns if has_deadline else 0


@ic0("II>", ANSWERS)
def msg_reply_data_append(execution: Execution, source: int, size: int) -> None:
    if execution.replied:
        raise Trap("the call has been answered already", "IC0504")
    limit = MAX_QUERY_REPLY_BYTES if execution.mode in (Mode.QUERY, Mode.COMPOSITE) else MAX_REPLY_BYTES
    if len(execution.reply) + size > limit:
        raise Trap(f"the reply is larger than {limit} bytes", "IC0504")
    execution.reply += execution.read(source, size)


@ic0(">", ANSWERS)
def msg_reply(execution: Execution) -> None:
    execution.answer(reply=bytes(execution.reply))


@ic0("II>", ANSWERS)
def msg_reject(execution: Execution, source: int, size: int) -> None:
    if size > MAX_REPLY_BYTES:
        raise Trap(f"the reject message is larger than {MAX_REPLY_BYTES} bytes", "IC0504")
    try:
        message = execution.read(source, size).decode()
    except UnicodeDecodeError as error:
        raise Trap("the reject message is not UTF-8", "IC0504") from error
    execution.answer(reject=message)


@ic0(">I", Mode.INSPECT)
def msg_method_name_size(execution: Execution) -> int:
    return len(execution.environment.method_name.encode())


@ic0("III>", Mode.INSPECT)
def msg_method_name_copy(execution: Execution, destination: int, offset: int, size: int) -> None:
    execution.copy_out(execution.environment.method_name.encode(), destination, offset, size)


@ic0(">", Mode.INSPECT)
def accept_message(execution: Execution) -> None:
    if execution.outcome.accepted:
        raise Trap("accept_message was called twice", "IC0504")
    execution.outcome.accepted = True
