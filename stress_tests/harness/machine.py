"""What the measurements were made on."""

import os
import platform
import re
import subprocess
from importlib import metadata

from . import tools


def describe():
    """By name, what a reader wants to know."""
    swift = _first_line(["swift", "--version"])
    facts = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{_system()}, Linux {platform.release()}",
        "Swift": re.sub(r".*version ([\w.]+).*", r"\1", swift),
        "libuv": _first_line(["pkg-config", "--modversion", "libuv"]),
        "SwiftNIO": _swift_package("swift-nio"),
        "C compiler": _first_line(["cc", "--version"]),
        "Python": platform.python_version(),
    }
    for name in ("uvloop", "monitored_ioloop"):
        try:
            facts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if tools.has_node():
        facts["Node"] = _first_line(["node", "--version"]).removeprefix("v")
    return {name: fact for name, fact in facts.items() if fact}


def commit():
    """The commit that is measured, marked if there are changes on top of it."""
    return _first_line(["git", "-C", str(tools.ROOT), "describe", "--always", "--dirty", "--exclude=*"])


def _first_line(command):
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return ""
    lines = result.stdout.splitlines()
    return next((line for line in lines if "version" in line.lower()), lines[0]).strip() if lines else ""


def _processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _system():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _swift_package(name):
    try:
        text = (tools.ROOT / "Package.resolved").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.search(rf'"identity" : "{name}".*?"version" : "([^"]+)"', text, re.DOTALL)
    return found[1] if found else ""
