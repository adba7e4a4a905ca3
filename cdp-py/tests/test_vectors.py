"""The shared vectors in `tests/vectors` through both doors of the package: the verb table, and the methods people call.

`tests/tests/vectors.rs` says what a vector is; this runs the same files and must find the same fingerprints.
"""

import datetime as dt
import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

import cdp

FOLDER = Path(__file__).parents[2] / "tests" / "vectors"
FILES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
VECTORS = [
    pytest.param(file.get("given", {}), vector, id=f"{name}/{vector['name']}")
    for name, file in FILES.items()
    if "vectors_format" in file
    for vector in file["vectors"]
]
MESSAGES = ("identify", "track", "page", "screen", "group", "alias")


@pytest.mark.parametrize("door", ["table", "methods"])
@pytest.mark.parametrize(("given", "vector"), VECTORS)
def test_every_vector_gives_what_it_says(given: dict[str, Any], vector: dict[str, Any], door: str) -> None:
    failures, fingerprint = run(given, vector, door)
    if "pending" in vector:
        assert failures, "the vector passes; remove its `pending`"
        pytest.xfail(vector["pending"])
    for order in orders(len(permuted(vector)["with"]["data"]))[1:] if vector.get("permutations") else []:
        found, of_order = run(given, vector, door, order)
        failures += [f"in the order {order}: {failure}" for failure in found]
        if of_order != fingerprint:
            failures.append(f"in the order {order}: the fingerprint differs")
    assert failures == []
    assert fingerprint == vector["fingerprint"]


def permuted(vector: dict[str, Any]) -> dict[str, Any] | None:
    return next((step for step in vector["steps"] if step["call"] == "ingest"), None)


def orders(n: int) -> list[list[int]]:
    """Up to three messages in every order; more as they are, reversed and in three shuffles."""
    as_they_are = list(range(n))
    if n <= 3:
        return [list(order) for order in permutations(as_they_are)]
    found, random = [as_they_are, as_they_are[::-1]], 1
    for _ in range(3):
        order = as_they_are.copy()
        for last in range(n - 1, 0, -1):
            random = random * 75 % 65_537
            other = random % (last + 1)
            order[last], order[other] = order[other], order[last]
        found.append(order)
    return found


def run(given: dict[str, Any], vector: dict[str, Any], door: str, order: list[int] | None = None) -> tuple[list[str], str]:
    """Runs a vector once. Gives what was wrong, and the fingerprint at the end."""
    failures: list[str] = []
    setting = {**given, **vector}
    with cdp.open(clock=setting.get("clock"), id_seed=setting.get("id_seed")) as db:
        definitions = given.get("definitions", []) + vector.get("definitions", [])
        if definitions:
            db.define(definitions)
        for number, step in enumerate(given.get("steps", []) + vector["steps"], 1):
            place = f"step {number} {step['call']}"
            of_step = order if step is permuted(vector) else None
            try:
                actual = call(db, step, door, of_step)
            except cdp.CdpError as error:
                if "error" not in step:
                    failures.append(f"{place}: {error}")
                else:
                    failures += differences(step["error"], error_value(error), place)
                continue
            if "error" in step:
                failures.append(f"{place}: no error")
            elif "expect" in step and of_step is None:
                failures += differences(step["expect"], actual, place)
        verified = db.verify()
        if not verified["ok"]:
            failures.append(f"verify: {verified}")
        return failures, db.fingerprint()


def call(db: cdp.Cdp, step: dict[str, Any], door: str, order: list[int] | None) -> Any:
    verb, request = step["call"], dict(step.get("with", {}))
    if "input" in step:
        return plain(db.ingest(step["input"].encode(), **request))
    data = request.get("data")
    if isinstance(data, dict) and "$repeat" in data:
        template = data["$repeat"]["template"]
        request["data"] = [numbered(template, i) for i in range(data["$repeat"]["n"])]
    if order is not None:
        request["data"] = [request["data"][index] for index in order]
    if door == "table":
        return plain(db._store.call(verb, request))
    if verb in MESSAGES:
        return plain(getattr(db, verb)(request))
    method = getattr(db, verb, None)
    if method is None:
        raise cdp.NotFoundError(f"there is no method `{verb}`")
    return plain(method(**request))


def numbered(template: Any, i: int) -> Any:
    if isinstance(template, str):
        return template.replace("{i}", str(i))
    if isinstance(template, list):
        return [numbered(item, i) for item in template]
    if isinstance(template, dict):
        return {name: numbered(field, i) for name, field in template.items()}
    return template


def plain(answer: Any) -> Any:
    """An answer as JSON has it: frames as `{rows, next, ...}`, records as dicts, instants as text."""
    if isinstance(answer, (cdp.Frame, cdp._native.Frame)):
        rows = [plain(answer.row(n) if isinstance(answer, cdp._native.Frame) else answer[n]) for n in range(len(answer))]
        return {**plain(answer.about), "rows": rows, "next": answer.next}
    if isinstance(answer, dict):
        return {name: plain(field) for name, field in answer.items()}
    if isinstance(answer, (list, tuple)):
        return [plain(item) for item in answer]
    if isinstance(answer, dt.datetime):
        return answer.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return plain(answer.to_dict()) if hasattr(answer, "to_dict") else answer


def error_value(error: cdp.CdpError) -> dict[str, Any]:
    faults = [fault._asdict() for fault in error.faults]
    return {"kind": error.kind, "message": error.message, "hint": error.hint, "pointer": error.pointer, "faults": faults}


def equal(left: Any, right: Any) -> bool:
    # As JSON: 1 is 1.0, and True is neither.
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def differences(expected: Any, actual: Any, place: str) -> list[str]:
    differ = [f"{place}: expected {json.dumps(expected)}, found {json.dumps(actual)}"]
    special = expected if isinstance(expected, dict) else {}
    if "$exact" in special:
        return [] if equal(special["$exact"], actual) else differ
    if isinstance(actual, list) and "$count" in special:
        return [] if special["$count"] == len(actual) else differ
    if isinstance(actual, list) and "$set" in special:
        rest = list(actual)
        for wanted in special["$set"]:
            found = next((n for n, item in enumerate(rest) if not differences(wanted, item, "")), None)
            if found is None:
                return differ
            del rest[found]
        return differ if rest else []
    if isinstance(expected, dict) and isinstance(actual, dict):
        missing = [f"{place}.{name}: expected {json.dumps(field)}, found nothing" for name, field in expected.items() if name not in actual]
        return missing + [
            difference for name in expected.keys() & actual.keys() for difference in differences(expected[name], actual[name], f"{place}.{name}")
        ]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [difference for n, (item, found) in pairs for difference in differences(item, found, f"{place}[{n}]")]
    return [] if equal(expected, actual) else differ
