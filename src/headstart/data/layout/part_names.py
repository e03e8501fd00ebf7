"""Reads the part of a data set (train, val or test) from the name of a folder."""

import re
from dataclasses import dataclass

# Whole words, in any case. A name with words of train and of val, such as "trainval", is the training part.
PART_WORDS = {
    "train": ("train", "training", "trn", "trainingsdaten", "treino", "entrenamiento", "entrainement", "训练"),
    "val": ("val", "valid", "validation", "validate", "validating", "dev", "development", "验证"),
    "test": ("test", "testing", "tests", "tst", "eval", "evaluation", "holdout", "heldout", "teste", "prueba", "测试"),
}
PART_OF_WORD = {word: part for part, words in PART_WORDS.items() for word in words} | {"trainval": "train"}
# Words that change nothing about the name of a part, as numbers do not ("train2017").
FILLERS = {"set", "sets", "data", "dataset", "datasets", "daten", "class", "classes", "file", "files", "folder", "dir"}
FILLERS |= {"image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "pic", "pics"}
FILLERS |= {"split", "subset", "part", "sample", "samples", "frames", "crops", "cropped", "resized", "small", "full"}
FILLERS |= {"jpg", "jpeg", "png", "new", "final", "raw", "original", "集"}
EMPTY_WORDS = {"all", "unknown", "unlabeled", "unlabelled", "none"}


@dataclass(frozen=True)
class PartName:
    """The part that a folder's name contains.

    Args:
        part: ``train``, ``val`` or ``test``.
        is_plain: whether the name holds no other words ("Training", "test_set"; not "seg_train").
        rest: the other words ("seg").
    """

    part: str
    is_plain: bool
    rest: tuple[str, ...] = ()


def read_part_name(name: str) -> PartName | None:
    """The part in the name of a folder; None if there is none.

    Example:
        >>> read_part_name("Test-Set")
        PartName(part='test', is_plain=True)
    """
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)  # TrainSet
    words = re.findall(r"[^\W\d_]+", text.casefold())
    joined = "".join(words)
    if joined in PART_OF_WORD:  # hold-out
        return PartName(PART_OF_WORD[joined], True)
    parts = [part for word in words if (part := _part_of_word(word))]
    if not parts:
        return None
    rest = [word for word in words if not _part_of_word(word) and word not in FILLERS]
    if set(parts) == {"train", "val"}:
        return PartName("train", not rest, tuple(rest))
    return PartName(parts[0], not rest and len(set(parts)) == 1, tuple(rest))


def is_filler(name: str) -> bool:
    """Whether a folder's name does not describe its content: "images", "data", "all", "unknown"."""
    words = re.findall(r"[^\W\d_]+", name.casefold())
    return all(word in FILLERS | EMPTY_WORDS for word in words)


def _part_of_word(word: str) -> str | None:
    if word in PART_OF_WORD:
        return PART_OF_WORD[word]
    # "testset", "trainimages"
    return next((PART_OF_WORD[w] for w in PART_OF_WORD if word.startswith(w) and word[len(w) :] in FILLERS), None)
