"""The log-ingester: brings what happened to runs from the log into MongoDB, and shows it, stored and live.

* `ingest` (the loop), `batches` (what to write, pure), `store` (MongoDB).
* `hub` and `subscriptions` (new records), `join` (stored and new as one, pure), `live` (what one viewer sees).
* `application`: `api` (HTTP), `websocket`, `cors`; with `views` and `cursors`.
* `service`: all of it, opened and closed in order.
"""
