"""The command line: audit, report, compare, prompts, corpora, fixtures, doctor.

Knows arguments, what is printed and exit codes (0 ok, 1 a gate failed, 2 usage, 3
insufficient or incomplete). Each command is a few calls of the modules that do the
work; nothing heavy is imported before a command needs it.
"""

import argparse
import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from specfair import config, outputs, project
from specfair.errors import DataError, SpecfairError, StoreError, plain
from specfair.run.run import Run
from specfair.vocabulary import BASE, EMBEDDED

OK, FAILED, USAGE, UNDECIDED = 0, 1, 2, 3
INTERRUPTED = 130  # as shells have it for SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake is one line on standard error."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # names have letters that a terminal's encoding may lack
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: _say(str(message))
            code: int = options.run(options)
            sys.stdout.flush()
    except SpecfairError as error:
        _say(str(error))
        return USAGE
    except BrokenPipeError:
        _close_output()
        return OK
    except KeyboardInterrupt:
        _say(
            "interrupted; what was finished is kept, and the same command goes "
            "on from there"
        )
        return INTERRUPTED
    except OSError as error:
        where = repr(str(error.filename)) if error.filename else "the output"
        _say(
            f"{where} could not be read or written: {error.strerror or error}. "
            "Mend that and run again."
        )
        if not error.filename:
            _close_output()
        return USAGE
    return code


def _say(line: str) -> None:
    """One harmless line on standard error."""
    print(f"specfair: {plain(line)}", file=sys.stderr, flush=True)


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
    for add in (
        _add_audit,
        _add_report,
        _add_compare,
        _add_prompts,
        _add_corpora,
        _add_fixtures,
        _add_doctor,
    ):
        add(commands)
    return parser


def _command(
    commands: Any, run: Callable[[argparse.Namespace], int], text: str, example: str
) -> argparse.ArgumentParser:
    name = run.__name__.strip("_")
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(run=run)
    return made


def _add_audit(commands: Any) -> None:
    text = (
        "measure a pair by group, before and after fine-tuning on the datasets "
        "named or configured, and gate it"
    )
    example = (
        "specfair audit --target gpt2 --draft distilgpt2 --prompts honest --out "
        "run.json"
    )
    parser = _command(commands, _audit, text, example)
    for option in config.OPTIONS:
        name = "--" + option.name.replace("_", "-")
        if isinstance(option.default, bool):
            parser.add_argument(
                name, action="store_const", const=True, help=option.metadata["help"]
            )
        elif option.name not in ("report", "baseline"):
            parser.add_argument(
                name, metavar="X", help=option.metadata["help"].replace("%", "%%")
            )
    parser.add_argument(
        "--gate",
        action="append",
        default=[],
        metavar="RULE",
        help='such as "gap<=0.05"; repeatable',
    )
    parser.add_argument(
        "--out",
        metavar="NAME",
        help="name of the run: .json, .html and .md are written",
    )


def _audit(options: argparse.Namespace) -> int:
    from specfair.audit import holding, record, writing
    from specfair.audit.session import Session, ask_all

    given = {
        f.name: v
        for f in config.OPTIONS
        if (v := getattr(options, f.name, None)) is not None
    }
    settings = config.load(project.find(Path.cwd()), given, options.gate)
    to = outputs.of(options.out, option="--out") if options.out is not None else None
    session = Session(settings, say=_say)
    named = settings.datasets or settings.ready_made
    stages = settings.stages if named else (BASE,)
    session.audit().measure(stages)
    for stage in stages:
        ask_all(session, stage)
    unheld = holding.unheld(
        holding.Asked(settings, given, stages), [holding.held_by(session)]
    )
    wrong = holding.lines_of_mistakes(unheld)
    report = record.build(session)
    print(_text(report), flush=True)
    lost: list[str] = []
    said = writing.write_files(report, to, lost)[1] if to else []
    for line in (
        *wrong,
        *holding.others([each for each in unheld if not each[1]]),
        *said,
        *lost,
    ):
        _say(line)
    return USAGE if lost or wrong else _exit_code(report)


def _exit_code(report: Run) -> int:
    decisions = {v.decision for v in report.verdicts}
    if decisions & {"fail", "invalid"}:
        return FAILED
    return UNDECIDED if "insufficient" in decisions else OK


def _text(report: Run) -> str:
    order = ("invalid", "fail", "insufficient", "pass")
    ordered = sorted(report.verdicts, key=lambda v: order.index(v.decision))
    return "\n".join(plain(f"{v.decision:<12} {v.sentence}") for v in ordered)


def _add_report(commands: Any) -> None:
    text = (
        "render stored runs again, without a model; several runs make an index "
        "page with trends"
    )
    parser = _command(
        commands, _report, text, "specfair report reports/latest.json --format md"
    )
    parser.add_argument("runs", nargs="+", metavar="RUN.json")
    parser.add_argument("--format", choices=("html", "md", "json"), default="html")
    parser.add_argument("--out", metavar="FILE", help="write there instead of printing")


def _report(options: argparse.Namespace) -> int:
    from specfair.report import render_html, render_index, render_markdown
    from specfair.store import write_text_atomically

    to = outputs.file(options.out, option="--out") if options.out is not None else None
    reports = [read_run(Path(run)) for run in options.runs]
    forms: Mapping[str, Callable[[Run], str]]
    forms = {"html": render_html, "md": render_markdown, "json": Run.to_json}
    if len(reports) == 1:
        text = forms[options.format](reports[0])
    elif options.format == "html":
        text = render_index(reports)
    else:
        text = "\n".join(forms[options.format](report) for report in reports)
    if to:
        write_text_atomically(to, text)
    else:
        print(text)
    return OK


def read_run(path: Path) -> Run:
    """A stored run; what is no run is a StoreError."""
    from specfair.texts.reading import whole

    try:
        text = whole(path)
    except DataError as error:
        raise StoreError(
            f"run {str(path)!r} cannot be read: {error} A run is the .json "
            "beside a report."
        ) from error
    return Run.from_json(text)


def _add_compare(commands: Any) -> None:
    text = (
        "compare two baselines by prompt; exit 1 on a regression, 3 if undecided "
        "or incomplete"
    )
    parser = _command(
        commands, _compare, text, "specfair compare main candidate --format md"
    )
    parser.add_argument("old", help="a name under reports/baselines, or a .json file")
    parser.add_argument("new", help="likewise")
    parser.add_argument(
        "--format", choices=("text", "md", "json", "junit"), default="text"
    )
    parser.add_argument(
        "--gate",
        action="append",
        default=[],
        metavar="RULE",
        help='such as "regression>=-0.01"',
    )


def _compare(options: argparse.Namespace) -> int:
    from specfair.gates import comparison

    home = project.find(Path.cwd())
    rules = config.load(home, {}, options.gate).gates
    found = comparison.compare(options.old, options.new, root=home.root, rules=rules)
    print(comparison.FORMATS[options.format](found))
    return found.exit_code


def _add_prompts(commands: Any) -> None:
    parser = _command(
        commands,
        _prompts,
        "what is in a prompt set, by group",
        "specfair prompts honest:FOLDER --list",
    )
    parser.add_argument(
        "spec",
        help=(
            "embedded, honest, bold/gender, holistic_bias, mgsm, NAME:FOLDER or "
            "file:PATH"
        ),
    )
    parser.add_argument(
        "--list",
        action="store_true",
        help="the number of prompts and clusters of every group",
    )


def _prompts(options: argparse.Namespace) -> int:
    from specfair.texts import prompts

    found = prompts.load(options.spec)
    _print(
        found.sentence,
        f"licence: {found.licence}",
        *(f"note: {note}" for note in found.notes),
    )
    if options.list:
        for group in found.groups:
            members = [p for p in found.prompts if p.group == group]
            n_clusters = len({p.cluster for p in members})
            _print(
                f"{len(members):>7,}  {group} ({n_clusters:,} "
                f"cluster{'s' * (n_clusters != 1)})"
            )
    return OK


def _print(*lines: str) -> None:
    """Lines with names from outside in them, made harmless."""
    print("\n".join(map(plain, lines)))


def _add_corpora(commands: Any) -> None:
    parser = _command(
        commands,
        _corpora,
        "what is in a fine-tuning dataset",
        "specfair corpora imdb --mentions",
    )
    parser.add_argument(
        "name", help="ag_news, imdb, cnn_dailymail, sst2, wikitext or file:PATH"
    )
    parser.add_argument(
        "--source", default=EMBEDDED, help="embedded, hub, or a file or folder"
    )
    parser.add_argument(
        "--mentions",
        action="store_true",
        help="how often each group's identity terms occur",
    )
    parser.add_argument(
        "--prompts",
        default=EMBEDDED,
        help="the prompt set whose identity terms are counted",
    )


def _corpora(options: argparse.Namespace) -> int:
    from specfair.texts import corpora, prompts
    from specfair.texts.mentions import mentions

    corpus = corpora.load(options.name, options.source)
    _print(
        f"{corpus.source}: {len(corpus.train):,} documents to train on, "
        f"{len(corpus.heldout):,} held out"
    )
    if options.mentions:
        print(f"{'words':>9} {'documents':>9} {'substrings':>10}  group")
        for group, n in mentions(
            corpus.train, prompts.load(options.prompts).terms
        ).items():
            _print(
                f"{n.n_words:>9,} {n.n_documents:>9,} {n.n_substrings:>10,}  {group}"
            )
    return OK


def _add_fixtures(commands: Any) -> None:
    _command(
        commands,
        _fixtures,
        "where the embedded world is, and what was measured of its pair",
        "specfair fixtures",
    )


def _fixtures(_: argparse.Namespace) -> int:
    from specfair.texts import prompts

    folder = prompts.fixtures()
    print(plain(str(folder)))
    print((folder / "pair" / "measured.json").read_text(encoding="utf-8").strip())
    return OK


def _add_doctor(commands: Any) -> None:
    text = "versions, devices, offline state, what is stored and what is missing"
    parser = _command(commands, _doctor, text, "specfair doctor")
    parser.add_argument(
        "--store", default=config.Settings().store, help="the store to look at"
    )


def _doctor(options: argparse.Namespace) -> int:
    from specfair.doors import doctor

    lines, complete = doctor.examine(Path(options.store))
    _print(*lines)
    return OK if complete else UNDECIDED


if __name__ == "__main__":
    sys.exit(main())
