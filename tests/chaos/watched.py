"""A program that audits the embedded pair under hostile names while every file it opens
to write, and every name that a pickle looks up, is noted; run in a process of its own,
since such a watch cannot be ended. Prints what it saw as JSON.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGING = (
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.symlink",
    "os.link",
    "os.truncate",
    "shutil.rmtree",
)


def main(names: list[str]) -> None:
    """Libraries are imported first: what they do then is theirs."""
    from specfair import cli  # noqa: F401 - imported before the watch begins
    from specfair.doors import auditing  # noqa: F401 - likewise
    from specfair.models import load  # noqa: F401 - likewise
    from specfair.report import render_html  # noqa: F401 - likewise

    seen: dict[str, list[str]] = {"written": [], "unpickled": []}

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "pickle.find_class":
            seen["unpickled"].append(f"{arguments[0]}.{arguments[1]}")
        elif (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        ) or event in CHANGING:
            seen["written"].append(_place(event, arguments))

    sys.addaudithook(watch)
    code = work(names)
    print(json.dumps({**seen, "code": code}))


def _place(event: str, arguments: tuple[Any, ...]) -> str:
    """What is changed; a name may be one within an open folder."""
    if isinstance(arguments[0], int):
        return ""
    within, folder = event in ("os.remove", "os.rmdir", "os.mkdir"), ""
    if within and arguments[-1] >= 0:
        folder = os.readlink(f"/proc/self/fd/{arguments[-1]}")
    return os.path.realpath(os.path.join(folder, os.fsdecode(arguments[0])))


def work(names: list[str]) -> int:
    """One command, and one fine-tuning of two steps on a dataset with such a name."""
    from specfair import cli
    from tests.conftest import small_audit

    rows = [
        {
            "group": group,
            "text": f"The {word} {i} said",
            "cluster": f"{group}{i % 2}",
            "id": f"{names[i % len(names)]}{i}{group}",
        }
        for group, word in zip(
            names, ("baker", "nurse", "driver", "clerk"), strict=False
        )
        for i in range(4)
    ]
    place = Path(f"{names[0].replace('/', '_')[:40]}.jsonl")
    place.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = [
        "--max-new-tokens",
        "3",
        "--min-prompts",
        "2",
        "--store",
        "store",
        "--out",
        "out/run.json",
    ]
    code = cli.main(["audit", "--prompts", f"file:{place}", *options])
    corpus = place.with_stem("corpus" + place.stem)
    corpus.write_text(
        "".join(
            json.dumps({"text": f"{row['text']} {i}."}) + "\n"
            for i, row in enumerate(rows)
        )
    )
    audit, _ = small_audit(
        Path.cwd(),
        prompts=f"file:{place}",
        groups="",
        prompts_per_group=0,
        min_prompts=2,
        datasets=f"file:{corpus}",
    )
    audit.after(f"file:{corpus}")
    return code


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
