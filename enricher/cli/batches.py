"""`enricher batches`: for a batch of which nobody can tell whether its provider took it, a person's word."""

from __future__ import annotations

import click

from .opening import DB, open_store


@click.command("batches", short_help="Decide on a batch that may or may not have been taken.")
@click.argument("batch", type=int)
@click.option("--taken", metavar="ID", help="The provider has it, and calls it so.")
@click.option("--dropped", is_flag=True, help="The provider does not have it, or no longer.")
@DB
def command(batch: int, taken: str | None, dropped: bool, db: str | None) -> int:
    """Say what became of a BATCH (its number is in the message that asks for this). Then the same command goes on."""
    from ..errors import StoreError

    if (taken is None) != dropped:
        raise click.UsageError("say either --taken ID or --dropped")
    with open_store(db) as store:
        found = store.batches.get(batch)
        if found is None or found.state not in ("started", "undecided", "submitted"):
            raise StoreError(f"{store.path}: there is no batch {batch} to decide on")
        with store.lock_job(found.job_id):
            if taken is not None:
                store.batches.submitted(batch, taken)
            elif found.state == "submitted":
                store.batches.mark(batch, "failed")  # the provider had it: it may have cost something
            else:
                store.batches.drop(batch)
    click.echo(f"batch {batch}: {'taken' if taken is not None else 'dropped'}")
    return 0
