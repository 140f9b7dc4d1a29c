"""The tables of questions of domain.md §3, written down once more: what each key is stored as, what it is
worth, and whom it concerns. Nothing here knows how the product comes to the same.
"""

from typing import Final

SAT: Final = [("1", "satisfied", 100, False), ("2", "neutral", 60, False), ("3", "dissatisfied", 0, True)]
Case = tuple[str, str, str, int | None, bool, str, str, str]
"""Item, key, stored, score (``None``: says nothing), bad, departments, severities of tickets, effects."""


def sat3(item: str, to: str, severity: str = "1", effects: str = "") -> list[Case]:
    """Return the three answers of a SAT3; only the last concerns anybody."""
    return [
        (item, key, stored, score, bad, to if bad else "", severity if bad else "", effects if bad else "")
        for key, stored, score, bad in SAT
    ]


def marks(item: str, to: str, effects: str = "") -> list[Case]:
    """Return the five marks; one and two are bad, and three alone is a score below 60: a specialist's."""
    return [
        (
            item,
            str(mark),
            str(mark),
            (mark - 1) * 25,
            mark <= 2,
            to if mark <= 2 else ("SPC" if mark == 3 else ""),
            "1" if mark <= 2 else "",
            effects if mark <= 2 else "",
        )
        for mark in range(1, 6)
    ]


CASES: Final[list[Case]] = [
    ("KG1", "1", "both_came", 100, False, "", "", ""),
    ("KG1", "2", "one_came", 0, True, "DES", "1", ""),
    ("KG1", "3", "nobody_came", 0, True, "DES ENG", "1", ""),
    *sat3("KG2", "DES"),
    ("KG3", "1", "checked", 100, False, "", "", ""),
    ("KG3", "2", "not_checked", 0, True, "MAT", "1", ""),
    ("KG3", "3", "not_arrived", None, False, "", "", "note reask:YB"),
    *sat3("KG4", "ENG"),
    ("KG5", "1", "no_charge", 100, False, "", "", ""),
    ("KG5", "2", "charged", 0, True, "MGR ENG", "2", "call:3sh"),
    ("KG6", "1", "explained", 100, False, "", "", ""),
    ("KG6", "2", "not_explained", 0, True, "STO ENG", "1", ""),
    *marks("KG7", "SPC"),
    *sat3("KG8", "ENG"),
    ("KG9", "1", "phone", None, False, "", "", "store:preferred_channel"),
    ("KG9", "2", "wechat", None, False, "", "", "store:preferred_channel"),
    ("KG9", "3", "sms", None, False, "", "", "store:preferred_channel"),
    ("YB1", "1", "accepted", 100, False, "", "", ""),
    ("YB1", "2", "not_accepted", 0, True, "ENG QC", "2", "remind:stop_covering"),
    ("YB1", "3", "not_yet", None, False, "", "", "remind:acceptance_due"),
    *sat3("YB2", "ENG QC"),
    ("YB3", "1", "tested", 100, False, "", "", ""),
    ("YB3", "2", "not_tested", 0, True, "QC", "2", ""),
    ("YB3", "3", "not_yet", None, False, "", "", "reask:ZQ"),
    ("YB4", "1", "daily", 100, False, "", "", ""),
    ("YB4", "2", "every_few_days", 100, False, "", "", ""),
    ("YB4", "3", "weekly_or_less", 0, True, "ENG", "1", ""),
    *sat3("YB5", "QC"),
    *sat3("YB6", "ENG"),
    ("YB7", "1", "solved", 100, False, "", "", ""),
    ("YB7", "2", "not_solved", 0, True, "DPH", "", "reopen"),
    ("YB8", "1", "signed", 100, False, "", "", ""),
    ("YB8", "2", "not_signed", 0, True, "ENG DES", "1", ""),
    ("YB8", "3", "no_change", None, False, "", "", ""),
    *marks("YB9", "SPC"),
    *sat3("ZQ1", "ENG QC"),
    ("ZQ2", "1", "on_time", 100, False, "", "", ""),
    ("ZQ2", "2", "days_late", 60, False, "", "", "note"),
    ("ZQ2", "3", "weeks_late", 0, True, "ENG", "1", ""),
    *sat3("ZQ3", "MAT"),
    *sat3("ZQ4", "ENG"),
    *sat3("ZQ5", "DES"),
    ("ZQ6", "1", "no_charge", 100, False, "", "", ""),
    ("ZQ6", "2", "charged", 0, True, "MGR ENG", "2", ""),
    ("ZQ7", "1", "solved", 100, False, "", "", ""),
    ("ZQ7", "2", "not_solved", 0, True, "DPH", "", "reopen"),
    ("ZQ8", "1", "clear", 100, False, "", "", ""),
    ("ZQ8", "2", "unclear", 0, True, "STO FIN", "1", ""),
    *sat3("ZQ9", "ENG"),
    *sat3("ZQ10", "ENG"),
    *marks("ZQ11", "SPC MGR"),
    *sat3("WG1", "ENG QC"),
    ("WG2", "1", "on_time", 100, False, "", "", ""),
    ("WG2", "2", "days_late", 60, False, "", "", ""),
    ("WG2", "3", "weeks_late", 0, True, "ENG", "1", ""),
    *sat3("WG3", "DES"),
    *sat3("WG4", "ENG"),
    *sat3("WG5", "QC"),
    *sat3("WG6", "MAT"),
    ("WG7", "1", "nothing_left", 100, False, "", "", ""),
    ("WG7", "2", "something_left", 0, True, "ENG", "1", "block:delivery"),
    ("WG8", "1", "received", 100, False, "", "", ""),
    ("WG8", "2", "not_received", 0, True, "SPC", "1", ""),
    ("WG9", "1", "no_private_work", 100, False, "", "", ""),
    ("WG9", "2", "private_work", 0, True, "MGR", "2", ""),
    *marks("WG10", "MGR", "call:1wd"),
    *[("WG11", str(mark), str(mark), (mark - 1) * 25, False, "", "", "") for mark in range(1, 6)],
    *sat3("WG12", "ENG"),
    *sat3("WG13", "ENG"),
    ("TS1", "1", "contacted", 100, False, "", "", ""),
    ("TS1", "2", "not_contacted", 0, True, "DPH", "", "return_case"),
    ("TS2", "1", "solved", 100, False, "", "", ""),
    ("TS2", "2", "in_hand", 50, True, "DPH", "", "keep_open"),
    ("TS2", "3", "not_handled", 0, True, "DPH", "", "keep_open"),
    ("TS3", "1", "on_time", 100, False, "", "", ""),
    ("TS3", "2", "late", 60, False, "", "", "note"),
    ("TS3", "3", "never_came", 0, True, "DPH", "1", ""),
    *sat3("TS4", "DPH", "", "next_round"),
    *sat3("TS5", "SPC", "", "statistic:timeliness"),
    *sat3("TS6", "DPH"),
    ("TS7", "1", "nothing_new", None, False, "", "", ""),
    ("TS7", "2", "new_problem", None, False, "", "", "new_case"),
    ("BX1", "1", "contacted", 100, False, "", "", ""),
    ("BX1", "2", "not_contacted", 0, True, "RCP", "", "reroute:ORIGINAL_NO_CONTACT"),
    ("BX1", "3", "unsure", None, False, "", "", ""),
    ("BX2", "1", "on_time", 100, False, "", "", ""),
    ("BX2", "2", "late", 60, False, "", "", ""),
    ("BX2", "3", "never_came", 0, True, "RCP", "1", ""),
    ("BX3", "1", "repaired", 100, False, "", "", ""),
    ("BX3", "2", "not_repaired", 0, True, "RCP", "", "visit_again"),
    ("BX3", "3", "must_return", 0, True, "RCP", "", "visit_again"),
    ("BX4", "1", "no_charge", 100, False, "", "", ""),
    ("BX4", "2", "told_before", 100, False, "", "", ""),
    ("BX4", "3", "not_told", 0, True, "MGR FIN", "1", ""),
    *sat3("BX5", "RCP"),
    ("BX6", "1", "cleaned", 100, False, "", "", ""),
    ("BX6", "2", "not_cleaned", 0, False, "SPC", "", "note"),
    *sat3("JG1", "ENG"),
    ("JG2", "1", "dry", 100, False, "", "", ""),
    ("JG2", "2", "leaking", 0, True, "RCP", "", "repair_order"),
    ("JG3", "1", "sound", 100, False, "", "", ""),
    ("JG3", "2", "cracked", 0, True, "RCP", "", "repair_order"),
    ("JG4", "1", "working", 100, False, "", "", ""),
    ("JG4", "2", "not_working", 0, True, "RCP", "", "repair_order"),
    ("JG5", "1", "knows", None, False, "", "", ""),
    ("JG5", "2", "wants_to_know", None, False, "", "", "send:warranty_facts"),
    ("JG6", "1", "settled", 100, False, "", "", ""),
    ("JG6", "2", "not_settled", 0, True, "RCP", "", "reopen"),
    *marks("JG7", "MGR"),
    ("JG8", "1", "consents", None, False, "", "", "store:marketing_consent"),
    ("JG8", "2", "declines", None, False, "", "", "store:marketing_consent"),
    *[
        ("LW1", str(key), value, None, False, "", "", "statistic:churn_reason")
        for key, value in enumerate(
            ("price", "design", "attitude", "progress", "quality", "plans_changed", "other_company", "other"),
            1,
        )
    ],
    *sat3("LW3", "MGR"),
    ("LW4", "1", "consents", None, False, "", "", "store:contact_consent"),
    ("LW4", "2", "declines", None, False, "", "", "store:contact_consent"),
]
DECISIVE: Final = {
    *("KG1", "KG3", "KG5", "YB1", "YB2", "YB7", "ZQ1", "ZQ6", "ZQ7", "WG1", "WG7", "WG9"),
    *("TS1", "TS2", "TS4", "BX1", "BX3", "BX4", "BX5", "JG2", "JG4", "JG6"),
}
OVERALL: Final = {"KG7", "YB9", "ZQ11", "WG10", "JG7"}
A_ONLY: Final = {"KG8", "KG9", "YB8", "ZQ9", "ZQ10", "WG12", "WG13"}
CORE: Final = {
    "KG": "KG1 KG2 KG3 KG4 KG5 KG7 KG9 KG10",
    "YB": "YB1 YB2 YB3 YB4 YB6 YB7 YB9 YB10",
    "ZQ": "ZQ1 ZQ2 ZQ4 ZQ6 ZQ7 ZQ8 ZQ11 ZQ12",
    "WG": "WG1 WG3 WG4 WG7 WG8 WG9 WG10 WG14",
    "TS": "TS1 TS2 TS3 TS4 TS5 TS6 TS7",
    "BX": "BX1 BX2 BX3 BX4 BX5 BX6 BX7",
}
"""What is asked over IVR, the earlier problem included."""
POINTS: Final = {
    "d3": "JG1 JG2 JG4 JG5 JG6 JG9",
    "m1": "JG1 JG2 JG4 JG5 JG6 JG8 JG9",
    "m3": "JG1 JG2 JG3 JG4 JG6 JG9",
    "m6": "JG1 JG2 JG3 JG4 JG6 JG7 JG9",
    "yearly": "JG1 JG2 JG3 JG4 JG6 JG7 JG9",
    "warranty": "JG1 JG2 JG4 JG6 JG9",
    "season": "JG2 JG9",
}
"""The same of finished customers, by the point of their plan."""
