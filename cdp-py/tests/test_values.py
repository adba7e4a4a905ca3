"""Python values survive the way into the store and back, and what cannot be stored says so."""

import collections
import datetime as dt
import enum
import itertools
import types
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

import cdp

MARS = dt.timezone(dt.timedelta(hours=2, minutes=30))


class Plan(enum.Enum):
    BUSINESS = "business"


class Level(enum.IntEnum):
    HIGH = 3


people = itertools.count()


def round_trip(db: cdp.Cdp, value: object) -> object:
    # Another person each time: the clock stands still, so two writes of one trait would be in no order.
    user_id = f"p{next(people)}"
    db.identify(user_id=user_id, traits={"seen": [value]})
    return db.profile(user_id=user_id).traits["seen"][0]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (None, None),
        (True, True),
        (0, 0),
        (-1, -1),
        (2**53 + 1, 2**53 + 1),
        (2**63, 2**63),
        (10**20, 10**20),
        (0.1, 0.1),
        (1e19, 10**19),
        (17850.0, 17850),
        (Decimal("12.50"), 12.5),
        (Decimal("1E+2"), 100),
        ("é\U0001f600\x00\n", "é\U0001f600\x00\n"),
        (dt.datetime(2011, 12, 10, 2, 30), "2011-12-10T02:30:00.000Z"),
        (dt.datetime(2011, 12, 10, 2, 30, tzinfo=MARS), "2011-12-10T00:00:00.000Z"),
        (dt.datetime(2024, 7, 1, 12, 0, 0, 1999, tzinfo=ZoneInfo("Europe/Paris")), "2024-07-01T10:00:00.001Z"),
        (dt.date(2011, 12, 10), "2011-12-10T00:00:00.000Z"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Plan.BUSINESS, "business"),
        (Level.HIGH, 3),
        ((1, "a"), [1, "a"]),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        (frozenset({2, 1}), [1, 2]),
        ({"k": {"l": [1]}}, {"k": {"l": [1]}}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
    ],
)
def test_a_value_is_kept(db: cdp.Cdp, given: object, stored: object) -> None:
    found = round_trip(db, given)

    assert found == stored
    assert type(found) is type(stored)


def test_numpy_values_are_kept(db: cdp.Cdp) -> None:
    np = pytest.importorskip("numpy", reason="numpy is optional; make installs it")
    for given, stored in [
        (np.int64(5), 5),
        (np.uint8(255), 255),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), 0.1),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.datetime64("2011-12-10T00:00:00.000000001"), "2011-12-10T00:00:00.000Z"),
        (np.datetime64("2011-12-10"), "2011-12-10T00:00:00.000Z"),
        (np.datetime64("NaT"), None),
        (np.array([1, 2]), [1, 2]),
        (np.array([[0.5], [1.5]]), [[0.5], [1.5]]),
    ]:
        found = round_trip(db, given)
        assert found == stored, repr(given)
        assert type(found) is type(stored), repr(given)
    for refused in [np.float64("nan"), np.float32("inf"), np.bytes_(b"x"), np.complex128(1), np.timedelta64(1, "s")]:
        with pytest.raises(cdp.InvalidError):
            round_trip(db, refused)


def test_pandas_values_are_kept(db: cdp.Cdp) -> None:
    pd = pytest.importorskip("pandas", reason="pandas is optional; make installs it")
    assert round_trip(db, pd.NaT) is None
    assert round_trip(db, pd.NA) is None
    assert round_trip(db, pd.Timestamp("2011-12-10T02:30:00+02:30")) == "2011-12-10T00:00:00.000Z"
    assert round_trip(db, pd.Timestamp("2011-12-10T00:00:00.000000001")) == "2011-12-10T00:00:00.000Z"
    assert round_trip(db, pd.Series([1, 2])) == [1, 2]


class Opaque:
    pass


def endless() -> list[object]:
    itself: list[object] = []
    itself.append(itself)
    return itself


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -float("inf"), Decimal("NaN"), 10**20 + 1, -(10**40), b"x", bytearray(b"x"), memoryview(b"x"),
     "\ud800", {"\udfff": 1}, {1: "a"}, {None: 1}, Opaque(), 1j, dt.time(1), dt.timedelta(1), endless(), (n for n in [1])],
)  # fmt: skip
def test_what_cannot_be_stored_is_refused_with_its_place(db: cdp.Cdp, value: object) -> None:
    with pytest.raises(cdp.InvalidError) as caught:
        db.identify(user_id="u1", traits={"a/b": [0, value]})

    assert caught.value.pointer is not None
    assert caught.value.pointer.startswith("/traits/a~1b/1")
    assert db.profile(user_id="u1") is None


def test_an_error_never_shows_the_value(db: cdp.Cdp) -> None:
    with pytest.raises(cdp.InvalidError) as caught:
        db.identify(user_id="u1", traits={"card": b"4111-1111"})

    assert "4111" not in str(caught.value)


def test_sixty_four_levels_are_allowed_and_one_more_is_not(db: cdp.Cdp) -> None:
    def nested(levels: int) -> object:
        value: object = 1
        for _ in range(levels):
            value = [value]
        return value

    # The message, its traits and the list around the value are three levels.
    assert round_trip(db, nested(61)) == nested(61)
    with pytest.raises(cdp.InvalidError, match="64 levels"):
        round_trip(db, nested(62))


def test_an_exception_of_a_value_is_not_swallowed(db: cdp.Cdp) -> None:
    class Broken:
        def __index__(self) -> int:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        db.identify(user_id="u1", traits={"a": Broken()})
