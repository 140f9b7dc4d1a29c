"""Prompts every flow has without defining them. A flow that defines one of these names says it its way."""

from collections.abc import Mapping

from kernel.spoken import spoken_digits

STOCK_PROMPTS: Mapping[str, str] = {
    "stock_wrong": "没有听清您的选择。",
    "stock_silence": "没有收到您的按键。",
    "stock_transfer": "正在为您转接人工客服，请稍候。",
    "stock_apology": "非常抱歉。",
    "stock_taken": "好的。",
    "stock_goodbye": "感谢您的来电，再见。",
    **{f"stock_digit_{digit}": spoken_digits(digit) for digit in "0123456789"},
}
