"""The report: three forms of a stored run. Knows nothing of models."""

from specfair.report.markdown import render_markdown
from specfair.report.render import render_html, render_index

__all__ = ["render_html", "render_index", "render_markdown"]
