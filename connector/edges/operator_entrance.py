"""Who asks the operators' API: a client with an access token, or a person who is logged in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from connector.edges.http_ports import Peer
from connector.edges.login_desk import LoginDesk
from connector.edges.login_http import SESSION, check_origin, cookie_of
from connector.edges.login_sessions import Session
from connector.edges.oauth import Principal
from connector.edges.operator_guard import OperatorGuard
from connector.errors import Forbidden, Unauthenticated, UntrustedPeer
from connector.pipeline.emergency import Glass, Who
from connector.profile.operators import OperatorScope
from connector.profile.roles import Permission, granted
from connector.store import Broken


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and what may be done. ``principal``: of a token; ``session``: of a login; one of the two.

    ``broken``: the glass, where the person broke it.
    """

    name: str
    permissions: frozenset[Permission]
    principal: Principal | None = None
    session: Session | None = None
    broken: Broken | None = None

    def known_by(self, scope: OperatorScope | None) -> dict[str, Any]:
        """What else the audit trail is told: whose name it is, the client or the session, and whether only an
        emergency grants the scope (None: none is asked for)."""
        if self.session is None:
            return {"realm": "token", **({"client": self.principal.client_id} if self.principal else {})}
        emergency = scope is not None and scope not in granted(self.session.roles)
        return {
            "realm": "login",
            "session": self.session.label,
            **({"emergency": True} if emergency and self.broken else {}),
        }

    def who(self, known_by: Mapping[str, Any]) -> Who:
        """As one who may break the glass, or may not."""
        return Who("login", self.name, self.session.roles if self.session else (), known_by)


class Entrance:
    """``tokens``: the clients that may come, ``logins``: the people; None: none of them may."""

    def __init__(self, tokens: OperatorGuard | None, logins: LoginDesk | None, glass: Glass) -> None:
        self._tokens, self._logins, self._glass = tokens, logins, glass

    async def check(self, request: Request, peer: Peer | None) -> Asking:
        """Who asks. A token goes before a session. Raises ``UntrustedPeer``, ``Unauthenticated``,
        ``Forbidden`` (a session's request from another site), ``IssuerUnavailable``."""
        if peer is None:
            what, fix = "the connection has no verified client certificate", "connect with mutual TLS"
            raise UntrustedPeer(what, fix=fix, location="http.connection")
        sent = request.headers.getlist("authorization")
        if self._logins is not None and not sent and (secret := cookie_of(request, SESSION)):
            return await self._person(self._logins, secret, request, peer)
        if self._tokens is None:
            fix = "log in at /login" if self._logins else "see [operators] in the settings"
            raise Unauthenticated("nobody is logged in", fix=fix, location="http.cookie")
        principal = await self._tokens.check(sent, peer)
        return Asking(principal.subject, self._tokens.granted(principal), principal)

    def may(self, asking: Asking, scope: OperatorScope) -> None:
        """Raises ``Forbidden`` unless who asks has the permission."""
        if asking.principal is not None and self._tokens is not None:
            self._tokens.may(asking.principal, scope)
        elif scope not in asking.permissions:
            fix = "ask for another role, or break the glass"
            raise Forbidden("no role of the person grants this", fix=fix, location="http.cookie")

    async def _person(self, logins: LoginDesk, secret: str, request: Request, peer: Peer) -> Asking:
        await logins.tidy()
        session = logins.sessions.find(secret, peer.fingerprint)
        if session is None:
            raise Unauthenticated("the session has ended", fix="log in at /login", location="http.cookie")
        if request.method not in ("GET", "HEAD"):
            check_origin(request, logins.origin)
        broken = await self._glass.lasts(Who("login", session.name, session.roles, {}))
        permissions = granted(session.roles, emergency=broken is not None)
        return Asking(session.name, permissions, session=session, broken=broken)
