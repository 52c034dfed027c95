"""Run by alembic. The connection, its transaction and its lock are the caller's."""

from alembic import context

from pilotage.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters most things only by making the table anew
)
context.run_migrations()
