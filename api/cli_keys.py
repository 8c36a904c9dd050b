"""`wenju keys`: make, list and revoke the API keys of an archive."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from api.keys import Key, KeyStore

keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)

Home = Annotated[Path | None, typer.Option(help="Folder of the archive [default: ./wenju-data].")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _store(home: Path | None) -> KeyStore:
    from api import settings as settings_
    from api.keys import KeyStore

    return KeyStore(settings_.load(home=home).home)


def _facts(key: Key) -> dict[str, object]:
    """A key for people and programs: all but its hash."""
    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "created": key.created,
        "expires": key.expires,
    }


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1))


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="read (ask, search, give verdicts), write (add, delete), admin (metrics, all "
            "verdicts); may be given several times [default: read]."
        ),
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Days that it is good for [default: ever].")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, this one time."""
    from api.audit import audited
    from api.keys import Scope

    chosen = scope or [Scope.READ.value]
    unknown = [s for s in chosen if s not in set(Scope)]
    if unknown:
        raise typer.BadParameter(f"there is no scope {unknown[0]!r}: read, write or admin")
    expires_in = timedelta(days=days) if days else None
    store = _store(home)
    with audited(store.path.parent, "keys create") as told:
        text, key = store.create(name, [Scope(s) for s in chosen], expires_in)
        told |= {"key": key.id, "key_name": key.name, "scopes": list(key.scopes)}
        told["expires"] = key.expires
    if as_json:
        _print_json({**_facts(key), "key": text})
    else:
        print(text)
        print(f"Keep it: it cannot be shown again. Its id is {key.id}.", file=sys.stderr)


@keys.command("list")
def list_(home: Home = None, as_json: AsJson = False) -> None:
    """List the keys, without their texts."""
    found = _store(home).all()
    if as_json:
        _print_json({"keys": [_facts(k) for k in found]})
        return
    for k in found:
        until = f"until {k.expires}" if k.expires else "for ever"
        print(f"{k.id}  {k.name}  {', '.join(k.scopes)}  made {k.created}, {until}")
    if not found:
        print("There are no keys; `wenju keys create NAME` makes one.")


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take a key back; servers refuse it from their next request on."""
    from api.audit import audited

    store = _store(home)
    with audited(store.path.parent, "keys revoke", key=key_id):
        key = store.revoke(key_id)
    if as_json:
        _print_json({"revoked": _facts(key)})
    else:
        print(f"revoked {key.id} ({key.name})")
