"""Settings in Chinese: by the name of each, what it is for."""

from collections.abc import Mapping
from typing import Final

__all__ = ["MEANINGS", "NO_DEFAULT"]

_TEXT: Final = """
HOME 实例存放数据、日志、进程号和口令的目录。
CACHE 程序（Kafka 的 jar 包、PostgreSQL）存放的目录，多个实例可以共用。
KAFKA 已有的 Kafka 服务器，形如 HOST:PORT,…；填写后不再自行启动 Kafka。
KAFKA_SECURITY 与这些服务器通信的方式；SSL 会核对其证书和主机名。
KAFKA_MECHANISM 用户向这些服务器证明口令的方式。
KAFKA_USER 在这些服务器上的用户；不填则不登录。
KAFKA_PASSWORD 该用户的口令。
KAFKA_PASSWORD_FILE 首行为该口令的文件，可代替上一项。
KAFKA_CA 签发这些服务器证书的机构的 PEM 文件。
KAFKA_CERTIFICATE 本机证书的 PEM 文件，仅在这些服务器要求时填写。
KAFKA_KEY 本机证书私钥的 PEM 文件。
KAFKA_PORT 自带 Kafka 的端口，仅在 127.0.0.1 上。
KAFKA_CONTROLLER_PORT 自带 Kafka 控制器的端口，仅在 127.0.0.1 上。
KAFKA_GATEWAY_PORT 自带 Kafka 供网关接入的端口，使用 TLS，每台网关有自己的登录；0 为不开。
KAFKA_GATEWAY_HOST 网关连接该端口所用的本机名称或地址。
KAFKA_GATEWAY_CERTIFICATE 该端口证书及其签发链的 PEM 文件。
KAFKA_GATEWAY_KEY 该证书私钥的 PEM 文件（PKCS #8）。
KAFKA_GATEWAY_KIB_S 每个网关经 Kafka 发送的速率上限；超过时 Kafka 让它等待。[KiB/s]
KAFKA_GATEWAY_PERCENT 每个网关最多占用 Kafka 一个线程时间的比例。[%]
KAFKA_GATEWAY_CONNECTIONS 该端口的连接数上限，每个占堆内存 1 MiB；同一地址至多一半，每秒新建至多十分之一。
KAFKA_INBOX_MB 每个网关收件箱的容量；超出时删除最早的消息，不论是否已读取。[MiB]
KAFKA_PARTITIONS 新建主题的分区数。
KAFKA_HEAP_MB 自带 Kafka 的堆内存。[MiB]
KAFKA_FLUSH_MS 消息最长多久写入自带 Kafka 的磁盘，即断电可能丢失的时间。[ms]
DATABASE 已有的 TimescaleDB 数据库，postgresql://…；填写后不再自行启动数据库。
DATABASE_ROLES 工作进程、发送进程、API 和开通各用自己的数据库角色（own），或都用属主（same）。
DATABASE_PORT 自带 PostgreSQL 的端口，在 127.0.0.1 上，允许其他机器访问时也在其地址上。
DATABASE_BUFFERS_MB 自带 PostgreSQL 的 shared_buffers。[MiB]
DATABASE_WAL_MB 自带 PostgreSQL 的 max_wal_size。[MiB]
CHUNK_H 新示值数据块的时长；0 按台账确定，最长一天且不超过 120 万条示值。[h]
PACK_AFTER_H 早于此时长的示值压缩到五分之一以下；0 为不压缩。[h]
RETAIN_DAYS 早于此天数的示值删除，消费量保留；0 为不删除。[d]
DATABASE_LOG_MB 自带 PostgreSQL 自身日志的总容量；超出时删除最早的。[MiB]
WORKERS “up” 启动的流处理工作进程数。
METRICS_PORT 第一个工作进程的 Prometheus 页面端口，仅在 127.0.0.1 上，其余依次加一；0 为不开。
METRICS_PASSWORD Prometheus 读取工作进程或网关指标时须提供的口令（basic_auth，用户名任意）。
BATCH_READINGS 工作进程一次事务最多容纳的示值条数。
COLLECT_S 一条示值为合并到同一事务最多等待的时间。[s]
SESSION_S 工作进程失联超过此时长即失去其分区；已有的 Kafka 须允许小于 6 的值。[s]
CHANNELS 告警发送渠道的文件，只允许属主读取；填写后 “up” 启动发送进程。
API_PORT HTTP API 的端口，仅在 127.0.0.1 上；0 为不开。
ALERTS_METRICS_PORT 发送进程指标页面的端口，API 为其后一个，网页为再后一个；0 为不开。
API_URL 外部访问 API 的地址，https://…；不填则消息中没有可供答复的链接。
BOARD_URL 消息链接到的页面；其中 {alert}、{unit}、{point}、{language}、{from}、{to} 会被替换。
CALENDAR 工作日历的 TOML 文件；不填用随附的日历。
AUDIT_DAYS API 保存登录与拒绝记录的时间，至少半年。[d]
PAGES_PORT 网页的端口；0 为不开。演示实例用其后一个。
PAGES_HOST 网页监听的地址，0.0.0.0 为全部；供本机以外访问时必须有证书，或前面有带 TLS 的代理。
PAGES_CERTIFICATE 网页证书及其签发链的 PEM 文件；填写后网页使用 https。
PAGES_KEY 该证书私钥的 PEM 文件。
PAGES_URL 外部访问网页的地址，https://…；填写后消息链接到网页上的告警。
PAGES_OPENID OpenID Connect 身份提供方的地址，人员也可由它登录；不填则没有。
PAGES_OPENID_CLIENT 该提供方对本网页的称呼（client_id）；登录后返回 …/sign-in/openid/back。
PAGES_OPENID_SECRET 网页向该提供方证明身份的密钥（client_secret）。
PAGES_OPENID_CLAIM 令牌中哪一项是本系统的登录名：preferred_username、email 等。
GRAFANA “meterwarden dashboards apply” 写入看板的 Grafana，http://HOST:3000。
GRAFANA_USER 该 Grafana 的服务器管理员，须有权建立组织。
GRAFANA_PASSWORD 该管理员的口令。
MACHINES_HOST 其他机器的工作进程经 TLS 访问自带 Kafka 和数据库时所用的本机名称或地址。
MACHINES_CERTIFICATE 该名称的证书及其签发链的 PEM 文件。
MACHINES_KEY 该证书私钥的 PEM 文件（PKCS #8）。
MACHINES_KAFKA_PORT 自带 Kafka 供其他机器使用的端口；数据库仍用原端口。
ZONE 不带时差的时间所用的时区，也是本地日的时区。
LANGUAGE 文书、网页、表格和命令输出所用的语言，zh 或 en；命令的 --language 优先。
IN_SERVICE 使用中的计量器具允许的误差为其等级限值的倍数：electricity=1,water=2（已知为此值）。
JAVA java 程序，17 或更高版本。
APT_MIRROR 下载 PostgreSQL 和 TimescaleDB 的 Debian 镜像。
LISTEN API 和指标页面监听的地址；改为其他地址时前面须有代理。
TRUSTED_PROXIES 网页和 API 前的代理的地址或网段；客户端地址以其所述为准。
KEEPER “up” 留下一个进程，重新启动退出的部分（on），或由其他程序负责（off）。
DISK_FREE_MB 剩余空间小于此值时 “up” 拒绝启动。[MiB]
START_TIMEOUT_S 一个部分启动到正常最多等待的时间。[s]
STOP_TIMEOUT_S 一个部分正常停止最多等待的时间，超过则强制结束。[s]
"""

MEANINGS: Final[Mapping[str, str]] = dict(line.split(" ", 1) for line in _TEXT.strip().splitlines())
"""By the name of a setting without its prefix."""
NO_DEFAULT: Final = "无"
