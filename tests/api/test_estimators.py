"""Classifier and Regressor are estimators of scikit-learn and train as ``dlcourse.train`` does."""

import pickle
import tempfile
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import dlcourse
from dlcourse import Classifier, Regressor, UserError

QUICK = {"runtime": "cpu", "optim.lr": 0.03, "model.widths": [16]}
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "repeated examples make other batches",
    "check_no_attributes_set_in_init": "options besides the signature are parameters as well",
}
IRIS = load_iris(return_X_y=True)


def classifier(**options):
    return Classifier(max_epochs=8, batch_size=16, **QUICK | options)


@parametrize_with_checks(
    [classifier(), Regressor(max_epochs=8, batch_size=16, **QUICK)],
    expected_failed_checks=lambda estimator: EXPECTED,
)
def test_the_estimator_passes_a_check_of_scikit_learn(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


@pytest.mark.parametrize("kind", [Classifier, Regressor])
def test_parameters_of_the_signature_are_all_that_is_set_in_init(kind):
    from sklearn.utils.estimator_checks import check_no_attributes_set_in_init

    check_no_attributes_set_in_init(kind.__name__, kind(model="mlp", max_epochs=3))
    with pytest.raises(AssertionError):
        check_no_attributes_set_in_init(kind.__name__, kind(**{"optim.lr": 0.1}))


def test_options_are_parameters_in_every_form():
    made = Classifier("model=mlp", "optim.lr=0.1", max_epochs=3, optim__momentum=0.9, optim="sgd")
    given = made.get_params()
    assert given["model"] == "mlp"
    assert given["optim.lr"] == "0.1"
    assert given["optim.momentum"] == 0.9
    assert given["max_epochs"] == 3
    assert clone(made).get_params() == given
    made.set_params(**{"optim.lr": 0.2})
    assert made.get_params()["optim.lr"] == 0.2
    assert "optim.lr=0.2" in repr(made)
    with pytest.raises(UserError, match="not an option"):
        Classifier("mlp")


def test_a_fit_gives_the_weights_of_a_run_on_the_same_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y = IRIS
    X = X.astype(np.float32)
    np.savez("iris.npz", x_train=X, y_train=y, x_test=X, y_test=y)
    options = ["split.fraction=0", "monitor=train/loss", "mode=min", "stop=never", "observe=[]"]
    run = dlcourse.train(
        "data=npz", "data.root=.", "data.file=iris.npz", "model=mlp", *options, max_epochs=8,
        batch_size=16, quiet=True, folder="run", **QUICK,
    )  # fmt: skip
    expected = run.predict(X).numpy()
    np.testing.assert_allclose(classifier().fit(X, y).predict_proba(X), expected, atol=1e-6)
    other = classifier(random_state=1).fit(X, y).predict_proba(X)
    assert np.abs(other - expected).max() > 1e-3, "another seed has other weights"


def test_a_search_finds_the_better_rate_also_in_a_pipeline():
    search = GridSearchCV(classifier(), {"optim.lr": [1e-6, 0.03]}, cv=3).fit(*IRIS)
    assert search.best_params_ == {"optim.lr": 0.03}
    assert search.best_score_ > 0.9
    for key in ("classifier__optim.lr", "classifier__optim__lr"):
        pipeline = make_pipeline(StandardScaler(), classifier())
        pipeline.set_params(**{key: 1e-6})
        assert pipeline.named_steps["classifier"].get_params()["optim.lr"] == 1e-6
    scores = cross_val_score(make_pipeline(StandardScaler(), classifier()), *IRIS, cv=3)
    assert scores.min() > 0.85


def test_threads_get_the_scores_of_fits_one_after_another():
    alone = cross_val_score(classifier(), *IRIS, cv=3)
    with joblib.parallel_backend("threading"):
        together = cross_val_score(classifier(), *IRIS, cv=3, n_jobs=2)
    assert np.array_equal(alone, together)


def test_other_tools_of_scikit_learn_take_the_estimator():
    frame = load_iris(as_frame=True)
    names = frame.target_names[frame.target]
    made = classifier().fit(frame.data, names)
    assert list(made.classes_) == sorted(set(names))
    assert list(made.feature_names_in_) == list(frame.data.columns)
    assert set(made.predict(frame.data)) == set(names)
    with pytest.raises(ValueError, match="feature names"):
        made.predict(frame.data.rename(columns={frame.data.columns[0]: "other"}))
    importance = permutation_importance(made, frame.data, names, n_repeats=2, random_state=0)
    assert importance.importances_mean.argmax() >= 2, "petals decide"
    assert cross_val_predict(classifier(), *IRIS, cv=2, method="predict_proba").shape == (150, 3)


def test_a_pickle_predicts_the_same_and_holds_no_folder(tmp_path):
    before = set(Path(tempfile.gettempdir()).glob("dlcourse_*"))
    made = classifier().fit(*IRIS)
    again = pickle.loads(pickle.dumps(made))
    assert "_opened" not in vars(again)
    assert np.array_equal(made.predict_proba(IRIS[0]), again.predict_proba(IRIS[0]))
    joblib.dump(made, tmp_path / "classifier.joblib")
    assert joblib.load(tmp_path / "classifier.joblib").score(*IRIS) == made.score(*IRIS)
    assert set(Path(tempfile.gettempdir()).glob("dlcourse_*")) <= before
    assert made.n_iter_ == len(made.history_) == 8


def test_images_in_rows_are_trained_by_a_network_for_images():
    X, y = load_digits(return_X_y=True)
    made = Classifier("model=convnet", max_epochs=5, shape=(1, 8, 8), runtime="cpu")
    assert made.fit(X[:300], y[:300]).score(X[:300], y[:300]) > 0.5
    assert made.n_features_in_ == 64
    with pytest.raises(ValueError, match="shape="):
        clone(made).set_params(shape=(1, 16, 16)).fit(X[:300], y[:300])


def test_several_classes_and_several_values_have_a_column_each():
    X = IRIS[0]
    several = np.stack([X[:, 2] > 3, X[:, 3] > 1, X[:, 0] > 6], 1).astype(int)
    made = classifier().fit(X, several)
    assert made.predict(X).shape == several.shape
    assert (made.predict(X) == several).mean() > 0.8
    regressor = Regressor(max_epochs=20, batch_size=16, **QUICK)
    values = X[:, 2:] * 1000 + 50_000
    assert regressor.fit(X[:, :2], values).score(X[:, :2], values) > 0.6
    assert regressor.predict(X[:5, :2]).shape == (5, 2)


def test_examples_of_weight_0_do_not_count():
    X, y = IRIS
    wrong = np.where(np.arange(150) % 2, y, 0)
    weights = (np.arange(150) % 2).astype(float)
    right = np.mean(classifier().fit(X, wrong, sample_weight=weights).predict(X) == y)
    assert right > 0.9 > np.mean(classifier().fit(X, wrong).predict(X) == y)


def test_examples_are_held_out_if_asked_for(tmp_path):
    folder = tmp_path / "run"
    made = classifier(folder=folder, **{"split.fraction": 0.2, "stop": "patience"}).fit(*IRIS)
    assert "val/accuracy" in made.history_[0]
    run = dlcourse.load(folder)
    assert run.result["examples"]["val"] == 30
    assert np.array_equal(run.predict(IRIS[0].astype(np.float32)).argmax(1), made.predict(IRIS[0]))
    with pytest.raises(UserError, match="finished run"):
        made.fit(*IRIS)
    with pytest.raises(UserError, match="cross_val_score"):
        classifier(split="kfold").fit(*IRIS)


def test_a_table_of_text_or_a_missing_value_is_refused():
    frame = pd.DataFrame({"a": [1.0, np.nan, 2.0], "b": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="NaN"):
        classifier().fit(frame, [0, 1, 0])
    with pytest.raises(ValueError, match="one class"):
        classifier().fit(frame.fillna(0), [1, 1, 1])
