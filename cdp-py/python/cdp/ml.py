"""Text classification without a store, by scikit-learn's habits: TF-IDF and multinomial logistic regression.

    >>> from cdp.ml import TfidfLogisticRegression
    >>> texts = ["trail running shoes", "alpine hut hiking", "jazz piano", "opera and jazz"]
    >>> model = TfidfLogisticRegression().fit(texts, ["outdoor", "outdoor", "music", "music"])
    >>> list(model.predict(["running to the hut"]))
    ['outdoor']

The trainer is that of `db.train`: equal texts, labels and settings give the same model, byte for byte, in any language.
Neither numpy nor scikit-learn is needed; where numpy is installed, arrays are numpy's.
"""

from __future__ import annotations

import array
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from ._errors import InvalidError, NotFoundError
from ._native import TextModel, assign_cohorts

__all__ = ["NotFittedError", "TfidfLogisticRegression", "ZeroShotCohorts"]

_FORMAT = 1


class NotFittedError(ValueError, AttributeError):
    """The estimator was asked before `fit`; a ValueError and an AttributeError, as scikit-learn's is."""


class TfidfLogisticRegression:
    """A classifier of texts: TF-IDF values, one weight per term and class, calibrated probabilities.

    Values are those of scikit-learn's `TfidfVectorizer`, the weights those of its `LogisticRegression` at the same `C`.
    Where the defaults differ there is a reason: `C` is 10, which was better than 1 on every collection of texts that was
    measured, and `calibrate` divides logits by a temperature found on held-out rows, so that of the texts with a
    probability of 0.8 about eight of ten are right. `calibrate=False` gives scikit-learn's probabilities.

    Args:
        C: the inverse of the strength of the L2 penalty.
        max_iter: after how many iterations training stops unfinished.
        tol: training ends when no entry of the mean gradient is further from zero.
        class_weight: None, "balanced", or a weight for each class.
        analyzer: "word", "char" or "char_wb".
        ngram_range: the least and the greatest number of words or characters in a term.
        min_df: in how many documents a term must occur: a number of them, or a share as float.
        max_df: in how many documents a term may occur at most: a share as float, or a number of them.
        max_features: how many terms are kept: those that occur most often.
        sublinear_tf: whether the n-th repetition of a term counts less: `1 + ln(count)`.
        stop_words: words that are left out.
        calibrate: whether probabilities are scaled by a temperature.
        warm_start: whether `fit` starts from the weights that are there.

    Attributes:
        classes_: the classes, sorted.
        vocabulary_: term -> column.
        coef_: weights, a row for each class, or one row of two classes.
        intercept_, idf_, n_iter_, n_features_in_: as in scikit-learn.
        temperature_: what logits are divided by.
        report_: rows, iterations, `converged`, loss, held-out accuracy.
    """

    _estimator_type = "classifier"

    def __init__(
        self, *, C: float = 10.0, max_iter: int = 1000, tol: float = 1e-4, class_weight: str | Mapping[Any, float] | None = None,
        analyzer: str = "word", ngram_range: tuple[int, int] = (1, 1), min_df: float = 1, max_df: float = 1.0,
        max_features: int | None = None, sublinear_tf: bool = False, stop_words: Sequence[str] | None = None,
        calibrate: bool = True, warm_start: bool = False,
    ) -> None:  # fmt: skip
        self.C = C
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.analyzer = analyzer
        self.ngram_range = ngram_range
        self.min_df = min_df
        self.max_df = max_df
        self.max_features = max_features
        self.sublinear_tf = sublinear_tf
        self.stop_words = stop_words
        self.calibrate = calibrate
        self.warm_start = warm_start

    # Learning and asking

    def fit(self, X: Iterable[str | Sequence[str]], y: Iterable[Any], sample_weight: Iterable[float] | None = None) -> Self:
        """Learns from texts and their classes.

        Args:
            X: texts; one of them may be a list of texts, which no term spans.
            y: the class of each: texts, numbers, anything that sorts.
            sample_weight: how much each counts.

        Raises:
            InvalidError: lengths that do not match, fewer than two classes, no term in any text, a setting out of range.
        """
        texts, labels = _texts(X), _plain(y)
        classes = _sorted_classes(labels)
        names = _names(classes)
        name_of = dict(zip(classes, names, strict=True))
        weights = None if sample_weight is None else [float(weight) for weight in sample_weight]
        if isinstance(self.class_weight, Mapping):
            weights = [float(self.class_weight.get(label, 1.0)) for label in labels] if weights is None else [
                weight * float(self.class_weight.get(label, 1.0)) for weight, label in zip(weights, labels, strict=True)
            ]  # fmt: skip
        earlier = getattr(self, "_model", None) if self.warm_start else None
        self._learned(TextModel.fit(texts, [name_of[label] for label in labels], self._settings(len(texts)), weights, earlier), classes)
        return self

    def predict(self, X: Iterable[str | Sequence[str]]) -> Any:
        """The most probable class of each text; without a known term, what the intercepts say."""
        places = _numbers("I", self._fitted().places(_texts(X)))
        numpy = _numpy()
        if numpy is not None:
            return self.classes_[places]
        return [self.classes_[place] for place in places]

    def predict_proba(self, X: Iterable[str | Sequence[str]]) -> Any:
        """The probability of each class, a row for each text, in the order of `classes_`."""
        return self._rows(self._fitted().probabilities(_texts(X)))

    def predict_log_proba(self, X: Iterable[str | Sequence[str]]) -> Any:
        """The logarithm of `predict_proba`; needs numpy."""
        return _needed_numpy().log(self.predict_proba(X))

    def decision_function(self, X: Iterable[str | Sequence[str]]) -> Any:
        """The logits before the temperature, a row for each text; of two classes how far the second is ahead."""
        logits = self._rows(self._fitted().logits(_texts(X)))
        if len(self.classes_) != 2:
            return logits
        return logits[:, 1] - logits[:, 0] if _numpy() is not None else [second - first for first, second in logits]

    def score(self, X: Iterable[str | Sequence[str]], y: Iterable[Any], sample_weight: Iterable[float] | None = None) -> float:
        """The share of the texts that get their class."""
        truth, found = _plain(y), _plain(self.predict(X))
        if len(truth) != len(found):
            raise InvalidError(f"{len(found)} texts have {len(truth)} classes")
        weights = [1.0] * len(truth) if sample_weight is None else [float(weight) for weight in sample_weight]
        right = (weight for weight, actual, given in zip(weights, truth, found, strict=True) if actual == given)
        total = sum(weights)
        return sum(right) / total if total else 0.0

    def explain(self, text: str | Sequence[str], label: Any, k: int | None = None) -> dict[str, Any]:
        """Why a text has its logit for a class: `{intercept, contributions: [(term, logit)], logit}`, which add up."""
        classes = _plain(self._classes())
        if label not in classes:
            raise NotFoundError(f"the model has no class {label!r}", f"it has: {', '.join(map(str, classes))}")
        intercept, contributions, logit = self._fitted().explain(text, _names(classes)[classes.index(label)])
        return {"intercept": intercept, "contributions": contributions[:k], "logit": logit}

    def transform_tfidf(self, X: Iterable[str | Sequence[str]]) -> Any:
        """The TF-IDF values as a scipy sparse matrix, a row for each text; needs scipy."""
        from scipy.sparse import csr_matrix

        texts = _texts(X)
        starts, columns, values = self._fitted().transform(texts)
        parts = (_numbers("d", values), _numbers("I", columns), _numbers("Q", starts))
        return csr_matrix(parts, shape=(len(texts), self.n_features_in_))

    # Keeping

    def to_bytes(self) -> bytes:
        """The model in the core's versioned, checked format; equal for equal texts, labels and settings."""
        return self._fitted().to_bytes()

    @property
    def content_hash_(self) -> str:
        """BLAKE3 of `to_bytes()`."""
        return self._fitted().content_hash()

    def __getstate__(self) -> dict[str, Any]:
        state = {"format": _FORMAT, "params": self.get_params()}
        if hasattr(self, "_model"):
            state |= {"classes": _plain(self._classes()), "bytes": self._model.to_bytes()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state.get("format") != _FORMAT:
            raise InvalidError(f"a pickled estimator has format {_FORMAT}", "pickle it again with this version")
        self.__init__(**state["params"])  # type: ignore[misc]
        if "bytes" in state:
            self._learned(TextModel.from_bytes(state["bytes"]), state["classes"])

    # What scikit-learn asks of an estimator

    _PARAMETERS = (
        "C", "analyzer", "calibrate", "class_weight", "max_df", "max_features", "max_iter", "min_df", "ngram_range", "stop_words",
        "sublinear_tf", "tol", "warm_start",
    )  # fmt: skip

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings by name."""
        return {name: getattr(self, name) for name in self._PARAMETERS}

    def set_params(self, **params: Any) -> Self:
        """Changes settings; an unknown one raises."""
        for name, setting in params.items():
            if name not in self._PARAMETERS:
                raise InvalidError(f"there is no parameter {name!r}", f"it has: {', '.join(self._PARAMETERS)}")
            setattr(self, name, setting)
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier", target_tags=TargetTags(required=True), classifier_tags=ClassifierTags(),
            input_tags=InputTags(one_d_array=True, two_d_array=False, string=True),
        )  # fmt: skip

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_model")

    def __repr__(self) -> str:
        default = type(self)()
        changed = [f"{name}={own!r}" for name, own in self.get_params().items() if own != getattr(default, name)]
        return f"{type(self).__name__}({', '.join(changed)})"

    # Fitted attributes

    def _learned(self, model: TextModel, classes: list[Any]) -> None:
        self._model = model
        numpy = _numpy()
        self.classes_: Any = classes if numpy is None else _array_of(numpy, classes)
        self.report_ = model.report
        self.temperature_ = self.report_["temperature"]
        self.n_iter_: Any = [self.report_["n_iterations"]] if numpy is None else numpy.array([self.report_["n_iterations"]])

    @property
    def vocabulary_(self) -> dict[str, int]:
        return {term: column for column, term in enumerate(self._fitted().terms)}

    @property
    def n_features_in_(self) -> int:
        return len(self._fitted().terms)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The terms in the order of the columns."""
        terms = self._fitted().terms
        numpy = _numpy()
        return terms if numpy is None else numpy.array(terms, dtype=object)

    @property
    def idf_(self) -> Any:
        return _numbers("d", self._fitted().idf)

    @property
    def coef_(self) -> Any:
        """float64; of two classes the one row of the second class, as in scikit-learn. Needs numpy."""
        numpy = _needed_numpy()
        weights, _ = self._fitted().weights
        by_class = numpy.frombuffer(weights, "<f4").reshape(-1, len(self.classes_)).T.astype(float)
        return by_class[1:] - by_class[:1] if len(by_class) == 2 else by_class

    @property
    def intercept_(self) -> Any:
        """One for each class, or one of two classes. Needs numpy."""
        numpy = _needed_numpy()
        _, intercepts = self._fitted().weights
        by_class = numpy.frombuffer(intercepts, "<f4").astype(float)
        return by_class[1:] - by_class[:1] if len(by_class) == 2 else by_class

    def _fitted(self) -> TextModel:
        try:
            return self._model
        except AttributeError:
            raise NotFittedError("this TfidfLogisticRegression is not fitted yet: call fit(texts, classes) first") from None

    def _classes(self) -> Any:
        self._fitted()
        return self.classes_

    def _rows(self, numbers: bytes) -> Any:
        width = len(self.classes_)
        flat = _numbers("d", numbers)
        if _numpy() is not None:
            return flat.reshape(-1, width)
        return [flat[start : start + width].tolist() for start in range(0, len(flat), width)]

    def _settings(self, n_documents: int) -> dict[str, Any]:
        if self.class_weight is not None and not isinstance(self.class_weight, Mapping) and self.class_weight != "balanced":
            raise InvalidError('class_weight is None, "balanced" or a weight for each class')
        settings: dict[str, Any] = {
            "C": float(self.C), "max_iter": int(self.max_iter), "tol": float(self.tol), "analyzer": self.analyzer,
            "ngram_range": [int(length) for length in self.ngram_range], "sublinear_tf": bool(self.sublinear_tf),
            "min_df": max(1, _least_documents(self.min_df, n_documents)), "max_df": _greatest_share(self.max_df, n_documents),
        }  # fmt: skip
        if self.class_weight == "balanced":
            settings["class_weight"] = "balanced"
        if self.max_features is not None:
            settings["max_features"] = int(self.max_features)
        if self.stop_words is not None:
            if isinstance(self.stop_words, str):
                raise InvalidError("stop_words is a list of words", "give the words themselves")
            settings["stop_words"] = list(self.stop_words)
        if not self.calibrate:
            settings["temperature_folds"] = 0
        return settings


class ZeroShotCohorts:
    """Assigns texts to cohorts that nobody has labelled, by what the cohorts are described to be about.

    By default a text joins the cohort whose name, description and keywords share most pieces of words with it. A scorer may
    take its place: a callable `(texts, cohorts) -> [{"cohort": name or None, "score": 0 to 1}, ...]`, or JSON text of it. An
    answer of another shape, or an exception, is asked for again, up to `attempts` times with growing pauses; then the lexical
    answer stands, with the last error beside it. Five labelled texts a cohort beat it: use `TfidfLogisticRegression` then.

    Args:
        cohorts: name -> description, or dicts of `cohort`, `description` and `keywords`.
        scorer: the callable, if any.
        method: its name and version, which come back with the scores.
        min_score: below it a text has no cohort.

    Example:
        >>> cohorts = ZeroShotCohorts({"outdoor": "hiking and climbing in the mountains", "music": "concerts and instruments"})
        >>> cohorts.assign(["mountain huts"])["rows"][0]["cohort"]
        'outdoor'
    """

    def __init__(
        self, cohorts: Mapping[str, str] | Iterable[Mapping[str, Any]], *, scorer: Callable[..., object] | None = None,
        method: str = "scorer", min_score: float = 0.0, attempts: int = 5, pause_seconds: float = 0.2,
    ) -> None:  # fmt: skip
        if isinstance(cohorts, Mapping):
            self._cohorts: list[tuple[str, str, list[str]]] = [(name, description, []) for name, description in cohorts.items()]
        else:
            self._cohorts = [(one["cohort"], one.get("description", ""), list(one.get("keywords", []))) for one in cohorts]
        self._scorer, self._method, self._min_score = scorer, method, min_score
        self._attempts, self._pause_seconds = attempts, pause_seconds

    def assign(self, texts: Iterable[str]) -> dict[str, Any]:
        """`{rows: [{cohort, score}], method, coverage, attempts, last_error}`; a text like none has the cohort None."""
        return assign_cohorts(
            self._cohorts, _texts(texts), self._min_score, self._scorer, self._method, self._attempts, self._pause_seconds
        )


def _least_documents(min_df: float, n_documents: int) -> int:
    # A count stays; a share is rounded up, so that a term in fewer is left out.
    return min_df if isinstance(min_df, int) else -int(-(float(min_df) * n_documents) // 1)


def _greatest_share(max_df: float, n_documents: int) -> float:
    # Half a document more, so that no rounding takes a term away.
    return min(1.0, (max_df + 0.5) / max(1, n_documents)) if isinstance(max_df, int) else float(max_df)


def _texts(X: Iterable[str | Sequence[str]]) -> list[Any]:
    if isinstance(X, str):
        raise InvalidError("expected a list of texts, not one text", "put the text in a list: [text]")
    return X if isinstance(X, list) else list(X)


def _plain(y: Iterable[Any]) -> list[Any]:
    # numpy and pandas know how to give plain Python values.
    to_list = getattr(y, "tolist", None)
    return list(to_list()) if to_list is not None else list(y)


def _sorted_classes(labels: list[Any]) -> list[Any]:
    try:
        return sorted(set(labels))
    except TypeError as error:
        raise InvalidError("the classes do not sort", "give all of them as texts, or all as numbers") from error


def _names(classes: list[Any]) -> list[str]:
    # The core's classes are texts that are not empty and sort by code point, as Python's do; others go by their place.
    if all(isinstance(label, str) and label for label in classes):
        return list(classes)
    return [f"{place:08}" for place in range(len(classes))]


def _array_of(numpy: Any, classes: list[Any]) -> Any:
    return numpy.asarray(classes)


def _numpy() -> Any:
    if "numpy" in sys.modules:
        return sys.modules["numpy"]
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def _needed_numpy() -> Any:
    import numpy

    return numpy


_NUMPY_TYPES = {"d": "<f8", "I": "<u4", "Q": "<u8"}


def _numbers(kind: str, data: bytes) -> Any:
    numpy = _numpy()
    if numpy is not None:
        return numpy.frombuffer(data, _NUMPY_TYPES[kind])
    numbers = array.array(kind, data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
