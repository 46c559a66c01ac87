"""`specfair prompts`, `corpora` and `fixtures`: what is in the data, by group.

Knows what a reader wants to see of a set or a corpus. Does not know how they are read.
"""

import argparse

from specfair.doors.lazy import resolve
from specfair.doors.printing import show
from specfair.errors import counted
from specfair.texts import corpora, prompts
from specfair.vocabulary import OK


def list_prompts(options: argparse.Namespace) -> int:
    """What is in a prompt set, by group."""
    found = prompts.load(options.spec)
    show(found.sentence, f"licence: {found.licence}")
    for note in found.notes:
        show(f"note: {note}")
    if options.list:
        for group, n in found.sizes.items():
            clusters = {p.cluster for p in found if p.group == group}
            show(f"{n:>7,}  {group} ({counted(len(clusters), 'cluster')})")
    return OK


def list_corpus(options: argparse.Namespace) -> int:
    """What is in a fine-tuning dataset, and how often it mentions the groups."""
    corpus = corpora.load(options.name, options.source)
    show(
        f"{corpus.source}: {len(corpus.train):,} documents to train on, "
        f"{len(corpus.heldout):,} held out"
    )
    if options.mentions:
        show(f"{'words':>9} {'documents':>9} {'substrings':>10}  group")
        counted_in = resolve("texts.mentions:count_mentions")  # loads numpy
        terms = prompts.load(options.prompts).terms
        for group, n in counted_in(corpus.train, terms).items():
            words = f"{n.n_words:>9,} {n.n_documents:>9,} {n.n_substrings:>10,}"
            show(f"{words}  {group}")
    return OK


def show_fixtures(_: argparse.Namespace) -> int:
    """Where the embedded world is, and what was measured of its pair."""
    folder = prompts.fixtures()
    show(str(folder))
    print((folder / "pair" / "measured.json").read_text(encoding="utf-8").strip())
    return OK
