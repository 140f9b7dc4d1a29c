"""What is said around the questions over IVR (domain.md §3.0, IVR frame). No marketing in any of it."""

from collections.abc import Mapping

OPENING = (
    "您好，这里是{company}客户服务中心，想就您在{community}的装修做一次{survey}，约{minutes}分钟。"
    "为核查服务质量，本次通话会录音。"
    "现在方便请按1，改天联系请按2，转人工请按0，今后不再接听此类回访请按9。"
)
APPOINTMENT = "请问什么时候方便？今天下午请按1，明天上午请按2，明天下午请按3。"
REFUSAL = "您选择了今后不再接听此类回访，确认请按1。"
IDENTITY = "请问是{name}本人或家人吗？是请按1，不是请按2。"
NOT_THEM = "很抱歉打扰您了，我们会核对号码，再见。"
WRONG_KEY = "没有听清您的选择。"
OFFER_AGENT = "需要客服人员为您服务请按0，结束请挂机。"
AFTER_BAD = "很抱歉给您带来不便，请在滴声后简单说明，说完按井号键，我们会有专人联系您。"
MESSAGE = "还有什么意见或要求，请在滴声后留言，说完按井号键，没有可直接挂机。"
CLOSING = "感谢您的配合。如有问题请拨打{hotline}，祝您生活愉快。"

PLACEHOLDERS: Mapping[str, str] = {
    "company": "慧家装饰",
    "community": "翠湖花园",
    "survey": "回访",
    "minutes": "2",
    "name": "王先生",
    "problem": "卫生间漏水问题",
    "hotline": "服务热线",
}
"""What may stand in braces in a prompt, with an example for the preview."""


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values in place of ``{name}``; a name without a value gets its example."""
    for name, example in PLACEHOLDERS.items():
        text = text.replace("{" + name + "}", values.get(name, example))
    return text


def spoken_seconds(text: str) -> int:
    """Return how long a text takes to say, at 4.5 characters a second."""
    said = sum(1 for character in text if character.isalnum())
    pauses = sum(1 for character in text if character in "，。？！、；,.?!;")
    return round(said / 4.5 + pauses * 0.25)
