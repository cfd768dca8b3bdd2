"""A report as one HTML file, of the templates in ``templates/``. Nothing in it is loaded from elsewhere."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mindcv_shufflenet import __version__
from mindcv_shufflenet.report.charts import COLOURS, RIGHT, LineChart, Series, line_chart
from mindcv_shufflenet.report.run import Run
from mindcv_shufflenet.report.texts import TEMPLATES, TEXTS, alternative, html, svg
from mindcv_shufflenet.storage.run_directory import REPORT_MARKER


class DrawnChart(NamedTuple):
    """A chart, the key of its title, and its alternative text."""

    chart: LineChart
    title: str
    alt: Markup


def render(template: str, language: str, context: Mapping[str, Any]) -> str:
    """Return a page.

    Args:
        template: name of the template.
        language: ``en`` or ``zh``: the one that is shown at first.
        context: what the template reads.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    common = {
        "html": html,
        "svg": svg,
        "language": language,
        "marker": REPORT_MARKER,
        "version": __version__,
        "date": datetime.now().strftime("%Y-%m-%d %H:%M"),
        "right": RIGHT,
        "colours": COLOURS,
    }
    return environment.get_template(template).render({**common, **context})


def drawn(title: str, series: Sequence[Series], *, may_be_log: bool = False) -> list[DrawnChart]:
    """Return a chart of series, with the figures at their ends in its alternative text; none if there are no values."""
    chart = line_chart(series, may_be_log=may_be_log)
    if chart is None:
        return []
    filled = [one for one in series if one.values]
    epochs = int(max(x for one in filled for x, _ in one.values))
    ends = "; ".join(f"{one.values[0][1]:.4g} → {one.values[-1][1]:.4g}" for one in filled)
    return [DrawnChart(chart, title, alternative("chart_alt", epochs=epochs, title=TEXTS[title], figures=ends))]


def state_of(run: Run) -> Markup:
    """Return how far a run is."""
    done, epochs = run.epochs[-1].epoch, run.config.epoch_size
    if run.is_running:
        return html("running", done=done, epochs=epochs)
    if done >= epochs:
        return html("finished", done=done)
    return html("stopped_early" if run.has_stopped_early else "stopped", done=done, epochs=epochs)


def percent(share: float) -> str:
    """Return a share of 1 in percent, without the sign."""
    return f"{100 * share:.1f}"


def clock(seconds: float) -> str:
    """Return a time as ``h:mm:ss``."""
    return str(timedelta(seconds=round(seconds)))


def short_names(names: Sequence[str]) -> list[str]:
    """Return the first of each class's names, as ImageNet's have several; all if another class has the same first."""
    first = [name.split(",")[0].strip() for name in names]
    counts = Counter(first)
    return [short if counts[short] == 1 else name for short, name in zip(first, names, strict=True)]
