"""Load from wrk (https://github.com/wg/wrk), which takes little of the machine it measures."""

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

PROGRAM = "wrk"
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
# Asks for one path after the other, so that nothing kept from the last answer helps.
SCRIPT = """
local paths = {{{paths}}}
local at = 0
request = function()
  at = at % #paths + 1
  return wrk.format("GET", paths[at])
end
"""


@dataclass(frozen=True)
class Load:
    """What was measured; milliseconds."""

    per_second: float
    p50: float
    p95: float
    failures: int

    def __str__(self) -> str:
        failed = f", {self.failures} FAILED" if self.failures else ""
        return f"{self.per_second:,.0f}/s, p50 {self.p50:.0f} ms, p95 {self.p95:.0f} ms{failed}"


def measure(
    base: str, paths: list[str], headers: Mapping[str, str], connections: int, seconds: int
) -> Load:
    """Asks for the paths in turn over so many connections; what is not a 2xx or 3xx failed."""
    with TemporaryDirectory() as folder:
        script = Path(folder) / "paths.lua"
        quoted = ", ".join('"' + path.replace('"', "%22") + '"' for path in paths)
        # wrk tells 50, 75, 90 and 99 % by itself; 95 % takes a line of its own.
        script.write_text(
            SCRIPT.format(paths=quoted)
            + 'done = function(s, l) io.write("P95 " .. l:percentile(95) .. "us\\n") end\n'
        )
        command = [PROGRAM, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
        command += ["--timeout", "30s", "-s", str(script)]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        try:
            done = subprocess.run(
                [*command, base], check=True, capture_output=True, text=True, timeout=seconds + 60
            )
        except FileNotFoundError:
            sys.exit("wrk is not installed (Debian and Ubuntu: apt-get install wrk).")
    return parse(done.stdout)


def parse(text: str) -> Load:
    """wrk's own report."""
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    half = re.search(r"50%\s+([\d.]+)(us|ms|s|m)\b", text)
    most = re.search(r"P95 ([\d.]+)us", text)
    if not found or not half or not most:
        raise ValueError(f"wrk did not say what was measured:\n{text}")
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
    )
    return Load(
        per_second=float(found[1]),
        p50=float(half[1]) * UNITS[half[2]],
        p95=float(most[1]) / 1000,
        failures=int(failed[1] if failed else 0) + sum(map(int, errors.groups() if errors else ())),
    )
