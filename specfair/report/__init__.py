"""The report: a stored run and its three forms. Knows nothing of models; loads jinja2
and altair only to draw.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from specfair.report.markdown import render_markdown
    from specfair.report.render import render_html, render_index

__all__ = ["render_html", "render_index", "render_markdown"]


def __getattr__(name: str) -> Any:
    if name == "render_markdown":
        from specfair.report.markdown import render_markdown

        return render_markdown
    if name in ("render_html", "render_index"):
        from specfair.report import render

        return getattr(render, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
