"""What the web shell and the CRM's services are told of the settings."""

from datetime import timedelta
from functools import partial
from ipaddress import ip_network

from app import pbx
from app.own_files import own_or_shipped
from app.retention import log_dirs, policy_of
from app.settings import Settings
from callback_campaigns.domain.campaign import Trunk
from callback_campaigns.domain.dial_rules import parse_dialling
from callback_campaigns.domain.plan_rules import parse_plan
from callback_campaigns.rule_files import shipped_dialling, shipped_plan
from crm.domain.warranty_terms import parse_terms, shipped_terms
from crm.domain.watchwords import Words, parse_watchwords, shipped_watchwords
from web.deps import LanguageModel, TrunkLine, WebSettings


def web_settings(settings: Settings) -> WebSettings:
    """Return the settings of pages and services."""
    trunk = settings.pbx.trunk
    folder, zone = settings.data_dir, settings.zone
    own = trunk.caller_ids or (settings.centre.hotline,)
    return WebSettings(
        node=settings.pbx.node,
        company=settings.centre.company,
        hotline=settings.centre.hotline,
        greetings={
            "zh-CN": settings.centre.greeting.replace("{company}", settings.centre.company),
            "en": settings.centre.greeting_en.replace("{company}", settings.centre.company),
        },
        timezone=settings.zone,
        default_area=settings.centre.default_area,
        allowed_origins=settings.web.allowed_origins,
        secure=settings.web.behind_tls,
        trusted_proxies=tuple(ip_network(proxy, strict=False) for proxy in settings.web.trusted_proxies),
        page_url=settings.notices.page_url.rstrip("/"),
        session_idle=timedelta(hours=settings.web.session_idle_hours),
        session_absolute=timedelta(hours=settings.web.session_max_hours),
        request_deadline=timedelta(seconds=settings.web.request_seconds),
        service_hours=settings.service_hours,
        default_queue=settings.centre.default_queue,
        limit_set=settings.centre.limit_set,
        files_dir=settings.data_dir / "files",
        answers_dir=settings.data_dir / "answers",
        messages_dir=settings.data_dir / "messages",
        recording_pause=timedelta(seconds=settings.recording_pause.seconds),
        recordings_dir=settings.data_dir / "recordings",
        log_dirs=log_dirs(settings),
        language_model=_language_model(settings),
        sheet_number=settings.centre.sheet_number,
        compensation_threshold=settings.centre.compensation_threshold,
        retention=policy_of(settings),
        warranty_terms=own_or_shipped(folder / "warranty_terms.yaml", parse_terms, shipped_terms),
        watchwords=own_watchwords(settings),
        plan=own_or_shipped(folder / "planning.yaml", parse_plan, shipped_plan),
        dialling=own_or_shipped(
            folder / "dialling.yaml", partial(parse_dialling, zone=zone), partial(shipped_dialling, zone)
        ),
        trunk_lines=(_line(settings),),
        trunks=(
            Trunk(
                name=trunk.name,
                lines=trunk.max_channels,
                caller_ids=own,
                per_second=trunk.calls_per_second,
            ),
        ),
    )


def _language_model(settings: Settings) -> LanguageModel | None:
    wanted = settings.understanding
    if not wanted.url:
        return None
    return LanguageModel(
        url=wanted.url,
        model=wanted.model,
        key=wanted.key.get_secret_value(),
        deadline=timedelta(seconds=wanted.seconds),
    )


def own_watchwords(settings: Settings) -> Words:
    """Return the words of the centre's own file, or the product's: in force until others are published.

    Raises:
        ConfigurationError: what is wrong with the file.
    """
    return own_or_shipped(settings.data_dir / "watchwords.yaml", parse_watchwords, shipped_watchwords)


def _line(settings: Settings) -> TrunkLine:
    trunk, config = settings.pbx.trunk, pbx.trunk_of(settings)
    return TrunkLine(
        name=config.name,
        host=config.host,
        port=config.port,
        registers=config.register,
        codecs=tuple(codec.value for codec in config.codecs),
        max_channels=config.max_channels,
        caller_ids=tuple(trunk.caller_ids) or (settings.centre.hotline,),
    )
