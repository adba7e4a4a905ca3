"""The public face: every verb of the core, its errors, and the life of a store."""

import inspect
import json
import multiprocessing
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import cdp
from cdp import _errors, _native

# Methods that are no verbs: they act on the handle.
ON_THE_HANDLE = {"interrupt", "register_scorer"}


def test_every_verb_is_a_method_and_every_method_a_verb() -> None:
    methods = {name for name, _ in inspect.getmembers(cdp.Cdp, inspect.isfunction) if not name.startswith("_")}
    verbs = {name for name, _, _ in _native.VERBS}

    assert methods - ON_THE_HANDLE == verbs | {"close", "ingest"}


def test_every_verb_is_documented_and_takes_the_parameters_of_the_table() -> None:
    collecting = {"identify", "track", "page", "screen", "group", "alias", "ingest"}
    for name, _, parameters in _native.VERBS:
        method = getattr(cdp.Cdp, name)
        assert inspect.getdoc(method), name
        if name not in collecting:
            assert set(parameters) <= set(inspect.signature(method).parameters), name


def test_importing_needs_no_other_package() -> None:
    script = "import sys, cdp; print([m for m in ('numpy', 'pandas', 'polars', 'pyarrow') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.strip() == "[]"


def test_a_closed_store_says_so_and_closing_twice_is_fine() -> None:
    with cdp.open() as db:
        assert not db.closed
    db.close()

    assert db.closed
    with pytest.raises(cdp.ClosedError) as caught:
        db.track("Product Added", user_id="u1")
    assert caught.value.code == caught.value.kind == "closed"


def test_each_kind_has_its_class() -> None:
    for kind, error in _errors.KINDS.items():
        raised = _errors.from_parts(kind, "what", "hint", "/0", (("/0", "what"),))
        assert type(raised) is error
        assert raised.kind == kind
        copied = pickle.loads(pickle.dumps(raised))
        assert (copied.hint, copied.pointer, copied.faults) == (raised.hint, raised.pointer, raised.faults)
    assert issubclass(cdp.InvalidError, ValueError)


def test_an_error_carries_its_hint_and_every_fault(db: cdp.Cdp) -> None:
    with pytest.raises(cdp.InvalidError) as caught:
        db.define([{"name": "no kind"}, {"name": "nor here"}])

    assert caught.value.pointer == caught.value.faults[0].pointer
    assert len(caught.value.faults) == 2
    db.define({"kind": "audience", "name": "french", "rule": {"trait": "country", "op": "eq", "value": "France"}})
    with pytest.raises(cdp.NotFoundError) as missing:
        db.members("no_such")
    assert missing.value.hint


def test_a_verb_takes_exactly_one_identifier(db: cdp.Cdp) -> None:
    db.identify(user_id="u1", traits={"country": "France"})

    assert db.profile({"user_id": "u1"}) == db.profile(user_id="u1")
    for wrong in [{}, {"user_id": "u1", "email": "x@example.com"}]:
        with pytest.raises(cdp.InvalidError):
            db.profile(**wrong)
    with pytest.raises(cdp.InvalidError):
        db.profile({"user_id": "u1"}, user_id="u1")


def test_a_collecting_verb_takes_keywords_or_one_message(db: cdp.Cdp) -> None:
    receipt = db.track("Product Added", user_id="u1", properties={"sku": "s1"})
    assert receipt.accepted == 1
    assert receipt.profile_id

    assert db.track({"event": "Product Added", "userId": "u1"}).accepted == 1
    with pytest.raises(cdp.InvalidError):
        db.track({"event": "Product Added", "userId": "u1"}, properties={})


def test_definitions_come_from_a_file_or_a_folder(db: cdp.Cdp, tmp_path: Path) -> None:
    feature = {"kind": "feature", "name": "orders", "event": "Order Completed", "agg": "count"}
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "b.json").write_text(json.dumps([{**feature, "name": "orders_b"}]))
    (tmp_path / "a.json").write_text(json.dumps(feature))

    assert sorted(found["name"] for found in db.define(str(tmp_path))) == ["orders", "orders_b"]
    assert [found["name"] for found in db.define(tmp_path / "a.json")] == ["orders"]
    with pytest.raises(cdp.NotFoundError):
        db.define(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(cdp.InvalidError, match=r"bad\.json"):
        db.define(tmp_path)


def test_a_store_is_not_pickled() -> None:
    with cdp.open() as db, pytest.raises(TypeError, match="open its path again"):
        pickle.dumps(db)


def test_results_read_as_attributes_and_survive_pickling(db: cdp.Cdp) -> None:
    db.identify(user_id="u1", traits={"country": "<b>France</b>"})
    person = db.profile(user_id="u1")

    assert pickle.loads(pickle.dumps(person)) == person
    assert dict(person)["traits"] == person["traits"] == person.to_dict()["traits"]
    assert "France" not in repr(person)
    assert "<b>" not in person._repr_html_()
    with pytest.raises(AttributeError, match="traits"):
        _ = person.trait


def _use_in_child(db: cdp.Cdp, answers: "multiprocessing.Queue[str]") -> None:
    try:
        db.profile(user_id="u1")
        answers.put("no error")
    except cdp.ClosedError as error:
        answers.put(str(error))


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="only where processes fork")
def test_a_forked_child_must_open_the_store_again(db: cdp.Cdp) -> None:
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    child = fork.Process(target=_use_in_child, args=(db, answers))
    child.start()
    answer = answers.get(timeout=30)
    child.join()

    assert "open the store again in the child" in answer
    assert db.profile(user_id="u1") is None


def test_threads_share_a_store(db: cdp.Cdp) -> None:
    threads = [threading.Thread(target=lambda n=n: db.identify(user_id=f"u{n}", traits={"n": n})) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [db.profile(user_id=f"u{n}").traits["n"] for n in range(8)] == list(range(8))
