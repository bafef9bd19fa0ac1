"""The database of the store's tests."""

from tests.streams.store.conftest import empty

__all__ = ["empty"]
