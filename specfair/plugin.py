"""The pytest side: options, the `specfair` fixture, cases by dataset and group, the
summary and the report.

Knows pytest and hands everything else on. Nothing heavy is imported until a test asks
for the fixture, and nothing is printed or written unless one did.
"""

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from specfair import config as configuration
from specfair.doors import asked
from specfair.doors.asked import (
    add_options,
    command_of,
    given,
    project_of,
    selection_of,
    settings_of,
)
from specfair.doors.selecting import (
    PARAMETERS,
    by_whole_names,
    case_name,
    parameters,
    stage_of,
)
from specfair.errors import SpecfairError, StoreError, UsageError, plain
from specfair.vocabulary import Stage

if TYPE_CHECKING:
    from specfair.audit.desk import Desk
    from specfair.audit.session import Session

_SESSION = pytest.StashKey["Session"]()
# what each process found: a report and a baseline, as JSON
_PARTS = pytest.StashKey[list[dict[str, str]]]()
_ERRORS = pytest.StashKey[list[str]]()
# mistakes, and the test function that met each first
_MET = pytest.StashKey[dict[str, str]]()
_WRITTEN = pytest.StashKey[list[str]]()  # lines of the summary
_MARKER = (
    "specfair(**settings): other settings than [tool.specfair] for the audits of "
    "this test, class or module"
)
_NEEDS = (
    "specfair_needs(kind): leave this test out unless a bound of that kind of gate "
    "is configured"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option for each key of [tool.specfair]."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that cannot be meant before anything is collected."""
    config.addinivalue_line("markers", _MARKER)
    config.addinivalue_line("markers", _NEEDS)
    config.stash[_MET] = {}
    config.stash[_PARTS], config.stash[_ERRORS], config.stash[_WRITTEN] = [], [], []
    save, update = (
        config.getoption("specfair_save_baseline"),
        config.getoption("specfair_update_baseline"),
    )
    if given(config) or config.getoption("specfair_gate") or save is not None or update:
        try:
            settings_of(config)
            _check_baselines(config)
        except SpecfairError as error:
            raise pytest.UsageError(str(error)) from error


def _check_baselines(config: pytest.Config) -> None:
    """Refuse now what could only fail when everything has been measured."""
    save, update = (
        config.getoption("specfair_save_baseline"),
        config.getoption("specfair_update_baseline"),
    )
    named = config.getoption("specfair_baseline")
    compare = named if named is not None else settings_of(config).baseline or None
    if (save is not None or update or compare is not None) and not hasattr(
        config, "workerinput"
    ):
        from specfair.gates import kept

        kept.check_asked(
            project_of(config).root, compare=compare, save=save, update=update
        )


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
        values = _values(settings, wanted)
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
    settings: configuration.Settings, wanted: list[str]
) -> dict[str, tuple[str, ...]]:
    found = {
        "dataset": settings.compared,
        "stage": tuple(map(str, settings.stages)),
        "lookahead": settings.other_lookaheads,
    }
    if "group" in wanted:
        from specfair.audit.audit import prompt_set

        found["group"] = prompt_set(settings).groups
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
    return bool(needed) and not needed <= {
        rule.kind for rule in settings_of(config).gates
    }


def _compares(config: pytest.Config) -> bool:
    """Whether there is a baseline to compare with; one that this run is to write for
    the first time is none.
    """
    name = settings_of(config).baseline
    if not name or not config.getoption("specfair_update_baseline"):
        return bool(name)
    from specfair.gates import kept

    return kept.is_kept(name, project_of(config).root)


@pytest.fixture
def specfair(request: pytest.FixtureRequest) -> "Desk":
    """Measure with `specfair.audit(...)`, decide with `specfair.gate(...)`."""
    from specfair.audit.desk import Desk
    from specfair.audit.session import Case

    item, config = request.node, request.config
    about = parameters(item)
    named = stage_of(about)
    case = Case(
        case_name(about) or item.name,
        command_of(item),
        Stage.of(named) if named else None,
        about.get("group", ""),
    )
    return Desk(
        _session(config),
        case,
        project_of(config).root,
        _marked(item),
        item.user_properties,
        _fail,
    )


def _fail(text: str) -> NoReturn:
    pytest.fail("\n".join(map(plain, text.split("\n"))), pytrace=False)


@pytest.fixture
def specfair_baseline(request: pytest.FixtureRequest) -> str:
    """The name of the baseline to compare with; a test that asks for it is collected
    only where one is given.
    """
    return settings_of(request.config).baseline


def _session(config: pytest.Config) -> "Session":
    if _SESSION not in config.stash:
        from specfair.audit.session import Session

        config.stash[_SESSION] = Session(
            settings_of(config), say=lambda line: _say(config, line)
        )
    return config.stash[_SESSION]


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
    config = session.config
    parts, errors, lost = config.stash[_PARTS], config.stash[_ERRORS], False
    if _SESSION in config.stash:
        from specfair.audit import record
        from specfair.audit.holding import held_by

        parts.append(
            record.part(config.stash[_SESSION]) | held_by(config.stash[_SESSION])
        )
    if hasattr(config, "workeroutput"):
        config.workeroutput |= {"specfair_parts": parts, "specfair_errors": errors}
    elif parts:
        from specfair.audit import writing

        chosen = selection_of(session)
        explicit = config.getoption("specfair_report") is not None
        written = writing.write_parts(
            parts, settings_of(config), selection=chosen, chosen=explicit
        )
        config.stash[_WRITTEN] += [
            *map(plain, project_of(config).doubts),
            *written.lines,
        ]
        lost = written.lost
        _tell_junit(config, written.properties)
        # after a mistake, what was not asked is no news
        errors += _unheld(config, parts, whole=not (chosen or errors))
        errors += _keep_baseline(config, parts)
    yield
    if errors or (lost and session.exitstatus == pytest.ExitCode.OK):
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def _unheld(
    config: pytest.Config, parts: list[dict[str, str]], *, whole: bool
) -> list[str]:
    """Say which bounds were held against nothing; the mistakes among them, where the
    run was whole.
    """
    from specfair.audit import holding

    found = holding.unheld(holding.Asked.of(settings_of(config), given(config)), parts)
    wrong = holding.lines_of_mistakes(found) if whole else []
    rest = [(rule, mistake) for rule, mistake in found if not (mistake and whole)]
    config.stash[_WRITTEN] += map(
        plain, [*(f"ERROR: {line}" for line in wrong), *holding.others(rest)]
    )
    return wrong


def _tell_junit(config: pytest.Config, properties: Mapping[str, str]) -> None:
    """Properties of the whole suite in pytest's JUnit file, which its own hook writes
    after this.
    """
    for plugin in config.pluginmanager.get_plugins():
        if hasattr(plugin, "add_global_property"):
            for name, value in properties.items():
                plugin.add_global_property(name, value)


def _keep_baseline(config: pytest.Config, parts: list[dict[str, str]]) -> list[str]:
    """Save or update the baseline if asked to; returns what went wrong."""
    from specfair.audit import record

    save, update = (
        config.getoption("specfair_save_baseline"),
        config.getoption("specfair_update_baseline"),
    )
    name = settings_of(config).baseline if update else save
    if not name and not update:
        return []
    try:
        said = record.keep_baseline(
            parts, name, root=project_of(config).root, update=update
        )
    except (SpecfairError, OSError) as error:
        config.stash[_WRITTEN].append(f"ERROR: {plain(str(error))}")
        return [str(error)]
    config.stash[_WRITTEN].extend(map(plain, said))
    return []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """What was decided, the worst gap, and where to read on."""
    lines = config.stash[_WRITTEN]
    if lines:
        terminalreporter.section("specfair")
        for line in lines:
            terminalreporter.write_line(line)
