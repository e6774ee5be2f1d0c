"""The gallery's web server: this machine only, reading only, and only for whoever was given its address."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pydantic import ValidationError

from model.errors import DialogueError, SettingsError
from tasks.gallery.filter import Filter
from tasks.gallery.pages import Pages
from tasks.gallery.pictures import Pictures

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

HOST = "127.0.0.1"
COOKIE = "dialoguellm_gallery"
MAX_ID = 2_000
"""Characters of an id in an address."""

_SHUT = "Open the address that `dialoguellm gallery` printed. It opens once: for another browser start it again.\n"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def listen(port: int) -> socket.socket:
    """A socket of this machine alone; port 0 is any free one. Raises SettingsError where the port is taken."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
        bound.listen(128)  # a browser that is quicker than the server waits
    except OSError as error:
        bound.close()
        raise SettingsError(f"--port {port}: {error.strerror}: name another, or 0 for any that is free") from error
    return bound


def serve(pages: Pages, bound: socket.socket, token: str) -> None:
    """Answers until the process is interrupted."""
    import uvicorn

    app = application(pages, bound.getsockname()[1], token)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[bound])


def application(pages: Pages, port: int, token: str) -> Starlette:
    """The server's pages. ``token`` opens them once; whoever came with it goes on by a cookie."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import HTMLResponse, Response
    from starlette.routing import Route

    pictures = Pictures(pages.snapshot)

    def html(page: str | None, what: str = "") -> Response:
        return HTMLResponse(pages.refused(what)) if page is None else HTMLResponse(page)

    def missing(what: str) -> Response:
        return HTMLResponse(pages.refused(what), status_code=404)

    def listing(request: Request) -> Response:
        try:
            wanted = Filter.model_validate(dict(request.query_params))
        except ValidationError as error:
            where = ", ".join(str(item["loc"][0]) for item in error.errors())
            return HTMLResponse(pages.refused(f"The address asks for what there is not: {where}."), status_code=400)
        return html(pages.listing(wanted))

    def dialogue(request: Request) -> Response:
        name = _id(request)
        page = pages.dialogue(name)
        return missing(f"This run has no dialogue {name!r}.") if page is None else html(page)

    def utterance(request: Request) -> Response:
        name = _id(request)
        page = pages.utterance(name)
        return missing(f"This run has no line {name!r}.") if page is None else html(page)

    def picture(request: Request) -> Response:
        rank, size = request.query_params.get("rank", ""), request.query_params.get("size", "")
        if size not in ("small", "large") or not (rank.isascii() and rank.isdigit() and len(rank) < 6):
            return Response(status_code=400)
        found = pictures.get(_id(request), int(rank), "small" if size == "small" else "large")
        if found is None:
            return Response(status_code=404)
        return Response(found, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    def failed(_: Request, error: Exception) -> Response:
        return HTMLResponse(pages.refused(str(error)), status_code=500)

    guard = _guard(pages.policy, {f"{HOST}:{port}", f"localhost:{port}"}, token)
    return Starlette(
        routes=[
            Route("/", listing),
            Route("/dialogue", dialogue),
            Route("/utterance", utterance),
            Route("/picture", picture),
        ],
        exception_handlers={DialogueError: failed},
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=guard)],
    )


def _guard(
    policy: str, hosts: set[str], token: str
) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    """Lets only whoever holds the token in, once, and then the cookie that came for it.

    A page elsewhere that the browser has open can send requests here; it knows neither, and with another name for this
    machine (DNS rebinding) it is refused by the name.
    """
    from starlette.responses import PlainTextResponse, RedirectResponse

    unused = [token]
    session = secrets.token_urlsafe(32)

    async def guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        response: Response
        given = request.query_params.get("token")
        if request.headers.get("host") not in hosts:
            response = PlainTextResponse("this server answers to 127.0.0.1 alone\n", status_code=421)
        elif given is not None and unused and secrets.compare_digest(given.encode(), unused[0].encode()):
            unused.clear()
            response = RedirectResponse("/", status_code=303)
            response.set_cookie(COOKIE, session, httponly=True, samesite="strict", path="/")
        elif not secrets.compare_digest(request.cookies.get(COOKIE, "").encode(), session.encode()):
            response = PlainTextResponse(_SHUT, status_code=403)
        else:
            response = await answer(request)
        response.headers["Content-Security-Policy"] = f"{policy}; frame-ancestors 'none'"
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return guard


def _id(request: Request) -> str:
    return request.query_params.get("id", "")[:MAX_ID]
