"""Alembic's entry: runs the migrations on the connection, and in the transaction, that `fonoteca.register.migrate` began."""

from alembic import context

from fonoteca.register.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # Alembic takes SQLite for an engine whose DDL commits by itself; with BEGIN said aloud it does not.
    transactional_ddl=True,
)
context.run_migrations()
