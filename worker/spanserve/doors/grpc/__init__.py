"""The gRPC door: `spanserve.v1.QuestionAnswering` and health on one port."""
