"""Words of the trade in Mandarin: recognisers expect them besides the company's own; rules know their sound.

Pairs that sound alike (报修 and 保修, 订金 and 定金) stand here both, so that neither is taken for the other.
"""

_WORDS = """
漏水 渗水 返水 堵塞 卫生间 厨房 客厅 阳台 卧室 瓷砖 墙面 墙砖 地砖 吊顶 乳胶漆 涂料 腻子
开裂 空鼓 起鼓 起拱 起皮 发霉 木地板 踢脚线 水电改造 防水 保修期 保修 报修 量房 设计师
效果图 图纸 施工图 现场 橱柜 衣柜 安装 工长 工人 工地 工期 项目经理 监理 投诉 返工 首期款
中期款 尾款 定金 订金 付款 验收 隐蔽工程 施工队 质量 邻居 客服 客服中心 人工服务 预约 合同
报价 预算 增项 主材 辅料 甲醛 检测 完工 开工 停工 延期 赔偿 退款 维修 上门 师傅 马桶
水管 下水道 暖气 电线 电路 跳闸 插座 开关 门窗 窗户 铺贴 铺砖 回访 满意度 工商局
消费者协会 媒体 律师
"""

TRADE_WORDS: tuple[str, ...] = tuple(_WORDS.split())
