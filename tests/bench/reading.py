"""How well the shipped rules find what matters in a conversation, and how fast text is read.

``tests/data/speech/utterances.tsv`` holds utterances of customers and agents as recognisers write them:
without punctuation, colloquial, some in traditional characters, some with words misheard; each with the rules
that should find something in it. The rules were tuned on two thirds of them; ``held`` is the third that was
only measured; ``whisper`` is what the base model made of the hotline sentences. The others were written by
hand by who wrote the rules: real calls will be harder. Precision: of what was found, what should have been;
recall: of what should have been, what was found. The table of every rule goes to the error output.
"""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from speech.reading import read
from speech.rules.finder import find
from speech.rules.findings import Speaker
from speech.rules.model import shipped_rules
from tests.bench.report import at_least, report

DATA = Path(__file__).parents[1] / "data" / "speech" / "utterances.tsv"
PARTS = ("tune", "held", "whisper")
AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Utterance:
    speaker: Speaker
    part: str
    text: str
    rules: frozenset[str]


def utterances() -> list[Utterance]:
    """The labelled set."""
    found = []
    for line in DATA.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            speaker, part, text, rules = line.split("\t")
            found.append(Utterance(Speaker(speaker), part, text, frozenset(rules.split())))
    return found


class Score:
    """Right, wrong and missed, by rule."""

    def __init__(self) -> None:
        self.right: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()

    def add(self, wanted: frozenset[str], found: frozenset[str]) -> None:
        self.right.update(wanted & found)
        self.wrong.update(found - wanted)
        self.missed.update(wanted - found)

    def precision(self, prefix: str = "") -> float:
        right, wrong = self._sum(self.right, prefix), self._sum(self.wrong, prefix)
        return right / (right + wrong) if right + wrong else 1.0

    def recall(self, prefix: str = "") -> float:
        right, missed = self._sum(self.right, prefix), self._sum(self.missed, prefix)
        return right / (right + missed) if right + missed else 1.0

    @staticmethod
    def _sum(counts: Counter[str], prefix: str) -> int:
        return sum(count for rule, count in counts.items() if rule.startswith(prefix))


def scored(chosen: Sequence[Utterance], *, say: bool = False) -> Score:
    """Score the utterances; with ``say``, print those that went wrong."""
    score = Score()
    for one in chosen:
        found = frozenset(finding.rule for finding in find(read(one.text), one.speaker, AT))
        score.add(one.rules, found)
        if say and found != one.rules:
            extra, missing = sorted(found - one.rules), sorted(one.rules - found)
            print(f"{one.text}\n    too many: {extra}  missing: {missing}", file=sys.stderr)
    return score


def run() -> dict[str, Any]:
    """Measure."""
    every = utterances()
    tune, held, real = (scored([one for one in every if one.part == part]) for part in PARTS)
    figures: dict[str, float] = {
        "utterances": len(every),
        **{f"{part}_utterances": sum(one.part == part for one in every) for part in PARTS},
        "rules": len(shipped_rules().rules),
    }
    for name, score in zip(PARTS, (tune, held, real), strict=True):
        figures[f"{name}_precision_ratio"] = score.precision()
        figures[f"{name}_recall_ratio"] = score.recall()
    for kind in sorted({rule.kind for rule in shipped_rules().rules}):
        figures[f"held_{kind}_precision_ratio"] = held.precision(f"{kind}.")
        figures[f"held_{kind}_recall_ratio"] = held.recall(f"{kind}.")
    print(f"{'rule':32}{'precision':>10}{'recall':>8}{'held p':>8}{'held r':>8}", file=sys.stderr)
    for rule in shipped_rules().rules:
        if tune.right[rule.id] + tune.missed[rule.id] + held.right[rule.id] + held.missed[rule.id]:
            cells = (
                tune.precision(rule.id),
                tune.recall(rule.id),
                held.precision(rule.id),
                held.recall(rule.id),
            )
            print(
                f"{rule.id:32}{cells[0]:10.2f}{cells[1]:8.2f}{cells[2]:8.2f}{cells[3]:8.2f}", file=sys.stderr
            )
    texts = [one.text for one in every] * 5
    began = time.process_time()
    readings = [read(text) for text in texts]
    figures["read_microseconds_per_utterance"] = (time.process_time() - began) / len(texts) * 1e6
    began = time.process_time()
    for reading in readings:
        find(reading, Speaker.CUSTOMER, AT)
    figures["find_microseconds_per_utterance"] = (time.process_time() - began) / len(texts) * 1e6
    goals = {
        "held_precision_ratio": at_least(held.precision(), 0.85),
        "held_recall_ratio": at_least(held.recall(), 0.75),
    }
    return report("reading", figures, goals)
