"""Mistakes in how the text of a questionnaire is written, in the language of the reader."""

from web.sentences import OF_ENTRIES, OF_YAML, Sentences

_Q = "“(.*)”"
KNOWN: tuple[tuple[str, str], ...] = (
    *OF_YAML,
    ("(?:.* )?(\\S+) appears twice \\(first in line (\\d+)\\)", "{0} 写了两次，第一次在第 {1} 行。"),
    ("items must be a mapping of ids to questions", "items 下面要写题号，每个题号下面写题目。"),
    ("(.+) must be a mapping of names to values", "{0} 下面要写“名称: 值”。"),
    ("(.+) must be a name or a list of names", "{0} 要写一个名称，或者名称的列表。"),
    ("(\\w+) must be (.+)", "{0} 的写法不对，应当是 {1}。"),
    (".+ has no " + _Q + "; it knows (.+)", "没有“{0}”这一项；可以写的有 {1}。"),
    ("(\\w+) has (\\d+) characters, at most (\\d+) may stand", "{0} 有 {1} 个字，最多 {2} 个。"),
    ("(\\w+) knows no " + _Q + "; it is one of (.+)", "{0} 不能写“{1}”；可以写的有 {2}。"),
    (_Q + " is no code: two capital letters", "“{0}”不能作代码，请写两个大写字母。"),
    (_Q + " is no id: two capital letters.*", "“{0}”不能作题号，请写两个大写字母加数字，如 KG1。"),
    (_Q + " is no key: 1 to 9.*", "“{0}”不能作按键，只能是 1 到 9；0 和 * 另有用处。"),
    (_Q + " is no time: .*", "“{0}”不是时限，请写成 3sh、24h 或 1wd。"),
    ("(\\d+) items, at most (\\d+) may stand", "有 {0} 道题，最多 {1} 道。"),
    ("(\\d+) answers, at most (\\d+) may stand", "有 {0} 个答案，最多 {1} 个。"),
    ("(\\d+) consequences, at most (\\d+) may stand", "有 {0} 条后续，最多 {1} 条。"),
    ("two answers are stored as " + _Q, "有两个答案的值都是“{0}”。"),
    ("value " + _Q + " may have small letters.*", "值“{0}”只能用小写字母、数字和下划线。"),
    ("(\\S+) has no answer (.+); it has (.+)", "{0} 没有答案 {1}；有的是 {2}。"),
    ("(\\S+) has no answers to choose from", "{0} 没有可选的答案。"),
    ("(\\S+) needs a department in «to»", "{0} 要在 to 里写责任部门。"),
    ("an item counts for one department or for none", "一道题只能算给一个部门，或者不算。"),
    ("only SAT3 is asked otherwise by people", "只有 SAT3 可以改由人工另问。"),
    ("answers are missing", "缺少 answers：有哪些答案。"),
    ("ask is missing: .*", "缺少 ask：题目怎么问。"),
    ("do is missing: .*", "缺少 do：要做什么。"),
    ("type is missing", "缺少 type：题型。"),
    ("under is missing: .*", "缺少 under：第二级选项。"),
    ("(\\w+) is missing", "缺少 {0}。"),
    (
        "(?:\\w+: )?" + _Q + " is no condition; .*",
        "“{0}”不是条件；写成 «名称»、«not 名称» 或 «名称 = 值»。",
    ),
    ("(?:\\w+: )?nobody knows " + _Q + "; there are (.+)", "条件里的“{0}”没有定义；可以用的有 {1}。"),
    ("(?:\\w+: )?(\\S+) is true or false: write .*", "{0} 只有是和否，请写 «{0}» 或 «not {0}»。"),
    ("(?:\\w+: )?(\\S+) is not true or false; .*", "{0} 不是是否题，请和一个值比较。"),
    ("(?:\\w+: )?(\\S+) is compared with one whole number", "{0} 要和一个整数比较。"),
    (
        "(?:\\w+: )?(?:the answer to )?(\\S+) can only be compared with = and !=",
        "{0} 只能用 = 和 != 比较。",
    ),
    ("(?:\\w+: )?(\\S+) is never " + _Q + "; it is one of (.+)", "{0} 不会是“{1}”；可能的有 {2}。"),
    (_Q + " asks for (\\S+), .*", "“{0}”问到 {1}，它不在前面，或没有这样的答案。"),
    ("code: the text says (\\S+), but it is published as (\\S+)", "全文里写的是 {0}，它发布时叫 {1}。"),
    ("there is no such prompt", "没有这一句。"),
    *OF_ENTRIES,
)
told = Sentences(KNOWN).told
"""Return a mistake as the reader understands it."""
