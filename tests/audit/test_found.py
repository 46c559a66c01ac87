"""What is said of a measured stage: what is wrong with it, and what a reader must know."""

from dataclasses import replace

from specfair.audit.audit import Audit
from specfair.engine.agreement import Agreement
from specfair.vocabulary import BASE


def test_what_is_wrong_and_what_is_said(measured: Audit) -> None:
    found = measured.made.found(BASE)
    assert (found.problem, found.notes) == ("", ())
    lossy = replace(found, fidelity=("it is lossy", "2.63 nats"))
    assert (lossy.problem, lossy.notes) == ("it is lossy", ("2.63 nats",))
    counted = replace(lossy, agreement=Agreement(1, 0, "counts differ"))
    assert counted.problem == "counts differ"
    limited = replace(found, pair=replace(found.pair, n_beyond=3))
    (said,) = limited.notes
    assert said.startswith("3 of the target's tokens have no twin in the draft's")
