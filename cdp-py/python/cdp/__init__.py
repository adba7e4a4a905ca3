"""An embedded customer data platform over one SQLite file: collect, unify, aggregate, segment, predict, decide, export.

    >>> import cdp
    >>> db = cdp.open()                       # in memory; cdp.open("shop.db") for a file
    >>> db.identify(user_id="u1", traits={"country": "France"}).accepted
    1
    >>> db.profile(user_id="u1").traits["country"]
    'France'
"""

from ._native import __version__
from ._errors import (
    BusyError,
    CallInterruptedError,
    CdpError,
    ClosedError,
    ConflictError,
    ConsentMissingError,
    CorruptError,
    ErasedError,
    Fault,
    IncompatibleError,
    InternalError,
    InvalidError,
    IoError,
    NotFoundError,
)
from ._link import Links, link
from ._results import Decision, Frame, ModelReport, Prediction, Profile, Receipt, Record
from ._store import Cdp, open

__all__ = [
    "BusyError",
    "CallInterruptedError",
    "Cdp",
    "CdpError",
    "ClosedError",
    "ConflictError",
    "ConsentMissingError",
    "CorruptError",
    "Decision",
    "ErasedError",
    "Fault",
    "Frame",
    "IncompatibleError",
    "InternalError",
    "InvalidError",
    "IoError",
    "Links",
    "ModelReport",
    "NotFoundError",
    "Prediction",
    "Profile",
    "Receipt",
    "Record",
    "__version__",
    "link",
    "open",
]
