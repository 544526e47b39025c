"""The configs of the recipes as JSON Schema (2020-12), with their defaults. The page makes its form from these.

`title` is a field's label and `description` what it means; both are shown. A default is chosen for a few hundred rows on one core.
"""

from __future__ import annotations

from typing import Any

MAX_CLASSES = 100
_COLUMN = {"type": "string", "minLength": 1, "maxLength": 200}
_LABEL = {"type": "string", "minLength": 1, "maxLength": 200}

_VALUATION = {
    "title": "Valuation",
    "description": "How each contributor's data is valued: Shapley values of the utility, by retraining without and with each.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "seeds": {
            "title": "Repetitions",
            "description": "Each training is repeated with this many seeds; their spread is the interval.",
            "type": "integer",
            "minimum": 1,
            "maximum": 20,
        },
        "method": {
            "title": "Method",
            "description": "exact retrains on every group of contributors; permutation samples orders; auto is exact up to six.",
            "enum": ["auto", "exact", "permutation"],
        },
        "rounds": {
            "title": "Sampled orders",
            "description": "How many orders of the contributors the permutation method samples.",
            "type": "integer",
            "minimum": 2,
            "maximum": 10_000,
        },
        "truncation": {
            "title": "Truncation",
            "description": "The permutation method leaves an order once its utility is closer than this to that of all; 0 never does.",
            "type": "number",
            "minimum": 0,
            "maximum": 1,
        },
    },
}

_SHARED: dict[str, Any] = {
    "target": {"title": "Target column", "description": "The column that holds the class.", **_COLUMN},
    "labels": {
        "title": "Classes",
        "description": "The classes in their order; any other value is refused. Empty: those that the data has.",
        "type": ["array", "null"],
        "items": _LABEL,
        "minItems": 2,
        "maxItems": MAX_CLASSES,
        "uniqueItems": True,
    },
    "positive": {
        "title": "Positive class",
        "description": "With two classes: the one whose ranking the AUC measures. Empty: the second.",
        "type": ["string", "null"],
        "minLength": 1,
        "maxLength": 200,
    },
    "epochs": {
        "title": "Epochs",
        "description": "How often training goes through the data.",
        "type": "integer",
        "minimum": 1,
        "maximum": 2_000,
    },
    "batch_size": {
        "title": "Batch size",
        "description": "Rows in one step.",
        "type": "integer",
        "minimum": 1,
        "maximum": 65_536,
    },
    "learning_rate": {
        "title": "Learning rate",
        "description": "Step size of AdamW.",
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 10,
    },
    "weight_decay": {
        "title": "Weight decay",
        "description": "How strongly AdamW pulls weights to zero.",
        "type": "number",
        "minimum": 0,
        "maximum": 10,
    },
    "evaluation_sha256": {
        "title": "Evaluation set",
        "description": "SHA-256 (lower-case hex) of the held-out CSV file, which must be uploaded as a public blob.",
        "type": "string",
        "pattern": "^[0-9a-f]{64}$",
    },
    "evaluation_overlap": {
        "title": "Rows also in the evaluation set",
        "description": "leave_out trains without them, so that nobody is paid for a copy of the held-out set; keep suits tables of few values, where equal rows are no copies.",
        "enum": ["leave_out", "keep"],
    },
    "utility": {
        "title": "Utility",
        "description": "What a contributor's data is valued by. log_loss counts negated, so that more is better.",
        "enum": ["accuracy", "balanced_accuracy", "log_loss"],
    },
    "valuation": _VALUATION,
}
_SHARED_DEFAULTS: dict[str, Any] = {
    "target": "target",
    "labels": None,
    "positive": None,
    "weight_decay": 0.0001,
    "evaluation_sha256": "",  # the builder must name it: `checked` refuses it empty
    "evaluation_overlap": "leave_out",
    "utility": "accuracy",
    "valuation": {"seeds": 3, "method": "auto", "rounds": 60, "truncation": 0},
}


def _schema(own: dict[str, Any]) -> dict[str, Any]:
    properties = {**_SHARED, **own}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": sorted(properties),
        "properties": properties,
    }


TABULAR_MLP = _schema(
    {
        "features": {
            "title": "Feature columns",
            "description": "The numeric columns to learn from; others are not read. Empty: every column but the target.",
            "type": ["array", "null"],
            "items": _COLUMN,
            "minItems": 1,
            "maxItems": 4_096,
            "uniqueItems": True,
        },
        "hidden": {
            "title": "Hidden layers",
            "description": "Width of each hidden layer.",
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": 4_096},
            "maxItems": 8,
        },
    }
)
TABULAR_MLP_DEFAULTS = {
    **_SHARED_DEFAULTS,
    "features": None,
    "hidden": [16],
    "epochs": 60,
    "batch_size": 64,
    "learning_rate": 0.001,
}

_SIDE = {"type": "integer", "minimum": 4, "maximum": 64}
IMAGE_CNN = _schema(
    {
        "height": {"title": "Height", "description": "Rows of pixels.", **_SIDE},
        "width": {"title": "Width", "description": "Pixels in a row.", **_SIDE},
        "channels": {
            "title": "Channels",
            "description": "Feature maps of the two convolutions.",
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": 256},
            "minItems": 2,
            "maxItems": 2,
        },
        "hidden": {
            "title": "Hidden layer",
            "description": "Width of the layer between the convolutions and the answer.",
            "type": "integer",
            "minimum": 1,
            "maximum": 4_096,
        },
    }
)
IMAGE_CNN_DEFAULTS = {
    **_SHARED_DEFAULTS,
    "height": 8,
    "width": 8,
    "channels": [8, 16],
    "hidden": 32,
    "epochs": 12,
    "batch_size": 64,
    "learning_rate": 0.005,
}
