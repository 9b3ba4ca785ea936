"""`dcron audit …`: what the crontab was, who changed it, what became of every tick, and the proof of it."""

from cyclopts import App

app = App(name="audit", help="What the crontab was, who changed it, and the proof.")
app.command("dcron_standalone.ledger_commands:show_ledger", name="ledger", help="What became of every tick.")
