"""Sentences that a reader of texts writes in English, in the language of whoever looks at the page.

Mistakes in texts that people write (flows, questionnaires) are found by readers that also serve the API and
the command line, where they are English. Here each is known by its pattern; what nobody knows stays as it is.
"""

import re
from collections.abc import Iterable

from web.i18n import SOURCE_LANGUAGE, current_language

MOST_INSIDE = 3
"""A sentence may stand in another: «prompt “hello”: text has nothing to say»."""

OF_YAML: tuple[tuple[str, str], ...] = (
    # what stands inside other sentences: kinds of values
    ("a text", "文字"),
    ("true or false", "true 或 false"),
    ("a whole number from (\\d+) to (\\d+)", "{0} 到 {1} 的整数"),
    ("one of (.+)", "其中一个：{0}"),
    ("the name of a node", "节点的名称"),
    ("the name of a variable", "变量的名称"),
    ("the name of a flow", "流程的名称"),
    ("a name or a list of names", "一个名称，或者名称的列表"),
    ("a mapping of names to values", "“名称: 值”的列表"),
    ("a mapping of days to hours", "“日子: 时段”的列表"),
    # the file as a whole
    ("longer than (\\d+) KiB", "全文太长，最多 {0} KiB。"),
    ("file is larger than (\\d+) KiB", "全文太长，最多 {0} KiB。"),
    ("file is empty", "全文是空的。"),
    ("file has too many entries", "全文的条目太多。"),
    ("file has several documents", "全文里只能有一个文档，请去掉单独一行的“---”。"),
    ("nested deeper than (\\d+) levels", "层次太多，最多 {0} 层。"),
    ("a key must be a word, not a list or a mapping", "冒号前面要是一个词。"),
    ("anchors and aliases are not used here; .*", '不能用锚点和引用；星号键请加引号："*"。'),
    ("tags such as (.+) are not used here", "不能用 {0} 这样的标签。"),
    ("not YAML: it holds a control character", "全文里有控制字符，请删掉。"),
    ("not YAML.*", "这里的 YAML 写法不对，请检查缩进、冒号和引号。"),
)
"""What :mod:`kernel.yaml_tree` says, and how :mod:`kernel.yaml_fields` names values."""
OF_ENTRIES: tuple[tuple[str, str], ...] = (
    ("(.+) appears twice \\(first in line (\\d+)\\)", "{0} 写了两次，第一次在第 {1} 行。"),
    ("(.+) has no “([^”]*)”; it knows (.*)", "{0} 里没有“{1}”这一项；可以写的有 {2}。"),
    ("(.+) must be (.+)", "{0} 的写法不对，应当是{1}。"),
    ("(\\S+) is missing", "缺少 {0}。"),
)
"""What :mod:`kernel.yaml_fields` says of any entry; to be asked last."""


class Sentences:
    """Knows sentences.

    Args:
        known: pattern of a whole sentence → what it means in Chinese, with ``{0}`` and so on for its groups;
            the first one that fits is taken.
    """

    def __init__(self, known: Iterable[tuple[str, str]]) -> None:
        self._known = tuple((re.compile(pattern, re.DOTALL), text) for pattern, text in known)

    def told(self, message: str) -> str:
        """Return a sentence as the reader understands it."""
        return self._told(message, MOST_INSIDE) if current_language() == SOURCE_LANGUAGE else message

    def _told(self, message: str, inside: int) -> str:
        for pattern, text in self._known:
            found = pattern.fullmatch(message)
            if found is not None:
                parts = [part or "" for part in found.groups()]
                return text.format(*[self._told(part, inside - 1) for part in parts] if inside else parts)
        return message
