"""What the doctor finds and what is to be done, as the reader of the page understands it (``app/doctor``)."""

from web.sentences import Sentences

NAMES: tuple[tuple[str, str], ...] = (
    ("voice", "语音合成"),
    ("disk", "磁盘"),
    ("data folder", "数据目录"),
    ("encryption", "加密"),
    ("clock", "时钟"),
    ("time zone", "时区"),
    ("database", "数据库"),
    ("facts", "待处理的事实"),
    ("calendar", "节假日历"),
    ("staff numbers", "员工工号"),
    ("AMI permissions", "AMI 权限"),
    ("AMI events", "AMI 事件"),
    ("Asterisk version", "Asterisk 版本"),
    ("Asterisk modules", "Asterisk 模块"),
    ("prompts", "提示音"),
    ("messages", "消息渠道"),
    ("speech", "语音识别"),
    ("recordings", "录音"),
    ("programs", "程序"),
    ("ports", "端口"),
    ("the pages", "网页"),
    ("Asterisk's manager", "Asterisk 管理接口"),
)
FOUND: tuple[tuple[str, str], ...] = (
    # what stands inside other sentences
    ("(\\S+), unpacked in (.+)", "{0}，解包在 {1}"),
    ("no model for the language '?(\\w+)'? is installed", "没有语言 {0} 的模型"),
    ("another user's program", "别的用户的程序"),
    ("no answer in time", "超时"),
    ("no reason given", "没有说明原因"),
    ("Kokoro speaks texts of your own", "自己写的话由 Kokoro 念出"),
    ("texts of your own sound natural after (.+)", "运行 {0} 以后，自己写的话听起来更自然"),
    (
        "callers of a menu without prompts hear a chime and go to the default queue",
        "没有提示音的菜单会放一声铃，再把来电转到默认队列",
    ),
    ("18 or newer, with PJSIP, queues and AudioSocket", "18 或更新，带 PJSIP、队列和 AudioSocket"),
    ("(\\S+) or newer", "{0} 或更新"),
    ("only for «make call» and the tests", "只用于 make call 和测试"),
    # programs
    ("not on this machine; (.+) is not needed here", "本机没有（{0}）；这里不需要。"),
    ("not on this machine \\((.+)\\)", "本机没有（{0}）。"),
    ("not on this machine, and no apt to unpack it \\((.+)\\)", "本机没有，也没有 apt 可以解包（{0}）。"),
    # disk and folders
    ("([\\d.]+) GB free for (.+)", "{1} 还有 {0} GB 空间。"),
    ("(\\d+) MB free for (.+)", "{1} 还有 {0} MB 空间。"),
    ("(.+) will be made at the first start", "{0} 会在第一次启动时建立。"),
    ("(.+) is not there and cannot be made", "{0} 不存在，也无法建立。"),
    ("(.+): the disk is full", "{0}：磁盘满了。"),
    ("(.+) cannot be written \\((.+)\\)", "{0} 不能写入（{1}）。"),
    ("(.+) is writable", "{0} 可以写入。"),
    ("it cannot be told from here whether (.+) is encrypted", "从这里看不出 {0} 是否加密。"),
    ("(.+) is on a disk that is not encrypted", "{0} 所在的磁盘没有加密。"),
    ("(.+) is on an encrypted disk", "{0} 在加密的磁盘上。"),
    # clock and calendar
    ("(.+) UTC is before this program was installed", "现在是 {0} UTC，比本程序安装的时间还早。"),
    ("(.+) UTC, not kept right by a time server", "{0} UTC，没有和时间服务器同步。"),
    ("(.+) UTC, synchronised", "{0} UTC，已同步。"),
    ("'?(.+?)'? is not known on this machine", "本机不认识时区 {0}。"),
    ("(.+), now (\\S+)", "{0}，现在是 {1}。"),
    ("days off are known until the end of (\\d+)", "节假日已知到 {0} 年底。"),
    (
        "the days off of (\\d+) are not known, and it begins in (\\d+) days; .*",
        "{0} 年的节假日还不知道，离元旦还有 {1} 天；在那年到期的时限暂时没有截止时间。",
    ),
    (
        "the days off of (\\d+) are not known; .*",
        "{0} 年的节假日还不知道；在那年到期的时限暂时没有截止时间。",
    ),
    # ports
    ("(\\S+) port (\\S+) is taken by (.+)", "{0} 端口 {1} 被占用：{2}。"),
    ("(\\S+) is not an address of this machine", "{0} 不是本机的地址。"),
    ("only root may use port (\\S+)", "只有 root 能用端口 {0}。"),
    ("port (\\S+) is held by the centre itself \\((.+)\\)", "端口 {0} 由本中心使用（{1}）。"),
    ("port (\\S+) is free", "端口 {0} 空闲。"),
    ("port (\\S+): (.+)", "端口 {0}：{1}"),
    # database, Redis, facts
    ("(.+) is not there yet", "{0} 还没有建立。"),
    ("(.+) is empty", "{0} 是空的。"),
    ("its schema is at revision (\\S+), this version needs (\\S+)", "结构版本是 {0}，本程序需要 {1}。"),
    (
        "the database is at revision (\\S+), which this version does not know: .*",
        "数据库的结构版本是 {0}，本程序不认识：它被更新的版本用过。",
    ),
    ("(.+) does not answer \\((.+)\\)", "{0} 没有回应（{1}）。"),
    ("(.+), (.+), schema revision (\\S+)", "{0}，{1}，结构版本 {2}。"),
    ("some could not be handled and were set aside: (.+)", "有些没能处理，已放在一边：{0}。"),
    ("HUIFANG_REDIS_URL: (.+)", "HUIFANG_REDIS_URL：{0}"),
    ("(.+) refuses the password", "{0} 不接受密码。"),
    ("not running", "没有运行。"),
    ("(\\S+) answers at (\\S+)", "{0}，在 {1} 正常回应。"),
    # Asterisk
    ("what answers at (\\S+) is not Asterisk's manager interface", "{0} 上的不是 Asterisk 的管理接口。"),
    ("user name or secret cannot be sent: (.+)", "用户名或密码无法发送：{0}"),
    ("Asterisk is not running", "Asterisk 没有运行。"),
    ("user (.+) is refused \\((.+)\\)", "用户 {0} 被拒绝（{1}）。"),
    ("signed in at (\\S+) as (.+)", "已用 {1} 登录 {0}。"),
    ("no FullyBooted came", "没有收到 FullyBooted。"),
    ("its version is not told", "没有告知版本。"),
    ("(.+) is not one that Huifang is tested with", "{0} 没有经过测试。"),
    ("every action that is needed may be sent", "需要的动作都可以发送。"),
    ("not allowed, or its module is not loaded: (.+)", "不允许，或模块没有加载：{0}。"),
    ("all that are needed are loaded", "需要的都已加载。"),
    ("not loaded: (.+)", "没有加载：{0}。"),
    (
        "nobody listens on (\\S+); callers hear the fallback prompt and go to a person",
        "{0} 没有程序在听；来电会听到备用提示，再转人工。",
    ),
    ("(\\S+) takes connections", "{0} 可以连接。"),
    # voice, prompts, messages
    ("all there", "都在。"),
    ("(\\d+) not made yet: (.+)", "还有 {0} 条没有生成：{1}。"),
    ("(.+) is no espeak-ng that runs; (.+)", "{0} 不是可以运行的 espeak-ng；{1}。"),
    ("no espeak-ng; (.+)", "没有 espeak-ng；{0}。"),
    ("(.+) does not run \\((.+)\\)", "{0} 无法运行（{1}）。"),
    ("espeak-ng reads Chinese characters; (.+)", "espeak-ng 能读汉字；{0}。"),
    (
        "espeak-ng (\\S+) cannot read Chinese characters; prompts are made from pinyin",
        "espeak-ng {0} 不能读汉字，提示音用拼音生成。",
    ),
    ("no channel is set up .*", "没有设置外发渠道（notices.smtp_host 等），通知只显示在页面上。"),
    ("no mail server answers at (\\S+) \\((.+)\\)", "{0} 的邮件服务器没有回应（{1}）。"),
    ("(.+); to try one: (.+)", "{0}；试发一条：{1}"),
    # speech, recordings, staff
    ("switched off \\(speech.enabled\\); calls have no text", "已关闭（speech.enabled），通话不转文字。"),
    ("(.+); its calls have no text", "{0}；这种语言的通话没有文字。"),
    ("(\\S+) needs the Python package (\\S+)", "{0} 需要 Python 包 {1}。"),
    ("(\\S+): live (\\S+), after the call (.+)", "{0}：通话中用 {1}，通话后用 {2}"),
    ("(\\d+) have lost their files \\((.+)\\): (.+)", "有 {0} 条录音丢了文件（{1}）：{2}。"),
    ("(\\d+) files belong to no call \\((.+)\\): (.+)", "有 {0} 个文件不属于任何通话（{1}）：{2}。"),
    ("last compared with their files at (.+)", "上次和文件核对是在 {0}。"),
    ("(\\d+) are all there, (.+) \\((.+)\\)", "{0} 条都在，共 {1}（{2}）。"),
    ("(\\d+) agree with the telephones", "{0} 个工号和话机一致。"),
    (
        "(\\d+) of the staff have another number written down than their telephone has: (.+)",
        "有 {0} 位员工登记的工号和话机不同：{1}。",
    ),
    ("the check itself failed: (.+)", "这项检查本身出错了：{0}"),
)
MENDS: tuple[tuple[str, str], ...] = (
    ("start the centre: (.+)", "启动中心：{0}"),
    ("«huifang up» \\(make run\\) unpacks it", "运行 huifang up（make run）会解包"),
    ("«huifang up» \\(make run\\) makes it", "运行 huifang up（make run）会建立"),
    ("install (.+) with the system's packages", "用系统的软件包安装 {0}"),
    ("free some space before calls are lost", "请马上腾出空间，否则会丢失通话"),
    ("free some space: an hour of recordings takes about 115 MB", "请腾出空间：一小时录音约 115 MB"),
    ("free some space", "请腾出空间"),
    (
        "free (\\d+) MB if Asterisk or Redis is to be unpacked there",
        "要在那里解包 Asterisk 或 Redis，请腾出 {0} MB",
    ),
    ("make it, writable for this user: (.+) \\(as root\\)", "建立它并让本用户可写（root）：{0}"),
    ("make it writable for this user: (.+) \\(as root\\)", "让本用户可写（root）：{0}"),
    ("make sure of it where that file system is kept", "请到存放它的地方确认"),
    (
        "move it to an encrypted disk .*",
        "请搬到加密的磁盘（LUKS）或目录（gocryptfs），做法见 docs/privacy.md",
    ),
    ("set the clock \\((.+)\\)", "请校准时钟（{0}）"),
    ("turn time synchronisation on \\((.+)\\)", "请打开时间同步（{0}）"),
    ("correct (\\S+), or install the package tzdata", "改正 {0}，或安装 tzdata"),
    (
        "load the State Council's notice .*",
        "载入国务院的放假通知（每年十一月公布）：huifang calendar load 文件，或更新 chinesecalendar",
    ),
    ("stop that program, or choose another port: (.+)", "停掉那个程序，或换一个端口：{0}"),
    ("correct the address beside (\\S+)", "改正 {0} 旁边的地址"),
    ("choose a port of 1024 or more: (.+)", "请用 1024 以上的端口：{0}"),
    ("correct it; (\\S+) explains it", "请改正，说明见 {0}"),
    ("correct (\\S+); a running centre finds it by itself", "改正 {0}；运行中的中心会自己发现"),
    ("run (.+) \\(make run does\\)", "运行 {0}（make run 会自动做）"),
    ("run (.+)", "运行 {0}"),
    ("(«[^»]+») or (.+)", "{0} 或 {1}"),
    ("start the newer version", "请启动更新的版本"),
    (
        "start that version, or restore a backup made before its upgrade",
        "请启动那个版本，或恢复升级之前的备份",
    ),
    ("start it, or correct (.+)", "启动它，或改正 {0}"),
    ("write (redis://\\S+)", "请写成 {0}"),
    (
        "install espeak-ng 1.52 or newer; a running centre finds it by itself",
        "安装 espeak-ng 1.52 或更新；运行中的中心会自己发现",
    ),
    ("install espeak-ng 1.52 or newer", "安装 espeak-ng 1.52 或更新"),
    ("delete (.+) and start again", "删除 {0}，再启动一次"),
    ("(.+) says why; then (.+) or (.+)", "{0} 会说明原因；然后 {1} 或 {2}"),
    (
        "start Asterisk, enable manager.conf there, or correct (.+)",
        "启动 Asterisk，在那里启用 manager.conf，或改正 {0}",
    ),
    (
        "make secret and permit in manager.conf agree with (.+)",
        "让 manager.conf 里的 secret 和 permit 与 {0} 一致",
    ),
    ("add reporting to write of the user in manager.conf", "在 manager.conf 给该用户的 write 加上 reporting"),
    (
        "add «(.+)» to the user in manager.conf, and wait until it has started",
        "在 manager.conf 给该用户加上“{0}”，并等它启动完",
    ),
    ("add (\\S+) to write of the user in manager.conf", "在 manager.conf 给该用户的 write 加上 {0}"),
    ("upgrade to Asterisk 18, 20 or 22", "请升级到 Asterisk 18、20 或 22"),
    ("use Asterisk 18, 20 or 22", "请用 Asterisk 18、20 或 22"),
    ("install and load them \\(modules.conf\\)", "请安装并加载（modules.conf）"),
    ("install the product again", "请重新安装本产品"),
    ("see (\\S+)", "见 {0}"),
    (
        "bring them back from a backup of the data folder; (.+) looks again",
        "从数据目录的备份里恢复；{0} 会再核对一次",
    ),
    ("delete them by hand, unless .*", "请手工删除；如果数据库是从旧备份恢复的，就先留着"),
    ("is the centre running\\? (.+) does it now", "中心在运行吗？{0} 可以现在就核对"),
    ("correct them at (\\S+)", "请在 {0} 改正"),
    ("report this with the log line (\\S+)", "请把日志里的 {0} 报告给我们"),
    ("correct (\\S+) and (\\S+)", "改正 {0} 和 {1}"),
    ("correct (\\S+)", "改正 {0}"),
)
_NAMES, _FOUND, _MENDS = Sentences(NAMES), Sentences(FOUND), Sentences(MENDS)


def name_of(name: str) -> str:
    """Return what was looked at."""
    return _NAMES.told(name)


def found_of(message: str) -> str:
    """Return what was found."""
    return _FOUND.told(message)


def mend_of(mend: str) -> str:
    """Return what to do about it."""
    return _MENDS.told(mend)
