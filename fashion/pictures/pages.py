"""Shared parts of the HTML reports: style sheet, sortable tables, plot colors, rendering.

A page's template includes `page.css` and `page.js` from this folder.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Theme:
    """Colors of a plot, the same as in the style sheet."""

    name: str
    ground: str
    ink: str
    soft: str
    line: str
    mark: str


THEMES = (
    Theme("light", ground="#ffffff", ink="#1c2430", soft="#c3cad4", line="#1d5fd1", mark="#c2410c"),
    Theme("dark", ground="#1a1f27", ink="#d5dbe4", soft="#4a5361", line="#7fb0ff", mark="#fb9a5c"),
)


def style_axes(axes: "Axes", theme: Theme) -> None:
    """Apply the common style of plots: unobtrusive ticks and grid, no frame at the top and the right."""
    axes.tick_params(colors=theme.ink, labelsize=8, length=0)
    axes.grid(color=theme.soft, linewidth=0.5, alpha=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(theme.soft)


def render_page(template: Path, filters: Mapping[str, Callable[..., Any]], **contents: Any) -> str:
    """Render a template to HTML.

    Args:
        template: a Jinja template; it may include files from its own folder and from this one.
        filters: Jinja filters by name.
        contents: the template's variables; an undefined variable is an error.
    """
    environment = template_environment(template.parent, Path(__file__).parent)
    environment.filters |= filters
    return environment.get_template(template.name).render(contents)


def template_environment(*folders: Path) -> "Environment":
    """Jinja with the templates of some folders; what they insert is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,  # labels, file names and ids are untrusted text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
