"""What the log makes of jobs: pure data and functions.

* `validation`: a definition as text becomes a checked JobSpec, or a list of what is wrong.
* `table`: all jobs at one position of the log.
* `fold`: one event on top of a table: applied, or refused with the reason. Every master, every replay and
  every audit comes to the same answer.
"""
