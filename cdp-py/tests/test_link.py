"""Linking frames of people from Python: what goes in, what comes out, and the questions a result answers."""

import csv
import math
import os
import pathlib
import subprocess
import sys

import cdp
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

DATA = pathlib.Path(os.environ.get("CDP_DATA", pathlib.Path(__file__).parents[2] / "../shared/data"))

PEOPLE = [
    {"rec_id": "a", "first_name": "Robert", "surname": "Allen", "dob": "1971-05-24", "email": "roberta25@smith.net"},
    {"rec_id": "b", "first_name": "Rob", "surname": "Alen", "dob": "1971-05-24", "email": "roberta25@smith.net"},
    {"rec_id": "c", "first_name": "Jane", "surname": "Doe", "dob": "1980-01-30", "email": "jane@e.com"},
]


EXAMPLES = pathlib.Path(__file__).parents[2] / "examples/python"


def clusters(links):
    return links.clusters["cluster_id"]


@pytest.mark.parametrize("make", [list, pd.DataFrame, pl.DataFrame, pa.Table.from_pylist])
def test_any_frame_goes_in(make):
    links = cdp.link(make(PEOPLE))
    assert clusters(links) == ["a", "a", "c"]
    assert links.recognized == {
        "first_name": "given_name", "surname": "surname", "dob": "birth_date", "email": "email",
    }


def test_parts_of_an_explanation_add_up_exactly():
    why = cdp.link(PEOPLE).explain("a", "b")
    total = 0.0
    for part in why["parts"]:
        total += part["weight"]
    assert total == why["weight"]
    assert why["probability"] == pytest.approx(1 / (1 + 2 ** -why["weight"]))
    assert why["rules"]


def test_pairs_have_bands_and_labels_are_evaluated():
    links = cdp.link(PEOPLE)
    [pair] = list(links.pairs)
    assert (pair["left"], pair["right"], pair["linked"]) == ("a", "b", True)
    assert pair["band"] in ("auto", "review")
    assert links.evaluate({"a": 1, "b": 1, "c": 2})["clusters"]["f1"] == 1
    assert links.evaluate([{"left": "a", "right": "b", "match": True}])["clusters"]["recall"] == 1
    with pytest.raises(cdp.InvalidError):
        links.evaluate({"nobody": 1})


def test_two_frames_are_linked_one_to_one():
    other = [{"id": 7, "vorname": "Robert", "nachname": "Allen", "geburtsdatum": "24.05.1971", "mail": "roberta25@smith.net"}]
    links = cdp.link([PEOPLE[0], PEOPLE[2]], other)
    assert clusters(links) == ["a", "c", "a"]
    assert links.clusters["source"] == ["left", "left", "right"]


def two_frames_that_count_from_one(n=60):
    """The right frame has the same people in reverse order behind a stranger, so that equal identifiers differ."""
    people = [
        {
            "first_name": f"given{n}", "surname": f"sur{n * 7919 % 1009}", "email": f"p{n}@shop.example",
            "dob": f"{1940 + n % 60}-{n % 12 + 1:02}-{n % 28 + 1:02}",
        }
        for n in range(n)
    ]  # fmt: skip
    stranger = {"first_name": "zebedee", "surname": "quux", "email": "z@nowhere.example", "dob": "1901-01-01"}
    left = [{"id": number, **person} for number, person in enumerate(people, 1)]
    right = [{"id": number, **person} for number, person in enumerate([stranger, *reversed(people)], 1)]
    pairs = [{"left": one, "right": n + 2 - one, "match": True} for one in range(1, n + 1)]
    return left, right, pairs


@pytest.mark.parametrize("make", [list, pd.DataFrame, pl.DataFrame, pa.Table.from_pylist])
def test_frames_whose_identifiers_both_count_from_one_keep_their_side(make):
    left, right, pairs = two_frames_that_count_from_one()
    links = cdp.link(make(left), make(right))
    rows = list(links.clusters)
    one, other = rows[0], rows[len(left)]
    assert (one["record_id"], one["source"], one["cluster_id"]) == (1, "left", "1")
    assert (other["record_id"], other["source"], other["cluster_id"]) == (1, "right", "right:1")
    # A cluster between two frames has one record of each at most.
    for side in ("left", "right"):
        of_side = [row["cluster_id"] for row in rows if row["source"] == side]
        assert len(of_side) == len(set(of_side))
    found = links.evaluate(make(pairs))
    assert (found["true_pairs"], found["clusters"]["f1"], found["best"]["f1"]) == (len(pairs), 1, 1)
    assert links.evaluate(links.clusters)["clusters"]["f1"] == 1
    with pytest.raises(cdp.InvalidError, match="source"):
        links.evaluate({1: "ann"})
    with pytest.raises(cdp.InvalidError, match="left"):
        links.evaluate([{"record_id": 1, "cluster_id": 1, "source": "middle"}])


def test_decisions_between_frames_name_the_left_record_first():
    left, right, _ = two_frames_that_count_from_one()
    links = cdp.link(left, right, must_link=[(1, 1)], cannot_link=[(60, 2)])
    rows = {(row["source"], row["record_id"]): row["cluster_id"] for row in links.clusters}
    assert (rows["right", 1], rows["right", 2]) == ("1", "right:2")


def test_decisions_hold_and_contradictions_are_refused():
    assert clusters(cdp.link(PEOPLE, cannot_link=[("a", "b")])) == ["a", "b", "c"]
    assert clusters(cdp.link(PEOPLE, must_link=[("a", "c")]))[2] == "a"
    with pytest.raises(cdp.InvalidError):
        cdp.link(PEOPLE, must_link=[("a", "b")], cannot_link=[("b", "a")])


@pytest.mark.parametrize("rows", [[], [{}], [{"a": None}], [{"a": 1}, {"a": 2}], [{"x": "?"}] * 10, PEOPLE[:1]])
def test_tables_without_people_link_nothing(rows):
    links = cdp.link(rows, record_id=None)
    assert len(set(clusters(links))) == len(rows)
    assert len(links.pairs) == 0 or rows == [{"x": "?"}] * 10


def test_wrong_arguments_say_what_is_allowed():
    with pytest.raises(cdp.InvalidError, match="roles"):
        cdp.link(PEOPLE, columns={"surname": "family"})
    with pytest.raises(cdp.InvalidError, match="columns"):
        cdp.link(PEOPLE, columns={"nme": "surname"})
    with pytest.raises(cdp.InvalidError, match="more than once"):
        cdp.link([*PEOPLE, PEOPLE[0]])
    with pytest.raises(cdp.InvalidError):
        cdp.link(PEOPLE, linkage={"treshold": 1})


def test_labelled_people_are_found_with_defaults():
    file = DATA / "persons/splink_fake_1000.csv"
    if not file.exists():
        pytest.skip(f"SKIPPED: {file} is not there")
    with file.open(newline="") as rows:
        people = list(csv.DictReader(rows))
    links = cdp.link(people)
    found = links.evaluate({row["unique_id"]: row["cluster"] for row in people})
    assert found["clusters"]["f1"] > 0.925
    assert links.quality["verdict"] == "green"
    assert "cluster" not in [name for name, role in links.recognized.items() if role != "ignore"]
    assert all(math.isfinite(pair["weight"]) for pair in links.pairs)
    again = cdp.link(people)
    assert list(again.pairs) == list(links.pairs)
    assert again.model_bytes() == links.model_bytes()


@pytest.mark.parametrize("example", ["link.py", "link_review.py"])
def test_examples_run(example):
    ran = subprocess.run([sys.executable, EXAMPLES / example], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "precision" in ran.stdout


def test_a_model_that_a_held_out_column_contradicts_links_nothing():
    people = [
        {"given": f"g{n % 37}", "surname": f"s{n % 41}", "town": f"t{n % 4}", "number": f"{n % 5}00{n % 5}"}
        for n in range(600)
    ]
    links = cdp.link(people, columns={"number": "national_id"})
    assert links.quality["verdict"] == "red" or len(set(clusters(links))) == len(people)
