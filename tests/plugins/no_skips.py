"""`--no-skips` makes a skipped test a failed one: in CI nothing may go missing quietly."""

from collections.abc import Generator
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test counts as a failure")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("no_skips"):
        config.pluginmanager.register(NoSkips(), "no-skips-rule")


class NoSkips:
    """Turns skips into failures; an expected failure (xfail) is not a skip."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self,
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        return self._refuse((yield))

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self,
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        return self._refuse((yield))

    def _refuse(self, report: Any) -> Any:
        if report.skipped and not hasattr(report, "wasxfail"):
            report.outcome = "failed"
            report.longrepr = f"skipped, which --no-skips forbids: {report.longrepr}"
        return report
