"""Customers: levels, how they are addressed, and how well a number identifies one (domain.md §4.1)."""

from enum import StrEnum

# Two characters each, one string after another.
_COMPOUND = (
    "欧阳太史端木上官司马东方独孤南宫万俟闻人夏侯诸葛尉迟公羊赫连澹台皇甫宗政濮阳公冶太叔申屠公孙慕容"
    "仲孙钟离长孙宇文司徒鲜于司空闾丘子车亓官司寇巫马公西颛孙壤驷公良漆雕乐正宰父谷梁拓跋夹谷轩辕令狐"
    "段干百里呼延东郭南门羊舌微生梁丘左丘东门西门"
)
COMPOUND_SURNAMES = frozenset(_COMPOUND[i : i + 2] for i in range(0, len(_COMPOUND), 2))


class Level(StrEnum):
    """Customer level; A is served by named people, B and C by the system first (domain.md §3.0)."""

    A = "A"
    B = "B"
    C = "C"


class Salutation(StrEnum):
    """Title used when speaking to the customer."""

    MR = "先生"
    MS = "女士"


def family_name(name: str) -> str:
    """Return the family name of a Chinese name; the empty string where the name is not Chinese.

    Only names of 2 to 4 Chinese characters are read, so that a company or a nickname is never spoken
    as a person.
    """
    if not 2 <= len(name) <= 4 or not all("\u4e00" <= character <= "\u9fff" for character in name):
        return ""
    if len(name) >= 3 and name[:2] in COMPOUND_SURNAMES:
        return name[:2]
    return name[0]


def greeting(name: str, salutation: Salutation | None) -> str:
    """Return how to address the customer (``王先生``), or the empty string when that is not known."""
    surname = family_name(name)
    return f"{surname}{salutation.value}" if surname and salutation else ""
