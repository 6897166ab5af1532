"""The suites: what each folder is called, what is skipped and why, what may not be skipped.

A folder names its suite (`tests/links/…` is the suite `links`). A test that needs a program of
the system says so with `@pytest.mark.needs_program("mosquitto", package="mosquitto")` or, where the
path is wanted, with the fixture `needs_program`; where the program is absent the test is skipped
and the summary names the package to install. `--must-run unit,links` turns such a skip into a
failure of the whole run, so that a build that claims these suites has really run them. `--slow`
chooses between no slow test, the first one of every file (a sample) and all of them.
"""

import collections
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A build must say the same of the same commit twice; people's own runs look for new examples.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

SUITES = ("unit", "simulation", "links", "compress", "e2e", "packaging")
TESTS = Path(__file__).parent
REPOSITORY = TESTS.parent
# Where Debian and others keep daemons that an ordinary user's PATH leaves out.
_DAEMON_FOLDERS = ("/usr/sbin", "/usr/local/sbin")
_MODELS_VARIABLE = "SHOAL_TEST_MODELS"

_must_run = pytest.StashKey[set[str]]()
_ran = pytest.StashKey[collections.Counter[str]]()
_skipped = pytest.StashKey[dict[str, list[str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("shoal")
    group.addoption(
        "--must-run",
        default="",
        metavar="SUITES",
        help=f"fail when one of these suites has a skipped test or none: {','.join(SUITES)}",
    )
    group.addoption(
        "--slow",
        choices=("none", "sample", "all"),
        default="sample",
        help="slow tests: none, the first one of every file, all (default: sample)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs_program(name, package): skipped where the system lacks this program"
    )
    wanted: set[str] = {name for name in config.getoption("--must-run").split(",") if name}
    if unknown := wanted.difference(SUITES):
        raise pytest.UsageError(f"--must-run: no suite {', '.join(sorted(unknown))}")
    config.stash[_must_run] = wanted
    config.stash[_ran] = collections.Counter[str]()
    skipped: dict[str, list[str]] = collections.defaultdict(list)
    config.stash[_skipped] = skipped
    config.pluginmanager.register(_Heard(config), "shoal-suites")


def suite_of(path: Path) -> str | None:
    """The suite that the folder of `path` names, if it is one of ours."""
    parts = path.relative_to(TESTS).parts if path.is_relative_to(TESTS) else ()
    return parts[0] if parts and parts[0] in SUITES else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if suite := suite_of(item.path):
            item.add_marker(suite)
    chosen = _without_slow(items, config.getoption("--slow"))
    if len(chosen) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
        items[:] = chosen


def _without_slow(items: list[pytest.Item], mode: str) -> list[pytest.Item]:
    sampled: set[Path] = set()
    chosen = []
    for item in items:
        if item.get_closest_marker("slow") and mode != "all":
            if mode == "none" or item.path in sampled:
                continue
            sampled.add(item.path)
        chosen.append(item)
    return chosen


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs_program"):
        find_program(*marker.args, **marker.kwargs)


class _Heard:
    """Hears what every test came to, whichever process ran it (`pytest -n 2` has several)."""

    def __init__(self, config: pytest.Config) -> None:
        self._ran = config.stash[_ran]
        self._skipped = config.stash[_skipped]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._note_skip(report)
        elif report.when == "call" and (suite := suite_of(REPOSITORY / report.nodeid)):
            self._ran[suite] += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:  # a whole file, with pytest.importorskip for example
            self._note_skip(report)

    def _note_skip(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if suite := suite_of(REPOSITORY / report.nodeid):
            why = report.longrepr
            text = str(why[2] if isinstance(why, tuple) else why)
            self._skipped[suite].append(f"{report.nodeid}: {text}")


def _broken_promises(config: pytest.Config) -> list[str]:
    lines = []
    must_run = config.stash[_must_run]
    for suite in sorted(must_run):
        if not config.stash[_ran][suite]:
            lines.append(f"{suite}: no test ran")
        lines += [f"{suite}: {skip}" for skip in config.stash[_skipped].get(suite, [])]
    return lines


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED} and _broken_promises(
        session.config
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if lines := _broken_promises(config):
        terminalreporter.section("must run, but did not", red=True)
        for line in lines:
            terminalreporter.line(line, red=True)


def find_program(name: str, *, package: str) -> Path:
    """The path of program `name`; the test is skipped, naming `package`, where it is absent."""
    folders = os.pathsep.join((os.environ.get("PATH", ""), *_DAEMON_FOLDERS))
    found = shutil.which(name, path=folders)
    if found is None:
        pytest.skip(f"needs the program {name} (system package {package})")
    return Path(found)


@pytest.fixture(scope="session")
def needs_program() -> Callable[..., Path]:
    """`needs_program("mosquitto", package="mosquitto")` is its path, or skips the test."""
    return find_program


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def test_models() -> Path:
    """The folder of models that are not in the repository; the test is skipped without it."""
    folder = os.environ.get(_MODELS_VARIABLE, "")
    if not folder or not Path(folder).is_dir():
        pytest.skip(f"needs models that are not in the repository: set {_MODELS_VARIABLE}")
    return Path(folder)
