"""The ASGI application: FastAPI's routes and description, with a guard around them."""

import platform
from collections.abc import Callable
from importlib.metadata import version

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from cnnctl.serving import description as words
from cnnctl.serving.errors import BUG, RequestError
from cnnctl.serving.guard import Guard
from cnnctl.serving.metrics import Metrics
from cnnctl.serving.service import Service
from cnnctl.serving.static_files import FILES, Static, docs
from cnnctl.version import __version__

PREDICT, VIEW, EXPLAIN, MODEL = "/v1/predict", "/v1/view", "/v1/explain", "/v1/model"
HEALTH, METRICS, OPENAPI, DOCS = "/healthz", "/metrics", "/openapi.json", "/docs"
PATHS = (PREDICT, VIEW, EXPLAIN, MODEL, HEALTH, METRICS, OPENAPI, DOCS, *FILES)


def make_app(
    service: Service, run: str, counters: Metrics, local: bool, log: Callable[[str], None] | None = None
) -> Guard:
    """The application; `run` is the run's name, for people, and the rest is what `Guard` takes."""
    api = FastAPI(
        title=f"cnnctl serve: {run}",
        version=__version__,
        description=words.WORDS,
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_answers(api, service, run)
    for path, name in FILES.items():
        api.router.routes.append(Route(path, Static(name).__call__))

    @api.get(DOCS, include_in_schema=False)
    def read_docs(request: Request) -> Response:
        return HTMLResponse(docs(api.openapi(), str(request.base_url).rstrip("/")))

    api.add_exception_handler(RequestError, _refuse)
    api.add_exception_handler(HTTPException, _refuse_path)
    api.add_exception_handler(Exception, internal_error)
    return Guard(api, {("POST", PREDICT): service.predict}, local, counters, log)


def _add_answers(api: FastAPI, service: Service, run: str) -> None:
    """The routes that the description shows; their words are the docstrings of the service's methods."""
    refused = words.reasons(413, 415, 422)
    png = {"description": "A PNG file.", "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
    text = {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    several, one = words.body(service.limits.images_at_once), words.body(1)

    api.post(
        PREDICT,
        response_model=list[words.Answer],
        response_description="A row for each image.",
        responses=refused,
        openapi_extra={**several, **words.TOP_AND_COVERAGE},
    )(service.predict)
    api.post(VIEW, response_class=Response, responses={200: png, **refused}, openapi_extra=one)(service.view)
    if service.explainer is not None:
        api.post(
            EXPLAIN,
            response_model=words.Explanation,
            response_description="A map for each of the most probable classes.",
            responses=refused,
            openapi_extra={**one, **words.TOP},
        )(service.explain)

    model = _describe(service, run)

    @api.get(MODEL, response_description="The run that answers.", responses=words.reasons())
    async def read_model() -> words.Model:
        """The classes, what images are made to be, limits and versions."""
        return model

    api.get(HEALTH, response_model=words.Health, response_description="They are.", responses=words.reasons())(
        service.read_health
    )
    api.get(METRICS, response_class=Response, responses={200: text, **words.reasons()})(service.read_metrics)


def _describe(service: Service, run: str) -> words.Model:
    spec, limits = service.classifier.spec, service.limits
    return words.Model(
        run=run,
        classes=list(service.classifier.classes),
        thresholds=None if service.classifier.thresholds is None else service.classifier.thresholds.tolist(),
        input=words.Input.model_validate(spec, from_attributes=True),
        limits=words.Costs(
            body_bytes=limits.body_bytes,
            images=limits.images_at_once,
            image_pixels=spec.max_pixels,
            seconds=limits.seconds,
        ),
        explains=service.explainer is not None,
        versions={"cnnctl": __version__, "onnxruntime": version("onnxruntime"), "python": platform.python_version()},
    )


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return error.response()


async def _refuse_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        methods = set((error.headers or {}).get("Allow", "").split(", "))
        allowed = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
        refusal = RequestError(405, f"this path does not accept {request.method}", f"use {allowed}", {"allow": allowed})
    else:
        refusal = RequestError(
            error.status_code, "there is nothing at this path", f"{DOCS} lists the paths", error.headers
        )
    return refusal.response()


async def internal_error(request: Request, error: Exception) -> Response:
    return BUG.response()
