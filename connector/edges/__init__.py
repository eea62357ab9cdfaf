"""Where the connector touches the world: TLS, MLLP, HTTP and OAuth. The only room that does I/O on the wire."""
