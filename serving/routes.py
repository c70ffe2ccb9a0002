"""The routes of the FastAPI server."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST

from fashion.answers import describe
from serving import openapi
from serving.http_requests import no_such_version, respond
from serving.http_responses import json_response, unavailable
from serving.live import Traffic


class PlainRoute(APIRoute):
    """A route in the OpenAPI document whose function takes the request and returns the response.

    FastAPI parses the arguments of other functions, which costs time even where there are none.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


def add_photograph_routes(app: FastAPI, name: str) -> None:
    """Add the routes that answer photographs: TorchServe's, and those of KServe v1 and v2."""

    async def predictions(request: Request) -> Response:
        """Attributes of one or several photographs."""
        _check_version(request, name)
        return await respond(request, name, explain=False)

    async def explanations(request: Request) -> Response:
        """Attributes of one or several photographs, each with its class activation map."""
        _check_version(request, name)
        return await respond(request, name, explain=True)

    for method in ("POST", "PUT"):  # curl -T sends PUT
        for path, endpoint in {
            f"/predictions/{name}": predictions,
            f"/explanations/{name}": explanations,
            f"/v1/models/{name}:predict": predictions,
            f"/v1/models/{name}:explain": explanations,
            f"/v2/models/{name}/infer": predictions,
            f"/v2/models/{name}/explain": explanations,
        }.items():
            app.router.add_api_route(
                path,
                endpoint,
                methods=[method],
                operation_id=f"{method}{path}",
                route_class_override=PlainRoute,
                **openapi.operation(path),
            )
    for path, endpoint in {
        f"/predictions/{name}/{{version}}": predictions,
        f"/explanations/{name}/{{version}}": explanations,
        f"/v2/models/{name}/versions/{{version}}/infer": predictions,
        f"/v2/models/{name}/versions/{{version}}/explain": explanations,
    }.items():
        app.router.add_api_route(
            path, endpoint, methods=["POST", "PUT"], include_in_schema=False, route_class_override=PlainRoute
        )


def add_service_routes(app: FastAPI, name: str, traffic: Traffic, root: bool) -> None:
    """Add the routes for the model card, health and metrics; with `root`, / answers too."""

    @app.get(f"/models/{name}", responses=openapi.DESCRIBED)
    async def model() -> Response:
        """The model card: labels, groups, thresholds, versions, sha256 of the weights."""
        return json_response(describe(traffic.models[0].predictor.card))

    @app.get("/livez", responses=openapi.STATUS)
    async def live() -> Response:
        """Whether the process answers at all."""
        return json_response({"status": "alive"})

    if root:
        app.get("/", responses=openapi.STATUS)(live)  # the health check of KServe v1 clients

    @app.get("/readyz", responses=openapi.STATUS | openapi.UNAVAILABLE)
    @app.get("/ping", responses=openapi.STATUS | openapi.UNAVAILABLE)
    async def ready(request: Request) -> Response:
        """Whether photographs are answered."""
        return _if_ready(request, {"status": "Healthy"})

    @app.get("/metrics", responses=openapi.METRICS)
    async def metrics(request: Request) -> Response:
        """Metrics for Prometheus."""
        return Response(request.app.state.counters.text(), media_type=CONTENT_TYPE_LATEST)


def add_kserve_routes(app: FastAPI, name: str, traffic: Traffic) -> None:
    """Add the health and metadata routes of KServe v1 and v2."""

    @app.get("/v2", responses=openapi.STATUS)
    async def server_metadata() -> Response:
        """Name, version and extensions of the server."""
        return json_response({"name": app.title, "version": traffic.versions[0], "extensions": ["binary_tensor_data"]})

    @app.get("/v2/health/live", responses=openapi.STATUS)
    async def server_live() -> Response:
        """Whether the process answers at all."""
        return json_response({"live": True})

    @app.get("/v2/health/ready", responses=openapi.STATUS | openapi.UNAVAILABLE_V2)
    async def server_ready(request: Request) -> Response:
        """Whether photographs are answered."""
        return _if_ready(request, {"ready": True})

    async def model_ready(request: Request) -> Response:
        """Whether photographs are answered."""
        _check_version(request, name)
        return _if_ready(request, {"name": name, "ready": True})

    async def model_metadata(request: Request) -> Response:
        """Names, types and shapes of the model's inputs and outputs."""
        _check_version(request, name)
        inputs, outputs = ([{"name": tensor, "datatype": "BYTES", "shape": [-1]}] for tensor in ("image", "answers"))
        platform = traffic.models[0].predictor.engine.name.partition(" ")[0]
        answer = {"name": name, "versions": traffic.versions, "platform": platform}
        return json_response(answer | {"inputs": inputs, "outputs": outputs})

    versioned = f"/v2/models/{name}/versions/{{version}}"
    app.add_api_route(f"/v1/models/{name}", model_ready, responses=openapi.STATUS | openapi.UNAVAILABLE)
    app.add_api_route(f"/v2/models/{name}/ready", model_ready, responses=openapi.STATUS | openapi.UNAVAILABLE_V2)
    app.add_api_route(f"/v2/models/{name}", model_metadata, responses=openapi.STATUS)
    app.add_api_route(f"{versioned}/ready", model_ready, include_in_schema=False)
    app.add_api_route(versioned, model_metadata, include_in_schema=False)


def _check_version(request: Request, name: str) -> None:
    if request.path_params.get("version") not in (None, *request.app.state.traffic.versions):
        raise no_such_version(request, name)


def _if_ready(request: Request, content: Any) -> Response:
    if request.app.state.traffic.alive:
        return json_response(content)
    return unavailable(request, "the model does not answer")
