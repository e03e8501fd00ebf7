"""What a reader must know before trusting the answers: the same in the terminal and on the page."""

from headstart.compare.collect import superseded_runs, truncated_results
from headstart.compare.inference.analysis import SweepAnalysis, find_conflicting_declarations
from headstart.compare.report import text


def collect_caveats(analysis: SweepAnalysis) -> list[str]:
    """Sentences: of what was declared, of the verdicts, and of runs that do not count."""
    every = analysis.runs
    return [
        *text.describe_conflicting_declarations(find_conflicting_declarations(every)),
        *text.describe_verdict_caveats(analysis.verdicts, has_retrained_runs=bool(every.superseded)),
        *superseded_runs.describe_superseded_runs(every.superseded),
        *truncated_results.describe_truncated_results(every.unreadable),
    ]
