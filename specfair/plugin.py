"""The pytest side: options, the `specfair` fixture, cases by dataset and group, the
summary and the report.

Knows pytest and hands everything else on. Nothing heavy is imported until a test asks
for the fixture, and nothing is printed or written unless one did.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from specfair import config as configuration
from specfair.doors import asked
from specfair.doors.asked import add_options, given, settings_of
from specfair.doors.lazy import resolve
from specfair.doors.selecting import (
    PARAMETERS,
    by_whole_names,
    case_name,
    parameters,
    stage_of,
)
from specfair.errors import SpecfairError, StoreError, UsageError, plain, unknown

if TYPE_CHECKING:
    from specfair.audit.desk import Desk
    from specfair.doors.run import Runner

_RUN = pytest.StashKey["Runner"]()
# what workers of xdist found: a report and a baseline, as JSON
_PARTS = pytest.StashKey[list[dict[str, str]]]()
_ERRORS = pytest.StashKey[list[str]]()
# mistakes, and the test function that met each first
_MET = pytest.StashKey[dict[str, str]]()
_MARKER = (
    "specfair(**settings): other settings than [tool.specfair] for the audits of "
    "this test, class or module"
)
_NEEDS = (
    "specfair_needs(*names): leave this test out unless a bound of that kind of gate, "
    "or that option, is configured; models are where no server is"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option for each key of [tool.specfair]."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that cannot be meant before anything is collected."""
    config.addinivalue_line("markers", _MARKER)
    config.addinivalue_line("markers", _NEEDS)
    config.stash[_MET], config.stash[_PARTS], config.stash[_ERRORS] = {}, [], []
    save = config.getoption("specfair_save_baseline")
    keeps = save is not None or config.getoption("specfair_update_baseline")
    if given(config) or config.getoption("specfair_gate") or keeps:
        try:
            compared = settings_of(config).baseline or keeps
            named = config.getoption("specfair_baseline") is not None
            if (compared or named) and not hasattr(config, "workerinput"):
                _run(config).check_baselines()
        except SpecfairError as error:
            raise pytest.UsageError(str(error)) from error


def cases(metafunc: pytest.Metafunc) -> None:
    """Parametrize a test by what it asks for: dataset, stage (base or a dataset),
    group, lookahead.
    """
    wanted = [name for name in PARAMETERS if name in metafunc.fixturenames]
    if "specfair" not in metafunc.fixturenames or not wanted:
        return
    try:
        settings = configuration.override(
            settings_of(metafunc.config), _marked(metafunc.definition)
        )
        values = _values(metafunc.config, settings, wanted)
    except SpecfairError as error:
        metafunc.config.stash[_ERRORS].append(str(error))
        raise pytest.Collector.CollectError(str(error)) from error
    for name in wanted:
        metafunc.parametrize(name, values[name])


def _marked(node: pytest.Item) -> dict[str, Any]:
    """The settings in its `specfair` markers, the closest winning."""
    for mark in node.iter_markers("specfair"):
        if mark.args:
            raise UsageError(
                f"marker specfair{mark.args!r} has values without names; it takes "
                "settings by name. "
                'Write specfair(prompts="honest"), for example.'
            )
    return {
        name: value
        for mark in reversed([*node.iter_markers("specfair")])
        for name, value in mark.kwargs.items()
    }


def _values(
    config: pytest.Config, settings: configuration.Settings, wanted: list[str]
) -> dict[str, tuple[str, ...]]:
    found = {
        "dataset": settings.compared,
        "stage": tuple(map(str, settings.stages)),
        "lookahead": settings.other_lookaheads,
    }
    if "group" in wanted:
        found["group"] = _run(config).groups(settings)
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what nothing is configured for. With xdist's loadgroup, a dataset's
    cases go to one worker.
    """
    ours = {
        item: parameters(item)
        for item in items
        if "specfair" in getattr(item, "fixturenames", ())
    }
    idle = {item for item in ours if _is_idle(config, item)}
    if idle:
        config.hook.pytest_deselected(items=[item for item in items if item in idle])
        items[:] = [item for item in items if item not in idle]
    if config.option.keyword and any(ours.values()):
        names = {
            item: (*values.values(), case_name(values))
            for item, values in ours.items()
            if values
        }
        config.stash[asked.KEYWORD] = config.option.keyword
        config.option.keyword = by_whole_names(config.option.keyword, items, names)
    if config.pluginmanager.hasplugin("xdist"):
        for item, values in ours.items():
            if stage_of(values):
                item.add_marker(pytest.mark.xdist_group(stage_of(values)))


def _is_idle(config: pytest.Config, item: pytest.Item) -> bool:
    """Comparisons want a baseline, and what is slow wants a bound that asks for it."""
    if "specfair_baseline" in getattr(item, "fixturenames", ()) and not _compares(
        config
    ):
        return True
    needed = {
        kind for mark in item.iter_markers("specfair_needs") for kind in mark.args
    }
    if not needed:  # a mistake in the settings is said by the test's own fixture
        return False
    kinds = resolve("gates.kinds:KINDS")
    known = {"models", *configuration.OPTIONS_BY_NAME, *kinds}
    for name in sorted(needed - known):  # which nothing would ever ask for
        raise pytest.UsageError(unknown("name in specfair_needs", name, sorted(known)))
    settings = settings_of(config)
    there = {name for name in configuration.OPTIONS_BY_NAME if getattr(settings, name)}
    if not settings.server:
        there.add("models")
    return not needed <= there | {rule.kind for rule in settings.gates}


def _compares(config: pytest.Config) -> bool:
    """Whether there is a baseline to compare with; one that this run is to write for
    the first time is none.
    """
    name = settings_of(config).baseline
    if not name or not config.getoption("specfair_update_baseline"):
        return bool(name)
    return _run(config).compares()


@pytest.fixture
def specfair(request: pytest.FixtureRequest) -> "Desk":
    """Measure with `specfair.audit(...)`, decide with `specfair.gate(...)`."""
    marked = _marked(request.node)
    run = _run(request.config)
    return run.desk(request.node, marked, fail=_fail, excuse=_excuse)


def _run(config: pytest.Config) -> "Runner":
    """What this process measures; the one door behind which anything heavy is."""
    from specfair.doors.run import Runner

    if _RUN not in config.stash:
        config.stash[_RUN] = Runner(config, lambda line: _say(config, line))
    return config.stash[_RUN]


def _fail(text: str) -> NoReturn:
    pytest.fail("\n".join(map(plain, text.split("\n"))), pytrace=False)


def _excuse(text: str) -> NoReturn:
    pytest.xfail(plain(text))


@pytest.fixture
def specfair_baseline(request: pytest.FixtureRequest) -> str:
    """The name of the baseline to compare with; a test that asks for it is collected
    only where one is given.
    """
    return settings_of(request.config).baseline


def _say(config: pytest.Config, line: str) -> None:
    """A line of progress, past pytest's capturing; workers of xdist have no terminal
    and stay silent.
    """
    reporter = config.pluginmanager.getplugin("terminalreporter")
    capture = config.pluginmanager.getplugin("capturemanager")
    if (
        reporter is not None
        and capture is not None
        and not hasattr(config, "workerinput")
    ):
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"specfair: {plain(line)}", cyan=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A mistake of the user's is one line, not a traceback; one that a second test
    meets, every test would: all end.
    """
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, SpecfairError) and "specfair" in getattr(
        item, "fixturenames", ()
    ):
        line, config = str(error), item.config
        report.longrepr = line
        # a damaged or missing baseline is a failed gate, not a wrong question
        if not isinstance(error, StoreError):
            config.stash[_ERRORS].append(line)
            function = item.nodeid.partition("[")[0]
            if config.stash[_MET].setdefault(line, function) != function:
                item.session.shouldstop = f"specfair: {line}"
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of xdist found."""
    output = getattr(node, "workeroutput", None) or {}
    node.config.stash[_PARTS] += output.get("specfair_parts", [])
    node.config.stash[_ERRORS] += output.get("specfair_errors", [])


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Write the report, or send it to the process that does; a user's mistake is exit
    code 4.
    """
    config, lost = session.config, False
    parts, errors = config.stash[_PARTS], config.stash[_ERRORS]
    if _RUN in config.stash:
        parts += _run(config).part(session.items)
    if hasattr(config, "workeroutput"):
        config.workeroutput |= {"specfair_parts": parts, "specfair_errors": errors}
    elif parts:
        run = _run(config)
        run.write(session, parts, mistaken=bool(errors))
        errors, lost = [*errors, *run.errors], run.lost
    yield
    if errors or (lost and session.exitstatus == pytest.ExitCode.OK):
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """What was decided, the worst gap, and where to read on."""
    if _RUN in config.stash and _run(config).lines:
        terminalreporter.section("specfair")
        for line in _run(config).lines:
            terminalreporter.write_line(line)
