"""Seconds on the page and in the terminal."""

import dataclasses
import math

from specfair.report import render_html
from specfair.run.closer import WaitRow
from specfair.run.run import Run
from specfair.run.summary import summary
from specfair.vocabulary import BASE
from tests import report_samples

ROW = WaitRow(BASE, "seconds", "slow", "fast", 0.36, 0.03, 0.53, 1.2, 0.84, 0.28)


def test_who_waits_how_much_longer_is_said_on_the_page_and_in_the_terminal() -> None:
    said = "100 tokens take slow 0.360 s [0.030, 0.530] more than fast"
    run = dataclasses.replace(report_samples.full(), waits=(ROW,))
    html = render_html(run)
    assert said in html
    assert 'id="section-waits"' in html
    lines = summary(run, "", {})
    line = next(line for line in lines if line.startswith("clock, before fine-tuning"))
    assert said in line
    assert "(1.200 and 0.840 s); predicted 0.280" in line
    blank = dataclasses.replace(ROW, predicted=math.nan)
    assert "predicted" not in blank.said
    assert Run.from_json(run.to_json()).waits == (ROW,)
    assert 'id="section-waits"' not in render_html(report_samples.recorded())
