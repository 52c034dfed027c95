"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _delivery()
    _target()
    _promotion()
    _act()
    _mail()
    _event()
    _report()


def _delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("number", SERIAL, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("settled_at", MOMENT),
        sa.PrimaryKeyConstraint("number", name="pk_delivery"),
        sa.UniqueConstraint("id", name="uq_delivery_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_delivery_state_number", "delivery", ["state", "number"])


def _target() -> None:
    op.create_table(
        "target",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("document", sa.Text()),
        sa.Column("proposal_id", sa.Text()),
        sa.Column("release_id", sa.Text()),
        sa.Column("wake_at", MOMENT),
        sa.Column("woken_at", MOMENT),
        sa.Column("due_at", MOMENT),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("retired_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_target"),
    )
    op.create_index("ix_target_due_at", "target", ["due_at"])
    op.create_index("ix_target_repository", "target", ["repository"])


def _promotion() -> None:
    op.create_table(
        "promotion",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("pull_request", sa.Integer()),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_promotion"),
        sa.ForeignKeyConstraint(["target"], ["target.id"], name="fk_promotion_target_target"),
        sa.UniqueConstraint("target", "number", name="uq_promotion_target_number"),
    )
    op.create_index("ix_promotion_target_pull_request", "promotion", ["target", "pull_request"])
    op.create_index("ix_promotion_state_created_at", "promotion", ["state", "created_at"])
    op.create_index("ix_promotion_created_at", "promotion", ["created_at"])


def _act() -> None:
    op.create_table(
        "act",
        sa.Column("number", SERIAL, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("promotion", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("tried_at", MOMENT),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("done_at", MOMENT),
        sa.Column("result", sa.Text()),
        sa.PrimaryKeyConstraint("number", name="pk_act"),
        sa.ForeignKeyConstraint(["target"], ["target.id"], name="fk_act_target_target"),
        sa.UniqueConstraint("key", name="uq_act_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_act_target_state", "act", ["target", "state"])
    op.create_index("ix_act_promotion", "act", ["promotion"])


def _mail() -> None:
    op.create_table(
        "mail",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mail"),
        sa.ForeignKeyConstraint(["target"], ["target.id"], name="fk_mail_target_target"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mail_target_id", "mail", ["target", "id"])


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("promotion", sa.Text()),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.ForeignKeyConstraint(["target"], ["target.id"], name="fk_event_target_target"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_target_id", "event", ["target", "id"])
    op.create_index("ix_event_promotion_id", "event", ["promotion", "id"])


def _report() -> None:
    op.create_table(
        "report",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("run_url", sa.Text(), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_report"),
    )
