"""The answers that come with a type: SAT3, R5, G4 (domain.md §3.0, answer types)."""

from dataclasses import replace

from callback_campaigns.domain.questionnaire import ItemKind, Option, as_sat3

SAT3 = (
    Option(key="1", value="satisfied", label="满意", score=100),
    Option(key="2", value="neutral", label="一般", score=60, neutral=True),
    Option(key="3", value="dissatisfied", label="不满意", score=0, bad=True),
)
G4 = (
    Option(key="1", value="excellent", label="优", score=100),
    Option(key="2", value="good", label="良", score=80),
    Option(key="3", value="fair", label="中", score=60, neutral=True),
    Option(key="4", value="poor", label="差", score=0, bad=True),
)
R5 = tuple(
    Option(
        key=str(mark),
        value=str(mark),
        label=f"{mark}分",
        score=(mark - 1) * 25,
        bad=mark <= 2,
        neutral=mark == 3,
    )
    for mark in range(1, 6)
)
SCALES = {ItemKind.SAT3: SAT3, ItemKind.G4: G4, ItemKind.R5: R5}
SPOKEN_KEYS = {
    ItemKind.SAT3: "满意请按1，一般请按2，不满意请按3。",
    ItemKind.R5: "1到5分，5分最满意，请按相应数字键。",
}


def as_marks(options: tuple[Option, ...]) -> tuple[Option, ...]:
    """Return the four marks that a person asks for, with the consequences of the three of SAT3."""
    by_value = {option.value: option for option in options}
    return tuple(replace(mark, rules=by_value[as_sat3(mark.value)].rules) for mark in G4)
