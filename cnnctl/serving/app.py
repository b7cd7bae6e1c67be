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
    """The application.

    Args:
        service: Answers.
        run: The run's name, for people.
        counters: See `Guard`.
        local: See `Guard`.
        log: See `Guard`.
    """
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
    def read_docs() -> Response:
        return HTMLResponse(docs(api.openapi()))

    api.add_exception_handler(RequestError, _refuse)
    api.add_exception_handler(HTTPException, _refuse_path)
    api.add_exception_handler(Exception, internal_error)
    return Guard(api, {("POST", PREDICT): service.predict}, local, counters, log)


def _add_answers(api: FastAPI, service: Service, run: str) -> None:
    model = _describe(service, run)
    refused = words.reasons(403, 408, 413, 415, 422, 503)
    png = {"description": "A PNG file.", "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}

    @api.post(
        PREDICT,
        response_model=list[words.Answer],
        response_description="A row for each image.",
        responses=refused,
        openapi_extra={**words.BODY, **words.TOP},
    )
    async def predict(request: Request) -> Response:
        """The class of each image, as `cnnctl predict --format json` says it, in the order they were sent.

        Of several images those that cannot be read have an `error` in their row. Where none can, that is the answer.
        """
        return await service.predict(request)

    @api.post(VIEW, response_class=Response, responses={200: png, **refused}, openapi_extra=words.BODY)
    async def view(request: Request) -> Response:
        """One image as the network sees it: fitted to its input, as a PNG file. Sent again, it gets the same answer."""
        return await service.view(request)

    if service.explainer is not None:

        @api.post(
            EXPLAIN,
            response_model=words.Explanation,
            response_description="A map for each of the likeliest classes.",
            responses=refused,
            openapi_extra={**words.BODY, **words.TOP},
        )
        async def explain(request: Request) -> Response:
            """Grad-CAM of one image: which places speak for the likeliest classes, three at most.

            The first time takes seconds longer, since it loads Keras.
            """
            return await service.explain(request)

    @api.get(MODEL, response_description="The run that answers.", responses=words.reasons(403))
    async def read_model() -> words.Model:
        """The classes, what images are made to be, limits and versions."""
        return model

    @api.get(
        HEALTH,
        response_model=words.Health,
        response_description="They are.",
        responses=words.reasons(403, 503),
    )
    async def read_health() -> Response:
        """Whether images are being answered."""
        return service.health()

    text = {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}

    @api.get(METRICS, response_class=Response, responses={200: text, **words.reasons(403)})
    async def read_metrics() -> Response:
        """Requests by path and status, images, seconds, batches and the queue."""
        return service.counted()


def _describe(service: Service, run: str) -> words.Model:
    spec, limits = service.classifier.spec, service.limits
    return words.Model(
        run=run,
        classes=list(service.classifier.classes),
        input=words.Input(
            height=spec.height,
            width=spec.width,
            channels=spec.channels,
            fit=spec.fit,
            background=list(spec.background),
        ),
        limits=words.Costs(
            body_bytes=limits.body_bytes,
            images=limits.images_at_once,
            image_pixels=spec.max_pixels,
            seconds=limits.seconds,
        ),
        explains=service.explainer is not None,
        versions={
            "cnnctl": __version__,
            "onnxruntime": version("onnxruntime"),
            "python": platform.python_version(),
        },
    )


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return error.response()


async def _refuse_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        refusal = RequestError(405, f"{request.method} is not what this path takes", f"use {allowed}", error.headers)
    else:
        refusal = RequestError(
            error.status_code, "there is nothing at this path", f"{DOCS} lists what there is", error.headers
        )
    return refusal.response()


async def internal_error(request: Request, error: Exception) -> Response:
    return BUG.response()
