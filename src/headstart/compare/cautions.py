"""What a reader must know before trusting the answers: the same in the terminal and on the page."""

from headstart.compare import cut_short, superseded, words
from headstart.compare.judge import Judged, differing


def cautions(told: Judged) -> list[str]:
    """Sentences: of what was declared, of the verdicts, and of runs that do not count."""
    every = told.every
    return [
        *words.differing(differing(every)),
        *words.cautions(told.verdicts, anew=bool(every.superseded)),
        *superseded.sentences(every.superseded),
        *cut_short.sentences(every.unreadable),
    ]
