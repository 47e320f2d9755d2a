"""The application: page, API, webhooks, live stream, metrics and health on one port."""

from __future__ import annotations

import anyio
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPBearer
from prometheus_client.exposition import choose_encoder

from reactor.web import backfill, command, hold, intake, materialize, page, problem, read, stream
from reactor.web.guard import Guard
from reactor.web.service import Service, WebSettings


def create_app(service: Service, settings: WebSettings) -> FastAPI:
    """The web face of a running service."""
    app = FastAPI(
        title=service.name,
        description="An event-driven reactive data orchestrator.",
        docs_url=None,  # they load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.closing = anyio.Event()
    problem.explain_errors(app)
    app.add_middleware(
        Guard, settings=settings, limit=intake.body_limit(service, settings.body_limit)
    )
    # The guard checks the token; this makes the document say so.
    wanted = [Depends(HTTPBearer(auto_error=False))] if settings.token else []
    for router in (
        read.routes(service),
        command.routes(service),
        materialize.routes(service),
        backfill.routes(service),
        hold.routes(service),
        intake.routes(service),
        stream.routes(service),
    ):
        app.include_router(router, dependencies=wanted)
    app.include_router(page.routes())
    app.include_router(_health(service))
    return app


def _health(service: Service) -> APIRouter:
    """What a supervisor and Prometheus ask for."""
    router = APIRouter()

    @router.get("/healthz", summary="Whether the process is alive")
    async def alive() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz", summary="Whether the service does its work")
    async def ready() -> Response:
        well, reasons = service.ready()
        role = "leader" if service.leader else "standby"
        said = {"status": "ready" if well else "not ready", "role": role, "reasons": list(reasons)}
        return JSONResponse(said, 200 if well else 503)

    @router.get("/metrics", summary="Metrics for Prometheus")
    async def metrics(request: Request) -> Response:
        encode, media = choose_encoder(request.headers.get("accept", ""))
        # Thousands of lines take milliseconds, which the loop has better use for.
        text = await anyio.to_thread.run_sync(encode, service.metrics.registry)
        return Response(text, headers={"content-type": media})

    return router
