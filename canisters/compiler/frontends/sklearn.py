"""A trained scikit-learn estimator or pipeline to ONNX bytes, through skl2onnx: one row in, labels and probabilities or predictions out.

Names of outputs: `label` and `probabilities`, or `variable`. Where an estimator has no probabilities these are its decision values; a support
vector machine of two classes gives the decision and its negative, in this order, whatever the label: read the label. What skl2onnx would convert
to something that answers differently is refused here.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

from canisters.compiler.errors import CannotCompile

OPSET = 20
ML_OPSET = 3
INPUT_NAME = "features"
_NEEDED = "Install it: pip install skl2onnx"


def onnx_of(estimator: Any, n_features: int) -> bytes:
    """`estimator`: fitted; `n_features`: numbers in one row, which the model takes as `features`, float32 (1, n_features).

    Raises: CannotCompile, with the step that cannot be converted.
    """
    try:
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType
    except ImportError as error:
        raise CannotCompile("scikit-learn", "the package skl2onnx is missing", _NEEDED) from error
    _require_convertible(estimator, n_features)
    given = [(INPUT_NAME, FloatTensorType([1, n_features]))]
    asked: dict[str, Any] = {
        "initial_types": given, "target_opset": {"": OPSET, "ai.onnx.ml": ML_OPSET}, "custom_conversion_functions": _corrected(),
    }  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the converter's, about its own future
            try:
                model = convert_sklearn(estimator, options=_without_map(estimator), **asked)
            except NameError:  # what an estimator without probabilities says to that option
                model = convert_sklearn(estimator, **asked)
    except Exception as error:  # skl2onnx raises whatever comes: RuntimeError, NotImplementedError, its own
        said = " ".join(str(error).split())[:300].rstrip(". ")
        raise CannotCompile(
            _name(estimator), f"skl2onnx cannot convert it: {said}", "Train it with another estimator"
        ) from error
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _without_map(estimator: Any) -> dict[int, dict[str, bool]]:
    """Probabilities as a tensor: an option of the outermost classifier."""
    outer = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    return {id(outer): {"zipmap": False}} if hasattr(outer, "classes_") else {}


class _WholeNumbers:
    """skl2onnx's container, given integers where its converter of histogram boosting writes Python's bools, which protobuf refuses."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, *arguments: Any, **attributes: Any) -> Any:
        name = "nodes_missing_value_tracks_true"
        if name in attributes:
            attributes[name] = [int(value) for value in attributes[name]]
        return self._container.add_node(*arguments, **attributes)


def _corrected() -> dict[type, Any]:
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common._registration import get_converter
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    def of(kind: type) -> Any:
        convert = get_converter(sklearn_operator_name_map[kind])
        return lambda scope, operator, container: convert(scope, operator, _WholeNumbers(container))

    return {kind: of(kind) for kind in (HistGradientBoostingClassifier, HistGradientBoostingRegressor)}


def _steps(estimator: Any) -> Iterator[Any]:
    yield estimator
    inner = [step for _, step in getattr(estimator, "steps", ())]
    inner += [part[1] for part in getattr(estimator, "transformers_", ())]
    inner += [part[1] for part in getattr(estimator, "transformer_list", ())]
    for step in inner:
        if not isinstance(step, str):
            yield from _steps(step)


def _name(estimator: Any) -> str:
    return type(estimator).__name__


def _require_convertible(estimator: Any, n_features: int) -> None:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError) as error:
        raise CannotCompile(_name(estimator), "it is no fitted estimator", "Call its fit() first") from error
    wanted = getattr(estimator, "n_features_in_", n_features)
    if n_features != wanted:
        raise CannotCompile(
            _name(estimator), f"it was fitted on {wanted} features, not {n_features}", f"Give n_features={wanted}"
        )
    for step in _steps(estimator):
        labels = getattr(step, "classes_", None)
        if labels is not None and getattr(labels, "dtype", None) is not None and labels.dtype.kind not in "iub":
            raise CannotCompile(
                _name(step),
                f"its labels are {labels.dtype}",
                "Train it on integers (sklearn.preprocessing.LabelEncoder) and keep the names outside",
            )
        if _name(step) == "Normalizer" and step.norm == "max":
            raise CannotCompile(
                "Normalizer",
                "ONNX divides by the largest value, scikit-learn by the largest magnitude",
                'Use norm="l2" or MaxAbsScaler',
            )
