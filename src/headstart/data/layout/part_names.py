"""Which part of a data set the name of a folder speaks of."""

import re
from dataclasses import dataclass

# Whole words, in any case. Where both stand in one name, as in "trainval", it is the part to train on.
PART_WORDS = {
    "train": ("train", "training", "trn", "trainingsdaten", "treino", "entrenamiento", "entrainement", "训练"),
    "val": ("val", "valid", "validation", "validate", "validating", "dev", "development", "验证"),
    "test": ("test", "testing", "tests", "tst", "eval", "evaluation", "holdout", "heldout", "teste", "prueba", "测试"),
}
PART_OF_WORD = {word: part for part, words in PART_WORDS.items() for word in words} | {"trainval": "train"}
# Words that add nothing to the name of a part; numbers do not either ("train2017").
FILLERS = {"set", "sets", "data", "dataset", "datasets", "daten", "class", "classes", "file", "files", "folder", "dir"}
FILLERS |= {"image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "pic", "pics"}
FILLERS |= {"split", "subset", "part", "sample", "samples", "frames", "crops", "cropped", "resized", "small", "full"}
FILLERS |= {"jpg", "jpeg", "png", "new", "final", "raw", "original", "集"}
EMPTY_WORDS = {"all", "unknown", "unlabeled", "unlabelled", "none"}


@dataclass(frozen=True)
class PartName:
    """What a name says of a part.

    Args:
        part: ``train``, ``val`` or ``test``.
        is_plain: the name says nothing else ("Training", "test_set"; not "seg_train").
        rest: the words that say something else ("seg").
    """

    part: str
    is_plain: bool
    rest: tuple[str, ...] = ()


def read_part_name(name: str) -> PartName | None:
    """The part that a folder's name speaks of; None where it speaks of none.

    Example:
        >>> read_part_name("Test-Set")
        PartName(part='test', is_plain=True)
    """
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)  # TrainSet
    words = re.findall(r"[^\W\d_]+", text.casefold())
    name_in_one = "".join(words)
    if name_in_one in PART_OF_WORD:  # hold-out
        return PartName(PART_OF_WORD[name_in_one], True)
    parts = [part for word in words if (part := _part_of_word(word))]
    if not parts:
        return None
    rest = [word for word in words if not _part_of_word(word) and word not in FILLERS]
    if set(parts) == {"train", "val"}:
        return PartName("train", not rest, tuple(rest))
    return PartName(parts[0], not rest and len(set(parts)) == 1, tuple(rest))


def is_filler(name: str) -> bool:
    """Whether a folder's name says nothing of what is in it: "images", "data", "all", "unknown"."""
    words = re.findall(r"[^\W\d_]+", name.casefold())
    return all(word in FILLERS | EMPTY_WORDS for word in words)


def _part_of_word(word: str) -> str | None:
    if word in PART_OF_WORD:
        return PART_OF_WORD[word]
    # "testset", "trainimages"
    return next((PART_OF_WORD[w] for w in PART_OF_WORD if word.startswith(w) and word[len(w) :] in FILLERS), None)
