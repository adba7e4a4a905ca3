"""Tables of results reach pyarrow, pandas, polars and DuckDB unchanged."""

import datetime as dt
from decimal import Decimal

import pytest

import cdp
from cdp import Frame


class StandIn:
    """As much of the compiled frame as the Python face needs, for displays."""

    columns = ["<th>"]
    next = None

    def __len__(self) -> int:
        return 12

    def row(self, row: int) -> dict[str, object]:
        return {"<th>": "<script>alert(1)</script>" if row == 0 else None}


def test_a_notebook_shows_every_cell_escaped() -> None:
    html = Frame(StandIn())._repr_html_()  # type: ignore[arg-type]

    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;th&gt;" in html
    assert "12 rows, the first 10 shown" in html


@pytest.fixture
def events(db: cdp.Cdp) -> Frame:
    for n, price in enumerate(["12.34", "0.1", None]):
        properties = {"price": None if price is None else Decimal(price)}
        db.track("Product Viewed", user_id=f"u{n}", message_id=f"m{n}", timestamp=dt.datetime(2024, 5, 1 + n), properties=properties)
    return db.table("events")


def test_a_frame_is_a_sequence_of_rows(events: Frame) -> None:
    rows = list(events)

    assert len(events) == len(rows) == len(events.to_dicts()) == 3
    assert events[0] == rows[0]
    assert events[-1] == rows[2]
    assert events[1:] == rows[1:]
    assert events["event"] == ["Product Viewed"] * 3
    assert rows[1]["occurred_at"] == dt.datetime(2024, 5, 2, tzinfo=dt.timezone.utc)
    assert list(rows[0]) == events.columns
    assert events.next is None
    for wrong, error in [(3, IndexError), (-4, IndexError), ("evnt", cdp.InvalidError)]:
        with pytest.raises(error):
            events[wrong]  # type: ignore[call-overload]


def test_a_frame_becomes_a_pyarrow_table(events: Frame) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is optional; make installs it")
    table = events.to_arrow()

    assert table.num_rows == 3
    assert table.column_names == events.columns
    assert table.schema.field("occurred_at").type == pa.timestamp("ms", "UTC")
    assert table.to_pylist() == [dict(row) for row in pa.table(events).to_pylist()]


def test_a_frame_becomes_a_pandas_frame(events: Frame) -> None:
    pytest.importorskip("pandas", reason="pandas is optional; make installs it")
    pytest.importorskip("pyarrow", reason="pyarrow is optional; make installs it")
    frame = events.to_pandas()

    assert frame.shape == (3, len(events.columns))
    assert str(frame["occurred_at"].dtype.tz) == "UTC"


def test_a_frame_becomes_a_polars_frame(events: Frame) -> None:
    pl = pytest.importorskip("polars", reason="polars is optional; make installs it")
    frame = events.to_polars()

    assert frame.shape == (3, len(events.columns))
    assert frame.schema["occurred_at"] == pl.Datetime("ms", "UTC")


def test_duckdb_queries_a_frame_by_its_name(events: Frame) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is optional; make installs it")

    assert duckdb.sql("SELECT event, count(*) FROM events GROUP BY 1").fetchall() == [("Product Viewed", 3)]


def test_a_frame_comes_back_in(events: Frame) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is optional; make installs it")
    with cdp.open() as other:
        rows = events.to_arrow().select(["type", "event", "occurred_at"]).rename_columns(["type", "event", "timestamp"])
        users = rows.append_column("userId", [["a", "b", "c"]])
        assert other.ingest(users).accepted == 3


def test_an_empty_frame_keeps_its_columns(db: cdp.Cdp) -> None:
    frame = db.table("events")

    assert len(frame) == 0
    assert "event" in frame.columns
    assert frame.to_dicts() == []
