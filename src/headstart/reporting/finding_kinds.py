"""Describes the kinds of findings of an audit, for the audit, the sweep and the report."""

FINDING_KINDS = {
    "layout": "a layout that training refuses",
    "layout_note": "a layout that is taken in one way and could be meant in another",
    "unreadable": "cannot be read",
    "no_image": "neither named nor made like an image (training refuses it, unless data.on_bad_file=skip)",
    "mislabelled": "the same pixels under several labels",
    "cross_split": "the same pixels in several parts",
    "exact_duplicate": "the same pixels again",
    "near_duplicate": "pairs that look the same",
    "empty_class": "a class without images",
    "missing_class": "a class that a part lacks",
    "single_class": "a single class, nothing to classify",
    "case": "classes whose names differ only by case",
    "imbalance": "a class with few images beside the largest",
    "size": "far from the rest in size",
    "ignored": "images that training passes over",
    "junk": "folders that are passed over",
}
