"""Groups and describes ignored images, for the terminal and for ``result.json``."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from headstart.errors import MAX_LISTED


def group_ignored(ignored: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """For each reason the number of images and the first twenty names.

    Args:
        ignored: (reason, name) of each.

    Returns:
        ``{"reason": …, "count": …, "images": […]}`` of each reason.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for reason, name in ignored:
        groups[reason].append(name)
    return [
        {"reason": reason, "count": len(names), "images": sorted(names)[:MAX_LISTED]}
        for reason, names in sorted(groups.items())
    ]


def describe_ignored(groups: Sequence[dict[str, Any]]) -> str:
    """``"hidden images: 3 (a/.0.png, …)"``: the groups in one line, with an example of each."""
    return "; ".join(
        f"{group['reason']}: {group['count']:,} ({group['images'][0]}{', …' if group['count'] > 1 else ''})"
        for group in groups
    )
