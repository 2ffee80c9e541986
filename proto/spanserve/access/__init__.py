"""Who may call: roles, bearer tokens, and the access list that a worker reads and `spanserve token` writes."""

from spanserve.access.access_list import AccessList
from spanserve.access.entry import AccessError, Entry
from spanserve.access.role import Role, parse_roles
from spanserve.access.token import Token, digest_of, new_token

__all__ = ["AccessError", "AccessList", "Entry", "Role", "Token", "digest_of", "new_token", "parse_roles"]
