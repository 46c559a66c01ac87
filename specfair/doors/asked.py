"""What pytest was asked for: our options, the project they belong to, the tests that
were chosen, one test alone.

Knows pytest's configuration and its command line. Does not know tests' outcomes, nor
what anything is measured for.
"""

import os
from dataclasses import replace
from typing import Any

import pytest

from specfair import config as configuration
from specfair import project
from specfair.doors.arguments import as_arguments
from specfair.doors.lazy import resolve
from specfair.errors import as_typed, plain
from specfair.outputs import without_folders

_SETTINGS = pytest.StashKey[configuration.Settings]()
_PROJECT = pytest.StashKey[project.Project]()
KEYWORD = pytest.StashKey[str]()  # -k as it was typed


def add_options(parser: pytest.Parser) -> None:
    """One option for each key of [tool.specfair]."""
    group = parser.getgroup("specfair", "fairness of speculative decoding")
    for name, how in as_arguments(prefix="specfair-"):
        group.addoption(name, **how)
    group.addoption(
        "--specfair-gate",
        action="append",
        default=[],
        metavar="RULE",
        help='a bound, such as "imdb.gap<=0.05", instead of the one in '
        "[tool.specfair.gates]; repeatable",
    )
    group.addoption(
        "--specfair-save-baseline",
        metavar="NAME",
        help="store what was measured as reports/baselines/NAME.json, for git; "
        "refuses to overwrite",
    )
    group.addoption(
        "--specfair-update-baseline",
        action="store_true",
        help="replace the stages of --specfair-baseline that were measured, and say "
        "what changed",
    )


def given(config: pytest.Config) -> dict[str, Any]:
    asked = {
        f: config.getoption(f"specfair_{f}") for f in configuration.OPTIONS_BY_NAME
    }
    return {name: value for name, value in asked.items() if value is not None}


def settings_of(config: pytest.Config) -> configuration.Settings:
    if _SETTINGS not in config.stash:
        home, typed = project_of(config), config.getoption("specfair_gate")
        found = configuration.load(home, given(config))
        if typed or "gates" in home.table:
            rules = resolve("gates.bounds:all_rules")
            gates = rules(home.table, typed, found.compared)
            found = replace(found, gates=gates)
        if "waive" in home.table:
            options, waivers = given(config), resolve("gates.waivers:waivers_of")
            strict = not typed and configuration.AS_CONFIGURED.issuperset(options)
            waived = waivers(home.table["waive"], strict=strict)
            found = replace(found, waivers=waived)
        config.stash[_SETTINGS] = found
    return config.stash[_SETTINGS]


def project_of(config: pytest.Config) -> project.Project:
    """Where pytest was told that the project is; else the one its arguments belong to.

    pytest's own guess at its root is not asked: it takes values of our options for test
    paths and moves towards them.
    """
    if _PROJECT not in config.stash:
        here = config.invocation_params.dir
        told = config.getoption("rootdir") or config.getoption("inifilename")
        places = [here / arg.partition("::")[0] for arg in config.args]
        if told:
            places = [config.rootpath]
        there = [p for p in places if p.exists()] or [here]
        config.stash[_PROJECT] = project.find_for(there)
    return config.stash[_PROJECT]


def command_of(item: pytest.Item) -> str:
    """How to run one test alone, from where this run was started, with its options."""
    config = item.config
    words = [os.path.relpath(item.path, config.invocation_params.dir)]
    if config.getoption("pyargs"):
        words = ["--pyargs", f"specfair.evals.{item.path.stem}"]
    classes = [n.name for n in item.listchain() if isinstance(n, pytest.Class)]
    words[-1] = "::".join([words[-1], *classes, item.name])
    options = [("rootdir", config.getoption("rootdir"))]
    options += [("config-file", config.getoption("inifilename"))]
    for name, value in given(config).items():
        if name != "report":
            options.append((f"specfair-{name.replace('_', '-')}", value))
    options += [("specfair-gate", rule) for rule in config.getoption("specfair_gate")]
    for name, value in options:
        if value:
            words.append(f"--{name}" if value is True else f"--{name}={value}")
    return as_typed(["pytest", *words])


def selection_of(session: pytest.Session) -> str:
    """Which cases were asked for where not all were, as it was typed but without the
    folders of this machine; a run that was cut short is one too.
    """
    config = session.config
    names = {"keyword": "-k", "markexpr": "-m", "deselect": "--deselect"}
    names |= {"lf": "--lf", "stepwise": "--stepwise"}
    said = []
    for name, option in names.items():
        value = config.getoption(name, default=None)
        if name == "keyword":
            value = config.stash.get(KEYWORD, value)
        if value:
            said.append(option if value is True else f"{option} {plain(str(value))}")
    for place in config.args:
        if "::" in place or (config.invocation_params.dir / place).is_file():
            said.append(without_folders(place))
    if session.shouldfail or session.shouldstop:
        said.append("it was stopped early")
    return ", ".join(said)
