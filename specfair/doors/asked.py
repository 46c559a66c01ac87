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
from specfair.doors.lazy import resolve
from specfair.errors import as_typed, plain

_SETTINGS = pytest.StashKey[configuration.Settings]()
_PROJECT = pytest.StashKey[project.Project]()
KEYWORD = pytest.StashKey[str]()  # -k as it was typed


def add_options(parser: pytest.Parser) -> None:
    """One option for each key of [tool.specfair]."""
    group = parser.getgroup("specfair", "fairness of speculative decoding")
    for name, how in configuration.as_arguments(prefix="specfair-"):
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
        f.name: config.getoption(f"specfair_{f.name}") for f in configuration.OPTIONS
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
        config.stash[_SETTINGS] = found
    return config.stash[_SETTINGS]


def project_of(config: pytest.Config) -> project.Project:
    """Where pytest was told that the project is; else the project that its arguments
    belong to.

    pytest's own guess at its root is not asked: it takes values of our options for test
    paths and moves towards them.
    """
    if _PROJECT not in config.stash:
        here = config.invocation_params.dir
        told = config.getoption("rootdir") or config.getoption("inifilename")
        places = (
            [config.rootpath]
            if told
            else [here / arg.partition("::")[0] for arg in config.args]
        )
        config.stash[_PROJECT] = project.find_for(
            [p for p in places if p.exists()] or [here]
        )
    return config.stash[_PROJECT]


def command_of(item: pytest.Item) -> str:
    """How to run one test alone, from where this run was started, with the options it
    was given.
    """
    config, here = item.config, item.config.invocation_params.dir
    inside = not config.getoption("pyargs")
    place = (
        os.path.relpath(item.path, here)
        if inside
        else f"specfair.evals.{item.path.stem}"
    )
    test = "::".join(
        [
            place,
            *(node.name for node in item.listchain() if isinstance(node, pytest.Class)),
            item.name,
        ]
    )
    told = [
        (name, config.getoption(dest))
        for name, dest in (("rootdir", "rootdir"), ("config-file", "inifilename"))
    ]
    options = [
        (f"specfair-{name.replace('_', '-')}", v)
        for name, v in given(config).items()
        if name != "report"
    ]
    options += [("specfair-gate", rule) for rule in config.getoption("specfair_gate")]
    words = [
        f"--{name}" if value is True else f"--{name}={value}"
        for name, value in (*told, *options)
        if value
    ]
    return as_typed(["pytest", *([] if inside else ["--pyargs"]), test, *words])


def selection_of(session: pytest.Session) -> str:
    """Which cases were asked for where not all were, as it was typed; a run that was
    cut short is one too.
    """
    config = session.config
    options = {
        "keyword": "-k",
        "markexpr": "-m",
        "deselect": "--deselect",
        "lf": "--lf",
        "stepwise": "--stepwise",
    }
    chosen = {
        option: config.getoption(name, default=None) for name, option in options.items()
    }
    chosen["-k"] = config.stash.get(KEYWORD, chosen["-k"])
    said = [
        option if value is True else f"{option} {plain(str(value))}"
        for option, value in chosen.items()
        if value
    ]
    said += [
        a
        for a in config.args
        if "::" in a or (config.invocation_params.dir / a).is_file()
    ]
    if session.shouldfail or session.shouldstop:
        said.append("it was stopped early")
    return ", ".join(said)
