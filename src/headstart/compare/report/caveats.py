"""What a reader must know before trusting the answers: the same in the terminal and on the page."""

from headstart.compare.collect import superseded_runs, truncated_results
from headstart.compare.inference.analysis import Judged, differing
from headstart.compare.report import text


def cautions(told: Judged) -> list[str]:
    """Sentences: of what was declared, of the verdicts, and of runs that do not count."""
    every = told.every
    return [
        *text.differing(differing(every)),
        *text.cautions(told.verdicts, anew=bool(every.superseded)),
        *superseded_runs.sentences(every.superseded),
        *truncated_results.sentences(every.unreadable),
    ]
