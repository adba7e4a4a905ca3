"""The main path through the real core, as a Python person walks it: collect, unify, aggregate, segment, decide, export."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pytest

import cdp

DEFINITIONS = [
    {"kind": "feature", "name": "total_spend", "event": "Order Completed", "agg": "sum", "property": "revenue", "default": 0},
    {"kind": "feature", "name": "orders", "event": "Order Completed", "agg": "count"},
    {"kind": "audience", "name": "high_value", "rule": {"feature": "total_spend", "op": "gte", "value": 100}},
    {"kind": "policy", "name": "checkout", "purpose": "service", "choose": [
        {"when": {"all": [{"audience": "high_value"}, {"current": "properties.amount", "op": "gte", "value": 100}]},
         "then": {"experience": "premium"}}],
     "otherwise": {"experience": "control"}},
]  # fmt: skip


@pytest.fixture
def shop(db: cdp.Cdp) -> cdp.Cdp:
    db.define(DEFINITIONS)
    db.identify(user_id="u1", email="Ann@Example.com", traits={"country": "France"}, timestamp="2024-05-01T00:00:00Z")
    # 0.1 ten times and 100: exactly 101, which floats do not give.
    for n in range(10):
        db.track("Order Completed", user_id="u1", message_id=f"o{n}", timestamp=dt.datetime(2024, 5, 2), properties={"revenue": 0.1})
    db.track("Order Completed", email="ann@example.com", message_id="o10", timestamp="2024-05-03T00:00:00Z", properties={"revenue": Decimal("100.00")})
    db.track("Order Completed", user_id="u2", message_id="o11", timestamp="2024-05-03T00:00:00Z", properties={"revenue": "12.345678912"})
    return db


def test_identifiers_lead_to_one_person(shop: cdp.Cdp) -> None:
    person = shop.profile(email="ANN@example.com")

    assert person is not None
    assert person == shop.profile(user_id="u1") == shop.profile(profile_id=person.id)
    assert person.ids == {"user_id": ["u1"], "email": ["ann@example.com"]}
    assert person.traits["country"] == "France"
    assert person.features == {"orders": 11, "total_spend": 101}
    assert person.audiences == ["high_value"]
    assert person.first_seen == "2024-05-01T00:00:00.000Z"
    assert shop.profile(user_id="nobody") is None


def test_a_read_sees_only_what_had_happened(shop: cdp.Cdp) -> None:
    for as_of in ["2024-05-02T12:00:00Z", dt.datetime(2024, 5, 2, 12), 1714651200000, {"valid": dt.datetime(2024, 5, 2, 12)}]:
        person = shop.profile(user_id="u1", as_of=as_of)
        assert person is not None
        assert person.features["orders"] == 10
        assert person.audiences == []


def test_members_are_a_frame_with_the_columns_asked_for(shop: cdp.Cdp) -> None:
    members = shop.members("high_value")
    assert members.columns[:3] == ["profile_id", "user_id", "email"]
    assert [row["user_id"] for row in members] == ["u1"]

    columns = ["user_id", "features.total_spend", "traits.country"]
    everybody = shop.profiles(columns=columns, order_by="-features.total_spend")
    assert everybody.columns == columns
    assert everybody["user_id"] == ["u1", "u2"]
    with pytest.raises(cdp.CdpError) as caught:
        shop.members("high_value", columns=["features.total_spent"])
    assert "total_spend" in str(caught.value)


def test_pages_end_with_a_null_cursor(shop: cdp.Cdp) -> None:
    first = shop.profiles(columns=["user_id"], limit=1)
    second = shop.profiles(columns=["user_id"], limit=1, after=first.next)

    assert first.next is not None
    assert second.next is None
    assert sorted(first["user_id"] + second["user_id"]) == ["u1", "u2"]


def test_amounts_are_the_nearest_floats_or_exact_decimals(shop: cdp.Cdp) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is optional; make installs it")
    frame = shop.profiles(columns=["user_id", "features.total_spend"], order_by="user_id")

    assert frame["features.total_spend"] == [101.0, 12.345678912]
    assert frame.to_arrow().schema.field("features.total_spend").type == pa.float64()
    exact = frame.to_arrow(exact=True)
    assert exact.schema.field("features.total_spend").type == pa.decimal128(38, 9)
    assert exact["features.total_spend"].to_pylist() == [Decimal(101), Decimal("12.345678912")]
    assert frame.to_dicts(exact=True)[1]["features.total_spend"] == Decimal("12.345678912")


def test_a_decision_sees_the_event_and_stores_nothing(shop: cdp.Cdp) -> None:
    before = shop.fingerprint()
    decision = shop.decide("checkout", user_id="u1", event={"event": "Order Completed", "properties": {"amount": 120}})

    assert decision.choice == {"experience": "premium"}
    assert shop.decide("checkout", {"user_id": "u1"}, {"event": "Order Completed", "properties": {"amount": 1}}).choice == {"experience": "control"}
    assert shop.decide("checkout", user_id="stranger").known is False
    assert shop.fingerprint() == before


def test_an_export_withholds_those_without_consent(shop: cdp.Cdp, tmp_path: Path) -> None:
    path = tmp_path / "vip.csv"
    withheld = shop.export(audience="high_value", path=path, purpose="marketing", channel="email")
    assert (withheld["rows"], withheld["withheld"]["consent_unknown"]) == (0, 1)

    shop.consent(user_id="u1", purpose="marketing", channel="email", status="granted")
    assert shop.export("high_value", path=path, purpose="marketing", channel="email")["rows"] == 1
    assert "ann@example.com" in path.read_text()


def test_a_source_maps_rows_from_a_frame_a_file_and_dicts_alike(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas", reason="pandas is optional; make installs it")
    source = {"kind": "source", "name": "shop", "message_id": "order", "timestamp": "at", "event": {"const": "Order Completed"},
              "ids": {"user_id": "customer"}, "properties": {"revenue": {"field": "revenue", "as": "number"}}}  # fmt: skip
    rows = [{"order": f"o{n}", "at": "2024-05-01T00:00:00.000Z", "customer": f"u{n}", "revenue": n + 0.5} for n in range(3)]
    path = tmp_path / "orders.csv"
    pd.DataFrame(rows).to_csv(path, index=False)

    tables = []
    for data in [pd.DataFrame(rows), path, path.read_bytes(), rows, iter(rows)]:
        with cdp.open(clock="2024-06-01T00:00:00Z") as db:
            db.define(source)
            assert db.ingest(data, source="shop").accepted == 3
            assert db.ingest(rows, source="shop").duplicates == 3
            tables.append([(row["message_id"], json.loads(row["properties"])) for row in db.table("events")])
    assert all(table == tables[0] for table in tables)


def test_rejects_are_kept_with_their_reason(shop: cdp.Cdp) -> None:
    receipt = shop.ingest([{"type": "track", "event": "E", "userId": "u1"}, {"type": "track", "event": "E"}])

    assert (receipt.accepted, receipt.rejected) == (1, 1)
    assert receipt.first_rejects[0]["reason"] == "no_identifier"
    assert shop.rejects()["reason"] == ["no_identifier"]


def test_a_file_is_shared_within_a_process_and_survives_closing(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with cdp.open(path) as first, cdp.open(path) as second:
        first.identify(user_id="u1", traits={"country": "France"})
        assert second.profile(user_id="u1").traits["country"] == "France"
    with cdp.open(path, read_only=True) as again:
        assert again.profile(user_id="u1").traits["country"] == "France"
        with pytest.raises(cdp.CdpError):
            again.identify(user_id="u2")
    with pytest.raises(cdp.CdpError):
        cdp.open(tmp_path / "none.db", create=False)


def test_a_link_is_explained(shop: cdp.Cdp) -> None:
    link = shop.explain_link({"user_id": "u1"}, {"email": "ann@example.com"})

    assert link["linked"] is True
    assert link["path"][0]["occurred_at"] == "2024-05-01T00:00:00.000Z"
    assert shop.explain_link({"user_id": "u1"}, {"user_id": "u2"})["linked"] is False
