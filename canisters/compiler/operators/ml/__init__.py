"""Operators of the domain ai.onnx.ml: what classical models (scikit-learn, LightGBM, XGBoost) are exported to.

Where the specification leaves room, the answer is ONNX Runtime's; a form of which the two make different things is refused. Labels are
integers: a canister's interface has no tensors of strings.
"""

from . import features, linear, svm, trees

__all__ = ["features", "linear", "svm", "trees"]

# What to do about operators that have no place in a canister.
ADVICE = {
    "ZipMap": "Export without it: skl2onnx.to_onnx(model, ..., options={'zipmap': False})",
    "CastMap": "Give the model a row of numbers",
    "DictVectorizer": "Give the model a row of numbers",
    "CategoryMapper": "Keep integers in the model and the names outside",
    "FeatureVectorizer": "Join the columns before the model: one input of one row",
}
