"""Data comes in from paths, bytes, files, iterables and DataFrames, and can be stopped."""

import datetime as dt
import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cdp

MESSAGES = [
    {"type": "track", "event": "Product Added", "userId": f"u{n}", "messageId": f"m{n}", "timestamp": "2024-05-01T00:00:00.000Z",
     "properties": {"sku": "s1", "quantity": n}}
    for n in range(3)
]  # fmt: skip
NDJSON = "\n".join(json.dumps(message) for message in MESSAGES)


class TextFile:
    def read(self, size: int) -> str:
        given, self.rest = self.rest[:size], self.rest[size:]
        return given

    def __init__(self) -> None:
        self.rest = NDJSON


@pytest.mark.parametrize(
    "data",
    [NDJSON.encode(), bytearray(NDJSON.encode()), memoryview(NDJSON.encode()), io.BytesIO(NDJSON.encode()), io.StringIO(NDJSON), TextFile(),
     MESSAGES, tuple(MESSAGES), iter(MESSAGES), (message for message in MESSAGES)],
    ids=lambda data: type(data).__name__,
)  # fmt: skip
def test_messages_come_in_every_form(db: cdp.Cdp, data: Any) -> None:
    receipt = db.ingest(data)

    assert (receipt.rows, receipt.accepted, receipt.rejected) == (3, 3, 0)
    quantities = [json.loads(properties)["quantity"] for properties in db.table("events")["properties"]]
    assert sorted(quantities) == [0, 1, 2]


def test_a_path_and_a_single_message_come_in(db: cdp.Cdp, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text(NDJSON)

    assert db.ingest(path).accepted == 3
    assert db.ingest({**MESSAGES[0], "messageId": "other"}).accepted == 1
    with pytest.raises(cdp.IoError):
        db.ingest(tmp_path / "none.ndjson")
    with pytest.raises(cdp.InvalidError):
        db.ingest(5)


def test_a_row_that_cannot_be_stored_is_rejected_alone(db: cdp.Cdp) -> None:
    receipt = db.ingest([MESSAGES[0], {**MESSAGES[1], "properties": {"price": float("nan")}}, MESSAGES[2]])

    assert (receipt.accepted, receipt.rejected) == (2, 1)


def test_an_exception_of_the_iterable_is_raised(db: cdp.Cdp) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield MESSAGES[0]
        raise RuntimeError("mine")

    class Unreadable:
        def read(self, size: int) -> bytes:
            raise RuntimeError("mine")

    for data in [rows(), Unreadable()]:
        with pytest.raises(RuntimeError, match="mine"):
            db.ingest(data)


def many() -> Iterator[dict[str, Any]]:
    return ({**MESSAGES[0], "messageId": f"m{n}"} for n in range(20_000))


def test_progress_is_reported_and_can_stop_the_call(db: cdp.Cdp) -> None:
    seen: list[int] = []
    assert db.ingest(many(), progress=lambda rows, stage: seen.append(rows)).accepted == 20_000
    assert seen == sorted(seen)
    assert seen

    with cdp.open() as other, pytest.raises(cdp.CallInterruptedError):
        other.ingest(many(), progress=lambda rows, stage: False)
    with cdp.open() as other, pytest.raises(ZeroDivisionError):
        other.ingest(many(), progress=lambda rows, stage: 1 / 0)


def test_progress_true_writes_one_line(db: cdp.Cdp, capsys: pytest.CaptureFixture[str]) -> None:
    db.ingest(many(), progress=True)

    assert "rows" in capsys.readouterr().err


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C raises, also where a shell that started the tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def rows_with_ctrl_c() -> Iterator[dict[str, Any]]:
    for n, message in enumerate(many()):
        if n == 5_000:
            signal.raise_signal(signal.SIGINT)
        yield message


def test_ctrl_c_ends_an_ingest(db: cdp.Cdp, ctrl_c: None) -> None:
    with pytest.raises(KeyboardInterrupt):
        db.ingest(rows_with_ctrl_c())


def file_of(folder: Path, n: int) -> Path:
    path = folder / "events.ndjson"
    path.write_text("".join(json.dumps({**MESSAGES[0], "messageId": f"m{number}"}) + "\n" for number in range(n)))
    return path


def test_an_atomic_ingest_that_its_progress_refuses_keeps_nothing(db: cdp.Cdp, tmp_path: Path) -> None:
    path = file_of(tmp_path, 60_000)
    told: list[int] = []

    def refuse(rows: int, stage: str) -> bool:
        told.append(rows)
        with pytest.raises(cdp.InvalidError, match="progress"):
            db.schema()
        return False

    with pytest.raises(cdp.CallInterruptedError):
        db.ingest(path, atomic=True, progress=refuse)

    assert len(told) == 1
    assert len(db.table("events")) == 0
    assert db.ingest(path, atomic=True).accepted == 60_000


def test_ctrl_c_ends_an_atomic_ingest_and_keeps_nothing(db: cdp.Cdp, tmp_path: Path, ctrl_c: None) -> None:
    path = file_of(tmp_path, 60_000)
    heard: list[int] = []

    def press(rows: int, stage: str) -> None:
        heard.append(rows)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        db.ingest(path, atomic=True, progress=press)
    with pytest.raises(KeyboardInterrupt):
        db.ingest(rows_with_ctrl_c(), atomic=True)
    assert len(heard) == 1
    assert len(db.table("events")) == 0


def test_interrupt_from_another_thread_ends_an_atomic_ingest(db: cdp.Cdp) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        for n in range(1_000_000):
            if n == 1_000:
                db.interrupt()
            yield {**MESSAGES[0], "messageId": f"m{n}"}

    with pytest.raises(cdp.CallInterruptedError):
        db.ingest(rows(), atomic=True)
    assert len(db.table("events")) == 0


def test_a_callback_between_batches_may_call_the_store(db: cdp.Cdp) -> None:
    kept: list[int] = []
    db.ingest(many(), batch_rows=5_000, progress=lambda rows, stage: kept.append(len(db.table("events"))))
    assert kept[-1] == 20_000


def table_of(db: cdp.Cdp) -> list[dict[str, Any]]:
    return [{**row, "properties": json.loads(row["properties"])} for row in db.table("events")]


def check_frame(db: cdp.Cdp, data: Any) -> None:
    assert db.ingest(data).accepted == 3
    rows = table_of(db)
    assert [row["event"] for row in rows] == ["Product Added"] * 3
    assert {row["occurred_at"] for row in rows} == {dt.datetime(2024, 5, 1, tzinfo=dt.timezone.utc)}
    assert sorted(row["properties"]["quantity"] for row in rows) == [0, 1, 2]


def test_a_pyarrow_table_comes_in(db: cdp.Cdp) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is optional; make installs it")
    check_frame(db, pa.Table.from_pylist(MESSAGES))


def test_a_pyarrow_record_batch_comes_in(db: cdp.Cdp) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is optional; make installs it")

    class OnlyArray:
        def __arrow_c_array__(self, requested_schema: object = None) -> Any:
            return pa.RecordBatch.from_pylist(MESSAGES).__arrow_c_array__()

    check_frame(db, OnlyArray())


def test_a_pandas_frame_comes_in(db: cdp.Cdp) -> None:
    pd = pytest.importorskip("pandas", reason="pandas is optional; make installs it")
    frame = pd.DataFrame(MESSAGES)
    frame["timestamp"] = pd.to_datetime(frame["timestamp"])
    frame["event"] = frame["event"].astype("category")
    check_frame(db, frame)


def test_a_polars_frame_comes_in(db: cdp.Cdp) -> None:
    pl = pytest.importorskip("polars", reason="polars is optional; make installs it")
    frame = pl.DataFrame(MESSAGES).with_columns(
        pl.col("timestamp").str.to_datetime(time_unit="ns", time_zone="UTC"), pl.col("event").cast(pl.Categorical)
    )
    check_frame(db, frame)


def test_every_arrow_type_becomes_the_value_it_means(db: cdp.Cdp) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is optional; make installs it")
    from decimal import Decimal

    instant = dt.datetime(2011, 12, 10, 0, 0, 0, 1000)
    columns = {
        "i8": (pa.array([-8], pa.int8()), -8),
        "u64": (pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
        "f16": (pa.array([0.5], pa.float16()), 0.5),
        "f32": (pa.array([0.1], pa.float32()), 0.1),
        "nan": (pa.array([float("nan")]), None),
        "null": (pa.array([None]), None),
        "missing": (pa.array([None], pa.string()), None),
        "bool": (pa.array([True]), True),
        "dec": (pa.array([Decimal("12.34")], pa.decimal128(10, 2)), 12.34),
        "dec256": (pa.array([Decimal("-0.5")], pa.decimal256(40, 1)), -0.5),
        "large": (pa.array(["x"], pa.large_string()), "x"),
        "view": (pa.array(["x"], pa.string_view()), "x"),
        "dict": (pa.array(["x"]).dictionary_encode(), "x"),
        "s": (pa.array([instant], pa.timestamp("s"), safe=False), "2011-12-10T00:00:00.000Z"),
        "ms": (pa.array([instant], pa.timestamp("ms", "Europe/Paris")), "2011-12-10T00:00:00.001Z"),
        "us": (pa.array([-1], pa.timestamp("us")), "1969-12-31T23:59:59.999Z"),
        "ns": (pa.array([instant], pa.timestamp("ns")), "2011-12-10T00:00:00.001Z"),
        "d32": (pa.array([dt.date(2011, 12, 10)]), "2011-12-10T00:00:00.000Z"),
        "d64": (pa.array([dt.date(2011, 12, 10)], pa.date64()), "2011-12-10T00:00:00.000Z"),
        "list": (pa.array([[1, None]]), [1, None]),
        "large_list": (pa.array([["a"]], pa.large_list(pa.string())), ["a"]),
        "fixed": (pa.array([[1, 2]], pa.list_(pa.int64(), 2)), [1, 2]),
        "struct": (pa.array([{"a": {"b": 1}}]), {"a": {"b": 1}}),
    }
    properties = pa.StructArray.from_arrays([array for array, _ in columns.values()], list(columns))
    table = pa.table({"type": ["track"], "event": ["e"], "userId": ["u"], "messageId": ["m"], "properties": properties})

    assert db.ingest(table).accepted == 1
    assert table_of(db)[0]["properties"] == {name: value for name, (_, value) in columns.items()}


def test_an_arrow_column_without_meaning_rejects_its_rows_by_name(db: cdp.Cdp) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is optional; make installs it")
    for array in [pa.array([b"x"]), pa.array([dt.timedelta(1)]), pa.array([float("inf")]), pa.array([dt.time(1)])]:
        receipt = db.ingest(pa.table({"type": ["track"], "event": ["e"], "userId": ["u"], "odd": array}))
        assert (receipt.accepted, receipt.rejected) == (0, 1)


def test_arrow_memory_is_given_back(db: cdp.Cdp) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is optional; make installs it")
    table = pa.Table.from_pylist(MESSAGES)
    db.ingest(table)
    held = pa.total_allocated_bytes()
    for _ in range(50):
        db.ingest(table)
        db.table("events", limit=1).to_arrow()

    assert pa.total_allocated_bytes() <= held
