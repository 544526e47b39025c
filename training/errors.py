"""What can go wrong in training. Every text is fit to be shown to a user and to be written on the chain.

TrainingError
|- BadConfig        `fields`: what is wrong with each field of a recipe's config
|- BadData          a file cannot be used: which dataset, line and column, and what to do
|- Stopped          the caller asked for it
|- Diverged         the loss, or a prediction, is no longer a number
|- ExportFailed     the exported network does not do what the trained one does
`- BadTranscript    bytes that are not a transcript of this version, or contradict themselves

A failed job's reason is public. So no text quotes a cell of a contributor's file: places are named, contents are not.
"""

from __future__ import annotations


class TrainingError(Exception):
    """Root of this package's errors."""


class BadConfig(TrainingError):
    """`fields`: dotted name of the field -> what is wrong with it."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in sorted(fields.items())))
        self.fields = fields


class BadData(TrainingError):
    """`dataset_id` None means the evaluation set, or what `where` says. `line` counts from 1, the header included, as editors count."""

    def __init__(
        self,
        reason: str,
        what_to_do: str,
        *,
        dataset_id: int | None,
        line: int | None = None,
        column: str | None = None,
        where: str = "the evaluation set",
    ) -> None:
        place = where if dataset_id is None else f"dataset {dataset_id}"
        if line is not None:
            place += f", line {line}"
        if column is not None:
            place += f", column '{column}'"
        super().__init__(f"{place}: {reason}. {what_to_do}.")
        self.dataset_id = dataset_id
        self.line = line
        self.column = column


class Stopped(TrainingError):
    def __init__(self) -> None:
        super().__init__("training was stopped before it was finished")


class Diverged(TrainingError):
    """`members`: the datasets that were trained on."""

    def __init__(self, what: str, members: tuple[int, ...], learning_rate: float) -> None:
        named = ", ".join(map(str, members))
        super().__init__(
            f"{what}, after training on {'dataset' if len(members) == 1 else 'datasets'} {named}. "
            f"Lower the learning rate (now {learning_rate:g}; a tenth of it is a good next try) and look for extreme values."
        )
        self.members = members


class ExportFailed(TrainingError):
    """The ONNX file is refused by the checker, uses an operator that cannot be compiled, or computes something else."""


class BadTranscript(TrainingError, ValueError):
    """Not a transcript, or one whose parts do not agree."""
