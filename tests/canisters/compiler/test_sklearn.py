"""Estimators and pipelines of scikit-learn, trained on its own data, compiled: the canister's answers are those of predict and predict_proba."""

from __future__ import annotations

import builtins
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn import (
    compose,
    datasets,
    ensemble,
    impute,
    linear_model,
    naive_bayes,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)

from canisters.compiler import CannotCompile, build_model, compile_model
from canisters.compiler.frontends.sklearn import onnx_of
from canisters.compiler.local import LocalModel
from canisters.compiler.memory import chunks

DATA = {
    "digits": datasets.load_digits, "iris": datasets.load_iris, "wine": datasets.load_wine, "cancer": datasets.load_breast_cancer, "diabetes": datasets.load_diabetes,
}  # fmt: skip


def data(name: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = DATA[name](return_X_y=True)
    return x.astype(np.float32), y


def fitted(estimator: Any, name: str) -> tuple[Any, np.ndarray]:
    """The estimator, trained on every second row, and 12 of the others."""
    x, y = data(name)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # not all of them converge in so few steps, and their answers are compared all the same
        estimator.fit(x[::2], y[::2])
    return estimator, x[1::2][:: max(1, len(x) // 24)][:12]


def answers(model: bytes, rows: np.ndarray) -> dict[str, np.ndarray]:
    built = build_model(model)
    local = LocalModel(built.module.wasm, chunks(built.plan.weights_data))
    found = [local.run({"features": row[None]}) for row in rows]
    return {name: np.concatenate([answer[name] for answer in found]) for name in found[0]}


def scaled(*steps: Any) -> Any:
    return pipeline.make_pipeline(preprocessing.StandardScaler(), *steps)


CLASSIFIERS = {
    "logistic regression": (scaled(linear_model.LogisticRegression()), "digits"),
    "two classes": (scaled(linear_model.LogisticRegression()), "cancer"),
    "decision tree": (tree.DecisionTreeClassifier(random_state=0), "wine"),
    "random forest": (ensemble.RandomForestClassifier(30, random_state=0), "digits"),
    "random forest of two classes": (ensemble.RandomForestClassifier(20, random_state=0), "cancer"),
    "extra trees": (ensemble.ExtraTreesClassifier(10, random_state=0), "wine"),
    "gradient boosting": (ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0), "iris"),
    "gradient boosting of two classes": (ensemble.GradientBoostingClassifier(n_estimators=20, random_state=0), "cancer"),
    "histogram boosting": (ensemble.HistGradientBoostingClassifier(max_iter=10, random_state=0), "digits"),
    "perceptron of layers": (scaled(neural_network.MLPClassifier((32, 16), max_iter=60, random_state=0)), "digits"),
    "min-max, imputed": (pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.MinMaxScaler(), linear_model.LogisticRegression()), "wine"),
    "normalised": (pipeline.make_pipeline(preprocessing.Normalizer(), linear_model.LogisticRegression()), "iris"),
    "columns apart": (
        pipeline.make_pipeline(
            compose.ColumnTransformer([("a", preprocessing.StandardScaler(), [0, 3]), ("b", preprocessing.RobustScaler(), [1, 2])]), linear_model.LogisticRegression()
        ),
        "iris",
    ),
    "naive Bayes": (naive_bayes.GaussianNB(), "iris"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_answers_as_it_was_trained_to(name: str) -> None:
    estimator, rows = fitted(*CLASSIFIERS[name])

    found = answers(onnx_of(estimator, rows.shape[1]), rows)

    np.testing.assert_array_equal(found["label"], estimator.predict(rows))
    np.testing.assert_allclose(found["probabilities"], estimator.predict_proba(rows), rtol=2e-4, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kernel", "name"), [("rbf", "digits"), ("poly", "wine"), ("linear", "cancer"), ("sigmoid", "cancer")]
)
def test_a_support_vector_machine_decides_as_it_was_trained_to(kernel: str, name: str) -> None:
    estimator, rows = fitted(scaled(svm.SVC(kernel=kernel)), name)

    found = answers(onnx_of(estimator, rows.shape[1]), rows)

    np.testing.assert_array_equal(found["label"], estimator.predict(rows))
    decided = estimator.decision_function(rows)
    # Of two classes skl2onnx gives the decision and its negative.
    scores = np.stack([decided, -decided], axis=1) if decided.ndim == 1 else decided
    np.testing.assert_allclose(found["probabilities"], scores, rtol=2e-3, atol=2e-4)


REGRESSORS = {
    "linear": linear_model.LinearRegression(),
    "lasso": linear_model.Lasso(0.1),
    "decision tree": tree.DecisionTreeRegressor(random_state=0),
    "random forest": ensemble.RandomForestRegressor(20, random_state=0),
    "gradient boosting": ensemble.GradientBoostingRegressor(n_estimators=20, random_state=0),
    "histogram boosting": ensemble.HistGradientBoostingRegressor(max_iter=10, random_state=0),
    "support vectors": scaled(svm.SVR()),
    "perceptron of layers": scaled(neural_network.MLPRegressor(hidden_layer_sizes=(16,), max_iter=30, random_state=0)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REGRESSORS)
def test_a_regressor_predicts_as_it_was_trained_to(name: str) -> None:
    estimator, rows = fitted(REGRESSORS[name], "diabetes")

    found = answers(onnx_of(estimator, rows.shape[1]), rows)

    np.testing.assert_allclose(found["variable"].ravel(), estimator.predict(rows), rtol=1e-4)


@pytest.mark.slow
def test_gaps_go_where_histogram_boosting_sends_them() -> None:
    x, y = data("wine")
    x[np.random.default_rng(0).random(x.shape) < 0.2] = np.nan
    estimator = ensemble.HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(x, y)

    found = answers(onnx_of(estimator, 13), x[::7])

    np.testing.assert_array_equal(found["label"], estimator.predict(x[::7]))
    np.testing.assert_allclose(found["probabilities"], estimator.predict_proba(x[::7]), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_forest_of_a_hundred_trees_costs_less_than_the_pages_that_it_touches() -> None:
    estimator, rows = fitted(ensemble.RandomForestClassifier(100, random_state=0), "digits")

    compiled = compile_model(onnx_of(estimator, rows.shape[1]))

    assert compiled.cost.kernel_instructions < 60_000
    assert compiled.cost.weights_bytes < 300_000
    assert compiled.cost.kernel_instructions < compiled.cost.page_charges


def refusal(estimator: Any, features: int = 4) -> CannotCompile:
    with pytest.raises(CannotCompile) as caught:
        onnx_of(estimator, features)
    assert caught.value.what_to_do
    return caught.value


def test_what_answers_differently_or_not_at_all_is_refused() -> None:
    x, y = data("iris")
    words = np.array(["setosa", "versicolor", "virginica"])[y]

    assert "no fitted estimator" in refusal(linear_model.LogisticRegression()).reason
    assert "no fitted estimator" in refusal("a string").reason
    assert "fitted on 4 features" in refusal(linear_model.LinearRegression().fit(x, y), 5).reason
    assert "its labels are" in refusal(tree.DecisionTreeClassifier().fit(x, words)).reason
    largest = pipeline.make_pipeline(preprocessing.Normalizer("max"), linear_model.LinearRegression()).fit(x, y)
    assert "largest magnitude" in refusal(largest).reason
    assert "skl2onnx cannot convert it" in refusal(_Unknown().fit(x, y)).reason


class _Unknown(linear_model.LinearRegression):
    """An estimator that no converter knows."""


def test_without_skl2onnx_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name.startswith("skl2onnx"):
            raise ImportError(name)
        return plain(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)

    assert refusal(linear_model.LinearRegression()).what_to_do == "Install it: pip install skl2onnx"
