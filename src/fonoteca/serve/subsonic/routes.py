"""The way in: `/rest/NAME` and `/rest/NAME.view`, by GET, POST and HEAD, for players of all kinds."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from random import Random

from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from fonoteca.model.errors import FonotecaError, UsageError
from fonoteca.people.personal import Hearer
from fonoteca.serve.locating import asked_from
from fonoteca.serve.problems import Problem, reason_of
from fonoteca.serve.renditions import Renditions
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.subsonic import browsing, covers, lists, media, personal, searching, system
from fonoteca.serve.subsonic.answers import OPEN_TO_ALL, CallError, Code, Noun, answer, failure
from fonoteca.serve.subsonic.asking import Parameters, read_parameters
from fonoteca.serve.subsonic.calls import Call, Handler, Transcoded
from fonoteca.serve.subsonic.library import Library
from fonoteca.serve.subsonic.listeners import NOBODY, Listeners, sign_in
from fonoteca.serve.subsonic.looking import Lookups
from fonoteca.serve.subsonic.own import Own
from fonoteca.serve.watching.fetches import Asker, note_asker

log = logging.getLogger("fonoteca.serve")

HANDLERS: Mapping[str, Handler] = {
    **system.HANDLERS,
    **browsing.HANDLERS,
    **lists.HANDLERS,
    **searching.HANDLERS,
    **media.HANDLERS,
    **covers.HANDLERS,
    **personal.HANDLERS,
}

UNSIGNED = frozenset({"getOpenSubsonicExtensions"})
"""What is answered to anyone: a player has to know how it may sign in."""

ELSEWHERE = frozenset(
    {
        *("getVideoInfo", "getCaptions", "hls", "hls.m3u8", "jukeboxControl", "addChatMessage", "getChatMessages"),
        *("getShares", "createShare", "updateShare", "deleteShare", "getPodcasts", "getNewestPodcasts", "refreshPodcasts"),
        *("createPodcastChannel", "deletePodcastChannel", "deletePodcastEpisode", "downloadPodcastEpisode", "getPodcastEpisode"),
        *("getInternetRadioStations", "createInternetRadioStation", "updateInternetRadioStation", "deleteInternetRadioStation"),
        *("createUser", "updateUser", "deleteUser", "changePassword", "findSonicPath", "getSonicSimilarTracks"),
        *("getTranscodeDecision", "getTranscodeStream", "reportPlayback"),
    }
)
"""What the protocol has and an archive has not."""

_VERSION = re.compile(r"([0-9]{1,4})\..{0,20}")
_CODES = {403: Code.FORBIDDEN, 404: Code.NOT_FOUND, 410: Code.NOT_FOUND, 451: Code.FORBIDDEN}
_METHODS = ["GET", "POST", "HEAD", "OPTIONS"]


class Subsonic:
    """The routes that players know."""

    def __init__(self, rooms: ServeRooms, renditions: Renditions, listeners: Listeners) -> None:
        self._rooms = rooms
        self._listeners = listeners
        self._renditions = renditions
        self._lookups = Lookups(rooms.finder)

    def routes(self) -> list[Route]:
        """Return the route of all calls."""
        return [Route("/rest/{name:rest}", self.call, methods=_METHODS, name="subsonic")]

    async def call(self, request: Request) -> Response:
        """Return the answer to a call: a document, whatever goes wrong, or bytes."""
        if request.method == "OPTIONS":
            allowed = {"Access-Control-Allow-Methods": ", ".join(_METHODS), "Access-Control-Allow-Headers": "*"}
            return Response(None, 204, {**OPEN_TO_ALL, **allowed})
        told: dict[str, str] = {name: request.query_params.get(name, "") for name in ("f", "callback")}
        try:
            given = await read_parameters(request)
            told = {name: given.text(name) for name in ("f", "callback")}
            outcome = await run_sync(self._answered, request, given, told)
            if isinstance(outcome, Transcoded):
                return await self._renditions.render(request, outcome.held, outcome.rendition)
            return outcome
        except ClientDisconnect:
            return Response(status_code=400)
        except CallError as failed:
            return failure(failed, told)
        except Problem as problem:
            return failure(CallError(_CODES.get(problem.status_code, Code.GENERIC), problem.detail, problem.status_code), told)
        except UsageError as error:
            return failure(CallError(Code.GENERIC, error.problem), told)
        except FonotecaError as error:
            log.error("%s %s: %s", request.method, request.url.path, error)
            return failure(CallError(Code.GENERIC, reason_of(error), 503), told)

    def _answered(self, request: Request, given: Parameters, told: Mapping[str, str]) -> Response | Transcoded:
        """Return the answer to a call, written here and not where all others wait: that of a long list takes a while."""
        outcome = self._outcome(request, given)
        return outcome if isinstance(outcome, Response | Transcoded) else answer(outcome, told)

    def _outcome(self, request: Request, given: Parameters) -> Noun | Response | Transcoded:
        """Return what a call comes to. Raises: CallError, Problem."""
        name = request.path_params["name"].removesuffix(".view")
        handler = HANDLERS.get(name)
        if handler is None:
            known = "This archive does not offer that." if name in ELSEWHERE else "There is no such call."
            raise CallError(Code.GENERIC if name in ELSEWHERE else Code.NOT_FOUND, known)
        _check_version(given.text("v"))
        note_asker(request, Asker(None, given.text("c")), name)
        listener = NOBODY if name in UNSIGNED else sign_in(given, self._listeners)
        note_asker(request, Asker(listener.number, given.text("c")), name)
        rooms = asked_from(self._rooms, request)
        now = rooms.clock.now()
        library = Library(rooms, Random(int(now.timestamp() * 1e6)))
        days = self._rooms.settings.people.scrobbles_kept_days
        own = Own(self._rooms.people.personal, None if listener.number is None else Hearer(listener.number, days))
        with self._rooms.register.one_moment():
            return handler(Call(rooms, request, given, library, self._lookups, listener, own, now))


def _check_version(text: str) -> None:
    """Raise CallError for a player of another protocol. What is no version is a player that does not say."""
    match = _VERSION.fullmatch(text)
    if match is not None and int(match[1]) != 1:
        old = int(match[1]) < 1
        words = (
            "Incompatible protocol version: the player is too old."
            if old
            else "Incompatible protocol version: this server is too old."
        )
        raise CallError(Code.CLIENT_OLD if old else Code.SERVER_OLD, words)
