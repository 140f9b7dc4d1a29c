"""When two customers may be one person: the same number, and names that are alike."""

from crm.domain.customer import family_name
from crm.domain.pinyin import readings
from crm.domain.search_text import normalise

_TITLES = ("先生", "女士", "小姐", "太太", "老师", "总", "工", "师傅", "阿姨", "叔叔")


def bare_name(name: str) -> str:
    """Return the name in one spelling, without title and gaps."""
    text = normalise(name).replace(" ", "")
    for title in _TITLES:
        if len(text) > len(title) and text.endswith(title):
            return text.removesuffix(title)
    return text


def similar_names(first: str, second: str) -> bool:
    """Tell whether two names may be the same person's.

    They are the same, one is only the family name of the other («王先生», «王建军»), they sound the same,
    or a single character of three or more differs.
    """
    one, other = bare_name(first), bare_name(second)
    if not one or not other:
        return False
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    if short == family_name(long):
        return True
    if set(_spoken(one)) & set(_spoken(other)):
        return True
    return len(one) == len(other) >= 3 and sum(a != b for a, b in zip(one, other, strict=True)) == 1


def _spoken(name: str) -> list[str]:
    """Whole pinyin only: initials alone are too weak."""
    return [reading for reading in readings(name) if len(reading) > len(name)]
