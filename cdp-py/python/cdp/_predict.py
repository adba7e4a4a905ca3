"""The verbs about cohorts and predictions: train, ask, judge, explain, keep and hand on models.

Every rule lives in the core. This file only gathers arguments and names results; it must never judge a value itself.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

from ._results import Frame, ModelReport, Prediction
from ._verbs import Identifier, Time, Verbs, one_identifier


class PredictVerbs(Verbs):
    """What `cdp.Cdp` learns and predicts."""

    def train(self, predictor: str, *, until: Time | None = None, known: Time | None = None) -> ModelReport:
        """Trains a predictor on the facts known now and stores the model as a new version.

        Cohorts by TF-IDF and multinomial logistic regression (scikit-learn's formulas), a propensity by standardized logistic
        regression on rows as of three instants. Described cohorts need no training; with `similarity: "lsa"` it learns from the
        store which words are alike (latent semantic analysis), and it asks the registered scorer about every text without an
        answer. Who denied `ml_training` is left out; `withheld` counts them.

        A propensity learns from three instants that lie a horizon apart. A row is built from facts that had happened by its
        instant and were recorded by then. At instants before the store recorded the label's event for the first time, loaded
        history counts instead: what was recorded up to the last of those facts of the label's event that had happened by that
        first recording. What was recorded behind it, such as a flag dated back, may know the outcome and does not count. The
        report's `instants` say what each gave: `at`, `rows`, `positives`, `left_out` (messages recorded too late).

        Args:
            until: where the last label window of a propensity ends; by default at the latest fact of the label's event. The
                report's `until` says where.
            known: what was recorded by this time counts as history, known as soon as it had happened. For history that was
                loaded in several files, those of the label's event not last.

        Raises:
            NotFoundError: no such predictor.
            InvalidError: too few labels to learn from, `until` in the future, or an option that the predictor does not have.

        Example:
            >>> db.train("buys_soon", until="2024-06-30T00:00:00Z")["until"]
        """
        return ModelReport(self._call("train", predictor=predictor, until=until, known=known))

    def predict(
        self, predictor: str, identifier: Identifier | None = None, *, text: str | None = None, top_k: int | None = None, **ids: Any
    ) -> Prediction | None:
        """The cohort or propensity of a person, or of a text, with its scores between 0 and 1; None if nobody matches.

        `method` says what answered: `rule`, `model` (probabilities that add up to one), `lexical/1` or `lsa/1` (cosines), or the
        method of a registered scorer; `last_error` why that was not believed. `label` is the class the person is labelled with.

        Example:
            >>> db.predict("interest_cohort", text="trail running, alpine huts").cohort
        """
        if text is None or identifier is not None or ids:
            identifier = one_identifier("predict", identifier, ids)
        found = self._call("predict", predictor=predictor, identifier=identifier, text=text, top_k=top_k)
        return None if found is None else Prediction(found)

    def register_scorer(
        self, predictor: str, scorer: Callable[[list[str], list[dict[str, Any]]], object] | None, *, method: str = "scorer",
        attempts: int = 5, pause_seconds: float = 0.2,
    ) -> None:  # fmt: skip
        """Lets a callable speak for the described cohorts of a predictor while this process has the store open.

        `train` asks it about every text of the store that has no answer yet and keeps the answers; `predict` asks it about a
        text without a kept answer. An exception, or an answer of another shape, is asked for again with growing pauses; then
        likeness of words answers, and `last_error` says why.

        Args:
            scorer: `(texts, cohorts) -> [{"cohort": name or None, "score": 0 to 1}, ...]`, one for each text, or JSON text of
                it; `cohorts` are dicts of `cohort`, `description` and `keywords`. None takes the scorer away.
            method: its name and version, which are kept with each score.
            attempts: how often a batch of texts is asked about at most.
            pause_seconds: the first pause between attempts; each further one is twice as long.

        Raises:
            NotFoundError: no such predictor.
            InvalidError: a predictor without described cohorts.

        Example:
            >>> db.register_scorer("taste", lambda texts, cohorts: ask_my_model(texts, cohorts), method="my-model/3")
        """
        self._store.register_scorer(predictor, scorer, method, attempts, pause_seconds)

    def cohort_members(self, predictor: str, cohort: str, *, limit: int | None = None, after: str | None = None) -> Frame:
        """The people of a cohort, highest score first, with the method that scored each and the class each is labelled with."""
        return self._frame("cohort_members", predictor=predictor, cohort=cohort, limit=limit, after=after)

    def models(self, predictor: str | None = None) -> Any:
        """The trained models, newest last, each with its version and report."""
        return self._call("models", predictor=predictor)

    def evaluate(self, predictor: str, *, folds: int | None = None, split: str | None = None) -> Any:
        """Judges a predictor on the facts of now; stores nothing.

        A cohort predictor on labelled profiles that each model did not see: accuracy, precision, recall and F1 by class,
        confusion, log loss, Brier, reliability. A propensity predictor on its latest instant, beside the trivial rule.

        Args:
            folds: how many; 5 by default.
            split: "stratified" spreads the classes evenly; "time" learns from people seen earlier and tests on later ones.
        """
        return self._call("evaluate", predictor=predictor, folds=folds, split=split)

    def explain_prediction(
        self, predictor: str, identifier: Identifier | None = None, *, text: str | None = None, cohort: str | None = None,
        top_k: int | None = None, **ids: Any,
    ) -> Any:  # fmt: skip
        """Why a person or a text has its score: `intercept` and `contributions` add up to the `logit` (of described cohorts to
        the likeness).

        Args:
            cohort: the class to explain; the most probable one by default.
            top_k: keeps the strongest contributions.
        """
        if text is None or identifier is not None or ids:
            identifier = one_identifier("explain_prediction", identifier, ids)
        return self._call(
            "explain_prediction", predictor=predictor, identifier=identifier, text=text, cohort=cohort, top_k=top_k
        )

    def drift(self, predictor: str) -> Any:
        """How far what the model sees now has moved from what it was trained on, column by column.

        Up to 1000 reference rows by a test (Kolmogorov-Smirnov of numbers, chi-square of categories; drifted at p < 0.05), beyond
        by a distance (Wasserstein in standard deviations, Jensen-Shannon; drifted from 0.1), with the population stability index
        beside it; of texts also the vocabulary and the share of unknown terms.
        """
        return self._call("drift", predictor=predictor)

    def similar(
        self, identifiers: Iterable[Identifier], *, k: int | None = None, predictor: str | None = None, embedding: str | None = None
    ) -> Frame:
        """The people most like some others, the nearest first, compared exactly; a look-alike audience of several seeds.

        Args:
            identifiers: one dict with one key for each seed.
            k: how many; 10 by default.
            predictor: compares the texts of this cohort predictor.
            embedding: compares the numbers in this trait instead.
        """
        return self._frame("similar", identifiers=list(identifiers), k=k, predictor=predictor, embedding=embedding)

    def activate_model(self, predictor: str, version: int | None = None) -> ModelReport:
        """Puts an older version of a model back, or the one before the latest, as a new version with the same content."""
        return ModelReport(self._call("activate_model", predictor=predictor, version=version))

    def export_model(self, predictor: str, version: int | None = None, *, min_df: int | None = None) -> bytes:
        """A model in its versioned, checked format: the latest version, or one.

        Args:
            min_df: terms of fewer documents stay behind, because a rare word may name a person; 5 by default.
        """
        text: str = self._call("export_model", predictor=predictor, version=version, min_df=min_df)
        return base64.b64decode(text)

    def import_model(self, predictor: str, data: bytes | str) -> ModelReport:
        """Takes in a model that `export_model` gave, here or elsewhere, as the next version.

        Args:
            data: the bytes, or their base64 text as other languages may hand it on.

        Raises:
            CorruptError: damaged bytes.
            IncompatibleError: bytes of something else, or of another format.
            InvalidError: a model of another task or other features.
        """
        text = data if isinstance(data, str) else base64.b64encode(data).decode("ascii")
        return ModelReport(self._call("import_model", predictor=predictor, data=text))
