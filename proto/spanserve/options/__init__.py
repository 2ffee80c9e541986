"""What commands share: conventions, groups of options that are defined once, and the terminal they print to.

@dataclass(frozen=True, slots=True, kw_only=True)
class RedisLogin:
    redis_username: Annotated[str, typer.Option(help="ACL user of Redis.")] = ""
    ...

@app.command("doctor")
@grouped
def doctor(*, bundle: Annotated[...] = None, login: RedisLogin) -> None: ...
"""

from spanserve.options.application import application
from spanserve.options.groups import grouped

__all__ = ["application", "grouped"]
