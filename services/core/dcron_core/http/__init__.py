"""What the HTTP faces of the services share: problems, identity, probes and the server."""
