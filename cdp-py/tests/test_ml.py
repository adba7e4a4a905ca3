"""`cdp.ml` without a store: scikit-learn's habits, its values, and what a hostile caller may give."""

import json
import math
import pickle
import random
import threading

import numpy
import pytest

import cdp
from cdp.ml import NotFittedError, TfidfLogisticRegression, ZeroShotCohorts

SUBJECTS = {
    "outdoor": "trail alpine hut boots mountain rope",
    "music": "jazz piano opera boots record concert",
    "cooking": "bread oven knife opera dough spice",
}


def texts(n: int, seed: int = 1) -> tuple[list[str], list[str]]:
    chance = random.Random(seed)
    labels = [chance.choice(sorted(SUBJECTS)) for _ in range(n)]
    return [" ".join(chance.choices(SUBJECTS[label].split(), k=4) + [f"n{chance.randrange(40)}", "shared"]) for label in labels], labels


@pytest.fixture(scope="module")
def fitted() -> TfidfLogisticRegression:
    return TfidfLogisticRegression().fit(*texts(300))


def test_a_model_learns_and_answers(fitted: TfidfLogisticRegression) -> None:
    assert list(fitted.classes_) == ["cooking", "music", "outdoor"]
    assert list(fitted.predict(["Alpine HUTS and rope", "opera piano"])) == ["outdoor", "music"]
    probabilities = fitted.predict_proba(["alpine", "", "東京 🏔"])
    assert probabilities.shape == (3, 3)
    assert numpy.allclose(probabilities.sum(axis=1), 1)
    assert fitted.score(*texts(200, seed=2)) > 0.95
    assert fitted.report_["converged"] and fitted.n_iter_[0] > 0
    assert 0.2 <= fitted.temperature_ <= 5


def test_contributions_add_up_to_the_logit(fitted: TfidfLogisticRegression) -> None:
    text = "jazz boots shared unknown"
    for place, label in enumerate(fitted.classes_):
        why = fitted.explain(text, label)
        assert math.isclose(why["intercept"] + sum(part for _, part in why["contributions"]), why["logit"], abs_tol=1e-12)
        assert math.isclose(fitted.decision_function([text])[0][place], why["logit"], abs_tol=1e-12)
    with pytest.raises(cdp.NotFoundError):
        fitted.explain(text, "sailing")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sublinear_tf": True, "min_df": 2},
        {"ngram_range": (1, 3), "max_features": 60},
        {"analyzer": "char_wb", "ngram_range": (2, 4)},
        {"analyzer": "char", "ngram_range": (1, 3)},
        {"min_df": 0.02, "max_df": 0.5},
        {"max_df": 90, "stop_words": ["opera", "n3"]},
    ],
)
def test_values_are_those_of_scikit_learn(settings: dict[str, object]) -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text", reason="scikit-learn is optional; make installs it")
    train, labels = texts(200)
    train += ["Ünïcode Ärger  STRASSE  straße", "a b cc", "tab\tand\n\nlines", "", "Ελλάς ΕΛΛΆΣ", "x_y 12 3 n1 n1 n1"]
    labels += ["music"] * 6
    theirs = text.TfidfVectorizer(**settings)
    expected = theirs.fit_transform(train)

    ours = TfidfLogisticRegression(calibrate=False, **settings).fit(train, labels)

    if "max_features" not in settings:  # ties at the border are cut differently
        assert list(ours.get_feature_names_out()) == list(theirs.get_feature_names_out())
        assert ours.vocabulary_ == theirs.vocabulary_
        assert abs(ours.transform_tfidf(train) - expected).max() < 1e-9
        assert numpy.abs(ours.idf_ - theirs.idf_).max() < 1e-12
    assert ours.n_features_in_ == expected.shape[1]


@pytest.mark.parametrize("C", [0.5, 10.0])
@pytest.mark.parametrize("class_weight", [None, "balanced", {"music": 3.0}])
@pytest.mark.parametrize("classes", [2, 3])
def test_weights_are_those_of_scikit_learn(C: float, class_weight: object, classes: int) -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is optional; make installs it")
    train, labels = texts(240)
    kept = [place for place, label in enumerate(labels) if classes == 3 or label != "cooking"]
    train, labels = [train[place] for place in kept], [labels[place] for place in kept]
    weights = [1.0 + place % 3 for place in range(len(train))]
    ours = TfidfLogisticRegression(C=C, class_weight=class_weight, tol=1e-8, calibrate=False)
    ours.fit(train, labels, sample_weight=None if class_weight == "balanced" else weights)
    values = ours.transform_tfidf(train)
    theirs = linear.LogisticRegression(C=C, class_weight=class_weight, tol=1e-8, max_iter=5000)
    theirs.fit(values, labels, sample_weight=None if class_weight == "balanced" else weights)

    assert list(theirs.classes_) == list(ours.classes_)
    assert ours.coef_.shape == theirs.coef_.shape and ours.intercept_.shape == theirs.intercept_.shape
    assert numpy.abs(ours.predict_proba(train) - theirs.predict_proba(values)).max() < 1e-4
    assert numpy.abs(ours.coef_ - theirs.coef_).max() < 2e-3
    difference = ours.decision_function(train) - theirs.decision_function(values)
    assert numpy.abs(difference).max() < 5e-3


def test_it_is_an_estimator_of_scikit_learn() -> None:
    pytest.importorskip("sklearn", reason="sklearn is optional; make installs it")
    from sklearn.base import clone, is_classifier
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    train, labels = texts(150)
    model = TfidfLogisticRegression(C=3.0)
    assert is_classifier(model) and clone(model).get_params() == model.get_params()
    assert model.set_params(C=2.0).C == 2.0
    with pytest.raises(cdp.InvalidError):
        model.set_params(gamma=1)
    assert cross_val_score(model, train, labels, cv=3).mean() > 0.9
    pipeline = make_pipeline(FunctionTransformer(lambda some: [text.upper() for text in some]), model)
    assert pipeline.fit(train, labels).score(train, labels) > 0.9
    search = GridSearchCV(TfidfLogisticRegression(), {"C": [1.0, 10.0]}, cv=3).fit(train, labels)
    assert search.best_score_ > 0.9


def test_pickling_goes_by_the_models_own_bytes(fitted: TfidfLogisticRegression) -> None:
    sample = texts(20, seed=9)[0]
    copy = pickle.loads(pickle.dumps(fitted))
    assert copy.to_bytes() == fitted.to_bytes() and copy.content_hash_ == fitted.content_hash_
    assert (copy.predict_proba(sample) == fitted.predict_proba(sample)).all()
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(pickle.loads(pickle.dumps(TfidfLogisticRegression(C=4))), "classes_")
    state = fitted.__getstate__()
    damaged = bytearray(state["bytes"])
    damaged[len(damaged) // 2] ^= 1
    with pytest.raises(cdp.CorruptError):
        TfidfLogisticRegression().__setstate__({**state, "bytes": bytes(damaged)})


def test_the_order_of_rows_and_the_number_of_threads_do_not_change_a_byte(fitted: TfidfLogisticRegression) -> None:
    rows = list(zip(*texts(300), strict=True))
    random.Random(4).shuffle(rows)
    hashes: list[str] = []
    fits = [
        threading.Thread(target=lambda: hashes.append(TfidfLogisticRegression().fit(*map(list, zip(*rows, strict=True))).content_hash_))
        for _ in range(4)
    ]
    for one in fits:
        one.start()
    for one in fits:
        one.join()
    assert set(hashes) == {fitted.content_hash_} and len(hashes) == 4


def test_a_store_trains_the_same_model() -> None:
    train, labels = texts(80)
    db = cdp.open()
    db.define({"kind": "predictor", "name": "p", "task": "cohort", "text": [{"trait": "interests"}], "label": {"trait": "cohort"}})
    db.ingest(
        [
            {"type": "identify", "userId": f"u{place}", "messageId": f"m{place}", "traits": {"interests": text, "cohort": label}}
            for place, (text, label) in enumerate(zip(train, labels, strict=True))
        ]
    )
    assert db.train("p")["content_hash"] == TfidfLogisticRegression().fit(train, labels).content_hash_


def test_classes_may_be_anything_that_sorts() -> None:
    train, labels = texts(60)
    numbers = [{"cooking": 7, "music": -1, "outdoor": 30}[label] for label in labels]
    model = TfidfLogisticRegression().fit(train, numpy.array(numbers))
    assert list(model.classes_) == [-1, 7, 30] and model.predict(["jazz piano"])[0] == -1
    assert TfidfLogisticRegression().fit(train, [label == "music" for label in labels]).predict(["jazz piano"])[0]
    assert set(TfidfLogisticRegression().fit(train, ["" if label == "music" else label for label in labels]).classes_) == {"", "cooking", "outdoor"}


def test_a_document_may_be_a_list_of_texts_that_no_term_spans() -> None:
    model = TfidfLogisticRegression(ngram_range=(2, 2)).fit([["over the", "hills"], ["far away", "at sea"]], ["a", "b"])
    assert list(model.get_feature_names_out()) == ["at sea", "far away", "over the"]


def test_a_warm_start_needs_fewer_iterations_to_the_same_answer() -> None:
    train, labels = texts(300)
    cold = TfidfLogisticRegression(tol=1e-7, calibrate=False).fit(train, labels)
    warm = TfidfLogisticRegression(tol=1e-7, calibrate=False, warm_start=True).fit(train, labels)
    warm.fit(train + ["piano fjord"], [*labels, "music"])
    assert warm.n_iter_[0] < cold.n_iter_[0] and "fjord" in warm.vocabulary_
    again = TfidfLogisticRegression(tol=1e-7, calibrate=False).fit(train + ["piano fjord"], [*labels, "music"])
    assert numpy.abs(again.predict_proba(train) - warm.predict_proba(train)).max() < 1e-4


def test_what_cannot_be_learned_is_a_typed_error() -> None:
    train, labels = texts(20)
    cases = [
        ([], []), (["one"], ["a"]), (train, ["a"] * 20), (train, labels[:-1]), (["", "!"], ["a", "b"]), ("one text", ["a"]),
        (train, [1, "a"] * 10),
    ]  # fmt: skip
    for some, classes in cases:
        with pytest.raises(cdp.InvalidError):
            TfidfLogisticRegression().fit(some, classes)
    for settings in [{"C": 0}, {"C": math.nan}, {"tol": -1}, {"ngram_range": (2, 1)}, {"analyzer": "byte"}, {"class_weight": "even"}, {"min_df": 99}]:
        with pytest.raises(cdp.InvalidError):
            TfidfLogisticRegression(**settings).fit(train, labels)
    for weights in [[math.nan] * 20, [-1.0] * 20, [0.0] * 20, [1.0] * 3]:
        with pytest.raises(cdp.InvalidError):
            TfidfLogisticRegression().fit(train, labels, sample_weight=weights)
    with pytest.raises(TypeError):
        TfidfLogisticRegression().fit([1, 2], ["a", "b"])
    for asked in ("predict", "predict_proba", "decision_function", "to_bytes"):
        with pytest.raises(NotFittedError):
            getattr(TfidfLogisticRegression(), asked)(*([] if asked == "to_bytes" else [["x"]]))


def test_two_documents_are_enough_and_extremes_do_no_harm() -> None:
    model = TfidfLogisticRegression().fit(["jazz", "hut"], ["music", "outdoor"])
    assert list(model.predict(["jazz!", "hut hut"])) == ["music", "outdoor"]
    long = TfidfLogisticRegression().fit(["a" * 5_000_000, "jazz " * 200_000], ["x", "y"])
    assert list(long.predict(["jazz"])) == ["y"]
    rare = TfidfLogisticRegression().fit(["common word"] * 500 + ["rare bird"], ["c"] * 500 + ["r"])
    assert list(rare.predict(["rare bird", "common", ""])) == ["r", "c", "c"]


COHORTS = {"outdoor": "hiking and climbing in the mountains", "music": "concerts, instruments and jazz"}


def test_described_cohorts_need_no_labels() -> None:
    found = ZeroShotCohorts(COHORTS).assign(["mountain huts", "a jazz concert", "東京", ""])
    assert [row["cohort"] for row in found["rows"]] == ["outdoor", "music", None, None]
    assert (found["method"], found["coverage"], found["attempts"]) == ("lexical/1", 0.5, 0)
    with pytest.raises(cdp.InvalidError):
        ZeroShotCohorts({}).assign(["x"])


def test_a_scorer_is_believed_only_where_it_answers_soundly() -> None:
    calls: list[int] = []

    def scorer(texts: list[str], cohorts: list[dict[str, object]]) -> object:
        calls.append(len(texts))
        if len(calls) < 3:
            raise ConnectionError("secret text")
        return [{"cohort": cohorts[1]["cohort"], "score": 0.8} for _ in texts]

    found = ZeroShotCohorts(COHORTS, scorer=scorer, method="mine/2", pause_seconds=0).assign(["x", "y"])
    assert (found["method"], found["attempts"], found["rows"][0]) == ("mine/2", 3, {"cohort": "music", "score": 0.8})
    lies: list[object] = [None, "not json", [], [{"cohort": "sailing", "score": 1}], [{"cohort": "music", "score": math.nan}]]
    for lie in [*lies, [{"cohort": "music", "score": 2}], lambda: 1]:
        found = ZeroShotCohorts(COHORTS, scorer=lambda *_: lie, pause_seconds=0).assign(["a jazz concert"])  # noqa: B023
        assert (found["method"], found["attempts"], found["rows"][0]["cohort"]) == ("lexical/1", 5, "music")
        assert found["last_error"] and "jazz" not in found["last_error"]


def learning_store() -> cdp.Cdp:
    db = cdp.open(clock="2024-06-01T00:00:00Z", id_seed="ml")
    db.define({"kind": "predictor", "name": "p", "task": "cohort", "text": [{"trait": "interests"}], "label": {"trait": "cohort"}})
    rows = enumerate(zip(*texts(90), strict=True))
    db.ingest([
        {"type": "identify", "userId": f"u{place}", "messageId": f"m{place}", "timestamp": "2024-01-01T00:00:00Z",
         "traits": {"interests": text, "cohort": label, "vector": [len(text), 1.5]}}
        for place, (text, label) in rows
    ])  # fmt: skip
    return db


def test_models_are_judged_explained_watched_and_put_back() -> None:
    db = learning_store()
    with pytest.raises(cdp.NotFoundError):
        db.drift("p")
    first = db.train("p")
    assert first["data_hash"] and first["parent"] is None
    judged = db.evaluate("p", folds=3)
    assert judged["accuracy"] > 0.9 and judged["rows"] == 90 and len(judged["confusion"]) == 3

    why = db.explain_prediction("p", user_id="u1", top_k=2)
    whole = db.explain_prediction("p", text="jazz boots", cohort="music")
    assert len(why["contributions"]) == 2
    assert math.isclose(whole["intercept"] + sum(part["logit"] for part in whole["contributions"]), whole["logit"], abs_tol=1e-9)
    assert db.explain_prediction("p", user_id="nobody") is None

    drift = db.drift("p")
    assert drift["drifted"] is False and {column["column"] for column in drift["columns_drift"]} == {"vocabulary", "known_terms", "confidence", "cohorts"}

    near = db.similar([{"user_id": "u1"}, {"user_id": "u2"}], k=5, predictor="p")
    assert len(near) == 5 and not {"u1", "u2"} & {row["user_id"] for row in near.to_dicts()}
    scores = [row["score"] for row in db.similar([{"user_id": "u1"}], embedding="vector").to_dicts()]
    assert scores == sorted(scores, reverse=True) and len(scores) == 10 and scores[0] <= 1 + 1e-12

    db.identify(user_id="new", traits={"interests": "fjord sailing", "cohort": "outdoor"}, message_id="new")
    second = db.train("p")
    assert second["parent"] == first["content_hash"] != second["content_hash"]
    back = db.activate_model("p")
    assert (back["version"], back["restores"], back["content_hash"]) == (3, 1, first["content_hash"])
    assert db.predict("p", text="fjord").cohort is None
    assert db.activate_model("p", 2)["content_hash"] == second["content_hash"]
    with pytest.raises(cdp.NotFoundError):
        db.activate_model("p", 99)


def test_a_model_travels_as_bytes_and_nothing_else_is_taken_for_one() -> None:
    db = learning_store()
    report = db.train("p")
    data = db.export_model("p", min_df=1)
    assert len(db.export_model("p")) < len(data)
    with pytest.raises(cdp.InvalidError):
        db.export_model("p", min_df=1000)
    other = cdp.open()
    other.define({"kind": "predictor", "name": "p", "task": "cohort", "text": [{"trait": "interests"}], "label": {"trait": "cohort"}})
    assert other.import_model("p", data)["content_hash"] == report["content_hash"]
    assert other.predict("p", text="jazz piano") == db.predict("p", text="jazz piano")
    chance = random.Random(3)
    for _ in range(200):
        damaged = bytearray(data)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        with pytest.raises((cdp.CorruptError, cdp.IncompatibleError)):
            other.import_model("p", bytes(damaged[: chance.choice([len(damaged), len(damaged) // 2])]))
    assert len(other.models("p")) == 1


def test_a_likelihood_is_learned_without_looking_ahead_and_refused_on_too_little() -> None:
    db = cdp.open(clock="2024-06-01T00:00:00Z", id_seed="ml")
    db.define([
        {"kind": "feature", "name": "views", "event": "Viewed", "agg": "count", "within": "20d"},
        {"kind": "predictor", "name": "buys", "task": "propensity", "features": ["views"], "label": {"event": "Bought", "horizon": "20d"}},
    ])  # fmt: skip
    with pytest.raises(cdp.InvalidError, match="at least 100"):
        db.train("buys")
    chance = random.Random(5)
    rows = []
    for person in range(400):
        for period in range(4):
            views = chance.randrange(6)
            for view in range(views):
                rows.append((person, "Viewed", period * 20 + 2 + view))
            if chance.random() < views / 6:
                rows.append((person, "Bought", period * 20 + 30))
    db.ingest([
        {"type": "track", "userId": f"u{person}", "event": event, "messageId": f"{place}", "timestamp": f"2024-0{1 + day // 28}-{1 + day % 28:02}T00:00:00Z"}
        for place, (person, event, day) in enumerate(rows)
    ])  # fmt: skip
    report = db.train("buys")
    assert report["validation"]["roc_auc"] > report["baseline"]["roc_auc"] and report["validation"]["roc_auc"] > 0.7
    assert report["n_rows"] > 1000 and report["percentiles"]["p90"] > report["percentiles"]["p10"]
    prediction = db.predict("buys", user_id="u1")
    assert 0 < prediction.score < 1 and 0 <= prediction["percentile"] <= 1
    why = db.explain_prediction("buys", user_id="u1")
    assert math.isclose(1 / (1 + math.exp(-why["logit"])), prediction.score, abs_tol=1e-9)
    assert {column["column"] for column in db.drift("buys")["columns_drift"]} == {"views", "score"}
    assert db.import_model("buys", db.export_model("buys"))["content_hash"] == report["content_hash"]


TASTE = {
    "kind": "predictor", "name": "taste", "task": "cohort", "text": [{"trait": "interests"}],
    "cohorts": [{"cohort": name, "description": description} for name, description in COHORTS.items()],
}  # fmt: skip


def described_store() -> cdp.Cdp:
    db = cdp.open(clock="2024-02-01T00:00:00Z", id_seed="scorers")
    db.define([TASTE, {"kind": "audience", "name": "listeners", "rule": {"cohort": "taste", "is": "music"}}])
    for user, interests in {"u1": "mountain huts", "u2": "a jazz concert", "u3": "unheard of"}.items():
        db.identify(user_id=user, traits={"interests": interests}, timestamp="2024-01-01T00:00:00Z")
    return db


def test_a_registered_scorer_is_asked_once_about_each_text_and_its_answers_stay() -> None:
    db = described_store()
    asked: list[list[str]] = []

    def scorer(texts: list[str], cohorts: list[dict[str, object]]) -> object:
        asked.append(texts)
        assert cohorts[0] == {"cohort": "outdoor", "description": COHORTS["outdoor"], "keywords": []}
        return json.dumps([{"cohort": "music", "score": 0.75} for _ in texts])

    db.register_scorer("taste", scorer, method="mine/2")
    assert db.predict("taste", text="new words")["method"] == "mine/2"
    report = db.train("taste")
    assert (report["asked"], report["answered"], report["attempts"], report["last_error"]) == (3, 3, 1, None)
    assert report["scorer"] == "mine/2" and report["coverage"] == 1
    asked.clear()
    said = db.predict("taste", user_id="u3")
    assert (said.cohort, said.score, said.method, said.model_version) == ("music", 0.75, "mine/2", 1)
    assert [row["user_id"] for row in db.cohort_members("taste", "music")] == ["u1", "u2", "u3"]
    assert {row["method"] for row in db.table("cohort_scores")} == {"mine/2"}
    assert [row["user_id"] for row in db.members("listeners", columns=["user_id"])] == ["u1", "u2", "u3"]
    assert asked == []
    db.identify(user_id="u1", traits={"interests": "alpine mountains"}, timestamp="2024-01-02T00:00:00Z")
    assert [row["method"] for row in db.cohort_members("taste", "outdoor")] == ["lexical/1"]
    assert db.train("taste")["asked"] == 1 and asked == [["alpine mountains"]]
    db.register_scorer("taste", None)
    # Kept answers stay with their method; texts without one go by likeness.
    assert db.predict("taste", user_id="u3").method == "mine/2"
    assert db.predict("taste", text="jazz").method == "lexical/1"
    assert db.verify()["ok"]


def test_a_failing_or_lying_scorer_loses_nothing() -> None:
    def fails(texts: list[str], cohorts: list[dict[str, object]]) -> object:
        raise ConnectionError("secret text")

    lies = [fails, lambda *_: "no json", lambda *_: [], lambda texts, _: [{"cohort": "sailing", "score": 1}] * len(texts)]
    for lie in [*lies, lambda texts, _: [{"cohort": "music", "score": math.inf}] * len(texts)]:
        db = described_store()
        db.register_scorer("taste", lie, pause_seconds=0)
        said = db.predict("taste", user_id="u2")
        assert (said.cohort, said.method) == ("music", "lexical/1") and said.last_error and "secret" not in said.last_error
        report = db.train("taste")
        assert (report["attempts"], report["answered"], report["answers"]) == (5, 0, 0) and report["last_error"]
        assert db.models("taste")[0]["last_error"] == report["last_error"]
        assert [row["user_id"] for row in db.cohort_members("taste", "music")] == ["u2"]
    with pytest.raises(cdp.NotFoundError):
        db.register_scorer("none", fails)
    with pytest.raises(cdp.InvalidError):
        db.register_scorer("taste", fails, pause_seconds=-1)


def test_a_person_who_denied_ml_training_is_not_shown_to_a_scorer() -> None:
    db = described_store()
    db.consent({"user_id": "u2"}, purpose="ml_training", status="denied", timestamp="2024-01-02T00:00:00Z")
    asked: list[str] = []

    def scorer(texts: list[str], cohorts: list[dict[str, object]]) -> object:
        asked.extend(texts)
        return [{"cohort": None, "score": 0} for _ in texts]

    db.register_scorer("taste", scorer, method="mine/2")
    assert db.train("taste")["withheld"] == 1
    assert db.predict("taste", user_id="u2").method == "lexical/1"
    assert sorted(asked) == ["mountain huts", "unheard of"]


def test_a_scorer_may_ask_the_store() -> None:
    db = described_store()

    def scorer(texts: list[str], cohorts: list[dict[str, object]]) -> object:
        assert db.stats()["messages"] >= 3
        db.track("Scored", user_id="u1")
        return [{"cohort": "music", "score": 1} for _ in texts]

    db.register_scorer("taste", scorer)
    assert db.train("taste")["answered"] == 3 and db.predict("taste", text="other").cohort == "music"
