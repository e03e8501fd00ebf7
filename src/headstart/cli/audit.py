"""`headstart audit`: prints the findings of an image folder as tables or JSON."""

import json

from headstart.data.audit.audit import MAX_EXAMPLES, audit_folder
from headstart.errors import HeadstartError
from headstart.reporting.console import escape_control_characters, print_table
from headstart.reporting.finding_kinds import FINDING_KINDS


def audit_and_print(folder: str, as_json: bool) -> int:
    """Audits a folder and prints a table of counts and a table of paths, or JSON. Returns the exit code 0.

    Raises:
        HeadstartError: there is no such folder, or its layout cannot be determined.
    """
    try:
        audit = audit_folder(folder)
    except HeadstartError as error:  # the folder is an argument here, no key
        raise HeadstartError(str(error).removeprefix("data.root=")) from error
    if as_json:
        print(json.dumps(audit.to_dict(), indent=1))  # ASCII: a name may hold control characters
        return 0
    num_classes = sum(any(parts.values()) for parts in audit.classes.values())
    print(f"{escape_control_characters(audit.name)}: {audit.images:,} images of {num_classes:,} classes")
    if audit.depth:
        print(audit.depth)
    if not audit.findings:
        print("no problems found")
        return 0
    counts = [(kind, f"{count:,}", FINDING_KINDS[kind]) for kind, count in audit.counts.items()]
    print_table(["kind", "count", "meaning"], counts, right_aligned=["count"])
    if audit.pair_counts["pairs"]:
        print(f"\n{audit.pairs_summary}")
    print()
    rows = []
    for kind, count in audit.counts.items():
        for finding in audit.findings_of(kind)[:MAX_EXAMPLES]:
            first, *others = finding.paths[:MAX_EXAMPLES]
            rows += [(kind, first, finding.text), *(("", path, "") for path in others)]
        if count > MAX_EXAMPLES:
            rows.append(("", f"and {count - MAX_EXAMPLES:,} more; --json lists all", ""))
    print_table(["kind", "path", "problem"], rows)
    return 0
