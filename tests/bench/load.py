"""A small load client: some connections that ask for one page again and again."""

import http.client
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Load:
    """What was measured; times in milliseconds."""

    url: str
    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    failures: int = 0

    @property
    def per_second(self) -> float:
        return len(self.times) / self.seconds

    def percentile(self, share: float) -> float:
        """For example percentile(0.95)."""
        ordered = sorted(self.times)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def measure(url: str, cookie: str, connections: int = 8, seconds: float = 10.0) -> Load:
    """Asks for `url` over so many connections at once; an answer that is not 200 is a failure."""
    load = Load(url)
    lock = threading.Lock()
    began = time.perf_counter()
    deadline = began + seconds

    def client() -> None:
        times, failures = _ask_until(url, cookie, deadline)
        with lock:
            load.times += times
            load.failures += failures

    threads = [threading.Thread(target=client) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.seconds = time.perf_counter() - began
    return load


def _ask_until(url: str, cookie: str, deadline: float) -> tuple[list[float], int]:
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    times: list[float] = []
    failures = 0
    while (began := time.perf_counter()) < deadline:
        connection.request("GET", target, headers={"Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - began) * 1000)
        failures += answer.status != 200
    connection.close()
    return times, failures
