"""The options that several commands take, for the settings of a service."""

from __future__ import annotations

from typing import Annotated

import typer

StoreUrl = Annotated[
    str | None, typer.Option("--store", help="The URL of the durable store.", show_default=False)
]
ListenHost = Annotated[
    str | None, typer.Option("--host", help="The address to listen on.", show_default=False)
]
ListenPort = Annotated[
    int | None, typer.Option("--port", help="The port; 0 takes a free one.", show_default=False)
]
Kafka = Annotated[
    str | None, typer.Option("--kafka", help="Kafka's bootstrap servers.", show_default=False)
]
Level = Annotated[
    str | None, typer.Option("--log", help="debug, info, warning or error.", show_default=False)
]
Profile = Annotated[
    str | None, typer.Option("--profile", help="Which [tool.reactor.PROFILE].", show_default=False)
]
Grace = Annotated[
    str | None,
    typer.Option("--grace", help="How long a stop waits for steps: 30s.", show_default=False),
]
Slots = Annotated[
    int | None, typer.Option("--slots", help="Steps that run at once.", show_default=False)
]
