"""Mistakes in the text of a flow, as the reader of the page understands them (:mod:`ivr.domain`)."""

from web.sentences import OF_ENTRIES, OF_YAML, Sentences

_Q = "“([^”]*)”"
KNOWN: tuple[tuple[str, str], ...] = (
    *OF_YAML,
    # what stands inside other sentences
    ("the flow", "流程"),
    ("the node", "节点"),
    ("schedule (\\S+)", "时间表 {0}"),
    # the file
    ("the file is not UTF-8", "文件不是 UTF-8 编码。"),
    (
        "flow: the file says " + _Q + " but is published as " + _Q,
        "全文里写的流程是“{0}”，这里编辑的是“{1}”。",
    ),
    # names that must exist
    ("start: there is no node " + _Q, "start：没有节点“{0}”。"),
    ("fallback: (.+)", "fallback：{0}"),
    ("there is no prompt " + _Q, "没有提示音“{0}”。"),
    ("there is no queue " + _Q + "; there are (.+)", "没有队列“{0}”；现有的是 {1}。"),
    ("there is no flow " + _Q + "; there are (.+)", "没有流程“{0}”；现有的是 {1}。"),
    ("(.+) leads to " + _Q + ", which does not exist", "{0} 指向“{1}”，但没有这个节点。"),
    ("there is no schedule " + _Q + " under hours", "hours 下面没有时间表“{0}”。"),
    ("nothing in the flow gives the variable " + _Q, "流程里没有哪一步给出变量“{0}”。"),
    ("nothing gives the variable " + _Q, "没有哪一步给出变量“{0}”。"),
    # the graph
    ("no way leads here from the start", "从开头走不到这里。"),
    (
        "loop without exit: no way from here ends at a queue or a hang-up",
        "死循环：从这里走不到任何队列或挂机。",
    ),
    (
        "loop without exit: it comes back here without asking the caller",
        "死循环：不等来电人按键，就又回到这里。",
    ),
    (
        "prompt " + _Q + " speaks (.+) before an identity key was pressed",
        "提示音“{0}”在核对身份的按键之前就念出了 {1}。",
    ),
    # names
    (_Q + " is no name: .*", "“{0}”不能作名称；请用小写字母开头，只含小写字母、数字、- 和 _，最多 48 个。"),
    (_Q + " is no name for a prompt: .*", "“{0}”不能作提示音的名称；只用小写字母、数字和 _。"),
    (_Q + " is no name for a node: .*", "“{0}”不能作节点的名称；只用小写字母、数字、- 和 _。"),
    (_Q + " is no name for a variable", "“{0}”不能作变量的名称；只用小写字母、数字和 _。"),
    (_Q + " is no name that a call can go to: .*", "“{0}”不能作要转去的流程；只用小写字母、数字和 _。"),
    # prompts
    ("more than (\\d+) prompts", "提示音超过 {0} 个。"),
    (
        "prompt " + _Q + " has variables: a recording cannot stand for it",
        "提示音“{0}”里有变量，不能用录音代替。",
    ),
    ("prompt " + _Q + ": its recording is gone; record it again", "提示音“{0}”的录音不见了，请重新录制。"),
    ("prompt " + _Q + ": (.+)", "提示音“{0}”：{1}"),
    ("text has (\\d+) characters, the limit is (\\d+)", "有 {0} 个字，最多 {1} 个。"),
    ("text has nothing to say", "没有可以念的内容。"),
    (
        "unknown format " + _Q + " in (.+); use text, digits or count",
        "{1} 里的“{0}”不对，可以写 text、digits 或 count。",
    ),
    ("a brace that belongs to no \\{variable\\}", "有多余的大括号；变量写成 {{名称}}。"),
    (
        "recording is a name that the page of flows gives",
        "recording 的名称由页面给出，请点“录音”，不要自己写。",
    ),
    ("voice is missing: .*", "缺少 voice；没有单独的声音时，直接写文字就行。"),
    # nodes
    ("fallback is missing: .*", "缺少 fallback：出了差错时转到哪个队列。"),
    ("there is no node kind " + _Q + "; it knows (.+)", "没有“{0}”这种节点；可以用的有 {1}。"),
    ("more than (\\d+) nodes", "节点超过 {0} 个。"),
    ("nodes is missing or empty", "缺少 nodes，或者里面是空的。"),
    ("say is missing: name the prompt to speak", "缺少 say：播放哪一句提示音。"),
    (_Q + " is no telephone key: .*", "“{0}”不是电话按键；请写 0 到 9、* 或 #，并加引号。"),
    ("the menu has no keys", "菜单里没有按键。"),
    ("key (\\S+) leads nowhere", "按键 {0} 没有去处。"),
    ("min_digits is larger than max_digits", "min_digits 比 max_digits 大。"),
    ("values is missing: name a variable and its value", "缺少 values：写变量和它的值。"),
    ("cannot ask for " + _Q + "; it knows (.+)", "不能查询“{0}”；可以查的有 {1}。"),
    ("outcome (\\S+) leads nowhere: give (\\S+) or next", "结果 {0} 没有去处；请写 {1} 或 next。"),
    # opening hours
    (_Q + " is no day: .*", "“{0}”不是日子；请写 mon 到 sun，或 mon-fri 这样的范围。"),
    ("(\\w+) has hours twice", "{0} 的时段写了两次。"),
    ("the schedule is never open", "这个时间表没有开放的时段。"),
    (_Q + " are no hours: .*", "“{0}”不是时段；请写成 08:30-18:00，先开始，后结束。"),
    ("hours (\\S+) overlap the ones before", "时段 {0} 和前面的重叠。"),
    # what may be said for a key
    ("key (\\S+) has over but no says: .*", "按键 {0} 有 over 但没有 says：写来电人会怎么说。"),
    ("key (\\S+) has hints but no says: .*", "按键 {0} 有 hints 但没有 says：写来电人会怎么说。"),
    ("key (\\S+) has no label: .*", "按键 {0} 没有 label：确认时要问来电人是不是要它。"),
    ("key (\\S+) confirms who the caller is: .*", "按键 {0} 用来核对身份，只能按键，不能说。"),
    ("key (\\S+) has (\\d+) phrases: (\\d+) are the most", "按键 {0} 有 {1} 种说法，最多 {2} 种。"),
    ("key (\\S+): " + _Q + " stands there twice", "按键 {0}：“{1}”写了两次。"),
    ("key (\\S+): over names " + _Q + ", .*", "按键 {0}：over 里的“{1}”不是别的、有 says 的按键。"),
    ("key (\\S+) is over key (\\S+) and the other way round", "按键 {0} 和 {1} 互相 over，只能留一个。"),
    (
        _Q + " is said for key (\\S+) and for key (\\S+): it must mean one",
        "“{0}”既是按键 {1} 又是按键 {2}，只能留一个。",
    ),
    (
        _Q + " of key (\\S+) and " + _Q + " of key (\\S+) sound the same: one must go",
        "按键 {1} 的“{0}”和按键 {3} 的“{2}”读音一样，请去掉一个。",
    ),
    (_Q + " has (\\d+) characters: (\\d+) to (\\d+)", "“{0}”有 {1} 个字，要 {2} 到 {3} 个。"),
    (_Q + " is not wholly Chinese: .*", "“{0}”里有不是汉字的内容；请照口语写，不要数字和符号。"),
    ("key (\\S+): (.+)", "按键 {0}：{1}"),
    *OF_ENTRIES,
)
told = Sentences(KNOWN).told
"""Return a mistake as the reader understands it."""
