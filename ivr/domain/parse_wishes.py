"""What the options of a menu may be asked for by, read from a flow file and proven to be unambiguous."""

from collections.abc import Mapping

from ivr.domain.flow import Choice, Menu, Node, Prompt
from ivr.domain.text import Literal, Template
from ivr.domain.wishes import MAX_PHRASES, PhraseRefused, Wish, Wishes, phrase_sounds
from kernel.yaml_fields import Fields

_KEYS = {"*": "star", "#": "hash"}


def read_wish(fields: Fields, key: str, *, label: str, identity: bool) -> Wish | None:
    """Read ``says``, ``hints`` and ``over`` of an option; ``None`` where it is for its key alone."""
    wish = Wish(fields.words("says"), fields.words("hints"), fields.words("over"))
    if not wish.says and not wish.hints:
        if wish.over:
            fields.complain(fields.line_of("over"), f"key {key} has over but no says: name its words")
        return None
    at = fields.line_of("says" if wish.says else "hints")
    if not wish.says:
        fields.complain(at, f"key {key} has hints but no says: name its words")
    if not label:
        fields.complain(at, f"key {key} has no label: say what the caller is asked whether they want")
    if identity:
        fields.complain(at, f"key {key} confirms who the caller is: that takes the key, not a word")
    texts = wish.says + wish.hints
    if len(texts) > MAX_PHRASES:
        fields.complain(at, f"key {key} has {len(texts)} phrases: {MAX_PHRASES} are the most")
    for text in texts:
        try:
            phrase_sounds(text)
        except PhraseRefused as error:
            fields.complain(at, f"key {key}: {error}")
            return None
    for text in sorted({one for one in texts if texts.count(one) > 1}):
        fields.complain(at, f"key {key}: “{text}” stands there twice")
    return wish


def wishes_of(keys: Mapping[str, Choice], fields: Fields) -> Wishes | None:
    """Put the wishes of a menu together; mistakes among them are written down."""
    line = fields.line_of("keys")
    options = {key: choice.wish for key, choice in keys.items() if choice.wish is not None}
    meant: dict[tuple[str, ...], tuple[str, str]] = {}
    for key, wish in options.items():
        for text in wish.says + wish.hints:
            other, words = meant.setdefault(phrase_sounds(text), (key, text))
            if other == key:
                continue
            if words == text:
                fields.complain(line, f"“{text}” is said for key {other} and for key {key}: it must mean one")
            else:
                fields.complain(
                    line, f"“{words}” of key {other} and “{text}” of key {key} sound the same: one must go"
                )
        for other in wish.over:
            if other not in options or other == key:
                fields.complain(line, f"key {key}: over names “{other}”, which is no other key with says")
            elif key in options[other].over:
                fields.complain(line, f"key {key} is over key {other} and the other way round")
    return Wishes(options) if options else None


def confirm_prompt(node: str, key: str) -> str:
    """Return the name of the prompt that asks back; a flow that defines it says it its way."""
    return f"confirm_{node.replace('-', '_')}_{_KEYS.get(key, key)}"


def confirmations(nodes: Mapping[str, Node], prompts: Mapping[str, Prompt]) -> dict[str, Prompt]:
    """Return the prompts that ask back and that the flow does not define itself."""
    found: dict[str, Prompt] = {}
    for node in nodes.values():
        for choice in node.keys.values() if isinstance(node, Menu) else ():
            if choice.confirm and choice.confirm not in prompts:
                text = f"您是要{choice.label}，对吗？是请按1，或者说，是的；不是请按2，或者说，不是。"
                found[choice.confirm] = Prompt(
                    name=choice.confirm, text=text, template=Template((Literal(text),)), line=node.line
                )
    return found
