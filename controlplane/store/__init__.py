"""The store: one ordered log of revisions. `protocol.py` says what a store is, `sqlite.py` is the embedded one."""

from controlplane.store.protocol import Change, Compacted, Conflict, Entry, Page, Store, StoreError

__all__ = ["Change", "Compacted", "Conflict", "Entry", "Page", "Store", "StoreError"]
