"""The files of an open store stay what they are, whatever path a verb is given."""

from pathlib import Path

import pytest

import cdp


@pytest.fixture
def shop(tmp_path: Path) -> cdp.Cdp:
    db = cdp.open(tmp_path / "shop.db")
    db.define({"kind": "audience", "name": "viewers", "rule": {"event": "Viewed", "count": {"gte": 1}}})
    db.track("Viewed", user_id="u1", message_id="m1")
    db.consent(purpose="marketing", status="granted", user_id="u1")
    return db


@pytest.mark.parametrize("target", ["shop.db", "shop.db-wal", "shop.db-shm", "shop.db-journal", "./sub/../shop.db"])
def test_an_export_never_replaces_a_file_of_the_store(shop: cdp.Cdp, tmp_path: Path, target: str) -> None:
    (tmp_path / "sub").mkdir()
    for path in (tmp_path / target, str(tmp_path / target)):
        with pytest.raises(cdp.InvalidError):
            shop.export(audience="viewers", path=path, format="csv", purpose="marketing")
    shop.track("Viewed", user_id="u2", message_id="m2")
    shop.close()
    with cdp.open(tmp_path / "shop.db") as again:
        assert again.stats()["messages"] == 3
        assert again.verify()["ok"]


def test_an_open_store_is_no_input(shop: cdp.Cdp, tmp_path: Path) -> None:
    link = tmp_path / "definitions.json"
    link.symlink_to(tmp_path / "shop.db")
    for path in (tmp_path / "shop.db", link):
        with pytest.raises(cdp.InvalidError, match="open in this process"):
            shop.ingest(path)
        with pytest.raises(cdp.InvalidError, match="open in this process"):
            shop.define(path)


def test_nothing_is_acknowledged_once_the_file_is_gone(shop: cdp.Cdp, tmp_path: Path) -> None:
    (tmp_path / "shop.db").unlink()
    with pytest.raises(cdp.IoError):
        shop.track("Viewed", user_id="u2", message_id="m2")
    # What was acknowledged before can still be saved.
    shop.backup(tmp_path / "saved.db")
    shop.close()
    with cdp.open(tmp_path / "saved.db") as saved:
        assert saved.stats()["messages"] == 2
