"""What the tests share: a store in memory whose clock stands still."""

from collections.abc import Iterator

import pytest

import cdp


@pytest.fixture
def db() -> Iterator[cdp.Cdp]:
    with cdp.open(clock="2024-06-01T00:00:00Z", id_seed="tests") as store:
        yield store
