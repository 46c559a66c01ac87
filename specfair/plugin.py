"""The pytest side: options, the `specfair` fixture, cases by dataset and group, the summary and the report.

Knows pytest and hands everything else on. Nothing heavy is imported until a test asks for the fixture, and nothing is
printed or written unless one did.
"""

import os
import shlex
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from specfair import config as configuration
from specfair import project
from specfair.errors import SpecfairError, StoreError, UsageError, plain
from specfair.selecting import PARAMETERS, by_whole_names, case_name, parameters, stage_of

if TYPE_CHECKING:
    from specfair.desk import Desk
    from specfair.session import Session

_SETTINGS = pytest.StashKey[configuration.Settings]()
_SESSION = pytest.StashKey["Session"]()
_PARTS = pytest.StashKey[list[dict[str, str]]]()  # what each process found: a report and a baseline, as JSON
_PROJECT = pytest.StashKey[project.Project]()
_ERRORS = pytest.StashKey[list[str]]()
_MET = pytest.StashKey[dict[str, str]]()  # mistakes, and the test function that met each first
_WRITTEN = pytest.StashKey[list[str]]()  # lines of the summary
_MARKER = "specfair(**settings): other settings than [tool.specfair] for the audits of this test, class or module"
_NEEDS = "specfair_needs(kind): leave this test out unless a bound of that kind of gate is configured"
_CHOSEN = ("keyword", "markexpr", "deselect", "lf", "last_failed", "stepwise")  # options that leave tests out


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
    config.addinivalue_line("markers", _NEEDS)
    config.stash[_MET] = {}
    config.stash[_PARTS], config.stash[_ERRORS], config.stash[_WRITTEN] = [], [], []
    if _given(config) or config.getoption("specfair_gate"):
        try:
            _settings(config)
        except SpecfairError as error:
            raise pytest.UsageError(str(error)) from error


def _given(config: pytest.Config) -> dict[str, Any]:
    asked = {f.name: config.getoption(f"specfair_{f.name}") for f in configuration.OPTIONS}
    return {name: value for name, value in asked.items() if value is not None}


def _settings(config: pytest.Config) -> configuration.Settings:
    if _SETTINGS not in config.stash:
        found = configuration.load(_project(config), _given(config), config.getoption("specfair_gate"))
        config.stash[_SETTINGS] = found
    return config.stash[_SETTINGS]


def _project(config: pytest.Config) -> project.Project:
    """Where pytest was told that the project is; else the project that its arguments belong to.

    pytest's own guess at its root is not asked: it takes values of our options for test paths and moves towards them.
    """
    if _PROJECT not in config.stash:
        here = config.invocation_params.dir
        told = config.getoption("rootdir") or config.getoption("inifilename")
        places = [config.rootpath] if told else [here / arg.partition("::")[0] for arg in config.args]
        config.stash[_PROJECT] = project.find_for([p for p in places if p.exists()] or [here])
    return config.stash[_PROJECT]


def cases(metafunc: pytest.Metafunc) -> None:
    """Parametrize a test by what it asks for: dataset, stage (base or a dataset), group, lookahead."""
    wanted = [name for name in PARAMETERS if name in metafunc.fixturenames]
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
    for mark in node.iter_markers("specfair"):
        if mark.args:
            raise UsageError(
                f"marker specfair{mark.args!r} has values without names; it takes settings by name. "
                'Write specfair(prompts="honest"), for example.'
            )
    return {name: value for mark in reversed([*node.iter_markers("specfair")]) for name, value in mark.kwargs.items()}


def _values(settings: configuration.Settings, wanted: list[str]) -> dict[str, tuple[str, ...]]:
    compared = settings.compared
    found = {"dataset": compared, "stage": (configuration.BASE, *compared), "lookahead": settings.other_lookaheads}
    if "group" in wanted:
        from specfair.audit import prompt_set

        found["group"] = prompt_set(settings).groups
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what nothing is configured for. With xdist's loadgroup, a dataset's cases go to one worker."""
    ours = {item: parameters(item) for item in items if "specfair" in getattr(item, "fixturenames", ())}
    idle = {item for item in ours if _is_idle(config, item)}
    if idle:
        config.hook.pytest_deselected(items=[item for item in items if item in idle])
        items[:] = [item for item in items if item not in idle]
    if config.option.keyword and any(ours.values()):
        names = {item: (*values.values(), case_name(values)) for item, values in ours.items() if values}
        by_whole_names(config, items, names)
    if config.pluginmanager.hasplugin("xdist"):
        for item, values in ours.items():
            if stage_of(values):
                item.add_marker(pytest.mark.xdist_group(stage_of(values)))


def _is_idle(config: pytest.Config, item: pytest.Item) -> bool:
    """Comparisons want a baseline, and what is slow wants a bound that asks for it."""
    if "specfair_baseline" in getattr(item, "fixturenames", ()) and not _settings(config).baseline:
        return True
    needed = {kind for mark in item.iter_markers("specfair_needs") for kind in mark.args}
    return bool(needed) and not needed <= {rule.kind for rule in _settings(config).gates}


@pytest.fixture
def specfair(request: pytest.FixtureRequest) -> "Desk":
    """Measure with `specfair.audit(...)`, decide with `specfair.gate(...)`."""
    from specfair.desk import Desk
    from specfair.session import Case

    item, config = request.node, request.config
    about = parameters(item)
    case = Case(case_name(about) or item.name, _command(item), stage_of(about), about.get("group", ""))
    return Desk(_session(config), case, _project(config).root, _marked(item), item.user_properties, _fail)


def _fail(text: str) -> NoReturn:
    pytest.fail("\n".join(map(plain, text.split("\n"))), pytrace=False)


def _command(item: pytest.Item) -> str:
    """How to run one test alone, from where this run was started, with the options it was given."""
    config, here = item.config, item.config.invocation_params.dir
    inside = not config.getoption("pyargs")
    place = os.path.relpath(item.path, here) if inside else f"specfair.evals.{item.path.stem}"
    test = "::".join([place, *(node.name for node in item.listchain() if isinstance(node, pytest.Class)), item.name])
    told = [(name, config.getoption(dest)) for name, dest in (("rootdir", "rootdir"), ("config-file", "inifilename"))]
    given = [(f"specfair-{name.replace('_', '-')}", v) for name, v in _given(config).items() if name != "report"]
    given += [("specfair-gate", rule) for rule in config.getoption("specfair_gate")]
    options = [f"--{name}" if value is True else f"--{name}={value}" for name, value in (*told, *given) if value]
    return shlex.join(["pytest", *([] if inside else ["--pyargs"]), test, *options])


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
            reporter.write_line(plain(f"specfair: {line}"), cyan=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A mistake of the user's is one line, not a traceback; one that a second test meets, every test would: all end."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, SpecfairError) and "specfair" in getattr(item, "fixturenames", ()):
        line, config = str(error), item.config
        report.longrepr = line
        if not isinstance(error, StoreError):  # a damaged or missing baseline is a failed gate, not a wrong question
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
    """Write the report, or send it to the process that does; a user's mistake is exit code 4."""
    config = session.config
    parts, errors = config.stash[_PARTS], config.stash[_ERRORS]
    if _SESSION in config.stash:
        from specfair import record
        from specfair.holding import held_by

        parts.append(record.part(config.stash[_SESSION]) | held_by(config.stash[_SESSION]))
    if hasattr(config, "workeroutput"):
        config.workeroutput |= {"specfair_parts": parts, "specfair_errors": errors}
    elif parts:
        from specfair import record

        config.stash[_WRITTEN] += [*_project(config).doubts, *record.write(parts, _settings(config))]
        errors += _unheld(config, parts, whole=not (_chosen(config) or session.shouldstop or session.shouldfail))
        errors += _keep_baseline(config, parts)
    yield
    if errors:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def _chosen(config: pytest.Config) -> bool:
    """Whether somebody chose some of the tests, so that this run says nothing about the others."""
    by_option = any(getattr(config.option, name, None) for name in _CHOSEN)
    return by_option or any("::" in arg or Path(arg).is_file() for arg in config.args)


def _unheld(config: pytest.Config, parts: list[dict[str, str]], *, whole: bool) -> list[str]:
    """Say which bounds were held against nothing; the mistakes among them, where the run was whole."""
    from specfair import holding

    found = holding.unheld(holding.Run.of(_settings(config), _given(config)), parts)
    wrong = holding.mistakes(found) if whole else []
    rest = [(rule, mistake) for rule, mistake in found if not (mistake and whole)]
    config.stash[_WRITTEN] += [*(f"ERROR: {line}" for line in wrong), *holding.others(rest)]
    return wrong


def _keep_baseline(config: pytest.Config, parts: list[dict[str, str]]) -> list[str]:
    """Save or update the baseline if asked to; returns what went wrong."""
    from specfair import record

    save, update = config.getoption("specfair_save_baseline"), config.getoption("specfair_update_baseline")
    name = _settings(config).baseline if update else save
    if not name and not update:
        return []
    try:
        said = record.keep_baseline(parts, name, root=_project(config).root, update=update)
    except SpecfairError as error:
        config.stash[_WRITTEN].append(f"ERROR: {error}")
        return [str(error)]
    config.stash[_WRITTEN].extend(said)
    return []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was decided, the worst gap, and where to read on."""
    lines = config.stash[_WRITTEN]
    if lines:
        terminalreporter.section("specfair")
        for line in lines:
            terminalreporter.write_line(plain(line))
