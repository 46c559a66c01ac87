"""The pytest side: options, the `specfair` fixture, cases by dataset and group, the summary and the report.

Knows pytest and hands everything else on. Nothing heavy is imported until a test asks for the fixture, and nothing is
printed or written unless one did.
"""

import shlex
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from specfair import config as configuration
from specfair.errors import ModelError, SpecfairError, StoreError, UsageError, plain

if TYPE_CHECKING:
    from specfair.desk import Desk
    from specfair.session import Session

_SETTINGS = pytest.StashKey[configuration.Settings]()
_SESSION = pytest.StashKey["Session"]()
_PARTS = pytest.StashKey[list[dict[str, str]]]()  # what each process found: a report and a baseline, as JSON
_ERRORS = pytest.StashKey[list[str]]()
_WRITTEN = pytest.StashKey[list[str]]()  # lines of the summary
_MARKER = "specfair(**settings): other settings than [tool.specfair] for the audits of this test, class or module"
_PARAMETERS = ("dataset", "stage", "group", "lookahead")


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option for each key of [tool.specfair]."""
    group = parser.getgroup("specfair", "fairness of speculative decoding")
    for option in configuration.OPTIONS:
        name, dest = "--specfair-" + option.name.replace("_", "-"), f"specfair_{option.name}"
        text = option.metadata["help"].replace("%", "%%")
        if isinstance(option.default, bool):
            group.addoption(name, action="store_const", const=True, dest=dest, help=text)
        else:
            group.addoption(name, metavar="X", dest=dest, help=text)
    text = 'a bound, such as "imdb.gap<=0.05", instead of the one in [tool.specfair.gates]; repeatable'
    group.addoption("--specfair-gate", action="append", default=[], metavar="RULE", dest="specfair_gate", help=text)
    text = "store what was measured as reports/baselines/NAME.json, for git; refuses to overwrite"
    group.addoption("--specfair-save-baseline", metavar="NAME", dest="specfair_save_baseline", help=text)
    text = "replace the stages of --specfair-baseline that were measured, and say what changed"
    group.addoption("--specfair-update-baseline", action="store_true", dest="specfair_update_baseline", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that cannot be meant before anything is collected."""
    config.addinivalue_line("markers", _MARKER)
    config.stash[_PARTS], config.stash[_ERRORS], config.stash[_WRITTEN] = [], [], []
    save, update = config.getoption("specfair_save_baseline"), config.getoption("specfair_update_baseline")
    if _given(config) or config.getoption("specfair_gate") or save is not None or update:
        try:
            _settings(config)
            _check_baselines(config)
        except SpecfairError as error:
            raise pytest.UsageError(str(error)) from error


def _check_baselines(config: pytest.Config) -> None:
    """Refuse now what could only fail when everything has been measured."""
    save, update = config.getoption("specfair_save_baseline"), config.getoption("specfair_update_baseline")
    given = config.getoption("specfair_baseline")
    compare = given if given is not None else _settings(config).baseline or None
    if (save is not None or update or compare is not None) and not hasattr(config, "workerinput"):
        from specfair import baseline

        baseline.check_asked(_root(config), compare=compare, save=save, update=update)


def _given(config: pytest.Config) -> dict[str, Any]:
    asked = {f.name: config.getoption(f"specfair_{f.name}") for f in configuration.OPTIONS}
    return {name: value for name, value in asked.items() if value is not None}


def _settings(config: pytest.Config) -> configuration.Settings:
    if _SETTINGS not in config.stash:
        found = configuration.load(config.invocation_params.dir, _given(config), config.getoption("specfair_gate"))
        config.stash[_SETTINGS] = found
    return config.stash[_SETTINGS]


def _root(config: pytest.Config) -> Path:
    return configuration.root_of(config.invocation_params.dir)


def cases(metafunc: pytest.Metafunc) -> None:
    """Parametrize a test by what it asks for: dataset, stage (base or a dataset), group, lookahead."""
    wanted = [name for name in _PARAMETERS if name in metafunc.fixturenames]
    if "specfair" not in metafunc.fixturenames or not wanted:
        return
    try:
        settings = configuration.override(_settings(metafunc.config), _marked(metafunc.definition))
        values = _values(settings, wanted)
    except SpecfairError as error:
        metafunc.config.stash[_ERRORS].append(str(error))
        raise pytest.Collector.CollectError(str(error)) from error
    for name in wanted:
        metafunc.parametrize(name, values[name])


def _marked(node: pytest.Item) -> dict[str, Any]:
    """The settings in its `specfair` markers, the closest winning."""
    return {name: value for mark in reversed([*node.iter_markers("specfair")]) for name, value in mark.kwargs.items()}


def _values(settings: configuration.Settings, wanted: list[str]) -> dict[str, tuple[str, ...]]:
    compared = settings.compared
    found = {"dataset": compared, "stage": (configuration.BASE, *compared), "lookahead": configuration.LOOKAHEADS}
    if "group" in wanted:
        from specfair.audit import prompt_set

        found["group"] = prompt_set(settings).groups
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what nothing is configured for. With xdist's loadgroup, a dataset's cases go to one worker."""
    idle = [item for item in items if _is_idle(config, getattr(item, "fixturenames", ()))]
    if idle:
        config.hook.pytest_deselected(items=idle)
        items[:] = [item for item in items if item not in idle]
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            stage = _stage(item)
            if stage:
                item.add_marker(pytest.mark.xdist_group(stage))


def _is_idle(config: pytest.Config, fixtures: Sequence[str]) -> bool:
    """Comparisons want a baseline; timing, which is slow and as noisy as its machine, wants a `clock` gate."""
    if "specfair_baseline" in fixtures:
        return not _compares(config)
    timing = "specfair" in fixtures and "benchmark" in fixtures
    return timing and all(rule.kind != "clock" for rule in _settings(config).gates)


def _compares(config: pytest.Config) -> bool:
    """Whether there is a baseline to compare with; one that this run is to write for the first time is none."""
    name = _settings(config).baseline
    if not name or not config.getoption("specfair_update_baseline"):
        return bool(name)
    from specfair import baseline

    return baseline.exists(name, _root(config))


def _stage(item: pytest.Item) -> str:
    parameters: Mapping[str, Any] = (
        item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    )
    return str(parameters.get("dataset") or parameters.get("stage") or "")


@pytest.fixture
def specfair(request: pytest.FixtureRequest) -> "Desk":
    """Measure with `specfair.audit(...)`, decide with `specfair.gate(...)`."""
    from specfair.desk import Desk
    from specfair.session import Case

    item, config = request.node, request.config
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    name = "-".join(str(parameters[p]) for p in _PARAMETERS if p in parameters) or item.name
    case = Case(name, _command(item), _stage(item), str(parameters.get("group", "")))
    return Desk(_session(config), case, _root(config), _marked(item), item.user_properties, _fail)


def _fail(text: str) -> NoReturn:
    pytest.fail(text, pytrace=False)


def _command(item: pytest.Item) -> str:
    """How to run one test alone, from where this run was started, with the options it was given."""
    config = item.config
    here = item.path.is_relative_to(config.invocation_params.dir)
    test = f'"{item.nodeid}"' if here else f'--pyargs "specfair.evals.{item.path.stem}::{item.name}"'
    given = [(name.replace("_", "-"), value) for name, value in _given(config).items() if name != "report"]
    given += [("gate", rule) for rule in config.getoption("specfair_gate")]
    options = [f"--specfair-{name}" if value is True else f"--specfair-{name}={value}" for name, value in given]
    return " ".join(["pytest", test, *map(shlex.quote, options)])


@pytest.fixture
def specfair_baseline(request: pytest.FixtureRequest) -> str:
    """The name of the baseline to compare with; a test that asks for it is collected only where one is given."""
    return _settings(request.config).baseline


def _session(config: pytest.Config) -> "Session":
    if _SESSION not in config.stash:
        from specfair.session import Session

        config.stash[_SESSION] = Session(_settings(config), say=lambda line: _say(config, line))
    return config.stash[_SESSION]


def _say(config: pytest.Config, line: str) -> None:
    """A line of progress, past pytest's capturing; workers of xdist have no terminal and stay silent."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    capture = config.pluginmanager.getplugin("capturemanager")
    if reporter is not None and capture is not None and not hasattr(config, "workerinput"):
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"specfair: {plain(line)}", cyan=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A mistake of the user's is one line, not a traceback; one that every case would meet ends the run."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, SpecfairError) and "specfair" in getattr(item, "fixturenames", ()):
        report.longrepr = str(error)
        if not isinstance(error, StoreError):  # a damaged or missing baseline is a failed gate, not a wrong question
            item.config.stash[_ERRORS].append(str(error))
        if isinstance(error, UsageError | ModelError):
            item.session.shouldstop = f"specfair: {error}"
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of xdist found."""
    output = getattr(node, "workeroutput", None) or {}
    node.config.stash[_PARTS] += output.get("specfair_parts", [])
    node.config.stash[_ERRORS] += output.get("specfair_errors", [])


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Write the report, or send it to the process that does; a user's mistake is exit code 4."""
    config = session.config
    parts, errors, lost = config.stash[_PARTS], config.stash[_ERRORS], False
    if _SESSION in config.stash:
        from specfair import record

        parts.append(record.part(config.stash[_SESSION]))
    if hasattr(config, "workeroutput"):
        config.workeroutput |= {"specfair_parts": parts, "specfair_errors": errors}
    elif parts:
        from specfair import record

        chosen = config.getoption("specfair_report") is not None
        written = record.write(parts, _settings(config), selection=_selection(session), chosen=chosen)
        config.stash[_WRITTEN] += written.lines
        lost = written.lost
        _tell_junit(config, record.properties(written.report))
        errors += _keep_baseline(config, parts)
    yield
    if errors or (lost and session.exitstatus == pytest.ExitCode.OK):
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def _selection(session: pytest.Session) -> str:
    """Which cases were asked for where not all were, as it was typed; a run that was cut short is one too."""
    config = session.config
    options = {"keyword": "-k", "markexpr": "-m", "deselect": "--deselect", "lf": "--lf", "stepwise": "--stepwise"}
    given = {option: config.getoption(name, default=None) for name, option in options.items()}
    said = [option if value is True else f"{option} {plain(str(value))}" for option, value in given.items() if value]
    said += [a for a in config.args if "::" in a or (config.invocation_params.dir / a).is_file()]
    return ", ".join([*said, *["it was stopped early"] * bool(session.shouldfail or session.shouldstop)])


def _tell_junit(config: pytest.Config, properties: Mapping[str, str]) -> None:
    """Properties of the whole suite in pytest's JUnit file, which its own hook writes after this."""
    for plugin in config.pluginmanager.get_plugins():
        if hasattr(plugin, "add_global_property"):
            for name, value in properties.items():
                plugin.add_global_property(name, value)


def _keep_baseline(config: pytest.Config, parts: list[dict[str, str]]) -> list[str]:
    """Save or update the baseline if asked to; returns what went wrong."""
    from specfair import record

    save, update = config.getoption("specfair_save_baseline"), config.getoption("specfair_update_baseline")
    name = _settings(config).baseline if update else save
    if not name and not update:
        return []
    try:
        said = record.keep_baseline(parts, name, root=_root(config), update=update)
    except (SpecfairError, OSError) as error:
        config.stash[_WRITTEN].append(f"ERROR: {plain(str(error))}")
        return [str(error)]
    config.stash[_WRITTEN].extend(map(plain, said))
    return []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was decided, the worst gap, and where to read on."""
    lines = config.stash[_WRITTEN]
    if lines:
        terminalreporter.section("specfair")
        for line in lines:
            terminalreporter.write_line(line)
