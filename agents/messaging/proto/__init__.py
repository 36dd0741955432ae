"""Messages as protobuf: `message.proto` and what protoc made of it (see `python -m agents.messaging.proto.make`)."""
