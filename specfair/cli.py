"""The command line: audit, plan, slices, mend, report, compare, prompts, corpora,
fixtures, doctor.

Knows arguments and exit codes (0 ok, 1 a gate failed, 2 usage, 3 insufficient or
incomplete). What a command does lies in `doors`, and is loaded when it is asked for.
"""

import argparse
import contextlib
import io
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from specfair import config
from specfair.doors.arguments import as_arguments
from specfair.doors.lazy import resolve
from specfair.doors.printing import tell
from specfair.errors import SpecfairError
from specfair.vocabulary import EMBEDDED, FAILED, OK, UNDECIDED, USAGE

__all__ = ["FAILED", "INTERRUPTED", "OK", "UNDECIDED", "USAGE", "main"]

INTERRUPTED = 130  # as shells have it for SIGINT

Argument = tuple[str, Mapping[str, Any]]


class _Command(NamedTuple):
    """What a command does, in words and by its place, and what it is told."""

    place: str
    text: str
    example: str
    arguments: Sequence[Argument] = ()


def _argument(name: str, text: str | None = None, **how: Any) -> Argument:
    return name, {"help": text} | how


def _gate(example: str) -> Argument:
    text = f'such as "{example}"; repeatable'
    return _argument("--gate", text, action="append", default=[], metavar="RULE")


_PLANNED = {
    *("prompts", "groups", "prompts_per_group", "min_prompts"),
    *("datasets", "scope", "family"),
}
_MENDED = {
    *("target", "draft", "device", "dtype", "device_map", "allow_pickle", "truncate"),
    *("prompts", "groups", "prompts_per_group", "min_prompts", "ambiguous"),
    *("max_new_tokens", "temperature", "top_k", "top_p", "ignore_eos", "seed"),
    *("lookahead", "scope", "recipe", "checkpoints", "store"),
}
_COMMANDS: Mapping[str, _Command] = {
    "audit": _Command(
        "doors.auditing:run_audit",
        "measure a pair by group, before and after fine-tuning on the datasets named "
        "or configured, and gate it",
        "specfair audit --target gpt2 --draft distilgpt2 --prompts honest --out "
        "run.json",
        (
            *as_arguments(without=config.OF_THE_RUN),
            _gate("gap<=0.05"),
            _argument(
                "--out",
                "name of the run: .json, .html and .md are written",
                metavar="NAME",
            ),
        ),
    ),
    "plan": _Command(
        "doors.planning:show_plan",
        "what every gate would find with these prompts, before any model runs, and "
        "what set would find more",
        "specfair plan --prompts honest",
        (
            *as_arguments(without=config.OPTIONS_BY_NAME.keys() - _PLANNED),
            _gate("gap<=0.05"),
            _argument(
                "--pilot",
                "take variances from reports/baselines/NAME.json instead of the usual",
                metavar="NAME",
            ),
            _argument("--format", choices=("text", "json"), default="text"),
        ),
    ),
    "slices": _Command(
        "doors.slicing:show_slices",
        "the slices of the prompts that are slowest, by every attribute and every two, "
        "or by those named",
        "specfair slices --prompts holistic_bias:FOLDER --by axis&gender",
        (
            *as_arguments(without=config.OF_THE_RUN),
            _argument("--stage", "base, or the dataset to look behind", metavar="X"),
            _argument("--top", "how many are shown", metavar="N", type=int, default=20),
            _argument("--format", choices=("text", "json"), default="text"),
        ),
    ),
    "mend": _Command(
        "doors.mending:mend_draft",
        "teach a draft by its target where groups wait longest, and judge it on "
        "prompts that it never saw; the target stays as it is",
        "specfair mend --target T --draft D --prompts honest --recipe fairspec --out "
        "mended/",
        (
            *as_arguments(without=config.OPTIONS_BY_NAME.keys() - _MENDED),
            _argument(
                "--out",
                "a new folder for the draft, its report and the prompts it never saw",
                metavar="FOLDER",
                required=True,
            ),
        ),
    ),
    "report": _Command(
        "doors.rendering:render_runs",
        "render stored runs again, without a model; several runs make an index page "
        "with trends",
        "specfair report reports/latest.json --format md",
        (
            _argument("runs", nargs="+", metavar="RUN.json"),
            _argument("--format", choices=("html", "md", "json"), default="html"),
            _argument("--out", "write there instead of printing", metavar="FILE"),
        ),
    ),
    "compare": _Command(
        "doors.rendering:compare_baselines",
        "compare two baselines by prompt; exit 1 on a regression, 3 if undecided or "
        "incomplete",
        "specfair compare main candidate --format md",
        (
            _argument("old", "a name under reports/baselines, or a .json file"),
            _argument("new", "likewise"),
            _argument(
                "--format", choices=("text", "md", "json", "junit"), default="text"
            ),
            _gate("regression>=-0.01"),
            _argument("--scope", "identities, prompts or set", metavar="X"),
        ),
    ),
    "prompts": _Command(
        "doors.listing:list_prompts",
        "what is in a prompt set, by group",
        "specfair prompts honest:FOLDER --list",
        (
            _argument(
                "spec",
                "embedded, honest, bold/gender, holistic_bias, mgsm, NAME:FOLDER or "
                "file:PATH",
            ),
            _argument(
                "--list",
                "the number of prompts and clusters of every group",
                action="store_true",
            ),
        ),
    ),
    "corpora": _Command(
        "doors.listing:list_corpus",
        "what is in a fine-tuning dataset",
        "specfair corpora imdb --mentions",
        (
            _argument(
                "name", "ag_news, imdb, cnn_dailymail, sst2, wikitext or file:PATH"
            ),
            _argument(
                "--source", "embedded, hub, or a file or folder", default=EMBEDDED
            ),
            _argument(
                "--mentions",
                "how often each group's identity terms occur",
                action="store_true",
            ),
            _argument(
                "--prompts",
                "the prompt set whose identity terms are counted",
                default=EMBEDDED,
            ),
        ),
    ),
    "fixtures": _Command(
        "doors.listing:show_fixtures",
        "where the embedded world is, and what was measured of its pair",
        "specfair fixtures",
    ),
    "doctor": _Command(
        "doors.doctor:report",
        "versions, devices, offline state, what is stored and what is missing",
        "specfair doctor",
        (_argument("--store", "the store to look at", default=config.STORE),),
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake is one line on standard error."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # names have letters that a terminal's encoding may lack
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: tell(str(message))
            code: int = resolve(options.place)(options)
            sys.stdout.flush()
    except SpecfairError as error:
        tell(str(error))
        return USAGE
    except BrokenPipeError:
        _close_output()
        return OK
    except KeyboardInterrupt:
        tell(
            "interrupted; what was finished is kept, and the same command goes on from "
            "there"
        )
        return INTERRUPTED
    except OSError as error:
        where = repr(str(error.filename)) if error.filename else "the output"
        reason = error.strerror or error
        tell(
            f"{where} could not be read or written: {reason}. Mend that and run again."
        )
        if not error.filename:
            _close_output()
        return USAGE
    return code


def _close_output() -> None:
    """What could not be printed shall not be tried again on the way out."""
    # an output that is no file has nothing left to try
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="specfair",
        description="Fairness of speculative decoding, measured and gated.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in _COMMANDS.items():
        made = commands.add_parser(
            name,
            help=command.text,
            description=command.text,
            epilog=f"example: {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(place=command.place)
        for argument, how in command.arguments:
            made.add_argument(argument, **how)
    return parser


if __name__ == "__main__":
    sys.exit(main())
