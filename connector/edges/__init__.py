"""Where the connector touches the world: TLS, MLLP, HTTP and OAuth; the only room with I/O on the wire."""
