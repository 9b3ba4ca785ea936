"""`dcron audit …`: what the crontab was, who changed it, what became of every tick, and the proof of it."""

from cyclopts import App

app = App(name="audit", help="What the crontab was, who changed it, and the proof.")
app.command(
    "dcron_standalone.archive_commands:list_events", name="events", help="Search the events of the log, newest first."
)
app.command(
    "dcron_standalone.archive_commands:verify_archive",
    name="verify",
    help="Prove that nobody changed the past; name the first event that differs.",
)
app.command(
    "dcron_standalone.archive_commands:write_head",
    name="head",
    help="Print, or write out, the chain's value now: keep it elsewhere, and verify against it later.",
)
app.command("dcron_standalone.ledger_commands:show_ledger", name="ledger", help="What became of every tick.")
app.command("dcron_standalone.time_travel_commands:show_state", name="state", help="Show the crontab as it was.")
app.command("dcron_standalone.time_travel_commands:show_difference", name="diff", help="Show what became other.")
app.command("dcron_standalone.time_travel_commands:restore_crontab", name="restore", help="Bring the crontab back.")
