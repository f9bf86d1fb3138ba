"""Where the programs are, and which of them there are on this machine."""

import os
import pathlib
import shutil
import sys

from .failures import Failure

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "bin"
PEERS = ROOT / "peers"


def swift_program(name):
    """The path of a program of this package, as the release build left it."""
    path = pathlib.Path(os.environ["STRESS_SWIFT_BIN"]) / name
    if not path.exists():
        raise Failure(f"{name} has not been built; start with stress_tests/run")
    return str(path)


def python():
    """The interpreter with what peers/requirements.txt names."""
    return sys.executable


def has_uvloop():
    try:
        import monitored_ioloop  # noqa: F401
        import uvloop  # noqa: F401
    except ImportError:
        return False
    return True


def has_node():
    return shutil.which("node") is not None


def has_matplotlib():
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True
