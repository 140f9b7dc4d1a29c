"""``/livez``, ``/readyz`` and ``/metrics``."""

import asyncio
from collections.abc import Awaitable, Mapping
from ipaddress import ip_address
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from kernel.errors import Forbidden, HuifangError
from kernel.supervise import TaskHealth
from web.deps import DEPS, WebDeps
from web.identity import CLIENT_IP, USER
from web.permissions import Permission, public

CHECK_DEADLINE_SECONDS = 2.0
_late: set[asyncio.Task[Mapping[str, Any]]] = set()
"""Checks that were given up and have not ended yet."""


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)


@public
async def livez(request: web.Request) -> web.Response:
    """Say that the process answers; nothing else is looked at."""
    return web.json_response({"status": "ok"})


@public
async def readyz(request: web.Request) -> web.Response:
    """Say whether work can be done here: 200, or 503 with what is missing."""
    checks = await readiness(request.app[DEPS])
    ready = all(check["ok"] for check in checks.values())
    body = {"status": "ready" if ready else "not ready", "checks": checks}
    return web.json_response(body, status=200 if ready else 503)


async def readiness(deps: WebDeps) -> dict[str, dict[str, Any]]:
    """Run every check at once, each with its own deadline; return details by name."""
    names = ["database"]
    waiting: list[Awaitable[dict[str, Any]]] = [_run(_database(deps))]
    if deps.redis is not None:
        names.append("redis")
        waiting.append(_run(_redis(deps)))
    for name, check in deps.checks.items():
        names.append(name)
        waiting.append(_run(check()))
    results = dict(zip(names, await asyncio.gather(*waiting), strict=True))
    results["tasks"] = _tasks(deps.tasks_health())
    return results


async def _run(check: Awaitable[Mapping[str, Any]]) -> dict[str, Any]:
    try:
        return {"ok": True, **await _in_time(check)}
    except TimeoutError:
        return {"ok": False, "error": "no answer in time"}
    except HuifangError as error:
        return {"ok": False, "error": error.message}
    except Exception as error:  # the border: a check that fails in any way means «not ready»
        return {"ok": False, "error": type(error).__name__}


async def _in_time(check: Awaitable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the check's answer, or raise TimeoutError without waiting for the check to end.

    A database driver that is cancelled first asks its server to agree, and one that hangs never does.
    """
    task = asyncio.create_task(_awaited(check))
    _late.add(task)
    task.add_done_callback(_ended)
    try:
        done, _ = await asyncio.wait({task}, timeout=CHECK_DEADLINE_SECONDS)
    finally:
        task.cancel()
    if not done:
        raise TimeoutError
    return task.result()


async def _awaited(check: Awaitable[Mapping[str, Any]]) -> Mapping[str, Any]:
    return await check


def _ended(task: "asyncio.Task[Mapping[str, Any]]") -> None:
    _late.discard(task)
    if not task.cancelled():
        task.exception()  # seen: nobody else may ask


async def _database(deps: WebDeps) -> Mapping[str, Any]:
    await deps.database.ping()
    return {"dialect": deps.database.dialect_name}


async def _redis(deps: WebDeps) -> Mapping[str, Any]:
    if deps.redis is not None:
        await deps.redis.ping()
    return {}


def _tasks(health: Mapping[str, TaskHealth]) -> dict[str, Any]:
    tasks = {
        name: {"state": task.state, "crashes": task.crashes, "since": task.since.isoformat()}
        for name, task in health.items()
    }
    return {"ok": all(task.state != "waiting" for task in health.values()), "tasks": tasks}


@public
async def metrics(request: web.Request) -> web.Response:
    """Return the metrics in Prometheus' text form, to this machine or to a token that may read them."""
    user = request.get(USER)
    if not _is_local(request) and not (user and user.can(Permission.METRICS_VIEW)):
        raise Forbidden("metrics are read from this machine, or with a token of an administrator")
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _is_local(request: web.Request) -> bool:
    """A forwarded request is never local, whoever forwards it."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    if not request[CLIENT_IP]:
        return request.remote == ""  # a unix socket
    return ip_address(request[CLIENT_IP]).is_loopback
